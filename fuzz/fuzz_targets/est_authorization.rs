#![no_main]
//! See `fuzz::est_authorization`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::est_authorization(data));
