//! `attestry run`: a step that is captured, and what becomes of one that fails.

use attestry_schemas::base64;
use serde_json::Value;

use crate::fake_registry::FakeRegistry;
use crate::harness::Dir;

/// The arguments of a step that makes `app` with a script of the shell.
fn step<'a>(dir: &'a Dir, more: &[&'a str], script: &'a str) -> Vec<String> {
    let mut words: Vec<String> =
        ["run", "--step", "build", "--key", "@k.key", "--out", "@att"].map(str::to_owned).to_vec();
    words.extend(more.iter().map(|word| (*word).to_owned()));
    let script = script.replace("APP", dir.path("app").to_str().unwrap());
    words.extend(["--", "sh", "-c", &script].map(str::to_owned));
    words
}

fn run(dir: &Dir, more: &[&str], script: &str) -> crate::harness::Answer {
    let words = step(dir, more, script);
    dir.run(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The predicate of a bundle.
fn predicate(dir: &Dir, file: &str) -> Value {
    let bundle: Value = serde_json::from_str(&dir.read(file)).unwrap();
    let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
    let statement: Value =
        serde_json::from_slice(&base64::decode(payload, "the payload").unwrap()).unwrap();
    statement["predicate"].clone()
}

fn setting() -> Dir {
    let dir = Dir::with_key_and_artifact("p256");
    std::fs::remove_file(dir.path("app")).unwrap();
    dir
}

#[test]
fn a_step_yields_provenance_and_a_link_that_verify() {
    let dir = setting();
    let script = "echo said; echo told >&2; printf made > APP";
    let answer = run(&dir, &["--subject", "@app"], script).expect(0);
    assert_eq!(answer.stdout, "said\n");
    answer.says(&["told\n", "as https://slsa.dev/provenance/v1"]);
    for (kind, file) in [("provenance", "build.provenance"), ("link", "build.link")] {
        let bundle = format!("@att/{file}.sigstore.json");
        let verify = ["verify", "@app", "--key", "@k.pub", "--type", kind, "--bundle", &bundle];
        dir.run(&verify).expect(0);
        dir.run(&["lint", &bundle]).expect(0);
    }
    let provenance = predicate(&dir, "att/build.provenance.sigstore.json");
    let outputs = &provenance["runDetails"]["byproducts"];
    assert_eq!(
        (&outputs[0]["name"], &outputs[0]["annotations"]["bytes"]),
        (&"stdout".into(), &5.into())
    );
    assert_eq!(provenance["buildDefinition"]["externalParameters"]["step"], "build");
    let link = predicate(&dir, "att/build.link.sigstore.json");
    assert_eq!(
        (&link["byproducts"]["return-value"], &link["command"][0]),
        (&0.into(), &"sh".into())
    );
}

#[test]
fn a_command_that_fails_has_its_own_status_and_yields_nothing() {
    let dir = setting();
    run(&dir, &["--subject", "@app"], "printf half > APP; exit 7")
        .expect(7)
        .says(&["ended with status 7", "--record-failure"]);
    assert_eq!(std::fs::read_dir(dir.path("att")).unwrap().count(), 0);
}

#[test]
fn a_failure_is_recorded_as_one_about_what_it_ran_on() {
    let dir = setting();
    dir.write("input", "x");
    let more = ["--subject", "@app", "--material", "@input", "--record-failure"];
    run(&dir, &more, "exit 7").expect(7);
    assert!(!dir.path("att/build.provenance.sigstore.json").exists());
    let link = predicate(&dir, "att/build.link.sigstore.json");
    assert_eq!(link["byproducts"]["return-value"], 7);
    let verify = ["verify", "@input", "--key", "@k.pub", "--type", "link"];
    dir.run(&[&verify[..], &["--bundle", "@att/build.link.sigstore.json"]].concat()).expect(0);
}

#[test]
fn products_must_be_there_and_written() {
    let dir = setting();
    run(&dir, &["--subject", "@app"], "true").expect(2).says(&["found none", "fix:"]);
    dir.write("app", "old");
    run(&dir, &["--subject", "@app"], "true").expect(2).says(&["--allow-unchanged"]);
    run(&dir, &["--subject", "@app", "--allow-unchanged"], "true").expect(0);
    run(&dir, &["--subject", "@app", "--material", "@nothing"], "printf x > APP")
        .expect(2)
        .says(&["cannot read"]);
    assert_eq!(dir.read("app"), "old", "the command ran before its materials were looked at");
}

#[test]
fn credentials_are_recorded_nowhere() {
    let mut dir = setting();
    let token = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
    dir.environment.insert("DEPLOY_TOKEN".to_owned(), token.to_owned());
    dir.environment.insert("FLAVOUR".to_owned(), "mint".to_owned());
    let more = ["--subject", "@app", "--env", "DEPLOY_TOKEN", "--env", "FLAVOUR"];
    let script = format!("printf x > APP # --password={token}");
    run(&dir, &more, &script).expect(0).says(&["DEPLOY_TOKEN is not recorded"]);
    for file in ["att/build.provenance.sigstore.json", "att/build.link.sigstore.json"] {
        let predicate = predicate(&dir, file).to_string();
        assert!(!predicate.contains(token), "{predicate}");
        assert!(predicate.contains("mint"), "{predicate}");
    }
}

#[test]
fn output_is_kept_by_the_registry_under_its_digest() {
    let mut dir = setting();
    let registry = FakeRegistry::start(&[&dir.read("k.pub")]);
    dir.environment.insert("ATTESTRY_REGISTRY".to_owned(), registry.url.clone());
    run(&dir, &["--subject", "@app"], "echo said; printf made > APP")
        .expect(0)
        .says(&["logged by"]);
    let contents = registry.contents();
    assert!(contents.values().any(|content| content == b"said\n"), "{contents:?}");
    let provenance = predicate(&dir, "att/build.provenance.sigstore.json");
    let location = provenance["runDetails"]["byproducts"][0]["downloadLocation"].as_str().unwrap();
    let digest = location.strip_prefix(&format!("{}/v1/content/", registry.url)).unwrap();
    assert_eq!(contents[digest], b"said\n");
    let posts = registry.requests().iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!(posts, 1, "both statements travel in one request");
}

#[test]
fn a_classic_link_lies_beside_the_statements() {
    let dir = setting();
    run(&dir, &["--subject", "@app", "--link-format", "classic"], "printf made > APP").expect(0);
    let names: Vec<String> = std::fs::read_dir(dir.path("att"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".link"))
        .collect();
    assert!(!names.is_empty());
    let link: Value = serde_json::from_str(&dir.read(&format!("att/{}", names[0]))).unwrap();
    assert_eq!(
        (&link["signed"]["_type"], &link["signed"]["name"]),
        (&"link".into(), &"build".into())
    );
}

#[test]
fn what_was_built_is_attested_even_where_it_cannot_be_logged() {
    let mut dir = setting();
    // Nobody listens there.
    dir.environment.insert("ATTESTRY_REGISTRY".to_owned(), "http://127.0.0.1:9".to_owned());
    let script = "echo said; printf made > APP";
    run(&dir, &["--subject", "@app"], script).expect(2).says(&["cannot reach", "attestry push"]);
    let registry = FakeRegistry::start(&[&dir.read("k.pub")]);
    dir.environment.insert("ATTESTRY_REGISTRY".to_owned(), registry.url.clone());
    let sent = dir.run(&["push", "@att"]).expect(0);
    assert!(sent.stdout.starts_with("created"), "{}", sent.stdout);
    assert!(registry.contents().values().any(|content| content == b"said\n"));
}

#[test]
fn a_failed_command_keeps_its_status_whatever_else_is_wrong() {
    let dir = setting();
    run(&dir, &["--subject", "@app", "--record-failure"], "exit 7").expect(7).says(&["--material"]);
    run(&dir, &["--subject", "@app"], "kill -9 $$").expect(137);
}

#[test]
fn a_folder_or_spool_that_cannot_be_used_is_found_out_before_the_command_runs() {
    let dir = setting();
    dir.write("att", "a file");
    run(&dir, &["--subject", "@app"], "printf x > APP").expect(2);
    assert!(!dir.path("app").exists());
    std::fs::remove_file(dir.path("att")).unwrap();
    dir.write("full/other", "not a spool");
    run(&dir, &["--subject", "@app", "--spool", "@full"], "printf x > APP").expect(2);
    assert!(!dir.path("app").exists());
}
