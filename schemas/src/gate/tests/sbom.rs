//! `sbom`.

use super::*;

pub(super) fn cyclonedx(components: Value) -> Saying {
    let bom = json!({ "bomFormat": "CycloneDX", "specVersion": "1.6", "components": components });
    Saying::of("ci", "cyclonedx", bom)
}

fn component(purl: &str, license: &str) -> Value {
    json!({
        "type": "library", "name": "x", "purl": purl,
        "licenses": [{ "license": { "id": license } }],
    })
}

fn spdx3(elements: Value) -> Saying {
    let bom = json!({
        "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
        "@graph": elements,
    });
    Saying::of("ci", "spdx", bom)
}

const DENY: &str = "deny_components = [\"pkg:npm/left-pad\"]\ndeny_licenses = [\"AGPL-3.0-only\", \"Some Licence\"]";

#[test]
fn a_bill_must_be_there_and_of_a_demanded_kind() {
    let mut trial = Trial::of(&rule("sbom", "kinds = [\"spdx\"]"));
    trial.say(cyclonedx(json!([])));
    trial.fails("sbom", &["sbom"]);
    let mut trial = Trial::of(&rule("sbom", ""));
    trial.say(cyclonedx(json!([component("pkg:npm/a@1", "MIT")])));
    assert_eq!(trial.passes("sbom").found, "1 with 1 components by package URL");
}

#[test]
fn denied_components_are_found_in_any_spelling_and_depth() {
    for purl in ["pkg:npm/left-pad@1.3.0", "pkg:npm/Left-Pad@1?arch=x", "pkg:npm/left%2Dpad"] {
        let mut trial = Trial::of(&rule("sbom", DENY));
        let mut nested = component(purl, "MIT");
        for _ in 0..20 {
            nested = json!({ "type": "library", "name": "outer", "components": [nested] });
        }
        trial.say(cyclonedx(json!([nested])));
        trial.fails("sbom", &[purl]);
    }
    let mut trial = Trial::of(&rule("sbom", DENY));
    trial.say(cyclonedx(json!([component("pkg:npm/left-pad-2@1", "MIT")])));
    trial.passes("sbom");
}

#[test]
fn denied_licences_are_found_alone_in_expressions_and_in_any_case() {
    let purl = "pkg:npm/a@1";
    for license in ["AGPL-3.0-only", "agpl-3.0-ONLY", "(MIT OR AGPL-3.0-only)", "Some Licence"] {
        let mut trial = Trial::of(&rule("sbom", DENY));
        let mut nested = component(purl, license);
        for _ in 0..20 {
            nested = json!({ "type": "library", "name": "outer", "components": [nested] });
        }
        trial.say(cyclonedx(json!([nested])));
        trial.fails("sbom", &[&format!("{license} {purl}")]);
    }
    let mut trial = Trial::of(&rule("sbom", DENY));
    trial.say(cyclonedx(json!([component(purl, "AGPL-3.0-only-not")])));
    trial.passes("sbom");
}

#[test]
fn what_the_bill_is_about_and_what_was_found_inside_are_looked_at_too() {
    let finds = |bom: Value, findings: &[&str]| {
        let mut trial = Trial::of(&rule("sbom", DENY));
        trial.say(Saying::of("ci", "cyclonedx", bom));
        trial.fails("sbom", findings);
    };
    let with = |member: &str, value: Value| {
        let mut bom = json!({ "bomFormat": "CycloneDX", "specVersion": "1.6", "components": [] });
        bom[member] = value;
        bom
    };
    let main = |component: Value| with("metadata", json!({ "component": component }));
    finds(main(component("pkg:npm/left-pad@1.3.0", "MIT")), &["pkg:npm/left-pad@1.3.0"]);
    finds(main(component("pkg:npm/a@1", "AGPL-3.0-only")), &["AGPL-3.0-only pkg:npm/a@1"]);
    let mut inner = component("pkg:npm/outer@1", "MIT");
    inner["components"] = json!([component("pkg:npm/left-pad@1", "AGPL-3.0")]);
    let expected = ["pkg:npm/left-pad@1", "AGPL-3.0 pkg:npm/left-pad@1"];
    finds(main(inner.clone()), &expected);
    finds(with("components", json!([inner])), &expected);
    for choice in [
        json!({ "license": { "id": "AGPL-3.0-or-later" } }),
        json!({ "expression": "AGPL-3.0-or-later" }),
    ] {
        let mut observed = component("pkg:npm/a@1", "MIT");
        observed["evidence"] = json!({ "licenses": [choice] });
        finds(with("components", json!([observed])), &["AGPL-3.0-or-later pkg:npm/a@1"]);
        finds(main(observed), &["AGPL-3.0-or-later pkg:npm/a@1"]);
    }
    // What it is about is no component of itself: a bill that passed is answered in the same words as before.
    let mut trial = Trial::of(&rule("sbom", DENY));
    trial.say(Saying::of("ci", "cyclonedx", main(component("pkg:npm/a@1", "MIT"))));
    assert_eq!(trial.passes("sbom").found, "1 with 0 components by package URL");
}

#[test]
fn licences_of_spdx_2_and_3_are_read() {
    let mut trial = Trial::of(&rule("sbom", DENY));
    let document = json!({
        "spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "x",
        "dataLicense": "CC0-1.0", "documentNamespace": "https://x.example/1",
        "creationInfo": { "created": "2026-11-27T08:00:00Z", "creators": ["Tool: t"] },
        "packages": [{
            "SPDXID": "SPDXRef-a", "name": "a", "downloadLocation": "NOASSERTION",
            "licenseConcluded": "NOASSERTION", "licenseDeclared": "AGPL-3.0-only",
        }],
    });
    let mut older = document.clone();
    trial.say(Saying::of("ci", "spdx", document));
    trial.fails("sbom", &["AGPL-3.0-only a"]);
    for member in ["licenseConcluded", "licenseDeclared"] {
        older["packages"][0][member] = "(MIT AND AGPL-3.0)".into();
        let mut trial = Trial::of(&rule("sbom", DENY));
        trial.say(Saying::of("ci", "spdx", older.clone()));
        trial.fails(
            "sbom",
            match member {
                "licenseConcluded" => &["(MIT AND AGPL-3.0) a", "AGPL-3.0-only a"],
                _ => &["(MIT AND AGPL-3.0) a"],
            },
        );
    }

    let info = json!({
        "type": "CreationInfo", "@id": "_:c", "specVersion": "3.0.1",
        "created": "2026-11-27T08:00:00Z", "createdBy": ["https://x.example/agent"],
    });
    let document = json!({
        "type": "SpdxDocument", "spdxId": "https://x.example/d", "creationInfo": "_:c",
        "rootElement": ["https://x.example/a"],
    });
    for (element, finding) in [
        (
            json!({
                "type": "simplelicensing_LicenseExpression", "spdxId": "https://x.example/l",
                "creationInfo": "_:c", "simplelicensing_licenseExpression": "AGPL-3.0-only",
            }),
            "AGPL-3.0-only https://x.example/l",
        ),
        (
            json!({
                "type": "Relationship", "spdxId": "https://x.example/r", "creationInfo": "_:c",
                "relationshipType": "hasDeclaredLicense", "from": "https://x.example/a",
                "to": ["https://spdx.org/licenses/AGPL-3.0-only"],
            }),
            "AGPL-3.0-only https://x.example/a",
        ),
    ] {
        let mut trial = Trial::of(&rule("sbom", DENY));
        trial.say(spdx3(json!([info, document, element])));
        trial.fails("sbom", &[finding]);
    }
}

#[test]
fn a_second_bill_of_another_signer_does_not_hide_what_the_first_lists() {
    let mut trial = Trial::of(&rule("sbom", DENY));
    trial.signer("tool", "tool", "may = [\"cyclonedx\"]\n");
    trial.say(cyclonedx(json!([component("pkg:npm/left-pad@1", "MIT")])));
    trial.say(cyclonedx(json!([])).by_key("tool").at("2026-11-27T09:30:00Z"));
    trial.fails("sbom", &["pkg:npm/left-pad@1"]);
    trial.say(cyclonedx(json!([])).at("2026-11-27T09:40:00Z"));
    trial.passes("sbom");
}

#[test]
fn a_bill_with_more_than_is_read_denies_where_something_is_denied() {
    let many: Vec<Value> = (0..17_000)
        .map(|n| json!({ "type": "library", "name": "x", "purl": format!("pkg:npm/p{n}@1") }))
        .collect();
    let mut trial = Trial::of(&rule("sbom", DENY));
    trial.say(cyclonedx(many.clone().into()));
    trial.fails("sbom", &["truncated"]);
    let mut trial = Trial::of(&rule("sbom", ""));
    trial.say(cyclonedx(many.into()));
    trial.passes("sbom");
}

#[test]
fn a_bill_is_as_old_as_it_says() {
    let mut trial = Trial::of(&rule("sbom", "max_age = \"1d\""));
    let mut saying = cyclonedx(json!([]));
    saying.predicate["metadata"] = json!({ "timestamp": "2026-11-20T00:00:00+02:00" });
    trial.say(saying);
    trial.fails("sbom", &["sbom"]);
}

#[test]
fn a_licence_is_found_wherever_a_document_has_it() {
    let rules = rule("sbom", "deny_licenses = [\"GPL-3.0\"]");
    let fails = |saying: Saying, finding: &str| {
        let mut trial = Trial::of(&rules);
        trial.say(saying);
        trial.fails("sbom", &[finding]);
    };
    let spdx = |member: &str, value: Value| {
        let mut document = json!({
            "spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "x",
            "dataLicense": "CC0-1.0", "documentNamespace": "https://x.example/1",
            "creationInfo": { "created": "2026-11-27T08:00:00Z", "creators": ["Tool: t"] },
        });
        document[member] = value;
        Saying::of("ci", "spdx", document)
    };
    let package = |member: &str, value: Value| {
        let mut package =
            json!({"name": "x", "SPDXID": "SPDXRef-x", "downloadLocation": "NOASSERTION"});
        package[member] = value;
        spdx("packages", json!([package]))
    };
    fails(package("licenseInfoFromFiles", json!(["GPL-3.0-only"])), "GPL-3.0-only x");
    let file = json!({"fileName": "./a.c", "SPDXID": "SPDXRef-f", "checksums": [], "licenseInfoInFiles": ["NONE", "GPL-3.0-or-later"]});
    fails(spdx("files", json!([file])), "GPL-3.0-or-later ./a.c");
    let other = json!({"licenseId": "LicenseRef-1", "extractedText": "…", "name": "GPL-3.0"});
    fails(spdx("hasExtractedLicensingInfos", json!([other])), "GPL-3.0 LicenseRef-1");
    let choice = |choice: Value| {
        let part = json!({"type": "library", "name": "x", "licenses": [choice]});
        cyclonedx(json!([part]))
    };
    fails(choice(json!({"expression": "MIT/GPL-3.0"})), "MIT/GPL-3.0 x");
    let url = "https://spdx.org/licenses/GPL-3.0-only.html";
    fails(choice(json!({"license": {"name": "x", "url": url}})), &format!("{url} x"));
    fails(choice(json!({"license": {"id": "MIT"}, "expression": "GPL-3.0+"})), "GPL-3.0+ x");
}

#[test]
fn an_older_bill_that_is_signed_again_hides_no_newer_one() {
    let clean = || cyclonedx(json!([component("pkg:npm/a@1", "MIT")]));
    let denied = || cyclonedx(json!([component("pkg:npm/left-pad@1", "MIT")]));
    let mut trial = Trial::of(&rule("sbom", DENY));
    trial.say(clean().at("2026-11-27T07:00:00Z")).say(denied().at("2026-11-27T08:00:00Z"));
    trial.say(clean().at("2026-11-27T09:00:00Z"));
    trial.fails("sbom", &["pkg:npm/left-pad@1"]);
    // Nor is it newer at the same second.
    let mut trial = Trial::of(&rule("sbom", DENY));
    trial.say(clean().at(LOGGED)).say(denied().at(LOGGED)).say(clean().at(NOW));
    trial.fails("sbom", &["pkg:npm/left-pad@1"]);
    let mut trial = Trial::of(&rule("sbom", DENY));
    trial.say(denied().at("2026-11-27T07:00:00Z")).say(clean().at("2026-11-27T08:00:00Z"));
    trial.passes("sbom");
    trial.say(denied().at("2026-11-27T09:00:00Z"));
    trial.fails("sbom", &["pkg:npm/left-pad@1"]);
    // And what was said against it again is not hidden behind what was said for it before.
    trial.say(clean().at("2026-11-27T09:30:00Z"));
    trial.fails("sbom", &["pkg:npm/left-pad@1"]);
}
