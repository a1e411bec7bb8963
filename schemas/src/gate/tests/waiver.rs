//! Waivers.

use super::*;

const UNTIL: &str = "2026-12-01T00:00:00Z";

fn trial(threshold: u64, more: &str) -> Trial {
    let rules = rule("vuln-scan", "block = \"high\"") + &rule("signature", "signers = [\"ci\"]");
    let waivers = format!("[waivers]\ngroup = \"leads\"\nthreshold = {threshold}\n{more}");
    let mut trial = Trial::of(&(rules + &waivers));
    trial.say(signature("ci"));
    trial.say(scanned(&[("CVE-1", "high")], LOGGED));
    trial
}

fn waived(signer: &str) -> Saying {
    waiver(signer, "vuln-scan", "CVE-1", UNTIL)
}

#[test]
fn enough_signers_of_one_payload_waive_one_finding() {
    let mut trial = trial(2, "");
    trial.fails("vuln-scan", &["CVE-1"]);
    trial.say(waived("alice"));
    trial.fails("vuln-scan", &["CVE-1"]);
    trial.say(waived("bob"));
    let answer = trial.answer("vuln-scan");
    assert_eq!(answer.outcome, Outcome::Waived);
    assert_eq!(answer.findings[0].waived_by.len(), 2);
    assert!(trial.decide().passed());
    assert!(answer.findings[0].waived_by.iter().all(|digest| answer.evidence.contains(digest)));
}

#[test]
fn two_payloads_never_add_up() {
    let mut trial = trial(2, "");
    trial.say(waived("alice")).say(waiver("bob", "vuln-scan", "CVE-1", "2026-12-02T00:00:00Z"));
    trial.fails("vuln-scan", &["CVE-1"]);
}

#[test]
fn a_signer_with_two_keys_is_one_voice() {
    let mut trial = trial(2, "");
    trial.signer("alice", "alice-laptop", "may = [\"waiver\"]\n");
    trial.say(waived("alice")).say(waived("alice").by_key("alice-laptop"));
    trial.fails("vuln-scan", &["CVE-1"]);
}

#[test]
fn a_waiver_covers_what_it_names_and_nothing_else() {
    let case = |saying: Saying| {
        let mut trial = trial(1, "");
        trial.say(saying);
        trial.answer("vuln-scan").outcome
    };
    assert_eq!(case(waived("alice")), Outcome::Waived);
    assert_eq!(case(waiver("alice", "vuln-scan", "CVE-2", UNTIL)), Outcome::Fail);
    assert_eq!(case(waiver("alice", "vuln-scan", "*", UNTIL)), Outcome::Fail);
    assert_eq!(case(waiver("alice", "signature", "CVE-1", UNTIL)), Outcome::Fail);
    assert_eq!(case(waived("alice").about(other_artifact())), Outcome::Fail);
    assert_eq!(case(waived("ci")), Outcome::Fail);
    assert_eq!(case(waived("stranger")), Outcome::Fail);
    let mut here = waived("alice");
    here.predicate["environment"] = "production".into();
    assert_eq!(case(here), Outcome::Waived);
    let mut elsewhere = waived("alice");
    elsewhere.predicate["environment"] = "staging".into();
    assert_eq!(case(elsewhere), Outcome::Fail);
}

#[test]
fn every_finding_needs_a_waiver() {
    let mut trial = trial(1, "");
    trial.say(waived("alice"));
    trial.say(scanned(&[("CVE-1", "high"), ("CVE-2", "critical")], "2026-11-27T09:30:00Z"));
    let answer = trial.fails("vuln-scan", &["CVE-1", "CVE-2"]);
    assert_eq!(answer.findings[0].waived_by.len(), 1);
    assert!(answer.findings[1].waived_by.is_empty());
}

#[test]
fn a_waiver_for_one_failed_test_covers_no_other() {
    let rules = rule("test-result", "") + "[waivers]\ngroup = \"leads\"\nthreshold = 1\n";
    let mut trial = Trial::of(&rules);
    trial.say(tested("ci", "FAILED", &["a"], &["b"]));
    trial.say(waiver("alice", "test-result", "b", UNTIL));
    assert!(trial.decide().passed());
    trial.say(tested("ci", "FAILED", &["a"], &["b", "c"]).at("2026-11-27T09:30:00Z"));
    trial.fails("test-result", &["b", "c"]);
}

#[test]
fn a_waiver_for_one_fault_of_a_provenance_covers_no_other() {
    let rules = rule("provenance", "level = 3\nrefs = [\"refs/tags/*\"]\nbuild_types = [\"x:y\"]")
        + "[waivers]\ngroup = \"leads\"\nthreshold = 1\n";
    let mut trial = Trial::of(&rules);
    trial.say(built()).say(waiver("alice", "provenance", "ref", UNTIL));
    trial.fails("provenance", &["build-type", "ref"]);
    trial.say(waiver("alice", "provenance", "build-type", UNTIL));
    assert_eq!(trial.answer("provenance").outcome, Outcome::Waived);
}

#[test]
fn a_waiver_ends_at_its_moment() {
    let mut trial = trial(1, "");
    trial.say(waiver("alice", "vuln-scan", "CVE-1", "2026-11-27T12:00:00Z"));
    trial.turns_at("2026-11-27T12:00:00Z");
}

#[test]
fn a_waiver_lasts_no_longer_than_the_policy_allows_from_when_the_log_held_it() {
    for (until, outcome) in
        [("2026-12-04T09:00:00Z", Outcome::Waived), ("2026-12-04T09:00:01Z", Outcome::Fail)]
    {
        let mut trial = trial(1, "longest = \"7d\"\n");
        trial.say(waiver("alice", "vuln-scan", "CVE-1", until));
        assert_eq!(trial.answer("vuln-scan").outcome, outcome, "{until}");
    }
}

#[test]
fn only_rules_that_the_policy_names_can_be_waived() {
    let mut trial = trial(1, "rules = [\"signature\"]\n");
    trial.say(waived("alice"));
    trial.fails("vuln-scan", &["CVE-1"]);
}

#[test]
fn a_policy_that_says_nothing_of_waivers_has_none() {
    let mut trial = Trial::of(&rule("vuln-scan", "block = \"high\""));
    trial.say(scanned(&[("CVE-1", "high")], LOGGED)).say(waived("alice")).say(waived("bob"));
    trial.fails("vuln-scan", &["CVE-1"]);
}

#[test]
fn an_error_cannot_be_waived() {
    let rules = rule("signature", "signers = [\"ghosts\"]")
        + "[waivers]\ngroup = \"leads\"\nthreshold = 1\n";
    let mut trial = Trial::of(&rules);
    trial.say(waiver("alice", "signature", "signature", UNTIL));
    assert_eq!(trial.answer("signature").outcome, Outcome::Error);
}

#[test]
fn a_waiver_by_a_revoked_signer_falls_with_it() {
    let mut trial = trial(1, "");
    trial.say(waived("alice"));
    trial.more("alice", "revoked_at = 2026-11-01T00:00:00Z\nreason = \"compromised\"");
    trial.fails("vuln-scan", &["CVE-1"]);
}
