#![no_main]
//! See `fuzz::est_renewal`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::est_renewal(data));
