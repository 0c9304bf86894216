#![no_main]
//! See `fuzz::est_certs_only`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::est_certs_only(data));
