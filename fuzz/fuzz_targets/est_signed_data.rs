#![no_main]
//! See `fuzz::est_signed_data`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::est_signed_data(data));
