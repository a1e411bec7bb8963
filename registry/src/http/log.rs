//! Proofs of the log, and what clients trust it by.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use attestry_schemas::base64;
use attestry_schemas::digest::Sha256;
use attestry_schemas::problem::ProblemType;
use serde::{Deserialize, Serialize};

use super::problem::Refusal;
use super::{State, access, query};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InclusionQuery {
    index: Option<u64>,
    digest: Option<String>,
    size: Option<u64>,
}

/// The proof that a leaf is in the tree of a size.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct Inclusion {
    /// The leaf's index, from 0.
    index: u64,
    /// The size of the tree.
    size: u64,
    /// The leaf's hash, base64.
    leaf_hash: String,
    /// The root at that size, base64.
    root: String,
    /// The sibling hashes from the leaf up, base64.
    hashes: Vec<String>,
    /// The signed checkpoint of that size; where no batch ended there, the newest.
    checkpoint: String,
}

/// The proof that one tree is the beginning of another.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct Consistency {
    /// The smaller size.
    from: u64,
    /// The greater size.
    to: u64,
    /// The root at the smaller size, base64.
    from_root: String,
    /// The root at the greater size, base64.
    to_root: String,
    /// The hashes of the proof, base64.
    hashes: Vec<String>,
}

fn hash(hash: &Sha256) -> String {
    base64::encode(hash.as_bytes())
}

/// `GET /v1/log/inclusion?index=|digest=[&size=]`.
pub(super) async fn inclusion(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    let visibility = access::read(&request, &state)?;
    let asked: InclusionQuery = query::read(&request)?;
    let digest = asked.digest.as_deref().map(|text| {
        text.parse::<Sha256>().map_err(|_| query::wrong("digest", "sha256:<64 hex digits>", text))
    });
    let digest = digest.transpose()?;
    let answer = state
        .read(move |reader, _| {
            let index = match (asked.index, digest) {
                (Some(index), None) => index,
                (None, Some(digest)) => {
                    let found = reader.sequence_of_digest(&digest)?;
                    let record = found.map(|s| reader.record(s)).transpose()?.flatten();
                    match (found, record) {
                        (Some(index), Some(r)) if visibility.allows(&r.namespace) => index,
                        _ => return Err(not_there(&digest)),
                    }
                }
                _ => {
                    let one = "exactly one of index and digest";
                    return Err(query::wrong("index", one, "none or both"));
                }
            };
            let size = match asked.size {
                Some(size) => size,
                None => reader.tree_size()?,
            };
            let hashes = reader.inclusion(index, size)?;
            let checkpoint = match reader.checkpoint(size)? {
                Some(checkpoint) => Some(checkpoint),
                None => reader.latest_checkpoint()?.map(|(_, newest)| newest),
            };
            let missing = || Refusal::internal("the log has no checkpoint");
            let body = reader.leaf(index)?.ok_or_else(|| Refusal::internal("a leaf is missing"))?;
            Ok(Inclusion {
                index,
                size,
                leaf_hash: hash(&attestry_schemas::merkle::leaf_hash(&body)),
                root: hash(&reader.root(size)?),
                hashes: hashes.iter().map(hash).collect(),
                checkpoint: checkpoint.ok_or_else(missing)?.text,
            })
        })
        .await?;
    Ok(HttpResponse::Ok().json(answer))
}

pub(super) fn not_there(digest: &Sha256) -> Refusal {
    Refusal::new(ProblemType::NotFound, format!("no attestation with digest {digest} is here"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsistencyQuery {
    from: u64,
    to: Option<u64>,
}

/// `GET /v1/log/consistency?from=[&to=]`.
pub(super) async fn consistency(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    access::read(&request, &state)?;
    let asked: ConsistencyQuery = query::read(&request)?;
    let answer = state
        .read(move |reader, _| {
            let to = match asked.to {
                Some(to) => to,
                None => reader.tree_size()?,
            };
            let hashes = reader.consistency(asked.from, to)?;
            Ok(Consistency {
                from: asked.from,
                to,
                from_root: hash(&reader.root(asked.from)?),
                to_root: hash(&reader.root(to)?),
                hashes: hashes.iter().map(hash).collect(),
            })
        })
        .await?;
    Ok(HttpResponse::Ok().json(answer))
}

/// `GET /v1/trusted-root`: open to everyone, because it is what everyone verifies with.
pub(super) async fn trusted_root(state: web::Data<State>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(state.trusted_root.clone())
}

/// `GET /v1/signing-config`: open to everyone, because stock clients have no token to send.
pub(super) async fn signing_config(state: web::Data<State>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(state.signing_config.clone())
}
