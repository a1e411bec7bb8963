//! The command line through [`attestry::run`], with streams and environment in memory.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test panics when it fails")]

mod capture;
mod evidence;
mod fake_registry;
mod gate;
mod governance;
mod harness;
mod people;
mod registry;
mod terminal;

use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use attestry::{Io, Terminals};

use harness::{Dir, flip_one_byte};

#[test]
fn usage_errors_are_status_2_and_help_is_status_0() {
    let dir = Dir::new();
    for args in [
        &["frobnicate"][..],
        &["sign"],
        &["verify", "x"],
        &["verify", "x", "--key", "k", "--identity", "i", "--issuer", "u"],
        &["verify", "x", "--identity", "i"],
        &["verify", "x", "--key", "k", "--type", "provenence"],
        &["verify", "sha256:abc", "--key", "k"],
        &["search", "--registry", "not a url"],
        &["push", "x", "--namespace", "../up", "--registry", "http://localhost"],
        &["log", "prove", "--registry", "http://localhost"],
        &[],
    ] {
        let answer = dir.run(args).expect(2);
        assert!(answer.stdout.is_empty(), "{args:?}");
        assert!(!answer.stderr.is_empty(), "{args:?}");
    }
    for args in [&["--help"][..], &["--version"], &["version"], &["log", "check", "--help"]] {
        let answer = dir.run(args).expect(0);
        assert!(!answer.stdout.is_empty() && answer.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn every_command_has_an_example_in_its_help() {
    fn check(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        if command.get_subcommands().next().is_none() || command.get_name() == "attestry" {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example:\n"), "{path} has no example");
        }
        command.get_subcommands().for_each(|inner| check(inner, &path));
    }
    check(&attestry::definition(), "");
}

#[test]
fn completions_and_manual_pages_come_from_the_definition() {
    let dir = Dir::new();
    assert!(dir.run(&["completions", "bash"]).expect(0).stdout.contains("attestry"));
    dir.run(&["man", "--out", "@man"]).expect(0);
    assert!(dir.read("man/attestry-verify.1").contains("identity"));
}

#[test]
fn a_key_is_generated_shown_and_imported_again() {
    for key_type in ["p256", "ed25519"] {
        let dir = Dir::new();
        let made = dir.run(&["key", "generate", "--out", "@k", "--type", key_type]).expect(0);
        let fingerprint = made.stdout.trim();
        assert!(fingerprint.starts_with("SHA256:"), "{fingerprint}");
        let mode = std::fs::metadata(dir.path("k.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for file in ["@k.key", "@k.pub"] {
            let shown = dir.json(&["key", "show", file, "--json"]);
            assert_eq!(shown["fingerprint"], fingerprint);
            assert_eq!(shown["type"], key_type);
            assert_eq!(shown["public_key"], dir.read("k.pub"));
        }
        dir.run(&["key", "import", "@k.key", "--out", "@again"]).expect(0);
        assert_eq!(dir.read("again.pub"), dir.read("k.pub"));
        assert_ne!(dir.read("again.key"), dir.read("k.key"));
    }
}

#[test]
fn never_overwrites_a_key_without_force() {
    let dir = Dir::new();
    dir.run(&["key", "generate", "--out", "@k"]).expect(0);
    let before = dir.read("k.key");
    dir.run(&["key", "generate", "--out", "@k"]).expect(2).says(&["k.key", "fix:", "--force"]);
    assert_eq!(dir.read("k.key"), before);
    dir.run(&["key", "generate", "--out", "@k", "--force"]).expect(0);
    assert_ne!(dir.read("k.key"), before);
}

#[test]
fn a_password_comes_from_a_file_the_environment_or_a_person_and_is_never_guessed() {
    let mut dir = Dir::new();
    dir.write("password", "from a file\n");
    let from_file = ["--password-file", "@password"];
    let with = |args: &[&'static str]| [args, &from_file].concat();
    dir.run(&with(&["key", "generate", "--out", "@k"])).expect(0);
    dir.run(&["key", "show", "@k.key"]).expect(2).says(&["password", "fix:"]);
    dir.environment.clear();
    dir.run(&["key", "show", "@k.key"]).expect(2).says(&["ATTESTRY_PASSWORD", "--password-file"]);
    dir.run(&with(&["key", "show", "@k.key"])).expect(0);
    dir.prompt = Some(vec!["from a file"]);
    dir.run(&["key", "show", "@k.key"]).expect(0);
    dir.prompt = Some(vec!["one", "another"]);
    dir.run(&["key", "generate", "--out", "@l"]).expect(2).says(&["same password twice"]);
    assert!(!dir.path("l.key").exists());
    dir.write("empty", "\n");
    let from_empty = ["key", "generate", "--out", "@m", "--password-file", "@empty"];
    dir.run(&from_empty).expect(2).says(&["expected a password", "empty", "ATTESTRY_PASSWORD"]);
    assert!(!dir.path("m.key").exists());
    dir.environment.insert("ATTESTRY_PASSWORD".to_owned(), String::new());
    dir.run(&["key", "generate", "--out", "@m"]).expect(0).says(&["warning:", "empty"]);
    dir.run(&["key", "show", "@m.key"]).expect(0);
}

#[test]
fn a_signed_artifact_verifies_with_the_bundle_beside_it() {
    for key_type in ["p256", "ed25519"] {
        let dir = Dir::with_key_and_artifact(key_type);
        dir.run(&["sign", "@app", "--key", "@k.key"]).expect(0);
        let answer = dir.run(&["verify", "@app", "--key", "@k.pub"]).expect(0);
        assert!(answer.stdout.contains("✓ signature"), "{}", answer.stdout);
        let bundle = ["--bundle", "@app.sigstore.json"];
        dir.run(&[&["verify", "@app", "--key", "@k.pub"], &bundle[..]].concat()).expect(0);
        let json = dir.json(&["verify", "@app", "--key", "@k.pub", "--json"]);
        assert_eq!(json["verified"], true);
        assert_eq!(json["subject"]["name"], "app");
        assert!(json["checks"].as_array().unwrap().iter().all(|c| c["status"] == "passed"));
    }
}

#[test]
fn stdin_a_folder_and_a_digest_are_subjects_too() {
    let mut dir = Dir::with_key_and_artifact("p256");
    let digest = dir.json(&["sign", "@app", "--key", "@k.key", "--json"])["subjects"][0]["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(digest.starts_with("sha256:"));
    let bundle = ["--key", "@k.pub", "--bundle", "@app.sigstore.json"];
    dir.stdin = b"the artifact".to_vec();
    dir.run(&[&["verify", "-"], &bundle[..]].concat()).expect(0);
    dir.run(&[&["verify", digest.as_str()], &bundle[..]].concat()).expect(0);
    std::fs::create_dir(dir.path("tree")).unwrap();
    dir.write("tree/a", "1");
    dir.run(&["sign", "@tree", "--key", "@k.key"]).expect(0);
    dir.run(&["verify", "@tree", "--key", "@k.pub"]).expect(0);
    dir.write("tree/b", "2");
    dir.run(&["verify", "@tree", "--key", "@k.pub"]).expect(1);
}

#[test]
fn a_digest_is_never_signed_itself_because_it_may_be_that_of_a_statement_to_be_signed() {
    for key_type in ["p256", "ed25519"] {
        let dir = Dir::with_key_and_artifact(key_type);
        // The digest of the bytes that the signature of a hostile statement covers.
        let hostile = format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"digest":{{"sha256":"{}"}}}}],"predicateType":"https://a.example/review/v1","predicate":{{}}}}"#,
            "0".repeat(64)
        );
        let payload_type = attestry_schemas::dsse::PAYLOAD_TYPE;
        let pae = attestry_schemas::dsse::pae(payload_type, hostile.as_bytes());
        let digest = attestry_schemas::digest::Sha256::of(&pae).to_string();
        dir.run(&["sign", &digest, "--key", "@k.key", "--out", "@signed"]).expect(0);
        dir.run(&["verify", &digest, "--key", "@k.pub", "--bundle", "@signed"]).expect(0);
        let bundle: serde_json::Value = serde_json::from_str(&dir.read("signed")).unwrap();
        let signatures = match bundle.get("messageSignature") {
            Some(message) => serde_json::json!([{"sig": message["signature"]}]),
            None => bundle["dsseEnvelope"]["signatures"].clone(),
        };
        let moved = serde_json::json!({
            "payloadType": payload_type,
            "payload": attestry_schemas::base64::encode(&hostile),
            "signatures": signatures,
        });
        dir.write("moved", &moved.to_string());
        let about = format!("sha256:{}", "0".repeat(64));
        let verify = ["verify", &about, "--key", "@k.pub", "--bundle", "@moved", "--any-type"];
        dir.run(&verify).expect(1).says(&["signature"]);
    }
}

#[test]
fn a_bundle_without_a_place_goes_to_stdout() {
    let mut dir = Dir::with_key_and_artifact("p256");
    dir.stdin = b"the artifact".to_vec();
    let bundle = dir.run(&["sign", "-", "--key", "@k.key"]).expect(0).stdout;
    dir.write("app.sigstore.json", &bundle);
    dir.run(&["verify", "@app", "--key", "@k.pub"]).expect(0);
    dir.run(&["sign", "-", "--key", "@k.key", "--json"]).expect(2).says(&["--out"]);
}

#[test]
fn a_tampered_artifact_is_refused_with_both_digests() {
    for key_type in ["p256", "ed25519"] {
        let dir = Dir::with_key_and_artifact(key_type);
        let signed = dir.json(&["sign", "@app", "--key", "@k.key", "--json"]);
        let signed = signed["subjects"][0]["digest"].as_str().unwrap().to_owned();
        flip_one_byte(&dir.path("app"));
        let json = dir.json(&["verify", "@app", "--key", "@k.pub", "--json"]);
        assert_eq!(json["verified"], false);
        let found = json["subject"]["digest"].as_str().unwrap();
        assert_ne!(found, signed);
        let answer = dir.run(&["verify", "@app", "--key", "@k.pub"]).expect(1);
        let answer = answer.says(&["error:", "expected", &signed, "found", found, "fix:"]);
        assert!(answer.stdout.contains("✗ subject"), "{}", answer.stdout);
    }
}

#[test]
fn another_key_is_refused() {
    let dir = Dir::with_key_and_artifact("p256");
    dir.run(&["key", "generate", "--out", "@other"]).expect(0);
    dir.run(&["sign", "@app", "--key", "@k.key"]).expect(0);
    dir.run(&["verify", "@app", "--key", "@other.pub"]).expect(1).says(&["signature", "SHA256:"]);
    let both = ["verify", "@app", "--key", "@other.pub", "--key", "@k.pub"];
    dir.run(&both).expect(0);
}

#[test]
fn what_cannot_be_read_is_status_2() {
    let dir = Dir::with_key_and_artifact("p256");
    dir.run(&["sign", "@app", "--key", "@k.key"]).expect(0);
    for (name, text) in [("malformed", "{"), ("empty", ""), ("shape", "{\"a\":1}")] {
        dir.write(name, text);
    }
    for args in [
        &["verify", "@missing", "--key", "@k.pub"][..],
        &["verify", "@app", "--key", "@missing"],
        &["verify", "@app", "--key", "@k.key"],
        &["verify", "@app", "--key", "@k.pub", "--bundle", "@missing"],
        &["verify", "@app", "--key", "@k.pub", "--bundle", "@malformed"],
        &["verify", "@app", "--key", "@k.pub", "--bundle", "@empty"],
        &["verify", "@app", "--key", "@k.pub", "--bundle", "@shape"],
        &["verify", "@app", "--key", "@k.pub", "--trusted-root", "@shape"],
        &["sign", "@missing", "--key", "@k.key"],
        &["sign", "@app", "--key", "@missing"],
        &["sign", "@app", "--key", "@k.pub"],
        &["sign", "@app"],
        &["key", "show", "@malformed"],
        &["push", "@app.sigstore.json"],
        &["search"],
        &["search", "--registry", "http://attest.example.com"],
        &["search", "--registry", "http://127.0.0.1:1"],
    ] {
        dir.run(args).expect(2).says(&["error:", "\n  fix: "]);
    }
}

#[test]
fn errors_say_in_words_what_was_found_and_what_to_do_instead() {
    let dir = Dir::with_key_and_artifact("p256");
    let public = dir.read("k.pub");
    dir.write("none", "ssh-ed25519 AAAA me@example\n");
    dir.write("cut", public.rsplit_once("-----END").unwrap().0);
    let rsa = "-----BEGIN RSA PRIVATE KEY-----\nAA==\n-----END RSA PRIVATE KEY-----\n";
    dir.write("rsa", rsa);
    dir.write("large", &" ".repeat((12 << 20) + 1));
    let attest = ["attest", "@app", "--type", "vsa", "--predicate", "@large", "--key", "@k.key"];
    let import = ["key", "import", "@rsa", "--out", "@i"];
    let cases: &[(&[&str], &[&str])] = &[
        (&["key", "show", "@none"], &["expected one PEM block", "found none", "PEM PUBLIC KEY"]),
        (&["key", "show", "@cut"], &["found one that is cut off"]),
        (&import, &["RSA PRIVATE KEY", "name a P-256 or Ed25519 key"]),
        (&attest, &["expected at most 12582912 bytes of JSON, found more", "leave out"]),
        (&["verify", "@app"], &["--key PUB", "--identity", "--issuer"]),
    ];
    for (args, says) in cases {
        let answer = dir.run(args).expect(2).says(says);
        for never in ["malformedframing", "attestry key import", "repeated keys"] {
            assert!(!answer.stderr.contains(never), "{}", answer.stderr);
        }
    }
}

#[test]
fn a_refusal_is_explained_once_and_its_remedy_is_not_what_was_just_done() {
    let dir = Dir::with_key_and_artifact("p256");
    dir.run(&["sign", "@app", "--key", "@k.key"]).expect(0);
    let verify = ["verify", "@app", "--key", "@k.pub", "--bundle", "@app.sigstore.json"];
    let typed = [&verify[..], &["--type", "vsa"]].concat();
    let answer = dir.run(&typed).expect(1);
    assert!(answer.stdout.contains("expected an attestation of type vsa"), "{}", answer.stdout);
    let (error, fix) = answer.stderr.trim_end().split_once("\n").unwrap();
    assert_eq!(error, "error: app does not verify: type");
    assert!(!fix.contains("of that type"), "{fix}");
    let two = [&typed[..], &["--type", "provenance"]].concat();
    dir.run(&two).expect(1).says(&["error: app does not verify: vsa: type\n"]);
}

#[test]
fn no_evidence_at_all_is_a_refusal() {
    let dir = Dir::with_key_and_artifact("p256");
    dir.run(&["verify", "@app", "--key", "@k.pub"]).expect(1).says(&["evidence", "--bundle"]);
}

const TEST_RESULT: &str = r#"{"result":"PASSED","configuration":[{"name":"dev","digest":{"sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}}]}"#;

#[test]
fn evidence_that_names_a_file_by_its_sha512_alone_is_about_that_file_and_no_other() {
    let dir = Dir::with_key_and_artifact("p256");
    dir.write("result.json", TEST_RESULT);
    // SHA-512 of "the artifact".
    let subject = "sha512:228fd4ab4f40426625971da99540772f10302a75b4616e3cd2f1e1736602f12be408e930f1a76fd26bd38b6e4cbb022e092c96d152ba61a661aca04c815966c0";
    let attest = ["attest", subject, "--type", "test-result", "--predicate", "@result.json"];
    dir.run(&[&attest[..], &["--key", "@k.key", "--out", "@b"]].concat()).expect(0);
    let verify = ["--key", "@k.pub", "--bundle", "@b", "--type", "test-result"];
    let told = dir.run(&[&["verify", "@app"], &verify[..]].concat()).expect(0);
    assert!(told.stdout.contains(subject), "{}", told.stdout);
    dir.write("app", "another artifact");
    dir.run(&[&["verify", "@app"], &verify[..]].concat()).expect(1).says(&["subject", subject]);
}

#[test]
fn an_attestation_satisfies_its_own_type_and_no_other() {
    let dir = Dir::with_key_and_artifact("p256");
    dir.write("result.json", TEST_RESULT);
    let attest = ["attest", "@app", "--type", "test-result", "--predicate", "@result.json"];
    dir.run(&[&attest[..], &["--key", "@k.key"]].concat()).expect(0);
    assert!(dir.path("app.test-result.sigstore.json").exists());
    let verify = ["verify", "@app", "--key", "@k.pub"];
    let with = |more: &[&'static str]| dir.run(&[&verify[..], more].concat());
    with(&["--type", "test-result"]).expect(0);
    with(&["--type", "https://in-toto.io/attestation/test-result/v0.1"]).expect(0);
    with(&["--any-type"]).expect(0);
    let bundle = ["--bundle", "@app.test-result.sigstore.json"];
    // An attestation is not a signature of the artifact.
    with(&bundle).expect(1).says(&["type        expected a signature", "does not verify: type"]);
    with(&[&["--type", "provenance"], &bundle[..]].concat())
        .expect(1)
        .says(&["provenance", "test-result"]);
    with(&[&["--type", "test-result", "--type", "vsa"], &bundle[..]].concat())
        .expect(1)
        .says(&["vsa"]);
    // Neither is a signature an attestation.
    dir.run(&["sign", "@app", "--key", "@k.key"]).expect(0);
    with(&["--any-type", "--bundle", "@app.sigstore.json"]).expect(1);
}

#[test]
fn a_predicate_that_breaks_its_specification_is_not_signed() {
    let dir = Dir::with_key_and_artifact("p256");
    dir.write("result.json", r#"{"result":"GREEN"}"#);
    let attest = ["attest", "@app", "--type", "test-result", "--predicate", "@result.json"];
    dir.run(&[&attest[..], &["--key", "@k.key"]].concat()).expect(2).says(&[
        "predicate.result",
        "test-result",
        "predicate.configuration",
        "fix:",
    ]);
    assert!(!dir.path("app.test-result.sigstore.json").exists());
}

#[test]
fn lint_tells_what_a_file_is_and_what_it_breaks() {
    let dir = Dir::with_key_and_artifact("p256");
    dir.run(&["sign", "@app", "--key", "@k.key"]).expect(0);
    dir.write("result.json", TEST_RESULT);
    let attest = ["attest", "@app", "--type", "test-result", "--predicate", "@result.json"];
    dir.run(&[&attest[..], &["--key", "@k.key"]].concat()).expect(0);
    let good = ["lint", "@app.sigstore.json", "@app.test-result.sigstore.json"];
    let answer = dir.run(&good).expect(0).stdout;
    assert!(answer.contains("a signature of sha256:"), "{answer}");
    assert!(answer.contains("test-result"), "{answer}");
    let subject = r#"[{"digest":{"sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}}]"#;
    let statement = format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","subject":{subject},"predicateType":"https://in-toto.io/attestation/test-result/v0.1","predicate":{{}}}}"#
    );
    dir.write("statement.json", &statement);
    let answer = dir.run(&["lint", "@statement.json"]).expect(1).stdout;
    assert!(answer.contains("predicate.result"), "{answer}");
    dir.write("malformed.json", "{\"_type\":1}");
    dir.run(&["lint", "@malformed.json", "@statement.json"]).expect(2).says(&["malformed.json"]);
}

#[test]
fn settings_come_from_flags_over_variables_over_a_file_without_unknown_keys() {
    let mut dir = Dir::with_key_and_artifact("p256");
    dir.write("attestry.toml", "key = \"k.key\"\n");
    dir.run(&["sign", "@app"]).expect(0);
    dir.environment.insert("ATTESTRY_KEY".to_owned(), "/nowhere.key".to_owned());
    dir.run(&["sign", "@app"]).expect(2).says(&["/nowhere.key"]);
    dir.run(&["sign", "@app", "--key", "@k.key"]).expect(0);
    dir.environment.remove("ATTESTRY_KEY");
    dir.write("attestry.toml", "key = \"k.key\"\npassword = \"x\"\n");
    dir.run(&["sign", "@app"]).expect(2).says(&["attestry.toml", "password", "fix:"]);
    dir.write("other.toml", "key = \"k.key\"\n");
    dir.run(&["sign", "@app", "--config", "@other.toml"]).expect(0);
    dir.run(&["sign", "@app", "--config", "@missing.toml"]).expect(2);
}

#[test]
fn a_reader_that_goes_away_changes_no_verdict() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
    }
    for args in [&["attestry", "version"][..], &["attestry", "--help"]] {
        let io = Io {
            stdin: Box::new(std::io::empty()),
            stdout: Box::new(Closed),
            stderr: Box::new(std::io::sink()),
            terminals: Terminals::default(),
            variable_names: Box::new(Vec::new),
            passthrough: Box::new(|| [Box::new(std::io::sink()), Box::new(std::io::sink())]),
            environment: Box::new(|_| None),
            directory: PathBuf::new(),
            current: PathBuf::new(),
            now: || jiff::Timestamp::UNIX_EPOCH,
            pause: |_| {},
            prompt: None,
        };
        assert_eq!(attestry::run(args.iter().copied(), io), ExitCode::SUCCESS);
    }
}
