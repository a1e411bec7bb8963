//! Test results: one run of a test suite, as in-toto test-result v0.1.
//!
//! A run keeps the names of its tests and nothing else of them: no output, no message, no time. A
//! name stands as often as the report lists it, so that the counts are those of the report.

mod gotest;
mod junit;
mod libtest;
mod lines;
mod tap;

use std::collections::BTreeMap;

use attestry_schemas::predicate::in_toto::{TestResult, TestVerdict};
use attestry_schemas::predicate::{EVIDENCE_EXTENSION, Predicate as _};
use attestry_schemas::statement::{PredicateJson, ResourceDescriptor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Value;

use super::{Evidence, Format, ImportError, Imported, Product, Report, Supplement, Totals, kind};

/// The formats that become it.
pub(super) const FORMATS: &[Format] =
    &[junit::FORMAT, gotest::FORMAT, libtest::FORMAT, tap::FORMAT];

/// How many bytes the names that wait for their end may have together.
const MAX_NAME_BYTES: usize = 6 << 20;
/// What a statement lists: half of the bytes that it may have, because memory holds it several
/// times while it is signed, and little more than half of the values that are read of it.
const ROOM: Room = Room { bytes: 6 << 20, names: 300_000 };
/// What a name that waits for its end is taken to cost beside its bytes.
const HELD_NAME_BYTES: usize = 64;
/// How many bytes of one text of a report are read. Names are shorter; output is not wanted.
const MAX_TEXT_BYTES: usize = 16 * 1024;
/// What ends a text that was longer. No text of a report has it, because it is no character.
const CUT: char = '\u{ffff}';

/// Why tests passed with a warning.
const SKIPPED: &str = "skipped";
const FLAKY: &str = "flaky";
const EXPECTED_TO_FAIL: &str = "expected_to_fail";
const UNFINISHED: &str = "unfinished";

/// How one test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    /// It did not fail, and for this reason it is no clean pass.
    Warned(&'static str),
    Failed,
}

/// How many names a statement has room for.
#[derive(Debug, Clone, Copy)]
struct Room {
    /// Of JSON.
    bytes: usize,
    names: usize,
}

/// One run of a test suite.
///
/// Every test is counted. Where a statement has no room for all names, the last ones of the tests
/// that passed are left out; never one of a test that did not.
#[derive(Debug)]
struct TestRun {
    room: Room,
    passed: Names,
    warned: Names,
    failed: Names,
    /// How many tests passed whose names are left out.
    unlisted: u64,
    /// How many tests were warned of for each reason.
    reasons: BTreeMap<&'static str, u64>,
    /// Whether something failed that has no name in the report.
    failed_unlisted: bool,
}

impl Default for TestRun {
    fn default() -> Self {
        Self::with(ROOM)
    }
}

impl TestRun {
    fn with(room: Room) -> Self {
        Self {
            room,
            passed: Names::default(),
            warned: Names::default(),
            failed: Names::default(),
            unlisted: 0,
            reasons: BTreeMap::new(),
            failed_unlisted: false,
        }
    }

    /// Lists a test as `scope::name`, or as the one of them that is not empty.
    ///
    /// # Errors
    /// [`ImportError::TooMuch`] for a name that was cut, and where the names of the tests that did
    /// not pass have no room.
    fn add(
        &mut self,
        report: &Report,
        outcome: Outcome,
        scope: &str,
        name: &str,
    ) -> Result<(), ImportError> {
        if scope.ends_with(CUT) || name.ends_with(CUT) {
            return Err(too_much(report, "bytes in the name of one test", MAX_TEXT_BYTES));
        }
        match outcome {
            // Those that are listed are the first ones.
            Outcome::Passed if self.unlisted > 0 => self.unlisted += 1,
            Outcome::Passed => self.passed.push(scope, name),
            Outcome::Warned(reason) => {
                *self.reasons.entry(reason).or_default() += 1;
                self.warned.push(scope, name);
            }
            Outcome::Failed => self.failed.push(scope, name),
        }
        let Room { bytes, names } = self.room;
        loop {
            let all = [&self.passed, &self.warned, &self.failed];
            let fit = all.iter().map(|names| names.json_bytes).sum::<usize>() <= bytes;
            let few = all.iter().map(|names| names.ends.len()).sum::<usize>() <= names;
            if fit && few {
                return Ok(());
            }
            if !self.passed.pop() {
                let what = "names of tests that did not pass";
                return Err(match few {
                    true => too_much(report, "bytes of names of tests that did not pass", bytes),
                    false => too_much(report, what, names),
                });
            }
            self.unlisted += 1;
        }
    }

    /// Something failed that no name stands for.
    fn fail(&mut self) {
        self.failed_unlisted = true;
    }

    /// What the report gives.
    ///
    /// # Errors
    /// [`ImportError::NoTests`] when it lists nothing.
    fn imported(self, report: &Report, mut warnings: Vec<String>) -> Result<Imported, ImportError> {
        let listed = [&self.passed, &self.warned, &self.failed];
        if self.unlisted == 0 && listed.iter().all(|names| names.ends.is_empty()) {
            return Err(ImportError::NoTests { name: report.name().to_owned() });
        }
        if self.unlisted > 0 {
            warnings.push(format!(
                "{} that passed are counted and not named, because a statement has no room for \
                 more names: those that are named are the first {}",
                counted(self.unlisted, "test"),
                self.passed.ends.len()
            ));
        }
        Ok(Imported { warnings, ..Imported::one(self) })
    }

    fn verdict(&self) -> TestVerdict {
        if self.failed_unlisted || !self.failed.ends.is_empty() {
            TestVerdict::Failed
        } else if !self.warned.ends.is_empty() {
            TestVerdict::Warned
        } else {
            TestVerdict::Passed
        }
    }
}

impl Evidence for TestRun {
    fn product(
        &self,
        _: &Report,
        original: &ResourceDescriptor,
        supplement: &Supplement,
    ) -> Result<Product, ImportError> {
        let predicate = TestResult {
            result: self.verdict(),
            configuration: supplement.configuration.clone(),
            url: supplement.url.clone(),
            passed_tests: Some(Vec::new()),
            warned_tests: Some(Vec::new()),
            failed_tests: Some(Vec::new()),
        };
        let mut frame = predicate.to_value().expect("a predicate without maps is JSON");
        if let Value::Object(members) = &mut frame {
            kind::name_original(members, original);
            if let Some(extension) = members.get_mut(EVIDENCE_EXTENSION)
                && self.unlisted > 0
            {
                extension["unlistedPassedTests"] = self.unlisted.into();
            }
        }
        let whole = Whole { frame: &frame, run: self };
        let json = PredicateJson::of(&whole).expect("its keys are texts");
        Ok(Product::Written { uri: TestResult::URI, frame, json, warnings: Vec::new() })
    }

    fn totals(&self) -> Totals {
        let count = |names: &Names| names.ends.len() as u64;
        let mut totals = vec![
            ("passed", count(&self.passed) + self.unlisted),
            ("warned", count(&self.warned)),
            ("failed", count(&self.failed)),
        ];
        totals.extend(self.reasons.iter().map(|(reason, count)| (*reason, *count)));
        totals
    }
}

/// The predicate of a run with the names of its tests, which are written from where they are.
struct Whole<'a> {
    frame: &'a Value,
    run: &'a TestRun,
}

impl Serialize for Whole<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let members = self.frame.as_object().into_iter().flatten();
        let mut map = serializer.serialize_map(None)?;
        for (member, value) in members {
            match member.as_str() {
                "passedTests" => map.serialize_entry(member, &self.run.passed)?,
                "warnedTests" => map.serialize_entry(member, &self.run.warned)?,
                "failedTests" => map.serialize_entry(member, &self.run.failed)?,
                _ => map.serialize_entry(member, value)?,
            }
        }
        map.end()
    }
}

/// Names, one after the other in one text, because there are many and they are short.
#[derive(Default)]
struct Names {
    text: String,
    /// Where each ends; at most the bytes of [`ROOM`] and of one name.
    ends: Vec<u32>,
    /// How many bytes they are as elements of a JSON list.
    json_bytes: usize,
}

impl Names {
    fn push(&mut self, scope: &str, name: &str) {
        let start = self.text.len();
        self.text.push_str(scope);
        if !scope.is_empty() && !name.is_empty() {
            self.text.push_str("::");
        }
        self.text.push_str(name);
        self.json_bytes += json_bytes(self.text.get(start..).unwrap_or_default());
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
    }

    /// Takes the last one away, where there is one.
    fn pop(&mut self) -> bool {
        let any = self.ends.pop().is_some();
        let start = self.ends.last().map_or(0, |end| *end as usize);
        self.json_bytes -= self.text.get(start..).filter(|_| any).map_or(0, json_bytes);
        self.text.truncate(start);
        any
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let end = *end as usize;
            let name = self.text.get(start..end).unwrap_or_default();
            start = end;
            name
        })
    }
}

impl Serialize for Names {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// How many bytes a text is in JSON, with its quotes and a comma (RFC 8259, section 7).
fn json_bytes(text: &str) -> usize {
    const QUOTES_AND_COMMA: usize = 3;
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    };
    QUOTES_AND_COMMA + text.bytes().map(escaped).sum::<usize>()
}

fn too_much(report: &Report, what: &'static str, limit: usize) -> ImportError {
    ImportError::TooMuch { name: report.name().to_owned(), what, limit }
}

/// So many of something, for a sentence.
fn counted(count: u64, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

/// A name of the report in a sentence: its beginning, without control characters.
fn quoted(name: &str) -> String {
    const MAX_QUOTED_CHARS: usize = 80;
    let mut text: String = name.chars().take(MAX_QUOTED_CHARS).collect();
    if text.len() < name.len() {
        text.push('…');
    }
    crate::output::printable(&text).replace('\n', " ")
}

#[cfg(test)]
mod tests;
