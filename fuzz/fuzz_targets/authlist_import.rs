#![no_main]
//! See `fuzz::authlist_import`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::authlist_import(data));
