//! `vuln-scan`.

use super::*;

const LEEWAY: &str = "block = \"high\"\nmax_age = \"1d\"\nleeway = { high = \"7d\" }";

/// A scan of one high vulnerability with what else is known of it.
pub(super) fn annotated(id: &str, annotations: Value, at: &str) -> Saying {
    let result = json!({
        "id": id,
        "severity": [{ "method": "trivy", "score": "high" }],
        "annotations": [annotations],
    });
    scan_of(vec![result], at)
}

pub(super) fn vex(signer: &str, status: &str, name: &str, more: Value) -> Saying {
    let mut statement = json!({ "vulnerability": { "name": name }, "status": status });
    if status == "not_affected" {
        statement["justification"] = "component_not_present".into();
    }
    if status == "affected" {
        statement["action_statement"] = "update".into();
    }
    for (member, value) in more.as_object().unwrap() {
        statement[member] = value.clone();
    }
    let document = json!({
        "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://vex.example/1",
        "author": "triage", "timestamp": "2026-11-01T00:00:00Z", "version": 1,
        "statements": [statement],
    });
    Saying::of(signer, "openvex", document)
}

#[test]
fn what_is_as_grave_as_the_policy_says_blocks() {
    let mut trial = Trial::of(&rule("vuln-scan", "block = \"high\""));
    trial.fails("vuln-scan", &["vuln-scan"]);
    trial.say(scanned(&[("CVE-1", "MEDIUM"), ("CVE-2", "6.9")], LOGGED));
    trial.passes("vuln-scan");
    trial.say(scanned(&[("CVE-3", "HIGH"), ("CVE-4", "9.8"), ("CVE-5", "low")], LOGGED));
    trial.fails("vuln-scan", &["CVE-3", "CVE-4"]);
}

#[test]
fn the_gravest_rating_counts_and_a_vector_is_none() {
    let mut trial = Trial::of(&rule("vuln-scan", "block = \"high\""));
    let result = json!({ "id": "CVE-1", "severity": [
        { "method": "a", "score": "low" },
        { "method": "b_vector", "score": "9.9" },
        { "method": "c", "score": "medium" },
    ]});
    trial.say(scan_of(vec![result.clone()], LOGGED));
    trial.passes("vuln-scan");
    let mut worse = result;
    worse["severity"][0]["score"] = "7.0".into();
    trial.say(scan_of(vec![worse], LOGGED));
    trial.fails("vuln-scan", &["CVE-1"]);
}

#[test]
fn a_rating_that_is_not_read_is_not_hidden_by_one_that_is() {
    let vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
    for (method, score, passes) in [
        ("ghsa", vector, false),
        ("vendor", "Very High", false),
        ("vendor", "9,8", false),
        ("vendor", "unknown", true),
        ("ghsa_cvss_v3_vector", vector, true),
    ] {
        let mut trial = Trial::of(&rule("vuln-scan", "block = \"critical\""));
        let ratings =
            json!([{ "method": "nvd", "score": "low" }, { "method": method, "score": score }]);
        trial.say(scan_of(vec![json!({ "id": "CVE-1", "severity": ratings })], LOGGED));
        let outcome = trial.answer("vuln-scan").outcome;
        assert_eq!(outcome == Outcome::Pass, passes, "{method} {score}");
    }
}

#[test]
fn what_nobody_rated_blocks_where_low_does_and_what_is_not_read_as_the_gravest() {
    let vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
    for (block, score) in [
        ("low", "unknown"),
        ("critical", "NaN"),
        ("critical", "-1"),
        ("critical", "URGENT"),
        ("critical", vector),
    ] {
        let mut trial = Trial::of(&rule("vuln-scan", &format!("block = \"{block}\"")));
        trial.say(scanned(&[("CVE-1", score)], LOGGED));
        trial.fails("vuln-scan", &["CVE-1"]);
    }
    let mut trial = Trial::of(&rule("vuln-scan", "block = \"medium\""));
    trial.say(scanned(&[("CVE-1", "Unknown")], LOGGED));
    trial.passes("vuln-scan");
}

#[test]
fn the_newest_scan_of_each_scanner_counts() {
    let mut trial = Trial::of(&rule("vuln-scan", "block = \"high\""));
    trial.say(scanned(&[("CVE-1", "high")], "2026-11-27T08:00:00Z"));
    trial.say(scanned(&[], "2026-11-27T09:00:00Z"));
    trial.passes("vuln-scan");
    let mut other = scanned(&[("CVE-2", "high")], "2026-11-27T07:00:00Z");
    other.predicate["scanner"]["uri"] = "pkg:github/anchore/grype".into();
    trial.say(other);
    trial.fails("vuln-scan", &["CVE-2"]);
}

#[test]
fn a_newer_scan_that_finds_something_is_never_hidden_behind_an_older_clean_one() {
    let mut trial = Trial::of(&rule("vuln-scan", "block = \"high\""));
    trial.say(scanned(&[("CVE-1", "high")], "2026-11-27T09:00:00Z"));
    // Logged later, and scanned before.
    trial.say(scanned(&[], "2026-11-27T08:00:00Z").at("2026-11-27T09:30:00Z"));
    trial.fails("vuln-scan", &["CVE-1"]);
}

#[test]
fn each_named_scanner_must_have_scanned() {
    let mut trial =
        Trial::of(&rule("vuln-scan", "block = \"high\"\nscanners = [\"trivy\", \"grype\"]"));
    trial.say(scanned(&[], LOGGED));
    trial.fails("vuln-scan", &["grype"]);
    let mut fake = scanned(&[], LOGGED);
    fake.predicate["scanner"]["uri"] = "pkg:github/evil/not-grype".into();
    trial.say(fake);
    trial.fails("vuln-scan", &["grype"]);
    let mut real = scanned(&[], LOGGED);
    real.predicate["scanner"]["uri"] = "pkg:github/anchore/grype@0.80.0".into();
    trial.say(real);
    trial.passes("vuln-scan");
}

#[test]
fn what_a_scan_does_not_list_blocks_by_its_severity() {
    let mut trial = Trial::of(&rule("vuln-scan", "block = \"high\""));
    let mut scan = scanned(&[], LOGGED);
    scan.predicate["https://attestry.dev/evidence/v1"] = json!({ "unlisted": { "medium": 3 } });
    trial.say(scan);
    trial.passes("vuln-scan");
    let mut scan = scanned(&[], "2026-11-27T09:30:00Z");
    scan.predicate["https://attestry.dev/evidence/v1"] = json!({ "unlisted": { "high": 3 } });
    trial.say(scan);
    trial.fails("vuln-scan", &["unlisted"]);
}

#[test]
fn leeway_begins_with_publication_and_ends_by_itself() {
    let mut trial = Trial::of(&rule("vuln-scan", LEEWAY));
    let published = json!({ "publishedDate": "2026-11-20T22:00:00Z" });
    trial.say(annotated("CVE-1", published, "2026-11-27T09:00:00Z"));
    trial.passes("vuln-scan");
    trial.turns_at("2026-11-27T22:00:00Z");
    trial.fails("vuln-scan", &["CVE-1"]);
}

#[test]
fn leeway_is_of_one_severity() {
    let mut trial = Trial::of(&rule("vuln-scan", LEEWAY));
    trial.say(scanned(&[("CVE-1", "critical"), ("CVE-2", "high")], LOGGED));
    trial.fails("vuln-scan", &["CVE-1"]);
}

#[test]
fn a_first_sight_is_remembered_beyond_the_age_of_a_scan() {
    let mut trial = Trial::of(&rule("vuln-scan", LEEWAY));
    trial.say(annotated("GHSA-1", json!({}), "2026-11-19T09:00:00Z"));
    let now = || annotated("CVE-1", json!({ "aliases": ["GHSA-1"] }), "2026-11-27T09:00:00Z");
    trial.say(now());
    trial.fails("vuln-scan", &["CVE-1"]);
    let mut trial = Trial::of(&rule("vuln-scan", LEEWAY));
    trial.say(annotated("CVE-1", json!({}), "2026-11-27T09:00:00Z"));
    trial.passes("vuln-scan");
}

#[test]
fn a_date_of_publication_puts_nothing_off() {
    let mut trial = Trial::of(&rule("vuln-scan", LEEWAY));
    let future = json!({ "publishedDate": "2099-01-01T00:00:00Z" });
    trial.say(annotated("CVE-1", future.clone(), "2026-11-20T09:00:00Z"));
    trial.say(annotated("CVE-1", future, "2026-11-27T09:00:00Z"));
    trial.fails("vuln-scan", &["CVE-1"]);
}

#[test]
fn vex_counts_by_named_signers_only() {
    let found = || scanned(&[("CVE-1", "high")], LOGGED);
    let mut trial = Trial::of(&rule("vuln-scan", "block = \"high\"\nvex = [\"triage\"]"));
    trial.signer("vendor", "vendor", "may = [\"openvex\"]\n");
    trial.say(found()).say(vex("vendor", "not_affected", "CVE-1", json!({})));
    trial.fails("vuln-scan", &["CVE-1"]);
    trial.say(vex("triage", "not_affected", "CVE-1", json!({})));
    assert_eq!(trial.passes("vuln-scan").evidence.len(), 2);
    let mut trial = Trial::of(&rule("vuln-scan", "block = \"high\""));
    trial.say(found()).say(vex("triage", "not_affected", "CVE-1", json!({})));
    trial.fails("vuln-scan", &["CVE-1"]);
}

#[test]
fn the_newest_assessment_counts_under_any_name_of_the_vulnerability() {
    let mut trial = Trial::of(&rule("vuln-scan", "block = \"high\"\nvex = [\"triage\"]"));
    trial.say(annotated("GHSA-1", json!({ "aliases": ["CVE-1"] }), LOGGED));
    trial.say(vex("triage", "fixed", "CVE-1", json!({})));
    trial.passes("vuln-scan");
    trial.say(vex("triage", "affected", "CVE-1", json!({})));
    trial.fails("vuln-scan", &["GHSA-1"]);
}

/// A decision about one high finding in Debian's libssl3, with an assessment of these products.
#[track_caller]
#[test]
fn an_assessment_is_as_new_as_it_says_and_not_as_it_came() {
    let dated = |signer: &str, status: &str, times: [&str; 2]| {
        let mut saying = vex(signer, status, "CVE-1", json!({}));
        saying.predicate["timestamp"] = times[0].into();
        if !times[1].is_empty() {
            saying.predicate["last_updated"] = times[1].into();
        }
        saying
    };
    let (january, november) = ("2026-01-01T00:00:00Z", "2026-11-01T00:00:00Z");
    let mut trial = Trial::of(&rule("vuln-scan", "block = \"high\"\nvex = [\"triage\"]"));
    trial.say(scanned(&[("CVE-1", "high")], LOGGED));
    trial.say(dated("triage", "affected", [november, ""]));
    trial.say(dated("triage", "not_affected", [january, ""]).at("2026-11-27T09:30:00Z"));
    trial.fails("vuln-scan", &["CVE-1"]);
    // The same document, changed since, and one that claims a time to come.
    trial.say(dated("triage", "not_affected", [january, "2026-11-02T00:00:00Z"]));
    trial.passes("vuln-scan");
    trial.say(dated("triage", "affected", ["2027-11-01T00:00:00Z", ""]).at("2026-11-27T09:40:00Z"));
    trial.fails("vuln-scan", &["CVE-1"]);
    trial.say(
        dated("triage", "not_affected", ["2027-01-01T00:00:00Z", ""]).at("2026-11-27T09:50:00Z"),
    );
    trial.passes("vuln-scan");
}

fn with_products(status: &str, more: &Value, passes: bool) {
    let mut trial = Trial::of(&rule("vuln-scan", "block = \"high\"\nvex = [\"triage\"]"));
    let package =
        json!({ "package": "libssl3", "purl": "pkg:deb/debian/libssl3@3.0.8-1?arch=amd64" });
    trial.say(annotated("CVE-1", package, LOGGED));
    if status == "affected" {
        trial.say(vex("triage", "not_affected", "CVE-1", json!({})).at("2026-11-27T08:00:00Z"));
    }
    trial.say(vex("triage", status, "CVE-1", more.clone()));
    assert_eq!(trial.decide().passed(), passes, "{status}: {more}");
}

#[test]
fn an_assessment_is_of_the_artifact_or_package_that_it_names() {
    let products = |list: Value| json!({ "products": list });
    let id = |text: &str| json!([{ "@id": text }]);
    let image = |digest: Sha256| format!("pkg:oci/api@sha256%3A{}", digest.hex());
    let inside = |package: &str| json!([{ "@id": image(artifact()), "subcomponents": [{ "@id": package }] }]);
    let purl = |text: &str| json!([{ "identifiers": { "purl": text } }]);
    let this = [
        json!({}),
        json!({ "products": null }),
        products(json!([])),
        products(id(&image(artifact()))),
        products(json!([image(artifact())])),
        products(
            json!([{ "@id": "x:y", "hashes": { "sha-256": artifact().hex().to_ascii_uppercase() } }]),
        ),
        products(json!([{ "@id": image(other_artifact()) }, { "@id": image(artifact()) }])),
        products(id(NAME)),
        products(id("pkg:oci/api")),
        products(id("pkg:oci/API?repository_url=pay/api")),
        products(id("pkg:deb/debian/libssl3")),
        products(purl("pkg:deb/debian/libssl3@3.0.8-1?arch=amd64")),
        products(json!(["pkg:deb/debian/libssl3@3.0.8-1"])),
        products(inside("pkg:deb/debian/libssl3@3.0.8-1")),
        json!({ "products": [image(artifact())], "subcomponents": ["pkg:deb/debian/libssl3"] }),
    ];
    let other = [
        products(id(&image(other_artifact()))),
        products(json!([{ "@id": "x:y", "hashes": { "sha-256": other_artifact().hex() } }])),
        products(id("pkg:deb/debian/libcrypto3")),
        products(id("pkg:deb/debian/libssl3@3.0.8-2")),
        products(id("pkg:deb/debian/libssl3?arch=arm64")),
        products(id(&format!(
            "pkg:oci/web@sha256%3A{}?base=sha256:{}",
            other_artifact().hex(),
            artifact().hex()
        ))),
        products(
            json!([{ "@id": format!("registry.example/web@sha256:{}", other_artifact().hex()) }]),
        ),
        products(inside("pkg:deb/debian/libcrypto3")),
        json!({ "products": [image(artifact())], "subcomponents": ["pkg:deb/debian/libcrypto3"] }),
    ];
    let unclear = [
        products(inside("libssl3")),
        products(id("libssl3")),
        products(id("pkg:generic/api@1.0")),
        products(id("pkg:deb/debian/libssl3?distro=debian-12")),
        products(id("pkg:deb/debian/libssl3#etc")),
        products(
            json!([{ "@id": "pkg:deb/debian/libssl3", "identifiers": { "purl": "pkg:deb/debian/libcrypto3" } }]),
        ),
        products(
            json!([{ "@id": "pkg:golang/x.example/api", "subcomponents": [{ "@id": "pkg:deb/debian/libssl3" }] }]),
        ),
        products(id(&format!("https://other.example/x?base=sha256:{}", artifact().hex()))),
        products(
            json!([{ "@id": image(artifact()), "hashes": { "sha-256": other_artifact().hex() } }]),
        ),
        products(id("pkg:oci/web")),
        products(id("pkg:oci/api?repository_url=elsewhere/api")),
        products(id("pkg:oci/api?tag=2")),
        products(id("https://product.example/api")),
        products(json!([{}])),
        products(json!([7])),
        products("https://product.example/api".into()),
        products(json!([{ "hashes": { "sha-512": "00" } }])),
        products(inside("https://package.example/libssl3")),
        json!({ "subcomponents": ["pkg:deb/debian/libssl3"] }),
    ];
    for (list, harmless, harmful) in
        [(&this[..], true, false), (&other[..], false, true), (&unclear[..], false, false)]
    {
        for more in list {
            with_products("not_affected", more, harmless);
            with_products("affected", more, harmful);
        }
    }
}

#[test]
fn what_is_said_of_this_very_package_outweighs_a_doubt_of_the_same_document_alone() {
    let statement = |status: &str, product: &str, more: Value| {
        let mut said = json!({ "vulnerability": { "name": "cve-1" }, "status": status,
            "products": [{ "@id": product }] });
        for (member, value) in more.as_object().unwrap() {
            said[member] = value.clone();
        }
        said
    };
    let harmless = || {
        statement(
            "not_affected",
            "pkg:deb/debian/libssl3",
            json!({ "justification": "component_not_present" }),
        )
    };
    let doubt = || {
        statement(
            "affected",
            "https://product.example/api",
            json!({ "action_statement": "update" }),
        )
    };
    let decide = |documents: &[Vec<Value>]| {
        let mut trial = Trial::of(&rule("vuln-scan", "block = \"high\"\nvex = [\"triage\"]"));
        let package = json!({ "package": "libssl3", "purl": "pkg:deb/debian/libssl3@3.0.8-1" });
        trial.say(annotated("CVE-1", package, LOGGED));
        for (minute, statements) in documents.iter().enumerate() {
            let document = json!({
                "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://vex.example/1",
                "author": "triage", "timestamp": "2026-11-01T00:00:00Z", "version": 1,
                "statements": statements,
            });
            let at = format!("2026-11-27T08:0{minute}:00Z");
            trial.say(Saying::of("triage", "openvex", document).at(&at));
        }
        trial.decide().passed()
    };
    assert!(decide(&[vec![harmless(), doubt()]]));
    assert!(decide(&[vec![doubt()], vec![harmless()]]));
    assert!(!decide(&[vec![harmless()], vec![doubt()]]));
    assert!(!decide(&[vec![doubt()]]));
    let mut later = doubt();
    later["timestamp"] = "2026-11-02T00:00:00Z".into();
    assert!(!decide(&[vec![later, harmless()]]), "it was said later");
    // Within a document the newest by its own time counts, wherever it stands.
    let affected = |time: &str| {
        let more = json!({ "action_statement": "update", "timestamp": time });
        statement("affected", "pkg:deb/debian/libssl3", more)
    };
    assert!(!decide(&[vec![affected("2026-11-02T00:00:00Z"), harmless()]]));
    assert!(decide(&[vec![affected("2026-10-02T00:00:00Z"), harmless()]]));
    assert!(!decide(&[vec![harmless(), affected("2026-11-01T00:00:00Z")]]));
}

#[test]
fn what_is_assessed_elsewhere_is_told() {
    let mut trial = Trial::of(&rule("vuln-scan", "block = \"high\"\nvex = [\"triage\"]"));
    trial.say(annotated("CVE-1", json!({ "package": "libssl3" }), LOGGED));
    let web = json!({ "products": [{ "@id": "pkg:oci/web" }] });
    let document = trial.held(vex("triage", "not_affected", "CVE-1", web));
    let answer = trial.answer("vuln-scan");
    assert_eq!(
        answer.findings.first().unwrap().text,
        format!(
            "CVE-1 (high) in libssl3; {} says not_affected: component_not_present of pkg:oci/web, which is another",
            case::short(document)
        )
    );
}

#[test]
fn many_findings_do_not_take_quadratic_time() {
    let ids: Vec<String> = (0..10_000).map(|n| format!("CVE-{n}")).collect();
    let found: Vec<(&str, &str)> = ids.iter().map(|id| (id.as_str(), "critical")).collect();
    let mut trial = Trial::of(&rule("vuln-scan", &format!("{LEEWAY}\nvex = [\"triage\"]")));
    trial.say(scanned(&found, "2026-11-25T09:00:00Z")).say(scanned(&found, LOGGED));
    let answer = trial.answer("vuln-scan");
    assert_eq!(answer.findings.last().unwrap().text, "9900 more findings");
}

#[test]
fn a_vector_counts_where_nobody_has_rated_it_otherwise() {
    let vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
    let vector = json!({ "method": "cvss_v3_vector", "score": vector });
    let unknown = json!({ "method": "pkg:x/scanner", "score": "unknown" });
    for severity in [json!([vector]), json!([unknown, vector]), json!([vector, unknown])] {
        let mut trial = Trial::of(&rule("vuln-scan", "block = \"critical\""));
        trial.say(scan_of(vec![json!({ "id": "CVE-1", "severity": severity })], LOGGED));
        trial.fails("vuln-scan", &["CVE-1"]);
    }
}

#[test]
fn what_is_not_listed_and_not_counted_could_be_critical() {
    let unlisted = |value: Value| {
        let mut scan = scanned(&[], "2026-11-27T09:30:00Z");
        scan.predicate["https://attestry.dev/evidence/v1"] = json!({ "unlisted": value });
        let mut trial = Trial::of(&rule("vuln-scan", "block = \"critical\""));
        trial.say(scanned(&[], LOGGED)).say(scan);
        trial.decide().passed()
    };
    for value in [json!({ "critical": "3" }), json!({ "low": 3.5 }), json!(3)] {
        assert!(!unlisted(value.clone()), "{value}");
    }
    for value in [json!({ "high": 3 }), json!({}), Value::Null] {
        assert!(unlisted(value.clone()), "{value}");
    }
}
