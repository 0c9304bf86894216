#![no_main]
//! See `fuzz::nmsp_session_file`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::nmsp_session_file(data));
