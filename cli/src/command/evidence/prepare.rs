//! What reports become, as far as that needs no key: read, checked against the subjects, and written
//! as what is to be signed. Every report is told of before the first that is refused ends the command.

use std::path::{Path, PathBuf};

use attestry_schemas::bundle::Bundle;
use attestry_schemas::digest::Digest;
use attestry_schemas::statement::{
    MAX_STATEMENT_BYTES, ResourceDescriptor, Statement, StatementError,
};

use super::read::Reading;
use crate::args::EvidenceAddArgs;
use crate::command::attest;
use crate::command::publish::{EvidenceFile, Place};
use crate::evidence::{self, Evidence, ImportError, Product, Report, Supplement};
use crate::output::{Failure, Session, chain, printable};
use crate::subject::{self, Subject};

/// A report that may be signed.
pub(super) struct Prepared {
    /// How it is told of: the file's own name.
    pub(super) name: String,
    /// What is to be signed of it.
    pub(super) unsigned: Vec<Unsigned>,
    /// The report itself, or what is kept in its place.
    pub(super) file: EvidenceFile,
}

/// What is to be signed.
pub(super) enum Unsigned {
    /// A statement.
    Statement {
        /// Its exact bytes.
        payload: Vec<u8>,
        /// What it states.
        predicate_type: String,
    },
    /// What somebody else signed, and is passed through.
    Bundle(Box<Bundle>),
}

/// Reads every report.
///
/// # Errors
/// When one of them is refused. Where there are several, each problem has been told by then, and the
/// first decides the status.
pub(super) fn all(
    args: &EvidenceAddArgs,
    subjects: &[Subject],
    supplement: &Supplement,
    session: &mut Session,
) -> Result<Vec<Prepared>, Failure> {
    let preparing = Preparing { args, subjects, supplement };
    let (mut prepared, mut fine, mut refusals) = (Vec::new(), Vec::new(), Vec::new());
    for path in &args.files {
        match preparing.one(path, session) {
            Ok(one) => {
                prepared.push(one);
                fine.push(path);
            }
            Err(refusal) if args.files.len() == 1 => return Err(refusal),
            Err(refusal) => {
                session.fail(&refusal);
                refusals.push(refusal);
            }
        }
    }
    match refusals.first() {
        None => Ok(prepared),
        Some(first) => Err(refused(first, refusals.len(), &fine)),
    }
}

/// That some of several reports were refused.
fn refused(first: &Failure, count: usize, fine: &[&PathBuf]) -> Failure {
    let problem = format!(
        "expected every report to be evidence, found {count} of {} refused: nothing is signed",
        count + fine.len()
    );
    let failure = match first.is_refusal() {
        true => Failure::refused(problem),
        false => Failure::undecided(problem),
    };
    let fine: Vec<String> = fine.iter().map(|path| path.display().to_string()).collect();
    match fine.is_empty() {
        true => failure.fix("mend each as is said above"),
        false => failure.fix(format!(
            "mend each as is said above, or leave it out; these are fine: {}",
            fine.join(", ")
        )),
    }
}

/// What is the same for all reports.
struct Preparing<'a> {
    args: &'a EvidenceAddArgs,
    subjects: &'a [Subject],
    supplement: &'a Supplement,
}

impl Preparing<'_> {
    fn one(&self, path: &Path, session: &mut Session) -> Result<Prepared, Failure> {
        let reading = Reading::of(path, &self.args.reading, session)?;
        reading.tell(session);
        let report = &reading.report;
        let kept = reading.imported.redacted.as_ref().unwrap_or(report);
        let original = evidence::original(kept, reading.format);
        let supplement = reading.supplement(self.supplement);
        let mut unsigned = Vec::new();
        for item in &reading.imported.evidence {
            let product = item.product(report, &original, &supplement)?;
            self.demand_subject(report, item.as_ref(), &product, session)?;
            unsigned.push(self.unsigned(report, product, session)?);
        }
        // What lies at a path is opened again when it is sent: there may be more reports than open files.
        let place = match (&reading.imported.redacted, &reading.path) {
            (None, Some(path)) => Place::Path(path.clone()),
            _ => Place::Open(kept.file()?),
        };
        let file = EvidenceFile { sha256: kept.sha256(), bytes: kept.bytes(), place };
        Ok(Prepared { name: report.name().to_owned(), unsigned, file })
    }

    /// Writes what is to be signed of what a report became.
    fn unsigned(
        &self,
        report: &Report,
        product: Product,
        session: &mut Session,
    ) -> Result<Unsigned, Failure> {
        let fail = |error: StatementError| unstated(report, &error);
        let descriptor = |s: &Subject| ResourceDescriptor::named(&s.name, s.digest.clone());
        let descriptors = || self.subjects.iter().map(descriptor).collect();
        let (payload, predicate_type) = match product {
            Product::Predicate { uri, value, warnings } => {
                warn_of(&warnings, session);
                attest::check(&uri, &value, session)?;
                let statement = Statement::new(descriptors(), &uri, value).map_err(fail)?;
                attest::warn_of_products(&statement, session);
                (statement.to_json(), uri)
            }
            Product::Written { uri, frame, json, warnings } => {
                warn_of(&warnings, session);
                attest::check(uri, &frame, session)?;
                let payload = Statement::json_around(descriptors(), uri, json).map_err(fail)?;
                (payload, uri.to_owned())
            }
            Product::Statement(bytes) => {
                let statement = Statement::parse(&bytes).map_err(fail)?;
                (bytes, statement.predicate_type)
            }
            Product::Bundle { bundle, warnings } => {
                warn_of(&warnings, session);
                return Ok(Unsigned::Bundle(bundle));
            }
        };
        Ok(Unsigned::Statement { payload, predicate_type })
    }

    /// Refuses a report that names another artifact than one of the subjects, and warns of one that
    /// looked at another form of it.
    fn demand_subject(
        &self,
        report: &Report,
        item: &dyn Evidence,
        product: &Product,
        session: &mut Session,
    ) -> Result<(), Failure> {
        // What is signed already, or as it is, says itself what it is about.
        let says_itself = matches!(product, Product::Statement(_) | Product::Bundle { .. });
        for (subject, argument) in self.subjects.iter().zip(&self.args.subjects) {
            let about = item.about();
            if names(about, &subject.digest) == Some(true) {
                continue;
            }
            let named_otherwise = says_itself
                && about.iter().any(|digest| digest.algorithm().name() == "sha512")
                && subject::sha512(argument, subject, session)?
                    .is_some_and(|digest| about.contains(&digest));
            if !named_otherwise && (says_itself || names(about, &subject.digest) == Some(false)) {
                return Err(ImportError::Contradicts {
                    name: report.name().to_owned(),
                    expected: subject.digest.clone(),
                    found: told(about),
                }
                .into());
            }
            if names(item.looked_at(), &subject.digest) == Some(false) {
                let looked_at = told(item.looked_at());
                session.warn(format!(
                    "{} looked at {looked_at}, which may be another form of {}",
                    report.name(),
                    subject.digest
                ));
            }
        }
        Ok(())
    }
}

/// The error that a report cannot be made a statement.
fn unstated(report: &Report, error: &StatementError) -> Failure {
    let name = report.name().to_owned();
    match error {
        StatementError::TooLong { .. } => {
            let (what, limit) = ("bytes of a statement", MAX_STATEMENT_BYTES);
            ImportError::TooMuch { name, what, limit }.into()
        }
        error => Failure::undecided(format!("{name}: {}", chain(error))),
    }
}

fn warn_of(warnings: &[String], session: &mut Session) {
    for warning in warnings {
        session.warn(printable(warning));
    }
}

/// Whether a digest is among others; nothing where none of them can be compared with it.
fn names(digests: &[Digest], digest: &Digest) -> Option<bool> {
    let comparable = digests.iter().any(|other| other.algorithm() == digest.algorithm());
    comparable.then(|| digests.contains(digest))
}

/// A few of some digests, for a person.
fn told(digests: &[Digest]) -> String {
    /// Reports of images may name very many.
    const MAX_TOLD: usize = 4;
    let told: Vec<String> = digests.iter().take(MAX_TOLD).map(Digest::to_string).collect();
    match digests.len() {
        0 => "no digest".to_owned(),
        count if count > MAX_TOLD => format!("{} and {} more", told.join(", "), count - MAX_TOLD),
        _ => told.join(", "),
    }
}
