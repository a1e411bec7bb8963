//! One span and one measurement for each request. Never bodies, tokens or keys.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use tracing::Instrument as _;

use super::State;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The content of answers is data; nothing in it is for a browser to interpret.
const NO_SNIFF: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));

pub(super) async fn request(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let started = Instant::now();
    let id = uuid::Uuid::new_v4().to_string();
    // The pattern, not the path: a path can hold anything, and would make endless metrics.
    let route = request.match_pattern().unwrap_or_else(|| "none".to_owned());
    // Any token is a method (RFC 9110 §9.1), so an unknown one is not a label either.
    let method_label = label(request.method());
    let state = request.app_data::<web::Data<State>>().cloned();
    let span = tracing::info_span!("request", id, method = method_label, route);
    let mut response = match next.call(request).instrument(span.clone()).await {
        Ok(response) => response.map_into_boxed_body(),
        Err(error) => return Err(error),
    };
    let status = response.status();
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response.headers_mut().insert(NO_SNIFF.0, NO_SNIFF.1);
    let seconds = started.elapsed().as_secs_f64();
    if let Some(state) = state {
        let labels = [route.as_str(), method_label, status.as_str()];
        state.metrics.request_seconds.with_label_values(&labels).observe(seconds);
    }
    span.in_scope(|| {
        tracing::debug!(status = status.as_u16(), duration_ms = seconds * 1000.0, "answered");
    });
    Ok(response)
}

/// A method as metrics and log lines name it: one of a closed list.
fn label(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] =
        ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_method_is_no_label_of_its_own() {
        let method = |text: &str| Method::from_bytes(text.as_bytes()).unwrap();
        for (text, expected) in
            [("GET", "GET"), ("PATCH", "PATCH"), ("get", "other"), ("X7F3A", "other")]
        {
            assert_eq!(label(&method(text)), expected, "{text}");
        }
    }
}
