//! Keys and statements as a build pipeline has them.

use attestry_schemas::digest::Sha256;
use attestry_schemas::dsse::{Envelope, PAYLOAD_TYPE};
use attestry_schemas::key::SigningKey;
use attestry_schemas::statement::{ResourceDescriptor, Statement};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use serde_json::json;

/// The predicate type of every statement here.
pub const PROVENANCE_TYPE: &str = "https://slsa.dev/provenance/v1";

/// A new P-256 key.
///
/// # Panics
/// Without entropy.
#[must_use]
pub fn p256_key() -> SigningKey {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("entropy");
    let document = pair.to_pkcs8v1().expect("a new key has its PKCS#8");
    SigningKey::from_pkcs8_der(document.as_ref()).expect("a new key is one that is read")
}

/// An Ed25519 key, always the same.
#[must_use]
pub fn ed25519_key() -> SigningKey {
    SigningKey::from_ed25519_seed([9; 32])
}

/// A small SLSA provenance v1 statement about artifact `n`: one subject, two materials.
#[must_use]
pub fn provenance(n: u64) -> Vec<u8> {
    statement(n, 2)
}

/// The digest of the subject of [`provenance`].
#[must_use]
pub fn subject_digest(n: u64) -> Sha256 {
    Sha256::of(&n.to_be_bytes())
}

/// A SLSA provenance v1 statement of at least `least_bytes`, made long by its materials.
#[must_use]
pub fn large_provenance(least_bytes: usize) -> Vec<u8> {
    let (one, two) = (statement(0, 1).len(), statement(0, 2).len());
    statement(0, least_bytes / (two - one) + 1)
}

/// Signs the statement about artifact `n`.
#[must_use]
pub fn envelope(n: u64, key: &SigningKey) -> Envelope {
    Envelope::sign(PAYLOAD_TYPE, &provenance(n), key)
}

fn statement(n: u64, materials: usize) -> Vec<u8> {
    let subject = ResourceDescriptor::named(&format!("app-{n}.tar.gz"), subject_digest(n).into());
    let material = |i: usize| {
        let name = format!("dependency-{i:08}");
        let digest = Sha256::of(name.as_bytes()).hex();
        json!({"name": name, "uri": format!("pkg:generic/{name}@1.0.0"), "digest": {"sha256": digest}})
    };
    let mut dependencies = vec![json!({
        "uri": "git+https://git.example.org/pay/api",
        "digest": {"gitCommit": format!("{n:040x}")},
    })];
    dependencies.extend((1..materials).map(material));
    let predicate = json!({
        "buildDefinition": {
            "buildType": "https://ci.example.org/build-types/container/v1",
            "externalParameters": {"ref": "refs/heads/main", "workflow": "release"},
            "internalParameters": {},
            "resolvedDependencies": dependencies,
        },
        "runDetails": {
            "builder": {"id": "https://ci.example.org/builders/linux-x64"},
            "metadata": {
                "invocationId": format!("https://ci.example.org/runs/{n}"),
                "startedOn": "2026-01-31T09:30:00Z",
                "finishedOn": "2026-01-31T09:34:00Z",
            },
        },
    });
    Statement::new(vec![subject], PROVENANCE_TYPE, predicate)
        .expect("the statement has a subject with a digest and a type")
        .to_json()
}
