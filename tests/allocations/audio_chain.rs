//! What is done to audio costs no call of the allocator, whatever is adjusted.

use firstmile::audio::{Adjustments, Chain, ChannelsFrom, TruePeak};
use stats_alloc::Region;

use crate::{ALLOCATOR, alone};

#[test]
fn nothing_is_allocated_for_a_block_of_audio_whatever_is_adjusted() {
    let _alone = alone();
    let everything = Adjustments {
        gain_tenths_db: 240,
        is_muted: false,
        channels_from: ChannelsFrom::Swap,
        lowcut_hz: Some(80),
        delay_ms: 1_000,
    };
    let mut random = fastrand::Rng::with_seed(1);
    let source: Vec<i16> = (0..2 * 1_024).map(|_| random.i16(..)).collect();
    let mut block = vec![0; 2 * 1_024];
    let mut chain = Chain::new(48_000, 2, Adjustments::default());
    let mut meter = TruePeak::of_silence();
    let region = Region::new(ALLOCATOR);
    for number in 0..100 {
        let turns = [Adjustments::default(), everything];
        chain.adjust(turns[number / 10 % 2]);
        chain.process(&source, &mut block);
        meter.measure(block.iter().copied());
    }
    assert!(meter.take() > 0.5 && chain.take_reduction_db() > 20.0);
    let change = region.change();
    assert_eq!((change.allocations, change.reallocations), (0, 0));
}
