//! `any`: one of several rules.

use super::*;

const RULES: &str = r#"
[[rule]]
id = "one-of"
any = [
  { type = "signature", id = "by-ci", signers = ["ci"] },
  { type = "signature", id = "by-leads", signers = ["leads"], threshold = 2, max_age = "2h" },
  { type = "vsa", id = "ghost", signers = ["ghosts"], verifier = "https://x.example" },
]
"#;

#[test]
fn one_rule_that_holds_suffices() {
    let mut trial = Trial::of(RULES);
    trial.say(signature("ci"));
    let answer = trial.passes("one-of");
    assert_eq!(answer.found, "by-ci: signed by ci");
    let outcomes: Vec<Outcome> = answer.any.iter().map(|inner| inner.outcome).collect();
    assert_eq!(outcomes, [Outcome::Pass, Outcome::Fail, Outcome::Error]);
}

#[test]
fn none_that_holds_fails_with_each_ones_answer() {
    let mut trial = Trial::of(RULES);
    trial.say(signature("alice"));
    let answer = trial.fails("one-of", &["any"]);
    assert_eq!(answer.any.len(), 3);
    assert_eq!(answer.any[1].found, "1 of 2: alice");
}

#[test]
fn it_turns_with_the_rule_that_holds() {
    let mut trial = Trial::of(RULES);
    trial.say(signature("alice")).say(signature("bob"));
    trial.turns_at("2026-11-27T11:00:00Z");
}

#[test]
fn what_a_rule_inside_stands_on_is_an_input_of_the_decision() {
    let mut trial = Trial::of(RULES);
    let digest = trial.held(signature("ci"));
    assert!(trial.decide().inputs().contains(&Digest::from(digest).to_string()));
}

#[test]
fn a_waiver_for_a_rule_inside_makes_that_rule_good() {
    let waivers = "[waivers]\ngroup = \"leads\"\nthreshold = 1\n";
    let mut trial = Trial::of(&format!("{RULES}{waivers}"));
    trial.say(waiver("alice", "by-leads", "signature", "2026-12-01T00:00:00Z"));
    let answer = trial.answer("one-of");
    assert_eq!((answer.outcome, answer.any[1].outcome), (Outcome::Waived, Outcome::Waived));
    assert!(trial.decide().passed());
    // What holds is better than what is waived.
    trial.say(signature("ci"));
    trial.passes("one-of");
}

#[test]
fn where_none_can_be_judged_no_waiver_helps() {
    let rules = r#"
[[rule]]
id = "one-of"
any = [
  { type = "vsa", id = "ghost", signers = ["ghosts"], verifier = "https://x.example" },
  { type = "signature", id = "no-one", signers = ["nobody"] },
]
[waivers]
group = "leads"
threshold = 1
"#;
    let mut trial = Trial::of(rules);
    trial.say(waiver("alice", "one-of", "any", "2026-12-01T00:00:00Z"));
    let answer = trial.answer("one-of");
    assert_eq!(answer.outcome, Outcome::Error, "{answer:#?}");
    assert!(!trial.decide().passed());
}

#[test]
fn no_waiver_covers_whatever_is_wrong_inside() {
    let waivers = "[waivers]\ngroup = \"leads\"\nthreshold = 1\n";
    let mut trial = Trial::of(&format!("{RULES}{waivers}"));
    trial.say(waiver("alice", "one-of", "any", "2026-12-01T00:00:00Z"));
    let answer = trial.fails("one-of", &["any"]);
    assert!(answer.set_aside[0].contains("by that rule's id"), "{:?}", answer.set_aside);
}
