//! What verification tells: one line for each check.

use attestry_schemas::verify::{Check, Claim, Passed, Refusal};
use serde::Serialize;

use crate::output::{Exit, Failure, GREEN, RED, Session, YELLOW, printable};
use crate::subject::Subject;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// It held.
    Passed,
    /// It did not.
    Failed,
    /// It was not made.
    Skipped,
}

/// One check.
#[derive(Debug, Clone)]
pub(super) struct Line {
    check: &'static str,
    status: Status,
    detail: String,
}

impl Line {
    /// A check that held.
    pub(super) fn passed(passed: Passed) -> Self {
        Self { check: passed.check.name(), status: Status::Passed, detail: passed.detail }
    }

    /// A check that was not made, and why.
    pub(super) fn skipped(check: Check, why: &str) -> Self {
        Self { check: check.name(), status: Status::Skipped, detail: why.to_owned() }
    }
}

/// What came of one demand.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What was demanded.
    pub(super) demand: String,
    /// The evidence that proves it, or that came closest.
    pub(super) evidence: Option<String>,
    /// The checks that were made and held, and those that were skipped.
    pub(super) lines: Vec<Line>,
    /// The check that failed.
    pub(super) refusal: Option<Failed>,
}

/// A check that did not hold.
#[derive(Debug)]
pub(super) struct Failed {
    /// Its name.
    pub(super) check: &'static str,
    /// What would have held.
    pub(super) expected: String,
    /// What was there.
    pub(super) found: String,
    /// What to do about it.
    pub(super) fix: &'static str,
}

impl Failed {
    /// What verification refused.
    pub(super) fn of(refusal: Refusal, claim: &Claim) -> Self {
        let Refusal { check, expected, found, .. } = refusal;
        Self { check: check.name(), expected, found, fix: fix(check, claim) }
    }
}

/// What came of them all.
#[derive(Debug)]
pub(super) struct Report<'a> {
    /// The artifact.
    pub(super) subject: &'a Subject,
    /// One for each demand.
    pub(super) outcomes: Vec<Outcome>,
    /// The demands, by name, for which a registry has more than was looked at.
    pub(super) cut: &'a [String],
}

#[derive(Serialize)]
struct Answer<'a> {
    verified: bool,
    subject: AnswerSubject<'a>,
    checks: Vec<AnswerCheck<'a>>,
}

#[derive(Serialize)]
struct AnswerSubject<'a> {
    name: &'a str,
    digest: String,
}

#[derive(Serialize)]
struct AnswerCheck<'a> {
    demand: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<&'a str>,
    check: &'a str,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<&'a str>,
}

impl Report<'_> {
    /// Prints the report and gives the verdict.
    ///
    /// # Errors
    /// Refused, with the first check that failed; or when the answer cannot be written.
    pub(super) fn tell(self, session: &mut Session) -> Result<Exit, Failure> {
        if session.json() {
            session.answer(&self.answer())?;
        } else {
            self.print(session);
        }
        let name = &self.subject.name;
        let refused = || self.outcomes.iter().filter(|outcome| outcome.refusal.is_some());
        let settled = refused().find(|outcome| !self.cut.contains(&outcome.demand));
        let Some(outcome) = settled.or_else(|| refused().next()) else {
            session.say(format!("verified {}", self.subject.label()));
            return Ok(Exit::Success);
        };
        if settled.is_none() {
            let problem = format!(
                "cannot tell whether {name} verifies: the registry has more that could be its {} than was looked at, and nothing of that proves it",
                outcome.demand
            );
            return Err(Failure::undecided(problem).fix("name the bundle with --bundle"));
        }
        let Some(Failed { check, fix, .. }) = &outcome.refusal else {
            return Ok(Exit::Success);
        };
        // What was expected and found stands in the line of the check.
        let demand = match self.outcomes.as_slice() {
            [_] => String::new(),
            _ => format!("{}: ", outcome.demand),
        };
        Err(Failure::refused(format!("{name} does not verify: {demand}{check}")).fix(*fix))
    }

    fn print(&self, session: &mut Session) {
        for Outcome { demand, evidence, lines, refusal } in &self.outcomes {
            let place = evidence.as_deref().map(|place| format!(" in {place}")).unwrap_or_default();
            session.line(printable(&format!("{demand}{place}")));
            for Line { check, status, detail } in lines {
                print_line(*status, check, detail, session);
            }
            if let Some(Failed { check, expected, found, .. }) = refusal {
                let detail = format!("expected {expected}, found {found}");
                print_line(Status::Failed, check, &detail, session);
            }
        }
    }

    fn answer(&self) -> Answer<'_> {
        let mut checks = Vec::new();
        for Outcome { demand, evidence, lines, refusal } in &self.outcomes {
            let evidence = evidence.as_deref();
            for Line { check, status, detail } in lines {
                let (status, detail) = (*status, Some(detail.as_str()));
                let (expected, found) = (None, None);
                checks.push(AnswerCheck {
                    demand,
                    evidence,
                    check,
                    status,
                    detail,
                    expected,
                    found,
                });
            }
            if let Some(Failed { check, expected, found, .. }) = refusal {
                let (status, detail) = (Status::Failed, None);
                let (expected, found) = (Some(expected.as_str()), Some(found.as_str()));
                checks.push(AnswerCheck {
                    demand,
                    evidence,
                    check,
                    status,
                    detail,
                    expected,
                    found,
                });
            }
        }
        let Subject { name, digest, .. } = self.subject;
        Answer {
            verified: self.outcomes.iter().all(|outcome| outcome.refusal.is_none()),
            subject: AnswerSubject { name, digest: digest.to_string() },
            checks,
        }
    }
}

fn print_line(status: Status, check: &str, detail: &str, session: &mut Session) {
    let (mark, colour) = match status {
        Status::Passed => ("✓", GREEN),
        Status::Failed => ("✗", RED),
        Status::Skipped => ("-", YELLOW),
    };
    let mark = session.paint(mark, colour);
    session.line(format!("  {mark} {check:<11} {}", printable(detail)));
}

/// What to do about a check that failed.
fn fix(check: Check, claim: &Claim) -> &'static str {
    match check {
        Check::Subject => "do not use it: it is not the artifact that was signed; fetch it again",
        Check::Signature => "check that --key is the public key of whoever should have signed",
        Check::Certificate => "check --identity and --issuer, and that the bundle proves its time",
        Check::Statement => "attestry lint says what is wrong with the bundle",
        Check::Type if matches!(claim, Claim::Signature) => {
            "give --type to demand an attestation, or name the bundle of the signature with --bundle"
        }
        Check::Type => {
            "have whoever makes that evidence attest it, or name another bundle with --bundle"
        }
        Check::LogEntry | Check::Inclusion | Check::Checkpoint => {
            "take the bundle from the registry again, and its trusted root from its operator"
        }
    }
}
