//! `window`.

use super::*;

const FREEZE: &str = "freezes = [\n\
    { from = 2026-11-27T12:00:00Z, until = 2026-11-28T00:00:00Z, reason = \"sale\" },\n\
    { from = 2026-11-27T12:00:00Z, until = 2026-11-27T13:00:00Z, reason = \"lunch\" },\n]";

#[test]
fn hours_open_and_close() {
    let mut trial = Trial::of(&rule("window", "hours = [\"mon-fri 08:00-16:00\"]"));
    trial.passes("window");
    trial.turns_at("2026-11-27T16:00:00Z");
    trial.fails("window", &["hours"]);
    trial.turns_at("2026-11-30T08:00:00Z");
}

#[test]
fn a_fraction_of_a_second_moves_no_closing_time() {
    let mut trial = Trial::of(&rule("window", "hours = [\"mon-fri 08:00-16:00\"]"));
    trial.asked_at("2026-11-27T15:59:30.75Z").turns_at("2026-11-27T16:00:00Z");
}

#[test]
fn a_freeze_closes_and_its_longest_tells_when_to_come_back() {
    let mut trial = Trial::of(&rule("window", FREEZE));
    trial.turns_at("2026-11-27T12:00:00Z");
    let answer = trial.fails("window", &["freeze"]);
    assert!(answer.found.contains("sale"), "{}", answer.found);
    assert!(answer.fix.unwrap().contains("wait until 2026-11-28T00:00:00Z"));
    trial.turns_at("2026-11-28T00:00:00Z");
}

#[test]
fn a_freeze_out_of_hours_is_two_findings() {
    let rules = format!("hours = [\"mon 08:00-09:00\"]\n{FREEZE}");
    let mut trial = Trial::of(&rule("window", &rules));
    trial.asked_at("2026-11-27T13:00:00Z");
    trial.fails("window", &["freeze", "hours"]);
}

#[test]
fn named_exceptions_are_of_who_asks_and_is_not_revoked() {
    let rules = "hours = [\"mon 08:00-09:00\"]\nexceptions = [\"leads\"]";
    let mut trial = Trial::of(&rule("window", rules));
    trial.fails("window", &["hours"]);
    trial.question.caller = Some("token:alice".to_owned());
    assert!(trial.passes("window").found.ends_with("alice is excepted"));
    trial.more("alice", "valid_until = 2026-11-27T11:00:00Z");
    trial.turns_at("2026-11-27T11:00:00Z");
}

#[test]
fn what_to_wait_for_is_a_time_to_deploy() {
    let freeze = "freezes = [{ from = 2026-11-26T00:00:00Z, until = 2026-12-02T00:00:00Z, reason = \"a fair\" }]";
    let hours = format!("hours = [\"tue 08:00-09:00\"]\n{freeze}");
    let trial = Trial::of(&rule("window", &hours));
    let answer = trial.answer("window");
    assert_eq!(answer.fix.unwrap(), "wait until 2026-12-08T08:00:00Z");
    let next = "freezes = [{ from = 2026-11-26T00:00:00Z, until = 2026-12-02T00:00:00Z, reason = \"a fair\" }, { from = 2026-12-01T00:00:00Z, until = 2026-12-03T00:00:00Z, reason = \"another\" }]\nexceptions = [\"leads\"]";
    let fix = Trial::of(&rule("window", next)).answer("window").fix.unwrap();
    assert_eq!(fix, "wait until 2026-12-03T00:00:00Z, or have one of leads deploy");
}
