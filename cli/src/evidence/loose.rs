//! Members of reports that are not always of the type that they should be.
//!
//! Tools change the type of a member between versions, and write objects where a specification
//! wants a text. What only describes a result must not make the whole report unreadable: a value
//! of another type is as good as none. For `#[serde(deserialize_with)]`.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// How many elements of a list, or members of an object, are kept.
const MAX_ELEMENTS: usize = 64;

/// A text. A number or a boolean is written as text; of an object it is the first text in it.
///
/// # Errors
/// Those of the deserializer, never for the type.
pub(super) fn text<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    Loose::deserialize(d).map(Loose::text)
}

/// A count. A text of digits is one, too.
///
/// # Errors
/// Those of the deserializer, never for the type.
pub(super) fn count<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u64>, D::Error> {
    Ok(text(d)?.and_then(|text| text.trim().parse().ok()))
}

/// A list of texts; what is no text is left out. A single text is a list of one.
///
/// # Errors
/// Those of the deserializer, never for the type.
pub(super) fn texts<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
    Ok(match Loose::deserialize(d)? {
        Loose::Text(text) => vec![text],
        Loose::List(texts) => texts,
        Loose::Nothing | Loose::Map(_) => Vec::new(),
    })
}

/// An object of texts; what is no text is left out.
///
/// # Errors
/// Those of the deserializer, never for the type.
pub(super) fn text_map<'de, D: Deserializer<'de>>(
    d: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    Ok(match Loose::deserialize(d)? {
        Loose::Map(members) => members,
        _ => BTreeMap::new(),
    })
}

/// A value that programs write as `null` where it is not there.
///
/// # Errors
/// Those of the deserializer.
pub(super) fn or_default<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(
    d: D,
) -> Result<T, D::Error> {
    Option::deserialize(d).map(Option::unwrap_or_default)
}

/// A value of whatever type, as far as there are texts in it.
enum Loose {
    Nothing,
    Text(String),
    List(Vec<String>),
    Map(BTreeMap<String, String>),
}

impl Loose {
    fn text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            Self::Map(members) => members.into_values().next(),
            Self::Nothing | Self::List(_) => None,
        }
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Loose;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Loose, E> {
        Ok(Loose::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Loose, E> {
        Ok(Loose::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Loose, E> {
        Ok(Loose::Text(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Loose, E> {
        Ok(Loose::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Loose, E> {
        Ok(Loose::Text(value.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Loose, E> {
        Ok(Loose::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Loose, A::Error> {
        let mut texts = Vec::new();
        while let Some(element) = seq.next_element::<Loose>()? {
            if texts.len() < MAX_ELEMENTS {
                texts.extend(element.text());
            }
        }
        Ok(Loose::List(texts))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, member)) = map.next_entry::<String, Loose>()? {
            if let Some(text) = member.text().filter(|_| members.len() < MAX_ELEMENTS) {
                members.insert(name, text);
            }
        }
        Ok(Loose::Map(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Members {
        #[serde(default, deserialize_with = "text")]
        text: Option<String>,
        #[serde(default, deserialize_with = "count")]
        count: Option<u64>,
        #[serde(default, deserialize_with = "texts")]
        texts: Vec<String>,
        #[serde(default, deserialize_with = "text_map")]
        map: BTreeMap<String, String>,
    }

    #[test]
    fn takes_what_is_of_another_type_for_nothing() {
        let read = |value: &str| {
            let json = format!(
                r#"{{"text":{value},"count":{value},"texts":{value},"map":{value},"more":1}}"#
            );
            let Members { text, count, texts, map } = serde_json::from_str(&json).unwrap();
            let map: Vec<String> =
                map.iter().map(|(name, text)| format!("{name}={text}")).collect();
            (text.unwrap_or_default(), count, texts.join(","), map.join(","))
        };
        let owned = |text: &str, count, texts: &str, map: &str| {
            (text.to_owned(), count, texts.to_owned(), map.to_owned())
        };
        for (value, expected) in [
            ("null", owned("", None, "", "")),
            (r#""a""#, owned("a", None, "a", "")),
            (r#""7""#, owned("7", Some(7), "7", "")),
            ("7", owned("7", Some(7), "7", "")),
            ("-1", owned("-1", None, "-1", "")),
            ("true", owned("true", None, "true", "")),
            (r#"["a",["b"],{"c":"d"},null]"#, owned("", None, "a,d", "")),
            (r#"{"v":{"value":"x"},"w":[],"y":"z"}"#, owned("x", None, "", "v=x,y=z")),
        ] {
            assert_eq!(read(value), expected, "{value}");
        }
        assert_eq!(serde_json::from_str::<Members>("{}").unwrap().text, None);
    }
}
