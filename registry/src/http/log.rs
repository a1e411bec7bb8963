//! Proofs of the log, and what clients trust it by.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use attestry_schemas::base64;
use attestry_schemas::digest::Sha256;
use attestry_schemas::problem::ProblemType;
use serde::Serialize;

use super::problem::Refusal;
use super::{State, access, query};

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
    let asked = query::read(&request, &["index", "digest", "size"])?;
    let digest = asked.text("digest").map(|text| {
        text.parse::<Sha256>().map_err(|_| query::wrong("digest", "sha256:<64 hex digits>", text))
    });
    let leaf = match (asked.number("index")?, digest.transpose()?) {
        (Some(index), None) => Leaf::Index(index),
        (None, Some(digest)) => Leaf::Digest(digest),
        (None, None) => return Err(one_of("neither")),
        (Some(_), Some(_)) => return Err(one_of("both")),
    };
    let size = asked.number("size")?;
    let answer = state
        .read(move |reader, _| {
            let index = match leaf {
                Leaf::Index(index) => index,
                Leaf::Digest(digest) => {
                    let found = reader.sequence_of_digest(&digest)?;
                    let record = found.map(|s| reader.record(s)).transpose()?.flatten();
                    match (found, record) {
                        (Some(index), Some(r)) if visibility.allows(&r.namespace) => index,
                        _ => return Err(not_there(&digest)),
                    }
                }
            };
            let size = match size {
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

/// How a leaf is named.
#[derive(Clone, Copy)]
enum Leaf {
    Index(u64),
    Digest(Sha256),
}

fn one_of(found: &str) -> Refusal {
    Refusal::new(
        ProblemType::MalformedQuery,
        format!("expected one of the parameters index and digest, found {found}"),
    )
}

pub(super) fn not_there(digest: &Sha256) -> Refusal {
    Refusal::new(ProblemType::NotFound, format!("no attestation with digest {digest} is here"))
}

/// `GET /v1/log/consistency?from=[&to=]`.
pub(super) async fn consistency(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    access::read(&request, &state)?;
    let asked = query::read(&request, &["from", "to"])?;
    let from = asked.number("from")?.ok_or_else(|| {
        let detail = "expected the parameter from, the smaller size, found none";
        Refusal::new(ProblemType::MalformedQuery, detail).with("parameter", "from")
    })?;
    let to = asked.number("to")?;
    let answer = state
        .read(move |reader, _| {
            let to = match to {
                Some(to) => to,
                None => reader.tree_size()?,
            };
            let hashes = reader.consistency(from, to)?;
            Ok(Consistency {
                from,
                to,
                from_root: hash(&reader.root(from)?),
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
