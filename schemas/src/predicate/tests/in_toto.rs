//! The in-toto project's own predicates.

use serde_json::{Value, json};

use super::super::in_toto::{AttributeReport, Link, Reference, Release, RuntimeTrace, TestResult};
use super::super::{Predicate, lint};
use super::{check_type, missing, odd, round_trips, sha256, wrong};

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
