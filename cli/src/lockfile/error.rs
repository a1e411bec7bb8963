//! Why the dependencies of a lockfile are not known.

use super::Kind;
use crate::output::Remedy;

/// How much of a file's text an error repeats.
const MAX_FOUND_CHARS: usize = 200;

/// Why a lockfile was not read. A variant is one decision for whoever ran the command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LockfileError {
    /// The file is not what its kind says.
    #[error("expected {expected} in {kind}{}, found {found}", at(*line))]
    Malformed {
        /// What the file should be.
        kind: Kind,
        /// Where, counted from 1, when that is known.
        line: Option<usize>,
        /// What should have been there: `a package's name`.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The file is of a version of its format that is not known.
    #[error("expected {kind} of version {expected}, found version {found}")]
    Version {
        /// What the file is.
        kind: Kind,
        /// The versions that are read.
        expected: &'static str,
        /// What the file says.
        found: String,
    },
    /// The file holds more than can be handled.
    #[error("expected at most {limit} {what} in {kind}, found more")]
    TooMuch {
        /// What the file is.
        kind: Kind,
        /// What there is too much of: `bytes`, `dependencies`.
        what: &'static str,
        /// The bound that was met.
        limit: usize,
    },
}

/// The place as the message says it.
fn at(line: Option<usize>) -> String {
    line.map(|line| format!(" line {line}")).unwrap_or_default()
}

impl LockfileError {
    pub(super) fn malformed(
        kind: Kind,
        line: Option<usize>,
        expected: impl Into<String>,
        found: &str,
    ) -> Self {
        let found = found.split_whitespace().collect::<Vec<_>>().join(" ");
        let found = found.chars().take(MAX_FOUND_CHARS).collect();
        Self::Malformed { kind, line, expected: expected.into(), found }
    }

    pub(super) fn version(kind: Kind, expected: &'static str, found: impl ToString) -> Self {
        let found = found.to_string().chars().take(MAX_FOUND_CHARS).collect();
        Self::Version { kind, expected, found }
    }
}

impl Remedy for LockfileError {
    fn fix(&self) -> Option<String> {
        Some(match self {
            Self::Malformed { kind, .. } => format!(
                "let {} write it again: it may hold what is left of a merge, or be cut off",
                kind.writer()
            ),
            Self::Version { kind, expected, .. } => {
                format!("let {} write version {expected}, or use a newer attestry", kind.writer())
            }
            Self::TooMuch { .. } => {
                "look whether this is a lockfile at all: no project is known to have one this large"
                    .to_owned()
            }
        })
    }
}

/// The line of a byte of `text`, counted from 1.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}
