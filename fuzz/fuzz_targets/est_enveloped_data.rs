#![no_main]
//! See `fuzz::est_enveloped_data`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::est_enveloped_data(data));
