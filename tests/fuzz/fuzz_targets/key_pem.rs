//! Fuzzes public and plain private keys in PEM.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    attestry_fuzz::key_pem(input);
});
