//! `/v2/`: the OCI distribution specification, 1.1 and what its main branch adds.
//!
//! A repository's name may have slashes, and words such as `blobs` among its segments; the routes match from
//! the end, so that the last of them counts. Names, tags and digests are read by their types, and refusals
//! have the specification's body ([`refusal`]).

pub(super) mod arrival;
pub(super) mod blobs;
mod guarded;
pub(super) mod manifests;
pub(super) mod referrers;
pub(super) mod refusal;
pub(super) mod tags;
pub(super) mod token;
pub(super) mod uploads;

use std::str::FromStr;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use attestry_schemas::oci::{NameError, RepositoryName};

use super::{State, access};
use crate::oci::OciError;
use crate::store::Reader;
pub(super) use refusal::OciRefusal;

/// The version that Docker's clients look for.
const API_VERSION: (&str, &str) = ("Docker-Distribution-API-Version", "registry/2.0");

/// `GET /v2/`: that this is a registry, and whether it knows the caller.
pub(super) async fn base(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, OciRefusal> {
    access::registry(&request, &state)?;
    Ok(HttpResponse::Ok().insert_header(API_VERSION).json(serde_json::json!({})))
}

/// The repository that the path names.
fn name(request: &HttpRequest) -> Result<RepositoryName, OciRefusal> {
    segment(request, "name")
}

/// A name of the path.
fn segment<T: FromStr<Err = NameError>>(request: &HttpRequest, of: &str) -> Result<T, OciRefusal> {
    request.match_info().query(of).parse().map_err(|error| OciError::Name(error).into())
}

/// The parameters of a query, as often as each stands; unknown ones are ignored, as the specification's
/// clients send some that it does not know.
fn parameters(request: &HttpRequest) -> Result<Vec<(String, String)>, OciRefusal> {
    let read = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
    read.map(web::Query::into_inner)
        .map_err(|_| OciRefusal::unsupported("expected a query of name=value, joined by &"))
}

/// The first value of a parameter.
fn parameter<'p>(parameters: &'p [(String, String)], name: &str) -> Option<&'p str> {
    parameters.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
}

/// The most entries of one page of a listing.
const MAX_PAGE: usize = 1000;

/// The size of a page: `n`, of any size, within [`MAX_PAGE`].
fn page_size(parameters: &[(String, String)]) -> Result<usize, OciRefusal> {
    let Some(text) = parameter(parameters, "n") else { return Ok(MAX_PAGE) };
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return Err(OciRefusal::page("expected n to be a whole number from 0 up"));
    }
    // A number beyond every integer is a large number.
    Ok(text.parse().unwrap_or(usize::MAX).min(MAX_PAGE))
}

impl State {
    /// Runs work on the store away from the threads that serve connections.
    async fn oci<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, OciError> + Send + 'static,
    ) -> Result<T, OciRefusal> {
        let state = Arc::clone(self);
        let done = web::block(move || work(&state)).await.map_err(|_| OciError::Stopping)?;
        done.map_err(OciRefusal::from)
    }

    /// As [`State::oci`], with a view of the store.
    async fn oci_read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Reader<'_>, &Self) -> Result<T, OciError> + Send + 'static,
    ) -> Result<T, OciRefusal> {
        self.oci(move |state| work(&state.store.reader(), state)).await
    }
}
