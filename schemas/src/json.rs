//! Strict reading of JSON that a signature covers.
//!
//! Two parsers that disagree about a repeated key let one document mean two things, so every
//! object key must be unique, at every depth, after unescaping (RFC 8259 §4 leaves the choice to
//! the reader; we refuse). For the same reason an object is never read from an array. Depth, size
//! and the number of values are bounded. This module is not a schema language: what the members
//! mean is for the caller's types.

use std::cell::Cell;
use std::fmt;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Error as _, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::{Deserializer, forward_to_deserialize_any};
use serde_json::{Map, Value};

/// The greatest nesting of arrays and objects that is read.
pub const MAX_DEPTH: usize = 64;
/// The most values of all kinds that one text may hold. A parsed object takes up to a hundred times
/// the bytes of its text, so a bound on bytes alone would not bound memory.
pub const MAX_VALUES: usize = 1 << 19;
/// The most characters of a parser's message that are kept: it may repeat a key of any length.
const MAX_DETAIL_CHARS: usize = 300;

/// Why a JSON text was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text is longer than the caller allows.
    #[error("expected at most {limit_bytes} bytes of JSON, found more")]
    TooLarge {
        /// The bound that was met, in bytes.
        limit_bytes: usize,
        /// The length of the text, in bytes, as far as it was read.
        found_bytes: usize,
    },
    /// The text is not JSON, repeats a key, or nests too deep.
    #[error("malformed JSON: {detail}")]
    Malformed {
        /// What the parser met, with line and column.
        detail: String,
    },
    /// The JSON is well formed but does not have the shape that was expected.
    #[error("{what} has the wrong shape: {detail}")]
    Shape {
        /// What was being read.
        what: &'static str,
        /// The member that is missing, unexpected or of the wrong type.
        detail: String,
    },
}

/// Parses one JSON text of at most `limit_bytes` bytes, refusing duplicate keys at any depth.
///
/// # Errors
/// [`JsonError::TooLarge`] above the limit, else [`JsonError::Malformed`].
pub fn parse(text: &[u8], limit_bytes: usize) -> Result<Value, JsonError> {
    if text.len() > limit_bytes {
        return Err(JsonError::TooLarge { limit_bytes, found_bytes: text.len() });
    }
    let malformed = |e: serde_json::Error| JsonError::Malformed { detail: detail(&e) };
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let left = Cell::new(MAX_VALUES);
    let seed = StrictValue { depth: 0, left: &left };
    let value = seed.deserialize(&mut deserializer).map_err(malformed)?;
    deserializer.end().map_err(malformed)?;
    Ok(value)
}

/// Parses one JSON text strictly and reads it as a `T`.
///
/// # Errors
/// As [`parse`], and [`JsonError::Shape`] when the members do not fit `T`.
pub fn read<T: DeserializeOwned>(
    text: &[u8],
    limit_bytes: usize,
    what: &'static str,
) -> Result<T, JsonError> {
    from_value(parse(text, limit_bytes)?, what)
}

/// Reads an already strictly parsed value as a `T`.
///
/// # Errors
/// [`JsonError::Shape`] when the members do not fit `T`.
pub fn from_value<T: DeserializeOwned>(value: Value, what: &'static str) -> Result<T, JsonError> {
    T::deserialize(Named(value)).map_err(|e| JsonError::Shape { what, detail: detail(&e) })
}

fn detail(error: &serde_json::Error) -> String {
    error.to_string().chars().take(MAX_DETAIL_CHARS).collect()
}

/// Returns the canonical form of `value` (RFC 8785, JCS).
///
/// # Errors
/// [`JsonError::Malformed`] for a number that JCS cannot represent.
pub fn canonical<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, JsonError> {
    serde_json_canonicalizer::to_vec(value)
        .map_err(|e| JsonError::Malformed { detail: e.to_string() })
}

/// A value whose objects are read by the names of their members. Derived readers would also take
/// an array for an object, its items for the members in the order of our declaration: a form that
/// no specification has and no other program reads.
struct Named(Value);

impl<'de> Deserializer<'de> for Named {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Array(items) => {
                let mut items = SeqDeserializer::new(items.into_iter().map(Named));
                let read = visitor.visit_seq(&mut items)?;
                items.end().map(|()| read)
            }
            Value::Object(members) => {
                let members = members.into_iter().map(|(name, value)| (name, Named(value)));
                let mut members = MapDeserializer::new(members);
                let read = visitor.visit_map(&mut members)?;
                members.end().map(|()| read)
            }
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Object(_) => self.deserialize_any(visitor),
            other => Err(Self::Error::custom(format_args!(
                "expected an object, found {}",
                type_name(&other)
            ))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, serde_json::Error> for Named {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The name of a JSON value's type, for messages.
#[must_use]
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Builds a [`Value`] while watching keys, depth and number.
#[derive(Clone, Copy)]
struct StrictValue<'a> {
    depth: usize,
    /// How many more values are read.
    left: &'a Cell<usize>,
}

impl StrictValue<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(format_args!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for StrictValue<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
        let left = self.left.get().checked_sub(1);
        let too_many = || D::Error::custom(format_args!("more than {MAX_VALUES} values"));
        self.left.set(left.ok_or_else(too_many)?);
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StrictValue<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(Value::from(v))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(Value::from(v))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(Value::from(v))
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(Value::from(v))
    }

    fn visit_string<E>(self, v: String) -> Result<Value, E> {
        Ok(Value::String(v))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!("duplicate key {key:?}")));
            }
            let value = access.next_value_seed(inner)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        parse(text.as_bytes(), 1 << 20).expect_err(text).to_string()
    }

    #[test]
    fn refuses_duplicate_keys_at_every_depth_and_after_unescaping() {
        for text in [r#"{"a":1,"a":2}"#, r#"{"b":[{"x":{"a":1,"a":1}}]}"#, r#"{"a":1,"\u0061":2}"#]
        {
            assert!(refusal(text).contains("duplicate key \"a\""), "{text}");
        }
    }

    #[test]
    fn refuses_trailing_bytes_truncation_and_what_json_does_not_have() {
        for text in ["{} {}", "{\"a\":", "", "{'a':1}", "NaN", "[1,]", "\u{feff}{}"] {
            assert!(refusal(text).starts_with("malformed JSON"), "{text}");
        }
    }

    #[test]
    fn an_array_is_never_read_as_an_object() {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        struct Inner {
            a: u64,
        }
        #[derive(Debug, PartialEq, serde::Deserialize)]
        struct Outer {
            one: Inner,
            many: Vec<Inner>,
            maybe: Option<Inner>,
            pair: (u64, String),
            any: Value,
        }
        let read = |text: &str| super::read::<Outer>(text.as_bytes(), 1 << 10, "x");
        let good = r#"{"one":{"a":1},"many":[{"a":2}],"maybe":{"a":3},"pair":[4,"5"],"any":[[6]]}"#;
        let outer = read(good).unwrap();
        assert_eq!(outer.many, [Inner { a: 2 }]);
        assert_eq!((outer.pair.1.as_str(), outer.any.to_string().as_str()), ("5", "[[6]]"));
        for (object, array) in [
            (r#"{"a":1}"#, "[1]"),
            (r#"{"a":2}"#, "[2]"),
            (r#"{"a":3}"#, "[3]"),
            (good, r#"[{"a":1},[{"a":2}],{"a":3},[4,"5"],[[6]]]"#),
        ] {
            let refused = read(&good.replace(object, array)).unwrap_err().to_string();
            assert!(refused.contains("expected an object, found an array"), "{refused}");
        }
        assert!(read(&good.replace(r#"{"a":3}"#, "null")).unwrap().maybe.is_none());
        assert!(read(&good.replace(r#"[4,"5"]"#, r#"[4,"5",6]"#)).is_err());
    }

    #[test]
    fn bounds_depth_and_size() {
        let nest = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(parse(nest(MAX_DEPTH).as_bytes(), 1 << 20).is_ok());
        assert!(refusal(&nest(MAX_DEPTH + 1)).contains("nested deeper than 64 levels"));
        assert_eq!(parse(b"[1,2]", 4), Err(JsonError::TooLarge { limit_bytes: 4, found_bytes: 5 }));
    }

    #[test]
    fn bounds_how_many_values_a_text_expands_to() {
        // The array itself counts too, and so does each value in it.
        let list = |items: usize| format!("[{}0]", "0,".repeat(items - 1));
        let parsed = |text: &str| parse(text.as_bytes(), usize::MAX);
        assert!(parsed(&list(MAX_VALUES - 1)).is_ok());
        let refused = parsed(&list(MAX_VALUES)).unwrap_err().to_string();
        assert!(refused.contains("more than 524288 values"), "{refused}");
        let objects = format!("[{}{{}}]", r#"{"a":0},"#.repeat(MAX_VALUES / 2));
        assert!(parsed(&objects).is_err());
    }

    #[test]
    fn repeats_only_the_beginning_of_a_long_key() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Empty {}
        let key = "k".repeat(1 << 20);
        assert!(refusal(&format!(r#"{{"{key}":1,"{key}":2}}"#)).len() < 400);
        let value = serde_json::json!({ key: 1 });
        assert!(from_value::<Empty>(value, "x").unwrap_err().to_string().len() < 400);
    }
}
