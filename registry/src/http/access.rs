//! Who may ask what: a token for writes, and for reads where the settings say so.

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use attestry_schemas::problem::ProblemType;

use super::State;
use super::problem::Refusal;
use crate::store::query::Visibility;

fn token_name<'s>(request: &HttpRequest, state: &'s State) -> Result<Option<&'s str>, Refusal> {
    let Some(header) = request.headers().get(AUTHORIZATION) else { return Ok(None) };
    // The scheme's case does not matter (RFC 9110 §11.1).
    let sent = header
        .to_str()
        .ok()
        .and_then(|text| text.trim().split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token);
    sent.and_then(|sent| state.tokens.name_of(sent.trim())).map(Some).ok_or_else(|| {
        Refusal::new(
            ProblemType::Unauthorized,
            "expected a token of this registry as Authorization: Bearer attestry_…, found another",
        )
    })
}

fn missing() -> Refusal {
    Refusal::new(
        ProblemType::Unauthorized,
        "expected a token as Authorization: Bearer attestry_…, found none; init showed one, and the CLI takes it from ATTESTRY_TOKEN",
    )
}

/// Demands the right to write, and tells as whom the registry knows the caller: by the name of the token.
pub(super) fn caller(request: &HttpRequest, state: &State) -> Result<Option<String>, Refusal> {
    write(request, state)?;
    Ok(token_name(request, state)?.map(|name| format!("token:{name}")))
}

/// Demands the right to write.
pub(super) fn write(request: &HttpRequest, state: &State) -> Result<(), Refusal> {
    match token_name(request, state)? {
        Some(_) => Ok(()),
        None if state.config.require_token_for_writes => Err(missing()),
        None => Ok(()),
    }
}

/// Demands the right to speak for a cluster. Whoever has it says as whom the API server knows who asks.
pub(super) fn admission(request: &HttpRequest, state: &State) -> Result<(), Refusal> {
    match token_name(request, state)? {
        Some(_) => Ok(()),
        None if state.config.require_token_for_admission => Err(missing()),
        None => Ok(()),
    }
}

/// Demands the right to read, and tells what may be seen.
pub(super) fn read(request: &HttpRequest, state: &State) -> Result<Visibility, Refusal> {
    match token_name(request, state)? {
        Some(_) => Ok(Visibility::All),
        None if state.config.require_token_for_reads => Err(missing()),
        None => Ok(Visibility::All),
    }
}
