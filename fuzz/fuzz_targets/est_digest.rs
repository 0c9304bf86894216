#![no_main]
//! See `fuzz::est_digest`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::est_digest(data));
