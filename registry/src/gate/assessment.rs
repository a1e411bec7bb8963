//! Whether what runs would still be allowed: the rules again, but for those about the act of deploying.

use std::collections::BTreeSet;

use attestry_schemas::digest::{Digest, Sha256};
use attestry_schemas::gate::{Answer, Decision, Purpose, Question};
use attestry_schemas::predicate::UtcTime;
use attestry_schemas::problem::chain;

use super::deployments::Deployment;
use super::gather::Gathered;
use super::ledger::Standing;
use super::{Gate, GateError, Request, Ruling};

/// The most reasons that are told.
const MAX_REASONS: usize = 20;

/// An assessment.
pub(super) struct Assessed {
    /// The verdict, which is not recorded.
    pub(super) decision: Decision,
    pub(super) standing: Standing,
    /// What changed the verdict since the last one; none when the passing of time did.
    pub(super) because: Option<Sha256>,
}

impl Gate {
    /// Assesses what runs. `before` is the newest recorded verdict about it, with its index.
    ///
    /// It is asked as its decision was: by the same name, caller and configuration.
    pub(super) fn assess_running(
        &self,
        deployment: &Deployment,
        before: Option<(bool, u64)>,
        now: UtcTime,
    ) -> Result<Assessed, GateError> {
        let reader = self.store.reader();
        let size = reader.tree_size().map_err(|e| GateError::Signing(chain(&e)))?;
        let ruling = self.ruling(&reader)?;
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
        let gathered = self.gather(&reader, &request, &ruling, size)?;
        let run = attestry_schemas::gate::Run { deployment: deployment.statement, because: None };
        let purpose = Purpose::Run(run);
        let question = Question { purpose, ..self.question(&request, now, size) };
        let decision = self.evaluate(&question, &ruling, &gathered, &reader);
        let baseline = match (before, allowed) {
            (Some((_, index)), _) => index,
            (None, Some(allowed)) => allowed.log_size,
            (None, None) => deployment.index,
        };
        let because = newest_input(&decision, &gathered, baseline)
            .or_else(|| newest_ruling(&ruling, baseline))
            // What nothing allowed was wrong from the beginning.
            .or_else(|| (before.is_none() && allowed.is_none()).then_some(deployment.statement));
        let inputs = decision.inputs();
        let stands_on = gathered
            .evidence
            .iter()
            .filter(|one| inputs.contains(&Digest::from(one.digest()).to_string()));
        let evidence_s = stands_on.map(|one| one.time().unix_seconds()).collect();
        let standing = Standing {
            statement: deployment.statement,
            subject: deployment.subject,
            compliant: decision.passed(),
            reasons: if decision.passed() { Vec::new() } else { reasons(&decision) },
            until: decision.until().filter(|until| *until > now),
            log_size: size,
            watched: gathered.about,
            evidence_s,
        };
        Ok(Assessed { decision, standing, because })
    }
}

/// Why a verdict denies, in lines.
fn reasons(decision: &Decision) -> Vec<String> {
    if let Some(refused) = &decision.details().refused {
        return vec![refused.why.clone()];
    }
    let enforcing = decision
        .policies()
        .iter()
        .filter(|policy| !policy.passed && policy.mode == attestry_schemas::policy::Mode::Enforce);
    let bad = enforcing.flat_map(|policy| {
        let bad = policy.rules.iter().filter(|answer| !answer.outcome.is_good());
        bad.map(move |answer| {
            format!("{}@{}: {}: {}", policy.name, policy.version, answer.rule, answer.found)
        })
    });
    bad.take(MAX_REASONS).collect()
}

/// The newest attestation from an index on, among those that the answers stand on which make the verdict.
fn newest_input(decision: &Decision, gathered: &Gathered, from: u64) -> Option<Sha256> {
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
    stands_on.max_by_key(|one| one.index()).map(|one| one.digest())
}

/// The newest statement about who rules, from an index on.
fn newest_ruling(ruling: &Ruling, from: u64) -> Option<Sha256> {
    let new = ruling.statements.iter().filter(|one| one.index() >= from);
    new.max_by_key(|one| one.index()).map(|one| one.digest())
}
