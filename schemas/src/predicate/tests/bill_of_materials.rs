//! Bills of materials: SPDX and CycloneDX.

use serde_json::{Value, json};

use super::super::lint;
use super::{check_type, missing, odd, wrong};

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
