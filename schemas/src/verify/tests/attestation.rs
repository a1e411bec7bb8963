//! Attacks on the statement, its signature and what it is taken for.

use serde_json::{Value, json};

use super::*;
use crate::bundle::SignerMaterial;

#[test]
fn refuses_each_attack_on_the_signature_of_an_attestation() {
    let invalid = "does not verify with this key";
    let cases: &[Case] = &[
        (
            "only the key that was named counts",
            |t| t.keys = Keys::Managed(vec![p256(2).public_key().clone()]),
            Check::Signature,
            "a signature by SHA256:",
            invalid,
        ),
        (
            "a key of another kind did not sign",
            |t| t.keys = Keys::Managed(vec![ed25519(1).public_key().clone()]),
            Check::Signature,
            "a signature by SHA256:",
            "in the place of 64 bytes of an Ed25519 signature",
        ),
        (
            "without a key nothing verifies",
            |t| t.keys = Keys::Managed(vec![]),
            Check::Signature,
            "a key to verify with",
            "no key",
        ),
        (
            "the signature covers the predicate",
            |t| {
                let text = String::from_utf8(t.envelope().payload.clone()).unwrap();
                t.envelope().payload = text.replace("PASSED", "WARNED").into_bytes();
            },
            Check::Signature,
            "a signature by SHA256:",
            invalid,
        ),
        (
            "the signature covers white space too",
            |t| t.envelope().payload.push(b'\n'),
            Check::Signature,
            "a signature by SHA256:",
            invalid,
        ),
        (
            "the signature covers the payload type",
            |t| {
                let payload = t.envelope().payload.clone();
                t.envelope().signature = t.signer.sign(&crate::dsse::pae("text/plain", &payload));
            },
            Check::Signature,
            "a signature by SHA256:",
            invalid,
        ),
        (
            "what is signed is the PAE and not the payload",
            |t| {
                let payload = t.envelope().payload.clone();
                t.envelope().signature = t.signer.sign(&payload);
            },
            Check::Signature,
            "a signature by SHA256:",
            invalid,
        ),
        (
            "a signature over the artifact is none over the statement",
            |t| t.envelope().signature = t.signer.sign(ARTIFACT),
            Check::Signature,
            "a signature by SHA256:",
            invalid,
        ),
        (
            "an ECDSA signature is DER and not P1363",
            |t| t.envelope().signature = p1363(&t.envelope().signature.clone()),
            Check::Signature,
            "a signature by SHA256:",
            "64 bytes in the place of an ECDSA signature in ASN.1 DER",
        ),
        (
            "nothing follows a signature",
            |t| t.envelope().signature.push(0),
            Check::Signature,
            "a signature by SHA256:",
            "ASN.1 DER",
        ),
        (
            "a signature is whole",
            |t| t.envelope().signature.truncate(20),
            Check::Signature,
            "a signature by SHA256:",
            "ASN.1 DER",
        ),
        (
            "a signature is not nothing",
            |t| t.envelope().signature.clear(),
            Check::Signature,
            "a signature by SHA256:",
            "0 bytes in the place of",
        ),
        (
            "a bundle with a certificate is not verified with a key",
            |t| t.bundle.signer = SignerMaterial::Certificate { der: vec![0x30, 0] },
            Check::Signature,
            "a signature by SHA256:",
            "verify it with --identity",
        ),
        (
            "a bundle of a managed key is not verified by identity",
            |t| {
                t.keys = Keys::Identity(Identity {
                    subject: "https://example.com/build".to_owned(),
                    issuer: "https://issuer.example.com".to_owned(),
                });
            },
            Check::Certificate,
            "a certificate of https://example.com/build from https://issuer.example.com",
            "verify it with --key",
        ),
        (
            "a certificate is one",
            |t| {
                t.bundle.signer = SignerMaterial::Certificate { der: vec![0x30, 0] };
                t.keys =
                    Keys::Identity(Identity { subject: "s".to_owned(), issuer: "i".to_owned() });
            },
            Check::Certificate,
            "a certificate of s from i, at a proven time",
            "the given trusted root",
        ),
    ];
    check(Trial::attestation, cases);
}

/// The two integers of a DER signature, each in 32 bytes.
fn p1363(der: &[u8]) -> Vec<u8> {
    let r_bytes = usize::from(der[3]);
    let (r, s) = (&der[4..4 + r_bytes], &der[6 + r_bytes..]);
    let pad = |n: &[u8]| {
        let significant = &n[n.iter().take_while(|byte| **byte == 0).count()..];
        [vec![0; 32 - significant.len()], significant.to_vec()].concat()
    };
    [pad(r), pad(s)].concat()
}

#[test]
fn refuses_an_attestation_that_is_about_something_else() {
    let cases: &[Case] = &[
        (
            "an attestation speaks for the artifacts it names",
            |t| t.digest = digest(OTHER),
            Check::Subject,
            "one of the statement's subjects (sha256:",
            "an artifact with digest sha256:",
        ),
        (
            "an artifact is compared by the digest that was computed",
            |t| t.digest = Digest::new("sha512", &"0".repeat(128)).unwrap(),
            Check::Subject,
            "no subject with a sha512 digest",
            "sha512:000",
        ),
        (
            "the same value by another algorithm is another digest",
            |t| t.digest = Digest::new("sha3_256", digest(ARTIFACT).value()).unwrap(),
            Check::Subject,
            "no subject with a sha3_256 digest",
            "sha3_256:",
        ),
        (
            "an artifact's name proves nothing",
            |t| {
                let subject = json!([{"name": "app", "digest": {"sha256": digest(OTHER).value()}}]);
                change_statement(t, |s| s["subject"] = subject);
            },
            Check::Subject,
            "one of the statement's subjects",
            "an artifact with digest",
        ),
        (
            "an artifact is not told by SHA-1",
            |t| {
                let sha1 = "0".repeat(40);
                change_statement(t, |s| s["subject"][0]["digest"]["sha1"] = sha1.into());
                t.digest = Digest::new("sha1", &"0".repeat(40)).unwrap();
            },
            Check::Subject,
            "a digest that no other artifact has",
            "sha1",
        ),
    ];
    check(Trial::attestation, cases);
}

/// Changes the statement and signs and logs it again.
fn change_statement(trial: &mut Trial, change: impl FnOnce(&mut Value)) {
    let mut statement: Value = serde_json::from_slice(&trial.envelope().payload).unwrap();
    change(&mut statement);
    trial.sign_payload(statement.to_string().as_bytes());
}

#[test]
fn refuses_an_attestation_that_is_of_another_kind() {
    let cases: &[Case] = &[
        (
            "another type does not satisfy a type",
            |t| t.claim = Claim::Type("provenance".to_owned()),
            Check::Type,
            "an attestation of type provenance",
            TEST_RESULT,
        ),
        (
            "a type is asked for by its whole URI",
            |t| t.claim = Claim::Type("https://in-toto.io/attestation/test-result/v0".to_owned()),
            Check::Type,
            "test-result/v0",
            TEST_RESULT,
        ),
        (
            "a longer URI is another type",
            |t| change_statement(t, |s| s["predicateType"] = format!("{TEST_RESULT}/x").into()),
            Check::Type,
            "an attestation of type test-result",
            "/x",
        ),
        (
            "a URI is compared letter by letter",
            |t| change_statement(t, |s| s["predicateType"] = TEST_RESULT.to_uppercase().into()),
            Check::Type,
            "an attestation of type test-result",
            "HTTPS://",
        ),
        (
            "an attestation is not a signature of the artifact",
            |t| t.claim = Claim::Signature,
            Check::Type,
            "a signature of the artifact, or a https://sigstore.dev/cosign/sign/v1 statement",
            TEST_RESULT,
        ),
    ];
    check(Trial::attestation, cases);
}

#[test]
fn refuses_a_signed_and_logged_payload_that_is_no_statement() {
    let cases: &[Case] = &[
        (
            "the payload type says that it is a statement",
            |t| t.envelope().payload_type = "text/plain".to_owned(),
            Check::Statement,
            "payloadType application/vnd.in-toto+json",
            "text/plain",
        ),
        (
            "a key of the statement stands once",
            |t| repeat(t, r#""predicateType":"https://slsa.dev/provenance/v1","#),
            Check::Statement,
            "an in-toto statement",
            "duplicate key \"predicateType\"",
        ),
        (
            "a list of subjects stands once",
            |t| repeat(t, r#""subject":[],"#),
            Check::Statement,
            "an in-toto statement",
            "duplicate key \"subject\"",
        ),
        (
            "an escaped key is the same key",
            |t| repeat(t, r#""\u005ftype":"x","#),
            Check::Statement,
            "an in-toto statement",
            "duplicate key \"_type\"",
        ),
        (
            "a statement is JSON",
            |t| t.sign_payload(b"signed"),
            Check::Statement,
            "an in-toto statement",
            "malformed JSON",
        ),
        (
            "nothing follows a statement",
            |t| {
                let payload = t.envelope().payload.repeat(2);
                t.sign_payload(&payload);
            },
            Check::Statement,
            "an in-toto statement",
            "trailing characters",
        ),
        (
            "a statement says that it is one",
            |t| change_statement(t, |s| s["_type"] = "https://in-toto.io/Statement/v2".into()),
            Check::Statement,
            "an in-toto statement",
            "Statement/v2",
        ),
        (
            "a statement has a subject",
            |t| change_statement(t, |s| s["subject"] = json!([])),
            Check::Statement,
            "an in-toto statement",
            "found 0",
        ),
        (
            "every subject has a digest",
            |t| change_statement(t, |s| s["subject"][0] = json!({"name": "readme"})),
            Check::Statement,
            "an in-toto statement",
            "subject 0 of the statement has no digest",
        ),
        (
            "a digest is written in lower case",
            |t| {
                let upper = digest(ARTIFACT).value().to_uppercase();
                change_statement(t, |s| s["subject"][1]["digest"]["sha256"] = upper.into());
            },
            Check::Statement,
            "an in-toto statement",
            "lower-case hex",
        ),
    ];
    check(Trial::attestation, cases);
}

/// Puts members before those of the statement, and signs and logs it again.
fn repeat(trial: &mut Trial, members: &str) {
    let text = String::from_utf8(trial.envelope().payload.clone()).unwrap();
    trial.sign_payload(text.replacen('{', &format!("{{{members}"), 1).as_bytes());
}

#[test]
fn any_attestation_will_do_where_that_is_asked_for() {
    let mut trial = Trial::attestation();
    for claim in ["test-result", TEST_RESULT] {
        trial.claim = Claim::Type(claim.to_owned());
        trial.verify().unwrap();
    }
    trial.claim = Claim::AnyType;
    assert_eq!(trial.verify().unwrap().statement, Some(statement(TEST_RESULT)));
}

#[test]
fn a_sign_v1_statement_signs_the_artifact_and_attests_nothing_else() {
    let mut trial = Trial::sign_v1();
    trial.verify().unwrap();
    trial.claim = Claim::Type(SIGN_V1.to_owned());
    trial.verify().unwrap();
    let cases: &[Case] = &[
        (
            "a signature is no attestation of another type",
            |t| t.claim = Claim::Type("test-result".to_owned()),
            Check::Type,
            "an attestation of type test-result",
            SIGN_V1,
        ),
        (
            "a signature speaks for the artifact it names",
            |t| t.digest = digest(OTHER),
            Check::Subject,
            "one of the statement's subjects",
            "an artifact with digest",
        ),
        (
            "a type that begins alike is another",
            |t| change_statement(t, |s| s["predicateType"] = format!("{SIGN_V1}.1").into()),
            Check::Type,
            "a signature of the artifact",
            "sign/v1.1",
        ),
    ];
    check(Trial::sign_v1, cases);
}
