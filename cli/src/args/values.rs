//! Values of arguments, parsed at the edge.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use attestry_schemas::digest::{Digest, DigestError};
use attestry_schemas::predicate::{self, UtcTime};
use clap::builder::{OsStringValueParser, TypedValueParser as _, ValueParser, ValueParserFactory};
use jiff::Timestamp;

use crate::oci::{OciReference, ReferenceError};

/// The longest namespace, in bytes.
const MAX_NAMESPACE_BYTES: usize = 200;

/// Why an argument's text was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ValueError {
    /// The text is no URL of a registry.
    #[error("expected a registry such as https://attest.example.com, found {found:?}: {why}")]
    Registry {
        /// The text.
        found: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The text is no namespace.
    #[error(
        "expected a namespace such as pay/api (lower-case letters, digits, and . _ - between them, in parts divided by /, at most {MAX_NAMESPACE_BYTES} bytes), found {found:?}"
    )]
    Namespace {
        /// The text.
        found: String,
    },
    /// The text starts like a digest but is none.
    #[error("{why}; a file of that name is written ./{found}")]
    Digest {
        /// The text.
        found: String,
        /// What the digest's parser says.
        why: String,
    },
    /// The text starts like a reference to an artifact in a registry but is none.
    #[error(transparent)]
    Oci(ReferenceError),
    /// The text is no time.
    #[error("expected a time such as 2026-01-31 or 2026-01-31T12:00:00Z, found {found:?}")]
    Time {
        /// The text.
        found: String,
    },
    /// The text is no name of a step.
    #[error(
        "expected a step's name such as build or unit-tests (letters, digits, and . _ - after the first, at most 100), found {found:?}"
    )]
    Step {
        /// The text.
        found: String,
    },
    /// The text names no predicate type.
    #[error("expected a URI or one of {known}, found {found:?}")]
    PredicateType {
        /// The text.
        found: String,
        /// The short names.
        known: String,
    },
}

/// What a command is about, as it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SubjectArg {
    /// A file or folder.
    Path(PathBuf),
    /// The bytes of stdin.
    Stdin,
    /// An artifact that is not here.
    Digest(Digest),
    /// An artifact in an OCI registry.
    Oci(OciReference),
}

impl SubjectArg {
    /// The path, where the subject is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            Self::Stdin | Self::Digest(_) | Self::Oci(_) => None,
        }
    }
}

/// What is written before the colon of a digest.
const DIGEST_PREFIXES: &[&str] = &["sha256:", "sha512:", "gitCommit:"];

/// What a text is that was meant as a digest; none of another one. One with its algorithm in upper case, too, is told of, and no
/// path, where it would be a digest in lower case.
fn meant_as_digest(text: &str) -> Option<Result<Digest, DigestError>> {
    if DIGEST_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
        return Some(text.parse());
    }
    let meant = DIGEST_PREFIXES.iter().find_map(|prefix| {
        let (start, value) = text.split_at_checked(prefix.len())?;
        let is_one = start.eq_ignore_ascii_case(prefix);
        is_one.then(|| format!("{prefix}{}", value.to_ascii_lowercase()).parse::<Digest>().ok())?
    })?;
    Some(Err(DigestError::Case {
        algorithm: meant.algorithm().name().to_owned(),
        lower: meant.value().to_owned(),
        found: text.to_owned(),
    }))
}

impl FromStr for SubjectArg {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text == "-" {
            return Ok(Self::Stdin);
        }
        if let Some(digest) = meant_as_digest(text) {
            return digest.map(Self::Digest).map_err(|error| ValueError::Digest {
                found: text.to_owned(),
                why: error.to_string(),
            });
        }
        if OciReference::is_meant(text) {
            return text.parse().map(Self::Oci).map_err(ValueError::Oci);
        }
        Ok(Self::Path(text.into()))
    }
}

impl ValueParserFactory for SubjectArg {
    type Parser = ValueParser;

    /// A path need not be UTF-8; only what is can be a digest.
    fn value_parser() -> ValueParser {
        ValueParser::new(OsStringValueParser::new().try_map(|text| match text.to_str() {
            Some(text) => text.parse(),
            None => Ok(Self::Path(text.into())),
        }))
    }
}

/// A reference to an artifact in a registry, with `oci://` or as docker writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AnyReference(pub(crate) OciReference);

impl FromStr for AnyReference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        OciReference::of_any_form(text).map(Self)
    }
}

/// Where an answer is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Into no file: it goes beside the artifact in its registry.
    Registry,
    /// `-`
    Stdout,
    /// A file, replaced as a whole.
    File(PathBuf),
}

impl From<OsString> for Destination {
    fn from(text: OsString) -> Self {
        if text == "-" { Self::Stdout } else { Self::File(text.into()) }
    }
}

/// The base URL of a registry, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RegistryUrl {
    text: String,
    loopback: bool,
    tls: bool,
}

impl RegistryUrl {
    /// The URL of a path, which starts with a slash.
    pub(crate) fn join(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// Whether the host is this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// Host and port, where the URL has no path: then the registry answers for OCI there too.
    pub(crate) fn authority(&self) -> Option<String> {
        let uri: ureq::http::Uri = self.text.parse().ok()?;
        let is_root = uri.path().is_empty() || uri.path() == "/";
        is_root.then(|| uri.authority().map(|a| a.as_str().to_ascii_lowercase())).flatten()
    }

    /// Whether the connection is encrypted.
    pub(crate) fn is_tls(&self) -> bool {
        self.tls
    }
}

impl fmt::Display for RegistryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for RegistryUrl {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let refuse = |why| ValueError::Registry { found: text.to_owned(), why };
        let uri: ureq::http::Uri = text.parse().map_err(|_| refuse("it is not a URL"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(refuse("it does not start with https:// or http://")),
        };
        let host = uri.host().filter(|h| !h.is_empty()).ok_or(refuse("it names no host"))?;
        if uri.authority().is_some_and(|a| a.as_str().contains('@')) {
            return Err(refuse("a URL is no place for a secret; use ATTESTRY_TOKEN"));
        }
        if uri.query().is_some() || text.contains('#') {
            return Err(refuse("it has a query or a fragment"));
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let loopback = bare.eq_ignore_ascii_case("localhost")
            || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        Ok(Self { text: text.trim_end_matches('/').to_owned(), loopback, tls })
    }
}

/// A namespace of a registry: a path such as `pay/api`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Namespace(String);

impl Namespace {
    /// The path.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Namespace {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let part = |part: &str| {
            part.bytes().all(|b| inner(b) || matches!(b, b'.' | b'_' | b'-'))
                && part.bytes().next().is_some_and(inner)
                && part.bytes().next_back().is_some_and(inner)
        };
        if text.len() <= MAX_NAMESPACE_BYTES && text.split('/').all(part) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ValueError::Namespace { found: text.to_owned() })
        }
    }
}

/// A predicate type as it was asked for: a short name that is known, or a URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PredicateType(String);

impl PredicateType {
    /// As it was asked for; a short name may stand for several URIs.
    pub(crate) fn requested(&self) -> &str {
        &self.0
    }

    /// The URI that is written.
    pub(crate) fn uri(&self) -> &str {
        predicate::from_short(&self.0).map_or(&self.0, |known| known.uri)
    }

    /// The part of a file's name that tells attestations of this type from others: the short
    /// name, or the word of the URI that comes before its version.
    pub(crate) fn file_part(&self) -> String {
        let known = predicate::from_short(&self.0).or_else(|| predicate::from_uri(&self.0));
        if let Some(known) = known {
            return known.short.to_owned();
        }
        let version = |part: &&str| {
            let digits = part.strip_prefix('v').unwrap_or(part);
            !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let parts = self.0.split(|c| !plain(c) && c != '.');
        parts
            .filter(|part| !part.is_empty())
            .rfind(|part| !version(part))
            .unwrap_or("attestation")
            .trim_start_matches('.')
            .chars()
            .take(64)
            .collect()
    }
}

impl FromStr for PredicateType {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let graphic = text.bytes().all(|b| b.is_ascii_graphic()) && text.len() <= 512;
        let uri = text.split_once(':').is_some_and(|(scheme, rest)| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && !rest.is_empty()
        });
        if predicate::from_short(text).is_some() || (uri && graphic) {
            return Ok(Self(text.to_owned()));
        }
        let known: Vec<&str> = predicate::PREDICATE_TYPES.iter().map(|known| known.short).collect();
        Err(ValueError::PredicateType { found: text.to_owned(), known: known.join(", ") })
    }
}

/// A moment, given as a date (its first instant in UTC) or an RFC 3339 time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Since(Timestamp);

impl Since {
    /// The moment itself.
    pub(crate) fn moment(self) -> UtcTime {
        self.0.into()
    }
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Since {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let midnight = || -> Option<Timestamp> {
            let date: jiff::civil::Date = text.parse().ok()?;
            Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
        };
        text.parse()
            .ok()
            .or_else(midnight)
            .map(Self)
            .ok_or_else(|| ValueError::Time { found: text.to_owned() })
    }
}

/// Reads a name of an artifact or an environment as the gate takes it: one that patterns can match.
pub(crate) fn plain_name(text: &str) -> Result<String, String> {
    const MAX_CHARS: usize = 1_000;
    let is_plain = attestry_schemas::document::pattern::is_plain(text) && !text.contains('*');
    if text.chars().count() <= MAX_CHARS && is_plain {
        return Ok(text.to_owned());
    }
    Err(format!(
        "expected a name such as pay/api of at most {MAX_CHARS} characters, without empty segments, .., *, %, \\ and spaces, as the [match] of a policy names it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_a_path_stdin_or_a_digest() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (text, expected) in [
            ("-", SubjectArg::Stdin),
            ("./-", SubjectArg::Path("./-".into())),
            ("a:b", SubjectArg::Path("a:b".into())),
            ("./sha256:x", SubjectArg::Path("./sha256:x".into())),
            (digest.as_str(), SubjectArg::Digest(digest.parse().unwrap())),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_malformed_digest_is_not_taken_for_a_path() {
        let refusal = "sha256:abc".parse::<SubjectArg>().unwrap_err().to_string();
        assert!(refusal.contains("64") && refusal.contains("./sha256:abc"), "{refusal}");
    }

    #[test]
    fn a_digest_in_upper_case_is_told_in_lower_case_and_is_no_path() {
        let (upper, lower) = ("AB".repeat(32), format!("expected sha256:{}", "ab".repeat(32)));
        for text in [format!("sha256:{upper}"), format!("SHA256:{upper}")] {
            let refusal = text.parse::<SubjectArg>().unwrap_err().to_string();
            assert!(refusal.starts_with(&lower) && refusal.contains("lower-case"), "{refusal}");
            assert!(refusal.contains(&format!("./{text}")), "{refusal}");
        }
        // What is no digest in lower case either, such as a key's fingerprint, is a name as any other.
        let fingerprint = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
        assert_eq!(fingerprint.parse(), Ok(SubjectArg::Path(fingerprint.into())));
    }

    #[test]
    fn a_registry_is_an_http_url_without_secrets_query_or_fragment() {
        for (text, join) in [
            ("https://a.example/", "https://a.example/v1/x"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1/x"),
            ("https://a.example/attestry", "https://a.example/attestry/v1/x"),
        ] {
            assert_eq!(text.parse::<RegistryUrl>().unwrap().join("/v1/x"), join);
        }
        for text in [
            "a.example",
            "ftp://a.example",
            "https://u:p@a.example",
            "https://a.example?x=1",
            "https://a.example#x",
            "",
        ] {
            assert!(text.parse::<RegistryUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn knows_which_hosts_are_this_machine() {
        for (text, loopback) in [
            ("http://localhost:1", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:8080", true),
            ("http://10.0.0.1", false),
            ("http://localhost.example.com", false),
        ] {
            assert_eq!(text.parse::<RegistryUrl>().unwrap().is_loopback(), loopback, "{text}");
        }
    }

    #[test]
    fn a_namespace_is_a_path_of_plain_parts() {
        for text in ["default", "pay/api", "a-b/c.d/e_f", "0"] {
            assert!(text.parse::<Namespace>().is_ok(), "{text}");
        }
        for text in ["", "/a", "a/", "a//b", "A", "..", "a/../b", "-a", "a b", "ä"] {
            assert!(text.parse::<Namespace>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_predicate_type_is_a_known_short_name_or_a_uri() {
        for (text, uri, file_part) in [
            ("provenance", "https://slsa.dev/provenance/v1", "provenance"),
            ("https://slsa.dev/provenance/v1", "https://slsa.dev/provenance/v1", "provenance"),
            ("https://a.example/load-test/v2", "https://a.example/load-test/v2", "load-test"),
            ("urn:x:1.0", "urn:x:1.0", "x"),
            ("https://a.example/..", "https://a.example/..", "a.example"),
        ] {
            let parsed: PredicateType = text.parse().unwrap();
            assert_eq!((parsed.uri(), parsed.file_part().as_str()), (uri, file_part), "{text}");
        }
        for text in ["", "provenence", "x y:z", ":x", "x:"] {
            assert!(text.parse::<PredicateType>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_date_is_its_first_instant_in_utc() {
        assert_eq!("2026-01-31".parse::<Since>().unwrap().to_string(), "2026-01-31T00:00:00Z");
        assert!("yesterday".parse::<Since>().is_err());
    }
}
