//! `test-result`.

use super::*;

#[test]
fn passed_tests_pass_and_failed_ones_are_findings_by_name() {
    let mut trial = Trial::of(&rule("test-result", "signers = [\"ci\"]"));
    trial.fails("test-result", &["test-result"]);
    trial.say(tested("ci", "PASSED", &["unit::a", "unit::b"], &[]));
    assert_eq!(trial.passes("test-result").found, "2 tests passed in 1 result");
    trial.say(tested("ci", "FAILED", &["unit::a"], &["unit::b"]));
    trial.fails("test-result", &["unit::b"]);
}

#[test]
fn a_failure_without_names_fails_and_so_does_a_failed_test_beside_the_word_passed() {
    let mut trial = Trial::of(&rule("test-result", ""));
    trial.say(tested("ci", "PASSED", &["a"], &["b"]));
    trial.fails("test-result", &["b"]);
    let mut trial = Trial::of(&rule("test-result", ""));
    let digest = trial.held(tested("ci", "FAILED", &["a"], &[]));
    trial.fails("test-result", &[&format!("failed {}", &digest.hex()[..12])]);
}

#[test]
fn a_newer_failure_is_never_hidden_behind_an_older_success() {
    let mut trial = Trial::of(&rule("test-result", ""));
    trial.say(tested("ci", "PASSED", &["unit::a"], &[]));
    trial.say(tested("ci", "FAILED", &[], &["unit::a"]).at("2026-11-27T09:01:00Z"));
    trial.fails("test-result", &["unit::a"]);
    // Another signer, who is trusted as much.
    let mut trial = Trial::of(&rule("test-result", ""));
    trial.say(tested("ci", "PASSED", &["unit::a"], &[]));
    trial.say(tested("tester", "FAILED", &[], &["unit::a"]).at("2026-11-27T09:01:00Z"));
    trial.fails("test-result", &["unit::a"]);
}

#[test]
fn only_what_ran_again_makes_a_failure_good() {
    let failed = || {
        let mut trial = Trial::of(&rule("test-result", ""));
        trial.say(tested("ci", "FAILED", &["unit::a"], &["unit::b"]));
        trial
    };
    let later = "2026-11-27T09:01:00Z";
    let mut trial = failed();
    trial.say(tested("ci", "PASSED", &["e2e::x", "e2e::y"], &[]).at(later));
    trial.fails("test-result", &["unit::b"]);
    let mut trial = failed();
    trial.say(tested("tester", "PASSED", &["unit::a", "unit::b"], &[]).at(later));
    trial.fails("test-result", &["unit::b"]);
    let mut trial = failed();
    trial.say(tested("ci", "PASSED", &["unit::b"], &[]).at(later));
    trial.passes("test-result");
    let mut trial = failed();
    trial.say(tested("ci", "PASSED", &["unit::a", "unit::b"], &[]).at("2026-11-27T08:00:00Z"));
    trial.fails("test-result", &["unit::b"]);
}

#[test]
fn a_failure_in_another_configuration_stands() {
    let on = |saying: Saying, platform: &str| {
        let mut saying = saying;
        saying.predicate["configuration"] = json!([{ "name": platform, "uri": "x:y" }]);
        saying
    };
    let mut trial = Trial::of(&rule("test-result", ""));
    trial.say(on(tested("ci", "FAILED", &[], &["unit::a"]), "arm"));
    trial.say(on(tested("ci", "PASSED", &["unit::a"], &[]), "x86").at("2026-11-27T09:01:00Z"));
    trial.fails("test-result", &["unit::a"]);
}

#[test]
fn each_named_suite_must_be_there_and_a_longer_name_is_another_suite() {
    let mut trial = Trial::of(&rule("test-result", "suites = [\"unit\", \"e2e\"]"));
    trial.say(tested("ci", "PASSED", &["unit::fast::a", "e2e-extra::b", "e2e"], &[]));
    trial.fails("test-result", &["e2e"]);
    let mut saying = tested("tester", "PASSED", &["x"], &[]);
    saying.predicate["configuration"] = json!([{ "name": "e2e", "uri": "x:y" }]);
    trial.say(saying);
    trial.passes("test-result");
}

#[test]
fn a_test_is_counted_once_however_often_it_is_told() {
    let mut trial = Trial::of(&rule("test-result", "least_passed = 3"));
    trial.say(tested("ci", "PASSED", &["a", "a", "a"], &[]));
    trial.say(tested("tester", "PASSED", &["a", "b"], &[]));
    trial.say(tested("ci", "PASSED", &["a", "b"], &[]));
    let answer = trial.fails("test-result", &["least-passed"]);
    assert_eq!(answer.found, "2 tests passed, of at least 3");
    let mut warned = tested("ci", "WARNED", &["c"], &[]);
    warned.predicate["warnedTests"] = json!(["d"]);
    trial.say(warned);
    trial.passes("test-result");
}

#[test]
fn what_was_skipped_has_not_passed_and_makes_nothing_good() {
    let skipped = |names: &[&str]| {
        let mut skipped = tested("ci", "WARNED", &[], &[]);
        skipped.predicate["warnedTests"] = json!(names);
        skipped.at("2026-11-27T09:01:00Z")
    };
    let mut trial = Trial::of(&rule("test-result", ""));
    trial.say(tested("ci", "FAILED", &["i::y"], &["i::x"])).say(skipped(&["i::x"]));
    trial.fails("test-result", &["i::x"]);
    let mut trial = Trial::of(&rule("test-result", "suites = [\"i\"]\nleast_passed = 2"));
    trial.say(skipped(&["i::x", "i::y"]));
    let answer = trial.fails("test-result", &["i", "least-passed"]);
    assert!(answer.found.ends_with("; the results there name no suite"), "{}", answer.found);
    trial.say(tested("ci", "PASSED", &["u::x", "u::y"], &[]));
    let answer = trial.fails("test-result", &["i"]);
    assert!(answer.found.ends_with("; there are results of u"), "{}", answer.found);
}

#[test]
fn a_failure_that_comes_back_counts_again_and_a_success_does_not() {
    let at = |hour: u8| format!("2026-11-27T0{hour}:00:00Z");
    let failed = || tested("ci", "FAILED", &[], &["unit::a"]);
    let passed = || tested("ci", "PASSED", &["unit::a"], &[]);
    let mut trial = Trial::of(&rule("test-result", "max_age = \"5h\""));
    trial.say(failed().at(&at(4))).say(passed().at(&at(7)));
    trial.passes("test-result");
    trial.say(failed().at(&at(8)));
    trial.fails("test-result", &["unit::a"]);
    trial.say(passed().at(&at(9)));
    let answer = trial.fails("test-result", &["unit::a"]);
    assert!(
        answer.found.ends_with(" says what was said before, and is no newer run"),
        "{answer:?}"
    );
    trial.say(tested("ci", "PASSED", &["unit::a", "unit::b"], &[]).at("2026-11-27T09:30:00Z"));
    trial.passes("test-result");
}

#[test]
fn a_stranger_can_neither_pass_nor_fail_a_test() {
    let mut trial = Trial::of(&rule("test-result", ""));
    trial.say(tested("stranger", "PASSED", &["a"], &[]));
    trial.fails("test-result", &["test-result"]);
    trial.say(tested("ci", "PASSED", &["a"], &[]));
    trial.say(tested("stranger", "FAILED", &[], &["a"]).at("2026-11-27T09:59:00Z"));
    trial.say(tested("scanner", "FAILED", &[], &["a"]).at("2026-11-27T09:59:00Z"));
    trial.passes("test-result");
}

#[test]
fn names_of_any_length_make_no_answer_long() {
    let mut trial = Trial::of(&rule("test-result", ""));
    let names: Vec<String> = (0..500).map(|n| format!("{n}{}", "x".repeat(10_000))).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    trial.say(tested("ci", "FAILED", &[], &names));
    let answer = trial.answer("test-result");
    assert_eq!(answer.findings.len(), answer::MAX_TOLD + 1);
    assert_eq!(answer.findings.last().unwrap().text, "401 more findings");
    let texts = answer.findings.iter().flat_map(|finding| [&finding.id, &finding.text]);
    assert!(
        texts.chain([&answer.found]).all(|text| text.chars().count() <= answer::MAX_TEXT_CHARS + 1)
    );
}

#[test]
fn a_suite_of_which_nothing_ran_is_none() {
    let of = |suite: &str, passed: &[&str], warned: &[&str]| {
        let mut saying = tested("ci", "PASSED", passed, &[]);
        saying.predicate["configuration"] = json!([{ "name": suite, "uri": "x:y" }]);
        saying.predicate["warnedTests"] = json!(warned);
        saying
    };
    let mut trial = Trial::of(&rule("test-result", "suites = [\"unit\"]"));
    trial.say(of("unit", &[], &["a", "b"])).say(of("lint", &["l1"], &[]));
    let answer = trial.fails("test-result", &["unit"]);
    assert!(answer.found.ends_with("there are results of lint"), "{}", answer.found);
    trial.say(of("unit", &["a"], &["b"]));
    trial.passes("test-result");
}

#[test]
fn a_run_of_another_configuration_makes_nothing_good() {
    let of = |digest: &str, verdict: &str, passed: &[&str], failed: &[&str]| {
        let mut saying = tested("ci", verdict, passed, failed);
        saying.predicate["configuration"] = json!([{ "digest": { "sha256": digest.repeat(32) } }]);
        saying
    };
    let mut trial = Trial::of(&rule("test-result", ""));
    trial.say(of("aa", "FAILED", &[], &["unit::b"]));
    trial.say(of("bb", "PASSED", &["unit::b"], &[]).at("2026-11-27T09:30:00Z"));
    trial.fails("test-result", &["unit::b"]);
    trial.say(of("aa", "PASSED", &["unit::b"], &[]).at("2026-11-27T09:40:00Z"));
    trial.passes("test-result");
    // Of what says nothing of itself nobody knows whether it is the same.
    let untold = |content: Option<&str>, verdict: &str, passed: &[&str]| {
        let mut saying = tested("ci", verdict, passed, &[]);
        let content = content.unwrap_or("bGludA==");
        saying.predicate["configuration"] = json!([{ "content": content }]);
        saying
    };
    let mut trial = Trial::of(&rule("test-result", ""));
    trial.say(untold(Some("dW5pdA=="), "FAILED", &[]));
    trial.say(untold(None, "PASSED", &["l1"]).at("2026-11-27T09:30:00Z"));
    assert!(!trial.decide().passed());
}

#[test]
fn what_is_said_again_with_another_key_is_as_old_as_the_first_time() {
    let mut trial = Trial::of(&rule("test-result", ""));
    let second = trial.signers["ci"].replace(
        &key("ci").public_key().fingerprint().to_string(),
        &key("ci-2").public_key().fingerprint().to_string(),
    );
    trial.signers.insert("ci-2".to_owned(), second);
    let passed = || tested("ci", "PASSED", &["unit::a"], &[]);
    trial.say(passed().at("2026-11-27T07:00:00Z"));
    trial.say(tested("ci", "FAILED", &[], &["unit::a"]).at("2026-11-27T08:00:00Z"));
    trial.say(passed().by_key("ci-2").at("2026-11-27T09:00:00Z"));
    trial.fails("test-result", &["unit::a"]);
    trial.evidence.clear();
    trial.say(passed()).say(tested("ci", "FAILED", &[], &["unit::a"]));
    trial.say(passed().by_key("ci-2").at("2026-11-27T09:30:00Z"));
    trial.fails("test-result", &["unit::a"]);
}
