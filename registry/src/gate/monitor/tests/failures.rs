//! Whatever keeps the gate from a verdict is a denial, signed and in the log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use attestry_schemas::gate::Failure;

use super::governed::{ENVIRONMENT, Governed, NAME, RULES, artifact};
use crate::clock::Clock;
use crate::config::Settings;
use crate::gate::bounded::Obstacle;
use crate::gate::{Decided, GateError, Request};
use crate::store::engine::{Batch, Family};
use crate::store::key;

fn request(n: u64) -> Request {
    Request {
        subject: artifact(n),
        name: Some(NAME.to_owned()),
        environment: ENVIRONMENT.to_owned(),
        caller: Some("token:deploy".to_owned()),
        configuration: None,
    }
}

/// Demands a denial with a cause, as the log has it, counted.
#[track_caller]
fn denied(governed: &Governed, decided: &Decided, cause: Failure, words: &str) {
    assert!(!decided.decision.passed());
    let gate = &governed.running.gate;
    let reader = governed.running.store.reader();
    let logged = gate.shelf.evidence(&reader, decided.index).unwrap().unwrap();
    assert_eq!(logged.digest(), decided.digest);
    let refused = logged.details().unwrap().refused.clone().unwrap();
    assert_eq!(refused.cause, Some(cause), "{refused:?}");
    assert!(refused.why.contains(words), "{refused:?}");
    let text = String::from_utf8(governed.running.metrics.render()).unwrap();
    let counted = format!(
        "attestry_decision_failures_total{{cause=\"{}\",recorded=\"true\"}} 1",
        cause.name()
    );
    assert!(text.contains(&counted), "{text}");
}

#[test]
fn a_verdict_that_is_not_there_in_time_is_a_denial_in_the_log() {
    let settings = Settings { decision_timeout_ms: Some(1_000), ..Settings::default() };
    let governed = Governed::set(RULES, Clock::system(), settings);
    governed.allow(1);
    governed.scan(1, &[]);
    let going_on = Arc::new(());
    let gate = &governed.running.gate;
    gate.evaluations.obstruct(Some(Obstacle::Endless(Arc::downgrade(&going_on))));
    let started = Instant::now();
    let late = governed.decide(1);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    denied(&governed, &late, Failure::Timeout, "within 1000 ms");
    assert!(!gate.assess(&request(1)).passed(), "a dry run is denied, too");
    // What it would have found is thrown away, and the next who asks is decided about.
    gate.evaluations.obstruct(None);
    drop(going_on);
    let next = governed.decide(1);
    assert!(next.decision.passed(), "{:?}", next.decision.details());
    assert!(next.index > late.index);
}

#[test]
fn a_panic_is_a_denial_in_the_log() {
    let governed = Governed::new();
    let gate = &governed.running.gate;
    gate.evaluations.obstruct(Some(Obstacle::Panic));
    let decided = governed.decide(1);
    denied(&governed, &decided, Failure::Panic, "a panic");
    gate.evaluations.obstruct(None);
    assert!(governed.decide(1).decision.is_judged(), "the next who asks is decided about");
}

#[test]
fn evidence_that_cannot_be_read_is_a_denial_in_the_log() {
    let governed = Governed::new();
    governed.sign(1);
    let scan = governed.scan(1, &[]).proven.index;
    let governed = governed.restarted();
    let mut batch = Batch::default();
    batch.remove(Family::Statements, key::sequence(scan));
    governed.running.store.commit(batch).unwrap();
    let decided = governed.decide(1);
    denied(&governed, &decided, Failure::Error, &format!("record {scan}"));
    // It is asked anew each time: what is broken may be mended.
    assert!(governed.decide(1).index > decided.index);
}

#[test]
fn without_a_log_there_is_no_decision_and_that_is_no_permission() {
    let governed = Governed::new();
    let gate = &governed.running.gate;
    gate.evaluations.obstruct(Some(Obstacle::Panic));
    governed.running.log.stop();
    let error = gate.decide(&request(1)).unwrap_err();
    assert!(matches!(error, GateError::Submit(_)), "{error}");
    let text = String::from_utf8(governed.running.metrics.render()).unwrap();
    assert!(text.contains("cause=\"panic\",recorded=\"false\"} 1"), "{text}");
}

#[test]
fn who_asks_does_not_wait_for_ever_for_a_log_that_hangs() {
    let settings = Settings { decision_timeout_ms: Some(500), ..Settings::default() };
    let governed = Governed::set(RULES, Clock::system(), settings);
    governed.sign(1);
    governed.scan(1, &[]);
    let (release, held) = std::sync::mpsc::channel::<()>();
    let hanging = governed.running.log.change(move |_| {
        let _ = held.recv();
        Ok::<_, std::convert::Infallible>((crate::log::Prepared::default(), ()))
    });
    let error = governed.running.gate.decide(&request(1)).unwrap_err();
    assert!(
        matches!(error, GateError::Submit(crate::log::SubmitError::Late { limit_ms: 500 })),
        "{error}"
    );
    release.send(()).unwrap();
    assert!(hanging.is_ok_and(|pending| pending.made_blocking().is_ok()));
    assert!(governed.decide(1).decision.passed(), "and it is asked anew");
}

#[test]
fn what_runs_and_cannot_be_assessed_is_assessed_again_and_keeps_no_other_from_it() {
    let settings = Settings { decision_timeout_ms: Some(1_000), ..Settings::default() };
    let governed = Governed::set(RULES, Clock::system(), settings);
    let deployed = governed.deploy(1, governed.allow(1)).digest;
    let gate = &governed.running.gate;
    super::until("assessed", || governed.numbers().evidence_age_s.p50.is_some());
    let going_on = Arc::new(());
    gate.assessments.obstruct(Some(Obstacle::Endless(Arc::downgrade(&going_on))));
    governed.scan(1, &["CVE-2026-1"]);
    assert!(governed.decide(2).index > 0, "what watches takes no place of what decides");
    assert_eq!(governed.verdict(deployed, 1), None);
    gate.assessments.obstruct(None);
    drop(going_on);
    super::until("flagged", || governed.verdict(deployed, 1) == Some(false));
}
