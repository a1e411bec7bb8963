//! What runs, and what of it was allowed.

use attestry_schemas::digest::Sha256;
use attestry_schemas::gate::authorized::Cause;
use serde_json::{Value, json};

use super::governed::{ENVIRONMENT, Governed, NAME, RULES, artifact, at, envelope, key};
use crate::gate::decisions::MAX_DECISIONS;
use crate::log::Receipt;

/// The cause of the newest deployment.
fn cause(governed: &Governed) -> Option<Cause> {
    governed.running.gate.status(None, true).unwrap().0[0].deployment.cause()
}

#[test]
fn every_way_not_to_be_authorized_has_its_cause() {
    let governed = Governed::new();
    let (one, two) = (governed.allow(1), governed.allow(2));
    governed.sign(3);
    let denied = governed.decide(3);
    assert!(!denied.decision.passed());
    let elsewhere = governed.decide_for(1, "staging");
    let later = Sha256::of(b"of nothing in the log");
    let scan = governed.scan(9, &[]).digest;
    let deployed = |decision: Sha256| Governed::deployment("deployed", Some(decision));
    let with = |name: &str, value: Value| {
        let mut predicate = deployed(one);
        predicate[name] = value;
        predicate
    };
    let check = |by: &str, n: u64, predicate: Value, expected: Option<Cause>| {
        governed.record(by, n, predicate.clone());
        assert_eq!(cause(&governed), expected, "{by} {n} {predicate}");
    };
    check("deployer", 1, deployed(one), None);
    check("deployer", 1, Governed::deployment("deployed", None), Some(Cause::NoDecision));
    check("deployer", 1, deployed(later), Some(Cause::UnknownDecision));
    check("deployer", 1, deployed(scan), Some(Cause::UnknownDecision));
    let sha512 = json!({"sha512": "00".repeat(64)});
    check("deployer", 1, with("decision", sha512), Some(Cause::UnknownDecision));
    check("deployer", 3, deployed(denied.digest), Some(Cause::FailedDecision));
    check("deployer", 1, deployed(two), Some(Cause::OtherArtifact));
    check("deployer", 1, with("environment", json!("staging")), Some(Cause::OtherEnvironment));
    check("deployer", 1, deployed(elsewhere.digest), Some(Cause::FailedDecision));
    check("ci", 1, deployed(one), Some(Cause::OtherSigner));
    check("stranger", 1, deployed(one), Some(Cause::OtherSigner));
    check("deployer", 2, deployed(two), None);
    let numbers = governed.numbers();
    assert_eq!(numbers.unauthorized.total, 10);
    assert_eq!(numbers.unauthorized.by_cause["unknown-decision"], 3);
    assert_eq!(numbers.unauthorized.by_cause["other-signer"], 2);
    assert_eq!(numbers.denials.total, 2);
    assert_eq!(numbers.denials.by_rule["none-evaluated"], 1, "staging has no policy");
}

#[test]
fn of_what_was_not_authorized_the_cause_is_told_and_nothing_else() {
    let governed = Governed::new();
    let told = |status: &crate::gate::status::Status| status.reasons.clone();
    let told_all = || governed.status().iter().map(told).collect::<Vec<_>>();
    let no_decision = [vec![Cause::NoDecision.to_string()]];
    // Nobody has signed it either, which a rule would say.
    governed.record("deployer", 1, Governed::deployment("deployed", None));
    assert_eq!(told_all(), no_decision);
    governed.scan(1, &["CVE-2026-1"]);
    super::until("assessed", || governed.numbers().evidence_age_s.p50.is_some());
    assert_eq!(told_all(), no_decision);
    let signer = Governed::deployment("deployed", Some(governed.allow(2)));
    governed.record("ci", 2, signer);
    let all = governed.running.gate.status(None, true).unwrap().0;
    assert_eq!(told(&all[0]), [Cause::OtherSigner.to_string()]);
}

#[test]
fn a_decision_allows_nothing_any_more_once_the_same_was_asked_again_and_denied() {
    let governed = Governed::new();
    let decision = governed.allow(1);
    governed.scan(1, &["CVE-2026-1"]);
    assert!(!governed.decide(1).decision.passed());
    governed.record("deployer", 1, Governed::deployment("deployed", Some(decision)));
    assert_eq!(cause(&governed), Some(Cause::SupersededDecision));
    // What others ask, who may not deploy, takes nothing from who may.
    let decision = governed.allow(2);
    let request = crate::gate::Request {
        subject: artifact(2),
        name: Some(super::NAME.to_owned()),
        environment: super::ENVIRONMENT.to_owned(),
        caller: Some("token:somebody".to_owned()),
        configuration: None,
    };
    assert!(!governed.running.gate.decide(&request).unwrap().0.decision.passed());
    governed.record("deployer", 2, Governed::deployment("deployed", Some(decision)));
    assert_eq!(cause(&governed), None);
}

#[test]
fn what_nobody_allowed_does_not_say_since_when_it_runs() {
    let governed = Governed::new();
    let mut long_ago = Governed::deployment("deployed", None);
    long_ago["startedAt"] = json!("2020-01-01T00:00:00Z");
    long_ago["finishedAt"] = json!("2020-01-01T00:00:00Z");
    governed.record("deployer", 1, long_ago);
    governed.deploy(1, governed.allow(1));
    let [status] = governed.status().try_into().unwrap();
    assert!(
        status.deployment.cause().is_none() && status.deployment.since > at(-600),
        "{status:?}"
    );
}

#[test]
fn a_decision_allows_nothing_under_another_name_nor_what_began_long_before_it() {
    let governed = Governed::new();
    let decision = governed.allow(1);
    let deployed = Governed::deployment("deployed", Some(decision));
    let kind = "https://attestry.dev/deployment/v1";
    let stated = |name: Option<&str>, predicate: Value| {
        governed.log(&envelope("deployer", kind, artifact(1), name, predicate), "deployer");
        cause(&governed)
    };
    assert_eq!(stated(Some("pay/other"), deployed.clone()), Some(Cause::OtherName));
    let without = stated(None, deployed.clone());
    assert_eq!(without, Some(Cause::OtherName), "what has no name could hide what runs under one");
    let mut early = deployed;
    early["startedAt"] = json!(at(-3_600));
    assert_eq!(stated(Some("pay/api"), early.clone()), Some(Cause::UnknownDecision));
    early["startedAt"] = json!(at(-10));
    assert_eq!(stated(Some("pay/api"), early), None, "clocks differ a little");
}

#[test]
fn a_decision_allows_nothing_that_began_after_it_stood() {
    let governed = Governed::new();
    governed.sign(1);
    governed.scan(1, &["CVE-2026-1"]);
    let waiver =
        json!({"rule": "vuln-scan", "finding": "CVE-2026-1", "until": at(2), "reason": "x"});
    governed.state("lead", "https://attestry.dev/waiver/v1", artifact(1), waiver);
    let decided = governed.decide(1);
    assert!(decided.decision.passed());
    let end = decided.decision.until().unwrap();
    super::until("the end", || at(0) >= end);
    governed.deploy(1, decided.digest);
    assert_eq!(cause(&governed), Some(Cause::ExpiredDecision));
    let mut earlier = Governed::deployment("deployed", Some(decided.digest));
    earlier["startedAt"] = json!(decided.decision.question().now);
    governed.record("deployer", 1, earlier);
    assert_eq!(cause(&governed), None, "it began in time");
}

#[test]
fn what_a_decision_names_must_have_been_logged_before() {
    let governed = Governed::new();
    governed.sign(1);
    governed.scan(1, &[]);
    // The same request gives the same bytes within a second: the decision is known before it is logged.
    let other = Governed::new();
    let one = other.allow(1);
    governed.deploy(1, one);
    assert_eq!(cause(&governed), Some(Cause::UnknownDecision));
}

#[test]
fn what_runs_follows_the_statements_that_count() {
    let governed = Governed::new();
    let (one, two) = (governed.allow(1), governed.allow(2));
    let runs = || -> Vec<Sha256> {
        governed.status().iter().map(|status| status.deployment.subject).collect()
    };
    governed.deploy(1, one);
    governed.deploy(2, two);
    assert_eq!(runs(), [artifact(2)]);
    governed.record("ci", 1, Governed::deployment("deployed", Some(one)));
    governed.record("stranger", 2, Governed::deployment("decommissioned", None));
    assert_eq!(runs(), [artifact(2)], "who may not say it changes nothing");
    governed.record("deployer", 1, Governed::deployment("decommissioned", None));
    assert_eq!(runs(), [artifact(2)], "what does not run cannot leave");
    governed.record("deployer", 1, Governed::deployment("rolled-back", Some(one)));
    assert_eq!(runs(), [artifact(1)]);
    let since = governed.status()[0].deployment.since;
    let mut again = Governed::deployment("deployed", Some(one));
    again["replaces"] = json!({"sha256": artifact(1).hex()});
    governed.record("deployer", 1, again);
    assert_eq!(governed.status()[0].deployment.since, since, "it was not interrupted");
    governed.record("deployer", 3, Governed::deployment("deployed", None));
    assert_eq!(runs(), [artifact(3)], "it runs, allowed or not");
    governed.record("deployer", 3, Governed::deployment("decommissioned", None));
    assert_eq!(runs(), []);
    let (all, truncated) = governed.running.gate.status(Some(ENVIRONMENT), true).unwrap();
    assert_eq!((all.len(), truncated), (9, false));
    assert!(all.iter().all(|status| !status.running));
    let numbers = governed.numbers();
    assert_eq!((numbers.rollbacks.deployments, numbers.rollbacks.rollbacks), (4, 1));
    assert_eq!(numbers.rollbacks.ratio, Some(0.25));
    assert_eq!(numbers.coverage.ratio, None, "nothing runs");
}

/// Revokes a signer for compromise an hour ago.
fn revoke(governed: &Governed, name: &str) -> Receipt {
    let revocation = json!({
        "signer": {"fingerprint": key(name).public_key().fingerprint()},
        "reason": "compromised",
        "effectiveAt": at(-3_600),
    });
    governed.state("root", "https://attestry.dev/revocation/v1", artifact(0), revocation)
}

#[test]
fn what_is_said_to_have_left_by_one_who_no_longer_counts_still_runs() {
    let governed = Governed::ago(RULES, 7_200);
    governed.deploy(1, governed.allow(1));
    let governed = governed.restarted();
    governed.record("deployer", 1, Governed::deployment("decommissioned", None));
    assert!(governed.status().is_empty());
    revoke(&governed, "deployer");
    let [status] = governed.status().try_into().unwrap();
    assert!(status.running && status.deployment.cause().is_none());
}

#[test]
fn what_a_signer_brought_that_no_longer_counts_runs_and_is_flagged() {
    let governed = Governed::new();
    let deployed = governed.deploy(1, governed.allow(1)).digest;
    super::until("assessed", || governed.numbers().evidence_age_s.p50.is_some());
    let covered = |governed: &Governed| {
        let coverage = governed.numbers().coverage;
        (coverage.running, coverage.verified)
    };
    assert_eq!(covered(&governed), (1, 1));
    let revoked = revoke(&governed, "deployer").digest;
    super::until("flagged", || governed.verdict(deployed, 1) == Some(false));
    assert_eq!(super::because(&governed, deployed), Some(revoked));
    let [status] = governed.status().try_into().unwrap();
    assert!(status.running && !status.compliant);
    assert_eq!(status.deployment.cause(), Some(Cause::OtherSigner));
    assert_eq!(covered(&governed), (1, 0));
    // Counted from the revocation to the flag, and not as if it had been flagged when it was deployed.
    let detect = governed.numbers().time_to_detect;
    assert_eq!(detect.count, 1, "{detect:?}");
    assert!(detect.from_evidence_s.max.is_some(), "{detect:?}");
    let governed = governed.restarted();
    assert_eq!(covered(&governed), (1, 0));
}

#[test]
fn what_ran_out_for_what_nothing_allowed_is_blamed_on_nobody() {
    let governed = Governed::ago(RULES, 7_200);
    governed.sign(1);
    governed.scan(1, &["CVE-2026-1"]);
    let waiver =
        json!({"rule": "vuln-scan", "finding": "CVE-2026-1", "until": at(-3_600), "reason": "x"});
    governed.state("lead", "https://attestry.dev/waiver/v1", artifact(1), waiver);
    let deployed = governed.record("deployer", 1, Governed::deployment("deployed", None)).digest;
    super::until("assessed", || governed.numbers().evidence_age_s.p50.is_some());
    let governed = governed.restarted();
    super::until("flagged", || governed.verdict(deployed, 1) == Some(false));
    assert_eq!(super::because(&governed, deployed), None);
    assert!(governed.numbers().time_to_detect.from_expiry_s.max.is_some());
}

#[test]
fn a_flag_stays_counted_when_its_signer_no_longer_counts() {
    let governed = Governed::new();
    governed.sign(1);
    let deployed = governed.record("deployer", 1, Governed::deployment("deployed", None)).digest;
    super::until("flagged", || governed.verdict(deployed, 1) == Some(false));
    let before = governed.numbers().time_to_detect;
    assert_eq!(before.count, 1, "{before:?}");
    revoke(&governed, "deployer");
    let after = governed.numbers().time_to_detect;
    assert_eq!((after.count, after.from_deployment_s), (1, before.from_deployment_s));
}

#[test]
fn what_is_unauthorized_is_told_as_it_was_when_it_came() {
    let governed = Governed::new();
    let deployed = governed.deploy(1, governed.allow(1)).proven.index;
    let gate = &governed.running.gate;
    assert_eq!(gate.events_of(deployed).unwrap(), []);
    revoke(&governed, "deployer");
    assert_eq!(gate.events_of(deployed).unwrap(), [], "it was authorized then");
}

#[test]
fn an_unauthorized_deployment_that_was_logged_by_its_digest_first_raises_its_event() {
    let governed = Governed::new();
    let type_ = "https://attestry.dev/deployment/v1";
    let predicate = Governed::deployment("deployed", None);
    let envelope = envelope("deployer", type_, artifact(1), Some(NAME), predicate);
    governed.submit(crate::testing::entry(&envelope, &key("deployer")));
    governed.sign(7);
    assert_eq!(governed.status(), []);
    governed.log(&envelope, "deployer");
    super::until("told", || {
        let text = String::from_utf8(governed.running.metrics.render()).unwrap();
        text.contains("attestry_events_total{event=\"unauthorized-deployment\"} 1")
    });
}

#[test]
fn an_age_that_nothing_has_any_more_is_not_shown() {
    let governed = Governed::new();
    let shows = |governed: &Governed| {
        let text = String::from_utf8(governed.running.metrics.render()).unwrap();
        text.contains("attestry_evidence_age_seconds{")
    };
    governed.deploy(1, governed.allow(1));
    super::until("shown", || shows(&governed));
    governed.record("deployer", 1, Governed::deployment("decommissioned", None));
    super::until("gone", || {
        governed.scan(2, &[]);
        !shows(&governed)
    });
}

#[test]
fn what_was_flagged_long_ago_is_flagged_once() {
    let governed = Governed::new();
    let deployed = governed.deploy(1, governed.allow(1)).digest;
    governed.scan(1, &["CVE-2026-1"]);
    super::until("flagged", || governed.verdict(deployed, 1) == Some(false));
    for n in 100..=100 + MAX_DECISIONS as u64 {
        assert!(!governed.decide(n).decision.passed());
    }
    let size = governed.size();
    let governed = governed.restarted();
    super::until("assessed", || governed.numbers().evidence_age_s.p50.is_some());
    assert_eq!(governed.verdict(deployed, 1), Some(false));
    assert_eq!(governed.size(), size, "no verdict was recorded again");
}
