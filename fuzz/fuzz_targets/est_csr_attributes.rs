#![no_main]
//! See `fuzz::est_csr_attributes`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::est_csr_attributes(data));
