//! Evidence: what the reports of other tools say, as predicates.
//!
//! A report is read in two passes. The first hashes it and takes its [`outline`], by which its
//! format is recognised: by content, never by name. The second is the format's own importer, which
//! streams through the report and keeps only what the predicate needs. Each kind of evidence has a
//! folder: what it becomes stands in its `mod.rs`, and beside it one file for each format.
//!
//! Nothing here signs, sends or prints; that is `command::evidence`'s business.

mod analysis;
mod bom;
mod bounded;
mod document;
mod elements;
mod error;
mod format;
mod kind;
mod loose;
mod outline;
mod place;
mod readiness;
mod redact;
mod report;
#[cfg(test)]
mod samples;
mod sarif;
mod scanner;
mod secret;
mod statement;
mod test_result;
mod time;
mod vex;
mod vulnerability;

use attestry_schemas::statement::ResourceDescriptor;

pub(crate) use error::ImportError;
#[cfg(test)]
pub(crate) use format::recognise;
pub(crate) use format::{FORMATS, Fit, Format, import};
pub(crate) use kind::{Evidence, Product, Supplement, Totals, Trust};
pub(crate) use report::{Report, open};

/// What an importer gives.
#[derive(Debug)]
pub(crate) struct Imported {
    /// What the report says, one for each statement that is to be made; at least one.
    pub(crate) evidence: Vec<Box<dyn Evidence>>,
    /// What a person should know about how the report was read.
    pub(crate) warnings: Vec<String>,
    /// What is kept and named in the report's place, because the report holds secrets.
    pub(crate) redacted: Option<Report>,
}

impl Imported {
    /// One piece of evidence and nothing to warn of.
    pub(crate) fn one(evidence: impl Evidence + 'static) -> Self {
        Self { evidence: vec![Box::new(evidence)], warnings: Vec::new(), redacted: None }
    }
}

/// The file that a predicate was made of, as the predicate names it: name, SHA-256 and media type.
pub(crate) fn original(report: &Report, format: &Format) -> ResourceDescriptor {
    ResourceDescriptor {
        media_type: Some(format.media_type.to_owned()),
        ..ResourceDescriptor::named(report.name(), report.sha256().into())
    }
}
