//! Artifact rules (in-toto specification 1.0, §4.3.3) as a layout writes them.
//!
//! ```text
//! MATCH <pattern> [IN <prefix>] WITH (MATERIALS|PRODUCTS) [IN <prefix>] FROM <step>
//! (CREATE|DELETE|MODIFY|ALLOW|DISALLOW) <pattern>
//! REQUIRE <path>
//! ```
//!
//! The words in capitals are read in any case, as the implementations do. `REQUIRE` has a path, not a
//! pattern, in all of them.

use std::fmt;

use super::pattern::{MAX_PATTERN_BYTES, Pattern};
use super::quoted;

/// The most words of a rule, those of the longest `MATCH`.
const MAX_WORDS: usize = 10;

/// Why a rule was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The first word names no rule.
    #[error(
        "expected MATCH, CREATE, DELETE, MODIFY, ALLOW, DISALLOW or REQUIRE and a pattern, found \
         {found}"
    )]
    Kind {
        /// The words that were there.
        found: String,
    },
    /// The words after the first do not fit it.
    #[error("expected {expected}, found {found}")]
    Form {
        /// The form of this rule.
        expected: &'static str,
        /// The words that were there.
        found: String,
    },
    /// The pattern, a prefix or a path is too long.
    #[error(
        "expected a pattern, prefix or path of at most {MAX_PATTERN_BYTES} bytes, found {found_bytes}"
    )]
    TooLong {
        /// Its length, in bytes.
        found_bytes: usize,
    },
}

/// The two lists of artifacts of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ArtifactList {
    /// What went in.
    Materials,
    /// What came out.
    Products,
}

impl fmt::Display for ArtifactList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Materials => "MATERIALS",
            Self::Products => "PRODUCTS",
        })
    }
}

/// What a step demands of the artifacts that no rule before has consumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArtifactRule {
    /// Consumes what another step has under the same path, with the same digest.
    Match(MatchRule),
    /// Consumes products that are no materials.
    Create(Pattern),
    /// Consumes materials that are no products.
    Delete(Pattern),
    /// Consumes what is both, with different digests.
    Modify(Pattern),
    /// Consumes what the pattern takes.
    Allow(Pattern),
    /// Fails when something is left that the pattern takes.
    Disallow(Pattern),
    /// Fails when the path is not left.
    Require(String),
}

/// The parts of a `MATCH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchRule {
    /// What the paths below the prefixes must fit.
    pub pattern: Pattern,
    /// The folder of the artifacts here, if it differs.
    pub source_prefix: Option<String>,
    /// The list of the other step.
    pub with: ArtifactList,
    /// The folder of the artifacts there.
    pub destination_prefix: Option<String>,
    /// The other step.
    pub from: String,
}

impl ArtifactRule {
    /// Reads a rule from its words.
    ///
    /// # Errors
    /// [`RuleError`] with the form that was expected.
    pub fn from_words(words: &[String]) -> Result<Self, RuleError> {
        let found = || match words {
            [] => "no words".to_owned(),
            words => quoted(&words.get(..=MAX_WORDS).unwrap_or(words).join(" ")),
        };
        let [kind, text, more @ ..] = words else {
            return Err(RuleError::Kind { found: found() });
        };
        if let Some(long) = words.iter().find(|word| word.len() > MAX_PATTERN_BYTES) {
            return Err(RuleError::TooLong { found_bytes: long.len() });
        }
        let too_long = RuleError::TooLong { found_bytes: text.len() };
        let pattern = Pattern::new(text).ok_or(too_long)?;
        let rule = match kind.to_ascii_uppercase().as_str() {
            "MATCH" => {
                let expected = "MATCH <pattern> [IN <prefix>] WITH (MATERIALS|PRODUCTS) [IN \
                                <prefix>] FROM <step>";
                let form = || RuleError::Form { expected, found: found() };
                return match_rule(pattern, more).map(Self::Match).ok_or_else(form);
            }
            "CREATE" => Self::Create(pattern),
            "DELETE" => Self::Delete(pattern),
            "MODIFY" => Self::Modify(pattern),
            "ALLOW" => Self::Allow(pattern),
            "DISALLOW" => Self::Disallow(pattern),
            "REQUIRE" => Self::Require(text.clone()),
            _ => return Err(RuleError::Kind { found: found() }),
        };
        if more.is_empty() {
            Ok(rule)
        } else {
            let expected = "one pattern after the rule's name and no more";
            Err(RuleError::Form { expected, found: found() })
        }
    }
}

/// Reads what follows the pattern of a `MATCH`.
fn match_rule(pattern: Pattern, words: &[String]) -> Option<MatchRule> {
    let (source_prefix, words) = prefix(words);
    let [with, list, words @ ..] = words else { return None };
    let (destination_prefix, words) = prefix(words);
    let [from_word, from] = words else { return None };
    if !with.eq_ignore_ascii_case("with") || !from_word.eq_ignore_ascii_case("from") {
        return None;
    }
    let with = match list.to_ascii_uppercase().as_str() {
        "MATERIALS" => ArtifactList::Materials,
        "PRODUCTS" => ArtifactList::Products,
        _ => return None,
    };
    Some(MatchRule { pattern, source_prefix, with, destination_prefix, from: from.clone() })
}

/// Reads an `IN` clause, if there is one. An empty prefix is none.
fn prefix(words: &[String]) -> (Option<String>, &[String]) {
    match words {
        [word, prefix, rest @ ..] if word.eq_ignore_ascii_case("in") => {
            (Some(prefix.clone()).filter(|prefix| !prefix.is_empty()), rest)
        }
        _ => (None, words),
    }
}

impl fmt::Display for ArtifactRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Match(rule) => rule.fmt(f),
            Self::Create(pattern) => write!(f, "CREATE {pattern}"),
            Self::Delete(pattern) => write!(f, "DELETE {pattern}"),
            Self::Modify(pattern) => write!(f, "MODIFY {pattern}"),
            Self::Allow(pattern) => write!(f, "ALLOW {pattern}"),
            Self::Disallow(pattern) => write!(f, "DISALLOW {pattern}"),
            Self::Require(path) => write!(f, "REQUIRE {path}"),
        }
    }
}

impl fmt::Display for MatchRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MATCH {} ", self.pattern)?;
        if let Some(prefix) = &self.source_prefix {
            write!(f, "IN {prefix} ")?;
        }
        write!(f, "WITH {} ", self.with)?;
        if let Some(prefix) = &self.destination_prefix {
            write!(f, "IN {prefix} ")?;
        }
        write!(f, "FROM {}", self.from)
    }
}
