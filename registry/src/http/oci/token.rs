//! `/v2/token`: Docker's token flow (distribution's "Token Authentication Specification").
//!
//! A client that was challenged asks here, with its credential as Basic, or in a form (RFC 6749 §4.3), and gets a
//! short-lived bearer token for no more than it asked for and may do now.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::BytesMut;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use serde_json::json;

use super::{OciRefusal, State, parameters};
use crate::authority::Caller;
use crate::authority::bearer::{MAX_SCOPES, Scope};
use crate::http::access;
use crate::oci::OciError;

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
    let body = whole(payload, state.config.request_timeout_ms).await?;
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

/// Reads a whole form: whoever sends it has not shown a credential yet.
async fn whole(mut payload: web::Payload, timeout_ms: u64) -> Result<BytesMut, OciRefusal> {
    let collect = async {
        let mut body = BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|error| {
                let message = format!("the body could not be read whole: {error}");
                OciRefusal::body(StatusCode::BAD_REQUEST, message)
            })?;
            if body.len() + chunk.len() > MAX_FORM_BYTES {
                return Err(OciError::TooLarge { limit_bytes: MAX_FORM_BYTES as u64 }.into());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    };
    tokio::time::timeout(std::time::Duration::from_millis(timeout_ms), collect)
        .await
        .unwrap_or_else(|_| {
            let message = format!("expected the whole form within {timeout_ms} ms");
            Err(OciRefusal::body(StatusCode::REQUEST_TIMEOUT, message))
        })
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
