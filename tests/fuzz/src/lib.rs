//! One fuzz target for every parser of untrusted bytes.
//!
//! A target feeds its input to a parser and returns whether it was accepted. What it checks is that nothing
//! panics, and that what was accepted survives writing and reading again unchanged. Each target is a plain function, so
//! that ordinary tests run it over seeds and samples; `fuzz_targets/` wraps each for libFuzzer.

mod documents;
mod gate;
mod keys;
mod log;
mod reports;

pub use documents::{bundle, classic_link, digest, dsse, json, predicate_lint, statement};
pub use gate::{admission, layout, pack, policy, roster};
pub use keys::{encrypted_key, key_pem};
pub use log::{
    checkpoint, entry_bundle, note, rekor_body, rekor_request, signing_config, tile_path,
    trusted_root,
};

pub use reports::{
    lockfiles, reports_analysis, reports_boms, reports_readiness, reports_secrets,
    reports_statements, reports_tests, reports_vex, reports_vulns,
};

/// What a target is: its input goes in, whether it was accepted comes out.
pub type Target = fn(&[u8]) -> bool;

/// Every target with its name: of its program (`fuzz_<name>`) and its folder of seeds.
pub const TARGETS: &[(&str, Target)] = &[
    ("json", json),
    ("digest", digest),
    ("key_pem", key_pem),
    ("encrypted_key", encrypted_key),
    ("dsse", dsse),
    ("statement", statement),
    ("predicate_lint", predicate_lint),
    ("bundle", bundle),
    ("classic_link", classic_link),
    ("rekor_body", rekor_body),
    ("rekor_request", rekor_request),
    ("note", note),
    ("checkpoint", checkpoint),
    ("tile_path", tile_path),
    ("entry_bundle", entry_bundle),
    ("trusted_root", trusted_root),
    ("signing_config", signing_config),
    ("reports_tests", reports_tests),
    ("reports_boms", reports_boms),
    ("reports_vulns", reports_vulns),
    ("reports_vex", reports_vex),
    ("reports_secrets", reports_secrets),
    ("reports_readiness", reports_readiness),
    ("reports_analysis", reports_analysis),
    ("reports_statements", reports_statements),
    ("lockfiles", lockfiles),
    ("roster", roster),
    ("policy", policy),
    ("pack", pack),
    ("layout", layout),
    ("admission", admission),
];

/// The most bytes of JSON that a target reads.
const MAX_JSON_BYTES: usize = 1 << 20;

/// The input as text, where a parser takes text.
fn text(input: &[u8]) -> Option<&str> {
    std::str::from_utf8(input).ok()
}
