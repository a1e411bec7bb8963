//! `approval`.

use super::*;

const TWO: &str = "signers = [\"leads\"]\nthreshold = 2";
const LATER: &str = "2026-12-31T00:00:00Z";

#[test]
fn as_many_distinct_signers_as_the_policy_says_must_consent() {
    let mut trial = Trial::of(&rule("approval", TWO));
    trial.say(approval("alice", LATER)).say(approval("alice", "2026-12-30T00:00:00Z"));
    // Who is not in the group.
    trial.say(approval("deployer", LATER));
    let answer = trial.fails("approval", &["approval"]);
    assert!(answer.found.starts_with("1 of 2: alice; "), "{}", answer.found);
    assert!(answer.found.contains("deployer is not one of leads"), "{}", answer.found);
    trial.say(approval("bob", LATER));
    assert_eq!(trial.passes("approval").found, "approved by alice, bob");
}

#[test]
fn consent_is_for_one_digest_one_environment_and_one_purpose() {
    let mut trial = Trial::of(&rule("approval", "signers = [\"leads\"]"));
    trial.say(approval("alice", LATER).about(other_artifact()));
    let mut elsewhere = approval("alice", LATER);
    elsewhere.predicate["environment"] = "staging".into();
    trial.say(elsewhere);
    let mut rollback = approval("alice", LATER);
    rollback.predicate["purpose"] = "rollback".into();
    trial.say(rollback);
    let found = trial.fails("approval", &["approval"]).found;
    assert_eq!(found, "0 of 1: nobody; alice's is for a rollback, alice's is for staging");
    let mut plain = approval("alice", LATER);
    plain.predicate["purpose"] = "deployment".into();
    trial.say(plain);
    trial.passes("approval");
}

#[test]
fn consent_expires_at_its_moment() {
    let mut trial = Trial::of(&rule("approval", "signers = [\"leads\"]"));
    trial.say(approval("alice", "2026-11-27T12:00:00Z"));
    trial.turns_at("2026-11-27T12:00:00Z");
    let answer = trial.fails("approval", &["approval"]);
    assert!(answer.found.contains("alice's expired at"), "{}", answer.found);
}

#[test]
fn consent_that_must_be_young_turns_when_it_is_not() {
    let mut trial = Trial::of(&rule("approval", "signers = [\"leads\"]\nmax_age = \"2h\""));
    trial.say(approval("alice", LATER));
    trial.turns_at("2026-11-27T11:00:00Z");
}

#[test]
fn author_builder_and_deployer_cannot_consent_to_their_own() {
    let one = "signers = [\"alice\", \"bob\", \"ci\", \"deployer\"]\n";
    let ready = |role: &str| {
        let mut trial = Trial::of(&rule("approval", &format!("{one}distinct_from = [\"{role}\"]")));
        let ci = trial.signers.get_mut("ci").unwrap();
        *ci = ci.replace("\"provenance\"", "\"provenance\", \"approval\"");
        trial.say(built()).say(reviewed("host", "token:bob", &["alice"]));
        trial
    };
    for (role, barred) in [("author", "bob"), ("builder", "ci"), ("deployer", "deployer")] {
        let mut trial = ready(role);
        trial.say(approval(barred, LATER));
        let answer = trial.fails("approval", &["approval"]);
        assert!(answer.found.contains(&format!("{barred} is its {role}")), "{}", answer.found);
        trial.say(approval("alice", LATER));
        trial.passes("approval");
    }
}

#[test]
fn an_older_review_bars_its_author_beside_a_newer_one_that_names_another() {
    let mut trial =
        Trial::of(&rule("approval", "signers = [\"leads\"]\ndistinct_from = [\"author\"]"));
    trial.say(built()).say(reviewed("host", "bob", &["alice"]));
    trial.say(reviewed("alice", "carol", &["bob"]).at("2026-11-27T09:30:00Z"));
    trial.say(approval("bob", LATER));
    trial.fails("approval", &["approval"]);
}

#[test]
fn an_author_whom_the_roster_does_not_know_could_be_anybody_who_signs() {
    let mut trial =
        Trial::of(&rule("approval", "signers = [\"leads\"]\ndistinct_from = [\"author\"]"));
    trial.say(built()).say(reviewed("host", "alice@example.com", &["bob"]));
    trial.say(approval("alice", LATER));
    let answer = trial.fails("approval", &["author"]);
    assert!(answer.found.contains("\"alice@example.com\", whom the roster does not know"));
}

#[test]
fn the_author_of_one_commit_does_not_stand_for_that_of_another() {
    let mut trial =
        Trial::of(&rule("approval", "signers = [\"leads\"]\ndistinct_from = [\"author\"]"));
    trial.say(built()).say(reviewed("host", "bob", &["carol"]));
    trial.say(approval("alice", LATER));
    trial.passes("approval");
    let other = "ffffffffffffffffffffffffffffffffffffffff";
    trial.say(Saying::of("ci", "provenance", provenance_of(BUILDER, REPOSITORY, other)));
    let answer = trial.fails("approval", &["author"]);
    assert!(answer.found.contains("who wrote ffffffffffff,"), "{}", answer.found);
    trial.say(reviewed("host", "carol", &["bob"]).about_commit(other));
    trial.passes("approval");
}

#[test]
fn nobody_is_distinct_from_somebody_unknown() {
    for (role, more) in [("author", true), ("builder", false), ("deployer", false)] {
        let mut trial = Trial::of(&rule(
            "approval",
            &format!("signers = [\"leads\"]\ndistinct_from = [\"{role}\"]"),
        ));
        trial.say(approval("alice", LATER));
        trial.question.caller = Some("token:unknown".to_owned());
        if more {
            trial.say(built());
        }
        trial.fails("approval", &[role]);
    }
}

#[test]
fn who_wrote_a_commit_is_said_where_it_was_built_from_alone() {
    let rules = rule("approval", "signers = [\"leads\"]\ndistinct_from = [\"author\"]");
    let forked = |author: &str| {
        let mut review = reviewed("host", author, &["carol"]);
        review.predicate["repository"] = "https://git.example/mallory/fork".into();
        review
    };
    let mut trial = Trial::of(&rules);
    trial.say(built()).say(forked("carol")).say(approval("alice", LATER));
    trial.fails("approval", &["author"]);
    trial.say(reviewed("host", "alice", &["bob"]));
    trial.fails("approval", &["approval"]);
    // Nor is anybody barred by what is said of a fork.
    let mut trial = Trial::of(&rules);
    trial.say(built()).say(reviewed("host", "bob", &["carol"])).say(forked("alice"));
    trial.say(approval("alice", LATER));
    trial.passes("approval");
}
