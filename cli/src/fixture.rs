//! A fixture: made-up evidence, and what the gate must answer to it.
//!
//! A TOML document, `schema = "policy-fixture/v1"`, read as strictly as a policy; cli/README.md describes it.
//! Nothing about deciding is here: statements are signed, verified and handed to
//! [`gate::decide`](attestry_schemas::gate::decide). The keys are made of the names of the signers, and
//! take the place of the roster's own for as long as the fixture runs. They prove nothing to
//! anybody else.

mod evidence;
mod read;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use attestry_schemas::digest::Sha256;
use attestry_schemas::document::Faults;
use attestry_schemas::gate::consent::Consents;
use attestry_schemas::gate::{self, Answer, Decision, Outcome, Question};
use attestry_schemas::policy::Policy;
use attestry_schemas::predicate::UtcTime;
use attestry_schemas::roster::Roster;
use attestry_schemas::roster::trust::Trust;

use crate::output::{Remedy, file_fix};

/// What names the fixtures of a folder.
pub(crate) const SUFFIX: &str = ".fixture.toml";
/// The host name of the log that a fixture's evidence is in.
const ORIGIN: &str = "fixture.example";

/// Why a fixture cannot be tried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FixtureError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A document has faults.
    #[error("{path}: {faults}")]
    Faults {
        /// The document.
        path: String,
        /// All that is wrong with it.
        faults: Faults,
    },
    /// Evidence cannot be made.
    #[error("evidence[{index}]: {detail}")]
    Evidence {
        /// Which, from 0.
        index: usize,
        /// What was expected and found.
        detail: String,
    },
}

impl Remedy for FixtureError {
    fn fix(&self) -> Option<String> {
        Some(match self {
            Self::Unreadable { path, source } => file_fix(source, Path::new(path)),
            Self::Faults { path, .. } => format!("correct {path} where it is named above"),
            Self::Evidence { .. } => "correct the fixture; cli/README.md describes it".to_owned(),
        })
    }
}

/// A fixture as it was read, with the documents that it names.
pub(crate) struct Fixture {
    roster: Roster,
    policies: Vec<Arc<Policy>>,
    documents: BTreeMap<Sha256, Vec<u8>>,
    question: Question,
    published_at: UtcTime,
    evidence: Vec<read::Stated>,
    expect: Expectation,
}

/// What the gate must answer.
struct Expectation {
    allow: bool,
    rules: Vec<(String, Outcome)>,
}

/// What came out of a fixture.
pub(crate) struct Outcomes {
    /// What the gate decided.
    pub(crate) decision: Decision,
    /// The waivers among the evidence.
    pub(crate) consents: Consents,
    /// Whether it was to allow.
    pub(crate) expected: bool,
    /// Where the answer is another than the fixture expects.
    pub(crate) differences: Vec<String>,
}

impl Fixture {
    /// Reads a fixture and what it names; paths are relative to its folder.
    ///
    /// # Errors
    /// [`FixtureError`].
    pub(crate) fn read(path: &Path) -> Result<Self, FixtureError> {
        read::fixture(path)
    }

    /// Signs the evidence, decides, and compares.
    ///
    /// # Errors
    /// [`FixtureError::Evidence`].
    pub(crate) fn run(&self) -> Result<Outcomes, FixtureError> {
        let made = evidence::make(self)?;
        let question =
            Question { log_size: made.evidence.len() as u64 + 1, ..self.question.clone() };
        let documents = |digest: Sha256| self.documents.get(&digest).cloned();
        let decision = gate::decide(
            &question,
            made.trust.as_ref(),
            &self.policies,
            &made.evidence,
            &documents,
        );
        let differences = self.expect.differences(&decision);
        let roster = made.trust.as_ref().map(Trust::roster);
        let consents = Consents::among(made.evidence.iter().map(AsRef::as_ref), roster);
        Ok(Outcomes { decision, consents, expected: self.expect.allow, differences })
    }
}

impl Expectation {
    fn differences(&self, decision: &Decision) -> Vec<String> {
        let mut all = Vec::new();
        if decision.passed() != self.allow {
            let (expected, found) = (word(self.allow), word(decision.passed()));
            all.push(format!("expected {expected}, found {found}"));
        }
        let rules: Vec<&Answer> = decision
            .policies()
            .iter()
            .flat_map(|policy| &policy.rules)
            .flat_map(|answer| std::iter::once(answer).chain(&answer.any))
            .collect();
        for (id, expected) in &self.rules {
            let found: Vec<_> = rules.iter().filter(|answer| answer.rule == *id).collect();
            if found.is_empty() {
                all.push(format!("expected an answer of rule {id}, found none"));
            }
            for answer in found.iter().filter(|answer| answer.outcome != *expected) {
                all.push(format!(
                    "rule {id}: expected {}, found {} ({})",
                    outcome_word(*expected),
                    outcome_word(answer.outcome),
                    answer.found
                ));
            }
        }
        all
    }
}

/// `allow` or `deny`.
pub(crate) fn word(allow: bool) -> &'static str {
    if allow { "allow" } else { "deny" }
}

const OUTCOMES: [(&str, Outcome); 4] = [
    ("pass", Outcome::Pass),
    ("fail", Outcome::Fail),
    ("error", Outcome::Error),
    ("waived", Outcome::Waived),
];

fn outcome_word(outcome: Outcome) -> &'static str {
    OUTCOMES.iter().find(|(_, is)| *is == outcome).map_or("fail", |(word, _)| word)
}
