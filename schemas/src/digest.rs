//! Digests as in-toto names them.
//!
//! An [`Algorithm`] is one of the names of the in-toto DigestSet specification; a [`Digest`] pairs
//! one with its value; a [`DigestSet`] is the map that descriptors and subjects carry. Values are
//! lower-case hex of the algorithm's exact length, so that equality of text is equality of digest.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

mod abbreviated;

pub use abbreviated::Abbreviated;

/// The most entries a [`DigestSet`] may hold.
pub const MAX_DIGESTS: usize = 16;

/// Why a digest was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// The text is not `algorithm:value`.
    #[error("expected a digest such as sha256:<64 hex digits>, found {found:?}")]
    Form {
        /// The text as it was given.
        found: String,
    },
    /// The value has the wrong length or characters for its algorithm.
    #[error("expected {expected_chars} lower-case hex digits for {algorithm}, found {found:?}")]
    Value {
        /// The algorithm that sets the length.
        algorithm: String,
        /// The length in characters.
        expected_chars: usize,
        /// The value as it was given.
        found: String,
    },
    /// The value would fit if it were in lower case: equality of text is equality of digest.
    #[error(
        "expected {algorithm}:{lower}, because digests are written in lower-case hex, found {found:?}"
    )]
    Case {
        /// The algorithm.
        algorithm: String,
        /// The value in lower case.
        lower: String,
        /// The value as it was given.
        found: String,
    },
    /// The text is not the beginning of a SHA-256.
    #[error(
        "expected a digest such as sha256:<64 hex digits>, or its first {} or more hex digits, found {found:?}",
        abbreviated::MIN_DIGITS
    )]
    Abbreviated {
        /// The text as it was given.
        found: String,
    },
    /// The set is empty or too large.
    #[error("a digest set holds 1 to {MAX_DIGESTS} digests, found {found}")]
    SetSize {
        /// How many there were.
        found: usize,
    },
}

/// A digest algorithm by its in-toto name (in-toto `digest_set.md`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256 of the bytes; also what OCI digests use.
    Sha256,
    /// SHA-512 of the bytes.
    Sha512,
    /// Any other algorithm, by name: its value is kept and compared, never recomputed.
    Other(String),
}

/// Algorithms whose values are lower-case hex, with their length in characters.
const HEX_CHARS: &[(&str, usize)] = &[
    ("sha256", 64),
    ("sha512", 128),
    ("sha224", 56),
    ("sha384", 96),
    ("sha512_224", 56),
    ("sha512_256", 64),
    ("sha3_224", 56),
    ("sha3_256", 64),
    ("sha3_384", 96),
    ("sha3_512", 128),
    ("blake2b", 128),
    ("blake2s", 64),
    ("sha1", 40),
    ("md5", 32),
];

/// Git object ids: SHA-1 or, in newer repositories, SHA-256.
const GIT: &[&str] = &["gitCommit", "gitTree", "gitBlob", "gitTag"];

impl Algorithm {
    /// The in-toto name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
            Self::Other(name) => name,
        }
    }

    /// Whether two artifacts with equal digests may be taken for the same artifact: not by MD5 and
    /// SHA-1, for which colliding files can be made (RFC 6151, RFC 6194). Git ids name commits and
    /// trees, for which nothing else exists.
    #[must_use]
    pub fn tells_artifacts_apart(&self) -> bool {
        !matches!(self.name(), "sha1" | "md5")
    }

    fn check(&self, value: &str) -> Result<(), DigestError> {
        let is_lower = |value: &str| value.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let hex = |chars: usize| value.len() == chars && is_lower(value);
        let name = self.name();
        let wrong = |expected_chars| {
            let (algorithm, lower) = (name.to_owned(), value.to_ascii_lowercase());
            if value.len() == expected_chars && is_lower(&lower) {
                return DigestError::Case { algorithm, lower, found: cut(value) };
            }
            DigestError::Value { algorithm, expected_chars, found: cut(value) }
        };
        if let Some((_, chars)) = HEX_CHARS.iter().find(|(known, _)| *known == name) {
            return if hex(*chars) { Ok(()) } else { Err(wrong(*chars)) };
        }
        if GIT.contains(&name) {
            return if hex(40) || hex(64) { Ok(()) } else { Err(wrong(40)) };
        }
        // goModuleH1, dirHash and algorithms to come: printable, bounded, compared as text.
        if (1..=256).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(())
        } else {
            Err(DigestError::Form { found: cut(&format!("{name}:{value}")) })
        }
    }
}

/// As much of a text as an error repeats.
fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}

impl From<&str> for Algorithm {
    fn from(name: &str) -> Self {
        match name {
            "sha256" => Self::Sha256,
            "sha512" => Self::Sha512,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// One digest, written `algorithm:value`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    value: String,
}

impl Digest {
    /// Pairs an algorithm with its value.
    ///
    /// # Errors
    /// [`DigestError::Value`] when the value does not fit the algorithm.
    pub fn new(algorithm: impl Into<Algorithm>, value: &str) -> Result<Self, DigestError> {
        let algorithm = algorithm.into();
        let name = algorithm.name();
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+' | b'.');
        if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
            return Err(DigestError::Form { found: cut(&format!("{name}:{value}")) });
        }
        algorithm.check(value)?;
        Ok(Self { algorithm, value: value.to_owned() })
    }

    /// The algorithm.
    #[must_use]
    pub fn algorithm(&self) -> &Algorithm {
        &self.algorithm
    }

    /// The value: lower-case hex for every algorithm but the few whose specification differs.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The raw SHA-256, when that is the algorithm.
    #[must_use]
    pub fn as_sha256(&self) -> Option<Sha256> {
        (self.algorithm == Algorithm::Sha256).then(|| {
            let mut bytes = [0; 32];
            hex::decode_to_slice(&self.value, &mut bytes).ok().map(|()| Sha256(bytes))
        })?
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.value)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (algorithm, value) =
            text.split_once(':').ok_or_else(|| DigestError::Form { found: cut(text) })?;
        Self::new(algorithm, value)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A raw SHA-256 (FIPS 180-4): 32 bytes, displayed as `sha256:<hex>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// Hashes `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Takes 32 bytes, or nothing when the length differs.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Lower-case hex without the algorithm's name.
    #[must_use]
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Sha256> for Digest {
    fn from(raw: Sha256) -> Self {
        Self { algorithm: Algorithm::Sha256, value: raw.hex() }
    }
}

impl FromStr for Sha256 {
    type Err = DigestError;

    /// Reads `sha256:<hex>` and nothing else.
    fn from_str(text: &str) -> Result<Self, DigestError> {
        let digest: Digest = text.parse()?;
        digest.as_sha256().ok_or(DigestError::Form { found: cut(text) })
    }
}

impl Serialize for Sha256 {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An in-toto DigestSet: algorithm name to value, at least one, every one well formed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct DigestSet(BTreeMap<String, String>);

impl DigestSet {
    /// The digests, by algorithm name.
    pub fn iter(&self) -> impl Iterator<Item = Digest> + '_ {
        self.0.iter().map(|(algorithm, value)| Digest {
            algorithm: algorithm.as_str().into(),
            value: value.clone(),
        })
    }

    /// Whether the set holds exactly this digest.
    #[must_use]
    pub fn contains(&self, digest: &Digest) -> bool {
        self.0.get(digest.algorithm.name()).is_some_and(|value| *value == digest.value)
    }

    /// The value of one algorithm.
    #[must_use]
    pub fn value(&self, algorithm: &str) -> Option<&str> {
        self.0.get(algorithm).map(String::as_str)
    }
}

impl From<Digest> for DigestSet {
    fn from(digest: Digest) -> Self {
        Self(BTreeMap::from([(digest.algorithm.name().to_owned(), digest.value)]))
    }
}

impl TryFrom<BTreeMap<String, String>> for DigestSet {
    type Error = DigestError;

    fn try_from(map: BTreeMap<String, String>) -> Result<Self, DigestError> {
        if map.is_empty() || map.len() > MAX_DIGESTS {
            return Err(DigestError::SetSize { found: map.len() });
        }
        for (algorithm, value) in &map {
            Digest::new(algorithm.as_str(), value)?;
        }
        Ok(Self(map))
    }
}

impl<'de> Deserialize<'de> for DigestSet {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        BTreeMap::<String, String>::deserialize(d)?.try_into().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_the_algorithms_in_toto_names_and_keeps_their_text() {
        for text in [
            format!("sha256:{}", "a".repeat(64)),
            format!("sha512:{}", "0".repeat(128)),
            format!("gitCommit:{}", "1".repeat(40)),
            format!("gitCommit:{}", "1".repeat(64)),
            "goModuleH1:Khu2En+0gcYPZ2kuIihfswbzxv/mIHXgzPZ018Oty48=".to_owned(),
        ] {
            assert_eq!(text.parse::<Digest>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_wrong_lengths_upper_case_and_missing_parts() {
        for text in [
            "sha256:abc".to_owned(),
            format!("sha256:{}", "A".repeat(64)),
            format!("sha1:{}", "a".repeat(64)),
            "sha256".to_owned(),
            ":abc".to_owned(),
            format!("bad algo:{}", "a".repeat(64)),
            "x:".to_owned(),
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_digest_in_upper_case_is_told_in_lower_case() {
        let told = |text: &str| text.parse::<Digest>().unwrap_err().to_string();
        let (upper, lower) = ("AB".repeat(32), "ab".repeat(32));
        assert_eq!(
            told(&format!("sha256:{upper}")),
            format!(
                "expected sha256:{lower}, because digests are written in lower-case hex, found {upper:?}"
            )
        );
        assert!(told(&format!("sha256:{}", "AG".repeat(32))).starts_with("expected 64 lower-case"));
        assert!(told("sha256:AB").starts_with("expected 64 lower-case"));
    }

    #[test]
    fn a_digest_set_is_never_empty() {
        assert_eq!(DigestSet::try_from(BTreeMap::new()), Err(DigestError::SetSize { found: 0 }));
    }
}
