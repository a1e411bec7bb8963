//! Rosters and policies: lint, diff, test, push, show.

use serde_json::{Value, json};

use attestry_schemas::digest::Sha256;

use crate::fake_registry::FakeRegistry;
use crate::harness::Dir;

pub(crate) const ROSTER: &str = r#"schema = "roster/v1"
version = 2
expires = 2027-12-31T00:00:00Z
[[signer]]
name = "ci"
key = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"
may = ["test-result", "signature"]
[[signer]]
name = "alice"
key = "SHA256:ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs"
may = ["approval", "policy"]
[groups]
leads = ["alice"]
[policies]
group = "leads"
threshold = 1
"#;

pub(crate) const POLICY: &str = r#"schema = "policy/v1"
name = "production"
version = 3
expires = 2027-06-30T00:00:00Z
mode = "enforce"
[match]
artifacts = ["pay/**"]
environments = ["production"]
[[rule]]
type = "test-result"
signers = ["ci"]
[[rule]]
type = "approval"
signers = ["leads"]
threshold = 1
"#;

pub(crate) const ALLOWED: &str = r#"schema = "policy-fixture/v1"
policies = ["production.policy.toml"]
roster = "roster.toml"
environment = "production"
name = "pay/api"
now = 2026-10-01T12:00:00Z
expect = "allow"
expect_rule = { test-result = "pass", approval = "pass" }
[[evidence]]
signer = "ci"
type = "test-result"
predicate = '''{"result":"PASSED","configuration":[{"name":"ci","digest":{"sha256":"${subject}"}}],"passedTests":["unit"]}'''
[[evidence]]
signer = "alice"
type = "approval"
logged_at = 2026-10-01T11:00:00Z
predicate_file = "approval.json"
"#;

pub(crate) fn setting() -> Dir {
    let dir = Dir::new();
    dir.write("roster.toml", ROSTER);
    dir.write("production.policy.toml", POLICY);
    dir.write("f/roster.toml", ROSTER);
    dir.write("f/production.policy.toml", POLICY);
    dir.write(
        "f/approval.json",
        "{\"environment\":\"production\",\"expires\":\"2026-10-02T00:00:00Z\"}",
    );
    dir.write("f/allowed.fixture.toml", ALLOWED);
    dir
}

#[test]
fn lint_tells_every_fault_by_line_and_column() {
    let dir = setting();
    dir.run(&["roster", "lint", "@roster.toml"]).expect(0).says(&["✓", "version 2", "1 group"]);
    let policy = ["policy", "lint", "@production.policy.toml"];
    dir.run(&policy).expect(0).says(&["production@3", "2 rules", "no roster is given"]);
    dir.run(&[&policy[..], &["--roster", "@roster.toml"]].concat()).expect(0);

    dir.write("bad.toml", &ROSTER.replace("version = 2", "version = 0"));
    dir.run(&["roster", "lint", "@bad.toml"]).expect(1).says(&["bad.toml:2:11: expected version"]);
    dir.run(&["roster", "lint", "@none.toml", "@roster.toml"]).expect(2).says(&["none.toml", "✓"]);
    dir.write("bad.toml", &POLICY.replace("\"leads\"", "\"nobody\""));
    let named = ["policy", "lint", "@bad.toml", "--roster", "@roster.toml", "--json"];
    let found = dir.json(&named);
    assert_eq!(found["faults"][0]["line"], 14);
}

#[test]
fn lint_and_diff_warn_of_what_ends_soon_and_of_callers_that_nobody_is() {
    let mut dir = setting();
    let named = ROSTER
        .replace("may = [\"test-result\"", "principals = [\"deploy\"]\nmay = [\"test-result\"");
    dir.write("named.toml", &named);
    let lint = dir.run(&["roster", "lint", "@named.toml"]).expect(0);
    lint.says(&["warning:", "the registry knows nobody as \"deploy\"", "token:NAME"]);
    let found = dir.json(&["roster", "lint", "@named.toml", "--json"]);
    assert_eq!(found["warnings"].as_array().unwrap().len(), 1);
    assert!(!dir.run(&["roster", "lint", "@roster.toml"]).expect(0).stderr.contains("warning"));
    dir.now = || "2027-12-30T00:00:00Z".parse().unwrap();
    dir.run(&["roster", "lint", "@roster.toml"])
        .expect(0)
        .says(&["it expires at 2027-12-31", "in 1d"]);
    dir.run(&["roster", "diff", "@named.toml", "@roster.toml"]).expect(0).says(&["it expires at"]);
    let policy = "@production.policy.toml";
    dir.run(&["policy", "lint", policy]).expect(0).says(&["warning:", "it expired at 2027-06-30"]);
    dir.run(&["policy", "diff", policy, policy]).expect(0).says(&["it expired at 2027-06-30"]);
}

#[test]
fn a_policy_is_linted_with_the_roster_of_the_registry_that_is_configured() {
    let mut dir = setting();
    let registry = FakeRegistry::start(&[]);
    ruling(&registry, Some(ROSTER), json!([]));
    dir.write("attestry.toml", &format!("registry = \"{}\"\n", registry.url));
    dir.write("bad.toml", &POLICY.replace("\"leads\"", "\"nobody\""));
    let lint = |dir: &Dir, file: &str, more: &[&str]| {
        dir.run(&[&["policy", "lint", file][..], more].concat())
    };
    let policy = "@production.policy.toml";
    lint(&dir, "@bad.toml", &[]).expect(1).says(&["✗", "bad.toml:14:", "nobody"]);
    lint(&dir, policy, &[]).expect(0).says(&["checked against roster version 2"]);
    dir.environment.insert("ATTESTRY_REGISTRY".to_owned(), registry.url.clone());
    dir.write("attestry.toml", "");
    lint(&dir, "@bad.toml", &[]).expect(1).says(&["nobody"]);
    // A registry without a roster, or that does not answer, keeps nobody from linting.
    ruling(&registry, None, json!([]));
    let without = ["not checked", "checked without a roster"];
    let told = lint(&dir, "@bad.toml", &[]).expect(0).says(&without);
    assert!(told.stderr.contains(&format!("no roster rules at {}", registry.url)));
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("http://{nobody}");
    dir.environment.insert("ATTESTRY_REGISTRY".to_owned(), nobody.clone());
    let told = lint(&dir, policy, &[]).expect(0).says(&without).says(&["cannot reach"]);
    assert_eq!(told.stderr.lines().count(), 1, "{}", told.stderr);
    let flag = lint(&dir, policy, &["--registry", &nobody]).expect(2);
    assert!(!flag.stdout.contains('✓'), "{}", flag.stdout);
    lint(&dir, policy, &["--roster", "@roster.toml"]).expect(0).says(&["roster version 2"]);
}

#[test]
fn diff_names_what_to_look_at_twice() {
    let dir = setting();
    dir.write("new.toml", &ROSTER.replace("version = 2", "version = 1"));
    let roster = dir.run(&["roster", "diff", "@roster.toml", "@new.toml"]).expect(0);
    roster.says(&["version: 2 → 1", "warning:", "only grows"]);
    dir.write("new.toml", &POLICY.replace("enforce", "shadow"));
    let policy = ["policy", "diff", "@production.policy.toml", "@new.toml"];
    dir.run(&policy)
        .expect(0)
        .says(&["mode \"enforce\" → \"shadow\"", "counts as if it did not match"]);
    let changes = dir.json(&[&policy[..], &["--json"]].concat());
    assert_eq!(changes.as_array().unwrap().len(), 1);
    let same = ["policy", "diff", "@production.policy.toml", "@production.policy.toml"];
    dir.run(&same).expect(0).says(&["nothing changes"]);
}

#[test]
fn a_fixture_is_decided_by_the_gate_itself() {
    let dir = setting();
    dir.run(&["policy", "test", "@f"]).expect(0).says(&["✓", "allow", "1 fixture: 0 with"]);
    for (from, to, expected) in [
        ("expect = \"allow\"", "expect = \"deny\"", "expected deny, found allow"),
        ("signer = \"ci\"", "signer = \"stranger\"", "rule test-result: expected pass, found fail"),
        ("2026-10-01T12", "2026-10-03T12", "rule approval: expected pass, found fail"),
        ("PASSED", "FAILED", "nearest pass: only test-result is missing"),
        ("approval = \"pass\"", "scan = \"pass\"", "expected an answer of rule scan, found none"),
    ] {
        dir.write("f/other.fixture.toml", &ALLOWED.replace(from, to));
        dir.run(&["policy", "test", "@f/other.fixture.toml"]).expect(1).says(&[expected]);
    }
    dir.write("f/other.fixture.toml", &ALLOWED.replace("PASSED", "FAILED"));
    let told = dir.run(&["policy", "test", "@f/other.fixture.toml"]).expect(1);
    let first = told.stdout.lines().next().unwrap_or_default();
    assert!(first.ends_with("other.fixture.toml: expected allow, found deny"), "{first}");
    assert_eq!(told.stdout.matches("expected allow").count(), 1, "{}", told.stdout);
}

#[test]
fn a_fixture_that_cannot_be_tried_is_no_verdict() {
    let dir = setting();
    for (from, to, expected) in [
        ("signer = \"ci\"", "signer = \"cy\"", "expected a signer of the roster"),
        ("${subject}", "${other}", "expected one of the ids subject"),
        ("now =", "when =", "expected one of the keys"),
        ("approval.json", "none.json", "none.json"),
        ("type = \"approval\"", "type = \"aproval\"", "short name of a predicate type"),
        ("roster.toml", "approval.json", "expected TOML"),
    ] {
        dir.write("f/other.fixture.toml", &ALLOWED.replace(from, to));
        dir.run(&["policy", "test", "@f"]).expect(2).says(&[expected, "✓"]);
    }
    dir.run(&["policy", "test", "@"]).expect(2).says(&["expected *.fixture.toml"]);
}

/// A registry at which these rule, or nothing does.
fn ruling(registry: &FakeRegistry, roster: Option<&str>, pending: Value) {
    let roster = match roster {
        Some(text) => json!({
            "version": 2, "digest": Sha256::of(text.as_bytes()).to_string(), "document": text,
            "expires": "2027-12-31T00:00:00Z", "published_at": "2026-01-01T00:00:00Z",
            "signatures": ["sha256:aa", "sha256:bb"], "threshold": 2, "pending": pending,
        }),
        None => json!({"version": null, "threshold": 2, "pending": pending}),
    };
    registry.answers("GET /v1/roster", 200, roster);
}

#[test]
fn root_keys_sign_the_same_bytes_and_are_told_how_many_are_missing() {
    let dir = setting();
    dir.run(&["key", "generate", "--out", "@k1"]).expect(0);
    dir.run(&["key", "generate", "--out", "@k2"]).expect(0);
    let registry = FakeRegistry::start(&[&dir.read("k1.pub"), &dir.read("k2.pub")]);
    let digest = Sha256::of(ROSTER.as_bytes()).to_string();
    let pending = |have| json!([{"version": 2, "digest": digest, "have": have, "need": 2}]);
    let push = |key| {
        let url = registry.url.as_str();
        dir.run(&["roster", "push", "@roster.toml", "--key", key, "--registry", url])
    };
    ruling(&registry, None, pending(1));
    push("@k1.key").expect(0).says(&["1 of 2 signatures", "another root key has signed"]);
    assert_eq!(registry.contents()[&digest], ROSTER.as_bytes());
    ruling(&registry, Some(ROSTER), json!([]));
    push("@k2.key").expect(0).says(&["roster version 2 rules"]);
    let payloads = registry.payloads();
    assert_eq!(payloads.len(), 2);
    assert_eq!(payloads[0], payloads[1]);
    let statement: Value = serde_json::from_slice(&payloads[0]).unwrap();
    assert_eq!(statement["subject"][0]["name"], "roster.toml");
    assert_eq!(statement["predicateType"], "https://attestry.dev/roster/v1");
    assert_eq!(statement["predicate"]["version"], 2);

    dir.write("roster.toml", &ROSTER.replace("alice", "bob"));
    push("@k1.key").expect(1).says(&["version above 2", "only grows"]);
    dir.write("roster.toml", "schema = \"roster/v1\"\n");
    push("@k1.key").expect(2).says(&["roster.toml: line 1", "faults"]);
    assert_eq!(registry.payloads().len(), 2);
}

#[test]
fn a_policy_is_linted_with_the_ruling_roster_before_it_is_signed() {
    let dir = setting();
    dir.run(&["key", "generate", "--out", "@k"]).expect(0);
    let registry = FakeRegistry::start(&[&dir.read("k.pub")]);
    ruling(&registry, Some(ROSTER), json!([]));
    let digest = Sha256::of(POLICY.as_bytes()).to_string();
    let policy = json!({
        "name": "production", "version": 3, "digest": digest, "mode": "enforce",
        "expires": "2027-06-30T00:00:00Z", "artifacts": ["pay/**"], "environments": ["production"],
        "published_at": "2026-01-01T00:00:00Z",
    });
    registry.answers("GET /v1/policies", 200, json!({"items": [policy], "pending": []}));
    let push = |file| {
        let url = registry.url.as_str();
        dir.run(&["policy", "push", file, "--key", "@k.key", "--registry", url])
    };
    push("@production.policy.toml").expect(0).says(&["policy production version 3 rules"]);
    let statement: Value = serde_json::from_slice(&registry.payloads()[0]).unwrap();
    assert_eq!(statement["subject"][0]["name"], "production.policy.toml");

    dir.write("bad.toml", &POLICY.replace("\"leads\"", "\"nobody\""));
    push("@bad.toml").expect(2).says(&["line 14", "nobody"]);

    let mut shown = policy.clone();
    shown["document"] = POLICY.into();
    registry.answers("GET /v1/policies/production", 200, shown.clone());
    dir.write("new.toml", &POLICY.replace("version = 3", "version = 2"));
    push("@new.toml").expect(1).says(&["version above 3"]);
    let url = registry.url.as_str();
    let show = dir.run(&["policy", "show", "production", "--registry", url]).expect(0);
    assert_eq!(show.stdout, POLICY);
    dir.run(&["policy", "show", "--registry", url]).expect(0).says(&["production@3 (enforce)"]);
    let diff = ["policy", "diff", "@new.toml", "--registry", url];
    dir.run(&diff).expect(0).says(&["version 3 → 2"]);
    let mut lapsed = policy.clone();
    lapsed["unread"] = "0 signatures that count of the 1 by leads that it needs".into();
    registry.answers("GET /v1/policies", 200, json!({"items": [lapsed], "pending": []}));
    let lapsed = dir.run(&["policy", "show", "--registry", url]).expect(0);
    lapsed.says(&["production@3 denies all that it is for", "found 0 signatures"]);
    // A registry that gives another document than the one it names is not believed.
    shown["document"] = "schema = \"policy/v1\"\n".into();
    registry.answers("GET /v1/policies/production", 200, shown);
    dir.run(&["policy", "show", "production", "--registry", url]).expect(1).says(&["digest"]);
}

#[test]
fn the_ruling_roster_is_shown_as_it_was_published() {
    let dir = setting();
    let registry = FakeRegistry::start(&[]);
    let show = ["roster", "show", "--registry", registry.url.as_str()];
    dir.run(&show).expect(2).says(&["found none", "roster push"]);
    ruling(&registry, Some(ROSTER), json!([]));
    assert_eq!(dir.run(&show).expect(0).stdout, ROSTER);
    let diff = ["roster", "diff", "@new.toml", "--registry", registry.url.as_str()];
    dir.write("new.toml", &ROSTER.replace("version = 2", "version = 3"));
    dir.run(&diff).expect(0).says(&["version: 2 → 3"]);
}
