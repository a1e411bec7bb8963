//! VEX documents of real sources, and small ones of every odd kind.

mod csaf;
mod cyclonedx;
mod openvex;

use attestry_schemas::predicate::{Role, facts};

use super::super::samples::{predicate_of, product, read_as, sample};
use super::super::{Fit, import, recognise};
use super::*;

/// Totals in their order: statements, vulnerabilities, and each status.
const SAMPLES: &[(&str, &str, [u64; 6])] = &[
    ("vex/openvex-0.2.0-spec-demo.json", "openvex", [5, 5, 2, 0, 3, 0]),
    ("vex/openvex-demo1.json", "openvex", [1, 1, 0, 0, 1, 0]),
    ("vex/cyclonedx-vex.json", "cyclonedx-vex", [1, 1, 1, 0, 0, 0]),
    ("vex/cyclonedx-vex-19-vulnerabilities.json", "cyclonedx-vex", [19, 19, 19, 0, 0, 0]),
    ("vex/csaf-vex-not-affected.json", "csaf", [19, 19, 19, 0, 0, 0]),
    ("vex/csaf-vex-under-investigation.json", "csaf", [1, 1, 0, 0, 0, 1]),
];

fn at_noon() -> Supplement {
    Supplement {
        scanned_at: Some("2026-01-31T12:00:00Z".parse().unwrap()),
        ..Supplement::default()
    }
}

fn counts(imported: &Imported) -> Vec<u64> {
    imported.evidence[0].totals().iter().map(|(_, count)| *count).collect()
}

#[test]
fn reads_every_sample_with_its_counts_and_names_the_original() {
    for (file, format, totals) in SAMPLES {
        let Some(report) = sample(file) else { return };
        let imported = read_as(&report, format).unwrap();
        assert_eq!(counts(&imported), totals, "{file}");
        assert_eq!(imported.warnings, [""; 0], "{file}");
        let (uri, value, warnings) = predicate_of(&report, &imported, &at_noon());
        assert_eq!(warnings, [""; 0], "{file}");
        let found = facts(&uri, &value);
        let related: Vec<_> = found.related.iter().map(|r| (r.role, r.digest.clone())).collect();
        assert_eq!(related, [(Role::Evidence, report.sha256().into())], "{file}");
        assert_eq!(value["statements"].as_array().unwrap().len() as u64, totals[0], "{file}");
    }
}

#[test]
fn refuses_an_affected_statement_without_an_action_naming_field_and_clause() {
    let Some(report) = sample("vex/openvex-affected.json") else { return };
    let told = read_as(&report, "openvex").unwrap_err().to_string();
    assert_eq!(
        told,
        "expected statements[0].action_statement to be an action_statement (OpenVEX \
         0.2.0, Statement: affected MUST include an action_statement) in openvex-affected.json, \
         found nothing"
    );
}

#[test]
fn a_source_without_a_time_is_given_one_or_refused() {
    let Some(report) = sample("vex/cyclonedx-vex.json") else { return };
    let imported = read_as(&report, "cyclonedx-vex").unwrap();
    let refused = product(&report, &imported, &Supplement::default());
    assert!(matches!(refused, Err(ImportError::NoTime { .. })));
    let (_, value, _) = predicate_of(&report, &imported, &at_noon());
    assert_eq!(value["timestamp"], "2026-01-31T12:00:00Z");
    let statement = &value["statements"][0];
    let purl = "pkg:maven/com.fasterxml.jackson.core/jackson-databind@2.10.0?type=jar";
    let expected = json!({
        "vulnerability": {
            "@id": "https://nvd.nist.gov/vuln/detail/CVE-2020-25649",
            "name": "CVE-2020-25649",
            "aliases": ["SNYK-JAVA-COMFASTERXMLJACKSONCORE-1048302"]
        },
        "products": [{ "@id": purl, "identifiers": { "purl": purl } }],
        "status": "not_affected",
        "status_notes": "response: will_not_fix, update",
        "justification": "vulnerable_code_not_in_execute_path",
        "impact_statement": "Automated dataflow analysis and manual code review indicates that the \
            vulnerable code is not reachable, either directly or indirectly."
    });
    assert_eq!(*statement, expected);
}

#[test]
fn a_converted_document_says_who_when_and_from_what() {
    let Some(report) = sample("vex/csaf-vex-not-affected.json") else { return };
    let imported = read_as(&report, "csaf").unwrap();
    assert_eq!(imported.evidence[0].tool().as_deref(), Some("Secvisogram 1.11.0"));
    let (_, value, _) = predicate_of(&report, &imported, &Supplement::default());
    let digest = report.sha256();
    assert_eq!(value["@id"], format!("https://attestry.dev/openvex/{digest}"));
    assert_eq!(value["author"], "Example Company ProductCERT");
    assert_eq!((&value["role"], &value["version"]), (&json!("vendor"), &json!(1)));
    assert_eq!(value["timestamp"], "2022-03-03T11:00:00Z");
    let tooling = value["tooling"].as_str().unwrap();
    let expected = format!("converted from CSAF 2.0; attestry:evidence:report {digest}");
    assert!(tooling.ends_with(&expected), "{tooling}");
    assert_eq!(value["statements"][0]["products"], json!([{ "@id": "Example Company ABC 4.2" }]));
    let impact = "Linux TCP/IP used and therefore not vulnerable.";
    assert_eq!(value["statements"][0]["impact_statement"], impact);
}

/// The statements that a document becomes, and what is warned of.
fn statements(document: &Value) -> (Vec<Value>, Vec<String>) {
    let report = Report::of_bytes("r", document.to_string());
    let (_, imported) = import(&report, Some("openvex")).unwrap_or_else(|e| panic!("{e}"));
    let (_, value, _) = predicate_of(&report, &imported, &at_noon());
    (value["statements"].as_array().unwrap().clone(), imported.warnings)
}

fn refusal(document: &Value) -> String {
    let report = Report::of_bytes("r", document.to_string());
    import(&report, Some("openvex")).unwrap_err().to_string()
}
