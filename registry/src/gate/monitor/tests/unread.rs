//! Rosters and policies that were published and that this version does not read: nothing older rules in their place.

use attestry_schemas::digest::Sha256;
use attestry_schemas::gate::{Decision, Outcome};
use serde_json::json;

use super::governed::{EXPIRES, Governed, RULES, key};

/// Rules that an earlier loader took.
const OLD_FORM: &str = "[[rule]]\ntype = \"provenance\"\nrefs = [\"main\"]\n";

fn why(decision: &Decision) -> String {
    let answer = &decision.policies()[0].rules[0];
    assert_eq!((answer.rule.as_str(), answer.outcome), ("policy", Outcome::Error));
    answer.found.clone()
}

#[test]
fn a_policy_that_is_no_longer_read_denies_and_the_one_before_does_not_rule() {
    let governed = Governed::new();
    governed.allow(1);
    governed.publish_policy(2, OLD_FORM);
    let decided = governed.decide(1);
    assert!(!decided.decision.passed());
    let why = why(&decided.decision);
    assert!(why.contains("line 11, column 9: expected the full name of a reference"), "{why}");
    assert_eq!(decided.decision.policies()[0].version, 2);
    // Signed later, and older: it does not come back.
    governed.publish_policy(1, &format!("{RULES}# again\n"));
    assert_eq!(governed.decide(1).decision.policies()[0].version, 2);
    governed.publish_policy(3, RULES);
    assert!(governed.decide(1).decision.passed());
}

#[test]
fn it_denies_what_it_is_for_and_everything_where_that_cannot_be_told() {
    let governed = Governed::new();
    let digest = |text: &str| governed.content(text);
    let publish = |name: &str, digest: Sha256| {
        let predicate = json!({"name": name, "version": 1, "digest": {"sha256": digest.hex()}, "expires": EXPIRES});
        governed.state("lead", "https://attestry.dev/policy/v1", digest, predicate);
    };
    let text = |environments: &str| {
        format!(
            "schema = \"policy/v9\"\nmode = \"enforce\"\n[match]\nartifacts = [\"**\"]\nenvironments = {environments}\n"
        )
    };
    publish("elsewhere", digest(&text("[\"staging\"]")));
    governed.allow(1);
    publish("anywhere", digest(&text("[\"staging\", \"a//b\"]")));
    assert!(!governed.decide(1).decision.passed());
    publish("gone", Sha256::of(b"nobody stored this"));
    let decided = governed.decide(1);
    let verdicts = decided.decision.policies();
    assert_eq!(
        verdicts.iter().map(|v| v.name.as_str()).collect::<Vec<_>>(),
        ["anywhere", "gone", "production"]
    );
    assert!(verdicts[1].rules[0].found.contains("no document"));
}

#[test]
fn under_a_roster_that_is_not_read_nothing_is_decided_and_nobody_signs() {
    let governed = Governed::new();
    governed.allow(1);
    let publish = |version: u64, text: &str| {
        let digest = governed.content(text);
        let predicate =
            json!({"version": version, "digest": {"sha256": digest.hex()}, "expires": EXPIRES});
        governed.state("root", "https://attestry.dev/roster/v1", digest, predicate);
    };
    publish(2, "schema = \"roster/v9\"\n");
    let decided = governed.decide(1);
    let refused = decided.decision.details().refused.clone().unwrap();
    assert!(refused.why.contains("version 2 of the roster"), "{}", refused.why);
    let gate = &governed.running.gate;
    let reader = governed.running.store.reader();
    let ruling = gate.ruling(&reader).unwrap();
    let refused =
        gate.admit_signature(&ruling, &key("ci").public_key().fingerprint().into()).unwrap_err();
    assert!(refused.to_string().contains("version 2 of the roster"), "{refused}");
    publish(3, &governed.roster_text(3));
    assert!(governed.decide(1).decision.passed());
}

#[test]
fn a_policy_whose_signer_leaves_lets_no_older_one_back_and_others_can_sign_it_again() {
    let governed = Governed::new();
    governed.allow(1);
    let stricter = format!("{RULES}[[rule]]\ntype = \"sbom\"\n");
    governed.publish_policy(2, &stricter);
    let publish = |version: u64, text: &str| {
        let digest = governed.content(text);
        let predicate =
            json!({"version": version, "digest": {"sha256": digest.hex()}, "expires": EXPIRES});
        governed.state("root", "https://attestry.dev/roster/v1", digest, predicate);
    };
    let without =
        governed.roster_text(2).replace("leads = [\"lead\", \"boss\"]", "leads = [\"boss\"]");
    publish(2, &without);
    let decided = governed.decide(1);
    assert!(!decided.decision.passed());
    assert_eq!(decided.decision.policies()[0].version, 2, "version 1 stays what it was");
    let why = why(&decided.decision);
    assert!(why.contains("0 signatures that count of the 1 by leads"), "{why}");
    governed.publish_policy_by("boss", 2, &stricter);
    let decided = governed.decide(1);
    let failed: Vec<_> = decided.decision.policies()[0]
        .rules
        .iter()
        .filter(|rule| !rule.outcome.is_good())
        .map(|rule| rule.rule.as_str())
        .collect();
    assert_eq!(failed, ["sbom"]);
}
