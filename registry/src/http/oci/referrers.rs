//! `/v2/<name>/referrers/<digest>`: from the index in the store, so that it costs what it answers.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use actix_web::http::header::{CONTENT_TYPE, LINK};
use actix_web::{HttpRequest, HttpResponse, web};
use attestry_schemas::oci::{BlobDigest, media_type};
use serde::Serialize;

use super::{OciRefusal, State, name, parameter, parameters, segment};
use crate::http::access::{self, Right};
use crate::oci::OciError;
use crate::store::oci::ReferrerRecord;

/// The most bytes of one page. Common clients read one page alone, so that it must hold every signature of
/// anything but an attack; what is beyond has a `Link`.
const MAX_PAGE_BYTES: usize = 4 << 20;

/// The header that says which filter was applied.
const FILTERS: &str = "OCI-Filters-Applied";

/// `GET`.
pub(in crate::http) async fn list(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, OciRefusal> {
    let state: Arc<State> = state.into_inner();
    let name = name(&request)?;
    access::repository(&request, &state, &name, Right::Pull)?;
    let subject: BlobDigest = segment(&request, "digest")?;
    let parameters = parameters(&request)?;
    let wanted = parameter(&parameters, "artifactType").filter(|text| !text.is_empty());
    let wanted = wanted.map(str::to_owned);
    let last = parameter(&parameters, "last").map(str::parse::<BlobDigest>).transpose();
    let last = last.map_err(OciError::Name)?;
    let limit = match parameter(&parameters, "n") {
        None => usize::MAX,
        Some(_) => super::page_size(&parameters)?,
    };
    let (of, filter, to) = (name.clone(), wanted.clone(), subject.clone());
    let (body, next) = state
        .oci_read(move |reader, _| {
            let mut page = Page::begin(limit);
            reader.referrers(&of, &to, last.as_ref(), |digest, referrer| {
                match filter.is_some() && filter != referrer.artifact_type {
                    true => ControlFlow::Continue(()),
                    false => page.add(digest, &referrer),
                }
            })?;
            Ok(page.end())
        })
        .await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, media_type::OCI_INDEX));
    if wanted.is_some() {
        response.insert_header((FILTERS, "artifactType"));
    }
    if let Some(next) = next {
        response.insert_header((LINK, link(&name.to_string(), &subject, &next, wanted, limit)));
    }
    Ok(response.body(body))
}

/// A page as it is written: an index of manifests.
struct Page {
    body: Vec<u8>,
    entries: usize,
    limit: usize,
    /// The last entry.
    reached: Option<BlobDigest>,
    /// The last entry, where there is more.
    next: Option<BlobDigest>,
}

impl Page {
    fn begin(limit: usize) -> Self {
        let media_type = media_type::OCI_INDEX;
        let head = format!("{{\"schemaVersion\":2,\"mediaType\":\"{media_type}\",\"manifests\":[");
        Self { body: head.into_bytes(), entries: 0, limit, reached: None, next: None }
    }

    /// Adds an entry; breaks where the page is full without it.
    fn add(&mut self, digest: BlobDigest, referrer: &ReferrerRecord) -> ControlFlow<()> {
        let before = self.body.len();
        if self.entries > 0 {
            self.body.push(b',');
        }
        let entry = Descriptor {
            media_type: &referrer.media_type,
            digest: &digest,
            size: referrer.size_bytes,
            artifact_type: referrer.artifact_type.as_deref(),
            annotations: &referrer.annotations,
        };
        // Texts and numbers always are JSON.
        let is_written = serde_json::to_writer(&mut self.body, &entry).is_ok();
        let is_large = self.body.len() > MAX_PAGE_BYTES && self.entries > 0;
        if self.entries >= self.limit || is_large || !is_written {
            self.body.truncate(before);
            self.next = self.reached.take();
            return ControlFlow::Break(());
        }
        self.entries += 1;
        self.reached = Some(digest);
        ControlFlow::Continue(())
    }

    fn end(mut self) -> (Vec<u8>, Option<BlobDigest>) {
        self.body.extend_from_slice(b"]}");
        (self.body, self.next)
    }
}

/// A manifest as a listing shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'r> {
    media_type: &'r str,
    digest: &'r BlobDigest,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<&'r str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'r BTreeMap<String, String>,
}

fn link(
    name: &str,
    subject: &BlobDigest,
    last: &BlobDigest,
    filter: Option<String>,
    limit: usize,
) -> String {
    let filter = filter.map(|filter| format!("&artifactType={}", encoded(&filter)));
    let limit = (limit != usize::MAX).then(|| format!("&n={limit}"));
    format!(
        "</v2/{name}/referrers/{subject}?last={last}{}{}>; rel=\"next\"",
        filter.unwrap_or_default(),
        limit.unwrap_or_default()
    )
}

/// A text as a part of a query (RFC 3986 §2): all but unreserved characters escaped.
fn encoded(text: &str) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let one = |byte: u8| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}
