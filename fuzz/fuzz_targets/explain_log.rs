#![no_main]
//! See `fuzz::explain_log`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::explain_log(data));
