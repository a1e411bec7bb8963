//! The paths of Rekor v2: tiles and checkpoints as C2SP tlog-tiles has them, and the write path
//! of stock clients, where the signature is the credential.

use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, ETAG};
use actix_web::{HttpRequest, HttpResponse, web};
use attestry_schemas::digest::Sha256;
use attestry_schemas::problem::{ProblemType, chain};
use attestry_schemas::rekor::{RequestError, WriteRequest};
use attestry_schemas::tile::TilePath;
use attestry_schemas::verify;

use super::problem::Refusal;
use super::{State, access, body, conditional, submit};
use crate::log::Submission;

const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// `GET /api/v2/checkpoint`.
pub(super) async fn checkpoint(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    access::read(&request, &state)?;
    let latest = state.read(|reader, _| Ok(reader.latest_checkpoint()?)).await?;
    let (_, latest) = latest.ok_or_else(|| Refusal::internal("the log has no checkpoint"))?;
    Ok(HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(latest.text))
}

/// `GET /api/v2/tile/<L>/<N>[.p/<W>]` and `GET /api/v2/tile/entries/<N>[.p/<W>]`.
pub(super) async fn tile(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    access::read(&request, &state)?;
    let text = format!("tile/{}", request.match_info().query("path"));
    let path: TilePath = text.parse().map_err(|e| {
        Refusal::new(ProblemType::MalformedPath, format!("no such tile: {}", chain(&e)))
    })?;
    let (full, bytes) = state
        .read(move |reader, _| match path {
            TilePath::Hashes(tile) => {
                Ok((tile.is_full(), reader.tile_hashes(tile.level, tile.index, tile.width)?))
            }
            TilePath::Entries(bundle) => {
                Ok((bundle.is_full(), reader.entry_bundle(bundle.index, bundle.width)?))
            }
        })
        .await?;
    let bytes = bytes
        .ok_or_else(|| Refusal::new(ProblemType::NotFound, format!("the log has no {text} yet")))?;
    let tag = format!("\"{}\"", Sha256::of(&bytes).hex());
    let unchanged = conditional::is_unchanged(&request, &tag);
    let mut response = if unchanged { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.content_type("application/octet-stream");
    response.insert_header((ETAG, tag));
    // A partial tile's bytes never change either, but its place is taken by a fuller one.
    response.insert_header((CACHE_CONTROL, if full { IMMUTABLE } else { "public, max-age=60" }));
    Ok(if unchanged { response.finish() } else { response.body(bytes) })
}

/// `POST /api/v2/log/entries`. sigstore-go takes 201 and nothing else for success, also for an
/// entry that was there.
pub(super) async fn submit(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    access::counted(&request, &state)?;
    body::plain(&request)?;
    let limit = state.config.max_body_bytes.min(state.config.max_rekor_body_bytes);
    let text = body::whole(payload, limit, state.config.request_timeout_ms).await?;
    let submission = state.blocking(move |state| verified(&text, state)).await?;
    let receipt = submit::receipt(&state, submission).await?;
    let entry = state.log.identity().tlog_entry(receipt.body, &receipt.proven);
    Ok(HttpResponse::Created().json(entry))
}

fn verified(text: &[u8], state: &State) -> Result<Submission, Refusal> {
    let request = WriteRequest::parse(text).map_err(|e| refused(&e))?;
    let key = request.key();
    let admission = submit::Admission::now(state)?;
    let signer = key.fingerprint().into();
    let known = admission.key(&key.fingerprint()).is_some() && admission.signature(&signer).is_ok();
    if !known && !state.config.accept_unknown_signers {
        let fingerprint = key.fingerprint().to_string();
        return Err(Refusal::new(
            ProblemType::Forbidden,
            format!(
                "the key {fingerprint} is not one that this registry trusts; {}",
                admission.remedy()
            ),
        )
        .with("fingerprint", fingerprint));
    }
    let entry = request.verified_entry().map_err(|e| refused(&e))?;
    if let WriteRequest::Dsse(dsse) = &request
        && let Ok(signed) = verify::envelope(&dsse.envelope, std::slice::from_ref(key))
    {
        submit::check_predicate(&signed)?;
        let bytes = dsse.envelope.to_json();
        if known {
            admission.statement(&signed, &bytes)?;
        }
        let submission =
            Submission::of_statement(&signed, bytes, submit::DEFAULT_NAMESPACE, known).unclaimed();
        return Ok(submission.prepared(&state.store)?);
    }
    Ok(Submission::of_entry(&entry, key, submit::DEFAULT_NAMESPACE, known))
}

fn refused(error: &RequestError) -> Refusal {
    let type_ = match error {
        RequestError::Json(_)
        | RequestError::Base64(_)
        | RequestError::Digest { .. }
        | RequestError::Verifier(_)
        | RequestError::VerifierCount { .. }
        | RequestError::Envelope(_) => ProblemType::MalformedBody,
        RequestError::Kind { .. } | RequestError::Certificate => ProblemType::UnsupportedEntry,
        RequestError::Signature(_) => ProblemType::DoesNotVerify,
    };
    Refusal::new(type_, chain(error))
}
