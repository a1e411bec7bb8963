//! The walk that compares a predicate with its specification.
//!
//! It reports every broken clause with the path of the field, and keeps what it reports bounded.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::finding::{Finding, MAX_FINDINGS, Severity};
use super::rules::{Form, Need, RESOURCE_DESCRIPTOR, Rule, Section, Specification, Unknown};
use super::time::parse_rfc3339;
use crate::digest::Digest;

/// The longest string that is not remarked upon.
const USUAL_TEXT_BYTES: usize = 64 * 1024;
/// The deepest nesting that is not remarked upon.
const USUAL_DEPTH: usize = 32;
/// How much of a found text a message repeats.
const QUOTED_CHARS: usize = 80;

/// The state of one walk: where it is, and what it found.
pub(super) struct Linter<'a> {
    pub(super) predicate_type: &'a str,
    spec: &'static str,
    strict: bool,
    path: String,
    findings: Vec<Finding>,
    counts: BTreeMap<Severity, usize>,
}

/// Compares `predicate` with `spec` and lists what is broken, errors first.
pub(super) fn apply(spec: &Specification, predicate_type: &str, predicate: &Value) -> Vec<Finding> {
    let mut linter = Linter {
        predicate_type,
        spec: spec.name,
        strict: spec.strict,
        path: "predicate".into(),
        findings: Vec::new(),
        counts: BTreeMap::new(),
    };
    linter.sizes(predicate);
    if let Value::Object(map) = predicate {
        linter.section(spec.root, map);
        (spec.more)(&mut linter, map);
    } else {
        linter.broken("Statement: predicate is an object", "an object", &quote(predicate));
    }
    linter.finish()
}

impl Linter<'_> {
    /// Reports a broken demand at the current field.
    pub(super) fn broken(&mut self, clause: &str, expected: &str, found: &str) {
        self.report(Severity::Error, clause, format!("expected {expected}, found {found}"));
    }

    /// Reports a broken recommendation, or something unusual, at the current field.
    pub(super) fn unusual(&mut self, clause: &str, expected: &str, found: &str) {
        self.report(Severity::Warning, clause, format!("expected {expected}, found {found}"));
    }

    /// Reports at the current field: an error in our own predicates, else a warning.
    fn doubtful(&mut self, clause: &str, expected: &str, found: &str) {
        let severity = if self.strict { Severity::Error } else { Severity::Warning };
        self.report(severity, clause, format!("expected {expected}, found {found}"));
    }

    fn report(&mut self, severity: Severity, clause: &str, message: String) {
        let count = self.counts.entry(severity).or_default();
        *count += 1;
        if *count <= MAX_FINDINGS {
            let clause = format!("{}, {clause}", self.spec);
            let field = self.path.clone();
            self.findings.push(Finding { severity, field, clause, message });
        }
    }

    fn finish(mut self) -> Vec<Finding> {
        for (severity, count) in &self.counts {
            if let Some(further @ 1..) = count.checked_sub(MAX_FINDINGS) {
                self.findings.push(Finding {
                    severity: *severity,
                    field: "predicate".into(),
                    clause: format!("{}: {MAX_FINDINGS} findings are listed", self.spec),
                    message: format!("{further} further findings of this severity"),
                });
            }
        }
        self.findings.sort_by_key(|finding| finding.severity);
        self.findings
    }

    /// Runs `inner` one member down.
    pub(super) fn at(&mut self, name: &str, inner: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '@' | '$');
        if !name.is_empty() && name.len() <= QUOTED_CHARS && name.chars().all(plain) {
            self.path.push('.');
            self.path.push_str(name);
        } else {
            let _ = write!(self.path, "[{}]", quote_text(name));
        }
        inner(self);
        self.path.truncate(length);
    }

    /// Runs `inner` one element down.
    pub(super) fn at_index(&mut self, index: usize, inner: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        let _ = write!(self.path, "[{index}]");
        inner(self);
        self.path.truncate(length);
    }

    /// Checks the fields of one object.
    pub(super) fn section(&mut self, section: &'static Section, map: &Map<String, Value>) {
        for rule in section.rules {
            self.at(rule.name, |linter| linter.field(section, rule, map.get(rule.name)));
        }
        for name in map.keys() {
            if !section.rules.iter().any(|rule| rule.name == name) {
                self.at(name, |linter| linter.unknown(section, name));
            }
        }
    }

    fn field(&mut self, section: &'static Section, rule: &'static Rule, value: Option<&Value>) {
        let Section { title, .. } = section;
        // in-toto parsing rules: unset and null are equivalent.
        let found = value.filter(|value| !value.is_null());
        match (found, rule.need) {
            (Some(value), Need::Required) => self.form(title, rule.name, &rule.form, value),
            // SLSA provenance v1, Parsing rules: unset, null and empty are equivalent.
            (Some(value), _) if !self.strict && rule.form.is_unset_by(value) => {}
            (Some(value), _) => self.form(title, rule.name, &rule.form, value),
            (None, Need::Required) => {
                let clause = format!("{title}: {} is required", rule.name);
                self.broken(&clause, &rule.form.describe(), "nothing");
            }
            (None, Need::Recommended) => {
                let clause = format!("{title}: {} SHOULD be set", rule.name);
                self.unusual(&clause, &rule.form.describe(), "nothing");
            }
            (None, Need::Optional) => {
                // Our own predicates leave an absent field out; their types refuse null.
                if self.strict && value.is_some() {
                    let clause = format!("{title}: {} is left out when unset", rule.name);
                    self.broken(&clause, "nothing", "null");
                }
            }
        }
    }

    fn unknown(&mut self, section: &'static Section, name: &str) {
        let title = section.title;
        let expected = format!("a field of {title}");
        match section.unknown {
            Unknown::Ignored => {}
            Unknown::WithUnderscore if name.contains('_') => {}
            Unknown::WithUnderscore => self.unusual(
                "Extension fields: names SHOULD have the form <vendor>_<fieldname>",
                &expected,
                "an unknown field",
            ),
            Unknown::NamedByUri if uri_fault(name).is_none() => {}
            Unknown::NamedByUri => self.unusual(
                "Parsing rules: extension fields have names that are URIs",
                &expected,
                "an unknown field",
            ),
            Unknown::Refused => self.broken(
                &format!("{title}: no field but those named is allowed"),
                &expected,
                "an unknown field",
            ),
        }
    }

    /// Checks the form of one value; `title` and `name` say whose.
    fn form(&mut self, title: &str, name: &str, form: &'static Form, value: &Value) {
        let clause = || format!("{title}: {name} is {}", form.describe());
        let wrong = |linter: &mut Self| {
            linter.broken(&clause(), &form.describe(), &quote(value));
        };
        match (form, value) {
            (Form::Any, _)
            | (Form::Text, Value::String(_))
            | (Form::Map, Value::Object(_))
            | (Form::Boolean, Value::Bool(_)) => {}
            (Form::Name, Value::String(text)) if !text.is_empty() => {}
            (Form::Uri, Value::String(text)) if !text.is_empty() => {
                if let Some(expected) = uri_fault(text) {
                    self.doubtful(&clause(), expected, &quote_text(text));
                }
            }
            (Form::Time | Form::AnyTime, Value::String(text)) => self.time(clause(), form, text),
            (Form::OneOf(words), Value::String(text)) if words.contains(&text.as_str()) => {}
            (Form::Count, Value::Number(number)) if number.is_u64() => {}
            (Form::DigestSet | Form::Sha256Set, Value::Object(map)) => {
                self.digests(&clause(), matches!(form, Form::Sha256Set), map);
            }
            (Form::TextMap, Value::Object(map)) => self.each(title, &Form::Text, map),
            (Form::CountMap, Value::Object(map)) => self.each(title, &Form::Count, map),
            (Form::DigestSetMap, Value::Object(map)) => self.each(title, &Form::DigestSet, map),
            (Form::Object(section), Value::Object(map)) => self.section(section, map),
            (Form::Many(_), Value::Array(items)) if items.is_empty() => wrong(self),
            (Form::List(inner) | Form::Many(inner), Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.at_index(index, |linter| linter.form(title, name, inner, item));
                }
            }
            (Form::Descriptor { must, should }, Value::Object(map)) => {
                self.descriptor(&clause(), must, should, map);
            }
            _ => wrong(self),
        }
    }

    fn each(&mut self, title: &str, form: &'static Form, map: &Map<String, Value>) {
        for (name, value) in map {
            self.at(name, |linter| linter.form(title, name, form, value));
        }
    }

    fn time(&mut self, clause: String, form: &Form, text: &str) {
        if parse_rfc3339(text).is_none() {
            self.broken(&clause, &form.describe(), &quote_text(text));
        } else if matches!(form, Form::Time) && !text.ends_with('Z') {
            // A moment all the same; only the notation is not the one that in-toto asks for.
            self.doubtful(&clause, "the offset Z", &quote_text(text));
        }
    }

    /// in-toto `digest_set.md`: algorithm to value, at least one.
    ///
    /// A value that does not fit its algorithm is a warning, because real builders write SHA-1
    /// under `sha256`; such a digest is never indexed and matches nothing.
    fn digests(&mut self, clause: &str, needs_sha256: bool, map: &Map<String, Value>) {
        if map.is_empty() {
            self.broken(clause, "at least one digest", "an empty object");
        }
        for (algorithm, value) in map {
            self.at(algorithm, |linter| match value {
                Value::String(text) => {
                    if let Err(error) = Digest::new(algorithm.as_str(), text) {
                        let message = shorten(&error.to_string());
                        linter.report(linter.digest_severity(), clause, message);
                    }
                }
                other => linter.broken(clause, "the digest as a string", &quote(other)),
            });
        }
        if needs_sha256 && !map.is_empty() && !map.contains_key("sha256") {
            self.broken(clause, "sha256 among the digests", "only other algorithms");
        }
    }

    fn digest_severity(&self) -> Severity {
        if self.strict { Severity::Error } else { Severity::Warning }
    }

    /// in-toto `resource_descriptor.md`: one of `uri`, `digest` or `content` at a minimum.
    fn descriptor(
        &mut self,
        clause: &str,
        must: &[&str],
        should: &[&str],
        map: &Map<String, Value>,
    ) {
        let set = |name: &str| map.get(name).is_some_and(|value| !is_empty(value));
        self.section(&RESOURCE_DESCRIPTOR, map);
        if !["uri", "digest", "content"].into_iter().any(set) {
            self.broken(
                "ResourceDescriptor: one of uri, digest or content MUST be set",
                "one of uri, digest or content",
                "none of them",
            );
        }
        for name in must.iter().filter(|name| !set(name)) {
            self.at(name, |linter| {
                linter.broken(&format!("{clause} with {name}"), &format!("a {name}"), "nothing");
            });
        }
        for name in should.iter().filter(|name| !set(name)) {
            self.at(name, |linter| {
                let clause = format!("{clause} that SHOULD have {name}");
                linter.unusual(&clause, &format!("a {name}"), "nothing");
            });
        }
    }

    /// Remarks on strings and nesting that no tool writes on purpose.
    fn sizes(&mut self, predicate: &Value) {
        let (mut longest_bytes, mut deepest) = (0, 0);
        let mut waiting = vec![(predicate, 1_usize)];
        while let Some((value, depth)) = waiting.pop() {
            deepest = deepest.max(depth);
            match value {
                Value::String(text) => longest_bytes = longest_bytes.max(text.len()),
                Value::Array(items) => waiting.extend(items.iter().map(|item| (item, depth + 1))),
                Value::Object(map) => waiting.extend(map.values().map(|item| (item, depth + 1))),
                _ => {}
            }
        }
        if longest_bytes > USUAL_TEXT_BYTES {
            let expected = format!("strings of at most {USUAL_TEXT_BYTES} bytes");
            self.unusual("sizes", &expected, &format!("one of {longest_bytes} bytes"));
        }
        if deepest > USUAL_DEPTH {
            let expected = format!("at most {USUAL_DEPTH} levels of nesting");
            self.unusual("sizes", &expected, &format!("{deepest}"));
        }
    }
}

/// Whether a value is null, or a string, array or object with nothing in it.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// What a URI should have been (RFC 3986 §3, §6.2.2.1), when it is not one.
fn uri_fault(text: &str) -> Option<&'static str> {
    let Some((scheme, rest)) = text.split_once(':') else {
        return Some("a URI with a scheme (RFC 3986)");
    };
    let scheme_fits = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let rest_fits = !rest.is_empty()
        && !rest.chars().any(|c| c.is_control() || c.is_whitespace() || "<>\"{}|\\^`".contains(c));
    if !scheme_fits || !rest_fits {
        return Some("a URI (RFC 3986)");
    }
    scheme.chars().any(|c| c.is_ascii_uppercase()).then_some("a URI with a lower-case scheme")
}

/// Describes a found value in a few words.
pub(super) fn quote(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(boolean) => format!("the boolean {boolean}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.is_empty() => "an empty string".into(),
        Value::String(text) => quote_text(text),
        Value::Array(items) if items.is_empty() => "an empty array".into(),
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(map) if map.is_empty() => "an empty object".into(),
        Value::Object(map) => format!("an object with {} fields", map.len()),
    }
}

/// Quotes a text, escaped and shortened.
pub(super) fn quote_text(text: &str) -> String {
    let head: String = text.chars().take(QUOTED_CHARS).collect();
    if head.len() == text.len() {
        format!("{head:?}")
    } else {
        format!("{head:?}… ({} bytes)", text.len())
    }
}

fn shorten(message: &str) -> String {
    const MESSAGE_CHARS: usize = 240;
    match message.char_indices().nth(MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", message.get(..end).unwrap_or_default()),
        None => message.to_owned(),
    }
}
