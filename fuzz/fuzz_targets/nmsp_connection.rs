#![no_main]
//! See `fuzz::nmsp_connection`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::nmsp_connection(data));
