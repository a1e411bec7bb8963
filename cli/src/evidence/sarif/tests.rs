//! SARIF: which kind a log is of, what its results mean, and what is taken out of it.

use serde_json::{Value, json};

use super::*;

/// A log of one run for each of these tools with their results.
fn log(runs: &[(&str, Value)]) -> Value {
    let run = |(name, results): &(&str, Value)| json!({ "tool": { "driver": { "name": name } }, "results": results });
    json!({ "version": "2.1.0", "runs": runs.iter().map(run).collect::<Vec<_>>() })
}

fn report(log: &Value) -> Report {
    Report::of_memory("r.sarif", log.to_string().into_bytes()).unwrap()
}

/// The results of a log in one line each.
fn lines(report: &Report, kind: Kind) -> Result<(Vec<String>, Reading), ImportError> {
    let mut lines = Vec::new();
    let reading = read(report, kind, &mut |run, finding| {
        let Finding { rule_id, level, place, line, fingerprint, suppressed, .. } = finding;
        let fingerprint = fingerprint.unwrap_or_default();
        let suppressed = if suppressed { " suppressed" } else { "" };
        let path = place.into_path();
        lines.push(format!("{run} {rule_id} {level:?} {path}:{line} {fingerprint}{suppressed}"));
        Ok(())
    })?;
    Ok((lines, reading))
}

fn insisted(log: &Value) -> Report {
    let report = report(log);
    report.insist();
    report
}

/// What the results of one run of an unknown tool are read as.
#[track_caller]
fn check(run: Value, expected: &[&str]) {
    let mut log = json!({ "version": "2.1.0", "runs": [run] });
    log["runs"][0]["tool"]["driver"]["name"] = json!("Lint");
    let (lines, _) = lines(&report(&log), Kind::Analysis).unwrap();
    assert_eq!(lines, expected);
}

#[test]
fn takes_the_level_from_the_result_else_from_the_rule_else_it_is_a_warning() {
    check(
        json!({
            // Results may stand before the rules that they refer to.
            "results": [
                { "ruleId": "A" },
                { "ruleId": "A", "level": "error" },
                { "ruleIndex": 0 },
                { "rule": { "index": 1 } },
                { "ruleId": "A/sub/1" },
                { "ruleId": "B", "ruleIndex": 0 },
                { "ruleId": "X", "rule": { "id": "Y", "index": 0, "toolComponent": { "index": 0 } } },
                { "rule": { "index": 0, "toolComponent": { "index": 0 } } },
                { "ruleId": "Z", "ruleIndex": 99 },
                { "ruleId": "A", "kind": "pass", "level": "error" },
                { "ruleId": "A", "level": "grave" },
                { "message": { "text": "B happened" } },
                {}
            ],
            "tool": {
                "driver": { "rules": [
                    { "id": "A", "defaultConfiguration": { "level": "note" } },
                    { "id": "B", "defaultConfiguration": {} }
                ] },
                "extensions": [ { "rules": [
                    { "id": "E", "defaultConfiguration": { "level": "none" } }
                ] } ]
            }
        }),
        &[
            "0 A Note :0 ",
            "0 A Error :0 ",
            "0 A Note :0 ",
            "0 B Warning :0 ",
            "0 A/sub/1 Note :0 ",
            "0 B Warning :0 ",
            "0 X Warning :0 ",
            "0 E None :0 ",
            "0 Z Warning :0 ",
            "0 A None :0 ",
            "0 A Warning :0 ",
            "0 B Warning :0 ",
            "0 unknown Warning :0 ",
        ],
    );
}

#[test]
fn takes_suppressions_that_are_accepted_and_leaves_out_what_is_no_longer_there() {
    let result = |suppressions: Value| json!({ "ruleId": "A", "suppressions": suppressions });
    check(
        json!({ "results": [
            result(json!([])),
            result(json!(null)),
            result(json!([{ "kind": "external" }])),
            result(json!([{ "kind": "inSource", "status": "accepted" }])),
            result(json!([{ "status": "rejected" }])),
            result(json!([{ "status": "accepted" }, { "status": "underReview" }])),
            { "ruleId": "A", "baselineState": "absent" },
            { "ruleId": "A", "baselineState": "unchanged" }
        ] }),
        &[
            "0 A Warning :0 ",
            "0 A Warning :0 ",
            "0 A Warning :0  suppressed",
            "0 A Warning :0  suppressed",
            "0 A Warning :0 ",
            "0 A Warning :0 ",
            "0 A Warning :0 ",
        ],
    );
}

#[test]
fn finds_files_by_their_base_by_their_index_and_below_known_folders() {
    let result = |artifact: Value| {
        let physical = json!({ "artifactLocation": artifact, "region": { "startLine": 3 } });
        json!({ "ruleId": "A", "locations": [{ "physicalLocation": physical }] })
    };
    check(
        json!({
            "originalUriBaseIds": {
                "SRCROOT": { "uri": "file:///home/me/repo/" },
                "LIB": { "uri": "lib%20s/", "uriBaseId": "SRCROOT" }
            },
            "artifacts": [{ "location": { "uri": "b.c", "uriBaseId": "LIB" } }],
            "invocations": [{ "workingDirectory": { "uri": "file:///checkout" } }],
            "results": [
                result(json!({ "uri": "src/a%20b.c", "uriBaseId": "SRCROOT" })),
                result(json!({ "uri": "a.c", "uriBaseId": "LIB" })),
                result(json!({ "index": 0 })),
                result(json!({ "uri": "file:///home/me/repo/src/c.c" })),
                result(json!({ "uri": "/checkout/d.c" })),
                result(json!({ "uri": "file:///home/you/e.c" })),
                result(json!({ "uri": "https://example.com/f%20" })),
                result(json!({ "uri": 7 }))
            ]
        }),
        &[
            "0 A Warning src/a b.c:3 ",
            "0 A Warning lib s/a.c:3 ",
            "0 A Warning lib s/b.c:3 ",
            "0 A Warning src/c.c:3 ",
            "0 A Warning d.c:3 ",
            "0 A Warning /home/you/e.c:3 ",
            "0 A Warning https://example.com/f%20:3 ",
            "0 A Warning 7:3 ",
        ],
    );
}

#[test]
fn takes_for_a_fingerprint_what_is_one() {
    check(
        json!({ "results": [
            { "ruleId": "A", "fingerprints": { "v1": "f" }, "partialFingerprints": { "x/hash": "p" } },
            { "ruleId": "A", "partialFingerprints": { "aHash": "q", "primaryLocationLineHash": "p" } },
            { "ruleId": "A", "partialFingerprints": { "author": "me", "toolFingerprint/v1": "t" } },
            { "ruleId": "A", "partialFingerprints": { "author": "me", "commitSha": "c" } },
            { "ruleId": "A", "fingerprints": { "row": { "value": "nested" } } },
            { "ruleId": "A", "correlationGuid": "g" }
        ] }),
        &[
            "0 A Warning :0 f",
            "0 A Warning :0 p",
            "0 A Warning :0 t",
            "0 A Warning :0 ",
            "0 A Warning :0 nested",
            "0 A Warning :0 g",
        ],
    );
}

#[test]
fn knows_what_a_log_is_about_by_its_tool_and_its_first_rule() {
    use Fit::{Certain, No, Possible};
    let check = |log: &Value, expected: [Fit; 4]| {
        let kinds = [Kind::Vulnerabilities, Kind::Secrets, Kind::Configuration, Kind::Analysis];
        assert_eq!(kinds.map(|kind| fit(report(log).outline(), kind)), expected, "{log}");
    };
    let rule = |id: &str| json!([{ "ruleId": id }]);
    check(&log(&[("CodeQL", rule("js/x"))]), [No, No, No, Certain]);
    check(&log(&[("CodeQL", json!([]))]), [No, No, No, Certain]);
    check(&log(&[("Gitleaks", json!([]))]), [No, Certain, No, No]);
    check(&log(&[("KICS", rule("x"))]), [No, No, Certain, No]);
    check(&log(&[("Grype", rule("x"))]), [Certain, No, No, No]);
    check(&log(&[("Trivy", rule("CVE-1"))]), [Certain, No, No, No]);
    check(&log(&[("Trivy", rule("KSV-0001"))]), [No, No, Certain, No]);
    check(&log(&[("Trivy", json!([]))]), [Possible, Possible, Possible, No]);
    check(&log(&[("checkov", rule("CKV_SECRET_6"))]), [No, Certain, No, No]);
    check(&log(&[("Nobody", rule("CVE-1"))]), [Certain, No, No, No]);
    let secret =
        json!([{ "ruleId": "aws", "message": { "text": "Artifact: a\nType: \nSecret AWS" } }]);
    check(&log(&[("Trivy", secret)]), [No, Certain, No, No]);
    let empty = json!({ "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "runs": [] });
    check(&empty, [No, No, No, Certain]);
    check(&json!({ "version": "2.1.0", "runs": [{ "id": 1 }] }), [No, No, No, No]);
}

#[test]
fn refuses_to_choose_between_kinds_unless_somebody_chose() {
    let rule = |id: &str| json!([{ "ruleId": id }]);
    let both = log(&[("CodeQL", rule("js/x")), ("Gitleaks", rule("aws"))]);
    let refused = lines(&report(&both), Kind::Analysis).map(|(lines, _)| lines);
    let Err(ImportError::Ambiguous { candidates, .. }) = refused else {
        panic!("expected a refusal, found {refused:?}")
    };
    assert!(
        candidates.contains("(sarif)") && candidates.contains("(sarif-secrets)"),
        "{candidates}"
    );

    let (found, reading) = lines(&insisted(&both), Kind::Analysis).unwrap();
    assert_eq!(found, ["0 js/x Warning :0 "]);
    assert!(reading.warnings[0].contains("1 secrets of Gitleaks are left out"));
    // What is left out is redacted all the same.
    assert!(reading.redacted.is_some());
    let (found, reading) = lines(&insisted(&both), Kind::Secrets).unwrap();
    assert_eq!((found.len(), reading.runs.len()), (1, 1));
    assert_eq!(reading.runs[0].index, 1);

    let refused = lines(&insisted(&both), Kind::Vulnerabilities).map(|(lines, _)| lines);
    assert_eq!(refused.unwrap(), ["0 js/x Warning :0 "], "a tool that nobody knows is believed");
    let known = log(&[("Gitleaks", rule("aws"))]);
    let refused = lines(&insisted(&known), Kind::Vulnerabilities).map(|(lines, _)| lines);
    assert!(matches!(refused, Err(ImportError::NotAsked { .. })), "{refused:?}");
}

#[test]
fn tells_the_results_of_a_tool_that_does_several_things_apart() {
    let results = json!([{ "ruleId": "CVE-1" }, { "ruleIndex": 0 }, { "ruleId": "CVE-2" }]);
    let mut mixed = log(&[("Trivy", results)]);
    mixed["runs"][0]["tool"]["driver"]["rules"] =
        json!([{ "id": "x", "name": "Misconfiguration" }]);
    let refused = lines(&report(&mixed), Kind::Vulnerabilities).map(|(lines, _)| lines);
    assert!(matches!(refused, Err(ImportError::Ambiguous { .. })), "{refused:?}");
    let (found, reading) = lines(&insisted(&mixed), Kind::Vulnerabilities).unwrap();
    assert_eq!(found, ["0 CVE-1 Warning :0 ", "0 CVE-2 Warning :0 "]);
    assert!(reading.warnings[0].contains("1 misconfigurations of Trivy"), "{:?}", reading.warnings);
    let (found, _) = lines(&insisted(&mixed), Kind::Configuration).unwrap();
    assert_eq!(found, ["0 x Warning :0 "]);
    // Nothing found of one kind says nothing of another that the tool may not have looked for.
    let refused = lines(&insisted(&mixed), Kind::Secrets).map(|(lines, _)| lines);
    assert!(matches!(refused, Err(ImportError::NotAsked { .. })), "{refused:?}");
    let clean = log(&[("Trivy", json!([]))]);
    assert!(lines(&insisted(&clean), Kind::Secrets).unwrap().0.is_empty());
    let refused = lines(&report(&clean), Kind::Secrets).map(|(lines, _)| lines);
    assert!(matches!(refused, Err(ImportError::Ambiguous { .. })), "{refused:?}");
}

#[test]
fn takes_no_run_that_failed_or_listed_nothing_for_a_clean_one() {
    let run = |results: Value, invocation: Value| {
        let mut log = log(&[("Lint", results)]);
        log["runs"][0]["invocations"] = json!([invocation]);
        lines(&report(&log), Kind::Analysis).map(|(_, reading)| reading.warnings.join("; "))
    };
    let failed = json!({ "executionSuccessful": false });
    let well = json!({ "executionSuccessful": true });
    let errors =
        json!({ "toolExecutionNotifications": [{ "level": "error" }, { "level": "note" }] });
    let some = json!([{ "ruleId": "A" }]);
    assert_eq!(run(json!([]), well).unwrap(), "");
    assert!(matches!(run(json!([]), failed.clone()), Err(ImportError::ScanFailed { .. })));
    assert!(run(some, failed).unwrap().starts_with("Lint says that it failed"));
    assert!(run(json!([]), errors).unwrap().starts_with("Lint told of 1 errors"));
    for results in [json!(null), json!({})] {
        assert!(matches!(run(results, json!({})), Err(ImportError::NothingChecked { .. })));
    }
    let without =
        json!({ "version": "2.1.0", "runs": [{ "tool": { "driver": { "name": "x" } } }] });
    let refused = lines(&report(&without), Kind::Analysis).map(|(lines, _)| lines);
    assert!(matches!(refused, Err(ImportError::NothingChecked { .. })), "{refused:?}");
}

#[test]
fn reads_version_2_1_0_only_and_not_too_many_runs() {
    let check = |version: Value, runs: usize| {
        let mut log = log(&vec![("Lint", json!([])); runs]);
        log["version"] = version;
        lines(&report(&log), Kind::Analysis).map(|(_, reading)| reading.runs.len())
    };
    assert_eq!(check(json!("2.1.0"), 1).unwrap(), 1);
    assert_eq!(check(json!("2.1.0-rtm.5"), MAX_RUNS).unwrap(), MAX_RUNS);
    for version in [json!("2.0.0"), json!("1.0.0"), json!(null), json!(2.1)] {
        assert!(matches!(check(version, 1), Err(ImportError::Malformed { .. })));
    }
    assert!(matches!(check(json!("2.1.0"), MAX_RUNS + 1), Err(ImportError::TooMuch { .. })));
}

#[test]
fn takes_the_time_and_the_version_that_a_run_states() {
    let mut log = log(&[("Lint", json!([]))]);
    log["runs"][0]["tool"]["driver"]["version"] = json!("1.0 (build 7)");
    log["runs"][0]["invocations"] = json!([
        { "startTimeUtc": "2026-01-01T00:00:00Z", "endTimeUtc": "2026-01-01T00:01:00.5Z" },
        { "startTimeUtc": "2025-01-01T00:00:00Z" }
    ]);
    let (_, reading) = lines(&report(&log), Kind::Analysis).unwrap();
    assert_eq!(reading.runs[0].time.unwrap().to_string(), "2026-01-01T00:01:00.5Z");
    assert_eq!(reading.runs[0].scanner.told(), "Lint 1.0 (build 7)");
    log["runs"][0]["tool"]["driver"]["semanticVersion"] = json!("1.0.0");
    let (_, reading) = lines(&report(&log), Kind::Analysis).unwrap();
    assert_eq!(reading.runs[0].scanner.version.as_deref(), Some("1.0.0"));
}

#[test]
fn takes_secrets_out_of_the_results_that_show_some() {
    let physical = |snippet: &str| {
        json!({ "physicalLocation": {
            "artifactLocation": { "uri": "a.py" },
            "region": { "startLine": 1, "snippet": { "text": snippet } },
            "contextRegion": { "snippet": { "text": format!("# before\n{snippet}") } }
        } })
    };
    let result = |rule: &str, snippet: &str| {
        json!({
            "ruleId": rule,
            "message": { "text": "found tr0ub4dor33 here" },
            "locations": [physical(snippet)],
            "partialFingerprints": { "hash": "a.py:tr0ub4dor33" }
        })
    };
    let code = "password = 'tr0ub4dor33'";
    let mut both =
        log(&[("Lint", json!([result("unused", "x = 1"), result("hardcoded-password", code)]))]);
    both["runs"][0]["artifacts"] = json!([{ "contents": { "text": format!("{code}\nmore") } }]);
    let (_, reading) = lines(&report(&both), Kind::Analysis).unwrap();
    assert!(reading.warnings[0].starts_with("1 results show secrets"), "{:?}", reading.warnings);
    let mut text = String::new();
    let redacted = reading.redacted.as_ref().unwrap();
    redacted.read(|reader| Ok(reader.read_to_string(&mut text).unwrap())).unwrap();
    let redacted: Value = serde_json::from_str(&text).unwrap();
    let mut expected = both.clone();
    let path = "/runs/0/results/1/locations/0/physicalLocation";
    for (at, text) in [
        (format!("{path}/region/snippet/text"), "REDACTED"),
        (format!("{path}/contextRegion/snippet/text"), "REDACTED"),
        ("/runs/0/artifacts/0/contents/text".to_owned(), "REDACTED"),
        // A message of a run with secrets goes where it repeats a word of the code.
        ("/runs/0/results/0/message/text".to_owned(), "REDACTED"),
        ("/runs/0/results/1/message/text".to_owned(), "REDACTED"),
        ("/runs/0/results/0/partialFingerprints/hash".to_owned(), "REDACTED"),
        ("/runs/0/results/1/partialFingerprints/hash".to_owned(), "REDACTED"),
    ] {
        *expected.pointer_mut(&at).unwrap() = json!(text);
    }
    assert_eq!(redacted, expected);

    // Where nothing shows secrets, the log is kept as it is.
    let (_, reading) =
        lines(&report(&log(&[("Lint", json!([result("unused", code)]))])), Kind::Analysis).unwrap();
    assert!(reading.redacted.is_none() && reading.warnings.is_empty());
}
