//! Telling systemd how the service is doing (sd_notify(3)): one datagram, no library.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;

/// The way to the service manager; silent where there is none.
#[derive(Debug)]
pub struct ServiceManager {
    socket: Option<(UnixDatagram, SocketAddr)>,
}

impl ServiceManager {
    /// The manager that `address` (the value of `NOTIFY_SOCKET`) names.
    pub fn at(address: Option<&str>) -> ServiceManager {
        let socket = address.and_then(|address| {
            let address = match address.strip_prefix('@') {
                Some(name) => SocketAddr::from_abstract_name(name).ok()?,
                None => SocketAddr::from_pathname(address).ok()?,
            };
            Some((UnixDatagram::unbound().ok()?, address))
        });
        ServiceManager { socket }
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

/// Asks the service manager to start the machine anew. Blocks until it has said yes or no.
pub fn reboot() {
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
        ServiceManager::at(Some(&format!("@{name}"))).notify("READY=1");
        let mut buffer = [0; 64];
        let length = listener.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"READY=1");
        ServiceManager::at(None).notify("READY=1");
    }
}
