//! `/v2/<name>/blobs/<digest>`.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use attestry_schemas::oci::BlobDigest;

use super::{OciRefusal, State, guarded, name, segment};
use crate::http::access::{self, Right};
use crate::http::ranged;
use crate::oci::OciError;
use crate::oci::manifest::Held;
use crate::rights::Role;
use crate::store::StoreError;

/// The header that names the digest of what an answer is about.
pub(super) const CONTENT_DIGEST: &str = "Docker-Content-Digest";

/// `GET` and `HEAD`.
pub(in crate::http) async fn get(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, OciRefusal> {
    let state: Arc<State> = state.into_inner();
    let name = name(&request)?;
    let caller = access::repository(&request, &state, &name, Right::Pull)?.name;
    let digest: BlobDigest = segment(&request, "digest")?;
    let wanted = digest.clone();
    let content = state
        .oci(move |state| {
            let link = state.oci.blob(&name, &wanted)?;
            if link.media_type.is_some() {
                // A manifest is behind the same guard by whichever path it is asked for.
                let held = Held { digest: wanted.clone(), link: link.clone() };
                guarded::demand(state, &name, &caller, &held)?;
            }
            let content = state.store.reader().content(link.content)?;
            let missing = || StoreError::Missing { what: format!("content {}", link.content) };
            Ok(content.ok_or_else(missing)?)
        })
        .await?;
    let more = [(CONTENT_DIGEST, digest.to_string())];
    ranged::respond(&request, content, format!("\"{digest}\""), &more).map_err(|range| {
        let message =
            format!("expected a range within {} bytes, found {:?}", range.size_bytes, range.found);
        OciRefusal::range(range.size_bytes, message)
    })
}

/// `DELETE`.
pub(in crate::http) async fn delete(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, OciRefusal> {
    let state: Arc<State> = state.into_inner();
    let name = name(&request)?;
    let actor = access::repository(&request, &state, &name, Right::DeleteDigest)?;
    let digest: BlobDigest = segment(&request, "digest")?;
    let deleted = state.oci.delete_blob(&name, &digest, actor).await;
    if matches!(deleted, Err(OciError::Denied(_))) {
        access::lacking(&request, Role::DeleteTag, &name);
    }
    deleted?;
    Ok(HttpResponse::Accepted().insert_header((CONTENT_DIGEST, digest.to_string())).finish())
}
