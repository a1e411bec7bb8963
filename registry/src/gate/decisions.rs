//! What the gate has decided, as the numbers need it: denials, exceptions, and verdicts about what runs.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use attestry_schemas::digest::Sha256;
use attestry_schemas::gate::{Answer, Evidence, Said};
use attestry_schemas::predicate::UtcTime;
use attestry_schemas::predicate::vsa::VerificationResult;
use attestry_schemas::verify::Signer;

use super::Gate;
use super::deployments::Brought;
use crate::store::{Reader, StoreError};

/// The most decisions that are kept for the numbers, the newest.
pub(super) const MAX_DECISIONS: usize = if cfg!(test) { 300 } else { 100_000 };
/// The rule under which a denial is counted for which none was evaluated.
pub(super) const NO_RULE: &str = "none-evaluated";

/// A decision in the log.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decided {
    /// Its index in the log.
    pub(super) index: u64,
    /// When the log first held it, Unix milliseconds.
    pub(super) logged_at_ms: i64,
    pub(super) environment: String,
    pub(super) subject: Sha256,
    pub(super) passed: bool,
    /// The rules that deny, in policies that enforce.
    pub(super) denied_by: BTreeSet<String>,
    /// The waivers that it stands on, by digest.
    pub(super) waivers: BTreeSet<String>,
    pub(super) glass: Vec<Glass>,
    /// What runs, where the verdict is about that.
    pub(super) run: Option<Judged>,
}

/// An emergency that a decision stands on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Glass {
    /// The statements, by digest.
    pub(super) statements: Vec<String>,
    pub(super) review_by: UtcTime,
    pub(super) reviewers: String,
    /// Who broke it, by their names then.
    pub(super) signers: Vec<String>,
}

/// The verdict about something that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) brought: Brought,
    /// Whether the deployment itself is what was wrong.
    pub(super) was_wrong_from_the_beginning: bool,
    /// When the log first held what changed the verdict, Unix milliseconds.
    pub(super) because_ms: Option<i64>,
    /// When time ran out, where its passing alone changed the verdict, Unix milliseconds.
    pub(super) since_ms: Option<i64>,
    /// When it was deployed, and when the log first held that, Unix milliseconds.
    pub(super) deployed_ms: Option<(i64, i64)>,
}

/// Every decision.
#[derive(Debug, Default)]
pub(super) struct Decisions {
    all: BTreeMap<u64, Decided>,
    /// The newest verdict about each thing that runs, with its index. They stay: what was told is not told again, however
    /// much was decided since.
    verdicts: HashMap<Brought, (bool, u64)>,
}

impl Decisions {
    pub(super) fn add(&mut self, decided: Decided) {
        if let Some(run) = &decided.run {
            self.verdicts.insert(run.brought.clone(), (decided.passed, decided.index));
        }
        self.all.insert(decided.index, decided);
        if self.all.len() > MAX_DECISIONS {
            self.all.pop_first();
        }
    }

    /// The verdicts about what runs, and no decisions.
    pub(super) fn verdicts_alone(&self) -> Self {
        Self { verdicts: self.verdicts.clone(), ..Self::default() }
    }

    /// Takes in the newest verdict about something that runs, where it is older than the decisions that are kept.
    pub(super) fn remember(&mut self, brought: Brought, passed: bool, index: u64) {
        self.verdicts.entry(brought).or_insert((passed, index));
    }

    /// The index of the oldest decision that is kept, where there are more.
    pub(super) fn begins_at(&self) -> Option<u64> {
        self.all.keys().next().copied().filter(|_| self.all.len() == MAX_DECISIONS)
    }

    /// The decisions, the oldest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Decided> {
        self.all.values()
    }

    /// The newest recorded verdict about something that runs: whether it is compliant, and its index.
    pub(super) fn verdict(&self, brought: &Brought) -> Option<(bool, u64)> {
        self.verdicts.get(brought).copied()
    }
}

impl Gate {
    /// The decision that an attestation is; none of another one.
    pub(super) fn decision_of(
        &self,
        reader: &Reader<'_>,
        evidence: &Evidence,
        logged_at_ms: i64,
    ) -> Result<Option<Decided>, StoreError> {
        let Said::Summary(summary, Some(details)) = evidence.said() else { return Ok(None) };
        if *evidence.signer() != Signer::Key(self.roots.gate) {
            return Ok(None);
        }
        let digests = evidence.subjects().iter().filter_map(|subject| subject.digest.as_ref());
        let mut digests = digests.flat_map(attestry_schemas::digest::DigestSet::iter);
        let Some(subject) = digests.find_map(|digest| digest.as_sha256()) else { return Ok(None) };
        let run = match details.run.as_ref().map(|run| run.read()) {
            None => None,
            Some(None) => return Ok(None),
            Some(Some(run)) => Some(Judged {
                was_wrong_from_the_beginning: run.because == Some(run.deployment),
                because_ms: match run.because {
                    Some(because) => self.times(reader, because)?.map(|(_, logged_ms)| logged_ms),
                    None => None,
                },
                since_ms: run.since.map(|since| since.timestamp().as_millisecond()),
                deployed_ms: self.times(reader, run.deployment)?,
                brought: Brought {
                    statement: run.deployment,
                    subject,
                    name: details.runs_as().map(str::to_owned),
                },
            }),
        };
        let passed = summary.verification_result == VerificationResult::Passed;
        let failed =
            details.enforcing().filter(|policy| policy.result == VerificationResult::Failed);
        let answers = failed.flat_map(|policy| &policy.rules);
        let bad = answers.filter(|answer| !answer.outcome.is_good());
        let mut denied_by: BTreeSet<String> = bad.map(|answer| answer.rule.clone()).collect();
        if !passed && denied_by.is_empty() {
            denied_by.insert(NO_RULE.to_owned());
        }
        let mut waivers = BTreeSet::new();
        let rules = details.enforcing().flat_map(|policy| &policy.rules);
        rules.for_each(|answer| add_waivers(answer, &mut waivers));
        let glass = details.broken_glass().map(|glass| Glass {
            statements: glass.evidence.clone(),
            review_by: glass.review_by,
            reviewers: glass.reviewers.clone(),
            signers: glass.signers.clone(),
        });
        Ok(Some(Decided {
            index: evidence.index(),
            logged_at_ms,
            environment: details.environment.clone(),
            subject,
            passed,
            denied_by,
            waivers,
            glass: glass.collect(),
            run,
        }))
    }

    /// The time of an attestation, and when the log first held it, Unix milliseconds.
    fn times(&self, reader: &Reader<'_>, digest: Sha256) -> Result<Option<(i64, i64)>, StoreError> {
        let Some(sequence) = reader.sequence_of_digest(&digest)? else { return Ok(None) };
        let Some(record) = reader.record(sequence)? else { return Ok(None) };
        let Some(evidence) = self.shelf.evidence(reader, sequence)? else { return Ok(None) };
        let at_ms = evidence.time().timestamp().as_millisecond();
        Ok(Some((at_ms.min(record.logged_at_ms), record.logged_at_ms)))
    }
}

fn add_waivers(answer: &Answer, waivers: &mut BTreeSet<String>) {
    waivers.extend(answer.findings.iter().flat_map(|finding| finding.waived_by.iter().cloned()));
    answer.any.iter().for_each(|inner| add_waivers(inner, waivers));
}
