//! Bundles with Fulcio certificates, as public Sigstore and GitHub artifact attestations have
//! them. Certificate paths, SCTs, signed entry timestamps and RFC 3161 are `sigstore-verify`'s;
//! this module chooses the root and the policy, and turns the answer into ours.

use std::fmt;
use std::sync::{Arc, LazyLock};

use sigstore_types::{ArtifactDigest, HashAlgorithm};
use sigstore_verify::{VerificationPolicy, Verifier};

use super::{Check, Passed, Refusal};
use crate::bundle::Bundle;
use crate::digest::{Algorithm, Digest};
use crate::key::PublicKey;
use crate::problem::chain;

/// The trusted roots that ship with the program, each with what it is called, tried in this order when none is given.
pub const EMBEDDED_ROOTS: &[(&str, &str)] = &[
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

/// Why certificates cannot be checked against a root.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateRootsError {
    /// A root, or a key or certificate in it, does not parse.
    #[error("{name} is no trusted root for certificates: {detail}")]
    Malformed {
        /// What the root is called.
        name: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A root vouches for no certificate, as that of a registry's log does not.
    #[error("expected certificate authorities in {name}, found none")]
    NoAuthority {
        /// What the root is called.
        name: String,
    },
}

/// The authorities whose certificates count, each with the logs and timestamp authorities that prove when a certificate was used:
/// one or several trusted roots (`trusted_root.json`), tried in their order. Parsed once, and shared by its clones.
#[derive(Clone)]
pub struct CertificateRoots(Arc<[Root]>);

/// One trusted root, ready to verify with.
struct Root {
    name: String,
    text: String,
    trusted: sigstore_trust_root::TrustedRoot,
    verifier: Verifier,
}

impl CertificateRoots {
    /// The roots that ship with the program: Sigstore's public one, and GitHub's.
    #[must_use]
    pub fn embedded() -> Self {
        static EMBEDDED: LazyLock<CertificateRoots> = LazyLock::new(|| {
            // A root that did not parse would vouch for nothing; a test demands both.
            let parse = |(name, text): &(&str, &str)| Root::parse(name, text).ok();
            CertificateRoots(EMBEDDED_ROOTS.iter().filter_map(parse).collect())
        });
        EMBEDDED.clone()
    }

    /// The roots of these texts, each with what it is called in refusals.
    ///
    /// # Errors
    /// [`CertificateRootsError`] for the first that is of no use.
    pub fn given<N: AsRef<str>, T: AsRef<str>>(
        roots: impl IntoIterator<Item = (N, T)>,
    ) -> Result<Self, CertificateRootsError> {
        let parse = |(name, text): (N, T)| Root::parse(name.as_ref(), text.as_ref());
        Ok(Self(roots.into_iter().map(parse).collect::<Result<_, _>>()?))
    }

    /// What the roots are called, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|root| root.name.as_str())
    }

    /// Verifies a bundle with a certificate against the first root that vouches for it. Without an identity, the certificate may be
    /// anyone's. `artifact` is the SHA-256 or SHA-512 of what the bundle is about.
    ///
    /// # Errors
    /// [`Refusal`] of [`Check::Certificate`] with what each root found.
    pub(super) fn verify(
        &self,
        bundle: &Bundle,
        artifact: &Digest,
        identity: Option<&Identity>,
    ) -> Result<(Identity, Passed), Refusal> {
        let mut faults = Vec::new();
        for root in self.0.iter() {
            match root.verify(bundle, artifact, identity) {
                Ok((found, time)) => {
                    let Identity { subject, issuer } = &found;
                    let detail = format!("{subject} from {issuer}, signed by {time}");
                    return Ok((found, Passed { check: Check::Certificate, detail }));
                }
                Err(fault) => faults.push(format!("{}: {fault}", root.name)),
            }
        }
        Err(untrusted(identity, faults.join("; ")))
    }
}

/// The refusal of a certificate that no root vouches for.
pub(super) fn untrusted(identity: Option<&Identity>, found: String) -> Refusal {
    let expected = format!("{}, at a proven time", describe(identity));
    Refusal::new(Check::Certificate, expected, found)
}

impl fmt::Debug for CertificateRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl PartialEq for CertificateRoots {
    fn eq(&self, other: &Self) -> bool {
        let texts = |roots: &Self| roots.0.iter().map(|root| root.text.clone()).collect::<Vec<_>>();
        texts(self) == texts(other)
    }
}

impl Eq for CertificateRoots {}

impl Root {
    fn parse(name: &str, text: &str) -> Result<Self, CertificateRootsError> {
        let malformed = |detail| CertificateRootsError::Malformed { name: name.to_owned(), detail };
        let trusted = sigstore_trust_root::TrustedRoot::from_json(text)
            .map_err(|error| malformed(chain(&error)))?;
        if trusted.certificate_authorities.is_empty() {
            return Err(CertificateRootsError::NoAuthority { name: name.to_owned() });
        }
        let verifier = Verifier::new(&trusted).map_err(|error| malformed(chain(&error)))?;
        Ok(Self { name: name.to_owned(), text: text.to_owned(), trusted, verifier })
    }

    /// Whose certificate it is, and when it was in use.
    fn verify(
        &self,
        bundle: &Bundle,
        artifact: &Digest,
        identity: Option<&Identity>,
    ) -> Result<(Identity, jiff::Timestamp), String> {
        let bundle = self.of_known_logs(bundle);
        let mut policy = match identity {
            Some(Identity { subject, issuer }) => {
                VerificationPolicy::new(subject.clone(), issuer.clone())
            }
            None => VerificationPolicy::any_identity(),
        };
        // A root decides what its certificates must prove: one without CT logs or without
        // transparency logs, such as GitHub's, proves its times by RFC 3161 alone.
        if self.trusted.ctlogs.is_empty() {
            policy = policy.skip_sct();
        }
        if self.trusted.tlogs.is_empty() {
            policy = policy.skip_tlog_unsafe();
        } else if bundle.tlog_entries.is_empty() {
            return Err(
                "the bundle has no log entry of a log that this root knows, and it demands one"
                    .to_owned(),
            );
        }
        let result = self
            .verifier
            .verify(artifact_digest(artifact)?, &sigstore_bundle(&bundle)?, &policy)
            .map_err(|error| chain(&error))?;
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

    /// The bundle with the entries of the logs alone that the root knows. An entry of another, such as a registry adds of its own,
    /// proves nothing to whoever believes this root, and takes nothing from what the others prove.
    fn of_known_logs(&self, bundle: &Bundle) -> Bundle {
        let mut known = bundle.clone();
        let ids: Vec<&[u8]> =
            self.trusted.tlogs.iter().map(|log| log.log_id.key_id.as_bytes()).collect();
        known.tlog_entries.retain(|entry| ids.contains(&entry.log_id.key_id.as_slice()));
        known
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_roots_that_ship_can_be_verified_with() {
        let embedded = CertificateRoots::embedded();
        let names: Vec<&str> = embedded.names().collect();
        assert_eq!(names, ["Sigstore's public root", "GitHub's root"]);
        assert_eq!(CertificateRoots::given(EMBEDDED_ROOTS.iter().copied()), Ok(embedded));
    }

    #[test]
    fn a_root_of_which_nothing_can_be_believed_is_refused() {
        let check = |text: &str, expected: &str| {
            let refused = CertificateRoots::given([("mine.json", text)]).unwrap_err().to_string();
            assert!(refused.contains("mine.json") && refused.contains(expected), "{refused}");
        };
        check("{", "no trusted root");
        check(r#"{"mediaType":"x"}"#, "expected certificate authorities");
        let github = sigstore_trust_root::SIGSTORE_GITHUB_TRUSTED_ROOT;
        let mut root: serde_json::Value = serde_json::from_str(github).unwrap();
        root["certificateAuthorities"][0]["certChain"]["certificates"][0]["rawBytes"] =
            "AAAA".into();
        check(&root.to_string(), "no trusted root");
    }
}
