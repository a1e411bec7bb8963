use std::time::Instant;

use attestry_schemas::digest::Sha256;
use attestry_schemas::dsse::{Envelope, PAYLOAD_TYPE};
use attestry_schemas::gate::Purpose;
use attestry_schemas::statement::{ResourceDescriptor, Statement};
use serde_json::json;

use super::*;
use crate::gate::Request;

mod deployments;
mod emergencies;
mod failures;
mod governed;
mod history;
mod kept;
mod times;
mod unread;
mod webhook;
mod what_if;

use governed::{ENVIRONMENT, Governed, NAME, RULES, artifact, at, until};

/// The digest of what the newest verdict about a deployment says changed it.
fn because(governed: &Governed, deployment: Sha256) -> Option<Sha256> {
    let gate = &governed.running.gate;
    let newest = {
        let ledger = gate.ledger().unwrap();
        let is = |one: &&crate::gate::decisions::Decided| {
            one.run.as_ref().is_some_and(|run| run.brought.statement == deployment)
        };
        ledger.counted.decisions.all().filter(is).last().unwrap().index
    };
    let reader = governed.running.store.reader();
    let digest = reader.record(newest).unwrap().unwrap().digest;
    let replayed = gate.replay(&reader, &digest).unwrap().unwrap();
    assert!(replayed.same, "a verdict about what runs can be made again");
    match &replayed.decision.question().purpose {
        Purpose::Run(run) => run.because,
        Purpose::Deploy => panic!("a verdict about what runs lets nothing enter"),
    }
}

#[test]
fn a_new_scan_flips_what_runs_and_a_better_one_flips_it_back() {
    let governed = Governed::new();
    let deployed = governed.deploy(1, governed.allow(1)).digest;
    let [status] = governed.status().try_into().unwrap();
    assert!(status.compliant && status.deployment.cause().is_none(), "{status:?}");
    assert_eq!(governed.verdict(deployed, 1), None, "nothing is recorded of what is as allowed");
    let started = Instant::now();
    let scan = governed.scan(1, &["CVE-2026-1"]).digest;
    until("flagged", || governed.verdict(deployed, 1) == Some(false));
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(because(&governed, deployed), Some(scan));
    until("shown", || !governed.status()[0].compliant);
    let reasons = governed.status()[0].reasons.clone();
    assert!(reasons[0].contains("production@1: vuln-scan") && reasons[0].contains("CVE-2026-1"));
    let numbers = governed.numbers();
    assert_eq!((numbers.coverage.running, numbers.coverage.verified), (1, 0));
    assert_eq!(numbers.time_to_detect.count, 1);
    assert!(numbers.time_to_detect.from_evidence_s.max.unwrap() < 1.0, "{numbers:?}");
    assert_eq!(numbers.denials.total, 0, "nobody was denied");
    let better = governed.scan(1, &[]).digest;
    until("compliant again", || governed.verdict(deployed, 1) == Some(true));
    assert_eq!(because(&governed, deployed), Some(better));
    until("shown", || governed.status()[0].compliant);
    let text = String::from_utf8(governed.running.metrics.render()).unwrap();
    assert!(text.contains("attestry_events_total{event=\"non-compliant\"} 1"), "{text}");
}

#[test]
fn a_pack_tells_of_a_signer_who_has_left_the_roster_what_the_registry_tells() {
    let governed = Governed::with("[[rule]]\ntype = \"vuln-scan\"\nblock = \"high\"\n", None);
    governed.sign(1);
    governed.scan(1, &[]);
    let roster = governed.roster_text(2);
    let entries = roster.split("[[signer]]").filter(|entry| !entry.contains("\"scanner\""));
    let digest = governed.content(&entries.collect::<Vec<_>>().join("[[signer]]"));
    let document = json!({"sha256": digest.hex()});
    let predicate = json!({"version": 2, "digest": document, "expires": "2099-01-01T00:00:00Z"});
    governed.state("root", "https://attestry.dev/roster/v1", digest, predicate);
    let online = governed.decide(1).decision;
    let rules = online.policies().iter().flat_map(|policy| &policy.rules);
    let found: Vec<&String> = rules.map(|answer| &answer.found).collect();
    assert!(found.iter().any(|found| found.contains("is not in the roster")), "{found:?}");
    let request = Request {
        subject: artifact(1),
        name: online.question().name.clone(),
        environment: ENVIRONMENT.to_owned(),
        caller: None,
        configuration: None,
    };
    let reader = governed.running.store.reader();
    let pack = governed.running.gate.pack(&reader, &request).unwrap();
    let opened = pack.open(&governed.trusted_root()).unwrap();
    assert_eq!(opened.left_out, []);
    let offline = attestry_schemas::gate::decide(
        online.question(),
        opened.governance.trust.as_deref(),
        &opened.governance.ruling(),
        &opened.evidence,
        &|digest| opened.document(digest),
    );
    assert_eq!(offline.statement(), online.statement());
}

#[test]
fn what_has_news_is_assessed_first() {
    let governed = Governed::new();
    for (n, environment) in [(1, "a"), (2, "b"), (3, "c")] {
        let mut deployed = Governed::deployment("deployed", None);
        deployed["environment"] = json!(environment);
        governed.record("deployer", n, deployed);
    }
    let gate = &governed.running.gate;
    until("all assessed", || {
        let ledger = gate.ledger().unwrap();
        let mut running = ledger.counted.deployments.running();
        running.by_ref().all(|(place, one)| ledger.standing(place, one).is_some())
    });
    let mut ledger = gate.ledger().unwrap();
    let place = |environment: &str| {
        let of = |(place, _): &(&Place, &Deployment)| place.environment == environment;
        ledger.counted.deployments.running().find(of).unwrap().0.clone()
    };
    let (first, last) = (place("a"), place("c"));
    let due = |ledger: &mut crate::gate::ledger::Ledger| {
        let due = ledger.take_due(gate.now());
        due.into_iter().map(|one| (one.place.clone(), one)).collect::<Vec<_>>()
    };
    due(&mut ledger);
    ledger.stale_all();
    ledger.touch(last.clone());
    let all = due(&mut ledger);
    assert_eq!(
        all.iter().map(|(place, _)| &place.environment).collect::<Vec<_>>(),
        ["c", "a", "b"]
    );
    assert!(due(&mut ledger).is_empty(), "it was taken");
    // What is put back keeps its turn.
    all.into_iter().take(2).for_each(|(_, one)| ledger.put_back(one));
    let again: Vec<_> =
        due(&mut ledger).into_iter().map(|(place, one)| (place, one.has_news)).collect();
    assert_eq!(again, [(last, true), (first, false)]);
}

#[test]
fn what_nobody_changed_is_not_flagged_again_after_a_restart() {
    let governed = Governed::new();
    let deployed = governed.deploy(1, governed.allow(1)).digest;
    governed.record("deployer", 2, Governed::deployment("deployed", None));
    let rolled_back = Governed::deployment("rolled-back", Some(governed.allow(1)));
    governed.record("deployer", 1, rolled_back);
    governed.scan(1, &["CVE-2026-1"]);
    let newest = governed.status()[0].deployment.statement;
    assert_ne!(newest, deployed);
    until("flagged", || governed.verdict(newest, 1) == Some(false));
    governed.sign(3);
    governed.decide(3);
    until("assessed", || !governed.status()[0].compliant);
    let (before, leaves) = (governed.numbers(), governed.size());
    assert_eq!(before.rollbacks.rollbacks, 1);
    assert_eq!(before.unauthorized.by_cause["no-decision"], 1);
    assert_eq!(before.denials.by_rule["vuln-scan"], 1);
    let governed = governed.restarted();
    until("assessed", || governed.numbers().evidence_age_s.p50.is_some());
    let mut after = governed.numbers();
    assert!(after.evidence_age_s.max >= before.evidence_age_s.max);
    after.evidence_age_s = before.evidence_age_s;
    assert_eq!(after, before);
    assert_eq!(governed.size(), leaves, "a restart records nothing");
}

#[test]
fn a_policy_that_demands_more_is_asked_of_everything_that_runs() {
    let governed = Governed::new();
    let deployed = governed.deploy(1, governed.allow(1)).digest;
    let more = "[[rule]]\ntype = \"provenance\"\nsigners = [\"ci\"]\nlevel = 1\n";
    let policy = governed.publish_policy(2, more).digest;
    until("flagged", || governed.verdict(deployed, 1) == Some(false));
    assert_eq!(because(&governed, deployed), Some(policy));
    assert_eq!(governed.numbers().unauthorized.total, 0, "it was allowed when it was deployed");
}

#[test]
fn evidence_about_the_commit_is_evidence_about_what_runs() {
    let governed = Governed::new();
    let deployed = governed.deploy(1, governed.allow(1)).digest;
    let provenance = crate::testing::signed(1, &governed::key("ci"));
    governed.log(&provenance, "ci");
    governed.publish_policy(2, "[[rule]]\ntype = \"source\"\nlevel = 1\ntwo_party = true\n");
    until("flagged", || governed.verdict(deployed, 1) == Some(false));
    let digest =
        attestry_schemas::digest::Digest::new("gitCommit", &format!("{:040x}", 1)).unwrap();
    let commit = ResourceDescriptor { digest: Some(digest.into()), ..Default::default() };
    let review = json!({
        "repository": "git+https://example.org/app",
        "author": "ann",
        "reviewers": ["lead"],
        "reviewedAt": at(0),
    });
    let type_ = "https://attestry.dev/review/v1";
    let statement = Statement::new(vec![commit], type_, review).unwrap();
    let key = governed::key("lead");
    let review = Envelope::sign(PAYLOAD_TYPE, &statement.to_json(), &key);
    let review = governed.log(&review, "lead").digest;
    until("compliant again", || governed.verdict(deployed, 1) == Some(true));
    assert_eq!(because(&governed, deployed), Some(review));
}

#[test]
fn a_waiver_that_ends_flips_what_runs_without_new_evidence() {
    let governed = Governed::new();
    governed.sign(1);
    governed.scan(1, &["CVE-2026-1"]);
    let waiver =
        json!({"rule": "vuln-scan", "finding": "CVE-2026-1", "until": at(3), "reason": "x"});
    governed.state("lead", "https://attestry.dev/waiver/v1", artifact(1), waiver);
    let decided = governed.decide(1);
    assert!(decided.decision.passed());
    let deployed = governed.deploy(1, decided.digest).digest;
    assert!(governed.status()[0].compliant);
    until("flagged", || governed.verdict(deployed, 1) == Some(false));
    assert_eq!(because(&governed, deployed), None);
    let numbers = governed.numbers();
    assert_eq!(numbers.exceptions.waivers, 1);
    assert_eq!(numbers.time_to_detect.from_evidence_s.max, None, "no evidence came");
}

#[test]
fn what_was_asked_of_the_act_of_deploying_is_not_asked_of_what_runs() {
    let rules = "[[rule]]\ntype = \"approval\"\nsigners = [\"leads\"]\nmax_age = \"1h\"\n[[rule]]\ntype = \"deployer\"\nsigners = [\"deployer\"]\n[[rule]]\ntype = \"window\"\nhours = [\"mon-sun 00:00-24:00\"]\n[[rule]]\ntype = \"no-rollback\"\n";
    let governed = Governed::with(rules, None);
    let approval = json!({"environment": ENVIRONMENT, "expires": at(600)});
    governed.state("lead", "https://attestry.dev/approval/v1", artifact(1), approval);
    let decided = governed.decide(1);
    assert!(decided.decision.passed(), "{:#?}", decided.decision.policies());
    governed.deploy(1, decided.digest);
    let deployment = governed.status()[0].deployment.clone();
    let gate = &governed.running.gate;
    for later in [0, 700, 40 * 24 * 3600] {
        let assessed = gate.assess_running(&deployment, None, at(later)).unwrap();
        assert!(assessed.standing.compliant, "{later}: {:?}", assessed.standing.reasons);
    }
    // Nor does it matter who asks when nobody is known to have asked.
    governed.record("deployer", 1, Governed::deployment("deployed", None));
    let deployment = governed.status()[0].deployment.clone();
    assert!(gate.assess_running(&deployment, None, at(0)).unwrap().standing.compliant);
}

#[test]
fn a_deployment_that_was_logged_by_its_digest_first_counts_once_it_is_known() {
    let governed = Governed::new();
    let predicate = Governed::deployment("deployed", Some(governed.allow(1)));
    let type_ = "https://attestry.dev/deployment/v1";
    let envelope = governed::envelope("deployer", type_, artifact(1), Some(NAME), predicate);
    let entry = crate::testing::entry(&envelope, &governed::key("deployer"));
    governed.submit(entry);
    governed.sign(7);
    assert_eq!(governed.status(), []);
    let receipt = governed.log(&envelope, "deployer");
    let [status] = governed.status().try_into().unwrap();
    assert_eq!(status.deployment.statement, receipt.digest);
    assert!(status.deployment.cause().is_none());
}

#[test]
fn a_decision_is_not_given_again_once_evidence_that_came_by_its_digest_first_is_known() {
    let governed = Governed::new();
    governed.allow(1);
    let predicate = json!({
        "scanner": {
            "uri": "pkg:generic/scanner@1",
            "version": "1",
            "db": {"uri": "pkg:generic/db", "version": "late", "lastUpdate": at(0)},
            "result": [{"id": "CVE-2026-1", "severity": [{"method": "cvss_severity", "score": "high"}]}],
        },
        "metadata": {"scanStartedOn": at(0), "scanFinishedOn": at(0)},
    });
    let type_ = "https://in-toto.io/attestation/vulns/v0.2";
    let envelope = governed::envelope("scanner", type_, artifact(1), Some(NAME), predicate);
    governed.submit(crate::testing::entry(&envelope, &governed::key("scanner")));
    for _ in 0..2 {
        assert!(governed.decide(1).decision.passed(), "a digest alone says nothing");
    }
    // What else comes makes the gate decide anew, over a log that has the leaf.
    let approval = json!({"environment": ENVIRONMENT, "expires": at(600)});
    governed.state("lead", "https://attestry.dev/approval/v1", artifact(1), approval);
    let decided = governed.decide(1).digest;
    // The leaf is completed; the log has the size that it had.
    let size = governed.size();
    governed.log(&envelope, "scanner");
    assert_eq!(governed.size(), size);
    assert!(!governed.decide(1).decision.passed(), "what was found denies at once");
    // Made again it is another, and says which rule is, and how.
    let reader = governed.running.store.reader();
    let replayed = governed.running.gate.replay(&reader, &decided).unwrap().unwrap();
    assert!(!replayed.same);
    let told: Vec<String> = replayed.differences.told.iter().map(ToString::to_string).collect();
    for line in [
        "verificationResult: recorded PASSED, now FAILED",
        "production@1: vuln-scan: outcome: recorded pass, now fail",
    ] {
        assert!(told.iter().any(|one| one == line), "{line}: {told:#?}");
    }
    assert!(!told.iter().any(|line| line.contains("signature: ")), "{told:#?}");
}

#[test]
fn a_policy_that_makes_what_was_known_count_is_what_flips_it() {
    let governed = Governed::with(&RULES.replace("\"high\"", "\"critical\""), None);
    let deployed = governed.deploy(1, governed.allow(1)).digest;
    let scan = governed.scan(1, &["CVE-2026-1"]).digest;
    until("assessed with it", || governed.decide(1).decision.inputs().contains(&scan.to_string()));
    assert_eq!(governed.verdict(deployed, 1), None);
    let policy = governed.publish_policy(2, RULES).digest;
    until("flagged", || governed.verdict(deployed, 1) == Some(false));
    assert_eq!(because(&governed, deployed), Some(policy));
}
