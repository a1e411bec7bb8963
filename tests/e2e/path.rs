//! The whole path: sign, record, prove, verify; and every way in which it must not verify.

use attestry_schemas::digest::Sha256;
use attestry_tests::{Answer, Dir, Registry, Server, programs};
use serde_json::Value;

const ARTIFACT: &[u8] = b"the artifact, built by a builder from a commit";

/// A registry that trusts `release.pub`, its server, and a folder with keys and an artifact.
struct Setting {
    dir: Dir,
    server: Server,
    registry: Registry,
}

impl Setting {
    fn new(key_type: &str) -> Self {
        let programs = programs!();
        let mut dir = Dir::new(&programs);
        for name in ["release", "other"] {
            dir.run(&["key", "generate", "--out", name, "--type", key_type]).expect(0);
        }
        let pem = String::from_utf8(dir.read("release.pub")).unwrap();
        let key = attestry_schemas::key::PublicKey::from_pem(&pem).unwrap();
        let registry = Registry::init(&programs, &[&key]);
        let server = registry.serve();
        dir.set("ATTESTRY_TOKEN", &server.token);
        dir.write("app", ARTIFACT);
        dir.write("provenance.json", attestry_tests::provenance().to_string());
        dir.write("tests.json", attestry_tests::test_result().to_string());
        let root = std::fs::read(registry.data.join("trusted_root.json")).unwrap();
        dir.write("trusted_root.json", root);
        Self { dir, server, registry }
    }

    /// Runs a command with `--registry`.
    fn online(&self, args: &[&str]) -> Answer {
        self.dir.run(&[args, &["--registry", &self.server.url]].concat())
    }

    fn attest(&self, kind: &str, predicate: &str, out: &str) -> Answer {
        let args = ["attest", "app", "--type", kind, "--predicate", predicate];
        self.dir.run(&[&args[..], &["--key", "release.key", "--out", out]].concat())
    }
}

#[test]
fn what_was_signed_recorded_and_pushed_verifies_and_nothing_else_does() {
    for key_type in ["p256", "ed25519"] {
        let setting = Setting::new(key_type);
        let Setting { dir, .. } = &setting;
        setting.online(&["sign", "app", "--key", "release.key"]).expect(0).says(&["logged by"]);
        let kinds = [("provenance", "provenance.json"), ("test-result", "tests.json")];
        for (kind, predicate) in kinds {
            let out = format!("{kind}.sigstore.json");
            setting.attest(kind, predicate, &out).expect(0);
            let pushed = ["push", &out, "--update", "--namespace", "pay/api"];
            setting.online(&pushed).expect(0).says(&["created"]);
            setting.online(&["push", &out]).expect(0).says(&["existing"]);
        }
        found_and_shown(&setting);

        let verify = ["verify", "app", "--key", "release.pub"];
        let types = ["--type", "provenance", "--type", "test-result"];
        let all = [&verify[..], &types].concat();
        setting.online(&verify).expect(0).says(&["✓ signature", "✓ inclusion", "✓ checkpoint"]);
        setting.online(&all).expect(0).says(&["provenance", "test-result"]);
        setting.online(&[&verify[..], &["--type", "vulns"]].concat()).expect(1).says(&["vulns"]);
        let wrong_key = ["verify", "app", "--key", "other.pub", "--type", "provenance"];
        setting.online(&wrong_key).expect(1).says(&["error:"]);
        dir.write("copy", ARTIFACT);
        setting.online(&["verify", "copy", "--key", "release.pub"]).expect(0);
        dir.tamper("copy");
        setting.online(&["verify", "copy", "--key", "release.pub"]).expect(1).says(&["evidence"]);

        offline(setting);
    }
}

/// Finds the attestations by subject and shows them.
fn found_and_shown(setting: &Setting) {
    let subject = Sha256::of(ARTIFACT).to_string();
    let found = setting.online(&["search", "--subject", &subject, "--json"]).expect(0);
    let lines: Vec<Value> =
        found.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let text = found.stdout.as_str();
    for expected in ["https://slsa.dev/provenance/v1", "pay/api", "test-result"] {
        assert!(text.contains(expected), "expected {expected} in {lines:#?}");
    }
    let typed = ["search", "--type", "provenance", "--json", "--subject", &subject];
    let typed = setting.online(&typed).expect(0).json();
    let digest = one_digest(&typed);
    let shown = setting.online(&["show", &digest]).expect(0);
    assert!(shown.stdout.contains(&subject), "{}", shown.stdout);
    let shortened = setting.online(&["show", &digest[..15]]).expect(0);
    assert_eq!(shortened.stdout, shown.stdout);
    setting.online(&["show", "sha256:00000000"]).expect(2);
    let raw = setting.online(&["show", &digest, "--raw"]).expect(0).stdout;
    assert_eq!(Sha256::of(raw.as_bytes()).to_string(), digest);
}

/// The digest of the only item of a search.
fn one_digest(answer: &Value) -> String {
    let items = answer.get("items").unwrap_or(answer);
    let item = if items.is_array() { &items[0] } else { items };
    item["digest"].as_str().unwrap().to_owned()
}

/// Verifies without a server what a server answered before.
fn offline(setting: Setting) {
    let Setting { dir, server, registry } = setting;
    server.terminate();
    let verify = ["verify", "app", "--key", "release.pub", "--trusted-root", "trusted_root.json"];
    let bundle = ["--bundle", "provenance.sigstore.json", "--type", "provenance"];
    let verified = dir.run(&[&verify[..], &bundle].concat()).expect(0);
    verified.says(&["✓ inclusion", "✓ checkpoint"]);
    dir.run(&verify).expect(0).says(&["✓ inclusion"]);
    let unlogged = ["--bundle", "unlogged.json", "--type", "provenance"];
    let attest = ["attest", "app", "--type", "provenance", "--predicate", "provenance.json"];
    let out = ["--key", "release.key", "--out", "unlogged.json"];
    dir.run(&[&attest[..], &out].concat()).expect(0);
    dir.run(&[&verify[..], &unlogged].concat()).expect(1).says(&["log-entry"]);
    let another = ["--bundle", "test-result.sigstore.json", "--type", "provenance"];
    dir.run(&[&verify[..], &another].concat()).expect(1).says(&["type"]);
    let as_signature = ["--bundle", "provenance.sigstore.json"];
    dir.run(&[&verify[..], &as_signature].concat()).expect(1).says(&["type"]);
    let mut root: Value = serde_json::from_slice(&dir.read("trusted_root.json")).unwrap();
    root["tlogs"] = Value::Array(Vec::new());
    dir.write("trusted_root.json", root.to_string());
    dir.run(&[&verify[..], &bundle].concat()).expect(1);
    dir.tamper("app");
    dir.run(&[&verify[..], &bundle].concat()).expect(1);
    registry.demand_clean();
}

#[test]
fn what_verify_finds_missing_is_said_as_it_is() {
    let setting = Setting::new("p256");
    let Setting { dir, .. } = &setting;
    let verify = ["verify", "app", "--key", "release.pub"];
    setting.online(&verify).expect(1).says(&["nothing else about it", "it was changed"]);
    setting.attest("provenance", "provenance.json", "b.json").expect(0);
    setting.online(&["push", "b.json"]).expect(0);
    let other = setting.online(&verify).expect(1);
    other.says(&["a signature about sha256:", "only other evidence (provenance)"]);
    // A key that is not trusted is told what to ask for.
    let sign = ["sign", "app", "--key", "other.key"];
    setting.online(&sign).expect(1).says(&["is not one of the 1", "trust add"]);
    assert!(!dir.path("app.sigstore.json").exists(), "nothing was written");
    let there = setting.online(&["push", "b.json", "--namespace", "pay/api"]).expect(0);
    there.says(&["existing", "it stays in the namespace default"]);
}

#[test]
fn an_artifact_is_found_by_what_is_in_it() {
    let setting = Setting::new("p256");
    let Setting { dir, server, .. } = &setting;
    let digest = "ab".repeat(32);
    let bom = serde_json::json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "components": [{
            "type": "library", "name": "serde", "version": "1.0.228",
            "purl": "pkg:cargo/serde@1.0.228?checksum=x",
            "hashes": [{"alg": "SHA-256", "content": digest}],
        }],
    });
    dir.write("bom.json", bom.to_string());
    setting.attest("cyclonedx", "bom.json", "b.json").expect(0);
    setting.online(&["push", "b.json"]).expect(0);
    let found = |component: &str| {
        let path = format!("/v1/attestations?component={component}");
        server.client().get(&path).expect(200).json()["items"].as_array().unwrap().len()
    };
    for component in [
        "pkg:cargo/serde",
        "pkg:cargo/serde@1.0.228",
        "pkg:cargo/serde@1.0.228%3Fchecksum=x",
        &format!("sha256:{digest}"),
    ] {
        assert_eq!(found(component), 1, "{component}");
    }
    assert_eq!(found("pkg:cargo/serde@1.0.22"), 0);
    let _ = server.client().get("/v1/attestations?component=serde").expect(400);
    let Setting { server, registry, .. } = setting;
    server.terminate();
    registry.demand_clean();
}

#[test]
fn evidence_that_names_the_artifact_by_sha512_alone_is_found() {
    let setting = Setting::new("p256");
    let Setting { dir, .. } = &setting;
    let sha512 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, ARTIFACT);
    let hex: String = sha512.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let subject = format!("sha512:{hex}");
    let args = ["attest", &subject, "--type", "provenance", "--predicate", "provenance.json"];
    let out = ["--key", "release.key", "--out", "b.json"];
    setting.online(&[&args[..], &out].concat()).expect(0);
    let verify = ["verify", "app", "--key", "release.pub", "--type", "provenance"];
    setting.online(&verify).expect(0).says(&["sha512:", "✓ inclusion"]);
    dir.tamper("app");
    setting.online(&verify).expect(1).says(&["nothing else about it"]);
}

#[test]
fn what_an_envelope_signs_is_never_the_artifact_of_a_signature() {
    let setting = Setting::new("p256");
    let Setting { dir, .. } = &setting;
    setting.attest("provenance", "provenance.json", "b.json").expect(0);
    let bundle: Value = serde_json::from_slice(&dir.read("b.json")).unwrap();
    let envelope =
        attestry_schemas::dsse::Envelope::parse(bundle["dsseEnvelope"].to_string().as_bytes());
    let pae = envelope.as_ref().unwrap().pae();
    dir.write("pae", &pae);
    // The signature holds over exactly these bytes; only what they are forbids it.
    let mut forged = bundle.clone();
    let members = forged.as_object_mut().unwrap();
    members.remove("dsseEnvelope");
    let digest = attestry_schemas::base64::encode(Sha256::of(&pae).0);
    let message = serde_json::json!({
        "messageDigest": {"algorithm": "SHA2_256", "digest": digest},
        "signature": bundle["dsseEnvelope"]["signatures"][0]["sig"],
    });
    members.insert("messageSignature".to_owned(), message);
    dir.write("forged.json", forged.to_string());
    let verify = ["verify", "pae", "--key", "release.pub", "--bundle", "forged.json"];
    dir.run(&verify).expect(1).says(&["begins with \"DSSEv1 \""]);
    dir.run(&["sign", "pae", "--key", "release.key"])
        .expect(1)
        .says(&["DSSEv1", "attestry attest"]);
}

#[test]
fn a_changed_member_of_a_bundle_never_verifies() {
    let setting = Setting::new("p256");
    setting.attest("provenance", "provenance.json", "b.json").expect(0);
    setting.online(&["push", "b.json", "--update"]).expect(0);
    let good: Value = serde_json::from_slice(&setting.dir.read("b.json")).unwrap();
    let entry = "/verificationMaterial/tlogEntries/0";
    let check = |pointer: &str, value: Value| {
        let mut bundle = good.clone();
        let member = bundle.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}"));
        assert_ne!(*member, value, "{pointer} is not changed");
        *member = value;
        setting.dir.write("changed.json", bundle.to_string());
        let verify = ["verify", "app", "--key", "release.pub", "--type", "provenance"];
        let trust = ["--bundle", "changed.json", "--trusted-root", "trusted_root.json"];
        let answer = setting.dir.run(&[&verify[..], &trust].concat());
        assert!(matches!(answer.status, Some(1 | 2)), "{pointer}: {answer:?}");
        assert!(answer.stderr.contains("error:"), "{pointer}: {answer:?}");
    };
    let of = |pointer: &str| good.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    check("/dsseEnvelope/payload", "e30=".into());
    check("/dsseEnvelope/payloadType", "text/plain".into());
    check("/dsseEnvelope/signatures/0/sig", "AAAA".into());
    check(&format!("{entry}/logIndex"), "7".into());
    check(&format!("{entry}/logId/keyId"), attestry_schemas::base64::encode([7; 32]).into());
    check(&format!("{entry}/canonicalizedBody"), "e30=".into());
    check(&format!("{entry}/inclusionProof/hashes"), Value::Array(Vec::new()));
    check(&format!("{entry}/inclusionProof/treeSize"), "99".into());
    let checkpoint = format!("{entry}/inclusionProof/checkpoint/envelope");
    check(&checkpoint, of(&checkpoint).replacen("\n2\n", "\n3\n", 1).into());
    check("/verificationMaterial/tlogEntries", Value::Array(Vec::new()));
    check("/mediaType", "application/vnd.dev.sigstore.bundle.v0.9+json".into());
}

#[test]
fn the_monitor_accepts_growth_and_names_a_log_that_forgot() {
    let setting = Setting::new("p256");
    let state = ["log", "check", "--state", "state", "--trusted-root", "trusted_root.json"];
    setting.online(&state).expect(0).says(&["✓ root"]);
    for n in 0..3 {
        setting.dir.write("more", format!("artifact {n}"));
        setting.online(&["sign", "more", "--key", "release.key"]).expect(0);
    }
    setting.online(&state).expect(0).says(&["✓ consistency", "size 1 is its prefix"]);
    setting.online(&state).expect(0);
    setting.online(&["log", "checkpoint"]).expect(0).says(&["127.0.0.1\n4\n"]);
    setting.online(&["log", "prove", "--index", "2"]).expect(0).says(&["✓ inclusion"]);

    // A copy from before forgets what the log held since.
    let Setting { dir, server, registry } = setting;
    let earlier = registry.beside("earlier");
    registry.backup(&earlier);
    dir.write("more", "what the copy does not know");
    let sign = ["sign", "more", "--key", "release.key", "--registry", &server.url];
    dir.run(&sign).expect(0);
    let check = |server: &Server| dir.run(&[&state[..], &["--registry", &server.url]].concat());
    check(&server).expect(0);
    server.terminate();
    let rolled_back = registry.serve_folder(&earlier, &[], &[]);
    check(&rolled_back).expect(1).says(&["size 5", "size 4"]);

    // Another history of the same size, signed by the same key.
    dir.write("more", "another history");
    let sign = ["sign", "more", "--key", "release.key", "--registry", &rolled_back.url];
    dir.run(&sign).expect(0);
    check(&rolled_back).expect(1).says(&["size 5 with root"]);
    // And a longer one, whose proof cannot hold.
    dir.write("more", "another history, longer");
    dir.run(&sign).expect(0);
    check(&rolled_back).expect(1).says(&["expected the log of size 6"]);

    // Another log altogether, which the trusted root does not name.
    let stranger = Registry::init(&programs!(), &[]).serve();
    dir.write("token", &stranger.token);
    let theirs = ["--registry", &stranger.url, "--token-file", "token"];
    dir.run(&[&state[..], &theirs].concat()).expect(1).says(&["checkpoint"]);
}

#[test]
fn a_leaf_is_proven_at_every_size_and_a_checkpoint_ties_it_down() {
    let setting = Setting::new("p256");
    let mut lines = Vec::new();
    for n in 0..20 {
        setting.dir.write("app", format!("artifact {n}"));
        setting.attest("provenance", "provenance.json", "one.json").expect(0);
        lines.extend(setting.dir.read("one.json"));
    }
    setting.dir.write("all.jsonl", lines);
    // Together they share commits, so that most sizes have no checkpoint of their own.
    setting.online(&["push", "all.jsonl"]).expect(0).says(&["20 created"]);
    for size in 2..=21 {
        let args = ["log", "prove", "--index", "1", "--size", &size.to_string()];
        let trusted = ["--trusted-root", "trusted_root.json"];
        let proof = setting.online(&[&args[..], &trusted].concat()).expect(0);
        proof.says(&[&format!("is in the tree of size {size}"), "✓ checkpoint"]);
    }
    setting.online(&["log", "prove", "--index", "21"]).expect(2).says(&["400"]);
}

#[test]
fn usage_and_unreachable_registries_are_status_2() {
    let dir = Dir::new(&programs!());
    dir.write("app", ARTIFACT);
    dir.run(&["key", "generate", "--out", "k"]).expect(0);
    let check = |args: &[&str]| dir.run(args).expect(2);
    check(&["frobnicate"]);
    check(&["verify", "app"]);
    check(&["sign", "app", "--key", "nowhere.key"]).says(&["nowhere.key", "fix:"]);
    check(&["verify", "nowhere", "--key", "k.pub"]);
    check(&["search", "--registry", "http://127.0.0.1:9", "--limit", "1"]).says(&["cannot reach"]);
    dir.write("bad.json", "{\"mediaType\":1");
    check(&["verify", "app", "--key", "k.pub", "--bundle", "bad.json"]);
    check(&["push", "bad.json", "--registry", "http://127.0.0.1:9"]);
}
