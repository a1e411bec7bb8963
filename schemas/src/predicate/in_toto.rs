//! in-toto predicates (`in-toto/attestation`, `spec/predicates/`): test-result, link, SCAI,
//! release, reference and runtime-trace.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Predicate;
use super::purl::{self, Purl};
use super::rules::{
    DESCRIPTOR, Form, Section, Specification, Unknown, items_of, nothing_more, optional, required,
    text_of,
};
use super::walk::{Linter, quote, quote_text};
use crate::statement::ResourceDescriptor;

/// in-toto test-result v0.1: one run of a test suite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TestResult {
    /// The result of the run.
    pub result: TestVerdict,
    /// The configuration of the run.
    pub configuration: Vec<ResourceDescriptor>,
    /// Where the run can be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The names of the tests that passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed_tests: Option<Vec<String>>,
    /// The names of the tests that passed with a warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warned_tests: Option<Vec<String>>,
    /// The names of the tests that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_tests: Option<Vec<String>>,
}

impl Predicate for TestResult {
    const URI: &'static str = "https://in-toto.io/attestation/test-result/v0.1";
}

/// The result of a test run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TestVerdict {
    /// All tests passed.
    Passed,
    /// All tests passed, some with a warning.
    Warned,
    /// Some test failed.
    Failed,
}

/// in-toto link v0.3: one step of a supply chain; its products are the subjects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// The name of the step.
    pub name: String,
    /// The command and its arguments.
    #[serde(default)]
    pub command: Vec<String>,
    /// What went in; each has a `name` and a `digest`.
    #[serde(default)]
    pub materials: Vec<ResourceDescriptor>,
    /// More about the step; opaque.
    #[serde(default)]
    pub byproducts: Map<String, Value>,
    /// More about where the step ran; opaque.
    #[serde(default)]
    pub environment: Map<String, Value>,
}

impl Predicate for Link {
    const URI: &'static str = "https://in-toto.io/attestation/link/v0.3";
}

/// SCAI v0.3: attributes of an artifact or its producer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttributeReport {
    /// The assertions, at least one.
    pub attributes: Vec<AttributeAssertion>,
    /// Who produced the subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub producer: Option<ResourceDescriptor>,
}

impl Predicate for AttributeReport {
    const URI: &'static str = "https://in-toto.io/attestation/scai/v0.3";
}

/// One assertion of an [`AttributeReport`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttributeAssertion {
    /// The attribute.
    pub attribute: String,
    /// What has it, when not the subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<ResourceDescriptor>,
    /// Under which conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Map<String, Value>>,
    /// What proves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<ResourceDescriptor>,
}

/// in-toto release v0.1: which artifacts make up a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// The package URL of the release, with a version.
    pub purl: String,
    /// The stable identifier of the package across releases and renames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_id: Option<String>,
}

impl Predicate for Release {
    const URI: &'static str = "https://in-toto.io/attestation/release/v0.1";
}

/// in-toto reference v0.1: documents that concern the subjects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// The system that provides the documents.
    pub attester: Attester,
    /// The documents; each has a `downloadLocation` and a `mediaType`.
    pub references: Vec<ResourceDescriptor>,
}

impl Predicate for Reference {
    const URI: &'static str = "https://in-toto.io/attestation/reference/v0.1";
}

/// The system that provides the documents of a [`Reference`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attester {
    /// A TypeURI.
    pub id: String,
}

/// in-toto runtime-trace v0.1: what a monitor saw of a process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeTrace {
    /// The monitor.
    pub monitor: Monitor,
    /// The process that was observed.
    pub monitored_process: MonitoredProcess,
    /// What was seen; at least one member is set.
    pub monitor_log: MonitorLog,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<TraceMetadata>,
}

impl Predicate for RuntimeTrace {
    const URI: &'static str = "https://in-toto.io/attestation/runtime-trace/v0.1";
}

/// The monitor of a [`RuntimeTrace`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Monitor {
    /// The kind of monitor: a TypeURI.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_source: Option<ResourceDescriptor>,
    /// Its trace policy; the format is the monitor's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_policy: Option<Map<String, Value>>,
}

/// The observed process of a [`RuntimeTrace`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonitoredProcess {
    /// The host: a URI.
    #[serde(rename = "hostID")]
    pub host_id: String,
    /// The kind of process: a URI.
    #[serde(rename = "type")]
    pub kind: String,
    /// The job or task.
    pub event: String,
}

/// What the monitor of a [`RuntimeTrace`] saw.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MonitorLog {
    /// Processes; the format is the monitor's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Vec<Map<String, Value>>>,
    /// Network activity; the format is the monitor's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Vec<Map<String, Value>>>,
    /// Files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_access: Option<Vec<ResourceDescriptor>>,
}

/// When a [`RuntimeTrace`] was made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceMetadata {
    /// RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_started_on: Option<String>,
    /// RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_finished_on: Option<String>,
}

/// `test-result.md`, version 0.1.
pub(super) static TEST_RESULT: Specification = Specification {
    name: "in-toto test-result v0.1",
    root: &TEST_RUN,
    more: more_test_result,
    strict: false,
};

static TEST_RUN: Section = Section {
    title: "Fields",
    unknown: Unknown::Ignored,
    rules: &[
        required("result", Form::OneOf(&["PASSED", "WARNED", "FAILED"])),
        required("configuration", Form::List(&DESCRIPTOR)),
        optional("url", Form::Uri),
        optional("passedTests", Form::List(&Form::Text)),
        optional("warnedTests", Form::List(&Form::Text)),
        optional("failedTests", Form::List(&Form::Text)),
    ],
};

fn more_test_result(linter: &mut Linter<'_>, predicate: &Map<String, Value>) {
    let failed = items_of(predicate, "failedTests");
    if text_of(predicate, "result") == Some("PASSED") && !failed.is_empty() {
        linter.at("failedTests", |linter| {
            linter.unusual(
                "Fields: failedTests are the tests that failed",
                "none beside the result PASSED",
                &format!("{}", failed.len()),
            );
        });
    }
}

/// `link.md`, version 0.3.
pub(super) static LINK: Specification =
    Specification { name: "in-toto link v0.3", root: &STEP, more: more_link, strict: false };

static STEP: Section = Section {
    title: "Fields",
    unknown: Unknown::Ignored,
    rules: &[
        required("name", Form::Name),
        optional("command", Form::List(&Form::Text)),
        optional(
            "materials",
            Form::List(&Form::Descriptor { must: &["name", "digest"], should: &[] }),
        ),
        optional("byproducts", Form::Map),
        optional("environment", Form::Map),
    ],
};

fn more_link(linter: &mut Linter<'_>, predicate: &Map<String, Value>) {
    let mut names = BTreeSet::new();
    for (index, material) in items_of(predicate, "materials").iter().enumerate() {
        let Some(name) = material.get("name").and_then(Value::as_str) else { continue };
        if !names.insert(name) {
            linter.at("materials", |linter| {
                linter.at_index(index, |linter| {
                    linter.at("name", |linter| {
                        linter.broken(
                            "Fields: name MUST be unique among the materials",
                            "a name of its own",
                            &quote_text(name),
                        );
                    });
                });
            });
        }
    }
}

/// `link.md`, Deprecated Type URI: the classic link, which stock cosign still writes.
pub(super) static CLASSIC_LINK: Specification = Specification {
    name: "in-toto link v0.2",
    root: &CLASSIC_STEP,
    more: nothing_more,
    strict: false,
};

static CLASSIC_STEP: Section = Section {
    title: "Fields",
    unknown: Unknown::Ignored,
    rules: &[
        required("name", Form::Name),
        optional("command", Form::Any),
        optional("materials", Form::DigestSetMap),
        optional("products", Form::DigestSetMap),
        optional("byproducts", Form::Map),
        optional("environment", Form::Map),
    ],
};

/// `scai.md`, type v0.3.
pub(super) static SCAI: Specification =
    Specification { name: "SCAI v0.3", root: &ATTRIBUTE_REPORT, more: nothing_more, strict: false };

static ATTRIBUTE_REPORT: Section = Section {
    title: "Fields",
    unknown: Unknown::Ignored,
    rules: &[
        required("attributes", Form::Many(&Form::Object(&ATTRIBUTE))),
        optional("producer", DESCRIPTOR),
    ],
};

static ATTRIBUTE: Section = Section {
    title: "attributes",
    unknown: Unknown::Ignored,
    rules: &[
        required("attribute", Form::Name),
        optional("target", DESCRIPTOR),
        optional("conditions", Form::Map),
        optional("evidence", DESCRIPTOR),
    ],
};

/// `release.md`, type v0.1 (document version 0.2, which renamed `releaseId` to `packageId`).
pub(super) static RELEASE: Specification = Specification {
    name: "in-toto release v0.1",
    root: &RELEASE_FIELDS,
    more: more_release,
    strict: false,
};

static RELEASE_FIELDS: Section = Section {
    title: "Fields",
    unknown: Unknown::Ignored,
    rules: &[
        required("purl", Form::Name),
        optional("packageId", Form::Text),
        optional("releaseId", Form::Any),
    ],
};

fn more_release(linter: &mut Linter<'_>, predicate: &Map<String, Value>) {
    if let Some(id) = predicate.get("releaseId") {
        linter.at("releaseId", |linter| {
            linter.unusual(
                "Changelog: releaseId was renamed to packageId in v0.2",
                "packageId",
                &format!("releaseId {}", quote(id)),
            );
        });
    }
    let Some(text) = text_of(predicate, "purl").filter(|text| !text.is_empty()) else { return };
    linter.at("purl", |linter| match purl::parse(text) {
        None => linter.broken(
            "Parsing rules: the purl field MUST be parsed using the purl-spec",
            "a package URL such as pkg:npm/semver@7.5.4",
            &quote_text(text),
        ),
        Some(Purl { version: None, .. }) => linter.broken(
            "Parsing rules: the purl MUST include a version",
            "a package URL with a version",
            &quote_text(text),
        ),
        // "unless the type requires them": oci names its repository in a qualifier.
        Some(Purl { kind, qualified: true, .. }) if !kind.eq_ignore_ascii_case("oci") => linter
            .unusual(
                "Parsing rules: the purl SHOULD NOT include qualifiers or subpath",
                "a package URL without them",
                &quote_text(text),
            ),
        Some(_) => {}
    });
}

/// `reference.md`, version 0.1.
pub(super) static REFERENCE: Specification = Specification {
    name: "in-toto reference v0.1",
    root: &REFERENCE_FIELDS,
    more: nothing_more,
    strict: false,
};

static REFERENCE_FIELDS: Section = Section {
    title: "Fields",
    unknown: Unknown::Ignored,
    rules: &[
        required("attester", Form::Object(&ATTESTER)),
        required(
            "references",
            Form::List(&Form::Descriptor { must: &["downloadLocation", "mediaType"], should: &[] }),
        ),
    ],
};

static ATTESTER: Section =
    Section { title: "attester", unknown: Unknown::Ignored, rules: &[required("id", Form::Uri)] };

/// `runtime-trace.md`, versions 0.1 and 0.2, which differ in what network entries should hold.
pub(super) static RUNTIME_TRACE: Specification = Specification {
    name: "in-toto runtime-trace v0.1",
    root: &TRACE,
    more: more_runtime_trace,
    strict: false,
};

static TRACE: Section = Section {
    title: "Fields",
    unknown: Unknown::Ignored,
    rules: &[
        required("monitor", Form::Object(&MONITOR)),
        required("monitoredProcess", Form::Object(&MONITORED_PROCESS)),
        required("monitorLog", Form::Object(&MONITOR_LOG)),
        optional("metadata", Form::Object(&TRACE_METADATA)),
    ],
};

static MONITOR: Section = Section {
    title: "monitor",
    unknown: Unknown::Ignored,
    rules: &[
        required("type", Form::Uri),
        optional("configSource", DESCRIPTOR),
        optional("tracePolicy", Form::Map),
    ],
};

static MONITORED_PROCESS: Section = Section {
    title: "monitoredProcess",
    unknown: Unknown::Ignored,
    rules: &[
        required("hostID", Form::Uri),
        required("type", Form::Uri),
        required("event", Form::Name),
    ],
};

static MONITOR_LOG: Section = Section {
    title: "monitorLog",
    unknown: Unknown::Ignored,
    rules: &[
        optional("process", Form::List(&Form::Map)),
        optional("network", Form::List(&Form::Map)),
        optional("fileAccess", Form::List(&DESCRIPTOR)),
    ],
};

static TRACE_METADATA: Section = Section {
    title: "metadata",
    unknown: Unknown::Ignored,
    rules: &[optional("buildStartedOn", Form::Time), optional("buildFinishedOn", Form::Time)],
};

fn more_runtime_trace(linter: &mut Linter<'_>, predicate: &Map<String, Value>) {
    let Some(log) = predicate.get("monitorLog").and_then(Value::as_object) else { return };
    if ["process", "network", "fileAccess"].into_iter().all(|name| log.get(name).is_none()) {
        linter.at("monitorLog", |linter| {
            linter.broken(
                "monitorLog: at least one of process, network and fileAccess must be present",
                "one of process, network and fileAccess",
                "none of them",
            );
        });
    }
}
