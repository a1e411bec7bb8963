//! What another policy would have denied: past deployments, judged again under it when each was made, and what runs also as it is now.
//!
//! Which statements are deployments, and which of these run, is what the ledger says: whose statement counts, and what another
//! one replaced. Deployments are judged on every processor, in no order, and told in the order of the log.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use attestry_schemas::digest::Sha256;
use attestry_schemas::gate::authorized::Cause;
use attestry_schemas::gate::{Purpose, Question, Run};
use attestry_schemas::policy::Policy;
use attestry_schemas::predicate::UtcTime;
use attestry_schemas::predicate::attestry::environment::DeploymentKind;
use jiff::Timestamp;

use super::deployments::Deployment;
use super::replay::{Recorded, ReplayError};
use super::{Gate, Request, Ruling};
use crate::store::{Reader, StoreError};

/// The most threads that judge.
const MAX_THREADS: usize = 16;
/// How many deployments that follow one another a thread takes at a time: their evidence lies close together.
const BLOCK: usize = 16;

/// What came out.
#[derive(Debug, Default)]
pub struct WhatIf {
    /// How many deployments were judged.
    pub evaluated: u64,
    /// Those that the policy denies, the oldest first.
    pub denied: Vec<WouldDeny>,
}

/// A deployment that another policy would deny.
#[derive(Debug, PartialEq)]
pub struct WouldDeny {
    /// The artifact.
    pub subject: Sha256,
    /// Its name.
    pub name: Option<String>,
    /// The environment.
    pub environment: String,
    /// When it was deployed.
    pub deployed_at: UtcTime,
    /// The digest of the deployment's statement.
    pub deployment: Sha256,
    /// The decision that it names.
    pub decision: Option<Sha256>,
    /// Whether it runs.
    pub running: bool,
    /// Whether it is denied by what is known now, and was not by what was known then; only of what runs.
    pub now: bool,
    /// The rules that do not hold, with what was found.
    pub reasons: Vec<String>,
}

/// A past deployment.
struct Past {
    at: UtcTime,
    logged_at: UtcTime,
    index: u64,
    statement: Sha256,
    subject: Sha256,
    name: Option<String>,
    environment: String,
    decision: Option<Sha256>,
    running: bool,
}

impl Past {
    fn of(deployment: &Deployment, running: bool) -> Self {
        let second = deployment.logged_at_ms.div_euclid(1_000);
        Self {
            at: deployment.at,
            logged_at: Timestamp::from_second(second).map_or(deployment.at, UtcTime::from),
            index: deployment.index,
            statement: deployment.statement,
            subject: deployment.subject,
            name: deployment.name.clone(),
            environment: deployment.environment.clone(),
            decision: deployment.decision,
            running,
        }
    }

    fn denied(&self, now: bool, reasons: Vec<String>) -> WouldDeny {
        WouldDeny {
            subject: self.subject,
            name: self.name.clone(),
            environment: self.environment.clone(),
            deployed_at: self.at,
            deployment: self.statement,
            decision: self.decision,
            running: self.running,
            now,
            reasons,
        }
    }
}

/// The policy that is tried, beside whoever ruled then.
struct Trial<'t> {
    policy: &'t Arc<Policy>,
    /// Who rules now.
    now: Arc<Ruling>,
    /// How many leaves there are.
    size: u64,
    /// Who ruled, with the policy in the place of all others, by how many of the statements about that were in the log.
    then: Mutex<BTreeMap<usize, Arc<Ruling>>>,
}

impl Trial<'_> {
    fn at(&self, gate: &Gate, reader: &Reader<'_>, size: u64) -> Result<Arc<Ruling>, StoreError> {
        let count = self.now.statements().iter().filter(|one| one.index() < size).count();
        let mut then = self.then.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = then.get(&count) {
            return Ok(Arc::clone(known));
        }
        let ruling = Arc::new(gate.ruling_at(reader, size)?.with_policy(self.policy));
        then.insert(count, Arc::clone(&ruling));
        Ok(ruling)
    }
}

impl Gate {
    /// The deployments since a moment that a policy would have denied, judged when each was made, and what runs, however old, that it would
    /// have denied then or would deny now.
    ///
    /// A statement whose signer does not count is no deployment, and a policy that does not match an artifact denies nothing of it.
    ///
    /// # Errors
    /// [`ReplayError::Store`].
    pub fn what_if(
        &self,
        reader: &Reader<'_>,
        policy: &Arc<Policy>,
        since: UtcTime,
    ) -> Result<WhatIf, ReplayError> {
        let _alone = self.replaying.lock().unwrap_or_else(PoisonError::into_inner);
        let size = reader.latest_checkpoint()?.map_or(0, |(size, _)| size);
        let past = self.past(policy, since, size)?;
        let trial = Trial { policy, now: self.ruling(reader)?, size, then: Mutex::default() };
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let judge = || {
            let mut denied = Vec::new();
            loop {
                let first = next.fetch_add(BLOCK, Ordering::Relaxed);
                let rest = past.get(first..).unwrap_or_default();
                if rest.is_empty() || failed.load(Ordering::Relaxed) {
                    return Ok(denied);
                }
                for (place, one) in (first..).zip(rest.iter().take(BLOCK)) {
                    let reasons = self.under(reader, &trial, one);
                    let reasons = reasons.inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
                    if let Some((now, reasons)) = reasons {
                        denied.push((place, one.denied(now, reasons)));
                    }
                }
            }
        };
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        let threads = threads.min(MAX_THREADS).min(past.len().div_ceil(BLOCK)).max(1);
        let parts: Vec<Result<Vec<(usize, WouldDeny)>, ReplayError>> =
            std::thread::scope(|scope| {
                let others: Vec<_> = (1..threads).map(|_| scope.spawn(judge)).collect();
                let mut parts = vec![judge()];
                parts.extend(others.into_iter().map(|thread| {
                    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                }));
                parts
            });
        let mut denied = Vec::new();
        for part in parts {
            denied.extend(part?);
        }
        denied.sort_by_key(|(place, _)| *place);
        Ok(WhatIf {
            evaluated: past.len() as u64,
            denied: denied.into_iter().map(|(_, one)| one).collect(),
        })
    }

    /// The deployments in the policy's environments that are to be judged, the oldest first.
    fn past(&self, policy: &Policy, since: UtcTime, size: u64) -> Result<Vec<Past>, StoreError> {
        let ledger = self.ledger()?;
        let deployments = &ledger.counted.deployments;
        let mut past = Vec::new();
        for one in deployments.newest() {
            let is_meant = one.index < size
                && one.kind != DeploymentKind::Decommissioned
                && policy.environments.iter().any(|e| e.matches(&one.environment));
            if !is_meant {
                continue;
            }
            let running = deployments
                .at(&one.place())
                .is_some_and(|runs| (runs.index, runs.subject) == (one.index, one.subject));
            let found = Past::of(one, running);
            let counts = one.cause() != Some(Cause::OtherSigner);
            if running || (counts && found.logged_at >= since) {
                past.push(found);
            }
        }
        past.reverse();
        Ok(past)
    }

    /// Why the policy would have denied a deployment, or would deny what runs by it now, and whether it is the latter; nothing where it
    /// would not, or is not for it.
    fn under(
        &self,
        reader: &Reader<'_>,
        trial: &Trial<'_>,
        deployment: &Past,
    ) -> Result<Option<(bool, Vec<String>)>, ReplayError> {
        let question = self.asked_then(reader, deployment)?;
        let then = self.denies(reader, trial, &question)?;
        if !then.is_empty() {
            return Ok(Some((false, then)));
        }
        if !deployment.running {
            return Ok(None);
        }
        let size = trial.size;
        let run = Run {
            deployment: deployment.statement,
            name: deployment.name.clone(),
            because: None,
            since: None,
        };
        let now = self.moment(reader, size, self.now())?;
        let question = Question { now, log_size: size, purpose: Purpose::Run(run), ..question };
        let now = self.denies(reader, trial, &question)?;
        Ok(Some((true, now)).filter(|(_, reasons)| !reasons.is_empty()))
    }

    /// What is asked of a deployment: what its decision was asked, where there is one, with its caller, configuration and moment.
    fn asked_then(&self, reader: &Reader<'_>, past: &Past) -> Result<Question, ReplayError> {
        let sequence = match &past.decision {
            Some(digest) => reader.sequence_of_digest(digest)?,
            None => None,
        };
        let decision = match sequence.filter(|sequence| *sequence < past.index) {
            Some(sequence) => self.shelf.evidence(reader, sequence)?,
            None => None,
        };
        let recorded = decision.as_deref().and_then(|evidence| self.recorded(evidence).ok());
        let about = recorded.filter(|recorded| {
            (recorded.request.subject, &recorded.request.environment)
                == (past.subject, &past.environment)
        });
        let name = past.name.clone();
        Ok(match about {
            // What was deployed is judged under the name that it was deployed by.
            Some(Recorded { question, .. }) => Question { name, ..question },
            None => {
                let request = Request {
                    subject: past.subject,
                    name,
                    environment: past.environment.clone(),
                    caller: None,
                    configuration: None,
                };
                self.question(&request, past.logged_at, past.index)
            }
        })
    }

    fn denies(
        &self,
        reader: &Reader<'_>,
        trial: &Trial<'_>,
        question: &Question,
    ) -> Result<Vec<String>, ReplayError> {
        let asking = trial.at(self, reader, question.log_size)?;
        let gathered = self.gather(reader, question, &asking)?;
        let verdict = self.evaluate(question, &asking, &gathered, reader);
        if let (true, Some(refused)) = (verdict.policies().is_empty(), &verdict.details().refused) {
            // Either the policy is not for the artifact and has nothing to say of it, or any policy would have been too late.
            let subject = question.subject.into();
            let given = gathered.evidence.iter().flat_map(|one| one.names_of(&subject));
            let names = given.chain(question.name.as_deref());
            let is_other = !verdict.details().names.is_empty()
                || !trial.policy.matches(&question.environment, names);
            return Ok(if is_other { Vec::new() } else { vec![refused.why.clone()] });
        }
        let failed = verdict.policies().iter().filter(|policy| !policy.passed);
        let answers = failed.flat_map(|policy| &policy.rules);
        let told = answers
            .filter(|answer| !answer.outcome.is_good())
            .map(|answer| format!("{}: {}", answer.rule, answer.found));
        Ok(told.collect())
    }
}
