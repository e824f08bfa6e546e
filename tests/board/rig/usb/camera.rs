//! A camera of the USB Video Class: its controls, what is agreed about its stream, and its frames in time.
//!
//! Pure: its owner says what time it is.

use std::collections::HashMap;
use std::time::Duration;

use super::descriptors::{PROCESSING_UNIT, VIDEO_PACKET_BYTES};
use super::device::{Faults, Request};
use super::numbered::{NUMBERS, Numbered};
use super::wire::{Submit, submitted, submitted_packets};

/// Sizes of each format.
pub const SIZES: [(u16, u16); 2] = [(320, 180), (640, 360)];
/// Times from one frame to the next: 15, 7.5 and 29.97 frames a second.
pub const INTERVALS_100_NS: [u32; 3] = [666_666, 1_333_333, 333_667];
/// The format of raw frames; the other one is MJPEG.
const RAW: u8 = 1;
const FORMATS: u8 = 2;
/// As many as the kernel's driver asks for at once.
const BULK_PAYLOAD_BYTES: u32 = 32 * 512;
const AGREEMENT_BYTES: usize = 34;
const PAYLOAD_HEADER_BYTES: usize = 2;

/// How frames are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transfer {
    Bulk,
    Isochronous,
}

/// A control of the processing unit, by its selector.
#[derive(Debug, Clone, Copy)]
struct Control {
    selector: u8,
    name: &'static str,
    min: i16,
    max: i16,
    default: i16,
}

const CONTROLS: [Control; 2] = [
    Control { selector: 2, name: "brightness", min: -64, max: 64, default: 0 },
    Control { selector: 3, name: "contrast", min: 0, max: 95, default: 32 },
];

/// Format, size and rate of a stream, by the numbers of the descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Agreement {
    format: u8,
    frame: u8,
    interval_100_ns: u32,
}

impl Agreement {
    const FIRST: Agreement =
        Agreement { format: RAW, frame: 1, interval_100_ns: INTERVALS_100_NS[0] };

    /// What becomes of what a machine proposes.
    fn of(proposed: &[u8]) -> Option<Agreement> {
        let interval = u32::from_le_bytes(proposed.get(4..8)?.try_into().ok()?);
        let off = |offered: &u32| offered.abs_diff(interval);
        Some(Agreement {
            format: proposed[2].clamp(1, FORMATS),
            frame: proposed[3].clamp(1, SIZES.len() as u8),
            interval_100_ns: INTERVALS_100_NS.into_iter().min_by_key(off)?,
        })
    }

    fn size(&self) -> (u16, u16) {
        SIZES[usize::from(self.frame) - 1]
    }

    fn bytes(&self, transfer: Transfer) -> Vec<u8> {
        let (width, height) = self.size();
        let payload = match transfer {
            Transfer::Bulk => BULK_PAYLOAD_BYTES,
            Transfer::Isochronous => VIDEO_PACKET_BYTES.into(),
        };
        let mut bytes = vec![1, 0, self.format, self.frame];
        bytes.extend(self.interval_100_ns.to_le_bytes());
        bytes.resize(18, 0);
        bytes.extend((u32::from(width) * u32::from(height) * 2).to_le_bytes());
        bytes.extend(payload.to_le_bytes());
        bytes.resize(AGREEMENT_BYTES, 0);
        bytes
    }
}

/// A frame on its way.
struct Sending {
    bytes: Vec<u8>,
    sent: usize,
    /// Changes from frame to frame.
    mark: u8,
}

impl Sending {
    /// The next payload of at most so many bytes, and whether it is the last.
    fn payload(&mut self, length: usize) -> (Vec<u8>, bool) {
        const END_OF_HEADER: u8 = 0x80;
        const END_OF_FRAME: u8 = 0x02;
        let rest = &self.bytes[self.sent..];
        let count = rest.len().min(length.saturating_sub(PAYLOAD_HEADER_BYTES));
        let is_last = count == rest.len();
        let mark = self.mark | END_OF_HEADER | if is_last { END_OF_FRAME } else { 0 };
        let payload = [&[PAYLOAD_HEADER_BYTES as u8, mark], &rest[..count]].concat();
        self.sent += count;
        (payload, is_last)
    }
}

/// A stream that is on.
struct Stream {
    agreement: Agreement,
    began: Duration,
    /// The next frame since then.
    next: u64,
    sending: Option<Sending>,
}

/// A camera with power.
pub struct Camera {
    transfer: Transfer,
    which: usize,
    proposed: Agreement,
    agreed: Agreement,
    values: [i16; CONTROLS.len()],
    stream: Option<Stream>,
    /// Frames so far, with those that nobody fetched in time.
    frames: u64,
    drawn: HashMap<(u8, Numbered), Vec<u8>>,
}

impl Camera {
    /// One that has just been plugged in.
    pub fn new(transfer: Transfer, which: usize) -> Camera {
        Camera {
            transfer,
            which,
            proposed: Agreement::FIRST,
            agreed: Agreement::FIRST,
            values: CONTROLS.map(|control| control.default),
            stream: None,
            frames: 0,
            drawn: HashMap::new(),
        }
    }

    /// The value of a control.
    pub fn value(&self, name: &str) -> i16 {
        let at = CONTROLS.iter().position(|control| control.name == name);
        self.values[at.unwrap_or_else(|| panic!("a camera has no {name}"))]
    }

    /// Answers a request of the class; `None` stalls.
    pub fn request(&mut self, request: &Request, now: Duration) -> Option<Vec<u8>> {
        let is_streaming = request.interface() == 1;
        match (is_streaming, request.unit()) {
            (true, 0) => self.agree(request, now),
            (false, PROCESSING_UNIT) => self.control(request),
            // What the last error was: none.
            (false, 0) if request.is_in => Some(vec![0]),
            _ => None,
        }
    }

    fn agree(&mut self, request: &Request, now: Duration) -> Option<Vec<u8>> {
        const PROBE: u8 = 1;
        const COMMIT: u8 = 2;
        let is_probe = match request.selector() {
            PROBE => true,
            COMMIT => false,
            _ => return None,
        };
        match request.code {
            Request::SET_CURRENT => {
                self.proposed = Agreement::of(&request.data)?;
                if !is_probe {
                    self.agreed = self.proposed;
                    // Nothing else says that a bulk stream begins.
                    if self.transfer == Transfer::Bulk {
                        self.begin(now);
                    }
                }
                Some(Vec::new())
            }
            Request::GET_LENGTH => Some(vec![AGREEMENT_BYTES as u8, 0]),
            Request::GET_INFO => Some(vec![Request::CAN_GET_AND_SET]),
            _ => {
                let agreement = if is_probe { self.proposed } else { self.agreed };
                Some(agreement.bytes(self.transfer))
            }
        }
    }

    fn control(&mut self, request: &Request) -> Option<Vec<u8>> {
        let at = CONTROLS.iter().position(|control| control.selector == request.selector())?;
        let (control, value) = (&CONTROLS[at], &mut self.values[at]);
        let answer = match request.code {
            Request::SET_CURRENT => {
                let set = i16::from_le_bytes(request.data.get(..2)?.try_into().ok()?);
                *value = set.clamp(control.min, control.max);
                return Some(Vec::new());
            }
            Request::GET_INFO => return Some(vec![Request::CAN_GET_AND_SET]),
            Request::GET_LENGTH => 2,
            Request::GET_CURRENT => *value,
            Request::GET_MIN => control.min,
            Request::GET_MAX => control.max,
            Request::GET_STEP => 1,
            Request::GET_DEFAULT => control.default,
            _ => return None,
        };
        Some(answer.to_le_bytes().to_vec())
    }

    /// Another alternate setting of the interface of frames.
    pub fn set_alternate(&mut self, alternate: u8, now: Duration) {
        match (self.transfer, alternate) {
            (Transfer::Isochronous, 1) => self.begin(now),
            _ => self.stream = None,
        }
    }

    /// The machine has reset the endpoint of frames, which ends a bulk stream.
    pub fn halt_cleared(&mut self) {
        if self.transfer == Transfer::Bulk {
            self.stream = None;
        }
    }

    fn begin(&mut self, now: Duration) {
        self.stream = Some(Stream { agreement: self.agreed, began: now, next: 0, sending: None });
    }

    /// What a transfer brings by now; `None` when there is nothing yet.
    pub fn deliver(&mut self, submit: &Submit, now: Duration, faults: &Faults) -> Option<Vec<u8>> {
        self.take_frame(now, faults);
        let sending = &mut self.stream.as_mut()?.sending;
        if submit.packets.is_empty() {
            let (payload, is_last) = sending.as_mut()?.payload(submit.length);
            if is_last {
                *sending = None;
            }
            return Some(submitted(submit, Ok(&payload)));
        }
        sending.as_ref()?;
        let packets = submit.packets.iter().map(|(_, length)| {
            let (payload, is_last) = match sending.as_mut() {
                Some(sending) => sending.payload(*length as usize),
                None => (Vec::new(), false),
            };
            if is_last {
                *sending = None;
            }
            payload
        });
        Some(submitted_packets(submit, &packets.collect::<Vec<_>>()))
    }

    /// Takes the frame that is due, if the one before it has gone.
    fn take_frame(&mut self, now: Duration, faults: &Faults) {
        let Some(stream) = &mut self.stream else { return };
        let since = now.saturating_sub(stream.began).as_nanos();
        let due = (since / (u128::from(stream.agreement.interval_100_ns) * 100)) as u64;
        if stream.sending.is_some() || due < stream.next {
            return;
        }
        // What nobody has fetched in time is lost.
        self.frames += 1 + due - stream.next;
        stream.next = due + 1;
        let (width, height) = stream.agreement.size();
        let (number, camera) = (self.frames % NUMBERS, self.which);
        let frame = Numbered { width, height, number, camera };
        let is_raw = stream.agreement.format == RAW;
        let drawn = self.drawn.entry((stream.agreement.format, frame));
        let bytes = drawn.or_insert_with(|| if is_raw { frame.yuyv() } else { frame.jpeg() });
        let mut bytes = bytes.clone();
        if !is_raw && faults.corrupts(self.frames) {
            corrupt(&mut bytes, self.frames);
        }
        let mark = (self.frames & 1) as u8;
        stream.sending = Some(Sending { bytes, sent: 0, mark });
    }
}

/// Spoils a JPEG: cut short, or overwritten, as cheap cameras send them when the bus is busy.
fn corrupt(jpeg: &mut Vec<u8>, number: u64) {
    let half = jpeg.len() / 2;
    match number % 2 {
        0 => jpeg.truncate(half),
        _ => {
            let end = jpeg.len().min(half + 64);
            jpeg[half..end].fill(0xFF);
            jpeg[end - 1] = 0x02;
        }
    }
}

mod tests {
    use super::*;

    #[test]
    fn what_is_agreed_is_what_was_proposed_as_far_as_it_is_offered() {
        let mut proposed = vec![0; AGREEMENT_BYTES];
        (proposed[2], proposed[3]) = (2, 2);
        proposed[4..8].copy_from_slice(&333_333_u32.to_le_bytes());
        let agreement = Agreement::of(&proposed).expect("an agreement");
        assert_eq!(agreement, Agreement { format: 2, frame: 2, interval_100_ns: 333_667 });
        assert_eq!(Agreement::of(&agreement.bytes(Transfer::Bulk)), Some(agreement));
        assert_eq!(
            agreement.bytes(Transfer::Isochronous)[22..24],
            VIDEO_PACKET_BYTES.to_le_bytes()
        );
        assert_eq!(
            Agreement::of(&[0xFF; AGREEMENT_BYTES]).map(|a| (a.format, a.frame)),
            Some((2, 2))
        );
        assert_eq!(Agreement::of(&[0; 4]), None);
    }

    #[test]
    fn a_frame_comes_in_payloads_of_which_the_last_is_marked() {
        let mut sending = Sending { bytes: (0..10).collect(), sent: 0, mark: 1 };
        assert_eq!(sending.payload(8), (vec![2, 0x81, 0, 1, 2, 3, 4, 5], false));
        assert_eq!(sending.payload(8), (vec![2, 0x83, 6, 7, 8, 9], true));
    }

    #[test]
    fn a_corrupt_jpeg_is_cut_or_has_a_marker_that_does_not_belong_there() {
        let whole = Numbered { width: 320, height: 180, number: 1, camera: 0 }.jpeg();
        let [mut cut, mut overwritten] = [whole.clone(), whole.clone()];
        corrupt(&mut cut, 2);
        corrupt(&mut overwritten, 3);
        assert!(cut.len() < whole.len() && !cut.ends_with(&[0xFF, 0xD9]));
        assert!(overwritten.len() == whole.len() && overwritten.windows(2).any(|w| w == [0xFF, 2]));
    }
}
