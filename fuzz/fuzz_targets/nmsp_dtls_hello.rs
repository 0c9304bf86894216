#![no_main]
//! See `fuzz::nmsp_dtls_hello`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::nmsp_dtls_hello(data));
