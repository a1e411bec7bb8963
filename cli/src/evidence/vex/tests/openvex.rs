//! OpenVEX documents, small and odd.

use super::*;

fn document(more: Value) -> Value {
    let mut document = json!({
        "@context": "https://openvex.dev/ns", "@id": "https://example.com/vex-1",
        "author": "A", "timestamp": "2026-01-01T00:00:00Z", "version": 1, "tooling": "t 1",
        "statements": [{
            "vulnerability": { "name": "CVE-1" }, "status": "fixed",
            "products": [{ "@id": "pkg:npm/a@1" }]
        }]
    });
    document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    document
}

#[test]
fn nothing_changes_but_the_tooling() {
    let before = document(json!({}));
    let report = Report::of_bytes("r", before.to_string());
    let imported = read_as(&report, "openvex").unwrap();
    assert_eq!(imported.evidence[0].tool().as_deref(), Some("t 1"));
    let (_, mut value, _) = predicate_of(&report, &imported, &Supplement::default());
    let tooling = value["tooling"].take();
    assert_eq!(tooling, format!("t 1; attestry:evidence:report {}", report.sha256()));
    value["tooling"] = "t 1".into();
    assert_eq!(value, before);
}

#[test]
fn documents_before_0_2_have_plainer_fields() {
    let (found, warnings) = statements(&document(json!({
        "version": "2",
        "statements": [
            { "vulnerability": "CVE-1", "status": "fixed", "products": ["pkg:npm/a@1"] }
        ]
    })));
    assert_eq!(found[0]["vulnerability"], "CVE-1");
    assert!(warnings[0].contains("taken as a number"), "{warnings:?}");
}

#[test]
fn refuses_what_the_specification_does_not_have() {
    for (more, expected) in [
        (json!({ "statements": [] }), "statements to be a non-empty array"),
        (json!({ "author": null }), "author"),
        (json!({ "version": "one" }), "version"),
        (json!({ "@context": "https://openvex.dev/nsx" }), "@context"),
    ] {
        let told = refusal(&document(more));
        assert!(told.contains(expected), "{told}");
    }
}
