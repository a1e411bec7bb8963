//! Fuzzes lockfiles of every package manager that is read.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    attestry_fuzz::lockfiles(input);
});
