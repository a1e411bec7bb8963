//! Targets for what other tools write: reports of every kind, and lockfiles.

use attestry::parsers::{dependencies, evidence};

/// Test reports: JUnit XML, go test, libtest, TAP.
pub fn reports_tests(input: &[u8]) -> bool {
    evidence(Some("test-result"), input)
}

/// Bills of materials: CycloneDX and SPDX.
pub fn reports_boms(input: &[u8]) -> bool {
    evidence(Some("cyclonedx"), input) | evidence(Some("spdx"), input)
}

/// Reports of vulnerability scanners, SARIF among them.
pub fn reports_vulns(input: &[u8]) -> bool {
    evidence(Some("vulns"), input)
}

/// VEX: OpenVEX, CSAF and CycloneDX.
pub fn reports_vex(input: &[u8]) -> bool {
    evidence(Some("openvex"), input)
}

/// Reports of searches for secrets.
pub fn reports_secrets(input: &[u8]) -> bool {
    evidence(Some("secret-scan"), input)
}

/// Checks of configurations.
pub fn reports_readiness(input: &[u8]) -> bool {
    evidence(Some("readiness"), input)
}

/// SARIF of static analyses.
pub fn reports_analysis(input: &[u8]) -> bool {
    evidence(Some("static-analysis"), input)
}

/// Statements, envelopes, bundles and links that are passed through.
pub fn reports_statements(input: &[u8]) -> bool {
    let kinds = [None, Some("link"), Some("provenance"), Some("provenance-v0.2"), Some("vsa")];
    kinds.into_iter().fold(false, |made, kind| made | evidence(kind, input))
}

/// Names of lockfiles, of each kind one.
const LOCKFILES: &[&str] = &[
    "Cargo.lock",
    "package-lock.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "go.sum",
    "poetry.lock",
    "uv.lock",
    "requirements.txt",
    "Pipfile.lock",
    "pom.xml",
    "gradle.lockfile",
    "verification-metadata.xml",
    "composer.lock",
    "Gemfile.lock",
];

/// Lockfiles: the input as every kind.
pub fn lockfiles(input: &[u8]) -> bool {
    LOCKFILES.iter().fold(false, |read, name| read | dependencies(name, input))
}
