//! Frames cross from the encoder's thread to an async reader.

use firstmile::media::{Codec, FanOut, Frame, Kind};

fn audio(kind: Kind, dts_ns: u64) -> Frame {
    Frame { kind, codec: Codec::Aac, pts_ns: dts_ns, dts_ns, payload: "audio".into() }
}

#[tokio::test]
async fn a_reader_that_waits_sees_or_counts_every_frame_of_another_thread() {
    const FRAMES: u64 = 20_000;
    let fan_out = FanOut::new();
    let subscriber = fan_out.subscribe();
    let encoder = std::thread::spawn(move || {
        fan_out.publish(audio(Kind::AudioConfig, 0));
        for n in 0..FRAMES {
            fan_out.publish(audio(Kind::Audio, n * 1_000));
            if n % 100 == 0 {
                std::thread::yield_now();
            }
        }
    });
    let (mut seen, mut last_ns) = (0, 0);
    let lost = || subscriber.stats().dropped.audio + subscriber.stats().skipped;
    while seen + lost() < FRAMES {
        subscriber.ready().await;
        while let Some(frame) = subscriber.try_pop() {
            assert!(frame.dts_ns >= last_ns, "out of order");
            last_ns = frame.dts_ns;
            seen += u64::from(frame.kind == Kind::Audio);
        }
    }
    assert!(encoder.join().is_ok());
    assert_eq!(seen + lost(), FRAMES);
    assert_eq!(last_ns, (FRAMES - 1) * 1_000, "the newest is never lost");
}
