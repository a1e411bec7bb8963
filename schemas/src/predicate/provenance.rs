//! SLSA provenance: v1 (`https://slsa.dev/provenance/v1`, as of SLSA 1.2), and v0.2 for reading.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Predicate;
use super::rules::{
    DESCRIPTOR, Form, Section, Specification, Unknown, optional, required, text_of,
};
use super::time::parse_rfc3339;
use super::walk::Linter;
use crate::statement::ResourceDescriptor;

/// SLSA provenance v1: how artifacts were built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// The input to the build.
    pub build_definition: BuildDefinition,
    /// Details of this execution of the build.
    pub run_details: RunDetails,
}

impl Predicate for Provenance {
    const URI: &'static str = "https://slsa.dev/provenance/v1";
}

/// What was built, from what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildDefinition {
    /// The template of the build: a TypeURI.
    pub build_type: String,
    /// The parameters under external control, to be verified downstream.
    pub external_parameters: Map<String, Value>,
    /// The parameters under the control of the builder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_parameters: Option<Map<String, Value>>,
    /// The artifacts needed at build time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_dependencies: Option<Vec<ResourceDescriptor>>,
}

/// Who built, when, with what else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunDetails {
    /// The build platform.
    pub builder: Builder,
    /// This particular execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BuildMetadata>,
    /// Artifacts of the build that are not its output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byproducts: Option<Vec<ResourceDescriptor>>,
}

/// The build platform that is trusted to have run the build and recorded it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Builder {
    /// A TypeURI that names the whole trusted build platform.
    pub id: String,
    /// Dependencies of the orchestrator that do not run in the build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builder_dependencies: Option<Vec<ResourceDescriptor>>,
    /// Component of the platform to its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<BTreeMap<String, String>>,
}

/// Metadata of one execution.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildMetadata {
    /// Names the invocation; opaque.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation_id: Option<String>,
    /// When the build started, RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_on: Option<String>,
    /// When the build completed, RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_on: Option<String>,
}

/// `https://slsa.dev/provenance/v1`, Schema.
pub(super) static V1: Specification =
    Specification { name: "SLSA provenance v1", root: &PROVENANCE, more: more_v1, strict: false };

static PROVENANCE: Section = Section {
    title: "Provenance",
    unknown: Unknown::WithUnderscore,
    rules: &[
        required("buildDefinition", Form::Object(&BUILD_DEFINITION)),
        required("runDetails", Form::Object(&RUN_DETAILS)),
    ],
};

static BUILD_DEFINITION: Section = Section {
    title: "BuildDefinition",
    unknown: Unknown::WithUnderscore,
    rules: &[
        required("buildType", Form::Uri),
        required("externalParameters", Form::Map),
        optional("internalParameters", Form::Map),
        optional("resolvedDependencies", Form::List(&DESCRIPTOR)),
    ],
};

static RUN_DETAILS: Section = Section {
    title: "RunDetails",
    unknown: Unknown::WithUnderscore,
    rules: &[
        required("builder", Form::Object(&BUILDER)),
        optional("metadata", Form::Object(&BUILD_METADATA)),
        optional("byproducts", Form::List(&DESCRIPTOR)),
    ],
};

static BUILDER: Section = Section {
    title: "Builder",
    unknown: Unknown::WithUnderscore,
    rules: &[
        required("id", Form::Uri),
        optional("builderDependencies", Form::List(&DESCRIPTOR)),
        optional("version", Form::TextMap),
    ],
};

static BUILD_METADATA: Section = Section {
    title: "BuildMetadata",
    unknown: Unknown::WithUnderscore,
    rules: &[
        optional("invocationId", Form::Text),
        optional("startedOn", Form::Time),
        optional("finishedOn", Form::Time),
    ],
};

fn more_v1(linter: &mut Linter<'_>, predicate: &Map<String, Value>) {
    let member = |outer: &str, inner: &str| predicate.get(outer)?.get(inner)?.as_object();
    if let (Some(external), Some(internal)) = (
        member("buildDefinition", "externalParameters"),
        member("buildDefinition", "internalParameters"),
    ) {
        for name in internal.keys().filter(|name| external.contains_key(*name)) {
            linter.at("buildDefinition", |linter| {
                linter.at("internalParameters", |linter| {
                    linter.at(name, |linter| {
                        linter.unusual(
                            "BuildDefinition: the same name SHOULD NOT be used for \
                             externalParameters and internalParameters",
                            "a name of its own",
                            "a name that externalParameters has too",
                        );
                    });
                });
            });
        }
    }
    if let Some(metadata) = member("runDetails", "metadata") {
        linter.at("runDetails", |linter| {
            linter.at("metadata", |linter| {
                in_order(linter, metadata, "startedOn", "finishedOn", "BuildMetadata");
            });
        });
    }
}

/// Remarks when the second of two times lies before the first.
pub(super) fn in_order(
    linter: &mut Linter<'_>,
    map: &Map<String, Value>,
    first: &str,
    second: &str,
    title: &str,
) {
    let moment = |name| text_of(map, name).and_then(parse_rfc3339);
    if let (Some(start), Some(end)) = (moment(first), moment(second))
        && end < start
    {
        let clause = format!("{title}: {second} follows {first}");
        linter.at(second, |linter| {
            linter.unusual(&clause, &format!("a time from {start}"), &end.to_string());
        });
    }
}

/// `https://slsa.dev/provenance/v0.2`, Schema. Attestry reads it and never writes it.
pub(super) static V02: Specification = Specification {
    name: "SLSA provenance v0.2",
    root: &PROVENANCE_V02,
    more: super::rules::nothing_more,
    strict: false,
};

static PROVENANCE_V02: Section = Section {
    title: "Fields",
    unknown: Unknown::Ignored,
    rules: &[
        required("builder", Form::Object(&BUILDER_V02)),
        required("buildType", Form::Uri),
        optional("invocation", Form::Object(&INVOCATION)),
        optional("buildConfig", Form::Map),
        optional("metadata", Form::Object(&METADATA_V02)),
        optional("materials", Form::List(&Form::Object(&MATERIAL))),
    ],
};

static BUILDER_V02: Section =
    Section { title: "builder", unknown: Unknown::Ignored, rules: &[required("id", Form::Uri)] };

static INVOCATION: Section = Section {
    title: "invocation",
    unknown: Unknown::Ignored,
    rules: &[
        optional("configSource", Form::Object(&CONFIG_SOURCE)),
        optional("parameters", Form::Map),
        optional("environment", Form::Map),
    ],
};

static CONFIG_SOURCE: Section = Section {
    title: "invocation.configSource",
    unknown: Unknown::Ignored,
    rules: &[
        optional("uri", Form::Uri),
        optional("digest", Form::DigestSet),
        optional("entryPoint", Form::Text),
    ],
};

static METADATA_V02: Section = Section {
    title: "metadata",
    unknown: Unknown::Ignored,
    rules: &[
        optional("buildInvocationId", Form::Text),
        optional("buildStartedOn", Form::Time),
        optional("buildFinishedOn", Form::Time),
        optional("completeness", Form::Object(&COMPLETENESS)),
        optional("reproducible", Form::Boolean),
    ],
};

static COMPLETENESS: Section = Section {
    title: "metadata.completeness",
    unknown: Unknown::Ignored,
    rules: &[
        optional("parameters", Form::Boolean),
        optional("environment", Form::Boolean),
        optional("materials", Form::Boolean),
    ],
};

static MATERIAL: Section = Section {
    title: "materials",
    unknown: Unknown::Ignored,
    rules: &[optional("uri", Form::Uri), optional("digest", Form::DigestSet)],
};
