//! Events of libtest and of nextest.

use super::super::MAX_TEXT_BYTES;
use super::super::tests::{check, read, refuses};
use super::*;

fn test(event: &str, name: &str) -> String {
    format!("{{ \"type\": \"test\", \"event\": \"{event}\", \"name\": \"{name}\" }}\n")
}

fn started(tests: u64) -> String {
    format!("{{ \"type\": \"suite\", \"event\": \"started\", \"test_count\": {tests} }}\n")
}

fn ended(event: &str, [passed, failed, ignored, measured]: [u64; 4]) -> String {
    format!(
        "{{ \"type\": \"suite\", \"event\": \"{event}\", \"passed\": {passed}, \"failed\": {failed}, \
         \"ignored\": {ignored}, \"measured\": {measured}, \"filtered_out\": 3, \"exec_time\": 0.1 }}\n"
    )
}

fn run(name: &str, event: &str) -> String {
    test("started", name) + &test(event, name)
}

#[test]
fn every_end_of_a_test_is_listed() {
    let text = [
        started(4),
        test("started", "a::b"),
        test("started", "a::c"),
        test("timeout", "a::c"),
        "{ \"type\": \"test\", \"name\": \"a::b\", \"event\": \"ok\", \"exec_time\": 0.002 }\n".to_owned(),
        "{ \"type\": \"test\", \"name\": \"a::c\", \"event\": \"ok\" }\n".to_owned(),
        "{ \"type\": \"test\", \"name\": \"d\", \"event\": \"ignored\", \"message\": \"slow\" }\n".to_owned(),
        "{ \"type\": \"test\", \"name\": \"src/lib.rs - e (line 3)\", \"event\": \"failed\", \"exec_time\": \"0.1s\", \"stdout\": \"x\\n\", \"reason\": \"time limit exceeded\" }\n".to_owned(),
        ended("failed", [2, 1, 1, 0]),
        started(1),
        test("started", "f"),
        "{ \"type\": \"bench\", \"name\": \"f\", \"median\": 10, \"deviation\": 2 }\n".to_owned(),
        ended("ok", [0, 0, 0, 1]),
        "{ \"type\": \"report\", \"total_time\": 1.5, \"compilation_time\": 1.0 }\n".to_owned(),
    ];
    let names: [&[&str]; 3] = [&["a::b", "a::c", "f"], &["d"], &["src/lib.rs - e (line 3)"]];
    check(&FORMAT, &text.concat(), "FAILED", names, 0);
}

#[test]
fn names_repeat_in_the_suites_of_several_binaries() {
    let suite = started(1) + &run("works", "ok") + &ended("ok", [1, 0, 0, 0]);
    check(&FORMAT, &(suite.clone() + &suite), "PASSED", [&["works", "works"], &[], &[]], 0);
}

#[test]
fn what_nextest_retried_is_flaky() {
    let object = "{\"type\":\"suite\",\"event\":\"started\",\"test_count\":3,\"nextest\":{\"crate\":\"c\",\"test_binary\":\"b\",\"kind\":\"lib\"}}\n";
    let text = [
        object.to_owned(),
        // Another suite between.
        started(1),
        test("started", "c::b$x"),
        test("started", "c::b$y"),
        run("c::d$x", "ok"),
        test("ok", "c::b$x#2"),
        test("failed", "c::b$y#3"),
        run("c::b$z", "ok"),
        ended("ok", [1, 0, 0, 0]),
        ended("failed", [2, 1, 0, 0]),
    ];
    let names: [&[&str]; 3] = [&["c::d$x", "c::b$z"], &["c::b$x"], &["c::b$y"]];
    check(&FORMAT, &text.concat(), "FAILED", names, 0);
    let read = read(&FORMAT, &(run("a", "ok") + &test("ok", "a#2") + &test("ok", "a#b"))).unwrap();
    assert_eq!(read.passed, ["a", "a#2", "a#b"]);
}

#[test]
fn tests_that_may_fail_are_warned_of() {
    let sums = "{ \"type\": \"suite\", \"event\": \"ok\", \"passed\": 0, \"failed\": 1, \"allowed_fail\": 1, \"ignored\": 0, \"measured\": 0 }\n";
    let text = started(1) + &run("a", "allowed_failure") + sums;
    check(&FORMAT, &text, "WARNED", [&[], &["a"], &[]], 0);
}

#[test]
fn what_started_and_never_ended_failed() {
    // A test that aborts its process.
    let text = started(2) + &run("a", "ok") + &test("started", "b");
    check(&FORMAT, &text, "FAILED", [&["a"], &[], &["b"]], 2);
    // The suite is cut off between two tests.
    let text = started(2) + &run("a", "ok");
    check(&FORMAT, &text, "FAILED", [&["a"], &[], &[]], 2);
    // The suite after the one that came down.
    let other = started(1) + &run("b", "ok") + &ended("ok", [1, 0, 0, 0]);
    let text = started(1) + &test("started", "b") + &other;
    check(&FORMAT, &text, "FAILED", [&["b"], &[], &["b"]], 2);
}

#[test]
fn what_a_suite_counts_and_does_not_list_failed_all_the_same() {
    let text = started(1) + &run("a", "ok") + &ended("failed", [1, 0, 0, 0]);
    check(&FORMAT, &text, "FAILED", [&["a"], &[], &[]], 0);
    let text = started(2) + &run("a", "ok") + &ended("ok", [1, 1, 0, 0]);
    check(&FORMAT, &text, "FAILED", [&["a"], &[], &[]], 2);
    let text = started(2) + &run("a", "ok") + &ended("ok", [1, 0, 0, 0]);
    check(&FORMAT, &text, "PASSED", [&["a"], &[], &[]], 1);
    let text = started(1) + &run("a", "failed") + &ended("ok", [1, 0, 0, 0]);
    check(&FORMAT, &text, "FAILED", [&[], &[], &["a"]], 0);
}

#[test]
fn other_lines_are_passed_over_and_counted() {
    let suite = started(1) + &run("a", "ok") + &ended("ok", [1, 0, 0, 0]);
    let text = format!("{{\"reason\":\"build-finished\",\"success\":true}}\nwarning: x\n{suite}");
    check(&FORMAT, &text, "PASSED", [&["a"], &[], &[]], 1);
    refuses(&FORMAT, format!("{suite}{{ \"type\": \"te"), "which is cut off");
}

#[test]
fn refuses_a_report_of_zero_tests() {
    refuses(&FORMAT, started(0) + &ended("ok", [0; 4]), "zero tests");
    let listed = "{ \"type\": \"suite\", \"event\": \"discovery\" }\n\
        { \"type\": \"test\", \"event\": \"discovered\", \"name\": \"a\" }\n\
        { \"type\": \"suite\", \"event\": \"completed\", \"tests\": 1 }\n";
    refuses(&FORMAT, listed, "zero tests");
    refuses(&FORMAT, "{}\n", "no line that is one");
}

#[test]
fn output_of_any_length_is_not_kept_and_names_have_a_bound() {
    let output = "\\n\\u001b[31m".repeat(MAX_TEXT_BYTES);
    let line = format!(
        "{{ \"type\": \"test\", \"name\": \"a\", \"event\": \"failed\", \"stdout\": \"{output}\", \"message\": \"m\" }}\n"
    );
    let text = started(1) + &test("started", "a") + &line + &ended("failed", [0, 1, 0, 0]);
    check(&FORMAT, &text, "FAILED", [&[], &[], &["a"]], 0);
    refuses(&FORMAT, test("ok", &"a".repeat(2 * MAX_TEXT_BYTES)), "bytes in the name of one test");
    let name = |i| format!("t{i:0400}");
    let count = MAX_NAME_BYTES / (name(0).len() + HELD_NAME_BYTES) + 1;
    let closed: String = (0..count).map(|i| run(&name(i), "ok")).collect();
    assert_eq!(read(&FORMAT, &closed).unwrap().passed.len(), count);
    let open: String = (0..count).map(|i| test("started", &name(i))).collect();
    refuses(&FORMAT, open, "bytes of names under way");
}
