//! Statements of real builders, verifiers and signers.

use super::*;

/// The key with which npm signed what was published to it, as its log entries name it.
const NPM_KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1Olb3zMAFFxXKHiIkQO5cJ3Yhl5i
6UPp+IhuteBJbuHcA5UogKo0EWtlWwW6KSaKoTNEYL7JlCQiVnkhBktUgg==
-----END PUBLIC KEY-----
";

#[test]
fn plain_statements_are_signed_byte_for_byte() {
    for (file, predicate_type, totals, about, tool) in [
        (
            "slsa-v1.statement.json",
            "https://slsa.dev/provenance/v1",
            [1, 1],
            "sha256:a0cfc71271d6e278e57cd332ff957c3f7043fdda354c4cbb190a30d56efa01bf",
            Some(
                "https://github.com/loosebazooka/aa-test/.github/workflows/provenance.yaml@refs/heads/main",
            ),
        ),
        (
            "test-result-0.1.statement.json",
            "https://in-toto.io/attestation/test-result/v0.1",
            [1, 0],
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            None,
        ),
        (
            "vsa-source-tool.statement.json",
            "https://slsa.dev/verification_summary/v1",
            [1, 0],
            "gitCommit:932eb09d23b8574a5c1c3780afec1a93ebaa3e92",
            Some("https://github.com/slsa-framework/source-tool"),
        ),
    ] {
        let Some(report) = sample(&format!("provenance/{file}")) else { return };
        let imported = read_as(&report, "statement").unwrap();
        let evidence = &imported.evidence[0];
        assert_eq!(counts(&imported), [totals], "{file}");
        assert_eq!(evidence.predicate_type(), Some(predicate_type), "{file}");
        let found: Vec<_> = evidence.about().iter().map(ToString::to_string).collect();
        assert_eq!(found, [about], "{file}");
        assert_eq!(evidence.tool().as_deref(), tool, "{file}");
        let made = product(&report, &imported, &Supplement::default()).unwrap();
        let Product::Statement(bytes) = made else { panic!("{file}: {made:?}") };
        let whole = report.read(|reader| {
            let mut whole = Vec::new();
            reader.read_to_end(&mut whole).map_err(|e| report.unreadable(e))?;
            Ok(whole)
        });
        assert_eq!(bytes, whole.unwrap(), "{file}");
    }
}

#[test]
fn samples_that_break_a_specification_are_refused_for_it() {
    for (file, format, expected) in [
        (
            "buildkit-provenance-0.2.statement.json",
            "statement",
            "expected predicate.buildType to be a URI (RFC 3986) (SLSA provenance v0.2, Fields: \
             buildType is required)",
        ),
        ("in-toto-link-0.3.dsse.json", "dsse", "missing field `_type`"),
    ] {
        let Some(report) = sample(&format!("provenance/{file}")) else { return };
        let refused = read_as(&report, format).unwrap_err();
        assert!(matches!(refused, ImportError::Malformed { .. }), "{file}: {refused}");
        assert!(refused.to_string().contains(expected), "{file}: {refused}");
    }
}

/// A bundle with a certificate: its file, type, totals and signer.
const BUNDLES: &[(&str, &str, [u64; 2], &str)] = &[
    (
        "npm-sigstore-js-2.1.0.bundle.json",
        "provenance",
        [1, 1],
        "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main",
    ),
    (
        "github-artifact-attestation.bundle.jsonl",
        "provenance",
        [1, 1],
        "https://github.com/actions/attest-demo/.github/workflows/build-python.yml@refs/heads/main",
    ),
    (
        "slsa-github-generator-2.1.0.intoto.jsonl",
        "provenance-v0.2",
        [1, 1],
        "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_generic_slsa3.yml@refs/tags/v2.1.0",
    ),
    (
        "bazel-central-registry.intoto.jsonl",
        "provenance",
        [1, 1],
        "https://github.com/bazel-contrib/publish-to-bcr/.github/workflows/publish.yaml@refs/tags/v0.0.1",
    ),
];

#[test]
fn a_bundle_is_verified_and_passed_through_as_it_is() {
    for (file, asked, totals, signer) in BUNDLES {
        let Some(report) = sample(&format!("provenance/{file}")) else { return };
        let (format, imported) = import(&report, Some(asked)).unwrap();
        assert_eq!(format.name, "sigstore-bundle");
        assert_eq!(counts(&imported), [totals], "{file}");
        let made = product(&report, &imported, &Supplement::default()).unwrap();
        let Product::Bundle { bundle, warnings } = made else { panic!("{file}: {made:?}") };
        assert!(warnings[0].contains(signer), "{file}: {warnings:?}");
        assert!(warnings[0].contains("no --identity is given"), "{file}: {warnings:?}");
        assert!(matches!(bundle.content, Content::Envelope(_)), "{file}");

        let issuer = "https://token.actions.githubusercontent.com".to_owned();
        let identity = Some(Identity { subject: (*signer).to_owned(), issuer });
        let trust = Trust { identity, ..Trust::default() };
        let mut demanding = Supplement { trust, ..Supplement::default() };
        let made = product(&report, &imported, &demanding).unwrap();
        assert!(matches!(made, Product::Bundle { warnings, .. } if warnings.is_empty()), "{file}");
        demanding.trust.identity.as_mut().unwrap().subject.push('x');
        let refused = product(&report, &imported, &demanding).unwrap_err();
        assert!(matches!(refused, ImportError::Unverified { .. }), "{file}: {refused}");
        let told = refused.to_string();
        assert!(told.contains("certificate: expected a certificate of"), "{file}: {told}");
    }
}

#[test]
fn of_several_attestations_the_tampered_one_is_refused() {
    let Some(report) = sample("provenance/tampered-npm-attestations.json") else { return };
    let imported = read_as(&report, "attestations").unwrap();
    assert_eq!(counts(&imported), [[1, 0], [1, 1]]);
    let types: Vec<_> = imported.evidence.iter().map(|e| e.predicate_type().unwrap()).collect();
    let publish = "https://github.com/npm/attestation/tree/main/specs/publish/v0.1";
    assert_eq!(types, [publish, "https://slsa.dev/provenance/v1"]);
    let npm = trusting(&[&PublicKey::from_pem(NPM_KEY).unwrap()]);
    let made = |at: usize, supplement: &Supplement| {
        let original = crate::evidence::original(&report, &signed::ATTESTATIONS);
        imported.evidence[at].product(&report, &original, supplement)
    };
    let good = made(0, &npm).unwrap();
    let Product::Bundle { warnings, .. } = good else { panic!("{good:?}") };
    assert!(warnings[0].contains("attestation 1 has a log entry, not checked"), "{warnings:?}");
    // The first lacks a key then, which is told only where nothing was changed.
    let none = Supplement::default();
    for (at, supplement) in [(1, &npm), (0, &none), (1, &none)] {
        let refused = made(at, supplement).unwrap_err();
        assert!(matches!(refused, ImportError::Unverified { .. }), "{refused}");
        let told = refused.to_string();
        let expected =
            "tampered-npm-attestations.json attestation 2 does not verify: certificate: expected";
        assert!(told.starts_with(expected) && told.contains("signature"), "{told}");
    }
}

#[test]
fn what_a_key_signed_needs_the_key() {
    let ours = trusting(&[key(1).public_key()]);
    for (file, format, predicate_type, totals) in [
        ("vsa-gke.dsse.jsonl", "dsse", "https://slsa.dev/verification_summary/v1", [1, 0]),
        ("in-toto-link-dsse.link", "dsse", Link::URI, [1, 1]),
        ("in-toto-link-metablock.link", "in-toto-link", Link::URI, [1, 1]),
    ] {
        let Some(report) = sample(&format!("provenance/{file}")) else { return };
        let imported = read_as(&report, format).unwrap();
        assert_eq!(counts(&imported), [totals], "{file}");
        assert_eq!(imported.evidence[0].predicate_type(), Some(predicate_type), "{file}");
        let refused = product(&report, &imported, &Supplement::default()).unwrap_err();
        assert!(matches!(refused, ImportError::NoKey { .. }), "{file}: {refused}");
        let refused = product(&report, &imported, &ours).unwrap_err();
        assert!(matches!(refused, ImportError::Unverified { .. }), "{file}: {refused}");
        assert!(refused.to_string().contains("signature: expected a signature by"), "{refused}");
    }
}
