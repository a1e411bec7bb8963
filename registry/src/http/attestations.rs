//! `/v1/attestations`: taking, listing and giving back.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};
use attestry_schemas::bundle::Bundle;
use attestry_schemas::digest::{Digest, Sha256};
use attestry_schemas::key::Fingerprint;
use attestry_schemas::oci::image_signature;
use attestry_schemas::problem::{Problem, chain};
use attestry_schemas::rekor::Entry;
use attestry_schemas::{bundle, dsse, predicate};
use serde::Serialize;
use serde_json::Value;

use super::problem::Refusal;
use super::query::Parameters;
use super::{State, access, body, conditional, log, query, submit};
use crate::log::Receipt;
use crate::store::Reader;
use crate::store::key::{Term, TermKind};
use crate::store::query::{MAX_PAGE, Query, Visibility};
use crate::store::record::{Kind, Record, RecordedSubject};

/// What became of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// It is in the log now.
    Created,
    /// It was in the log before.
    Existing,
    /// It was refused; nothing of it is kept.
    Refused,
}

/// The answer for one item.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct ItemAnswer {
    /// What became of it.
    status: Outcome,
    /// The digest under which it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    /// Its index in the log, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    /// The namespace that it belongs to: that of the first who submitted it with a token, which a
    /// later request for another does not change.
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    /// The complete Sigstore bundle, with inclusion proof and checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    bundle: Option<Value>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
}

/// The answer for all items, in their order.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct SubmitAnswer {
    /// One answer for each item.
    items: Vec<ItemAnswer>,
}

/// `POST /v1/attestations[?namespace=]`.
pub(super) async fn submit(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    let caller = access::somewhere(&request, &state, access::STATING)?;
    let asked = query::read(&request, &["namespace"])?;
    let namespace = submit::namespace(asked.text("namespace"))?;
    access::within(&request, &caller, access::STATING, &namespace)?;
    let stating = access::Stating::of(&caller, &namespace);
    body::plain(&request)?;
    let limit = state.config.max_body_bytes;
    let text = body::whole(payload, limit, state.config.request_timeout_ms).await?;
    let verified = state
        .blocking(move |state| {
            let items = submit::items(&text, state.config.max_items_per_request)?;
            let admission = submit::Admission::now(state)?;
            Ok(items
                .into_iter()
                .map(|item| submit::verified(item, &namespace, &admission, &stating))
                .collect::<Vec<_>>())
        })
        .await?;
    let receipts = receipts(&state, verified).await;
    answer(&state, receipts)
}

/// The item as the log has it: of one signature with a certificate there may be several bundles, with other timestamps and log
/// entries, and the first that came is the one that is kept.
async fn kept(state: &Arc<State>, receipt: Receipt, mut item: submit::Item) -> Submitted {
    let digest = receipt.digest;
    if item.submission.payload.kind != Kind::Bundle || digest == item.submission.payload.digest {
        return Ok((receipt, item));
    }
    let bytes = state.read(move |reader, _| Ok(reader.attested_bytes(digest)?)).await?;
    item.bundle = Bundle::parse(&bytes).map_err(|error| Refusal::internal(&chain(&error)))?;
    Ok((receipt, item))
}

type Submitted = Result<(Receipt, submit::Item), Refusal>;

/// Queues the items and waits for their receipts. When the queue is full, what was queued is
/// waited for first, so that one long list does not overload an idle log by itself.
async fn receipts(state: &Arc<State>, items: Vec<Result<submit::Item, Refusal>>) -> Vec<Submitted> {
    let mut pending = Vec::new();
    let mut done: Vec<Submitted> = Vec::new();
    for item in items {
        let queued = item.map(|item| (state.log.submit(item.submission.clone()), item));
        match queued {
            Ok((Ok(receiver), item)) => pending.push(Ok((receiver, item))),
            Ok((Err(_), item)) if !pending.is_empty() => {
                settle(state, &mut pending, &mut done).await;
                let receiver = state.log.submit(item.submission.clone());
                pending.push(receiver.map(|r| (r, item)).map_err(Refusal::from));
            }
            Ok((Err(full), _)) => pending.push(Err(full.into())),
            Err(refusal) => pending.push(Err(refusal)),
        }
    }
    settle(state, &mut pending, &mut done).await;
    done
}

type Receiver = tokio::sync::oneshot::Receiver<Result<Receipt, crate::log::SubmitError>>;

async fn settle(
    state: &Arc<State>,
    pending: &mut Vec<Result<(Receiver, submit::Item), Refusal>>,
    done: &mut Vec<Submitted>,
) {
    for queued in pending.drain(..) {
        done.push(match queued {
            Ok((receiver, item)) => match submit::answered(receiver).await {
                Ok(receipt) => kept(state, receipt, item).await,
                Err(refusal) => Err(refusal),
            },
            Err(refusal) => Err(refusal),
        });
    }
}

/// The refusal of a list of which nothing was taken because the server cannot take anything now:
/// its status is the answer's, so that the client waits and tries again.
fn unavailable(receipts: &[Submitted]) -> Option<Refusal> {
    let is_unavailable = |one: &Submitted| {
        one.as_ref().is_err_and(|refusal| matches!(refusal.problem().status, 503 | 507))
    };
    match receipts {
        [Err(first), ..] if receipts.iter().all(is_unavailable) => Some(first.clone()),
        _ => None,
    }
}

fn answer(state: &State, receipts: Vec<Submitted>) -> Result<HttpResponse, Refusal> {
    if receipts.len() > 1
        && let Some(refusal) = unavailable(&receipts)
    {
        receipts.iter().for_each(|_| count(state, Outcome::Refused));
        return Err(refusal);
    }
    let items: Vec<ItemAnswer> = match receipts.len() {
        1 => receipts
            .into_iter()
            .map(|one| one.map(|(receipt, item)| accepted(state, receipt, item)))
            .collect::<Result<_, _>>()
            .inspect_err(|_| count(state, Outcome::Refused))?,
        _ => receipts
            .into_iter()
            .map(|one| match one {
                Ok((receipt, item)) => accepted(state, receipt, item),
                Err(refusal) => refused(state, &refusal),
            })
            .collect(),
    };
    let any = |outcome| items.iter().any(|item| item.status == outcome);
    let status = match (any(Outcome::Refused), any(Outcome::Created)) {
        (true, _) => StatusCode::MULTI_STATUS,
        (false, true) => StatusCode::CREATED,
        (false, false) => StatusCode::OK,
    };
    let mut response = HttpResponse::build(status);
    if let [ItemAnswer { digest: Some(digest), .. }] = items.as_slice() {
        response.insert_header((LOCATION, format!("/v1/attestations/{digest}")));
    }
    Ok(response.json(SubmitAnswer { items }))
}

fn count(state: &State, outcome: Outcome) {
    let label = match outcome {
        Outcome::Created => "created",
        Outcome::Existing => "existing",
        Outcome::Refused => "refused",
    };
    state.metrics.submissions.with_label_values(&[label]).inc();
}

fn accepted(state: &State, receipt: Receipt, item: submit::Item) -> ItemAnswer {
    let status = if receipt.created { Outcome::Created } else { Outcome::Existing };
    count(state, status);
    if let Some(evidence) = item.evidence {
        state.gate.keep(evidence, &receipt);
    }
    let mut bundle = item.bundle;
    if receipt.body != item.submission.body
        && item.submission.payload.kind != Kind::Bundle
        && let Ok(kept) = Entry::parse(&receipt.body)
    {
        // The log has the signature in its other form, which is the one that the proof covers.
        bundle.content = bundle.content.with_signature(kept.signature);
    }
    let index = receipt.proven.index;
    bundle.tlog_entries.push(state.log.identity().tlog_entry(receipt.body, &receipt.proven));
    ItemAnswer {
        status,
        digest: Some(receipt.digest.to_string()),
        index: Some(index),
        namespace: Some(receipt.namespace),
        bundle: Some(bundle.to_value()),
        problem: None,
    }
}

fn refused(state: &State, refusal: &Refusal) -> ItemAnswer {
    count(state, Outcome::Refused);
    ItemAnswer {
        status: Outcome::Refused,
        digest: None,
        index: None,
        namespace: None,
        bundle: None,
        problem: Some(refusal.problem().clone()),
    }
}

/// What a search may name.
const LIST_PARAMETERS: &[&str] =
    &["subject", "type", "signer", "component", "namespace", "since", "until", "limit", "cursor"];

/// One attestation in a listing.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct Listed {
    /// The digest of its stored bytes.
    digest: String,
    /// Its index in the log, from 0.
    index: u64,
    /// When the log first held it, RFC 3339.
    logged_at: String,
    /// `envelope`, `message` (the signature of an artifact), `image-signature` (one that cosign 2 made, kept with the document that it is
    /// over), `bundle` (what a certificate's holder signed, an envelope or an artifact), or `entry` for a leaf whose envelope is not here.
    kind: String,
    /// The predicate type, for envelopes.
    predicate_type: Option<String>,
    /// The first subjects.
    subjects: Vec<ListedSubject>,
    /// How many subjects there are.
    subject_count: u64,
    /// Who signed it: the fingerprint of a key, or `SUBJECT (ISSUER)` of a certificate's identity.
    signer: String,
    /// Whether the registry is told to trust the signer.
    signer_known: bool,
    /// The namespace it belongs to.
    namespace: String,
}

/// A subject in a listing.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct ListedSubject {
    /// Its name.
    name: Option<String>,
    /// One of its digests: sha256 where it has one.
    digest: Option<String>,
}

/// One page of a listing, newest first.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct ListAnswer {
    /// The attestations.
    items: Vec<Listed>,
    /// The path of the next page, when there may be one.
    next: Option<String>,
}

/// The page size where none is asked for.
const DEFAULT_PAGE: usize = 100;

/// `GET /v1/attestations`.
pub(super) async fn list(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    let visibility = access::read(&request, &state)?;
    let asked = query::read(&request, LIST_PARAMETERS)?;
    let query = search(&asked, visibility)?;
    let page = state.read(move |reader, _| Ok(reader.search(&query)?)).await?;
    let next =
        page.next_below.map(|below| query::next("/v1/attestations", request.query_string(), below));
    let items = page.records.into_iter().map(|(index, record)| listed(index, record)).collect();
    Ok(HttpResponse::Ok().json(ListAnswer { items, next }))
}

fn search(asked: &Parameters, visibility: Visibility) -> Result<Query, Refusal> {
    let mut terms = Vec::new();
    if let Some(text) = asked.text("subject") {
        let expected = "a digest such as sha256:<64 hex digits>";
        let digest: Digest = text.parse().map_err(|_| query::wrong("subject", expected, text))?;
        terms.push(Term::new(TermKind::Subject, digest.to_string()));
    }
    if let Some(text) = asked.text("type") {
        terms.push(match predicate::from_short(text) {
            Some(known) => Term::new(TermKind::TypeName, known.short),
            None if text.contains(':') => Term::new(TermKind::PredicateType, text),
            None => return Err(query::wrong("type", "a short name or a URI", text)),
        });
    }
    if let Some(text) = asked.text("signer") {
        terms.push(Term::new(TermKind::Signer, signer(text)?));
    }
    if let Some(text) = asked.text("component") {
        let is_purl = text.starts_with("pkg:") && text.len() <= predicate::MAX_FACT_BYTES;
        if !is_purl && text.parse::<Digest>().is_err() {
            let expected = "a package URL such as pkg:cargo/serde or a component's digest";
            return Err(query::wrong("component", expected, text));
        }
        // Indexed in one spelling. A digest is no package URL and stays as it is.
        terms.push(Term::new(TermKind::Component, predicate::canonical_purl(text)));
    }
    if let Some(text) = asked.text("namespace") {
        terms.push(Term::new(TermKind::Namespace, submit::namespace(Some(text))?));
    }
    let limit = match asked.text("limit") {
        None => DEFAULT_PAGE,
        Some(text) => {
            let limit = text.parse().ok().filter(|limit| (1..=MAX_PAGE).contains(limit));
            let expected = format!("a number from 1 to {MAX_PAGE}");
            limit.ok_or_else(|| query::wrong("limit", &expected, text))?
        }
    };
    let below = asked.text("cursor").map(|text| {
        text.parse().map_err(|_| query::wrong("cursor", "the cursor of a next link", text))
    });
    Ok(Query {
        terms,
        since_ms: time("since", asked.text("since"))?,
        until_ms: time("until", asked.text("until"))?,
        visibility,
        below: below.transpose()?,
        limit,
    })
}

/// A signer as listings show it.
fn signer(text: &str) -> Result<String, Refusal> {
    // A plus that was not percent-encoded arrives as a space.
    if let Ok(fingerprint) = text.replace(' ', "+").parse::<Fingerprint>() {
        return Ok(fingerprint.to_string());
    }
    let is_identity = text.strip_suffix(')').is_some_and(|text| text.contains(" ("));
    let expected =
        "a key's fingerprint such as SHA256:…, or a certificate's identity as SUBJECT (ISSUER)";
    if is_identity { Ok(text.to_owned()) } else { Err(query::wrong("signer", expected, text)) }
}

fn time(name: &str, text: Option<&str>) -> Result<Option<i64>, Refusal> {
    let parse = |text: &str| {
        // A plus that was not percent-encoded arrives as a space.
        let time: jiff::Timestamp = text
            .replace(' ', "+")
            .parse()
            .map_err(|_| query::wrong(name, "a time such as 2026-01-31T00:00:00Z", text))?;
        Ok(time.as_millisecond())
    };
    text.map(parse).transpose()
}

fn listed(index: u64, record: Record) -> Listed {
    let time = jiff::Timestamp::from_millisecond(record.logged_at_ms);
    let subject = |s: RecordedSubject| {
        let sha256 = s.digests.iter().find(|d| d.as_sha256().is_some()).or(s.digests.first());
        ListedSubject { digest: sha256.map(ToString::to_string), name: s.name }
    };
    let kind = match record.kind {
        Kind::Envelope => "envelope",
        Kind::Message => "message",
        Kind::ImageSignature => "image-signature",
        Kind::Bundle => "bundle",
        Kind::Entry => "entry",
    };
    Listed {
        digest: record.digest.to_string(),
        index,
        logged_at: time.map(|t| t.to_string()).unwrap_or_default(),
        kind: kind.to_owned(),
        predicate_type: record.predicate_type,
        subjects: record.subjects.into_iter().map(subject).collect(),
        subject_count: record.subject_count,
        signer: record.signer.to_string(),
        signer_known: record.signer_known,
        namespace: record.namespace,
    }
}

/// Finds the record of a digest that the caller may see.
fn find(
    reader: &Reader<'_>,
    digest: &Sha256,
    visibility: &Visibility,
) -> Result<(u64, Record), Refusal> {
    let missing = || log::not_there(digest);
    let sequence = reader.sequence_of_digest(digest)?.ok_or_else(missing)?;
    let record = reader.record(sequence)?.ok_or_else(missing)?;
    if visibility.allows(&record.namespace) { Ok((sequence, record)) } else { Err(missing()) }
}

/// `GET /v1/attestations/{digest}`: the exact bytes.
pub(super) async fn exact(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    let visibility = access::read(&request, &state)?;
    let digest = query::digest(&request)?;
    let (kind, bytes) = state
        .read(move |reader, _| {
            let (sequence, record) = find(reader, &digest, &visibility)?;
            let kind = reader.kind_under(sequence, &record, &digest)?;
            let bytes = match kind {
                Kind::Entry => reader.leaf(sequence)?.ok_or_else(|| log::not_there(&digest))?,
                _ => reader.attested_bytes(digest)?,
            };
            Ok((kind, bytes))
        })
        .await?;
    let media_type = match kind {
        Kind::Envelope => dsse::MEDIA_TYPE,
        Kind::Message | Kind::Bundle => bundle::MEDIA_TYPE,
        Kind::ImageSignature => image_signature::MEDIA_TYPE,
        Kind::Entry => "application/json",
    };
    let tag = format!("\"{}\"", digest.hex());
    let unchanged = conditional::is_unchanged(&request, &tag);
    let mut response = match unchanged {
        true => HttpResponse::NotModified(),
        false => HttpResponse::Ok(),
    };
    response.insert_header((CONTENT_TYPE, media_type));
    response.insert_header((ETAG, tag));
    response.insert_header((CACHE_CONTROL, "private, max-age=31536000, immutable"));
    Ok(if unchanged { response.finish() } else { response.body(bytes) })
}

/// `GET /v1/attestations/{digest}/bundle[?size=]`.
pub(super) async fn bundle(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    let visibility = access::read(&request, &state)?;
    let digest = query::digest(&request)?;
    let size = query::read(&request, &["size"])?.number("size")?;
    let bytes = state
        .read(move |reader, state| {
            let (sequence, mut record) = find(reader, &digest, &visibility)?;
            let kind = match reader.kind_under(sequence, &record, &digest)? {
                Kind::Bundle => {
                    // The one that is asked for, which may be the one from before.
                    record.digest = digest;
                    Kind::Bundle
                }
                // Of a leaf there is no more to say than of what completed it.
                Kind::Entry => record.kind,
                kind => kind,
            };
            let log = state.log.identity();
            Ok(reader.bundle(sequence, &record, kind, size, log)?.to_json())
        })
        .await?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, bundle::MEDIA_TYPE)).body(bytes))
}
