//! Our own predicates.

use serde_json::{Value, json};

use super::super::attestry::{MAX_RESULTS, analysis, environment, governance, tag};
use super::super::{Predicate, lint};
use super::{Break, changed, check_type, missing, wrong};

fn digest() -> Value {
    json!({ "sha256": "fe4fe40ac7250263c5dbe1cf3138912f3f416140aa248637a60d65fe22c47da4" })
}

/// The type reads and writes the example, and refuses nothing that the lint lets pass.
fn check<T: Predicate>(example: &Value, breaks: &[Break]) {
    check_type(T::URI, example, breaks);
    assert_eq!(&T::from_value(example).unwrap().to_value().unwrap(), example);
    let unknown = [
        wrong("/note_to_self", json!(1), "predicate.note_to_self", "no field but those named"),
        wrong("/note_to_self", Value::Null, "predicate.note_to_self", "no field but those named"),
    ];
    check_type(T::URI, example, &unknown);
    for Break { at, change, .. } in breaks.iter().chain(&unknown) {
        let broken = changed(example, at, change);
        if T::from_value(&broken).is_err() {
            assert!(super::check(T::URI, &broken).is_err(), "{} {at}", T::URI);
        }
    }
    // A field that may be absent must not be null: absent and null would be two ways to say one.
    for (name, _) in example.as_object().unwrap() {
        let mut with_null = example.clone();
        with_null[name] = Value::Null;
        assert!(super::check(T::URI, &with_null).is_err(), "{} {name}", T::URI);
    }
}

#[test]
fn genesis() {
    check::<governance::Genesis>(
        &json!({
            "origin": "attestry.example.com",
            "logId": "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=",
            "publicKey": "-----BEGIN PUBLIC KEY-----\n…\n-----END PUBLIC KEY-----\n",
            "createdAt": "2026-01-01T00:00:00Z",
            "version": "0.1.0"
        }),
        &[
            missing("/origin", "predicate.origin", "Attestry genesis v1, genesis: origin is req"),
            missing("/logId", "predicate.logId", "logId is required"),
            missing("/publicKey", "predicate.publicKey", "publicKey is required"),
            missing("/createdAt", "predicate.createdAt", "createdAt is required"),
            missing("/version", "predicate.version", "version is required"),
            wrong("/origin", json!(""), "predicate.origin", "origin is a non-empty string"),
            wrong(
                "/createdAt",
                json!("2026-01-01T00:00:00+00:00"),
                "predicate.createdAt",
                "createdAt is an RFC 3339 time in UTC",
            ),
        ],
    );
}

#[test]
fn roster_and_policy() {
    let breaks = || {
        vec![
            missing("/version", "predicate.version", "version is required"),
            missing("/digest", "predicate.digest", "digest is required"),
            missing("/expires", "predicate.expires", "expires is required"),
            wrong("/version", json!(-1), "predicate.version", "version is an integer from 0"),
            wrong("/version", json!(1.5), "predicate.version", "version is an integer from 0"),
            wrong(
                "/digest",
                json!({ "sha512": "0".repeat(128) }),
                "predicate.digest",
                "digest is a DigestSet with sha256",
            ),
            wrong(
                "/digest",
                json!({ "sha256": "FE" }),
                "predicate.digest.sha256",
                "digest is a DigestSet with sha256",
            ),
            wrong("/digest", json!({}), "predicate.digest", "digest is a DigestSet with sha256"),
            wrong("/digest", json!("sha256:00"), "predicate.digest", "digest is a DigestSet"),
            wrong("/expires", json!("2027"), "predicate.expires", "expires is an RFC 3339 time"),
        ]
    };
    check::<governance::Roster>(
        &json!({ "version": 7, "digest": digest(), "expires": "2027-01-01T00:00:00Z" }),
        &breaks(),
    );
    let mut policy = breaks();
    policy.push(missing("/name", "predicate.name", "Attestry policy v1, policy: name is required"));
    check::<governance::Policy>(
        &json!({
            "name": "production",
            "version": 7,
            "digest": digest(),
            "expires": "2027-01-01T00:00:00Z"
        }),
        &policy,
    );
}

#[test]
fn approval() {
    check::<governance::Approval>(
        &json!({
            "environment": "production",
            "expires": "2026-02-01T00:00:00Z",
            "reason": "release 4.2",
            "note": ""
        }),
        &[
            missing("/environment", "predicate.environment", "environment is required"),
            missing("/expires", "predicate.expires", "expires is required"),
            wrong("/reason", json!(1), "predicate.reason", "reason is a string"),
            wrong("/note", json!([]), "predicate.note", "note is a string"),
        ],
    );
    let short = json!({ "environment": "production", "expires": "2026-02-01T00:00:00Z" });
    assert_eq!(lint(governance::Approval::URI, &short), []);
}

#[test]
fn waiver() {
    check::<governance::Waiver>(
        &json!({
            "rule": "no-critical-vulnerabilities",
            "finding": "CVE-2026-1",
            "until": "2026-02-01T00:00:00Z",
            "reason": "not reachable",
            "environment": "staging"
        }),
        &[
            missing("/rule", "predicate.rule", "rule is required"),
            missing("/finding", "predicate.finding", "finding is required"),
            missing("/until", "predicate.until", "until is required"),
            missing("/reason", "predicate.reason", "reason is required"),
            wrong("/reason", json!(""), "predicate.reason", "reason is a non-empty string"),
            wrong("/environment", json!(""), "predicate.environment", "is a non-empty string"),
        ],
    );
}

#[test]
fn break_glass() {
    check::<governance::BreakGlass>(
        &json!({
            "environment": "production",
            "reason": "outage 17",
            "expires": "2026-02-01T00:00:00Z",
            "reviewBy": "2026-02-03T00:00:00Z",
            "group": "security"
        }),
        &[
            missing("/environment", "predicate.environment", "environment is required"),
            missing("/reason", "predicate.reason", "reason is required"),
            missing("/expires", "predicate.expires", "expires is required"),
            missing("/reviewBy", "predicate.reviewBy", "reviewBy is required"),
            missing("/group", "predicate.group", "group is required"),
        ],
    );
}

#[test]
fn revocation() {
    let fingerprint = format!("SHA256:{}", "A".repeat(43));
    let example = json!({
        "signer": { "fingerprint": fingerprint },
        "reason": "compromised",
        "effectiveAt": "2026-02-01T00:00:00Z"
    });
    let clause = "signer is a fingerprint or an identity";
    check::<governance::Revocation>(
        &example,
        &[
            missing("/signer", "predicate.signer", "signer is required"),
            missing("/reason", "predicate.reason", "reason is required"),
            missing("/effectiveAt", "predicate.effectiveAt", "effectiveAt is required"),
            wrong("/reason", json!("bored"), "predicate.reason", "one of compromised, superseded"),
            wrong("/signer", json!({}), "predicate.signer", clause),
            wrong("/signer", json!({ "name": "eve" }), "predicate.signer", clause),
            wrong("/signer", json!({ "identity": "eve" }), "predicate.signer", clause),
            wrong("/signer/identity", json!({}), "predicate.signer", clause),
            wrong(
                "/signer/fingerprint",
                json!(format!("SHA256:{}=", "A".repeat(43))),
                "predicate.signer.fingerprint",
                clause,
            ),
            wrong(
                "/signer",
                json!({ "identity": { "issuer": "https://issuer.example" } }),
                "predicate.signer.identity.subject",
                "identity: subject is required",
            ),
            wrong(
                "/signer",
                json!({ "identity": { "issuer": "not a uri", "subject": "eve" } }),
                "predicate.signer.identity.issuer",
                "identity: issuer is a URI",
            ),
        ],
    );
    for reason in [
        "superseded",
        "affiliation-changed",
        "cessation-of-operation",
        "unspecified",
        "compromised",
    ] {
        let mut identity = example.clone();
        identity["reason"] = json!(reason);
        identity["signer"] = json!({ "identity": { "issuer": "https://issuer.example", "subject": "eve@a.example" } });
        assert_eq!(lint(governance::Revocation::URI, &identity), []);
        let read = governance::Revocation::from_value(&identity).unwrap();
        assert_eq!(read.to_value().unwrap(), identity);
    }
}

#[test]
fn deployment() {
    let example = json!({
        "environment": "production",
        "kind": "rolled-back",
        "decision": digest(),
        "replaces": digest(),
        "startedAt": "2026-02-01T00:00:00Z",
        "finishedAt": "2026-02-01T00:05:00Z"
    });
    check::<environment::Deployment>(
        &example,
        &[
            missing("/environment", "predicate.environment", "environment is required"),
            missing("/kind", "predicate.kind", "kind is required"),
            missing("/startedAt", "predicate.startedAt", "startedAt is required"),
            missing("/finishedAt", "predicate.finishedAt", "finishedAt is required"),
            wrong("/kind", json!("Deployed"), "predicate.kind", "one of deployed, rolled-back"),
            wrong("/decision", json!({}), "predicate.decision", "decision is a DigestSet"),
            wrong(
                "/replaces",
                json!({ "sha256": "00" }),
                "predicate.replaces.sha256",
                "replaces is a DigestSet",
            ),
        ],
    );
    let mut backwards = example;
    backwards["finishedAt"] = json!("2026-01-01T00:00:00Z");
    let findings = lint(environment::Deployment::URI, &backwards);
    assert_eq!(
        findings[0].clause,
        "Attestry deployment v1, deployment: finishedAt follows startedAt"
    );
}

#[test]
fn tag_move() {
    let example = json!({
        "repository": "pay/api",
        "tag": "1.2",
        "event": "created",
        "number": 2,
        "previous": digest(),
        "replaces": digest(),
        "by": "token:ci",
        "movedAt": "2026-02-01T00:00:00Z"
    });
    check::<tag::TagMove>(
        &example,
        &[
            missing("/repository", "predicate.repository", "repository is required"),
            missing("/tag", "predicate.tag", "tag is required"),
            missing("/number", "predicate.number", "number is required"),
            missing("/by", "predicate.by", "by is required"),
            wrong("/event", json!("moved"), "predicate.event", "one of created, deleted"),
            wrong("/movedAt", json!("now"), "predicate.movedAt", "movedAt is an RFC 3339 time"),
        ],
    );
    let mut gap = example;
    gap.as_object_mut().unwrap().remove("previous");
    let findings = lint(tag::TagMove::URI, &gap);
    assert_eq!(findings[0].clause, "Attestry tag v1, tag: previous in every move but the first");
}

fn tool() -> Value {
    json!({ "uri": "pkg:github/aquasecurity/trivy", "version": "0.58.1" })
}

fn report() -> Value {
    json!({ "name": "report.json", "digest": digest(), "mediaType": "application/json" })
}

#[test]
fn readiness() {
    let example = json!({
        "environment": "production",
        "checks": [{
            "id": "KSV-0011",
            "status": "fail",
            "severity": "high",
            "category": "limits",
            "resource": "deployment/api"
        }],
        "unlistedPasses": 26,
        "configuration": digest(),
        "scannedAt": "2026-02-01T00:00:00Z",
        "scanner": tool(),
        "report": report()
    });
    check::<environment::Readiness>(
        &example,
        &[
            missing("/environment", "predicate.environment", "environment is required"),
            missing("/checks", "predicate.checks", "checks is required"),
            missing("/configuration", "predicate.configuration", "configuration is required"),
            missing("/scannedAt", "predicate.scannedAt", "scannedAt is required"),
            missing("/scanner", "predicate.scanner", "scanner is required"),
            missing("/scanner/uri", "predicate.scanner.uri", "tool: uri is required"),
            missing("/scanner/version", "predicate.scanner.version", "version is required"),
            wrong("/scanner/uri", json!("trivy"), "predicate.scanner.uri", "uri is a URI"),
            missing("/checks/0/id", "predicate.checks[0].id", "checks: id is required"),
            missing("/checks/0/status", "predicate.checks[0].status", "status is required"),
            missing("/checks/0/severity", "predicate.checks[0].severity", "severity is required"),
            missing("/checks/0/category", "predicate.checks[0].category", "category is required"),
            wrong("/checks/0/status", json!("ok"), "predicate.checks[0].status", "one of pass"),
            wrong("/checks/0/severity", json!("bad"), "predicate.checks[0].severity", "one of unk"),
            wrong("/checks/0/extra", json!(1), "predicate.checks[0].extra", "no field but those"),
            wrong("/unlistedPasses", json!(-1), "predicate.unlistedPasses", "an integer from 0"),
            missing("/report", "predicate.report", "report is required"),
            missing(
                "/report/digest",
                "predicate.report.digest",
                "a ResourceDescriptor with digest",
            ),
            wrong("/report/digest", json!({}), "predicate.report.digest", "digest is a DigestSet"),
        ],
    );
    let mut many = example;
    let check = many["checks"][0].clone();
    many["checks"] = vec![check; MAX_RESULTS + 1].into();
    let findings = super::check(environment::Readiness::URI, &many).unwrap_err();
    assert_eq!(findings[0].message, "expected at most 10000 elements, found 10001");
}

#[test]
fn secret_scan() {
    check::<environment::SecretScan>(
        &json!({
            "scanner": tool(),
            "findings": [
                { "rule": "aws-key", "file": "a.env", "line": 3, "fingerprint": "a.env:aws:3" }
            ],
            "scannedAt": "2026-02-01T00:00:00Z",
            "redacted": true,
            "report": report()
        }),
        &[
            missing("/scanner", "predicate.scanner", "scanner is required"),
            missing("/findings", "predicate.findings", "findings is required"),
            missing("/scannedAt", "predicate.scannedAt", "scannedAt is required"),
            missing("/redacted", "predicate.redacted", "redacted is required"),
            missing("/report", "predicate.report", "report is required"),
            missing(
                "/report/digest",
                "predicate.report.digest",
                "a ResourceDescriptor with digest",
            ),
            wrong("/redacted", json!(false), "predicate.redacted", "redacted is true"),
            missing("/findings/0/rule", "predicate.findings[0].rule", "rule is required"),
            missing("/findings/0/file", "predicate.findings[0].file", "file is required"),
            missing("/findings/0/line", "predicate.findings[0].line", "line is required"),
            missing(
                "/findings/0/fingerprint",
                "predicate.findings[0].fingerprint",
                "fingerprint is required",
            ),
            wrong(
                "/findings/0/secret",
                json!("hunter2"),
                "predicate.findings[0].secret",
                "findings: no field but those named is allowed",
            ),
        ],
    );
}

#[test]
fn a_secret_scan_leaves_findings_out_only_beside_as_many_as_it_may_list() {
    let finding = json!({ "rule": "r", "file": "f", "line": 1, "fingerprint": "p" });
    for (listed, unlisted, sound) in [
        (0, json!(0), true),
        (MAX_RESULTS, json!(1), true),
        (0, json!(1), false),
        (MAX_RESULTS - 1, json!(1), false),
        (MAX_RESULTS, json!(-1), false),
    ] {
        let scan = json!({
            "scanner": { "uri": "https://example.com/tool", "version": "1" },
            "findings": vec![finding.clone(); listed],
            "unlisted": unlisted,
            "scannedAt": "2026-01-31T10:00:00Z",
            "redacted": true,
            "report": { "name": "r", "digest": { "sha256": "0".repeat(64) } }
        });
        let found = lint(environment::SecretScan::URI, &scan);
        assert_eq!(found.is_empty(), sound, "{listed} {unlisted} {found:?}");
    }
}

#[test]
fn static_analysis() {
    let result = json!({
        "rule": "js/unused", "level": "note", "file": "main.js", "line": 2,
        "fingerprint": "39fa2ee980eb94b0:1", "suppressed": false
    });
    let counts = json!({ "error": 0, "warning": 0, "note": 1, "none": 0, "suppressed": 0 });
    let example = json!({
        "tool": tool(),
        "scannedAt": "2026-02-01T00:00:00Z",
        "counts": counts,
        "results": [result],
        "report": report()
    });
    check::<analysis::StaticAnalysis>(
        &example,
        &[
            missing("/tool", "predicate.tool", "tool is required"),
            missing("/scannedAt", "predicate.scannedAt", "scannedAt is required"),
            missing("/counts", "predicate.counts", "counts is required"),
            missing("/counts/error", "predicate.counts.error", "counts: error is required"),
            missing("/counts/warning", "predicate.counts.warning", "warning is required"),
            missing("/counts/note", "predicate.counts.note", "note is required"),
            missing("/counts/none", "predicate.counts.none", "none is required"),
            missing("/counts/suppressed", "predicate.counts.suppressed", "suppressed is required"),
            wrong("/counts/fatal", json!(0), "predicate.counts.fatal", "no field but those named"),
            missing("/results", "predicate.results", "results is required"),
            missing("/results/0/rule", "predicate.results[0].rule", "results: rule is required"),
            missing("/results/0/level", "predicate.results[0].level", "level is required"),
            missing("/results/0/file", "predicate.results[0].file", "file is required"),
            missing("/results/0/line", "predicate.results[0].line", "line is required"),
            missing("/results/0/suppressed", "predicate.results[0].suppressed", "is required"),
            wrong("/results/0/level", json!("bad"), "predicate.results[0].level", "one of error"),
            wrong("/counts/note", json!(2), "predicate.counts.note", "counts are those of results"),
            wrong("/counts/error", json!(1), "predicate.counts.error", "counts are those of res"),
            wrong(
                "/results/0/suppressed",
                json!(true),
                "predicate.counts.suppressed",
                "counts are",
            ),
            missing("/report", "predicate.report", "report is required"),
            missing(
                "/report/digest",
                "predicate.report.digest",
                "a ResourceDescriptor with digest",
            ),
        ],
    );
    let mut many = example;
    many["results"] = vec![result; MAX_RESULTS].into();
    for (notes, sound) in [(MAX_RESULTS - 1, false), (MAX_RESULTS, true), (MAX_RESULTS + 1, true)] {
        many["counts"]["note"] = notes.into();
        let findings = lint(analysis::StaticAnalysis::URI, &many);
        assert_eq!(findings.is_empty(), sound, "{notes} {findings:?}");
    }
    let mut without = many;
    without["results"][0].as_object_mut().unwrap().remove("fingerprint");
    assert_eq!(lint(analysis::StaticAnalysis::URI, &without), []);
}
