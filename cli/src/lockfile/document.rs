//! Lockfiles that are JSON, TOML or YAML: where they are not, and maps with an end.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    Deserialize, DeserializeOwned, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor,
};

use super::error::line_of;
use super::{Kind, LockfileError};

/// The most members of one map. A lockfile may hold a package in several places.
const MAX_MEMBERS: usize = 500_000;
/// How deep a YAML document nests.
const MAX_YAML_DEPTH: usize = 32;
/// The most nodes of a YAML document: a lockfile of 100,000 packages has a few million.
const MAX_YAML_NODES: usize = 5_000_000;
/// How many aliases a YAML document may have, and to how many events they may come. pnpm writes
/// none.
const MAX_YAML_ALIASES: usize = 1_000;
const MAX_YAML_ALIAS_EVENTS: usize = 100_000;
/// How long a key may be that stands on a line with its value; pnpm's hold the peers of a package.
const MAX_YAML_KEY_CHARS: usize = 16 * 1024;

/// Reads a JSON document.
///
/// # Errors
/// [`LockfileError::Malformed`] with the line.
pub(super) fn json<T: DeserializeOwned>(kind: Kind, text: &str) -> Result<T, LockfileError> {
    serde_json::from_str(text).map_err(|e| {
        LockfileError::malformed(kind, Some(e.line()), "JSON of its form", &e.to_string())
    })
}

/// Reads a TOML document.
///
/// # Errors
/// [`LockfileError::Malformed`] with the line.
pub(super) fn toml<T: DeserializeOwned>(kind: Kind, text: &str) -> Result<T, LockfileError> {
    toml::from_str(text).map_err(|e| {
        let line = e.span().map(|span| line_of(text, span.start));
        LockfileError::malformed(kind, line, "TOML of its form", e.message())
    })
}

/// Reads a stream of YAML documents.
///
/// # Errors
/// [`LockfileError::Malformed`] with the line, also when a bound is met.
pub(super) fn yaml<T: DeserializeOwned>(kind: Kind, text: &str) -> Result<Vec<T>, LockfileError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_YAML_DEPTH,
            flow_nesting_limit: MAX_YAML_DEPTH,
            max_nodes: MAX_YAML_NODES,
            max_events: 2 * MAX_YAML_NODES,
            max_aliases: MAX_YAML_ALIASES,
            max_anchors: MAX_YAML_ALIASES,
            max_recorded_anchor_events: MAX_YAML_ALIAS_EVENTS,
            max_merge_keys: MAX_YAML_ALIASES,
            max_documents: 16,
            simple_key_max_lookahead: MAX_YAML_KEY_CHARS,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_YAML_ALIAS_EVENTS,
            max_replay_stack_depth: MAX_YAML_DEPTH,
        },
        with_snippet: false,
    };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|e| {
        let line = e.location().and_then(|place| usize::try_from(place.line()).ok());
        LockfileError::malformed(kind, line, "YAML of its form", &e.to_string())
    })
}

/// The members of a map in their order, at most [`MAX_MEMBERS`]. `null` is the empty map, because
/// YAML's writers leave out an empty value.
#[derive(Debug)]
pub(super) struct Members<T>(pub(super) Vec<(String, T)>);

impl<T> Default for Members<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Members<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Collect<T> {
            type Value = Members<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_unit<E>(self) -> Result<Members<T>, E> {
                Ok(Members::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<T>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    if members.len() == MAX_MEMBERS {
                        return Err(A::Error::custom(format_args!(
                            "more than {MAX_MEMBERS} members of a map"
                        )));
                    }
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_any(Collect(PhantomData))
    }
}

/// Reads a text, and takes anything else for nothing: old versions of npm wrote `false` where they
/// had no text.
pub(super) fn text_or_nothing<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Value {
        Text(String),
        Other(IgnoredAny),
    }
    Ok(match Value::deserialize(d)? {
        Value::Text(text) if !text.is_empty() => Some(text),
        Value::Text(_) | Value::Other(IgnoredAny) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_end_and_may_be_missing() {
        let read = |text: &str| json::<Members<u8>>(Kind::Npm, text).map(|found| found.0.len());
        assert_eq!(read(r#"{"a":1,"a":2}"#), Ok(2));
        assert_eq!(read("null"), Ok(0));
        for text in ["[]", "1", "{", r#"{"a":256}"#] {
            assert!(matches!(read(text), Err(LockfileError::Malformed { .. })), "{text}");
        }
        let many = format!("{{{}\"a\":1}}", "\"a\":1,".repeat(MAX_MEMBERS));
        let error = read(&many).unwrap_err().to_string();
        assert!(error.contains("more than 500000 members"), "{error}");
    }

    #[test]
    fn says_the_line_of_what_is_malformed() {
        let line = |error: LockfileError| match error {
            LockfileError::Malformed { line, .. } => line,
            other => panic!("{other}"),
        };
        assert_eq!(
            json::<Members<u8>>(Kind::Npm, "{\n\"a\":x}").map_err(line).err(),
            Some(Some(2))
        );
        assert_eq!(toml::<Members<u8>>(Kind::Uv, "a = 1\n\nb").map_err(line).err(), Some(Some(3)));
        let yaml = yaml::<Members<u8>>(Kind::Pnpm, "a: 1\nb: x\n").map_err(line);
        assert_eq!(yaml.err(), Some(Some(2)));
    }

    /// Each alias stands for ten of the one before it.
    #[test]
    fn a_yaml_bomb_is_refused_at_once() {
        let mut bomb = "l0: &l0 [x]\n".to_owned();
        for i in 1..12 {
            let aliases = vec![format!("*l{}", i - 1); 10].join(", ");
            bomb.push_str(&format!("l{i}: &l{i} [{aliases}]\n"));
        }
        for text in [
            bomb,
            format!("a: {}", "[".repeat(10_000)),
            format!(
                "a:\n{}",
                (0..10_000).map(|i| format!("{}- \n", " ".repeat(i))).collect::<String>()
            ),
            format!("{}a", "- ".repeat(10_000)),
        ] {
            let read = yaml::<Members<IgnoredAny>>(Kind::Pnpm, &text);
            assert!(matches!(read, Err(LockfileError::Malformed { .. })), "{read:?}");
        }
    }

    #[test]
    fn deeply_nested_toml_is_refused() {
        let text = format!("a = {}{}", "[".repeat(50_000), "]".repeat(50_000));
        let read = toml::<Members<IgnoredAny>>(Kind::Cargo, &text);
        assert!(matches!(read, Err(LockfileError::Malformed { .. })), "{read:?}");
    }
}
