//! The findings of a report that show secrets, where the report as a whole is about something else:
//! which they are, and the copy without what they show.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{MAX_SECRET_BYTES, Redactor, Rule, Secrets, Step};
use crate::evidence::bounded::MAX_RESULTS;
use crate::evidence::{ImportError, Report};

/// Findings that show secrets, and the secrets.
#[derive(Debug, Default)]
pub(in crate::evidence) struct Shown {
    secrets: Secrets,
    places: HashSet<Vec<Step>>,
}

/// A report without its secrets.
pub(in crate::evidence) struct Redaction {
    /// What takes the secrets out of what goes into a predicate.
    pub(in crate::evidence) redactor: Redactor,
    /// What is kept and named in the place of the report.
    pub(in crate::evidence) copy: Report,
    /// What a person should know.
    pub(in crate::evidence) warning: String,
}

impl Shown {
    /// Notes that the finding at `place` shows secrets, and the code in which they are. One without
    /// code shows none.
    ///
    /// # Errors
    /// [`ImportError::TooMuch`].
    pub(in crate::evidence) fn note(
        &mut self,
        report: &Report,
        place: Vec<Step>,
        code: &str,
    ) -> Result<(), ImportError> {
        if code.trim().is_empty() {
            return Ok(());
        }
        if self.places.len() == MAX_RESULTS {
            let (name, what) = (report.name().to_owned(), "findings that show secrets");
            return Err(ImportError::TooMuch { name, what, limit: MAX_RESULTS });
        }
        self.places.insert(place);
        self.secrets.add_code(report, code)
    }

    /// Whether the finding at `place` shows secrets.
    pub(in crate::evidence) fn is_at(&self, place: &[Step]) -> bool {
        self.places.contains(place)
    }

    /// The report without secrets; nothing where it shows none. `rule` is also given the findings
    /// that show some.
    ///
    /// # Errors
    /// Those of [`Redactor::copy`].
    pub(in crate::evidence) fn redaction(
        mut self,
        report: &Report,
        rule: fn(&Self, &[Step], super::Role) -> super::Treatment,
    ) -> Result<Option<Redaction>, ImportError> {
        let count = self.places.len();
        if count == 0 {
            return Ok(None);
        }
        let redactor = Redactor::new(std::mem::take(&mut self.secrets));
        let rule = |path: &[Step], role| rule(&self, path, role);
        let rule: &Rule<'_> = &rule;
        let copy = redactor.copy(report, rule)?;
        let warning = format!(
            "{count} findings show secrets, or code in which there may be some, which was redacted: the copy without it is kept and named, not the report itself"
        );
        Ok(Some(Redaction { redactor, copy, warning }))
    }
}

/// All texts in a value of whatever type, a line each.
#[derive(Debug, Default)]
pub(in crate::evidence) struct Texts(pub(in crate::evidence) String);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

impl Texts {
    /// More than can be secrets is not kept, but refused when it is noted.
    fn join(&mut self, more: &Self) {
        if !more.0.is_empty() && self.0.len() <= MAX_SECRET_BYTES {
            if !self.0.is_empty() {
                self.0.push('\n');
            }
            self.0.push_str(&more.0);
        }
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Texts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Texts, E> {
        Ok(Texts::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Texts, E> {
        Ok(Texts::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Texts, E> {
        Ok(Texts::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Texts, E> {
        Ok(Texts::default())
    }

    fn visit_unit<E>(self) -> Result<Texts, E> {
        Ok(Texts::default())
    }

    fn visit_str<E>(self, text: &str) -> Result<Texts, E> {
        Ok(Texts(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Texts, A::Error> {
        let mut texts = Texts::default();
        while let Some(element) = seq.next_element::<Texts>()? {
            texts.join(&element);
        }
        Ok(texts)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Texts, A::Error> {
        let mut texts = Texts::default();
        while let Some((_, member)) = map.next_entry::<IgnoredAny, Texts>()? {
            texts.join(&member);
        }
        Ok(texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_texts_of_values_of_whatever_type() {
        for (value, expected) in [
            ("null", ""),
            ("[1, true, -1, 0.5]", ""),
            (r#""a""#, "a"),
            (r#"[[1,"a\n"],[2,"b"]]"#, "a\n\nb"),
            (r#"{"x":{"y":["a",{}]},"z":"b"}"#, "a\nb"),
        ] {
            assert_eq!(serde_json::from_str::<Texts>(value).unwrap().0, expected, "{value}");
        }
    }
}
