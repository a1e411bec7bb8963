//! Fuzzes the validators of predicates.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    attestry_fuzz::predicate_lint(input);
});
