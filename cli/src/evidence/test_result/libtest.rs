//! Rust's libtest with `--format json`, and nextest's imitation of it: one JSON object a line.
//!
//! The format is unstable and has no specification but rustc's `library/test/src/formatters/json.rs`.
//! Suites have no names in it. nextest begins the names of tests with crate and binary, and lets
//! the events of several suites stand between each other.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    EXPECTED_TO_FAIL, FLAKY, HELD_NAME_BYTES, MAX_NAME_BYTES, Outcome, SKIPPED, TestRun, counted,
    lines, too_much,
};
use crate::evidence::outline::Outline;
use crate::evidence::{Fit, Format, ImportError, Imported, Report};

pub(super) const FORMAT: Format = Format {
    name: "libtest",
    title: "cargo test --format json",
    media_type: "application/x-ndjson",
    becomes: Some("test-result"),
    remedy: "write it again with cargo test -- -Z unstable-options --format json, its standard output alone",
    fit,
    import,
};

/// What the events are of.
const KINDS: &[&str] = &["suite", "test", "bench", "report"];
/// What happened.
const EVENTS: &[&str] = &[
    "started",
    "ok",
    "failed",
    "ignored",
    "allowed_failure",
    "timeout",
    "discovery",
    "discovered",
    "completed",
];

fn fit(outline: &Outline) -> Fit {
    let Some(sketch) = outline.json_lines() else { return Fit::No };
    let is_of = |name, words: &[&str]| sketch.text(&[name]).is_some_and(|w| words.contains(&w));
    (is_of("type", KINDS) && is_of("event", EVENTS)).into()
}

fn import(report: &Report) -> Result<Imported, ImportError> {
    let mut suites = Suites::new(report);
    let expected = "an event of libtest on each line";
    let mut warnings = lines::events(report, expected, |line| suites.line(line))?;
    warnings.extend(suites.end_of_report()?);
    suites.run.imported(report, warnings)
}

/// What is read of an event.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    event: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    /// Of a suite that starts.
    #[serde(default)]
    test_count: u64,
    /// Of a suite that ends, as all below.
    #[serde(default)]
    passed: u64,
    #[serde(default)]
    failed: u64,
    /// Those of the failed that were allowed to fail, until 2022.
    #[serde(default)]
    allowed_fail: u64,
    #[serde(default)]
    ignored: u64,
    #[serde(default)]
    measured: u64,
}

/// How many tests; of all suites together, because a test does not say which suite it is of.
#[derive(Debug, Default)]
struct Counts {
    /// Said before they ran.
    planned: u64,
    /// Said after they ran.
    stated: u64,
    /// Told of one by one.
    listed: u64,
}

/// The run, and what is under way.
struct Suites<'r> {
    report: &'r Report,
    run: TestRun,
    /// Suites that started and have not ended.
    open: u64,
    /// Names of tests that started and have not ended, and how often.
    running: BTreeMap<String, u64>,
    /// What the names that are kept cost.
    held_bytes: usize,
    counts: Counts,
}

impl<'r> Suites<'r> {
    fn new(report: &'r Report) -> Self {
        Self {
            report,
            run: TestRun::default(),
            open: 0,
            running: BTreeMap::new(),
            held_bytes: 0,
            counts: Counts::default(),
        }
    }

    /// Reads one line; whether it is an event.
    fn line(&mut self, line: &[u8]) -> Result<bool, ImportError> {
        let Ok(event) = serde_json::from_slice::<Event<'_>>(line) else { return Ok(false) };
        let name = event.name.as_ref();
        match (event.kind.as_ref(), event.event.as_ref()) {
            ("suite", "started") => {
                self.open += 1;
                self.counts.planned = self.counts.planned.saturating_add(event.test_count);
            }
            ("suite", "ok" | "failed") => self.suite_ended(&event),
            ("test", "started") => self.started(name)?,
            ("test", "ok") => self.ended(name, Outcome::Passed)?,
            ("test", "failed") => self.ended(name, Outcome::Failed)?,
            ("test", "ignored") => self.ended(name, Outcome::Warned(SKIPPED))?,
            ("test", "allowed_failure") => self.ended(name, Outcome::Warned(EXPECTED_TO_FAIL))?,
            // A measurement is the end of a benchmark.
            ("bench", "") => self.ended(name, Outcome::Passed)?,
            // A timeout says that a test takes long; its end is still to come.
            ("suite" | "test" | "report", _) => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn suite_ended(&mut self, event: &Event<'_>) {
        self.open = self.open.saturating_sub(1);
        if event.event == "failed" || event.failed > event.allowed_fail {
            self.run.fail();
        }
        let Event { passed, failed, ignored, measured, .. } = event;
        let all = [self.counts.stated, *passed, *failed, *ignored, *measured];
        self.counts.stated = all.into_iter().fold(0, u64::saturating_add);
    }

    fn started(&mut self, name: &str) -> Result<(), ImportError> {
        let times = self.running.entry(name.to_owned()).or_default();
        *times += 1;
        if *times == 1 {
            self.held_bytes += name.len() + HELD_NAME_BYTES;
        }
        if self.held_bytes > MAX_NAME_BYTES {
            return Err(too_much(self.report, "bytes of names under way", MAX_NAME_BYTES));
        }
        Ok(())
    }

    fn ended(&mut self, name: &str, outcome: Outcome) -> Result<(), ImportError> {
        self.counts.listed += 1;
        // nextest ends the test `a` as `a#2` when it ran twice.
        let attempts = |(name, count): &(&str, &str)| {
            self.running.contains_key(*name) && count.parse::<u32>().is_ok()
        };
        let (name, outcome) = match (name.rsplit_once('#').filter(attempts), outcome) {
            (Some((name, _)), Outcome::Passed) => (name, Outcome::Warned(FLAKY)),
            (Some((name, _)), outcome) => (name, outcome),
            (None, outcome) => (name, outcome),
        };
        if let Some(times) = self.running.get_mut(name) {
            *times -= 1;
            if *times == 0 {
                self.running.remove(name);
                self.held_bytes -= name.len() + HELD_NAME_BYTES;
            }
        }
        self.run.add(self.report, outcome, "", name)
    }

    /// What did not end before the report did, failed: a test that brings its process down is the
    /// last that is told of. Gives what to warn of.
    fn end_of_report(&mut self) -> Result<Vec<String>, ImportError> {
        let mut warnings = Vec::new();
        let mut unfinished = 0;
        for (name, times) in std::mem::take(&mut self.running) {
            for _ in 0..times {
                (unfinished, self.counts.listed) = (unfinished + 1, self.counts.listed + 1);
                self.run.add(self.report, Outcome::Failed, "", &name)?;
            }
        }
        if unfinished > 0 {
            warnings.push(format!("{} started and never ended", counted(unfinished, "test")));
        }
        if self.open > 0 {
            self.run.fail();
            warnings.push(format!("{} started and never ended", counted(self.open, "suite")));
        }
        let Counts { planned, stated, listed } = self.counts;
        if planned != listed {
            warnings
                .push(format!("the suites planned {} but list {listed}", counted(planned, "test")));
        }
        if stated != listed && self.open == 0 {
            warnings
                .push(format!("the suites state {} but list {listed}", counted(stated, "test")));
        }
        Ok(warnings)
    }
}

#[cfg(test)]
mod tests;
