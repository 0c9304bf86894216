#![no_main]
//! See `fuzz::est_server`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::est_server(data));
