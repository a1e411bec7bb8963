//! Bills of materials of real tools, and small ones of every odd kind.

use attestry_schemas::predicate::{EVIDENCE_MARK, Role, facts};
use serde_json::json;

use super::super::samples::{predicate_of, read_as, sample};
use super::super::{Fit, import, recognise};
use super::*;

const SHA256: &str = "fe4fe40ac7250263c5dbe1cf3138912f3f416140aa248637a60d65fe22c47da4";

/// A sample: its file, format, totals, tool, digests of its subject, and a word of each warning.
struct Case {
    file: &'static str,
    format: &'static str,
    totals: &'static [u64],
    tool: Option<&'static str>,
    about: &'static [&'static str],
    warnings: &'static [&'static str],
}

const SAMPLES: &[Case] = &[
    Case {
        file: "cyclonedx/cbom-v1.6-protocol.json",
        format: "cyclonedx",
        totals: &[8, 0, 0],
        tool: None,
        about: &[],
        warnings: &[],
    },
    Case {
        file: "cyclonedx/php-composer-v1.4-laravel.json",
        format: "cyclonedx",
        totals: &[62, 62, 0],
        tool: Some("cyclonedx-php-composer in-dev"),
        about: &[],
        warnings: &[],
    },
    Case {
        file: "cyclonedx/rpm-manifest-v1.6-openssl.json",
        format: "cyclonedx",
        totals: &[37, 37, 0],
        tool: Some("rpm-manifest-generator 0.0.1"),
        about: &["sha256:9215c64e7289a058248728089e4d98ed1cc392bb5eb9b8fcbe661d57e8145bbd"],
        warnings: &[],
    },
    Case {
        file: "cyclonedx/syft-0.101.1-v1.5.json",
        format: "cyclonedx",
        totals: &[250, 250, 0],
        tool: Some("syft 0.101.1"),
        about: &[],
        warnings: &[],
    },
    Case {
        file: "cyclonedx/trivy-0.48.1-v1.5-with-vulnerabilities.json",
        format: "cyclonedx",
        totals: &[102, 101, 10],
        tool: Some("trivy 0.48.1"),
        about: &["sha256:6042500cf4b44023ea1894effe7890666b0c5c7871ed83a97c36c76ae560bb9b"],
        warnings: &[],
    },
    Case {
        file: "cyclonedx/trivy-v1.5-dependency-loop.json",
        format: "cyclonedx",
        totals: &[3, 2, 0],
        tool: Some("trivy dev"),
        about: &["sha256:67211c14fa74f070d27cc59d69a7fa9aeff8e28ea118ef3babc295a0428a6d21"],
        warnings: &[],
    },
    Case {
        file: "cyclonedx/trivy-v1.5-empty.json",
        format: "cyclonedx",
        totals: &[0, 0, 0],
        tool: Some("trivy dev"),
        about: &[],
        warnings: &["lists no components"],
    },
    Case {
        file: "cyclonedx/trivy-v1.6-nested-packages.json",
        format: "cyclonedx",
        totals: &[6, 5, 0],
        tool: Some("trivy 0.38.7-764-g30c7cb137"),
        about: &[],
        warnings: &[],
    },
    Case {
        file: "spdx/syft-1.6.0-v2.3.json",
        format: "spdx-2",
        totals: &[15, 77, 125, 15],
        tool: Some("syft 1.6.0"),
        about: &["sha256:1c3b93ed450e26eac89b471d6d140e2f99488f489739b8b8ea5e8202dd086f82"],
        warnings: &[],
    },
    Case {
        file: "spdx/npm-11.6.0-v2.3.json",
        format: "spdx-2",
        totals: &[171, 0, 260, 171],
        tool: Some("npm/cli 11.6.0"),
        about: &[],
        warnings: &[],
    },
    Case {
        file: "spdx/spdx-maven-plugin-v2.3.json",
        format: "spdx-2",
        totals: &[6, 2, 7, 0],
        tool: Some("spdx-maven-plugin"),
        about: &[],
        warnings: &[],
    },
    Case {
        file: "spdx/bom-tool-v2.3.json",
        format: "spdx-2",
        totals: &[4, 1, 4, 4],
        tool: Some("sigs.k8s.io/bom/pkg/spdx"),
        about: &[
            "sha256:bd2195f2551328fa3ad870726f5591fd82fdc5dd33a359be79d356dbecd5868b",
            "sha512:c61eeb0b489bb219b898c6d3044fc431dec58ad999dae2cf0a8067dd1b3e4eef2b186d0f8af63b4d80732aa5146f7b13b1feb7a454227cf26d4525874231a281",
        ],
        warnings: &[],
    },
    Case {
        file: "spdx/ko-0.12.0-v2.2.json",
        format: "spdx-2",
        totals: &[3, 0, 3, 3],
        tool: Some("ko 0.12.0"),
        about: &["sha256:a743268cd3c56f921f3fb706cc0425c8ab78119fd433e38bb7c5dcd5635b0d10"],
        warnings: &["is of SPDX-2.2"],
    },
    Case {
        file: "spdx/spdx3-maven.jsonld.json",
        format: "spdx-3",
        totals: &[6, 3, 27, 0],
        tool: Some("spdx-maven-plugin"),
        about: &[],
        warnings: &[],
    },
];

#[test]
fn reads_every_sample_with_its_counts_and_names_the_original_in_it() {
    for case in SAMPLES {
        let Some(report) = sample(case.file) else { return };
        let imported = read_as(&report, case.format).unwrap();
        let evidence = &imported.evidence[0];
        let totals: Vec<u64> = evidence.totals().iter().map(|(_, count)| *count).collect();
        assert_eq!(totals, case.totals, "{}", case.file);
        assert_eq!(evidence.tool().as_deref(), case.tool, "{}", case.file);
        let about: Vec<String> = evidence.about().iter().map(ToString::to_string).collect();
        assert_eq!(about, case.about, "{}", case.file);
        assert_eq!(imported.warnings.len(), case.warnings.len(), "{:?}", imported.warnings);
        for (found, expected) in imported.warnings.iter().zip(case.warnings) {
            assert!(found.contains(expected), "{found}");
        }
        let (uri, value, warnings) = predicate_of(&report, &imported, &Supplement::default());
        assert_eq!(warnings, [""; 0], "{}", case.file);
        let found = facts(&uri, &value);
        let related: Vec<_> = found.related.iter().map(|r| (r.role, r.digest.clone())).collect();
        assert_eq!(related, [(Role::Evidence, report.sha256().into())], "{}", case.file);
    }
}

#[test]
fn refuses_a_document_that_is_no_spdx_naming_the_field_and_the_clause() {
    let Some(report) = sample("spdx/not-an-spdx-version.json") else { return };
    let told = read_as(&report, "spdx-2").unwrap_err().to_string();
    assert_eq!(
        told,
        "expected spdxVersion to be a non-empty string (SPDX 2.3, 6 Document creation \
         information: spdxVersion is a non-empty string) in not-an-spdx-version.json, found the \
         number 2; also wrong: name, documentNamespace, creationInfo.creators[0]"
    );
}

fn read(document: &Value) -> (Report, Result<Imported, ImportError>) {
    let report = Report::of_bytes("r", document.to_string());
    let imported = import(&report, None).map(|(_, imported)| imported);
    (report, imported)
}

/// What is different in the predicate, of a document that is accepted.
fn predicate(document: &Value) -> (Value, Vec<String>) {
    let (report, imported) = read(document);
    let imported = imported.unwrap_or_else(|e| panic!("{e}: {document}"));
    let (_, value, mut warnings) = predicate_of(&report, &imported, &Supplement::default());
    warnings.extend(imported.warnings);
    (value, warnings)
}

fn cyclonedx(version: &str, more: Value) -> Value {
    let mut document = json!({
        "bomFormat": "CycloneDX", "specVersion": version, "version": 1,
        "serialNumber": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
        "components": [{ "type": "library", "name": "a", "version": "1", "purl": "pkg:npm/a@1" }]
    });
    for (name, value) in more.as_object().unwrap() {
        document[name.as_str()] = value.clone();
    }
    document
}

fn spdx(more: Value) -> Value {
    let mut document = json!({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
        "name": "image", "documentNamespace": "https://example.com/image-1",
        "creationInfo": { "created": "2026-01-01T00:00:00Z", "creators": ["Tool: t-1"] },
        "packages": [{ "name": "a", "SPDXID": "SPDXRef-a", "downloadLocation": "NOASSERTION" }]
    });
    for (name, value) in more.as_object().unwrap() {
        document[name.as_str()] = value.clone();
    }
    document
}

fn spdx_3(elements: Value) -> Value {
    json!({
        "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
        "@graph": elements
    })
}

#[test]
fn every_version_of_cyclonedx_is_read_and_odd_ones_are_told_of() {
    for (version, expected) in [
        ("1.2", &["has no properties", "is of CycloneDX 1.2"][..]),
        ("1.3", &["is of CycloneDX 1.3"]),
        ("1.4", &[]),
        ("1.5", &[]),
        ("1.6", &[]),
        ("1.7", &[]),
        ("1.8", &["is of CycloneDX 1.8"]),
    ] {
        let (value, warnings) = predicate(&cyclonedx(version, json!({})));
        assert_eq!(warnings.len(), expected.len(), "{version} {warnings:?}");
        for (found, expected) in warnings.iter().zip(expected) {
            assert!(found.contains(expected), "{found}");
        }
        let named = value["metadata"]["properties"][0]["name"].as_str();
        assert_eq!(named, (version != "1.2").then_some(EVIDENCE_MARK), "{version}");
    }
    for version in ["2.0", "1.1", "x"] {
        let (_, refused) = read(&cyclonedx(version, json!({})));
        let told = refused.unwrap_err().to_string();
        assert!(told.contains("specVersion to be 1.2 to 1.7"), "{told}");
    }
}

#[test]
fn nothing_of_a_document_changes_but_the_place_that_names_the_original() {
    let before = cyclonedx("1.6", json!({ "metadata": { "properties": [{ "name": "x" }] } }));
    let (mut value, _) = predicate(&before);
    let added = value["metadata"]["properties"].as_array_mut().unwrap().pop().unwrap();
    assert_eq!(added["name"], "attestry:evidence:report");
    assert!(added["value"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(value, before);

    let before = spdx(json!({ "annotations": [] }));
    let (mut value, _) = predicate(&before);
    let added = value["annotations"].as_array_mut().unwrap().pop().unwrap();
    // Clause 12, and the schema: these four members and no other.
    assert_eq!(added.as_object().unwrap().len(), 4);
    assert_eq!(
        (&added["annotationType"], &added["annotationDate"]),
        (&json!("OTHER"), &json!("2026-01-01T00:00:00Z"))
    );
    assert!(added["annotator"].as_str().unwrap().starts_with("Tool: attestry-"));
    assert_eq!(value, before);

    let before = spdx_3(json!([{ "type": "SpdxDocument", "spdxId": "d", "comment": "c" }]));
    let (mut value, _) = predicate(&before);
    let comment = value["@graph"][0]["comment"].take();
    assert!(comment.as_str().unwrap().starts_with("c\nattestry:evidence:report sha256:"));
    value["@graph"][0]["comment"] = "c".into();
    assert_eq!(value, before);
}

#[test]
fn a_document_without_room_for_the_original_stays_as_it_is() {
    for (before, expected) in [
        (
            cyclonedx("1.6", json!({ "signature": { "algorithm": "ES256", "value": "x" } })),
            "carries a signature of its own",
        ),
        (cyclonedx("1.6", json!({ "metadata": { "properties": {} } })), "is no list"),
        (spdx(json!({ "annotations": {} })), "is no list"),
        (spdx_3(json!([{ "type": "software_Package" }])), "no element SpdxDocument"),
    ] {
        let (value, warnings) = predicate(&before);
        assert_eq!(value, before);
        assert!(warnings[0].contains(expected), "{warnings:?}");
    }
}

/// Which artifact a document says that it is about.
#[track_caller]
fn check_about(document: Value, expected: &[&str]) {
    let (_, imported) = read(&document);
    let imported = imported.unwrap();
    let found: Vec<_> = imported.evidence[0].about().iter().map(ToString::to_string).collect();
    assert_eq!(found, expected, "{document}");
}

#[test]
fn cyclonedx_is_about_its_main_component() {
    let sha256 = format!("sha256:{SHA256}");
    let main = |more: Value| {
        let mut component = json!({ "type": "container", "name": "image" });
        component.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        cyclonedx("1.6", json!({ "metadata": { "component": component } }))
    };
    let hashes = json!([
        { "alg": "SHA-256", "content": SHA256.to_uppercase() },
        { "alg": "SHA-1", "content": "a".repeat(40) },
        { "alg": "MD5", "content": "a".repeat(32) }
    ]);
    check_about(main(json!({ "hashes": hashes })), &[&sha256]);
    check_about(main(json!({ "version": sha256 })), &[&sha256]);
    check_about(main(json!({ "bom-ref": sha256 })), &[&sha256]);
    check_about(main(json!({ "purl": format!("pkg:oci/x@sha256:{SHA256}?tag=1") })), &[&sha256]);
    check_about(main(json!({ "bom-ref": format!("pkg:oci/x@sha256%3A{SHA256}") })), &[&sha256]);
    check_about(main(json!({ "version": "1.0", "purl": "pkg:npm/a@1", "bom-ref": "x" })), &[]);
    // A component is not what the document is about.
    check_about(
        cyclonedx(
            "1.6",
            json!({ "components": [{ "type": "file", "name": "a", "hashes": hashes }] }),
        ),
        &[],
    );
}

#[test]
fn spdx_2_is_about_what_it_describes() {
    let sha256 = format!("sha256:{SHA256}");
    let package = json!([
        {
            "name": "a", "SPDXID": "SPDXRef-a", "downloadLocation": "NOASSERTION",
            "checksums": [{ "algorithm": "SHA256", "checksumValue": SHA256 }]
        },
        {
            "name": "b", "SPDXID": "SPDXRef-b", "downloadLocation": "NOASSERTION",
            "checksums": [{ "algorithm": "SHA256", "checksumValue": "0".repeat(64) }]
        }
    ]);
    let related = |from: &str, kind: &str, to: &str| json!([{ "spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to }]);
    let with = |name: &str, value: Value| {
        let mut document = spdx(json!({ "packages": package }));
        document[name] = value;
        document
    };
    check_about(with("documentDescribes", json!(["SPDXRef-a"])), &[&sha256]);
    let document = "SPDXRef-DOCUMENT";
    check_about(with("relationships", related(document, "DESCRIBES", "SPDXRef-a")), &[&sha256]);
    check_about(with("relationships", related("SPDXRef-a", "DESCRIBED_BY", document)), &[&sha256]);
    check_about(with("relationships", related(document, "CONTAINS", "SPDXRef-a")), &[]);
    check_about(with("relationships", related("SPDXRef-b", "DESCRIBES", "SPDXRef-a")), &[]);
}

#[test]
fn spdx_3_is_about_its_root_elements() {
    let sha256 = format!("sha256:{SHA256}");
    let hash = json!([{ "type": "Hash", "algorithm": "sha256", "hashValue": SHA256 }]);
    let of = |document: Value, package: Value| spdx_3(json!([document, package]));
    let package = json!({ "type": "software_Package", "spdxId": "p", "verifiedUsing": hash });
    let root = json!({ "type": "SpdxDocument", "spdxId": "d", "rootElement": ["p"] });
    check_about(of(root.clone(), package.clone()), &[&sha256]);
    check_about(of(json!({ "type": "SpdxDocument", "spdxId": "d" }), package.clone()), &[]);
    let code =
        json!([{ "type": "PackageVerificationCode", "algorithm": "sha256", "hashValue": SHA256 }]);
    check_about(
        of(root, json!({ "type": "software_Package", "spdxId": "p", "verifiedUsing": code })),
        &[],
    );
    let describes = json!({ "type": "Relationship", "spdxId": "r", "relationshipType": "describes", "from": "s", "to": ["p"] });
    // The hash of a bill of materials is not that of what it is about.
    let other = json!([{ "type": "Hash", "algorithm": "sha256", "hashValue": "0".repeat(64) }]);
    let inner = json!({ "type": "software_Sbom", "spdxId": "s", "verifiedUsing": other });
    check_about(
        spdx_3(
            json!([package, describes, inner, { "type": "SpdxDocument", "spdxId": "d", "rootElement": ["s"] }]),
        ),
        &[&sha256],
    );
}

#[test]
fn a_document_of_vulnerabilities_alone_is_no_bill_of_materials_unless_they_are_not_analysed() {
    let fit = |document: &Value| {
        (cyclonedx::FORMAT.fit)(Report::of_bytes("r", document.to_string()).outline())
    };
    let analysed = json!([{ "id": "CVE-1", "analysis": { "state": "in_triage" } }]);
    let plain = json!([{ "id": "CVE-1" }]);
    let none = json!([]);
    for (components, vulnerabilities, expected) in [
        (&none, &analysed, Fit::No),
        (&none, &plain, Fit::Certain),
        (&none, &none, Fit::Certain),
        (&json!([{ "name": "a" }]), &analysed, Fit::Certain),
    ] {
        let more = json!({ "components": components, "vulnerabilities": vulnerabilities });
        assert_eq!(fit(&cyclonedx("1.4", more.clone())), expected, "{more}");
    }
    // Whoever names the format is taken at their word.
    let only = cyclonedx("1.4", json!({ "components": [], "vulnerabilities": analysed }));
    let report = Report::of_bytes("r", only.to_string());
    assert_eq!(recognise(&report, Some("cyclonedx")).unwrap().name, "cyclonedx");
}

#[test]
fn counts_components_at_every_depth() {
    let leaf = json!({ "type": "file", "name": "c" });
    let inner = json!({ "type": "library", "name": "b", "purl": "pkg:npm/b@1", "components": [leaf, leaf] });
    let outer =
        json!({ "type": "library", "name": "a", "purl": "pkg:npm/a@1", "components": [inner] });
    let main = json!({ "type": "application", "name": "m", "components": [leaf] });
    let more = json!({ "components": [outer], "metadata": { "component": main } });
    let (_, imported) = read(&cyclonedx("1.6", more));
    let totals = imported.unwrap().evidence[0].totals();
    assert_eq!(totals, [("components", 5), ("with_purl", 2), ("vulnerabilities", 0)]);
}

#[test]
fn takes_the_document_out_of_what_github_answers() {
    let (value, warnings) = predicate(&json!({ "sbom": spdx(json!({})) }));
    assert_eq!(value["spdxVersion"], "SPDX-2.3");
    assert!(warnings[0].contains("its member sbom"), "{warnings:?}");
}

#[test]
fn refuses_repeated_keys() {
    let twice = r#"{"bomFormat":"CycloneDX","specVersion":"1.4","specVersion":"1.5"}"#;
    let told = import(&Report::of_bytes("r", twice), None).unwrap_err().to_string();
    assert!(told.contains("duplicate key \"specVersion\""), "{told}");
}
