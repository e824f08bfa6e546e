#![no_main]

use firstmile_fuzz::asserted::session;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    session::ingest(data);
});
