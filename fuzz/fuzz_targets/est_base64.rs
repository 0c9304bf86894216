#![no_main]
//! See `fuzz::est_base64`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::est_base64(data));
