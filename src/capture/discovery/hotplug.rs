//! Listens to the kernel for devices that are plugged in, so that a missing source is opened at once.

use std::{
    io::{self, IoSliceMut},
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvmsg,
        socket,
    },
};

use super::uevent::Uevent;
use crate::capture::threads::{Notifier, Threads};

/// The multicast group of the kernel itself; udev has another one (systemd's
/// `device-monitor-private.h`).
const KERNEL_GROUP: u32 = 1;
/// A message is at most 2 KiB of variables and a path (the kernel's `UEVENT_BUFFER_SIZE`).
const MESSAGE_BYTES_MAX: usize = 8 * 1024;
/// How soon the thread notices that it is to end.
const STOP_POLL_MS: u16 = 250;

/// Notifies `arrivals` when a camera or sound card was plugged in. Where the kernel denies that, it
/// is logged once, and missing devices are polled for.
pub fn listen(threads: &Threads, arrivals: Notifier) {
    let started = open().and_then(|socket| {
        threads.spawn("capture-hotplug", move |stop| {
            while !stop.is_set() {
                match receive(&socket) {
                    Ok(true) => arrivals.notify(),
                    Ok(false) => {}
                    Err(error) => return denied(&error),
                }
            }
        })
    });
    if let Err(error) = started {
        denied(&error);
    }
}

fn denied(error: &io::Error) {
    tracing::info!("no hot-plug events from the kernel ({error}); polling for devices");
}

fn open() -> io::Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        SockProtocol::NetlinkKObjectUEvent,
    )?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, KERNEL_GROUP))?;
    Ok(socket)
}

/// Waits a moment for a message; whether a source may have been plugged in.
fn receive(socket: &OwnedFd) -> io::Result<bool> {
    let mut ready = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    match poll(&mut ready, PollTimeout::from(STOP_POLL_MS)) {
        Ok(0) | Err(Errno::EINTR) => return Ok(false),
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    let mut buffer = [0; MESSAGE_BYTES_MAX];
    let mut parts = [IoSliceMut::new(&mut buffer)];
    let received =
        recvmsg::<NetlinkAddr>(socket.as_raw_fd(), &mut parts, None, MsgFlags::MSG_DONTWAIT);
    let (bytes, from_kernel) = match received {
        Ok(received) => {
            (received.bytes, received.address.is_some_and(|address| address.pid() == 0))
        }
        Err(Errno::EAGAIN | Errno::EINTR) => return Ok(false),
        // Messages were lost, and one of them may have been of a source.
        Err(Errno::ENOBUFS) => return Ok(true),
        Err(error) => return Err(error.into()),
    };
    // Any process can send to the socket; only messages of the kernel count.
    let event = buffer.get(..bytes).filter(|_| from_kernel).and_then(Uevent::parse);
    let brings = event.is_some_and(|event| event.brings_a_source());
    if let Some(Uevent { action, subsystem, node }) = event.filter(|_| brings) {
        tracing::debug!(action, subsystem, node, "device event from the kernel");
    }
    Ok(brings)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        time::{Duration, Instant},
    };

    use super::*;

    /// Says why this machine cannot run the test; installing a program would not change that.
    fn skip(reason: &str) {
        println!("skipped: {reason}");
    }

    /// Asks the kernel to repeat its messages, which it does for root only.
    fn kernel_repeats_itself() -> bool {
        ["/sys/class/sound/timer/uevent", "/sys/class/mem/null/uevent"]
            .iter()
            .any(|file| fs::write(file, "change").is_ok())
    }

    #[test]
    fn messages_of_the_kernel_arrive_and_those_of_other_devices_are_ignored() {
        let socket = match open() {
            Ok(socket) => socket,
            Err(error) => return skip(&format!("the kernel does not tell of devices ({error})")),
        };
        let asked = Instant::now();
        if !kernel_repeats_itself() {
            return skip("the kernel repeats its messages for root alone");
        }
        let mut ready = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        let waited = poll(&mut ready, PollTimeout::from(5_000_u16)).expect("polls");
        if waited == 0 {
            return skip("a container of its own user namespace receives nothing");
        }
        assert!(asked.elapsed() < Duration::from_secs(5));
        let of_memory = !std::path::Path::new("/sys/class/sound/timer").exists();
        assert_eq!(receive(&socket).expect("reads"), !of_memory);
    }

    #[test]
    fn listening_ends_with_the_capture() {
        let threads = Threads::default();
        listen(&threads, threads.notifier());
        assert!(threads.stop_and_wait(Duration::from_secs(20)));
    }
}
