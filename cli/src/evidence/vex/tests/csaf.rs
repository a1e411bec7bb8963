//! CSAF advisories.

use super::*;

fn product(id: &str, helper: Value) -> Value {
    json!({ "name": format!("Product {id}"), "product_id": id, "product_identification_helper": helper })
}

fn document(vulnerability: Value, more: Value) -> Value {
    let mut vulnerability = vulnerability;
    let cve = json!("CVE-1");
    vulnerability.as_object_mut().unwrap().entry("cve").or_insert(cve);
    let mut document = json!({
        "document": {
            "category": "csaf_security_advisory", "csaf_version": "2.1",
            "publisher": { "category": "vendor", "name": "P", "namespace": "https://p.example" },
            "title": "T",
            "tracking": { "current_release_date": "2026-01-01T00:00:00+01:00", "status": "final" }
        },
        "product_tree": {
            "branches": [{
                "category": "vendor", "name": "V", "branches": [
                    { "category": "product_name", "name": "n", "product": product("N", json!(null)) },
                    { "category": "product_name", "name": "u", "product": product("U", json!({
                        "purl": "pkg:rpm/u@1", "cpe": "cpe:/a:v:u:1",
                        "hashes": [{ "filename": "u", "file_hashes": [
                            { "algorithm": "sha256", "value": "aa" },
                            { "algorithm": "whirlpool", "value": "bb" }
                        ] }]
                    })) }
                ]
            }],
            "full_product_names": [
                product("C", json!({ "cpe": "cpe:2.3:o:v:c:1:*:*:*:*:*:*:*" })),
                product("M", json!({ "purls": ["pkg:rpm/m@1", "pkg:rpm/m@2"] }))
            ],
            "relationships": [
                {
                    "category": "default_component_of", "full_product_name": product("C:U", json!(null)),
                    "product_reference": "U", "relates_to_product_reference": "C"
                },
                {
                    "category": "default_component_of", "full_product_name": product("C:X", json!({ "purl": "pkg:rpm/x@1" })),
                    "product_reference": "U", "relates_to_product_reference": "C"
                },
                {
                    "category": "default_component_of", "full_product_name": product("L", json!(null)),
                    "product_reference": "U", "relates_to_product_reference": "L"
                }
            ],
            "product_groups": [{ "group_id": "G", "product_ids": ["N", "U"] }]
        },
        "vulnerabilities": [vulnerability]
    });
    document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    document
}

fn of(vulnerability: Value) -> Vec<Value> {
    statements(&document(vulnerability, json!({}))).0
}

#[test]
fn products_are_named_by_what_means_something_elsewhere() {
    let check = |id: &str, expected: Value| {
        let found = of(json!({ "product_status": { "under_investigation": [id] } }));
        assert_eq!(found[0]["products"], expected, "{id}");
    };
    let u = json!({
        "@id": "pkg:rpm/u@1", "identifiers": { "purl": "pkg:rpm/u@1", "cpe22": "cpe:/a:v:u:1" },
        "hashes": { "sha-256": "aa" }
    });
    let cpe = "cpe:2.3:o:v:c:1:*:*:*:*:*:*:*";
    let c = json!({ "@id": cpe, "identifiers": { "cpe23": cpe } });
    let mut c_with_u = c.clone();
    c_with_u["subcomponents"] = json!([u]);
    check("N", json!([{ "@id": "Product N" }]));
    check("U", json!([u]));
    check("C", json!([c]));
    check("C:U", json!([c_with_u]));
    let purl = |purl: &str| json!({ "@id": purl, "identifiers": { "purl": purl } });
    check("C:X", json!([purl("pkg:rpm/x@1")]));
    check("M", json!([purl("pkg:rpm/m@1"), purl("pkg:rpm/m@2")]));
    let (found, warnings) =
        statements(&document(json!({ "product_status": { "fixed": ["nowhere"] } }), json!({})));
    assert_eq!(found[0]["products"], json!([{ "@id": "nowhere" }]));
    assert!(warnings[0].contains("does not describe, such as nowhere"), "{warnings:?}");
    // A product that is a part of itself has an end.
    assert_eq!(of(json!({ "product_status": { "fixed": ["L"] } })).len(), 1);
}

#[test]
fn each_group_of_products_has_its_status_once() {
    let found = of(json!({ "product_status": {
        "known_affected": ["N", "U"], "first_affected": ["N"], "last_affected": ["U"],
        "known_not_affected": ["C"], "fixed": ["C:U"], "first_fixed": ["C:U"],
        "under_investigation": ["M"], "recommended": ["C:X"]
    } }));
    let told: Vec<_> = found
        .iter()
        .map(|s| (s["status"].as_str().unwrap(), s["products"].as_array().unwrap().len()))
        .collect();
    assert_eq!(
        told,
        [("not_affected", 1), ("affected", 2), ("fixed", 1), ("under_investigation", 2)]
    );
}

#[test]
fn products_of_which_the_same_is_said_share_a_statement() {
    let found = of(json!({
        "ids": [{ "system_name": "s", "text": "X-1" }],
        "product_status": { "known_not_affected": ["C", "N", "U", "M"], "known_affected": ["C:U", "C:X"] },
        "flags": [{ "label": "component_not_present", "group_ids": ["G"] }],
        "threats": [
            { "category": "impact", "details": "None. ", "product_ids": ["M"] },
            { "category": "exploit_status", "details": "Seen.", "product_ids": ["C"] }
        ],
        "remediations": [
            { "category": "vendor_fix", "details": "Update.", "url": "https://p.example/1", "product_ids": ["C:U"] },
            { "category": "workaround", "details": "Stop it." }
        ]
    }));
    let told: Vec<_> = found
        .iter()
        .map(|s| {
            let because = ["justification", "impact_statement", "action_statement"];
            let because = because.into_iter().find_map(|name| s[name].as_str()).unwrap();
            (s["products"].as_array().unwrap().len(), because)
        })
        .collect();
    assert_eq!(
        told,
        [
            (1, "the source states neither a justification nor an impact"),
            (2, "component_not_present"),
            (2, "None."),
            (1, "vendor_fix: Update. (https://p.example/1); workaround: Stop it."),
            (1, "workaround: Stop it."),
        ]
    );
    assert_eq!(found[0]["vulnerability"], json!({ "name": "CVE-1", "aliases": ["X-1"] }));
}

#[test]
fn a_vulnerability_is_named_by_what_there_is() {
    let status = json!({ "fixed": ["N"] });
    let named = |more: Value| {
        let mut vulnerability = json!({ "cve": null, "product_status": status });
        vulnerability.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        document(vulnerability, json!({}))
    };
    let name = |more: Value| statements(&named(more)).0[0]["vulnerability"]["name"].clone();
    assert_eq!(
        name(json!({ "ids": [{ "system_name": "s", "text": "X-1" }], "title": "T" })),
        "X-1"
    );
    assert_eq!(name(json!({ "title": "T" })), "T");
    assert!(refusal(&named(json!({}))).contains("with a CVE or another identifier"));
}

#[test]
fn refuses_what_says_nothing_that_counts() {
    let of = |vulnerability: Value, change: fn(&mut Value)| {
        let mut document = document(vulnerability, json!({}));
        change(&mut document);
        refusal(&document)
    };
    let status = || json!({ "product_status": { "fixed": ["N"] } });
    for (told, expected) in [
        (of(json!({}), |_| ()), "with its status for a product in r, found none"),
        (
            of(json!({ "product_status": { "fixed": ["N"], "known_affected": ["N"] } }), |_| ()),
            "one status for the product Product N in r, found known_affected and fixed",
        ),
        (of(status(), |d| d["document"]["category"] = "csaf_withdrawn".into()), "csaf_withdrawn"),
        (of(status(), |d| d["document"]["csaf_version"] = "1.2".into()), "CSAF 2.0 or 2.1"),
        (
            of(
                json!({
                    "product_status": { "known_not_affected": ["N"] },
                    "flags": [{ "label": "x", "product_ids": ["N"] }]
                }),
                |_| (),
            ),
            "a label of CSAF",
        ),
        (of(status(), |d| d["document"]["publisher"] = Value::Null), "a CSAF document"),
    ] {
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn a_draft_is_told_of() {
    let mut draft = document(json!({ "product_status": { "fixed": ["N"] } }), json!({}));
    draft["document"]["tracking"]["status"] = "draft".into();
    let (_, warnings) = statements(&draft);
    assert!(warnings[0].contains("is a draft"), "{warnings:?}");
}
