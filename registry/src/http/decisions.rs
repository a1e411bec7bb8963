//! `/v1/decisions`, `/v1/replays`, `/v1/packs`: what the gate decides, and decides again.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use attestry_schemas::digest::Sha256;
use attestry_schemas::gate::Decision;
use attestry_schemas::gate::difference::{Difference, Differences};
use attestry_schemas::gate::pack::MEDIA_TYPE;
use attestry_schemas::json;
use attestry_schemas::policy::Policy;
use attestry_schemas::predicate::UtcTime;
use attestry_schemas::predicate::vsa::VerificationResult;
use attestry_schemas::problem::{ProblemType, chain};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::problem::Refusal;
use super::{State, access, body, log, query};
use crate::gate::replay::{ReplayError, Replayed};
use crate::gate::{Decided, GateError, Request};
use crate::rights::Role;

/// The most bytes of a request for a decision.
const MAX_REQUEST_BYTES: usize = 64 << 10;
/// The most bytes of a request that carries a policy.
const MAX_REPLAY_BYTES: usize = 2 << 20;
/// The most characters of an environment's or an artifact's name.
const MAX_NAME_CHARS: usize = 1_000;

/// What is asked of the gate.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DecisionRequest {
    /// The artifact, `sha256:…`.
    subject: String,
    /// The environment that it shall enter.
    environment: String,
    /// What the caller calls the artifact, such as `registry.example.com/pay/api`. It can add policies, never avoid one.
    #[serde(default)]
    name: Option<String>,
    /// The digest of the configuration that is being applied, `sha256:…`.
    #[serde(default)]
    configuration: Option<String>,
}

/// A decision that is in the log.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct DecisionAnswer {
    /// `PASSED` or `FAILED`.
    result: String,
    /// The digest of its attestation.
    decision: String,
    /// Its index in the log, from 0.
    index: u64,
    /// Whether it was made before, and nothing that it depends on has changed since.
    cached: bool,
    /// From when on the verdict may be another without new evidence.
    until: Option<String>,
    /// What does not hold in policies that only warn.
    warnings: Vec<String>,
    /// The statement that the gate has signed: a SLSA VSA v1.
    statement: Value,
    /// The complete Sigstore bundle, with inclusion proof and checkpoint.
    bundle: Value,
}

fn malformed(detail: impl Into<String>) -> Refusal {
    Refusal::new(ProblemType::MalformedBody, detail.into())
}

fn parsed<T: for<'de> Deserialize<'de>>(text: &[u8], what: &'static str) -> Result<T, Refusal> {
    json::parse(text, text.len())
        .and_then(|value| json::from_value(value, what))
        .map_err(|error| malformed(chain(&error)))
}

/// A name that patterns can match, without characters that would show as others.
pub(super) fn plain(member: &str, text: &str) -> Result<String, Refusal> {
    if text.chars().count() <= MAX_NAME_CHARS && attestry_schemas::document::pattern::is_plain(text)
    {
        return Ok(text.to_owned());
    }
    let shown: String = text.chars().take(100).collect();
    Err(malformed(format!(
        "expected {member} to be a name such as pay/api of at most {MAX_NAME_CHARS} characters, without empty segments, .., %, \\ and spaces; found {shown:?}"
    )))
}

fn digest(member: &str, text: &str) -> Result<Sha256, Refusal> {
    let shown: String = text.chars().take(100).collect();
    let error =
        |_| malformed(format!("expected {member} to be sha256:<64 hex digits>, found {shown:?}"));
    text.parse().map_err(error)
}

impl DecisionRequest {
    fn read(text: &[u8], caller: Option<String>) -> Result<Request, Refusal> {
        let asked: Self = parsed(text, "the request for a decision")?;
        Ok(Request {
            subject: digest("subject", &asked.subject)?,
            environment: plain("environment", &asked.environment)?,
            name: asked.name.as_deref().map(|name| plain("name", name)).transpose()?,
            configuration: asked
                .configuration
                .as_deref()
                .map(|text| digest("configuration", text))
                .transpose()?,
            caller,
        })
    }
}

/// `POST /v1/decisions`.
pub(super) async fn decide(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    let caller = access::caller(&request, &state)?;
    query::read(&request, &[])?;
    body::plain(&request)?;
    let text = body::whole(payload, MAX_REQUEST_BYTES, state.config.request_timeout_ms).await?;
    let who = (!caller.is_anyone()).then(|| caller.principal.to_string());
    let asked = DecisionRequest::read(&text, who)?;
    access::decide(&request, &state, &caller, asked.name.as_deref())?;
    let (decided, cached) = match state.gate.kept(&asked) {
        Some(decided) => (decided, true),
        None => state.deciding(move |state| Ok(state.gate.decide(&asked)?)).await?,
    };
    let status = if cached { StatusCode::OK } else { StatusCode::CREATED };
    Ok(HttpResponse::build(status).json(answer(&decided, cached)))
}

fn answer(decided: &Decided, cached: bool) -> DecisionAnswer {
    DecisionAnswer {
        result: result(decided.decision.passed()),
        decision: decided.digest.to_string(),
        index: decided.index,
        cached,
        until: decided.decision.until().map(|until| until.to_string()),
        warnings: decided.decision.details().warnings(),
        statement: statement(&decided.decision),
        bundle: decided.bundle.to_value(),
    }
}

fn result(passed: bool) -> String {
    if passed { "PASSED" } else { "FAILED" }.to_owned()
}

fn statement(decision: &Decision) -> Value {
    serde_json::from_slice(&decision.statement().to_json()).unwrap_or_default()
}

/// A decision beside the one that is made of the same inputs now.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct ReplayAnswer {
    /// The decision.
    decision: String,
    /// What was recorded.
    recorded: String,
    /// What comes out now.
    result: String,
    /// Whether the statement has the very bytes that were signed.
    same: bool,
    /// What differs, in lines: per policy and rule what was recorded, and what comes out now.
    differences: Vec<String>,
    /// The same, member by member.
    changes: Vec<Change>,
    /// The statement as it is now.
    statement: Value,
}

/// One member of a decision that is another now.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct Change {
    /// The policy, as name and version; none where the decision itself differs.
    policy: Option<String>,
    /// The rule; none where the policy's verdict differs.
    rule: Option<String>,
    /// The member, such as `outcome`, `wanted` or `found`.
    member: String,
    /// What was recorded: a text, or JSON; none where it was not there.
    recorded: Option<String>,
    /// What comes out now.
    now: Option<String>,
}

impl From<Difference> for Change {
    fn from(one: Difference) -> Self {
        let Difference { policy, rule, member, recorded, now } = one;
        Self { policy, rule, member, recorded, now }
    }
}

/// `POST /v1/decisions/{digest}/replay`.
pub(super) async fn replay(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    access::everywhere(&request, &state, Role::Audit)?;
    query::read(&request, &[])?;
    let digest = query::digest(&request)?;
    let replayed = state
        .read(move |reader, state| {
            let replayed = state.gate.replay(reader, &digest).map_err(not_replayed)?;
            replayed.ok_or_else(|| log::not_there(&digest))
        })
        .await?;
    Ok(HttpResponse::Ok().json(ReplayAnswer {
        decision: digest.to_string(),
        recorded: result(replayed.recorded == VerificationResult::Passed),
        result: result(replayed.decision.passed()),
        same: replayed.same,
        differences: differences(&replayed),
        statement: statement(&replayed.decision),
        changes: replayed.differences.told.into_iter().map(Change::from).collect(),
    }))
}

fn differences(replayed: &Replayed) -> Vec<String> {
    let Differences { told, more } = &replayed.differences;
    let mut lines: Vec<String> = told.iter().map(ToString::to_string).collect();
    if *more > 0 {
        lines.push(format!("and {more} more"));
    }
    if lines.is_empty() && !replayed.same {
        lines.push("the statement says the same in other bytes".to_owned());
    }
    lines
}

fn not_replayed(error: ReplayError) -> Refusal {
    match error {
        ReplayError::Store(error) => error.into(),
        ReplayError::NotADecision(_) => Refusal::new(ProblemType::DoesNotVerify, error.to_string()),
    }
}

/// A policy to try on past deployments.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WhatIfRequest {
    /// The policy: a TOML document, as it would be published.
    policy: String,
    /// Deployments from this moment on, RFC 3339. What runs is judged however old it is.
    since: String,
}

/// What a policy would have denied.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct WhatIfAnswer {
    /// The policy's name and version.
    policy: String,
    /// How many deployments were judged: those since then, and whatever runs.
    evaluated: u64,
    /// Those that it would deny.
    denied: Vec<WouldDeny>,
}

/// A deployment that a policy would deny.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct WouldDeny {
    /// The artifact.
    subject: String,
    /// Its name.
    name: Option<String>,
    /// The environment.
    environment: String,
    /// When it was deployed.
    deployed_at: String,
    /// The statement of the deployment.
    deployment: String,
    /// The decision that it names.
    decision: Option<String>,
    /// Whether it runs.
    running: bool,
    /// Whether it is denied by what is known now, and was not by what was known then; only of what runs.
    now: bool,
    /// The rules that do not hold, with what was found.
    reasons: Vec<String>,
}

/// `POST /v1/replays`.
pub(super) async fn what_if(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    access::everywhere(&request, &state, Role::Audit)?;
    query::read(&request, &[])?;
    body::plain(&request)?;
    let text = body::whole(payload, MAX_REPLAY_BYTES, state.config.request_timeout_ms).await?;
    let asked: WhatIfRequest = parsed(&text, "the request for a replay")?;
    let since: UtcTime =
        asked.since.parse().map_err(|e| malformed(format!("since: {}", chain(&e))))?;
    let answer = state
        .read(move |reader, state| {
            let ruling = state.gate.ruling(reader)?;
            let roster = ruling.governance.trust.as_ref().map(|trust| trust.roster());
            let policy = Policy::read(asked.policy.as_bytes(), roster).map_err(|faults| {
                malformed(format!("expected a policy, found faults: {faults}"))
            })?;
            let policy = Arc::new(policy);
            let what_if = state.gate.what_if(reader, &policy, since).map_err(not_replayed)?;
            let denied = what_if.denied.into_iter().map(|one| WouldDeny {
                subject: one.subject.to_string(),
                name: one.name,
                environment: one.environment,
                deployed_at: one.deployed_at.to_string(),
                deployment: one.deployment.to_string(),
                decision: one.decision.map(|digest| digest.to_string()),
                running: one.running,
                now: one.now,
                reasons: one.reasons,
            });
            Ok(WhatIfAnswer {
                policy: policy.title(),
                evaluated: what_if.evaluated,
                denied: denied.collect(),
            })
        })
        .await?;
    Ok(HttpResponse::Ok().json(answer))
}

/// `GET /v1/packs?subject=&environment=[&name=]`.
pub(super) async fn pack(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    access::everywhere(&request, &state, Role::Audit)?;
    let asked = query::read(&request, &["subject", "environment", "name"])?;
    let required = |name: &str, expected: &str| {
        asked.text(name).ok_or_else(|| query::wrong(name, expected, "nothing"))
    };
    let expected = "sha256:<64 hex digits>";
    let text = required("subject", expected)?;
    let subject = text.parse().map_err(|_| query::wrong("subject", expected, text))?;
    let request = Request {
        subject,
        environment: plain("environment", required("environment", "an environment")?)?,
        name: asked.text("name").map(|name| plain("name", name)).transpose()?,
        caller: None,
        configuration: None,
    };
    let pack = state.read(move |reader, state| Ok(state.gate.pack(reader, &request)?)).await?;
    let text = serde_json::to_vec(&pack).map_err(|e| Refusal::internal(&e.to_string()))?;
    Ok(HttpResponse::Ok().content_type(MEDIA_TYPE).body(text))
}

impl From<GateError> for Refusal {
    fn from(error: GateError) -> Self {
        match error {
            GateError::Store(error) => error.into(),
            GateError::Submit(error) => error.into(),
            GateError::Signing(_) | GateError::Unassessed(_) => Self::internal(&chain(&error)),
            GateError::TooMuch => Self::new(ProblemType::DoesNotVerify, error.to_string()),
        }
    }
}
