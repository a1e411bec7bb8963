//! Base64 (RFC 4648) as the signing formats use it: standard and padded when written, standard or
//! URL-safe and padded or not when read (DSSE protocol: a verifier must accept both alphabets).

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT);

/// The text is not base64.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is not base64: {detail}")]
pub struct Base64Error {
    /// What was being read.
    pub what: &'static str,
    /// The character or length that is wrong.
    pub detail: String,
}

/// Writes standard, padded base64.
#[must_use]
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// Reads standard or URL-safe base64; `what` names the member for the error.
///
/// # Errors
/// When a character, the padding or the trailing bits are wrong, or the alphabets are mixed.
pub fn decode(text: &str, what: &'static str) -> Result<Vec<u8>, Base64Error> {
    let url_safe = text.bytes().any(|b| matches!(b, b'-' | b'_'));
    let engine = if url_safe { URL_SAFE } else { STANDARD };
    engine.decode(text).map_err(|e| Base64Error { what, detail: e.to_string() })
}

/// `#[serde(with = "crate::base64::bytes")]` for a member that holds bytes.
pub mod bytes {
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes standard base64.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&super::encode(bytes))
    }

    /// Reads either alphabet.
    ///
    /// # Errors
    /// When the member is not a string of base64.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        super::decode(&String::deserialize(d)?, "the member").map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_alphabets_and_refuses_their_mixture() {
        assert_eq!(decode("-_8=", "x"), decode("+/8=", "x"));
        assert_eq!(decode("+/8", "x").unwrap(), [0xfb, 0xff]);
        for text in ["+_8=", "a", "aa==\n", "a a=", "ab==="] {
            assert!(decode(text, "x").is_err(), "{text:?}");
        }
    }

    #[test]
    fn refuses_stray_trailing_bits() {
        assert!(decode("+/9=", "x").is_err());
    }
}
