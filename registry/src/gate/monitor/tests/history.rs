//! Of the statements about an environment those are read that can concern the artifact, and the verdict is that over all of them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};

use attestry_schemas::digest::{Digest, Sha256};
use attestry_schemas::gate::Decision;
use serde_json::json;

use super::governed::{self, ENVIRONMENT, EXPIRES, Governed, artifact, at, key};
use crate::clock::Clock;
use crate::config::Settings;
use crate::gate::Request;
use crate::gate::gather::Gathered;
use crate::store::key::{Term, TermKind};
use crate::store::query::Search;
use crate::testing;

const NAMES: [&str; 3] = ["pay/api", "pay/web", "pay/api-next"];
const ARTIFACTS: u64 = 6;
const DEPLOYMENT: &str = "https://attestry.dev/deployment/v1";
const RULES: &str = "[[rule]]\ntype = \"no-rollback\"\n";

fn request(n: u64, name: Option<&str>) -> Request {
    Request {
        subject: artifact(n),
        name: name.map(str::to_owned),
        environment: ENVIRONMENT.to_owned(),
        caller: None,
        configuration: None,
    }
}

/// The verdict over what is gathered and the one over the whole log, and which sequences were gathered.
fn verdicts(governed: &Governed, request: &Request, size: u64) -> (Decision, Decision, Vec<u64>) {
    let gate = &governed.running.gate;
    let reader = governed.running.store.reader();
    let ruling = gate.ruling(&reader).unwrap();
    let question = gate.question(request, at(0), size);
    let gathered = gate.gather(&reader, &question, &ruling).unwrap();
    let all: Vec<_> =
        (0..size).filter_map(|one| gate.shelf.evidence(&reader, one).unwrap()).collect();
    let narrow = gate.evaluate(&question, &ruling, &gathered, &reader);
    let all = Gathered { evidence: all, ..Gathered::default() };
    let wide = gate.evaluate(&question, &ruling, &all, &reader);
    (narrow, wide, gathered.sequences)
}

/// Compares for every artifact under every name; tells how many passed and how many did not.
fn compare(governed: &Governed, size: u64) -> (usize, usize) {
    let (mut passed, mut failed) = (0, 0);
    for n in 0..ARTIFACTS {
        for name in NAMES.iter().map(|name| Some(*name)).chain([None]) {
            let (narrow, wide, _) = verdicts(governed, &request(n, name), size);
            assert_eq!(narrow.policies(), wide.policies(), "artifact {n} as {name:?} at {size}");
            if narrow.passed() { passed += 1 } else { failed += 1 }
        }
    }
    (passed, failed)
}

fn deployment(kind: &str, environment: &str, replaces: Option<u64>) -> serde_json::Value {
    let mut says = Governed::deployment(kind, None);
    says["environment"] = json!(environment);
    if let Some(replaced) = replaces {
        says["replaces"] = json!({"sha256": artifact(replaced).hex()});
    }
    says
}

/// Each is built a minute after the one before, an hour before the moment.
fn provenance(governed: &Governed, n: u64, moment: i64) {
    let says = json!({
        "buildDefinition": {"buildType": "https://example.org/build", "externalParameters": {}},
        "runDetails": {
            "builder": {"id": "https://example.org/builder"},
            "metadata": {"finishedOn": at(moment + n.cast_signed() * 60 - 3600)},
        },
    });
    let type_ = "https://slsa.dev/provenance/v1";
    let name = NAMES[usize::try_from(n).unwrap() % NAMES.len()];
    governed.log(&governed::envelope("ci", type_, artifact(n), Some(name), says), "ci");
}

/// Numbers below a bound, which look as if chance gave them.
fn numbers(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |below| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

#[test]
fn what_runs_is_told_by_the_newest_statements_whatever_moments_they_claim() {
    const AGO: i64 = -100_000;
    let began = at(AGO).timestamp().as_millisecond();
    let clock: &'static AtomicI64 = Box::leak(Box::new(AtomicI64::new(began)));
    let governed = Governed::set(RULES, Clock::set_by(clock), Settings::default());
    (0..ARTIFACTS).for_each(|n| provenance(&governed, n, AGO));
    let (mut next, mut outcomes) = (numbers(11), BTreeSet::new());
    for step in 0..150 {
        let seconds = i64::try_from(next(40)).unwrap();
        let now = clock.fetch_add(seconds * 1_000, Ordering::SeqCst) / 1_000 + seconds;
        let kind = ["deployed", "deployed", "rolled-back", "decommissioned"][next(4) as usize];
        let replaces = (next(4) == 0).then(|| next(ARTIFACTS));
        let mut says = deployment(kind, ENVIRONMENT, replaces);
        let late = if next(3) == 0 { i64::try_from(next(2_000)).unwrap() } else { 0 };
        let claimed = jiff::Timestamp::from_second(now - late).unwrap();
        says["startedAt"] = json!(claimed.to_string());
        says["finishedAt"] = json!(claimed.to_string());
        let (n, name) = (next(ARTIFACTS), NAMES[next(3) as usize]);
        let by = if next(5) == 0 { "stranger" } else { "deployer" };
        let signed = governed::envelope(by, DEPLOYMENT, artifact(n), Some(name), says);
        governed.log(&signed, by);
        if step % 5 == 4 {
            outcomes.insert(compare(&governed, governed.size()));
        }
    }
    assert!(outcomes.iter().any(|(passed, failed)| *passed > 0 && *failed > 0), "{outcomes:?}");
    let (_, _, last) = verdicts(&governed, &request(1, Some(NAMES[0])), governed.size());
    assert!(last.len() < 100, "of 150 statements {} were read", last.len());
    for size in [governed.size() / 3, governed.size() / 2, governed.size() - 1] {
        compare(&governed, size);
    }
}

#[test]
fn the_verdict_over_what_is_gathered_is_the_verdict_over_the_whole_log() {
    let governed = Governed::with(RULES, None);
    (0..ARTIFACTS).for_each(|n| provenance(&governed, n, 0));
    let mut outcomes = BTreeSet::new();
    let mut late = Vec::new();
    let mut next = numbers(7);
    for step in 0..60 {
        let kind = ["deployed", "deployed", "rolled-back", "decommissioned"][next(4) as usize];
        let environment = if next(5) == 0 { "staging" } else { ENVIRONMENT };
        let replaces = (next(3) == 0).then(|| next(ARTIFACTS));
        let says = deployment(kind, environment, replaces);
        let n = next(ARTIFACTS);
        // Mostly by its own name.
        let name = if next(4) == 0 { next(3) } else { n % 3 };
        let name = NAMES[name as usize];
        let signed = governed::envelope("deployer", DEPLOYMENT, artifact(n), Some(name), says);
        if next(6) == 0 {
            // Its leaf comes first, and what it says later.
            governed.submit(testing::entry(&signed, &key("deployer")));
            late.push(signed);
        } else {
            governed.log(&signed, "deployer");
        }
        if step % 10 == 9 {
            outcomes.insert(compare(&governed, governed.size()));
        }
    }
    let sizes = [governed.size() / 4, governed.size() / 2, governed.size()];
    let gathered = |governed: &Governed| {
        let at = |size: &u64| verdicts(governed, &request(1, Some(NAMES[0])), *size).2;
        sizes.iter().map(at).collect::<Vec<_>>()
    };
    let before = gathered(&governed);
    for signed in &late {
        governed.log(signed, "deployer");
    }
    assert!(outcomes.iter().any(|(passed, failed)| *passed > 0 && *failed > 0), "{outcomes:?}");
    // As it was at an earlier size, and the same after a restart.
    sizes.iter().for_each(|size| {
        compare(&governed, *size);
    });
    let known = gathered(&governed);
    assert_ne!(known, before, "what came late is read");
    assert_eq!(gathered(&governed.restarted()), known);
}

#[test]
fn what_was_deployed_under_another_name_is_not_read() {
    let governed = Governed::with(RULES, None);
    (0..3).for_each(|n| provenance(&governed, n, 0));
    let record = |n: u64, name: &str, environment: &str, replaces: Option<u64>| {
        let says = deployment("deployed", environment, replaces);
        let signed = governed::envelope("deployer", DEPLOYMENT, artifact(n), Some(name), says);
        governed.log(&signed, "deployer").proven.index
    };
    let mine = record(0, "pay/api", ENVIRONMENT, None);
    let others: Vec<u64> = (10..30).map(|n| record(n, "pay/web", ENVIRONMENT, None)).collect();
    let staging = record(0, "pay/other", "staging", None);
    let replacing = record(40, "pay/new", ENVIRONMENT, Some(0));
    let (decision, _, gathered) =
        verdicts(&governed, &request(3, Some("pay/api")), governed.size());
    assert!(decision.passed(), "what ran by that name was replaced");
    assert!(gathered.contains(&mine) && gathered.contains(&replacing), "{gathered:?}");
    assert!(!gathered.contains(&staging), "{gathered:?}");
    assert!(others.iter().all(|other| !gathered.contains(other)), "{gathered:?}");
}

#[test]
fn what_one_scanner_found_is_not_hidden_by_any_number_of_newer_checks_of_others() {
    let governed = Governed::with(
        "[[rule]]\ntype = \"readiness\"\nblock = \"high\"\nmax_age = \"30d\"\n",
        None,
    );
    let configuration = Sha256::of(b"configuration");
    let check = |scanner: &str, status: &str| {
        let predicate = json!({
            "environment": ENVIRONMENT,
            "checks": [{"id": "K1", "status": status, "severity": "high", "category": "network"}],
            "configuration": {"sha256": configuration.hex()},
            "scannedAt": at(0),
            "scanner": {"uri": scanner, "version": governed.size().to_string()},
            "report": {"name": "r.json", "digest": {"sha256": configuration.hex()}},
        });
        governed.state("scanner", "https://attestry.dev/readiness/v1", configuration, predicate);
    };
    governed.sign(1);
    check("pkg:generic/one", "fail");
    (0..1_001).for_each(|_| check("pkg:generic/other", "pass"));
    assert!(!governed.decide(1).decision.passed());
    check("pkg:generic/one", "pass");
    assert!(governed.decide(1).decision.passed());
}

#[test]
fn however_often_something_was_deployed_again_what_is_newer_may_enter() {
    let governed = Governed::with(RULES, None);
    (0..3).for_each(|n| provenance(&governed, n, 0));
    for _ in 0..1_050 {
        let mut says = deployment("deployed", ENVIRONMENT, None);
        says["startedAt"] = json!(at(-i64::try_from(governed.size()).unwrap()));
        let signed = governed::envelope("deployer", DEPLOYMENT, artifact(1), Some("pay/api"), says);
        governed.log(&signed, "deployer");
    }
    let passes =
        |n: u64| verdicts(&governed, &request(n, Some("pay/api")), governed.size()).0.passed();
    assert!(passes(2) && !passes(0));
    // Nor by statements of what leaves, and is not what runs.
    for n in 0..60 {
        let says = deployment("decommissioned", ENVIRONMENT, None);
        let other = artifact(1_000 + n);
        let signed = governed::envelope("deployer", DEPLOYMENT, other, Some("pay/api"), says);
        governed.log(&signed, "deployer");
    }
    assert!(passes(2) && !passes(0));
}

#[test]
fn the_gates_own_decisions_are_left_out_of_what_is_about_an_artifact() {
    let governed = Governed::new();
    for n in 0..5 {
        governed.sign(1);
        governed.scan(1, &[]);
        let _ = governed.decide_for(1, if n % 2 == 0 { "production" } else { "staging" });
    }
    let reader = governed.running.store.reader();
    let about = Term::new(TermKind::Subject, Digest::from(artifact(1)).to_string());
    let gate = governed.running.log.identity().key.fingerprint().to_string();
    let own =
        [about.clone(), Term::new(TermKind::TypeName, "vsa"), Term::new(TermKind::Signer, gate)];
    let mut search = Search::of(&reader);
    let decisions = search.sequences_with(&own, u64::MAX, 100).unwrap();
    assert!(decisions.len() >= 5, "{decisions:?}");
    let mut expected = search.sequences_with(std::slice::from_ref(&about), u64::MAX, 100).unwrap();
    expected.retain(|sequence| !decisions.contains(sequence));
    let about = [about];
    assert_eq!(search.without(&about, &own, u64::MAX, 100).unwrap(), expected);
    assert_eq!(search.without(&about, &own, u64::MAX, 2).unwrap(), expected[..2]);
    assert_eq!(search.without(&about, &own, expected[1], 100).unwrap(), expected[2..]);
}

#[test]
fn nothing_is_gathered_for_the_policy_of_other_artifacts() {
    let governed = Governed::new();
    governed.allow(1);
    let text = format!(
        "schema = \"policy/v1\"\nname = \"shop\"\nversion = 1\nexpires = {EXPIRES}\nmode = \"enforce\"\n[match]\nartifacts = [\"shop/**\"]\nenvironments = [\"{ENVIRONMENT}\"]\n[[rule]]\ntype = \"readiness\"\n"
    );
    let digest = governed.content(&text);
    let policy = json!({"name": "shop", "version": 1, "digest": {"sha256": digest.hex()}, "expires": EXPIRES});
    governed.state("lead", "https://attestry.dev/policy/v1", digest, policy);
    let ready = json!({
        "environment": ENVIRONMENT,
        "checks": [],
        "configuration": {"sha256": artifact(9).hex()},
        "scannedAt": at(0),
        "scanner": {"uri": "pkg:generic/scanner@1", "version": "1"},
        "report": {"name": "r.json", "digest": {"sha256": artifact(8).hex()}},
    });
    let type_ = "https://attestry.dev/readiness/v1";
    let ready = governed.state("scanner", type_, artifact(9), ready).proven.index;
    let gathered = |name: &str| verdicts(&governed, &request(1, Some(name)), governed.size()).2;
    assert!(gathered("shop/api").contains(&ready));
    assert!(!gathered("pay/api").contains(&ready));
}
