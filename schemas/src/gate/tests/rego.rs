//! `rego`: modules of a policy over signed evidence.

use super::*;

/// A policy of a typed rule and a module.
fn policy(more: &str, module: &str) -> String {
    format!(
        "{}{}",
        rule("signature", "signers = [\"ci\"]"),
        rule("rego", &format!("{more}\nmodule = '''\npackage gate\n{module}\n'''"))
    )
}

const HIGH: &str = r#"deny contains {"id": result.id, "msg": msg} if {
  some e in input.evidence
  e.type == "vulns"
  some result in e.predicate.scanner.result
  result.severity[0].score == "high"
  msg := sprintf("%s found %s", [e.signer, result.id])
}"#;

fn trial(more: &str, module: &str) -> Trial {
    let mut trial = Trial::of(&policy(more, module));
    trial.say(signature("ci"));
    trial
}

#[test]
fn a_module_denies_by_what_the_evidence_says() {
    let mut trial = trial("types = [\"vulns\"]", HIGH);
    assert_eq!(trial.passes("rego").found, "no denial over 0 attestations");
    let digest = trial.held(scanned(&[("CVE-1", "low")], LOGGED));
    let answer = trial.passes("rego");
    assert_eq!(answer.evidence, [Digest::from(digest).to_string()]);
    trial.say(scanned(&[("CVE-3", "high"), ("CVE-2", "high")], LOGGED));
    let answer = trial.fails("rego", &["CVE-2", "CVE-3"]);
    assert_eq!(answer.found, "2 denials: scanner found CVE-2, scanner found CVE-3");
    assert!(!trial.decide().passed());
}

#[test]
fn a_module_sees_only_evidence_that_counts() {
    let deny_all = "deny contains e.type if some e in input.evidence";
    let scan = || scanned(&[("CVE-1", "high")], LOGGED);
    let mut trial =
        trial("types = [\"vulns\"]\nsigners = [\"scanner\"]\nmax_age = \"2h\"", deny_all);
    let mut of_stranger = scan();
    of_stranger.key = "stranger".to_owned();
    let mut of_tester = scan();
    of_tester.key = "tester".to_owned();
    let malformed = Saying::of("scanner", "vulns", json!({ "scanner": 1 }));
    trial.say(of_stranger).say(of_tester).say(malformed);
    trial.say(scan().about(other_artifact()));
    trial.say(scan().at("2026-11-27T10:00:01Z"));
    trial.say(scanned(&[], "2026-11-27T07:59:00Z"));
    trial.say(tested("tester", "PASSED", &["t"], &[]));
    trial.passes("rego");
    trial.say(scan());
    trial.fails("rego", &["vulns"]);
    // What the log holds and does not count yet ends the verdict when it does.
    assert_eq!(trial.decide().until(), Some(time("2026-11-27T10:00:01Z")));
    trial.evidence.retain(|one| one.logged_at() <= time(NOW));
    trial.turns_at("2026-11-27T11:00:00Z");
}

#[test]
fn a_module_sees_the_question_and_no_more() {
    let module = r#"deny contains concat(" ", sort(names)) if names := [name | some name, _ in input]
deny contains sprintf("%s %s %s %s %s %s %v %v", [input.artifact.digest, input.artifact.names[0], input.name, input.environment,
  input.purpose, input.caller.principal, input.caller.signer, input.configuration]) if true
deny contains sprintf("%s %s %s %s %d %v", [e.type, e.signer, e.logged_at, e.time, e.index, e.predicate]) if some e in input.evidence
"#;
    let trial = trial("", module);
    let digest = Digest::from(artifact());
    let question =
        format!("{digest} pay/api pay/api production deploy token:deployer deployer null");
    trial.fails(
        "rego",
        &[
            "artifact caller configuration environment evidence name purpose",
            &question,
            &format!("signature ci {LOGGED} {LOGGED} 0 {{}}"),
        ],
    );
}

#[test]
fn a_module_sees_the_moment_where_the_policy_says_so_and_the_answer_is_for_that_moment() {
    let module = "deny contains \"late\" if input.moment >= \"2026-11-27T10:00:01Z\"";
    let mut trial = trial("moment = true", module);
    trial.passes("rego");
    assert_eq!(trial.decide().until(), Some(time("2026-11-27T10:00:01Z")));
    trial.asked_at("2026-11-27T10:00:01Z");
    trial.fails("rego", &["late"]);
}

#[test]
fn a_module_never_makes_up_for_another_rule() {
    let module = "default deny := []\nallow := true\npermit := true\nverdict := \"PASSED\"";
    let trial = Trial::of(&policy("", module));
    trial.passes("rego");
    trial.fails("signature", &["signature"]);
    assert!(!trial.decide().passed());
}

#[test]
fn a_module_that_does_not_answer_is_an_error_that_no_waiver_covers() {
    let waivers = "[waivers]\ngroup = \"leads\"\nthreshold = 1\n";
    for (module, expected) in [
        ("deny := [\"x\"] if 1 == 2", "deny is undefined"),
        ("deny := true", "deny is something else"),
        ("deny contains \"x\" if to_number(\"y\") > 1", "could not parse"),
        ("f(x) := f([x])\ndeny contains \"x\" if f(1)", "nest too deep"),
        (
            "deny contains \"x\" if count(numbers.range(1, 1000000000)) > 1",
            "more than 500000 steps",
        ),
    ] {
        let mut trial = Trial::of(&format!("{}{waivers}", policy("", module)));
        trial.say(signature("ci"));
        trial.say(waiver("alice", "rego", "rego", "2026-12-01T00:00:00Z"));
        let answer = trial.answer("rego");
        assert_eq!(answer.outcome, Outcome::Error, "{module}");
        assert!(answer.found.contains(expected), "{module}: {}", answer.found);
        assert!(!trial.decide().passed(), "{module}");
    }
}

#[test]
fn a_denial_is_waived_by_its_id() {
    let waivers = "[waivers]\ngroup = \"leads\"\nthreshold = 1\n";
    let mut trial = Trial::of(&format!("{}{waivers}", policy("", HIGH)));
    trial.say(signature("ci")).say(scanned(&[("CVE-1", "high")], LOGGED));
    trial.fails("rego", &["CVE-1"]);
    trial.say(waiver("alice", "rego", "CVE-1", "2026-12-01T00:00:00Z"));
    assert_eq!(trial.answer("rego").outcome, Outcome::Waived);
    assert!(trial.decide().passed());
    trial.say(scanned(&[("CVE-1", "high"), ("CVE-2", "high")], "2026-11-27T09:30:00Z"));
    assert_eq!(trial.answer("rego").outcome, Outcome::Fail);
}

#[test]
fn the_same_question_gives_the_same_bytes() {
    let module = format!("{HIGH}\ndeny contains e.digest if some e in input.evidence");
    let mut trial = trial("", &module);
    trial.say(scanned(&[("CVE-2", "high"), ("CVE-1", "high")], LOGGED));
    let first = trial.decide().statement().to_json();
    trial.evidence.reverse();
    assert_eq!(trial.decide().statement().to_json(), first);
}

#[test]
fn a_predicate_that_is_too_large_to_be_seen_is_an_error() {
    let mut trial = trial("types = [\"test-result\"]", "deny := []");
    let many: Vec<String> = (0..30_000).map(|at| format!("suite/test number {at}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    trial.say(tested("tester", "PASSED", &many, &[]));
    let answer = trial.answer("rego");
    assert_eq!(answer.outcome, Outcome::Error);
    assert!(answer.found.contains("of which a module may see 262144"), "{}", answer.found);
}

#[test]
fn a_signer_whom_the_roster_does_not_know_is_an_error() {
    let trial = trial("signers = [\"ghosts\"]", "deny := []");
    assert_eq!(trial.answer("rego").outcome, Outcome::Error);
}
