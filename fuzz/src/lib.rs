//! What is asserted of any bytes, for libFuzzer's targets. The ordinary tests run the same over the
//! committed seeds.

#[path = "../../tests/support/fuzz/mod.rs"]
pub mod asserted;
