//! What a registry asks for with status 401: the challenges of `WWW-Authenticate` (RFC 9110 §11.6.1), and the token
//! that docker's protocol exchanges credentials for.

use std::collections::BTreeMap;

/// The most bytes of a challenge that are read.
const MAX_CHALLENGE_BYTES: usize = 8 * 1024;
/// The most parameters of one challenge.
const MAX_PARAMETERS: usize = 32;

/// One way to authenticate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User and password with every request (RFC 7617).
    Basic,
    /// A token that another endpoint gives (RFC 6750, docker's token protocol).
    Bearer {
        /// The URL of the endpoint.
        realm: String,
        /// For whom the token is.
        service: Option<String>,
        /// What it must allow.
        scope: Option<String>,
    },
}

impl Challenge {
    /// Reads the values of the header's lines. Schemes that are not known are left out.
    pub(super) fn parse<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Self> {
        let mut found = Vec::new();
        for line in lines.filter(|line| line.len() <= MAX_CHALLENGE_BYTES) {
            for (scheme, parameters) in challenges(line) {
                match scheme.as_str() {
                    "basic" => found.push(Self::Basic),
                    "bearer" => {
                        let of = |name: &str| parameters.get(name).cloned();
                        if let Some(realm) = of("realm") {
                            let (service, scope) = (of("service"), of("scope"));
                            found.push(Self::Bearer { realm, service, scope });
                        }
                    }
                    _ => {}
                }
            }
        }
        found
    }
}

/// The schemes of one line, in lower case, with their parameters.
fn challenges(line: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let mut found: Vec<(String, BTreeMap<String, String>)> = Vec::new();
    for item in items(line) {
        // `Scheme name=value`, `name=value`, or `Scheme` alone.
        let (before, value) = match item.split_once('=') {
            Some((before, value)) => (before.trim(), Some(value.trim())),
            None => (item.trim(), None),
        };
        let name = match (before.split_once(' '), value) {
            (Some((scheme, name)), Some(_)) => {
                found.push((scheme.to_ascii_lowercase(), BTreeMap::new()));
                name.trim()
            }
            (None, Some(_)) => before,
            (_, None) => {
                let scheme = before.split(' ').next().unwrap_or_default();
                found.push((scheme.to_ascii_lowercase(), BTreeMap::new()));
                continue;
            }
        };
        if let (Some((_, parameters)), Some(value)) = (found.last_mut(), value)
            && parameters.len() < MAX_PARAMETERS
        {
            // The first of several counts, so that nothing behind it takes its place.
            parameters.entry(name.to_ascii_lowercase()).or_insert_with(|| unquoted(value));
        }
    }
    found
}

/// The parts between commas, as far as those do not stand within quotes.
fn items(line: &str) -> Vec<String> {
    let (mut items, mut item) = (Vec::new(), String::new());
    let (mut quoted, mut escaped) = (false, false);
    for c in line.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                items.push(std::mem::take(&mut item));
                continue;
            }
            _ => {}
        }
        item.push(c);
    }
    items.push(item);
    items.retain(|item| !item.trim().is_empty());
    items
}

fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"') else { return value.to_owned() };
    let (mut text, mut escaped) = (String::new(), false);
    for c in inner.chars() {
        match c {
            _ if escaped => {
                escaped = false;
                text.push(c);
            }
            '\\' => escaped = true,
            '"' => break,
            _ => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Challenge::Bearer { realm: realm.to_owned(), service: owned(service), scope: owned(scope) }
    }

    #[test]
    fn reads_the_challenges_that_registries_send() {
        for (line, expected) in [
            ("Basic realm=\"attestry\", charset=\"UTF-8\"", vec![Challenge::Basic]),
            ("basic", vec![Challenge::Basic]),
            (
                "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:library/alpine:pull,push\"",
                vec![bearer(
                    "https://auth.docker.io/token",
                    Some("registry.docker.io"),
                    Some("repository:library/alpine:pull,push"),
                )],
            ),
            ("BEARER realm=https://a/t", vec![bearer("https://a/t", None, None)]),
            (
                "Bearer realm=\"https://a/t?x=\\\"y\\\"\" , Basic realm=\"b\"",
                vec![bearer("https://a/t?x=\"y\"", None, None), Challenge::Basic],
            ),
            (
                "Bearer realm=\"https://a\", realm=\"https://b\"",
                vec![bearer("https://a", None, None)],
            ),
            ("Negotiate, Basic realm=\"x\"", vec![Challenge::Basic]),
        ] {
            assert_eq!(Challenge::parse(std::iter::once(line)), expected, "{line}");
        }
    }

    #[test]
    fn what_is_no_challenge_asks_for_nothing() {
        let long = format!("Basic realm=\"{}\"", "a".repeat(MAX_CHALLENGE_BYTES));
        for line in
            ["", ",,,", "Bearer", "Bearer service=\"x\"", "Digest realm=\"x\"", "=", "\"", &long]
        {
            assert_eq!(Challenge::parse(std::iter::once(line)), [], "{line}");
        }
    }
}
