//! `/v2/token`: Docker's token flow (distribution's "Token Authentication Specification").
//!
//! A client that was challenged asks here, with its credential as Basic, or in a form (RFC 6749 §4.3), and gets a
//! short-lived bearer token for no more than it asked for and may do now.

use std::sync::Arc;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use serde_json::json;

use super::{OciRefusal, State, parameters};
use crate::authority::Caller;
use crate::authority::bearer::{MAX_SCOPES, Scope};
use crate::http::{access, body};

/// The largest form, in bytes: far above a password with as many scopes as clients ask for at once.
const MAX_FORM_BYTES: usize = 32 << 10;
/// How a client shows a credential here.
const CHALLENGE: &str = "Basic realm=\"attestry\", charset=\"UTF-8\"";

/// `GET`: the credential is in the `Authorization` header.
pub(in crate::http) async fn get(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, OciRefusal> {
    let caller = access::asking(&request, &state).map_err(|e| e.challenging(CHALLENGE))?;
    issue(&state, &caller, &parameters(&request)?)
}

/// `POST`: the credential is the form's password.
pub(in crate::http) async fn post(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, OciRefusal> {
    // Whoever sends it has not shown a credential yet.
    let announced = body::announced(&request);
    let timeout_ms = state.config.request_timeout_ms;
    let body = body::bounded(payload, announced, MAX_FORM_BYTES, timeout_ms).await?;
    let form = std::str::from_utf8(&body).ok();
    let form = form.and_then(|text| web::Query::<Vec<(String, String)>>::from_query(text).ok());
    let Some(form) = form.map(web::Query::into_inner) else {
        return Err(OciRefusal::unsupported("expected a form of name=value, joined by &"));
    };
    let member = |name: &str| super::parameter(&form, name);
    let caller = match (member("grant_type"), member("password")) {
        (Some("password"), Some(password)) => {
            access::asking_with(&request, &state, password).map_err(|e| e.challenging(CHALLENGE))?
        }
        _ => {
            let message =
                "expected grant_type=password with a password; there are no refresh tokens";
            return Err(OciRefusal::unsupported(message));
        }
    };
    issue(&state, &caller, &form)
}

fn issue(
    state: &State,
    caller: &Arc<Caller>,
    parameters: &[(String, String)],
) -> Result<HttpResponse, OciRefusal> {
    let texts = parameters.iter().filter(|(name, _)| name == "scope");
    let texts = texts.flat_map(|(_, value)| value.split(' ')).filter(|text| !text.is_empty());
    let scopes: Vec<Scope> = texts.take(MAX_SCOPES).filter_map(Scope::parse).collect();
    let issued = state.authority.bearer(caller, &scopes);
    let at = Timestamp::from_second(issued.issued_at_s).map(|at| at.to_string());
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(json!({
        "token": issued.token,
        "access_token": issued.token,
        "expires_in": issued.expires_in_s,
        "issued_at": at.unwrap_or_default(),
    })))
}
