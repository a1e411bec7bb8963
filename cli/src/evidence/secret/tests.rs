//! Secret scans: real reports, other versions, and that no secret is passed on.

use serde_json::{Value, json};

use super::*;
use crate::evidence::samples::{Made, fit, made, sample, supplement};
use crate::evidence::{Fit, redact::REDACTED};

fn read(text: &str) -> Result<Made, ImportError> {
    made(&Report::of_bytes("scan.json", text), None, &supplement())
}

/// That none of `secrets` is in what is signed or kept.
#[track_caller]
fn holds_none(made: &Made, secrets: &[&str]) {
    assert!(!secrets.is_empty());
    let copy = made.redacted.as_deref().unwrap();
    let signed = Value::from(made.predicates.clone()).to_string();
    for secret in secrets {
        let escaped = json!(secret).to_string();
        for form in [*secret, escaped.trim_matches('"')] {
            assert!(!signed.contains(form), "{secret:?} in {signed}");
            assert!(!copy.contains(form), "{secret:?} in {copy}");
        }
    }
}

fn places(made: &Made) -> Vec<String> {
    let findings = made.predicates[0]["findings"].as_array().unwrap();
    let place = |finding: &Value| {
        let text = |name: &str| finding[name].as_str().unwrap().to_owned();
        format!("{} {}:{}", text("rule"), text("file"), finding["line"])
    };
    findings.iter().map(place).collect()
}

#[test]
fn reads_gitleaks_8() {
    let Some(report) = sample("secrets/gitleaks-8-findings.json") else { return };
    let made = made(&report, None, &supplement()).unwrap();
    assert_eq!((made.format, made.totals[0].as_str()), ("gitleaks", "findings 4"));
    let secrets =
        ["secretAWSsecret", "-----BEGIN EXAMPLE RSA KEY-----", "dfjksdjfs3294dfjlsdaf213"];
    holds_none(&made, &secrets);
    assert_eq!(
        places(&made),
        [
            "aws-access-token /conf/aws.tf:2",
            "aws-access-token /conf/aws.tf:2",
            "RSA-PK conf/rsa.pk:57",
            "generic-api-key tests/api.py:21"
        ]
    );
    let predicate = &made.predicates[0];
    assert_eq!(
        predicate["scanner"],
        json!({ "uri": "pkg:github/gitleaks/gitleaks", "version": "unknown" })
    );
    assert_eq!(predicate["scannedAt"], "2026-01-31T12:00:00Z");
    assert_eq!(predicate["report"]["name"], "gitleaks-8-findings.redacted.json");
    let digest = Sha256::of(made.redacted.as_ref().unwrap().as_bytes()).hex();
    assert_eq!(predicate["report"]["digest"]["sha256"], digest);
    // The two findings of the same rule and place are of different commits.
    let print = |index: usize| predicate["findings"][index]["fingerprint"].as_str().unwrap();
    assert!(print(0).len() == 64 && print(0) != print(1));
    assert!(made.warnings[0].starts_with("2 findings name absolute paths"), "{:?}", made.warnings);
    assert!(made.warnings[1].starts_with("the secrets of 4 findings were redacted"));
    // The structure is kept, and what is no secret.
    let copy: Vec<Value> = serde_json::from_str(made.redacted.as_ref().unwrap()).unwrap();
    assert_eq!(
        (copy.len(), &copy[3]["Match"], &copy[3]["Entropy"]),
        (4, &json!(REDACTED), &json!(4.132944))
    );
    assert_eq!(copy[3]["Author"], "John Doe");
}

#[test]
fn reads_gitleaks_7() {
    let Some(report) = sample("secrets/gitleaks-7.5.0-findings.json") else { return };
    let made = made(&report, None, &supplement()).unwrap();
    assert_eq!((made.format, made.totals[0].as_str()), ("gitleaks", "findings 8"));
    holds_none(&made, &["EXAMPLEKEYID00000000", "-----BEGIN EXAMPLE OPENSSH KEY-----"]);
    let report = "gitlab_secret_detection_report_1_vuln.json";
    let expected =
        format!("AWS Access Key dojo/unittests/scans/gitlab_secret_detection_report/{report}:13");
    assert_eq!(places(&made)[0], expected);
    let copy: Vec<Value> = serde_json::from_str(made.redacted.as_ref().unwrap()).unwrap();
    assert_eq!((&copy[0]["line"], &copy[0]["offender"]), (&json!(REDACTED), &json!(REDACTED)));
    assert_eq!((&copy[0]["lineNumber"], &copy[0]["tags"]), (&json!(13), &json!("key, AWS")));
}

#[test]
fn reads_gitleaks_sarif() {
    let Some(report) = sample("sarif/gitleaks-7.4.0-findings.sarif") else { return };
    let made = made(&report, None, &supplement()).unwrap();
    assert_eq!((made.format, made.totals[0].as_str()), ("sarif-secrets", "findings 8"));
    assert_eq!(made.tools, ["Gitleaks v7.4.0"]);
    holds_none(&made, &["EXAMPLEKEYID00000000", "-----BEGIN EXAMPLE OPENSSH KEY-----"]);
    // The results name no rule; their messages begin with it.
    let rules: Vec<&str> = made.predicates[0]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["rule"].as_str().unwrap())
        .collect();
    assert_eq!(rules.iter().filter(|rule| **rule == "AWS Access Key").count(), 6);
    assert_eq!(rules.iter().filter(|rule| **rule == "Asymmetric Private Key").count(), 2);
    let copy: Value = serde_json::from_str(made.redacted.as_ref().unwrap()).unwrap();
    let result = &copy["runs"][0]["results"][0];
    assert_eq!(result["message"]["text"], "AWS Access Key secret detected");
    assert_eq!(result["properties"]["offender"], REDACTED);
}

#[test]
fn reads_trufflehog_3() {
    let Some(report) = sample("secrets/trufflehog-3-git.jsonl") else { return };
    let made = made(&report, None, &supplement()).unwrap();
    assert_eq!((made.format, made.totals[0].as_str()), ("trufflehog", "findings 4"));
    assert_eq!(places(&made), ["AWS keys:4", "URI keys:3", "PrivateKey keys:1", "URI keys:3"]);
    holds_none(
        &made,
        &[
            "QUtJQVlWUDRDSVBQRVJVVklGWEc",
            "AKIAYVP4CIPPERUVIFXG",
            "EXAMPLEKEYID00000000",
            "https://admin:admin@the-internet",
            "aHR0cHM6Ly9hZG1pbjphZG1pbkB0aGUtaW50ZXJuZXQ",
            "LS0tLS1CRUdJTiBPUEVOU1NI",
            "b3BlbnNzaC1rZXktdjE",
            "canarytokens.com@@mirux23ppyky6hx3l6vclmhnj",
            "thisisforgithub0",
        ],
    );
    let lines: Vec<Value> = made
        .redacted
        .as_ref()
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0]["ExtraData"]["account"], REDACTED);
    assert_eq!(lines[0]["SourceMetadata"]["Data"]["Git"]["line"], 4);
    assert_eq!(lines[2]["StructuredData"]["github_ssh_key"][0]["user"], REDACTED);
}

#[test]
fn asks_what_a_report_of_nothing_is_and_takes_it_for_clean_then() {
    for (file, format) in
        [("gitleaks-clean.json", "gitleaks"), ("trufflehog-3-clean.jsonl", "trufflehog")]
    {
        let Some(report) = sample(&format!("secrets/{file}")) else { return };
        let refused = made(&report, None, &supplement()).unwrap_err();
        assert!(
            matches!(&refused, ImportError::Ambiguous { candidates, .. } if candidates.contains(format))
        );
        let made = made(&report, Some(format), &supplement()).unwrap();
        assert_eq!((made.totals[0].as_str(), &made.redacted), ("findings 0", &None), "{file}");
        assert_eq!((&made.predicates[0]["findings"], made.warnings.len()), (&json!([]), 0));
    }
}

#[test]
fn wants_a_time_and_takes_a_version() {
    let text = r#"[{"RuleID":"r","Secret":"hunter22","Match":"m","File":"f","StartLine":1}]"#;
    let report = Report::of_bytes("r", text);
    let without = Supplement { scanned_at: None, ..supplement() };
    assert!(matches!(made(&report, None, &without), Err(ImportError::NoTime { .. })));
    let with = Supplement { tool_version: Some("8.30.0".to_owned()), ..supplement() };
    let made = made(&report, None, &with).unwrap();
    assert_eq!(made.predicates[0]["scanner"]["version"], "8.30.0");
}

#[test]
fn keeps_the_tool_s_fingerprint_unless_it_holds_the_secret() {
    let read = |fingerprint: &str, secret: &str| {
        let finding = json!([{
            "RuleID": "r", "Secret": secret, "File": "f", "StartLine": 1, "Commit": "c",
            "Fingerprint": fingerprint
        }]);
        let made = read(&finding.to_string()).unwrap();
        made.predicates[0]["findings"][0]["fingerprint"].as_str().unwrap().to_owned()
    };
    assert_eq!(read("c:f:r:1", "hunter22"), "c:f:r:1");
    let hash = Sha256::of(b"r\0f\x001\0c\0").hex();
    assert_eq!(read("c:hunter22:r:1", "hunter22"), hash);
    assert_eq!(read("", "another-secret"), hash, "the secret is not in the hash");
}

#[test]
fn takes_weak_secrets_out_of_rules_and_paths_too() {
    let text = json!([
        { "RuleID": "generic-password", "Secret": "password", "Match": "password=password",
          "File": "etc/password.txt", "StartLine": 2, "Message": "add password" },
        { "RuleID": "short", "Secret": "abc", "Match": "k=abc", "File": "abc/d", "StartLine": 0 }
    ]);
    let made = read(&text.to_string()).unwrap();
    assert_eq!(places(&made), ["generic-REDACTED etc/REDACTED.txt:2", "short abc/d:0"]);
    holds_none(&made, &["password", "k=abc"]);
    let copy: Value = serde_json::from_str(made.redacted.as_ref().unwrap()).unwrap();
    assert_eq!((&copy[0]["Message"], &copy[1]["File"]), (&json!("add REDACTED"), &json!("abc/d")));
}

#[test]
fn reads_other_versions_of_gitleaks() {
    // 8.0 calls the text around the secret Context; 6 has no line; --redact has no secret.
    for (finding, expected) in [
        (
            json!({ "RuleID": "a", "Context": "x hunter22", "Secret": "hunter22", "File": "f" }),
            "a f:0",
        ),
        (
            json!({ "rule": "b", "offender": "hunter22", "line": "hunter22 =", "file": "f" }),
            "b f:0",
        ),
        (
            json!({ "RuleID": "c", "Secret": "REDACTED", "Match": "k=REDACTED", "File": "f", "StartLine": 7 }),
            "c f:7",
        ),
        (json!({ "RuleID": "", "Description": "d", "Secret": "hunter22", "File": "f" }), "d f:0"),
    ] {
        let made = read(&json!([finding]).to_string()).unwrap();
        assert_eq!((made.format, places(&made)), ("gitleaks", vec![expected.to_owned()]));
        holds_none(&made, &["hunter22"]);
    }
    let text = r#"[{"RuleID":"a","File":"f","Secret":""}]"#;
    assert!(matches!(read(text), Err(ImportError::Malformed { .. })));
}

#[test]
fn reads_other_versions_of_trufflehog() {
    let filesystem = json!({
        "SourceMetadata": { "Data": { "Filesystem": { "file": "/home/me/a.env", "line": "9" } } },
        "DetectorName": "AWS", "Raw": "AKIAEXAMPLE", "RawV2": "AKIAEXAMPLE:s3cr3t/k3y",
        "VerificationError": "lookup s3cr3t", "ExtraData": { "s3cr3t/k3y": "x" },
        "SourceName": "note s3cr3t/k3y"
    });
    let docker = json!({
        "SourceMetadata": { "Data": { "Docker": { "file": "/etc/k", "image": "app", "layer": "l" } } },
        "DetectorName": "Slack", "Raw": "hunter22"
    });
    let log = json!({ "level": "info-0", "msg": "finished scanning" });
    let made = read(&format!("{filesystem}\n{log}\n{docker}\n")).unwrap();
    assert_eq!(places(&made), ["AWS /home/me/a.env:9", "Slack /etc/k:0"]);
    holds_none(&made, &["AKIAEXAMPLE", "s3cr3t/k3y", "lookup s3cr3t", "hunter22"]);
    assert!(made.warnings[0].starts_with("1 findings name absolute paths"), "{:?}", made.warnings);
    assert!(made.warnings[2].starts_with("1 lines are no findings"), "{:?}", made.warnings);

    // A list, and version 2.
    let made = read(&json!([docker]).to_string()).unwrap();
    assert_eq!((made.format, places(&made).len()), ("trufflehog", 1));
    holds_none(&made, &["hunter22"]);
    let older = json!({
        "branch": "main", "commit": "a message with hunter22", "commitHash": "c0ffee", "date": "d",
        "diff": "+ hunter22", "path": "f", "printDiff": "+ hunter22", "reason": "High Entropy",
        "stringsFound": ["hunter22", "another0ne"]
    });
    let made = read(&older.to_string()).unwrap();
    assert_eq!((made.format, places(&made)), ("trufflehog", vec!["High Entropy f:0".to_owned()]));
    holds_none(&made, &["hunter22", "another0ne"]);
}

#[test]
fn refuses_lines_that_are_no_results() {
    let good = json!({ "SourceMetadata": { "Data": {} }, "DetectorName": "a", "Raw": "hunter22" });
    for text in
        [format!("{good}\nhunter22\n"), format!("{good}\n{{\"a\":1}}\n"), format!("{good}\n{{\n")]
    {
        let refused = made(&Report::of_bytes("r", &text), Some("trufflehog"), &supplement());
        assert!(matches!(refused, Err(ImportError::Malformed { .. })), "{text}");
    }
}

#[test]
fn reads_the_sarif_of_other_secret_scanners() {
    let log = |tool: &str, result: Value| {
        json!({ "version": "2.1.0", "runs": [{ "tool": { "driver": { "name": tool } }, "results": [result] }] })
            .to_string()
    };
    let location = json!([{ "physicalLocation": {
        "artifactLocation": { "uri": "a.py" },
        "region": { "startLine": 3, "snippet": { "text": "hunter2" } }
    } }]);
    // gitleaks 8: the snippet is the secret; what it calls partial fingerprints is the commit.
    let result = json!({
        "ruleId": "aws", "message": { "text": "aws has detected secret for file a.py." },
        "locations": location.clone(),
        "partialFingerprints": { "author": "me", "commitSha": "c", "commitMessage": "x hunter2" }
    });
    let made = read(&log("gitleaks", result)).unwrap();
    assert_eq!(places(&made), ["aws a.py:3"]);
    holds_none(&made, &["hunter2"]);
    let print = made.predicates[0]["findings"][0]["fingerprint"].as_str().unwrap();
    assert_eq!(print, Sha256::of(b"aws\0a.py\x003\0c\0").hex());
    // A scanner that may repeat the secret in its messages, and names it nowhere else.
    let result = json!({ "ruleId": "aws", "message": { "text": "Secret: hunter2" } });
    let made = read(&log("ggshield", result)).unwrap();
    holds_none(&made, &["hunter2"]);
    // A tool that nobody knows, which somebody says is one.
    let result =
        json!({ "ruleId": "x", "message": { "text": "hunter2 found" }, "locations": location });
    let report = Report::of_bytes("r", log("Somebody", result));
    let insisted =
        super::super::samples::made(&report, Some("sarif-secrets"), &supplement()).unwrap();
    assert_eq!(places(&insisted), ["x a.py:3"]);
    holds_none(&insisted, &["hunter2"]);
    // Suppressed results and passes are no findings.
    let result = json!({ "ruleId": "a", "suppressions": [{ "kind": "external" }] });
    let made = read(&log("trufflehog", result)).unwrap();
    assert_eq!(made.totals, ["findings 0"]);
    assert!(
        made.warnings.iter().any(|warning| warning.starts_with("1 results that are suppressed"))
    );
}

#[test]
fn lists_as_many_findings_as_a_statement_may_and_counts_the_others() {
    let finding = r#"{"RuleID":"a","Secret":"hunter22","File":"f"}"#;
    let many = |count: usize| format!("[{}]", vec![finding; count].join(","));
    assert_eq!(read(&many(MAX_RESULTS)).unwrap().totals, ["findings 10000"]);
    let made = read(&many(MAX_RESULTS + 2)).unwrap();
    assert_eq!(made.totals, ["findings 10002"]);
    let [scan] = made.predicates.as_slice() else { panic!("expected one scan") };
    assert_eq!(scan["findings"].as_array().map(Vec::len), Some(MAX_RESULTS));
    assert_eq!(scan["unlisted"], 2);
    let told = |words: &str| made.warnings.iter().any(|warning| warning.contains(words));
    assert!(told("2 findings are counted and not listed"), "{:?}", made.warnings);
    assert!(told("the secrets of 10002 findings were redacted"), "{:?}", made.warnings);
    assert!(read(&many(1)).unwrap().predicates[0].get("unlisted").is_none());
}

#[test]
fn those_that_are_listed_are_the_first() {
    let mut leaks = Leaks::with(2);
    for line in 1..=4 {
        leaks.add(Leak { line, ..Leak::default() }, false);
    }
    let report = Report::of_bytes("r", "[]");
    let found = leaks.found(&report, &Redactor::new(Secrets::default())).unwrap();
    let lines: Vec<u64> = found.findings.iter().map(|finding| finding.line).collect();
    assert_eq!((lines.as_slice(), found.unlisted, found.count()), (&[1, 2][..], 2, 4));
}

#[test]
fn leaves_the_reports_of_other_tools_alone() {
    for text in ["{}", "[1]", r#"[{"RuleID":"a","File":"b"}]"#, r#"{"Raw":"x"}"#, "text", "<a/>"] {
        for format in FORMATS {
            assert_eq!(fit(format, text), Fit::No, "{} {text}", format.name);
        }
    }
}
