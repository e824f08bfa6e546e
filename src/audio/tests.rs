use std::f64::consts::TAU;

use super::filter::{kaiser, sinc};
use super::*;

const RATE_HZ: u32 = 48_000;
const RAMP: usize = (RATE_HZ * RAMP_MS / 1_000) as usize;

fn at(gain_db: i32) -> Adjustments {
    Adjustments { gain_tenths_db: 10 * gain_db, ..Adjustments::default() }
}

/// Interleaved samples of two channels, from -1 to 1.
fn stereo(frames: usize, left: impl Fn(usize) -> f64, right: impl Fn(usize) -> f64) -> Vec<i16> {
    let value = |value: f64| (value * 32_767.0).round() as i16;
    (0..frames).flat_map(|i| [value(left(i)), value(right(i))]).collect()
}

fn sine(hz: f64, amplitude: f64) -> impl Fn(usize) -> f64 + Copy {
    move |i| (i as f64 * hz / f64::from(RATE_HZ) * TAU).sin() * amplitude
}

fn silence(_: usize) -> f64 {
    0.0
}

/// What a chain makes of samples, in pieces that fit no block; adjusted at these samples.
fn passed(channels: u32, source: &[i16], turns: &[(usize, Adjustments)]) -> Vec<i16> {
    let mut chain = Chain::new(RATE_HZ, channels, turns[0].1);
    let mut out = Vec::new();
    for (number, piece) in source.chunks(2 * 480).enumerate() {
        let turn = turns.iter().find(|(frame, _)| frame / 480 == number);
        turn.into_iter().for_each(|(_, adjustments)| chain.adjust(*adjustments));
        let mut block = vec![0; piece.len() / 2 * channels as usize];
        chain.process(piece, &mut block);
        out.extend(block);
    }
    out
}

/// One channel of two.
fn channel(samples: &[i16], which: usize) -> Vec<f64> {
    samples.iter().skip(which).step_by(2).map(|sample| f64::from(*sample) / 32_768.0).collect()
}

fn rms_db(samples: &[f64]) -> f64 {
    let squares: f64 = samples.iter().map(|value| value * value).sum();
    10.0 * (squares / samples.len() as f64).log10()
}

/// The greatest step from one sample to the next.
fn steepest(samples: &[f64]) -> f64 {
    samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f64::max)
}

/// The true peak in decibels, at eight points a sample, by a longer filter than the limiter's own.
fn true_peak_db(samples: &[f64]) -> f64 {
    const HALF: usize = 24;
    let highest = samples.iter().fold(0.0_f64, |highest, value| highest.max(value.abs()));
    let row = |point: i32| -> [f64; 2 * HALF] {
        let x = |i: usize| i as f64 - (HALF - 1) as f64 - f64::from(point) / 8.0;
        std::array::from_fn(|i| sinc(x(i)) * kaiser(6.0, x(i) / HALF as f64))
    };
    let rows: Vec<[f64; 2 * HALF]> = (1..8).map(row).collect();
    let mut peak = highest;
    for around in samples.windows(2 * HALF) {
        // Only near the highest samples can anything be higher.
        if around[HALF - 1].abs().max(around[HALF].abs()) < 0.7 * highest {
            continue;
        }
        for row in &rows {
            let (mut point, mut tap) = (0.0, 0);
            while tap < 2 * HALF {
                point += row[tap] * around[tap];
                tap += 1;
            }
            peak = peak.max(point.abs());
        }
    }
    20.0 * peak.log10()
}

#[test]
fn what_nothing_is_adjusted_of_comes_out_bit_by_bit() {
    let mut random = fastrand::Rng::with_seed(3);
    let source: Vec<i16> = (0..2 * 9_600).map(|_| random.i16(-12_000..=12_000)).collect();
    let out = passed(2, &source, &[(0, Adjustments::default())]);
    assert_eq!(out[..2 * CHAIN_DELAY_SAMPLES], [0; 2 * CHAIN_DELAY_SAMPLES]);
    assert_eq!(out[2 * CHAIN_DELAY_SAMPLES..], source[..source.len() - 2 * CHAIN_DELAY_SAMPLES]);
    // Of equal channels their half sum is either.
    let equal: Vec<i16> = source.iter().step_by(2).flat_map(|sample| [*sample; 2]).collect();
    let mono = passed(1, &equal, &[(0, Adjustments::default())]);
    assert!(
        mono[CHAIN_DELAY_SAMPLES..]
            .iter()
            .eq(equal.iter().step_by(2).take(9_600 - CHAIN_DELAY_SAMPLES))
    );
}

#[test]
fn it_is_so_again_after_everything_was_adjusted_and_the_limiter_worked() {
    let loud = stereo(48_000, sine(997.0, 1.0), sine(440.0, 1.0));
    let mut random = fastrand::Rng::with_seed(4);
    let quiet: Vec<i16> = (0..2 * 96_000).map(|_| random.i16(-9_000..=9_000)).collect();
    let source = [loud, quiet].concat();
    let adjusted = Adjustments {
        channels_from: ChannelsFrom::Swap,
        lowcut_hz: Some(80),
        delay_ms: 100,
        ..at(24)
    };
    let turns = [(0, Adjustments::default()), (4_800, adjusted), (48_000, Adjustments::default())];
    let out = passed(2, &source, &turns);
    let (out, from) = (&out[2 * 110_000..], 2 * (110_000 - CHAIN_DELAY_SAMPLES));
    assert_eq!(*out, source[from..from + out.len()]);
}

#[test]
fn each_gain_is_what_it_says() {
    for gain_db in [-60, -12, -1, 0, 6, 12, 24] {
        let amplitude = 10_f64.powf(f64::from(-(gain_db.max(0)) - 6) / 20.0);
        let source = stereo(24_000, sine(997.0, amplitude), sine(997.0, amplitude));
        let out = passed(2, &source, &[(0, at(gain_db))]);
        let [before, after] = [&source, &out].map(|it| rms_db(&channel(it, 0)[9_600..]));
        // At -60 dB the steps of 16 bits count.
        let most = if gain_db == -60 { 0.05 } else { 0.01 };
        assert!((after - before - f64::from(gain_db)).abs() < most, "{gain_db}: {before} {after}");
    }
}

#[test]
fn no_change_clicks() {
    let hz = 440.0;
    let source = stereo(48_000, sine(hz, 0.25), sine(hz, 0.25));
    let gain = |gain_db| (at(gain_db), 10_f64.powf(f64::from(gain_db) / 20.0));
    let muted = (Adjustments { is_muted: true, ..at(0) }, 0.0);
    let low_cut = (Adjustments { lowcut_hz: Some(100), ..at(0) }, 1.0);
    let left = (Adjustments { channels_from: ChannelsFrom::Left, ..at(0) }, 1.0);
    let delayed = |delay_ms| (Adjustments { delay_ms, ..at(0) }, 1.0);
    let from_silence =
        [muted, gain(0), gain(-60), gain(10), gain(0), low_cut, gain(0), left, gain(0)];
    let by_delays = [gain(0), delayed(7), delayed(100), delayed(1), delayed(-500), gain(0)];
    for turns in [&from_silence[..], &by_delays] {
        for pair in turns.windows(2) {
            let [(before, louder), (after, quieter)] = pair else { panic!("pairs") };
            let most = f64::max(*louder, *quieter);
            let turns = [(0, *before), (24_000, *after)];
            let out = channel(&passed(2, &source, &turns), 0);
            let slope = 0.25 * most * hz / f64::from(RATE_HZ) * TAU;
            // Within the ramp it is steeper by as much as the ramp is.
            let allowed = slope + 2.0 * 0.25 * most / RAMP as f64 + 2.0 / 32_768.0;
            let steepest = steepest(&out[12_000..]);
            assert!(steepest <= allowed, "{before:?} to {after:?}: {steepest}, not {allowed}");
        }
    }
}

#[test]
fn silence_is_silence_at_once() {
    let source = stereo(24_000, sine(997.0, 0.9), sine(440.0, 0.9));
    let muted = Adjustments { is_muted: true, ..at(24) };
    let out = passed(2, &source, &[(0, at(0)), (4_800, muted)]);
    let from = 2 * (4_800 + RAMP + CHAIN_DELAY_SAMPLES);
    assert!(out[from..].iter().all(|sample| *sample == 0));
}

#[test]
fn channels_come_from_where_they_should() {
    let (left, right) = (sine(440.0, 0.2), sine(1_000.0, 0.1));
    let source = stereo(9_600, left, right);
    let half = |i| (left(i) + right(i)) / 2.0;
    let [left_only, right_only] = [stereo(9_600, left, left), stereo(9_600, right, right)];
    let [both, sum] = [source.clone(), stereo(9_600, half, half)];
    let swapped = stereo(9_600, right, left);
    for (channels_from, expected, mono) in [
        (ChannelsFrom::Stereo, both, &sum),
        (ChannelsFrom::Left, left_only.clone(), &left_only),
        (ChannelsFrom::Right, right_only.clone(), &right_only),
        (ChannelsFrom::Sum, sum.clone(), &sum),
        (ChannelsFrom::Swap, swapped, &sum),
    ] {
        assert_eq!(ChannelsFrom::named(channels_from.name()), Some(channels_from));
        let turns = [(0, Adjustments { channels_from, ..at(0) })];
        let is_close = |out: &[i16], expected: &mut dyn Iterator<Item = i16>| {
            out.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 1)
        };
        let out = passed(2, &source, &turns);
        let mut expected = expected.into_iter();
        assert!(is_close(&out[2 * CHAIN_DELAY_SAMPLES..], &mut expected), "{channels_from:?}");
        let out = passed(1, &source, &turns);
        let mut expected = mono.iter().copied().step_by(2);
        assert!(is_close(&out[CHAIN_DELAY_SAMPLES..], &mut expected), "{channels_from:?}, mono");
    }
}

#[test]
fn the_low_cut_takes_out_what_is_below_it_and_nothing_else() {
    let adjusted = Adjustments { lowcut_hz: Some(80), ..at(0) };
    for (hz, from_db, to_db) in
        [(20.0, -25.0, -23.0), (80.0, -3.2, -2.8), (400.0, -0.1, 0.01), (10_000.0, -0.01, 0.01)]
    {
        let source = stereo(48_000, sine(hz, 0.5), silence);
        let out = passed(2, &source, &[(0, adjusted)]);
        let [before, after] = [&source, &out].map(|it| rms_db(&channel(it, 0)[24_000..]));
        assert!((from_db..=to_db).contains(&(after - before)), "{hz} Hz: {}", after - before);
        assert!(channel(&out, 1).iter().all(|value| *value == 0.0), "channels stay apart");
    }
}

#[test]
fn audio_is_as_late_as_was_set_to_the_sample_whatever_it_was_before() {
    let click = |at: usize| move |i: usize| if i == at { 0.5 } else { 0.0 };
    for (before, after) in [(0, 0), (0, 1), (0, 200), (200, 0), (1_000, 1), (-300, 1_000)] {
        let source = stereo(144_000, click(48_000), click(48_000));
        let delayed = |delay_ms| Adjustments { delay_ms, ..at(0) };
        let out = channel(&passed(2, &source, &[(0, delayed(before)), (9_600, delayed(after))]), 0);
        let found = out.iter().position(|value| *value > 0.4);
        let expected = 48_000 + 48 * after as usize + CHAIN_DELAY_SAMPLES;
        assert_eq!(found, Some(expected), "{before} to {after} ms");
    }
}

/// Audio that limiters get wrong.
fn difficult() -> Vec<(&'static str, Vec<i16>)> {
    let both = |of: &dyn Fn(usize) -> f64| stereo(9_600, of, of);
    let square = |hz: f64| move |i: usize| if sine(hz, 1.0)(i) < 0.0 { -1.0 } else { 1.0 };
    let between = |i: usize| ((i as f64 / 4.0 + 0.125) * TAU).sin();
    let noise = |i: usize| fastrand::Rng::with_seed(i as u64).f64() * 2.0 - 1.0;
    let bursts = |i: usize| if i % 4_800 < 480 { noise(i) } else { 0.001 * noise(i) };
    let clicks = |i: usize| [1.0, -1.0].get(i % 1_000).copied().unwrap_or(0.0);
    let steps = |i: usize| if i % 9_600 < 4_800 { 1.0 } else { -1.0 };
    let beats = |i: usize| (sine(440.0, 0.5)(i) + sine(443.0, 0.5)(i)).clamp(-1.0, 1.0);
    let swept = |i: usize| ((i as f64).powi(2) * 0.5 / 9_600.0 * 0.83 * 0.5 * TAU).sin();
    vec![
        ("sine", both(&sine(997.0, 1.0))),
        ("low sine", both(&sine(50.0, 1.0))),
        ("high sine", both(&sine(17_000.0, 1.0))),
        ("between samples", both(&between)),
        ("square", both(&square(1_000.0))),
        ("low square", both(&square(60.0))),
        ("noise", both(&noise)),
        ("bursts", both(&bursts)),
        ("clicks", both(&clicks)),
        ("steps", both(&steps)),
        ("beats", both(&beats)),
        ("swept", both(&swept)),
        ("one channel", stereo(9_600, square(440.0), silence)),
        ("silence", both(&silence)),
    ]
}

#[test]
fn nothing_is_higher_than_a_decibel_below_full_scale_at_any_gain() {
    for (name, source) in difficult() {
        for gain_db in [0, 24] {
            let out = passed(2, &source, &[(0, at(gain_db))]);
            for which in [0, 1].into_iter().take(if name == "one channel" { 2 } else { 1 }) {
                let peak_db = true_peak_db(&channel(&out, which));
                println!("{name} at {gain_db} dB: {peak_db:.2} dBTP");
                assert!(peak_db <= -1.0, "{name} at {gain_db} dB: {peak_db} dBTP");
            }
            let mono = passed(1, &source, &[(0, at(gain_db))]);
            let highest = mono.iter().map(|sample| sample.unsigned_abs()).max();
            assert!(highest.is_some_and(|highest| highest < 26_040), "{name}: {highest:?}");
        }
    }
}

#[test]
fn a_limited_tone_is_a_tone_as_loud_as_it_may_be() {
    for hz in [50.0, 997.0, 6_000.0] {
        let source = stereo(96_000, sine(hz, 1.0), sine(hz, 1.0));
        let out = &channel(&passed(2, &source, &[(0, at(24))]), 0)[48_000..];
        // What is left of it without the tone itself.
        let part = |shift: f64| {
            let wave = |i: usize| (i as f64 * hz / f64::from(RATE_HZ) * TAU + shift).sin();
            let sum: f64 = out.iter().enumerate().map(|(i, value)| value * wave(i)).sum();
            2.0 * sum / out.len() as f64
        };
        let (a, b) = (part(0.0), part(TAU / 4.0));
        let tone = |i: usize| {
            let angle = i as f64 * hz / f64::from(RATE_HZ) * TAU;
            a * angle.sin() + b * angle.cos()
        };
        let rest: Vec<f64> = out.iter().enumerate().map(|(i, value)| value - tone(i)).collect();
        let (level, distortion) = (20.0 * a.hypot(b).log10(), rms_db(&rest) - rms_db(out));
        println!("{hz} Hz: {level:.2} dB, distortion {distortion:.1} dB");
        assert!((-2.1..-1.9).contains(&level), "{hz} Hz: {level} dB");
        assert!(distortion < -40.0, "{hz} Hz: {distortion} dB");
    }
}

#[test]
fn what_was_turned_down_is_reported_once() {
    let mut chain = Chain::new(RATE_HZ, 2, at(24));
    let mut block = vec![0; 2 * 4_800];
    chain.process(&stereo(4_800, sine(997.0, 1.0), silence), &mut block);
    let reduction_db = chain.take_reduction_db();
    assert!((25.9..26.1).contains(&reduction_db), "{reduction_db} dB");
    chain.adjust(at(-60));
    for _ in 0..20 {
        chain.process(&[0; 2 * 4_800], &mut block);
    }
    chain.take_reduction_db();
    chain.process(&[0; 2 * 4_800], &mut block);
    assert_eq!(chain.take_reduction_db(), 0.0);
}

#[test]
fn nothing_of_what_was_forgotten_comes_out() {
    let adjusted = Adjustments { lowcut_hz: Some(80), delay_ms: 1_000, ..at(24) };
    let mut chain = Chain::new(RATE_HZ, 2, adjusted);
    let mut block = vec![0; 2 * 96_000];
    chain.process(&stereo(96_000, sine(440.0, 0.9), sine(997.0, 0.9)), &mut block);
    chain.forget();
    chain.process(&[0; 2 * 96_000], &mut block);
    assert!(block.iter().all(|sample| *sample == 0));
}
