//! Reports of configurations that show secrets: nothing of them is signed or kept.

use serde_json::{Value, json};

use crate::evidence::Report;
use crate::evidence::samples::{Made, made, supplement};

const SECRET: &str = "tr0ub4dor3correct";

fn read(report: &Value, asked: &str) -> Made {
    made(&Report::of_bytes("checks.json", report.to_string()), Some(asked), &supplement()).unwrap()
}

/// The copy without the secret.
#[track_caller]
fn redacted(made: &Made, count: u64) -> Value {
    let signed = Value::from(made.predicates.clone()).to_string();
    let copy = made.redacted.as_deref().unwrap();
    assert!(!signed.contains(SECRET), "{signed}");
    assert!(!copy.contains(SECRET), "{copy}");
    let told = format!("{count} findings show secrets");
    assert!(made.warnings.iter().any(|warning| warning.starts_with(&told)), "{:?}", made.warnings);
    assert!(signed.contains("\"checks.redacted.json\""), "{signed}");
    serde_json::from_str(copy).unwrap()
}

fn trivy_result(class: &str) -> Value {
    let code = |content: &str| json!({ "Lines": [{ "Number": 1, "Content": content, "Highlighted": format!("\u{1b}[0m{content}") }] });
    json!({
        "Target": "app/config.yaml", "Class": class,
        "Secrets": [{
            "RuleID": "generic", "Severity": "HIGH", "Title": "A secret", "StartLine": 1,
            "Match": format!("password: {SECRET}"), "Code": code(&format!("  password: {SECRET}")),
        }],
        "Misconfigurations": [
            {
                "ID": "DS-0031", "Title": "Secrets passed via build-args", "Status": "FAIL",
                "Severity": "HIGH", "Message": "found tr0ub4dor3wrong in ENV",
                "CauseMetadata": { "Code": code("ENV KEY=tr0ub4dor3wrong") },
            },
            {
                "ID": "DS-0002", "Title": "Image user", "Status": "FAIL", "Severity": "HIGH",
                "Message": "set a user", "CauseMetadata": { "Code": code("FROM alpine:3.18") },
            },
        ],
        "ExperimentalModifiedFindings": [{
            "Type": "secret", "Status": "ignored", "Finding": { "Match": "x-0ther5ecret-x" },
        }],
        "Vulnerabilities": [{ "VulnerabilityID": "CVE-1", "PkgName": "a", "InstalledVersion": "1",
            "PkgPath": format!("lib/password: {SECRET}"), "Severity": "HIGH" }],
    })
}

#[test]
fn keeps_no_secret_that_trivy_found_whatever_its_report_is_read_for() {
    let image = json!({ "ImageConfig": {
        "config": { "Env": [format!("PASSWORD={SECRET}")] },
        "history": [{ "created_by": "ENV KEY=masked-nowhere-else" }],
    }});
    let forms = [
        json!({ "SchemaVersion": 2, "ArtifactName": "app", "Metadata": image,
            "Results": [trivy_result("secret")] }),
        json!([trivy_result("secret")]),
        json!({ "ClusterName": "c", "Resources": [{ "Kind": "Pod", "Name": "p",
            "Results": [trivy_result("secret")] }] }),
    ];
    for report in &forms {
        for asked in ["trivy", "trivy-config"] {
            let copy = redacted(&read(report, asked), 3).to_string();
            for secret in ["tr0ub4dor3wrong", "0ther5ecret", "masked-nowhere-else"] {
                assert!(!copy.contains(secret), "{secret} in {copy}");
            }
            for kept in ["FROM alpine:3.18", "A secret", "set a user", "app/config.yaml"] {
                assert!(copy.contains(kept), "{kept} not in {copy}");
            }
        }
    }
}

#[test]
fn keeps_a_report_of_trivy_without_secrets_as_it_is() {
    let mut result = trivy_result("config");
    let members = result.as_object_mut().unwrap();
    members.remove("Secrets");
    members.remove("ExperimentalModifiedFindings");
    members["Misconfigurations"].as_array_mut().unwrap().remove(0);
    let report = json!({ "SchemaVersion": 2, "ArtifactName": "app", "Results": [result] });
    for asked in ["trivy", "trivy-config"] {
        assert_eq!(read(&report, asked).redacted, None);
    }
}

fn record(id: &str, name: &str, resource: &str) -> Value {
    let code = format!("  password = \"{SECRET}\"\n");
    json!({
        "check_id": id, "check_name": name, "resource": resource, "file_path": "/main.tf",
        "check_result": { "result": "FAILED", "evaluated_keys": [format!("user_data/{SECRET}")] },
        "code_block": [[1, "resource \"x\" \"y\" {\n"], [2, code]],
        "fixed_definition": { "password": SECRET },
    })
}

#[test]
fn keeps_no_secret_that_checkov_found() {
    let hash = "3f786850e387550fdab836ed7e6dc881de23001b";
    let of = |check_type: &str, list: &str, record: Value| {
        json!({ "check_type": check_type, "summary": { "checkov_version": "3.2.1" },
            "results": { list: [{ "check_id": "CKV_AWS_8", "check_name": "EBS",
                "resource": "aws.y", "file_path": "/a.tf", "code_block": [[1, "a b\n"]] }, record] } })
    };
    let secret = || record("CKV_SECRET_6", "Base64 High Entropy String", hash);
    let hard_coded = || record("CKV_AWS_46", "Ensure no hard-coded secrets exist", "aws.x");
    for (report, count, resource) in [
        (of("terraform", "failed_checks", hard_coded()), 1, "main.tf:aws.x"),
        (json!([of("terraform", "skipped_checks", hard_coded())]), 1, "main.tf:aws.x"),
        (of("secrets", "failed_checks", secret()), 2, "main.tf"),
        (json!([of("secrets", "failed_checks", secret())]), 2, "main.tf"),
    ] {
        let made = read(&report, "checkov");
        let copy = redacted(&made, count).to_string();
        assert!(!copy.contains(hash), "{copy}");
        assert_eq!(made.predicates[0]["checks"][1]["resource"], resource);
        assert_eq!(copy.contains("a b\\n"), count == 1, "{copy}");
        assert!(copy.contains("CKV_AWS_8") && copy.contains("FAILED"), "{copy}");
    }
    // What passed such a check shows none.
    let passed = read(&of("terraform", "passed_checks", hard_coded()), "checkov");
    assert_eq!(passed.redacted, None);
}
