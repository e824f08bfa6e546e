#![no_main]

use firstmile_fuzz::asserted::text;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    text::url(data);
});
