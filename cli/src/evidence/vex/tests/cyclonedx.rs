//! CycloneDX documents with analysed vulnerabilities.

use super::*;

fn document(vulnerabilities: Value, more: Value) -> Value {
    let mut document = json!({
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "serialNumber": "urn:uuid:3E671687-395b-41f5-a30f-a58921a69b79",
        "metadata": {
            "timestamp": "2026-01-01T00:00:00+01:00", "authors": [{ "name": "A. Author" }],
            "component": { "type": "application", "name": "app", "bom-ref": "app" },
            "tools": { "components": [{ "type": "application", "name": "t", "version": "1" }] }
        },
        "components": [
            { "type": "library", "name": "a", "bom-ref": "ref-a", "purl": "pkg:npm/a" },
            {
                "type": "library", "name": "b", "bom-ref": "ref-b",
                "cpe": "cpe:2.3:a:b:b:1:*:*:*:*:*:*:*",
                "components": [
                    { "type": "file", "name": "c", "bom-ref": "ref-c", "purl": "pkg:npm/c@1" }
                ]
            }
        ],
        "vulnerabilities": vulnerabilities
    });
    document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    document
}

fn one(vulnerability: Value) -> Value {
    let mut vulnerability = vulnerability;
    let id = json!("CVE-1");
    vulnerability.as_object_mut().unwrap().entry("id").or_insert(id);
    let (mut found, _) = statements(&document(json!([vulnerability]), json!({})));
    assert_eq!(found.len(), 1);
    found.remove(0)
}

#[test]
fn each_state_and_justification_becomes_its_nearest_word_and_no_stronger_one() {
    let check = |analysis: Value, expected: &[&str]| {
        let found = one(json!({ "analysis": analysis }));
        let texts = ["status", "justification", "impact_statement", "action_statement"];
        let found: Vec<_> =
            texts.into_iter().map(|name| found[name].as_str().unwrap_or_default()).collect();
        assert_eq!(found, expected, "{analysis}");
    };
    check(json!({ "state": "resolved" }), &["fixed", "", "", ""]);
    check(json!({ "state": "resolved_with_pedigree" }), &["fixed", "", "", ""]);
    check(json!({ "state": "in_triage" }), &["under_investigation", "", "", ""]);
    check(json!({ "state": "exploitable" }), &["affected", "", "", "the source states no action"]);
    check(
        json!({ "state": "exploitable", "response": ["update", "rollback"] }),
        &["affected", "", "", "update, rollback"],
    );
    check(
        json!({ "state": "false_positive" }),
        &["not_affected", "", "a false positive: the vulnerability was identified falsely", ""],
    );
    check(
        json!({ "state": "not_affected" }),
        &["not_affected", "", "the source states neither a justification nor an impact", ""],
    );
    let not_affected = |word: &str, expected: [&str; 2]| {
        let [justification, impact] = expected;
        let analysis = json!({ "state": "not_affected", "justification": word });
        check(analysis, &["not_affected", justification, impact, ""]);
    };
    not_affected("code_not_present", ["vulnerable_code_not_present", ""]);
    not_affected("code_not_reachable", ["vulnerable_code_not_in_execute_path", ""]);
    for word in ["requires_configuration", "requires_dependency", "requires_environment"] {
        not_affected(word, ["", &format!("justification: {word}")]);
    }
    for word in [
        "protected_by_compiler",
        "protected_at_runtime",
        "protected_at_perimeter",
        "protected_by_mitigating_control",
    ] {
        let kept = format!("justification: {word}");
        not_affected(word, ["inline_mitigations_already_exist", &kept]);
    }
    let told =
        refusal(&document(json!([{ "id": "CVE-1", "analysis": { "state": "x" } }]), json!({})));
    assert!(told.contains("a state of an analysis"), "{told}");
}

#[test]
fn keeps_what_else_is_said() {
    let found = one(json!({
        "source": { "url": "https://example.com/CVE-1" },
        "references": [{ "id": "GHSA-1" }, { "id": "CVE-1" }, {}],
        "recommendation": "Update to 2.", "workaround": "Turn it off.",
        "analysis": {
            "state": "exploitable", "response": ["update"], "detail": "Bad.",
            "firstIssued": "2026-01-02T00:00:00Z", "lastUpdated": "2026-01-03T00:00:00Z"
        }
    }));
    let expected = json!({
        "vulnerability":
            { "@id": "https://example.com/CVE-1", "name": "CVE-1", "aliases": ["GHSA-1"] },
        "timestamp": "2026-01-02T00:00:00Z",
        "last_updated": "2026-01-03T00:00:00Z",
        // What the document is about, because nothing is said to be affected.
        "products": [{ "@id": "app" }],
        "status": "affected",
        "status_notes": "Bad.",
        "action_statement": "update; Update to 2.; workaround: Turn it off."
    });
    assert_eq!(found, expected);
}

#[test]
fn products_are_named_by_package_url_where_there_is_one() {
    let check = |reference: &str, expected: Value| {
        let found = one(json!({
            "analysis": { "state": "in_triage" }, "affects": [{ "ref": reference }]
        }));
        assert_eq!(found["products"], json!([expected]), "{reference}");
    };
    let purl = |purl: &str| json!({ "@id": purl, "identifiers": { "purl": purl } });
    check("ref-a", purl("pkg:npm/a"));
    check("ref-c", purl("pkg:npm/c@1"));
    check(
        "ref-b",
        json!({ "@id": "ref-b", "identifiers": { "cpe23": "cpe:2.3:a:b:b:1:*:*:*:*:*:*:*" } }),
    );
    check("pkg:npm/x@1", purl("pkg:npm/x@1"));
    check("unknown", json!({ "@id": "unknown" }));
    let own = "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1";
    check(&format!("{own}#ref-a"), purl("pkg:npm/a"));
    let other = "urn:cdx:00000000-395b-41f5-a30f-a58921a69b79/1";
    check(&format!("{other}#pkg%3Anpm%2Fa%401"), purl("pkg:npm/a@1"));
    check(&format!("{other}#ref-a"), json!({ "@id": format!("{other}#ref-a") }));
}

#[test]
fn the_versions_that_agree_with_the_state_are_the_products() {
    let check = |state: &str, versions: Value, products: &[&str], notes: &str| {
        let found = one(json!({
            "analysis": { "state": state },
            "affects": [{ "ref": "ref-a", "versions": versions }]
        }));
        let ids: Vec<_> = found["products"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["@id"].as_str().unwrap())
            .collect();
        assert_eq!(ids, products, "{state} {versions}");
        assert_eq!(found["status_notes"].as_str().unwrap_or_default(), notes);
    };
    let (one, two) = ("pkg:npm/a@1", "pkg:npm/a@2");
    let both = json!([{ "version": "1", "status": "affected" }, { "version": "2", "status": "unaffected" }]);
    check("exploitable", both.clone(), &[one], "ref-a 2 is unaffected");
    check("not_affected", both, &[two], "ref-a 1 is affected");
    check("resolved", json!([{ "version": "2" }]), &[two], "");
    check("in_triage", json!([{ "version": "1", "status": "unknown" }]), &[one], "");
    check(
        "exploitable",
        json!([{ "range": "vers:npm/<2" }]),
        &["pkg:npm/a?vers=vers:npm%2F%3C2"],
        "",
    );
    check("exploitable", json!([]), &["pkg:npm/a"], "");
}

#[test]
fn a_document_fits_by_what_it_holds() {
    let analysed = json!([{ "id": "CVE-1", "analysis": { "state": "in_triage" } }]);
    let plain = json!([{ "id": "CVE-1" }]);
    let none = json!({ "components": [] });
    for (vulnerabilities, more, expected) in [
        (&analysed, &none, Fit::Certain),
        (&analysed, &json!({}), Fit::Possible),
        (&plain, &json!({}), Fit::Possible),
        (&plain, &none, Fit::Possible),
        (&json!([]), &json!({}), Fit::No),
    ] {
        let text = document(vulnerabilities.clone(), more.clone()).to_string();
        let report = Report::of_bytes("r", text);
        assert_eq!((crate::evidence::vex::cyclonedx::FORMAT.fit)(report.outline()), expected);
    }
    let both = Report::of_bytes("r", document(analysed, json!({})).to_string());
    let name = |asked| recognise(&both, asked).unwrap().name;
    assert_eq!(name(None), "cyclonedx");
    assert_eq!((name(Some("openvex")), name(Some("cyclonedx"))), ("cyclonedx-vex", "cyclonedx"));
}

#[test]
fn what_has_no_analysis_is_left_out_and_told_of() {
    let mixed = json!([
        { "id": "CVE-1" }, { "id": "CVE-2", "analysis": {} },
        { "analysis": { "state": "resolved" } },
        { "id": "CVE-3", "analysis": { "state": "resolved" } }
    ]);
    let (found, warnings) = statements(&document(mixed, json!({})));
    assert_eq!(found.len(), 1);
    assert!(warnings[0].contains("left out 3"), "{warnings:?}");
    let Some(report) = sample("cyclonedx/trivy-0.48.1-v1.5-with-vulnerabilities.json") else {
        return;
    };
    let told = import(&report, Some("openvex")).unwrap_err().to_string();
    assert!(told.contains("found 10 without"), "{told}");
}

#[test]
fn an_author_and_a_tool_are_those_that_the_document_names() {
    let check = |metadata: Value, author: &str, tool: Option<&str>| {
        let analysed = json!([{ "id": "CVE-1", "analysis": { "state": "in_triage" } }]);
        let text = document(analysed, json!({ "metadata": metadata })).to_string();
        let report = Report::of_bytes("r", text);
        let (_, imported) = import(&report, Some("openvex")).unwrap();
        assert_eq!(imported.evidence[0].tool().as_deref(), tool, "{metadata}");
        let (_, value, _) = predicate_of(&report, &imported, &at_noon());
        assert_eq!(value["author"], author, "{metadata}");
    };
    let tools = json!([{ "vendor": "v", "name": "t", "version": "1" }]);
    check(json!({ "supplier": { "name": "S" }, "tools": tools }), "S", Some("t 1"));
    check(json!({ "manufacturer": { "name": "M" }, "tools": { "services": [] } }), "M", None);
    check(json!({}), "Unknown Author", None);
    check(Value::Null, "Unknown Author", None);
}
