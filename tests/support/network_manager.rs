//! An `nmcli` that takes everything and keeps what it was asked for.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::Folder;

/// Its arguments and environment go to `calls`, its standard input to `heard`, and the names of its
/// connections are in `connections`; as the real one, it keeps its lines in its user's home.
pub struct NetworkManager {
    folder: Folder,
}

impl NetworkManager {
    pub fn new() -> NetworkManager {
        let folder = Folder::new("nmcli");
        let nmcli = format!(
            r#"#!/bin/sh
cd "{}" || exit 1
printf '%s\n' "$*" >> calls
env >> calls
[ ! -e slow ] || sleep 1
case "$*" in
    *"RUNNING general"*) echo running ;;
    *"connection edit"*)
        cat > lines
        cat lines >> heard
        # As the real editor: without a word where it cannot.
        cp lines "$HOME/.nmcli-history" 2>/dev/null
        cp lines "${{XDG_CACHE_HOME:-$HOME/.cache}}/nmcli-history" 2>/dev/null ;;
    *"--show-secrets"*) sed -n 's/^set 802-11-wireless-security.psk //p' heard | tail -n 1 ;;
    *"connection show"*) cat connections 2>/dev/null ;;
    *"connection add"*ethernet*)
        if [ -e refuses-wired ]; then echo "Error: no such interface" >&2; exit 4; fi
        echo firstmile-wired >> connections ;;
    *"connection add"*) echo firstmile-wifi >> connections ;;
    *"device show"*) cat devices 2>/dev/null ;;
    *"wifi list"*"--rescan yes"*)
        if [ -e hangs ]; then exec sleep 60; fi
        cat points 2>/dev/null ;;
    *"wifi list"*) cat points 2>/dev/null ;;
    *"--fields WIFI-HW,WIFI radio"*) cat radio 2>/dev/null || echo enabled:enabled ;;
    "radio wifi on") echo enabled:enabled > radio ;;
    *"connection up id firstmile-wifi"*)
        [ ! -e slow-to-join ] || exec sleep 60
        [ ! -e found-later ] || mv found-later points
        [ ! -e joins ] || {{ cp joins devices; exit 0; }}
        cat refusal >&2 2>/dev/null
        exit 4 ;;
    "connection delete id "*)
        grep -vx "$4" connections > left
        mv left connections ;;
esac
exit 0
"#,
            folder.path().display()
        );
        let iw = format!("#!/bin/sh\necho iw \"$*\" >> {}/calls\n", folder.path().display());
        executable(&folder.path().join("nmcli"), &nmcli);
        executable(&folder.path().join("iw"), &iw);
        // In place of this machine's own supplicant.
        let busctl = format!(
            r#"#!/bin/sh
echo busctl "$*" >> "{}/calls"
case "$*" in
    *GetInterface*) echo 'o "/fi/w1/wpa_supplicant1/Interfaces/0"' ;;
esac
"#,
            folder.path().display()
        );
        executable(&folder.path().join("busctl"), &busctl);
        NetworkManager { folder }
    }

    /// The search path of a program that is to find it.
    pub fn path(&self) -> String {
        let rest = std::env::var("PATH").unwrap_or_default();
        format!("{}:{rest}", self.folder.path().display())
    }

    /// It refuses wired connections from now on.
    pub fn refuse_wired(&self) {
        self.put("refuses-wired", "");
    }

    /// It has joined a network by itself on this interface.
    pub fn has_joined(&self, connection: &str, interface: &str) {
        self.put("devices", &wireless(100, connection).replace("wlan0", interface));
    }

    /// These are in range from now on.
    pub fn finds(&self, points: &str) {
        self.put("points", points);
    }

    /// These are in range as soon as it tries to join one.
    pub fn finds_while_joining(&self, points: &str) {
        self.put("found-later", points);
    }

    /// Each call takes a second from now on.
    pub fn slow_down(&self) {
        self.put("slow", "");
    }

    /// It has a wireless interface, and these lines of access points: `IN-USE:SSID-HEX:SIGNAL:SECURITY:DEVICE:FREQ`.
    pub fn has_in_range(&self, points: &str) {
        self.put("devices", &wireless(30, ""));
        self.put("points", points);
    }

    /// Its wireless interface waits for its supplicant.
    pub fn is_not_ready(&self) {
        self.put("devices", &wireless(20, ""));
    }

    /// It looks for networks without end from now on.
    pub fn hang_looking(&self) {
        self.put("hangs", "");
    }

    /// Whoever joins waits without end from now on, or gets an answer.
    pub fn hang_joining(&self, hangs: bool) {
        match hangs {
            true => self.put("slow-to-join", ""),
            false => fs::remove_file(self.folder.path().join("slow-to-join")).expect("it hung"),
        }
    }

    /// Joining fails with this message from now on.
    pub fn refuse_joining(&self, message: &str) {
        self.put("refusal", message);
    }

    /// Joining works from now on: the interface of this name is connected.
    pub fn join_on(&self, interface: &str) {
        let devices = wireless(100, "firstmile-wifi").replace("wlan0", interface);
        self.put("joins", &devices);
    }

    /// What was joined is gone, and nothing else is in range.
    pub fn loses_all(&self) {
        let _ = fs::remove_file(self.folder.path().join("joins"));
        self.has_in_range("");
        self.refuse_joining(
            "Error: Connection activation failed: The Wi-Fi network could not be found\n",
        );
    }

    /// The radio is so from now on: what `nmcli --fields WIFI-HW,WIFI radio` says.
    pub fn set_radio(&self, radio: &str) {
        self.put("radio", radio);
    }

    /// It has these connections, one a line.
    pub fn has(&self, connections: &str) {
        self.put("connections", connections);
    }

    /// The connections that it has, one a line.
    pub fn connections(&self) -> String {
        self.get("connections")
    }

    /// Arguments and environment of all calls.
    pub fn calls(&self) -> String {
        self.get("calls")
    }

    /// What it read from its standard input.
    pub fn heard(&self) -> String {
        self.get("heard")
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("a file");
    }

    fn get(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

/// What `nmcli device show` says of a wireless interface in this state.
fn wireless(state: u32, connection: &str) -> String {
    format!(
        "GENERAL.DEVICE:wlan0\nGENERAL.TYPE:wifi\nGENERAL.STATE:{state} (as it is)\n\
         GENERAL.CONNECTION:{connection}\n\nGENERAL.DEVICE:lo\nGENERAL.TYPE:loopback\n\
         GENERAL.STATE:100 (connected (externally))\nGENERAL.CONNECTION:lo\n"
    )
}

fn executable(path: &Path, script: &str) {
    fs::write(path, script).expect("a script");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its own file");
}
