#![no_main]
//! See `fuzz::nmsp_frame`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::nmsp_frame(data));
