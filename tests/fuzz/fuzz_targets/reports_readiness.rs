//! Fuzzes checks of configurations.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    attestry_fuzz::reports_readiness(input);
});
