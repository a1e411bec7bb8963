//! Making decisions again: a recorded one, to see that it comes out the same; past deployments under another policy, to
//! see what it would have denied.

use std::collections::BTreeMap;
use std::sync::Arc;

use attestry_schemas::digest::{DigestSet, Sha256};
use attestry_schemas::dsse::Envelope;
use attestry_schemas::gate::governance::Governance;
use attestry_schemas::gate::{Decision, Details, Evidence, Purpose, Question, Said};
use attestry_schemas::policy::Policy;
use attestry_schemas::predicate::UtcTime;
use attestry_schemas::predicate::attestry::environment::DeploymentKind;
use attestry_schemas::predicate::vsa::{VerificationResult, VerificationSummary};
use attestry_schemas::verify::Signer;

use super::{Gate, Request, Ruling, ruling};
use crate::store::key::{Term, TermKind};
use crate::store::{Reader, StoreError};

/// The most deployments that one replay of a policy looks at.
pub const MAX_REPLAYED: usize = 200_000;

/// Why a decision cannot be made again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The store failed.
    #[error("the decision cannot be read from the store")]
    Store(#[source] StoreError),
    /// It is no decision of this gate.
    #[error("expected a decision of this registry's gate, found {0}")]
    NotADecision(&'static str),
}

impl From<StoreError> for ReplayError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A recorded decision beside the one that is made of the same inputs now.
#[derive(Debug)]
pub struct Replayed {
    /// What was recorded.
    pub recorded: VerificationResult,
    /// The decision as it is made now.
    pub decision: Decision,
    /// Whether its statement has the very bytes that were signed.
    pub same: bool,
}

/// A deployment that another policy would deny.
#[derive(Debug)]
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
    pub decision: Option<String>,
    /// Whether it runs.
    pub running: bool,
    /// The rules that do not hold, with what was found.
    pub reasons: Vec<String>,
}

/// What a decision was asked, as it is recorded.
struct Recorded<'e> {
    question: Question,
    request: Request,
    summary: &'e VerificationSummary,
}

impl Gate {
    /// Makes a recorded decision again, of the evidence, the roster and the policies as they were.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn replay(
        &self,
        reader: &Reader<'_>,
        digest: &Sha256,
    ) -> Result<Option<Replayed>, ReplayError> {
        let Some(sequence) = reader.sequence_of_digest(digest)? else { return Ok(None) };
        let Some(evidence) = self.shelf.evidence(reader, sequence)? else {
            return Err(ReplayError::NotADecision("a leaf without an envelope"));
        };
        let recorded = self.recorded(&evidence)?;
        let ruling = self.ruling_at(reader, recorded.question.log_size)?;
        let gathered =
            self.gather(reader, &recorded.request, &ruling, recorded.question.log_size)?;
        let decision = self.evaluate(&recorded.question, &ruling, &gathered, reader);
        let bytes = reader.attested_bytes(*digest)?;
        let payload = Envelope::parse(&bytes).map(|envelope| envelope.payload).unwrap_or_default();
        Ok(Some(Replayed {
            recorded: recorded.summary.verification_result,
            same: decision.statement().to_json() == payload,
            decision,
        }))
    }

    fn recorded<'e>(&self, evidence: &'e Evidence) -> Result<Recorded<'e>, ReplayError> {
        let other = ReplayError::NotADecision;
        if *evidence.signer() != Signer::Key(self.roots.gate) {
            return Err(other("an attestation of another signer"));
        }
        let Said::Summary(summary) = evidence.said() else {
            return Err(other("another statement"));
        };
        let details =
            Details::read(summary).ok_or_else(|| other("a summary without our details"))?;
        let subjects = evidence.subjects().iter().filter_map(|subject| subject.digest.as_ref());
        let subject = subjects.flat_map(DigestSet::iter).find_map(|digest| digest.as_sha256());
        let subject = subject.ok_or_else(|| other("a summary without a SHA-256"))?;
        let now = summary.time_verified.as_deref().and_then(|text| text.parse().ok());
        let now = now.ok_or_else(|| other("a summary without a time"))?;
        let request = Request {
            subject,
            name: details.name.clone(),
            environment: details.environment.clone(),
            caller: details.caller.clone(),
            configuration: details.configuration.as_deref().and_then(|text| text.parse().ok()),
        };
        let purpose = match details.run.map(|run| run.read()) {
            None => Purpose::Deploy,
            Some(Some(run)) => Purpose::Run(run),
            Some(None) => return Err(other("a summary of what runs without a SHA-256")),
        };
        let question = Question { purpose, ..self.question(&request, now, details.log_size) };
        Ok(Recorded { question, request, summary })
    }

    /// Who ruled when the log had `size` leaves.
    pub(super) fn ruling_at(
        &self,
        reader: &Reader<'_>,
        size: u64,
    ) -> Result<Arc<Ruling>, StoreError> {
        let now = self.ruling(reader)?;
        if now.newest <= size {
            return Ok(now);
        }
        let documents = |digest| ruling::document(reader, digest);
        let governance = Governance::at(size, &self.roots, &now.statements, &documents);
        Ok(Arc::new(Ruling { governance, ..Ruling::none() }))
    }

    /// The deployments since a moment that a policy would have denied, judged when each was made.
    ///
    /// # Errors
    /// [`ReplayError::Store`].
    pub fn what_if(
        &self,
        reader: &Reader<'_>,
        policy: &Arc<Policy>,
        since: UtcTime,
    ) -> Result<(u64, Vec<WouldDeny>), ReplayError> {
        let terms = [Term::new(TermKind::TypeName, "deployment")];
        let mut sequences = reader.sequences_with(&terms, u64::MAX, MAX_REPLAYED)?;
        sequences.reverse();
        let mut newest: BTreeMap<(String, String), Sha256> = BTreeMap::new();
        let mut denied: Vec<WouldDeny> = Vec::new();
        let mut evaluated = 0;
        for sequence in sequences {
            let Some(evidence) = self.shelf.evidence(reader, sequence)? else { continue };
            let Said::Deployment(deployment) = evidence.said() else { continue };
            for subject in evidence.subjects() {
                let Some(digest) = subject
                    .digest
                    .iter()
                    .flat_map(|set| set.iter().collect::<Vec<_>>())
                    .find_map(|d| d.as_sha256())
                else {
                    continue;
                };
                let name = subject.name.clone().unwrap_or_else(|| digest.to_string());
                let place = (deployment.environment.clone(), name);
                if deployment.kind == DeploymentKind::Decommissioned {
                    newest.remove(&place);
                    continue;
                }
                newest.insert(place, digest);
                if evidence.logged_at() < since
                    || !policy.environments.iter().any(|e| e.matches(&deployment.environment))
                {
                    continue;
                }
                evaluated += 1;
                let request = Request {
                    subject: digest,
                    name: subject.name.clone(),
                    environment: deployment.environment.clone(),
                    caller: None,
                    configuration: None,
                };
                let decided = deployment
                    .decision
                    .as_ref()
                    .and_then(attestry_schemas::gate::governance::sha256);
                let reasons = self.under(reader, policy, &request, &evidence, decided)?;
                if !reasons.is_empty() {
                    denied.push(WouldDeny {
                        subject: digest,
                        name: subject.name.clone(),
                        environment: deployment.environment.clone(),
                        deployed_at: evidence.time(),
                        deployment: evidence.digest(),
                        decision: decided.map(|digest| digest.to_string()),
                        running: false,
                        reasons,
                    });
                }
            }
        }
        for one in &mut denied {
            let name = one.name.clone().unwrap_or_else(|| one.subject.to_string());
            let place = (one.environment.clone(), name);
            one.running = newest.get(&place) == Some(&one.subject);
        }
        Ok((evaluated, denied))
    }

    /// Why a policy would have denied a deployment; nothing where it would not, or is not for it.
    fn under(
        &self,
        reader: &Reader<'_>,
        policy: &Arc<Policy>,
        request: &Request,
        deployment: &Evidence,
        decided: Option<Sha256>,
    ) -> Result<Vec<String>, ReplayError> {
        // As the decision was asked, where there is one: with its caller, configuration and moment.
        let decision = match decided.map(|digest| reader.sequence_of_digest(&digest)).transpose()? {
            Some(Some(sequence)) => self.shelf.evidence(reader, sequence)?,
            _ => None,
        };
        let recorded = decision.as_deref().and_then(|evidence| self.recorded(evidence).ok());
        let about = recorded.filter(|recorded| {
            (recorded.request.subject, &recorded.request.environment)
                == (request.subject, &request.environment)
        });
        let (question, request) = match about {
            // What was deployed is judged under the name that it was deployed by.
            Some(Recorded { mut question, request: mut asked, .. }) => {
                question.name.clone_from(&request.name);
                asked.name.clone_from(&request.name);
                (question, asked)
            }
            None => {
                let at = deployment.logged_at();
                (self.question(request, at, deployment.index()), request.clone())
            }
        };
        let before = self.ruling_at(reader, question.log_size)?;
        let asking = before.with_policy(policy);
        let gathered = self.gather(reader, &request, &asking, question.log_size)?;
        let verdict = self.evaluate(&question, &asking, &gathered, reader);
        if verdict.policies().is_empty() && verdict.details().refused.is_some() {
            // The policy does not match the artifact: it has nothing to say of it.
            return Ok(Vec::new());
        }
        let failed = verdict.policies().iter().filter(|policy| !policy.passed);
        let answers = failed.flat_map(|policy| &policy.rules);
        let told = answers
            .filter(|answer| !answer.outcome.is_good())
            .map(|answer| format!("{}: {}", answer.rule, answer.found));
        Ok(told.collect())
    }
}
