//! Query strings and path segments, read strictly.

use actix_web::HttpRequest;
use actix_web::web::Query;
use attestry_schemas::digest::Sha256;
use attestry_schemas::problem::ProblemType;

use super::problem::Refusal;

/// The most characters of what was found that a refusal repeats.
const MAX_SHOWN_CHARS: usize = 100;

/// The parameters of a query, each once and each known.
#[derive(Debug)]
pub(super) struct Parameters(Vec<(String, String)>);

/// Reads the query string; unknown and repeated parameters are refused.
pub(super) fn read(request: &HttpRequest, known: &[&str]) -> Result<Parameters, Refusal> {
    parse(request.query_string(), known)
}

fn parse(text: &str, known: &[&str]) -> Result<Parameters, Refusal> {
    let refused = |detail: String, name: &str| {
        let name: String = name.chars().take(MAX_SHOWN_CHARS).collect();
        Refusal::new(ProblemType::MalformedQuery, detail).with("parameter", name)
    };
    let pairs = Query::<Vec<(String, String)>>::from_query(text).map_err(|_| {
        let detail = format!("expected name=value, joined by &, found {}", shown(text));
        Refusal::new(ProblemType::MalformedQuery, detail)
    })?;
    let mut parameters: Vec<(String, String)> = Vec::new();
    for (name, value) in pairs.into_inner() {
        if !known.contains(&name.as_str()) {
            let detail =
                format!("expected no parameters but {}, found {}", known.join(", "), shown(&name));
            return Err(refused(detail, &name));
        }
        if parameters.iter().any(|(earlier, _)| *earlier == name) {
            let detail = format!("expected the parameter {name} once, found it again");
            return Err(refused(detail, &name));
        }
        parameters.push((name, value));
    }
    Ok(Parameters(parameters))
}

impl Parameters {
    /// The value of a parameter.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that is a size or an index.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let parse =
            |text: &str| text.parse().map_err(|_| wrong(name, "a whole number from 0 up", text));
        self.text(name).map(parse).transpose()
    }
}

/// A refusal of one parameter.
pub(super) fn wrong(name: &str, expected: &str, found: &str) -> Refusal {
    Refusal::new(
        ProblemType::MalformedQuery,
        format!("expected {name} to be {expected}, found {}", shown(found)),
    )
    .with("parameter", name)
}

/// Reads the path's `{digest}`.
pub(super) fn digest(request: &HttpRequest) -> Result<Sha256, Refusal> {
    let text = request.match_info().query("digest");
    text.parse().map_err(|_| {
        Refusal::new(
            ProblemType::MalformedPath,
            format!("expected a digest such as sha256:<64 hex digits>, found {}", shown(text)),
        )
    })
}

/// The path of the page of a listing that follows, with the query of this one.
pub(super) fn next(path: &str, query: &str, below: u64) -> String {
    let mut parts: Vec<String> = query
        .split('&')
        .filter(|part| !part.is_empty() && !part.starts_with("cursor="))
        .map(str::to_owned)
        .collect();
    parts.push(format!("cursor={below}"));
    format!("{path}?{}", parts.join("&"))
}

/// What was found, in quotes; the beginning of what is long.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(MAX_SHOWN_CHARS).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{cut:?}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_parameter_and_what_was_expected_and_found() {
        let number = |text: &str| parse(text, &["index", "size"])?.number("index");
        let check = |text: &str, parts: &[&str]| {
            let refused = number(text).unwrap_err();
            let detail = &refused.problem().detail;
            assert!(parts.iter().all(|part| detail.contains(part)), "{text}: {detail}");
            assert!(detail.len() < 400, "{text}: {} bytes", detail.len());
        };
        assert_eq!(number("size=1&index=7").unwrap(), Some(7));
        assert_eq!(number("").unwrap(), None);
        check("index=-1", &["index", "whole number", "\"-1\""]);
        check("index=a", &["index", "\"a\""]);
        check("index=", &["index", "\"\""]);
        check("order=up", &["index, size", "\"order\""]);
        check("index=1&index=2", &["index once"]);
        check(&format!("index={}", "9".repeat(5000)), &["index", "9\"…"]);
        check(&format!("{}=1", "x".repeat(5000)), &["index, size", "x\"…"]);
    }
}
