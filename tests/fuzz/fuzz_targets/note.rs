//! Fuzzes signed notes and verifier keys.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    attestry_fuzz::note(input);
});
