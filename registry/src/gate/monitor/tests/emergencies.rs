//! Broken glass: who reviews it, and when.

use attestry_schemas::predicate::UtcTime;
use attestry_schemas::verify;
use serde_json::{Value, json};

use super::governed::{ENVIRONMENT, EXPIRES, Governed, RULES, artifact, at, envelope, key};
use crate::gate::Refused;
use crate::gate::delivery::Exceptions;

const GLASS: &str = "https://attestry.dev/break-glass/v1";
const APPROVAL: &str = "https://attestry.dev/approval/v1";

fn glass(expires: UtcTime, review_by: UtcTime, group: &str) -> Value {
    json!({
        "environment": ENVIRONMENT,
        "reason": "down",
        "expires": expires,
        "reviewBy": review_by,
        "group": group,
    })
}

fn approve(governed: &Governed, by: &str) {
    let says =
        json!({"environment": ENVIRONMENT, "expires": at(60 + governed.size().cast_signed())});
    governed.state(by, APPROVAL, artifact(1), says);
}

/// Emergencies, those without a review, those with a late one.
fn counted(governed: &Governed) -> (u64, u64, u64) {
    let Exceptions { break_glass, unreviewed, reviewed_late, .. } = governed.numbers().exceptions;
    (break_glass, unreviewed, reviewed_late)
}

#[test]
fn broken_glass_is_reviewed_by_another_of_its_group_and_a_late_review_stays_late() {
    let governed = Governed::new();
    governed.state("lead", GLASS, artifact(1), glass(at(600), at(2), "leads"));
    let decided = governed.decide(1);
    assert!(decided.decision.passed(), "{:#?}", decided.decision.policies());
    governed.deploy(1, decided.digest);
    let [status] = governed.status().try_into().unwrap();
    assert!(status.deployment.allowed().unwrap().unwrap().break_glass);
    super::until("late", || counted(&governed) == (1, 1, 0));
    approve(&governed, "stranger");
    assert_eq!(counted(&governed), (1, 1, 0), "a stranger reviews nothing");
    approve(&governed, "lead");
    assert_eq!(counted(&governed), (1, 1, 0), "nobody reviews an own emergency");
    approve(&governed, "boss");
    assert_eq!(counted(&governed), (1, 0, 1), "it was reviewed, and late");
    super::until("shown", || {
        let text = String::from_utf8(governed.running.metrics.render()).unwrap();
        text.contains("attestry_exceptions{kind=\"break-glass-reviewed-late\"} 1")
    });
}

#[test]
fn a_review_in_time_is_not_late_when_the_time_has_come() {
    let governed = Governed::ago(RULES, 7_200);
    governed.state("lead", GLASS, artifact(1), glass(at(-3_700), at(-3_600), "leads"));
    assert!(governed.decide(1).decision.passed());
    approve(&governed, "boss");
    assert_eq!(counted(&governed), (1, 0, 0));
    let governed = governed.restarted();
    assert_eq!(counted(&governed), (1, 0, 0));
    approve(&governed, "boss");
    assert_eq!(counted(&governed), (1, 0, 0), "the first review counts");
}

#[test]
fn glass_that_no_group_of_the_roster_reviews_is_not_broken() {
    let governed = Governed::new();
    let says = glass(at(600), at(600), "nobody");
    let signed = envelope("lead", GLASS, artifact(1), None, says);
    let verified = verify::envelope(&signed, &[key("lead").public_key().clone()]).unwrap();
    let gate = &governed.running.gate;
    let reader = governed.running.store.reader();
    let ruling = gate.ruling(&reader).unwrap();
    let digest = attestry_schemas::digest::Sha256::of(&signed.to_json());
    let refused = gate.admit(&reader, &ruling, &verified, digest).unwrap_err();
    let Refused::Document(why) = &refused else { panic!("{refused}") };
    assert!(why.contains("\"nobody\"") && why.contains("leads"), "{why}");
    // In the log all the same, as of a roster that knew the group, it counts for nothing.
    governed.log(&signed, "lead");
    assert!(!governed.decide(1).decision.passed());
    governed.state("lead", GLASS, artifact(1), glass(at(600), at(600), "leads"));
    assert!(governed.decide(1).decision.passed());
}

#[test]
fn the_glass_of_a_policy_that_denies_nothing_is_no_emergency() {
    let governed = Governed::new();
    let text = format!(
        "schema = \"policy/v1\"\nname = \"trial\"\nversion = 1\nexpires = {EXPIRES}\nmode = \"warn\"\n[match]\nartifacts = [\"pay/**\"]\nenvironments = [\"{ENVIRONMENT}\"]\n[[rule]]\ntype = \"secret-scan\"\n[break_glass]\ngroup = \"leads\"\nthreshold = 1\n"
    );
    let digest = governed.content(&text);
    let says = json!({"name": "trial", "version": 1, "digest": {"sha256": digest.hex()}, "expires": EXPIRES});
    governed.state("lead", "https://attestry.dev/policy/v1", digest, says);
    governed.state("lead", GLASS, artifact(1), glass(at(600), at(600), "leads"));
    let decided = governed.deploy(1, governed.allow(1));
    assert!(decided.proven.index > 0);
    assert_eq!(counted(&governed), (0, 0, 0));
    let [status] = governed.status().try_into().unwrap();
    assert!(!status.deployment.allowed().unwrap().unwrap().break_glass);
}
