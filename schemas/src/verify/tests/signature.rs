//! Attacks on signatures of the artifact itself.

use super::*;

#[test]
fn refuses_each_attack_on_a_signature_over_the_digest() {
    let cases: &[Case] = &[
        (
            "a signature is of the artifact that it names",
            |t| t.digest = digest(OTHER),
            Check::Subject,
            "the signed artifact sha256:",
            "an artifact with digest sha256:",
        ),
        (
            "the digest in the bundle is the artifact's",
            |t| t.message().digest = digest(OTHER),
            Check::Subject,
            "the signed artifact sha256:",
            "an artifact with digest sha256:",
        ),
        (
            "the digest in the bundle is only a claim",
            |t| {
                t.message().digest = digest(OTHER);
                t.digest = digest(OTHER);
            },
            Check::Signature,
            "a signature by SHA256:",
            "does not verify",
        ),
        (
            "the bytes are the artifact's",
            |t| t.bytes = Some(OTHER.to_vec()),
            Check::Subject,
            "the signed artifact sha256:",
            "bytes with digest sha256:",
        ),
        (
            "what an envelope's signature covers is no artifact",
            |t| {
                // The signature holds: it is over exactly these bytes.
                let mut attestation = Trial::attestation();
                let pae = attestation.envelope().pae();
                t.message().signature = attestation.envelope().signature.clone();
                t.message().digest = digest(&pae);
                t.digest = digest(&pae);
                t.bytes = Some(pae);
            },
            Check::Subject,
            "a signature of an envelope cannot be mistaken for",
            "begins with \"DSSEv1 \"",
        ),
        (
            "a managed key signs SHA-256 digests",
            |t| {
                let sha512 = Digest::new("sha512", &"0".repeat(128)).unwrap();
                t.message().digest = sha512.clone();
                t.digest = sha512;
            },
            Check::Signature,
            "a signature over a sha256 digest",
            "a sha512 digest",
        ),
        (
            "only the key that was named counts",
            |t| t.keys = Keys::Managed(vec![p256(2).public_key().clone()]),
            Check::Signature,
            "a signature by SHA256:",
            "does not verify",
        ),
        (
            "the signature of a statement is none of the artifact",
            |t| t.message().signature = Trial::sign_v1().envelope().signature.clone(),
            Check::Signature,
            "a signature by SHA256:",
            "does not verify",
        ),
        (
            "a signature over the digest's text is another signature",
            |t| t.message().signature = t.signer.sign(digest(ARTIFACT).value().as_bytes()),
            Check::Signature,
            "a signature by SHA256:",
            "does not verify",
        ),
        (
            "an ECDSA signature is DER",
            |t| t.message().signature = vec![7; 64],
            Check::Signature,
            "a signature by SHA256:",
            "64 bytes in the place of an ECDSA signature in ASN.1 DER",
        ),
        (
            "a signature of the artifact is no attestation",
            |t| t.claim = Claim::AnyType,
            Check::Type,
            "an attestation of any type",
            "a signature of the artifact",
        ),
        (
            "a signature of the artifact is of no type",
            |t| t.claim = Claim::Type(SIGN_V1.to_owned()),
            Check::Type,
            "an attestation of type https://sigstore.dev/cosign/sign/v1",
            "a signature of the artifact",
        ),
    ];
    check(Trial::signature, cases);
}

#[test]
fn refuses_each_attack_on_a_signature_over_the_bytes() {
    let cases: &[Case] = &[
        (
            "an Ed25519 signature needs the bytes",
            |t| t.bytes = None,
            Check::Signature,
            "a signature by SHA256:",
            "covers the whole message",
        ),
        (
            "the bytes are the artifact's",
            |t| t.bytes = Some(OTHER.to_vec()),
            Check::Subject,
            "the signed artifact sha256:",
            "bytes with digest sha256:",
        ),
        (
            "a signature over other bytes does not vouch for a digest",
            |t| {
                // Without the comparison above this would verify: the bytes are signed, and the
                // digest is the artifact's.
                t.message().signature = t.signer.sign(OTHER);
                t.bytes = Some(OTHER.to_vec());
            },
            Check::Subject,
            "the signed artifact sha256:",
            "bytes with digest sha256:",
        ),
        (
            "Ed25519 is never pre-hashed",
            |t| t.message().signature = t.signer.sign(Sha256::of(ARTIFACT).as_bytes()),
            Check::Signature,
            "a signature by SHA256:",
            "does not verify",
        ),
        (
            "an Ed25519 signature has 64 bytes",
            |t| t.message().signature.push(0),
            Check::Signature,
            "a signature by SHA256:",
            "65 bytes in the place of 64 bytes of an Ed25519 signature",
        ),
    ];
    check(Trial::pure_signature, cases);
}

#[test]
fn a_bundle_is_asked_for_the_digest_that_its_statement_names() {
    let digests = |sets: &[&str]| {
        let value = |name: &&str| match *name {
            "sha256" => digest(ARTIFACT).value().to_owned(),
            "other sha256" => digest(OTHER).value().to_owned(),
            _ => "0".repeat(128),
        };
        let subject: Vec<_> = sets
            .iter()
            .map(|set| {
                let members = set
                    .split('+')
                    .map(|name| (name.split(' ').next_back().unwrap().to_owned(), value(&name)));
                let members: serde_json::Map<_, _> =
                    members.map(|(name, value)| (name, value.into())).collect();
                serde_json::json!({ "digest": members })
            })
            .collect();
        let mut statement: serde_json::Value =
            serde_json::from_slice(&statement(TEST_RESULT).to_json()).unwrap();
        statement["subject"] = subject.into();
        let mut trial = Trial::attestation();
        trial.sign_payload(statement.to_string().as_bytes());
        subject_algorithm(&trial.bundle, &digest(ARTIFACT)).name().to_owned()
    };
    for (sets, expected) in [
        (&["sha512"][..], "sha512"),
        (&["other sha256", "sha512"], "sha512"),
        (&["sha512", "sha256"], "sha256"),
        (&["sha256+sha512"], "sha256"),
        (&["other sha256+sha512"], "sha256"),
        (&["blake2b"], "sha256"),
    ] {
        assert_eq!(digests(sets), expected, "{sets:?}");
    }
    let signature = Trial::signature().bundle;
    assert_eq!(subject_algorithm(&signature, &digest(OTHER)).name(), "sha256");
}
