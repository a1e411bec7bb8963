//! Taking secrets out of a report: the copy that is kept and named in its place.
//!
//! An importer collects the [`Secrets`] that its report holds. Whatever it then passes on goes
//! through the [`Redactor`], and so does the report itself: [`Redactor::copy`] writes it again with
//! [`REDACTED`] in the place of what the format's [`Rule`] says is a secret, and of every secret
//! wherever else it stands, as it is, encoded in base64, percent-encoded or escaped. The copy is
//! then read once more by another parser, and refused where a secret is left.

mod forms;
mod json;
mod shown;
pub(super) mod trivy;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::io::{BufWriter, Write as _};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::bounded::{malformed_json, skip_mark};
use super::{ImportError, Report};
use crate::progress::{Progress, Unit};
use forms::Forms;
pub(super) use forms::REDACTED;
use json::CopyError;
pub(super) use json::{Role, Step};
pub(super) use shown::{Redaction, Shown, Texts};

/// How much text of secrets is kept from one report.
const MAX_SECRET_BYTES: usize = 4 << 20;
/// From this length on a text is a secret even where the format's own words stand.
const MIN_LONG_BYTES: usize = 16;
/// The shortest line of a secret of many lines that is a secret of its own.
const MIN_LINE_BYTES: usize = 16;
/// The shortest word of a line of code that may be the secret in it.
const MIN_HINT_BYTES: usize = 8;

/// What happens to the strings at a place of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Treatment {
    /// A word of the format: only long secrets are looked for, which no format's word is.
    Word,
    /// Every secret is taken out.
    Search,
    /// As [`Treatment::Search`]; and all of the text goes where it has a word of the code in which
    /// a secret was found.
    Suspect,
    /// All of the text goes.
    Blank,
}

/// What happens to a string: by the path to it, and whether it is a member's name. The path to a
/// name is that of its object.
pub(super) type Rule<'a> = dyn Fn(&[Step], Role) -> Treatment + 'a;

/// The secrets of a report, as they are collected. Never shown.
#[derive(Default)]
pub(super) struct Secrets {
    texts: BTreeSet<String>,
    hints: BTreeSet<String>,
    bytes: usize,
}

impl Secrets {
    /// Adds a secret, as it stands in the report. A secret of many lines is also each of them.
    ///
    /// # Errors
    /// [`ImportError::TooMuch`].
    pub(super) fn add(&mut self, report: &Report, text: &str) -> Result<(), ImportError> {
        let text = text.trim();
        if is_masked(text) {
            return Ok(());
        }
        if text.contains('\n') {
            for line in text.lines().map(str::trim) {
                // The lines around a PEM body are in every key.
                if line.len() >= MIN_LINE_BYTES && !line.starts_with("-----") {
                    self.insert(report, line)?;
                }
            }
        }
        self.insert(report, text)
    }

    /// Adds a secret that may be encoded in base64, as some versions of a tool write it.
    ///
    /// # Errors
    /// As [`Secrets::add`].
    pub(super) fn add_encoded(&mut self, report: &Report, text: &str) -> Result<(), ImportError> {
        let decoded = BASE64_STANDARD.decode(text.trim()).ok();
        if let Some(decoded) = decoded.and_then(|bytes| String::from_utf8(bytes).ok()) {
            self.add(report, &decoded)?;
        }
        self.add(report, text)
    }

    /// Adds code in which a secret was found: the code as a whole is one, and which of its words
    /// is the secret is not known.
    ///
    /// # Errors
    /// As [`Secrets::add`].
    pub(super) fn add_code(&mut self, report: &Report, code: &str) -> Result<(), ImportError> {
        for word in code.split(|c: char| c.is_whitespace() || "\"'`<>()[]{},;=:".contains(c)) {
            if may_be_secret(word) && !self.hints.contains(word) {
                self.count(report, word)?;
                self.hints.insert(word.to_owned());
            }
        }
        self.add(report, code)
    }

    fn insert(&mut self, report: &Report, text: &str) -> Result<(), ImportError> {
        if text.len() < forms::MIN_BYTES || self.texts.contains(text) {
            return Ok(());
        }
        self.count(report, text)?;
        self.texts.insert(text.to_owned());
        Ok(())
    }

    fn count(&mut self, report: &Report, text: &str) -> Result<(), ImportError> {
        self.bytes = self.bytes.saturating_add(text.len());
        if self.bytes <= MAX_SECRET_BYTES {
            return Ok(());
        }
        let name = report.name().to_owned();
        Err(ImportError::TooMuch { name, what: "bytes of secrets", limit: MAX_SECRET_BYTES })
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("count", &self.texts.len()).finish_non_exhaustive()
    }
}

/// What a tool writes in the place of a secret that it keeps to itself.
fn is_masked(text: &str) -> bool {
    REDACTED.contains(text) || text.chars().all(|c| c == '*')
}

/// Words of a language have no digits in them and are written in one case; file names and numbers
/// that do are taken for secrets, which only costs a message.
fn may_be_secret(word: &str) -> bool {
    let has = |of: fn(&char) -> bool| word.chars().any(|c| of(&c));
    let letters = has(char::is_ascii_alphabetic);
    let digits = has(char::is_ascii_digit);
    word.len() >= MIN_HINT_BYTES && letters && digits && !is_masked(word)
}

/// Takes secrets out of texts.
pub(super) struct Redactor {
    all: Forms,
    long: Forms,
    hints: Forms,
}

impl Redactor {
    /// Knows the secrets in each form in which they may be written.
    pub(super) fn new(secrets: Secrets) -> Self {
        let Secrets { texts, hints, bytes: _ } = secrets;
        let all: BTreeSet<String> = texts.iter().flat_map(|text| written(text)).collect();
        let long =
            all.iter().filter(|text| text.len() >= MIN_LONG_BYTES).cloned().collect::<Vec<_>>();
        Self { all: Forms::new(all), long: Forms::new(long), hints: Forms::new(hints) }
    }

    /// `text` without secrets.
    pub(super) fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.all.replace(text)
    }

    /// Takes the secrets out of what goes into a predicate.
    pub(super) fn clean(&self, text: &mut String) {
        let clean = self.text(text);
        if clean != *text {
            *text = clean.into_owned();
        }
    }

    /// Whether a secret is in `text`.
    pub(super) fn finds(&self, text: &str) -> bool {
        self.all.is_in(text)
    }

    /// Whether a secret, or a word of the code in which one was found, is in `text`.
    pub(super) fn suspects(&self, text: &str) -> bool {
        self.finds(text) || self.hints.is_in(text)
    }

    /// Writes `report` again without secrets, and reads that again.
    ///
    /// # Errors
    /// [`ImportError::Uncopied`], [`ImportError::TooMuch`], [`ImportError::SecretLeft`].
    pub(super) fn copy(&self, report: &Report, rule: &Rule<'_>) -> Result<Report, ImportError> {
        let name = || report.name().to_owned();
        let uncopied = |source| ImportError::Uncopied { name: name(), source };
        let file = tempfile::tempfile().map_err(uncopied)?;
        report.read(|reader| {
            let mut writer = BufWriter::new(&file);
            let mut edit = |path: &[Step], role: Role, text: Option<&str>| match text {
                Some(text) => self.edited(rule(path, role), text),
                None => Some(REDACTED.to_owned()),
            };
            json::rewrite(reader, &mut writer, &mut edit).map_err(|error| match error {
                CopyError::Read(source) => report.unreadable(source),
                CopyError::Write(source) => uncopied(source),
                CopyError::TooMuch(what, limit) => {
                    ImportError::TooMuch { name: name(), what, limit }
                }
            })?;
            writer.flush().map_err(uncopied)
        })?;
        let progress = Progress::hidden(Unit::Bytes);
        let copy = Report::of_file(&redacted_name(report.name()), file, progress)?;
        self.check(&copy, rule)?;
        Ok(copy)
    }

    /// What stands in the place of a string; nothing where it stays.
    fn edited(&self, treatment: Treatment, text: &str) -> Option<String> {
        let clean = match treatment {
            Treatment::Word => self.long.replace(text),
            Treatment::Blank if !text.is_empty() => Cow::Borrowed(REDACTED),
            Treatment::Suspect if self.hints.is_in(text) => Cow::Borrowed(REDACTED),
            Treatment::Search | Treatment::Suspect | Treatment::Blank => self.all.replace(text),
        };
        (clean != text).then(|| clean.into_owned())
    }

    /// Whether a string may stay.
    fn is_clean(&self, treatment: Treatment, text: &str) -> bool {
        match treatment {
            Treatment::Word => !self.long.is_in(text),
            Treatment::Blank => text.is_empty() || text == REDACTED,
            Treatment::Search | Treatment::Suspect => !self.all.is_in(text),
        }
    }

    /// Reads a copy with the parser that everybody reads it with.
    fn check(&self, copy: &Report, rule: &Rule<'_>) -> Result<(), ImportError> {
        copy.read(|reader| {
            skip_mark(reader).map_err(|e| copy.unreadable(e))?;
            let mut deserializer = serde_json::Deserializer::from_reader(reader);
            let (mut path, mut left) = (Vec::new(), false);
            // Any number of documents may follow each other, as in JSON lines.
            while deserializer.end().is_err() {
                let check = Check { redactor: self, rule, path: &mut path, left: &mut left };
                let checked = check.deserialize(&mut deserializer);
                if left {
                    return Err(ImportError::SecretLeft { name: copy.name().to_owned() });
                }
                checked.map_err(|e| malformed_json(copy, "a redacted copy", &e))?;
                path.clear();
            }
            Ok(())
        })
    }
}

/// A secret as it may be written.
fn written(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let escaped = serde_json::Value::from(secret).to_string();
    let escaped = escaped.trim_matches('"').to_owned();
    // The padding says nothing; without it the text is found before padding, too.
    let mut all = vec![
        secret.to_owned(),
        BASE64_STANDARD_NO_PAD.encode(bytes),
        BASE64_URL_SAFE_NO_PAD.encode(bytes),
        percent_encoded(secret),
        escaped,
    ];
    // A secret that is masked in one of its forms cannot be told from what is put in its place.
    all.retain(|form| !is_masked(form));
    all
}

/// RFC 3986 §2.1, of everything but unreserved characters.
fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push_str(&hex::encode_upper([byte]));
        }
        encoded
    })
}

/// `report.json` is `report.redacted.json`.
fn redacted_name(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => format!("{stem}.redacted.{extension}"),
        _ => format!("{name}.redacted"),
    }
}

/// Looks at every string of a copy.
struct Check<'a> {
    redactor: &'a Redactor,
    rule: &'a Rule<'a>,
    path: &'a mut Vec<Step>,
    /// Whether a secret is left; a deserializer's error cannot say it.
    left: &'a mut bool,
}

impl Check<'_> {
    fn below(&mut self) -> Check<'_> {
        Check { redactor: self.redactor, rule: self.rule, path: self.path, left: self.left }
    }

    fn look<E: serde::de::Error>(&mut self, role: Role, text: &str) -> Result<(), E> {
        if self.redactor.is_clean((self.rule)(self.path, role), text) {
            return Ok(());
        }
        *self.left = true;
        Err(E::custom("a secret is left"))
    }
}

impl<'de> DeserializeSeed<'de> for Check<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Check<'_> {
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

    fn visit_str<E: serde::de::Error>(mut self, text: &str) -> Result<(), E> {
        self.look(Role::Value, text)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        self.path.push(Step::Position(0));
        while seq.next_element_seed(self.below())?.is_some() {
            if let Some(Step::Position(position)) = self.path.last_mut() {
                *position = position.saturating_add(1);
            }
        }
        self.path.pop();
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            self.look::<A::Error>(Role::Name, &name)?;
            self.path.push(Step::Name(name));
            map.next_value_seed(self.below())?;
            self.path.pop();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
