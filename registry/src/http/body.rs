//! Bodies, within bounds of size and time.

use std::time::Duration;

use actix_web::body::SizedStream;
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
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

/// Why a body was not read whole.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    /// It is larger than what is read.
    #[error("expected a body of at most {limit_bytes} bytes, found a larger one")]
    TooLarge {
        /// The bound that was met.
        limit_bytes: usize,
        /// How large it says that it is, or how much of it came.
        found_bytes: usize,
    },
    /// It ended before its end.
    #[error("the body could not be read whole: {0}")]
    CutShort(PayloadError),
    /// It took too long.
    #[error("expected the whole body within {timeout_ms} ms")]
    TooSlow {
        /// The bound that was met.
        timeout_ms: u64,
    },
}

/// Reads a whole body of at most `limit_bytes` bytes within `timeout_ms`.
pub(super) async fn whole(
    payload: Payload,
    limit_bytes: usize,
    timeout_ms: u64,
) -> Result<Bytes, Refusal> {
    Ok(bounded(payload, None, limit_bytes, timeout_ms).await?)
}

/// As [`whole`]. One that is announced as too large is refused before any of it is read.
pub(super) async fn bounded(
    payload: Payload,
    announced_bytes: Option<usize>,
    limit_bytes: usize,
    timeout_ms: u64,
) -> Result<Bytes, BodyError> {
    if let Some(found_bytes) = announced_bytes.filter(|bytes| *bytes > limit_bytes) {
        return Err(BodyError::TooLarge { limit_bytes, found_bytes });
    }
    let room = BytesMut::with_capacity(announced_bytes.unwrap_or_default());
    let collected = collect(payload, room, limit_bytes);
    let in_time = tokio::time::timeout(Duration::from_millis(timeout_ms), collected).await;
    in_time.unwrap_or(Err(BodyError::TooSlow { timeout_ms }))
}

/// How many bytes a request says that its body has.
pub(super) fn announced(request: &HttpRequest) -> Option<usize> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Bounds the time of reading a body.
pub(super) async fn within<T>(
    timeout_ms: u64,
    read: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, Refusal> {
    let in_time = tokio::time::timeout(Duration::from_millis(timeout_ms), read).await;
    in_time.unwrap_or_else(|_| Err(BodyError::TooSlow { timeout_ms }.into()))
}

/// An answer to HEAD: as long as the body would be, and without it.
pub(super) fn of_length(mut response: HttpResponseBuilder, length_bytes: u64) -> HttpResponse {
    let nothing = futures_util::stream::empty::<Result<Bytes, actix_web::Error>>();
    response.body(SizedStream::new(length_bytes, nothing))
}

async fn collect(
    mut payload: Payload,
    mut body: BytesMut,
    limit_bytes: usize,
) -> Result<Bytes, BodyError> {
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(BodyError::CutShort)?;
        let found_bytes = body.len() + chunk.len();
        if found_bytes > limit_bytes {
            return Err(BodyError::TooLarge { limit_bytes, found_bytes });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge { limit_bytes, .. } => too_large(limit_bytes as u64),
            BodyError::CutShort(error) => cut_short(&error),
            BodyError::TooSlow { .. } => Self::new(ProblemType::RequestTimeout, error.to_string()),
        }
    }
}

pub(super) fn too_large(limit_bytes: u64) -> Refusal {
    Refusal::new(
        ProblemType::TooLarge,
        format!("expected a body of at most {limit_bytes} bytes, found a larger one"),
    )
    .with("limit_bytes", limit_bytes)
}

pub(super) fn cut_short(error: &PayloadError) -> Refusal {
    Refusal::new(ProblemType::MalformedBody, format!("the body could not be read whole: {error}"))
}
