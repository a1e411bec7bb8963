//! Keys, statements and signatures to send.

use attestry_schemas::bundle::{Bundle, Content, MessageSignature};
use attestry_schemas::digest::Sha256;
use attestry_schemas::dsse::{Envelope, PAYLOAD_TYPE};
use attestry_schemas::key::SigningKey;
use attestry_schemas::statement::{ResourceDescriptor, Statement};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

/// A new P-256 key.
#[must_use]
pub fn p256_key() -> SigningKey {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    SigningKey::from_pkcs8_der(pair.to_pkcs8v1().unwrap().as_ref()).unwrap()
}

/// The Ed25519 key of a number.
#[must_use]
pub fn seeded_key(seed: u8) -> SigningKey {
    SigningKey::from_ed25519_seed([seed; 32])
}

/// A SLSA provenance v1 predicate.
#[must_use]
pub fn provenance() -> Value {
    json!({
        "buildDefinition": {
            "buildType": "https://example.org/build/v1",
            "externalParameters": {"target": "release"},
            "resolvedDependencies": [{
                "uri": "git+https://example.org/app@refs/heads/main",
                "digest": {"gitCommit": "0123456789abcdef0123456789abcdef01234567"},
            }],
        },
        "runDetails": {
            "builder": {"id": "https://example.org/builder"},
            "metadata": {"invocationId": "1"},
        },
    })
}

/// An in-toto test-result v0.1 predicate.
#[must_use]
pub fn test_result() -> Value {
    json!({
        "result": "PASSED",
        "configuration": [{
            "name": "Cargo.lock",
            "digest": {"sha256": "00".repeat(32)},
        }],
        "passedTests": ["a_test"],
        "failedTests": [],
    })
}

/// A signed statement about an artifact of its own.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The artifact's digest.
    pub subject: Sha256,
    /// The envelope's bytes.
    pub bytes: Vec<u8>,
    /// The digest of the bytes, which is the attestation's.
    pub digest: Sha256,
}

/// The provenance of artifact number `n`, in an envelope.
#[must_use]
pub fn envelope_about(n: u64, key: &SigningKey) -> Sample {
    let subject = Sha256::of(&n.to_be_bytes());
    let about = ResourceDescriptor::named(&format!("app-{n}"), subject.into());
    let statement =
        Statement::new(vec![about], "https://slsa.dev/provenance/v1", provenance()).unwrap();
    let bytes = Envelope::sign(PAYLOAD_TYPE, &statement.to_json(), key).to_json();
    Sample { subject, digest: Sha256::of(&bytes), bytes }
}

/// The signature over artifact number `n` itself, in a bundle. The key is P-256.
#[must_use]
pub fn signature_about(n: u64, key: &SigningKey) -> Sample {
    let subject = Sha256::of(&n.to_be_bytes());
    let signature = key.sign_digest(&subject).unwrap();
    let content = Content::Message(MessageSignature { digest: subject.into(), signature });
    let bundle = Bundle::of_key(key.public_key(), content);
    let bytes = attestry_schemas::json::canonical(&bundle.to_value()).unwrap();
    Sample { subject, digest: Sha256::of(&bytes), bytes }
}
