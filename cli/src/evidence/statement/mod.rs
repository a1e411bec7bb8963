//! What is a statement already: plain, and signed as it is; or signed by somebody else, and passed
//! through once that is verified. Predicates and classic links on their own become statements about
//! the subject that is named.

mod link;
mod plain;
mod predicate;
mod reading;
mod signed;

#[cfg(test)]
mod tests;

use attestry_schemas::digest::Digest;
use attestry_schemas::predicate::facts;
use attestry_schemas::problem::chain;
use attestry_schemas::statement::Statement;
use attestry_schemas::verify::{Check, Refusal};
use serde_json::Value;

use super::{Format, ImportError, Totals, document};
use reading::Document;

/// The formats that become it.
pub(super) const FORMATS: &[Format] = &[
    plain::FORMAT,
    signed::BUNDLE,
    signed::ENVELOPE,
    signed::ATTESTATIONS,
    link::FORMAT,
    predicate::PROVENANCE,
    predicate::PROVENANCE_V0_2,
    predicate::SUMMARY,
];

/// What a statement says, for whoever asks what was read.
#[derive(Debug)]
struct Said {
    predicate_type: String,
    /// The digests of its subjects by which artifacts are told apart.
    about: Vec<Digest>,
    totals: Totals,
    tool: Option<String>,
}

impl Said {
    fn by(statement: &Statement) -> Self {
        let found = facts(&statement.predicate_type, &statement.predicate);
        Self {
            predicate_type: statement.predicate_type.clone(),
            about: telling_apart(statement.subject_digests()),
            totals: vec![
                ("subjects", statement.subject.len() as u64),
                ("materials", found.materials.len() as u64),
            ],
            tool: found.builder_id.or_else(|| verifier(&statement.predicate)),
        }
    }
}

/// Who made a verification summary.
fn verifier(predicate: &Value) -> Option<String> {
    Some(predicate.get("verifier")?.get("id")?.as_str()?.to_owned())
}

fn telling_apart(digests: impl Iterator<Item = Digest>) -> Vec<Digest> {
    digests.filter(|digest| digest.algorithm().tells_artifacts_apart()).collect()
}

/// Demands that a document is a statement whose predicate would be accepted.
fn statement(document: &Document<'_>, value: Value) -> Result<Statement, ImportError> {
    let statement = Statement::from_value(value)
        .map_err(|error| document.malformed("an in-toto statement", chain(&error)))?;
    document::check_statement(document.report, &statement.predicate_type, &statement.predicate)
        .map_err(|error| document.placed(error))?;
    Ok(statement)
}

/// The error that a signature, or what it stands for, does not verify.
fn unverified(name: &str, refusal: &Refusal) -> ImportError {
    let fix = match refusal.check {
        Check::Signature => "check that --verify-key is the key of whoever made it",
        Check::Certificate => {
            "check that --identity and --issuer, where they are given, are those of whoever made it"
        }
        _ => "check that --trusted-root is that of the log and authority which it comes from",
    };
    ImportError::Unverified {
        name: name.to_owned(),
        why: refusal.to_string(),
        fix: format!("{fix}; if that is so, do not use it before you know why it was changed"),
    }
}
