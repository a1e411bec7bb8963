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
    let nowhere = ["--registry", "http://127.0.0.1:9", "--summary", "@undecided.md"];
    dir.run(&[&["gate", artifact.as_str(), "--environment", "production"], &nowhere[..]].concat())
        .expect(2);
    let summary = dir.read("undecided.md");
    assert!(summary.contains("## ❌ Not decided") && summary.contains("Fix: "), "{summary}");
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
    dir.run(&staging).expect(2).says(&["expected a decision for the environment staging"]);
    let named = ["gate", artifact.as_str(), "--environment", "production", "--name", "pay/web"];
    dir.run(&named).expect(2).says(&["for the name pay/web"]);
    let other = format!("sha256:{}", "a".repeat(64));
    dir.run(&ask(&other, &[])).expect(2).says(&["for the artifact"]);
    dir.run(&ask(&artifact, &["--configuration", &other])).expect(2).says(&["configuration"]);
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

/// A decision with other details, as the gate of this registry could have signed it.
fn with_details(statement: &Value, change: impl Fn(&mut Value)) -> Value {
    let mut changed = statement.clone();
    change(&mut changed["predicate"]["https://attestry.dev/gate/v1"]);
    changed
}

#[test]
fn a_signed_decision_that_lets_nothing_enter_now_allows_nothing() {
    let (mut dir, registry, allowed, _) = decisions();
    let artifact = subject(&allowed);
    let refused = |dir: &Dir, answer: Value, said: &[&str]| {
        registry.answers("POST /v1/decisions", 200, answer);
        let answer = dir.run(&ask(&artifact, &["--explain"])).expect(2);
        assert!(!answer.stdout.contains("ALLOWED"), "{}", answer.stdout);
        answer.says(said);
    };
    // About what runs.
    let run = with_details(&allowed, |details| {
        details["run"] = json!({ "deployment": format!("sha256:{}", "a".repeat(64)) });
    });
    refused(&dir, registry.decide(&run), &["about what enters now", "about what runs already"]);
    // Another one than is named.
    let mut another = registry.decide(&allowed);
    let digest = another["decision"].as_str().unwrap().to_owned();
    let other = format!("sha256:{}", "a".repeat(64));
    another["decision"] = other.clone().into();
    let expected = format!("expected the digest {digest} of the decision in the bundle");
    let found = format!("found {other}");
    refused(&dir, another, &[expected.as_str(), found.as_str()]);
    // One that is over, whatever the answer says of its end.
    let mut over = registry.decide(&allowed);
    over["until"] = "2099-01-01T00:00:00Z".into();
    dir.now = || "2026-10-02T00:00:00Z".parse().unwrap();
    let said = ["it held until 2026-10-02T00:00:00Z, and it is now 2026-10-02T00:00:00Z", "clock"];
    refused(&dir, over.clone(), &said);
    dir.now = || "2026-10-01T23:59:59Z".parse().unwrap();
    registry.answers("POST /v1/decisions", 200, over);
    dir.run(&ask(&artifact, &[])).expect(0).says(&["it holds until 2026-10-02T00:00:00Z"]);
}

#[test]
fn end_and_warnings_are_those_that_were_signed() {
    let (dir, registry, allowed, denied) = decisions();
    let artifact = subject(&allowed);
    let told = |mut answer: Value| {
        answer["until"] = "2099-01-01T00:00:00Z".into();
        answer["warnings"] = json!(["made up"]);
        registry.answers("POST /v1/decisions", 200, answer);
        dir.json(&ask(&artifact, &["--json"]))
    };
    let found = told(registry.decide(&allowed));
    assert_eq!(found["until"], "2026-10-02T00:00:00Z");
    assert_eq!(found["warnings"], json!([]));
    let mut warned = with_details(&denied, |details| {
        details["policies"][0]["mode"] = "warn".into();
    });
    warned["predicate"]["verificationResult"] = "PASSED".into();
    warned["predicate"]["verifiedLevels"] = json!(["SLSA_BUILD_LEVEL_UNEVALUATED"]);
    let found = told(registry.decide(&warned));
    let warnings = found["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let first = warnings[0].as_str().unwrap();
    assert!(first.starts_with("production@3: test-result: "), "{first}");
    dir.run(&ask(&artifact, &[])).expect(0).says(&["ALLOWED", "warning: production@3:"]);
}

#[test]
fn a_waiver_is_told_with_who_consented_until_when_and_why() {
    let (dir, _, allowed, _) = decisions();
    dir.run(&["key", "generate", "--out", "@k"]).expect(0);
    let fingerprint = dir.json(&["key", "show", "@k.pub", "--json"])["fingerprint"].take();
    let fingerprint = fingerprint.as_str().unwrap().to_owned();
    let registry = FakeRegistry::start(&[&dir.read("k.pub")]);
    dir.write("trusted_root.json", &registry.trusted_root());
    let artifact = subject(&allowed);
    let url = ["--registry", registry.url.as_str()];
    let waive = ["waive", &artifact, "--rule", "test-result", "--finding", "unit", "--until"];
    let why = ["30d", "--reason", "flaky, see INC-7", "--key", "@k.key", "--out", "@w", "--json"];
    let waiver = dir.json(&[&waive[..], &why, &url].concat())["registry"]["digest"].take();
    let roster = format!(
        "schema = \"roster/v1\"\nversion = 2\nexpires = 2027-12-31T00:00:00Z\n[[signer]]\nname = \"lead\"\nkey = \"{fingerprint}\"\nmay = [\"waiver\"]\n"
    );
    let digest = attestry_schemas::digest::Sha256::of(roster.as_bytes()).to_string();
    let decision = with_details(&allowed, |details| {
        details["roster"] = json!({"version": 2, "digest": digest});
        let rule = &mut details["policies"][0]["rules"][0];
        rule["outcome"] = "waived".into();
        rule["findings"] = json!([{"id": "unit", "text": "unit failed", "waivedBy": [waiver]}]);
    });
    let answer = registry.decide(&decision);
    let decided = answer["decision"].as_str().unwrap().to_owned();
    registry.answers("POST /v1/decisions", 200, answer);
    let explain = [&["gate", "explain", &decided][..], &url].concat();
    let waived = |by: &str| {
        format!("waived: unit failed by {by} until 1970-01-31T00:00:00Z: flaky, see INC-7 (sha256:")
    };
    // The registry does not have that roster any more: the key is told.
    let explained = dir.run(&explain).expect(0);
    explained.says(&["who waived is told by key: ", &waived(&fingerprint)]);
    let ruled = json!({"version": 2, "digest": digest, "document": roster});
    registry.answers("GET /v1/roster?version=2", 200, ruled);
    let explained = dir.run(&explain).expect(0);
    let explained = explained.says(&["~ test-result: ", &waived("lead")]);
    assert!(!explained.stderr.contains("warning"), "{}", explained.stderr);
    let gate = |more: &[&str]| dir.run(&ask(&artifact, &[&url[..], more].concat())).expect(0);
    gate(&["--explain", "--summary", "@summary.md"]).says(&[&waived("lead")]);
    let summary = dir.read("summary.md");
    assert!(summary.contains("\nWaived: unit failed by lead until 1970-01-31"), "{summary}");
    // Where nothing is explained nobody is asked, and what the registry makes up of a waiver is not told.
    let asked = registry.requests().len();
    gate(&[]);
    assert!(!registry.requests()[asked..].iter().any(|line| line.contains("/v1/roster")));
    let path = format!("GET /v1/attestations/{}", waiver.as_str().unwrap());
    registry.answers(&path, 200, json!({"payload": "", "payloadType": "x", "signatures": []}));
    let explained = dir.run(&explain).expect(0);
    explained.says(&["is told by its digest alone: ", "waived: unit failed by sha256:"]);
}

#[test]
fn a_past_decision_is_explained_and_made_again() {
    let (dir, registry, _, denied) = decisions();
    let decision = registry.decide(&denied)["decision"].as_str().unwrap().to_owned();
    let explained = dir.run(&["gate", "explain", &decision]).expect(0);
    explained.says(&["DENIED: pay/api in production", "✗ test-result", "log index 1"]);
    dir.run(&["gate", "explain", &format!("sha256:{}", "a".repeat(64))]).expect(2);
    // As a person was told it; whatever else the registry answers is not taken for it.
    let short = &decision[..19];
    let whole = format!("GET /v1/digests/{short}");
    registry.answers(&whole, 200, json!({"digests": [decision]}));
    dir.run(&["gate", "explain", short]).expect(0).says(&[&format!("decision: {decision}")]);
    let other = format!("{short}{}", "0".repeat(52));
    registry.answers(&whole, 200, json!({"digests": [decision, other]}));
    dir.run(&["gate", "explain", short]).expect(2).says(&["expected one", &other, "more of its"]);
    registry.answers(&whole, 200, json!({"digests": [format!("sha256:{}", "0".repeat(64))]}));
    dir.run(&["gate", "explain", short]).expect(2).says(&["other digests"]);
    dir.run(&["gate", "explain", "sha256:abc"]).expect(2).says(&["first 8 or more"]);
    let replay = format!("POST /v1/decisions/{decision}/replay");
    let mut answer = json!({"decision": decision, "recorded": "FAILED", "result": "FAILED", "same": true, "differences": [], "statement": denied});
    registry.answers(&replay, 200, answer.clone());
    dir.run(&["gate", "replay", &decision]).expect(0).says(&["the same"]);
    answer["same"] = false.into();
    let line = "production@3: approval: outcome: recorded pass, now fail";
    answer["differences"] = json!([line]);
    answer["changes"] = json!([{"policy": "production@3", "rule": "approval", "member": "outcome",
        "recorded": "pass", "now": "fail"}]);
    registry.answers(&replay, 200, answer.clone());
    dir.run(&["gate", "replay", &decision]).expect(1).says(&[line]);
    let json = dir.json(&["gate", "replay", &decision, "--json"]);
    assert_eq!(json["changes"], answer["changes"]);
}

#[test]
fn a_deployment_is_held_against_its_decision_before_it_is_recorded() {
    let (dir, _, allowed, denied) = decisions();
    dir.run(&["key", "generate", "--out", "@k"]).expect(0);
    let registry = FakeRegistry::start(&[&dir.read("k.pub")]);
    dir.write("trusted_root.json", &registry.trusted_root());
    let artifact = subject(&allowed);
    let decided =
        |statement: &Value| registry.decide(statement)["decision"].as_str().unwrap().to_owned();
    let record = |decision: &str, more: &[&str]| {
        let args = ["deploy", "record", &artifact, "--decision", decision, "--key", "@k.key"];
        let at = ["--registry", &registry.url];
        dir.run(&[&args[..], &at, more].concat()).expect(0)
    };
    let here = ["--environment", "production", "--name", "pay/api"];
    let at = |begun: &'static str| ["--started-at", begun, "--finished-at", "2026-10-03T00:00:00Z"];
    let passed = decided(&allowed);
    let fine = record(&passed, &[&here[..], &at("2026-10-01T12:00:00Z")].concat());
    assert!(!fine.stderr.contains("warning"), "{}", fine.stderr);
    let late = record(&passed, &[&here[..], &at("2026-10-02T00:00:00Z")].concat());
    late.says(&["it held until 2026-10-02T00:00:00Z", "recorded as unauthorized", "attestry gate"]);
    let early = record(&passed, &[&here[..], &at("2026-10-01T11:54:59Z")].concat());
    early.says(&["made at 2026-10-01T12:00:00Z, after the deployment began"]);
    let named = ["--environment", "production", "--name", "pay/web"];
    let named = record(&passed, &[&named[..], &at("2026-10-01T12:00:00Z")].concat());
    named.says(&["not asked for under the name pay/web"]);
    let elsewhere = record(&passed, &["--environment", "staging"]);
    elsewhere.says(&["it is for production"]);
    record(&decided(&denied), &here).says(&["it denies"]);
    let mut run = allowed.clone();
    let details = &mut run["predicate"]["https://attestry.dev/gate/v1"];
    details["run"] = json!({ "deployment": format!("sha256:{}", "a".repeat(64)) });
    record(&decided(&run), &here).says(&["about what runs already"]);
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
    let mut pack = registry.pack(&artifact, "production");
    pack["name"] = "pay/api".into();
    let pack = registry.signed(&pack);
    (dir, registry, pack)
}

/// A registry with what was packed, which answers what a roster's impact is worked out from.
fn impact_setting() -> (Dir, FakeRegistry, String) {
    let (mut dir, registry, _) = packed();
    dir.now = || "2026-10-01T00:00:00Z".parse().unwrap();
    let artifact = attestry_schemas::digest::Sha256::of(b"the artifact").to_string();
    let target = |subject: &str, rest: &str| {
        format!("GET /v1/packs?subject={}&{rest}", subject.replace(':', "%3A"))
    };
    let nothing = attestry_schemas::digest::Sha256::of(b"").to_string();
    registry.answers(&target(&nothing, "environment=none"), 200, registry.pack(&nothing, "none"));
    let pack = registry.pack(&artifact, "production");
    registry.answers(&target(&artifact, "environment=production&name=pay%2Fapi"), 200, pack);
    let running = json!({"environment": "production", "name": "pay/api", "subject": artifact,
        "since": "2026-09-01T00:00:00Z", "decision": null, "authorized": false, "compliant": true,
        "deployment": format!("sha256:{}", "c".repeat(64)), "reasons": [], "break_glass": false});
    registry.answers("GET /v1/deployments", 200, json!({"items": [running], "truncated": false}));
    let ruling = dir.read("roster.toml");
    registry.answers(
        "GET /v1/roster",
        200,
        json!({"version": 1, "document": ruling, "digest": attestry_schemas::digest::Sha256::of(ruling.as_bytes()).to_string()}),
    );
    (dir, registry, ruling)
}

#[test]
fn what_a_roster_would_make_fall_is_told_before_it_is_published() {
    let (dir, _, ruling) = impact_setting();
    let next = ruling.replace("version = 1", "version = 2");
    let impact = ["roster", "impact", "@next.toml", "--trusted-root", "@trusted_root.json"];
    let told = |text: &str, status: u8| {
        dir.write("next.toml", text);
        dir.run(&impact).expect(status)
    };
    let same = "0 attestations would no longer count; of 1 running artifact, 0 would";
    told(&next, 0).says(&[same]);
    let revoked = |from: &str| {
        next.replace("may = ", &format!("revoked_at = {from}\nreason = \"compromised\"\nmay = "))
    };
    // The log of these tests holds everything in 2023.
    told(&revoked("2024-01-01T00:00:00Z"), 0)
        .says(&["revoked (compromised) from 2024-01-01", same]);
    told(&revoked("2023-01-01T00:00:00Z"), 1).says(&[
        "signer ci SHA256:",
        "2 would no longer count: 1 policy, 1 test-result",
        "production pay/api sha256:",
        "would no longer be allowed",
        "policy production@3 would deny all that it is for: 0 signatures that count of the 1 by leads",
        "of 1 running artifact, 1 would",
    ]);
    let narrowed = told(&next.replace("\"test-result\", ", ""), 1);
    narrowed.says(&[
        "may no longer sign test-result",
        "1 would no longer count: 1 test-result",
        "production@3: test-result:",
    ]);
    let kept = "valid_until = 2024-01-01T00:00:00Z\nmay = ";
    told(&next.replace("may = ", kept), 0).says(&["signs until 2024-01-01", same]);
    let other = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
    let start = next.find("\"\"\"").unwrap();
    let end = next.rfind("\"\"\"").unwrap() + 3;
    let replaced = format!("{}\"{other}\"{}", &next[..start], &next[end..]);
    told(&replaced, 1).says(&["removed", "2 would no longer count"]);
    let all = dir.json(&[&impact[..], &["--limit", "1", "--json"]].concat());
    assert_eq!(all["signers"][0]["attestations"].as_array().unwrap().len(), 2);
    assert_eq!(all["signers"][0]["by_type"], json!({"policy": 1, "test-result": 1}));
    told(&ruling.replace("2027-12-31", "2027-12-30"), 2).says(&["expected a version above 1"]);
    dir.write("next.toml", &next);
    let with = |file: &'static str| [&impact[..], &["--certificate-root", file]].concat();
    dir.run(&with("@none.json")).expect(2).says(&["none.json"]);
    dir.run(&with("@trusted_root.json")).expect(2).says(&["trusted_root.json", "authorit"]);
    dir.write("trusted_root.json", &FakeRegistry::start_with(&[], [9; 32]).trusted_root());
    told(&next, 1).says(&["genesis"]);
}

#[test]
fn a_signer_is_revoked_by_a_statement_that_every_root_key_signs_alike() {
    let (dir, registry, _) = impact_setting();
    let trusted = ["--trusted-root", "@trusted_root.json"];
    let revoke = |more: &[&str]| {
        let args = ["roster", "revoke", "ci", "--reason", "compromised"];
        dir.run(&[&args[..], &trusted, more].concat())
    };
    let before = registry.payloads().len();
    let dry = revoke(&["--from", "2023-01-01", "--dry-run"]).expect(1);
    dry.says(&["2 would no longer count", "1 would no longer be allowed"]);
    revoke(&["--from", "2024-01-01", "--dry-run"]).expect(0);
    assert_eq!(registry.payloads().len(), before, "a dry run was sent");
    revoke(&["--from", "2023-01-01", "--key", "@k.key"]).expect(0).says(&["revocation: sha256:"]);
    let payloads = registry.payloads();
    let made: Value = serde_json::from_slice(payloads.last().unwrap()).unwrap();
    let fingerprint = dir.json(&["key", "show", "@k.pub", "--json"])["fingerprint"].take();
    let expected = json!({"signer": {"fingerprint": fingerprint}, "reason": "compromised",
        "effectiveAt": "2023-01-01T00:00:00Z"});
    assert_eq!(made["predicate"], expected);
    dir.run(&["key", "generate", "--out", "@k2"]).expect(0);
    let roots = ["--certificate-root", "@trusted_root.json"];
    let dry_run = ["--from", "2023-01-01", "--dry-run", roots[0], roots[1]];
    revoke(&dry_run).expect(2).says(&["trusted_root.json", "authorit"]);
    revoke(&["--from", "2023-01-01", roots[0], roots[1]]).expect(2).says(&["--dry-run"]);
    let unknown = ["roster", "revoke", "nobody", "--reason", "superseded", "--from", "2023-01-01"];
    dir.run(&unknown).expect(2).says(&["name or the fingerprint of a signer", "nobody"]);
    revoke(&[]).expect(2).says(&["--from"]);
}

#[test]
fn the_roster_is_shown_with_who_is_revoked() {
    let (dir, registry, ruling) = impact_setting();
    let digest = attestry_schemas::digest::Sha256::of(ruling.as_bytes()).to_string();
    let one = |from: Value, logged_at: Value, have: u64| {
        json!({"signer": "SHA256:x", "name": "ci", "reason": "compromised", "effective_at": "2026-02-01T00:00:00Z",
            "from": from, "logged_at": logged_at, "statements": ["sha256:aa"], "have": have, "need": 2})
    };
    let revocations = json!([
        one("2026-02-01T00:00:00Z".into(), "2026-03-01T00:00:00Z".into(), 2),
        one(Value::Null, Value::Null, 1)
    ]);
    registry.answers(
        "GET /v1/roster",
        200,
        json!({"version": 1, "document": ruling, "digest": digest, "revocations": revocations}),
    );
    let shown = dir.run(&["roster", "show"]).expect(0);
    assert_eq!(shown.stdout, ruling);
    shown.says(&[
        "revoked: ci SHA256:x (compromised) from 2026-02-01T00:00:00Z on, logged at 2026-03-01T00:00:00Z, by sha256:aa",
        "pending: ci SHA256:x revoked (compromised) from 2026-02-01T00:00:00Z on has 1 of 2 signatures",
    ]);
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
    check(&less, 1, &["signature of the registry over the whole pack", "gate pack"]);
    check(&registry.signed(&less), 1, &["DENIED", "✗ test-result", "nearest pass"]);
    less["governance"] = json!([]);
    check(&registry.signed(&less), 1, &["DENIED", "roster"]);
    let mut forged = pack.clone();
    forged["evidence"][0]["bundle"]["verificationMaterial"]["tlogEntries"] = json!([]);
    check(&registry.signed(&forged), 1, &["left out", "DENIED"]);
    // Nor is anything allowed over the rest: the registry counts it, and it could be what denies.
    let mut beside = pack.clone();
    beside["evidence"].as_array_mut().unwrap().push(forged["evidence"][0].clone());
    check(
        &registry.signed(&beside),
        2,
        &["left out", "found 1 that do not", "could be what denies"],
    );
    let mut other = pack.clone();
    other["environment"] = "staging".into();
    check(&other, 2, &["expected a pack about"]);
    check(&json!({}), 2, &["expected a pack"]);
    // Names are those that a registry takes.
    for (flag, name) in [("environment", "a b"), ("name", "pay//api"), ("name", "../pay")] {
        let found = format!("invalid value '{name}' for '--{flag} ");
        let flag = format!("--{flag}={name}");
        let mut asked = vec!["gate", "@app", flag.as_str()];
        if !flag.starts_with("--environment") {
            asked.extend(["--environment", "production"]);
        }
        asked.extend(at.iter().chain(&["--trusted-root", "@trusted_root.json"]).copied());
        dir.run(&asked)
            .expect(2)
            .says(&["expected a name such as pay/api of at most 1000", &found]);
    }
    dir.write("trusted_root.json", &FakeRegistry::start_with(&[], [9; 32]).trusted_root());
    check(&pack, 1, &["genesis"]);
    assert_eq!(registry.requests().len(), before);
}
