//! Whose evidence counts, and when: the roster.

use super::*;
use crate::predicate::attestry::governance::{RevocationReason, RevokedSigner};

fn signed() -> Trial {
    let mut trial = Trial::of(&rule("signature", "signers = [\"ci\"]"));
    trial.say(signature("ci"));
    trial
}

#[track_caller]
fn told(trial: &Trial, expected: &str) {
    let answer = trial.fails("signature", &["signature"]);
    assert!(answer.found.contains(expected), "{}", answer.found);
}

#[test]
fn a_signer_whom_the_roster_does_not_know_satisfies_nothing() {
    let mut trial = Trial::of(&rule("signature", ""));
    trial.say(signature("stranger"));
    told(&trial, "is not in the roster (version 1)");
}

#[test]
fn a_signature_outside_of_its_keys_validity_does_not_count() {
    let mut trial = signed();
    trial.more("ci", "valid_until = 2026-11-27T09:00:00Z");
    told(&trial, "ci signed until 2026-11-27T09:00:00Z");

    let mut trial = signed();
    trial.more("ci", "valid_from = 2026-11-27T09:00:01Z");
    told(&trial, "ci signs from 2026-11-27T09:00:01Z on");

    let mut trial = signed();
    trial.more("ci", "valid_from = 2026-11-27T09:00:00Z\nvalid_until = 2026-11-27T09:00:01Z");
    trial.passes("signature");
}

#[test]
fn an_ordinary_revocation_leaves_what_was_logged_before_and_a_compromise_does_not() {
    let revoked = |reason, effective_at, logged_at| {
        let mut trial = signed();
        let fingerprint = key("ci").public_key().fingerprint();
        trial.revocations.push(Revocation {
            signer: RevokedSigner::Fingerprint(fingerprint),
            reason,
            effective_at: time(effective_at),
            logged_at: time(logged_at),
        });
        trial
    };
    let (early, late) = ("2026-11-27T08:00:00Z", "2026-11-27T09:30:00Z");
    revoked(RevocationReason::Superseded, early, late).passes("signature");
    told(&revoked(RevocationReason::Superseded, early, early), "is revoked (superseded)");
    told(&revoked(RevocationReason::Compromised, early, late), "is revoked (compromised)");
    revoked(RevocationReason::Compromised, late, late).passes("signature");
}

#[test]
fn a_roster_that_expired_denies_and_says_so() {
    let mut trial = signed();
    trial.roster_expires = "2026-11-27T10:00:00Z".to_owned();
    let decision = trial.decide();
    assert!(!decision.passed());
    assert_eq!(decision.policies(), []);
    let refused = decision.details().refused.clone().unwrap();
    assert!(refused.why.contains("expired at 2026-11-27T10:00:00Z"), "{}", refused.why);
    trial.roster_expires = "2026-11-27T10:00:01Z".to_owned();
    trial.turns_at("2026-11-27T10:00:01Z");
}

#[test]
fn without_a_roster_nothing_passes() {
    let trial = signed();
    let decision = decide(&trial.question, None, &trial.policies, &trial.evidence, &|_| None);
    assert!(!decision.passed());
    assert!(decision.details().refused.is_some() && decision.details().roster.is_none());
}

#[test]
fn a_name_that_the_roster_does_not_know_is_an_error_and_errors_deny() {
    let mut trial = Trial::of(&rule("signature", "signers = [\"ci\", \"ghosts\"]"));
    trial.say(signature("ci"));
    let answer = trial.answer("signature");
    assert_eq!(answer.outcome, Outcome::Error);
    assert!(answer.found.contains("\"ghosts\""), "{}", answer.found);
    assert!(!trial.decide().passed());
}

#[test]
fn one_key_under_two_names_is_no_roster() {
    let entry = |name: &str| {
        let fingerprint = key("ci").public_key().fingerprint();
        format!("[[signer]]\nname = \"{name}\"\nkey = \"{fingerprint}\"\nmay = [\"signature\"]\n")
    };
    let text = format!(
        "schema = \"roster/v1\"\nversion = 1\nexpires = 2027-12-31T00:00:00Z\n{}{}",
        entry("a"),
        entry("b")
    );
    let faults = Roster::read(text.as_bytes()).unwrap_err().to_string();
    assert!(faults.contains("each key and identity once, under one name"), "{faults}");
}

#[test]
fn of_two_rosters_of_one_version_the_first_rules_in_whatever_order_they_are_given() {
    let mut trial = signed();
    let first = Published { roster: trial.roster(), at: time("2026-01-01T00:00:00Z") };
    trial.groups += "more = [\"ci\"]\n";
    let second = Published { roster: trial.roster(), at: time("2026-02-01T00:00:00Z") };
    let gate = key("gate").public_key().fingerprint();
    for published in [[first.clone(), second.clone()], [second, first.clone()]] {
        let trust = Trust::new(&published, &[], gate).unwrap();
        assert_eq!(trust.digest(), first.roster.digest);
    }
}

#[test]
fn whoever_is_taken_out_of_the_roster_after_a_compromise_stays_compromised() {
    let trial = signed();
    let (at, logged_at) = (time("2026-01-01T00:00:00Z"), time(LOGGED));
    let signer = verify::Signer::Key(key("ci").public_key().fingerprint());
    let published = |version: u64, entry: &str| {
        let text = format!(
            "schema = \"roster/v1\"\nversion = {version}\nexpires = 2027-12-31T00:00:00Z\n{entry}[[signer]]\nname = \"other\"\nkey = \"{}\"\nmay = [\"signature\"]\n",
            key("other").public_key().fingerprint()
        );
        Published { roster: Roster::read(text.as_bytes()).unwrap(), at }
    };
    let entry = &trial.signers["ci"];
    let revoked =
        |reason: &str| format!("{entry}revoked_at = 2026-11-01T00:00:00Z\nreason = \"{reason}\"\n");
    let is_compromised = |all: &[Published], revocations: &[Revocation]| {
        let gate = key("gate").public_key().fingerprint();
        let trust = Trust::new(all, revocations, gate).unwrap();
        assert!(trust.signer(&signer, logged_at).is_err(), "it is not in the roster");
        trust.is_compromised(&signer, logged_at)
    };
    let gone = published(3, "");
    let compromised = published(2, &revoked("compromised"));
    assert!(is_compromised(&[compromised.clone(), gone.clone()], &[]));
    assert!(!is_compromised(&[published(2, &revoked("superseded")), gone.clone()], &[]));
    assert!(!is_compromised(&[published(1, entry), gone.clone()], &[]), "never revoked");
    // A later roster named it without that.
    let reinstated = [compromised, published(3, entry), published(4, "")];
    assert!(!is_compromised(&reinstated, &[]));
    let revocation = Revocation {
        signer: RevokedSigner::Fingerprint(key("ci").public_key().fingerprint()),
        reason: RevocationReason::Compromised,
        effective_at: time("2026-11-27T08:00:00Z"),
        logged_at: time(NOW),
    };
    assert!(is_compromised(&[published(1, entry), gone], &[revocation]));
}
