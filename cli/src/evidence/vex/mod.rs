//! VEX: whether vulnerabilities affect products. OpenVEX is taken as it is; what CSAF and CycloneDX
//! say is put into OpenVEX words, and never into stronger ones.

mod claim;
mod csaf;
mod cyclonedx;
mod openvex;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use attestry_schemas::digest::Digest;
use attestry_schemas::predicate::UtcTime;
use attestry_schemas::statement::ResourceDescriptor;
use serde_json::{Map, Value, json};

use super::kind::{mark, original_digest};
use super::{
    Evidence, Format, ImportError, Imported, Product, Report, Supplement, Totals, document, time,
};
use claim::{Claim, Status};

/// The formats that become it.
pub(super) const FORMATS: &[Format] = &[openvex::FORMAT, csaf::FORMAT, cyclonedx::FORMAT];

/// The URI of OpenVEX predicates, without the version that the document itself states.
const OPENVEX: &str = "https://openvex.dev/ns";
/// `@context` of the version that is written.
const CONTEXT: &str = "https://openvex.dev/ns/v0.2.0";
/// What the identifiers of converted documents begin with; the digest of the original follows.
const ID_BASE: &str = "https://attestry.dev/openvex/";
/// OpenVEX demands an author; what a document says that names none is not made up.
const NO_AUTHOR: &str = "Unknown Author";

/// What a VEX document says.
#[derive(Debug)]
struct Vex {
    source: Source,
    /// The status of each statement.
    statuses: Vec<Status>,
    /// How many vulnerabilities they are about.
    vulnerabilities: usize,
    tool: Option<String>,
}

/// Where it says it.
#[derive(Debug)]
enum Source {
    /// An OpenVEX document, which becomes the predicate.
    OpenVex(Value),
    /// A document of another format.
    Other(Converted),
}

/// What becomes of a document of another format.
#[derive(Debug)]
struct Converted {
    /// The format and its version, for a person: `CSAF 2.0`.
    format: String,
    author: Option<String>,
    role: Option<String>,
    timestamp: Option<UtcTime>,
    claims: Vec<Claim>,
}

impl Vex {
    /// What a document of another format says; at least one claim.
    fn converted(
        report: &Report,
        converted: Converted,
        tool: Option<String>,
        warnings: Vec<String>,
    ) -> Result<Imported, ImportError> {
        let claims = &converted.claims;
        if claims.is_empty() {
            let expected = "a vulnerability with its status for a product";
            return Err(document::malformed(report, expected, "none"));
        }
        let names: BTreeSet<&str> = claims.iter().map(|c| c.vulnerability.name.as_str()).collect();
        let vex = Self {
            statuses: claims.iter().map(|claim| claim.status).collect(),
            vulnerabilities: names.len(),
            source: Source::Other(converted),
            tool,
        };
        Ok(Imported { warnings, ..Imported::one(vex) })
    }
}

impl Evidence for Vex {
    fn product(
        &self,
        report: &Report,
        original: &ResourceDescriptor,
        supplement: &Supplement,
    ) -> Result<Product, ImportError> {
        let digest = original_digest(original, report);
        let value = match &self.source {
            Source::OpenVex(document) => name_original(document, &digest),
            Source::Other(converted) => converted.document(report, &digest, supplement)?,
        };
        document::check(report, OPENVEX, &value)?;
        Ok(Product::predicate(OPENVEX, value))
    }

    fn totals(&self) -> Totals {
        let of = |status| self.statuses.iter().filter(|found| **found == status).count() as u64;
        vec![
            ("statements", self.statuses.len() as u64),
            ("vulnerabilities", self.vulnerabilities as u64),
            ("not_affected", of(Status::NotAffected)),
            ("affected", of(Status::Affected)),
            ("fixed", of(Status::Fixed)),
            ("under_investigation", of(Status::UnderInvestigation)),
        ]
    }

    fn stated_time(&self) -> Option<UtcTime> {
        match &self.source {
            Source::OpenVex(document) => time::utc(document.get("timestamp")?.as_str()?),
            Source::Other(converted) => converted.timestamp,
        }
    }

    fn tool(&self) -> Option<String> {
        self.tool.clone()
    }
}

impl Converted {
    /// The OpenVEX document. Its identifier follows from the original, so that the same original
    /// always gives the same document.
    fn document(
        &self,
        report: &Report,
        original: &Digest,
        supplement: &Supplement,
    ) -> Result<Value, ImportError> {
        let mut document = json!({
            "@context": CONTEXT,
            "@id": format!("{ID_BASE}{original}"),
            "author": self.author.as_deref().unwrap_or(NO_AUTHOR),
            "timestamp": supplement.scanned_at(self.timestamp, report)?,
            "version": 1,
            "tooling": format!(
                "{}, converted from {}; {}",
                concat!("attestry ", env!("CARGO_PKG_VERSION")),
                self.format,
                mark(original)
            ),
            "statements": self.claims,
        });
        if let (Some(role), Some(members)) = (&self.role, document.as_object_mut()) {
            members.insert("role".to_owned(), role.as_str().into());
        }
        Ok(document)
    }
}

/// Names the original in the one text that is about how the document came to be.
fn name_original(document: &Value, original: &Digest) -> Value {
    let mut named = document.as_object().cloned().unwrap_or_else(Map::new);
    let tooling = match named.get("tooling").and_then(Value::as_str) {
        Some(tooling) if !tooling.is_empty() => format!("{tooling}; {}", mark(original)),
        _ => mark(original),
    };
    named.insert("tooling".to_owned(), tooling.into());
    Value::Object(named)
}
