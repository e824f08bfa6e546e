#![no_main]

use firstmile_fuzz::asserted::flv;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    flv::avc_colours(data);
});
