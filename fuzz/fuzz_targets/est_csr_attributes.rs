#![no_main]
//! See `fuzz::est_csr_attributes`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::est_csr_attributes(data));

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    fuzz::der_mutator::mutate(data, size, max_size, seed, &mut libfuzzer_sys::fuzzer_mutate)
});
