#![no_main]
//! See `fuzz::certsrv_page`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::certsrv_page(data));
