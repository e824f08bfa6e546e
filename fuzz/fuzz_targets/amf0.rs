#![no_main]
#[path = "../../tests/support/fuzz/mod.rs"]
#[allow(dead_code)]
mod fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz::rtmp::amf0(data);
});
