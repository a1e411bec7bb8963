//! What operators and orchestrators ask, and the answers for what is not there.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use attestry_schemas::problem::ProblemType;

use super::oci::OciRefusal;
use super::problem::Refusal;
use super::routes::ROUTES;
use super::{State, openapi};

/// The process runs.
pub(super) async fn healthy() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

/// The store answers.
pub(super) async fn ready(state: web::Data<State>) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    let size = state.read(|reader, _| reader.tree_size().map_err(Into::into)).await?;
    Ok(HttpResponse::Ok().content_type("text/plain").body(format!("ready, log size {size}\n")))
}

/// Prometheus' text format.
pub(super) async fn metrics(state: web::Data<State>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(state.metrics.render())
}

/// The description of every route.
pub(super) async fn openapi() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(openapi::DOCUMENT)
}

/// Nothing is at this path.
pub(super) async fn not_found(request: HttpRequest) -> HttpResponse {
    use actix_web::ResponseError as _;
    if request.path().starts_with("/v2/") {
        return OciRefusal::not_found("nothing is at this path of the OCI API").error_response();
    }
    let detail = "nothing is at this path; GET /openapi.json describes what there is";
    Refusal::new(ProblemType::NotFound, detail).error_response()
}

/// The path is known, the method is not.
pub(super) async fn method_not_allowed(request: HttpRequest) -> HttpResponse {
    use actix_web::ResponseError as _;
    let pattern = request.match_pattern().unwrap_or_default();
    let allowed: Vec<&str> =
        ROUTES.iter().filter(|r| r.path == pattern).map(|r| r.method).collect();
    let allowed = allowed.join(", ");
    let detail = format!("expected {allowed} at this path, found {}", request.method());
    if pattern.starts_with("/v2/") {
        return OciRefusal::method(detail, &allowed).error_response();
    }
    let mut response = Refusal::new(ProblemType::MethodNotAllowed, detail).error_response();
    if let Ok(value) = allowed.parse() {
        response.headers_mut().insert(actix_web::http::header::ALLOW, value);
    }
    response
}

impl actix_web::Responder for Refusal {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        use actix_web::ResponseError as _;
        self.error_response()
    }
}
