//! Query strings and path segments, read strictly.

use actix_web::HttpRequest;
use attestry_schemas::digest::Sha256;
use attestry_schemas::problem::ProblemType;
use serde::de::DeserializeOwned;

use super::problem::Refusal;

/// Reads the query string; unknown and repeated parameters are refused.
pub(super) fn read<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, Refusal> {
    let text = request.query_string();
    actix_web::web::Query::<T>::from_query(text).map(actix_web::web::Query::into_inner).map_err(
        |error| Refusal::new(ProblemType::MalformedQuery, format!("the query is refused: {error}")),
    )
}

/// A refusal of one parameter.
pub(super) fn wrong(name: &str, expected: &str, found: &str) -> Refusal {
    let found: String = found.chars().take(200).collect();
    Refusal::new(
        ProblemType::MalformedQuery,
        format!("expected {name} to be {expected}, found {found:?}"),
    )
    .with("parameter", name)
}

/// Reads the path's `{digest}`.
pub(super) fn digest(request: &HttpRequest) -> Result<Sha256, Refusal> {
    let text = request.match_info().query("digest");
    text.parse().map_err(|_| {
        let found: String = text.chars().take(200).collect();
        Refusal::new(
            ProblemType::MalformedPath,
            format!("expected a digest such as sha256:<64 hex digits>, found {found:?}"),
        )
    })
}
