#![no_main]

use firstmile_fuzz::asserted::rtmp;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    rtmp::message(data);
});
