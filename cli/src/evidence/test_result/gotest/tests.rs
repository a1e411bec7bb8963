//! Events of `go test -json`, of Go versions before and after each change of the format.

use super::super::MAX_TEXT_BYTES;
use super::super::tests::{check, read, refuses};
use super::*;

/// Events from `action package test`; `-` for an empty field.
fn events(lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines {
        let fields: Vec<&str> = line.split(' ').collect();
        let mut members = vec![format!("\"Action\":\"{}\"", fields[0])];
        for (name, value) in ["Package", "Test"].iter().zip(&fields[1..]) {
            if *value != "-" {
                members.push(format!("\"{name}\":\"{value}\""));
            }
        }
        text.push_str(&format!("{{\"Time\":\"2024-01-01T00:00:00Z\",{}}}\n", members.join(",")));
    }
    text
}

#[test]
fn every_end_of_a_test_is_listed() {
    let text = events(&[
        "start p",
        "run p TestA",
        "run p TestA/x",
        "pass p TestA/x",
        "pass p TestA",
        "run p TestB",
        "pause p TestB",
        "cont p TestB",
        "skip p TestB",
        "run p ExampleC",
        "pass p ExampleC",
        "pass p",
        "start q",
        "run q TestA",
        "fail q TestA",
        "fail q",
        "skip r",
    ]);
    let passed = &["p::TestA/x", "p::TestA", "p::ExampleC"];
    check(&FORMAT, &text, "FAILED", [passed, &["p::TestB"], &["q::TestA"]], 0);
    // -count=2 runs each test twice; test2json without -p names no package.
    let twice = events(&["run - T", "pass - T", "run - T", "pass - T", "pass"]);
    check(&FORMAT, &twice, "PASSED", [&["T", "T"], &[], &[]], 0);
}

#[test]
fn a_package_that_fails_without_a_test_is_listed() {
    let text = events(&["start p", "output p", "fail p", "run q T", "pass q T", "pass q"]);
    check(&FORMAT, &text, "FAILED", [&["q::T"], &[], &["p"]], 0);
    // All its tests passed, and then it failed.
    let text = events(&["run p T", "pass p T", "fail p"]);
    check(&FORMAT, &text, "FAILED", [&["p::T"], &[], &["p"]], 0);
    let text = events(&["run - T", "pass - T", "fail"]);
    check(&FORMAT, &text, "FAILED", [&["T"], &[], &[]], 0);
}

#[test]
fn a_build_that_fails_is_listed_once() {
    // Since Go 1.24.
    let build = "{\"ImportPath\":\"p [p.test]\",\"Action\":\"build-output\",\"Output\":\"no\"}\n\
        {\"ImportPath\":\"p [p.test]\",\"Action\":\"build-fail\"}\n";
    let failed = "{\"Action\":\"fail\",\"Package\":\"p\",\"FailedBuild\":\"p [p.test]\"}\n";
    check(&FORMAT, &format!("{build}{failed}"), "FAILED", [&[], &[], &["p"]], 0);
    check(&FORMAT, build, "FAILED", [&[], &[], &["p [p.test]"]], 0);
    // Before.
    let passed = events(&["run q T", "pass q T", "pass q"]);
    for (line, failed) in [
        ("FAIL\tp [build failed]\n", &["p"][..]),
        ("FAIL\tp [setup failed]\n", &["p"]),
        ("FAIL\n", &[]),
        ("FAIL p 0.1s\n", &[]),
    ] {
        let text = format!("# p\n./p.go:1:1: no\n{line}{passed}");
        check(&FORMAT, &text, "FAILED", [&["q::T"], &[], failed], 1);
    }
    check(&FORMAT, &format!("FAILING\n{passed}"), "PASSED", [&["q::T"], &[], &[]], 1);
}

#[test]
fn what_started_and_never_ended_failed() {
    let check = |lines: &[&str], names: [&[&str]; 3], warnings| {
        let result = if names[2].is_empty() { "WARNED" } else { "FAILED" };
        check(&FORMAT, &events(lines), result, names, warnings);
    };
    check(&["run p A", "pass p A", "run p B", "pass p"], [&["p::A"], &[], &["p::B"]], 1);
    check(&["run p A", "pass p A", "run p B", "fail p"], [&["p::A"], &[], &["p::B"]], 1);
    // The report ends before the package does, or before the test does.
    check(&["run p A", "pass p A"], [&["p::A"], &[], &["p"]], 1);
    check(&["start q", "run p A", "pass p A", "pass p"], [&["p::A"], &[], &["q"]], 1);
    check(&["run p A"], [&[], &[], &["p::A"]], 2);
    check(&["run p A", "run p A", "pass p A", "pass p"], [&["p::A"], &[], &["p::A"]], 1);
    // A test that passed had no subtest that failed, but one that failed may have had.
    let lost = ["run p A", "run p A/x", "run p AB", "pass p AB", "pass p A", "pass p"];
    check(&lost, [&["p::AB", "p::A"], &["p::A/x"], &[]], 1);
    check(&["run p A", "run p A/x", "fail p A", "fail p"], [&[], &[], &["p::A", "p::A/x"]], 1);
    // Its end may still come.
    let late = ["run p A", "run p A/x", "pass p A", "skip p A/x", "pass p"];
    check(&late, [&["p::A"], &["p::A/x"], &[]], 0);
}

#[test]
fn benchmarks_have_no_end() {
    let text = events(&["run p BenchmarkA", "output p BenchmarkA", "pass p"]);
    check(&FORMAT, &text, "PASSED", [&["p::BenchmarkA"], &[], &[]], 0);
    let text = events(&["run p BenchmarkA", "run p BenchmarkA", "bench p BenchmarkA-8", "pass p"]);
    check(&FORMAT, &text, "PASSED", [&["p::BenchmarkA"], &[], &[]], 0);
    let text = events(&["bench p BenchmarkA-8", "pass p"]);
    check(&FORMAT, &text, "PASSED", [&["p::BenchmarkA-8"], &[], &[]], 0);
    let text = events(&["run p BenchmarkA", "fail p"]);
    check(&FORMAT, &text, "FAILED", [&[], &[], &["p::BenchmarkA"]], 1);
}

#[test]
fn other_lines_are_passed_over_and_counted() {
    let good = events(&["run p T", "pass p T", "pass p"]);
    let text =
        format!("go: downloading x\n{{\"level\":\"info\"}}\n[1]\n\n{good}|||\n{{\"Action\":");
    refuses(&FORMAT, &text, "found line 9, which is cut off");
    let text = text.replace("{\"Action\":", "{\"Action\":\"frob\"}");
    let read = read(&FORMAT, &text).unwrap();
    assert_eq!((read.result.as_str(), &read.passed[..]), ("PASSED", &["p::T".to_owned()][..]));
    assert!(read.warnings[0].starts_with("passed over 5 lines"), "{:?}", read.warnings);
}

#[test]
fn refuses_a_report_of_zero_tests() {
    refuses(&FORMAT, events(&["start p", "skip p", "start q", "pass q"]), "zero tests");
    refuses(&FORMAT, "", "no line that is one");
    refuses(&FORMAT, "{\"type\":\"suite\"}\nok\n", "no line that is one");
}

#[test]
fn names_under_way_have_a_bound_and_are_let_go() {
    let name = |i| format!("T{i:0400}");
    // Just more than may be under way, and less than a run may hold.
    let count = MAX_NAME_BYTES / (name(0).len() + HELD_NAME_BYTES) + 1;
    let open: String = (0..count).map(|i| events(&[&format!("run p {}", name(i))])).collect();
    refuses(&FORMAT, open, "bytes of names under way");
    let closed = |i| events(&[&format!("run p {}", name(i)), &format!("pass p {}", name(i))]);
    let closed: String = (0..count).map(closed).chain([events(&["pass p"])]).collect();
    assert_eq!(read(&FORMAT, &closed).unwrap().passed.len(), count);
    let long = events(&[&format!("pass p {}", "T".repeat(2 * MAX_TEXT_BYTES))]);
    refuses(&FORMAT, long, "bytes in the name of one test");
}

#[test]
fn output_of_any_length_is_not_kept() {
    let output = format!("{{\"Action\":\"output\",\"Output\":\"{}\"}}\n", "x".repeat(1 << 20));
    let text = format!("{output}{}", events(&["run p T", "pass p T", "pass p"]));
    check(&FORMAT, &text, "PASSED", [&["p::T"], &[], &[]], 0);
}
