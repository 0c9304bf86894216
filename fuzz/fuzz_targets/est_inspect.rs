#![no_main]
//! See `fuzz::est_inspect`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::est_inspect(data));
