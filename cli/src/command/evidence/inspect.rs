//! `attestry evidence inspect`: what reports are and what they would become.

use std::collections::BTreeMap;
use std::path::Path;

use attestry_schemas::digest::Digest;
use serde::Serialize;
use serde_json::Value;

use super::read::{self, Reading};
use crate::args::EvidenceInspectArgs;
use crate::evidence::{self, ImportError, Product, Supplement};
use crate::output::{Exit, Failure, Session, chain, printable};

/// What a report is, in JSON.
#[derive(Serialize)]
struct Answer {
    file: String,
    sha256: String,
    bytes: u64,
    format: &'static str,
    title: &'static str,
    statements: Vec<AnswerStatement>,
    redacted: bool,
    warnings: Vec<String>,
}

/// What one statement of it would be.
#[derive(Serialize)]
struct AnswerStatement {
    #[serde(skip_serializing_if = "Option::is_none")]
    becomes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<String>,
    totals: BTreeMap<&'static str, u64>,
    /// The digests by which the report names its artifact.
    about: Vec<String>,
    /// Digests of what was looked at, which may be another form of the artifact.
    looked_at: Vec<String>,
    /// The result that the predicate states, where its type has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<String>,
    /// What `evidence add` would still have to be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<String>,
}

/// Runs `attestry evidence inspect`. Every report is told; the first that is none decides the status.
pub(super) fn run(args: &EvidenceInspectArgs, session: &mut Session) -> Result<Exit, Failure> {
    let settings = super::super::settings(session)?;
    let supplement = read::supplement(&args.reading, &settings, session)?;
    let mut exit = Exit::Success;
    for file in &args.files {
        let inspected = Reading::of(file, &args.reading, session)
            .and_then(|reading| inspect(&reading, &supplement, session));
        if let Err(failure) = inspected {
            let failed = session.fail(&failure);
            if exit == Exit::Success {
                exit = failed;
            }
        }
    }
    Ok(exit)
}

fn inspect(
    reading: &Reading,
    supplement: &Supplement,
    session: &mut Session,
) -> Result<(), Failure> {
    let Reading { report, format, imported, .. } = reading;
    let kept = imported.redacted.as_ref().unwrap_or(report);
    let original = evidence::original(kept, format);
    // A configuration is asked for by add, which has a subject to fall back on.
    let supplement = reading.supplement(supplement);
    let supplement = Supplement { subject: Some(report.sha256().into()), ..supplement };
    let mut warnings = reading.warnings();
    let mut statements = Vec::new();
    for item in &imported.evidence {
        let becomes = format.becomes.or(item.predicate_type()).map(str::to_owned);
        let (mut becomes, mut result, mut missing) = (becomes, None, None);
        match item.product(report, &original, &supplement) {
            Ok(Product::Predicate { uri, value, warnings: more }) => {
                result = result_of(&value);
                becomes.get_or_insert(uri);
                warnings.extend(more);
            }
            Ok(Product::Written { uri, frame, warnings: more, .. }) => {
                result = result_of(&frame);
                becomes.get_or_insert(uri.to_owned());
                warnings.extend(more);
            }
            Ok(Product::Statement(bytes)) => {
                let statement = attestry_schemas::statement::Statement::parse(&bytes);
                becomes = statement.ok().map(|statement| statement.predicate_type);
            }
            Ok(Product::Bundle { warnings: more, .. }) => warnings.extend(more),
            Err(
                error @ (ImportError::NoTime { .. }
                | ImportError::NoEnvironment { .. }
                | ImportError::NoKey { .. }),
            ) => {
                missing = Some(chain(&error));
            }
            Err(error) => return Err(error.into()),
        }
        let totals = item.totals().into_iter().collect();
        let about = item.about().iter().map(Digest::to_string).collect();
        let looked_at = item.looked_at().iter().map(Digest::to_string).collect();
        let tool = item.tool();
        statements.push(AnswerStatement {
            becomes,
            tool,
            totals,
            about,
            looked_at,
            result,
            missing,
        });
    }
    if session.json() {
        return session.answer(&Answer {
            file: report.name().to_owned(),
            sha256: report.sha256().to_string(),
            bytes: report.bytes(),
            format: format.name,
            title: format.title,
            statements,
            redacted: imported.redacted.is_some(),
            warnings,
        });
    }
    session.line(printable(&format!(
        "{}: {} ({}), {} bytes, {}",
        Path::new(report.name()).display(),
        format.title,
        format.name,
        report.bytes(),
        report.sha256(),
    )));
    for (item, statement) in imported.evidence.iter().zip(statements) {
        tell(statement, &item.totals(), session);
    }
    for warning in warnings {
        session.warn(printable(&warning));
    }
    Ok(())
}

/// The result that a predicate states, where its type has one.
fn result_of(predicate: &Value) -> Option<String> {
    let named = ["result", "verificationResult"].iter().find_map(|name| predicate.get(name));
    named.and_then(Value::as_str).map(str::to_owned)
}

fn tell(statement: AnswerStatement, totals: &[(&'static str, u64)], session: &mut Session) {
    let AnswerStatement { becomes, tool, about, looked_at, result, missing, .. } = statement;
    let becomes = becomes.unwrap_or_else(|| "what it is".to_owned());
    let tool = tool.map(|tool| format!(", made by {tool}")).unwrap_or_default();
    let result = result.map(|result| format!(" {result}")).unwrap_or_default();
    session.line(printable(&format!("  becomes  {becomes}{result}{tool}")));
    let totals: Vec<String> =
        totals.iter().map(|(what, count)| format!("{count} {what}")).collect();
    session.line(format!("  holds    {}", totals.join(", ")));
    if !about.is_empty() {
        session.line(printable(&format!("  about    {}", about.join(", "))));
    }
    if !looked_at.is_empty() {
        session.line(printable(&format!("  looked at {}", looked_at.join(", "))));
    }
    if let Some(missing) = missing {
        session.line(printable(&format!("  missing  {missing}")));
    }
}
