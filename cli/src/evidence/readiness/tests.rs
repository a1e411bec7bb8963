//! Configuration checks: real reports, other versions, and what is refused.

mod shown;

use serde_json::{Value, json};

use super::*;
use crate::evidence::Fit;
use crate::evidence::samples::{Made, fit, made, sample, supplement};

fn read(report: &Value) -> Result<Made, ImportError> {
    made(&Report::of_bytes("checks.json", report.to_string()), None, &supplement())
}

/// The checks of a predicate in one line each.
fn checks(made: &Made) -> Vec<String> {
    let checks = made.predicates[0]["checks"].as_array().unwrap();
    let line = |check: &Value| {
        let text = |name: &str| check[name].as_str().unwrap_or("-").to_owned();
        let [id, status, severity, category, resource] =
            ["id", "status", "severity", "category", "resource"].map(text);
        format!("{id} {status} {severity} {category} {resource}")
    };
    checks.iter().map(line).collect()
}

#[test]
fn reads_every_real_report() {
    let cases = [
        (
            "checkov-1.0.467-findings.json",
            "checkov",
            "checkov 1.0.467",
            "pass 0, fail 3, warn 0, skip 0, fail-unknown 3",
        ),
        (
            "checkov-two-check-types.json",
            "checkov",
            "checkov 2.0.209",
            "pass 15, fail 13, warn 0, skip 0, fail-unknown 13",
        ),
        (
            "trivy-helm-misconfigurations.json",
            "trivy-config",
            "trivy dev",
            "pass 81, fail 18, warn 0, skip 0, fail-high 3, fail-medium 4, fail-low 11",
        ),
        (
            "trivy-dockerfile.json",
            "trivy-config",
            "trivy dev",
            "pass 26, fail 1, warn 0, skip 0, fail-high 1",
        ),
        (
            "trivy-terraform-clean.json",
            "trivy-config",
            "trivy dev",
            "pass 58, fail 0, warn 0, skip 0",
        ),
        (
            "kube-score.json",
            "kube-score",
            "kube-score",
            "pass 1, fail 1, warn 1, skip 0, fail-critical 1",
        ),
        (
            "polaris-findings.json",
            "polaris",
            "polaris",
            "pass 10, fail 4, warn 17, skip 0, fail-high 4",
        ),
        (
            "kubescape-all-passed.json",
            "kubescape",
            "kubescape v3.0.3",
            "pass 33, fail 0, warn 0, skip 0",
        ),
    ];
    for (file, format, tool, totals) in cases {
        let Some(report) = sample(&format!("config/{file}")) else { return };
        let made = made(&report, None, &supplement()).unwrap();
        assert_eq!((made.format, made.tools[0].as_str()), (format, tool), "{file}");
        assert_eq!(made.totals, [totals], "{file}");
        let predicate = &made.predicates[0];
        assert_eq!(predicate["environment"], "production", "{file}");
        assert_eq!(predicate["report"]["digest"]["sha256"], report.sha256().hex(), "{file}");
        let signed = predicate.to_string();
        assert!(!signed.contains("/home/") && !signed.contains("/infra/"), "{file} {signed}");
    }
}

#[test]
fn refuses_a_run_that_found_nothing_to_check() {
    let Some(report) = sample("config/checkov-2.1.269-nothing-scanned.json") else { return };
    let refused = made(&report, None, &supplement()).unwrap_err();
    assert!(matches!(refused, ImportError::NothingChecked { .. }), "{refused}");
    for report in [
        json!({ "check_type": "terraform", "results": { "failed_checks": [] }, "summary": {} }),
        json!({ "SchemaVersion": 2, "ArtifactName": "a", "Results": [{ "Class": "config" }] }),
        json!({ "PolarisOutputVersion": "1.0", "AuditTime": "", "Results": null }),
        json!([{ "object_name": "a", "checks": null }]),
        json!({ "summaryDetails": { "controls": {} } }),
    ] {
        let refused = read(&report);
        assert!(matches!(refused, Err(ImportError::NothingChecked { .. })), "{report} {refused:?}");
    }
}

#[test]
fn says_what_each_check_of_a_real_report_is_about() {
    let Some(report) = sample("config/checkov-two-check-types.json") else { return };
    let found = checks(&made(&report, None, &supplement()).unwrap());
    let has = |line: &str| assert!(found.iter().any(|found| found == line), "{line} in {found:#?}");
    has("CKV_AWS_17 fail unknown exposed-services aws/db-app.tf:aws_db_instance.default");
    has("CKV_AWS_16 fail unknown encryption aws/db-app.tf:aws_db_instance.default");
    has("CKV_AWS_46 pass unknown secrets aws/db-app.tf:aws_instance.db_app");
    has("CKV_DOCKER_7 pass unknown images aws/resources/Dockerfile");
    let Some(report) = sample("config/polaris-findings.json") else { return };
    let found = checks(&made(&report, None, &supplement()).unwrap());
    let has = |line: &str| assert!(found.iter().any(|found| found == line), "{line} in {found:#?}");
    has("hostNetworkSet pass high network Deployment generic-app");
    has("runAsRootAllowed fail high permissions Deployment generic-app container server");
    let Some(report) = sample("config/kube-score.json") else { return };
    assert_eq!(
        checks(&made(&report, None, &supplement()).unwrap()),
        [
            "container-security-context-privileged fail critical permissions Deployment default/web",
            "container-security-context-run-as-non-root warn medium permissions Deployment default/web",
            "container-probes pass unknown availability Deployment default/web"
        ]
    );
}

#[test]
fn takes_time_and_environment_from_the_report_where_it_has_them() {
    let without = Supplement { scanned_at: None, ..supplement() };
    for (file, time) in [
        ("trivy-dockerfile.json", Some("2021-08-25T12:20:30.000000005Z")),
        ("polaris-findings.json", Some("2026-07-31T00:00:00Z")),
        ("kubescape-all-passed.json", None),
        ("kube-score.json", None),
        ("checkov-1.0.467-findings.json", None),
    ] {
        let Some(report) = sample(&format!("config/{file}")) else { return };
        match (made(&report, None, &without), time) {
            (Ok(made), Some(time)) => assert_eq!(made.predicates[0]["scannedAt"], time, "{file}"),
            (Err(ImportError::NoTime { .. }), None) => {}
            (found, _) => panic!("{file} {found:?}"),
        }
        let nowhere = Supplement { environment: None, ..supplement() };
        let refused = made(&report, None, &nowhere);
        assert!(matches!(refused, Err(ImportError::NoEnvironment { .. })), "{file}");
    }
    let nowhere = Supplement { environment: None, ..supplement() };
    let controls = json!({ "C-1": { "status": "passed" } });
    let cluster = json!({ "clusterName": "prod-eu", "summaryDetails": { "controls": controls } });
    let polaris = json!({
        "PolarisOutputVersion": "1.0", "AuditTime": "2026-01-01T00:00:00Z", "SourceType": "Cluster",
        "SourceName": "https://10.0.0.1", "DisplayName": "prod-eu",
        "Results": [{ "Name": "a", "Kind": "Pod", "Results": { "x": { "Success": true } } }]
    });
    for report in [cluster, polaris] {
        let made = made(&Report::of_bytes("r", report.to_string()), None, &nowhere).unwrap();
        assert_eq!(made.predicates[0]["environment"], "prod-eu");
        // What the person says counts more.
        let made = read(&report).unwrap();
        assert_eq!(made.predicates[0]["environment"], "production");
    }
}

#[test]
fn names_the_configuration_that_was_given_else_the_subject() {
    let report = json!({ "summaryDetails": { "controls": { "C-1": { "status": "passed" } } } });
    let report = Report::of_bytes("r", report.to_string());
    let digest = |text: &str| attestry_schemas::digest::Sha256::of(text.as_bytes());
    let made_with = |supplement: &Supplement| made(&report, None, supplement);
    let found = made_with(&supplement()).unwrap();
    assert_eq!(found.predicates[0]["configuration"]["sha256"], digest("subject").hex());
    let named = ["a", "b"].map(|name| ResourceDescriptor::named(name, digest(name).into()));
    let with = Supplement { configuration: named.to_vec(), ..supplement() };
    let found = made_with(&with).unwrap();
    assert_eq!(found.predicates[0]["configuration"]["sha256"], digest("a").hex());
    assert!(found.warnings[0].contains("1 more are not"), "{:?}", found.warnings);
    let without = Supplement { subject: None, ..supplement() };
    assert!(matches!(made_with(&without), Err(ImportError::NoConfiguration { .. })));
}

#[test]
fn counts_what_checkov_does_not_list_and_leaves_vulnerabilities_out() {
    let record = json!({
        "check_id": "CKV_K8S_1", "check_name": "x", "severity": "HIGH", "bc_category": "IAM",
        "file_path": "/home/me/a.yaml", "file_abs_path": "/home/me/a.yaml", "resource": "Pod.a"
    });
    let of_type = |check_type: &str| {
        json!({
            "check_type": check_type,
            "results": { "failed_checks": [record], "skipped_checks": [record], "parsing_errors": ["b"] },
            "summary": { "passed": 5, "failed": 1, "checkov_version": "3.2.1" }
        })
    };
    let made = read(&json!([of_type("kubernetes"), of_type("sca_package")])).unwrap();
    assert_eq!(made.totals, ["pass 5, fail 1, warn 0, skip 1, fail-high 1"]);
    assert_eq!(made.predicates[0]["unlistedPasses"], 5);
    assert_eq!(checks(&made)[0], "CKV_K8S_1 fail high permissions a.yaml:Pod.a");
    let expected = [
        "1 files could not be read",
        "1 findings of sca_package are vulnerabilities",
        "2 checks name absolute paths",
    ];
    for (warning, expected) in made.warnings.iter().zip(expected) {
        assert!(warning.starts_with(expected), "{warning}");
    }
    let Some(report) = sample("config/checkov-1.0.467-findings.json") else { return };
    let made = super::super::samples::made(&report, None, &supplement()).unwrap();
    assert_eq!(made.warnings, ["the summary of terraform tells of 2 failed checks, 3 are listed"]);
}

#[test]
fn reads_other_reports_of_trivy() {
    let found = |status: &str| {
        json!({
            "ID": "AWS-0086", "Title": "S3 bucket is public", "Severity": "HIGH", "Status": status,
            "CauseMetadata": { "Resource": "aws_s3_bucket.a", "Service": "s3" }
        })
    };
    // Passes that are listed are not counted twice.
    let target = json!({
        "Target": "main.tf", "Class": "config", "MisconfSummary": { "Successes": 3 },
        "Misconfigurations": [found("PASS"), found("FAIL"), found("EXCEPTION")]
    });
    let listed =
        read(&json!({ "SchemaVersion": 2, "ArtifactName": "a", "Results": [target] })).unwrap();
    assert_eq!(listed.totals, ["pass 3, fail 1, warn 0, skip 1, fail-high 1"]);
    assert_eq!(listed.predicates[0]["unlistedPasses"], 2);
    assert_eq!(checks(&listed)[1], "AWS-0086 fail high exposed-services main.tf:aws_s3_bucket.a");
    // Of a cluster, which is an environment.
    let cluster = json!({
        "ClusterName": "prod-eu",
        "Resources": [{ "Namespace": "pay", "Kind": "Deployment", "Name": "api", "Results": [
            { "Target": "Deployment/api", "Misconfigurations": [found("FAIL")] }
        ] }]
    });
    let nowhere = Supplement { environment: None, ..supplement() };
    let report = Report::of_bytes("r", cluster.to_string());
    let of_cluster = made(&report, None, &nowhere).unwrap();
    assert_eq!(of_cluster.predicates[0]["environment"], "prod-eu");
    assert_eq!(
        checks(&of_cluster),
        ["AWS-0086 fail high exposed-services Deployment pay/api:aws_s3_bucket.a"]
    );
    // A list of targets, as before version 0.20.
    let older = json!([{ "Target": "/home/me/main.tf", "Misconfigurations": [found("FAIL")] }]);
    let older = read(&older).unwrap();
    assert_eq!(checks(&older), ["AWS-0086 fail high exposed-services main.tf:aws_s3_bucket.a"]);
    assert!(older.warnings[0].starts_with("1 checks name absolute paths"));
}

#[test]
fn takes_only_configurations_from_a_trivy_report_of_more() {
    let mixed = json!({
        "SchemaVersion": 2, "ArtifactName": "a", "Results": [
            { "Target": "go.mod", "Class": "lang-pkgs", "Vulnerabilities": [{ "VulnerabilityID": "CVE-1" }] },
            { "Target": "a", "Class": "secret", "Secrets": [{ "RuleID": "x" }] },
            { "Target": "main.tf", "Class": "config", "Misconfigurations": [{ "ID": "x" }] }
        ]
    });
    let report = Report::of_bytes("r", mixed.to_string());
    let made = made(&report, Some("trivy-config"), &supplement()).unwrap();
    assert_eq!(checks(&made), ["x fail unknown configuration main.tf"]);
    assert_eq!(made.warnings[0], "1 vulnerabilities of the report are left out");
    assert_eq!(made.warnings[1], "1 secrets of the report are left out");
    let trivy = &trivy_config::FORMAT;
    for (text, expected) in [
        (r#"{"SchemaVersion":2,"ArtifactName":"a"}"#, Fit::Possible),
        (r#"{"SchemaVersion":2,"ArtifactName":"a","Results":null}"#, Fit::Possible),
        (r#"{"SchemaVersion":2,"ArtifactName":"a","Results":[{"Class":"os-pkgs"}]}"#, Fit::No),
        (r#"{"SchemaVersion":2,"ArtifactName":"a","Results":[{"Class":"config"}]}"#, Fit::Certain),
        (r#"[{"Target":"a","Vulnerabilities":[]}]"#, Fit::No),
        (r#"{"ClusterName":"a","Resources":[{"Results":[{"Vulnerabilities":[]}]}]}"#, Fit::No),
    ] {
        assert_eq!(fit(trivy, text), expected, "{text}");
    }
}

#[test]
fn reads_grades_of_kube_score() {
    let score = |grade: Value, skipped: bool| json!({ "check": { "id": "pod-networkpolicy", "name": "Pod NetworkPolicy" }, "grade": grade, "skipped": skipped });
    let report = json!([{
        "object_name": "Pod/v1/pay/api", "type_meta": { "kind": "Pod" },
        "object_meta": { "name": "api", "namespace": "pay" },
        "checks": [score(json!(1), false), score(json!(5), false), score(json!(7), false),
            score(json!(10), false), score(json!(10), true), score(json!(null), false)]
    }]);
    let made = read(&report).unwrap();
    let status = |line: &String| line.split(' ').nth(1).unwrap().to_owned();
    let statuses: Vec<String> = checks(&made).iter().map(status).collect();
    assert_eq!(statuses, ["fail", "warn", "pass", "pass", "skip", "skip"]);
    assert_eq!(checks(&made)[0], "pod-networkpolicy fail critical network Pod pay/api");
}

#[test]
fn reads_what_failed_of_kubescape() {
    let control = |name: &str, status: &str| json!({ "name": name, "status": status, "scoreFactor": 8, "category": { "name": "Workload" } });
    let result = |name: &str, control: Value| json!({ "resourceID": format!("path=1/api=apps/v1/pay/Deployment/{name}"), "controls": [control] });
    let failed = json!({ "controlID": "C-0057", "status": { "status": "failed" } });
    let failed_by_rule = json!({ "controlID": "C-0057", "rules": [{ "status": "failed" }] });
    let passed = json!({ "controlID": "C-0057", "status": { "status": "passed" }, "rules": [{ "status": "failed" }] });
    let report = json!({
        "generationTime": "2026-01-01T00:00:00Z",
        "summaryDetails": { "controls": {
            "C-0057": control("Privileged container", "failed"),
            "C-0009": control("Resource limits", "skipped"),
            "C-0002": { "statusInfo": { "status": "passed", "subStatus": "irrelevant" }, "name": "x" },
            "C-0048": control("HostPath mount", "excluded")
        } },
        "results": [
            result("a", failed.clone()), result("b", failed_by_rule), result("c", passed),
            result("d", failed.clone()), result("e", failed)
        ]
    });
    let made = read(&report).unwrap();
    assert_eq!(
        checks(&made),
        [
            "C-0002 pass unknown configuration -",
            "C-0009 skip high resources -",
            "C-0048 skip high permissions -",
            "C-0057 fail high permissions Deployment pay/a, Deployment pay/b, Deployment pay/d and 1 more"
        ]
    );
    assert_eq!(made.warnings, ["1 controls passed because no resource is concerned by them"]);
    let Some(report) = sample("config/kubescape-all-passed.json") else { return };
    let made = super::super::samples::made(&report, None, &supplement()).unwrap();
    assert!(made.warnings[0].starts_with("15 controls passed"), "{:?}", made.warnings);
    let told = "2 members of the report name absolute paths of the machine on which the tool ran: ";
    assert!(made.warnings[1].starts_with(told), "{:?}", made.warnings);
}

#[test]
fn reads_format_version_1_of_kubescape() {
    let rule = |status: &str| {
        let object =
            json!({ "kind": "Pod", "metadata": { "name": "etcd", "namespace": "kube-system" } });
        let response =
            json!({ "ruleStatus": status, "alertObject": { "k8sApiObjects": [object] } });
        json!([{ "ruleStatus": { "status": "success" }, "ruleResponses": [response] }])
    };
    let framework = json!({ "name": "NSA", "controlReports": [
        { "controlID": "C-0005", "name": "a", "ruleReports": [{ "ruleResponses": null }] },
        { "id": "C-0017", "name": "Immutable container filesystem", "baseScore": 3.0, "ruleReports": rule("warning") },
        { "controlID": "C-0057", "name": "Privileged container", "baseScore": 8.0, "ruleReports": rule("failed") },
        { "controlID": "C-0005", "name": "a", "ruleReports": rule("failed") },
        { "controlID": "C-1", "ruleReports": [{ "ruleStatus": { "status": "error" } }] }
    ] });
    for report in [framework.clone(), json!([framework]), json!({ "frameworks": [framework] })] {
        let made = read(&report).unwrap();
        assert_eq!(made.format, "kubescape");
        assert_eq!(
            checks(&made),
            [
                "C-0005 pass unknown configuration -",
                "C-0017 warn low permissions -",
                "C-0057 fail high permissions Pod kube-system/etcd",
                "C-1 skip unknown configuration -"
            ]
        );
    }
}

#[test]
fn reads_the_sarif_of_configuration_scanners() {
    let location = json!([{
        "physicalLocation": { "artifactLocation": { "uri": "file:///home/me/main.tf" } },
        "logicalLocations": [{ "fullyQualifiedName": "aws_s3_bucket.a" }]
    }]);
    let log = json!({ "version": "2.1.0", "runs": [{
        "tool": { "driver": { "name": "tfsec", "version": "1.28", "rules": [
            { "id": "A", "shortDescription": { "text": "Bucket is public" },
              "properties": { "security-severity": "9.1" } },
            { "id": "B", "properties": { "tags": ["misconfiguration", "LOW", "Encryption"] } },
            { "id": "C", "properties": { "security-severity": "MEDIUM" } }
        ] } },
        "results": [
            { "ruleId": "A", "level": "error", "locations": location },
            { "ruleId": "B", "level": "warning" },
            { "ruleId": "C", "level": "none", "kind": "pass" },
            { "ruleId": "D", "level": "error", "suppressions": [{ "kind": "external" }] },
            { "ruleId": "D", "level": "warning", "properties": { "severity": "critical" } },
            { "ruleId": "D", "kind": "review" }
        ]
    }] });
    let made = read(&log).unwrap();
    assert_eq!((made.format, made.tools[0].as_str()), ("sarif-config", "tfsec 1.28"));
    assert_eq!(
        checks(&made),
        [
            "A fail critical exposed-services main.tf:aws_s3_bucket.a",
            "B fail low encryption -",
            "C pass medium configuration -",
            "D skip high configuration -",
            "D fail critical configuration -",
            "D skip info configuration -"
        ]
    );
    assert!(made.warnings[0].starts_with("1 checks name absolute paths"), "{:?}", made.warnings);
    let mut clean = log;
    clean["runs"][0]["results"] = json!([]);
    let made = read(&clean).unwrap();
    assert_eq!(made.totals, ["pass 0, fail 0, warn 0, skip 0"]);
    assert_eq!(made.warnings, ["tfsec 1.28 lists no check, only that nothing was found"]);
}

#[test]
fn ends_at_as_many_checks_as_a_statement_lists() {
    let score = json!({ "check": { "id": "a" }, "grade": 1 });
    let many = |count| json!([{ "object_name": "a", "checks": vec![score.clone(); count] }]);
    assert!(read(&many(MAX_RESULTS)).is_ok());
    let refused = read(&many(MAX_RESULTS + 1));
    assert!(matches!(refused, Err(ImportError::TooMuch { what: "checks", .. })));
}

#[test]
fn leaves_the_reports_of_other_tools_alone() {
    for text in [
        "{}",
        "[1]",
        r#"{"Results":[]}"#,
        r#"[{"checks":[]}]"#,
        r#"{"controls":{}}"#,
        "text",
        "",
        "<a/>",
    ] {
        for format in FORMATS {
            assert_eq!(fit(format, text), Fit::No, "{} {text}", format.name);
        }
    }
}
