//! What another policy would have denied.

use std::sync::Arc;

use attestry_schemas::digest::Sha256;
use attestry_schemas::policy::Policy;
use attestry_schemas::predicate::UtcTime;
use serde_json::{Value, json};

use super::governed::{ENVIRONMENT, Governed, NAME, RULES, artifact, at, envelope, key, until};
use crate::gate::what_if::{WhatIf, WouldDeny};

const PROVENANCE: &str = "[[rule]]\ntype = \"provenance\"\nsigners = [\"ci\"]\nlevel = 1\n";
const SIGNATURE: &str = "[[rule]]\ntype = \"signature\"\nsigners = [\"ci\"]\n";

fn policy(artifacts: &str, environment: &str, rules: &str) -> Arc<Policy> {
    let text = format!(
        "schema = \"policy/v1\"\nname = \"tried\"\nversion = 1\nexpires = 2099-01-01T00:00:00Z\nmode = \"enforce\"\n[match]\nartifacts = [\"{artifacts}\"]\nenvironments = [\"{environment}\"]\n{rules}"
    );
    Arc::new(Policy::read(text.as_bytes(), None).unwrap())
}

impl Governed {
    fn what_if(&self, rules: &str) -> WhatIf {
        self.what_if_since(&policy("pay/**", ENVIRONMENT, rules), at(-3_600))
    }

    fn what_if_since(&self, policy: &Arc<Policy>, since: UtcTime) -> WhatIf {
        let reader = self.running.store.reader();
        self.running.gate.what_if(&reader, policy, since).unwrap()
    }

    /// Records a deployment of an artifact under a name.
    fn named(&self, by: &str, n: u64, name: &str, predicate: Value) {
        let type_ = "https://attestry.dev/deployment/v1";
        self.log(&envelope(by, type_, artifact(n), Some(name), predicate), by);
    }
}

/// Which artifacts are denied, each with whether it runs.
fn denied(found: &WhatIf) -> Vec<(u64, bool)> {
    let number = |subject: Sha256| (0..100).find(|n| artifact(*n) == subject).unwrap();
    found.denied.iter().map(|one| (number(one.subject), one.running)).collect()
}

fn deployed() -> Value {
    Governed::deployment("deployed", None)
}

#[test]
fn past_deployments_are_told_with_what_runs_of_them_and_why() {
    let governed = Governed::new();
    let (one, two) = (governed.allow(1), governed.allow(2));
    let deployed = governed.deploy(1, one).digest;
    governed.deploy(2, two);
    let found = governed.what_if(PROVENANCE);
    assert_eq!((found.evaluated, denied(&found)), (2, vec![(1, false), (2, true)]));
    let expected = WouldDeny {
        subject: artifact(1),
        name: Some(NAME.to_owned()),
        environment: ENVIRONMENT.to_owned(),
        deployed_at: found.denied[0].deployed_at,
        deployment: deployed,
        decision: Some(one),
        running: false,
        now: false,
        reasons: found.denied[0].reasons.clone(),
    };
    assert_eq!(found.denied[0], expected);
    let [reason] = expected.reasons.as_slice() else { panic!("{expected:?}") };
    assert!(reason.starts_with("provenance: "), "{reason}");
    let found = governed.what_if(RULES);
    assert_eq!((found.evaluated, denied(&found)), (2, vec![]), "as they were allowed");
}

#[test]
fn it_is_the_ledger_that_says_what_was_deployed_and_what_runs() {
    let governed = Governed::new();
    governed.deploy(1, governed.allow(1));
    governed.named("ci", 2, NAME, deployed());
    governed.named("stranger", 1, NAME, Governed::deployment("decommissioned", None));
    let found = governed.what_if(PROVENANCE);
    assert_eq!((found.evaluated, denied(&found)), (1, vec![(1, true)]), "they may not say so");
    let mut instead = deployed();
    instead["replaces"] = json!({"sha256": artifact(1).hex()});
    governed.named("deployer", 3, "pay/other", instead);
    let found = governed.what_if(PROVENANCE);
    assert_eq!(denied(&found), [(1, false), (3, true)], "it took the place of the first");
    governed.named("deployer", 3, "pay/other", Governed::deployment("decommissioned", None));
    let found = governed.what_if(PROVENANCE);
    assert_eq!((found.evaluated, denied(&found)), (2, vec![(1, false), (3, false)]));
    governed.named("deployer", 3, "pay/other", deployed());
    let mut again = deployed();
    again["startedAt"] = json!(at(-10));
    governed.named("deployer", 3, "pay/other", again);
    let found = governed.what_if(PROVENANCE);
    let expected = [(1, false), (3, false), (3, false), (3, true)];
    assert_eq!(denied(&found), expected, "of one that was deployed again the last runs");
}

#[test]
fn what_runs_is_judged_however_old_it_is() {
    let governed = Governed::new();
    governed.deploy(1, governed.allow(1));
    governed.deploy(2, governed.allow(2));
    let found = governed.what_if_since(&policy("pay/**", ENVIRONMENT, PROVENANCE), at(3_600));
    assert_eq!((found.evaluated, denied(&found)), (1, vec![(2, true)]));
}

#[test]
fn a_deployment_is_judged_as_its_decision_was_asked_and_when() {
    let governed = Governed::new();
    governed.deploy(1, governed.allow(1));
    // Nobody is known to have asked before this one.
    governed.sign(2);
    governed.scan(2, &[]);
    governed.record("deployer", 2, deployed());
    // What came to light later was not to be seen then.
    governed.scan(1, &["CVE-2026-1"]);
    governed.scan(2, &["CVE-2026-1"]);
    let found = governed.what_if(RULES);
    assert_eq!((found.evaluated, denied(&found)), (2, vec![(2, true)]));
    let [reason] = found.denied[0].reasons.as_slice() else { panic!("{found:?}") };
    assert!(reason.starts_with("deployer: "), "{reason}");
}

#[test]
fn whoever_ruled_then_says_whose_signature_counts() {
    let governed = Governed::new();
    governed.deploy(1, governed.allow(1));
    let from = at(0);
    until("a second later", || at(0) > from);
    let revocation = json!({
        "signer": {"fingerprint": key("ci").public_key().fingerprint().to_string()},
        "reason": "compromised",
        "effectiveAt": at(-3_600),
    });
    governed.state("root", "https://attestry.dev/revocation/v1", artifact(0), revocation);
    governed.sign(2);
    governed.scan(2, &[]);
    let decided = governed.decide(2);
    assert!(!decided.decision.passed());
    governed.deploy(2, decided.digest);
    let found = governed.what_if(SIGNATURE);
    assert_eq!((found.evaluated, denied(&found)), (2, vec![(2, true)]));
}

#[test]
fn a_policy_has_nothing_to_say_of_what_it_does_not_match() {
    let governed = Governed::new();
    governed.deploy(1, governed.allow(1));
    let tried = |artifacts: &str, environment: &str| {
        let found = governed.what_if_since(&policy(artifacts, environment, PROVENANCE), at(-60));
        (found.evaluated, denied(&found))
    };
    assert_eq!(tried("pay/**", ENVIRONMENT), (1, vec![(1, true)]));
    assert_eq!(tried("shop/**", ENVIRONMENT), (1, vec![]));
    assert_eq!(tried("pay/**", "staging"), (0, vec![]));
}

#[test]
fn many_are_judged_by_every_processor_and_told_in_the_order_of_the_log() {
    let governed = Governed::new();
    for n in 0..70 {
        governed.record("deployer", n, deployed());
    }
    let found = governed.what_if(PROVENANCE);
    assert_eq!(found.evaluated, 70);
    let expected: Vec<(u64, bool)> = (0..70).map(|n| (n, n == 69)).collect();
    assert_eq!(denied(&found), expected);
    let again = governed.restarted().what_if(PROVENANCE);
    assert_eq!(again.denied, found.denied, "as read from the store");
}

#[test]
fn what_runs_is_judged_by_what_is_known_now_too() {
    let governed = Governed::new();
    governed.deploy(1, governed.allow(1));
    assert_eq!(denied(&governed.what_if(RULES)), vec![]);
    governed.scan(1, &["CVE-2026-1"]);
    let found = governed.what_if(RULES);
    assert_eq!((found.evaluated, denied(&found)), (1, vec![(1, true)]));
    let [reason] = found.denied[0].reasons.as_slice() else { panic!("{found:?}") };
    assert!(reason.starts_with("vuln-scan: "), "{reason}");
    // What it was when it no longer runs is past, of which only what was known then counts.
    governed.deploy(2, governed.allow(2));
    assert_eq!(denied(&governed.what_if(RULES)), vec![]);
}
