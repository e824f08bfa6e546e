//! The kernel's messages about devices (its `Documentation/driver-api/kobject.rst`), and how often to
//! try a missing one.
//!
//! Pure: no socket, no clock.

use std::time::Duration;

use crate::limits::{
    CAPTURE_REOPEN_AFTER_ARRIVAL, CAPTURE_REOPEN_INTERVAL, CAPTURE_REOPENS_AFTER_ARRIVAL,
};

/// A message of the kernel about a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uevent<'a> {
    /// `add`, `remove`, `change` and a few more.
    pub action: &'a str,
    /// The kind of device, such as `video4linux`.
    pub subsystem: &'a str,
    /// Its node below `/dev`, if it has one.
    pub node: Option<&'a str>,
}

impl<'a> Uevent<'a> {
    /// Reads a message: `ACTION@PATH`, then `KEY=VALUE` pairs, each ended by a zero byte. `None`
    /// for anything else, such as the messages of udev.
    pub fn parse(message: &'a [u8]) -> Option<Uevent<'a>> {
        let mut parts = message.split(|byte| *byte == 0).filter(|part| !part.is_empty());
        let (action, path) = std::str::from_utf8(parts.next()?).ok()?.split_once('@')?;
        if !path.starts_with('/') {
            return None;
        }
        let (mut subsystem, mut node) = (None, None);
        for part in parts {
            // No key that matters has a value that is not text.
            let Ok(part) = std::str::from_utf8(part) else { continue };
            match part.split_once('=') {
                Some(("SUBSYSTEM", value)) => subsystem = Some(value),
                Some(("DEVNAME", value)) => node = Some(value),
                _ => {}
            }
        }
        Some(Uevent { action, subsystem: subsystem?, node })
    }

    /// Whether a camera or sound card may have been plugged in: its node appeared, or its permissions
    /// changed.
    pub fn brings_a_source(&self) -> bool {
        matches!(self.subsystem, "video4linux" | "sound" | "media")
            && matches!(self.action, "add" | "change" | "bind" | "move" | "online")
    }
}

/// When to try a missing device again.
#[derive(Debug, Default)]
pub struct Retry {
    soon_left: u32,
}

impl Retry {
    /// A device was plugged in. Its node and permissions may follow a moment later, so the next
    /// tries are close together.
    pub fn device_event(&mut self) {
        self.soon_left = CAPTURE_REOPENS_AFTER_ARRIVAL;
    }

    /// How long to wait for a device event before the next try.
    pub fn next(&mut self) -> Duration {
        if self.soon_left == 0 {
            return CAPTURE_REOPEN_INTERVAL;
        }
        self.soon_left -= 1;
        CAPTURE_REOPEN_AFTER_ARRIVAL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the kernel sent them when a USB camera with a microphone was plugged in and out.
    const CAMERA: &[u8] =
        b"add@/devices/pci0000:00/0000:00:14.0/usb1/1-3/1-3:1.0/video4linux/video0\0\
        ACTION=add\0DEVPATH=/devices/pci0000:00/0000:00:14.0/usb1/1-3/1-3:1.0/video4linux/video0\0\
        SUBSYSTEM=video4linux\0MAJOR=81\0MINOR=0\0DEVNAME=video0\0SEQNUM=4711\0";
    const CARD: &[u8] = b"add@/devices/pci0000:00/0000:00:14.0/usb1/1-3/1-3:1.2/sound/card1/pcmC1D0c\0\
        ACTION=add\0DEVPATH=/devices/pci0000:00/0000:00:14.0/usb1/1-3/1-3:1.2/sound/card1/pcmC1D0c\0\
        SUBSYSTEM=sound\0MAJOR=116\0MINOR=3\0DEVNAME=snd/pcmC1D0c\0SEQNUM=4713\0";
    const GONE: &[u8] = b"remove@/devices/platform/vivid.0/video4linux/video0\0ACTION=remove\0\
        DEVPATH=/devices/platform/vivid.0/video4linux/video0\0SUBSYSTEM=video4linux\0MAJOR=81\0\
        MINOR=0\0DEVNAME=video0\0SEQNUM=1234\0";
    const DISK: &[u8] =
        b"add@/devices/virtual/block/loop0\0ACTION=add\0SUBSYSTEM=block\0SEQNUM=1\0";
    const UDEV: &[u8] = b"libudev\0\xfe\xed\xca\xfe\x28\0\0\0\x28\0\0\0ACTION=add\0";

    #[test]
    fn messages_of_the_kernel_are_read() {
        for (message, action, subsystem, node, brings) in [
            (CAMERA, "add", "video4linux", Some("video0"), true),
            (CARD, "add", "sound", Some("snd/pcmC1D0c"), true),
            (GONE, "remove", "video4linux", Some("video0"), false),
            (DISK, "add", "block", None, false),
        ] {
            let read = Uevent::parse(message).expect("a message");
            assert_eq!(read, Uevent { action, subsystem, node });
            assert_eq!(read.brings_a_source(), brings, "{read:?}");
        }
    }

    #[test]
    fn anything_else_is_no_message() {
        for message in [
            UDEV,
            b"",
            b"\0\0\0",
            b"add",
            b"add@",
            b"add@x\0SUBSYSTEM=sound\0",
            b"add@/x\0",
            b"\xff\xfe@/x\0SUBSYSTEM=sound\0",
        ] {
            assert_eq!(Uevent::parse(message), None, "{message:?}");
        }
        // Cut anywhere, it is read as far as it goes or not at all.
        for length in 0..CAMERA.len() {
            let cut = Uevent::parse(&CAMERA[..length]);
            assert!(cut.is_none_or(|event| event.action == "add"));
        }
    }

    #[test]
    fn after_a_device_event_the_tries_are_close_together_and_then_far_apart_again() {
        let mut retry = Retry::default();
        assert_eq!(retry.next(), CAPTURE_REOPEN_INTERVAL);
        retry.device_event();
        let soon: Vec<Duration> =
            std::iter::from_fn(|| Some(retry.next()).filter(|w| *w < CAPTURE_REOPEN_INTERVAL))
                .collect();
        assert_eq!(soon.len(), CAPTURE_REOPENS_AFTER_ARRIVAL as usize);
        assert!(soon.iter().sum::<Duration>() >= Duration::from_secs(1), "udev needs a moment");
    }
}
