//! The gate's questions, and what is believed of the answers.

use serde_json::{Value, json};

use crate::fake_registry::FakeRegistry;
use crate::governance::{ALLOWED, POLICY, setting};
use crate::harness::Dir;

/// A folder, a registry, and the statements of a decision that allows and of one that denies.
fn decisions() -> (Dir, FakeRegistry, Value, Value) {
    let mut dir = setting();
    let registry = FakeRegistry::start(&[]);
    dir.environment.insert("ATTESTRY_REGISTRY".to_owned(), registry.url.clone());
    dir.write("trusted_root.json", &registry.trusted_root());
    let root = dir.path("trusted_root.json").display().to_string();
    dir.environment.insert("ATTESTRY_TRUSTED_ROOT".to_owned(), root);
    let test = ["policy", "test", "@f/allowed.fixture.toml", "--json"];
    let allowed = dir.json(&test)["decision"].take();
    dir.write("f/allowed.fixture.toml", &ALLOWED.replace("PASSED", "FAILED"));
    let denied = dir.json(&test)["decision"].take();
    (dir, registry, allowed, denied)
}

fn subject(statement: &Value) -> String {
    format!("sha256:{}", statement["subject"][0]["digest"]["sha256"].as_str().unwrap())
}

fn ask<'a>(subject: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let asked = ["gate", subject, "--environment", "production", "--name", "pay/api"];
    [&asked[..], more].concat()
}

#[test]
fn a_decision_that_verifies_allows_or_denies_and_explains_itself() {
    let (dir, registry, allowed, denied) = decisions();
    let artifact = subject(&allowed);
    let answer = registry.decide(&allowed);
    registry.answers("POST /v1/decisions", 201, answer.clone());
    let short = dir.run(&ask(&artifact, &[])).expect(0);
    assert!(short.stdout.starts_with("ALLOWED: pay/api in production\n"), "{}", short.stdout);
    assert!(!short.stdout.contains("test-result"), "{}", short.stdout);
    short.says(&[answer["decision"].as_str().unwrap(), "log index 1"]);
    dir.run(&ask(&artifact, &["--explain"])).expect(0).says(&["✓ test-result", "✓ approval"]);
    assert_eq!(
        registry.bodies_sent()[0],
        json!({"subject": artifact, "environment": "production", "name": "pay/api"})
    );

    registry.answers("POST /v1/decisions", 201, registry.decide(&denied));
    let refused = dir.run(&ask(&artifact, &["--summary", "@summary.md"])).expect(1);
    refused.says(&["DENIED: pay/api", "✗ test-result", "fix:", "nearest pass: only test-result"]);
    dir.run(&ask(&artifact, &["--summary", "@summary.md"])).expect(1);
    let summary = dir.read("summary.md");
    assert_eq!(summary.matches("## ❌ Denied: pay/api in production").count(), 2, "{summary}");
    assert!(summary.contains("| ✗ | test-result |") && summary.contains("log index"), "{summary}");
    let found = dir.json(&ask(&artifact, &["--json"]));
    assert_eq!((&found["result"], &found["allowed"]), (&"FAILED".into(), &false.into()));
    assert_eq!(found["statement"], denied);
}

#[test]
fn an_answer_that_is_not_the_gates_own_to_this_question_allows_nothing() {
    let (dir, registry, allowed, denied) = decisions();
    let artifact = subject(&allowed);
    // Told as passed, signed as failed: the signed one counts.
    let mut answer = registry.decide(&denied);
    answer["result"] = "PASSED".into();
    answer["statement"] = allowed.clone();
    registry.answers("POST /v1/decisions", 201, answer);
    dir.run(&ask(&artifact, &[])).expect(1).says(&["DENIED"]);
    // Of another environment, name, artifact, or configuration.
    let answer = registry.decide(&allowed);
    registry.answers("POST /v1/decisions", 200, answer.clone());
    let staging = ["gate", artifact.as_str(), "--environment", "staging", "--name", "pay/api"];
    dir.run(&staging).expect(1).says(&["expected a decision for the environment staging"]);
    let named = ["gate", artifact.as_str(), "--environment", "production", "--name", "pay/web"];
    dir.run(&named).expect(1).says(&["for the name pay/web"]);
    let other = format!("sha256:{}", "a".repeat(64));
    dir.run(&ask(&other, &[])).expect(1).says(&["for the artifact"]);
    dir.run(&ask(&artifact, &["--configuration", &other])).expect(1).says(&["configuration"]);
    // Signed by nobody that the root names, or not in the log.
    let another = FakeRegistry::start_with(&[], [9; 32]);
    dir.write("trusted_root.json", &another.trusted_root());
    dir.run(&ask(&artifact, &[])).expect(1).says(&["does not verify"]);
    dir.write("trusted_root.json", &registry.trusted_root());
    let mut bare = answer.clone();
    bare["bundle"]["verificationMaterial"]["tlogEntries"] = json!([]);
    registry.answers("POST /v1/decisions", 200, bare);
    dir.run(&ask(&artifact, &[])).expect(1).says(&["does not verify"]);
    // No answer is no verdict.
    registry.answers("POST /v1/decisions", 500, json!({"title": "broken"}));
    dir.run(&ask(&artifact, &[])).expect(2);
    registry.answers("POST /v1/decisions", 201, json!({"result": "PASSED"}));
    dir.run(&ask(&artifact, &[])).expect(2).says(&["malformed"]);
}

#[test]
fn a_past_decision_is_explained_and_made_again() {
    let (dir, registry, _, denied) = decisions();
    let decision = registry.decide(&denied)["decision"].as_str().unwrap().to_owned();
    let explained = dir.run(&["gate", "explain", &decision]).expect(0);
    explained.says(&["DENIED: pay/api in production", "✗ test-result", "log index 1"]);
    dir.run(&["gate", "explain", &format!("sha256:{}", "a".repeat(64))]).expect(2);
    let replay = format!("POST /v1/decisions/{decision}/replay");
    let mut answer = json!({"decision": decision, "recorded": "FAILED", "result": "FAILED", "same": true, "differences": [], "statement": denied});
    registry.answers(&replay, 200, answer.clone());
    dir.run(&["gate", "replay", &decision]).expect(0).says(&["the same"]);
    answer["same"] = false.into();
    answer["differences"] = json!(["rule approval: pass, now fail"]);
    registry.answers(&replay, 200, answer);
    dir.run(&["gate", "replay", &decision]).expect(1).says(&["rule approval: pass, now fail"]);
}

#[test]
fn a_policy_is_tried_on_what_was_deployed() {
    let (dir, registry, allowed, _) = decisions();
    let artifact = subject(&allowed);
    let denied = json!({"subject": artifact, "name": "pay/api", "environment": "production",
        "deployed_at": "2026-09-01T00:00:00Z", "decision": null, "running": true, "reasons": ["test-result: none"]});
    registry.answers(
        "POST /v1/replays",
        200,
        json!({"policy": "production@3", "evaluated": 7, "denied": [denied]}),
    );
    let args = ["gate", "replay", "--policy", "@production.policy.toml", "--since", "2026-01-01"];
    let tried = dir.run(&args).expect(1);
    tried.says(&["7 deployments judged, 1 deployment would be denied", "running now", "none"]);
    assert_eq!(registry.bodies_sent()[0]["since"], "2026-01-01T00:00:00Z");
    registry.answers("POST /v1/replays", 200, json!({"policy": "x", "evaluated": 7, "denied": []}));
    dir.run(&args).expect(0);
    dir.run(&["gate", "replay", "--policy", "@roster.toml", "--since", "30d"]).expect(2);
    dir.run(&["gate", "replay"]).expect(2);
    dir.run(&["gate"]).expect(2);
}

#[test]
fn a_pack_is_saved_only_when_it_is_about_what_was_asked() {
    let (dir, registry, allowed, _) = decisions();
    let artifact = subject(&allowed);
    let target =
        format!("GET /v1/packs?subject={}&environment=production", artifact.replace(':', "%3A"));
    let pack = json!({"mediaType": "application/vnd.attestry.pack.v1+json", "subject": artifact,
        "environment": "production", "size": 4, "evidence": [{}]});
    registry.answers(&target, 200, pack);
    let args = ["gate", "pack", &artifact, "--environment", "production", "--out", "@p.json"];
    dir.run(&args).expect(0).says(&["1 attestation", "log size 4"]);
    assert!(dir.read("p.json").contains("vnd.attestry.pack"));
    registry.answers(&target, 200, json!({"subject": artifact, "environment": "staging"}));
    dir.run(&args).expect(2).says(&["another artifact or environment"]);
}

/// A folder with an artifact that may enter production, and the pack that proves it.
fn packed() -> (Dir, FakeRegistry, Value) {
    let mut dir = Dir::with_key_and_artifact("ed25519");
    let pem = dir.read("k.pub");
    let fingerprint = dir.json(&["key", "show", "@k.pub", "--json"])["fingerprint"].take();
    let roster = format!(
        "schema = \"roster/v1\"\nversion = 1\nexpires = 2027-12-31T00:00:00Z\n[[signer]]\nname = \"ci\"\nkey = \"\"\"{pem}\"\"\"\nmay = [\"test-result\", \"policy\"]\n[groups]\nleads = [\"ci\"]\n[policies]\ngroup = \"leads\"\nthreshold = 1\n"
    );
    dir.write("roster.toml", &roster);
    dir.write(
        "p.toml",
        &POLICY
            .replace("[[rule]]\ntype = \"approval\"\nsigners = [\"leads\"]\nthreshold = 1\n", ""),
    );
    dir.write("result.json", "{\"result\":\"PASSED\",\"configuration\":[{\"name\":\"c\",\"uri\":\"https://a.example\"}],\"passedTests\":[\"unit\"]}");
    let registry = FakeRegistry::start(&[&pem]);
    registry.found(&[fingerprint.as_str().unwrap()]);
    dir.environment.insert("ATTESTRY_REGISTRY".to_owned(), registry.url.clone());
    dir.write("trusted_root.json", &registry.trusted_root());
    registry.answers("GET /v1/policies", 200, json!({"items": []}));
    dir.run(&["roster", "push", "@roster.toml", "--key", "@k.key"]).expect(0);
    dir.run(&["policy", "push", "@p.toml", "--key", "@k.key"]).expect(0);
    let attest = ["attest", "@app", "--type", "test-result", "--predicate", "@result.json"];
    dir.run(&[&attest[..], &["--key", "@k.key"]].concat()).expect(0);
    let artifact = attestry_schemas::digest::Sha256::of(b"the artifact").to_string();
    let pack = registry.pack(&artifact, "production");
    (dir, registry, pack)
}

#[test]
fn a_pack_is_decided_without_a_registry_over_what_it_proves() {
    let (dir, registry, pack) = packed();
    let before = registry.requests().len();
    let asked = ["gate", "@app", "--environment", "production", "--name", "pay/api"];
    let at = ["--pack", "@pack.json", "--at", "2026-10-01T00:00:00Z"];
    let args = [&asked[..], &at, &["--trusted-root", "@trusted_root.json"]].concat();
    let check = |pack: &Value, status: u8, said: &[&str]| {
        dir.write("pack.json", &pack.to_string());
        dir.run(&args).expect(status).says(said);
    };
    check(&pack, 0, &["ALLOWED: pay/api in production", "made here from a pack"]);
    dir.run(&[&asked[..], &at].concat()).expect(2).says(&["expected a trusted root"]);
    // What is left out of a pack, or does not verify, allows nothing.
    let mut less = pack.clone();
    less["evidence"] = json!([]);
    check(&less, 1, &["DENIED", "✗ test-result", "nearest pass"]);
    less["governance"] = json!([]);
    check(&less, 1, &["DENIED", "roster"]);
    let mut forged = pack.clone();
    forged["evidence"][0]["bundle"]["verificationMaterial"]["tlogEntries"] = json!([]);
    check(&forged, 1, &["left out", "DENIED"]);
    let mut other = pack.clone();
    other["environment"] = "staging".into();
    check(&other, 2, &["expected a pack about"]);
    check(&json!({}), 2, &["expected a pack"]);
    dir.write("trusted_root.json", &FakeRegistry::start_with(&[], [9; 32]).trusted_root());
    check(&pack, 1, &["genesis"]);
    assert_eq!(registry.requests().len(), before);
}
