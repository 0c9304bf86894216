#![no_main]
//! See `fuzz::nmsp_capture`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::nmsp_capture(data));
