//! Patterns over names of artifacts, environments and references.
//!
//! A name is segments between `/`. `*` stands for any characters within one segment, `**` alone in a
//! segment for any number of segments, none included. Everything else stands for itself: letters keep their case,
//! and nothing is decoded. A name with an empty segment, `.`, `..`, `%`, `\`, a space or a control
//! character matches no pattern, so that no spelling of a name slips through another's pattern.

use std::fmt;
use std::str::FromStr;

/// The longest pattern and the longest name, in bytes.
pub const MAX_NAME_BYTES: usize = 1_024;

/// A text that is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found:?}")]
pub struct PatternError {
    expected: &'static str,
    found: String,
}

/// A pattern that can match some name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(String);

impl Pattern {
    /// Whether the name matches. Takes time in the product of both lengths at most.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        if !is_plain(name) {
            return false;
        }
        let pattern: Vec<&str> = self.0.split('/').collect();
        let name: Vec<&str> = name.split('/').collect();
        wild(&pattern, &name, |part| *part == "**", |part, segment| segment_matches(part, segment))
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let error =
            |expected| Err(PatternError { expected, found: text.chars().take(100).collect() });
        if !is_plain(text) {
            return error(
                "a pattern such as registry.example.com/pay/** without empty segments, ., .., %, \\ and spaces, which no name has",
            );
        }
        if text.split('/').any(|segment| segment.contains("**") && segment != "**") {
            return error("** alone between slashes");
        }
        if text.contains(['?', '[', ']', '{', '}']) {
            return error("a pattern of plain characters, * and **");
        }
        Ok(Self(text.to_owned()))
    }
}

/// Whether a character is not seen and changes what is: control characters, and Unicode's format characters that turn
/// the direction of a text or have no width.
#[must_use]
pub fn is_unprintable(c: char) -> bool {
    let is_format = matches!(
        c,
        '\u{061c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
    );
    c.is_control() || is_format
}

/// Whether a text may be a name.
#[must_use]
pub fn is_plain(name: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || is_unprintable(c) || matches!(c, '%' | '\\');
    // The two slashes of a URI's scheme are no empty segment.
    let is_scheme = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    let path = match name.split_once("://") {
        Some((scheme, path)) if is_scheme(scheme) => path,
        _ => name,
    };
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && !name.chars().any(odd)
        && path.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
}

fn segment_matches(pattern: &str, segment: &str) -> bool {
    let (pattern, segment): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), segment.chars().collect());
    wild(&pattern, &segment, |c| *c == '*', |c, other| c == other)
}

/// Matches with one kind of wildcard that stands for any number of items: remembers the last
/// wildcard only, so it never branches twice at one place.
fn wild<P, N>(
    pattern: &[P],
    name: &[N],
    is_wild: impl Fn(&P) -> bool,
    is_same: impl Fn(&P, &N) -> bool,
) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut last: Option<(usize, usize)> = None;
    while let Some(item) = name.get(n) {
        match pattern.get(p) {
            Some(part) if is_wild(part) => {
                last = Some((p, n));
                p += 1;
            }
            Some(part) if is_same(part, item) => {
                p += 1;
                n += 1;
            }
            _ => match last {
                Some((wildcard, from)) => {
                    last = Some((wildcard, from + 1));
                    p = wildcard + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(is_wild))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_within_and_across_segments() {
        for (pattern, name, expected) in [
            ("pay/api", "pay/api", true),
            ("pay/*", "pay/api", true),
            ("pay/*", "pay/api/v2", false),
            ("pay/**", "pay/api/v2", true),
            ("pay/**", "pay", true),
            ("**", "a/b/c", true),
            ("**/api", "x/y/api", true),
            ("**/api", "x/y/apis", false),
            ("p*y/a*i", "pay/api", true),
            ("p*y", "p/y", false),
            ("Pay/*", "pay/api", false),
            ("pay/**", "payroll/api", false),
            ("git+https://host/**", "git+https://host/a/b", true),
            ("refs/heads/release-*", "refs/heads/release-1", true),
        ] {
            let pattern: Pattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(name), expected, "{pattern} and {name}");
        }
    }

    #[test]
    fn no_spelling_of_a_name_slips_through_another_ones_pattern() {
        let all: Pattern = "**".parse().unwrap();
        for name in [
            "",
            "a//b",
            "/a",
            "a/",
            "a/../b",
            "./a",
            "a/%2e%2e/b",
            "a\\b",
            "a b",
            "a\nb",
            "a\0",
            "../a://b",
            "://b",
        ] {
            assert!(!all.matches(name), "{name:?}");
        }
    }

    #[test]
    fn a_pattern_that_can_match_nothing_is_an_error() {
        for text in ["", "/", "a//b", "a/", "../a", "a b", "a**", "a/b**/c", "a?", "[a]", "{a,b}"] {
            assert!(text.parse::<Pattern>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn many_wildcards_do_not_take_exponential_time() {
        let pattern: Pattern = "*a".repeat(300).parse().unwrap();
        assert!(!pattern.matches(&"b".repeat(1_000)));
        let deep: Pattern = vec!["**"; 200].join("/x/").parse().unwrap();
        assert!(!deep.matches(&vec!["y"; 500].join("/")));
    }
}
