//! Broken glass.

use super::*;

const TERMS: &str = "[break_glass]\ngroup = \"leads\"\nthreshold = 2\nlongest = \"4h\"\n";

pub(super) fn glass(signer: &str, expires: &str) -> Saying {
    let predicate = json!({
        "environment": "production", "reason": "incident 7", "expires": expires,
        "reviewBy": "2026-12-01T00:00:00Z", "group": "leads",
    });
    Saying::of(signer, "break-glass", predicate)
}

fn trial() -> Trial {
    Trial::of(&(rule("signature", "signers = [\"ci\"]") + TERMS))
}

#[test]
fn enough_signers_of_one_payload_break_it() {
    let mut trial = trial();
    trial.say(glass("alice", "2026-11-27T12:00:00Z"));
    assert!(!trial.decide().passed());
    trial.say(glass("bob", "2026-11-27T12:00:00Z"));
    let decision = trial.decide();
    assert!(decision.passed());
    let verdict = &decision.policies()[0];
    assert_eq!(verdict.rules[0].outcome, Outcome::Fail);
    let broken = verdict.break_glass.as_ref().unwrap();
    assert_eq!(broken.signers, ["alice", "bob"]);
    assert_eq!(decision.inputs().len(), 2);
    assert_eq!(decision.summary().verified_levels, ["SLSA_BUILD_LEVEL_UNEVALUATED"]);
    trial.turns_at("2026-11-27T12:00:00Z");
}

#[test]
fn two_payloads_two_keys_of_one_signer_and_strangers_never_add_up() {
    let mut trial = trial();
    trial.signer("alice", "alice-laptop", "may = [\"break-glass\"]\n");
    trial.say(glass("alice", "2026-11-27T12:00:00Z"));
    trial.say(glass("alice", "2026-11-27T12:00:00Z").by_key("alice-laptop"));
    trial.say(glass("bob", "2026-11-27T12:00:01Z"));
    trial.say(glass("deployer", "2026-11-27T12:00:00Z"));
    trial.say(glass("stranger", "2026-11-27T12:00:00Z"));
    assert!(!trial.decide().passed());
}

#[test]
fn it_is_for_one_digest_one_environment_and_a_short_time() {
    let case = |change: fn(&mut Saying)| {
        let mut trial = trial();
        for signer in ["alice", "bob"] {
            let mut saying = glass(signer, "2026-11-27T12:00:00Z");
            change(&mut saying);
            trial.say(saying);
        }
        trial.decide().passed()
    };
    assert!(case(|_| ()));
    assert!(!case(|s| s.predicate["environment"] = "staging".into()));
    assert!(!case(|s| s.predicate["expires"] = "2026-11-27T13:00:01Z".into()));
    assert!(!case(|s| s.predicate["expires"] = NOW.into()));
    assert!(!case(|s| s.subjects[0].digest = Some(Digest::from(other_artifact()).into())));
    assert!(!case(|s| {
        s.subjects.push(ResourceDescriptor::named("also", other_artifact().into()));
    }));
}

#[test]
fn a_waiver_and_a_broken_glass_never_combine() {
    let waivers = "[waivers]\ngroup = \"leads\"\nthreshold = 2\n";
    let mut trial = Trial::of(&(rule("signature", "signers = [\"ci\"]") + waivers + TERMS));
    trial.say(glass("alice", "2026-11-27T12:00:00Z"));
    trial.say(waiver("bob", "signature", "signature", "2026-11-27T12:00:00Z"));
    assert!(!trial.decide().passed());
}

#[test]
fn a_policy_without_terms_cannot_be_broken_and_one_that_expired_neither() {
    let mut trial = Trial::of(&rule("signature", "signers = [\"ci\"]"));
    trial.policies.clear();
    for (expires, terms, passes) in [
        ("2027-06-30T00:00:00Z", TERMS, true),
        ("2027-06-30T00:00:00Z", "", false),
        ("2026-11-27T10:00:00Z", TERMS, false),
    ] {
        let rules = rule("signature", "signers = [\"ci\"]") + terms;
        let text = policy_text("production", "enforce", expires, &rules);
        trial.policies = vec![Arc::new(Policy::read(text.as_bytes(), None).unwrap())];
        trial.evidence.clear();
        trial.say(glass("alice", "2026-11-27T12:00:00Z")).say(glass("bob", "2026-11-27T12:00:00Z"));
        assert_eq!(trial.decide().passed(), passes, "{expires}");
    }
}

#[test]
fn it_breaks_one_policy_and_leaves_the_others() {
    let mut trial = trial();
    trial.policy("strict", "enforce", &rule("signature", "signers = [\"ci\"]"));
    trial.say(glass("alice", "2026-11-27T12:00:00Z")).say(glass("bob", "2026-11-27T12:00:00Z"));
    let decision = trial.decide();
    assert!(!decision.passed());
    let passed: Vec<bool> = decision.policies().iter().map(|policy| policy.passed).collect();
    assert_eq!(passed, [true, false]);
}

#[test]
fn what_no_group_of_the_roster_reviews_is_not_broken() {
    for (group, passes) in [("leads", true), ("nobody", false), ("alice", false)] {
        let mut trial = trial();
        for signer in ["alice", "bob"] {
            let mut saying = glass(signer, "2026-11-27T12:00:00Z");
            saying.predicate["group"] = group.into();
            trial.say(saying);
        }
        assert_eq!(trial.decide().passed(), passes, "{group}");
    }
}

#[test]
fn what_was_to_be_reviewed_before_it_was_signed_breaks_nothing() {
    for (review_by, passes) in [("2026-11-27T09:00:00Z", false), ("2026-11-27T09:00:01Z", true)] {
        let mut trial = trial();
        for signer in ["alice", "bob"] {
            let mut saying = glass(signer, "2026-11-27T12:00:00Z");
            saying.predicate["reviewBy"] = review_by.into();
            trial.say(saying);
        }
        assert_eq!(trial.decide().passed(), passes, "{review_by}");
    }
}
