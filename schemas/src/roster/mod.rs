//! The roster: who may sign what, until when, and who no longer may.
//!
//! A TOML document, `schema = "roster/v1"`, published by `roster` statements that k of n root keys
//! sign. [`Roster::read`] gives a roster in which every name is known and every key stands once;
//! [`trust::Trust`] says what a signature by a signer is worth at a moment of the log.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::digest::Sha256;
use crate::document::{SOON_S, expiry_warning};
use crate::key::{Fingerprint, PublicKey};
use crate::predicate::UtcTime;
use crate::predicate::attestry::governance::RevocationReason;
use crate::verify;

pub mod diff;
mod read;
pub mod trust;
mod warning;

pub use read::SCHEMA;

/// The most signers of one roster.
pub const MAX_SIGNERS: usize = 10_000;
/// The permission to sign artifacts themselves, without a statement.
pub const SIGNATURE: &str = "signature";
/// The highest build level of SLSA.
pub const MAX_BUILD_LEVEL: u64 = 3;

/// A roster that was read: complete in itself, not yet known to be published by anyone.
#[derive(Debug, Clone, PartialEq)]
pub struct Roster {
    /// The version, from 1; it only grows.
    pub version: u64,
    /// From when on it no longer counts.
    pub expires: UtcTime,
    /// Who may sign; each key and identity once. A name that stands several times is one signer with
    /// several keys.
    pub signers: Vec<Signer>,
    /// Names of groups to the names of their signers.
    pub groups: BTreeMap<String, BTreeSet<String>>,
    /// Who publishes policies.
    pub policies: Option<Quorum>,
    /// The digest of the document.
    pub digest: Sha256,
}

/// One key or identity of a signer.
#[derive(Debug, Clone, PartialEq)]
pub struct Signer {
    /// The signer's name.
    pub name: String,
    /// By what it is known.
    pub id: SignerId,
    /// The short names or URIs of the predicate types that it may sign; [`SIGNATURE`] for artifacts.
    pub may: BTreeSet<String>,
    /// The builders that it may claim to be.
    pub builders: Vec<Builder>,
    /// Under which names the registry knows it when it asks for something, such as `token:deploy`.
    pub principals: BTreeSet<String>,
    /// From when on its signatures count.
    pub valid_from: Option<UtcTime>,
    /// Until when its signatures count, that moment not included.
    pub valid_until: Option<UtcTime>,
    /// Since when they no longer count.
    pub revoked: Option<Revoked>,
}

impl Signer {
    /// The key that stands in the roster; none of an identity, and of a key that is kept elsewhere.
    #[must_use]
    pub fn key(&self) -> Option<&PublicKey> {
        match &self.id {
            SignerId::Key(key) => Some(key),
            _ => None,
        }
    }
}

/// Under what kinds of names the registry knows who asks for something.
const PRINCIPALS: [&str; 4] = ["token:", "oidc:", "mtls:", "kubernetes:"];

fn is_principal(text: &str) -> bool {
    let names = |kind: &&str| text.strip_prefix(*kind).is_some_and(|name| !name.is_empty());
    PRINCIPALS.iter().any(names)
}

/// By what a signer is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignerId {
    /// A key that stands in the roster.
    Key(PublicKey),
    /// A key that is kept elsewhere.
    Fingerprint(Fingerprint),
    /// The identity of a certificate, exactly.
    Identity {
        /// The issuer of the identity token.
        issuer: String,
        /// The subject alternative name.
        subject: String,
    },
}

impl SignerId {
    /// The fingerprint of a key; none of an identity.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        match self {
            Self::Key(key) => Some(key.fingerprint()),
            Self::Fingerprint(fingerprint) => Some(*fingerprint),
            Self::Identity { .. } => None,
        }
    }

    /// Who it is, as a signature tells it.
    #[must_use]
    pub fn signer(&self) -> verify::Signer {
        match self {
            Self::Key(key) => key.fingerprint().into(),
            Self::Fingerprint(fingerprint) => (*fingerprint).into(),
            Self::Identity { issuer, subject } => {
                verify::Signer::Identity { subject: subject.clone(), issuer: issuer.clone() }
            }
        }
    }

    /// Whether this is who signed.
    #[must_use]
    pub fn is(&self, signer: &verify::Signer) -> bool {
        match (self, signer) {
            (
                Self::Identity { issuer, subject },
                verify::Signer::Identity { issuer: i, subject: s },
            ) => (issuer, subject) == (i, s),
            (_, verify::Signer::Key(fingerprint)) => self.fingerprint() == Some(*fingerprint),
            _ => false,
        }
    }
}

impl fmt::Display for SignerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity { issuer, subject } => write!(f, "{subject} ({issuer})"),
            Self::Key(key) => key.fingerprint().fmt(f),
            Self::Fingerprint(fingerprint) => fingerprint.fmt(f),
        }
    }
}

/// A builder that a signer may claim to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Builder {
    /// Its `builder.id`, exactly.
    pub id: String,
    /// The highest SLSA build level that it is trusted for: 0 to [`MAX_BUILD_LEVEL`].
    pub level: u64,
}

/// That a signer is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoked {
    /// From when on its signatures do not count.
    pub at: UtcTime,
    /// Why.
    pub reason: RevocationReason,
}

/// So many distinct signers of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    /// The group's name.
    pub group: String,
    /// How many, at least 1.
    pub threshold: u64,
}

impl Roster {
    /// Reads a roster's document.
    ///
    /// # Errors
    /// [`Faults`](crate::document::Faults) with line and column: an unknown key, a threshold of 0 or
    /// above the group's size, an unknown name, a key that stands twice, an empty group.
    pub fn read(text: &[u8]) -> Result<Self, crate::document::Faults> {
        read::roster(text)
    }

    /// The entry of who signed.
    #[must_use]
    pub fn signer(&self, signer: &verify::Signer) -> Option<&Signer> {
        self.signers.iter().find(|entry| entry.id.is(signer))
    }

    /// The name of the signer whom the registry knows as this principal.
    #[must_use]
    pub fn principal(&self, principal: &str) -> Option<&str> {
        let is = |entry: &&Signer| entry.principals.contains(principal);
        self.signers.iter().find(is).map(|entry| entry.name.as_str())
    }

    /// Whether a name is that of a signer or a group.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.groups.contains_key(name) || self.signers.iter().any(|entry| entry.name == name)
    }

    /// Whether a signer is named, itself or by a group, in a list of names.
    #[must_use]
    pub fn is_named<'n>(&self, signer: &str, names: impl IntoIterator<Item = &'n str>) -> bool {
        names.into_iter().any(|name| {
            name == signer || self.groups.get(name).is_some_and(|group| group.contains(signer))
        })
    }

    /// The entries of the signers that are named, themselves or by a group.
    pub fn entries_of<'r>(&'r self, names: &'r [String]) -> impl Iterator<Item = &'r Signer> {
        let is = |entry: &&Signer| self.is_named(&entry.name, names.iter().map(String::as_str));
        self.signers.iter().filter(is)
    }

    /// What its author should look at twice at a moment, though it is no fault.
    #[must_use]
    pub fn warnings(&self, now: UtcTime) -> Vec<String> {
        let mut all: Vec<String> = expiry_warning(self.expires, now).into_iter().collect();
        all.extend(warning::of_policies(self));
        for entry in &self.signers {
            let name = &entry.name;
            all.extend(warning::of_identity(entry).map(|told| format!("signer {name}: {told}")));
            let odd = entry.principals.iter().filter(|principal| !is_principal(principal));
            all.extend(odd.map(|principal| {
                format!(
                    "signer {name}: the registry knows nobody as {principal:?}; it knows the name of a token as token:NAME, an identity and a certificate of access.toml as oidc:NAME and mtls:NAME, and a user of a cluster as kubernetes:USER"
                )
            }));
            let soon = |until: &UtcTime| {
                *until > now && until.unix_seconds() - now.unix_seconds() < SOON_S
            };
            let Some(until) = entry.valid_until.filter(soon) else { continue };
            let outlasts = |other: &&Signer| {
                other.name == *name
                    && other.revoked.is_none()
                    && other.valid_until.is_none_or(|other| other > until)
            };
            if !self.signers.iter().any(|other| outlasts(&other)) {
                all.push(format!(
                    "signer {name}: no key of it is valid after {until}; add an entry of the same name with the next key"
                ));
            }
        }
        all
    }

    /// The keys that stand in the roster.
    pub fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.signers.iter().filter_map(Signer::key)
    }
}

#[cfg(test)]
mod tests;
