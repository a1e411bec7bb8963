//! Reading JSON reports without keeping them: lists with an end, and values of a shape that is
//! not known before.

use std::collections::BTreeMap;
use std::fmt;
use std::io::BufRead;
use std::marker::PhantomData;

use serde::de::{
    Deserialize, DeserializeOwned, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess,
    Visitor,
};

use super::{ImportError, Report};

/// The most results that are taken from one report. A statement has room for fewer still when they
/// are long; that bound is met later.
pub(crate) const MAX_RESULTS: usize = 100_000;

/// A list of at most [`MAX_RESULTS`] elements. Reading stops with an error at the first one more, so
/// that memory does not grow with the report. `null` is the empty list, as Go programs write it.
#[derive(Debug)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> IntoIterator for List<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Elements::with(Rest::Refused)).map(Self)
    }
}

/// The first [`MAX_RESULTS`] elements of a list; what follows is skipped. For lists that are looked
/// things up in, of which a missing element does no harm.
#[derive(Debug)]
pub(crate) struct Beginning<T>(pub(crate) Vec<T>);

impl<T> Default for Beginning<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Beginning<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Elements::with(Rest::Skipped)).map(Self)
    }
}

/// Takes the first [`MAX_RESULTS`] elements of a list.
struct Elements<T> {
    rest: Rest,
    of: PhantomData<T>,
}

/// What is done with the elements that follow.
enum Rest {
    /// There must be none.
    Refused,
    /// They are read over.
    Skipped,
}

impl<T> Elements<T> {
    fn with(rest: Rest) -> Self {
        Self { rest, of: PhantomData }
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Elements<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut elements = Vec::new();
        while elements.len() < MAX_RESULTS {
            match seq.next_element()? {
                Some(element) => elements.push(element),
                None => return Ok(elements),
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {
            if matches!(self.rest, Rest::Refused) {
                let why = format_args!("more than {MAX_RESULTS} elements in a list");
                return Err(A::Error::custom(why));
            }
        }
        Ok(elements)
    }
}

/// How many elements a list has; the elements are skipped. `null` has none.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Count(pub(crate) u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements;

        impl<'de> Visitor<'de> for Elements {
            type Value = u64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_unit<E>(self) -> Result<u64, E> {
                Ok(0)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<u64, A::Error> {
                let mut count = 0_u64;
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(count)
            }
        }

        deserializer.deserialize_any(Elements).map(Self)
    }
}

/// The members of an object, at most [`MAX_RESULTS`]; `null` has none.
#[derive(Debug)]
pub(crate) struct Members<T>(pub(crate) BTreeMap<String, T>);

impl<T> Default for Members<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Members<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Named<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Named<T> {
            type Value = BTreeMap<String, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(BTreeMap::new())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, member)) = map.next_entry()? {
                    if members.len() == MAX_RESULTS {
                        return Err(A::Error::custom(format_args!(
                            "more than {MAX_RESULTS} members of an object"
                        )));
                    }
                    members.insert(name, member);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_any(Named(PhantomData)).map(Self)
    }
}

/// Reads over the byte order mark that programs on Windows begin a text with.
///
/// # Errors
/// Those of the reader.
pub(crate) fn skip_mark(reader: &mut dyn BufRead) -> std::io::Result<()> {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    if reader.fill_buf()?.starts_with(MARK) {
        reader.consume(MARK.len());
    }
    Ok(())
}

/// Reads a report that is one JSON document as a `T`, which keeps only what it names. Members that
/// `T` does not name are skipped without being kept. What follows the document is an error.
///
/// # Errors
/// [`ImportError::Malformed`] with line and column.
pub(crate) fn json<T: DeserializeOwned>(report: &Report, expected: &str) -> Result<T, ImportError> {
    document(report, expected, |document| T::deserialize(document))
}

/// Reads a report that is one JSON document as `read` says. A byte order mark before it is read over;
/// what follows it is an error.
///
/// # Errors
/// [`ImportError::Malformed`] with line and column, [`ImportError::Unreadable`] and
/// [`ImportError::Changed`].
pub(crate) fn document<T>(
    report: &Report,
    expected: &str,
    read: impl FnOnce(&mut Json<'_>) -> serde_json::Result<T>,
) -> Result<T, ImportError> {
    report.read(|reader| {
        skip_mark(reader).map_err(|e| report.unreadable(e))?;
        let mut document = serde_json::Deserializer::from_reader(reader);
        read(&mut document)
            .and_then(|value| document.end().map(|()| value))
            .map_err(|e| malformed_json(report, expected, &e))
    })
}

/// The deserializer of a report.
pub(crate) type Json<'r> = serde_json::Deserializer<serde_json::de::IoRead<&'r mut dyn BufRead>>;

/// The error that a report's JSON is not what it should be.
pub(crate) fn malformed_json(
    report: &Report,
    expected: &str,
    error: &serde_json::Error,
) -> ImportError {
    /// A parser's message may repeat a text of the report of any length.
    const MAX_DETAIL_CHARS: usize = 300;
    if let Some(kind) = error.io_error_kind() {
        return report.unreadable(kind.into());
    }
    let found: String = error.to_string().chars().take(MAX_DETAIL_CHARS).collect();
    report.malformed(expected, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Numbers {
        #[serde(default)]
        numbers: List<u8>,
    }

    #[test]
    fn reads_lists_with_an_end_and_go_s_null() {
        let read = |text: &str| {
            json::<Numbers>(&Report::of_bytes("r", text), "numbers").map(|read| read.numbers.0)
        };
        assert_eq!(read(r#"{"numbers":[1,2],"other":[{}]}"#).unwrap(), [1, 2]);
        assert_eq!(read(r#"{"numbers":null}"#).unwrap(), [0; 0]);
        assert_eq!(read("{}").unwrap(), [0; 0]);
        assert_eq!(read("\u{feff}{\"numbers\":[3]}").unwrap(), [3]);
        for text in [r#"{"numbers":[256]}"#, r#"{"numbers":{}}"#, "{} {}", "{", ""] {
            assert!(matches!(read(text), Err(ImportError::Malformed { .. })), "{text}");
        }
        let many = format!(r#"{{"numbers":[{}1]}}"#, "1,".repeat(MAX_RESULTS));
        assert!(read(&many).unwrap_err().to_string().contains("more than 100000 elements"));
    }

    #[test]
    fn counts_lists_and_reads_objects_with_an_end() {
        let count = |text: &str| serde_json::from_str::<Count>(text).map(|count| count.0);
        assert_eq!((count("[1,{},[2]]").unwrap(), count("null").unwrap()), (3, 0));
        assert!(count("{}").is_err());
        let members =
            |text: &str| serde_json::from_str::<Members<u8>>(text).map(|read| read.0.len());
        assert_eq!((members(r#"{"a":1,"b":2}"#).unwrap(), members("null").unwrap()), (2, 0));
        assert!(members("[]").is_err());
        let many: Vec<String> = (0..=MAX_RESULTS).map(|i| format!("\"{i}\":1")).collect();
        let refused = members(&format!("{{{}}}", many.join(","))).unwrap_err().to_string();
        assert!(refused.contains("more than 100000 members"), "{refused}");
    }

    #[test]
    fn keeps_the_beginning_of_a_list_that_has_no_end() {
        let read = |text: &str| serde_json::from_str::<Beginning<u8>>(text).unwrap().0.len();
        assert_eq!((read("[1,2]"), read("null"), read("[]")), (2, 0, 0));
        assert_eq!(read(&format!("[{}1]", "1,".repeat(MAX_RESULTS))), MAX_RESULTS);
    }
}
