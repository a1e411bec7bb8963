//! What is told about what runs: to the log of the server, to Prometheus, and to a webhook.
//!
//! Every event follows from one leaf of the log: a statement about deployments, or a verdict of the gate about what runs. So
//! whoever has the log can tell it again, with the same id.

use attestry_schemas::digest::DigestSet;
use attestry_schemas::gate::{Evidence, Said};
use attestry_schemas::predicate::vsa::VerificationResult;
use serde::Serialize;

use super::Gate;
use super::assessment::reasons;
use super::deployments::{Brought, Deployment};
use super::ledger::Concern;
use crate::store::{Reader, StoreError};

/// An event, as the webhook gets it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Event {
    /// The same whenever it is told: the origin of the log, the index of the leaf that it follows from, and the place of the
    /// artifact among those that the leaf is about.
    pub(super) id: String,
    /// `non-compliant`, `compliant` or `unauthorized-deployment`.
    pub(super) event: &'static str,
    /// When it was found: when the log first held an unauthorized deployment, or the moment that the verdict is about.
    pub(super) at: String,
    pub(super) environment: String,
    /// What the artifact is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// The artifact.
    pub(super) subject: String,
    /// The statement of its deployment.
    pub(super) deployment: String,
    /// The verdict in the log, by the digest of its attestation, with its index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) decision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<u64>,
    /// The attestation that changed the verdict; none when the passing of time did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) because: Option<String>,
    /// When time ran out, where its passing alone changed the verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<String>,
    /// Why.
    pub(super) reasons: Vec<String>,
}

impl Event {
    /// A deployment that nothing allowed, the `number`th artifact of its statement.
    pub(super) fn unauthorized(gate: &Gate, deployment: &Deployment, number: usize) -> Self {
        Self {
            id: id(gate, deployment.index, number),
            event: "unauthorized-deployment",
            at: deployment.logged_at.to_string(),
            environment: deployment.environment.clone(),
            name: deployment.name.clone(),
            subject: deployment.subject.to_string(),
            deployment: deployment.statement.to_string(),
            decision: None,
            index: None,
            because: None,
            since: None,
            reasons: deployment.cause().iter().map(ToString::to_string).collect(),
        }
    }

    /// Writes it to the log of the server.
    pub(super) fn log(&self) {
        let (environment, subject) = (&self.environment, &self.subject);
        let (deployment, name) = (&self.deployment, self.name.as_deref().unwrap_or("-"));
        let because = self.because.as_deref().or(self.since.as_deref()).unwrap_or("-");
        let reasons = self.reasons.join("; ");
        match self.event {
            "compliant" => tracing::info!(
                environment,
                name,
                subject,
                deployment,
                because,
                "what runs is compliant again"
            ),
            "non-compliant" => tracing::warn!(
                environment,
                name,
                subject,
                deployment,
                because,
                reasons,
                "what runs is no longer compliant"
            ),
            _ => tracing::warn!(
                environment,
                name,
                subject,
                deployment,
                reasons,
                "a deployment was not authorized"
            ),
        }
    }
}

fn id(gate: &Gate, index: u64, number: usize) -> String {
    format!("{}/{index}/{number}", gate.log.identity().origin)
}

impl Gate {
    /// The events that follow from a leaf; none from most.
    pub(super) fn events_of(&self, sequence: u64) -> Result<Vec<Event>, StoreError> {
        let reader = self.store.reader();
        let Some(record) = reader.record(sequence)? else { return Ok(Vec::new()) };
        let is_verdict = match Concern::of(&record) {
            Concern::Deployment => false,
            Concern::Summary if record.signer == self.roots.gate => true,
            _ => return Ok(Vec::new()),
        };
        let Some(evidence) = self.shelf.evidence(&reader, sequence)? else {
            return Ok(Vec::new());
        };
        if is_verdict {
            return Ok(self.flip(&reader, &evidence)?.into_iter().collect());
        }
        let deployments =
            self.weighed_deployments(&reader, &evidence, record.logged_at_ms, sequence + 1)?;
        let numbered = deployments.iter().enumerate().filter(|(_, one)| one.cause().is_some());
        Ok(numbered.map(|(number, one)| Event::unauthorized(self, one, number)).collect())
    }

    /// The deployments that a statement states, by who ruled when the log had so many leaves: whenever it is told, the same is told.
    fn weighed_deployments(
        &self,
        reader: &Reader<'_>,
        evidence: &Evidence,
        logged_at_ms: i64,
        size: u64,
    ) -> Result<Vec<Deployment>, StoreError> {
        let ruling = self.ruling_at(reader, size)?;
        let mut deployments = self.deployments_of(reader, evidence, logged_at_ms)?;
        deployments.iter_mut().for_each(|one| one.weigh(ruling.governance.trust.as_deref()));
        Ok(deployments)
    }

    /// The event of a recorded verdict about what runs. What was never authorized is not called compliant again.
    fn flip(&self, reader: &Reader<'_>, evidence: &Evidence) -> Result<Option<Event>, StoreError> {
        let Said::Summary(summary, Some(details)) = evidence.said() else { return Ok(None) };
        let Some(run) = details.run.as_ref().and_then(|run| run.read()) else { return Ok(None) };
        let digests = evidence.subjects().iter().filter_map(|subject| subject.digest.as_ref());
        let subject = digests.flat_map(DigestSet::iter).find_map(|digest| digest.as_sha256());
        let Some(subject) = subject else { return Ok(None) };
        let is_compliant = summary.verification_result == VerificationResult::Passed;
        let (statement, because, since) = (run.deployment, run.because, run.since);
        let name = details.runs_as().map(str::to_owned);
        let brought = Brought { statement, subject, name };
        let deployment = self.deployment(reader, &brought, evidence.index() + 1)?;
        if is_compliant && deployment.as_ref().is_none_or(|one| one.cause().is_some()) {
            return Ok(None);
        }
        Ok(Some(Event {
            id: id(self, evidence.index(), 0),
            event: if is_compliant { "compliant" } else { "non-compliant" },
            at: summary.time_verified.clone().unwrap_or_default(),
            name: brought.name,
            subject: subject.to_string(),
            deployment: statement.to_string(),
            decision: Some(evidence.digest().to_string()),
            index: Some(evidence.index()),
            because: because.map(|digest| digest.to_string()),
            since: since.map(|since| since.to_string()),
            reasons: if is_compliant { Vec::new() } else { reasons(details) },
            environment: details.environment.clone(),
        }))
    }

    /// The deployment that brought something, as it was seen when the log had so many leaves.
    fn deployment(
        &self,
        reader: &Reader<'_>,
        brought: &Brought,
        size: u64,
    ) -> Result<Option<Deployment>, StoreError> {
        let Some(sequence) = reader.sequence_of_digest(&brought.statement)? else {
            return Ok(None);
        };
        let Some(record) = reader.record(sequence)? else { return Ok(None) };
        let Some(evidence) = self.shelf.evidence(reader, sequence)? else { return Ok(None) };
        let all = self.weighed_deployments(reader, &evidence, record.logged_at_ms, size)?;
        Ok(all.into_iter().find(|one| brought.is_of(one)))
    }
}
