//! Where a decision differs from the one that was recorded.

use super::*;
use crate::gate::difference::{Differences, MAX_DIFFERENCES};

fn told(recorded: &Decision, now: &Decision) -> Vec<String> {
    let found = Differences::between(&recorded.summary(), recorded.details(), now);
    assert_eq!(found.more, 0);
    found.told.iter().map(ToString::to_string).collect()
}

#[test]
fn what_each_rule_says_otherwise_is_told_with_both_and_what_is_the_same_is_not() {
    let rules = rule("signature", "signers = [\"ci\"]")
        + &rule("test-result", "signers = [\"ci\"]")
        + "[[rule]]\nid = \"one-of\"\nany = [\n{ type = \"sbom\", id = \"bill\" },\n{ type = \"secret-scan\", id = \"secrets\" },\n]\n";
    let mut trial = Trial::of(&rules);
    trial.policy("other", "warn", &rule("signature", "id = \"other\""));
    trial.say(signature("ci"));
    let recorded = trial.decide();
    assert_eq!(told(&recorded, &recorded), Vec::<String>::new());
    trial.say(tested("ci", "PASSED", &["unit"], &[]));
    let now = trial.decide();
    let found = told(&recorded, &now);
    let rule = "production@3: test-result: ";
    assert_eq!(found[0], format!("{rule}outcome: recorded fail, now pass"));
    assert!(
        found[1].starts_with(&format!("{rule}found: recorded no test result, now ")),
        "{found:#?}"
    );
    assert!(found.iter().all(|line| line.starts_with(rule)), "{found:#?}");
    assert!(found.iter().any(|line| line.contains("fix: recorded ") && line.ends_with("now none")));
    // What is inside a list of which one suffices is told by its own name.
    let bill = json!({ "bomFormat": "CycloneDX", "specVersion": "1.6", "components": [] });
    trial.say(Saying::of("ci", "cyclonedx", bill));
    let found = told(&now, &trial.decide());
    for line in [
        "verificationResult: recorded FAILED, now PASSED",
        "production@3: result: recorded FAILED, now PASSED",
        "production@3: one-of: outcome: recorded fail, now pass",
        "production@3: bill: outcome: recorded fail, now pass",
    ] {
        assert!(found.iter().any(|one| one == line), "{line}: {found:#?}");
    }
    assert!(
        !found.iter().any(|line| line.contains("secrets: ") || line.contains("other@")),
        "{found:#?}"
    );
}

#[test]
fn a_policy_or_rule_that_is_there_only_once_is_told() {
    let mut trial = Trial::of(&rule("signature", ""));
    trial.say(signature("ci"));
    let recorded = trial.decide();
    trial.policies.clear();
    trial.policy("production", "enforce", &rule("test-result", ""));
    trial.policy("strict", "enforce", &rule("signature", ""));
    let found = told(&recorded, &trial.decide());
    for line in [
        "production@3: signature: outcome: recorded pass, now none",
        "production@3: test-result: outcome: recorded none, now fail",
        "strict@3: result: recorded none, now PASSED",
    ] {
        assert!(found.iter().any(|one| one == line), "{line}: {found:#?}");
    }
    let found = told(&trial.decide(), &recorded);
    assert!(
        found.contains(&"strict@3: result: recorded PASSED, now none".to_owned()),
        "{found:#?}"
    );
}

#[test]
fn no_more_are_told_than_the_bound() {
    let rules = |name: &str| -> String {
        (0..180).map(|n| rule("signature", &format!("id = \"{name}{n}\""))).collect()
    };
    let mut trial = Trial::of(&rules("a"));
    let recorded = trial.decide();
    trial.policies.clear();
    trial.policy("production", "enforce", &rules("b"));
    let found = Differences::between(&recorded.summary(), recorded.details(), &trial.decide());
    assert_eq!(found.told.len(), MAX_DIFFERENCES);
    assert!(found.more >= 160, "{}", found.more);
}
