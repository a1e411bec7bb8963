//! What a kind of evidence can do: become what is signed, tell its totals, name its artifact.

use std::fmt::Debug;

use attestry_schemas::bundle::Bundle;
use attestry_schemas::digest::Digest;
use attestry_schemas::json;
use attestry_schemas::key::PublicKey;
use attestry_schemas::predicate::{EVIDENCE_EXTENSION, EVIDENCE_MARK, Predicate, UtcTime};
use attestry_schemas::statement::{MAX_STATEMENT_BYTES, PredicateJson, ResourceDescriptor};
use attestry_schemas::trusted_root::TrustedRoot;
use attestry_schemas::verify::Identity;
use serde_json::{Map, Value};

use super::{ImportError, Report};

/// What a report says. Each kind has a type of its own, which knows its predicate.
pub(crate) trait Evidence: Debug {
    /// Makes what is to be signed. `original` names the report, or what is kept in its place.
    ///
    /// # Errors
    /// For what the predicate needs and neither the report nor `supplement` says.
    fn product(
        &self,
        report: &Report,
        original: &ResourceDescriptor,
        supplement: &Supplement,
    ) -> Result<Product, ImportError>;

    /// How much of what the report says.
    fn totals(&self) -> Totals;

    /// What made the report, with its version where that is known: `trivy 0.58.1`.
    fn tool(&self) -> Option<String> {
        None
    }

    /// The digests by which the report names the artifact that it is about; empty where it does not.
    /// A subject with another digest of one of these algorithms contradicts the report.
    fn about(&self) -> &[Digest] {
        &[]
    }

    /// Digests of what was looked at, which may be another form of the subject: an index of images and
    /// one image of it, an image and its archive. They contradict nothing, but are worth a warning.
    fn looked_at(&self) -> &[Digest] {
        &[]
    }

    /// When the scan ran, as the report itself states it: no other time counts then.
    fn stated_time(&self) -> Option<UtcTime> {
        None
    }

    /// The predicate type that the report itself says; nothing where its format decides, and for a
    /// signature that is over no statement.
    fn predicate_type(&self) -> Option<&str> {
        None
    }
}

/// What becomes of evidence.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Product {
    /// A predicate, for a statement about the subject.
    Predicate {
        /// The predicate type.
        uri: String,
        /// The predicate, an object.
        value: Value,
        /// What a person should know about how it was made.
        warnings: Vec<String>,
    },
    /// A predicate that may be large, and so is text already.
    Written {
        /// The predicate type.
        uri: &'static str,
        /// The predicate with its long lists empty. It is what is linted and looked at: the elements
        /// of the lists are good by the types that they are written from.
        frame: Value,
        /// The predicate.
        json: PredicateJson,
        /// What a person should know about how it was made.
        warnings: Vec<String>,
    },
    /// A statement that is signed byte for byte as it is.
    Statement(Vec<u8>),
    /// A bundle that was signed by somebody else, has been verified, and is passed through.
    Bundle {
        /// The bundle.
        bundle: Box<Bundle>,
        /// What a person should know of what was verified, and what was not.
        warnings: Vec<String>,
    },
}

impl Product {
    /// A predicate of a type that has a Rust type, without warnings.
    pub(crate) fn of<P: Predicate>(predicate: &P) -> Self {
        let value = predicate.to_value().expect("the maps of our predicates have texts for keys");
        Self::predicate(P::URI, value)
    }

    /// A predicate of a type, without warnings.
    pub(crate) fn predicate(uri: &str, value: Value) -> Self {
        Self::Predicate { uri: uri.to_owned(), value, warnings: Vec::new() }
    }

    /// The same product with a predicate that was written read again, strictly. That takes many
    /// times its memory: for tests and for fuzzing.
    pub(crate) fn read_again(self) -> Self {
        let Self::Written { uri, json, warnings, .. } = self else { return self };
        let value = json::parse(json.as_bytes(), MAX_STATEMENT_BYTES)
            .expect("what is written is no longer and holds no more values than what is read");
        Self::Predicate { uri: uri.to_owned(), value, warnings }
    }
}

/// Names the report in a predicate of a type that is not ours.
pub(crate) fn name_original(predicate: &mut Map<String, Value>, original: &ResourceDescriptor) {
    let extension = serde_json::json!({ "report": original });
    predicate.insert(EVIDENCE_EXTENSION.to_owned(), extension);
}

/// The digest of the report, for documents that may only name it in a text or property of their own;
/// [`EVIDENCE_MARK`] says which that is.
pub(crate) fn original_digest(original: &ResourceDescriptor, report: &Report) -> Digest {
    let named = original.digest.as_ref().and_then(|digests| digests.iter().next());
    named.unwrap_or_else(|| report.sha256().into())
}

/// The text that names the report where a document has room for nothing but text.
pub(crate) fn mark(original: &Digest) -> String {
    format!("{EVIDENCE_MARK} {original}")
}

/// A tool with its version where that is known: `trivy 0.58.1`.
pub(crate) fn tool_name(name: &str, version: Option<&str>) -> String {
    match version.filter(|version| !version.is_empty()) {
        Some(version) => format!("{name} {version}"),
        None => name.to_owned(),
    }
}

/// How much of what a report says: `("passed", 12)`. In the order in which it is told.
pub(crate) type Totals = Vec<(&'static str, u64)>;

/// What is known beside the report, from flags and from the CI system.
#[derive(Debug, Clone, Default)]
pub(crate) struct Supplement {
    /// When the scan ran, where the report does not say.
    pub(crate) scanned_at: Option<UtcTime>,
    /// When the scanner's database was updated, where the report does not say.
    pub(crate) database_updated: Option<UtcTime>,
    /// The version of the tool, where the report does not say.
    pub(crate) tool_version: Option<String>,
    /// The environment that was checked.
    pub(crate) environment: Option<String>,
    /// The configuration of a test run, or the one that was checked.
    pub(crate) configuration: Vec<ResourceDescriptor>,
    /// The subject's digests, for what is about the subject itself where no configuration is named.
    pub(crate) subject: Option<Digest>,
    /// Where the run can be seen.
    pub(crate) url: Option<String>,
    /// What signatures of others are verified with.
    pub(crate) trust: Trust,
}

/// What signatures of others are verified with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trust {
    /// The keys of which one must have made a signature without a certificate.
    pub(crate) keys: Vec<PublicKey>,
    /// Whose a certificate must be; anyone's, where this is not said.
    pub(crate) identity: Option<Identity>,
    /// The logs and authorities that are trusted; those that ship with the program, where this is
    /// not said, for certificates, and none for keys.
    pub(crate) root: Option<TrustedRoot>,
}

impl Supplement {
    /// The time of a scan: as the report states it, else as it was given.
    ///
    /// # Errors
    /// [`ImportError::NoTime`] when neither says.
    pub(crate) fn scanned_at(
        &self,
        stated: Option<UtcTime>,
        report: &Report,
    ) -> Result<UtcTime, ImportError> {
        stated
            .or(self.scanned_at)
            .ok_or_else(|| ImportError::NoTime { name: report.name().to_owned() })
    }
}
