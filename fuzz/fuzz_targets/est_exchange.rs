#![no_main]
//! See `fuzz::est_exchange`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::est_exchange(data));
