//! `/v1/deployments` and `/v1/metrics/delivery`: what runs where, and whether the controls work.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use attestry_schemas::predicate::UtcTime;
use serde::Serialize;

use super::problem::Refusal;
use super::query::Parameters;
use super::{State, access, query};
use crate::gate::delivery::Scope;
use crate::gate::deployments::kind_name;
use crate::gate::status::Status;
use crate::rights::Role;

/// What runs, or what happened.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct DeploymentsAnswer {
    /// What runs, by environment and name; with `all`, everything that was stated, the newest first.
    items: Vec<DeploymentAnswer>,
    /// Whether there is more than one answer holds; ask by environment.
    truncated: bool,
}

/// A deployment, as its statement says, and what it is worth.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct DeploymentAnswer {
    /// The environment.
    environment: String,
    /// What the artifact is called.
    name: Option<String>,
    /// The artifact.
    subject: String,
    /// `deployed`, `rolled-back` or `decommissioned`.
    kind: String,
    /// Whether it runs.
    running: bool,
    /// Since when it is there; of what left, when it left.
    since: String,
    /// Until when it was there.
    until: Option<String>,
    /// The decision that its statement names.
    decision: Option<String>,
    /// Its statement, by the digest of the attestation.
    deployment: String,
    /// The index of its statement in the log.
    index: u64,
    /// Whether a PASSED decision of this gate allowed it, and its signer may state it.
    authorized: bool,
    /// Why not: other-signer, no-decision, unknown-decision, failed-decision, other-artifact, other-environment, other-name, superseded-decision, expired-decision or late-record.
    cause: Option<String>,
    /// Whether it was authorized, and what it is would be allowed now; of what no longer runs, whether that was so to the end.
    compliant: bool,
    /// Why it was not authorized; of what was, why it would not be allowed.
    reasons: Vec<String>,
    /// Whether it was allowed because of an emergency.
    break_glass: bool,
}

impl DeploymentAnswer {
    fn of(status: Status) -> Self {
        let Status { deployment, running, compliant, reasons } = status;
        let allowed = deployment.allowed().ok().flatten();
        let break_glass = allowed.is_some_and(|allowed| allowed.break_glass);
        let cause = deployment.cause();
        Self {
            kind: kind_name(deployment.kind).to_owned(),
            running,
            since: deployment.since.to_string(),
            until: deployment.until.map(|until| until.to_string()),
            decision: deployment.decision.map(|digest| digest.to_string()),
            deployment: deployment.statement.to_string(),
            index: deployment.index,
            authorized: cause.is_none(),
            cause: cause.map(|cause| cause.name().to_owned()),
            compliant,
            reasons,
            break_glass,
            subject: deployment.subject.to_string(),
            environment: deployment.environment,
            name: deployment.name,
        }
    }
}

/// `GET /v1/deployments[?environment=][&all=]`.
pub(super) async fn list(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    let caller = access::somewhere(&request, &state, &[Role::Audit])?;
    let asked = query::read(&request, &["environment", "all"])?;
    let environment = environment(&asked)?;
    let all = match asked.text("all") {
        None | Some("false") => false,
        Some("true") => true,
        Some(text) => return Err(query::wrong("all", "true or false", text)),
    };
    let answer = state
        .blocking(move |state| {
            let (items, truncated) = state.gate.status(environment.as_deref(), all)?;
            let seen = items
                .into_iter()
                .filter(|one| access::may_audit(state, &caller, one.deployment.name.as_deref()));
            let items = seen.map(DeploymentAnswer::of).collect();
            Ok(DeploymentsAnswer { items, truncated })
        })
        .await?;
    Ok(HttpResponse::Ok().json(answer))
}

/// `GET /v1/metrics/delivery[?environment=][&since=]`.
pub(super) async fn numbers(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    access::everywhere(&request, &state, Role::Audit)?;
    let asked = query::read(&request, &["environment", "since"])?;
    let since = asked.text("since").map(|text| {
        let time: Result<UtcTime, _> = text.parse();
        time.map_err(|_| query::wrong("since", "a time in UTC such as 2026-01-31T00:00:00Z", text))
    });
    let scope = Scope { environment: environment(&asked)?, since: since.transpose()? };
    let answer = state.blocking(move |state| Ok(state.gate.numbers(&scope)?)).await?;
    Ok(HttpResponse::Ok().json(answer))
}

/// The one environment that is asked for.
fn environment(asked: &Parameters) -> Result<Option<String>, Refusal> {
    let plain = attestry_schemas::document::pattern::is_plain;
    match asked.text("environment") {
        Some(text) if !plain(text) => Err(query::wrong("environment", "an environment", text)),
        text => Ok(text.map(str::to_owned)),
    }
}
