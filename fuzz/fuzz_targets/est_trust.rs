#![no_main]
//! See `fuzz::est_trust`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::est_trust(data));
