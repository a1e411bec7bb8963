//! `/v1/audit/access`: who did what, and what was refused.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::problem::Refusal;
use super::query::Parameters;
use super::{State, access, query};
use crate::authority::Caller;
use crate::rights::Role;
use crate::store::Reader;
use crate::trail::{EventRecord, Ring};

/// The page size where none is asked for, and the largest.
const DEFAULT_PAGE: usize = 100;
const MAX_PAGE: usize = 1000;
/// The most events that one page reads to find those that are asked for.
const MAX_READS: usize = 20_000;
const PARAMETERS: &[&str] =
    &["principal", "role", "outcome", "namespace", "since", "until", "limit", "cursor"];

/// A page of events, the newest first.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct AccessAnswer {
    /// The events.
    items: Vec<AccessEvent>,
    /// The path of the next page, when there may be more.
    next: Option<String>,
}

/// Who did what, or was refused.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct AccessEvent {
    /// Its number; numbers only grow.
    number: u64,
    /// When.
    at: String,
    /// `allowed` or `denied`.
    outcome: String,
    /// As whom the registry knew the caller, such as token:ci; nothing for a credential that it did not know.
    principal: Option<String>,
    /// What the caller's issuer or certificate calls them.
    subject: Option<String>,
    /// The role that was demanded.
    role: Option<String>,
    /// The namespace or repository that it was demanded in.
    namespace: Option<String>,
    /// The method of the request.
    method: String,
    /// The path of the request; below /v2/ with its query, which names tags, digests and sources of mounts.
    path: String,
    /// The address that it came from.
    address: Option<String>,
    /// The status of the answer.
    status: u16,
    /// The id of the request, which its answer has as x-request-id.
    request: String,
    /// How many events of this outcome were dropped before this one, because there were too many.
    dropped: u64,
}

impl AccessEvent {
    fn of(ring: Ring, number: u64, event: EventRecord) -> Self {
        let at = jiff::Timestamp::from_millisecond(event.at_ms).map(|at| at.to_string());
        Self {
            number,
            at: at.unwrap_or_default(),
            outcome: outcome(ring).to_owned(),
            principal: event.principal,
            subject: event.subject,
            role: event.role,
            namespace: event.namespace,
            method: event.method,
            path: event.path,
            address: event.address,
            status: event.status,
            request: event.request,
            dropped: event.dropped,
        }
    }
}

fn outcome(ring: Ring) -> &'static str {
    match ring {
        Ring::Done => "allowed",
        Ring::Denied => "denied",
    }
}

/// What is asked for.
struct Asked {
    rings: Vec<Ring>,
    principal: Option<String>,
    role: Option<String>,
    namespace: Option<String>,
    since_ms: i64,
    until_ms: i64,
    below: u64,
    limit: usize,
}

impl Asked {
    fn read(asked: &Parameters) -> Result<Self, Refusal> {
        let owned = |name: &str| asked.text(name).map(str::to_owned);
        let rings = match asked.text("outcome") {
            None => Ring::ALL.to_vec(),
            Some("allowed") => vec![Ring::Done],
            Some("denied") => vec![Ring::Denied],
            Some(text) => return Err(query::wrong("outcome", "allowed or denied", text)),
        };
        let limit = asked.number("limit")?.map_or(Ok(DEFAULT_PAGE), |limit| {
            let fits = usize::try_from(limit).ok().filter(|limit| (1..=MAX_PAGE).contains(limit));
            let expected = format!("a number from 1 to {MAX_PAGE}");
            fits.ok_or_else(|| query::wrong("limit", &expected, &limit.to_string()))
        })?;
        let time = |name: &str, otherwise| match asked.text(name) {
            None => Ok(otherwise),
            Some(text) => text
                .parse()
                .map(jiff::Timestamp::as_millisecond)
                .map_err(|_| query::wrong(name, "a time such as 2026-01-31T00:00:00Z", text)),
        };
        Ok(Self {
            rings,
            principal: owned("principal"),
            role: owned("role"),
            namespace: owned("namespace"),
            since_ms: time("since", i64::MIN)?,
            until_ms: time("until", i64::MAX)?,
            below: asked.number("cursor")?.unwrap_or(u64::MAX),
            limit,
        })
    }

    fn fits(&self, event: &EventRecord, caller: &Caller) -> bool {
        let is = |asked: &Option<String>, found: &Option<String>| {
            asked.is_none() || asked.as_deref() == found.as_deref()
        };
        let namespace = event.namespace.as_deref();
        let may_see = caller.rights.may_everywhere(Role::Audit)
            || namespace.is_some_and(|namespace| caller.rights.may(Role::Audit, namespace));
        may_see
            && is(&self.principal, &event.principal)
            && is(&self.role, &event.role)
            && is(&self.namespace, &event.namespace)
            && event.at_ms <= self.until_ms
    }
}

/// `GET /v1/audit/access`: those of the namespaces that the caller may audit.
pub(super) async fn access(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    let caller = access::somewhere(&request, &state, &[Role::Audit])?;
    let asked = Asked::read(&query::read(&request, PARAMETERS)?)?;
    let (items, below) = state.read(move |reader, _| page(reader, &asked, &caller)).await?;
    let next = below.map(|below| query::next("/v1/audit/access", request.query_string(), below));
    Ok(HttpResponse::Ok().json(AccessAnswer { items, next }))
}

/// The newest events that fit, of both rings in the order of their numbers, and where the next page begins.
fn page(
    reader: &Reader<'_>,
    asked: &Asked,
    caller: &Caller,
) -> Result<(Vec<AccessEvent>, Option<u64>), Refusal> {
    let mut heads = Vec::new();
    for ring in &asked.rings {
        heads.push((*ring, reader.event_below(*ring, asked.below)?));
    }
    let (mut items, mut below) = (Vec::new(), asked.below);
    for _ in 0..MAX_READS {
        let newest =
            heads.iter_mut().max_by_key(|(_, head)| head.as_ref().map(|(number, _)| *number));
        let Some((ring, head)) = newest else { return Ok((items, None)) };
        let Some((number, event)) = head.take() else { return Ok((items, None)) };
        if event.at_ms < asked.since_ms {
            return Ok((items, None));
        }
        if items.len() == asked.limit {
            return Ok((items, Some(below)));
        }
        below = number;
        *head = reader.event_below(*ring, number)?;
        if asked.fits(&event, caller) {
            items.push(AccessEvent::of(*ring, number, event));
        }
    }
    Ok((items, Some(below)))
}
