//! `/v1/roster` and `/v1/policies`: who rules, and by which documents.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use attestry_schemas::digest::Sha256;
use attestry_schemas::gate::Said;
use attestry_schemas::gate::governance::{Governance, Pending, PublishedPolicy, sha256};
use attestry_schemas::problem::ProblemType;
use attestry_schemas::roster::trust::{Published, id_of, reason_name};
use serde::Serialize;

use super::problem::Refusal;
use super::{State, access, query};
use crate::gate::Ruling;
use crate::store::Reader;

/// A document that waits for signatures.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct PendingDocument {
    /// The policy's name; none for a roster.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The version.
    version: u64,
    /// The digest of the document.
    digest: String,
    /// How many have signed.
    have: u64,
    /// How many must.
    need: u64,
}

impl PendingDocument {
    fn of(pending: &Pending) -> Self {
        Self {
            name: pending.name.clone(),
            version: pending.version,
            digest: pending.digest.to_string(),
            have: pending.have,
            need: pending.need,
        }
    }
}

/// A version of the roster.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct RosterAnswer {
    /// The version; none while none rules.
    version: Option<u64>,
    /// The digest of the document.
    digest: Option<String>,
    /// From when on it no longer counts.
    expires: Option<String>,
    /// Since when it rules.
    published_at: Option<String>,
    /// The document.
    document: Option<String>,
    /// The statements that publish it, by digest.
    signatures: Vec<String>,
    /// How many root keys must sign.
    threshold: u64,
    /// Versions that wait for signatures.
    pending: Vec<PendingDocument>,
    /// Who is revoked, by the roster and by statements of the root keys; and by statements that too few have signed.
    revocations: Vec<RevocationAnswer>,
}

/// That a signer is revoked.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct RevocationAnswer {
    /// The key's fingerprint, or the identity.
    signer: String,
    /// The signer's name; none where the roster has no such signer.
    name: Option<String>,
    /// `compromised`, `superseded`, `affiliation-changed`, `cessation-of-operation` or `unspecified`.
    reason: String,
    /// From when on, as it states.
    effective_at: String,
    /// From when on what the signer signs does not count; none while too few have signed.
    from: Option<String>,
    /// When the log first held it; none while too few have signed.
    logged_at: Option<String>,
    /// The statements, by digest; none where the roster says it.
    statements: Vec<String>,
    /// How many have signed.
    have: u64,
    /// How many must.
    need: u64,
}

fn revocations(governance: &Governance, threshold: u64) -> Vec<RevocationAnswer> {
    let Some(trust) = &governance.trust else { return Vec::new() };
    let signers = &trust.roster().signers;
    let mut all = Vec::new();
    for entry in signers {
        let Some(revoked) = entry.revoked else { continue };
        let id = entry.id.to_string();
        let says = |one: &&Published| {
            one.roster
                .signers
                .iter()
                .any(|other| other.revoked.is_some() && other.id.to_string() == id)
        };
        let known_at = governance.rosters.iter().filter(says).map(|one| one.at).min();
        all.push(RevocationAnswer {
            signer: id,
            name: Some(entry.name.clone()),
            reason: reason_name(revoked.reason).to_owned(),
            effective_at: revoked.at.to_string(),
            from: trust.revocation(entry).map(|(from, _)| from.to_string()),
            logged_at: known_at.map(|at| at.to_string()),
            statements: Vec::new(),
            have: threshold,
            need: threshold,
        });
    }
    for one in &governance.revocations {
        let id = id_of(&one.said.signer);
        let entry = signers.iter().find(|entry| entry.id.to_string() == id);
        let from = entry.and_then(|entry| trust.revocation(entry)).filter(|_| one.at.is_some());
        all.push(RevocationAnswer {
            name: entry.map(|entry| entry.name.clone()),
            signer: id,
            reason: reason_name(one.said.reason).to_owned(),
            effective_at: one.said.effective_at.to_string(),
            from: from.map(|(from, _)| from.to_string()),
            logged_at: one.at.map(|at| at.to_string()),
            statements: one.statements.iter().map(ToString::to_string).collect(),
            have: one.have,
            need: one.need,
        });
    }
    all
}

/// `GET /v1/roster[?version=]`.
pub(super) async fn roster(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    access::read(&request, &state)?;
    let version = query::read(&request, &["version"])?.number("version")?;
    let answer = state
        .read(move |reader, state| {
            let ruling = state.gate.ruling(reader)?;
            roster_answer(reader, &ruling, version, state.gate.root_threshold())
        })
        .await?;
    Ok(HttpResponse::Ok().json(answer))
}

fn roster_answer(
    reader: &Reader<'_>,
    ruling: &Ruling,
    version: Option<u64>,
    threshold: u64,
) -> Result<RosterAnswer, Refusal> {
    let governance = &ruling.governance;
    let pending = governance.pending.iter().filter(|one| one.name.is_none());
    let pending: Vec<PendingDocument> = pending.map(PendingDocument::of).collect();
    let published = match version {
        Some(version) => governance.rosters.iter().find(|one| one.roster.version == version),
        None => governance.rosters.last(),
    };
    let Some(published) = published else {
        if version.is_none() && !pending.is_empty() {
            return Ok(RosterAnswer {
                version: None,
                digest: None,
                expires: None,
                published_at: None,
                document: None,
                signatures: Vec::new(),
                threshold,
                pending,
                revocations: Vec::new(),
            });
        }
        let wanted =
            version.map_or_else(|| "a roster".to_owned(), |v| format!("version {v} of the roster"));
        return Err(nothing(&wanted, "attestry roster push publishes one"));
    };
    let digest = published.roster.digest;
    let signs =
        |said: &Said| matches!(said, Said::Roster(said) if sha256(&said.digest) == Some(digest));
    let signatures = ruling.statements().iter().filter(|one| signs(one.said()));
    Ok(RosterAnswer {
        version: Some(published.roster.version),
        digest: Some(digest.to_string()),
        expires: Some(published.roster.expires.to_string()),
        published_at: Some(published.at.to_string()),
        document: Some(text(reader, digest)?),
        signatures: signatures.map(|one| one.digest().to_string()).collect(),
        threshold,
        pending,
        revocations: revocations(governance, threshold),
    })
}

fn nothing(wanted: &str, fix: &str) -> Refusal {
    Refusal::new(ProblemType::NotFound, format!("expected {wanted}, found none; {fix}"))
}

fn text(reader: &Reader<'_>, digest: Sha256) -> Result<String, Refusal> {
    Ok(String::from_utf8_lossy(&reader.attested_bytes(digest)?).into_owned())
}

/// A policy that rules.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct PolicyAnswer {
    /// Its name.
    name: String,
    /// Its version.
    version: u64,
    /// The digest of the document.
    digest: String,
    /// `enforce`, `warn` or `shadow`.
    mode: String,
    /// From when on it no longer counts.
    expires: String,
    /// Which artifacts it is for.
    artifacts: Vec<String>,
    /// Which environments it is for.
    environments: Vec<String>,
    /// Since when it rules.
    published_at: String,
    /// What was found where its rules are not read, or too few of those who signed it count any more: all that it is for is denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<String>,
    /// The document.
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<String>,
}

impl PolicyAnswer {
    fn of(published: &PublishedPolicy) -> Self {
        let policy = &published.policy;
        let patterns = |patterns: &[attestry_schemas::document::Pattern]| {
            patterns.iter().map(ToString::to_string).collect()
        };
        Self {
            name: policy.name.clone(),
            version: policy.version,
            digest: policy.digest.to_string(),
            mode: policy.mode.name().to_owned(),
            expires: policy.expires.to_string(),
            artifacts: patterns(&policy.artifacts),
            environments: patterns(&policy.environments),
            published_at: published.at.to_string(),
            unread: policy.unread.clone(),
            document: None,
        }
    }
}

/// The policies that rule, and those that wait for signatures.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct PoliciesAnswer {
    /// The newest version of each, by name.
    items: Vec<PolicyAnswer>,
    /// Versions that wait for signatures.
    pending: Vec<PendingDocument>,
}

/// `GET /v1/policies`.
pub(super) async fn policies(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    access::read(&request, &state)?;
    query::read(&request, &[])?;
    let answer = state
        .read(|reader, state| {
            let ruling = state.gate.ruling(reader)?;
            let pending = ruling.governance.pending.iter().filter(|one| one.name.is_some());
            Ok(PoliciesAnswer {
                items: ruling.governance.policies.iter().map(PolicyAnswer::of).collect(),
                pending: pending.map(PendingDocument::of).collect(),
            })
        })
        .await?;
    Ok(HttpResponse::Ok().json(answer))
}

/// `GET /v1/policies/{name}[?version=]`.
pub(super) async fn policy(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    access::read(&request, &state)?;
    let version = query::read(&request, &["version"])?.number("version")?;
    let name = request.match_info().query("name").to_owned();
    let answer = state
        .read(move |reader, state| {
            let ruling = state.gate.ruling(reader)?;
            let is_it = |one: &&PublishedPolicy| {
                one.policy.name == name && version.is_none_or(|v| v == one.policy.version)
            };
            let found = ruling.governance.history.iter().rev().find(is_it);
            let found = found.ok_or_else(|| {
                let shown: String = name.chars().take(100).collect();
                let version = version.map_or_else(String::new, |v| format!(" of version {v}"));
                nothing(
                    &format!("a policy {shown:?}{version}"),
                    "attestry policy show lists those that rule",
                )
            })?;
            let document = Some(text(reader, found.policy.digest)?);
            Ok(PolicyAnswer { document, ..PolicyAnswer::of(found) })
        })
        .await?;
    Ok(HttpResponse::Ok().json(answer))
}
