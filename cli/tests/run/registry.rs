//! The commands that talk to a registry.

use crate::fake_registry::{FakeRegistry, Lie};
use crate::harness::{Dir, flip_one_byte};

/// A folder with a key and an artifact, and a registry that trusts the key.
fn setting(key_type: &str) -> (Dir, FakeRegistry) {
    let mut dir = Dir::with_key_and_artifact(key_type);
    let registry = FakeRegistry::start(&[&dir.read("k.pub")]);
    dir.environment.insert("ATTESTRY_REGISTRY".to_owned(), registry.url.clone());
    let state = dir.path("state").display().to_string();
    dir.environment.insert("XDG_STATE_HOME".to_owned(), state);
    dir.write("trusted_root.json", &registry.trusted_root());
    dir.write("predicate.json", "{\"result\":\"good\"}");
    (dir, registry)
}

const ATTEST: &[&str] = &[
    "attest",
    "@app",
    "--type",
    "https://a.example/review/v1",
    "--predicate",
    "@predicate.json",
    "--key",
    "@k.key",
];

#[test]
fn a_logged_signature_verifies_online_and_offline() {
    for key_type in ["p256", "ed25519"] {
        let (dir, _registry) = setting(key_type);
        let signed = dir.run(&["sign", "@app", "--key", "@k.key"]).expect(0);
        signed.says(&["logged by", "believing the one"]);
        let online = dir.run(&["verify", "@app", "--key", "@k.pub"]).expect(0);
        for check in ["✓ signature", "✓ subject", "✓ log-entry", "✓ inclusion", "✓ checkpoint"]
        {
            assert!(online.stdout.contains(check), "{}", online.stdout);
        }
        let offline = ["verify", "@app", "--key", "@k.pub", "--offline"];
        let unchecked = dir.run(&offline).expect(0);
        assert!(unchecked.stdout.contains("- log-entry"), "{}", unchecked.stdout);
        let root = ["--trusted-root", "@trusted_root.json"];
        let checked = dir.run(&[&offline[..], &root].concat()).expect(0);
        assert!(checked.stdout.contains("✓ checkpoint"), "{}", checked.stdout);
        flip_one_byte(&dir.path("app"));
        dir.run(&["verify", "@app", "--key", "@k.pub"]).expect(1).says(&["evidence", "found none"]);
    }
}

#[test]
fn every_type_is_demanded_for_itself() {
    let (dir, _registry) = setting("p256");
    dir.run(ATTEST).expect(0);
    let verify = ["verify", "@app", "--key", "@k.pub"];
    let review = ["--type", "https://a.example/review/v1"];
    dir.run(&[&verify[..], &review].concat()).expect(0);
    dir.run(&[&verify[..], &["--any-type"]].concat()).expect(0);
    dir.run(&verify).expect(1);
    dir.run(&[&verify[..], &review, &["--type", "test-result"]].concat())
        .expect(1)
        .says(&["test-result"]);
}

#[test]
fn a_lie_of_the_registry_is_found_when_it_is_told() {
    for lie in [Lie::Proof, Lie::Key] {
        let (dir, registry) = setting("p256");
        registry.fill(5);
        registry.lie(lie);
        dir.run(&["sign", "@app", "--key", "@k.key"]).expect(1).says(&["does not verify"]);
        assert!(!dir.path("app.sigstore.json").exists());
    }
}

#[test]
fn push_tells_what_became_of_each_attestation() {
    let (dir, registry) = setting("p256");
    dir.run(&["key", "generate", "--out", "@other"]).expect(0);
    for (key, out) in [("@k.key", "@1.json"), ("@k.key", "@2.json"), ("@other.key", "@3.json")] {
        dir.run(&["sign", "@app", "--key", key, "--out", out, "--offline"]).expect(0);
    }
    let answer = dir.run(&["push", "@1.json", "--namespace", "pay/api"]).expect(0);
    assert!(answer.stdout.contains("created  sha256:"), "{}", answer.stdout);
    assert!(answer.stdout.contains("1 created, 0 existing, 0 refused"), "{}", answer.stdout);
    assert!(
        registry
            .requests()
            .contains(&"POST /v1/attestations?namespace=pay%2Fapi HTTP/1.1".to_owned())
    );
    let all = ["1.json", "2.json", "3.json"].map(|name| dir.read(name)).concat();
    dir.write("all.jsonl", &all);
    let answer = dir.run(&["push", "@all.jsonl", "--update"]).expect(1);
    assert!(answer.stdout.contains("1 created, 1 existing, 1 refused"), "{}", answer.stdout);
    assert!(answer.stdout.contains("all.jsonl line 3: refused"), "{}", answer.stdout);
    let updated = dir.read("all.jsonl");
    let logged: Vec<bool> = updated.lines().map(|line| line.contains("tlogEntries")).collect();
    assert_eq!(logged, [true, true, false]);
    dir.run(&["push", "@3.json"]).expect(1);
}

#[test]
fn what_is_stored_is_found_and_shown() {
    let (dir, _registry) = setting("p256");
    let made = dir.json(&[ATTEST, &["--json"]].concat());
    let digest = made["registry"]["digest"].as_str().unwrap();
    let subject = made["subjects"][0]["digest"].as_str().unwrap();
    let found = dir.run(&["search", "--subject", subject]).expect(0).stdout;
    assert!(found.contains(digest) && found.contains("https://a.example/review/v1"), "{found}");
    let shown = dir.run(&["show", digest]).expect(0).stdout;
    assert!(shown.contains("good") && shown.contains(subject), "{shown}");
    let raw = dir.run(&["show", digest, "--raw"]).expect(0).stdout;
    assert_eq!(attestry_schemas::digest::Sha256::of(raw.as_bytes()).to_string(), digest);
    let other = format!("sha256:{}", "0".repeat(64));
    dir.run(&["show", &other]).expect(2).says(&["404", "fix:"]);
}

#[test]
fn search_follows_pages_up_to_the_limit() {
    let (dir, _registry) = setting("p256");
    for _ in 0..3 {
        dir.run(&["sign", "@app", "--key", "@k.key"]).expect(0);
    }
    let all = dir.run(&["search", "--json"]).expect(0);
    assert_eq!(all.stdout.lines().count(), 3);
    let some = dir.run(&["search", "--json", "--limit", "2"]).expect(0);
    assert_eq!(some.stdout.lines().count(), 2);
    some.says(&["there are more"]);
}

#[test]
fn an_inclusion_proof_is_verified_at_any_size() {
    let (dir, registry) = setting("p256");
    registry.fill(300);
    for more in [&["--index", "0"][..], &["--index", "299"], &["--index", "3", "--size", "77"]] {
        let answer = dir.run(&[&["log", "prove"], more].concat()).expect(0);
        assert!(answer.stdout.contains("✓ inclusion"), "{}", answer.stdout);
    }
    registry.lie(Lie::Proof);
    dir.run(&["log", "prove", "--index", "9"]).expect(1).says(&["error:", "leaf 9", "fix:"]);
}

#[test]
fn a_checkpoint_is_verified_before_it_is_printed() {
    let (dir, registry) = setting("p256");
    let answer = dir.run(&["log", "checkpoint"]).expect(0);
    assert!(answer.stdout.starts_with("127.0.0.1\n1\n"), "{}", answer.stdout);
    registry.lie(Lie::Key);
    assert!(dir.run(&["log", "checkpoint"]).expect(1).stdout.is_empty());
}

#[test]
fn the_monitor_follows_a_log_that_only_grows() {
    let (dir, registry) = setting("p256");
    for (more, size) in [(0, 1), (0, 1), (254, 255), (1, 256), (1, 257), (400, 657)] {
        registry.fill(more);
        let json = dir.json(&["log", "check", "--json"]);
        assert_eq!((&json["consistent"], &json["entries"]), (&true.into(), &size.into()));
    }
    assert!(dir.path("state/attestry/logs/127.0.0.1.checkpoint").exists());
}

#[test]
fn the_monitor_refuses_a_log_that_changes_its_past_and_keeps_what_it_had() {
    type Change = fn(&FakeRegistry);
    let changes: &[(Change, &str)] = &[
        (|registry| registry.truncate(200), "size 301"),
        (|registry| registry.rewrite(2), "size 301"),
        (
            |registry| {
                registry.rewrite(2);
                registry.fill(1);
            },
            "size 301",
        ),
        (|registry| registry.lie(Lie::Entry), "expected hash 3"),
        (|registry| registry.lie(Lie::Tile), "tile/0/000"),
        (|registry| registry.lie(Lie::UpperTile), "tile/1/000"),
        (|registry| registry.lie(Lie::Key), "checkpoint"),
    ];
    for (change, says) in changes {
        let (dir, registry) = setting("p256");
        registry.fill(300);
        dir.run(&["log", "check", "--state", "@kept"]).expect(0);
        let kept = dir.read("kept");
        change(&registry);
        dir.run(&["log", "check", "--state", "@kept"]).expect(1).says(&["error:", "fix:", says]);
        assert_eq!(dir.read("kept"), kept);
    }
}
