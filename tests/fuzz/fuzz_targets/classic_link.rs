//! Fuzzes classic in-toto links.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    attestry_fuzz::classic_link(input);
});
