//! `/v2/<name>/referrers/<digest>`: from the index in the store, so that it costs what it answers.

use std::ops::ControlFlow;
use std::sync::Arc;

use actix_web::http::header::{CONTENT_TYPE, LINK};
use actix_web::{HttpRequest, HttpResponse, web};
use attestry_schemas::oci::{BlobDigest, media_type};
use serde_json::{Value, json};

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
    let (entries, next) = state
        .oci_read(move |reader, _| {
            let (mut entries, mut bytes, mut reached, mut next) = (Vec::new(), 0, None, None);
            reader.referrers(&of, &to, last.as_ref(), |digest, referrer| {
                if filter.is_some() && filter != referrer.artifact_type {
                    return ControlFlow::Continue(());
                }
                let entry = descriptor(&digest, referrer);
                bytes += entry.len();
                if entries.len() >= limit || (bytes > MAX_PAGE_BYTES && !entries.is_empty()) {
                    next = reached.take();
                    return ControlFlow::Break(());
                }
                reached = Some(digest);
                entries.push(entry);
                ControlFlow::Continue(())
            })?;
            Ok((entries, next))
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
    let head = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{}\",\"manifests\":[",
        media_type::OCI_INDEX
    );
    Ok(response.body([head.as_str(), &entries.join(","), "]}"].concat()))
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

fn descriptor(digest: &BlobDigest, referrer: ReferrerRecord) -> String {
    let mut descriptor = json!({
        "mediaType": referrer.media_type,
        "digest": digest,
        "size": referrer.size_bytes,
    });
    if let Value::Object(members) = &mut descriptor {
        if let Some(artifact_type) = referrer.artifact_type {
            members.insert("artifactType".to_owned(), artifact_type.into());
        }
        if !referrer.annotations.is_empty() {
            members.insert("annotations".to_owned(), json!(referrer.annotations));
        }
    }
    descriptor.to_string()
}
