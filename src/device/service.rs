//! Telling systemd how the service is doing (sd_notify(3)): one datagram, no library.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use nix::unistd::geteuid;

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
const REBOOT_WISH: &str = "reboot";

/// Asks for a restart of the machine. Only root may ask the service manager itself; the service's own
/// user leaves a wish for a unit that may. Blocks until it has been said.
pub fn reboot() {
    if geteuid().is_root() {
        ask_to_reboot();
        return;
    }
    let folder = env::var("RUNTIME_DIRECTORY").unwrap_or_default();
    let wish = Path::new(folder.split(':').next().unwrap_or_default()).join(REBOOT_WISH);
    if let Err(error) = fs::write(&wish, "") {
        tracing::error!(%error, "a restart cannot be asked for at {}", wish.display());
    }
}

fn ask_to_reboot() {
    match Command::new("systemctl").args(["--no-block", "reboot"]).output() {
        Ok(asked) if asked.status.success() => {}
        Ok(asked) => {
            let said = String::from_utf8_lossy(&asked.stderr);
            tracing::error!(said = said.trim(), "the service manager does not reboot");
        }
        Err(error) => tracing::error!(%error, "systemctl cannot be run"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_manager_gets_what_it_is_told_and_its_absence_is_no_error() {
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
