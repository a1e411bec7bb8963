//! A key's name: `SHA256:` and the unpadded base64 of SHA-256 over its SPKI DER.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256;

const PREFIX: &str = "SHA256:";

/// The text is not a fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a fingerprint such as SHA256:<43 characters of base64>, found {found:?}")]
pub struct FingerprintError {
    /// The text as it was given.
    pub found: String,
}

/// The fingerprint of a public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn of_spki(der: &[u8]) -> Self {
        Self(Sha256::of(der).0)
    }

    /// The 32 bytes of the hash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        text.strip_prefix(PREFIX)
            .and_then(|rest| STANDARD_NO_PAD.decode(rest).ok())
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| FingerprintError { found: text.chars().take(100).collect() })
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::super::PublicKey;
    use super::*;

    #[test]
    fn is_what_openssl_and_base64_say_without_the_padding() {
        // openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | base64
        for (pem, expected) in [
            (
                include_str!("../../vectors/keys/p256.pub"),
                "SHA256:Z+oxtPAYceS/Nc8oWP9QloiT4VHjpvlboBF5BT5t+Ao",
            ),
            (
                include_str!("../../vectors/keys/ed25519.pub"),
                "SHA256:XHVY19WYExfiuF1XJHUljHTwkRtCyT2V9HpD3b9+/9o",
            ),
        ] {
            let fingerprint = PublicKey::from_pem(pem).unwrap().fingerprint();
            assert_eq!(fingerprint.to_string(), expected);
            assert_eq!(expected.parse(), Ok(fingerprint));
            let json = serde_json::to_string(&fingerprint).unwrap();
            assert_eq!(json, format!("\"{expected}\""));
            assert_eq!(serde_json::from_str::<Fingerprint>(&json).unwrap(), fingerprint);
        }
    }

    #[test]
    fn has_one_spelling() {
        let text = Fingerprint([0xff; 32]).to_string();
        assert_eq!(text, format!("SHA256:{}8", "/".repeat(42)));
        for other in [
            text.replace("SHA256:", ""),
            text.replace("SHA256:", "sha256:"),
            text.replace("SHA256:", "SHA256: "),
            format!("{text}="),
            format!("{text}\n"),
            format!(" {text}"),
            text.replace('/', "_"),
            text.replace('8', "9"), // bits after the last byte
            text.replace('8', ""),
            format!("{text}8"),
            String::new(),
        ] {
            let refusal = other.parse::<Fingerprint>().expect_err(&other).to_string();
            assert!(refusal.contains("SHA256:<43 characters of base64>"), "{refusal}");
        }
    }
}
