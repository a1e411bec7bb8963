//! `signature`.

use super::*;

#[test]
fn a_signature_by_a_named_signer_suffices() {
    let mut trial = Trial::of(&rule("signature", "signers = [\"ci\"]"));
    trial.fails("signature", &["signature"]);
    trial.say(signature("ci"));
    let answer = trial.passes("signature");
    assert_eq!(answer.evidence.len(), 1);
    assert!(trial.decide().passed());
}

#[test]
fn a_signature_over_the_digest_itself_counts_like_a_statement_that_signs() {
    let mut trial = Trial::of(&rule("signature", "signers = [\"signet\"]"));
    // RFC 5958 around the private scalar 9.
    let mut der =
        hex::decode("3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420")
            .unwrap();
    der.extend([0; 31]);
    der.push(9);
    let key = SigningKey::from_pkcs8_der(&der).unwrap();
    let fingerprint = key.public_key().fingerprint();
    let entry =
        format!("[[signer]]\nname = \"signet\"\nkey = \"{fingerprint}\"\nmay = [\"signature\"]\n");
    trial.signers.insert("signet".to_owned(), entry);
    let message = crate::bundle::MessageSignature {
        digest: artifact().into(),
        signature: key.sign_digest(&artifact()).unwrap(),
    };
    let verified = verify::message(&message, &[key.public_key().clone()]).unwrap();
    let held = Held { digest: Sha256::of(b"bundle"), index: 0, logged_at: time(LOGGED) };
    trial.evidence.push(Arc::new(Evidence::of_message(&verified, held)));
    trial.passes("signature");
}

#[test]
fn a_group_stands_for_each_of_its_signers_and_for_nobody_else() {
    let mut trial = Trial::of(&rule("signature", "signers = [\"leads\"]"));
    trial.say(signature("ci"));
    let answer = trial.fails("signature", &["signature"]);
    assert!(answer.found.contains("ci is not one of leads"), "{}", answer.found);
    trial.say(signature("bob"));
    trial.passes("signature");
}

#[test]
fn a_threshold_counts_distinct_signers_and_not_signatures() {
    let mut trial = Trial::of(&rule("signature", "signers = [\"leads\"]\nthreshold = 2"));
    trial.say(signature("alice")).say(signature("alice").at("2026-11-27T09:30:00Z"));
    let answer = trial.fails("signature", &["signature"]);
    assert_eq!(answer.found, "1 of 2: alice");
    trial.say(signature("bob"));
    trial.passes("signature");
}

#[test]
fn a_signer_with_two_keys_is_counted_once() {
    let mut trial = Trial::of(&rule("signature", "signers = [\"leads\"]\nthreshold = 2"));
    trial.signer("alice", "alice-laptop", "may = [\"signature\"]\n");
    trial.say(signature("alice")).say(signature("alice").by_key("alice-laptop"));
    assert_eq!(trial.evidence.len(), 2);
    trial.fails("signature", &["signature"]);
}

#[test]
fn evidence_of_another_artifact_satisfies_nothing() {
    let mut trial = Trial::of(&rule("signature", "signers = [\"ci\"]"));
    trial.say(signature("ci").about(other_artifact()));
    let answer = trial.fails("signature", &["signature"]);
    assert_eq!(answer.found, "no signature");
}

#[test]
fn a_signer_without_the_permission_satisfies_nothing() {
    let mut trial = Trial::of(&rule("signature", ""));
    trial.say(signature("scanner"));
    let answer = trial.fails("signature", &["signature"]);
    assert!(answer.found.contains("does not let scanner sign signature"), "{}", answer.found);
}

#[test]
fn signing_again_renews_a_signature_that_is_too_old() {
    let mut trial = Trial::of(&rule("signature", "signers = [\"ci\"]\nmax_age = \"1h\""));
    trial.say(signature("ci").at("2026-11-27T08:00:00Z"));
    trial.fails("signature", &["signature"]);
    trial.say(signature("ci").at("2026-11-27T09:30:00Z"));
    trial.passes("signature");
}
