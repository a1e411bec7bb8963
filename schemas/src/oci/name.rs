//! Names of the distribution specification: repositories, tags, digests and references.
//!
//! Each is a type of its own whose only constructor checks the grammar (distribution-spec,
//! "Pulling manifests"), so that no name with `..`, an upper-case letter or a control character
//! reaches a key of the store, a header or a log line.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::{Algorithm, Digest, Sha256};

/// The most characters of a repository's name: with a host of usual length it stays within the 255
/// that many clients allow for both.
pub const MAX_NAME_CHARS: usize = 255;

/// The most characters of a tag.
pub const MAX_TAG_CHARS: usize = 128;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It is not a repository's name.
    #[error(
        "expected a repository such as pay/api, of at most {MAX_NAME_CHARS} lower-case letters, digits and separators, found {found:?}"
    )]
    Repository {
        /// The text as it was given.
        found: String,
    },
    /// It is not a tag.
    #[error(
        "expected a tag of at most {MAX_TAG_CHARS} letters, digits, '_', '.' and '-' that begins with a letter, a digit or '_', found {found:?}"
    )]
    Tag {
        /// The text as it was given.
        found: String,
    },
    /// It is not a digest of an algorithm that is supported.
    #[error(
        "expected a digest as sha256:<64 hex digits> or sha512:<128 hex digits> in lower case, found {found:?}"
    )]
    Digest {
        /// The text as it was given.
        found: String,
    },
}

/// As much of a text as an error repeats.
fn cut(text: &str) -> String {
    text.chars().take(100).collect()
}

macro_rules! text_type {
    ($name:ident) => {
        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// A repository's name: `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*` in segments between slashes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryName(String);

text_type!(RepositoryName);

impl FromStr for RepositoryName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() <= MAX_NAME_CHARS && text.split('/').all(is_segment) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Repository { found: cut(text) })
        }
    }
}

/// One segment of a repository's name.
fn is_segment(segment: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut bytes = segment.bytes().peekable();
    if bytes.next_if(|byte| plain(*byte)).is_none() {
        return false;
    }
    while let Some(byte) = bytes.next() {
        let separator_ends = match byte {
            byte if plain(byte) => continue,
            b'.' => true,
            b'_' => {
                bytes.next_if_eq(&b'_');
                true
            }
            b'-' => {
                while bytes.next_if_eq(&b'-').is_some() {}
                true
            }
            _ => false,
        };
        if !separator_ends || !bytes.peek().is_some_and(|byte| plain(*byte)) {
            return false;
        }
    }
    true
}

/// A tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

text_type!(Tag);

impl FromStr for Tag {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let further = |byte: u8| word(byte) || matches!(byte, b'.' | b'-');
        let (first, rest) = (text.bytes().next(), text.bytes().skip(1));
        if text.len() <= MAX_TAG_CHARS && first.is_some_and(word) && rest.into_iter().all(further) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Tag { found: cut(text) })
        }
    }
}

/// A digest by which content is addressed: SHA-256 or SHA-512 (image-spec `descriptor.md`,
/// registered algorithms).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobDigest(Digest);

impl BlobDigest {
    /// The digest of `bytes` by the algorithm of `self`, for comparison.
    #[must_use]
    pub fn of_same_algorithm(&self, bytes: &[u8]) -> Self {
        match self.0.algorithm() {
            Algorithm::Sha512 => Self::sha512_of(bytes),
            _ => Self::from(Sha256::of(bytes)),
        }
    }

    /// The SHA-512 of `bytes`.
    #[must_use]
    pub fn sha512_of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self::of_sha512(&sha2::Sha512::digest(bytes).into())
    }

    /// The digest with these bytes of a SHA-512.
    #[must_use]
    pub fn of_sha512(bytes: &[u8; 64]) -> Self {
        let digest = Digest::new("sha512", &hex::encode(bytes));
        Self(digest.expect("64 bytes are 128 hex digits"))
    }

    /// Whether it is a SHA-512.
    #[must_use]
    pub fn is_sha512(&self) -> bool {
        *self.0.algorithm() == Algorithm::Sha512
    }

    /// The digest.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.0
    }

    /// The raw SHA-256, when that is the algorithm.
    #[must_use]
    pub fn as_sha256(&self) -> Option<Sha256> {
        self.0.as_sha256()
    }
}

impl From<Sha256> for BlobDigest {
    fn from(raw: Sha256) -> Self {
        Self(raw.into())
    }
}

impl fmt::Display for BlobDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for BlobDigest {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let refused = || NameError::Digest { found: cut(text) };
        let digest: Digest = text.parse().map_err(|_| refused())?;
        match digest.algorithm() {
            Algorithm::Sha256 | Algorithm::Sha512 => Ok(Self(digest)),
            Algorithm::Other(_) => Err(refused()),
        }
    }
}

impl Serialize for BlobDigest {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BlobDigest {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What names a manifest within a repository. A tag has no colon and a digest has one, so no text
/// is both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// A tag, which can move.
    Tag(Tag),
    /// A digest, which cannot.
    Digest(BlobDigest),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => fmt::Display::fmt(tag, f),
            Self::Digest(digest) => fmt::Display::fmt(digest, f),
        }
    }
}

impl FromStr for Reference {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.contains(':') {
            true => text.parse().map(Self::Digest),
            false => text.parse().map(Self::Tag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_follow_the_grammar_of_the_specification() {
        for name in ["a", "pay/api", "a.b", "a_b", "a__b", "a-b", "a---b", "0/1/2", "a1.b2_c3/d"] {
            assert_eq!(name.parse::<RepositoryName>().unwrap().as_str(), name);
        }
        let long = "a".repeat(MAX_NAME_CHARS + 1);
        for name in [
            "", "/", "a/", "/a", "a//b", "A", "a..b", "a___b", "a._b", "-a", "a-", "a_", "..",
            "a/../b", "a\0b", "a%2fb", "a b", "a:b", "é", &long,
        ] {
            assert!(name.parse::<RepositoryName>().is_err(), "{name:?}");
        }
        assert!("a".repeat(MAX_NAME_CHARS).parse::<RepositoryName>().is_ok());
    }

    #[test]
    fn tags_and_digests_are_told_apart() {
        let hex = "0".repeat(64);
        for tag in ["latest", "1.2", "_a", "A-b.c_d", &"a".repeat(MAX_TAG_CHARS), "sha256-0.sig"] {
            assert!(matches!(tag.parse(), Ok(Reference::Tag(_))), "{tag}");
        }
        for digest in [format!("sha256:{hex}"), format!("sha512:{hex}{hex}")] {
            assert!(matches!(digest.parse(), Ok(Reference::Digest(_))), "{digest}");
        }
        let wrong = [
            String::new(),
            ".a".to_owned(),
            "-a".to_owned(),
            "a/b".to_owned(),
            "a\r\nb".to_owned(),
            "a".repeat(MAX_TAG_CHARS + 1),
            "sha256:baddigeststring".to_owned(),
            format!("sha256:{}", "A".repeat(64)),
            format!("sha512:{hex}"),
            format!("md5:{}", "0".repeat(32)),
            format!("sha256:{hex}/.."),
        ];
        for text in wrong {
            assert!(text.parse::<Reference>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn both_algorithms_hash_what_they_name() {
        let digest: BlobDigest = BlobDigest::sha512_of(b"abc").to_string().parse().unwrap();
        assert!(digest.is_sha512() && digest.as_sha256().is_none());
        assert_eq!(digest.of_same_algorithm(b"abc"), digest);
        // FIPS 180-4, the example "abc".
        assert!(digest.to_string().starts_with("sha512:ddaf35a193617abacc417349ae204131"));
        let digest = BlobDigest::from(Sha256::of(b"abc"));
        assert_eq!(digest.of_same_algorithm(b"abc"), digest);
    }
}
