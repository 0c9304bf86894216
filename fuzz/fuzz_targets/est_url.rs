#![no_main]
//! See `fuzz::est_url`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::est_url(data));
