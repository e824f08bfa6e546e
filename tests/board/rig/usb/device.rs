//! A USB device with power: it answers what a machine asks of it, at once or when there is something to deliver.
//!
//! Pure: its owner says what time it is.

use std::collections::VecDeque;
use std::time::Duration;

use super::camera::Camera;
use super::descriptors::{self, AUDIO_ENDPOINT, Functions, VIDEO_ENDPOINT};
use super::microphone::Microphone;
use super::wire::{Command, FAILED, STALLED, Submit, submitted, unlinked};

const MAKER: &str = "Firstmile";

/// How a device is made: its like is known by the same name and serial number.
#[derive(Debug, Clone, Copy)]
pub struct Make {
    pub functions: Functions,
    pub product: &'static str,
    pub serial: &'static str,
    /// Which of the cameras that their frames distinguish.
    pub which: usize,
}

/// What is wrong with a device.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Its endpoints of frames and audio deliver nothing.
    pub is_silent: bool,
    /// Its transfers of frames fail.
    pub fails: bool,
    /// Every so many JPEGs one is corrupt; none with 0.
    pub corrupt_every: u64,
}

impl Faults {
    pub fn corrupts(&self, frame: u64) -> bool {
        self.corrupt_every > 0 && frame.is_multiple_of(self.corrupt_every)
    }
}

/// A request by a control transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub is_in: bool,
    kind: u8,
    pub code: u8,
    value: u16,
    index: u16,
    length: u16,
    pub data: Vec<u8>,
}

impl Request {
    pub const SET_CURRENT: u8 = 0x01;
    pub const GET_CURRENT: u8 = 0x81;
    pub const GET_MIN: u8 = 0x82;
    pub const GET_MAX: u8 = 0x83;
    pub const GET_STEP: u8 = 0x84;
    pub const GET_LENGTH: u8 = 0x85;
    pub const GET_INFO: u8 = 0x86;
    pub const GET_DEFAULT: u8 = 0x87;
    pub const CAN_GET_AND_SET: u8 = 0b11;

    fn of(submit: &Submit) -> Request {
        let [kind, code, ..] = submit.setup;
        let word = |at: usize| u16::from_le_bytes([submit.setup[at], submit.setup[at + 1]]);
        Request {
            is_in: kind & 0x80 != 0,
            kind: kind & 0x7F,
            code,
            value: word(2),
            index: word(4),
            length: word(6),
            data: submit.data.clone(),
        }
    }

    /// The interface that it is for.
    pub fn interface(&self) -> u8 {
        self.index as u8
    }

    /// The unit or terminal of the interface that it is for.
    pub fn unit(&self) -> u8 {
        (self.index >> 8) as u8
    }

    /// Which control of that.
    pub fn selector(&self) -> u8 {
        (self.value >> 8) as u8
    }
}

/// A device with power.
pub struct Device {
    make: Make,
    pub faults: Faults,
    pub camera: Option<Camera>,
    pub microphone: Option<Microphone>,
    /// Transfers that nothing has come for.
    waiting: VecDeque<Submit>,
}

impl Device {
    /// One that has just been plugged in.
    pub fn new(make: Make, faults: Faults) -> Device {
        let Functions { camera, microphone } = make.functions;
        Device {
            make,
            faults,
            camera: camera.map(|transfer| Camera::new(transfer, make.which)),
            microphone: microphone.then(Microphone::new),
            waiting: VecDeque::new(),
        }
    }

    /// Takes a command, and gives what can be answered by now.
    pub fn take(&mut self, command: Command, now: Duration) -> Vec<u8> {
        match command {
            Command::Unlink { seqnum, of } => {
                let at = self.waiting.iter().position(|submit| submit.seqnum == of);
                let was_waiting = at.and_then(|at| self.waiting.remove(at)).is_some();
                unlinked(seqnum, was_waiting)
            }
            Command::Submit(submit) if submit.endpoint == 0 => {
                let answer = self.control(&Request::of(&submit), now);
                submitted(&submit, answer.as_deref().ok_or(STALLED))
            }
            Command::Submit(submit) => {
                self.waiting.push_back(submit);
                self.deliver(now)
            }
        }
    }

    /// What can be answered by now. Transfers of an endpoint are in their order.
    pub fn deliver(&mut self, now: Duration) -> Vec<u8> {
        let (mut answers, mut still_waiting, mut empty) = (Vec::new(), VecDeque::new(), Vec::new());
        while let Some(submit) = self.waiting.pop_front() {
            let answer = match empty.contains(&submit.endpoint) {
                true => None,
                false => self.transfer(&submit, now),
            };
            match answer {
                Some(answer) => answers.extend(answer),
                None => {
                    empty.push(submit.endpoint);
                    still_waiting.push_back(submit);
                }
            }
        }
        self.waiting = still_waiting;
        answers
    }

    fn transfer(&mut self, submit: &Submit, now: Duration) -> Option<Vec<u8>> {
        let faults = self.faults;
        if faults.is_silent {
            return None;
        }
        match submit.endpoint {
            VIDEO_ENDPOINT if faults.fails => Some(submitted(submit, Err(FAILED))),
            VIDEO_ENDPOINT => self.camera.as_mut()?.deliver(submit, now, &faults),
            AUDIO_ENDPOINT => self.microphone.as_mut()?.deliver(submit, now),
            _ => Some(submitted(submit, Err(STALLED))),
        }
    }

    /// Answers a request; `None` stalls.
    fn control(&mut self, request: &Request, now: Duration) -> Option<Vec<u8>> {
        const OF_DEVICE: u8 = 0x00;
        const OF_INTERFACE: u8 = 0x01;
        const OF_ENDPOINT: u8 = 0x02;
        const CLASS_OF_INTERFACE: u8 = 0x21;
        match (request.kind, request.code) {
            (CLASS_OF_INTERFACE, _) => self.class(request, now),
            (_, 0) if request.is_in => Some(vec![0, 0]),
            (OF_DEVICE, 6) if request.is_in => self.descriptor(request),
            (OF_DEVICE, 8) if request.is_in => Some(vec![1]),
            (OF_DEVICE, 9) => Some(Vec::new()),
            (OF_INTERFACE, 10) if request.is_in => Some(vec![0]),
            (OF_INTERFACE, 11) => {
                self.set_alternate(request.interface(), request.value as u8, now);
                Some(Vec::new())
            }
            (OF_ENDPOINT, 1) => {
                if request.index as u8 & 0x0F == VIDEO_ENDPOINT {
                    self.camera.iter_mut().for_each(Camera::halt_cleared);
                }
                Some(Vec::new())
            }
            _ => None,
        }
    }

    fn descriptor(&self, request: &Request) -> Option<Vec<u8>> {
        let (kind, index) = ((request.value >> 8) as u8, request.value as u8);
        let mut descriptor = match (kind, index) {
            (1, 0) => descriptors::device(),
            (2, 0) => descriptors::configuration(&self.make.functions),
            (3, 0) => descriptors::string(None),
            (3, 1) => descriptors::string(Some(MAKER)),
            (3, 2) => descriptors::string(Some(self.make.product)),
            (3, 3) => descriptors::string(Some(self.make.serial)),
            _ => return None,
        };
        descriptor.truncate(request.length.into());
        Some(descriptor)
    }

    /// The function that an interface belongs to answers.
    fn class(&mut self, request: &Request, now: Duration) -> Option<Vec<u8>> {
        let of_audio = request.interface() >= self.make.functions.audio_interface();
        match (of_audio, &mut self.microphone, &mut self.camera) {
            (true, Some(microphone), _) => microphone.request(request),
            (false, _, Some(camera)) | (true, None, Some(camera)) => camera.request(request, now),
            _ => None,
        }
    }

    fn set_alternate(&mut self, interface: u8, alternate: u8, now: Duration) {
        let streams = self.make.functions.audio_interface() + 1;
        if let Some(microphone) = self.microphone.as_mut().filter(|_| interface == streams) {
            microphone.set_alternate(alternate, now);
        } else if let Some(camera) = self.camera.as_mut().filter(|_| interface == 1) {
            camera.set_alternate(alternate, now);
        }
    }
}

mod tests {
    use super::super::camera::Transfer;
    use super::super::wire::HEADER_BYTES;
    use super::super::wire::kernel::{Ended, read_ended};
    use super::*;

    fn make(camera: Option<Transfer>, microphone: bool) -> Make {
        let functions = Functions { camera, microphone };
        Make { functions, product: "Test Device", serial: "1", which: 0 }
    }

    fn control(setup: [u8; 8], data: &[u8]) -> Command {
        let (is_in, length) = (setup[0] & 0x80 != 0, usize::from(setup[6]));
        let data = data.to_vec();
        let packets = Vec::new();
        Command::Submit(Submit { seqnum: 1, is_in, endpoint: 0, length, setup, data, packets })
    }

    fn transfer(seqnum: u32, endpoint: u8, length: usize, packets: &[(u32, u32)]) -> Command {
        let (packets, setup) = (packets.to_vec(), [0; 8]);
        let data = Vec::new();
        Command::Submit(Submit { seqnum, is_in: true, endpoint, length, setup, data, packets })
    }

    /// All answers in the order that they are sent in.
    fn ended(mut answers: &[u8]) -> Vec<Ended> {
        let mut all = Vec::new();
        while !answers.is_empty() {
            // What went to the device does not come back.
            let is_in = answers.len() > HEADER_BYTES;
            all.push(read_ended(&mut answers, is_in).expect("whole answers"));
        }
        all
    }

    fn one(answers: &[u8]) -> Ended {
        let mut all = ended(answers);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    const AT: fn(u64) -> Duration = Duration::from_millis;
    const PROBE: u8 = 1;
    const COMMIT: u8 = 2;

    /// Agrees on MJPEG of 320x180 at 15 frames a second, or on raw frames.
    fn agree(device: &mut Device, format: u8, now: Duration) {
        let mut proposed = [0; 34];
        (proposed[2], proposed[3]) = (format, 1);
        proposed[4..8].copy_from_slice(&666_666_u32.to_le_bytes());
        for selector in [PROBE, COMMIT] {
            let set = control([0x21, 1, 0, selector, 1, 0, 34, 0], &proposed);
            assert_eq!(one(&device.take(set, now)).status, 0);
        }
    }

    #[test]
    fn a_device_describes_itself_as_far_as_it_is_asked() {
        let mut device = Device::new(make(Some(Transfer::Bulk), true), Faults::default());
        let mut ask = |setup| one(&device.take(control(setup, &[]), AT(0)));
        assert_eq!(ask([0x80, 6, 0, 1, 0, 0, 8, 0]).data.len(), 8);
        let head = ask([0x80, 6, 0, 2, 0, 0, 9, 0]).data;
        assert_eq!((head.len(), head[4]), (9, 4), "four interfaces");
        assert_eq!(ask([0x80, 6, 3, 3, 9, 4, 255, 0]).data, [4, 3, b'1', 0]);
        assert_eq!(ask([0x80, 6, 0, 6, 0, 0, 10, 0]).status, STALLED, "it has no other speed");
    }

    #[test]
    fn controls_of_both_functions_are_set_read_back_and_bounded() {
        let mut device = Device::new(make(Some(Transfer::Bulk), true), Faults::default());
        let mut ask = |setup, data: &[u8]| one(&device.take(control(setup, data), AT(0)));
        assert_eq!(ask([0x21, 1, 0, 2, 0, 2, 2, 0], &40_i16.to_le_bytes()).status, 0);
        assert_eq!(ask([0xA1, 0x81, 0, 2, 0, 2, 2, 0], &[]).data, 40_i16.to_le_bytes());
        ask([0x21, 1, 0, 3, 0, 2, 2, 0], &900_i16.to_le_bytes());
        assert_eq!(ask([0xA1, 0x87, 0, 3, 0, 2, 2, 0], &[]).data, 32_i16.to_le_bytes());
        assert_eq!(ask([0x21, 1, 0, 1, 2, 2, 1, 0], &[1]).status, 0);
        ask([0x21, 1, 0, 2, 2, 2, 2, 0], &(-512_i16).to_le_bytes());
        assert_eq!(ask([0xA1, 0x81, 0, 9, 0, 2, 2, 0], &[]).status, STALLED);
        let (camera, microphone) = (device.camera.expect("one"), device.microphone.expect("one"));
        assert_eq!((camera.value("brightness"), camera.value("contrast")), (40, 95));
        assert!(microphone.is_mute() && microphone.volume_db() == -2.0);
    }

    #[test]
    fn a_jpeg_comes_by_bulk_when_it_is_due_and_the_next_one_has_the_other_mark() {
        let mut device = Device::new(make(Some(Transfer::Bulk), false), Faults::default());
        assert_eq!(device.take(transfer(5, 1, 16_384, &[]), AT(0)), [0; 0], "nothing is agreed");
        agree(&mut device, 2, AT(1_000));
        let first = one(&device.deliver(AT(1_000)));
        assert_eq!((first.seqnum, first.status, first.data[0]), (5, 0, 2));
        assert!(first.data[2..].starts_with(&[0xFF, 0xD8]) && first.data.ends_with(&[0xFF, 0xD9]));
        assert_eq!(device.take(transfer(6, 1, 16_384, &[]), AT(1_060)), [0; 0]);
        let second = one(&device.deliver(AT(1_067)));
        assert_eq!(second.data[1] ^ first.data[1], 1);
        // The endpoint is reset, which ends it.
        one(&device.take(control([0x02, 1, 0, 0, 0x81, 0, 0, 0], &[]), AT(1_070)));
        assert_eq!(device.take(transfer(7, 1, 16_384, &[]), AT(2_000)), [0; 0]);
    }

    #[test]
    fn a_raw_frame_comes_by_isochronous_packets_and_is_whole() {
        let mut device = Device::new(make(Some(Transfer::Isochronous), false), Faults::default());
        agree(&mut device, 1, AT(0));
        one(&device.take(control([0x01, 11, 1, 0, 1, 0, 0, 0], &[]), AT(0)));
        let packets: Vec<_> = (0..32).map(|at| (at * 1024, 1024)).collect();
        let mut bytes = 0;
        for seqnum in 1..=4 {
            let ended = one(&device.take(transfer(seqnum, 1, 32 * 1024, &packets), AT(0)));
            let filled = ended.packets.iter().filter(|length| **length > 0).count();
            bytes += ended.data.len() - 2 * filled;
        }
        assert_eq!(bytes, 320 * 180 * 2);
        assert_eq!(device.take(transfer(5, 1, 32 * 1024, &packets), AT(1)), [0; 0]);
    }

    #[test]
    fn audio_comes_by_isochronous_packets_of_the_device_s_second_function() {
        let mut device = Device::new(make(Some(Transfer::Bulk), true), Faults::default());
        one(&device.take(control([0x01, 11, 1, 0, 3, 0, 0, 0], &[]), AT(0)));
        for seqnum in 1..=3 {
            assert_eq!(device.take(transfer(seqnum, 2, 960, &[(0, 960)]), AT(1)), [0; 0]);
        }
        let came = ended(&device.deliver(AT(10)));
        assert_eq!(came.iter().map(|ended| ended.seqnum).collect::<Vec<_>>(), [1, 2]);
        assert!(came.iter().all(|ended| ended.packets == [960]));
    }

    #[test]
    fn a_transfer_that_waits_can_be_withdrawn_and_one_that_has_ended_cannot() {
        let faults = Faults { is_silent: true, ..Faults::default() };
        let mut device = Device::new(make(Some(Transfer::Bulk), false), faults);
        agree(&mut device, 2, AT(0));
        assert_eq!(device.take(transfer(5, 1, 16_384, &[]), AT(100)), [0; 0], "it is silent");
        let withdrawn = one(&device.take(Command::Unlink { seqnum: 6, of: 5 }, AT(100)));
        assert_eq!(withdrawn.status, super::super::wire::WITHDRAWN);
        assert_eq!(one(&device.take(Command::Unlink { seqnum: 7, of: 5 }, AT(100))).status, 0);
        device.faults = Faults { fails: true, ..Faults::default() };
        assert_eq!(one(&device.take(transfer(8, 1, 16_384, &[]), AT(100))).status, FAILED);
    }
}
