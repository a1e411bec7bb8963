//! Static analyses: real logs, their counts, and what is refused.

use serde_json::{Value, json};

use super::*;
use crate::evidence::samples::{Made, made, sample, supplement};

fn read(log: &Value) -> Result<Made, ImportError> {
    made(&Report::of_bytes("r.sarif", log.to_string()), None, &supplement())
}

fn log(results: Vec<Value>) -> Value {
    let tool = json!({ "driver": { "name": "Lint", "version": "1", "informationUri": "https://lint.example" } });
    json!({ "version": "2.1.0", "runs": [{ "tool": tool, "results": results }] })
}

#[test]
fn reads_every_real_log() {
    let cases: [(&str, &[&str], &[&str]); 5] = [
        (
            "codeql-2.11.5-findings.sarif",
            &["CodeQL 2.11.5"],
            &["error 0, warning 13, note 0, none 0, suppressed 0"],
        ),
        (
            "codeql-2.15.4-clean.sarif",
            &["CodeQL 2.15.4"],
            &["error 0, warning 0, note 0, none 0, suppressed 0"],
        ),
        (
            "semgrep-1.69.0-findings.sarif",
            &["Semgrep OSS 1.69.0"],
            &["error 35, warning 42, note 0, none 0, suppressed 0"],
        ),
        (
            "two-runs-lgtm-codeql.sarif",
            &["LGTM.com 1.24.0-SNAPSHOT", "CodeQL command-line toolchain 2.0.0"],
            &[
                "error 0, warning 0, note 1, none 0, suppressed 0",
                "error 0, warning 0, note 2, none 0, suppressed 0",
            ],
        ),
        (
            "suppressions.sarif",
            &["CodeScanner"],
            &["error 0, warning 2, note 0, none 0, suppressed 3"],
        ),
    ];
    for (file, tools, totals) in cases {
        let Some(report) = sample(&format!("sarif/{file}")) else { return };
        let made = made(&report, None, &supplement()).unwrap();
        assert_eq!(made.format, "sarif", "{file}");
        assert_eq!(made.tools, tools, "{file}");
        assert_eq!(made.totals, totals, "{file}");
        let without = Supplement { scanned_at: None, ..supplement() };
        let refused = super::super::samples::made(&report, None, &without);
        assert!(matches!(refused, Err(ImportError::NoTime { .. })), "{file}");
    }
}

#[test]
fn refuses_real_logs_that_say_nothing_or_are_none() {
    let Some(report) = sample("sarif/no-runs.sarif") else { return };
    let refused = made(&report, None, &supplement()).unwrap_err();
    assert!(matches!(refused, ImportError::NothingChecked { expected: "a run", .. }), "{refused}");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/samples/sarif");
    let bytes = std::fs::read(format!("{folder}/control-characters.sarif")).unwrap();
    let refused = Report::of_memory("r", bytes).unwrap_err();
    assert!(matches!(refused, ImportError::Malformed { .. }), "{refused}");
    assert!(refused.to_string().contains("control character"), "{refused}");
}

#[test]
fn lists_the_results_with_their_places() {
    let Some(report) = sample("sarif/two-runs-lgtm-codeql.sarif") else { return };
    let found = made(&report, None, &supplement()).unwrap();
    assert_eq!(
        found.predicates[1]["results"],
        json!([
            { "rule": "js/unused-local-variable", "level": "note", "file": "main.js", "line": 2,
              "fingerprint": "39fa2ee980eb94b0:1", "suppressed": false },
            { "rule": "js/inconsistent-use-of-new", "level": "note", "file": "src/promiseUtils.js",
              "line": 2, "fingerprint": "5061c3315a741b7d:1", "suppressed": false }
        ])
    );
    assert_eq!(found.predicates[1]["tool"]["uri"], "pkg:generic/CodeQL%20command-line%20toolchain");
    assert_eq!(found.predicates[0]["report"]["mediaType"], "application/sarif+json");
    assert!(found.redacted.is_none() && found.warnings.is_empty());

    let Some(report) = sample("sarif/suppressions.sarif") else { return };
    let found = made(&report, None, &supplement()).unwrap();
    assert!(found.warnings[0].starts_with("5 results name absolute paths"), "{:?}", found.warnings);
    assert_eq!(found.predicates[0]["tool"]["version"], "unknown");
}

#[test]
fn redacts_the_code_of_results_that_are_about_secrets() {
    let Some(report) = sample("sarif/semgrep-1.69.0-findings.sarif") else { return };
    let made = made(&report, None, &supplement()).unwrap();
    assert!(made.warnings[0].starts_with("1 results show secrets"), "{:?}", made.warnings);
    let copy = made.redacted.unwrap();
    assert!(!copy.contains("jwt.sign(user, privateKey, { expiresIn"));
    // Everything else is as it was.
    let original = super::super::samples::text_of(&report);
    let differing = original.lines().zip(copy.lines()).filter(|(a, b)| a != b).count();
    assert_eq!((differing, original.lines().count()), (1, copy.lines().count()));
    assert_eq!(made.predicates[0]["report"]["name"], "semgrep-1.69.0-findings.redacted.sarif");
}

#[test]
fn lists_the_gravest_results_and_counts_them_all() {
    let result = |level: &str, suppressed: bool| {
        let mut result = json!({ "ruleId": level, "level": level });
        if suppressed {
            result["suppressions"] = json!([{ "kind": "external" }]);
        }
        result
    };
    let mut results = vec![result("error", true)];
    results.extend(vec![result("note", false); MAX_RESULTS]);
    results.extend([result("error", false), result("none", false), result("warning", false)]);
    let made = read(&log(results)).unwrap();
    assert_eq!(made.totals, ["error 1, warning 1, note 10000, none 1, suppressed 1"]);
    let listed = made.predicates[0]["results"].as_array().unwrap();
    assert_eq!(listed.len(), MAX_RESULTS);
    assert_eq!((&listed[0]["rule"], &listed[1]["rule"]), (&json!("error"), &json!("warning")));
    assert_eq!(listed[MAX_RESULTS - 1]["rule"], "note");
    assert!(made.warnings[0].starts_with("4 results are counted but not listed"));
}

#[test]
fn takes_the_time_of_the_run() {
    let mut log = log(Vec::new());
    log["runs"][0]["invocations"] = json!([{ "endTimeUtc": "2026-01-01T00:00:00Z" }]);
    let report = Report::of_bytes("r", log.to_string());
    let made = made(&report, None, &Supplement::default()).unwrap();
    assert_eq!(made.predicates[0]["scannedAt"], "2026-01-01T00:00:00Z");
    assert_eq!(
        made.predicates[0]["tool"],
        json!({ "uri": "https://lint.example", "version": "1" })
    );
}
