//! `source`.

use super::*;

const OTHER_COMMIT: &str = "ffffffffffffffffffffffffffffffffffffffff";

fn source_summary(signer: &str, repository: &str, result: &str, level: &str) -> Saying {
    let mut saying = summary(signer, "https://host.example", result, &[level]);
    saying.predicate["resourceUri"] = format!("git+{repository}").into();
    saying.about_commit(COMMIT)
}

#[test]
fn a_source_summary_proves_its_level_for_the_commit_that_was_built() {
    let mut trial = Trial::of(&rule("source", "level = 3\nsigners = [\"host\"]"));
    trial.fails("source", &["commit"]);
    trial.say(built());
    trial.fails("source", &["level"]);
    trial.say(source_summary("host", REPOSITORY, "PASSED", "SLSA_SOURCE_LEVEL_2"));
    trial.fails("source", &["level"]);
    trial.say(source_summary("host", REPOSITORY, "PASSED", "SLSA_SOURCE_LEVEL_3"));
    let answer = trial.passes("source");
    assert_eq!(answer.level.as_deref(), Some("SLSA_SOURCE_LEVEL_3"));
    assert_eq!(answer.evidence.len(), 2);
}

#[test]
fn evidence_of_another_commit_or_of_another_repository_says_nothing() {
    let mut trial = Trial::of(&rule("source", ""));
    trial.say(built());
    trial.say(
        source_summary("host", REPOSITORY, "PASSED", "SLSA_SOURCE_LEVEL_3")
            .about_commit(OTHER_COMMIT),
    );
    trial.say(source_summary(
        "host",
        "https://git.example/fork/api",
        "PASSED",
        "SLSA_SOURCE_LEVEL_4",
    ));
    let mut review = reviewed("host", "bob", &["alice"]);
    review.predicate["repository"] = "https://git.example/fork/api".into();
    trial.say(review);
    let answer = trial.fails("source", &["level"]);
    assert!(answer.found.contains("in https://git.example/fork/api"), "{}", answer.found);
}

#[test]
fn a_failed_source_summary_is_not_hidden_behind_an_older_passed_one() {
    let mut trial = Trial::of(&rule("source", ""));
    trial.say(built());
    trial.say(source_summary("verifier", REPOSITORY, "PASSED", "SLSA_SOURCE_LEVEL_3"));
    trial.say(source_summary("host", REPOSITORY, "FAILED", "FAILED").at("2026-11-27T09:30:00Z"));
    trial.fails("source", &["failed", "level"]);
}

#[test]
fn another_spelling_of_the_repository_hides_no_failure() {
    for spelled in [
        "https://GIT.example/pay/api",
        "HTTPS://git.example:443/pay/api.git",
        "https://git.example/pay/api/",
    ] {
        let mut trial = Trial::of(&rule("source", ""));
        trial.say(built());
        trial.say(source_summary("host", REPOSITORY, "PASSED", "SLSA_SOURCE_LEVEL_3"));
        trial.say(source_summary("host", spelled, "FAILED", "FAILED").at("2026-11-27T09:30:00Z"));
        trial.fails("source", &["failed", "level"]);
    }
}

#[test]
fn a_review_by_a_second_party_is_one_by_somebody_else_than_the_author() {
    let case = |review: Saying| {
        let mut trial = Trial::of(&rule("source", "two_party = true"));
        trial.say(built()).say(review);
        trial.answer("source").outcome
    };
    assert_eq!(case(reviewed("host", "bob", &["alice"])), Outcome::Pass);
    assert_eq!(case(reviewed("alice", "bob", &["alice"])), Outcome::Pass);
    assert_eq!(case(reviewed("host", "bob", &["bob"])), Outcome::Fail);
    // Under another name of the same signer.
    assert_eq!(case(reviewed("host", "token:bob", &["bob"])), Outcome::Fail);
    for spelled in ["Token:Bob", "BOB", "bob ", "bob\u{200b}", " token:bob"] {
        assert_eq!(case(reviewed("host", spelled, &["token:bob"])), Outcome::Fail, "{spelled:?}");
        assert_eq!(case(reviewed("host", "bob", &[spelled])), Outcome::Fail, "{spelled:?}");
    }
    // By the author's own word.
    assert_eq!(case(reviewed("bob", "bob", &["alice"])), Outcome::Fail);
    // By the address of the same signer's certificate.
    let by_address = |author: &str, reviewer: &str| {
        let mut trial = Trial::of(&rule("source", "two_party = true"));
        let entry = "[[signer]]\nname = \"dora\"\nissuer = \"https://login.example\"\nsubject = \"dora@example.org\"\nmay = [\"review\"]\n";
        trial.signers.insert("dora".to_owned(), entry.to_owned());
        trial.say(built()).say(reviewed("host", author, &[reviewer]));
        trial.answer("source").outcome
    };
    assert_eq!(by_address("Dora@example.org", "dora"), Outcome::Fail);
    assert_eq!(by_address("dora", "dora@example.org"), Outcome::Fail);
    assert_eq!(by_address("dora@example.org", "bob"), Outcome::Pass);
}

#[test]
fn a_level_that_is_too_low_and_a_missing_second_party_are_two_findings() {
    let mut trial = Trial::of(&rule("source", "level = 3\ntwo_party = true"));
    trial.say(built()).say(source_summary("host", REPOSITORY, "PASSED", "SLSA_SOURCE_LEVEL_2"));
    trial.fails("source", &["level", "two-party"]);
    trial.say(reviewed("host", "bob", &["alice"]));
    trial.fails("source", &["level"]);
    trial.say(
        source_summary("verifier", REPOSITORY, "PASSED", "SLSA_SOURCE_LEVEL_4")
            .at("2026-11-27T09:30:00Z"),
    );
    trial.passes("source");
}

#[test]
fn the_commit_is_that_of_a_provenance_that_the_policy_accepts() {
    let rules = rule("provenance", "level = 3") + &rule("source", "");
    let mut trial = Trial::of(&rules);
    trial.signer(
        "laptop",
        "laptop",
        "may = [\"provenance\"]\nbuilders = [{ id = \"https://laptop.example\", level = 1 }]\n",
    );
    let unreviewed = provenance_of(BUILDER, REPOSITORY, OTHER_COMMIT);
    trial.say(Saying::of("ci", "provenance", unreviewed));
    trial.say(reviewed("host", "bob", &["alice"]));
    // A weaker builder says that it was built from the commit that was reviewed.
    let weaker = provenance_of("https://laptop.example", REPOSITORY, COMMIT);
    trial.say(Saying::of("laptop", "provenance", weaker).at("2026-11-27T09:30:00Z"));
    trial.passes("provenance");
    trial.fails("source", &["level"]);
    // The same builder built it from that commit, too.
    trial.say(built());
    trial.passes("source");
}

#[test]
fn a_modified_tree_is_no_commit() {
    let mut trial = Trial::of(&rule("source", ""));
    let mut saying = built();
    saying.predicate["buildDefinition"]["resolvedDependencies"][0]["annotations"] =
        json!({ "dirty": true });
    trial.say(saying).say(reviewed("host", "bob", &["alice"]));
    trial.fails("source", &["commit"]);
}
