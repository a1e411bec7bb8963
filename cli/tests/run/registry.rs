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
fn a_signature_is_found_behind_any_number_of_newer_attestations_by_others() {
    let (dir, registry) = setting("p256");
    dir.run(&["sign", "@app", "--key", "@k.key"]).expect(0);
    registry.bury(1_500, Some("SHA256:0000000000000000000000000000000000000000000"));
    dir.run(&["verify", "@app", "--key", "@k.pub"]).expect(0);
    let typed = ["verify", "@app", "--key", "@k.pub", "--type", "test-result"];
    dir.run(&typed).expect(1).says(&["only other evidence"]);
    // Its own signer has said so much since that the signature is not reached.
    registry.bury(10_000, None);
    dir.run(&["verify", "@app", "--key", "@k.pub"]).expect(2).says(&["cannot tell", "--bundle"]);
    dir.run(&[&typed[..], &["--type", "vsa"]].concat()).expect(1);
}

#[test]
fn a_token_goes_to_no_registry_that_the_current_folder_names() {
    let mut dir = Dir::new();
    let registry = FakeRegistry::start(&[]);
    let config = format!("registry = {:?}\n", registry.url);
    dir.write("attestry.toml", &config);
    dir.write("token", "from-a-file\n");
    dir.environment.insert("ATTESTRY_TOKEN".to_owned(), "secret".to_owned());
    let said = [&registry.url, "attestry.toml names", "ATTESTRY_TOKEN is not sent", "--config"];
    dir.run(&["search"]).expect(0).says(&said);
    dir.environment.remove("ATTESTRY_TOKEN");
    dir.write("attestry.toml", &format!("{config}token-file = \"token\"\n"));
    dir.run(&["search"]).expect(0).says(&["token is not sent"]);
    assert_eq!(registry.tokens(), [""; 0]);

    dir.run(&["search", "--config", "@attestry.toml"]).expect(0);
    dir.run(&["search", "--token-file", "@token"]).expect(0);
    dir.environment.insert("ATTESTRY_TOKEN".to_owned(), "secret".to_owned());
    let named = dir.run(&["search", "--registry", &registry.url]).expect(0);
    assert!(!named.stderr.contains("attestry.toml"), "{}", named.stderr);
    let user = dir.path("user").display().to_string();
    dir.environment.insert("XDG_CONFIG_HOME".to_owned(), user);
    std::fs::create_dir_all(dir.path("user/attestry")).unwrap();
    std::fs::rename(dir.path("attestry.toml"), dir.path("user/attestry/attestry.toml")).unwrap();
    dir.run(&["search"]).expect(0);
    assert_eq!(registry.tokens(), ["from-a-file", "from-a-file", "secret", "secret"]);
}

#[test]
fn who_vouches_for_a_registry_is_not_said_by_a_folder_that_does_not_name_it() {
    let mut dir = Dir::new();
    dir.write("attestry.toml", "ca-file = \"ca.pem\"\n");
    dir.write("ca.pem", "no certificate");
    // Nothing listens there: what is told comes before a connection.
    let url = ["--registry", "https://localhost:1"];
    let unused =
        ["ca.pem are not taken for https://localhost:1", "--config", "--ca-file", "cannot reach"];
    dir.run(&[&["search"][..], &url].concat()).expect(2).says(&unused);
    let named = ["expected certificates (PEM) in", "ca.pem, found none"];
    dir.run(&[&["search", "--ca-file", "@ca.pem"][..], &url].concat()).expect(2).says(&named);
    dir.run(&[&["search", "--config", "@attestry.toml"][..], &url].concat()).expect(2).says(&named);
    dir.write("attestry.toml", "ca-file = \"ca.pem\"\nregistry = \"https://localhost:1\"\n");
    dir.run(&["search"]).expect(2).says(&named);
    let file = dir.path("ca.pem").display().to_string();
    dir.environment.insert("ATTESTRY_CA_FILE".to_owned(), file);
    dir.write("attestry.toml", "");
    dir.run(&[&["search"][..], &url].concat()).expect(2).says(&named);
}

#[test]
fn whose_certificates_count_is_said_by_no_registry_and_no_current_folder() {
    let (mut dir, registry) = setting("p256");
    dir.run(&["sign", "@app", "--key", "@k.key", "--trusted-root", "@trusted_root.json"]).expect(0);
    let verify = ["verify", "@app", "--identity", "me@a.example", "--issuer", "https://a.example"];
    dir.run(&verify).expect(1).says(&["certificate"]);
    assert!(!registry.requests().iter().any(|request| request.contains("trusted-root")));

    dir.write("attestry.toml", "trusted-root = \"trusted_root.json\"\n");
    dir.run(&verify).expect(1).says(&["attestry.toml names", "not taken for certificates"]);
    let by_key = ["verify", "@app", "--key", "@k.pub"];
    dir.run(&by_key).expect(0).says(&["attestry.toml names"]);

    // A registry's own root has no certificate authority.
    let root = dir.path("trusted_root.json").display().to_string();
    dir.environment.insert("ATTESTRY_TRUSTED_ROOT".to_owned(), root.clone());
    dir.run(&verify).expect(1).says(&[&root, "ATTESTRY_TRUSTED_ROOT", "ship with this program"]);
    let named = [&verify[..], &["--trusted-root", &root]].concat();
    dir.run(&named).expect(2).says(&[&root, "authorities", "fix: ", "leave --trusted-root out"]);
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
fn what_is_no_attestation_is_status_2_unless_something_else_is_refused() {
    let (dir, registry) = setting("p256");
    dir.run(&["key", "generate", "--out", "@other"]).expect(0);
    for (key, out) in [("@k.key", "@good"), ("@other.key", "@refused")] {
        dir.run(&["sign", "@app", "--key", key, "--out", out, "--offline"]).expect(0);
    }
    dir.write("neither", "{\"a\":1}");
    let lint = ["1 refused", "found 1 document that is neither", "attestry lint"];
    dir.run(&["push", "@neither"]).expect(2).says(&lint);
    dir.run(&["push", "@good", "@neither"]).expect(2).says(&["1 created", "1 refused"]);
    dir.run(&["push", "@neither", "@refused"]).expect(1).says(&["2 refused"]);
    // Nothing is sent when a file is missing.
    let before = registry.requests().len();
    dir.run(&["push", "@good", "@missing"]).expect(2).says(&["missing", "fix: "]);
    assert_eq!(registry.requests().len(), before);
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
    let mut consistent = serde_json::Value::Null;
    for (more, size) in [(0, 1), (0, 1), (254, 255), (1, 256), (1, 257), (400, 657)] {
        registry.fill(more);
        let json = dir.json(&["log", "check", "--json"]);
        assert_eq!((&json["consistent"], &json["entries"]), (&consistent, &size.into()));
        assert!(json.as_object().unwrap().contains_key("consistent"));
        consistent = true.into();
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

#[test]
fn the_monitor_keeps_the_checkpoint_that_contradicts_the_kept_one() {
    let (dir, registry) = setting("p256");
    let check = ["log", "check", "--state", "@kept", "--json"];
    dir.run(&check).expect(0);
    registry.fill(5);
    dir.run(&check).expect(0);
    registry.rewrite(2);
    let conflict = dir.path("kept.conflict").display().to_string();
    let answer = dir.run(&check).expect(1).says(&[&conflict, "kept has the signed checkpoint"]);
    let json: serde_json::Value = serde_json::from_str(&answer.stdout).unwrap();
    assert_eq!(json["consistent"], false);
    assert_eq!(json["conflict"], conflict);
    assert_eq!((&json["previous"]["size"], &json["checkpoint"]["size"]), (&6.into(), &6.into()));
    assert!(json["problem"].as_str().unwrap().contains("size 6"), "{json}");
    let proof = dir.read("kept.conflict");
    assert_ne!(proof, dir.read("kept"));
    assert!(proof.starts_with("127.0.0.1\n6\n"), "{proof}");
    // The first proof stays.
    registry.rewrite(3);
    dir.run(&check).expect(1);
    assert_eq!(dir.read("kept.conflict"), proof);
    registry.lie(Lie::Key);
    let json: serde_json::Value = serde_json::from_str(&dir.run(&check).expect(1).stdout).unwrap();
    assert_eq!((&json["consistent"], json.get("checkpoint")), (&false.into(), None));
}
