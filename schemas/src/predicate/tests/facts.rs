//! What the index takes.

use serde_json::{Value, json};

use super::super::{
    Facts, MAX_COMPONENT_DIGESTS, MAX_FACT_BYTES, MAX_MATERIALS, MAX_PURLS, MAX_RELATED,
    MAX_SOURCES, Role, Source, facts,
};

const COMMIT: &str = "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d";
const SHA256: &str = "fe4fe40ac7250263c5dbe1cf3138912f3f416140aa248637a60d65fe22c47da4";

fn source(repository: &str, reference: Option<&str>, commit: Option<&str>) -> Source {
    Source {
        repository: repository.into(),
        reference: reference.map(Into::into),
        commit: commit.map(Into::into),
    }
}

fn provenance(dependencies: Value) -> Facts {
    facts(
        "https://slsa.dev/provenance/v1",
        &json!({
            "buildDefinition": { "resolvedDependencies": dependencies },
            "runDetails": { "builder": { "id": "https://example.com/builder" } }
        }),
    )
}

#[test]
fn sources_are_repositories_at_commits() {
    let check = |uri: &str, digest: Value, expected: Option<Source>| {
        let found = provenance(json!([{ "uri": uri, "digest": digest }])).sources;
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{uri}");
    };
    let https = "https://example.com/a/b";
    check(
        "git+https://example.com/a/b@refs/heads/main",
        json!({ "gitCommit": COMMIT }),
        Some(source(https, Some("refs/heads/main"), Some(COMMIT))),
    );
    check(
        &format!("git+https://example.com/a/b.git@{COMMIT}#sub/dir"),
        json!({}),
        Some(source(https, None, Some(COMMIT))),
    );
    check(
        "git+ssh://git@example.com/a/b@v1",
        json!({ "sha1": COMMIT }),
        Some(source("ssh://git@example.com/a/b", Some("v1"), Some(COMMIT))),
    );
    check(
        "https://example.com/a/b/",
        json!({ "gitCommit": COMMIT }),
        Some(source(https, None, Some(COMMIT))),
    );
    check(
        "git+https://example.com/a/b",
        json!({ "gitCommit": "7FD1" }),
        Some(source(https, None, None)),
    );
    check("https://example.com/a.tgz", json!({ "sha1": COMMIT }), None);
    check("pkg:npm/a@1", json!({ "sha256": SHA256 }), None);
    let package = "pkg:npm/a@1?vcs_url=git%2Bhttps:%2F%2Fexample.com%2Fa.git";
    check(package, json!({ "gitCommit": COMMIT }), None);
}

#[test]
fn provenance_gives_builder_sources_and_materials() {
    let found = provenance(json!([
        { "uri": "git+https://example.com/a@main", "digest": { "gitCommit": COMMIT } },
        { "uri": "git+https://example.com/a@main", "digest": { "gitCommit": COMMIT } },
        { "uri": "pkg:npm/a@1", "digest": { "sha256": SHA256, "md5": "not hex" } },
        { "name": "base", "digest": { "sha256": SHA256 } },
        { "uri": "https://example.com/no-digest" },
        "not a descriptor"
    ]));
    assert_eq!(found.builder_id.as_deref(), Some("https://example.com/builder"));
    assert_eq!(found.sources.len(), 1);
    let names: Vec<_> = found.materials.iter().map(|m| m.name.as_deref().unwrap()).collect();
    let git = "git+https://example.com/a@main";
    assert_eq!(names, [git, git, "pkg:npm/a@1", "base"]);
    assert_eq!(found.materials[2].digests.len(), 1);
    assert_eq!(found.materials[2].digests[0].to_string(), format!("sha256:{SHA256}"));
    assert!(!found.truncated);
}

#[test]
fn provenance_v0_2_gives_the_config_source_too() {
    let git = |tag: &str| format!("git+https://example.com/a@{tag}");
    let found = facts(
        "https://slsa.dev/provenance/v0.2",
        &json!({
            "builder": { "id": "b" },
            "invocation": {
                "configSource": { "uri": git("v1"), "digest": { "sha1": COMMIT } }
            },
            "materials": [
                { "uri": git("v1"), "digest": { "sha1": COMMIT } },
                { "uri": git("v2"), "digest": { "sha1": COMMIT } }
            ]
        }),
    );
    assert_eq!(found.builder_id.as_deref(), Some("b"));
    let at = |tag| source("https://example.com/a", Some(tag), Some(COMMIT));
    assert_eq!(found.sources, [at("v1"), at("v2")]);
    assert_eq!(found.materials.len(), 2);
    let config = json!({ "configSource": { "uri": git("v3"), "digest": { "sha1": COMMIT } } });
    let alone = facts("https://slsa.dev/provenance/v0.2", &json!({ "invocation": config }));
    assert_eq!((alone.sources, alone.materials), (vec![at("v3")], vec![]));
}

#[test]
fn links_of_both_kinds_give_materials() {
    let digest = json!({ "sha256": SHA256 });
    for (uri, materials) in [
        ("https://in-toto.io/attestation/link/v0.3", json!([{ "name": "a", "digest": digest }])),
        ("https://in-toto.io/Link/v1", json!({ "a": digest })),
    ] {
        let found = facts(uri, &json!({ "name": "step", "materials": materials })).materials;
        assert_eq!(found.len(), 1, "{uri}");
        assert_eq!(found[0].name.as_deref(), Some("a"));
    }
}

#[test]
fn verdict_environment_and_related_digests() {
    let digest = json!({ "sha256": SHA256 });
    let check = |name: &str, predicate: Value, verdict, environment, roles: &[Role]| {
        let uri = super::super::from_short(name).unwrap().uri;
        let found = facts(uri, &predicate);
        assert_eq!(found.verdict.as_deref(), verdict, "{name}");
        assert_eq!(found.environment.as_deref(), environment, "{name}");
        let found: Vec<Role> = found.related.iter().map(|related| related.role).collect();
        assert_eq!(found, roles, "{name}");
    };
    check(
        "vsa",
        json!({
            "verificationResult": "FAILED",
            "policy": { "digest": digest },
            "inputAttestations": [{ "digest": digest }],
            "https://attestry.dev/gate/v1": { "environment": "production" }
        }),
        Some("FAILED"),
        Some("production"),
        &[Role::Policy, Role::Input],
    );
    check(
        "test-result",
        json!({ "result": "PASSED", "configuration": [{ "digest": digest }] }),
        Some("PASSED"),
        None,
        &[Role::Configuration],
    );
    check(
        "svr",
        json!({ "verifier": { "policies": [{ "digest": digest }] } }),
        None,
        None,
        &[Role::Policy],
    );
    check(
        "scai",
        json!({ "attributes": [{ "evidence": { "digest": digest } }] }),
        None,
        None,
        &[Role::Evidence],
    );
    check(
        "reference",
        json!({ "references": [{ "digest": digest }] }),
        None,
        None,
        &[Role::Evidence],
    );
    check("roster", json!({ "digest": digest }), None, None, &[Role::Document]);
    check("policy", json!({ "digest": digest }), None, None, &[Role::Document]);
    for name in ["approval", "waiver", "break-glass"] {
        check(name, json!({ "environment": "staging" }), None, Some("staging"), &[]);
    }
    check(
        "deployment",
        json!({ "environment": "e", "decision": digest, "replaces": digest }),
        None,
        Some("e"),
        &[Role::Decision, Role::Replaces],
    );
    check(
        "readiness",
        json!({ "environment": "e", "configuration": digest }),
        None,
        Some("e"),
        &[Role::Configuration],
    );
}

#[test]
fn a_source_summary_names_its_repository() {
    let found = facts(
        "https://slsa.dev/verification_summary/v1",
        &json!({ "resourceUri": "git+https://example.com/a.git", "verifiedLevels": [] }),
    );
    assert_eq!(found.sources, [source("https://example.com/a", None, None)]);
}

#[test]
fn bills_of_materials_give_package_urls_sorted_and_once() {
    let cyclonedx = facts(
        "https://cyclonedx.org/bom/v1.6",
        &json!({
            "metadata": { "component": {
                "purl": "pkg:oci/image@1",
                "components": [{ "purl": "pkg:npm/d@1" }]
            } },
            "components": [
                { "purl": "pkg:npm/b@1", "components": [{ "purl": "pkg:npm/a@1" }] },
                { "purl": "pkg:npm/b@1" },
                { "purl": "not a purl" },
                { "name": "none" }
            ]
        }),
    );
    assert_eq!(cyclonedx.purls, ["pkg:npm/a@1", "pkg:npm/b@1", "pkg:npm/d@1"]);
    let spdx = facts(
        "https://spdx.dev/Document/v2.3",
        &json!({ "packages": [{ "externalRefs": [
            { "referenceType": "purl", "referenceLocator": "pkg:npm/a@1" },
            {
                "referenceType": "http://spdx.org/rdf/references/purl",
                "referenceLocator": "pkg:npm/b@1"
            },
            { "referenceType": "cpe23Type", "referenceLocator": "pkg:npm/x@1" }
        ] }] }),
    );
    assert_eq!(spdx.purls, ["pkg:npm/a@1", "pkg:npm/b@1"]);
    let spdx_3 = facts(
        "https://spdx.dev/Document",
        &json!({ "@graph": [
            { "type": "software_Package", "software_packageUrl": "pkg:npm/a@1" },
            { "type": "software_Package", "externalIdentifier": [
                { "externalIdentifierType": "packageUrl", "identifier": "pkg:npm/b@1" }
            ] },
            { "type": "software_Package", "externalIdentifier": ["_:i"] },
            { "@id": "_:i", "externalIdentifierType": "packageUrl", "identifier": "pkg:npm/c@1" }
        ] }),
    );
    assert_eq!(spdx_3.purls, ["pkg:npm/a@1", "pkg:npm/b@1", "pkg:npm/c@1"]);
}

#[test]
fn bounds_are_kept_and_never_silently() {
    let check = |found: Facts, count: usize, bound: usize, what: &str| {
        assert_eq!(count, bound, "{what}");
        assert!(found.truncated, "{what}");
    };
    let many = |count: usize, one: &dyn Fn(usize) -> Value| -> Value {
        (0..=count).map(one).collect::<Vec<_>>().into()
    };
    let found = provenance(many(MAX_MATERIALS, &|_| json!({ "digest": { "sha256": SHA256 } })));
    check(found.clone(), found.materials.len(), MAX_MATERIALS, "materials");
    let found =
        provenance(many(MAX_SOURCES, &|i| json!({ "uri": format!("git+https://e.example/{i}") })));
    check(found.clone(), found.sources.len(), MAX_SOURCES, "sources");
    let components = many(MAX_PURLS, &|i| json!({ "purl": format!("pkg:npm/p@{i}") }));
    let found = facts("https://cyclonedx.org/bom", &json!({ "components": components }));
    check(found.clone(), found.purls.len(), MAX_PURLS, "purls");
    let components = many(
        MAX_COMPONENT_DIGESTS,
        &|i| json!({ "hashes": [{ "alg": "SHA-256", "content": format!("{i:064x}") }] }),
    );
    let found = facts("https://cyclonedx.org/bom", &json!({ "components": components }));
    check(found.clone(), found.component_digests.len(), MAX_COMPONENT_DIGESTS, "digests");
    let inputs = many(MAX_RELATED, &|_| json!({ "digest": { "sha256": SHA256 } }));
    let vsa = "https://slsa.dev/verification_summary/v1";
    let found = facts(vsa, &json!({ "inputAttestations": inputs }));
    check(found.clone(), found.related.len(), MAX_RELATED, "related");
    let long = "x".repeat(MAX_FACT_BYTES + 1);
    let found = facts(vsa, &json!({ "verificationResult": long }));
    check(found.clone(), usize::from(found.verdict.is_some()), 0, "verdict");
    let found = provenance(json!([{ "uri": format!("git+https://e.example/{long}") }]));
    check(found.clone(), found.sources.len(), 1, "long source");
    assert_eq!(found.sources[0].commit, None);
    let found = facts(
        "https://cyclonedx.org/bom",
        &json!({ "components": [{ "purl": format!("pkg:{long}") }] }),
    );
    check(found.clone(), found.purls.len(), 0, "long purl");
}

#[test]
fn what_does_not_fit_gives_no_facts_and_no_panic() {
    for known in super::super::PREDICATE_TYPES {
        for junk in [
            json!(null),
            json!([]),
            json!({}),
            json!({
                "runDetails": [], "buildDefinition": "x", "materials": 3, "builder": [],
                "invocation": null, "policy": 1, "components": [1, [2]], "packages": {},
                "@graph": "x", "verifier": [], "attributes": [[]], "references": {},
                "digest": [], "decision": "d", "environment": {}, "metadata": []
            }),
        ] {
            assert_eq!(facts(known.uri, &junk), Facts::default(), "{} {junk}", known.short);
        }
    }
    assert_eq!(facts("https://example.com/x", &json!({ "components": [] })), Facts::default());
}

#[test]
fn components_are_known_by_package_url_and_digest() {
    let bom = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "components": [{
            "purl": "pkg:cargo/a@1",
            "hashes": [
                { "alg": "SHA-256", "content": SHA256.to_uppercase() },
                { "alg": "MD5", "content": "00" },
                { "alg": "SHA-256", "content": "zz" },
            ],
            "components": [{ "purl": "pkg:cargo/b@2" }],
        }],
    });
    let found = facts("https://cyclonedx.org/bom", &bom);
    assert_eq!(found.purls, ["pkg:cargo/a@1", "pkg:cargo/b@2"]);
    let digests: Vec<_> = found.component_digests.iter().map(ToString::to_string).collect();
    assert_eq!(digests, [format!("sha256:{SHA256}")]);
    let spdx = json!({ "packages": [{
        "checksums": [{ "algorithm": "SHA256", "checksumValue": SHA256 }],
    }] });
    let found = facts("https://spdx.dev/Document", &spdx);
    assert_eq!(found.component_digests.len(), 1);
    let graph = json!({ "@graph": [{
        "software_packageUrl": "pkg:maven/a/b@1",
        "verifiedUsing": [{ "algorithm": "sha256", "hashValue": SHA256 }],
    }] });
    let found = facts("https://spdx.dev/Document", &graph);
    assert_eq!((found.purls.len(), found.component_digests.len()), (1, 1));
}

#[test]
fn components_are_known_by_every_digest_that_a_document_has_of_them() {
    let check = |uri: &str, document: Value, expected: &[&str]| {
        let found = facts(uri, &document).component_digests;
        let found: Vec<_> = found.iter().map(|digest| digest.algorithm().name()).collect();
        assert_eq!(found, expected, "{document}");
    };
    let (x64, x96, x128) = ("a".repeat(64), "b".repeat(96), "c".repeat(128));
    let cyclonedx = "https://cyclonedx.org/bom";
    let hashes = json!([
        { "alg": "SHA3-256", "content": x64 },
        { "alg": "SHA-384", "content": x96 },
        { "alg": "BLAKE2b-512", "content": x128 },
        { "alg": "BLAKE3", "content": x64 },
        { "alg": "MD5", "content": "d".repeat(32) }
    ]);
    let all = ["blake2b", "sha384", "sha3_256"];
    check(cyclonedx, json!({ "components": [{ "hashes": hashes }] }), &all);
    let reference = |kind: &str| json!([{ "type": kind, "url": "u", "hashes": hashes }]);
    let of_reference = |kind| json!({ "components": [{ "externalReferences": reference(kind) }] });
    check(cyclonedx, of_reference("distribution"), &all);
    check(cyclonedx, of_reference("documentation"), &[]);
    let spdx = "https://spdx.dev/Document";
    let sums = json!([
        { "algorithm": "SHA3-256", "checksumValue": x64 },
        { "algorithm": "SHA384", "checksumValue": x96 }
    ]);
    check(spdx, json!({ "files": [{ "checksums": sums }] }), &["sha384", "sha3_256"]);
    let graph = |element: Value| {
        let hash =
            json!({ "@id": "_:h", "type": "Hash", "algorithm": "sha512", "hashValue": x128 });
        json!({ "@graph": [element, hash] })
    };
    check(spdx, graph(json!({ "verifiedUsing": ["_:h", "_:none"] })), &["sha512"]);
    check(spdx, graph(json!({ "type": "software_File" })), &[]);
    let code =
        json!({ "type": "PackageVerificationCode", "algorithm": "sha256", "hashValue": x64 });
    check(spdx, graph(json!({ "verifiedUsing": [code] })), &[]);
}

#[test]
fn a_document_names_the_report_that_it_was_made_of_in_its_own_way() {
    let check = |uri: &str, document: Value| {
        let found = facts(uri, &document).related;
        let found: Vec<_> = found.iter().map(|r| (r.role, r.digest.to_string())).collect();
        assert_eq!(found, [(Role::Evidence, format!("sha256:{SHA256}"))], "{document}");
    };
    let mark = super::super::EVIDENCE_MARK;
    let text = format!("read by attestry; {mark} sha256:{SHA256}");
    let value = format!("sha256:{SHA256}");
    let properties = json!([{ "name": mark, "value": value }, { "name": "x", "value": value }]);
    check("https://cyclonedx.org/bom", json!({ "metadata": { "properties": properties } }));
    let annotations = json!([{ "comment": text }, { "comment": mark }, { "comment": value }]);
    check("https://spdx.dev/Document", json!({ "annotations": annotations }));
    check("https://spdx.dev/Document", json!({ "@graph": [{ "comment": text }] }));
    check("https://openvex.dev/ns", json!({ "tooling": text }));
}

#[test]
fn what_went_into_a_build_is_found_as_a_component_too() {
    let found = provenance(json!([
        { "uri": "pkg:cargo/serde@1.0.0", "digest": { "sha256": SHA256 } },
        { "uri": "pkg:npm/left-pad@1.3.0" },
        { "uri": "https://example.com/x" },
    ]));
    assert_eq!(found.purls, ["pkg:cargo/serde@1.0.0", "pkg:npm/left-pad@1.3.0"]);
    assert_eq!(found.materials.len(), 1);
}

#[test]
fn a_modified_tree_is_not_passed_off_as_its_commit() {
    let commit = "a".repeat(40);
    let found = |annotations: Value| {
        let predicate = json!({"buildDefinition": {"resolvedDependencies": [{
            "uri": "git+https://example.org/app@refs/heads/main",
            "digest": {"gitCommit": commit},
            "annotations": annotations,
        }]}});
        let found = facts("https://slsa.dev/provenance/v1", &predicate);
        (found.sources[0].commit.clone(), found.materials.len())
    };
    assert_eq!(found(json!({})), (Some(commit.clone()), 1));
    assert_eq!(found(json!({"dirty": false})), (Some(commit.clone()), 1));
    assert_eq!(found(json!({"dirty": true})), (None, 0));
}
