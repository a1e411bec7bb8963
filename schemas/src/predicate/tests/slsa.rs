//! SLSA's predicates: provenance, verification summaries and simple verification results.

use serde_json::{Value, json};

use super::super::provenance::Provenance;
use super::super::vsa::{self, SimpleVerificationResult, VerificationSummary};
use super::super::{Predicate, lint};
use super::{check_type, missing, odd, round_trips, sha256, wrong};

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
