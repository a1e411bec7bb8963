//! Whether what runs would still be allowed: the rules again, but for those about the act of deploying.

use std::collections::BTreeSet;
use std::sync::Arc;

use attestry_schemas::digest::{Digest, Sha256};
use attestry_schemas::gate::{Answer, Decision, Details, Evidence, Purpose, Question, Run};
use attestry_schemas::policy::Mode;
use attestry_schemas::predicate::UtcTime;
use attestry_schemas::predicate::vsa::VerificationResult;
use attestry_schemas::problem::chain;
use jiff::SignedDuration;

use super::deployments::Deployment;
use super::gather::Gathered;
use super::ledger::Standing;
use super::{Gate, GateError, Request, Ruling};
use crate::store::{Reader, StoreError};

/// The most reasons that are told.
const MAX_REASONS: usize = 20;

/// After which time it is tried again to judge what could not be judged.
const JUDGED_AGAIN: SignedDuration = SignedDuration::from_secs(30);

/// The most statements about who rules that are looked at for the one that changed a verdict, the newest.
const MAX_RULINGS: usize = 8;

/// The most moments at which a verdict is made again to find the one that changed it.
const MAX_MOMENTS: usize = 64;

/// An assessment.
pub(super) struct Assessed {
    /// The verdict, which is not recorded.
    pub(super) decision: Decision,
    pub(super) standing: Standing,
    pub(super) changed: Changed,
}

/// What changed a verdict since the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Changed {
    /// The attestation; none when the passing of time did.
    pub(super) because: Option<Sha256>,
    /// When time ran out, where its passing alone did.
    pub(super) since: Option<UtcTime>,
}

impl Gate {
    /// Assesses what runs, within the time of an evaluation. `before` is the newest recorded verdict about it, with its index.
    ///
    /// It is asked as its decision was: by the same name, caller and configuration.
    pub(super) fn assess_running(
        self: &Arc<Self>,
        deployment: &Deployment,
        before: Option<(bool, u64)>,
        now: UtcTime,
    ) -> Result<Assessed, GateError> {
        let (gate, deployment) = (Arc::clone(self), deployment.clone());
        let assessed = self.assessments.run(move || gate.assess_here(&deployment, before, now));
        assessed.map_err(|failed| GateError::Unassessed(failed.why))
    }

    fn assess_here(
        &self,
        deployment: &Deployment,
        before: Option<(bool, u64)>,
        now: UtcTime,
    ) -> Result<Assessed, String> {
        let reader = self.store.reader();
        let size = reader.tree_size().map_err(|e| chain(&e))?;
        let ruling = self.ruling(&reader).map_err(|e| chain(&e))?;
        let now = self.moment(&reader, size, now).map_err(|e| chain(&e))?;
        let allowed = deployment.allowed().ok().flatten();
        let request = Request {
            subject: deployment.subject,
            name: match allowed {
                Some(allowed) => allowed.name.clone(),
                None => deployment.name.clone(),
            },
            environment: deployment.environment.clone(),
            caller: allowed.and_then(|allowed| allowed.caller.clone()),
            configuration: allowed.and_then(|allowed| allowed.configuration),
        };
        let run = Run {
            deployment: deployment.statement,
            name: deployment.name.clone(),
            because: None,
            since: None,
        };
        let purpose = Purpose::Run(run);
        let question = Question { purpose, ..self.question(&request, now, size) };
        let gathered = self.gather(&reader, &question, &ruling).map_err(|e| chain(&e))?;
        let decision = self.evaluate(&question, &ruling, &gathered, &reader);
        let baseline = match (before, allowed) {
            (Some((_, index)), _) => index,
            (None, Some(allowed)) => allowed.log_size,
            (None, None) => deployment.index,
        };
        let mut changed = Changed::default();
        if before.is_none_or(|(compliant, _)| compliant) != decision.passed() {
            let input = newest_input(&decision, &gathered, baseline);
            let ruled = self.ruled_otherwise(
                &reader,
                &question,
                &ruling,
                &decision,
                input.map_or(baseline, |one| one.index()),
            );
            let ruled = ruled.map_err(|e| chain(&e))?;
            let candidate = ruled.or(input).or_else(|| newest_ruling(&ruling, baseline));
            let candidate = candidate.map(|one| (one.digest(), one.logged_at()));
            let verdict_at = |moment| {
                let at = Question { now: moment, ..question.clone() };
                self.evaluate(&at, &ruling, &gathered, &reader)
            };
            let was_wrong = || verdict_at(deployment.logged_at).passed() == decision.passed();
            let from = deployment.at.min(deployment.logged_at);
            changed = match candidate {
                // What nothing allowed was wrong from the beginning, but for what came since.
                None if before.is_none() && allowed.is_none() && was_wrong() => {
                    Changed { because: Some(deployment.statement), since: None }
                }
                _ => {
                    let arrivals = arrivals(&ruling, &gathered);
                    changed_by(&decision, candidate, from, &arrivals, verdict_at)
                }
            };
        }
        let inputs = decision.inputs();
        let stands_on = gathered
            .evidence
            .iter()
            .filter(|one| inputs.contains(&Digest::from(one.digest()).to_string()));
        let evidence_s = stands_on.map(|one| one.time().unix_seconds()).collect();
        // What could not be judged may be judged by then: a document that a policy names is no leaf of the log.
        let again = now
            .timestamp()
            .checked_add(JUDGED_AGAIN)
            .ok()
            .filter(|_| decision.may_be_judged_later());
        let again = again.map(UtcTime::from);
        let standing = Standing {
            brought: deployment.brought(),
            compliant: decision.passed(),
            reasons: if decision.passed() { Vec::new() } else { reasons(decision.details()) },
            until: decision.until().filter(|until| *until > now).into_iter().chain(again).min(),
            log_size: size,
            watched: gathered.about,
            evidence_s,
        };
        Ok(Assessed { decision, standing, changed })
    }
}

impl Gate {
    /// The newest statement about who rules, from an index on, before which the verdict was another: what is judged is what there is
    /// now.
    fn ruled_otherwise<'r>(
        &self,
        reader: &Reader<'_>,
        question: &Question,
        ruling: &'r Ruling,
        decision: &Decision,
        from: u64,
    ) -> Result<Option<&'r Arc<Evidence>>, StoreError> {
        let mut new: Vec<&Arc<Evidence>> =
            ruling.statements.iter().filter(|one| one.index() >= from).collect();
        new.sort_by_key(|one| std::cmp::Reverse(one.index()));
        for one in new.into_iter().take(MAX_RULINGS) {
            let before = self.ruling_at(reader, one.index())?;
            let gathered = self.gather(reader, question, &before)?;
            if self.evaluate(question, &before, &gathered, reader).passed() != decision.passed() {
                return Ok(Some(one));
            }
        }
        Ok(None)
    }
}

/// What may have changed a verdict: an attestation, and when the log first held it.
type Arrival = (Sha256, UtcTime);

/// Every attestation that may have changed it.
fn arrivals(ruling: &Ruling, gathered: &Gathered) -> Vec<Arrival> {
    let all = gathered.evidence.iter().chain(&ruling.statements);
    all.map(|one| (one.digest(), one.logged_at())).collect()
}

/// What changed a verdict: the newest attestation that can have, if the verdict was so when the log first held it; else what did at
/// the first moment from then on at which the verdict is so. Such moments are those at which evidence came, and those at
/// which an age, an expiry or a waiver ended.
fn changed_by(
    decision: &Decision,
    candidate: Option<Arrival>,
    from: UtcTime,
    arrivals: &[Arrival],
    verdict_at: impl Fn(UtcTime) -> Decision,
) -> Changed {
    let now = decision.question().now;
    let mut moment = candidate.map_or(from, |(_, at)| at);
    let mut ends = None;
    for step in 0..MAX_MOMENTS {
        let verdict = verdict_at(moment);
        if verdict.passed() == decision.passed() {
            return match candidate {
                Some((digest, _)) if step == 0 => Changed { because: Some(digest), since: None },
                _ if ends.is_none_or(|end| end <= moment) => {
                    Changed { because: None, since: Some(moment) }
                }
                _ => {
                    let came = arrivals.iter().rfind(|(_, at)| *at == moment);
                    Changed { because: came.map(|(digest, _)| *digest), since: None }
                }
            };
        }
        ends = verdict.until();
        let next = arrivals.iter().map(|(_, at)| *at).chain(ends).filter(|at| *at > moment).min();
        match next.filter(|next| *next <= now) {
            Some(next) => moment = next,
            None => break,
        }
    }
    Changed::default()
}

/// Why a verdict denies, in lines.
pub(super) fn reasons(details: &Details) -> Vec<String> {
    if let Some(refused) = &details.refused {
        return vec![refused.why.clone()];
    }
    let enforcing = details.policies.iter().filter(|policy| {
        policy.result == VerificationResult::Failed && policy.mode == Mode::Enforce.name()
    });
    let bad = enforcing.flat_map(|policy| {
        let bad = policy.rules.iter().filter(|answer| !answer.outcome.is_good());
        bad.map(move |answer| {
            format!("{}@{}: {}: {}", policy.name, policy.version, answer.rule, answer.found)
        })
    });
    bad.take(MAX_REASONS).collect()
}

/// The newest attestation from an index on, among those that the answers stand on which make the verdict.
fn newest_input<'g>(
    decision: &Decision,
    gathered: &'g Gathered,
    from: u64,
) -> Option<&'g Arc<Evidence>> {
    fn add(answer: &Answer, passed: bool, all: &mut BTreeSet<String>) {
        if answer.outcome.is_good() == passed {
            all.extend(answer.evidence.iter().cloned());
            answer.any.iter().for_each(|inner| add(inner, passed, all));
        }
    }
    let mut inputs = BTreeSet::new();
    let rules = decision.policies().iter().flat_map(|policy| &policy.rules);
    rules.for_each(|answer| add(answer, decision.passed(), &mut inputs));
    let new = gathered.evidence.iter().filter(|one| one.index() >= from);
    let stands_on = new.filter(|one| inputs.contains(&Digest::from(one.digest()).to_string()));
    stands_on.max_by_key(|one| one.index())
}

/// The newest statement about who rules, from an index on.
fn newest_ruling(ruling: &Ruling, from: u64) -> Option<&Arc<Evidence>> {
    let new = ruling.statements.iter().filter(|one| one.index() >= from);
    new.max_by_key(|one| one.index())
}
