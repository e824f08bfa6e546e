//! A microphone of the USB Audio Class: mute, volume, and a steady tone in time.
//!
//! Pure: its owner says what time it is.

use std::f64::consts::TAU;
use std::time::Duration;

use super::descriptors::{AUDIO_PACKET_BYTES, FEATURE_UNIT};
use super::device::Request;
use super::wire::{Submit, submitted_packets};

pub const RATE_HZ: u32 = 48_000;
/// What it hears, at a volume of 0 dB.
pub const TONE_HZ: u32 = 1_000;
const TONE_DBFS: f64 = -12.0;
/// Two channels of 16 bits.
const FRAME_BYTES: usize = 4;
/// Five milliseconds: a real microphone sends one in a packet, but each packet costs emulation.
const FRAMES_IN_PACKET: u64 = (AUDIO_PACKET_BYTES as usize / FRAME_BYTES) as u64;
/// More than this waits for nobody.
const FRAMES_HELD_MAX: u64 = RATE_HZ as u64 / 10;
/// In 256ths of a decibel, as the class has it.
const VOLUME_MIN: i16 = -20 * 256;
const VOLUME_MAX: i16 = 20 * 256;
const VOLUME_STEP: i16 = 256;

/// A microphone with power.
pub struct Microphone {
    is_mute: bool,
    volume: i16,
    began: Option<Duration>,
    /// Sent since it began, with what nobody fetched in time.
    frames: u64,
}

impl Microphone {
    /// One that has just been plugged in.
    pub fn new() -> Microphone {
        Microphone { is_mute: false, volume: 0, began: None, frames: 0 }
    }

    pub fn is_mute(&self) -> bool {
        self.is_mute
    }

    /// In decibels.
    pub fn volume_db(&self) -> f64 {
        f64::from(self.volume) / 256.0
    }

    /// Answers a request of the class; `None` stalls.
    pub fn request(&mut self, request: &Request) -> Option<Vec<u8>> {
        const MUTE: u8 = 1;
        const VOLUME: u8 = 2;
        if request.unit() != FEATURE_UNIT {
            return None;
        }
        let volume = |value: i16| Some(value.to_le_bytes().to_vec());
        match (request.selector(), request.code) {
            (MUTE, Request::SET_CURRENT) => {
                self.is_mute = *request.data.first()? != 0;
                Some(Vec::new())
            }
            (MUTE, Request::GET_CURRENT) => Some(vec![self.is_mute.into()]),
            (VOLUME, Request::SET_CURRENT) => {
                let set = i16::from_le_bytes(request.data.get(..2)?.try_into().ok()?);
                self.volume = set.clamp(VOLUME_MIN, VOLUME_MAX);
                Some(Vec::new())
            }
            (VOLUME, Request::GET_CURRENT) => volume(self.volume),
            (VOLUME, Request::GET_MIN) => volume(VOLUME_MIN),
            (VOLUME, Request::GET_MAX) => volume(VOLUME_MAX),
            (VOLUME, Request::GET_STEP) => volume(VOLUME_STEP),
            _ => None,
        }
    }

    /// Another alternate setting of the interface of audio.
    pub fn set_alternate(&mut self, alternate: u8, now: Duration) {
        self.began = (alternate == 1).then_some(now);
        self.frames = 0;
    }

    /// What a transfer brings by now; `None` when there is not enough yet.
    pub fn deliver(&mut self, submit: &Submit, now: Duration) -> Option<Vec<u8>> {
        let since = now.saturating_sub(self.began?);
        let due = (since.as_nanos() * u128::from(RATE_HZ) / 1_000_000_000) as u64;
        // What nobody has fetched in time is lost.
        self.frames = self.frames.max(due.saturating_sub(FRAMES_HELD_MAX));
        let packets = submit.packets.len() as u64;
        if due < self.frames + packets * FRAMES_IN_PACKET {
            return None;
        }
        let packets: Vec<Vec<u8>> = (0..packets).map(|_| self.packet()).collect();
        Some(submitted_packets(submit, &packets))
    }

    fn packet(&mut self) -> Vec<u8> {
        let level = TONE_DBFS + self.volume_db();
        let peak = if self.is_mute { 0.0 } else { 10_f64.powf(level / 20.0).min(1.0) };
        let first = self.frames;
        self.frames += FRAMES_IN_PACKET;
        let each = (first..self.frames).map(|at| {
            // A whole number of its waves is in a second.
            let turns = (at % u64::from(RATE_HZ)) as f64 * f64::from(TONE_HZ) / f64::from(RATE_HZ);
            let sample = (peak * (TAU * turns).sin() * f64::from(i16::MAX)) as i16;
            let [low, high] = sample.to_le_bytes();
            [low, high, low, high]
        });
        each.flatten().collect()
    }
}

mod tests {
    use super::super::wire::kernel::read_ended;
    use super::*;

    fn one_packet() -> Submit {
        let length = AUDIO_PACKET_BYTES.into();
        Submit {
            seqnum: 1,
            is_in: true,
            endpoint: 2,
            length,
            setup: [0; 8],
            data: Vec::new(),
            packets: vec![(0, length as u32)],
        }
    }

    fn peak(bytes: &[u8]) -> f64 {
        let ended = read_ended(&mut &bytes[..], true).expect("an answer");
        let samples = ended.data.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]]));
        let peak = samples.map(i16::unsigned_abs).max().expect("samples");
        20.0 * (f64::from(peak).max(1.0) / f64::from(i16::MAX)).log10()
    }

    #[test]
    fn a_packet_comes_when_its_time_has_passed_and_as_loud_as_is_set() {
        let (mut microphone, at) = (Microphone::new(), Duration::from_millis);
        let packet = one_packet();
        assert!(microphone.deliver(&packet, at(50)).is_none(), "it is not on");
        microphone.set_alternate(1, at(100));
        assert!(microphone.deliver(&packet, at(104)).is_none());
        let level = peak(&microphone.deliver(&packet, at(105)).expect("a packet"));
        assert!((level - TONE_DBFS).abs() < 0.2, "{level}");
        assert!(microphone.deliver(&packet, at(109)).is_none());
        microphone.volume = -6 * 256;
        let level = peak(&microphone.deliver(&packet, at(110)).expect("a packet"));
        assert!((level - TONE_DBFS + 6.0).abs() < 0.2, "{level}");
        microphone.is_mute = true;
        assert!(peak(&microphone.deliver(&packet, at(115)).expect("a packet")) < -80.0);
    }

    #[test]
    fn what_nobody_fetches_does_not_pile_up() {
        let (mut microphone, at) = (Microphone::new(), Duration::from_secs);
        microphone.set_alternate(1, at(0));
        let fetched = (0..1_000).take_while(|_| microphone.deliver(&one_packet(), at(9)).is_some());
        assert_eq!(fetched.count(), 20);
    }
}
