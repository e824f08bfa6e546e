//! Who else uses a serial port.

use std::path::Path;
use std::{fs, process};

/// Where the kernel shows the control groups that systemd makes: alone (v2), or next to others (v1).
const CONTROL_GROUPS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/systemd"];

/// Who else uses the port: a login of the system, else a process.
pub fn holder(path: &Path) -> Option<String> {
    let device = path.canonicalize().ok()?;
    CONTROL_GROUPS
        .iter()
        .find_map(|root| getty(Path::new(root), &device))
        .or_else(|| opener(&device))
}

/// The unit that offers a login at the port, or has let somebody in there. Its control group is there
/// as long as it is active, and is visible to services that see no process of another user.
fn getty(control_groups: &Path, device: &Path) -> Option<String> {
    let unit = format!("serial-getty@{}.service", device.file_name()?.to_str()?);
    let slice = r"system.slice/system-serial\x2dgetty.slice";
    control_groups.join(slice).join(&unit).is_dir().then_some(unit)
}

/// The other process that has the port open, as far as this user may see.
fn opener(device: &Path) -> Option<String> {
    let own = process::id().to_string();
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid = entry.file_name().to_string_lossy().into_owned();
        if pid == own || !pid.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let mut open = fs::read_dir(entry.path().join("fd")).ok()?.flatten();
        open.find(|fd| fs::read_link(fd.path()).is_ok_and(|file| file == device))?;
        let command = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        Some(format!("{} (process {pid})", command.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_of_the_system_is_found_by_what_every_service_may_see() {
        let folder = std::env::temp_dir().join(format!("firstmile-getty-{}", fastrand::u64(..)));
        let slice = folder.join(r"system.slice/system-serial\x2dgetty.slice");
        fs::create_dir_all(slice.join("serial-getty@ttyS0.service")).unwrap();
        let found = |tty: &str| getty(&folder, &Path::new("/dev").join(tty));
        assert_eq!(found("ttyS0").as_deref(), Some("serial-getty@ttyS0.service"));
        assert_eq!(found("ttyS1"), None);
        // The service sees its own user's processes alone, but every control group.
        let unit = include_str!("../../../systemd/firstmile.service");
        assert!(unit.contains("\nProtectProc=invisible\n"));
        let hides = ["InaccessiblePaths", "TemporaryFileSystem", "ProtectControlGroups=private"];
        assert!(!hides.iter().any(|hides| unit.contains(hides)), "{unit}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
