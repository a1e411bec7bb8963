//! Links as the steps of a layout count them.

use serde::{Deserialize, Serialize};

use super::{Artifacts, quoted};
use crate::classic_link::MAX_ARTIFACTS;
use crate::digest::Sha256;
use crate::json::JsonError;
use crate::key::Fingerprint;
use crate::predicate::Predicate;
use crate::predicate::in_toto::Link;
use crate::statement::{ResourceDescriptor, Statement};
use crate::verify::{SignedLink, Verified};

/// What one functionary says of one step. The signature was verified by who made this value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepLink {
    /// The step.
    pub step: String,
    /// The key that signed.
    pub signer: Fingerprint,
    /// What went in, by path.
    pub materials: Artifacts,
    /// What came out, by path.
    pub products: Artifacts,
    /// The command and its arguments.
    pub command: Vec<String>,
    /// The digest of the attestation that says so.
    pub source: Sha256,
}

/// Why a statement is no link of a step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepLinkError {
    /// The statement is about something else.
    #[error("expected predicateType {}, found {found}", Link::URI)]
    PredicateType {
        /// The beginning of what was there.
        found: String,
    },
    /// The predicate has another shape.
    #[error("the link does not parse")]
    Json(#[source] JsonError),
    /// Artifacts are known by their paths.
    #[error("expected a name for {what} {index} of the link, found none")]
    Unnamed {
        /// `material` or `product`.
        what: &'static str,
        /// Which one, from 0.
        index: usize,
    },
    /// Artifacts are compared by their digests.
    #[error("expected a digest of {what} {name} of the link, found none")]
    NoDigest {
        /// `material` or `product`.
        what: &'static str,
        /// The beginning of the name.
        name: String,
    },
    /// One path has one digest.
    #[error("expected each {what} once in the link, found {name} again")]
    Repeated {
        /// `material` or `product`.
        what: &'static str,
        /// The beginning of the name.
        name: String,
    },
    /// The list is too long.
    #[error("expected at most {MAX_ARTIFACTS} artifacts in the link, found {found}")]
    TooMany {
        /// How many there were.
        found: usize,
    },
}

impl StepLink {
    /// Reads a statement of link v0.3, whose products are its subjects. That `signer` signed it is
    /// the caller's word.
    ///
    /// # Errors
    /// [`StepLinkError`] when it is no link, or one without names or digests.
    pub fn from_statement(
        statement: &Statement,
        signer: Fingerprint,
        source: Sha256,
    ) -> Result<Self, StepLinkError> {
        if statement.predicate_type != Link::URI {
            return Err(StepLinkError::PredicateType { found: quoted(&statement.predicate_type) });
        }
        let link = Link::from_value(&statement.predicate).map_err(StepLinkError::Json)?;
        let found = link.materials.len() + statement.subject.len();
        if found > MAX_ARTIFACTS {
            return Err(StepLinkError::TooMany { found });
        }
        Ok(Self {
            step: link.name,
            signer,
            materials: artifacts("material", &link.materials)?,
            products: artifacts("product", &statement.subject)?,
            command: link.command,
            source,
        })
    }

    /// The word of each key that signed a classic link.
    #[must_use]
    pub fn from_signed_link(link: &Verified<SignedLink>, source: Sha256) -> Vec<Self> {
        let SignedLink { record, keys } = link.get();
        let of = |signer| Self {
            step: record.name.clone(),
            signer,
            materials: record.materials.clone(),
            products: record.products.clone(),
            command: record.command.clone(),
            source,
        };
        keys.iter().map(|key| of(key.fingerprint())).collect()
    }
}

fn artifacts(
    what: &'static str,
    descriptors: &[ResourceDescriptor],
) -> Result<Artifacts, StepLinkError> {
    let mut artifacts = Artifacts::new();
    for (index, descriptor) in descriptors.iter().enumerate() {
        let Some(name) = descriptor.name.as_ref().filter(|name| !name.is_empty()) else {
            return Err(StepLinkError::Unnamed { what, index });
        };
        let Some(digest) = &descriptor.digest else {
            return Err(StepLinkError::NoDigest { what, name: quoted(name) });
        };
        if artifacts.insert(name.clone(), digest.clone()).is_some() {
            return Err(StepLinkError::Repeated { what, name: quoted(name) });
        }
    }
    Ok(artifacts)
}
