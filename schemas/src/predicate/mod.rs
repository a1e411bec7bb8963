//! Predicates: what a statement says of its subjects.
//!
//! The specifications of the standard predicates, and our own, as data; a [`lint`] that names the
//! field and the clause that a predicate breaks; typed forms to write and read; the [`facts`]
//! that the index takes. Who may sign a predicate, and what an environment demands of it, is not
//! this module's business.
//!
//! What is an error is refused on ingest, so an error is only what the specification says is
//! required or MUST be. Three broken forms of the in-toto field types are warnings nevertheless,
//! because widely used builders write them: a TypeURI that is no URI, a time with an offset other
//! than `Z`, and a digest that does not fit its algorithm (such a digest is never indexed and
//! matches nothing). In our own predicates they are errors.

pub mod attestry;
pub mod cosign;
pub mod cvss;
mod cyclonedx;
mod facts;
mod finding;
pub mod in_toto;
mod openvex;
pub mod provenance;
mod purl;
mod rules;
mod spdx;
mod time;
mod types;
pub mod vsa;
pub mod vulns;
mod walk;

#[cfg(test)]
mod tests;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use facts::{
    Facts, MAX_COMPONENT_DIGESTS, MAX_FACT_BYTES, MAX_MATERIALS, MAX_PURLS, MAX_RELATED,
    MAX_SOURCES, Material, Related, Role, Source, comparable_repository, facts, repository_of,
};
pub use finding::{Finding, MAX_FINDINGS, Severity};
pub(crate) use purl::percent_decoded;
pub use purl::{
    canonical_purl, image_purl, names_image, purl_means, purl_names, purl_sha256, same_purl_type,
};
pub use time::{TimeError, UtcTime};
pub use types::{PREDICATE_TYPES, PredicateType, from_short, from_uri, matches};

use crate::json::{self, JsonError};
use types::Specifications;

/// The member in which a predicate of a type that is not ours names the report that it was made of:
/// `{"report": ResourceDescriptor}`, with name, digest and media type. "Consumers MUST ignore
/// unrecognized fields" (in-toto Statement v1, parsing rules), so it disturbs nobody. Our own
/// predicates have a field `report` for it.
pub const EVIDENCE_EXTENSION: &str = "https://attestry.dev/evidence/v1";

/// The mark by which a document that may have no other members names the report that it was made of:
/// the name of a property in CycloneDX, and before the digest in a text of SPDX and OpenVEX.
pub const EVIDENCE_MARK: &str = "attestry:evidence:report";

/// A predicate with a type of its own in this crate.
pub trait Predicate: Serialize + DeserializeOwned {
    /// The predicate type that is written.
    const URI: &'static str;

    /// The predicate as the JSON object of a statement.
    ///
    /// # Errors
    /// [`JsonError::Shape`] when a map of the predicate has a key that JSON cannot have.
    fn to_value(&self) -> Result<Value, JsonError> {
        serde_json::to_value(self)
            .map_err(|e| JsonError::Shape { what: "predicate", detail: e.to_string() })
    }

    /// Reads the predicate of a statement. [`lint`] says more about what does not fit.
    ///
    /// # Errors
    /// [`JsonError::Shape`] when the members do not fit.
    fn from_value(value: &Value) -> Result<Self, JsonError> {
        json::from_value(value.clone(), "predicate")
    }
}

/// Lists what a predicate breaks of the specification of its type, errors first.
///
/// A predicate of an unknown type breaks nothing.
#[must_use]
pub fn lint(predicate_type: &str, predicate: &Value) -> Vec<Finding> {
    let Some(known) = from_uri(predicate_type) else { return Vec::new() };
    let specification = match known.specifications {
        Specifications::One(specification) => specification,
        Specifications::Two(current, _) if predicate_type == known.uri => current,
        Specifications::Two(_, older) => older,
        Specifications::Spdx => spdx::specification(predicate),
    };
    walk::apply(specification, predicate_type, predicate)
}

/// Accepts a predicate for ingest, or lists the errors of its [`lint`].
///
/// # Errors
/// The findings of severity [`Severity::Error`], at least one.
pub fn check(predicate_type: &str, predicate: &Value) -> Result<(), Vec<Finding>> {
    let mut findings = lint(predicate_type, predicate);
    findings.retain(|finding| finding.severity == Severity::Error);
    if findings.is_empty() { Ok(()) } else { Err(findings) }
}
