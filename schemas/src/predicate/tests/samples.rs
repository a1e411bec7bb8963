//! Statements and documents of real tools, from the shared samples when they are there.

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use serde_json::Value;

use super::super::{Severity, facts, lint};

fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/samples");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {} is not there", folder.display());
    None
}

fn read(file: &str) -> Option<Value> {
    let text = fs::read_to_string(folder()?.join(file)).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

/// The statement of a file: as it is, in an envelope, or in a bundle.
fn statement(file: &str) -> Option<Value> {
    let document = read(file)?;
    let envelope = document.get("dsseEnvelope").unwrap_or(&document);
    let Some(payload) = envelope.get("payload") else { return Some(document) };
    let bytes = base64::prelude::BASE64_STANDARD.decode(payload.as_str().unwrap()).unwrap();
    Some(serde_json::from_slice(&bytes).unwrap())
}

/// Severity and field of each finding, in order.
type Expected<'a> = &'a [(Severity, &'a str)];

/// Which findings a predicate gives: severity and field, in order.
fn check(file: &str, uri: &str, predicate: &Value, expected: Expected<'_>) {
    let findings = lint(uri, predicate);
    let found: Vec<_> = findings.iter().map(|f| (f.severity, f.field.as_str())).collect();
    let shown: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected, "{file} {shown:#?}");
}

#[test]
fn statements_of_real_builders_and_verifiers() {
    use Severity::{Error, Warning};
    let cases: &[(&str, Expected<'_>)] = &[
        ("bazel-central-registry.intoto.jsonl", &[]),
        ("github-artifact-attestation.bundle.jsonl", &[]),
        ("npm-sigstore-js-2.1.0.bundle.json", &[]),
        ("slsa-v1.statement.json", &[]),
        ("slsa-github-generator-2.1.0.intoto.jsonl", &[]),
        (
            "buildkit-provenance-0.2.statement.json",
            &[
                (Error, "predicate.buildType"),
                (Warning, "predicate.builder.id"),
                (Warning, "predicate.invocation.configSource.digest.sha256"),
                (Warning, "predicate.materials[0].digest.sha256"),
            ],
        ),
        ("in-toto-link-0.3.dsse.json", &[]),
        (
            "test-result-0.1.statement.json",
            &[(Warning, "predicate.configuration[0].digest.sha256")],
        ),
        // An underscore is no character of a URI scheme (RFC 3986 §3.1).
        (
            "vsa-gke.dsse.jsonl",
            &[(Warning, "predicate.resourceUri"), (Warning, "predicate.policy.digest")],
        ),
        ("vsa-source-tool.statement.json", &[(Warning, "predicate.policy.digest")]),
    ];
    for (file, expected) in cases {
        let Some(statement) = statement(&format!("provenance/{file}")) else { return };
        let uri = statement["predicateType"].as_str().unwrap();
        check(file, uri, &statement["predicate"], expected);
    }
}

#[test]
fn bills_of_materials_of_real_tools() {
    use Severity::{Error, Warning};
    let unnumbered = [(Warning, "predicate.serialNumber")];
    let cases: [(&str, &str, usize, Expected<'_>); 17] = [
        ("spdx", "syft-1.6.0-v2.3.json", 15, &[]),
        ("spdx", "npm-11.6.0-v2.3.json", 171, &[]),
        ("spdx", "spdx-maven-plugin-v2.3.json", 0, &[]),
        ("spdx", "bom-tool-v2.3.json", 4, &[]),
        ("spdx", "ko-0.12.0-v2.2.json", 3, &[]),
        ("spdx", "spdx3-maven.jsonld.json", 0, &[]),
        (
            "spdx",
            "not-an-spdx-version.json",
            0,
            &[
                (Error, "predicate.spdxVersion"),
                (Error, "predicate.name"),
                (Error, "predicate.documentNamespace"),
                (Error, "predicate.creationInfo.creators[0]"),
            ],
        ),
        ("cyclonedx", "php-composer-v1.4-laravel.json", 62, &unnumbered),
        ("cyclonedx", "rpm-manifest-v1.6-openssl.json", 37, &[]),
        ("cyclonedx", "syft-0.101.1-v1.5.json", 149, &[]),
        ("cyclonedx", "trivy-0.48.1-v1.5-with-vulnerabilities.json", 101, &[]),
        ("cyclonedx", "trivy-v1.5-dependency-loop.json", 2, &[]),
        ("cyclonedx", "trivy-v1.5-empty.json", 0, &[]),
        ("cyclonedx", "trivy-v1.6-nested-packages.json", 5, &[]),
        ("cyclonedx", "cbom-v1.6-protocol.json", 0, &[]),
        ("vex", "cyclonedx-vex.json", 0, &unnumbered),
        ("vex", "cyclonedx-vex-19-vulnerabilities.json", 0, &unnumbered),
    ];
    for (kind, file, purls, expected) in cases {
        let Some(document) = read(&format!("{kind}/{file}")) else { return };
        let uri = match kind {
            "spdx" => "https://spdx.dev/Document",
            _ => "https://cyclonedx.org/bom",
        };
        check(file, uri, &document, expected);
        let found = facts(uri, &document);
        assert_eq!((found.purls.len(), found.truncated), (purls, false), "{file}");
    }
}

#[test]
fn exploitability_documents_of_real_tools() {
    let cases: &[(&str, Expected<'_>)] = &[
        ("openvex-0.2.0-spec-demo.json", &[]),
        ("openvex-demo1.json", &[]),
        // The specification: an affected statement MUST include an action_statement.
        ("openvex-affected.json", &[(Severity::Error, "predicate.statements[0].action_statement")]),
    ];
    for (file, expected) in cases {
        let Some(document) = read(&format!("vex/{file}")) else { return };
        check(file, "https://openvex.dev/ns/v0.2.0", &document, expected);
    }
}

#[test]
fn real_provenance_gives_builder_source_and_commit() {
    let check = |file: &str, builder: &str, repository: &str, commit: &str| {
        let Some(statement) = statement(&format!("provenance/{file}")) else { return };
        let uri = statement["predicateType"].as_str().unwrap();
        let found = facts(uri, &statement["predicate"]);
        assert_eq!(found.builder_id.as_deref(), Some(builder), "{file}");
        assert_eq!(found.sources[0].repository, repository, "{file}");
        assert_eq!(found.sources[0].commit.as_deref(), Some(commit), "{file}");
        assert_eq!(found.sources.len(), 1, "{file}");
        assert!(!found.materials.is_empty(), "{file}");
    };
    check(
        "npm-sigstore-js-2.1.0.bundle.json",
        "https://github.com/actions/runner/github-hosted",
        "https://github.com/sigstore/sigstore-js",
        "26d16513386ffaa790b1c32f927544f1322e4194",
    );
    check(
        "slsa-github-generator-2.1.0.intoto.jsonl",
        "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/\
         generator_generic_slsa3.yml@refs/tags/v2.1.0",
        "https://github.com/slsa-framework/example-package",
        "4d329c75e7ec1725f7c9ce917a8799d408d06be3",
    );
}
