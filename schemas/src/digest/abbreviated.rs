//! The beginning of a digest, as people are shown one.

use std::fmt;
use std::str::FromStr;

use super::{DigestError, Sha256, cut};

/// The fewest hex digits that a digest is abbreviated to: fewer begin many digests of one registry.
pub(super) const MIN_DIGITS: usize = 8;
const PREFIX: &str = "sha256:";
const ALL_DIGITS: usize = 64;

/// `sha256:` and the first 8 to 64 hex digits of a digest, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abbreviated {
    digits: String,
}

impl Abbreviated {
    /// The digest, where no digit is left out.
    #[must_use]
    pub fn whole(&self) -> Option<Sha256> {
        self.to_string().parse().ok()
    }

    /// The first bytes of every digest that it stands for; a last digit without its other half is left out.
    #[must_use]
    pub fn first_bytes(&self) -> Vec<u8> {
        let even = self.digits.len() / 2 * 2;
        self.digits.get(..even).and_then(|digits| hex::decode(digits).ok()).unwrap_or_default()
    }

    /// Whether it stands for this digest.
    #[must_use]
    pub fn begins(&self, digest: &Sha256) -> bool {
        digest.hex().starts_with(&self.digits)
    }
}

impl fmt::Display for Abbreviated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.digits)
    }
}

impl FromStr for Abbreviated {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let refuse = || DigestError::Abbreviated { found: cut(text) };
        let digits = text.strip_prefix(PREFIX).ok_or_else(refuse)?;
        let is_hex = digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if is_hex && (MIN_DIGITS..=ALL_DIGITS).contains(&digits.len()) {
            return Ok(Self { digits: digits.to_owned() });
        }
        Err(refuse())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_stands_for_the_digests_that_begin_so() {
        let digest = Sha256::of(b"app");
        for digits in [8, 9, 12, 63, 64] {
            let text: String = digest.to_string().chars().take(PREFIX.len() + digits).collect();
            let short: Abbreviated = text.parse().unwrap();
            assert!(short.begins(&digest) && !short.begins(&Sha256::of(b"web")), "{text}");
            assert!(digest.as_bytes().starts_with(&short.first_bytes()), "{text}");
            assert_eq!(short.first_bytes().len(), digits / 2);
            assert_eq!(short.whole(), (digits == ALL_DIGITS).then_some(digest));
            assert_eq!(short.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_beginning_of_a_digest_is_refused() {
        let long = format!("sha256:{}", "a".repeat(65));
        for text in [
            "",
            "sha256:",
            "sha256:1234567",
            "12345678",
            "sha256:1234567G",
            "SHA256:12345678",
            &long,
        ] {
            let refused = text.parse::<Abbreviated>().unwrap_err().to_string();
            assert!(refused.contains("first 8 or more hex digits"), "{refused}");
        }
    }
}
