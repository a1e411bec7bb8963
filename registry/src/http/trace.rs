//! One span, one measurement and, of what was done or refused, one event for each request. Never bodies, tokens or
//! keys; queries of the OCI API alone.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpRequest, web};
use tracing::Instrument as _;

use super::State;
use super::access::Demanded;
use crate::trail::{Event, Ring};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The content of answers is data, much of it of strangers; nothing in it is for a browser to run, show in a frame,
/// or load into another site's page.
const SECURITY: [(&str, &str); 5] = [
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'; sandbox"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
];
/// Said over TLS alone, as RFC 6797 §7.2 has it.
const STRICT_TRANSPORT: (&str, &str) = ("strict-transport-security", "max-age=31536000");
/// Where tokens are asked for.
const TOKEN: &str = "/v2/token";
/// What only asks, although its method could write, and sessions, of which nothing stays until they end.
const ASKING: &[(&str, &str)] = &[
    ("POST", "/v1/replays"),
    ("POST", "/v1/decisions/{digest}/replay"),
    ("POST", TOKEN),
    ("POST", "/k8s/admission"),
    ("POST", "/k8s/admission/{path:.*}"),
    ("PATCH", "/v2/{name:.+}/blobs/uploads/{session}"),
    ("DELETE", "/v2/{name:.+}/blobs/uploads/{session}"),
];

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
    let span = tracing::info_span!("request", id = id.as_str(), method = method_label, route);
    let mut response = match next.call(request).instrument(span.clone()).await {
        Ok(response) => response.map_into_boxed_body(),
        Err(error) => return Err(error),
    };
    let status = response.status();
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let is_tls = state.as_ref().is_some_and(|state| state.config.tls.is_some());
    for (name, value) in SECURITY.into_iter().chain(is_tls.then_some(STRICT_TRANSPORT)) {
        let (name, value) = (HeaderName::from_static(name), HeaderValue::from_static(value));
        response.headers_mut().insert(name, value);
    }
    let seconds = started.elapsed().as_secs_f64();
    if let Some(state) = state {
        let labels = [route.as_str(), method_label, status.as_str()];
        state.metrics.request_seconds.with_label_values(&labels).observe(seconds);
        if let Some((ring, event)) = event(response.request(), status, (method_label, &route), id) {
            span.in_scope(|| state.trail.add(ring, event));
        }
    }
    span.in_scope(|| {
        tracing::debug!(status = status.as_u16(), duration_ms = seconds * 1000.0, "answered");
    });
    Ok(response)
}

/// What the record of who did what is told: each write, and each refusal for want of a right.
fn event(
    request: &HttpRequest,
    status: StatusCode,
    (method, route): (&'static str, &str),
    id: String,
) -> Option<(Ring, Event)> {
    let demanded = request.extensions().get::<Demanded>().cloned().unwrap_or_default();
    let is_denied = demanded.is_denied
        || matches!(status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS);
    let may_write = matches!(method, "POST" | "PUT" | "PATCH" | "DELETE");
    // 202 to a POST is a session that began.
    let asks =
        ASKING.contains(&(method, route)) || (method == "POST" && status == StatusCode::ACCEPTED);
    let ring = match (is_denied, may_write && status.is_success() && !asks) {
        (true, _) => Ring::Denied,
        (false, true) => Ring::Done,
        (false, false) => return None,
    };
    let event = Event {
        request: id,
        principal: demanded.principal,
        subject: demanded.subject,
        role: demanded.role.map(crate::rights::Role::word),
        namespace: demanded.namespace,
        method,
        path: object(request),
        address: request.peer_addr().map(|address| address.ip().to_string()),
        status: status.as_u16(),
    };
    Some((ring, event))
}

/// What a request is about, percent-encoded as it came. In the OCI API the query names a part of that, such as the tags
/// of a push by digest, or what is mounted from where; elsewhere, and where tokens are asked for, it stays out.
fn object(request: &HttpRequest) -> String {
    let uri = request.uri();
    // As the routes read it: one path may be spelled in many ways.
    let path = request.match_info().as_str();
    match uri.path_and_query() {
        Some(whole) if path.starts_with("/v2/") && path != TOKEN => whole.as_str().to_owned(),
        _ => uri.path().to_owned(),
    }
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
