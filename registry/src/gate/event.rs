//! What the monitor tells: to the log of the server, to Prometheus, and to a webhook.

use attestry_schemas::gate::Purpose;
use attestry_schemas::predicate::UtcTime;
use serde::Serialize;

use super::Decided;
use super::deployments::Deployment;

/// What has happened to something that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happened {
    /// It would no longer be allowed.
    NonCompliant,
    /// It would be allowed again.
    Compliant,
}

/// An event, as the webhook gets it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Event {
    /// `non-compliant`, `compliant` or `unauthorized-deployment`.
    pub(super) event: &'static str,
    /// When it was seen.
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
    /// Why.
    pub(super) reasons: Vec<String>,
}

impl Event {
    fn of(event: &'static str, deployment: &Deployment, at: UtcTime) -> Self {
        Self {
            event,
            at: at.to_string(),
            environment: deployment.environment.clone(),
            name: deployment.name.clone(),
            subject: deployment.subject.to_string(),
            deployment: deployment.statement.to_string(),
            decision: None,
            index: None,
            because: None,
            reasons: Vec::new(),
        }
    }

    /// A deployment that nothing allowed.
    pub(super) fn unauthorized(deployment: &Deployment, at: UtcTime) -> Self {
        let reasons = deployment.cause().iter().map(ToString::to_string).collect();
        Self { reasons, ..Self::of("unauthorized-deployment", deployment, at) }
    }

    /// A verdict about what runs that is not the one before.
    pub(super) fn flip(
        happened: Happened,
        deployment: &Deployment,
        decided: &Decided,
        reasons: &[String],
        at: UtcTime,
    ) -> Self {
        let event = match happened {
            Happened::NonCompliant => "non-compliant",
            Happened::Compliant => "compliant",
        };
        let because = match decided.decision.question().purpose {
            Purpose::Run(run) => run.because.map(|digest| digest.to_string()),
            Purpose::Deploy => None,
        };
        Self {
            decision: Some(decided.digest.to_string()),
            index: Some(decided.index),
            because,
            reasons: reasons.to_vec(),
            ..Self::of(event, deployment, at)
        }
    }

    /// Writes it to the log of the server.
    pub(super) fn log(&self) {
        let (environment, subject) = (&self.environment, &self.subject);
        let (deployment, name) = (&self.deployment, self.name.as_deref().unwrap_or("-"));
        let because = self.because.as_deref().unwrap_or("-");
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
