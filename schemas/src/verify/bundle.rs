//! What a deployment asks of a bundle: does it prove this claim about this artifact?

use super::subject::{Subject, message_subject, statement_subject};
use super::{
    CertificateRoots, Check, Evidence, Identity, Passed, Refusal, SIGN_V1, Signer, Verified,
    certificate, ingest, key_names, log,
};
use crate::bundle::{Bundle, Content, SignerMaterial};
use crate::digest::{Digest, Sha256};
use crate::key::PublicKey;
use crate::predicate;
use crate::problem::chain;
use crate::rekor::Entry;
use crate::statement::Statement;
use crate::trusted_root::TrustedRoot;

/// Who must have signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// One of these managed keys.
    Managed(Vec<PublicKey>),
    /// The identity of a Fulcio certificate.
    Identity(Identity),
    /// Whoever a Fulcio certificate names. That proves who signed, and not that they may: the caller
    /// has to judge, or to tell, whose signature it is.
    AnyIdentity,
}

/// What the bundle must say about the artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The artifact itself is signed: a message signature, or cosign's sign/v1 statement.
    Signature,
    /// A statement of this predicate type: a short name or a URI.
    Type(String),
    /// Any statement.
    AnyType,
}

/// Verifies bundles against fixed trust.
#[derive(Debug, Clone)]
pub struct Verifier<'a> {
    /// Who must have signed.
    pub keys: Keys,
    /// The logs (and authorities) that are trusted. With a root, a log entry is demanded; without
    /// one, the entries of managed-key bundles are not consulted.
    pub root: Option<&'a TrustedRoot>,
}

impl Verifier<'_> {
    /// Verifies that `bundle` proves `claim` about `subject`.
    ///
    /// # Errors
    /// [`Refusal`] with the first check that failed and those that held before it.
    pub fn bundle(
        &self,
        bundle: &Bundle,
        subject: Subject<'_>,
        claim: &Claim,
    ) -> Result<Verified<Evidence>, Refusal> {
        let mut passed = Vec::new();
        match self.checked(bundle, subject, claim, &mut passed) {
            Ok(mut evidence) => {
                evidence.passed = passed;
                Ok(Verified::new(evidence))
            }
            Err(refusal) => Err(Refusal { passed, ..refusal }),
        }
    }

    fn checked(
        &self,
        bundle: &Bundle,
        subject: Subject<'_>,
        claim: &Claim,
        passed: &mut Vec<Passed>,
    ) -> Result<Evidence, Refusal> {
        // The claim is judged before the cryptography, so that a bundle of another kind or about
        // another artifact is called that, and not a bad signature. Nothing of it is believed
        // before every check has passed.
        let statement = match &bundle.content {
            Content::Envelope(envelope) => Some(ingest::statement(envelope)?),
            Content::Message(_) => None,
        };
        let kind = claimed_kind(claim, statement.as_ref())?;
        let about = match (&bundle.content, &statement) {
            (Content::Message(message), _) => message_subject(message, subject)?,
            (Content::Envelope(_), Some(statement)) => {
                statement_subject(statement, subject.digest)?
            }
            (Content::Envelope(_), None) => String::new(),
        };
        let (signer, logged) = match &self.keys {
            Keys::Managed(keys) => self.managed(bundle, subject, keys, passed)?,
            Keys::Identity(identity) => {
                (self.identity(bundle, subject, Some(identity), passed)?, vec![])
            }
            Keys::AnyIdentity => (self.identity(bundle, subject, None, passed)?, vec![]),
        };
        passed.insert(1.min(passed.len()), Passed { check: Check::Type, detail: kind });
        passed.insert(2.min(passed.len()), Passed { check: Check::Subject, detail: about });
        Ok(Evidence {
            signer,
            subject: subject.digest.clone(),
            statement,
            logged,
            passed: Vec::new(),
        })
    }

    fn managed(
        &self,
        bundle: &Bundle,
        subject: Subject<'_>,
        keys: &[PublicKey],
        passed: &mut Vec<Passed>,
    ) -> Result<(Signer, Vec<log::Logged>), Refusal> {
        if !matches!(bundle.signer, SignerMaterial::PublicKey { .. }) {
            return Err(Refusal::new(
                Check::Signature,
                key_names(keys),
                "a signature with a certificate; verify it with --identity and --issuer",
            ));
        }
        let (key, entry) = match &bundle.content {
            Content::Envelope(envelope) => {
                let (key, digest) = ingest::envelope_key(envelope, keys)?;
                (key, Entry::for_message(digest, &envelope.signature, key))
            }
            Content::Message(message) => {
                let digest = sha256_of(subject)?;
                let key = ingest::key_of(&message.signature, &digest, subject.bytes, keys)?;
                (key, Entry::for_message(digest, &message.signature, key))
            }
        };
        let signer = Signer::Key(key.fingerprint());
        passed.push(Passed {
            check: Check::Signature,
            detail: format!("{} by {signer}", key.key_type()),
        });
        let logged = match self.root {
            None => Vec::new(),
            Some(root) => logged(bundle, subject.digest, key, &entry, root, passed)?,
        };
        Ok((signer, logged))
    }

    fn identity(
        &self,
        bundle: &Bundle,
        subject: Subject<'_>,
        identity: Option<&Identity>,
        passed: &mut Vec<Passed>,
    ) -> Result<Signer, Refusal> {
        if matches!(bundle.signer, SignerMaterial::PublicKey { .. }) {
            return Err(Refusal::new(
                Check::Certificate,
                certificate::describe(identity),
                "a signature of a managed key; verify it with --key",
            ));
        }
        let roots = match self.root {
            Some(root) => root.certificate_roots(),
            None => Ok(CertificateRoots::embedded()),
        };
        let roots = roots.map_err(|error| certificate::untrusted(identity, chain(&error)))?;
        let (Identity { subject, issuer }, check) =
            roots.verify(bundle, subject.digest, identity)?;
        passed.push(check);
        Ok(Signer::Identity { subject, issuer })
    }
}

/// Whether the content is of the demanded kind.
fn claimed_kind(claim: &Claim, statement: Option<&Statement>) -> Result<String, Refusal> {
    let found = statement.map_or("a signature of the artifact", |s| s.predicate_type.as_str());
    let (expected, holds) = match claim {
        Claim::Signature => (
            format!("a signature of the artifact, or a {SIGN_V1} statement"),
            statement.is_none_or(|s| s.predicate_type == SIGN_V1),
        ),
        Claim::Type(requested) => (
            format!("an attestation of type {requested}"),
            statement.is_some_and(|s| predicate::matches(requested, &s.predicate_type)),
        ),
        Claim::AnyType => ("an attestation of any type".to_owned(), statement.is_some()),
    };
    if holds { Ok(found.to_owned()) } else { Err(Refusal::new(Check::Type, expected, found)) }
}

/// What a managed key's message signature is over.
fn sha256_of(subject: Subject<'_>) -> Result<Sha256, Refusal> {
    subject.digest.as_sha256().ok_or_else(|| {
        let found = format!("a {} digest", subject.digest.algorithm().name());
        Refusal::new(Check::Signature, "a signature over a sha256 digest", found)
    })
}

/// Demands that every log entry of the bundle proves this signature, and that there is one.
fn logged(
    bundle: &Bundle,
    artifact: &Digest,
    key: &PublicKey,
    entry: &Entry,
    root: &TrustedRoot,
    passed: &mut Vec<Passed>,
) -> Result<Vec<log::Logged>, Refusal> {
    let (v2, v1): (Vec<_>, Vec<_>) =
        bundle.tlog_entries.iter().partition(|entry| log::is_rekor_v2(entry));
    if v2.is_empty() && v1.is_empty() {
        return Err(Refusal::new(
            Check::LogEntry,
            "a log entry in the bundle, because a trusted root was given",
            "none; push the bundle to the registry and use the one it answers",
        ));
    }
    if !v1.is_empty() {
        passed.push(certificate::verify_rekor_v1(bundle, artifact, key, root.text())?);
    }
    let mut proven = Vec::new();
    for tlog_entry in v2 {
        let logged = log::log_entry(tlog_entry, entry, root)?.into_inner();
        passed.push(Passed {
            check: Check::LogEntry,
            detail: format!("records this signature, index {}", logged.index),
        });
        passed.push(Passed {
            check: Check::Inclusion,
            detail: format!("leaf {} is in the tree of size {}", logged.index, logged.size),
        });
        let at = logged.cosigned_at_s.and_then(|s| i64::try_from(s).ok());
        let at = at.and_then(|s| jiff::Timestamp::from_second(s).ok());
        passed.push(Passed {
            check: Check::Checkpoint,
            detail: match at {
                Some(time) => format!("signed by {} at {time}", logged.origin),
                None => format!("signed by {}", logged.origin),
            },
        });
        proven.push(logged);
    }
    Ok(proven)
}
