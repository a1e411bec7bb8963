//! `/v1/content/{digest}`: reports, logs and evidence files that statements name, of any size.

use std::sync::Arc;

use actix_web::body::SizedStream;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG,
};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use attestry_schemas::digest::Sha256;
use attestry_schemas::problem::ProblemType;
use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use tokio::sync::mpsc;

use super::problem::Refusal;
use super::{State, access, body, conditional, query};
use crate::store::content::{ContentFile, Written};
use crate::store::{Content, StoreError};

/// How much of a file is read at once. Bytes.
const READ_BYTES: usize = 512 << 10;
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
    access::write(&request, &state)?;
    body::plain(&request)?;
    let digest = query::digest(&request)?;
    let limit = state.config.max_content_bytes;
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok());
    if announced.and_then(|text| text.parse::<u64>().ok()).is_some_and(|bytes| bytes > limit) {
        return Err(body::too_large(limit));
    }
    let existed = state.read(move |reader, _| Ok(reader.content(digest)?.is_some())).await?;
    let timeout_ms = state.config.content_timeout_ms;
    let size_bytes = body::within(timeout_ms, upload(&state, payload, digest, limit)).await?;
    let answer = Stored { digest: digest.to_string(), size_bytes };
    let mut response = if existed { HttpResponse::Ok() } else { HttpResponse::Created() };
    response.insert_header((ETAG, format!("\"{}\"", digest.hex())));
    Ok(response.json(answer))
}

/// Streams a body to the disk: this task reads the connection, a blocking thread hashes and
/// writes, and a short queue between them bounds the memory.
async fn upload(
    state: &Arc<State>,
    mut payload: web::Payload,
    digest: Sha256,
    limit_bytes: u64,
) -> Result<u64, Refusal> {
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
        let written = writer.finish(&digest).map_err(StoreError::Content)?;
        if let Written::Inline { digest, bytes } = &written {
            state.store.put_small_content(*digest, bytes)?;
        }
        Ok(written.size_bytes())
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

/// `GET` and `HEAD /v1/content/{digest}`, whole or one range (RFC 9110 §14).
pub(super) async fn get(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    access::read(&request, &state)?;
    let digest = query::digest(&request)?;
    let content = state.read(move |reader, _| Ok(reader.content(digest)?)).await?;
    let content = content.ok_or_else(|| {
        Refusal::new(ProblemType::NotFound, format!("no content with digest {digest} is here"))
    })?;
    let size = match &content {
        Content::Inline(bytes) => bytes.len() as u64,
        Content::File(file) => file.size_bytes(),
    };
    let tag = format!("\"{}\"", digest.hex());
    if conditional::is_unchanged(&request, &tag) {
        return Ok(HttpResponse::NotModified()
            .insert_header((CACHE_CONTROL, "private, max-age=31536000, immutable"))
            .insert_header((ETAG, tag))
            .finish());
    }
    let range = match conditional::range(&request, &tag) {
        Some(text) => requested(text, size)?,
        None => None,
    };
    let (first, last_plus_one) = range.unwrap_or((0, size));
    let mut response = match range {
        Some(_) => HttpResponse::PartialContent(),
        None => HttpResponse::Ok(),
    };
    if range.is_some() {
        let value = format!("bytes {first}-{}/{size}", last_plus_one.saturating_sub(1));
        response.insert_header((CONTENT_RANGE, value));
    }
    response
        .insert_header((CONTENT_TYPE, "application/octet-stream"))
        .insert_header((CONTENT_DISPOSITION, "attachment"))
        .insert_header((ACCEPT_RANGES, "bytes"))
        .insert_header((CACHE_CONTROL, "private, max-age=31536000, immutable"))
        .insert_header((ETAG, tag));
    let length = last_plus_one - first;
    if request.method() == Method::HEAD {
        return Ok(response
            .body(SizedStream::new(length, stream::empty::<Result<Bytes, actix_web::Error>>())));
    }
    Ok(match content {
        Content::Inline(bytes) => {
            let (first, end) = (usize::try_from(first), usize::try_from(last_plus_one));
            let cut = first.ok().zip(end.ok()).and_then(|(first, end)| bytes.get(first..end));
            response.body(cut.map(<[u8]>::to_vec).unwrap_or_default())
        }
        Content::File(file) => response.body(chunks(file, first, last_plus_one)),
    })
}

/// The bytes of a file from `first` to before `end`, read on blocking threads.
fn chunks(
    file: ContentFile,
    first: u64,
    end: u64,
) -> SizedStream<impl futures_util::Stream<Item = Result<Bytes, actix_web::Error>>> {
    let file = Arc::new(file);
    let parts = stream::try_unfold(first, move |at| {
        let file = Arc::clone(&file);
        async move {
            if at >= end {
                return Ok(None);
            }
            let wanted = usize::try_from(end - at).unwrap_or(READ_BYTES).min(READ_BYTES);
            let read = web::block(move || {
                let mut buffer = vec![0; wanted];
                let read = file.read_at(at, &mut buffer)?;
                buffer.truncate(read);
                Ok::<_, crate::store::content::ContentError>(buffer)
            });
            let part = read
                .await
                .map_err(actix_web::error::ErrorInternalServerError)?
                .map_err(actix_web::error::ErrorInternalServerError)?;
            if part.is_empty() {
                return Err(actix_web::error::ErrorInternalServerError("the file became shorter"));
            }
            let next = at + part.len() as u64;
            Ok(Some((Bytes::from(part), next)))
        }
    });
    SizedStream::new(end - first, Box::pin(parts))
}

/// Reads a `Range` header: one range is served, several or another unit are answered whole
/// (RFC 9110 §14.2 lets a server ignore them), one beyond the content is refused.
fn requested(text: &str, size: u64) -> Result<Option<(u64, u64)>, Refusal> {
    let Some(spec) = text.strip_prefix("bytes=") else { return Ok(None) };
    let Some((first, last)) = spec.split_once('-') else { return Ok(None) };
    if spec.contains(',') {
        return Ok(None);
    }
    let number = |text: &str| text.trim().parse::<u64>();
    let range = match (number(first), number(last), first.trim().is_empty()) {
        // bytes=-N: the last N.
        (_, Ok(suffix), true) => Some((size.saturating_sub(suffix), size)),
        (Ok(first), Ok(last), false) if first <= last => {
            Some((first, last.saturating_add(1).min(size)))
        }
        (Ok(first), Err(_), false) if last.trim().is_empty() => Some((first, size)),
        _ => return Ok(None),
    };
    match range {
        Some((first, end)) if first < end => Ok(Some((first, end))),
        _ => Err(Refusal::new(
            ProblemType::RangeNotSatisfiable,
            format!(
                "expected a range within {size} bytes, found {:?}",
                text.get(..60).unwrap_or(text)
            ),
        )
        .with("size_bytes", size)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ranges_as_rfc_9110_has_them() {
        let check = |text: &str, expected: Option<(u64, u64)>| {
            assert_eq!(requested(text, 10).unwrap(), expected, "{text}");
        };
        check("bytes=0-3", Some((0, 4)));
        check("bytes=3-", Some((3, 10)));
        check("bytes=-4", Some((6, 10)));
        check("bytes=-40", Some((0, 10)));
        check("bytes=8-99", Some((8, 10)));
        check("bytes=0-1,3-4", None);
        check("bytes=5-2", None);
        check("items=0-3", None);
        check("bytes=x-3", None);
        for text in ["bytes=10-", "bytes=99-100", "bytes=-0"] {
            assert_eq!(requested(text, 10).unwrap_err().problem().status, 416, "{text}");
        }
    }
}
