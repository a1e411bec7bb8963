//! Path patterns of artifact rules: "bash-style wildcards" (in-toto specification 1.0, §4.3.3), which
//! the reference implementation reads as Python's `fnmatch` does.
//!
//! | in the pattern | takes |
//! |---|---|
//! | `*` | any characters, none and slashes too |
//! | `?` | one character, a slash too |
//! | `[seq]` | one character of the set, with ranges such as `a-z` |
//! | `[!seq]` | one character outside the set |
//! | any other | itself; a backslash escapes nothing, a `[` without its `]` is a bracket |
//!
//! in-toto-golang differs in two corners: it negates a set by `^`, which is a member of the set here,
//! and escapes by a backslash.

use std::fmt;

/// The most bytes of a pattern.
pub const MAX_PATTERN_BYTES: usize = 1024;

/// A path pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Any,
    One,
    Char(char),
    Set { negated: bool, ranges: Vec<(char, char)> },
}

impl Pattern {
    /// Reads a pattern of at most [`MAX_PATTERN_BYTES`] bytes; a longer one is none.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        if text.len() > MAX_PATTERN_BYTES {
            return None;
        }
        let mut tokens = Vec::new();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match c {
                '*' if tokens.last() == Some(&Token::Any) => {}
                '*' => tokens.push(Token::Any),
                '?' => tokens.push(Token::One),
                '[' => match set(rest.as_str()) {
                    Some((token, after)) => {
                        tokens.push(token);
                        rest = after.chars();
                    }
                    None => tokens.push(Token::Char('[')),
                },
                other => tokens.push(Token::Char(other)),
            }
        }
        Some(Self { text: text.to_owned(), tokens })
    }

    /// Whether the pattern takes the whole path. Adds to `steps` what that cost: at most the
    /// length of the path times that of the pattern.
    pub(super) fn takes(&self, path: &str, steps: &mut u64) -> bool {
        let (mut index, mut rest) = (0, path);
        // What follows the last `*`, and where it was tried. An earlier `*` need never take more.
        let mut retry: Option<(usize, &str)> = None;
        loop {
            let mut chars = rest.chars();
            let token = self.tokens.get(index);
            *steps += token.map_or(1, Token::cost);
            match (token, chars.next()) {
                (Some(Token::Any), _) => {
                    index += 1;
                    if index == self.tokens.len() {
                        return true;
                    }
                    retry = Some((index, rest));
                    continue;
                }
                (Some(token), Some(c)) if token.takes(c) => {
                    index += 1;
                    rest = chars.as_str();
                    continue;
                }
                (None, None) => return true,
                _ => {}
            }
            let Some((after, tried)) = retry else { return false };
            let mut chars = tried.chars();
            if chars.next().is_none() {
                return false;
            }
            (index, rest) = (after, chars.as_str());
            retry = Some((after, rest));
        }
    }
}

impl Token {
    /// Whether it takes this one character.
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Char(own) => *own == c,
            Self::Set { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
        }
    }

    fn cost(&self) -> u64 {
        match self {
            Self::Set { ranges, .. } => 1 + u64::try_from(ranges.len()).unwrap_or(u64::MAX >> 1),
            _ => 1,
        }
    }
}

/// Reads a set after its `[`, and what follows it; none when it does not end.
fn set(text: &str) -> Option<(Token, &str)> {
    let (negated, body) = text.strip_prefix('!').map_or((false, text), |body| (true, body));
    // A `]` that comes first is a member.
    let first = body.chars().next()?;
    let end = first.len_utf8() + body.get(first.len_utf8()..)?.find(']')?;
    let (members, after) = (body.get(..end)?, body.get(end + 1..)?);
    let mut ranges = Vec::new();
    let mut chars = members.chars();
    while let Some(low) = chars.next() {
        let mut ahead = chars.clone();
        match (ahead.next(), ahead.next()) {
            (Some('-'), Some(high)) => {
                // From the higher to the lower is a range of nothing.
                ranges.push((low, high));
                chars = ahead;
            }
            _ => ranges.push((low, low)),
        }
    }
    Some((Token::Set { negated, ranges }, after))
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
