//! The sound track: which samples go to the encoder in each block.

use std::sync::atomic::Ordering;

use gstreamer as gst;

use super::{
    buffer::{SoundLine, Times},
    levels::LevelMeter,
    tone,
};
use crate::{
    capture::{
        encode::Programme,
        gst::clock::{SECOND_NS, scale},
        request::{AudioSettings, MicrophoneSource},
        source::Feed,
        stats::Counters,
    },
    limits::{CAPTURE_AUDIO_BLOCK_SAMPLES, CAPTURE_SOUND_GRACE, CAPTURE_SOUND_LATENCY},
};

const LATENCY_NS: u64 = CAPTURE_SOUND_LATENCY.as_nanos() as u64;
const GRACE_NS: u64 = CAPTURE_SOUND_GRACE.as_nanos() as u64;
/// When the encoder has no room, it is looked at again after this.
const FULL_NS: u64 = 20_000_000;
/// A clip is read this much ahead, so that no block waits for a decoder.
const AHEAD_MS: u64 = 200;

/// The sound track.
pub struct Sounds {
    rate_hz: u32,
    channels: u32,
    /// Number of the next block's first sample, per channel, since media time zero.
    position: u64,
    block: Vec<i16>,
    tone: bool,
    line: SoundLine,
    /// The blocks are read from the line.
    from_line: bool,
    /// The encoder has no room for the next block before this, in media time.
    full_until_ns: Option<u64>,
    /// Since when the next block has been seen overdue.
    overdue_since_ns: Option<u64>,
    /// Which opening of the microphone the line holds.
    opening: u64,
    meter: LevelMeter,
}

impl Sounds {
    pub fn new(audio: &AudioSettings, microphone: &MicrophoneSource) -> Sounds {
        Sounds {
            rate_hz: audio.sample_rate_hz,
            channels: audio.channels,
            position: 0,
            block: vec![0; CAPTURE_AUDIO_BLOCK_SAMPLES * audio.channels as usize],
            tone: *microphone == MicrophoneSource::Tone,
            line: SoundLine::new(audio.sample_rate_hz, audio.channels),
            from_line: false,
            full_until_ns: None,
            overdue_since_ns: None,
            opening: 0,
            meter: LevelMeter::new(audio.sample_rate_hz, audio.channels),
        }
    }

    pub fn start_at(&mut self, media_ns: u64) {
        self.position = self.position_at(media_ns);
        self.line.start_at(self.position);
    }

    fn position_at(&self, media_ns: u64) -> u64 {
        scale(media_ns, u64::from(self.rate_hz), SECOND_NS)
    }

    fn time_ns(&self, position: u64) -> u64 {
        scale(position, SECOND_NS, u64::from(self.rate_hz))
    }

    fn end(&self) -> u64 {
        self.position + CAPTURE_AUDIO_BLOCK_SAMPLES as u64
    }

    /// When the samples of the next block have all been captured.
    fn complete_ns(&self) -> u64 {
        self.time_ns(self.end())
    }

    /// From when on the next block is overdue.
    fn due_ns(&self) -> u64 {
        self.complete_ns() + LATENCY_NS
    }

    /// Until when there is nothing to do unless sound arrives.
    pub fn wake_ns(&self, now_ns: u64) -> u64 {
        let complete_ns = self.complete_ns();
        if let Some(until_ns) = self.full_until_ns {
            return until_ns;
        }
        // Sound that is not there yet is most often complete when it arrives.
        if now_ns < complete_ns && self.is_there() {
            return complete_ns;
        }
        self.overdue_since_ns.map_or(self.due_ns(), |since_ns| since_ns + GRACE_NS)
    }

    /// Whether the samples of the next block are there.
    fn is_there(&self) -> bool {
        !self.from_line || self.line.end() >= self.end()
    }

    /// Whether the next block goes to the encoder now, with or without sound in it.
    fn is_ready(&mut self, now_ns: u64) -> bool {
        let there = self.is_there();
        if there || now_ns < self.due_ns() {
            self.overdue_since_ns = None;
            return there && now_ns >= self.complete_ns();
        }
        now_ns >= *self.overdue_since_ns.get_or_insert(now_ns) + GRACE_NS
    }

    /// Whether the next block, which is ready, goes to the encoder now or waits for room there.
    fn has_room(&mut self, now_ns: u64, has_room: bool) -> bool {
        self.full_until_ns = (!has_room).then_some(now_ns + FULL_NS);
        has_room
    }

    /// Gives the encoder every block that is there or due.
    pub fn feed(
        &mut self,
        now_ns: u64,
        mut microphone: Option<&mut Feed>,
        programme: &Programme,
        counters: &Counters,
    ) {
        self.from_line = microphone.is_some();
        if let Some(microphone) = microphone.as_deref_mut() {
            self.listen(now_ns, microphone);
        }
        let block_bytes = size_of_val(self.block.as_slice());
        while self.is_ready(now_ns) && self.has_room(now_ns, programme.takes_samples(block_bytes)) {
            match microphone.as_deref_mut() {
                Some(microphone) => {
                    self.listen(now_ns, microphone);
                    let silent = self.line.read(&mut self.block);
                    counters.silent.fetch_add(silent, Ordering::Relaxed);
                }
                None if self.tone => {
                    tone::write(self.position, self.rate_hz, self.channels, &mut self.block);
                }
                None => {}
            }
            if self.meter.hear(&self.block) {
                counters.note_audio(
                    self.meter.channels(),
                    self.meter.silent_for_ms(),
                    self.line.drift_ppm(),
                );
            }
            if let Some(block) = self.block_buffer() {
                programme.push_samples(block);
            }
            self.position = self.end();
        }
    }

    /// Lays down what the microphone has.
    fn listen(&mut self, now_ns: u64, microphone: &mut Feed) {
        let times = if microphone.is_live() { Times::OfADevice } else { Times::Exact };
        if microphone.is_live() && microphone.opening() != self.opening {
            self.opening = microphone.opening();
            self.line.begin_anew();
        }
        let enough = self.end() + u64::from(self.rate_hz) * AHEAD_MS / 1_000;
        while self.line.end() < enough {
            let Some(item) = microphone.sound(now_ns) else { return };
            let position = self.position_at(item.media_ns);
            if let Ok(map) = item.buffer.map_readable() {
                self.line.write(position, times, map.as_slice());
            }
        }
    }

    fn block_buffer(&self) -> Option<gst::Buffer> {
        let mut buffer = gst::Buffer::with_size(size_of_val(self.block.as_slice())).ok()?;
        let content = buffer.get_mut()?;
        let mut map = content.map_writable().ok()?;
        for (bytes, sample) in map.chunks_exact_mut(2).zip(&self.block) {
            bytes.copy_from_slice(&sample.to_le_bytes());
        }
        drop(map);
        let pts_ns = self.time_ns(self.position);
        content.set_pts(gst::ClockTime::from_nseconds(pts_ns));
        content.set_duration(gst::ClockTime::from_nseconds(self.time_ns(self.end()) - pts_ns));
        Some(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{board::Profile, capture::Request};

    const MS: u64 = 1_000_000;

    fn started_at(media_ns: u64) -> Sounds {
        let request = Request::from(&Profile::named("sim").expect("embedded"));
        let mut sounds = Sounds::new(&request.audio, &request.microphone);
        sounds.start_at(media_ns);
        sounds.from_line = true;
        sounds
    }

    /// Takes what is ready; when the track has come so far, in media time.
    fn heard_until_ns(sounds: &mut Sounds, now_ns: u64) -> u64 {
        while sounds.is_ready(now_ns) {
            sounds.line.read(&mut sounds.block);
            sounds.position = sounds.end();
        }
        sounds.time_ns(sounds.position)
    }

    #[test]
    fn without_a_microphone_silence_is_never_more_than_200_ms_behind() {
        let mut sounds = started_at(0);
        let mut now_ns = 0;
        while now_ns < 10_000 * MS {
            let behind_ns = now_ns - heard_until_ns(&mut sounds, now_ns);
            assert!(behind_ns < 200 * MS, "{behind_ns} ns at {now_ns} ns");
            let next_ns = sounds.wake_ns(now_ns);
            assert!(next_ns > now_ns, "it never spins");
            now_ns = next_ns;
        }
    }

    #[test]
    fn a_block_that_the_encoder_has_no_room_for_waits_and_is_not_left_out() {
        let mut sounds = started_at(0);
        let now_ns = 1_000 * MS;
        assert!(!sounds.is_ready(now_ns) && sounds.is_ready(now_ns + 40 * MS));
        let from = sounds.position;
        assert!(!sounds.has_room(now_ns, false));
        assert_eq!((sounds.wake_ns(now_ns), sounds.position), (now_ns + FULL_NS, from));
        assert!(sounds.has_room(now_ns + FULL_NS, true));
        assert!(heard_until_ns(&mut sounds, now_ns + 2_000 * MS) > now_ns);
    }

    #[test]
    fn after_the_machine_stood_still_the_sound_has_time_to_arrive() {
        let mut sounds = started_at(0);
        let sound = [1, 0].repeat(2 * 2 * 48_000);
        sounds.line.write(0, Times::OfADevice, &sound[..4 * 14_400]);
        let from_ns = heard_until_ns(&mut sounds, 300 * MS);
        // For two seconds nobody ran; then both threads do, this one first.
        let now_ns = 2_300 * MS;
        assert_eq!(heard_until_ns(&mut sounds, now_ns), from_ns, "nothing is silence yet");
        let wake_ns = sounds.wake_ns(now_ns);
        assert!(wake_ns > now_ns && wake_ns < now_ns + 100 * MS);
        sounds.line.write(14_400, Times::OfADevice, &sound);
        let until_ns = heard_until_ns(&mut sounds, now_ns + MS);
        assert!(until_ns > from_ns + 1_950 * MS, "all of it is heard: {until_ns} ns");
    }
}
