//! Tokens: who may write, and on most addresses who may read.
//!
//! A token is `attestry_` and the unpadded base64url of 32 random bytes. It is shown once; at rest
//! is its SHA-256, which tells nothing about so many random bits. The file has one line for each token:
//!
//! ```text
//! NAME sha256:HEX [roles=WORD,WORD on=PATTERN,PATTERN] [expires=2027-01-31T00:00:00Z]
//! ```
//!
//! Empty lines and lines that start with `#` are comments. A line that is there is accepted, so taking it out
//! revokes the token; roles and patterns bound what it may at most.

use std::fmt;
use std::sync::Arc;

use attestry_schemas::digest::Sha256;
use attestry_schemas::document::Pattern;
use attestry_schemas::predicate::UtcTime;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

use crate::rights::{Grant, Roles};

/// What every token starts with, so that a scanner for leaked secrets knows one.
const PREFIX: &str = "attestry_";

/// The name of the token that `init` makes.
pub const ADMIN: &str = "admin";

/// The most tokens of one file.
pub const MAX_TOKENS: usize = 1000;

/// The most characters of a token's name.
pub const MAX_NAME_CHARS: usize = 100;

/// Why the tokens cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokensError {
    /// A line is not a name and a hash.
    #[error(
        "expected NAME sha256:HEX, and perhaps roles=…, on=… and expires=…, in line {line} of the tokens, found something else"
    )]
    Line {
        /// The line, from 1.
        line: usize,
    },
    /// A name cannot stand in a line, or in the roster's `principals`.
    #[error(
        "expected a name of at most {MAX_NAME_CHARS} ASCII letters, digits, '-', '_', '.' and '@' for the token, found {0:?}"
    )]
    Name(String),
    /// There are too many.
    #[error("expected at most {MAX_TOKENS} tokens, found more")]
    TooMany,
}

/// A token in the clear: to be shown once.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// A new one, drawn from the system; none when that gives no random bytes.
    #[must_use]
    pub fn draw() -> Option<Self> {
        let mut random = [0; 32];
        aws_lc_rs::rand::fill(&mut random).ok().map(|()| Self::of_random(random))
    }

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
        self.line_within(name, &Bounds::default())
    }

    /// Its line in the file of tokens, with what bounds it.
    #[must_use]
    pub fn line_within(&self, name: &str, bounds: &Bounds) -> String {
        format!("{name} {}{bounds}\n", Sha256::of(self.0.as_bytes()))
    }
}

/// What bounds a token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bounds {
    /// What it may at most; anything that its principal may, when there is none.
    pub scope: Option<Arc<Grant>>,
    /// When it ends.
    pub expires: Option<UtcTime>,
}

impl Bounds {
    /// Reads the words of a line.
    fn read(words: &str) -> Option<Self> {
        let (mut roles, mut on, mut expires) = (None, None, None);
        for word in words.split_whitespace() {
            let (name, value) = word.split_once('=')?;
            let is_new = match name {
                "roles" => roles.replace(parse_roles(value)?).is_none(),
                "on" => on.replace(parse_patterns(value)?).is_none(),
                "expires" => expires.replace(value.parse().ok()?).is_none(),
                _ => return None,
            };
            if !is_new {
                return None;
            }
        }
        let scope = match (roles, on) {
            (None, None) => None,
            (Some(roles), Some(on)) => Some(Arc::new(Grant { roles, on })),
            // Half of a bound may not be taken for none.
            _ => return None,
        };
        Some(Self { scope, expires })
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scope) = &self.scope {
            let on: Vec<&str> = scope.on.iter().map(Pattern::as_str).collect();
            write!(f, " roles={} on={}", scope.roles, on.join(","))?;
        }
        match &self.expires {
            Some(expires) => write!(f, " expires={expires}"),
            None => Ok(()),
        }
    }
}

/// Roles, joined by commas.
#[must_use]
pub fn parse_roles(text: &str) -> Option<Roles> {
    text.split(',')
        .try_fold(Roles::default(), |roles, word| Some(roles.with(Roles::from_word(word)?)))
}

/// Patterns of namespaces, joined by commas.
#[must_use]
pub fn parse_patterns(text: &str) -> Option<Vec<Pattern>> {
    text.split(',').map(|pattern| pattern.parse().ok()).collect()
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Whether a text may name a token.
///
/// # Errors
/// [`TokensError::Name`].
pub fn check_name(name: &str) -> Result<(), TokensError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    if (1..=MAX_NAME_CHARS).contains(&name.len()) && name.chars().all(plain) {
        return Ok(());
    }
    Err(TokensError::Name(name.chars().take(MAX_NAME_CHARS).collect()))
}

/// The file's text without the tokens of a name, comments kept; none where it has no such token.
#[must_use]
pub fn without(text: &str, name: &str) -> Option<String> {
    let is = |line: &&str| line.trim().split_once(' ').is_some_and(|(other, _)| other == name);
    let kept = text.lines().filter(|line| line.starts_with('#') || !is(line));
    let kept: String = kept.map(|line| format!("{line}\n")).collect();
    (kept.lines().count() < text.lines().count()).then_some(kept)
}

/// A token that is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its name.
    pub name: String,
    /// The SHA-256 of its text.
    pub hash: Sha256,
    /// What bounds it.
    pub bounds: Bounds,
}

/// The tokens that a registry accepts, by their hashes.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    known: Vec<Accepted>,
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
            known.push(Accepted::read(text.trim()).ok_or(TokensError::Line { line })?);
        }
        Ok(Self { known })
    }

    /// The token that a client sent; nothing when it is not known. Whether it has ended is for the caller.
    ///
    /// Takes the same time whichever token it is and wherever it differs.
    #[must_use]
    pub fn find(&self, sent: &str) -> Option<&Accepted> {
        let sent = Sha256::of(sent.as_bytes());
        let mut found = None;
        for known in &self.known {
            if bool::from(known.hash.as_bytes().ct_eq(sent.as_bytes())) {
                found = Some(known);
            }
        }
        found
    }

    /// The token of a name and a hash, as it is accepted now.
    #[must_use]
    pub fn named(&self, name: &str, hash: &Sha256) -> Option<&Accepted> {
        self.known.iter().find(|known| known.name == name && known.hash == *hash)
    }

    /// All of them, in the order of the file.
    #[must_use]
    pub fn all(&self) -> &[Accepted] {
        &self.known
    }
}

impl Accepted {
    fn read(line: &str) -> Option<Self> {
        let (name, rest) = line.split_once(' ')?;
        let (hash, words) = rest.trim_start().split_once(' ').unwrap_or((rest.trim_start(), ""));
        let bounds = Bounds::read(words)?;
        Some(Self { name: name.to_owned(), hash: hash.parse().ok()?, bounds })
    }

    /// Whether it has ended at this moment.
    #[must_use]
    pub fn has_ended(&self, now: &UtcTime) -> bool {
        self.bounds.expires.as_ref().is_some_and(|expires| expires <= now)
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
        let name = |sent| tokens.find(sent).map(|found| found.name.as_str());
        assert_eq!(name(token.reveal()), Some(ADMIN));
        for other in ["", "attestry_", Token::of_random([8; 32]).reveal()] {
            assert_eq!(name(other), None, "{other}");
        }
    }

    #[test]
    fn a_name_is_one_that_the_roster_can_name() {
        for name in ["deploy", "ci-2@pay.api", "a_b"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", "a b", "#a", "a\nb", "ä", &"a".repeat(101)] {
            assert!(matches!(check_name(name), Err(TokensError::Name(_))), "{name:?}");
        }
    }

    #[test]
    fn a_token_that_is_taken_out_leaves_the_others_and_the_comments() {
        let line = |name: &str, seed: u8| Token::of_random([seed; 32]).line(name);
        let text = format!("# a\n{}{}", line("a", 1), line("ab", 2));
        assert_eq!(without(&text, "a"), Some(format!("# a\n{}", line("ab", 2))));
        assert_eq!(without(&text, "b"), None);
    }

    #[test]
    fn a_malformed_line_is_named() {
        for (text, line) in [("admin", 1), ("# c\nadmin sha256:00", 2), ("a md5:00", 1)] {
            assert_eq!(Tokens::parse(text).unwrap_err(), TokensError::Line { line }, "{text}");
        }
    }

    #[test]
    fn the_bounds_of_a_token_are_read_as_they_are_written() {
        let token = Token::of_random([7; 32]);
        let scope = Grant {
            roles: parse_roles("push,pull").unwrap(),
            on: parse_patterns("pay/**,a/*").unwrap(),
        };
        let expires: UtcTime = "2027-01-31T00:00:00Z".parse().unwrap();
        let bounds = Bounds { scope: Some(Arc::new(scope)), expires: Some(expires) };
        let line = token.line_within("ci", &bounds);
        assert!(
            line.ends_with(" roles=pull,push on=pay/**,a/* expires=2027-01-31T00:00:00Z\n"),
            "{line}"
        );
        let tokens = Tokens::parse(&line).unwrap();
        let found = tokens.find(token.reveal()).unwrap();
        assert_eq!(found.bounds, bounds);
        assert!(!found.has_ended(&"2027-01-30T23:59:59Z".parse().unwrap()));
        assert!(found.has_ended(&"2027-01-31T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn a_bound_that_cannot_be_read_is_not_taken_for_none() {
        let line = Token::of_random([7; 32]).line("ci");
        let line = line.trim_end();
        for words in [
            "roles=pull",
            "on=a/*",
            "roles=read on=a",
            "roles=pull on=a**",
            "roles=pull on=",
            "expires=soon",
            "expires=2027-01-31",
            "role=pull",
            "pull",
            "roles=pull roles=push on=a",
        ] {
            let refused = Tokens::parse(&format!("{line} {words}"));
            assert_eq!(refused.unwrap_err(), TokensError::Line { line: 1 }, "{words}");
        }
    }
}
