//! What a run becomes, and real reports of real test runners when the shared samples are there.

use std::path::PathBuf;

use attestry_schemas::digest::Sha256;
use attestry_schemas::predicate::{self, EVIDENCE_EXTENSION};
use attestry_schemas::statement::Statement;
use serde_json::{Value, json};

use super::super::{original, recognise};
use super::*;

/// What became of a report.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) result: String,
    pub(super) passed: Vec<String>,
    pub(super) warned: Vec<String>,
    pub(super) failed: Vec<String>,
    pub(super) totals: Totals,
    pub(super) warnings: Vec<String>,
}

/// Imports a report and looks at its predicate, which must be a good one.
pub(super) fn read_report(format: &Format, report: &Report) -> Result<Read, ImportError> {
    let Imported { evidence, warnings, redacted } = (format.import)(report)?;
    assert!(redacted.is_none() && evidence.len() == 1);
    let named = original(report, format);
    let product = evidence[0].product(report, &named, &Supplement::default())?.read_again();
    let Product::Predicate { uri, value, .. } = product else { panic!("expected a predicate") };
    assert_eq!(predicate::check(&uri, &value), Ok(()));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let names = |field: &str| value[field].as_array().unwrap().iter().map(text).collect();
    let read = Read {
        result: text(&value["result"]),
        passed: names("passedTests"),
        warned: names("warnedTests"),
        failed: names("failedTests"),
        totals: evidence[0].totals(),
        warnings,
    };
    let counts = [read.passed.len(), read.warned.len(), read.failed.len()];
    let counts = ["passed", "warned", "failed"].into_iter().zip(counts.map(|count| count as u64));
    assert_eq!(read.totals[..3], counts.collect::<Vec<_>>());
    Ok(read)
}

pub(super) fn read(format: &Format, text: &str) -> Result<Read, ImportError> {
    read_report(format, &Report::of_bytes("r", text))
}

/// Checks result and names of a report, and how many warnings there are.
pub(super) fn check(
    format: &Format,
    text: &str,
    result: &str,
    [passed, warned, failed]: [&[&str]; 3],
    warnings: usize,
) {
    let read = read(format, text).unwrap();
    assert_eq!(
        (read.result.as_str(), &read.passed[..], &read.warned[..], &read.failed[..]),
        (result, &owned(passed)[..], &owned(warned)[..], &owned(failed)[..]),
        "{text}"
    );
    assert_eq!(read.warnings.len(), warnings, "{text} {:?}", read.warnings);
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Checks that a report is refused with words of the error.
pub(super) fn refuses(format: &Format, text: impl AsRef<[u8]>, words: &str) {
    let text = text.as_ref();
    let error = (format.import)(&Report::of_bytes("r", text)).unwrap_err();
    let shown = String::from_utf8_lossy(text);
    let shown: String = shown.chars().take(200).collect();
    assert!(error.to_string().contains(words), "{shown} {error}");
}

/// The name of the format that a document is recognised as.
pub(super) fn recognised(text: &str) -> Option<&'static str> {
    recognise(&Report::of_bytes("r", text), None).ok().map(|format| format.name)
}

#[test]
fn a_run_becomes_a_test_result_that_names_its_report() {
    let report = Report::of_bytes("junit.xml", "<testsuite><testcase name='a'/></testsuite>");
    let Imported { evidence, .. } = (junit::FORMAT.import)(&report).unwrap();
    let configuration = ResourceDescriptor::named("ci.yml", Sha256::of(b"ci").into());
    let supplement = Supplement {
        url: Some("https://ci.example.org/1".to_owned()),
        configuration: vec![configuration.clone()],
        ..Supplement::default()
    };
    let named = original(&report, &junit::FORMAT);
    let product = evidence[0].product(&report, &named, &supplement).unwrap().read_again();
    let expected = json!({
        "result": "PASSED",
        "configuration": [configuration],
        "url": "https://ci.example.org/1",
        "passedTests": ["a"],
        "warnedTests": [],
        "failedTests": [],
        EVIDENCE_EXTENSION: { "report": {
            "name": "junit.xml",
            "digest": { "sha256": Sha256::of(b"<testsuite><testcase name='a'/></testsuite>").hex() },
            "mediaType": "application/xml",
        } },
    });
    assert_eq!(product, Product::predicate(TestResult::URI, expected));
}

#[test]
fn the_worst_outcome_is_the_result() {
    let report = Report::of_bytes("r", "");
    let result = |outcomes: &[Outcome]| {
        let mut run = TestRun::default();
        for outcome in outcomes {
            run.add(&report, *outcome, "s", "n").unwrap();
        }
        run.verdict()
    };
    let (passed, warned, failed) = (Outcome::Passed, Outcome::Warned(SKIPPED), Outcome::Failed);
    assert_eq!(result(&[passed, passed]), TestVerdict::Passed);
    assert_eq!(result(&[passed, warned]), TestVerdict::Warned);
    assert_eq!(result(&[warned]), TestVerdict::Warned);
    assert_eq!(result(&[failed, warned, passed]), TestVerdict::Failed);
    let mut run = TestRun::default();
    run.add(&report, passed, "", "n").unwrap();
    run.fail();
    assert_eq!(run.verdict(), TestVerdict::Failed);
}

#[test]
fn names_are_kept_as_they_are_and_as_often() {
    let report = Report::of_bytes("r", "");
    let mut run = TestRun::default();
    for (scope, name) in [("s", "n"), ("s", "n"), ("", "ü b"), ("s", ""), ("", "")] {
        run.add(&report, Outcome::Passed, scope, name).unwrap();
    }
    run.add(&report, Outcome::Warned(FLAKY), "a::b", "c").unwrap();
    run.add(&report, Outcome::Warned(SKIPPED), "", "d").unwrap();
    run.add(&report, Outcome::Warned(SKIPPED), "", "e").unwrap();
    assert_eq!(run.passed.iter().collect::<Vec<_>>(), ["s::n", "s::n", "ü b", "s", ""]);
    let expected =
        [("passed", 5), ("warned", 3), ("failed", 0), ("flaky", 1), ("skipped", 2)].to_vec();
    assert_eq!(run.totals(), expected);
}

/// Adds tests, each of an outcome and a name, until one is refused.
fn run_of(room: Room, tests: &[(Outcome, &str)]) -> Result<TestRun, String> {
    let mut run = TestRun::with(room);
    for (outcome, name) in tests {
        run.add(&Report::of_bytes("r", ""), *outcome, "", name).map_err(|e| e.to_string())?;
    }
    Ok(run)
}

const PASSED: Outcome = Outcome::Passed;
const WARNED: Outcome = Outcome::Warned(SKIPPED);
const FAILED: Outcome = Outcome::Failed;

#[test]
fn the_last_passed_names_make_room_for_all_others_and_every_test_counts() {
    type Lists = [&'static [&'static str]; 3];
    let check = |room, tests: &[(Outcome, &str)], listed: Lists, unlisted: u64| {
        let report = Report::of_bytes("r", "");
        let run = run_of(room, tests).unwrap();
        let told = |outcome| tests.iter().filter(|(other, _)| *other == outcome).count() as u64;
        let totals = run.totals();
        assert_eq!([totals[0].1, totals[1].1, totals[2].1], [PASSED, WARNED, FAILED].map(told));
        let Imported { evidence, warnings, .. } = run.imported(&report, Vec::new()).unwrap();
        assert_eq!(warnings.len(), usize::from(unlisted > 0), "{warnings:?}");
        let named = original(&report, &junit::FORMAT);
        let product = evidence[0].product(&report, &named, &Supplement::default()).unwrap();
        let Product::Predicate { uri, value, .. } = product.read_again() else { panic!() };
        assert_eq!(predicate::check(&uri, &value), Ok(()));
        let lists = ["passedTests", "warnedTests", "failedTests"].map(|name| &value[name]);
        assert_eq!(lists, listed.map(|names| json!(names)).each_ref(), "{tests:?}");
        let told = &value[EVIDENCE_EXTENSION]["unlistedPassedTests"];
        assert_eq!(told, &if unlisted > 0 { json!(unlisted) } else { Value::Null });
        assert_eq!(value["result"], if told_of(tests, FAILED) { "FAILED" } else { "PASSED" });
    };
    fn told_of(tests: &[(Outcome, &str)], outcome: Outcome) -> bool {
        tests.iter().any(|(other, _)| *other == outcome)
    }
    // A name of one letter is four bytes.
    let room = Room { bytes: 12, names: 100 };
    let (a, b, c, d) = ((PASSED, "a"), (PASSED, "b"), (PASSED, "c"), (PASSED, "d"));
    check(room, &[a, b, c], [&["a", "b", "c"], &[], &[]], 0);
    check(room, &[a, b, c, d], [&["a", "b", "c"], &[], &[]], 1);
    // What is left out stays so, however short what follows is: the first ones are listed.
    check(room, &[a, b, (PASSED, "long"), (PASSED, "")], [&["a", "b"], &[], &[]], 2);
    check(room, &[a, b, c, (FAILED, "f")], [&["a", "b"], &[], &["f"]], 1);
    check(room, &[a, b, c, (FAILED, "f"), d], [&["a", "b"], &[], &["f"]], 2);
    check(room, &[a, (FAILED, "failed")], [&[], &[], &["failed"]], 1);
    let warned = [a, (WARNED, "w"), (FAILED, "f"), b, (FAILED, "g")];
    check(room, &warned, [&[], &["w"], &["f", "g"]], 2);
    let few = Room { bytes: 100, names: 2 };
    check(few, &[a, b, c, (FAILED, "f")], [&["a"], &[], &["f"]], 2);
    // Escapes count as they are written.
    check(room, &[(PASSED, "\u{1}\n"), a], [&["\u{1}\n"], &[], &[]], 1);
}

#[test]
fn names_of_tests_that_did_not_pass_have_a_bound_and_are_never_left_out() {
    let room = Room { bytes: 12, names: 3 };
    let check = |tests: &[(Outcome, &str)], words: &str| {
        let refused = run_of(room, tests).unwrap_err();
        assert!(refused.contains(words), "{refused}");
    };
    let (failed, warned) = ((FAILED, "f"), (WARNED, "w"));
    check(&[(FAILED, "0123456789")], "at most 12 bytes of names of tests that did not pass");
    check(&[(PASSED, "a"), failed, warned, (FAILED, "ff")], "at most 12 bytes");
    check(
        &[(PASSED, ""), (FAILED, ""), (WARNED, ""), (FAILED, ""), (FAILED, "")],
        "at most 3 names",
    );
    let cut = format!("x{CUT}");
    check(&[(PASSED, &cut)], "bytes in the name of one test");
}

#[test]
fn knows_how_many_bytes_a_name_is_in_json() {
    let every = (0..0x300).filter_map(char::from_u32).chain(['\u{2028}', '\u{ffff}', '🙂']);
    for text in every.map(String::from).chain([String::new(), "a\"b\\\u{7f}".to_owned()]) {
        assert_eq!(json_bytes(&text), serde_json::to_string(&text).unwrap().len() + 1, "{text:?}");
    }
}

#[test]
fn a_run_that_fills_its_room_is_a_statement_that_is_read() {
    for name in ["", "a_name_of_ten_or_more_letters", "\u{1}\u{2}"] {
        let report = Report::of_bytes("r", "");
        let mut run = TestRun::default();
        for _ in 0..=ROOM.names {
            run.add(&report, PASSED, "", name).unwrap();
        }
        let named = original(&report, &junit::FORMAT);
        let product = run.product(&report, &named, &Supplement::default()).unwrap();
        let Product::Written { uri, json, .. } = product else { panic!("expected it written") };
        let subject = vec![ResourceDescriptor::named("s", Sha256::of(b"s").into())];
        let statement = Statement::json_around(subject, uri, json).unwrap();
        assert!(Statement::parse(&statement).is_ok());
    }
}

/// What is in a sample: format, result, passed, warned, failed, and how many warnings.
type Expected = (&'static str, &'static str, [u64; 3], usize);

fn sample(file: &str) -> Option<Report> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/samples");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not there", folder.display());
        return None;
    }
    Some(Report::of_bytes(file, std::fs::read(folder.join(file)).unwrap()))
}

#[test]
fn reads_reports_of_real_test_runners() {
    let cases: &[(&str, Expected)] = &[
        ("junit/nextest-fixture-project.xml", ("junit", "FAILED", [1, 1, 1], 0)),
        ("junit/pytest-one-failure.xml", ("junit", "FAILED", [3, 1, 1], 0)),
        ("junit/pytest-clean.xml", ("junit", "PASSED", [22, 0, 0], 0)),
        ("junit/surefire-pulsar-many-suites.xml", ("junit", "FAILED", [793, 14, 1], 0)),
        ("junit/surefire-flaky.xml", ("junit", "WARNED", [0, 1, 0], 0)),
        // It states 59 tests and an error, and a suite of no tests that lists one.
        ("junit/gotestsum.xml", ("junit", "FAILED", [42, 5, 13], 2)),
        ("junit/jest-junit-failures.xml", ("junit", "FAILED", [1, 1, 4], 0)),
        ("junit/nested-testsuites.xml", ("junit", "FAILED", [2, 0, 3], 1)),
        ("junit/unicode-odd-characters.xml", ("junit", "FAILED", [1, 2, 4], 0)),
        // Twelve tests, and a package that failed without one.
        ("gotest/many-packages-failures-go1.20.json", ("gotest", "FAILED", [42, 5, 13], 0)),
        ("gotest/clean-with-skips.json", ("gotest", "WARNED", [40, 2, 0], 0)),
        ("gotest/build-failed.json", ("gotest", "FAILED", [0, 0, 1], 0)),
        ("gotest/non-json-line.json", ("gotest", "PASSED", [1, 0, 0], 1)),
        ("tap/node-test-runner-failures.tap", ("tap", "FAILED", [0, 0, 3], 0)),
        ("tap/pytest-tap-clean.tap", ("tap", "PASSED", [21, 0, 0], 0)),
        ("tap/skip-and-failure.tap", ("tap", "FAILED", [1, 1, 1], 0)),
    ];
    for (file, (name, result, counts, warnings)) in cases {
        let Some(report) = sample(file) else { return };
        let format = recognise(&report, None).unwrap();
        assert_eq!(format.name, *name, "{file}");
        let read = read_report(format, &report).unwrap();
        let found = [read.passed.len(), read.warned.len(), read.failed.len()];
        let found = found.map(|count| count as u64);
        assert_eq!((read.result.as_str(), &found), (*result, counts), "{file}");
        assert_eq!(read.warnings.len(), *warnings, "{file} {:?}", read.warnings);
    }
}

#[test]
fn refuses_real_reports_that_are_empty_or_cut_off() {
    for (file, words) in [
        ("junit/jest-junit-empty.xml", "a report of zero tests"),
        ("junit/corrupt-unclosed-cdata.xml", "CDATA not closed"),
    ] {
        let Some(report) = sample(file) else { return };
        let format = recognise(&report, None).unwrap();
        let error = (format.import)(&report).unwrap_err().to_string();
        assert!(error.contains(words), "{file} {error}");
    }
}

#[test]
fn names_tests_of_real_reports_as_their_tools_do() {
    for (file, failed) in [
        ("junit/nextest-fixture-project.xml", "fixture-project::basic::test_failure_assert"),
        ("junit/pytest-one-failure.xml", "test.test_spark.SparkTests::test_rsh_events"),
        ("junit/jest-junit-failures.xml", "Test 1 › Test 1.1::Failing test"),
        ("gotest/build-failed.json", "example.com/internal/cacher"),
        ("tap/node-test-runner-failures.tap", "test thing > nesting test"),
        ("tap/skip-and-failure.tap", "2"),
    ] {
        let Some(report) = sample(file) else { return };
        let read = read_report(recognise(&report, None).unwrap(), &report).unwrap();
        assert!(read.failed.iter().any(|name| name == failed), "{file} {:?}", read.failed);
    }
}

#[test]
fn tells_the_lines_of_different_tools_apart() {
    for (text, expected) in [
        (r#"{"Time":"2024-01-01T00:00:00Z","Action":"start","Package":"p"}"#, Some("gotest")),
        (r#"{"ImportPath":"p","Action":"build-fail"}"#, Some("gotest")),
        (r#"{"Action":"run","Test":"TestA"}"#, Some("gotest")),
        ("# p\n./a.go:1:1: no\n{\"Action\":\"fail\",\"Package\":\"p\"}\n", Some("gotest")),
        (r#"{ "type": "suite", "event": "started", "test_count": 1 }"#, Some("libtest")),
        (
            "{\"reason\":\"build-finished\"}\n{\"type\":\"suite\",\"event\":\"started\"}\n",
            Some("libtest"),
        ),
        (r#"{"SourceMetadata":{"Data":{}},"DetectorName":"AWS","Raw":"x"}"#, None),
        (r#"{"Action":"deleted","Package":"p"}"#, None),
        (r#"{"Action":"run"}"#, None),
        (r#"{"type":"start","time":0,"event":"x"}"#, None),
        (r#"[{"Action":"run","Test":"TestA"}]"#, None),
        ("TAP version 14\n1..1\nok 1 - {}\n", Some("tap")),
        ("{\"level\":\"info\"}\nok\n", None),
        ("<testsuites/>", Some("junit")),
        ("<j:testsuite xmlns:j='x'/>", Some("junit")),
        ("<testrun/>", None),
    ] {
        let found = recognised(text).filter(|name| FORMATS.iter().any(|f| f.name == *name));
        assert_eq!(found, expected, "{text}");
    }
}
