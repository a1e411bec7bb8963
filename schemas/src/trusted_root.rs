//! `trusted_root.json`: Sigstore's `TrustedRoot`, media type version 0.1.
//!
//! Attestry writes a root that holds its own log's key, so that stock clients verify what the
//! registry answered. It reads any root; of a root it reads the transparency logs itself, and hands
//! the whole text to `sigstore-verify` for certificates and timestamps.

use std::fmt;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::base64;
use crate::json::{self as strict, JsonError};
use crate::key::{KeyError, PublicKey};
use crate::note::NoteKey;
use crate::rekor::LogId;
use crate::verify::{CertificateRoots, CertificateRootsError};

/// The media type that is written and read.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";
/// The most bytes a root may have.
pub const MAX_BYTES: usize = 4 << 20;
/// The most logs that are read.
pub const MAX_LOGS: usize = 64;

/// Why a trusted root was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustedRootError {
    /// Not strict JSON, or members of the wrong type.
    #[error("the trusted root does not parse")]
    Json(#[source] JsonError),
    /// Another media type.
    #[error("expected mediaType {MEDIA_TYPE}, found {found:?}")]
    MediaType {
        /// `mediaType` as it was given.
        found: String,
    },
    /// Too many logs.
    #[error("expected at most {MAX_LOGS} logs in the trusted root, found {found}")]
    TooManyLogs {
        /// How many there were.
        found: usize,
    },
    /// The registry's public URL has no host name that can be an origin.
    #[error("expected a URL such as https://attest.example.org, found {found:?}")]
    Url {
        /// The URL as it was given.
        found: String,
    },
    /// The log's key cannot sign checkpoints.
    #[error("expected an Ed25519 log key")]
    LogKey(#[source] Option<KeyError>),
}

/// A log that a root trusts, with an Ed25519 key (Rekor v2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedLog {
    /// The origin line of its checkpoints: the host name of `baseUrl`.
    pub origin: String,
    /// The id its entries carry.
    pub log_id: Vec<u8>,
    /// Its key.
    pub key: PublicKey,
    /// When the key may sign, where the root bounds it.
    pub valid_for: Validity,
}

/// A time from and until which a key may sign; both ends belong to it, and each may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub struct Validity {
    /// Not before.
    #[serde(default)]
    pub start: Option<jiff::Timestamp>,
    /// Not after.
    #[serde(default)]
    pub end: Option<jiff::Timestamp>,
}

impl Validity {
    /// Whether a second lies in it. Cosignatures tell whole seconds, so the start's fraction is cut.
    #[must_use]
    pub fn holds(&self, time_s: i64) -> bool {
        self.start.is_none_or(|start| start.as_second() <= time_s)
            && self.end.is_none_or(|end| time_s <= end.as_second())
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = |end: Option<jiff::Timestamp>| {
            end.map_or_else(|| "ever".to_owned(), |time| time.to_string())
        };
        write!(f, "from {} until {}", open(self.start), open(self.end))
    }
}

impl TrustedLog {
    /// The key that opens the log's checkpoints.
    ///
    /// # Errors
    /// [`TrustedRootError`] when the origin or the key cannot be a note key.
    pub fn note_key(&self) -> Result<NoteKey, TrustedRootError> {
        let raw = self.key.ed25519_raw().ok_or(TrustedRootError::LogKey(None))?;
        NoteKey::ed25519(&self.origin, raw)
            .map_err(|_| TrustedRootError::Url { found: self.origin.clone() })
    }
}

/// A trusted root.
#[derive(Debug, Clone)]
pub struct TrustedRoot {
    text: String,
    logs: Vec<TrustedLog>,
    has_certificate_authorities: bool,
    /// What certificates are checked against, parsed when that is asked for first.
    certificates: OnceLock<Result<CertificateRoots, CertificateRootsError>>,
}

impl PartialEq for TrustedRoot {
    fn eq(&self, other: &Self) -> bool {
        // All else follows from it.
        self.text == other.text
    }
}

impl Eq for TrustedRoot {}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    media_type: String,
    #[serde(default)]
    tlogs: Vec<WireLog>,
    #[serde(default)]
    certificate_authorities: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireLog {
    #[serde(default)]
    base_url: String,
    public_key: WireKey,
    log_id: WireId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireKey {
    #[serde(with = "base64::bytes")]
    raw_bytes: Vec<u8>,
    #[serde(default)]
    key_details: String,
    #[serde(default)]
    valid_for: Validity,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireId {
    #[serde(with = "base64::bytes")]
    key_id: Vec<u8>,
}

impl TrustedRoot {
    /// Reads a root.
    ///
    /// # Errors
    /// [`TrustedRootError`] when it does not parse. Logs with keys of other kinds than Ed25519
    /// stay in the text for `sigstore-verify` and are not listed by [`TrustedRoot::logs`].
    pub fn parse(text: &[u8]) -> Result<Self, TrustedRootError> {
        let value = strict::parse(text, MAX_BYTES).map_err(TrustedRootError::Json)?;
        let wire: Wire =
            strict::from_value(value, "the trusted root").map_err(TrustedRootError::Json)?;
        if wire.media_type != MEDIA_TYPE {
            return Err(TrustedRootError::MediaType {
                found: wire.media_type.chars().take(200).collect(),
            });
        }
        if wire.tlogs.len() > MAX_LOGS {
            return Err(TrustedRootError::TooManyLogs { found: wire.tlogs.len() });
        }
        let mut logs = Vec::new();
        for log in wire.tlogs.into_iter().filter(|l| l.public_key.key_details == "PKIX_ED25519") {
            logs.push(TrustedLog {
                origin: origin_of(&log.base_url)?,
                log_id: log.log_id.key_id,
                key: PublicKey::from_spki_der(&log.public_key.raw_bytes)
                    .map_err(|e| TrustedRootError::LogKey(Some(e)))?,
                valid_for: log.public_key.valid_for,
            });
        }
        let text = String::from_utf8_lossy(text).into_owned();
        let has_certificate_authorities = !wire.certificate_authorities.is_empty();
        let certificates = OnceLock::new();
        Ok(Self { text, logs, has_certificate_authorities, certificates })
    }

    /// The root of a registry: its own log and nothing else.
    ///
    /// # Errors
    /// When the URL has no host name, or the key is not Ed25519.
    pub fn of_registry(
        url: &str,
        key: &PublicKey,
        valid_from: jiff::Timestamp,
    ) -> Result<Self, TrustedRootError> {
        let origin = origin_of(url)?;
        let raw = key.ed25519_raw().ok_or(TrustedRootError::LogKey(None))?;
        let id = LogId::of_ed25519(&origin, &raw).to_string();
        let value = json!({
            "mediaType": MEDIA_TYPE,
            "tlogs": [{
                "baseUrl": url,
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": base64::encode(key.spki_der()),
                    "keyDetails": key.key_details(),
                    "validFor": {"start": valid_from.to_string()},
                },
                "logId": {"keyId": id},
                "checkpointKeyId": {"keyId": id},
            }],
            "certificateAuthorities": [],
            "ctlogs": [],
            "timestampAuthorities": [],
        });
        Self::parse(format!("{value:#}\n").as_bytes())
    }

    /// The root of the same registry under another URL with the same host name; all else stays.
    ///
    /// # Errors
    /// [`TrustedRootError::Url`] when the URL has no host name.
    pub fn at(&self, url: &str) -> Result<Self, TrustedRootError> {
        let origin = origin_of(url)?;
        let mut value: Value =
            strict::parse(self.text.as_bytes(), MAX_BYTES).map_err(TrustedRootError::Json)?;
        let logs = value.get_mut("tlogs").and_then(Value::as_array_mut);
        let urls = logs.into_iter().flatten().filter_map(|log| log.get_mut("baseUrl"));
        if !move_urls(urls, &origin, url) {
            return Ok(self.clone());
        }
        Self::parse(format!("{value:#}\n").as_bytes())
    }

    /// The root as it was read or built.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether certificates can be checked against it.
    #[must_use]
    pub fn has_certificate_authorities(&self) -> bool {
        self.has_certificate_authorities
    }

    /// The root as what certificates are checked against.
    ///
    /// # Errors
    /// [`CertificateRootsError`] when it has no certificate authorities, or one that cannot be used.
    pub fn certificate_roots(&self) -> Result<CertificateRoots, CertificateRootsError> {
        let parse = || CertificateRoots::given([("the given trusted root", self.text.as_str())]);
        self.certificates.get_or_init(parse).clone()
    }

    /// The logs with Ed25519 keys.
    #[must_use]
    pub fn logs(&self) -> &[TrustedLog] {
        &self.logs
    }

    /// The log whose entries carry `log_id`.
    #[must_use]
    pub fn log(&self, log_id: &[u8]) -> Option<&TrustedLog> {
        self.logs.iter().find(|log| log.log_id == log_id)
    }
}

/// Replaces the URLs of one origin by another of it. Returns whether any was another.
pub(crate) fn move_urls<'v>(
    urls: impl Iterator<Item = &'v mut Value>,
    origin: &str,
    to: &str,
) -> bool {
    let mut moved = false;
    for url in urls {
        let is_ours = |text: &str| {
            text.trim_end_matches('/') != to && origin_of(text).is_ok_and(|found| found == origin)
        };
        if url.as_str().is_some_and(is_ours) {
            *url = Value::from(to);
            moved = true;
        }
    }
    moved
}

/// The origin of a log: the host name of its public URL, without port and path.
///
/// # Errors
/// [`TrustedRootError::Url`] when there is no scheme or no host name.
pub fn origin_of(url: &str) -> Result<String, TrustedRootError> {
    let wrong = || TrustedRootError::Url { found: url.chars().take(200).collect() };
    let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
    if !matches!(scheme, "http" | "https") {
        return Err(wrong());
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(wrong());
    }
    // RFC 3986 §3.2.2: an IPv6 literal stands in brackets; Go's Hostname() takes them off.
    let host = match authority.strip_prefix('[') {
        Some(literal) => literal.split_once(']').map(|(host, _)| host).ok_or_else(wrong)?,
        None => authority.split(':').next().unwrap_or_default(),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || host.len() > 253 || !host.chars().all(plain) {
        return Err(wrong());
    }
    Ok(host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;

    fn root() -> TrustedRoot {
        let key = SigningKey::from_ed25519_seed([3; 32]);
        TrustedRoot::of_registry(
            "http://127.0.0.1:8080",
            key.public_key(),
            jiff::Timestamp::UNIX_EPOCH,
        )
        .unwrap()
    }

    #[test]
    fn a_registrys_root_names_its_log_by_the_id_its_entries_carry() {
        let root = root();
        let [log] = root.logs() else { panic!("one log expected") };
        assert_eq!(log.origin, "127.0.0.1");
        assert_eq!(log.log_id, LogId::of_ed25519("127.0.0.1", &log.key.ed25519_raw().unwrap()).0);
        assert!(root.log(&log.log_id).is_some() && root.log(b"other").is_none());
    }

    #[test]
    fn a_registry_that_moves_to_another_port_keeps_its_log() {
        let moved = root().at("https://127.0.0.1:8443").unwrap();
        assert!(moved.text().contains("\"https://127.0.0.1:8443\""), "{}", moved.text());
        assert!(!moved.text().contains("8080"), "{}", moved.text());
        assert_eq!(moved.logs(), root().logs());
        assert_eq!(root().at("http://127.0.0.1:8080").unwrap(), root());
    }

    #[test]
    fn sigstore_reads_our_root_and_we_read_sigstores() {
        sigstore_trust_root::TrustedRoot::from_json(root().text()).unwrap();
        for text in [
            sigstore_trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT,
            sigstore_trust_root::SIGSTORE_GITHUB_TRUSTED_ROOT,
        ] {
            let sigstores = TrustedRoot::parse(text.as_bytes()).unwrap();
            assert!(sigstores.has_certificate_authorities());
        }
        assert!(!root().has_certificate_authorities());
    }

    #[test]
    fn the_origin_is_the_host_name_alone() {
        for (url, expected) in [
            ("https://attest.example.org", Some("attest.example.org")),
            ("http://127.0.0.1:8080/base?x", Some("127.0.0.1")),
            ("http://[::1]:80", Some("::1")),
            ("ftp://x", None),
            ("attest.example.org", None),
            ("https://", None),
            ("https://a b", None),
            ("https://user@host", None),
            ("https://a+b", None),
        ] {
            assert_eq!(origin_of(url).ok().as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn refuses_another_media_type_and_duplicate_keys() {
        let text = root().text().replace("version=0.1", "version=0.2");
        assert!(matches!(
            TrustedRoot::parse(text.as_bytes()),
            Err(TrustedRootError::MediaType { .. })
        ));
        let text = root().text().replacen('{', "{\"tlogs\":[],", 1);
        assert!(matches!(TrustedRoot::parse(text.as_bytes()), Err(TrustedRootError::Json(_))));
    }
}
