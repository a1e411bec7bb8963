//! `/v2/<name>/manifests/<reference>`.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use attestry_schemas::oci::manifest::MAX_MANIFEST_BYTES;
use attestry_schemas::oci::{ManifestError, Reference, Tag};

use super::blobs::CONTENT_DIGEST;
use super::{OciRefusal, State, arrival, guarded, name, parameters, segment};
use crate::http::access::{self, Right};
use crate::http::body::{self, BodyError};
use crate::http::conditional;
use crate::oci::OciError;
use crate::oci::manifest::Push;
use crate::rights::Role;

/// The header that names the subject of a manifest that was taken in.
const SUBJECT: &str = "OCI-Subject";
/// Ours: what became of the evidence in a manifest, such as `logged=1, unsigned=0, refused=0`.
const EVIDENCE: &str = "Attestry-Evidence";
/// The header that names a tag which was made to point to a manifest.
const TAG: &str = "OCI-Tag";

/// `GET` and `HEAD`.
pub(in crate::http) async fn get(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, OciRefusal> {
    let state: Arc<State> = state.into_inner();
    let name = name(&request)?;
    let caller = access::repository(&request, &state, &name, Right::Pull)?.name;
    let reference: Reference = segment(&request, "reference")?;
    let is_head = request.method() == Method::HEAD;
    let is_guarded = guarded::is_guarded(&state, &name, &caller);
    let look = move |state: &State| {
        let held = state.oci.manifest(&name, &reference)?;
        let told = guarded::demand(state, &name, &caller, &held)?;
        let bytes = match is_head {
            true => Vec::new(),
            false => state.store.reader().attested_bytes(held.link.content)?,
        };
        Ok((held, told, bytes))
    };
    // A look into the store is shorter than the way to another thread; the gate, which guards ask, may wait.
    let (held, told, bytes) = match is_guarded {
        true => state.oci(look).await?,
        false => look(&state)?,
    };
    let tag = format!("\"{}\"", held.digest);
    let mut response = match conditional::is_unchanged(&request, &tag) {
        true => HttpResponse::NotModified(),
        false => HttpResponse::Ok(),
    };
    response
        .insert_header((CONTENT_TYPE, held.link.media_type.unwrap_or_default()))
        .insert_header((CONTENT_DIGEST, held.digest.to_string()))
        .insert_header((ETAG, tag));
    if let Some(told) = told {
        response.insert_header((guarded::GUARD, told));
    }
    if is_head {
        return Ok(body::of_length(response, held.link.size_bytes));
    }
    Ok(response.body(bytes))
}

/// `PUT`.
pub(in crate::http) async fn put(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, OciRefusal> {
    let state: Arc<State> = state.into_inner();
    let name = name(&request)?;
    let actor = access::repository(&request, &state, &name, Right::Push)?;
    let reference: Reference = segment(&request, "reference")?;
    let tags = tags(&request, &reference)?;
    let content_type = request.headers().get(CONTENT_TYPE);
    let content_type = content_type.map(|value| value.to_str().unwrap_or("?").to_owned());
    let bytes = whole(&request, payload, state.config.request_timeout_ms).await?;
    let pushed = tags.clone();
    let (place, repository) = (reference.clone(), name.clone());
    let push = state
        .oci(move |state| {
            let content_type = content_type.as_deref();
            let bytes = bytes.to_vec();
            let push = Push::read(repository, reference, tags, content_type, bytes, actor)?;
            arrival::with_evidence(state, push)
        })
        .await?;
    let (digest, subject) = (push.digest.clone(), push.manifest.subject.clone());
    let told = arrival::told(&push.evidence.records);
    let pushed_or_not = state.oci.push(push).await;
    if matches!(pushed_or_not, Err(OciError::Denied(_))) {
        access::lacking(&request, Role::Overwrite, &name);
    }
    pushed_or_not?;
    let mut response = HttpResponse::Created();
    let place = if pushed.is_empty() { place.to_string() } else { digest.to_string() };
    response
        .insert_header((LOCATION, format!("/v2/{name}/manifests/{place}")))
        .insert_header((CONTENT_DIGEST, digest.to_string()));
    if let Some(subject) = subject {
        response.insert_header((SUBJECT, subject.digest.to_string()));
    }
    if let Some(told) = told {
        response.insert_header((EVIDENCE, told));
    }
    for tag in pushed {
        response.append_header((TAG, tag.as_str()));
    }
    Ok(response.finish())
}

/// `DELETE`.
pub(in crate::http) async fn delete(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, OciRefusal> {
    let state: Arc<State> = state.into_inner();
    let name = name(&request)?;
    let reference: Reference = segment(&request, "reference")?;
    let right = match &reference {
        Reference::Tag(_) => Right::DeleteTag,
        Reference::Digest(_) => Right::DeleteDigest,
    };
    let actor = access::repository(&request, &state, &name, right)?;
    let deleted = state.oci.delete(&name, &reference, actor).await;
    if matches!(deleted, Err(OciError::Denied(_))) {
        access::lacking(&request, Role::DeleteTag, &name);
    }
    deleted?;
    Ok(HttpResponse::Accepted().finish())
}

/// The tags that a push by digest asks for.
fn tags(request: &HttpRequest, reference: &Reference) -> Result<Vec<Tag>, OciRefusal> {
    let mut tags = Vec::new();
    for (name, value) in parameters(request)? {
        if name == "tag" {
            tags.push(value.parse::<Tag>().map_err(OciError::Name)?);
        }
    }
    if !tags.is_empty() && matches!(reference, Reference::Tag(_)) {
        let message = "expected the parameter tag beside a digest alone, found it beside a tag";
        return Err(OciRefusal::unsupported(message));
    }
    Ok(tags)
}

/// Reads a whole manifest.
async fn whole(
    request: &HttpRequest,
    payload: web::Payload,
    timeout_ms: u64,
) -> Result<Bytes, OciRefusal> {
    let announced = body::announced(request);
    let read = body::bounded(payload, announced, MAX_MANIFEST_BYTES, timeout_ms).await;
    read.map_err(|error| match error {
        BodyError::TooLarge { found_bytes, .. } => {
            OciError::Manifest(ManifestError::TooLarge { found_bytes }).into()
        }
        other => other.into(),
    })
}
