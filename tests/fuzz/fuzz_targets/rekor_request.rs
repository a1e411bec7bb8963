//! Fuzzes Rekor v2 write requests.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    attestry_fuzz::rekor_request(input);
});
