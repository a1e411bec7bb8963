//! TAP of versions 12, 13 and 14, as Perl, Node, tapjs, Bats and others write it.

use super::super::tests::{check, read, refuses};
use super::*;

#[test]
fn reads_plans_at_either_end_and_tests_with_and_without_numbers() {
    for text in [
        "1..2\nok 1 - a\nok 2 - b\n",
        "TAP version 13\nok 1 - a\nok 2 - b\n1..2\n",
        "TAP version 14\r\n1..2\r\nok - a\r\nok - b\r\n",
        "\u{feff}1..2\nok 2 a\nok 1 b",
        "# a\npragma +strict\nnoise\n ok 9\n1..2 # two\nok a\n\nok b\n# done\nokay\n",
    ] {
        check(&FORMAT, text, "PASSED", [&["a", "b"], &[], &[]], 0);
    }
    check(&FORMAT, "1..3\nok\nnot ok\nok 3", "FAILED", [&["1", "3"], &[], &["2"]], 0);
}

#[test]
fn a_directive_makes_a_warning_of_either_outcome() {
    let text = "1..5\nok 1 - a # SKIP no net\nnot ok 2 - b # skip\nok 3 - c # Todo d\n\
        not ok 4 - e # todo\nok 5 - f\n";
    check(&FORMAT, text, "WARNED", [&["f"], &["a", "b", "c", "e"], &[]], 0);
    let totals = read(&FORMAT, text).unwrap().totals;
    assert_eq!(totals[3..], [("expected_to_fail", 2), ("skipped", 2)]);
}

#[test]
fn a_plan_that_is_not_met_or_missing_is_a_failure() {
    for (text, words) in [
        ("1..3\nok 1 - a\n", "planned 3 tests but lists 1"),
        ("1..0\nok 1 - a\n", "planned 0 tests but lists 1"),
        ("1..1\nok 2 - a\n", "test 2 is not in the plan of 1 to 1"),
        ("ok 1 - a\n", "has no plan to tell whether all tests ran"),
        ("TAP version 14\n1..N\nok 1 - a\n", "has no plan to tell whether all tests ran"),
        ("1..1\nok 1 - a\nBail out!\n", "bailed out"),
        ("1..9\nok 1 - a\nbail out! no \u{1b}disk\nok 2 - b\n", "bailed out: no \u{fffd}disk"),
        ("1..9\nok 1 - a\n    Bail out! deep\n", "bailed out: deep"),
        ("1..1\nok 1 - a\nTAP version 13\n1..1\n", "planned 1 test but lists 0"),
    ] {
        check(&FORMAT, text, "FAILED", [&["a"], &[], &[]], 1);
        assert_eq!(read(&FORMAT, text).unwrap().warnings, [words], "{text}");
    }
}

#[test]
fn documents_that_were_put_together_are_read_one_by_one() {
    let text = "TAP version 13\n1..1\nok 1 - a\nTAP version 13\nok 1 - b\nok 2 - c\n1..2\n";
    check(&FORMAT, text, "PASSED", [&["a", "b", "c"], &[], &[]], 0);
    refuses(&FORMAT, "1..1\nok 1 - a\n1..1\nok 1 - b\n", "one plan in r, found another in line 3");
}

#[test]
fn subtests_have_the_name_of_the_point_that_sums_them_up() {
    // As Perl, Node and the specification write them, with the comment at either depth or without.
    for comments in [["", ""], ["    # Subtest: p\n", ""], ["# Subtest: p\n", "    # Subtest: q\n"]]
    {
        let text = format!(
            "TAP version 14\n{}    1..2\n{}        ok 1 - x\n        1..1\n    ok 1 - q\n    \
             not ok 2 - r\nnot ok 1 - p\nok 2 - s\n1..2\n",
            comments[0], comments[1]
        );
        let names: [&[&str]; 3] = [&["p > q > x", "p > q", "s"], &[], &["p > r", "p"]];
        check(&FORMAT, &text, "FAILED", names, 0);
    }
    let text = "        ok 1 - x\nok 1 - p\n1..1\n";
    check(&FORMAT, text, "PASSED", [&["p > x", "p"], &[], &[]], 0);
}

#[test]
fn subtests_may_stand_in_braces_after_their_point() {
    let text = "TAP version 13\nnot ok 1 - a # time=5.1ms {\n    ok 1 - x\n    not ok 2 - b # time=1ms {\n        \
        not ok 1 - y\n        1..1\n    }\n\n    1..2\n}\n\nok 2 - c\n  ---\n  x: y\n  ...\n{\n    ok 1 - z\n    \
        1..1\n}\nok 3 - parses {\nok 4 - d\n1..4\n";
    let passed = &["a > x", "c", "c > z", "parses {", "d"];
    let failed = &["a", "a > b", "a > b > y"];
    check(&FORMAT, text, "FAILED", [passed, &[], failed], 0);
}

#[test]
fn braces_count_only_after_a_point() {
    let text = "ok 1 - a\n1..2\n{\n    ok 1 - x\n    1..1\n}\nok 2 - b\n";
    check(&FORMAT, text, "PASSED", [&["a", "b > x", "b"], &[], &[]], 0);
}

#[test]
fn a_subtest_may_fail_where_its_sum_may() {
    let text = "    not ok 1 - x\n    1..2\nnot ok 1 - p # Todo later\n1..1\n";
    check(&FORMAT, text, "WARNED", [&[], &["p > x", "p"], &[]], 0);
    let text = "    1..0 # SKIP\nok 1 - p # SKIP\n1..1\n";
    check(&FORMAT, text, "WARNED", [&[], &["p"], &[]], 0);
    // A sum that says otherwise does not make it pass.
    let text = "    not ok 1 - x\n    1..1\nok 1 - p\n1..1\n";
    check(&FORMAT, text, "FAILED", [&["p"], &[], &["p > x"]], 0);
}

#[test]
fn plans_of_subtests_count_and_so_does_their_end() {
    let text = "        1..3\n        ok 1 - x\n    ok 1 - q\n    1..1\nok 1 - p\n1..1\n";
    check(&FORMAT, text, "FAILED", [&["p > q > x", "p > q", "p"], &[], &[]], 1);
    let warnings = read(&FORMAT, text).unwrap().warnings;
    assert_eq!(warnings, ["p: q: planned 3 tests but lists 1"]);
    let text = "1..1\nok 1 - p\n    ok 1 - x\n";
    check(&FORMAT, text, "FAILED", [&["p", "x"], &[], &[]], 1);
    assert_eq!(read(&FORMAT, text).unwrap().warnings, ["ends within a subtest"]);
}

#[test]
fn yaml_blocks_are_passed_over() {
    let text = "1..3\nnot ok 1 - a\n# why\n  ---\n  stack: |-\n    ok 2 - no\n\n    not ok 3 - no\n  got:\n    1..7\n  \
        ...\n    ok 1 - x\n      ---\n      a: ...\n      ...\n    1..1\nok 2 - b\n---\nok 3 - c\n";
    check(&FORMAT, text, "FAILED", [&["b > x", "b", "c"], &[], &["a"]], 0);
    // One whose end is missing ends before what is indented less.
    let text = "1..2\nok 1 - a\n  ---\n  x: y\nok 2 - b\n";
    check(&FORMAT, text, "PASSED", [&["a", "b"], &[], &[]], 0);
    refuses(&FORMAT, "1..1\nok 1 - a\n  ---\n  x", "an end of the YAML block of line 3");
}

#[test]
fn backslashes_are_escapes_from_version_13_on() {
    let text = "1..1\nok 1 - a \\# b \\\\ c\n";
    check(&FORMAT, text, "PASSED", [&["a # b \\\\ c"], &[], &[]], 0);
    let text = format!("TAP version 13\n{text}");
    check(&FORMAT, &text, "PASSED", [&["a # b \\ c"], &[], &[]], 0);
}

#[test]
fn refuses_a_report_of_zero_tests_and_what_is_no_tap() {
    for text in ["1..0\n", "1..0 # SKIP all\n", "TAP version 14\n", "Bail out!\n", "1..3\n"] {
        refuses(&FORMAT, text, "zero tests");
    }
    for text in ["", "okay\n", "  ok 1\n", "# ok\n"] {
        refuses(&FORMAT, text, "expected TAP in r, found no version, plan or test point");
    }
}

#[test]
fn refuses_test_points_that_it_cannot_name() {
    refuses(&FORMAT, b"1..1\nok 1 - caf\xe9\n", "test points in UTF-8 in r, found line 2");
    let noise = Report::of_bytes("r", b"1..1\n# caf\xe9\ncaf\xe9\nok 1 - a\n");
    assert!((FORMAT.import)(&noise).is_ok());
    let long = "x".repeat(1 << 20);
    refuses(&FORMAT, format!("1..1\nok 1 - {long}\n"), "bytes in the line of a test");
    check(&FORMAT, &format!("# {long}\n1..1\nok 1 - a\n"), "PASSED", [&["a"], &[], &[]], 0);
    let deep = format!("{}ok 1 - a\n", " ".repeat(INDENT * (MAX_DEPTH + 1)));
    refuses(&FORMAT, deep, "at most 32 subtests deep in r, found deeper ones in line 1");
}

#[test]
fn names_that_wait_for_their_subtest_have_a_bound() {
    let line = format!("    ok 1 - {}\n", "x".repeat(400));
    let count = MAX_NAME_BYTES / (400 + HELD_NAME_BYTES) + 1;
    refuses(&FORMAT, line.repeat(count), "bytes of names in one subtest");
    let text = format!("{}1..{count}\n", format!("{line}ok\n").repeat(count));
    assert_eq!(read(&FORMAT, &text).unwrap().passed.len(), 2 * count);
}

#[test]
fn is_recognised_by_its_first_lines() {
    let fit = |text: &str| (FORMAT.fit)(Report::of_bytes("r", text).outline());
    for text in [
        "TAP version 13\n",
        "1..0 # SKIP\n",
        "# c\n\nnot ok 1 - a\n",
        "> npm test\n\nTAP version 13\n1..1\n",
        "ok - a\nok - b\n1..2\n",
        "1..1\n{\"log\":1}\nok 1\n",
    ] {
        assert_eq!(fit(text), Fit::Certain, "{text}");
    }
    for text in
        ["", "okay\n", "ok \tgithub.com/x/y\t0.1s\n", "{\"a\":1}\nok 1\n", "{}", "<a/>", "x\0"]
    {
        assert_eq!(fit(text), Fit::No, "{text}");
    }
}
