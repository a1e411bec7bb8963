//! Fuzzes reports of searches for secrets.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    attestry_fuzz::reports_secrets(input);
});
