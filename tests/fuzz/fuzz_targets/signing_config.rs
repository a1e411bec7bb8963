//! Fuzzes signing configurations.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    attestry_fuzz::signing_config(input);
});
