#![no_main]
//! See `fuzz::est_csr`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::est_csr(data));
