#![no_main]
//! See `fuzz::est_cmc`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::est_cmc(data));
