//! Fuzzes SARIF of static analyses.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    attestry_fuzz::reports_analysis(input);
});
