#![no_main]
//! See `fuzz::nmsp_profile`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::nmsp_profile(data));
