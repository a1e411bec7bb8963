//! Vulnerability scans: in-toto vulns v0.2, and cosign's `vuln/v1` that came before it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Predicate;
use super::provenance::in_order;
use super::rules::{Form, Section, Specification, Unknown, optional, required};
use super::walk::Linter;

/// in-toto vulns v0.2: the result of one vulnerability scan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vulnerabilities {
    /// The scanner and its result.
    pub scanner: Scanner,
    /// When the scan ran.
    pub metadata: ScanMetadata,
}

impl Predicate for Vulnerabilities {
    const URI: &'static str = "https://in-toto.io/attestation/vulns/v0.2";
}

/// The scanner of a [`Vulnerabilities`] scan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scanner {
    /// Names the scanner.
    pub uri: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its vulnerability database.
    pub db: Database,
    /// The vulnerabilities; empty when none was found.
    pub result: Vec<Vulnerability>,
}

/// The vulnerability database of a [`Scanner`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Database {
    /// Names the database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When it was last updated, RFC 3339 in UTC.
    pub last_update: String,
}

/// One vulnerability of a scan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vulnerability {
    /// Its identifier, such as a CVE or GHSA number.
    pub id: String,
    /// How bad it is, by one or more methods.
    pub severity: Vec<Score>,
    /// What else the scanner says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Vec<Map<String, Value>>>,
}

/// One score of a [`Vulnerability`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// The method: `nvd`, `cvss_score`.
    pub method: String,
    /// The score, as text.
    pub score: String,
}

/// When a scan ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScanMetadata {
    /// RFC 3339 in UTC.
    pub scan_started_on: String,
    /// RFC 3339 in UTC.
    pub scan_finished_on: String,
}

/// `spec/predicates/vulns_02.md`.
pub(super) static VULNS: Specification =
    Specification { name: "in-toto vulns v0.2", root: &SCAN, more: more_times, strict: false };

static SCAN: Section = Section {
    title: "Fields",
    unknown: Unknown::Ignored,
    rules: &[
        required("scanner", Form::Object(&SCANNER)),
        required("metadata", Form::Object(&METADATA)),
    ],
};

static SCANNER: Section = Section {
    title: "scanner",
    unknown: Unknown::Ignored,
    rules: &[
        required("uri", Form::Uri),
        optional("version", Form::Text),
        // Only lastUpdate is required of the database, and so the database itself.
        required("db", Form::Object(&DATABASE)),
        required("result", Form::List(&Form::Object(&VULNERABILITY))),
    ],
};

static DATABASE: Section = Section {
    title: "scanner.db",
    unknown: Unknown::Ignored,
    rules: &[
        optional("uri", Form::Uri),
        optional("version", Form::Text),
        required("lastUpdate", Form::Time),
    ],
};

static VULNERABILITY: Section = Section {
    title: "scanner.result",
    unknown: Unknown::Ignored,
    rules: &[
        required("id", Form::Name),
        required("severity", Form::List(&Form::Object(&SCORE))),
        optional("annotations", Form::Any),
    ],
};

static SCORE: Section = Section {
    title: "scanner.result.severity",
    unknown: Unknown::Ignored,
    rules: &[required("method", Form::Name), required("score", Form::Name)],
};

static METADATA: Section = Section {
    title: "metadata",
    unknown: Unknown::Ignored,
    rules: &[required("scanStartedOn", Form::Time), required("scanFinishedOn", Form::Time)],
};

fn more_times(linter: &mut Linter<'_>, predicate: &Map<String, Value>) {
    if let Some(metadata) = predicate.get("metadata").and_then(Value::as_object) {
        linter.at("metadata", |linter| {
            in_order(linter, metadata, "scanStartedOn", "scanFinishedOn", "metadata");
        });
    }
}

/// cosign `specs/COSIGN_VULN_ATTESTATION_SPEC.md`: the scanner's report as a whole.
pub(super) static COSIGN_VULN: Specification =
    Specification { name: "cosign vuln v1", root: &COSIGN_SCAN, more: more_times, strict: false };

static COSIGN_SCAN: Section = Section {
    title: "Fields",
    unknown: Unknown::Ignored,
    rules: &[
        optional("invocation", Form::Map),
        required("scanner", Form::Object(&COSIGN_SCANNER)),
        required("metadata", Form::Object(&METADATA)),
    ],
};

static COSIGN_SCANNER: Section = Section {
    title: "scanner",
    unknown: Unknown::Ignored,
    rules: &[
        optional("uri", Form::Uri),
        optional("version", Form::Text),
        optional("db", Form::Map),
        required("result", Form::Any),
    ],
};
