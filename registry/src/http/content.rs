//! `/v1/content/{digest}`: reports, logs and evidence files that statements name, of any size.

use std::convert::Infallible;
use std::sync::Arc;

use actix_web::http::header::{CONTENT_LENGTH, ETAG};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use attestry_schemas::digest::Sha256;
use attestry_schemas::problem::ProblemType;
use futures_util::StreamExt as _;
use serde::Serialize;
use tokio::sync::mpsc;

use super::problem::Refusal;
use super::{State, access, body, query, ranged};
use crate::log::{ChangeError, Prepared};
use crate::rights::Role;
use crate::store::content::{Claim, Written};
use crate::store::engine::{Batch, Family};
use crate::store::oci::key;
use crate::store::query::Visibility;
use crate::store::{Content, Reader, StoreError};

/// How many chunks of an upload may wait for the disk.
const WAITING_CHUNKS: usize = 16;

/// What was stored.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct Stored {
    /// Its digest.
    digest: String,
    /// Its size in bytes.
    size_bytes: u64,
}

/// `PUT /v1/content/{digest}`.
pub(super) async fn put(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    let caller = access::somewhere(&request, &state, &[Role::Attest])?;
    body::plain(&request)?;
    let digest = query::digest(&request)?;
    let limit = state.config.max_content_bytes;
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok());
    if announced.and_then(|text| text.parse::<u64>().ok()).is_some_and(|bytes| bytes > limit) {
        return Err(body::too_large(limit));
    }
    // Whom it may not be shown is not told that it is here.
    let visibility = access::seen(&caller);
    let existed = state.read(move |reader, _| Ok(shown(reader, digest, &visibility)?.is_some()));
    let existed = existed.await?;
    let timeout_ms = state.config.content_timeout_ms;
    let (written, claim) = body::within(timeout_ms, upload(&state, payload, digest, limit)).await?;
    let size_bytes = written.size_bytes();
    keep(&state, written, claim).await?;
    let answer = Stored { digest: digest.to_string(), size_bytes };
    let mut response = if existed { HttpResponse::Ok() } else { HttpResponse::Created() };
    response.insert_header((ETAG, format!("\"{}\"", digest.hex())));
    Ok(response.json(answer))
}

/// Makes what was uploaded something that stays, whatever repositories link or unlink.
async fn keep(state: &Arc<State>, written: Written, claim: Claim) -> Result<(), Refusal> {
    let pending = state.log.change(move |_| {
        let mut writes = Batch::default();
        writes.put(Family::Uses, key::pin(written.digest()), []);
        if let Written::Inline { digest, bytes } = written {
            writes.put(Family::Content, digest.0, bytes);
        }
        Ok::<_, Infallible>((Prepared { writes, leaves: Vec::new() }, ()))
    })?;
    let made = pending.made().await;
    drop(claim);
    made.map(|_| ()).map_err(|error| match error {
        ChangeError::Refused(never) => match never {},
        ChangeError::Log(error) => error.into(),
    })
}

/// Streams a body to the disk: this task reads the connection, a blocking thread hashes and
/// writes, and a short queue between them bounds the memory.
async fn upload(
    state: &Arc<State>,
    mut payload: web::Payload,
    digest: Sha256,
    limit_bytes: u64,
) -> Result<(Written, Claim), Refusal> {
    let (sender, mut chunks) = mpsc::channel::<Option<Bytes>>(WAITING_CHUNKS);
    let writing = state.blocking(move |state| {
        let mut writer = state.store.content_writer(limit_bytes);
        loop {
            match chunks.blocking_recv() {
                Some(Some(chunk)) => writer.write(&chunk).map_err(StoreError::Content)?,
                Some(None) => break,
                // The connection ended before the body did; the unfinished file goes.
                None => return Err(abandoned()),
            }
        }
        let matched = writer.matched(&digest.into()).map_err(StoreError::Content)?;
        Ok(matched.commit().map_err(StoreError::Content)?)
    });
    let feeding = async move {
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|e| body::cut_short(&e))?;
            if sender.send(Some(chunk)).await.is_err() {
                // The writer has refused; its reason is the answer.
                return Ok(());
            }
        }
        let _ = sender.send(None).await;
        Ok(())
    };
    let (written, fed) = futures_util::future::join(writing, feeding).await;
    fed.and(written)
}

fn abandoned() -> Refusal {
    Refusal::new(ProblemType::MalformedBody, "the body ended before it was whole")
}

/// Content that may be shown by its digest alone: what a repository has is shown by that repository. To whom not
/// every namespace is visible, what an attestation of a visible one has; a file by itself is in no namespace.
fn shown(
    reader: &Reader<'_>,
    digest: Sha256,
    visibility: &Visibility,
) -> Result<Option<Content>, Refusal> {
    let is_shown = match visibility {
        Visibility::All => reader.is_open(&digest)?,
        Visibility::Within(_) => match reader.sequence_of_digest(&digest)? {
            Some(sequence) => {
                let record = reader.record(sequence)?;
                record.is_some_and(|record| visibility.allows(&record.namespace))
            }
            None => false,
        },
    };
    Ok(if is_shown { reader.content(digest)? } else { None })
}

/// `GET` and `HEAD /v1/content/{digest}`, whole or one range (RFC 9110 §14).
pub(super) async fn get(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    let visibility = access::read(&request, &state)?;
    let digest = query::digest(&request)?;
    let content = state.read(move |reader, _| shown(reader, digest, &visibility)).await?;
    let content = content.ok_or_else(|| {
        Refusal::new(ProblemType::NotFound, format!("no content with digest {digest} is here"))
    })?;
    let tag = format!("\"{}\"", digest.hex());
    ranged::respond(&request, content, tag, &[]).map_err(|range| {
        let detail =
            format!("expected a range within {} bytes, found {:?}", range.size_bytes, range.found);
        Refusal::new(ProblemType::RangeNotSatisfiable, detail).with("size_bytes", range.size_bytes)
    })
}
