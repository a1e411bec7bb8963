//! The standard predicates.

use serde_json::{Value, json};

use super::super::in_toto::{AttributeReport, Link, Reference, Release, RuntimeTrace, TestResult};
use super::super::provenance::Provenance;
use super::super::vsa::{self, SimpleVerificationResult, VerificationSummary};
use super::super::vulns::Vulnerabilities;
use super::super::{Predicate, lint};
use super::{check_type, missing, odd, wrong};

/// Reading an example as its type and writing it again loses nothing.
fn round_trips<T: Predicate>(example: &Value) {
    assert_eq!(&T::from_value(example).unwrap().to_value().unwrap(), example, "{}", T::URI);
}

fn sha256() -> Value {
    json!({ "sha256": "fe4fe40ac7250263c5dbe1cf3138912f3f416140aa248637a60d65fe22c47da4" })
}

fn provenance() -> Value {
    json!({
        "buildDefinition": {
            "buildType": "https://actions.github.io/buildtypes/workflow/v1",
            "externalParameters": { "workflow": { "ref": "refs/heads/main" } },
            "internalParameters": { "github": { "event_name": "push" } },
            "resolvedDependencies": [{
                "uri": "git+https://example.com/a/b@refs/heads/main",
                "digest": { "gitCommit": "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d" }
            }]
        },
        "runDetails": {
            "builder": {
                "id": "https://example.com/builder/v1",
                "version": { "runner": "2.1" },
                "builderDependencies": [{ "uri": "https://example.com/orchestrator" }]
            },
            "metadata": {
                "invocationId": "17",
                "startedOn": "2026-01-01T00:00:00Z",
                "finishedOn": "2026-01-01T00:01:00.5Z"
            },
            "byproducts": [{ "content": "bG9n", "mediaType": "text/plain" }]
        }
    })
}

#[test]
fn slsa_provenance_v1() {
    round_trips::<Provenance>(&provenance());
    let dependency = "/buildDefinition/resolvedDependencies/0";
    check_type(
        Provenance::URI,
        &provenance(),
        &[
            missing(
                "/buildDefinition",
                "predicate.buildDefinition",
                "SLSA provenance v1, Provenance: buildDefinition is required",
            ),
            missing("/runDetails", "predicate.runDetails", "runDetails is required"),
            missing(
                "/buildDefinition/buildType",
                "predicate.buildDefinition.buildType",
                "BuildDefinition: buildType is required",
            ),
            missing(
                "/buildDefinition/externalParameters",
                "predicate.buildDefinition.externalParameters",
                "BuildDefinition: externalParameters is required",
            ),
            missing(
                "/runDetails/builder",
                "predicate.runDetails.builder",
                "SLSA provenance v1, RunDetails: builder is required",
            ),
            missing(
                "/runDetails/builder/id",
                "predicate.runDetails.builder.id",
                "SLSA provenance v1, Builder: id is required",
            ),
            wrong(
                "/runDetails/builder/id",
                Value::Null,
                "predicate.runDetails.builder.id",
                "Builder: id is required",
            ),
            wrong(
                "/runDetails/builder/id",
                json!(""),
                "predicate.runDetails.builder.id",
                "Builder: id is a URI",
            ),
            wrong("/runDetails", json!([]), "predicate.runDetails", "runDetails is an object"),
            wrong(
                "/buildDefinition/externalParameters",
                json!("x"),
                "predicate.buildDefinition.externalParameters",
                "externalParameters is an object",
            ),
            wrong(
                dependency,
                json!({ "name": "only a name" }),
                "predicate.buildDefinition.resolvedDependencies[0]",
                "ResourceDescriptor: one of uri, digest or content MUST be set",
            ),
            wrong(
                "/runDetails/metadata/startedOn",
                json!("yesterday"),
                "predicate.runDetails.metadata.startedOn",
                "BuildMetadata: startedOn is an RFC 3339 time in UTC",
            ),
            wrong(
                "/runDetails/builder/version",
                json!({ "runner": 2 }),
                "predicate.runDetails.builder.version.runner",
                "Builder: runner is a string",
            ),
            wrong(
                "/buildDefinition/resolvedDependencies/0/digest",
                json!({ "gitCommit": 7 }),
                "predicate.buildDefinition.resolvedDependencies[0].digest.gitCommit",
                "ResourceDescriptor: digest is a DigestSet",
            ),
            odd(
                "/buildDefinition/resolvedDependencies/0/digest",
                json!({ "gitCommit": "7FD1" }),
                "predicate.buildDefinition.resolvedDependencies[0].digest.gitCommit",
                "ResourceDescriptor: digest is a DigestSet",
            ),
            odd(
                "/runDetails/builder/id",
                json!("Our Build Service"),
                "predicate.runDetails.builder.id",
                "Builder: id is a URI",
            ),
            odd(
                "/runDetails/builder/id",
                json!("HTTPS://example.com"),
                "predicate.runDetails.builder.id",
                "Builder: id is a URI",
            ),
            odd(
                "/runDetails/metadata/startedOn",
                json!("2026-01-01T01:00:00+01:00"),
                "predicate.runDetails.metadata.startedOn",
                "startedOn is an RFC 3339 time in UTC",
            ),
            odd(
                "/runDetails/metadata/finishedOn",
                json!("2025-01-01T00:00:00Z"),
                "predicate.runDetails.metadata.finishedOn",
                "finishedOn follows startedOn",
            ),
            odd(
                "/buildDefinition/internalParameters/workflow",
                json!(1),
                "predicate.buildDefinition.internalParameters.workflow",
                "the same name SHOULD NOT be used",
            ),
            odd(
                "/buildDefinition/resolvedDependancies",
                json!([]),
                "predicate.buildDefinition.resolvedDependancies",
                "names SHOULD have the form <vendor>_<fieldname>",
            ),
        ],
    );
}

#[test]
fn unknown_fields_empty_and_null_are_what_the_specification_says() {
    let mut predicate = provenance();
    predicate["runDetails"]["vendor_extension"] = json!({ "any": "thing" });
    predicate["runDetails"]["byproducts"] = Value::Null;
    predicate["runDetails"]["metadata"]["invocationId"] = json!("");
    predicate["buildDefinition"]["externalParameters"] = json!({});
    assert_eq!(lint(Provenance::URI, &predicate), []);
}

#[test]
fn slsa_provenance_v0_2() {
    check_type(
        "https://slsa.dev/provenance/v0.2",
        &json!({
            "builder": { "id": "https://example.com/builder" },
            "buildType": "https://example.com/Makefile",
            "invocation": {
                "configSource": {
                    "uri": "git+https://example.com/a@refs/heads/main",
                    "digest": { "sha1": "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d" },
                    "entryPoint": "build"
                },
                "parameters": {},
                "environment": { "arch": "amd64" }
            },
            "metadata": {
                "buildStartedOn": "2026-01-01T00:00:00Z",
                "completeness": { "materials": true },
                "reproducible": false
            },
            "materials": [{ "uri": "https://example.com/x", "digest": sha256() }]
        }),
        &[
            missing("/builder", "predicate.builder", "SLSA provenance v0.2, Fields: builder is"),
            missing("/builder/id", "predicate.builder.id", "builder: id is required"),
            missing("/buildType", "predicate.buildType", "Fields: buildType is required"),
            wrong(
                "/metadata/reproducible",
                json!("no"),
                "predicate.metadata.reproducible",
                "metadata: reproducible is a boolean",
            ),
            wrong("/materials", json!({}), "predicate.materials", "materials is an array"),
            wrong("/materials/0", json!("x"), "predicate.materials[0]", "materials is an object"),
            odd(
                "/materials/0/digest",
                json!({ "sha256": "b2ec157721d8e6d507ca6c79d0e8fa096fc2a101" }),
                "predicate.materials[0].digest.sha256",
                "materials: digest is a DigestSet",
            ),
        ],
    );
}

fn summary() -> Value {
    json!({
        "verifier": { "id": "https://example.com/verifier", "version": { "gate": "1" } },
        "timeVerified": "2026-01-01T00:00:00Z",
        "resourceUri": "git+https://example.com/a",
        "policy": { "uri": "https://example.com/policy", "digest": sha256() },
        "inputAttestations": [{ "uri": "https://example.com/1", "digest": sha256() }],
        "verificationResult": "PASSED",
        "verifiedLevels": ["SLSA_BUILD_LEVEL_3", "SLSA_SOURCE_LEVEL_2", "ORG_TESTED"],
        "dependencyLevels": { "SLSA_BUILD_LEVEL_1": 2 },
        "slsaVersion": "1.2",
        "https://attestry.dev/gate/v1": { "environment": "production" }
    })
}

#[test]
fn slsa_verification_summary_v1() {
    round_trips::<VerificationSummary>(&summary());
    check_type(
        VerificationSummary::URI,
        &summary(),
        &[
            missing("/verifier", "predicate.verifier", "SLSA VSA v1, Fields: verifier is required"),
            missing("/verifier/id", "predicate.verifier.id", "verifier: id is required"),
            missing("/resourceUri", "predicate.resourceUri", "resourceUri is required"),
            missing("/policy", "predicate.policy", "policy is required"),
            missing(
                "/policy/uri",
                "predicate.policy.uri",
                "policy is a ResourceDescriptor with uri",
            ),
            missing(
                "/verificationResult",
                "predicate.verificationResult",
                "verificationResult is required",
            ),
            missing("/verifiedLevels", "predicate.verifiedLevels", "verifiedLevels is required"),
            missing(
                "/inputAttestations/0/digest",
                "predicate.inputAttestations[0].digest",
                "inputAttestations is a ResourceDescriptor with digest",
            ),
            wrong(
                "/verificationResult",
                json!("passed"),
                "predicate.verificationResult",
                "verificationResult is one of PASSED, FAILED",
            ),
            wrong(
                "/verifiedLevels/3",
                json!("SLSA_BUILD_LEVEL_2"),
                "predicate.verifiedLevels[3]",
                "MUST NOT include more than one level per SLSA track",
            ),
            wrong(
                "/verifiedLevels/0",
                json!(3),
                "predicate.verifiedLevels[0]",
                "verifiedLevels is a non-empty string",
            ),
            wrong(
                "/dependencyLevels",
                json!({ "SLSA_BUILD_LEVEL_1": -1 }),
                "predicate.dependencyLevels.SLSA_BUILD_LEVEL_1",
                "is an integer from 0",
            ),
            odd(
                "/policy/digest",
                json!({}),
                "predicate.policy.digest",
                "policy is a ResourceDescriptor that SHOULD have digest",
            ),
            odd(
                "/inputAttestations/0/uri",
                Value::Null,
                "predicate.inputAttestations[0].uri",
                "that SHOULD have uri",
            ),
            odd(
                "/verifiedLevels/2",
                json!("SLSA_MINE"),
                "predicate.verifiedLevels[2]",
                "custom values MUST NOT start with SLSA_",
            ),
            odd(
                "/verifiedLevels/2",
                json!("FAILED"),
                "predicate.verifiedLevels",
                "FAILED says that policy verification failed",
            ),
            odd("/slsaVersion", json!("1"), "predicate.slsaVersion", "<MAJOR>.<MINOR>"),
            odd(
                "/resourceUri",
                json!("pkg:oci/a"),
                "predicate.resourceUri",
                "Source VSA: resourceUri is the URI of the repository",
            ),
            odd("/verifedLevels", json!([]), "predicate.verifedLevels", "names that are URIs"),
        ],
    );
}

#[test]
fn a_source_summary_is_one_with_a_source_level() {
    let with = |levels: Value| {
        let mut predicate = summary();
        predicate["verifiedLevels"] = levels;
        predicate.as_object().unwrap().clone()
    };
    let check = |levels, source, build| {
        let predicate = with(levels);
        assert_eq!(vsa::source_level(&predicate), source);
        assert_eq!(vsa::is_source_summary(&predicate), source.is_some());
        assert_eq!(vsa::level_of(&predicate, "BUILD"), build);
    };
    check(json!(["SLSA_SOURCE_LEVEL_3", "TAG_HYGIENE"]), Some(3), None);
    check(json!(["SLSA_BUILD_LEVEL_2"]), None, Some(2));
    check(json!(["SLSA_BUILD_LEVEL_UNEVALUATED"]), None, None);
    check(
        json!(["XSLSA_SOURCE_LEVEL_3", "SLSA_SOURCE_LEVEL_", "SLSA_SOURCE_LEVEL_999"]),
        None,
        None,
    );
    check(json!([]), None, None);
}

#[test]
fn simple_verification_result() {
    let example = json!({
        "verifier": { "id": "https://example.com/v2", "policies": [{ "uri": "https://a.example" }] },
        "timeCreated": "2026-01-01T00:00:00Z",
        "properties": ["ORG_SCANNED"]
    });
    round_trips::<SimpleVerificationResult>(&example);
    let breaks = |spec: &'static str| {
        vec![
            missing("/verifier", "predicate.verifier", spec),
            missing("/verifier/id", "predicate.verifier.id", "verifier: id is required"),
            missing("/timeCreated", "predicate.timeCreated", "timeCreated is required"),
            missing("/properties", "predicate.properties", "properties is required"),
        ]
    };
    let mut current = breaks("in-toto SVR v0.2, Fields: verifier is required");
    current.push(missing("/verifier/policies", "predicate.verifier.policies", "policies is req"));
    check_type(SimpleVerificationResult::URI, &example, &current);
    let mut older = example.clone();
    older["verifier"].as_object_mut().unwrap().remove("policies");
    let older_breaks = breaks("in-toto SVR v0.1, Fields: verifier is required");
    check_type("https://in-toto.io/attestation/svr/v0.1", &older, &older_breaks);
}

#[test]
fn test_result() {
    let example = json!({
        "result": "WARNED",
        "configuration": [{ "name": "ci.yml", "digest": sha256() }],
        "url": "https://example.com/runs/1",
        "passedTests": ["a"],
        "warnedTests": ["b"],
        "failedTests": []
    });
    round_trips::<TestResult>(&example);
    check_type(
        TestResult::URI,
        &example,
        &[
            missing("/result", "predicate.result", "in-toto test-result v0.1, Fields: result is"),
            missing("/configuration", "predicate.configuration", "configuration is required"),
            wrong("/result", json!("OK"), "predicate.result", "one of PASSED, WARNED, FAILED"),
            wrong("/passedTests", json!(3), "predicate.passedTests", "passedTests is an array"),
            wrong(
                "/failedTests",
                json!([3]),
                "predicate.failedTests[0]",
                "failedTests is a string",
            ),
            wrong(
                "/configuration/0",
                json!({}),
                "predicate.configuration[0]",
                "one of uri, digest or content MUST be set",
            ),
        ],
    );
    let mut contradictory = example;
    contradictory["result"] = json!("PASSED");
    contradictory["failedTests"] = json!(["c"]);
    let findings = lint(TestResult::URI, &contradictory);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].field, "predicate.failedTests");
}

#[test]
fn link() {
    let example = json!({
        "name": "build",
        "command": ["make", ""],
        "materials": [
            { "name": "a.c", "digest": sha256() },
            { "name": "b.c", "digest": sha256() }
        ],
        "byproducts": { "return-value": 0 },
        "environment": {}
    });
    round_trips::<Link>(&example);
    check_type(
        Link::URI,
        &example,
        &[
            missing("/name", "predicate.name", "in-toto link v0.3, Fields: name is required"),
            missing("/materials/0/name", "predicate.materials[0].name", "with name"),
            missing("/materials/1/digest", "predicate.materials[1].digest", "with digest"),
            wrong(
                "/materials/1/name",
                json!("a.c"),
                "predicate.materials[1].name",
                "name MUST be unique among the materials",
            ),
            wrong("/command", json!("make"), "predicate.command", "command is an array"),
            wrong("/byproducts", json!([1]), "predicate.byproducts", "byproducts is an object"),
        ],
    );
}

#[test]
fn classic_link() {
    for uri in ["https://in-toto.io/Link/v1", "https://in-toto.io/Link/v0.2"] {
        check_type(
            uri,
            &json!({
                "_type": "link",
                "name": "package",
                "command": ["tar"],
                "materials": { "foo.py": sha256() },
                "products": {},
                "environment": {}
            }),
            &[
                missing("/name", "predicate.name", "in-toto link v0.2, Fields: name is required"),
                wrong(
                    "/materials",
                    json!([1]),
                    "predicate.materials",
                    "materials is an object of DigestSets",
                ),
                wrong(
                    "/materials/foo.py",
                    json!({}),
                    "predicate.materials[\"foo.py\"]",
                    "foo.py is a DigestSet",
                ),
            ],
        );
    }
}

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
fn scai() {
    let example = json!({
        "attributes": [{
            "attribute": "WITH_STACK_PROTECTION",
            "target": { "uri": "https://example.com/lib.so" },
            "conditions": { "flags": "-fstack-protector*" },
            "evidence": { "name": "report.json", "digest": sha256() }
        }],
        "producer": { "uri": "file:///usr/bin/gcc", "name": "gcc9.3.0" }
    });
    round_trips::<AttributeReport>(&example);
    check_type(
        AttributeReport::URI,
        &example,
        &[
            missing("/attributes", "predicate.attributes", "SCAI v0.3, Fields: attributes is req"),
            wrong("/attributes", json!([]), "predicate.attributes", "a non-empty array"),
            missing(
                "/attributes/0/attribute",
                "predicate.attributes[0].attribute",
                "attributes: attribute is required",
            ),
            wrong(
                "/attributes/0/evidence",
                json!("see mail"),
                "predicate.attributes[0].evidence",
                "evidence is a ResourceDescriptor",
            ),
            wrong(
                "/producer/uri",
                Value::Null,
                "predicate.producer",
                "one of uri, digest or content MUST be set",
            ),
        ],
    );
}

#[test]
fn release() {
    let example = json!({ "purl": "pkg:npm/@angular/http@7.2.16", "packageId": "1234567890" });
    round_trips::<Release>(&example);
    check_type(
        Release::URI,
        &example,
        &[
            missing("/purl", "predicate.purl", "in-toto release v0.1, Fields: purl is required"),
            wrong("/purl", json!("http@7.2.16"), "predicate.purl", "MUST be parsed using"),
            wrong("/purl", json!("pkg:npm/@angular/http"), "predicate.purl", "MUST include a ver"),
            wrong("/packageId", json!(5), "predicate.packageId", "packageId is a string"),
            odd("/purl", json!("pkg:npm/a@1?x=y"), "predicate.purl", "SHOULD NOT include quali"),
            odd("/releaseId", json!(5), "predicate.releaseId", "renamed to packageId"),
        ],
    );
    let image = json!({ "purl": "pkg:oci/i@sha256%3Aff?repository_url=example.com/i&tag=v1" });
    assert_eq!(lint(Release::URI, &image), []);
}

#[test]
fn reference() {
    let example = json!({
        "attester": { "id": "https://my-builder.com/v1" },
        "references": [{
            "digest": sha256(),
            "downloadLocation": "https://cloud.com/my-sboms/sbom.spdx.json",
            "mediaType": "application/spdx+json"
        }]
    });
    round_trips::<Reference>(&example);
    check_type(
        Reference::URI,
        &example,
        &[
            missing("/attester", "predicate.attester", "in-toto reference v0.1, Fields: attester"),
            missing("/attester/id", "predicate.attester.id", "attester: id is required"),
            missing("/references", "predicate.references", "references is required"),
            missing(
                "/references/0/downloadLocation",
                "predicate.references[0].downloadLocation",
                "with downloadLocation",
            ),
            missing(
                "/references/0/mediaType",
                "predicate.references[0].mediaType",
                "with mediaType",
            ),
            missing(
                "/references/0/digest",
                "predicate.references[0]",
                "one of uri, digest or content MUST be set",
            ),
        ],
    );
}

#[test]
fn runtime_trace() {
    let example = json!({
        "monitor": {
            "type": "https://github.com/cilium/tetragon/v0.8.4",
            "tracePolicy": { "policies": [] }
        },
        "monitoredProcess": {
            "hostID": "https://tekton.dev/chains/v2",
            "type": "https://tekton.dev/attestations/chains@v2",
            "event": "run-image-pipelinerun-build-trusted"
        },
        "monitorLog": {
            "process": [{ "eventType": "process", "privileged": null }],
            "fileAccess": [{ "name": "/bin/sh", "digest": sha256() }]
        },
        "metadata": {
            "buildStartedOn": "2022-10-13T22:55:50Z",
            "buildFinishedOn": "2022-10-13T22:56:17Z"
        }
    });
    round_trips::<RuntimeTrace>(&example);
    for uri in [RuntimeTrace::URI, "https://in-toto.io/attestation/runtime-trace/v0.2"] {
        check_type(
            uri,
            &example,
            &[
                missing("/monitor", "predicate.monitor", "in-toto runtime-trace v0.1, Fields: mon"),
                missing("/monitor/type", "predicate.monitor.type", "monitor: type is required"),
                missing(
                    "/monitoredProcess",
                    "predicate.monitoredProcess",
                    "monitoredProcess is required",
                ),
                missing(
                    "/monitoredProcess/hostID",
                    "predicate.monitoredProcess.hostID",
                    "hostID is required",
                ),
                missing(
                    "/monitoredProcess/type",
                    "predicate.monitoredProcess.type",
                    "type is required",
                ),
                missing(
                    "/monitoredProcess/event",
                    "predicate.monitoredProcess.event",
                    "event is required",
                ),
                missing("/monitorLog", "predicate.monitorLog", "monitorLog is required"),
                wrong("/monitorLog", json!({}), "predicate.monitorLog", "at least one of process"),
                wrong(
                    "/monitorLog/fileAccess",
                    json!(["/bin/sh"]),
                    "predicate.monitorLog.fileAccess[0]",
                    "fileAccess is a ResourceDescriptor",
                ),
            ],
        );
    }
}

#[test]
fn spdx_2() {
    let example = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": "image",
        "documentNamespace": "https://example.com/image-1",
        "creationInfo": { "created": "2026-01-01T00:00:00Z", "creators": ["Tool: t-1"] },
        "packages": [{
            "name": "a",
            "SPDXID": "SPDXRef-a",
            "downloadLocation": "NOASSERTION",
            "externalRefs": [{
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": "pkg:npm/a@1"
            }]
        }]
    });
    for uri in ["https://spdx.dev/Document", "https://spdx.dev/Document/v2.3"] {
        check_type(
            uri,
            &example,
            &[
                missing("/spdxVersion", "predicate.spdxVersion", "SPDX 2.3, 6 Document creation"),
                wrong("/spdxVersion", json!(2), "predicate.spdxVersion", "is a non-empty string"),
                wrong("/spdxVersion", json!("2.3"), "predicate.spdxVersion", "the form SPDX-M.N"),
                wrong(
                    "/spdxVersion",
                    json!("SPDX-3.0"),
                    "predicate.spdxVersion",
                    "the form SPDX-M.N",
                ),
                wrong(
                    "/spdxVersion",
                    json!("SPDX-2.x"),
                    "predicate.spdxVersion",
                    "the form SPDX-M.N",
                ),
                missing("/dataLicense", "predicate.dataLicense", "dataLicense is required"),
                wrong("/dataLicense", json!("MIT"), "predicate.dataLicense", "6.2 Data license"),
                missing("/SPDXID", "predicate.SPDXID", "SPDXID is required"),
                wrong("/SPDXID", json!("SPDXRef-x"), "predicate.SPDXID", "6.3 SPDX identifier"),
                missing("/name", "predicate.name", "name is required"),
                missing("/documentNamespace", "predicate.documentNamespace", "is required"),
                missing("/creationInfo", "predicate.creationInfo", "creationInfo is required"),
                missing(
                    "/creationInfo/created",
                    "predicate.creationInfo.created",
                    "created is required",
                ),
                wrong(
                    "/creationInfo/creators",
                    json!([]),
                    "predicate.creationInfo.creators",
                    "creators is a non-empty array",
                ),
                missing(
                    "/packages/0/downloadLocation",
                    "predicate.packages[0].downloadLocation",
                    "7 Package information: downloadLocation is required",
                ),
                missing("/packages/0/name", "predicate.packages[0].name", "name is required"),
                missing("/packages/0/SPDXID", "predicate.packages[0].SPDXID", "is required"),
                missing(
                    "/packages/0/externalRefs/0/referenceLocator",
                    "predicate.packages[0].externalRefs[0].referenceLocator",
                    "7.21 External reference: referenceLocator is required",
                ),
            ],
        );
    }
    let findings = lint("https://spdx.dev/Document/v2.2", &example);
    assert_eq!(findings.len(), 1);
    assert!(findings[0].message.contains("SPDX-2.2, as the predicate type says"));
}

#[test]
fn spdx_3() {
    check_type(
        "https://spdx.dev/Document",
        &json!({
            "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
            "@graph": [
                {
                    "@id": "_:c",
                    "type": "CreationInfo",
                    "specVersion": "3.0.1",
                    "created": "2026-01-01T00:00:00Z",
                    "createdBy": ["https://example.com/me"]
                },
                { "spdxId": "https://example.com/d", "type": "SpdxDocument" }
            ]
        }),
        &[
            missing("/@graph", "predicate.@graph", "SPDX 3.0, JSON-LD serialization: @graph is"),
            missing("/@context", "predicate.@context", "@context is required"),
            missing(
                "/@graph/0/created",
                "predicate.@graph[0].created",
                "CreationInfo: created is required",
            ),
            missing("/@graph/0/specVersion", "predicate.@graph[0].specVersion", "is required"),
            missing("/@graph/0/createdBy", "predicate.@graph[0].createdBy", "is required"),
            odd("/@graph/1", json!({ "type": "software_Package" }), "predicate.@graph", "one"),
        ],
    );
}

#[test]
fn cyclonedx() {
    let example = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
        "version": 1,
        "metadata": {
            "timestamp": "2026-01-01T00:00:00+01:00",
            "component": { "type": "container", "name": "image" }
        },
        "components": [{
            "type": "library",
            "name": "a",
            "version": "1",
            "purl": "pkg:npm/a@1",
            "components": [{ "type": "file", "name": "b" }]
        }],
        "dependencies": [{ "ref": "a", "dependsOn": ["b"] }]
    });
    for uri in ["https://cyclonedx.org/bom", "https://cyclonedx.org/bom/v1.6"] {
        check_type(
            uri,
            &example,
            &[
                missing("/bomFormat", "predicate.bomFormat", "CycloneDX 1, BOM: bomFormat is req"),
                wrong("/bomFormat", json!("SPDX"), "predicate.bomFormat", "one of CycloneDX"),
                missing("/specVersion", "predicate.specVersion", "specVersion is required"),
                wrong("/specVersion", json!("2"), "predicate.specVersion", "with a JSON form"),
                wrong("/version", json!("1"), "predicate.version", "version is an integer"),
                missing("/components/0/name", "predicate.components[0].name", "name is required"),
                missing(
                    "/components/0/components/0/type",
                    "predicate.components[0].components[0].type",
                    "components: type is required",
                ),
                missing(
                    "/metadata/component/name",
                    "predicate.metadata.component.name",
                    "name is required",
                ),
                wrong(
                    "/metadata/timestamp",
                    json!("2026"),
                    "predicate.metadata.timestamp",
                    "timestamp is an RFC 3339 time",
                ),
                missing("/dependencies/0/ref", "predicate.dependencies[0].ref", "ref is required"),
                odd("/serialNumber", json!("17"), "predicate.serialNumber", "is a UUID URN"),
                odd("/serialNumber", Value::Null, "predicate.serialNumber", "SHOULD be set"),
                odd("/components/0/purl", json!("a@1"), "predicate.components[0].purl", "a URI"),
            ],
        );
    }
    let findings = lint("https://cyclonedx.org/bom/v1.4", &example);
    assert_eq!(findings.len(), 1);
    assert!(findings[0].message.contains("1.4, as the predicate type says"));
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

#[test]
fn what_cosign_writes() {
    let sign = "https://sigstore.dev/cosign/sign/v1";
    check_type(sign, &json!({}), &[odd("/a", json!(1), "predicate", "the predicate is empty")]);
    check_type(
        "https://cosign.sigstore.dev/attestation/v1",
        &json!({ "Data": "foo\n", "Timestamp": "2021-08-11T14:51:09Z" }),
        &[
            odd("/Data", Value::Null, "predicate.Data", "cosign generic v1, Fields: Data SHOULD"),
            wrong("/Timestamp", json!("now"), "predicate.Timestamp", "an RFC 3339 time"),
        ],
    );
}
