//! Documents that people write: TOML, read strictly, with every fault by line and column.
//!
//! A roster and a policy decide who is trusted, so nothing in them is passed over: an unknown key, a
//! value of another type, an empty list are faults, and all faults of a document are told at once.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::predicate::UtcTime;

pub mod duration;
pub mod pattern;

pub use duration::Duration;
pub use pattern::Pattern;

/// The most bytes of one document.
pub const MAX_DOCUMENT_BYTES: usize = 1 << 20;
/// The most elements of one list of a document.
pub const MAX_LIST: usize = 10_000;
/// The most faults that are told of one document.
pub const MAX_FAULTS: usize = 100;

/// The most characters of its faults that are told where a document is named among other things.
const MAX_TOLD_CHARS: usize = 2_000;

/// How long before its end a document is said to end soon, in seconds: two weeks.
pub const SOON_S: i64 = 14 * 24 * 3_600;

/// One fault of a document, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong there: what was expected, and what was found.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

/// Why a document was refused: all that is wrong with it, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", told(.0))]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// What is wrong, as much of it as is told where a document is named among other things.
    #[must_use]
    pub fn brief(&self) -> String {
        self.to_string().chars().take(MAX_TOLD_CHARS).collect()
    }
}

fn told(faults: &[Fault]) -> String {
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

/// Where in a document something stands.
pub type Span = Range<usize>;

/// A document on its way from text to a value: keeps the faults that were met.
struct Text<'t> {
    text: &'t str,
    faults: RefCell<Vec<(Span, String)>>,
}

/// Reads a document whose `schema` member must be `schema`.
///
/// # Errors
/// [`Faults`], all of them; a document with one is refused.
pub fn read<T>(
    text: &[u8],
    schema: &str,
    read: impl FnOnce(&Section<'_, '_>) -> Option<T>,
) -> Result<T, Faults> {
    let one = |message: String| Faults(vec![Fault { line: 1, column: 1, message }]);
    if text.len() > MAX_DOCUMENT_BYTES {
        let found = text.len();
        return Err(one(format!("expected at most {MAX_DOCUMENT_BYTES} bytes, found {found}")));
    }
    let text = std::str::from_utf8(text).map_err(|error| {
        let before = text.get(..error.valid_up_to()).unwrap_or_default();
        let before = std::str::from_utf8(before).unwrap_or_default();
        let (line, column) = place(before, before.len());
        let message = "expected UTF-8, found a byte that is none".to_owned();
        Faults(vec![Fault { line, column, message }])
    })?;
    let table = DeTable::parse(text).map_err(|error| {
        let (line, column) = place(text, error.span().map_or(0, |span| span.start));
        let message = format!("expected TOML: {}", error.message().replace('\n', ", "));
        Faults(vec![Fault { line, column, message }])
    })?;
    let text = Text { text, faults: RefCell::default() };
    let section = Section::new(&text, table.get_ref(), 0..0, String::new());
    if let Some(found) = section.text("schema")
        && found.value != schema
    {
        section.fault(found.span, &format!("schema = \"{schema}\""), &quoted(&found.value));
    }
    let value = read(&section);
    section.finish();
    let mut faults = text.faults.into_inner();
    faults.sort_by_key(|(span, _)| span.start);
    faults.dedup();
    faults.truncate(MAX_FAULTS);
    match (value, faults.is_empty()) {
        (Some(value), true) => Ok(value),
        (_, false) => Err(Faults(
            faults
                .into_iter()
                .map(|(span, message)| {
                    let (line, column) = place(text.text, span.start);
                    Fault { line, column, message }
                })
                .collect(),
        )),
        (None, true) => Err(one("expected a complete document".to_owned())),
    }
}

/// What to say of a document's end: that it came, or comes within [`SOON_S`].
#[must_use]
pub fn expiry_warning(expires: UtcTime, now: UtcTime) -> Option<String> {
    let left_s = expires.unix_seconds() - now.unix_seconds();
    if left_s <= 0 {
        let told = "while it rules, everything that it is for is denied";
        return Some(format!("it expired at {expires}: {told}; give it a later expires"));
    }
    let told = duration::lasting(left_s);
    (left_s < SOON_S).then(|| {
        format!("it expires at {expires}, in {told}; publish a version that lasts longer before")
    })
}

/// Line and column, both from 1, of a byte offset.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line, column)
}

/// A text in quotes, cut where it is long.
pub fn quoted(text: &str) -> String {
    format!("{:?}", text.chars().take(100).collect::<String>())
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

/// One table of a document. A member counts as known once it was asked for.
pub struct Section<'d, 't> {
    text: &'d Text<'t>,
    table: &'d DeTable<'t>,
    span: Span,
    path: String,
    asked: RefCell<BTreeSet<String>>,
}

impl<'d, 't> Section<'d, 't> {
    fn new(text: &'d Text<'t>, table: &'d DeTable<'t>, span: Span, path: String) -> Self {
        Self { text, table, span, path, asked: RefCell::default() }
    }

    /// Where the table stands.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// The line, from 1, in which a place is.
    #[must_use]
    pub fn line_of(&self, span: &Span) -> usize {
        place(self.text.text, span.start).0
    }

    /// Where a member's value stands; the table itself when it is missing.
    #[must_use]
    pub fn span_of(&self, name: &str) -> Span {
        self.table.get(name).map_or_else(|| self.span(), Spanned::span)
    }

    /// Notes a fault.
    pub fn fault(&self, span: Span, expected: &str, found: &str) {
        self.text.faults.borrow_mut().push((span, format!("expected {expected}, found {found}")));
    }

    /// The members' names, in their order.
    pub fn names(&self) -> impl Iterator<Item = Placed<String>> + '_ {
        self.table.keys().map(|key| Placed { value: key.get_ref().to_string(), span: key.span() })
    }

    /// Where a byte of a text stands in the document: there exactly, when the text stands in it as it is, and else
    /// where the text begins.
    #[must_use]
    pub fn within_text(&self, text: &Placed<String>, at: usize) -> Span {
        let written = self.text.text.get(text.span.clone()).unwrap_or_default();
        match written.find(&text.value) {
            Some(start) => {
                let at = text.span.start + start + at.min(text.value.len());
                at..at
            }
            None => text.span.clone(),
        }
    }

    fn member(&self, name: &str) -> Option<&'d Spanned<DeValue<'t>>> {
        self.asked.borrow_mut().insert(name.to_owned());
        self.table.get(name)
    }

    fn called(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn wrong(&self, name: &str, expected: &str, value: &Spanned<DeValue<'t>>) {
        let expected = format!("{} to be {expected}", self.called(name));
        self.fault(value.span(), &expected, &shown(value.get_ref()));
    }

    /// Notes that a member is missing.
    pub fn missing(&self, name: &str, expected: &str) {
        let expected = format!("{} ({expected})", self.called(name));
        self.fault(self.span.clone(), &expected, "none");
    }

    /// Whether the member is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    fn optional<T>(
        &self,
        name: &str,
        expected: &str,
        take: impl FnOnce(&DeValue<'t>) -> Option<T>,
    ) -> Option<Placed<T>> {
        let value = self.member(name)?;
        match take(value.get_ref()) {
            Some(taken) => Some(Placed { value: taken, span: value.span() }),
            None => {
                self.wrong(name, expected, value);
                None
            }
        }
    }

    fn required<T>(
        &self,
        name: &str,
        expected: &str,
        take: impl FnOnce(&DeValue<'t>) -> Option<T>,
    ) -> Option<Placed<T>> {
        if !self.has(name) {
            self.missing(name, expected);
        }
        self.optional(name, expected, take)
    }

    /// A text that is not empty; a fault when it is missing.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Placed<String>> {
        self.required(name, "a text that is not empty", taken_text)
    }

    /// A text that is not empty, if the member is there.
    #[must_use]
    pub fn optional_text(&self, name: &str) -> Option<Placed<String>> {
        self.optional(name, "a text that is not empty", taken_text)
    }

    /// A whole number of at least `least`; a fault when it is missing.
    #[must_use]
    pub fn count(&self, name: &str, least: u64) -> Option<Placed<u64>> {
        self.required(name, &format!("a whole number of at least {least}"), |v| counted(v, least))
    }

    /// A whole number of at least `least`, if the member is there.
    #[must_use]
    pub fn optional_count(&self, name: &str, least: u64) -> Option<Placed<u64>> {
        self.optional(name, &format!("a whole number of at least {least}"), |v| counted(v, least))
    }

    /// `true` or `false`; `false` when it is missing.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        let taken = self.optional(name, "true or false", |value| match value {
            DeValue::Boolean(flag) => Some(*flag),
            _ => None,
        });
        taken.is_some_and(|flag| flag.value)
    }

    /// A moment; a fault when it is missing.
    #[must_use]
    pub fn time(&self, name: &str) -> Option<Placed<UtcTime>> {
        self.required(name, "a time in UTC such as 2027-01-31T00:00:00Z", timed)
    }

    /// A moment, if the member is there.
    #[must_use]
    pub fn optional_time(&self, name: &str) -> Option<Placed<UtcTime>> {
        self.optional(name, "a time in UTC such as 2027-01-31T00:00:00Z", timed)
    }

    /// A length of time such as `30d`; a fault when it is missing.
    #[must_use]
    pub fn duration(&self, name: &str) -> Option<Placed<Duration>> {
        self.required(name, duration::EXPECTED, lasting)
    }

    /// A length of time such as `30d`, if the member is there.
    #[must_use]
    pub fn optional_duration(&self, name: &str) -> Option<Placed<Duration>> {
        self.optional(name, duration::EXPECTED, lasting)
    }

    /// One of the words; a fault when it is missing.
    #[must_use]
    pub fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let expected = listed(words.iter().map(|(word, _)| *word));
        self.required(name, &expected, |v| one_of(v, words)).map(|placed| placed.value)
    }

    /// One of the words, if the member is there.
    #[must_use]
    pub fn optional_word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let expected = listed(words.iter().map(|(word, _)| *word));
        self.optional(name, &expected, |v| one_of(v, words)).map(|placed| placed.value)
    }

    /// A list of texts, each once and not empty, at least one; a fault when it is missing.
    #[must_use]
    pub fn texts(&self, name: &str) -> Vec<Placed<String>> {
        if !self.has(name) {
            self.missing(name, "a list of texts");
        }
        self.optional_texts(name).unwrap_or_default()
    }

    /// A list of texts, each once and not empty, at least one, if the member is there.
    #[must_use]
    pub fn optional_texts(&self, name: &str) -> Option<Vec<Placed<String>>> {
        let value = self.member(name)?;
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong(name, "a list of texts", value);
            return None;
        };
        if items.is_empty() || items.len() > MAX_LIST {
            self.wrong(name, &format!("a list of 1 to {MAX_LIST} texts"), value);
        }
        let mut seen = BTreeSet::new();
        let mut texts = Vec::new();
        for item in items.iter().take(MAX_LIST) {
            match taken_text(item.get_ref()) {
                Some(text) if seen.insert(text.clone()) => {
                    texts.push(Placed { value: text, span: item.span() });
                }
                Some(text) => self.fault(item.span(), "each element once", &quoted(&text)),
                None => self.wrong(name, "a list of texts that are not empty", item),
            }
        }
        Some(texts)
    }

    /// A table, if the member is there; what it does not ask for is a fault.
    pub fn section<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Section<'_, '_>) -> Option<T>,
    ) -> Option<T> {
        let value = self.member(name)?;
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong(name, "a table", value);
            return None;
        };
        self.within(table, value.span(), self.called(name), read)
    }

    /// A list of tables; none when the member is missing.
    pub fn sections<T>(
        &self,
        name: &str,
        mut read: impl FnMut(&Section<'_, '_>) -> Option<T>,
    ) -> Vec<T> {
        let Some(value) = self.member(name) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong(name, "a list of tables", value);
            return Vec::new();
        };
        if items.is_empty() || items.len() > MAX_LIST {
            self.wrong(name, &format!("a list of 1 to {MAX_LIST} tables"), value);
        }
        let mut all = Vec::new();
        for (index, item) in items.iter().take(MAX_LIST).enumerate() {
            match item.get_ref() {
                DeValue::Table(table) => {
                    let path = format!("{}[{index}]", self.called(name));
                    all.extend(self.within(table, item.span(), path, &mut read));
                }
                _ => self.wrong(name, "a list of tables", item),
            }
        }
        all
    }

    fn within<T>(
        &self,
        table: &DeTable<'t>,
        span: Span,
        path: String,
        read: impl FnOnce(&Section<'_, '_>) -> Option<T>,
    ) -> Option<T> {
        let section = Section::new(self.text, table, span, path);
        let value = read(&section);
        section.finish();
        value
    }

    /// Notes each member that was not asked for.
    fn finish(&self) {
        let asked = self.asked.borrow();
        for key in self.table.keys().filter(|key| !asked.contains(key.get_ref().as_ref())) {
            let known = listed(asked.iter().map(String::as_str));
            self.fault(
                key.span(),
                &format!("one of the keys {known}"),
                &quoted(&self.called(key.get_ref())),
            );
        }
    }
}

fn listed<'w>(words: impl Iterator<Item = &'w str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

fn taken_text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) if !text.trim().is_empty() => Some(text.to_string()),
        _ => None,
    }
}

fn counted(value: &DeValue<'_>, least: u64) -> Option<u64> {
    let DeValue::Integer(integer) = value else { return None };
    let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok()?;
    (least..=u64::try_from(i64::MAX).unwrap_or(u64::MAX)).contains(&number).then_some(number)
}

fn timed(value: &DeValue<'_>) -> Option<UtcTime> {
    match value {
        DeValue::Datetime(time) => time.to_string().parse().ok(),
        _ => None,
    }
}

fn lasting(value: &DeValue<'_>) -> Option<Duration> {
    match value {
        DeValue::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn one_of<T: Copy>(value: &DeValue<'_>, words: &[(&str, T)]) -> Option<T> {
    match value {
        DeValue::String(text) => words.iter().find(|(word, _)| word == text).map(|(_, is)| *is),
        _ => None,
    }
}

fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(integer) => integer.to_string(),
        DeValue::Float(float) => float.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(items) => format!("a list of {}", items.len()),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let outcome = read(text.as_bytes(), "x/v1", |section| {
            let count = section.count("version", 1);
            let _ = section.optional_time("expires");
            let _ = section.optional_duration("age");
            let _ = section.optional_texts("names");
            let rules = section.sections("rule", |rule| rule.text("type"));
            count.map(|count| (count, rules))
        });
        outcome.err().map_or_else(Vec::new, |f| f.0.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn tells_every_fault_with_line_and_column() {
        let text = "schema = \"x/v1\"\nversion = 0\nexpires = \"soon\"\n\n[[rule]]\ntype = \"a\"\nodd = 1\n";
        assert_eq!(
            faults(text),
            [
                "line 2, column 11: expected version to be a whole number of at least 1, found 0",
                "line 3, column 11: expected expires to be a time in UTC such as 2027-01-31T00:00:00Z, found \"soon\"",
                "line 7, column 1: expected one of the keys type, found \"rule[0].odd\"",
            ]
        );
    }

    #[test]
    fn tells_where_the_text_is_no_text() {
        let text = b"schema = \"x/v1\"\nname = \"\xc3\xbc\xff\"\n";
        let told = read(text, "x/v1", |_| Some(())).unwrap_err();
        assert_eq!(told.0.len(), 1);
        assert_eq!(
            told.0[0].to_string(),
            "line 2, column 10: expected UTF-8, found a byte that is none"
        );
    }

    #[test]
    fn many_faults_are_told_in_brief_from_the_first_on() {
        let fault = |line| Fault { line, column: 1, message: "x".repeat(100) };
        let many = Faults((1..100).map(fault).collect());
        assert_eq!(many.brief().chars().count(), MAX_TOLD_CHARS);
        assert!(many.to_string().starts_with(&many.brief()));
    }

    #[test]
    fn refuses_what_is_empty_or_twice_or_of_another_schema() {
        for (text, expected) in [
            ("schema = \"y/v1\"\nversion = 1\n", "schema = \"x/v1\", found \"y/v1\""),
            ("schema = \"x/v1\"\n", "version (a whole number of at least 1), found none"),
            ("schema = \"x/v1\"\nversion = 1\nnames = []\n", "a list of 1 to"),
            ("schema = \"x/v1\"\nversion = 1\nnames = [\"a\", \"a\"]\n", "each element once"),
            ("schema = \"x/v1\"\nversion = 1\nnames = [\" \"]\n", "not empty"),
            ("schema = \"x/v1\"\nversion = 1\nrule = []\n", "a list of 1 to"),
            ("schema = \"x/v1\"\nversion = 1\nversion = 2\n", "line 3, column 1: expected TOML"),
            ("schema = \"x/v1\"\nversion = -1\n", "found -1"),
            ("schema = \"x/v1\"\nversion = 1\nage = \"5\"\n", "such as 30d"),
            ("schema = \"x/v1\"\nversion = 1\nexpires = 2027-01-31\n", "a time in UTC"),
        ] {
            let found = faults(text);
            assert!(found.iter().any(|fault| fault.contains(expected)), "{text}: {found:?}");
        }
        assert_eq!(faults("schema = \"x/v1\"\nversion = 1\n"), Vec::<String>::new());
    }
}
