//! Fuzzes Rekor v2 entry bodies and log entries.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    attestry_fuzz::rekor_body(input);
});
