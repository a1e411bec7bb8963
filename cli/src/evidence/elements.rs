//! The elements of long lists of a JSON report, one at a time.
//!
//! [`super::bounded`] reads a report as a whole into what is kept of it; here nothing is kept but
//! what is taken from each element, so that a list may be of any length.

use std::fmt;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess,
    Visitor,
};

use super::{ImportError, Report, bounded};

/// Gives each value that lies at `path` to `take`: names of members, and `*` for the elements of a
/// list. `take` is also given the positions of the elements on the way. What is no list or object
/// where the path wants one has no elements.
///
/// # Errors
/// Those of `take`, else [`ImportError::Malformed`].
pub(super) fn each<T: DeserializeOwned>(
    report: &Report,
    expected: &str,
    path: &[&str],
    take: &mut Take<'_, T>,
) -> Result<(), ImportError> {
    let (mut positions, mut refused) = (Vec::new(), None);
    let walk = Walk { path, positions: &mut positions, refused: &mut refused, take };
    let walked = bounded::document(report, expected, |document| walk.deserialize(document));
    refused.map_or(walked, Err)
}

/// What is done with each element, given the positions of the elements on the way to it.
pub(super) type Take<'a, T> = dyn FnMut(&[usize], T) -> Result<(), ImportError> + 'a;

/// The way to the elements.
struct Walk<'a, 'f, T> {
    path: &'a [&'a str],
    positions: &'a mut Vec<usize>,
    /// Why `take` wants no more; a deserializer's error cannot carry it.
    refused: &'a mut Option<ImportError>,
    take: &'a mut Take<'f, T>,
}

impl<'f, T> Walk<'_, 'f, T> {
    fn down<'b>(&'b mut self, path: &'b [&'b str]) -> Walk<'b, 'f, T> {
        Walk { path, positions: self.positions, refused: self.refused, take: &mut *self.take }
    }
}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Walk<'_, '_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if !self.path.is_empty() {
            return deserializer.deserialize_any(self);
        }
        let element = T::deserialize(deserializer)?;
        (self.take)(self.positions, element).map_err(|refusal| {
            *self.refused = Some(refusal);
            D::Error::custom("refused")
        })
    }
}

impl<'de, T: DeserializeOwned> Visitor<'de> for Walk<'_, '_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        let Some((&"*", rest)) = self.path.split_first() else {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        let depth = self.positions.len();
        self.positions.push(0);
        while seq.next_element_seed(self.down(rest))?.is_some() {
            if let Some(position) = self.positions.get_mut(depth) {
                *position = position.saturating_add(1);
            }
        }
        self.positions.truncate(depth);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let wanted = self.path.split_first().filter(|(name, _)| **name != "*");
        while let Some(name) = map.next_key::<String>()? {
            match wanted {
                Some((wanted, rest)) if *wanted == name => map.next_value_seed(self.down(rest))?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, path: &[&str]) -> Result<Vec<(Vec<usize>, u8)>, ImportError> {
        let mut taken = Vec::new();
        let report = Report::of_bytes("r", text);
        each(&report, "numbers", path, &mut |positions, number: u8| {
            if number == 9 {
                return Err(ImportError::TooMuch { name: "r".to_owned(), what: "n", limit: 9 });
            }
            taken.push((positions.to_vec(), number));
            Ok(())
        })?;
        Ok(taken)
    }

    #[test]
    fn gives_each_element_with_its_place() {
        let text =
            "\u{feff}{\"a\":[{\"b\":[1,2],\"c\":[{}]},{\"b\":null},{\"b\":[3]},7,[8]],\"d\":\"\"}";
        let taken = read(text, &["a", "*", "b", "*"]).unwrap();
        assert_eq!(taken, [(vec![0, 0], 1), (vec![0, 1], 2), (vec![2, 0], 3)]);
        assert_eq!(read("[4,5]", &["*"]).unwrap(), [(vec![0], 4), (vec![1], 5)]);
        assert_eq!(read("{\"x\":[1]}", &["y", "*"]).unwrap(), []);
        assert_eq!(read("{\"x\":{\"*\":1}}", &["x", "*"]).unwrap(), []);
    }

    #[test]
    fn refuses_what_is_not_well_formed_and_what_is_not_wanted() {
        for text in ["[1,2", "[1] x", "[\"a\"]", ""] {
            let refused = read(text, &["*"]);
            assert!(matches!(refused, Err(ImportError::Malformed { .. })), "{text}");
        }
        assert!(matches!(read("[1,9,2]", &["*"]), Err(ImportError::TooMuch { .. })));
    }
}
