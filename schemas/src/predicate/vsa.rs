//! SLSA Verification Summary Attestation v1 (`https://slsa.dev/verification_summary/v1`, as of
//! SLSA 1.2), the SLSA Source VSA, and the in-toto Simple Verification Result (`svr`).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Predicate;
use super::rules::{
    DESCRIPTOR, Form, Section, Specification, Unknown, items_of, nothing_more, optional, required,
    text_of,
};
use super::walk::{Linter, quote_text};
use crate::statement::ResourceDescriptor;

/// The extension key under which a decision of our gate keeps its details.
pub const GATE_EXTENSION: &str = "https://attestry.dev/gate/v1";

/// SLSA VSA v1: that artifacts were verified against a policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerificationSummary {
    /// Who verified.
    pub verifier: Verifier,
    /// When, RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_verified: Option<String>,
    /// The URI from which the consumer is expected to fetch the artifact.
    pub resource_uri: String,
    /// The policy; its `uri` is set, its `digest` should be.
    pub policy: ResourceDescriptor,
    /// All the attestations that were used; each has a `digest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_attestations: Option<Vec<ResourceDescriptor>>,
    /// Whether the artifact passed.
    pub verification_result: VerificationResult,
    /// The highest level of each track, and verified properties.
    pub verified_levels: Vec<String>,
    /// Level to the count of transitive dependencies at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependency_levels: Option<BTreeMap<String, u64>>,
    /// The version of the SLSA specification, `<MAJOR>.<MINOR>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slsa_version: Option<String>,
    /// Extension fields, named by URIs; see [`GATE_EXTENSION`].
    #[serde(flatten)]
    pub extensions: BTreeMap<String, Value>,
}

impl VerificationSummary {
    /// Whether it says that the resource passed, and nowhere that it failed: a level may say so, too.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        self.verification_result == VerificationResult::Passed
            && !self.verified_levels.iter().any(|level| level == "FAILED")
    }
}

impl Predicate for VerificationSummary {
    const URI: &'static str = "https://slsa.dev/verification_summary/v1";
}

/// Who verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verifier {
    /// A TypeURI that names the verifier.
    pub id: String,
    /// Component of the verifier to its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<BTreeMap<String, String>>,
}

/// The verdict of a verification summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum VerificationResult {
    /// The artifact passed the policy.
    Passed,
    /// The artifact failed the policy.
    Failed,
}

/// in-toto Simple Verification Result v0.2: which properties were verified.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SimpleVerificationResult {
    /// Who verified, against which policies.
    pub verifier: SimpleVerifier,
    /// When, RFC 3339 in UTC.
    pub time_created: String,
    /// The verified properties.
    pub properties: Vec<String>,
}

impl Predicate for SimpleVerificationResult {
    const URI: &'static str = "https://in-toto.io/attestation/svr/v0.2";
}

/// The verifier of a [`SimpleVerificationResult`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SimpleVerifier {
    /// A TypeURI that names the verifier.
    pub id: String,
    /// The policies; empty when there were none (absent in v0.1).
    #[serde(default)]
    pub policies: Vec<ResourceDescriptor>,
}

/// `https://slsa.dev/verification_summary/v1`, Fields.
pub(super) static VSA: Specification =
    Specification { name: "SLSA VSA v1", root: &SUMMARY, more: more_vsa, strict: false };

static SUMMARY: Section = Section {
    title: "Fields",
    unknown: Unknown::NamedByUri,
    rules: &[
        required("verifier", Form::Object(&VERIFIER)),
        // Optional since 1.1.
        optional("timeVerified", Form::Time),
        required("resourceUri", Form::Uri),
        required("policy", Form::Descriptor { must: &["uri"], should: &["digest"] }),
        optional(
            "inputAttestations",
            Form::List(&Form::Descriptor { must: &["digest"], should: &["uri"] }),
        ),
        required("verificationResult", Form::OneOf(&["PASSED", "FAILED"])),
        required("verifiedLevels", Form::List(&Form::Name)),
        optional("dependencyLevels", Form::CountMap),
        optional("slsaVersion", Form::Text),
    ],
};

static VERIFIER: Section = Section {
    title: "verifier",
    unknown: Unknown::NamedByUri,
    rules: &[required("id", Form::Uri), optional("version", Form::TextMap)],
};

fn more_vsa(linter: &mut Linter<'_>, predicate: &Map<String, Value>) {
    let levels = items_of(predicate, "verifiedLevels");
    let mut tracks = BTreeSet::new();
    for (index, level) in levels.iter().enumerate().filter_map(|(i, v)| Some((i, v.as_str()?))) {
        let at = |linter: &mut Linter<'_>, inner: &dyn Fn(&mut Linter<'_>)| {
            linter.at("verifiedLevels", |linter| linter.at_index(index, |linter| inner(linter)));
        };
        match track_of(level) {
            Some(track) if !tracks.insert(track) => at(linter, &|linter| {
                linter.broken(
                    "verifiedLevels: users MUST NOT include more than one level per SLSA track",
                    &format!("one level of the track {track}"),
                    &quote_text(level),
                );
            }),
            None if level.starts_with("SLSA_") => at(linter, &|linter| {
                linter.unusual(
                    "SlsaResult: custom values MUST NOT start with SLSA_",
                    "SLSA_<TRACK>_LEVEL_<NUMBER> or SLSA_<TRACK>_LEVEL_UNEVALUATED",
                    &quote_text(level),
                );
            }),
            _ => {}
        }
    }
    let failed = levels.iter().any(|level| level == "FAILED");
    match text_of(predicate, "verificationResult") {
        Some("PASSED") if failed => linter.at("verifiedLevels", |linter| {
            linter.unusual(
                "verifiedLevels: FAILED says that policy verification failed",
                "no FAILED beside the result PASSED",
                "FAILED",
            );
        }),
        _ => {}
    }
    if let Some(version) = text_of(predicate, "slsaVersion").filter(|text| !text.is_empty()) {
        let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !version.split_once('.').is_some_and(|(major, minor)| number(major) && number(minor)) {
            linter.at("slsaVersion", |linter| {
                linter.unusual(
                    "slsaVersion: has the form <MAJOR>.<MINOR>",
                    "such as 1.2",
                    &quote_text(version),
                );
            });
        }
    }
    if source_level(predicate).is_some() {
        more_source_vsa(linter, predicate);
    }
}

/// SLSA source track, Summary attestation: the resource is the repository of the revision.
fn more_source_vsa(linter: &mut Linter<'_>, predicate: &Map<String, Value>) {
    if let Some(uri) = text_of(predicate, "resourceUri").filter(|uri| !uri.contains("://")) {
        linter.at("resourceUri", |linter| {
            linter.unusual(
                "Source VSA: resourceUri is the URI of the repository",
                "such as git+https://example.com/repository",
                &quote_text(uri),
            );
        });
    }
}

/// The track of `SLSA_<TRACK>_LEVEL_<NUMBER>` or `…_UNEVALUATED` (SLSA VSA v1, SlsaResult).
fn track_of(level: &str) -> Option<&str> {
    let (track, number) = level.strip_prefix("SLSA_")?.rsplit_once("_LEVEL_")?;
    let numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (!track.is_empty() && (numbered || number == "UNEVALUATED")).then_some(track)
}

/// The level that a verification summary verified on one track (`BUILD`, `SOURCE`), when it did.
///
/// Says nothing of whether the summary passed; see `verificationResult`.
#[must_use]
pub fn level_of(predicate: &Map<String, Value>, track: &str) -> Option<u8> {
    items_of(predicate, "verifiedLevels")
        .iter()
        .filter_map(Value::as_str)
        .filter(|level| track_of(level) == Some(track))
        .filter_map(|level| level.rsplit_once('_')?.1.parse().ok())
        .max()
}

/// The source level of a SLSA Source VSA: a summary with a `SLSA_SOURCE_LEVEL_*`.
#[must_use]
pub fn source_level(predicate: &Map<String, Value>) -> Option<u8> {
    level_of(predicate, "SOURCE")
}

/// Whether a predicate of type VSA v1 is a SLSA Source VSA.
#[must_use]
pub fn is_source_summary(predicate: &Map<String, Value>) -> bool {
    source_level(predicate).is_some()
}

/// in-toto `spec/predicates/svr.md`, version 0.2.
pub(super) static SVR_V02: Specification = Specification {
    name: "in-toto SVR v0.2",
    root: &RESULT_V02,
    more: nothing_more,
    strict: false,
};

/// in-toto `spec/predicates/svr.md`, version 0.1, for reading.
pub(super) static SVR_V01: Specification = Specification {
    name: "in-toto SVR v0.1",
    root: &RESULT_V01,
    more: nothing_more,
    strict: false,
};

static RESULT_V02: Section = Section {
    title: "Fields",
    unknown: Unknown::Ignored,
    rules: &[
        required("verifier", Form::Object(&SIMPLE_VERIFIER_V02)),
        required("timeCreated", Form::Time),
        required("properties", Form::List(&Form::Name)),
    ],
};

static RESULT_V01: Section = Section {
    title: "Fields",
    unknown: Unknown::Ignored,
    rules: &[
        required("verifier", Form::Object(&SIMPLE_VERIFIER_V01)),
        required("timeCreated", Form::Time),
        required("properties", Form::List(&Form::Name)),
    ],
};

static SIMPLE_VERIFIER_V02: Section = Section {
    title: "verifier",
    unknown: Unknown::Ignored,
    // "The verifier.policies field MUST be present": an empty array when there were none.
    rules: &[required("id", Form::Uri), required("policies", Form::List(&DESCRIPTOR))],
};

static SIMPLE_VERIFIER_V01: Section =
    Section { title: "verifier", unknown: Unknown::Ignored, rules: &[required("id", Form::Uri)] };
