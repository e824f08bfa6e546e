//! Telling systemd how the service is doing (sd_notify(3)): one datagram, no library.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use nix::unistd::geteuid;

use crate::child;
use crate::limits::SYSTEM_TOOL_TIMEOUT;

/// The way to the service manager; silent where there is none.
#[derive(Debug)]
pub struct ServiceManager {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The manager that `address` (the value of `NOTIFY_SOCKET`) names. It ends a service that is
    /// silent for `watchdog_usec` (the value of `WATCHDOG_USEC`, in microseconds).
    pub fn at(address: Option<&str>, watchdog_usec: Option<&str>) -> ServiceManager {
        let socket = address.and_then(|address| {
            let address = match address.strip_prefix('@') {
                Some(name) => SocketAddr::from_abstract_name(name).ok()?,
                None => SocketAddr::from_pathname(address).ok()?,
            };
            Some((UnixDatagram::unbound().ok()?, address))
        });
        let watchdog = watchdog_usec.and_then(|usec| usec.parse().ok()).filter(|usec| *usec > 0);
        ServiceManager { socket, watchdog: watchdog.map(Duration::from_micros) }
    }

    /// How often a healthy service says so; `None` where nobody watches. A quarter of the time allowed,
    /// so that a busy machine is not taken for a dead one.
    pub fn alive_interval(&self) -> Option<Duration> {
        self.watchdog.filter(|_| self.is_there()).map(|allowed| allowed / 4)
    }

    /// Whether there is one.
    pub fn is_there(&self) -> bool {
        self.socket.is_some()
    }

    /// Sends one assignment, such as `READY=1`.
    pub fn notify(&self, assignment: &str) {
        if let Some((socket, address)) = &self.socket
            && let Err(error) = socket.send_to_addr(assignment.as_bytes(), address)
        {
            tracing::debug!(%error, "the service manager does not listen");
        }
    }
}

/// The file in the runtime folder that asks for a restart of the machine (`firstmile-reboot.path`).
const REBOOT_REQUEST: &str = "reboot";
/// The file there that asks for the radio rules of the country in it (`firstmile-country.path`).
const COUNTRY_REQUEST: &str = "country";

/// Asks for a restart of the machine. Only root may ask the service manager itself; the service's own
/// user leaves a request for a unit that may. Blocks until that is done.
pub fn reboot() {
    let asked = match geteuid().is_root() {
        true => run("systemctl", &["--no-block", "reboot"]),
        false => request(REBOOT_REQUEST, ""),
    };
    if let Err(why) = asked {
        tracing::error!(why, "a restart cannot be asked for");
    }
}

/// Asks for the radio rules of a country, two letters (ISO 3166-1). Only who may administer the
/// network may set them; the service's own user leaves a request for a unit that may.
pub(super) fn set_country(country: &str) -> Result<(), String> {
    match geteuid().is_root() {
        true => run("iw", &["reg", "set", country]),
        false => request(COUNTRY_REQUEST, &format!("{country}\n")),
    }
}

/// Leaves a request in the runtime folder.
fn request(name: &str, text: &str) -> Result<(), String> {
    let folders = env::var("RUNTIME_DIRECTORY").unwrap_or_default();
    let folder = folders.split(':').next().filter(|folder| !folder.is_empty());
    leave(Path::new(folder.ok_or("there is no RUNTIME_DIRECTORY for it")?), name, text)
}

/// Leaves a file in a folder. It is there as a whole, or not at all.
fn leave(folder: &Path, name: &str, text: &str) -> Result<(), String> {
    let (new, request) = (folder.join(format!("{name}.new")), folder.join(name));
    let left = fs::write(&new, text).and_then(|()| fs::rename(&new, &request));
    left.map_err(|error| format!("{}: {error}", request.display()))
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let ended = child::run(Command::new(program).args(arguments), None, SYSTEM_TOOL_TIMEOUT);
    match ended {
        Ok(ended) if ended.status.success() => Ok(()),
        Ok(ended) => Err(format!("{program}: {}", String::from_utf8_lossy(&ended.stderr).trim())),
        Err(error) => Err(format!("{program} cannot be run: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_manager_gets_what_it_is_sent_and_its_absence_is_no_error() {
        let name = format!("firstmile-test-{}", std::process::id());
        let listener =
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let manager = ServiceManager::at(Some(&format!("@{name}")), Some("8000000"));
        manager.notify("READY=1");
        let mut buffer = [0; 64];
        let length = listener.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"READY=1");
        assert_eq!(manager.alive_interval(), Some(Duration::from_secs(2)));
        let nobody = ServiceManager::at(None, Some("8000000"));
        nobody.notify("READY=1");
        assert_eq!(nobody.alive_interval(), None);
    }

    #[test]
    fn a_request_is_left_whole_where_the_unit_that_grants_it_looks() {
        let folder = env::temp_dir().join(format!("firstmile-request-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        leave(&folder, COUNTRY_REQUEST, "DE\n").unwrap();
        let names: Vec<_> =
            fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["country"]);
        assert_eq!(fs::read_to_string(folder.join("country")).unwrap(), "DE\n");
        fs::remove_dir_all(&folder).unwrap();
        assert!(leave(&folder, COUNTRY_REQUEST, "DE\n").unwrap_err().contains("country: "));
        for (request, unit) in [
            (COUNTRY_REQUEST, include_str!("../../systemd/firstmile-country.path")),
            (REBOOT_REQUEST, include_str!("../../systemd/firstmile-reboot.path")),
        ] {
            assert!(unit.contains(&format!("PathExists=/run/firstmile/{request}\n")), "{unit}");
        }
    }

    #[test]
    fn a_watchdog_that_is_off_or_nonsense_is_not_fed() {
        for usec in [None, Some(""), Some("0"), Some("soon")] {
            assert_eq!(
                ServiceManager::at(Some("@firstmile"), usec).alive_interval(),
                None,
                "{usec:?}"
            );
        }
    }
}
