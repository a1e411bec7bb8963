//! Fuzzes VEX: OpenVEX, CSAF and CycloneDX.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    attestry_fuzz::reports_vex(input);
});
