//! Content as an answer: whole or one range of it (RFC 9110 §14), read on blocking threads.

use std::sync::Arc;

use actix_web::body::SizedStream;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE, ETAG,
};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use futures_util::stream;

use super::{body, conditional};
use crate::store::Content;
use crate::store::content::{ContentError, ContentFile};

/// How much of a file is read at once. Bytes.
const READ_BYTES: usize = 1 << 20;

/// For how long a client may keep content: it never changes.
const IMMUTABLE: &str = "private, max-age=31536000, immutable";

/// A range beyond the content.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OutOfRange {
    /// The header's value, cut.
    pub(super) found: String,
    /// The size of the content in bytes.
    pub(super) size_bytes: u64,
}

/// Answers with content whose entity tag is `tag`. Its type says nothing of what is in it, so no browser runs it.
pub(super) fn respond(
    request: &HttpRequest,
    content: Content,
    tag: String,
    more: &[(&'static str, String)],
) -> Result<HttpResponse, OutOfRange> {
    let size = content.size_bytes();
    let with = |response: &mut HttpResponseBuilder| {
        response.insert_header((CACHE_CONTROL, IMMUTABLE)).insert_header((ETAG, tag.clone()));
        for (name, value) in more {
            response.insert_header((*name, value.as_str()));
        }
    };
    if conditional::is_unchanged(request, &tag) {
        let mut response = HttpResponse::NotModified();
        with(&mut response);
        return Ok(response.finish());
    }
    let range = match conditional::range(request, &tag) {
        Some(text) => requested(text, size)?,
        None => None,
    };
    let (first, end) = range.unwrap_or((0, size));
    let mut response = match range {
        Some(_) => HttpResponse::PartialContent(),
        None => HttpResponse::Ok(),
    };
    if range.is_some() {
        let value = format!("bytes {first}-{}/{size}", end.saturating_sub(1));
        response.insert_header((CONTENT_RANGE, value));
    }
    with(&mut response);
    response
        .insert_header((CONTENT_TYPE, "application/octet-stream"))
        .insert_header((CONTENT_DISPOSITION, "attachment"))
        .insert_header((ACCEPT_RANGES, "bytes"));
    if request.method() == Method::HEAD {
        return Ok(body::of_length(response, end - first));
    }
    Ok(match content {
        Content::Inline(bytes) => {
            let bytes = Bytes::from(bytes);
            let (first, end) = (usize::try_from(first), usize::try_from(end));
            let cut =
                first.ok().zip(end.ok()).filter(|(first, end)| first <= end && *end <= bytes.len());
            response.body(cut.map(|(first, end)| bytes.slice(first..end)).unwrap_or_default())
        }
        Content::File(file) => response.body(chunks(file, first, end)),
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
                Ok::<_, ContentError>(buffer)
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

/// Reads a `Range` header: one range is served; several, which could ask for the same bytes many times, and
/// another unit are answered whole (RFC 9110 §14.2 lets a server ignore them); one beyond the content, or that
/// ends before it begins, is refused.
fn requested(text: &str, size: u64) -> Result<Option<(u64, u64)>, OutOfRange> {
    let Some(spec) = text.strip_prefix("bytes=") else { return Ok(None) };
    let Some((first, last)) = spec.split_once('-') else { return Ok(None) };
    if spec.contains(',') {
        return Ok(None);
    }
    let number = |text: &str| text.trim().parse::<u64>();
    let range = match (number(first), number(last), first.trim().is_empty()) {
        // bytes=-N: the last N.
        (_, Ok(suffix), true) => Some((size.saturating_sub(suffix), size)),
        (Ok(first), Ok(last), false) => Some((first, last.saturating_add(1).min(size))),
        (Ok(first), Err(_), false) if last.trim().is_empty() => Some((first, size)),
        _ => return Ok(None),
    };
    match range {
        Some((first, end)) if first < end => Ok(Some((first, end))),
        _ => Err(OutOfRange { found: text.chars().take(60).collect(), size_bytes: size }),
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
        check("items=0-3", None);
        check("bytes=x-3", None);
        for text in ["bytes=10-", "bytes=99-100", "bytes=-0", "bytes=5-2"] {
            let refused = requested(text, 10).unwrap_err();
            assert_eq!(refused, OutOfRange { found: text.to_owned(), size_bytes: 10 });
        }
    }
}
