//! `/v1/digests`: which attestations a shortened digest stands for.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use attestry_schemas::digest::Abbreviated;
use attestry_schemas::problem::{ProblemType, chain};
use serde::Serialize;

use super::problem::Refusal;
use super::{State, access, query};

/// How many digests are looked at: eight hex digits begin more only where somebody has made them so.
const MAX_LOOKED_AT: usize = 100;
/// How many are told.
const MAX_TOLD: usize = 10;

/// The digests that begin as asked.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct DigestsAnswer {
    /// The digests of attestations, in their order; at most 10.
    digests: Vec<String>,
}

/// `GET /v1/digests/{start}`: the digests of attestations that begin so.
pub(super) async fn beginning(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    let visibility = access::read(&request, &state)?;
    query::read(&request, &[])?;
    let start: Abbreviated = request
        .match_info()
        .query("start")
        .parse()
        .map_err(|error| Refusal::new(ProblemType::MalformedPath, chain(&error)))?;
    let digests = state
        .read(move |reader, _| {
            let mut digests = Vec::new();
            for (digest, sequence) in reader.digests_beginning(&start, MAX_LOOKED_AT)? {
                let record = reader.record(sequence)?;
                if record.is_some_and(|record| visibility.allows(&record.namespace)) {
                    digests.push(digest.to_string());
                }
            }
            digests.truncate(MAX_TOLD);
            match digests.is_empty() {
                true => Err(Refusal::new(
                    ProblemType::NotFound,
                    format!("no attestation whose digest begins with {start} is here"),
                )),
                false => Ok(digests),
            }
        })
        .await?;
    Ok(HttpResponse::Ok().json(DigestsAnswer { digests }))
}
