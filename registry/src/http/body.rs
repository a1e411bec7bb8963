//! Bodies, within bounds of size and time.

use std::time::Duration;

use actix_web::body::SizedStream;
use actix_web::http::header::CONTENT_ENCODING;
use actix_web::web::{Bytes, BytesMut, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use attestry_schemas::problem::ProblemType;
use futures_util::StreamExt as _;

use super::problem::Refusal;

/// Refuses a body in another coding than its own bytes (RFC 9110 §8.4): none is undone here, and
/// digests and signatures are of the bytes themselves.
pub(super) fn plain(request: &HttpRequest) -> Result<(), Refusal> {
    for value in request.headers().get_all(CONTENT_ENCODING) {
        let text = value.to_str().unwrap_or("another coding");
        let is_plain = |coding: &str| coding.trim().eq_ignore_ascii_case("identity");
        if !text.trim().is_empty() && !text.split(',').all(is_plain) {
            let found: String = text.chars().take(100).collect();
            return Err(Refusal::new(
                ProblemType::UnsupportedMediaType,
                format!(
                    "expected a body without Content-Encoding, found {found:?}; send it as it is"
                ),
            ));
        }
    }
    Ok(())
}

/// Reads a whole body of at most `limit_bytes` bytes within `timeout_ms`.
pub(super) async fn whole(
    payload: Payload,
    limit_bytes: usize,
    timeout_ms: u64,
) -> Result<Bytes, Refusal> {
    within(timeout_ms, collect(payload, limit_bytes)).await
}

/// Bounds the time of reading a body.
pub(super) async fn within<T>(
    timeout_ms: u64,
    read: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, Refusal> {
    tokio::time::timeout(Duration::from_millis(timeout_ms), read).await.unwrap_or_else(|_| {
        Err(Refusal::new(
            ProblemType::RequestTimeout,
            format!("expected the whole body within {timeout_ms} ms"),
        ))
    })
}

/// An answer to HEAD: as long as the body would be, and without it.
pub(super) fn of_length(mut response: HttpResponseBuilder, length_bytes: u64) -> HttpResponse {
    let nothing = futures_util::stream::empty::<Result<Bytes, actix_web::Error>>();
    response.body(SizedStream::new(length_bytes, nothing))
}

async fn collect(mut payload: Payload, limit_bytes: usize) -> Result<Bytes, Refusal> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|e| cut_short(&e))?;
        if body.len() + chunk.len() > limit_bytes {
            return Err(too_large(limit_bytes as u64));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

pub(super) fn too_large(limit_bytes: u64) -> Refusal {
    Refusal::new(
        ProblemType::TooLarge,
        format!("expected a body of at most {limit_bytes} bytes, found a larger one"),
    )
    .with("limit_bytes", limit_bytes)
}

pub(super) fn cut_short(error: &actix_web::error::PayloadError) -> Refusal {
    Refusal::new(ProblemType::MalformedBody, format!("the body could not be read whole: {error}"))
}
