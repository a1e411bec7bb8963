//! Statements of real builders and signers, and small ones of every odd kind.

mod links;
mod samples;

use attestry_schemas::bundle::{Bundle, Content};
use attestry_schemas::dsse::{Envelope, PAYLOAD_TYPE};
use attestry_schemas::key::{PublicKey, SigningKey};
use attestry_schemas::predicate::in_toto::Link;
use attestry_schemas::predicate::{Predicate as _, Role, facts};
use attestry_schemas::verify::Identity;
use serde_json::json;

use super::super::samples::{predicate_of, product, read_as, sample};
use super::super::{Imported, Product, Report, Supplement, Trust, import};
use super::*;

const SHA256: &str = "fe4fe40ac7250263c5dbe1cf3138912f3f416140aa248637a60d65fe22c47da4";
fn key(seed: u8) -> SigningKey {
    SigningKey::from_ed25519_seed([seed; 32])
}

fn trusting(keys: &[&PublicKey]) -> Supplement {
    let keys = keys.iter().map(|key| (*key).clone()).collect();
    Supplement { trust: Trust { keys, ..Trust::default() }, ..Supplement::default() }
}

/// The subjects and materials of each piece of evidence.
fn counts(imported: &Imported) -> Vec<Vec<u64>> {
    let totals = imported.evidence.iter().map(|evidence| evidence.totals());
    totals.map(|totals| totals.into_iter().map(|(_, count)| count).collect()).collect()
}

fn statement(predicate_type: &str, predicate: &Value) -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "a", "digest": { "sha256": SHA256, "md5": "0".repeat(32) } }],
        "predicateType": predicate_type,
        "predicate": predicate
    })
}

fn test_result() -> Value {
    let predicate = json!({ "result": "PASSED", "configuration": [] });
    statement("https://in-toto.io/attestation/test-result/v0.1", &predicate)
}

fn envelope(payload: &Value, signer: &SigningKey) -> Envelope {
    Envelope::sign(PAYLOAD_TYPE, payload.to_string().as_bytes(), signer)
}

fn report(document: &Value) -> Report {
    Report::of_bytes("r", document.to_string())
}

#[test]
fn an_envelope_that_a_given_key_signed_becomes_a_bundle_of_that_key() {
    let (signer, other) = (key(1), key(2));
    let sent = envelope(&test_result(), &signer);
    let report = report(&sent.to_value());
    let imported = read_as(&report, "dsse").unwrap();
    assert_eq!(imported.evidence[0].about(), [format!("sha256:{SHA256}").parse().unwrap()]);
    let trust = trusting(&[other.public_key(), signer.public_key()]);
    let made = product(&report, &imported, &trust).unwrap();
    let bundle = Box::new(Bundle::of_key(signer.public_key(), Content::Envelope(sent)));
    assert_eq!(made, Product::Bundle { bundle, warnings: Vec::new() });
    let refused = product(&report, &imported, &trusting(&[other.public_key()])).unwrap_err();
    let told = refused.to_string();
    let fix = crate::output::Remedy::fix(&refused).unwrap();
    assert!(told.starts_with("r does not verify: signature: expected a signature by"), "{told}");
    assert!(fix.contains("--verify-key"), "{fix}");
    assert_eq!(crate::output::Remedy::exit(&refused), crate::output::Exit::Refused);
}

#[test]
fn a_certificate_without_a_bundle_asks_for_the_bundle() {
    let mut sent = envelope(&test_result(), &key(1)).to_value();
    sent["signatures"][0]["cert"] = "-----BEGIN CERTIFICATE-----".into();
    let report = report(&sent);
    let imported = read_as(&report, "dsse").unwrap();
    let told = product(&report, &imported, &Supplement::default()).unwrap_err().to_string();
    assert!(told.contains("the bundle that proves when its certificate was used"), "{told}");
}

#[test]
fn a_bundle_of_a_key_and_a_signature_of_an_artifact_pass_too() {
    let signer = key(1);
    let content = Content::Envelope(envelope(&test_result(), &signer));
    let report = report(&Bundle::of_key(signer.public_key(), content).to_value());
    let imported = read_as(&report, "sigstore-bundle").unwrap();
    let trust = trusting(&[signer.public_key()]);
    let made = product(&report, &imported, &trust).unwrap();
    assert!(matches!(made, Product::Bundle { warnings, .. } if warnings.is_empty()));

    let digest = format!("sha256:{SHA256}").parse().unwrap();
    let signature = signer.sign(b"the artifact");
    let message = attestry_schemas::bundle::MessageSignature { digest, signature };
    let bundle = Bundle::of_key(signer.public_key(), Content::Message(message));
    let report = Report::of_bytes("r", bundle.to_json());
    let imported = read_as(&report, "sigstore-bundle").unwrap();
    assert_eq!(imported.evidence[0].predicate_type(), None);
    assert_eq!(counts(&imported), [[1]]);
    let refused = product(&report, &imported, &trust).unwrap_err();
    assert!(refused.to_string().contains("Ed25519"), "{refused}");
    let told = import(&report, Some("provenance")).unwrap_err().to_string();
    assert!(told.contains("found a signature of an artifact"), "{told}");
}

#[test]
fn json_lines_are_as_many_pieces_of_evidence() {
    let lines = |documents: &[Value]| {
        let lines: Vec<String> = documents.iter().map(|document| format!("{document}\n")).collect();
        Report::of_bytes("r", lines.concat())
    };
    let report = lines(&[test_result(), test_result()]);
    let imported = read_as(&report, "statement").unwrap();
    assert_eq!(imported.evidence.len(), 2);
    let made = product(&report, &imported, &Supplement::default()).unwrap();
    assert_eq!(made, Product::Statement(test_result().to_string().into_bytes()));

    let mut broken = test_result();
    broken["predicate"]["result"] = "GOOD".into();
    for (documents, expected) in [
        ([test_result(), broken], "found in line 2 \"GOOD\""),
        ([test_result(), json!({ "subject": [], "_type": "x" })], "found in line 2"),
    ] {
        let told = read_as(&lines(&documents), "statement").unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
    }
    let signed = envelope(&test_result(), &key(1)).to_value();
    let report = lines(&[signed.clone(), signed]);
    let imported = read_as(&report, "dsse").unwrap();
    let told = product(&report, &imported, &Supplement::default()).unwrap_err().to_string();
    assert!(told.contains("to verify r line 1 with"), "{told}");
}

#[test]
fn a_type_that_was_asked_for_is_the_one_that_a_document_says() {
    let report = report(&test_result());
    for asked in ["test-result", "https://in-toto.io/attestation/test-result/v0.1", "statement"] {
        assert_eq!(import(&report, Some(asked)).unwrap().0.name, "statement", "{asked}");
    }
    for asked in ["provenance", "vsa", "https://example.com/other/v1"] {
        let told = import(&report, Some(asked)).unwrap_err().to_string();
        let expected = format!("expected a statement of type {asked} in r, found one of type");
        assert!(told.starts_with(&expected), "{told}");
    }
    let told = import(&report, Some("no-such-type")).unwrap_err();
    assert!(matches!(told, ImportError::UnknownType { .. }), "{told}");
    // A type of which nothing else is known is still a type.
    let custom = "https://example.com/custom/v1";
    let of_custom = self::report(&statement(custom, &json!({})));
    let (_, imported) = import(&of_custom, Some(custom)).unwrap();
    assert_eq!(imported.evidence[0].predicate_type(), Some(custom));
}

#[test]
fn predicates_on_their_own_become_statements_about_the_named_subject() {
    let v1 = json!({
        "buildDefinition": {
            "buildType": "https://example.com/build/v1", "externalParameters": {},
            "resolvedDependencies": [{ "uri": "pkg:npm/a@1", "digest": { "sha256": SHA256 } }]
        },
        "runDetails": { "builder": { "id": "https://example.com/builder" } }
    });
    let v0_2 = json!({
        "builder": { "id": "https://example.com/builder" },
        "buildType": "https://example.com/build/v1", "invocation": {}, "materials": []
    });
    let vsa = json!({
        "verifier": { "id": "https://example.com/verifier" },
        "timeVerified": "2026-01-01T00:00:00Z", "resourceUri": "pkg:npm/a@1",
        "policy": { "uri": "https://example.com/policy", "digest": { "sha256": SHA256 } },
        "verificationResult": "PASSED", "verifiedLevels": ["SLSA_BUILD_LEVEL_2"]
    });
    for (format, asked, document, totals, tool) in [
        ("slsa-provenance", "provenance", v1, 1, "https://example.com/builder"),
        ("slsa-provenance-v0.2", "slsaprovenance", v0_2, 0, "https://example.com/builder"),
        ("slsa-vsa", "vsa", vsa, 0, "https://example.com/verifier"),
    ] {
        let report = report(&document);
        let (found, imported) = import(&report, Some(asked)).unwrap();
        assert_eq!((found.name, counts(&imported)), (format, vec![vec![totals]]));
        assert_eq!(imported.evidence[0].tool().as_deref(), Some(tool));
        let (uri, mut value, _) = predicate_of(&report, &imported, &Supplement::default());
        let related = facts(&uri, &value).related;
        assert_eq!(related.last().map(|r| r.role), Some(Role::Evidence), "{format}");
        value.as_object_mut().unwrap().remove("https://attestry.dev/evidence/v1");
        assert_eq!(value, document);
    }
    let broken = report(&json!({ "buildDefinition": {}, "runDetails": {} }));
    let told = read_as(&broken, "slsa-provenance").unwrap_err().to_string();
    assert!(told.contains("buildDefinition.buildType"), "{told}");
}

#[test]
fn refuses_what_only_looks_signed() {
    let signed = envelope(&test_result(), &key(1)).to_value();
    let with = |pointer: &str, value: Value| {
        let mut changed = signed.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed
    };
    let payload = |text: &str| attestry_schemas::base64::encode(text).into();
    let twice = test_result().to_string().replacen("{", "{\"_type\":\"x\",", 1);
    let two = json!([signed["signatures"][0], signed["signatures"][0]]);
    for (document, expected) in [
        (with("/payloadType", "text/plain".into()), "payloadType application/vnd.in-toto+json"),
        (with("/payload", payload("{")), "a payload that is strict JSON"),
        (with("/payload", payload(&twice)), "duplicate key"),
        (with("/payload", payload("{}")), "missing field `_type`"),
        (with("/signatures", two), "exactly one signature"),
        (with("/signatures", json!([])), "exactly one signature"),
    ] {
        let told = read_as(&report(&document), "dsse").unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
    }
    for (document, expected) in [
        (json!({ "attestations": [{ "bundle": null, "bundle_url": "u" }] }), "only its address"),
        (
            json!({ "attestations": [{ "bundle": { "dsseEnvelope": signed } }] }),
            "found in attestation 1",
        ),
    ] {
        let told = read_as(&report(&document), "attestations").unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
    }
}
