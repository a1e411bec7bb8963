//! Fuzzes statements, envelopes, bundles and links that are passed through.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    attestry_fuzz::reports_statements(input);
});
