#![no_main]
//! See `fuzz::pki_channel_binding`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::pki_channel_binding(data));
