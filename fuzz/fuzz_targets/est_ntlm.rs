#![no_main]
//! See `fuzz::est_ntlm`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::est_ntlm(data));
