//! What people sign, what is recorded of deployments, the numbers, and the manifests.

use serde_json::{Value, json};

use crate::fake_registry::FakeRegistry;
use crate::harness::Dir;

fn payload(bundle: &str) -> Vec<u8> {
    let bundle: Value = serde_json::from_str(bundle).unwrap();
    let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
    attestry_schemas::base64::decode(payload, "payload").unwrap()
}

fn statement(bundle: &str) -> Value {
    serde_json::from_slice(&payload(bundle)).unwrap()
}

fn two_keys() -> Dir {
    let dir = Dir::with_key_and_artifact("p256");
    dir.run(&["key", "generate", "--out", "@k2"]).expect(0);
    dir
}

const WAIVE: &[&str] = &[
    "waive",
    "@app",
    "--rule",
    "vuln-scan",
    "--finding",
    "CVE-2026-1",
    "--until",
    "30d",
    "--reason",
    "not reachable",
    "--key",
    "@k.key",
];

#[test]
fn an_approval_says_what_for_and_until_when() {
    let dir = two_keys();
    let approve = ["approve", "@app", "--environment", "production", "--key", "@k.key"];
    dir.run(&approve).expect(0).says(&["approval/v1"]);
    let made = statement(&dir.read("app.approval.sigstore.json"));
    assert_eq!(made["predicateType"], "https://attestry.dev/approval/v1");
    let expected = json!({"environment": "production", "expires": "1970-01-08T00:00:00Z"});
    assert_eq!(made["predicate"], expected);
    assert_eq!(made["subject"][0].get("name"), None);
    let rollback = ["--rollback", "--reason", "r", "--expires", "2h", "--out", "@b"];
    dir.run(&[&approve[..], &rollback].concat()).expect(0);
    let made = statement(&dir.read("b"));
    assert_eq!(made["predicate"]["purpose"], "rollback");
    assert_eq!(made["predicate"]["expires"], "1970-01-01T02:00:00Z");
    let past = ["--expires", "1969-01-01"];
    dir.run(&[&approve[..], &past].concat()).expect(2).says(&["a moment to come"]);
    dir.run(&["approve", "@app", "--key", "@k.key"]).expect(2).says(&["--environment"]);
}

#[test]
fn a_second_signer_signs_the_very_statement_of_the_first_after_it_was_shown() {
    let dir = two_keys();
    dir.run(WAIVE).expect(0);
    let first = dir.read("app.waiver.sigstore.json");
    let like = ["waive", "@app", "--like", "@app.waiver.sigstore.json", "--key", "@k2.key"];
    dir.run(&like).expect(2).says(&["expected a place of its own", "--out"]);
    let second = dir.run(&[&like[..], &["--out", "@second"]].concat()).expect(0);
    second.says(&["CVE-2026-1", "not reachable", "1970-01-31T00:00:00Z"]);
    assert_eq!(payload(&dir.read("second")), payload(&first));
    assert_ne!(dir.read("second"), first);
}

#[test]
fn a_statement_that_means_something_else_is_not_signed() {
    let dir = two_keys();
    dir.run(WAIVE).expect(0);
    dir.write("other", "another artifact");
    let like = ["--like", "@app.waiver.sigstore.json", "--key", "@k2.key", "--out", "@second"];
    for (command, artifact, expected) in [
        ("break-glass", "@app", "break-glass/v1"),
        ("approve", "@app", "approval/v1"),
        ("waive", "@other", "one about"),
    ] {
        dir.run(&[&[command, artifact][..], &like].concat()).expect(1).says(&[expected]);
    }
    dir.run(&[&["waive", "@app", "--rule", "x"][..], &like].concat()).expect(2);
    assert!(!dir.path("second").exists());
}

#[test]
fn breaking_the_glass_needs_a_reason_an_end_and_a_review() {
    let dir = two_keys();
    let glass = ["break-glass", "@app", "--environment", "production", "--key", "@k.key"];
    dir.run(&glass).expect(2).says(&["--review-by", "--group", "--reason", "--expires"]);
    let flags = ["--reason", "INC-42", "--expires", "2h", "--review-by", "2d", "--group", "leads"];
    dir.run(&[&glass[..], &flags].concat()).expect(0);
    let made = statement(&dir.read("app.break-glass.sigstore.json"));
    assert_eq!(made["predicate"]["reviewBy"], "1970-01-03T00:00:00Z");
}

#[test]
fn a_statement_is_taken_from_the_registry_by_its_digest() {
    let dir = two_keys();
    let registry = FakeRegistry::start(&[&dir.read("k.pub"), &dir.read("k2.pub")]);
    let url = ["--registry", registry.url.as_str()];
    let first = dir.json(&[WAIVE, &url, &["--json"]].concat());
    let digest = first["registry"]["digest"].as_str().unwrap().to_owned();
    let like = ["waive", "@app", "--like", &digest, "--key", "@k2.key", "--out", "@second"];
    dir.run(&[&like[..], &url].concat()).expect(0).says(&["CVE-2026-1", "logged by"]);
    let payloads = registry.payloads();
    assert_eq!((payloads.len(), &payloads[0]), (2, &payloads[1]));
}

#[test]
fn a_deployment_is_recorded_and_one_without_a_decision_is_called_that() {
    let dir = two_keys();
    let registry = FakeRegistry::start(&[&dir.read("k.pub")]);
    let url = ["--environment", "production", "--key", "@k.key", "--registry", &registry.url];
    let record = [&["deploy", "record", "@app", "--name", "pay/api"][..], &url].concat();
    dir.run(&record).expect(0).says(&["no --decision", "unauthorized", "deployed in production"]);
    let none = format!("sha256:{}", "a".repeat(64));
    dir.run(&[&record[..], &["--decision", &none]].concat()).expect(0).says(&["does not allow"]);
    dir.run(&[&["deploy", "rollback", "@app", "--replaces", &none][..], &url].concat()).expect(0);
    dir.run(&[&["deploy", "decommission", "@app"][..], &url].concat()).expect(0);
    let made: Vec<Value> =
        registry.payloads().iter().map(|p| serde_json::from_slice(p).unwrap()).collect();
    let kinds: Vec<_> = made.iter().map(|s| s["predicate"]["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["deployed", "deployed", "rolled-back", "decommissioned"]);
    assert_eq!(made[0]["subject"][0]["name"], "pay/api");
    assert_eq!(made[1]["predicate"]["decision"]["sha256"], "a".repeat(64));
    let offline = ["deploy", "record", "@app", "--environment", "e", "--key", "@k.key"];
    dir.run(&offline).expect(2).says(&["expected a registry"]);
}

#[test]
fn status_shows_what_runs_and_why_it_is_flagged() {
    let dir = Dir::new();
    let registry = FakeRegistry::start(&[]);
    let item = json!({"environment": "production", "name": "pay/api", "subject": "sha256:aa",
        "since": "2026-10-01T00:00:00Z", "decision": "sha256:bb", "deployment": "sha256:cc",
        "authorized": true, "compliant": false, "reasons": ["CVE-2026-1 (critical)"], "break_glass": false});
    let target = "GET /v1/deployments?environment=production&all=true";
    registry.answers(target, 200, json!({"items": [item]}));
    let status = ["deploy", "status", "--environment", "production", "--all", "--registry"];
    let shown = dir.run(&[&status[..], &[&registry.url]].concat()).expect(0);
    shown.says(&["✗ production pay/api", "no longer compliant", "CVE-2026-1", "1 flagged"]);
    let unauthorized = json!({"environment": "production", "name": "pay/api", "subject": "sha256:aa",
        "since": "2026-10-01T00:00:00Z", "decision": "sha256:bb", "authorized": false,
        "cause": "other-signer", "compliant": false,
        "reasons": ["other-signer: who may not", "production@1: signature: an older registry's"]});
    registry.answers(target, 200, json!({"items": [unauthorized]}));
    let shown = dir.run(&[&status[..], &[&registry.url]].concat()).expect(0);
    let shown =
        shown.says(&["✗ production pay/api", "    unauthorized: other-signer: who may not\n"]);
    for misleading in ["no decision allowed it", "older registry", "no longer compliant"] {
        assert!(!shown.stdout.contains(misleading), "{misleading}: {}", shown.stdout);
    }
    let entry = |kind: &str, running: bool, until: Value| {
        json!({"environment": "staging", "name": "pay/api", "subject": "sha256:aa", "kind": kind,
            "running": running, "since": "2026-10-01T00:00:00Z", "until": until,
            "decision": "sha256:bb", "authorized": true, "compliant": true})
    };
    let items = [
        entry("decommissioned", false, Value::Null),
        entry("deployed", false, json!("2026-10-02T00:00:00Z")),
        entry("rolled-back", true, Value::Null),
    ];
    registry.answers("GET /v1/deployments?all=true", 200, json!({"items": items}));
    let all = ["deploy", "status", "--all", "--registry", &registry.url];
    dir.run(&all).expect(0).says(&[
        "- staging pay/api sha256:aa left at 2026-10-01T00:00:00Z",
        "- staging pay/api sha256:aa ran from 2026-10-01T00:00:00Z until 2026-10-02T00:00:00Z",
        "✓ staging pay/api sha256:aa since 2026-10-01T00:00:00Z",
    ]);
    let json = dir.json(&[&all[..], &["--json"]].concat());
    assert_eq!(
        (&json["items"][0]["kind"], &json["items"][0]["running"]),
        (&json!("decommissioned"), &json!(false))
    );
    registry.answers("GET /v1/deployments", 200, json!({"items": []}));
    dir.run(&["deploy", "status", "--registry", &registry.url]).expect(0).says(&["nothing runs"]);
}

#[test]
fn metrics_are_told_in_words_and_as_they_came() {
    let dir = Dir::new();
    let registry = FakeRegistry::start(&[]);
    let metrics = json!({"since": "1969-12-02T00:00:00Z",
        "coverage": {"running": 4, "verified": 3, "ratio": 0.75},
        "unauthorized": {"total": 2, "by_cause": {"no-decision": 2}},
        "rollbacks": {"deployments": 10, "rollbacks": 1, "ratio": 0.1},
        "time_to_detect": {"count": 1, "from_deployment_s": {"p50": 3600.0, "p95": 3600.0, "max": 3600.0}, "from_evidence_s": {"p50": 0.2, "p95": 0.2, "max": 0.2}, "from_expiry_s": {"p50": 0.4, "p95": 0.4, "max": 0.4}},
        "denials": {"total": 3, "by_rule": {"vuln-scan": 3}},
        "exceptions": {"waivers": 1, "break_glass": 3, "unreviewed": 1, "reviewed_late": 2},
        "evidence_age_s": {"p50": 60.0, "max": 86400.0}});
    let target = "GET /v1/metrics/delivery?since=1969-12-02T00%3A00%3A00Z";
    registry.answers(target, 200, metrics.clone());
    let args = ["metrics", "--since", "30d", "--registry", &registry.url];
    let told = dir.run(&args).expect(0);
    told.says(&[
        "75.0 % (3 of 4",
        "no-decision",
        "10.0 %",
        "half within 0.20s",
        "half within 0.40s",
        "3 (1 not reviewed, 2 reviewed late)",
    ]);
    assert_eq!(dir.json(&[&args[..], &["--json"]].concat()), metrics);
}

#[test]
fn manifests_name_every_kind_of_workload_and_fail_closed() {
    let dir = Dir::new();
    dir.write("ca.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let args = ["k8s", "manifests", "--registry-url", "https://a.example", "--ca-file", "@ca.pem"];
    let made = dir.json(&[&args[..], &["--environment", "production", "--json"]].concat());
    let webhook = &made["webhooks"][0];
    assert_eq!(webhook["clientConfig"]["url"], "https://a.example/k8s/admission/production");
    assert_eq!(webhook["failurePolicy"], "Fail");
    let resources = webhook["rules"].to_string();
    for kind in ["pods", "ephemeralcontainers", "deployments", "daemonsets", "cronjobs"] {
        assert!(resources.contains(kind), "{kind}");
    }
    let text = dir.run(&args).expect(0).stdout;
    for line in [
        "kind: \"ValidatingWebhookConfiguration\"\n",
        "  - admissionReviewVersions: [\"v1\"]\n",
        "      url: \"https://a.example/k8s/admission\"\n",
        "        resources: [\"jobs\",\"cronjobs\"]\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    let open = ["--failure-policy", "Ignore", "--namespace", "pay"];
    dir.run(&[&args[..], &open].concat()).expect(0).says(&["warning:", "\"In\"", "\"pay\""]);
    let long = "a".repeat(64);
    for (flag, value, expected) in [
        ("--namespace", "a\"b", "expected namespace to be at most 63 lower-case letters"),
        ("--namespace", "Pay", "found \"Pay\""),
        ("--namespace", "pay-", "found \"pay-\""),
        ("--namespace", long.as_str(), "expected namespace"),
    ] {
        let refused = dir.run(&[&args[..], &[flag, value]].concat()).expect(2);
        assert!(refused.stdout.is_empty(), "{}", refused.stdout);
        refused.says(&[expected, "fix:"]);
    }
    let odd = dir.run(&[&args[..], &["--environment", "a b"]].concat()).expect(2);
    odd.says(&["--environment", "expected a name such as pay/api"]);
    let own = ["--namespace", "pay-2", "--namespace", "kube-system"];
    let own = dir.run(&[&args[..], &own].concat()).expect(0);
    assert!(own.stderr.contains("warning: --namespace kube-system"), "{}", own.stderr);
    assert!(own.stderr.contains("warning: no --environment"), "{}", own.stderr);
    assert_eq!(own.stderr.matches("warning:").count(), 2, "{}", own.stderr);
    dir.write("ca.pem", "none");
    dir.run(&args).expect(2).says(&["PEM certificates"]);
    let clear = ["k8s", "manifests", "--registry-url", "http://a.example", "--ca-file", "@ca.pem"];
    dir.run(&clear).expect(2).says(&["https://"]);
}
