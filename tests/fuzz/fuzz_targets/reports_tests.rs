//! Fuzzes test reports: JUnit XML, go test, libtest, TAP.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    attestry_fuzz::reports_tests(input);
});
