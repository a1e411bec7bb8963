//! `/v2/<name>/tags/list`, `/v2/_catalog`, and the history of a tag.

use std::ops::ControlFlow;
use std::sync::Arc;

use actix_web::http::header::{CONTENT_TYPE, LINK};
use actix_web::{HttpRequest, HttpResponse, web};
use attestry_schemas::oci::{BlobDigest, Tag, media_type};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{MAX_PAGE, OciRefusal, State, name, page_size, parameter, parameters, segment};
use crate::http::access::{self, Right};
use crate::oci::OciError;
use crate::store::oci::{MoveKind, MoveRecord};

/// `GET /v2/<name>/tags/list`: `n` and `last` page it, in the order of the tags' bytes. A repository to which
/// nothing was pushed has an empty list, so that the answer does not tell the two apart.
pub(in crate::http) async fn list(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, OciRefusal> {
    let state: Arc<State> = state.into_inner();
    let name = name(&request)?;
    access::repository(&request, &state, &name, Right::Pull)?;
    let parameters = parameters(&request)?;
    let (limit, last) = (page_size(&parameters)?, parameter(&parameters, "last"));
    let (last, of) = (last.map(str::to_owned), name.clone());
    let mut tags = state
        .oci_read(move |reader, _| {
            // One more tells whether there are more.
            let tags = reader.tags(&of, last.as_deref(), limit + usize::from(limit > 0))?;
            Ok(tags)
        })
        .await?;
    let has_more = tags.len() > limit;
    tags.truncate(limit);
    let mut response = HttpResponse::Ok();
    if let (true, Some(last)) = (has_more, tags.last()) {
        let link = format!("</v2/{name}/tags/list?n={limit}&last={last}>; rel=\"next\"");
        response.insert_header((LINK, link));
    }
    Ok(response.json(json!({ "name": name, "tags": tags })))
}

/// `GET /v2/_catalog`: the repositories that the caller may read.
pub(in crate::http) async fn catalog(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, OciRefusal> {
    let state: Arc<State> = state.into_inner();
    let visible = access::catalog(&request, &state)?;
    let parameters = parameters(&request)?;
    let limit = page_size(&parameters)?;
    let mut after = parameter(&parameters, "last").map(str::to_owned);
    let mut names = state
        .oci_read(move |reader, _| {
            let mut names = Vec::new();
            while names.len() <= limit {
                let page = reader.repositories(after.as_deref(), MAX_PAGE)?;
                let Some(last) = page.last() else { break };
                after = Some(last.to_string());
                names.extend(page.into_iter().filter(|name| visible.may_read(name)));
            }
            Ok(names)
        })
        .await?;
    let has_more = names.len() > limit;
    names.truncate(limit);
    let mut response = HttpResponse::Ok();
    if let (true, Some(last)) = (has_more, names.last()) {
        let link = format!("</v2/_catalog?n={limit}&last={last}>; rel=\"next\"");
        response.insert_header((LINK, link));
    }
    Ok(response.json(json!({ "repositories": names })))
}

/// The annotations of an entry of a tag's history.
const TIMESTAMP: &str = "org.opencontainers.distribution.tag.timestamp";
const EVENT: &str = "org.opencontainers.distribution.tag.event";
/// Ours: the attestation whose leaf in the log proves the entry, and its number among the tag's moves.
const STATEMENT: &str = "dev.attestry.tag.statement";
const NUMBER: &str = "dev.attestry.tag.number";

/// What a request for history asks for.
struct Asked {
    before_ms: i64,
    since_ms: i64,
    digest: Option<BlobDigest>,
    /// Ours, in `Link` alone: moves below this number, which no two moves share as they can a time.
    below: u64,
    limit: usize,
}

/// `GET /v2/<name>/_oci/tag-history/<tag>` (the draft of distribution-spec's `_oci` extension), the newest
/// first. It tells of deleted tags and manifests, and of what never was it tells nothing, with 200.
pub(in crate::http) async fn history(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, OciRefusal> {
    let state: Arc<State> = state.into_inner();
    let name = name(&request)?;
    access::repository(&request, &state, &name, Right::Pull)?;
    let tag: Tag = segment(&request, "tag")?;
    let asked = asked(&request)?;
    let (limit, below) = (asked.limit, (name.clone(), tag.clone()));
    let mut entries: Vec<(u64, Value)> = match limit {
        0 => Vec::new(),
        _ => {
            state
                .oci_read(move |reader, _| {
                    let (name, tag) = below;
                    let mut entries = Vec::new();
                    let newest = reader.tag(&name, &tag)?.map_or(0, |tag| tag.number);
                    reader.tag_moves(&name, &tag, asked.below.min(newest + 1), |number, one| {
                        if one.at_ms <= asked.since_ms || entries.len() > asked.limit {
                            return ControlFlow::Break(());
                        }
                        let is_asked =
                            asked.digest.as_ref().is_none_or(|digest| *digest == one.digest);
                        if one.at_ms < asked.before_ms && is_asked {
                            entries.push((number, entry(number, &one)));
                        }
                        ControlFlow::Continue(())
                    })?;
                    Ok(entries)
                })
                .await?
        }
    };
    let has_more = entries.len() > limit;
    entries.truncate(limit);
    let mut response = HttpResponse::Ok();
    if let (true, Some((last, _))) = (has_more, entries.last()) {
        response.insert_header((LINK, next(&request, &name.to_string(), &tag, *last)?));
    }
    let entries: Vec<Value> = entries.into_iter().map(|(_, entry)| entry).collect();
    let index = json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_INDEX,
        "manifests": entries,
    });
    let body = serde_json::to_vec(&index).unwrap_or_default();
    Ok(response.insert_header((CONTENT_TYPE, media_type::OCI_INDEX)).body(body))
}

fn asked(request: &HttpRequest) -> Result<Asked, OciRefusal> {
    let parameters = parameters(request)?;
    let moment = |name: &str, otherwise: i64| match parameter(&parameters, name) {
        None => Ok(otherwise),
        Some(text) => text.parse::<Timestamp>().map(Timestamp::as_millisecond).map_err(|_| {
            OciRefusal::unsupported(format!("expected {name} to be an RFC 3339 time"))
        }),
    };
    let below = parameter(&parameters, "below").map(str::parse::<u64>).transpose();
    let below = below.map_err(|_| OciRefusal::page("expected below to be a whole number"))?;
    let digest = parameter(&parameters, "digest").map(str::parse::<BlobDigest>).transpose();
    Ok(Asked {
        before_ms: moment("before", i64::MAX)?,
        since_ms: moment("since", i64::MIN)?,
        digest: digest.map_err(OciError::Name)?,
        below: below.unwrap_or(u64::MAX),
        limit: page_size(&parameters)?,
    })
}

/// The link to the next page: the same request, below the last number that was told.
fn next(request: &HttpRequest, name: &str, tag: &Tag, last: u64) -> Result<String, OciRefusal> {
    let mut query = String::new();
    for (parameter, value) in parameters(request)? {
        if ["n", "since", "before", "digest"].contains(&parameter.as_str()) {
            // Their values were read, so they hold nothing that ends a parameter; a plus is a space there.
            query.push_str(&format!("{parameter}={}&", value.replace('+', "%2B")));
        }
    }
    Ok(format!("</v2/{name}/_oci/tag-history/{tag}?{query}below={last}>; rel=\"next\""))
}

fn entry(number: u64, one: &MoveRecord) -> Value {
    let at = Timestamp::from_millisecond(one.at_ms).map(|at| at.to_string()).unwrap_or_default();
    let event = match one.event {
        MoveKind::Created => "created",
        MoveKind::Deleted => "deleted",
    };
    json!({
        "mediaType": one.media_type,
        "size": one.size_bytes,
        "digest": one.digest,
        "annotations": {
            TIMESTAMP: at,
            EVENT: event,
            STATEMENT: one.statement,
            NUMBER: number.to_string(),
        },
    })
}
