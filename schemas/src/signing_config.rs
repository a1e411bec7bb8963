//! `signing_config.json`: Sigstore's `SigningConfig` v0.2, which tells stock clients where to log.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::json::{self as strict, JsonError};
use crate::trusted_root::{TrustedRootError, move_urls, origin_of};

/// The media type that is written and read.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.signingconfig.v0.2+json";
/// The most bytes a configuration may have.
pub const MAX_BYTES: usize = 1 << 20;

/// Why a signing configuration was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningConfigError {
    /// Not strict JSON, or members of the wrong type.
    #[error("the signing configuration does not parse")]
    Json(#[source] JsonError),
    /// Another media type.
    #[error("expected mediaType {MEDIA_TYPE}, found {found:?}")]
    MediaType {
        /// `mediaType` as it was given.
        found: String,
    },
    /// The registry's public URL is not usable.
    #[error("the registry's URL is refused")]
    Url(#[source] TrustedRootError),
}

/// A service of a signing configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Where it is.
    pub url: String,
    /// Which version of its API.
    #[serde(default)]
    pub major_api_version: u32,
    /// Who runs it.
    #[serde(default)]
    pub operator: String,
}

/// A signing configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningConfig {
    text: String,
    logs: Vec<Service>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    media_type: String,
    #[serde(default)]
    rekor_tlog_urls: Vec<Service>,
}

impl SigningConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    /// [`SigningConfigError`] when it does not parse.
    pub fn parse(text: &[u8]) -> Result<Self, SigningConfigError> {
        let value: Value = strict::parse(text, MAX_BYTES).map_err(SigningConfigError::Json)?;
        let wire: Wire = strict::from_value(value, "the signing configuration")
            .map_err(SigningConfigError::Json)?;
        if wire.media_type != MEDIA_TYPE {
            return Err(SigningConfigError::MediaType {
                found: wire.media_type.chars().take(200).collect(),
            });
        }
        Ok(Self { text: String::from_utf8_lossy(text).into_owned(), logs: wire.rekor_tlog_urls })
    }

    /// The configuration that sends entries to the registry at `url`. No certificate authority and
    /// no timestamp authority: clients sign with keys of their own.
    ///
    /// # Errors
    /// [`SigningConfigError::Url`] when the URL has no host name.
    pub fn of_registry(url: &str, valid_from: jiff::Timestamp) -> Result<Self, SigningConfigError> {
        let operator = origin_of(url).map_err(SigningConfigError::Url)?;
        // sigstore-go dereferences the selectors without asking whether they are there.
        let value = json!({
            "mediaType": MEDIA_TYPE,
            "caUrls": [],
            "oidcUrls": [],
            "rekorTlogUrls": [{
                "url": url,
                "majorApiVersion": 2,
                "validFor": {"start": valid_from.to_string()},
                "operator": operator,
            }],
            "tsaUrls": [],
            "rekorTlogConfig": {"selector": "ANY"},
            "tsaConfig": {"selector": "ANY"},
        });
        Self::parse(format!("{value:#}\n").as_bytes())
    }

    /// The configuration of the same registry under another URL with the same host name; services of
    /// other hosts stay.
    ///
    /// # Errors
    /// [`SigningConfigError::Url`] when the URL has no host name.
    pub fn at(&self, url: &str) -> Result<Self, SigningConfigError> {
        let origin = origin_of(url).map_err(SigningConfigError::Url)?;
        let mut value: Value =
            strict::parse(self.text.as_bytes(), MAX_BYTES).map_err(SigningConfigError::Json)?;
        let services = value.get_mut("rekorTlogUrls").and_then(Value::as_array_mut);
        let urls = services.into_iter().flatten().filter_map(|service| service.get_mut("url"));
        if !move_urls(urls, &origin, url) {
            return Ok(self.clone());
        }
        Self::parse(format!("{value:#}\n").as_bytes())
    }

    /// The configuration as it was read or built.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The transparency logs it names.
    #[must_use]
    pub fn logs(&self) -> &[Service] {
        &self.logs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigstore_reads_our_configuration_and_finds_a_version_2_log() {
        let ours = SigningConfig::of_registry("http://127.0.0.1:8080", jiff::Timestamp::UNIX_EPOCH)
            .unwrap();
        let read = sigstore_trust_root::SigningConfig::from_json(ours.text()).unwrap();
        assert_eq!(read.rekor_url(None).unwrap().url, "http://127.0.0.1:8080");
        assert_eq!(ours.logs()[0].major_api_version, 2);
    }

    #[test]
    fn a_registry_that_moves_to_another_port_is_found_there() {
        let at = jiff::Timestamp::UNIX_EPOCH;
        let ours = SigningConfig::of_registry("http://127.0.0.1:8080", at).unwrap();
        let moved = ours.at("https://127.0.0.1:8443").unwrap();
        let rebuilt = SigningConfig::of_registry("https://127.0.0.1:8443", at).unwrap();
        assert_eq!(moved, rebuilt);
        assert_eq!(ours.at("http://127.0.0.1:8080").unwrap(), ours);
        assert_eq!(ours.at("http://127.0.0.2:8080").unwrap(), ours, "another log's");
    }

    #[test]
    fn refuses_another_media_type() {
        let text = sigstore_trust_root::SIGSTORE_PRODUCTION_SIGNING_CONFIG;
        assert!(SigningConfig::parse(text.as_bytes()).is_ok());
        let text = text.replace("v0.2", "v0.1");
        assert!(SigningConfig::parse(text.as_bytes()).is_err());
    }
}
