//! `attestry lint`: what a file holds, and which clauses of which specifications it breaks.

use attestry_schemas::bundle::{Bundle, Content};
use attestry_schemas::dsse::{Envelope, PAYLOAD_TYPE};
use attestry_schemas::predicate::{self, Finding, Severity};
use attestry_schemas::statement::Statement;
use serde::Serialize;
use serde_json::Value;

use crate::args::LintArgs;
use crate::bundle_file::{Document, Documents};
use crate::output::{Exit, Failure, GREEN, RED, Session, YELLOW, chain, printable};

/// What was found of one document.
#[derive(Serialize)]
struct Report {
    place: String,
    /// What it is: a statement, an envelope, a bundle.
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    predicate_type: Option<String>,
    findings: Vec<Finding>,
}

/// Runs `attestry lint`. A malformed document is told of, and the others are still read.
pub(super) fn run(args: &LintArgs, session: &mut Session) -> Result<Exit, Failure> {
    let mut worst = Exit::Success;
    for file in &args.files {
        let documents = match Documents::open(file, session) {
            Ok(documents) => documents,
            Err(failure) => {
                worst = session.fail(&failure);
                continue;
            }
        };
        for document in documents {
            match document.and_then(|document| examine(&document)) {
                Ok(report) => {
                    let errors = report.findings.iter().any(|f| f.severity == Severity::Error);
                    if errors && worst == Exit::Success {
                        worst = Exit::Refused;
                    }
                    tell(&report, session)?;
                }
                Err(failure) => worst = session.fail(&failure),
            }
        }
    }
    Ok(worst)
}

fn examine(document: &Document) -> Result<Report, Failure> {
    let value = &document.value;
    let has = |member: &str| value.get(member).is_some();
    if has("_type") {
        let statement = Statement::from_value(value.clone()).map_err(|e| document.malformed(&e))?;
        Ok(of_statement(document, "a statement", &statement))
    } else if has("payloadType") || has("signatures") {
        let envelope = Envelope::from_value(value.clone()).map_err(|e| document.malformed(&e))?;
        of_envelope(document, "an envelope", &envelope)
    } else if has("mediaType") || has("verificationMaterial") {
        let bundle = Bundle::from_value(value.clone()).map_err(|e| document.malformed(&e))?;
        of_bundle(document, &bundle)
    } else {
        let found = attestry_schemas::statement::json_type(value);
        Err(Failure::undecided(format!(
            "{}: expected a statement (_type), an envelope (payloadType) or a bundle (mediaType), found {found} with none of them",
            document.place
        ))
        .fix("a predicate alone is checked by attestry attest, which knows its type"))
    }
}

fn of_bundle(document: &Document, bundle: &Bundle) -> Result<Report, Failure> {
    let signer = bundle.signer.leaf().map_or("a key", |_| "a certificate");
    let entries = super::count(bundle.tlog_entries.len() as u64, "log entry", "log entries");
    let kind = format!("a bundle by {signer} with {entries}");
    match &bundle.content {
        Content::Envelope(envelope) => of_envelope(document, &kind, envelope),
        Content::Message(message) => Ok(Report {
            place: document.place.clone(),
            kind: format!("{kind}: a signature of {}", message.digest),
            predicate_type: None,
            findings: Vec::new(),
        }),
    }
}

fn of_envelope(document: &Document, kind: &str, envelope: &Envelope) -> Result<Report, Failure> {
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(Failure::undecided(format!(
            "{}: expected payloadType {PAYLOAD_TYPE}, found {:?}",
            document.place,
            envelope.payload_type.chars().take(200).collect::<String>()
        ))
        .fix("only in-toto statements are checked"));
    }
    let statement = Statement::parse(&envelope.payload).map_err(|e| {
        Failure::undecided(format!("{}: the payload: {}", document.place, chain(&e)))
            .fix("wrap a statement of https://in-toto.io/Statement/v1 instead")
    })?;
    Ok(of_statement(document, &format!("{kind}: a statement"), &statement))
}

fn of_statement(document: &Document, kind: &str, statement: &Statement) -> Report {
    let subjects = super::count(statement.subject.len() as u64, "subject", "subjects");
    Report {
        place: document.place.clone(),
        kind: format!("{kind} about {subjects}"),
        predicate_type: Some(statement.predicate_type.clone()),
        findings: findings(&statement.predicate_type, &statement.predicate),
    }
}

fn findings(predicate_type: &str, value: &Value) -> Vec<Finding> {
    predicate::lint(predicate_type, value)
}

fn tell(report: &Report, session: &mut Session) -> Result<(), Failure> {
    if session.json() {
        return session.answer(report);
    }
    let Report { place, kind, predicate_type, findings } = report;
    let of_type = match predicate_type.as_deref() {
        Some(name) if predicate::from_uri(name).is_none() => format!(" of the unknown type {name}"),
        Some(name) => format!(" of type {name}"),
        None => String::new(),
    };
    session.line(printable(&format!("{place}: {kind}{of_type}")));
    for finding in findings {
        let colour = if finding.severity == Severity::Error { RED } else { YELLOW };
        let severity = session.paint(&finding.severity.to_string(), colour);
        let Finding { field, message, clause, .. } = finding;
        let text = printable(&format!("{field}: {message} ({clause})"));
        session.line(format!("  {severity}: {text}"));
    }
    if findings.is_empty() {
        let good = session.paint("no findings", GREEN);
        session.line(format!("  {good}"));
    }
    Ok(())
}
