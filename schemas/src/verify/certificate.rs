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

/// Names the certificate that is demanded.
pub(super) fn describe(identity: Option<&Identity>) -> String {
    match identity {
        Some(Identity { subject, issuer }) => format!("a certificate of {subject} from {issuer}"),
        None => "a certificate of a trusted authority".to_owned(),
    }
}

/// Verifies a bundle with a certificate against `root`, or against the embedded roots. Without an
/// identity, the certificate may be anyone's.
pub(super) fn verify(
    bundle: &Bundle,
    artifact: &Digest,
    identity: Option<&Identity>,
    root: Option<&str>,
) -> Result<(Signer, Passed), Refusal> {
    let roots: Vec<(&str, &str)> = match root {
        Some(text) => vec![("the given trusted root", text)],
        None => EMBEDDED_ROOTS.to_vec(),
    };
    let mut faults = Vec::new();
    for (name, text) in roots {
        match verify_with(bundle, artifact, identity, text) {
            Ok((found, time)) => {
                let Identity { subject, issuer } = found;
                let detail = format!("{subject} from {issuer}, signed by {time}");
                let passed = Passed { check: Check::Certificate, detail };
                return Ok((Signer::Identity { subject, issuer }, passed));
            }
            Err(fault) => faults.push(format!("{name}: {fault}")),
        }
    }
    Err(Refusal::new(
        Check::Certificate,
        format!("{}, at a proven time", describe(identity)),
        faults.join("; "),
    ))
}

/// Whose certificate it is, and when it was in use.
fn verify_with(
    bundle: &Bundle,
    artifact: &Digest,
    identity: Option<&Identity>,
    root: &str,
) -> Result<(Identity, jiff::Timestamp), String> {
    let text = |e: &(dyn std::error::Error + 'static)| chain(e);
    let root = sigstore_trust_root::TrustedRoot::from_json(root).map_err(|e| text(&e))?;
    let mut policy = match identity {
        Some(Identity { subject, issuer }) => {
            VerificationPolicy::new(subject.clone(), issuer.clone())
        }
        None => VerificationPolicy::any_identity(),
    };
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
    let judged = identity.is_none() || result.identity_policy_checked();
    if !result.certificate_verified() || !judged {
        return Err("the certificate was not checked".to_owned());
    }
    let found = match (identity, result.identity(), result.issuer()) {
        (Some(identity), ..) => identity.clone(),
        (None, Some(subject), Some(issuer)) => {
            Identity { subject: subject.as_str().to_owned(), issuer: issuer.to_owned() }
        }
        (None, ..) => return Err("the certificate names no identity and issuer".to_owned()),
    };
    Ok((found, *time))
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
