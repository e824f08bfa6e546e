//! Whether an encoder follows its bitrate, and what to do when it does not: on a slow uplink one that
//! does not would end the broadcast.
//!
//! Pure: its input is the media time, what has come out of the encoder, and the bitrate that is set.
//!
//! An encoder may be beyond its bitrate for good reasons: there is more detail than its coarsest
//! quantiser can leave out, or a scene changed. So it is not found guilty by what it delivers, but by
//! delivering as much as before though its bitrate was lowered far below that; what it delivered before
//! counts only where it was within the bitrate of then.

use std::collections::VecDeque;

use crate::limits::{
    ENCODER_BITRATE_EXCESS_PERCENT, ENCODER_BITRATE_KEPT_PERCENT, ENCODER_BITRATE_SAME_PERCENT,
    ENCODER_BITRATE_WINDOW,
};

const SECOND_NS: u64 = 1_000_000_000;

/// What to do with an encoder that does not follow its bitrate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Set the bitrate once more.
    SetAgain {
        /// Why.
        why: String,
    },
    /// Restart it with the bitrate.
    Restart {
        /// Why.
        why: String,
    },
    /// Use another one.
    Replace {
        /// Why.
        why: String,
    },
}

/// What has come out of an encoder so far, and the bitrate that is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output {
    pub bytes: u64,
    pub frames: u64,
    pub target_kbps: u32,
}

/// A second of an encoder's output.
#[derive(Debug, Clone, Copy)]
struct Second {
    length_ns: u64,
    bytes: u64,
    frames: u64,
    /// Lowest and highest bitrate that was set.
    targets_kbps: (u32, u32),
}

/// The second that is not over yet.
#[derive(Debug, Clone, Copy)]
struct Begun {
    at_ns: u64,
    bytes: u64,
    frames: u64,
    targets_kbps: (u32, u32),
}

/// Watches one encoder after the other.
#[derive(Debug)]
pub struct BitrateWatch {
    fps: u64,
    /// Seconds that are judged together: at least one key frame is among them.
    window: usize,
    begun: Option<Begun>,
    /// The seconds of the window, and one before it in which the encoder comes to its bitrate.
    seconds: VecDeque<Second>,
    /// What it delivered when it was last within its bitrate.
    kept_kbps: Option<u64>,
    /// The bitrate that it was started with.
    started_kbps: u64,
    /// It was restarted because it did not follow.
    was_restarted: bool,
    was_set_again: bool,
}

impl BitrateWatch {
    /// For an encoder that makes so many frames a second and a key frame after each interval, and was
    /// started with this bitrate.
    pub fn new(fps: u32, keyframe_interval_ms: u32, kbps: u32) -> BitrateWatch {
        let interval_s = keyframe_interval_ms.div_ceil(1_000) as usize;
        BitrateWatch {
            fps: fps.into(),
            window: interval_s.max(ENCODER_BITRATE_WINDOW.as_secs() as usize),
            begun: None,
            seconds: VecDeque::new(),
            kept_kbps: None,
            started_kbps: kbps.into(),
            was_restarted: false,
            was_set_again: false,
        }
    }

    /// What comes out is not this encoder's for now, or was interrupted.
    pub fn interrupt(&mut self) {
        self.begun = None;
        self.seconds.clear();
    }

    /// The encoder was restarted with this bitrate for another reason. That it did not follow before is
    /// not forgotten, so that it is not restarted for that again and again.
    pub fn restarted(&mut self, kbps: u32) {
        self.interrupt();
        (self.kept_kbps, self.started_kbps, self.was_set_again) = (None, kbps.into(), false);
    }

    /// What to do, if anything.
    pub fn check(&mut self, now_ns: u64, output: Output, element: &str) -> Option<Answer> {
        let begun = self.begun.get_or_insert(Begun {
            at_ns: now_ns,
            bytes: output.bytes,
            frames: output.frames,
            targets_kbps: (output.target_kbps, output.target_kbps),
        });
        let (low_kbps, high_kbps) = begun.targets_kbps;
        begun.targets_kbps = (low_kbps.min(output.target_kbps), high_kbps.max(output.target_kbps));
        if now_ns.saturating_sub(begun.at_ns) < SECOND_NS {
            return None;
        }
        let second = Second {
            length_ns: now_ns.saturating_sub(begun.at_ns),
            bytes: output.bytes.saturating_sub(begun.bytes),
            frames: output.frames.saturating_sub(begun.frames),
            targets_kbps: begun.targets_kbps,
        };
        self.begun = None;
        if self.seconds.len() > self.window {
            self.seconds.pop_front();
        }
        self.seconds.push_back(second);
        self.judge(output.target_kbps, element)
    }

    fn judge(&mut self, target_kbps: u32, element: &str) -> Option<Answer> {
        let made_kbps = self.made_kbps()?;
        let of_targets = |part: fn(&Second) -> u32| self.seconds.iter().map(part);
        let low_kbps = u64::from(of_targets(|second| second.targets_kbps.0).min()?);
        let high_kbps = u64::from(of_targets(|second| second.targets_kbps.1).max()?);
        let within = |kbps: u64, percent: u64, of_kbps: u64| kbps * 100 <= of_kbps * percent;
        let is_same = |kbps: u64| {
            !within(made_kbps, 100 - ENCODER_BITRATE_SAME_PERCENT, kbps)
                && within(made_kbps, 100 + ENCODER_BITRATE_SAME_PERCENT, kbps)
        };
        let is_beyond = !within(made_kbps, ENCODER_BITRATE_EXCESS_PERCENT, high_kbps);
        let is_at_start = is_same(self.started_kbps);
        let ignores_lower = is_beyond && (is_at_start || self.kept_kbps.is_some_and(is_same));
        // One that is known not to follow would stay at the bitrate of the uplink's worst moment.
        let ignores_higher = self.was_restarted
            && is_at_start
            && !within(low_kbps, ENCODER_BITRATE_EXCESS_PERCENT, self.started_kbps);
        if within(made_kbps, ENCODER_BITRATE_KEPT_PERCENT, low_kbps) && !ignores_higher {
            (self.kept_kbps, self.was_set_again) = (Some(made_kbps), false);
        }
        if !ignores_lower && !ignores_higher {
            return None;
        }
        // The answer has its own time to work.
        self.interrupt();
        let why = format!("{element} delivers {made_kbps} kb/s though {target_kbps} are set");
        if !self.was_set_again {
            self.was_set_again = true;
            return Some(Answer::SetAgain { why });
        }
        self.was_set_again = false;
        if self.was_restarted {
            return Some(Answer::Replace { why });
        }
        (self.was_restarted, self.started_kbps) = (true, target_kbps.into());
        Some(Answer::Restart { why })
    }

    /// The bitrate of the window, at the rate that frames are due; `None` where that says nothing: the
    /// window is not full, or so many frames are missing that an encoder may spend their bits on others.
    fn made_kbps(&self) -> Option<u64> {
        if self.seconds.len() <= self.window {
            return None;
        }
        let sum = |part: fn(&Second) -> u64| self.seconds.iter().skip(1).map(part).sum::<u64>();
        let (bytes, frames) = (sum(|second| second.bytes), sum(|second| second.frames));
        let due = self.fps * sum(|second| second.length_ns) / SECOND_NS;
        (frames * 4 >= due * 3).then(|| bytes * 8 * self.fps / (frames.max(1) * 1_000))
    }
}

#[cfg(test)]
mod measured;

#[cfg(test)]
mod tests {
    use super::*;

    const FPS: u64 = 30;
    const SECONDS_MAX: u64 = 600;

    /// Encoders as they are seen: what comes out at a bitrate that is set. Its second argument is the
    /// bitrate that it was started with.
    type Encoder = fn(target_kbps: u32, started_kbps: u32) -> u32;

    fn follows(target_kbps: u32, _: u32) -> u32 {
        target_kbps
    }

    fn does_not_follow(_: u32, started_kbps: u32) -> u32 {
        started_kbps
    }

    /// Runs an encoder with a bitrate for each second, as its supervisor does, until it is replaced.
    struct Run {
        watch: BitrateWatch,
        answers: Vec<(u64, &'static str)>,
        second: u64,
        started_kbps: u32,
        total: Output,
    }

    impl Run {
        fn new(kbps: u32) -> Run {
            Run {
                watch: BitrateWatch::new(FPS as u32, 2_000, kbps),
                answers: Vec::new(),
                second: 0,
                started_kbps: kbps,
                total: Output { bytes: 0, frames: 0, target_kbps: kbps },
            }
        }

        fn seconds(&mut self, seconds: u64, target_kbps: u32, encoder: Encoder) -> &mut Run {
            for _ in 0..seconds {
                if self.answers.last().is_some_and(|(_, answer)| *answer == "replace") {
                    break;
                }
                for frame in 1..=FPS {
                    let made_kbps = encoder(target_kbps, self.started_kbps);
                    self.total.target_kbps = target_kbps;
                    self.total.frames += 1;
                    self.total.bytes += u64::from(made_kbps) * 125 / FPS;
                    let now_ns = self.second * SECOND_NS + frame * SECOND_NS / FPS;
                    let answer = self.watch.check(now_ns, self.total, "enc");
                    let Some(answer) = answer else { continue };
                    let name = match answer {
                        Answer::SetAgain { .. } => "set again",
                        Answer::Restart { .. } => "restart",
                        Answer::Replace { .. } => "replace",
                    };
                    self.answers.push((self.second, name));
                    if name == "restart" {
                        self.started_kbps = target_kbps;
                    }
                }
                self.second += 1;
            }
            self
        }

        fn names(&self) -> Vec<&'static str> {
            self.answers.iter().map(|(_, name)| *name).collect()
        }
    }

    #[test]
    fn an_encoder_that_goes_on_at_its_bitrate_is_asked_again_restarted_and_then_replaced() {
        let mut run = Run::new(4_000);
        run.seconds(20, 4_000, does_not_follow).seconds(20, 1_000, does_not_follow);
        assert_eq!(run.names(), ["set again", "restart"]);
        let [(asked, _), (restarted, _)] = run.answers[..] else { panic!("two") };
        assert!(asked <= 20 + 6 && restarted <= asked + 6, "{:?}", run.answers);
        run.seconds(20, 500, does_not_follow);
        assert_eq!(run.names(), ["set again", "restart", "set again", "replace"]);
    }

    #[test]
    fn a_bitrate_that_is_lowered_right_after_the_start_counts_as_well() {
        let mut run = Run::new(4_000);
        run.seconds(1, 4_000, does_not_follow).seconds(13, 1_000, does_not_follow);
        assert_eq!(run.names(), ["set again", "restart"]);
        run.seconds(20, 300, does_not_follow);
        assert_eq!(run.names(), ["set again", "restart", "set again", "replace"]);
    }

    #[test]
    fn one_that_ignores_even_the_bitrate_that_it_is_restarted_with_is_replaced() {
        let mut run = Run::new(4_000);
        run.seconds(20, 4_000, follows).seconds(40, 1_000, |_, _| 4_000);
        assert_eq!(run.names(), ["set again", "restart", "set again", "replace"]);
    }

    #[test]
    fn one_that_was_restarted_on_a_slow_uplink_does_not_stay_at_that_bitrate() {
        let mut run = Run::new(4_000);
        run.seconds(20, 4_000, does_not_follow).seconds(60, 300, does_not_follow);
        assert_eq!(run.names(), ["set again", "restart"]);
        run.seconds(20, 4_000, does_not_follow);
        assert_eq!(run.names(), ["set again", "restart", "set again", "replace"]);
        let mut run = Run::new(4_000);
        run.seconds(20, 4_000, does_not_follow).seconds(60, 300, does_not_follow);
        run.seconds(SECONDS_MAX, 4_000, follows);
        assert_eq!(run.names(), ["set again", "restart"], "it follows since");
    }

    #[test]
    fn it_is_restarted_for_that_once_even_when_it_fails_otherwise_meanwhile() {
        let mut run = Run::new(4_000);
        run.seconds(20, 4_000, does_not_follow).seconds(20, 1_000, does_not_follow);
        run.watch.restarted(1_000);
        run.seconds(20, 1_000, does_not_follow).seconds(20, 300, does_not_follow);
        assert_eq!(run.names(), ["set again", "restart", "set again", "replace"]);
    }

    #[test]
    fn one_that_follows_when_it_is_asked_again_is_left_alone() {
        let mut run = Run::new(4_000);
        run.seconds(20, 4_000, follows);
        while run.answers.is_empty() {
            assert!(run.second < SECONDS_MAX);
            run.seconds(1, 1_000, |_, _| 4_000);
        }
        run.seconds(SECONDS_MAX, 1_000, follows);
        assert_eq!(run.names(), ["set again"]);
    }

    #[test]
    fn one_that_follows_is_left_alone_whatever_is_asked_of_it() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..50 {
            let mut run = Run::new(4_000);
            for _ in 0..40 {
                let (seconds, kbps) = (rng.u64(1..20), rng.u32(50..20_000));
                let encoder: Encoder = match rng.u32(0..4) {
                    0 => follows,
                    // Video with little in it, and a slate.
                    1 => |target_kbps, _| target_kbps.min(200),
                    // More than its bitrate, at which it stays.
                    2 => |target_kbps, _| target_kbps * 115 / 100,
                    _ => |target_kbps, _| target_kbps * 70 / 100,
                };
                run.seconds(seconds, kbps, encoder);
            }
            assert_eq!(run.names(), [""; 0]);
        }
    }

    #[test]
    fn one_that_cannot_leave_out_more_is_left_alone() {
        // Noise from the beginning: beyond any bitrate.
        let mut run = Run::new(4_000);
        run.seconds(20, 4_000, |_, _| 9_000).seconds(60, 1_000, |_, _| 9_000);
        assert_eq!(run.names(), [""; 0]);
        // It comes down as far as it can.
        let mut run = Run::new(4_000);
        run.seconds(20, 4_000, follows).seconds(60, 250, |_, _| 2_800);
        assert_eq!(run.names(), [""; 0]);
        // A scene of noise, with the same bitrate and with a lower one.
        let mut run = Run::new(4_000);
        run.seconds(20, 4_000, follows).seconds(60, 4_000, |_, _| 12_000);
        run.seconds(20, 4_000, follows).seconds(60, 1_000, |_, _| 12_000);
        assert_eq!(run.names(), [""; 0]);
    }

    #[test]
    fn seconds_with_missing_frames_say_nothing() {
        let mut watch = BitrateWatch::new(FPS as u32, 2_000, 4_000);
        let mut output = Output { bytes: 0, frames: 0, target_kbps: 4_000 };
        for second in 0..60 {
            let (frames, target_kbps) = if second < 20 { (FPS, 4_000) } else { (FPS / 2, 2_000) };
            output.bytes += u64::from(target_kbps) * 125;
            output.frames += frames;
            output.target_kbps = target_kbps;
            assert_eq!(watch.check(second * SECOND_NS, output, "enc"), None, "{second}");
        }
    }

    #[test]
    fn a_long_key_frame_interval_is_judged_as_a_whole() {
        let mut watch = BitrateWatch::new(FPS as u32, 10_000, 4_000);
        let mut output = Output { bytes: 0, frames: 0, target_kbps: 4_000 };
        for second in 0..120 {
            output.target_kbps = if second < 40 { 4_000 } else { 1_000 };
            // Most of it is in the key frames.
            let is_key = second % 10 == 0;
            output.bytes += u64::from(output.target_kbps) * 125 * if is_key { 5 } else { 1 } / 2;
            output.frames += FPS;
            assert_eq!(watch.check(second * SECOND_NS, output, "enc"), None, "{second}");
        }
    }
}
