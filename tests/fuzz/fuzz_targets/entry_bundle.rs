//! Fuzzes entry bundles of a log.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    attestry_fuzz::entry_bundle(input);
});
