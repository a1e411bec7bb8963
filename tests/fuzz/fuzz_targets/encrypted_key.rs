//! Fuzzes encrypted private key files.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    attestry_fuzz::encrypted_key(input);
});
