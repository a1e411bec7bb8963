//! Which decisions are given again, and which without a look into the store.

use attestry_schemas::digest::Sha256;

use super::governed::{ENVIRONMENT, Governed, NAME, RULES, artifact};
use crate::gate::Request;

fn request(n: u64) -> Request {
    Request {
        subject: artifact(n),
        name: Some(NAME.to_owned()),
        environment: ENVIRONMENT.to_owned(),
        caller: Some("token:deploy".to_owned()),
        configuration: None,
    }
}

/// The decision that is given again at once.
fn kept(governed: &Governed, n: u64) -> Option<Sha256> {
    governed.running.gate.kept(&request(n)).map(|decided| decided.digest)
}

#[test]
fn decisions_about_others_change_nothing_and_everything_else_is_looked_at() {
    let governed = Governed::new();
    assert_eq!(kept(&governed, 1), None, "nobody has asked");
    let decided = governed.allow(1);
    assert_eq!(kept(&governed, 1), Some(decided));
    governed.decide(2);
    governed.decide_for(1, "staging");
    assert_eq!(kept(&governed, 1), Some(decided), "only decisions came in");
    governed.sign(3);
    assert_eq!(kept(&governed, 1), None, "whom it concerns is found out by a look");
    assert_eq!(governed.decide(1).digest, decided, "it did not concern this one");
    assert_eq!(kept(&governed, 1), Some(decided));
    governed.scan(1, &["CVE-2026-1"]);
    assert_eq!(kept(&governed, 1), None);
    let denied = governed.decide(1);
    assert!(!denied.decision.passed());
    assert_eq!(kept(&governed, 1), Some(denied.digest));
    governed.publish_policy(2, RULES);
    assert_eq!(kept(&governed, 1), None, "another policy rules");
}

#[test]
fn where_a_policy_asks_for_decisions_elsewhere_they_count() {
    let rules = "[[rule]]\ntype = \"promotion\"\nfrom = \"staging\"\nsoak = \"1s\"\n";
    let governed = Governed::with(rules, None);
    governed.sign(1);
    let decided = governed.decide(1).digest;
    assert_eq!(kept(&governed, 1), None, "itself is one");
    assert_eq!(governed.decide(1).digest, decided);
    assert_eq!(kept(&governed, 1), Some(decided));
    governed.decide_for(1, "staging");
    assert_eq!(kept(&governed, 1), None);
    assert_ne!(governed.decide(1).digest, decided, "it stands on another one");
}

#[test]
fn the_same_question_at_the_same_time_is_decided_once() {
    let governed = Governed::new();
    governed.sign(1);
    governed.scan(1, &[]);
    let before = governed.size();
    let start = std::sync::Barrier::new(16);
    let ask = || {
        start.wait();
        governed.running.gate.decide(&request(1)).unwrap()
    };
    let answers: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(governed.size(), before + 1);
    assert_eq!(answers.iter().filter(|(_, cached)| !cached).count(), 1);
    let one = answers[0].0.digest;
    assert!(answers.iter().all(|(decided, _)| decided.digest == one));
}
