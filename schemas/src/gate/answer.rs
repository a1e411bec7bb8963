//! What a rule answers: whether it holds, what was wanted, what was found, what to do.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::digest::{Digest, Sha256};
use crate::predicate::UtcTime;

/// The most findings that one answer lists.
pub const MAX_TOLD: usize = 100;
/// The most exceptions that do not count of which one answer tells.
pub const MAX_SET_ASIDE: usize = 10;
/// The most characters of one text of an answer: names of tests and components have any length.
pub const MAX_TEXT_CHARS: usize = 1_000;

/// How a rule ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It holds.
    Pass,
    /// It does not hold.
    Fail,
    /// It could not be judged, which counts as a failure.
    Error,
    /// It does not hold, and everything that is wrong is waived.
    Waived,
}

impl Outcome {
    /// Whether it lets the artifact pass.
    #[must_use]
    pub fn is_good(self) -> bool {
        matches!(self, Self::Pass | Self::Waived)
    }
}

/// One thing that is wrong, by the name that a waiver gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Finding {
    /// Its name.
    pub id: String,
    /// What it is.
    pub text: String,
    /// The waivers that cover it, by digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waived_by: Vec<String>,
}

impl Finding {
    pub(super) fn new(id: &str, text: impl Into<String>) -> Self {
        Self { id: id.to_owned(), text: text.into(), waived_by: Vec::new() }
    }

    /// Each finding once, in their order.
    pub(super) fn distinct(findings: Vec<Self>) -> Vec<Self> {
        let mut seen = BTreeSet::new();
        let is_new = |one: &Self| seen.insert((one.id.clone(), one.text.clone()));
        findings.into_iter().filter(is_new).collect()
    }
}

/// The answer of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Answer {
    /// The rule's name in its policy.
    pub rule: String,
    /// The rule's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What would have held.
    pub wanted: String,
    /// What is there.
    pub found: String,
    /// The attestations that it stands on, by digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// What is wrong, one by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// Waivers for it that were signed and do not count, each with why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set_aside: Vec<String>,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// The SLSA level that was verified, such as `SLSA_BUILD_LEVEL_3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// The answers of the rules of which one suffices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub any: Vec<Answer>,
}

/// What a rule found, before it is an answer: with the moment from which on it may be otherwise.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judgement {
    pub(super) outcome: Outcome,
    pub(super) wanted: String,
    pub(super) found: String,
    pub(super) evidence: Vec<Sha256>,
    pub(super) findings: Vec<Finding>,
    pub(super) set_aside: Vec<String>,
    pub(super) fix: Option<String>,
    pub(super) level: Option<String>,
    pub(super) any: Vec<Answer>,
    pub(super) until: Option<UtcTime>,
}

impl Judgement {
    fn new(outcome: Outcome, wanted: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            outcome,
            wanted: wanted.into(),
            found: found.into(),
            evidence: Vec::new(),
            findings: Vec::new(),
            set_aside: Vec::new(),
            fix: None,
            level: None,
            any: Vec::new(),
            until: None,
        }
    }

    pub(super) fn pass(wanted: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(Outcome::Pass, wanted, found)
    }

    /// A failure; without findings of its own, it is one finding, which has the name `id`.
    pub(super) fn fail(
        id: &str,
        wanted: impl Into<String>,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        let mut judgement = Self::new(Outcome::Fail, wanted, found);
        judgement.fix = Some(fix.into());
        judgement.findings.push(Finding::new(id, judgement.found.clone()));
        judgement
    }

    pub(super) fn error(
        wanted: impl Into<String>,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        let mut judgement = Self::new(Outcome::Error, wanted, found);
        judgement.fix = Some(fix.into());
        judgement
    }

    /// A failure with findings one by one.
    pub(super) fn failing(
        findings: Vec<Finding>,
        wanted: impl Into<String>,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        let mut judgement = Self::new(Outcome::Fail, wanted, found);
        judgement.fix = Some(fix.into());
        judgement.findings = findings;
        judgement
    }

    /// Stands on this evidence.
    pub(super) fn on(mut self, evidence: impl IntoIterator<Item = Sha256>) -> Self {
        self.evidence.extend(evidence);
        self.evidence.sort();
        self.evidence.dedup();
        self
    }

    /// May be otherwise from this moment on.
    pub(super) fn until(mut self, moment: Option<UtcTime>) -> Self {
        self.until = earlier(self.until, moment);
        self
    }

    pub(super) fn answer(mut self, rule: &str, kind: &str) -> Answer {
        let count = self.findings.len();
        if count > MAX_TOLD {
            // What is not waived is what a reader looks for.
            self.findings.sort_by_key(|finding| !finding.waived_by.is_empty());
            self.findings.truncate(MAX_TOLD);
            let text = format!("{} more findings", count - MAX_TOLD);
            self.findings.push(Finding::new("more", text));
        }
        for finding in &mut self.findings {
            finding.id = cut(std::mem::take(&mut finding.id));
            finding.text = cut(std::mem::take(&mut finding.text));
        }
        Answer {
            rule: rule.to_owned(),
            kind: kind.to_owned(),
            outcome: self.outcome,
            wanted: cut(self.wanted),
            found: cut(self.found),
            evidence: self.evidence.iter().map(|d| Digest::from(*d).to_string()).collect(),
            findings: self.findings,
            set_aside: bounded(self.set_aside),
            fix: self.fix.map(cut),
            level: self.level,
            any: self.any,
        }
    }
}

/// The first of the exceptions that do not count, and how many more there are.
pub(super) fn bounded(mut set_aside: Vec<String>) -> Vec<String> {
    let more = set_aside.len().saturating_sub(MAX_SET_ASIDE);
    set_aside.truncate(MAX_SET_ASIDE);
    let mut told: Vec<String> = set_aside.into_iter().map(cut).collect();
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    told
}

/// As much of a text as an answer repeats.
pub(super) fn cut(text: String) -> String {
    match text.char_indices().nth(MAX_TEXT_CHARS) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + "…",
        None => text,
    }
}

/// The earlier of two moments, of which none may be.
pub(super) fn earlier(one: Option<UtcTime>, other: Option<UtcTime>) -> Option<UtcTime> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
