//! `deployer`.

use super::*;
use crate::predicate::attestry::governance::{RevocationReason, RevokedSigner};

fn trial() -> Trial {
    Trial::of(&rule("deployer", "signers = [\"deployer\"]"))
}

#[test]
fn who_asks_must_be_known_and_named() {
    let mut trial = trial();
    assert_eq!(trial.passes("deployer").found, "deployer asks, as token:deployer");
    for caller in [None, Some("token:alice"), Some("token:unknown"), Some("deployer"), Some("")] {
        trial.question.caller = caller.map(str::to_owned);
        trial.fails("deployer", &["deployer"]);
    }
}

#[test]
fn who_is_revoked_no_longer_deploys() {
    let mut trial = trial();
    trial.revocations.push(Revocation {
        signer: RevokedSigner::Fingerprint(key("deployer").public_key().fingerprint()),
        reason: RevocationReason::AffiliationChanged,
        effective_at: time("2026-11-27T09:00:00Z"),
        logged_at: time("2026-11-27T09:00:00Z"),
    });
    let answer = trial.fails("deployer", &["deployer"]);
    assert!(answer.found.contains("revoked (affiliation-changed)"), "{}", answer.found);
}

#[test]
fn who_is_valid_for_a_time_deploys_for_that_time() {
    let mut trial = trial();
    trial.more("deployer", "valid_from = 2026-11-27T09:00:00Z\nvalid_until = 2026-11-27T17:00:00Z");
    trial.turns_at("2026-11-27T17:00:00Z");
    trial.asked_at("2026-11-27T08:00:00Z").turns_at("2026-11-27T09:00:00Z");
}

#[test]
fn another_key_of_the_same_signer_suffices() {
    let mut trial = trial();
    trial.more("deployer", "valid_until = 2026-11-01T00:00:00Z");
    trial.fails("deployer", &["deployer"]);
    trial.signer(
        "deployer",
        "deployer-2",
        "may = [\"deployment\"]\nprincipals = [\"token:deployer\"]\n",
    );
    trial.passes("deployer");
}
