//! A decision as a statement: the same bytes of the same inputs, whatever their order.

use super::*;
use crate::predicate::vsa::VerificationSummary;
use crate::predicate::{Predicate as _, lint};

/// A trial of every kind of evidence, good and bad.
fn full() -> Trial {
    let rules = [
        rule("signature", "signers = [\"leads\"]\nthreshold = 3"),
        rule("signature", "id = \"by-carol\"\nsigners = [\"carol\"]"),
        rule("provenance", "level = 2"),
        rule("source", "two_party = true"),
        rule("test-result", ""),
        rule("vuln-scan", "block = \"high\"\nmax_age = \"3h\""),
        rule("approval", "signers = [\"leads\"]\nthreshold = 2\nmax_age = \"30m\""),
        "[waivers]\ngroup = \"leads\"\nthreshold = 1\n".to_owned(),
    ];
    let mut trial = Trial::of(&rules.concat());
    trial.policy("also", "warn", &rule("sbom", ""));
    for signer in ["alice", "bob", "ci", "stranger", "another-stranger"] {
        trial.say(signature(signer));
    }
    trial.say(built()).say(reviewed("host", "bob", &["alice"]));
    trial.say(Saying::of("ci", "provenance", json!({})));
    trial.say(tested("ci", "PASSED", &["a"], &[])).say(tested("tester", "PASSED", &["b"], &[]));
    trial.say(scanned(&[("CVE-1", "high"), ("CVE-2", "low")], LOGGED));
    trial.say(waiver("alice", "vuln-scan", "CVE-1", "2026-12-01T00:00:00Z"));
    trial.say(waiver("bob", "vuln-scan", "CVE-1", "2026-12-01T00:00:00Z"));
    for signer in ["alice", "bob", "carol"] {
        trial.say(approval(signer, "2026-12-31T00:00:00Z"));
    }
    trial
}

#[test]
fn the_order_of_evidence_and_of_policies_changes_no_byte() {
    let mut trial = full();
    let expected = trial.decide();
    let bytes = expected.statement().to_json();
    for turn in 0..trial.evidence.len() {
        trial.evidence.rotate_left(1);
        if turn % 2 == 0 {
            trial.evidence.reverse();
            trial.policies.reverse();
        }
        let decision = trial.decide();
        assert_eq!(decision.statement().to_json(), bytes);
        assert_eq!(decision.until(), expected.until());
    }
}

#[test]
fn evidence_that_is_given_twice_changes_no_byte() {
    let mut trial = full();
    let bytes = trial.decide().statement().to_json();
    trial.evidence.extend(trial.evidence.clone());
    assert_eq!(trial.decide().statement().to_json(), bytes);
}

#[test]
fn the_size_of_the_log_cuts_evidence_off() {
    let mut trial = Trial::of(&rule("signature", "signers = [\"ci\"]"));
    trial.say(signature("alice")).say(signature("ci"));
    for (size, passes) in [(0, false), (1, false), (2, true)] {
        trial.question.log_size = size;
        let decision = trial.decide();
        assert_eq!(decision.passed(), passes, "{size}");
        assert_eq!(decision.details().log_size, size);
    }
}

#[test]
fn a_decision_is_a_summary_without_faults_and_is_read_again() {
    let mut passing = Trial::of(&(rule("signature", "") + &rule("provenance", "")));
    passing.say(signature("ci")).say(built());
    let mut nameless = full();
    nameless.question.name = Some("//".to_owned());
    let mut odd = full();
    odd.question.name = Some("registry.example:5000/p a/ü?x#y".to_owned());
    let mut empty = full();
    empty.policies.clear();
    for (trial, passes) in
        [(passing, true), (full(), false), (nameless, false), (odd, false), (empty, false)]
    {
        let decision = trial.decide();
        assert_eq!(decision.passed(), passes);
        let statement = decision.statement();
        assert_eq!(lint(&statement.predicate_type, &statement.predicate), []);
        let parsed = Statement::parse(&statement.to_json()).unwrap();
        assert!(parsed.subject_with(&artifact().into()).is_some());
        let read = VerificationSummary::from_value(&parsed.predicate).unwrap();
        assert_eq!(read, decision.summary());
        assert_eq!(Details::read(&read).as_ref(), Some(decision.details()));
    }
}

#[test]
fn a_decision_names_what_it_stands_on() {
    let mut trial = Trial::of(&rule("signature", "signers = [\"ci\"]"));
    trial.say(signature("alice"));
    let digest = trial.held(signature("ci"));
    let decision = trial.decide();
    let summary = decision.summary();
    let inputs = summary.input_attestations.unwrap();
    assert_eq!(inputs.len(), 1);
    assert!(inputs[0].digest.as_ref().unwrap().contains(&digest.into()));
    assert_eq!(summary.policy.uri.as_deref(), Some("https://attestry.dev/policy/production@3"));
    assert!(summary.policy.digest.unwrap().contains(&trial.policies[0].digest.into()));
    assert_eq!(summary.time_verified.as_deref(), Some(NOW));
    assert_eq!(summary.verifier.id, "https://registry.example.com/v1/decisions");
    assert_eq!(
        summary.resource_uri,
        format!("pkg:generic/pay/api?checksum=sha256:{}", artifact().hex())
    );
    let details = decision.details();
    assert_eq!(details.roster.as_ref().unwrap().digest, trial.roster().digest.to_string());
    assert_eq!(details.caller.as_deref(), Some("token:deployer"));
}

#[test]
fn another_verifiers_summary_has_no_details() {
    let foreign = summary("verifier", "https://v.example", "PASSED", &[]);
    let read = VerificationSummary::from_value(&foreign.predicate).unwrap();
    assert_eq!(Details::read(&read), None);
    assert_eq!(explain::lines(&read, &consent::Consents::default()), None);
}

#[test]
fn levels_are_the_lowest_of_each_track_that_was_verified() {
    let mut trial = Trial::of(&(rule("provenance", "") + &rule("source", "")));
    trial.policy("also", "enforce", &rule("provenance", "builders = [\"https://b.example\"]"));
    trial.signer(
        "other",
        "other",
        "may = [\"provenance\"]\nbuilders = [{ id = \"https://b.example\", level = 2 }]\n",
    );
    trial.say(Saying::of(
        "other",
        "provenance",
        provenance_of("https://b.example", REPOSITORY, COMMIT),
    ));
    trial.say(built().at("2026-11-27T09:30:00Z")).say(reviewed("host", "bob", &["alice"]));
    let decision = trial.decide();
    assert!(decision.passed());
    let levels = ["SLSA_BUILD_LEVEL_2", "SLSA_SOURCE_LEVEL_1"];
    assert_eq!(decision.summary().verified_levels, levels);
}
