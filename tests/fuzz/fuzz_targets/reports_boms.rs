//! Fuzzes bills of materials: CycloneDX and SPDX.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    attestry_fuzz::reports_boms(input);
});
