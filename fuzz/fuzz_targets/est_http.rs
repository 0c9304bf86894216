#![no_main]
//! See `fuzz::est_http`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::est_http(data));
