//! `attestry policy test`: policies tried on fixtures.

use std::path::{Path, PathBuf};

use attestry_schemas::gate::explain;
use serde::Serialize;
use serde_json::Value;

use crate::args::PolicyTestArgs;
use crate::fixture::{Fixture, FixtureError, Outcomes, SUFFIX, word};
use crate::output::{Exit, Failure, GREEN, RED, Session, printable};

/// The most fixtures of one folder.
const MAX_FIXTURES: usize = 10_000;

#[derive(Serialize)]
struct Answer<'a> {
    fixture: String,
    passed: bool,
    expected: &'static str,
    found: &'static str,
    differences: &'a [String],
    decision: Value,
}

/// Runs `attestry policy test`.
pub(super) fn run(args: &PolicyTestArgs, session: &mut Session) -> Result<Exit, Failure> {
    let mut fixtures = Vec::new();
    for path in &args.fixtures {
        if path.is_dir() {
            fixtures.extend(of_folder(path)?);
        } else {
            fixtures.push(path.clone());
        }
    }
    let (mut failed, mut unread) = (0, 0);
    for path in &fixtures {
        match Fixture::read(path).and_then(|fixture| fixture.run()) {
            Ok(outcomes) => {
                failed += u64::from(!outcomes.differences.is_empty());
                tell(path, &outcomes, args.explain, session)?;
            }
            Err(error) => {
                unread += 1;
                tell_error(path, error, session);
            }
        }
    }
    let fixtures = super::super::count(fixtures.len() as u64, "fixture", "fixtures");
    session.say(format!("{fixtures}: {failed} with another answer, {unread} that cannot be tried"));
    Ok(match (unread, failed) {
        (0, 0) => Exit::Success,
        (0, _) => Exit::Refused,
        _ => Exit::Undecided,
    })
}

fn of_folder(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let fail = |e: std::io::Error| Failure::file("read", folder, &e);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(SUFFIX)) {
            found.push(path);
        }
        if found.len() > MAX_FIXTURES {
            let place = folder.display();
            return Err(Failure::undecided(format!(
                "expected at most {MAX_FIXTURES} fixtures in {place}, found more"
            ))
            .fix("divide them into several folders"));
        }
    }
    if found.is_empty() {
        let place = folder.display();
        return Err(Failure::undecided(format!("expected *{SUFFIX} in {place}, found none"))
            .fix(format!("name the fixtures, or rename them to end with {SUFFIX}")));
    }
    found.sort();
    Ok(found)
}

fn tell(
    path: &Path,
    outcomes: &Outcomes,
    explain: bool,
    session: &mut Session,
) -> Result<(), Failure> {
    let Outcomes { decision, consents, expected, differences } = outcomes;
    let found = word(decision.passed());
    if session.json() {
        let statement = serde_json::from_slice(&decision.statement().to_json());
        return session.answer(&Answer {
            fixture: path.display().to_string(),
            passed: differences.is_empty(),
            expected: word(*expected),
            found,
            differences,
            decision: statement.unwrap_or_default(),
        });
    }
    // The first difference is in the line that all read.
    let (mark, told, rest) = match differences.split_first() {
        None => (session.paint("✓", GREEN), found, &[][..]),
        Some((first, rest)) => (session.paint("✗", RED), first.as_str(), rest),
    };
    session.line(format!("{mark} {}: {}", path.display(), printable(told)));
    for difference in rest {
        session.line(printable(&format!("    {difference}")));
    }
    if explain || !differences.is_empty() {
        for line in explain::lines(&decision.summary(), consents).unwrap_or_default() {
            session.line(printable(&format!("    {line}")));
        }
    }
    Ok(())
}

/// Tells each fault of a document on a line of its own.
fn tell_error(path: &Path, error: FixtureError, session: &mut Session) {
    if let FixtureError::Faults { path, faults } = &error {
        for fault in &faults.0 {
            session.name_error(format!("{path}: {fault}"));
        }
        return;
    }
    let place = path.display();
    let failure = Failure::from(error);
    session.name_error(format!("{place}: {}", failure.problem()));
}
