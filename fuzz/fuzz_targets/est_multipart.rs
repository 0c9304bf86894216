#![no_main]
//! See `fuzz::est_multipart`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::est_multipart(data));
