//! Documents that become a predicate, or a statement, as they are: read whole, within the bounds of
//! what is signed, and strictly. Reports of which only a part is wanted are read by
//! [`super::bounded`] instead.

use std::io::Read as _;

use attestry_schemas::json::{self, JsonError};
use attestry_schemas::predicate::{self, Finding};
use attestry_schemas::statement::MAX_STATEMENT_BYTES;
use serde_json::{Map, Value};

use super::{ImportError, Report};

/// The bytes of a report, at most `limit`.
///
/// # Errors
/// [`ImportError::TooMuch`], else as [`Report::read`].
pub(super) fn bytes(report: &Report, limit: usize) -> Result<Vec<u8>, ImportError> {
    let too_much = || too_large(report, limit);
    if report.bytes() > limit as u64 {
        return Err(too_much());
    }
    report.read(|reader| {
        let mut bytes = Vec::new();
        let read = reader.take(limit as u64 + 1).read_to_end(&mut bytes);
        match read.map_err(|e| report.unreadable(e))? {
            count if count > limit => Err(too_much()),
            _ => Ok(bytes),
        }
    })
}

/// A report that is one JSON object of the size that a statement may have. Keys that repeat are
/// refused at every depth, because what is signed must mean one thing.
///
/// # Errors
/// [`ImportError::TooMuch`], [`ImportError::Malformed`], else as [`Report::read`].
pub(super) fn object(report: &Report, expected: &str) -> Result<Map<String, Value>, ImportError> {
    let bytes = bytes(report, MAX_STATEMENT_BYTES)?;
    match parse(report, &bytes, expected)? {
        Value::Object(members) => Ok(members),
        other => Err(malformed(report, expected, json::type_name(&other))),
    }
}

/// Parses JSON strictly. A byte order mark at its beginning is left out.
///
/// # Errors
/// [`ImportError::TooMuch`] and [`ImportError::Malformed`].
pub(super) fn parse(report: &Report, bytes: &[u8], expected: &str) -> Result<Value, ImportError> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    json::parse(text, bytes.len()).map_err(|error| match error {
        JsonError::TooLarge { limit_bytes, .. } => too_large(report, limit_bytes),
        JsonError::Malformed { detail } if detail.starts_with(&too_many_values()) => {
            let (name, what) = (report.name().to_owned(), "JSON values");
            ImportError::TooMuch { name, what, limit: json::MAX_VALUES }
        }
        error => malformed(report, expected, error),
    })
}

/// What the strict parser says of a document with too many values.
fn too_many_values() -> String {
    format!("more than {} values", json::MAX_VALUES)
}

/// The error that something else was found than what was expected.
pub(super) fn malformed(
    report: &Report,
    expected: impl Into<String>,
    found: impl ToString,
) -> ImportError {
    report.malformed(expected, found.to_string())
}

fn too_large(report: &Report, limit: usize) -> ImportError {
    ImportError::TooMuch { name: report.name().to_owned(), what: "bytes", limit }
}

/// Demands that a document, which becomes a predicate, breaks nothing of its specification for which it
/// would be refused.
///
/// # Errors
/// [`ImportError::Malformed`] with the member, the clause, and the other members that are wrong.
pub(super) fn check(report: &Report, uri: &str, document: &Value) -> Result<(), ImportError> {
    demand(report, uri, document, |field| field.strip_prefix("predicate.").unwrap_or(field))
}

/// Demands the same of the predicate of a document that is a statement.
///
/// # Errors
/// As [`check`].
pub(super) fn check_statement(
    report: &Report,
    uri: &str,
    predicate: &Value,
) -> Result<(), ImportError> {
    demand(report, uri, predicate, |field| field)
}

/// `member` makes the name of a member of the document from that of a field of the statement.
fn demand(
    report: &Report,
    uri: &str,
    predicate: &Value,
    member: fn(&str) -> &str,
) -> Result<(), ImportError> {
    /// A document that is wrong throughout is told by a few of its members.
    const MAX_NAMED: usize = 8;
    let Err(findings) = predicate::check(uri, predicate) else { return Ok(()) };
    let Some((Finding { field, clause, message, .. }, others)) = findings.split_first() else {
        return Ok(());
    };
    let parts = message.strip_prefix("expected ").and_then(|text| text.split_once(", found "));
    let (expected, found) = parts.unwrap_or(("what its specification says", message.as_str()));
    let expected = format!("{} to be {expected} ({clause})", member(field));
    let mut found = found.to_owned();
    if !others.is_empty() {
        let named: Vec<&str> =
            others.iter().take(MAX_NAMED).map(|other| member(&other.field)).collect();
        found.push_str(&format!("; also wrong: {}", named.join(", ")));
    }
    if others.len() > MAX_NAMED {
        found.push_str(&format!(" and {} more", others.len() - MAX_NAMED));
    }
    Err(malformed(report, expected, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_object_without_repeated_keys() {
        let read = |text: &str| object(&Report::of_bytes("r", text), "a document");
        assert_eq!(read("\u{feff}{\"a\":{}}\n").unwrap().len(), 1);
        for (text, expected) in [
            ("{\"a\":{\"b\":1,\"b\":2}}", "duplicate key \"b\""),
            ("[]", "expected a document in r, found an array"),
            ("{} {}", "trailing characters"),
            ("", "EOF"),
        ] {
            let told = read(text).unwrap_err().to_string();
            assert!(told.contains(expected), "{told}");
        }
    }

    #[test]
    fn names_the_bound_that_a_document_exceeds() {
        let report = Report::of_bytes("r", format!("{{\"a\":\"{}\"}}", "x".repeat(100)));
        assert_eq!(bytes(&report, 108).unwrap().len(), 108);
        let told = bytes(&report, 107).unwrap_err().to_string();
        assert_eq!(told, "expected at most 107 bytes in r, found more");
        let many = Report::of_bytes("r", format!("[{}0]", "0,".repeat(json::MAX_VALUES)));
        let told = object(&many, "a document").unwrap_err().to_string();
        assert_eq!(told, "expected at most 524288 JSON values in r, found more");
    }

    #[test]
    fn names_the_field_and_the_clause_that_a_predicate_breaks() {
        let report = Report::of_bytes("r", "{}");
        let uri = "https://slsa.dev/provenance/v1";
        let predicate = serde_json::json!({"buildDefinition": [], "runDetails": {}});
        let told = check(&report, uri, &predicate).unwrap_err().to_string();
        for part in [
            "expected buildDefinition to be",
            "SLSA provenance v1",
            "an empty array",
            "also wrong: runDetails.builder",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(check(&report, "https://example.com/unknown/v1", &predicate).is_ok());
    }
}
