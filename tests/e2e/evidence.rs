//! Evidence from builds, tests and scans: captured, imported, sent now or later, found again.

use attestry_schemas::classic_link::ClassicLink;
use attestry_schemas::digest::Sha256;
use attestry_schemas::key::PublicKey;
use attestry_tests::{Answer, Dir, Registry, Server, programs};
use serde_json::Value;

const JUNIT: &str = r#"<testsuites><testsuite name="s"><testcase classname="a" name="b"/></testsuite></testsuites>"#;
const SBOM: &str = r#"{"bomFormat":"CycloneDX","specVersion":"1.5","version":1,"components":[
{"type":"library","name":"serde","version":"1.0.228","purl":"pkg:cargo/serde@1.0.228"}]}"#;
const LEAKS: &str = r#"[{"RuleID":"generic","Description":"d","StartLine":3,"File":"a.env","Secret":"hunter2-hunter2",
"Match":"K=hunter2-hunter2","Commit":"","Fingerprint":"a.env:generic:3"}]"#;
const LOCK: &str = "version = 4\n\n[[package]]\nname = \"itoa\"\nversion = \"1.0.15\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"4a5f13b858c8d314ee3e8f639011f7ccefe71f97f96e50151fb991f267928e2c\"\n";

struct Setting {
    dir: Dir,
    server: Server,
    registry: Registry,
    key: PublicKey,
}

impl Setting {
    fn new() -> Self {
        let programs = programs!();
        let mut dir = Dir::new(&programs);
        dir.run(&["key", "generate", "--out", "ci"]).expect(0);
        let pem = String::from_utf8(dir.read("ci.pub")).unwrap();
        let key = PublicKey::from_pem(&pem).unwrap();
        let registry = Registry::init(&programs, &[&key]);
        let server = registry.serve();
        dir.set("ATTESTRY_TOKEN", &server.token);
        dir.set("ATTESTRY_KEY", dir.path("ci.key").to_str().unwrap());
        for (name, text) in [
            ("junit.xml", JUNIT),
            ("sbom.json", SBOM),
            ("leaks.json", LEAKS),
            ("Cargo.lock", LOCK),
            ("main.c", "int main(void) { return 0; }\n"),
        ] {
            dir.write(name, text);
        }
        Self { dir, server, registry, key }
    }

    /// Builds `app` with `attestry run`.
    fn build(&self, more: &[&str]) -> Answer {
        let run =
            ["run", "--step", "build", "--subject", "app", "--material", "main.c", "--out", "att"];
        let command = ["--", "sh", "-c", "echo compiling; cp main.c app"];
        self.dir.run(&[&run[..], more, &command].concat())
    }

    fn online(&self, args: &[&str]) -> Answer {
        self.dir.run(&[args, &["--registry", &self.server.url]].concat())
    }
}

#[test]
fn a_pipeline_yields_evidence_that_verifies_and_is_found() {
    let setting = Setting::new();
    let registry = ["--registry", &setting.server.url];
    setting.build(&registry).expect(0).says(&["compiling", "logged by"]);
    let add = ["evidence", "add", "junit.xml", "sbom.json", "leaks.json", "--subject", "app"];
    let more = ["--out", "att", "--scanned-at", "file"];
    setting.online(&[&add[..], &more].concat()).expect(0).says(&["1 passed"]);
    let verify = ["verify", "app", "--key", "ci.pub"];
    let kinds = ["provenance", "link", "test-result", "cyclonedx", "secret-scan"];
    let types: Vec<&str> = kinds.iter().flat_map(|kind| ["--type", *kind]).collect();
    setting.online(&[&verify[..], &types].concat()).expect(0);
    // By a component of the bill of materials, and by one that the lockfile resolved.
    let app = Sha256::of(&setting.dir.read("app")).to_string();
    for component in ["pkg:cargo/serde", "pkg:cargo/serde@1.0.228", "pkg:cargo/itoa"] {
        let found = setting.online(&["search", "--component", component]).expect(0);
        assert!(found.stdout.contains(&app), "{component}: {}", found.stdout);
    }
    let client = setting.server.client();
    for content in [JUNIT.as_bytes(), SBOM.as_bytes(), b"compiling\n"] {
        let path = format!("/v1/content/{}", Sha256::of(content));
        assert_eq!(client.get(&path).expect(200).body, content);
    }
    let leaked = client.get(&format!("/v1/content/{}", Sha256::of(LEAKS.as_bytes())));
    assert_eq!(leaked.status, 404, "the report with the secret was stored");
    setting.server.terminate();
    setting.registry.demand_clean();
}

#[test]
fn a_spool_is_logged_once_when_the_registry_is_back() {
    let setting = Setting::new();
    let away = ["--registry", "http://127.0.0.1:9", "--spool", "spool", "--namespace", "pay/api"];
    setting.build(&away).expect(0).says(&["kept for later"]);
    setting.online(&["push", "spool"]).expect(0).says(&["2 created", "2 evidence files"]);
    setting.online(&["push", "spool"]).expect(0).says(&["0 created, 0 existing"]);
    let listed = setting.server.client().get("/v1/attestations?namespace=pay/api").expect(200);
    assert_eq!(listed.json()["items"].as_array().unwrap().len(), 2);
    // What was sent before a push was cut short is there already, and changes nothing.
    let sent = setting.online(&["push", "att"]).expect(0);
    sent.says(&["0 created, 2 existing"]);
    let verify = ["verify", "app", "--key", "ci.pub", "--type", "provenance", "--type", "link"];
    setting.online(&verify).expect(0);
}

#[test]
fn the_crate_in_toto_verifies_the_classic_link_of_a_captured_step() {
    let setting = Setting::new();
    setting.build(&["--link-format", "classic", "--offline"]).expect(0);
    let file = std::fs::read_dir(setting.dir.path("att"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "link"))
        .unwrap();
    let text = std::fs::read(&file).unwrap();
    let link = ClassicLink::parse(&text).unwrap();
    assert_eq!(file.file_name().unwrap().to_str().unwrap(), link.file_name());
    assert_eq!(link.record().command[0], "sh");
    let product = link.record().products["app"].value("sha256").unwrap().to_owned();
    assert_eq!(product, Sha256::of(&setting.dir.read("app")).hex());
    assert!(crate::classic_link::the_crate_verifies(&text, &setting.key));
    let changed = String::from_utf8(text).unwrap().replace(&product, &"0".repeat(64));
    assert!(!crate::classic_link::the_crate_verifies(changed.as_bytes(), &setting.key));
}

#[test]
fn every_sample_is_recognised_or_refused_for_a_reason() {
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/samples");
    if !samples.is_dir() {
        eprintln!("skipped: {} is not there", samples.display());
        return;
    }
    let dir = Dir::new(&programs!());
    let (mut recognised, mut refused) = (0, 0);
    for kind in std::fs::read_dir(&samples).unwrap().map(|kind| kind.unwrap().path()) {
        for file in std::fs::read_dir(&kind).into_iter().flatten().map(|file| file.unwrap().path())
        {
            let answer = dir.run(&["evidence", "inspect", file.to_str().unwrap(), "--json"]);
            if answer.status == Some(0) {
                let inspected: Value = answer.json();
                assert!(!inspected["statements"].as_array().unwrap().is_empty(), "{inspected}");
                recognised += 1;
            } else {
                assert!(answer.stderr.contains("fix:"), "{}: {}", file.display(), answer.stderr);
                refused += 1;
            }
        }
    }
    assert!(recognised > 70 && refused > 5, "{recognised} recognised, {refused} refused");
}
