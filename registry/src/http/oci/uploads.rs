//! `/v2/<name>/blobs/uploads/`: blobs in one request, in one stream, or in chunks; and mounts.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_RANGE, LOCATION, RANGE};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use attestry_schemas::oci::{BlobDigest, RepositoryName};
use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::blobs::CONTENT_DIGEST;
use super::{OciRefusal, State, name, parameter, parameters};
use crate::http::access::{self, Right};
use crate::oci::upload::Writing;
use crate::oci::{Actor, OciError};
use crate::rights::Role;

/// How many chunks of an upload may wait for the disk.
const WAITING_CHUNKS: usize = 16;

/// The id of a session, under the name that Docker's clients look for.
const UPLOAD_ID: &str = "Docker-Upload-UUID";

/// `POST`: begins a session, mounts a blob, or takes a whole one.
pub(in crate::http) async fn begin(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, OciRefusal> {
    let state: Arc<State> = state.into_inner();
    let name = name(&request)?;
    let actor = access::repository(&request, &state, &name, Right::Push)?;
    let parameters = parameters(&request)?;
    let digest = |name: &str| {
        let text = parameter(&parameters, name);
        text.map(str::parse::<BlobDigest>).transpose().map_err(OciError::Name)
    };
    if let Some(mount) = digest("mount")? {
        let from = parameter(&parameters, "from").map(str::parse::<RepositoryName>);
        let from = from.transpose().ok().flatten();
        if mount_from(&request, &state, (&name, &actor), from, &mount).await? {
            return Ok(created(&name, &mount));
        }
    }
    let whole = digest("digest")?;
    let is_sha512 = whole.as_ref().is_some_and(BlobDigest::is_sha512)
        || parameter(&parameters, "digest-algorithm") == Some("sha512");
    let id = state.oci.uploads().begin(&name, &actor.name, is_sha512)?;
    let Some(digest) = whole else {
        return Ok(session(HttpResponse::Accepted(), &name, &id, 0).finish());
    };
    let _ending = Ending { state: Arc::clone(&state), id };
    let writing = state.oci.uploads().hold(&name, &actor.name, &id.to_string())?;
    let taken = take(&request, payload, &state, (writing, &actor), None).await;
    finish(&state, (&name, actor), taken, digest).await
}

/// Ends a session of which no client knows, however its request ends.
struct Ending {
    state: Arc<State>,
    id: Uuid,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.state.oci.uploads().forget(&self.id);
    }
}

/// The most repositories in which a blob is looked for when none is named.
const MAX_HOLDERS: usize = 256;

/// Mounts a blob of the repository that is named, or of any, as long as the caller may read that.
async fn mount_from(
    request: &HttpRequest,
    state: &Arc<State>,
    (name, actor): (&RepositoryName, &Actor),
    from: Option<RepositoryName>,
    digest: &BlobDigest,
) -> Result<bool, OciRefusal> {
    let candidates = match from {
        Some(from) => {
            if !access::may_pull(request, state, &from) {
                // The answer does not tell; the record does.
                access::lacking(request, Role::Pull, &from);
            }
            vec![from]
        }
        None => {
            let digest = digest.clone();
            state.oci_read(move |reader, _| Ok(reader.holders(&digest, MAX_HOLDERS)?)).await?
        }
    };
    for from in candidates {
        // What may not be read is as if it were not there: the client uploads.
        if access::may_pull(request, state, &from)
            && state.oci.mount_blob(name, &from, digest, actor).await?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `GET`: how far a session is.
pub(in crate::http) async fn status(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, OciRefusal> {
    let (name, writing, _) = held(&request, &state)?;
    Ok(session(HttpResponse::NoContent(), &name, &writing.id, writing.size_bytes()).finish())
}

/// `PATCH`: appends a chunk, or a stream of unknown length.
pub(in crate::http) async fn append(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, OciRefusal> {
    let (name, writing, actor) = held(&request, &state)?;
    let state: Arc<State> = state.into_inner();
    let range_bytes = demand_order(&request, &name, &writing)?;
    let writing = take(&request, payload, &state, (writing, &actor), range_bytes).await?;
    Ok(session(HttpResponse::Accepted(), &name, &writing.id, writing.size_bytes()).finish())
}

/// `PUT`: appends the last chunk, if any, and ends the session.
pub(in crate::http) async fn end(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, OciRefusal> {
    let (name, writing, actor) = held(&request, &state)?;
    let state: Arc<State> = state.into_inner();
    let parameters = parameters(&request)?;
    let Some(text) = parameter(&parameters, "digest") else {
        let message = "expected the parameter digest, found none";
        return Err(OciRefusal::body(StatusCode::BAD_REQUEST, message));
    };
    let digest: BlobDigest = text.parse().map_err(OciError::Name)?;
    let range_bytes = demand_order(&request, &name, &writing)?;
    let taken = take(&request, payload, &state, (writing, &actor), range_bytes).await;
    finish(&state, (&name, actor), taken, digest).await
}

/// `DELETE`: ends a session and forgets what it wrote.
pub(in crate::http) async fn cancel(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, OciRefusal> {
    let state: Arc<State> = state.into_inner();
    let name = name(&request)?;
    let actor = access::repository(&request, &state, &name, Right::Push)?;
    state.oci.uploads().cancel(&name, &actor.name, request.match_info().query("session"))?;
    Ok(HttpResponse::NoContent().finish())
}

/// The session that a request names, held for it.
fn held(
    request: &HttpRequest,
    state: &State,
) -> Result<(RepositoryName, Writing, Actor), OciRefusal> {
    let name = name(request)?;
    let actor = access::repository(request, state, &name, Right::Push)?;
    let id = request.match_info().query("session");
    let writing = state.oci.uploads().hold(&name, &actor.name, id)?;
    Ok((name, writing, actor))
}

/// Demands that a chunk begins where the last one ended, and that as many bytes are announced as its range says; gives how
/// many that are, where there is a range.
fn demand_order(
    request: &HttpRequest,
    name: &RepositoryName,
    writing: &Writing,
) -> Result<Option<u64>, OciRefusal> {
    let Some(range) = request.headers().get(CONTENT_RANGE) else { return Ok(None) };
    let expected = writing.size_bytes();
    let found = range.to_str().unwrap_or_default();
    let refused = || {
        let found = found.chars().take(60).collect();
        let refusal = OciRefusal::from(OciError::OutOfOrder { expected, found });
        refusal
            .with(LOCATION.as_str(), place(name, &writing.id))
            .with(RANGE.as_str(), reached(expected))
    };
    let text = found.strip_prefix("bytes ").or(found.strip_prefix("bytes=")).unwrap_or(found);
    let text = text.split('/').next().unwrap_or_default();
    let (first, last) = text.split_once('-').ok_or_else(refused)?;
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| refused());
    let (first, last) = (number(first)?, number(last)?);
    if first != expected || last < first {
        return Err(refused());
    }
    let announced = length(request);
    let length = (last - first).saturating_add(1);
    match announced {
        Some(found) if found != length => Err(OciError::Size { expected: length, found }.into()),
        _ => Ok(Some(length)),
    }
}

/// The `Content-Length`, where the client sent one.
fn length(request: &HttpRequest) -> Option<u64> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Streams a body into a session: this task reads the connection, a blocking thread hashes and writes, and
/// a short queue between them bounds the memory. What arrived before a connection broke stays; of a whole body that is
/// not as long as its range, and of one that its principal may not keep, nothing does: the session ends.
async fn take(
    request: &HttpRequest,
    mut payload: web::Payload,
    state: &Arc<State>,
    (writing, actor): (Writing, &Actor),
    range_bytes: Option<u64>,
) -> Result<Writing, OciRefusal> {
    let announced = length(request).or(range_bytes);
    let limit_bytes = state.oci.uploads().limit_bytes();
    if announced.is_some_and(|bytes| writing.size_bytes().saturating_add(bytes) > limit_bytes) {
        return Err(OciError::TooLarge { limit_bytes }.into());
    }
    let mut writing = state.oci.demand_room(actor, writing, announced.unwrap_or_default())?;
    if announced == Some(0) {
        return Ok(writing);
    }
    let (sender, mut chunks) = mpsc::channel::<Bytes>(WAITING_CHUNKS);
    let (oci, actor) = (Arc::clone(&state.oci), actor.clone());
    let writing = web::block(move || {
        while let Some(chunk) = chunks.blocking_recv() {
            writing = oci.append(&actor, writing, &chunk)?;
        }
        Ok::<_, OciError>(writing)
    });
    let timeout_ms = state.config.content_timeout_ms;
    let feeding = async move {
        let feed = async {
            let mut found_bytes = 0_u64;
            while let Some(chunk) = payload.next().await {
                let chunk = chunk.map_err(|error| {
                    let message = format!("the body could not be read whole: {error}");
                    OciRefusal::body(StatusCode::BAD_REQUEST, message)
                })?;
                found_bytes = found_bytes.saturating_add(chunk.len() as u64);
                let is_too_long = range_bytes.is_some_and(|expected| found_bytes > expected);
                // When the writer has refused, its reason is the answer.
                if is_too_long || sender.send(chunk).await.is_err() {
                    break;
                }
            }
            Ok(found_bytes)
        };
        let feed = tokio::time::timeout(std::time::Duration::from_millis(timeout_ms), feed).await;
        feed.unwrap_or_else(|_| {
            let message = format!("expected the whole body within {timeout_ms} ms");
            Err(OciRefusal::body(StatusCode::REQUEST_TIMEOUT, message))
        })
    };
    let (writing, fed) = futures_util::future::join(writing, feeding).await;
    let writing = writing.map_err(|_| OciError::Stopping)??;
    let found = fed?;
    match range_bytes {
        Some(expected) if found != expected => {
            state.oci.uploads().end(writing);
            Err(OciError::Size { expected, found }.into())
        }
        _ => Ok(writing),
    }
}

/// Makes a session's content durable and links it.
async fn finish(
    state: &Arc<State>,
    (name, actor): (&RepositoryName, Actor),
    taken: Result<Writing, OciRefusal>,
    digest: BlobDigest,
) -> Result<HttpResponse, OciRefusal> {
    let writing = taken?;
    let (id, expected) = (writing.id, digest.clone());
    let arrived = state.oci(move |_| writing.finish(expected)).await;
    state.oci.uploads().forget(&id);
    state.oci.link_blob(name, arrived?, actor).await?;
    Ok(created(name, &digest))
}

fn created(name: &RepositoryName, digest: &BlobDigest) -> HttpResponse {
    HttpResponse::Created()
        .insert_header((LOCATION, format!("/v2/{name}/blobs/{digest}")))
        .insert_header((CONTENT_DIGEST, digest.to_string()))
        .finish()
}

fn place(name: &RepositoryName, id: &Uuid) -> String {
    format!("/v2/{name}/blobs/uploads/{id}")
}

/// How far a session is, in the form of the specification: the last byte, and `0-0` when there is none.
fn reached(size_bytes: u64) -> String {
    format!("0-{}", size_bytes.saturating_sub(1))
}

fn session(
    mut response: HttpResponseBuilder,
    name: &RepositoryName,
    id: &Uuid,
    size_bytes: u64,
) -> HttpResponseBuilder {
    response
        .insert_header((LOCATION, place(name, id)))
        .insert_header((RANGE, reached(size_bytes)))
        .insert_header((UPLOAD_ID, id.to_string()));
    response
}
