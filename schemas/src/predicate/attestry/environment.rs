//! What happened in an environment, and in which state it is: deployment, readiness, secret-scan.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::governance::closed;
use super::{MAX_RESULTS, REPORT, TOOL, Tool};
use crate::digest::DigestSet;
use crate::predicate::Predicate;
use crate::predicate::provenance::in_order;
use crate::predicate::rules::{
    Form, Section, Specification, Unknown, items_of, optional, required,
};
use crate::predicate::time::UtcTime;
use crate::predicate::walk::{Linter, quote};
use crate::statement::ResourceDescriptor;

/// That the subjects entered or left an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deployment {
    /// The environment.
    pub environment: String,
    /// What happened.
    pub kind: DeploymentKind,
    /// The digest of the attestation of the decision that allowed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DigestSet")]
    pub decision: Option<DigestSet>,
    /// The digest of the artifact that the subjects took the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DigestSet")]
    pub replaces: Option<DigestSet>,
    /// When it began.
    pub started_at: UtcTime,
    /// When it was done.
    pub finished_at: UtcTime,
}

impl Predicate for Deployment {
    const URI: &'static str = "https://attestry.dev/deployment/v1";
}

/// What happened to the subjects of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeploymentKind {
    /// They entered the environment.
    Deployed,
    /// They entered it again, in place of something newer.
    RolledBack,
    /// They left it.
    Decommissioned,
}

/// The state of an environment's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Readiness {
    /// The environment.
    pub environment: String,
    /// What was checked.
    #[schemars(length(max = MAX_RESULTS))]
    pub checks: Vec<Check>,
    /// How many more checks passed, of which the scanner tells nothing but their number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    pub unlisted_passes: Option<u64>,
    /// The digest of the configuration that was checked.
    pub configuration: DigestSet,
    /// When it was checked.
    pub scanned_at: UtcTime,
    /// What checked it.
    pub scanner: Tool,
    /// The report that this was made of, by digest.
    #[schemars(extend("required" = ["digest"]))]
    pub report: ResourceDescriptor,
}

impl Predicate for Readiness {
    const URI: &'static str = "https://attestry.dev/readiness/v1";
}

/// One check of a readiness statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Check {
    /// The check, as the scanner names it.
    pub id: String,
    /// How it ended.
    pub status: CheckStatus,
    /// How bad a failure is.
    pub severity: CheckSeverity,
    /// What it is about: `exposed-services`, `permissions`, `secrets`, `encryption`, `images`,
    /// `network`, `resources`, `availability`, `logging` or `configuration`, or another word.
    pub category: String,
    /// The resource that was checked, such as a file or an object of a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub resource: Option<String>,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// As it should be.
    Pass,
    /// Not as it must be.
    Fail,
    /// Not as it should be.
    Warn,
    /// Not checked.
    Skip,
}

/// How bad the failure of a check is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum CheckSeverity {
    /// The scanner does not say.
    Unknown,
    /// Worth knowing.
    Info,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

/// The result of a search for secrets. It never holds a secret, nor a part of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretScan {
    /// What searched.
    pub scanner: Tool,
    /// Where secrets were found; empty when there were none.
    #[schemars(length(max = MAX_RESULTS))]
    pub findings: Vec<SecretFinding>,
    /// How many more findings there were than a statement lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    pub unlisted: Option<u64>,
    /// When it searched.
    pub scanned_at: UtcTime,
    /// Always true: says that the secrets were taken out.
    #[schemars(extend("const" = true))]
    pub redacted: bool,
    /// The report that this was made of, by digest: the copy without secrets.
    #[schemars(extend("required" = ["digest"]))]
    pub report: ResourceDescriptor,
}

impl Predicate for SecretScan {
    const URI: &'static str = "https://attestry.dev/secret-scan/v1";
}

/// Where a secret was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretFinding {
    /// The rule that found it.
    pub rule: String,
    /// The file.
    pub file: String,
    /// The line, from 1; 0 when it is not known.
    pub line: u64,
    /// Names the finding across scans, without the secret.
    pub fingerprint: String,
}

closed!(
    /// `schemas/json/deployment-v1.json`.
    DEPLOYMENT, DEPLOYMENT_FIELDS, "deployment", more_deployment,
    [
        required("environment", Form::Name),
        required("kind", Form::OneOf(&["deployed", "rolled-back", "decommissioned"])),
        optional("decision", Form::DigestSet),
        optional("replaces", Form::DigestSet),
        required("startedAt", Form::Time),
        required("finishedAt", Form::Time),
    ]
);

fn more_deployment(linter: &mut Linter<'_>, predicate: &Map<String, Value>) {
    in_order(linter, predicate, "startedAt", "finishedAt", "deployment");
}

closed!(
    /// `schemas/json/readiness-v1.json`.
    READINESS, READINESS_FIELDS, "readiness", more_readiness,
    [
        required("environment", Form::Name),
        required("checks", Form::List(&Form::Object(&CHECK))),
        optional("unlistedPasses", Form::Count),
        required("configuration", Form::DigestSet),
        required("scannedAt", Form::Time),
        required("scanner", Form::Object(&TOOL)),
        required("report", REPORT),
    ]
);

static CHECK: Section = Section {
    title: "checks",
    unknown: Unknown::Refused,
    rules: &[
        required("id", Form::Name),
        required("status", Form::OneOf(&["pass", "fail", "warn", "skip"])),
        required(
            "severity",
            Form::OneOf(&["unknown", "info", "low", "medium", "high", "critical"]),
        ),
        required("category", Form::Name),
        optional("resource", Form::Text),
    ],
};

fn more_readiness(linter: &mut Linter<'_>, predicate: &Map<String, Value>) {
    super::bounded(linter, predicate, "checks");
}

closed!(
    /// `schemas/json/secret-scan-v1.json`.
    SECRET_SCAN, SECRET_SCAN_FIELDS, "secret-scan", more_secret_scan,
    [
        required("scanner", Form::Object(&TOOL)),
        required("findings", Form::List(&Form::Object(&SECRET_FINDING))),
        optional("unlisted", Form::Count),
        required("scannedAt", Form::Time),
        required("redacted", Form::Boolean),
        required("report", REPORT),
    ]
);

static SECRET_FINDING: Section = Section {
    title: "findings",
    unknown: Unknown::Refused,
    rules: &[
        required("rule", Form::Name),
        required("file", Form::Text),
        required("line", Form::Count),
        required("fingerprint", Form::Name),
    ],
};

fn more_secret_scan(linter: &mut Linter<'_>, predicate: &Map<String, Value>) {
    super::bounded(linter, predicate, "findings");
    // Else a scan that found something could list nothing, and look like one that found nothing.
    let unlisted = predicate.get("unlisted").and_then(Value::as_u64).unwrap_or_default();
    let listed = items_of(predicate, "findings").len();
    if unlisted > 0 && listed < MAX_RESULTS {
        linter.at("unlisted", |linter| {
            let clause = format!("secret-scan: unlisted only beside {MAX_RESULTS} findings");
            linter.broken(
                &clause,
                &format!("none beside {listed} findings"),
                &unlisted.to_string(),
            );
        });
    }
    if let Some(redacted @ Value::Bool(false)) = predicate.get("redacted") {
        linter.at("redacted", |linter| {
            let clause = "secret-scan: redacted is true";
            linter.broken(clause, "the boolean true", &quote(redacted));
        });
    }
}
