//! Tokens: who may write, and on most addresses who may read.
//!
//! A token is `attestry_` and the unpadded base64url of 32 random bytes. It is shown once; at rest
//! is its SHA-256, which tells nothing about so many random bits. The file has one line for each
//! token, `NAME sha256:HEX`; empty lines and lines that start with `#` are comments.

use std::fmt;

use attestry_schemas::digest::Sha256;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

/// What every token starts with, so that a scanner for leaked secrets knows one.
const PREFIX: &str = "attestry_";

/// The name of the token that `init` makes.
pub const ADMIN: &str = "admin";

/// The most tokens of one file.
pub const MAX_TOKENS: usize = 1000;

/// Why the tokens cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokensError {
    /// A line is not a name and a hash.
    #[error("expected NAME sha256:HEX in line {line} of the tokens, found something else")]
    Line {
        /// The line, from 1.
        line: usize,
    },
    /// There are too many.
    #[error("expected at most {MAX_TOKENS} tokens, found more")]
    TooMany,
}

/// A token in the clear: to be shown once.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// The token of 32 random bytes.
    #[must_use]
    pub fn of_random(random: [u8; 32]) -> Self {
        Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random)))
    }

    /// The text that a client sends.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Its line in the file of tokens.
    #[must_use]
    pub fn line(&self, name: &str) -> String {
        format!("{name} {}\n", Sha256::of(self.0.as_bytes()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// The tokens that a registry accepts, by their hashes.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    known: Vec<(String, Sha256)>,
}

impl Tokens {
    /// Reads the file's text.
    ///
    /// # Errors
    /// [`TokensError`].
    pub fn parse(text: &str) -> Result<Self, TokensError> {
        let mut known = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            if text.trim().is_empty() || text.starts_with('#') {
                continue;
            }
            if known.len() == MAX_TOKENS {
                return Err(TokensError::TooMany);
            }
            let (name, hash) = text.trim().split_once(' ').ok_or(TokensError::Line { line })?;
            let hash = hash.parse().map_err(|_| TokensError::Line { line })?;
            known.push((name.to_owned(), hash));
        }
        Ok(Self { known })
    }

    /// The name of the token that a client sent; nothing when it is not known.
    ///
    /// Takes the same time whichever token it is and wherever it differs.
    #[must_use]
    pub fn name_of(&self, sent: &str) -> Option<&str> {
        let sent = Sha256::of(sent.as_bytes());
        let mut name = None;
        for (known, hash) in &self.known {
            if bool::from(hash.as_bytes().ct_eq(sent.as_bytes())) {
                name = Some(known.as_str());
            }
        }
        name
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.known.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_line_and_no_other_text_is() {
        let token = Token::of_random([7; 32]);
        let file = format!("# tokens\n\n{}", token.line(ADMIN));
        assert!(!file.contains(token.reveal()), "the token itself is at rest");
        let tokens = Tokens::parse(&file).unwrap();
        assert_eq!(tokens.name_of(token.reveal()), Some(ADMIN));
        for other in ["", "attestry_", Token::of_random([8; 32]).reveal()] {
            assert_eq!(tokens.name_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_malformed_line_is_named() {
        for (text, line) in [("admin", 1), ("# c\nadmin sha256:00", 2), ("a md5:00", 1)] {
            assert_eq!(Tokens::parse(text).unwrap_err(), TokensError::Line { line }, "{text}");
        }
    }
}
