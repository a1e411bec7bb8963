//! `no-rollback`.

use super::*;

const RULE: &str = "approvers = [\"leads\"]\nthreshold = 2";

/// Provenance of an artifact that was built at a time.
fn built_at(digest: Sha256, at: &str) -> Saying {
    let mut saying = built().about(digest).at(at);
    saying.predicate["runDetails"]["metadata"]["finishedOn"] = at.into();
    saying
}

fn runs(digest: Sha256, at: &str) -> Saying {
    deployed("deployed", "production", None, at).about(digest)
}

/// Something newer runs.
fn trial() -> Trial {
    let mut trial = Trial::of(&rule("no-rollback", RULE));
    trial.say(built_at(artifact(), "2026-11-20T00:00:00Z"));
    trial.say(built_at(other_artifact(), "2026-11-25T00:00:00Z"));
    trial.say(runs(other_artifact(), "2026-11-26T00:00:00Z"));
    trial
}

#[test]
fn something_older_than_what_runs_fails_and_something_newer_passes() {
    trial().fails("no-rollback", &["rollback"]);
    let mut trial = Trial::of(&rule("no-rollback", RULE));
    trial.passes("no-rollback");
    trial.say(built_at(artifact(), "2026-11-25T00:00:00Z"));
    trial.say(built_at(other_artifact(), "2026-11-20T00:00:00Z"));
    trial.say(runs(other_artifact(), "2026-11-26T00:00:00Z"));
    trial.passes("no-rollback");
}

#[test]
fn what_runs_already_passes() {
    let mut trial = trial();
    trial.say(runs(artifact(), "2026-11-26T12:00:00Z"));
    trial.passes("no-rollback");
}

#[test]
fn an_older_one_is_made_no_newer_by_what_is_said_later() {
    let mut trial = trial();
    trial.say(built_at(artifact(), "2026-11-26T12:00:00Z"));
    trial.fails("no-rollback", &["rollback"]);
    // Nor is what runs made older, by a signer who may not claim the builder.
    trial.signer("laptop", "laptop", "may = [\"provenance\"]\n");
    trial.say(built_at(other_artifact(), "2026-11-01T00:00:00Z").by_key("laptop"));
    trial.fails("no-rollback", &["rollback"]);
}

#[test]
fn without_provenance_nobody_knows_and_that_fails() {
    let mut trial = Trial::of(&rule("no-rollback", RULE));
    trial.say(built_at(artifact(), "2026-11-20T00:00:00Z"));
    trial.say(runs(other_artifact(), "2026-11-26T00:00:00Z"));
    trial.fails("no-rollback", &["rollback"]);
}

#[test]
fn another_name_or_another_environment_is_not_what_runs_here() {
    let mut trial = Trial::of(&rule("no-rollback", RULE));
    trial.say(
        runs(other_artifact(), "2026-11-26T00:00:00Z").about_named("pay/web", other_artifact()),
    );
    trial.say(deployed("deployed", "staging", None, LOGGED).about(other_artifact()));
    trial.passes("no-rollback");
}

#[test]
fn each_subject_of_a_deployment_has_its_own_name() {
    let mut trial = trial();
    let mut both = runs(artifact(), "2026-11-26T12:00:00Z");
    both.subjects = vec![
        ResourceDescriptor::named("pay/web", Sha256::of(b"web").into()),
        ResourceDescriptor::named(NAME, other_artifact().into()),
    ];
    trial.evidence.pop();
    trial.say(both);
    let answer = trial.fails("no-rollback", &["rollback"]);
    assert!(answer.found.contains(&other_artifact().hex()[..12]), "{}", answer.found);
}

#[test]
fn what_left_or_was_replaced_no_longer_runs() {
    let mut trial = trial();
    trial.say(
        deployed("decommissioned", "production", None, "2026-11-26T12:00:00Z")
            .about(other_artifact()),
    );
    trial.passes("no-rollback");
    // What it took the place of does not run again when it leaves.
    let mut trial = trial_replaced();
    trial.passes("no-rollback");
    trial.say(runs(other_artifact(), "2026-11-26T18:00:00Z"));
    trial.fails("no-rollback", &["rollback"]);
}

fn trial_replaced() -> Trial {
    let mut trial = trial();
    let newest = Sha256::of(b"the newest");
    let mut replacing = runs(newest, "2026-11-26T10:00:00Z");
    replacing.predicate["replaces"] = json!({ "sha256": other_artifact().hex() });
    trial.say(replacing);
    trial.say(deployed("decommissioned", "production", None, "2026-11-26T12:00:00Z").about(newest));
    trial
}

#[test]
fn enough_approvals_of_the_rollback_let_it_pass_while_they_last() {
    let rollback = |signer: &str, expires: &str| {
        let mut saying = approval(signer, expires);
        saying.predicate["purpose"] = "rollback".into();
        saying
    };
    let mut trial = trial();
    trial.say(rollback("alice", "2026-11-27T18:00:00Z"));
    trial.say(approval("bob", "2026-11-27T18:00:00Z"));
    let found = trial.fails("no-rollback", &["rollback"]).found;
    let expected =
        "; its rollback is approved by 1 of 2: alice; bob's is for a deployment, not a rollback";
    assert!(found.ends_with(expected), "{found}");
    trial.say(rollback("bob", "2026-11-27T12:00:00Z"));
    assert!(trial.passes("no-rollback").found.ends_with("approved by alice, bob"));
    trial.turns_at("2026-11-27T12:00:00Z");
}

#[test]
fn a_deployment_that_a_stranger_states_is_none() {
    let mut trial = Trial::of(&rule("no-rollback", RULE));
    trial.say(runs(other_artifact(), "2026-11-26T00:00:00Z").by_key("stranger"));
    trial.passes("no-rollback");
}

#[test]
fn each_name_is_a_place_of_its_own() {
    let at = "2026-11-26T12:00:00Z";
    // The artifact itself at another name, and something older there, change nothing of what runs by the name that is asked for.
    let mut trial = trial();
    trial.say(runs(artifact(), at).about_named("pay/worker", artifact()));
    let older = Sha256::of(b"an older one");
    trial.say(built_at(older, "2026-11-01T00:00:00Z"));
    trial.say(runs(older, at).about_named("pay/other", older));
    let mut named = signature("ci");
    named.subjects = ["pay/other", "pay/worker", NAME]
        .map(|name| ResourceDescriptor::named(name, artifact().into()))
        .to_vec();
    trial.say(named);
    trial.fails("no-rollback", &["rollback"]);
    trial.question.name = Some("pay/worker".to_owned());
    assert_eq!(trial.passes("no-rollback").found, "it runs there already");
    trial.question.name = Some("pay/other".to_owned());
    trial.passes("no-rollback");
    // Without a name, it must not be older than what runs by any of its names.
    trial.question.name = None;
    trial.fails("no-rollback", &["rollback"]);
}

#[test]
fn what_leaves_by_one_name_stays_by_the_other_and_what_leaves_without_a_name_is_gone() {
    let left = |name: Option<&str>| {
        let mut trial = trial();
        trial.say(runs(other_artifact(), LOGGED).about_named("pay/web", other_artifact()));
        let mut leaves = deployed("decommissioned", "production", None, LOGGED);
        let digest = Some(Digest::from(other_artifact()).into());
        let name = name.map(str::to_owned);
        leaves.subjects = vec![ResourceDescriptor { name, digest, ..Default::default() }];
        trial.say(leaves);
        trial
    };
    left(Some("pay/web")).fails("no-rollback", &["rollback"]);
    left(Some(NAME)).passes("no-rollback");
    left(None).passes("no-rollback");
}

#[test]
fn what_was_there_before_does_not_run_again_when_its_successor_leaves() {
    let mut trial = Trial::of(&rule("no-rollback", RULE));
    let older = Sha256::of(b"an older one");
    trial.say(built_at(older, "2026-11-01T00:00:00Z"));
    trial.say(built_at(artifact(), "2026-11-20T00:00:00Z"));
    trial.say(built_at(other_artifact(), "2026-11-25T00:00:00Z"));
    trial.say(runs(other_artifact(), "2026-11-26T00:00:00Z"));
    trial.say(runs(older, "2026-11-26T01:00:00Z"));
    trial.say(deployed("decommissioned", "production", None, LOGGED).about(older));
    assert!(trial.passes("no-rollback").found.starts_with("nothing of that name runs"));
}

#[test]
fn the_order_is_that_of_the_log_whatever_moments_are_claimed() {
    let mut trial = Trial::of(&rule("no-rollback", RULE));
    trial.say(built_at(artifact(), "2026-11-20T00:00:00Z"));
    trial.say(built_at(other_artifact(), "2026-11-25T00:00:00Z"));
    trial.say(runs(artifact(), "2026-11-26T12:00:00Z"));
    // By a host whose clock is behind.
    let mut behind = runs(other_artifact(), "2026-11-26T01:00:00Z");
    behind.logged_at = time("2026-11-26T13:00:00Z");
    trial.say(behind);
    trial.fails("no-rollback", &["rollback"]);
}

#[test]
fn subjects_without_a_sha256_are_passed_over_and_what_replaces_within_a_statement_does_so() {
    let sha512 = Digest::new("sha512", &"00".repeat(64)).unwrap();
    let mut trial = trial();
    trial.evidence.pop();
    let mut both = runs(other_artifact(), "2026-11-26T00:00:00Z");
    both.subjects.push(ResourceDescriptor::named(NAME, sha512));
    trial.say(both);
    trial.fails("no-rollback", &["rollback"]);
    let replacing = |subjects: [(&str, Sha256); 2]| {
        let mut statement = runs(other_artifact(), "2026-11-26T12:00:00Z");
        statement.subjects =
            subjects.map(|(name, digest)| ResourceDescriptor::named(name, digest.into())).to_vec();
        statement.predicate["replaces"] = json!({ "sha256": other_artifact().hex() });
        statement
    };
    let web = Sha256::of(b"web");
    trial.say(replacing([("pay/web", web), (NAME, other_artifact())]));
    trial.fails("no-rollback", &["rollback"]);
    trial.say(replacing([(NAME, other_artifact()), ("pay/web", web)]));
    trial.passes("no-rollback");
}
