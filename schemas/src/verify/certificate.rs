//! Bundles with Fulcio certificates, as public Sigstore and GitHub artifact attestations have
//! them. Certificate paths, SCTs, signed entry timestamps and RFC 3161 are `sigstore-verify`'s;
//! this module chooses the root and the policy, and turns the answer into ours.

use sigstore_types::{ArtifactDigest, HashAlgorithm};
use sigstore_verify::{VerificationPolicy, Verifier};

use super::{Check, Passed, Refusal, Signer};
use crate::bundle::Bundle;
use crate::digest::{Algorithm, Digest};
use crate::key::PublicKey;
use crate::problem::chain;

/// The roots that ship with the program, tried in this order when none is given.
const EMBEDDED_ROOTS: &[(&str, &str)] = &[
    ("Sigstore's public root", sigstore_trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT),
    ("GitHub's root", sigstore_trust_root::SIGSTORE_GITHUB_TRUSTED_ROOT),
];

/// The identity that a certificate must carry, exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The subject alternative name: an e-mail address or a URI.
    pub subject: String,
    /// The OIDC issuer.
    pub issuer: String,
}

/// Verifies a bundle with a certificate against `root`, or against the embedded roots.
pub(super) fn verify(
    bundle: &Bundle,
    artifact: &Digest,
    identity: &Identity,
    root: Option<&str>,
) -> Result<(Signer, Passed), Refusal> {
    let roots: Vec<(&str, &str)> = match root {
        Some(text) => vec![("the given trusted root", text)],
        None => EMBEDDED_ROOTS.to_vec(),
    };
    let mut faults = Vec::new();
    for (name, text) in roots {
        match verify_with(bundle, artifact, identity, text) {
            Ok(detail) => {
                let signer = Signer::Identity {
                    subject: identity.subject.clone(),
                    issuer: identity.issuer.clone(),
                };
                return Ok((signer, Passed { check: Check::Certificate, detail }));
            }
            Err(fault) => faults.push(format!("{name}: {fault}")),
        }
    }
    Err(Refusal::new(
        Check::Certificate,
        format!("a certificate of {} from {}, at a proven time", identity.subject, identity.issuer),
        faults.join("; "),
    ))
}

fn verify_with(
    bundle: &Bundle,
    artifact: &Digest,
    identity: &Identity,
    root: &str,
) -> Result<String, String> {
    let text = |e: &(dyn std::error::Error + 'static)| chain(e);
    let root = sigstore_trust_root::TrustedRoot::from_json(root).map_err(|e| text(&e))?;
    let mut policy = VerificationPolicy::new(identity.subject.clone(), identity.issuer.clone());
    // A root decides what its certificates must prove: one without CT logs or without
    // transparency logs, such as GitHub's, proves its times by RFC 3161 alone.
    if root.ctlogs.is_empty() {
        policy = policy.skip_sct();
    }
    if root.tlogs.is_empty() {
        policy = policy.skip_tlog_unsafe();
    } else if bundle.tlog_entries.is_empty() {
        return Err("the bundle has no log entry, and this root demands one".to_owned());
    }
    let verifier = Verifier::new(&root).map_err(|e| text(&e))?;
    let result = verifier
        .verify(artifact_digest(artifact)?, &sigstore_bundle(bundle)?, &policy)
        .map_err(|e| text(&e))?;
    let time = result.verified_timestamps().iter().min().ok_or("no time is proven")?;
    if !result.certificate_verified() || !result.identity_policy_checked() {
        return Err("the certificate was not checked".to_owned());
    }
    Ok(format!("{} from {}, signed by {time}", identity.subject, identity.issuer))
}

/// Verifies a managed-key bundle whose log entries are of Rekor v1 kinds.
pub(super) fn verify_rekor_v1(
    bundle: &Bundle,
    artifact: &Digest,
    key: &PublicKey,
    root: &str,
) -> Result<Passed, Refusal> {
    let refuse = |found: String| {
        Refusal::new(Check::LogEntry, "a Rekor v1 entry that records this signature", found)
    };
    let inner = || -> Result<(), String> {
        let root = sigstore_trust_root::TrustedRoot::from_json(root).map_err(|e| chain(&e))?;
        let der = sigstore_types::DerPublicKey::from_bytes(key.spki_der());
        let policy = sigstore_verify::PublicKeyVerificationPolicy::new(der);
        let verifier = Verifier::new(&root).map_err(|e| chain(&e))?;
        let (digest, bundle) = (artifact_digest(artifact)?, sigstore_bundle(bundle)?);
        verifier.verify(digest, &bundle, &policy).map(|_| ()).map_err(|e| chain(&e))
    };
    inner().map_err(refuse)?;
    Ok(Passed { check: Check::LogEntry, detail: "recorded in a Rekor v1 log".to_owned() })
}

/// What `sigstore-verify` compares with a statement's subjects: SHA-256 or SHA-512.
fn artifact_digest(artifact: &Digest) -> Result<ArtifactDigest, String> {
    let algorithm = match artifact.algorithm() {
        Algorithm::Sha256 => HashAlgorithm::Sha2256,
        Algorithm::Sha512 => HashAlgorithm::Sha2512,
        Algorithm::Other(name) => {
            return Err(format!(
                "expected a sha256 or sha512 digest of the artifact, found {name}"
            ));
        }
    };
    let value = hex::decode(artifact.value()).map_err(|e| e.to_string())?;
    ArtifactDigest::new(algorithm, value).map_err(|e| chain(&e))
}

fn sigstore_bundle(bundle: &Bundle) -> Result<sigstore_types::Bundle, String> {
    let text = bundle.to_value().to_string();
    sigstore_types::Bundle::from_json(&text).map_err(|e| chain(&e))
}
