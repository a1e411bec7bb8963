//! What happened in an environment, and in which state it is: deployment, readiness, secret-scan.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::governance::closed;
use crate::digest::DigestSet;
use crate::predicate::Predicate;
use crate::predicate::provenance::in_order;
use crate::predicate::rules::{
    Form, Section, Specification, Unknown, items_of, optional, required,
};
use crate::predicate::time::UtcTime;
use crate::predicate::walk::{Linter, quote};

/// The most checks of a readiness statement, and the most findings of a secret-scan statement.
pub const MAX_RESULTS: usize = 10_000;

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
    /// The digest of the configuration that was checked.
    pub configuration: DigestSet,
    /// When it was checked.
    pub scanned_at: UtcTime,
    /// What checked it.
    pub scanner: Tool,
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
    /// What it is about.
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

/// What made a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tool {
    /// Names the tool: a URI, such as a package URL.
    pub uri: String,
    /// Its version.
    pub version: String,
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
    /// When it searched.
    pub scanned_at: UtcTime,
    /// Always true: says that the secrets were taken out.
    #[schemars(extend("const" = true))]
    pub redacted: bool,
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
        required("configuration", Form::DigestSet),
        required("scannedAt", Form::Time),
        required("scanner", Form::Object(&TOOL)),
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

static TOOL: Section = Section {
    title: "scanner",
    unknown: Unknown::Refused,
    rules: &[required("uri", Form::Uri), required("version", Form::Name)],
};

fn more_readiness(linter: &mut Linter<'_>, predicate: &Map<String, Value>) {
    bounded(linter, predicate, "checks");
}

closed!(
    /// `schemas/json/secret-scan-v1.json`.
    SECRET_SCAN, SECRET_SCAN_FIELDS, "secret-scan", more_secret_scan,
    [
        required("scanner", Form::Object(&TOOL)),
        required("findings", Form::List(&Form::Object(&SECRET_FINDING))),
        required("scannedAt", Form::Time),
        required("redacted", Form::Boolean),
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
    bounded(linter, predicate, "findings");
    if let Some(redacted @ Value::Bool(false)) = predicate.get("redacted") {
        linter.at("redacted", |linter| {
            let clause = "secret-scan: redacted is true";
            linter.broken(clause, "the boolean true", &quote(redacted));
        });
    }
}

fn bounded(linter: &mut Linter<'_>, predicate: &Map<String, Value>, name: &str) {
    let count = items_of(predicate, name).len();
    if count > MAX_RESULTS {
        let clause = format!("{name}: at most {MAX_RESULTS}");
        let expected = format!("at most {MAX_RESULTS} elements");
        linter.at(name, |linter| linter.broken(&clause, &expected, &count.to_string()));
    }
}
