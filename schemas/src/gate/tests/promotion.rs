//! `promotion`.

use super::*;

const RULE: &str = "from = \"staging\"\nsoak = \"1d\"";

/// A decision of the gate for staging, signed and logged: of a policy with one rule, which may deny.
fn decided(trial: &mut Trial, policy: &str, rules: &str, at: &str) -> Sha256 {
    let mut staging = Trial::of("[[rule]]\ntype = \"window\"\nhours = [\"mon-sun 00:00-24:00\"]\n");
    staging.policies.clear();
    let text = policy_text(policy, "enforce", "2027-06-30T00:00:00Z", rules)
        .replace("environments = [\"production\"]", "environments = [\"staging\"]");
    staging.policies.push(Arc::new(Policy::read(text.as_bytes(), None).unwrap()));
    staging.question.environment = "staging".to_owned();
    staging.question.now = time(at);
    let statement = staging.decide().statement();
    let predicate = statement.predicate;
    trial.held(Saying::of("gate", "vsa", predicate).at(at))
}

fn passed(trial: &mut Trial, at: &str) -> Sha256 {
    decided(trial, "staging", &rule("window", "hours = [\"mon-sun 00:00-24:00\"]"), at)
}

fn trial() -> Trial {
    Trial::of(&rule("promotion", RULE))
}

/// Allowed and deployed two days ago.
fn soaked() -> Trial {
    let mut trial = trial();
    let decision = passed(&mut trial, "2026-11-25T09:00:00Z");
    trial.say(deployed("deployed", "staging", Some(decision), "2026-11-25T10:00:00Z"));
    trial
}

#[test]
fn what_was_allowed_and_ran_long_enough_is_promoted() {
    let answer = soaked().passes("promotion");
    assert_eq!(answer.found, "it ran in staging for 2d");
    assert_eq!(answer.evidence.len(), 2);
}

#[test]
fn a_decision_and_a_deployment_by_it_are_needed() {
    let mut trial = trial();
    trial.fails("promotion", &["decision"]);
    let decision = passed(&mut trial, "2026-11-25T09:00:00Z");
    trial.fails("promotion", &["deployment"]);
    trial.say(deployed("deployed", "staging", None, "2026-11-25T10:00:00Z"));
    trial.say(deployed("deployed", "staging", Some(Sha256::of(b"x")), "2026-11-25T10:00:00Z"));
    trial.say(deployed("deployed", "production", Some(decision), "2026-11-25T10:00:00Z"));
    trial.fails("promotion", &["deployment"]);
    trial.say(deployed("deployed", "staging", Some(decision), "2026-11-25T11:00:00Z"));
    trial.passes("promotion");
}

#[test]
fn a_decision_that_somebody_else_signs_is_none() {
    let mut trial = trial();
    passed(&mut trial, "2026-11-25T09:00:00Z");
    let predicate = match trial.evidence.pop().unwrap().said() {
        Said::Summary(summary, Some(details)) => {
            let mut whole = summary.as_ref().clone();
            let details = serde_json::to_value(details).unwrap();
            whole.extensions.insert(crate::predicate::vsa::GATE_EXTENSION.to_owned(), details);
            crate::predicate::Predicate::to_value(&whole).unwrap()
        }
        other => panic!("{other:?}"),
    };
    trial.say(Saying::of("verifier", "vsa", predicate));
    trial.fails("promotion", &["decision"]);
}

#[test]
fn it_soaks_until_its_time_has_come() {
    let mut trial = trial();
    let decision = passed(&mut trial, "2026-11-27T01:00:00Z");
    trial.say(deployed("deployed", "staging", Some(decision), "2026-11-27T02:00:00Z"));
    let answer = trial.fails("promotion", &["soak"]);
    assert_eq!(answer.found, "it ran in staging for 8h of 1d");
    trial.turns_at("2026-11-28T02:00:00Z");
}

#[test]
fn a_claim_makes_no_soak_longer() {
    let mut trial = trial();
    let decision = passed(&mut trial, "2026-11-25T09:00:00Z");
    let deployment = deployed("deployed", "staging", Some(decision), "2026-11-25T10:00:00Z");
    trial.say(deployment.at("2026-11-27T09:00:00Z"));
    trial.fails("promotion", &["soak"]);
}

#[test]
fn what_was_replaced_too_soon_soaks_no_longer() {
    let mut trial = soaked();
    let next = deployed("deployed", "staging", None, "2026-11-25T12:00:00Z");
    trial.say(next.about(other_artifact()));
    let answer = trial.fails("promotion", &["soak"]);
    assert_eq!(answer.found, "it ran in staging for 2h of 1d");
    assert_eq!(trial.decide().until(), Some(time("2027-06-30T00:00:00Z")));

    let mut trial = soaked();
    let next = deployed("deployed", "staging", None, "2026-11-26T12:00:00Z");
    trial.say(next.about(other_artifact()));
    trial.passes("promotion");
}

#[test]
fn what_left_or_was_rolled_back_has_an_issue_until_it_runs_again() {
    for (kind, digest) in [("decommissioned", artifact()), ("rolled-back", other_artifact())] {
        let mut trial = soaked();
        trial.say(deployed(kind, "staging", None, "2026-11-26T12:00:00Z").about(digest));
        trial.fails("promotion", &["issue"]);
        let decision = passed(&mut trial, "2026-11-26T13:00:00Z");
        trial.say(deployed("deployed", "staging", Some(decision), "2026-11-26T14:00:00Z"));
        trial.fails("promotion", &["soak"]);
    }
    let mut trial = soaked();
    let mut rolled = deployed("rolled-back", "staging", None, "2026-11-26T12:00:00Z");
    rolled.predicate["replaces"] = json!({ "sha256": artifact().hex() });
    trial.say(rolled.about_named("pay/other-name", other_artifact()));
    trial.fails("promotion", &["issue"]);
}

#[test]
fn a_newer_denial_for_what_it_is_stops_it_and_one_for_who_asked_does_not() {
    let mut trial = soaked();
    decided(
        &mut trial,
        "staging",
        &rule("deployer", "signers = [\"alice\"]"),
        "2026-11-26T00:00:00Z",
    );
    decided(&mut trial, "other", &rule("signature", ""), "2026-11-26T01:00:00Z");
    trial.passes("promotion");
    decided(&mut trial, "staging", &rule("signature", ""), "2026-11-26T02:00:00Z");
    trial.fails("promotion", &["issue"]);
    passed(&mut trial, "2026-11-26T03:00:00Z");
    trial.passes("promotion");
}

#[test]
fn only_denials_are_no_decision_that_passed() {
    let mut trial = trial();
    decided(&mut trial, "staging", &rule("signature", ""), "2026-11-26T02:00:00Z");
    let answer = trial.fails("promotion", &["decision"]);
    assert!(answer.found.contains("denies it"), "{}", answer.found);
}

#[test]
fn what_was_deployed_without_authorization_is_not_promoted() {
    // By a decision that no longer stood, and one that others superseded.
    let hours = rule("window", "hours = [\"fri 08:00-10:00\"]");
    let in_time = "2026-11-20T09:30:00Z";
    for (at, cause) in [("2026-11-20T09:45:00Z", None), ("2026-11-20T10:30:00Z", Some("expired"))] {
        let mut trial = trial();
        let decision = decided(&mut trial, "staging", &hours, in_time);
        trial.say(deployed("deployed", "staging", Some(decision), at));
        match cause {
            None => assert_eq!(trial.passes("promotion").outcome, Outcome::Pass),
            Some(cause) => {
                let answer = trial.fails("promotion", &["deployment"]);
                assert!(answer.found.contains(cause), "{}", answer.found);
            }
        }
    }
    let mut trial = trial();
    let decision = passed(&mut trial, "2026-11-24T09:00:00Z");
    let denied = rule("window", "hours = [\"sun 00:00-01:00\"]");
    decided(&mut trial, "staging", &denied, "2026-11-24T10:00:00Z");
    trial.say(deployed("deployed", "staging", Some(decision), "2026-11-24T11:00:00Z"));
    let answer = trial.fails("promotion", &["deployment"]);
    assert!(answer.found.contains("superseded-decision"), "{}", answer.found);
    // Under another name than the decision was asked about.
    let mut trial = self::trial();
    let decision = passed(&mut trial, "2026-11-24T09:00:00Z");
    let other = deployed("deployed", "staging", Some(decision), "2026-11-24T11:00:00Z");
    trial.say(other.about_named("pay/other", artifact()));
    let answer = trial.fails("promotion", &["deployment"]);
    assert!(answer.found.contains("other-name"), "{}", answer.found);
}

#[test]
fn what_left_one_name_still_runs_by_another() {
    let mut trial = trial();
    trial.question.name = None;
    let decision = passed(&mut trial, "2026-11-25T09:00:00Z");
    let here = |name: &str, kind: &str, at: &str| {
        deployed(kind, "staging", Some(decision), at).about_named(name, artifact())
    };
    trial.say(here(NAME, "deployed", "2026-11-25T10:00:00Z"));
    trial.say(here("pay/two", "decommissioned", "2026-11-26T10:00:00Z"));
    trial.passes("promotion");
    trial.say(here(NAME, "decommissioned", "2026-11-26T11:00:00Z"));
    trial.fails("promotion", &["issue"]);
}

#[test]
fn an_emergency_is_of_its_environment_alone() {
    let trial = emergency("enforce");
    let answer = trial.fails("promotion", &["decision"]);
    assert!(answer.found.contains("but in an emergency"), "{}", answer.found);
    // In a policy that denies nothing there is nothing to break.
    emergency("warn").passes("promotion");
}

/// Deployed two days ago by a decision under a policy of a mode whose glass was broken.
fn emergency(mode: &str) -> Trial {
    let mut trial = trial();
    let broken = format!(
        "{}[break_glass]\ngroup = \"leads\"\nthreshold = 1\nlongest = \"24h\"\n",
        rule("signature", "")
    );
    let at = "2026-11-25T09:00:00Z";
    let mut staging = Trial::of("[[rule]]\ntype = \"window\"\nhours = [\"mon-sun 00:00-24:00\"]\n");
    let mut glass = break_glass::glass("alice", "2026-11-25T12:00:00Z").at("2026-11-25T08:00:00Z");
    glass.predicate["environment"] = "staging".into();
    staging.say(glass);
    staging.policies.clear();
    let text = policy_text("staging", mode, "2027-06-30T00:00:00Z", &broken)
        .replace("environments = [\"production\"]", "environments = [\"staging\"]");
    staging.policies.push(Arc::new(Policy::read(text.as_bytes(), None).unwrap()));
    staging.question.environment = "staging".to_owned();
    staging.question.now = time(at);
    let decision = staging.decide();
    assert!(decision.passed(), "{:#?}", decision.policies());
    let predicate = decision.statement().predicate;
    let decision = trial.held(Saying::of("gate", "vsa", predicate).at(at));
    trial.say(deployed("deployed", "staging", Some(decision), "2026-11-25T10:00:00Z"));
    trial
}

#[test]
fn of_several_names_it_counts_where_it_ran_the_longest_unless_it_was_rolled_back() {
    let mut trial = trial();
    trial.question.name = None;
    let decision = passed(&mut trial, "2026-11-20T09:00:00Z");
    trial.say(deployed("deployed", "staging", Some(decision), "2026-11-20T10:00:00Z"));
    // A canary, an hour ago.
    let canary = deployed("deployed", "staging", Some(decision), "2026-11-27T09:00:00Z");
    trial.say(canary.about_named("pay/api-canary", artifact()));
    assert_eq!(trial.passes("promotion").found, "it ran in staging for 7d");
    // One statement brings it to one name and something else to the other.
    let mut both = deployed("rolled-back", "staging", Some(decision), "2026-11-27T09:10:00Z");
    both.subjects.push(ResourceDescriptor::named(NAME, other_artifact().into()));
    both.subjects[0].name = Some("pay/other".to_owned());
    trial.say(both);
    trial.fails("promotion", &["issue"]);
}

#[test]
fn after_a_rollback_it_soaks_anew_also_by_another_name() {
    let mut trial = soaked();
    let rolled = deployed("rolled-back", "staging", None, "2026-11-25T12:00:00Z");
    trial.say(rolled.about(other_artifact()));
    trial.fails("promotion", &["issue"]);
    trial.question.name = None;
    let decision = passed(&mut trial, "2026-11-25T13:00:00Z");
    let again = deployed("deployed", "staging", Some(decision), "2026-11-25T14:00:00Z");
    trial.say(again);
    let answer = trial.passes("promotion");
    assert_eq!(answer.found, "it ran in staging for 1d 20h");
}
