//! Fuzzes reports of vulnerability scanners, SARIF among them.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    attestry_fuzz::reports_vulns(input);
});
