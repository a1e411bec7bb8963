//! `attestry evidence`, and spools: reports become attestations, now or later, each once.

use crate::fake_registry::FakeRegistry;
use crate::harness::{Answer, Dir};

const JUNIT: &str = r#"<testsuites><testsuite name="s"><testcase classname="a" name="b"/>
<testcase classname="a" name="c"><skipped/></testcase></testsuite></testsuites>"#;
/// A scan that says itself when it ran.
const GRYPE: &str = r#"{"matches":[],"source":{"type":"directory","target":"."},"descriptor":{"name":"grype",
"version":"0.96.0","timestamp":"1969-06-01T12:00:00Z","db":{"status":{"built":"1969-05-31T00:00:00Z"}}}}"#;
const ADD: &[&str] = &["--subject", "@app", "--key", "@k.key", "--out", "@att"];

fn setting() -> Dir {
    let dir = Dir::with_key_and_artifact("p256");
    dir.write("report", JUNIT);
    dir
}

fn add(dir: &Dir, file: &str, more: &[&str]) -> Answer {
    dir.run(&[&["evidence", "add", file], ADD, more].concat())
}

/// A bill of materials of another artifact.
fn contradicting() -> String {
    format!(
        r#"{{"bomFormat":"CycloneDX","specVersion":"1.5","version":1,"metadata":{{"component":{{"type":"file","name":"x","hashes":[{{"alg":"SHA-256","content":"{}"}}]}}}},"components":[{{"type":"library","name":"a"}}]}}"#,
        "a".repeat(64)
    )
}

#[test]
fn a_report_is_recognised_by_what_it_is_and_attested() {
    let dir = setting();
    add(&dir, "@report", &[]).expect(0).says(&["JUnit XML", "1 passed, 1 warned, 0 failed"]);
    let bundle = "@att/report.test-result.sigstore.json";
    let verify = ["verify", "@app", "--key", "@k.pub", "--type", "test-result", "--bundle", bundle];
    dir.run(&verify).expect(0);
    dir.run(&["lint", bundle]).expect(0);
    let inspected = dir.json(&["evidence", "inspect", "@report", "--json"]);
    assert_eq!(inspected["format"], "junit");
    let statement = &inspected["statements"][0];
    assert_eq!(
        (&statement["result"], &statement["totals"]["warned"]),
        (&"WARNED".into(), &1.into())
    );
}

#[test]
fn what_is_no_evidence_is_refused_with_the_reason() {
    let dir = setting();
    let contradicting = contradicting();
    for (text, more, status, says) in [
        ("<testsuites/>", &[][..], 2, "zero tests"),
        ("<testsuites><testsuite", &[], 2, "expected"),
        ("{\"a\":1}", &[], 2, "a report of a known format"),
        ("[]", &[], 2, "gitleaks"),
        ("[]", &["--type", "gitleaks"], 2, "the time of the scan"),
        ("[]", &["--type", "nonsense"], 2, "expected a type that reports become"),
        (JUNIT, &["--type", "vulns"], 2, "vulns"),
        (&contradicting, &[], 1, "another artifact"),
    ] {
        dir.write("report", text);
        add(&dir, "@report", more).expect(status).says(&[says, "fix:"]);
        assert!(!dir.path("att").exists(), "{text}");
    }
    // Nothing in an empty list says whose it is, so that has to be said.
    dir.write("report", "[]");
    let more = ["--type", "secret-scan", "--scanned-at", "file"];
    add(&dir, "@report", &more).expect(2).says(&["--type gitleaks"]);
    let empty = add(&dir, "@report", &["--type", "gitleaks", "--scanned-at", "file"]);
    // A file that was written now was not written before 1970, which is now for these tests.
    empty.expect(0);
}

#[test]
fn every_refused_report_is_told_before_a_key_is_asked_for_and_nothing_is_signed() {
    let mut dir = setting();
    // Nobody knows the password of the key.
    dir.environment.clear();
    dir.write("empty.xml", "<testsuites/>");
    dir.write("other.json", &contradicting());
    dir.write("unknown.json", "{\"a\":1}");
    let reports = ["@empty.xml", "@report", "@other.json", "@unknown.json", "@missing.xml"];
    let subject = ["--subject", "@app", "--out", "@att", "--spool", "@spool"];
    for key in [&["--key", "@k.key"][..], &["--key", "@missing.key"], &[]] {
        let words = [&["evidence", "add"], &reports[..], &subject, key].concat();
        let answer = dir.run(&words).expect(2).says(&[
            "expected at least one test in empty.xml, found a report of zero tests",
            "other.json is about another artifact: expected sha256:",
            "found sha256:aaaa",
            "expected a report of a known format in unknown.json, found ",
            "missing.xml",
            "expected every report to be evidence, found 4 of 5 refused: nothing is signed",
            "these are fine: ",
        ]);
        let Answer { stderr, .. } = &answer;
        assert_eq!(stderr.matches("error: ").count(), 5, "{stderr}");
        assert_eq!(stderr.matches("  fix: ").count(), 5, "{stderr}");
        for never in ["password", "k.key", "missing.key", "--key"] {
            assert!(!stderr.contains(never), "{never}: {stderr}");
        }
        let (_, fine) = stderr.split_once("these are fine: ").unwrap();
        assert_eq!(fine.trim_end(), dir.path("report").to_str().unwrap());
        assert!(!dir.path("att").exists() && !dir.path("spool").exists());
    }
    // The first that is refused decides the status, and a single report needs no count.
    let two = ["evidence", "add", "@other.json", "@empty.xml"];
    dir.run(&[&two[..], &subject].concat()).expect(1).says(&["2 of 2 refused", "zero tests"]);
    let one = dir.run(&[&["evidence", "add", "@empty.xml"][..], &subject].concat()).expect(2);
    assert_eq!(one.stderr.matches("error: ").count(), 1, "{}", one.stderr);
    // The key comes next.
    let good = [&["evidence", "add", "@report"][..], &subject].concat();
    dir.run(&good).expect(2).says(&["JUnit XML", "key"]);
    assert!(!dir.path("att").exists());
}

#[test]
fn a_secret_is_copied_nowhere() {
    let mut dir = setting();
    let secret = "hunter2-hunter2-hunter2";
    let report = format!(
        r#"[{{"RuleID":"generic","Description":"d","StartLine":3,"File":"a.env","Secret":"{secret}","Match":"K={secret}","Message":"adds {secret}","Commit":"","Fingerprint":"a.env:generic:3"}}]"#
    );
    dir.write("leaks.json", &report);
    let registry = FakeRegistry::start(&[&dir.read("k.pub")]);
    dir.environment.insert("ATTESTRY_REGISTRY".to_owned(), registry.url.clone());
    let answer = add(&dir, "@leaks.json", &["--scanned-at", "1970-01-01"]).expect(0);
    assert!(
        !answer.stderr.contains(secret) && answer.stderr.contains("redacted"),
        "{}",
        answer.stderr
    );
    let contents = registry.contents();
    assert_eq!(contents.len(), 1);
    for content in contents.values() {
        let text = String::from_utf8_lossy(content);
        assert!(!text.contains(secret) && text.contains("REDACTED"), "{text}");
    }
    let shown = dir.read("att/leaks.json.secret-scan.sigstore.json");
    let bundle: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
    let payload = attestry_schemas::base64::decode(payload, "the payload").unwrap();
    assert!(!String::from_utf8_lossy(&payload).contains(secret));
}

#[test]
fn a_spool_keeps_what_cannot_be_sent_and_is_sent_once() {
    let mut dir = setting();
    // Nobody listens there.
    dir.environment.insert("ATTESTRY_REGISTRY".to_owned(), "http://127.0.0.1:9".to_owned());
    add(&dir, "@report", &[]).expect(2).says(&["cannot reach"]);
    let spooled = add(&dir, "@report", &["--spool", "@spool", "--namespace", "pay/api"]).expect(0);
    spooled.says(&["kept for later", "not logged yet"]);
    dir.run(&["push", "@spool"]).expect(2).says(&["cannot reach"]);

    let registry = FakeRegistry::start(&[&dir.read("k.pub")]);
    dir.environment.insert("ATTESTRY_REGISTRY".to_owned(), registry.url.clone());
    let sent = dir.run(&["push", "@spool"]).expect(0);
    assert!(
        sent.stdout.contains("1 created, 0 existing, 0 refused, 1 evidence file"),
        "{}",
        sent.stdout
    );
    let requests = registry.requests();
    assert!(requests.iter().any(|line| line.contains("namespace=pay%2Fapi")), "{requests:?}");
    assert_eq!(registry.contents().values().next().unwrap(), JUNIT.as_bytes());
    let again = dir.run(&["push", "@spool"]).expect(0);
    assert!(again.stdout.contains("0 created, 0 existing"), "{}", again.stdout);
}

#[test]
fn a_refused_bundle_stays_in_the_spool() {
    let mut dir = setting();
    dir.environment.insert("ATTESTRY_REGISTRY".to_owned(), "http://127.0.0.1:9".to_owned());
    add(&dir, "@report", &["--spool", "@spool"]).expect(0);
    let registry = FakeRegistry::start(&[]);
    dir.environment.insert("ATTESTRY_REGISTRY".to_owned(), registry.url.clone());
    for _ in 0..2 {
        let sent = dir.run(&["push", "@spool"]).expect(1);
        assert!(sent.stdout.contains("0 created, 0 existing, 1 refused"), "{}", sent.stdout);
    }
}

#[test]
fn a_folder_of_bundles_travels_in_few_requests_and_stays() {
    let mut dir = setting();
    for index in 0..20 {
        dir.write("report", &JUNIT.replace("\"b\"", &format!("\"b{index}\"")));
        let out = format!("@folder/{index}");
        let words = ["evidence", "add", "@report", "--subject", "@app", "--key", "@k.key"];
        dir.run(&[&words[..], &["--out", &out]].concat()).expect(0);
    }
    dir.write("folder/readme.txt", "not a bundle");
    let registry = FakeRegistry::start(&[&dir.read("k.pub")]);
    dir.environment.insert("ATTESTRY_REGISTRY".to_owned(), registry.url.clone());
    let sent = dir.run(&["push", "@folder"]).expect(0);
    assert!(sent.stdout.contains("20 created"), "{}", sent.stdout);
    sent.says(&["leaving out 1 other file"]);
    let posts = registry.requests().iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!(posts, 1);
    assert!(dir.path("folder/7/report.test-result.sigstore.json").exists());
}

#[test]
fn a_spool_takes_everything_where_there_is_no_registry() {
    let mut dir = setting();
    add(&dir, "@report", &["--spool", "@spool"]).expect(0).says(&["kept in the spool"]);
    let registry = FakeRegistry::start(&[&dir.read("k.pub")]);
    dir.environment.insert("ATTESTRY_REGISTRY".to_owned(), registry.url.clone());
    let sent = dir.run(&["push", "@spool"]).expect(0);
    assert!(sent.stdout.contains("1 created"), "{}", sent.stdout);
    assert_eq!(registry.contents().len(), 1);
}

#[test]
fn a_refused_bundle_keeps_its_evidence_files() {
    let mut dir = setting();
    add(&dir, "@report", &["--spool", "@spool"]).expect(0);
    let stranger = FakeRegistry::start(&[]);
    dir.environment.insert("ATTESTRY_REGISTRY".to_owned(), stranger.url.clone());
    dir.run(&["push", "@spool"]).expect(1);
    let registry = FakeRegistry::start(&[&dir.read("k.pub")]);
    dir.environment.insert("ATTESTRY_REGISTRY".to_owned(), registry.url.clone());
    dir.run(&["push", "@spool"]).expect(0);
    assert_eq!(registry.contents().values().next().unwrap(), JUNIT.as_bytes());
}

#[test]
fn a_scan_of_the_future_is_refused() {
    let dir = setting();
    add(&dir, "@report", &["--scanned-at", "2999-01-01"]).expect(2).says(&["has passed"]);
}

#[test]
fn one_malformed_file_does_not_keep_the_others_of_a_folder() {
    let mut dir = setting();
    add(&dir, "@report", &[]).expect(0);
    dir.write("att/00.sigstore.json", "{\"broken");
    let registry = FakeRegistry::start(&[&dir.read("k.pub")]);
    dir.environment.insert("ATTESTRY_REGISTRY".to_owned(), registry.url.clone());
    let sent = dir.run(&["push", "@att"]).expect(2);
    assert!(sent.stdout.contains("1 created, 0 existing, 1 refused"), "{}", sent.stdout);
    sent.says(&["00.sigstore.json"]);
}

#[test]
fn a_time_that_is_given_for_a_scan_that_states_its_own_is_named_as_unused() {
    let dir = setting();
    dir.write("scan.json", GRYPE);
    let given = ["--scanned-at", "1969-12-31"];
    let unused = "scan.json: --scanned-at (1969-12-31T00:00:00Z) is not used, because the report \
                  states its own time, 1969-06-01T12:00:00Z";
    let warning = format!("warning: {unused}");
    add(&dir, "@scan.json", &given).expect(0).says(&[&warning]);
    let inspect = [&["evidence", "inspect", "@scan.json"][..], &given].concat();
    dir.run(&inspect).expect(0).says(&[&warning]);
    let answer = dir.json(&[&inspect[..], &["--json"]].concat());
    let warnings = answer["warnings"].as_array().unwrap();
    assert!(warnings.contains(&unused.into()), "{warnings:?}");
    // The same time is no contradiction, and a report of tests has no scan.
    for (file, time) in [("@scan.json", "1969-06-01T12:00:00Z"), ("@report", "1969-12-31")] {
        let answer = add(&dir, file, &["--scanned-at", time]).expect(0);
        assert!(!answer.stderr.contains("is not used"), "{}", answer.stderr);
    }
}
