//! What scanners find, and what is said of it: vulnerabilities and OpenVEX.

use serde_json::json;

use super::super::Predicate;
use super::super::vulns::Vulnerabilities;
use super::{check_type, missing, odd, round_trips, wrong};

#[test]
fn vulnerabilities() {
    let example = json!({
        "scanner": {
            "uri": "pkg:github/aquasecurity/trivy@244fd47e07d1004f0aed9",
            "version": "0.19.2",
            "db": {
                "uri": "pkg:github/aquasecurity/trivy-db",
                "version": "v1",
                "lastUpdate": "2021-08-06T17:45:50.52Z"
            },
            "result": [{
                "id": "CVE-123",
                "severity": [{ "method": "nvd", "score": "medium" }],
                "annotations": [{ "package": "a" }]
            }]
        },
        "metadata": {
            "scanStartedOn": "2021-08-06T17:45:50.52Z",
            "scanFinishedOn": "2021-08-06T17:50:50.52Z"
        }
    });
    round_trips::<Vulnerabilities>(&example);
    check_type(
        Vulnerabilities::URI,
        &example,
        &[
            missing("/scanner", "predicate.scanner", "in-toto vulns v0.2, Fields: scanner is"),
            missing("/scanner/uri", "predicate.scanner.uri", "scanner: uri is required"),
            missing("/scanner/db", "predicate.scanner.db", "scanner: db is required"),
            missing(
                "/scanner/db/lastUpdate",
                "predicate.scanner.db.lastUpdate",
                "scanner.db: lastUpdate is required",
            ),
            missing("/scanner/result", "predicate.scanner.result", "scanner: result is required"),
            missing(
                "/scanner/result/0/id",
                "predicate.scanner.result[0].id",
                "scanner.result: id is required",
            ),
            missing(
                "/scanner/result/0/severity",
                "predicate.scanner.result[0].severity",
                "severity is required",
            ),
            missing(
                "/scanner/result/0/severity/0/method",
                "predicate.scanner.result[0].severity[0].method",
                "method is required",
            ),
            wrong(
                "/scanner/result/0/severity/0/score",
                json!(5.2),
                "predicate.scanner.result[0].severity[0].score",
                "score is a non-empty string",
            ),
            missing("/metadata", "predicate.metadata", "metadata is required"),
            missing(
                "/metadata/scanStartedOn",
                "predicate.metadata.scanStartedOn",
                "scanStartedOn is required",
            ),
            missing(
                "/metadata/scanFinishedOn",
                "predicate.metadata.scanFinishedOn",
                "scanFinishedOn is required",
            ),
            odd(
                "/metadata/scanFinishedOn",
                json!("2021-08-06T17:45:50Z"),
                "predicate.metadata.scanFinishedOn",
                "scanFinishedOn follows scanStartedOn",
            ),
        ],
    );
}

#[test]
fn cosign_vulnerabilities() {
    for uri in [
        "https://cosign.sigstore.dev/attestation/vuln/v1",
        "cosign.sigstore.dev/attestation/vuln/v1",
    ] {
        check_type(
            uri,
            &json!({
                "invocation": { "parameters": null, "uri": "", "event_id": "", "builder.id": "" },
                "scanner": {
                    "uri": "pkg:github/aquasecurity/trivy@v0.30.1",
                    "version": "v0.30.1",
                    "db": { "uri": "", "version": "" },
                    "result": { "SchemaVersion": 2 }
                },
                "metadata": {
                    "scanStartedOn": "2022-07-24T20:14:04.5Z",
                    "scanFinishedOn": "2022-07-24T20:14:04.5Z"
                }
            }),
            &[
                missing("/scanner", "predicate.scanner", "cosign vuln v1, Fields: scanner is req"),
                missing("/scanner/result", "predicate.scanner.result", "result is required"),
                missing("/metadata/scanStartedOn", "predicate.metadata.scanStartedOn", "required"),
            ],
        );
    }
}

#[test]
fn openvex() {
    let example = json!({
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://openvex.dev/docs/example/vex-1",
        "author": "Wolfi J Inkinson",
        "role": "Document Creator",
        "timestamp": "2023-01-08T18:02:03.647787998-06:00",
        "version": 1,
        "statements": [
            {
                "vulnerability": { "name": "CVE-2023-1", "aliases": ["GHSA-1"] },
                "products": [{ "@id": "pkg:apk/wolfi/git@2.39.0-r1" }],
                "status": "not_affected",
                "justification": "component_not_present"
            },
            {
                "vulnerability": { "name": "CVE-2023-2" },
                "status": "affected",
                "action_statement": "update"
            }
        ]
    });
    for uri in ["https://openvex.dev/ns", "https://openvex.dev/ns/v0.2.0"] {
        check_type(
            uri,
            &example,
            &[
                missing("/@context", "predicate.@context", "OpenVEX 0.2.0, Document: @context is"),
                wrong(
                    "/@context",
                    json!("https://openvex.dev/nsx"),
                    "predicate.@context",
                    "fixed to https://openvex.dev/ns",
                ),
                missing("/@id", "predicate.@id", "@id is required"),
                missing("/author", "predicate.author", "author is required"),
                missing("/timestamp", "predicate.timestamp", "timestamp is required"),
                missing("/version", "predicate.version", "version is required"),
                wrong("/version", json!("1"), "predicate.version", "version is an integer"),
                missing("/statements", "predicate.statements", "statements is required"),
                wrong("/statements", json!([]), "predicate.statements", "a non-empty array"),
                missing(
                    "/statements/0/vulnerability",
                    "predicate.statements[0].vulnerability",
                    "Statement: vulnerability is required",
                ),
                missing(
                    "/statements/0/vulnerability/name",
                    "predicate.statements[0].vulnerability.name",
                    "Vulnerability: name is required",
                ),
                wrong(
                    "/statements/0/vulnerability",
                    json!(7),
                    "predicate.statements[0].vulnerability",
                    "vulnerability is a struct",
                ),
                missing(
                    "/statements/0/status",
                    "predicate.statements[0].status",
                    "status is required",
                ),
                wrong(
                    "/statements/0/status",
                    json!("fine"),
                    "predicate.statements[0].status",
                    "status is one of not_affected",
                ),
                wrong(
                    "/statements/0/justification",
                    json!("because"),
                    "predicate.statements[0].justification",
                    "justification is one of",
                ),
                missing(
                    "/statements/0/justification",
                    "predicate.statements[0].justification",
                    "not_affected MUST include a justification or an impact_statement",
                ),
                missing(
                    "/statements/1/action_statement",
                    "predicate.statements[1].action_statement",
                    "affected MUST include an action_statement",
                ),
                odd(
                    "/statements/0/vulnerability",
                    json!("CVE-2023-1"),
                    "predicate.statements[0].vulnerability",
                    "a struct since v0.0.2",
                ),
            ],
        );
    }
}
