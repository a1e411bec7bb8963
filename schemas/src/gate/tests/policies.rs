//! Which policies are asked, and what follows of their verdicts.

use super::*;

fn signed() -> String {
    rule("signature", "signers = [\"ci\"]")
}

fn tests() -> String {
    rule("test-result", "signers = [\"ci\"]")
}

#[test]
fn all_that_match_must_pass() {
    let mut trial = Trial::of(&signed());
    trial.policy("also", "enforce", &tests());
    trial.say(signature("ci"));
    let decision = trial.decide();
    assert!(!decision.passed());
    let verdicts: Vec<_> =
        decision.policies().iter().map(|policy| (policy.name.as_str(), policy.passed)).collect();
    assert_eq!(verdicts, [("also", false), ("production", true)]);
    trial.say(tested("ci", "PASSED", &["a"], &[]));
    assert!(trial.decide().passed());
}

#[test]
fn an_error_in_one_policy_skips_no_other() {
    let mut trial = Trial::of(&rule("signature", "signers = [\"ghosts\"]"));
    trial.policy("also", "enforce", &tests());
    let decision = trial.decide();
    let outcomes: Vec<Outcome> =
        decision.policies().iter().map(|policy| policy.rules[0].outcome).collect();
    assert_eq!(outcomes, [Outcome::Fail, Outcome::Error]);
}

#[test]
fn a_policy_that_warns_or_is_a_shadow_denies_nothing() {
    for mode in ["warn", "shadow"] {
        let mut trial = Trial::of(&signed());
        trial.policy("next", mode, &tests());
        trial.say(signature("ci"));
        let decision = trial.decide();
        assert!(decision.passed(), "{mode}");
        assert!(!decision.policies()[0].passed);
        assert_eq!(decision.details().policies[0].mode, mode);
    }
}

#[test]
fn what_does_not_hold_in_a_policy_that_warns_is_told_and_of_no_other() {
    let mut trial = Trial::of(&(signed() + &tests()));
    trial.policy("next", "warn", &(signed() + &tests()));
    trial.policy("hidden", "shadow", &tests());
    trial.say(signature("ci"));
    let warnings = trial.decide().details().warnings();
    assert_eq!(warnings, ["next@3: test-result: no test result"]);
    trial.say(tested("ci", "PASSED", &["a"], &[]));
    assert_eq!(trial.decide().details().warnings(), Vec::<String>::new());
}

#[test]
fn without_a_policy_everything_is_denied_and_a_shadow_is_none() {
    let mut trial = Trial::of(&signed());
    trial.policies.clear();
    trial.say(signature("ci"));
    let decision = trial.decide();
    assert!(!decision.passed() && decision.details().refused.is_some());
    trial.policy("next", "shadow", &signed());
    let decision = trial.decide();
    assert!(!decision.passed() && decision.details().refused.is_some());
    // What it would have said is recorded all the same.
    assert!(decision.details().policies[0].rules[0].outcome.is_good());
    assert_eq!(decision.summary().verified_levels, ["FAILED"]);
}

#[test]
fn another_environment_or_name_has_no_policy() {
    for (environment, name) in [
        ("staging", Some(NAME)),
        ("production ", Some(NAME)),
        ("production", Some("payroll/api")),
        ("production", Some("pay//api")),
        ("production", Some("PAY/api")),
        ("production", Some("pay/%61pi")),
        ("production", None),
    ] {
        let mut trial = Trial::of(&signed());
        trial.question.environment = environment.to_owned();
        trial.question.name = name.map(str::to_owned);
        let decision = trial.decide();
        assert!(!decision.passed() && decision.policies().is_empty(), "{environment} {name:?}");
    }
}

#[test]
fn a_callers_name_for_the_artifact_adds_policies_and_avoids_none() {
    let mut trial = Trial::of(&tests());
    let lenient = policy_text("lenient", "enforce", "2027-06-30T00:00:00Z", &signed())
        .replace("pay/**", "sandbox/**");
    trial.policies.push(Arc::new(Policy::read(lenient.as_bytes(), None).unwrap()));
    trial.say(signature("ci"));
    trial.question.name = Some("sandbox/x".to_owned());
    let decision = trial.decide();
    assert!(!decision.passed());
    assert_eq!(decision.policies().len(), 2);
    assert_eq!(decision.details().names, [NAME, "sandbox/x"]);
}

#[test]
fn a_name_that_a_stranger_gives_adds_no_policy() {
    let mut trial = Trial::of(&signed());
    let strict = policy_text("strict", "enforce", "2027-06-30T00:00:00Z", &tests())
        .replace("pay/**", "strict/**");
    trial.policies.push(Arc::new(Policy::read(strict.as_bytes(), None).unwrap()));
    trial.say(signature("ci"));
    trial.say(signature("stranger").about_named("strict/x", artifact()));
    trial.say(signature("ci").about_named("strict/x", other_artifact()));
    assert!(trial.decide().passed());
    trial.say(signature("ci").about_named("strict/x", artifact()));
    assert!(!trial.decide().passed());
}

#[test]
fn a_policy_that_expired_denies_what_it_matches() {
    let mut trial = Trial::of(&signed());
    trial.say(signature("ci"));
    trial.turns_at("2027-06-30T00:00:00Z");
    let answer = trial.answer("policy");
    assert_eq!(answer.outcome, Outcome::Error);
    assert!(answer.found.contains("production@3, which expired"), "{}", answer.found);
}

#[test]
fn a_layout_that_nothing_can_verify_is_an_error() {
    let document = Sha256::of(b"layout");
    let mut trial =
        Trial::of(&rule("layout", &format!("document = \"{document}\"\nowners = [\"alice\"]")));
    trial.say(signature("ci"));
    assert_eq!(trial.answer("layout").outcome, Outcome::Error);
    assert!(!trial.decide().passed());
    // It may be another when an owner's right to sign it changes.
    trial.more("alice", "revoked_at = 2026-12-01T00:00:00Z\nreason = \"superseded\"");
    assert_eq!(trial.decide().until(), Some(time("2026-12-01T00:00:00Z")));
}
