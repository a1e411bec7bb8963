//! Fuzzes log checkpoints and their cosignatures.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    attestry_fuzz::checkpoint(input);
});
