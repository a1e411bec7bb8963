//! What the passing of time alone changes, measured from when time ran out.

use std::sync::atomic::{AtomicI64, Ordering};

use attestry_schemas::digest::Sha256;
use attestry_schemas::gate::Purpose;
use attestry_schemas::gate::authorized::Cause;
use attestry_schemas::predicate::UtcTime;
use serde_json::json;

use super::governed::{Governed, RULES, artifact, at};
use crate::clock::Clock;
use crate::config::Settings;

/// An artifact with a finding that is waived until a moment, deployed; the digest of its deployment.
fn waived(governed: &Governed, until: UtcTime) -> Sha256 {
    governed.sign(1);
    governed.scan(1, &["CVE-2026-1"]);
    let waiver =
        json!({"rule": "vuln-scan", "finding": "CVE-2026-1", "until": until, "reason": "x"});
    governed.state("lead", "https://attestry.dev/waiver/v1", artifact(1), waiver);
    let decided = governed.decide(1);
    assert!(decided.decision.passed(), "{:#?}", decided.decision.policies());
    governed.deploy(1, decided.digest).digest
}

#[test]
fn what_ran_out_is_flagged_from_that_moment_and_not_from_some_old_evidence() {
    let governed = Governed::ago(RULES, 7_200);
    let end = at(-3_600);
    let deployed = waived(&governed, end);
    // Newer than the decision, and no reason for anything.
    governed.publish_policy(2, RULES);
    governed.scan(1, &["CVE-2026-1"]);
    super::until("assessed", || governed.numbers().evidence_age_s.p50.is_some());
    assert_eq!(governed.verdict(deployed, 1), None);
    let governed = governed.restarted();
    super::until("flagged", || governed.verdict(deployed, 1) == Some(false));
    let detect = governed.numbers().time_to_detect;
    assert_eq!(detect.from_evidence_s.max, None, "no evidence raised it: {detect:?}");
    let from_expiry = detect.from_expiry_s.max.unwrap();
    assert!((3_599.0..3_700.0).contains(&from_expiry), "{detect:?}");
    let reader = governed.running.store.reader();
    let index = governed.size() - 1;
    let digest = reader.record(index).unwrap().unwrap().digest;
    let replayed = governed.running.gate.replay(&reader, &digest).unwrap().unwrap();
    assert!(replayed.same);
    let Purpose::Run(run) = &replayed.decision.question().purpose else { panic!("{replayed:?}") };
    assert_eq!((run.because, run.since), (None, Some(end)));
    let [event] = governed.running.gate.events_of(index).unwrap().try_into().unwrap();
    assert_eq!(event.since, Some(end.to_string()));
}

#[test]
fn what_evidence_changed_after_time_ran_out_is_measured_from_the_evidence() {
    let governed = Governed::ago(RULES, 7_200);
    let deployed = waived(&governed, at(-3_600));
    super::until("assessed", || governed.numbers().evidence_age_s.p50.is_some());
    let worse = governed.scan(1, &["CVE-2026-1", "CVE-2026-2"]).digest;
    super::until("flagged", || governed.verdict(deployed, 1) == Some(false));
    assert_eq!(super::because(&governed, deployed), Some(worse));
    let detect = governed.numbers().time_to_detect;
    assert!(detect.from_evidence_s.max.is_some() && detect.from_expiry_s.max.is_none());
}

#[test]
fn a_record_that_comes_long_after_its_decision_ended_is_not_believed() {
    for (end, cause) in [(-3_700, Some(Cause::LateRecord)), (-1_800, None)] {
        let governed = Governed::ago(RULES, 7_200);
        governed.sign(1);
        governed.scan(1, &["CVE-2026-1"]);
        let waiver =
            json!({"rule": "vuln-scan", "finding": "CVE-2026-1", "until": at(end), "reason": "x"});
        governed.state("lead", "https://attestry.dev/waiver/v1", artifact(1), waiver);
        let decided = governed.decide(1);
        assert!(decided.decision.passed());
        let governed = governed.restarted();
        let mut claims = Governed::deployment("deployed", Some(decided.digest));
        claims["startedAt"] = json!(decided.decision.question().now);
        governed.record("deployer", 1, claims);
        let [status] = governed.status().try_into().unwrap();
        assert_eq!(status.deployment.cause(), cause, "the decision ended {end} s ago");
    }
}

#[test]
fn what_the_log_holds_counts_though_the_clock_went_back() {
    let clock: &'static AtomicI64 =
        Box::leak(Box::new(AtomicI64::new(at(0).timestamp().as_millisecond())));
    let governed = Governed::set(RULES, Clock::set_by(clock), Settings::default());
    let deployed = governed.deploy(1, governed.allow(1)).digest;
    super::until("assessed", || governed.numbers().evidence_age_s.p50.is_some());
    clock.fetch_sub(60_000, Ordering::SeqCst);
    governed.scan(1, &["CVE-2026-1"]);
    let decided = governed.decide(1);
    assert!(!decided.decision.passed(), "{:#?}", decided.decision.policies());
    super::until("flagged", || governed.verdict(deployed, 1) == Some(false));
    clock.fetch_add(120_000, Ordering::SeqCst);
    assert!(!governed.decide(1).decision.passed());
}

#[test]
fn what_could_not_be_judged_is_judged_again_before_long() {
    let governed = Governed::new();
    governed.deploy(1, governed.allow(1));
    let layout = Sha256::of(b"not stored yet");
    let rules = format!(
        "[[rule]]\ntype = \"signature\"\n[[rule]]\ntype = \"layout\"\ndocument = \"{layout}\"\nowners = [\"lead\"]\n"
    );
    governed.publish_policy(2, &rules);
    let deployment = governed.status()[0].deployment.clone();
    let now = at(0);
    let assessed = governed.running.gate.assess_running(&deployment, None, now).unwrap();
    assert!(!assessed.standing.compliant);
    let until = assessed.standing.until.unwrap();
    assert!(until <= at(60), "{until}");
}
