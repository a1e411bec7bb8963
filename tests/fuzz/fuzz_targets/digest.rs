//! Fuzzes digests and digest sets.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    attestry_fuzz::digest(input);
});
