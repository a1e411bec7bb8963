//! What a lint says: one broken clause of one specification, at one field.

use std::fmt;

use serde::Serialize;

/// The most findings of one severity that a lint lists; what lies beyond is counted in one more.
pub const MAX_FINDINGS: usize = 256;

/// How a finding counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A required field is missing or a MUST is broken: such a statement is refused.
    Error,
    /// A SHOULD is broken, or the value is unusual: such a statement is accepted.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One clause of a specification that a predicate breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whether ingest refuses the statement for it.
    pub severity: Severity,
    /// The field, from the statement down: `predicate.runDetails.builder.id`.
    pub field: String,
    /// The specification, its section and its demand:
    /// `SLSA provenance v1, Builder: id is required`.
    pub clause: String,
    /// What was expected and what was found.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, field, clause, message } = self;
        write!(f, "{severity}: {field}: {message} ({clause})")
    }
}
