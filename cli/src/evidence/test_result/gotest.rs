//! `go test -json`: the events of `cmd/test2json`, one JSON object a line.
//!
//! Subtests are tests of their own. Only the names of tests that run at the moment are kept beside
//! the result. Events of the build came with Go 1.24; before, a package that did not build is told
//! of in a line that is not JSON.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use serde::Deserialize;

use super::{
    HELD_NAME_BYTES, MAX_NAME_BYTES, Outcome, SKIPPED, TestRun, UNFINISHED, counted, lines,
    too_much,
};
use crate::evidence::outline::Outline;
use crate::evidence::{Fit, Format, ImportError, Imported, Report};

pub(super) const FORMAT: Format = Format {
    name: "gotest",
    title: "go test -json",
    media_type: "application/x-ndjson",
    becomes: Some("test-result"),
    remedy: "write it again with go test -json, its standard output alone",
    fit,
    import,
};

/// The actions of the events.
const ACTIONS: &[&str] = &[
    "start",
    "run",
    "pause",
    "cont",
    "pass",
    "bench",
    "fail",
    "output",
    "skip",
    "attr",
    "artifacts",
    "build-output",
    "build-fail",
];

fn fit(outline: &Outline) -> Fit {
    let Some(sketch) = outline.json_lines() else { return Fit::No };
    let action = sketch.text(&["Action"]).is_some_and(|action| ACTIONS.contains(&action));
    let about = ["Package", "Test", "ImportPath", "Time"];
    (action && about.iter().any(|name| sketch.text(&[name]).is_some())).into()
}

fn import(report: &Report) -> Result<Imported, ImportError> {
    let mut packages = Packages::new(report);
    let expected = "an event of go test -json on each line";
    let mut warnings = lines::events(report, expected, |line| packages.line(line))?;
    packages.end_of_report()?;
    let Packages { run, tests_unfinished, packages_unfinished, .. } = packages;
    for (count, what) in [(tests_unfinished, "test"), (packages_unfinished, "package")] {
        if count > 0 {
            warnings.push(format!("{} started and never ended", counted(count, what)));
        }
    }
    run.imported(report, warnings)
}

/// What is read of an event.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event<'a> {
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(borrow, default)]
    package: Cow<'a, str>,
    #[serde(borrow, default)]
    test: Cow<'a, str>,
    #[serde(borrow, default)]
    import_path: Cow<'a, str>,
    #[serde(borrow, default)]
    failed_build: Cow<'a, str>,
}

/// The run, and what is under way.
struct Packages<'r> {
    report: &'r Report,
    run: TestRun,
    under_way: BTreeMap<String, Package>,
    /// Builds that failed, of which no package has said yet that it is why it failed.
    failed_builds: BTreeSet<String>,
    /// What the names that are kept cost.
    held_bytes: usize,
    tests_unfinished: u64,
    packages_unfinished: u64,
}

/// A package under way.
#[derive(Debug, Default)]
struct Package {
    running: BTreeSet<String>,
    /// Tests that passed while a subtest of theirs had not ended.
    passed_early: BTreeSet<String>,
    /// Whether it has a test that failed.
    has_failed: bool,
}

impl<'r> Packages<'r> {
    fn new(report: &'r Report) -> Self {
        Self {
            report,
            run: TestRun::default(),
            under_way: BTreeMap::new(),
            failed_builds: BTreeSet::new(),
            held_bytes: 0,
            tests_unfinished: 0,
            packages_unfinished: 0,
        }
    }

    /// Reads one line; whether it is an event.
    fn line(&mut self, line: &[u8]) -> Result<bool, ImportError> {
        let Ok(event) = serde_json::from_slice::<Event<'_>>(line) else {
            self.plain(line)?;
            return Ok(false);
        };
        let (package, test) = (event.package.as_ref(), event.test.as_ref());
        match (event.action.as_ref(), test) {
            ("build-fail", _) => {
                let path = event.import_path.into_owned();
                self.hold(&path)?;
                self.failed_builds.insert(path);
            }
            ("start", _) => {
                self.package(package)?;
            }
            ("run", test) => self.started(package, test)?,
            ("pass" | "skip", "") => self.package_ended(package, true)?,
            ("fail", "") => {
                self.failed_builds.remove(event.failed_build.as_ref());
                self.package_ended(package, false)?;
            }
            ("pass", test) => self.ended(package, test, Outcome::Passed)?,
            ("skip", test) => self.ended(package, test, Outcome::Warned(SKIPPED))?,
            ("fail", test) => self.ended(package, test, Outcome::Failed)?,
            // "the benchmark printed log output but did not fail"
            ("bench", test) => self.bench(package, test)?,
            (action, _) => return Ok(ACTIONS.contains(&action)),
        }
        Ok(true)
    }

    /// A line that is not JSON: before Go 1.24 `FAIL\tpackage [build failed]`, or only `FAIL`.
    fn plain(&mut self, line: &[u8]) -> Result<(), ImportError> {
        let line = String::from_utf8_lossy(line);
        let mut fields = line.split_ascii_whitespace();
        if fields.next() != Some("FAIL") {
            return Ok(());
        }
        let (package, why) = (fields.next(), fields.next());
        match (package, why) {
            (Some(package), Some("[build" | "[setup")) => {
                self.run.add(self.report, Outcome::Failed, package, "")?;
            }
            _ => self.run.fail(),
        }
        Ok(())
    }

    fn hold(&mut self, name: &str) -> Result<(), ImportError> {
        self.held_bytes += name.len() + HELD_NAME_BYTES;
        if self.held_bytes > MAX_NAME_BYTES {
            return Err(too_much(self.report, "bytes of names under way", MAX_NAME_BYTES));
        }
        Ok(())
    }

    fn release(&mut self, name: &str) {
        self.held_bytes = self.held_bytes.saturating_sub(name.len() + HELD_NAME_BYTES);
    }

    fn package(&mut self, name: &str) -> Result<&mut Package, ImportError> {
        if !self.under_way.contains_key(name) {
            self.hold(name)?;
        }
        Ok(self.under_way.entry(name.to_owned()).or_default())
    }

    fn started(&mut self, package: &str, test: &str) -> Result<(), ImportError> {
        if self.package(package)?.running.insert(test.to_owned()) {
            return self.hold(test);
        }
        // Another round of -count, and the end of the last is missing. A benchmark has none.
        if is_benchmark(test) { Ok(()) } else { self.unfinished(package, test, Outcome::Failed) }
    }

    fn ended(&mut self, package: &str, test: &str, outcome: Outcome) -> Result<(), ImportError> {
        let state = self.package(package)?;
        state.has_failed |= outcome == Outcome::Failed;
        if outcome == Outcome::Passed && has_subtest(&state.running, test) {
            state.passed_early.insert(test.to_owned());
        }
        if state.running.remove(test) {
            self.release(test);
        }
        self.run.add(self.report, outcome, package, test)
    }

    /// The name of a benchmark that ended has the number of processors at its end.
    fn bench(&mut self, package: &str, test: &str) -> Result<(), ImportError> {
        let running = &self.package(package)?.running;
        let plain = test.rsplit_once('-').map_or(test, |(plain, _)| plain);
        let test = if running.contains(plain) { plain } else { test };
        self.ended(package, test, Outcome::Passed)
    }

    fn unfinished(
        &mut self,
        package: &str,
        test: &str,
        outcome: Outcome,
    ) -> Result<(), ImportError> {
        self.tests_unfinished += 1;
        self.run.add(self.report, outcome, package, test)
    }

    fn package_ended(&mut self, name: &str, passed: bool) -> Result<(), ImportError> {
        let state = match self.under_way.remove(name) {
            Some(state) => {
                self.release(name);
                state
            }
            None => Package::default(),
        };
        let mut has_failed = state.has_failed;
        for test in &state.running {
            self.release(test);
            // Go writes no end of a benchmark.
            if passed && is_benchmark(test) {
                self.run.add(self.report, Outcome::Passed, name, test)?;
                continue;
            }
            // A test that passed had no subtest that failed; events of Go before 1.20 get lost.
            let root = test.split_once('/').map_or(test.as_str(), |(root, _)| root);
            let outcome = if state.passed_early.contains(root) {
                Outcome::Warned(UNFINISHED)
            } else {
                has_failed = true;
                Outcome::Failed
            };
            self.unfinished(name, test, outcome)?;
        }
        match (passed || has_failed, name) {
            (true, _) => Ok(()),
            (false, "") => {
                self.run.fail();
                Ok(())
            }
            // It did not build, or ended before or after its tests.
            (false, name) => self.run.add(self.report, Outcome::Failed, name, ""),
        }
    }

    /// What did not end before the report did, failed.
    fn end_of_report(&mut self) -> Result<(), ImportError> {
        let names: Vec<String> = self.under_way.keys().cloned().collect();
        for name in names {
            self.packages_unfinished += 1;
            self.package_ended(&name, false)?;
        }
        for path in mem::take(&mut self.failed_builds) {
            self.run.add(self.report, Outcome::Failed, &path, "")?;
        }
        Ok(())
    }
}

fn is_benchmark(test: &str) -> bool {
    test.starts_with("Benchmark")
}

/// Whether a subtest of `test` is among the names.
fn has_subtest(names: &BTreeSet<String>, test: &str) -> bool {
    let prefix = format!("{test}/");
    names.range(prefix.clone()..).next().is_some_and(|name| name.starts_with(&prefix))
}

#[cfg(test)]
mod tests;
