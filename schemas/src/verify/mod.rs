//! Verification, in one place.
//!
//! Everything else in this crate parses; only this module says that something is true, and it says
//! so with a type: [`Verified`] has no public constructor. Three questions are answered here:
//!
//! - *Did one of these keys make this signature?* ([`envelope`], [`message`], [`classic_link`],
//!   [`layout`]), and *whose certificate made it, at a proven time?* ([`certified`]): what a registry asks of what it is sent.
//! - *Does this bundle prove that claim about this artifact?* ([`Verifier::bundle`]): what a
//!   deployment asks, with signature, subject, type, log inclusion and checkpoint.
//! - *Is this what I have verified and logged myself?* ([`own_leaves`], [`own_envelope`], [`own_bundle`]): what a registry asks
//!   of its own store.
//!
//! A refusal names the check that failed, what it expected and what it found.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::key::{Fingerprint, PublicKey};
use crate::statement::Statement;

mod author;
mod bundle;
mod certificate;
mod certified;
mod classic_link;
mod ingest;
mod layout;
mod log;
mod own;
mod simple_signing;
mod subject;

pub use author::Author;
pub use bundle::{Claim, Keys, Verifier};
pub use certificate::{CertificateRoots, CertificateRootsError, EMBEDDED_ROOTS, Identity};
pub use certified::{Certified, certified};
pub use classic_link::{SignedLink, classic_link, link_envelope};
pub use ingest::{SignedMessage, SignedStatement, envelope, image_signature, message};
pub use layout::{SignedLayout, layout};
pub use log::{Logged, checkpoint, log_entry};
pub use own::{OwnLeaves, own_bundle, own_bundle_signature, own_envelope, own_leaf, own_leaves};
pub use subject::{Subject, subject_algorithm};

/// The predicate type of cosign's statement that signs an artifact.
pub const SIGN_V1: &str = "https://sigstore.dev/cosign/sign/v1";

/// A value that verification has passed. Nothing outside this module can make one.
///
/// ```compile_fail
/// let forged = attestry_schemas::verify::Verified { value: 1 };
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Verified<T> {
    value: T,
}

impl<T> Verified<T> {
    fn new(value: T) -> Self {
        Self { value }
    }

    /// The value, which stays verified.
    #[must_use]
    pub fn get(&self) -> &T {
        &self.value
    }

    /// The value, which is from here on an ordinary value.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.value
    }
}

/// The checks that verification makes, in the order of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Check {
    /// The signature is of one of the keys, over exactly these bytes.
    Signature,
    /// The certificate chains to a trusted authority, at a proven time, for the demanded identity.
    Certificate,
    /// The envelope holds an in-toto statement.
    Statement,
    /// What was signed is of the demanded kind or predicate type.
    Type,
    /// What was signed is about this artifact.
    Subject,
    /// The bundle has a log entry, and it records this very signature.
    LogEntry,
    /// The entry is in the tree of the checkpoint.
    Inclusion,
    /// The checkpoint is signed by the trusted log.
    Checkpoint,
}

impl Check {
    /// The name in reports and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Certificate => "certificate",
            Self::Statement => "statement",
            Self::Type => "type",
            Self::Subject => "subject",
            Self::LogEntry => "log-entry",
            Self::Inclusion => "inclusion",
            Self::Checkpoint => "checkpoint",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A check that held, with what it saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// Which check.
    pub check: Check,
    /// What it saw, for a reader.
    pub detail: String,
}

/// A check that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{check}: expected {expected}, found {found}")]
pub struct Refusal {
    /// Which check.
    pub check: Check,
    /// What would have held.
    pub expected: String,
    /// What was there.
    pub found: String,
    /// The checks that held before.
    pub passed: Vec<Passed>,
}

impl Refusal {
    fn new(check: Check, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { check, expected: expected.into(), found: found.into(), passed: Vec::new() }
    }
}

/// Who signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signer {
    /// A managed key.
    Key(Fingerprint),
    /// The identity of a Fulcio certificate.
    Identity {
        /// The certificate's subject alternative name.
        subject: String,
        /// The OIDC issuer.
        issuer: String,
    },
}

impl From<Fingerprint> for Signer {
    fn from(fingerprint: Fingerprint) -> Self {
        Self::Key(fingerprint)
    }
}

impl PartialEq<Fingerprint> for Signer {
    fn eq(&self, other: &Fingerprint) -> bool {
        matches!(self, Self::Key(fingerprint) if fingerprint == other)
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(fingerprint) => fingerprint.fmt(f),
            Self::Identity { subject, issuer } => write!(f, "{subject} ({issuer})"),
        }
    }
}

/// What a verified bundle proves.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Who signed.
    pub signer: Signer,
    /// The artifact that the claim is about.
    pub subject: Digest,
    /// The statement, unless the artifact itself was signed.
    pub statement: Option<Statement>,
    /// Where the signature was logged; empty when no log was consulted.
    pub logged: Vec<Logged>,
    /// The checks that held, in order.
    pub passed: Vec<Passed>,
}

fn key_names(keys: &[PublicKey]) -> String {
    let names: Vec<String> = keys.iter().take(4).map(|k| k.fingerprint().to_string()).collect();
    match (names.as_slice(), keys.len()) {
        ([], _) => "a key to verify with".to_owned(),
        ([one], 1) => format!("a signature by {one}"),
        (some, all) if all > some.len() => {
            format!("a signature by one of {all} keys ({}, …)", some.join(", "))
        }
        (some, _) => format!("a signature by one of {}", some.join(", ")),
    }
}

#[cfg(test)]
mod tests;
