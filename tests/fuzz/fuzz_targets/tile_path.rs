//! Fuzzes tile paths.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    attestry_fuzz::tile_path(input);
});
