//! Our own predicates, under `https://attestry.dev/<name>/v1`, for what has no standard.
//!
//! Each is a closed type: no unknown field, times in UTC, digests well formed. Its JSON Schema,
//! generated from the type, lies in `schemas/json/<name>-v1.json`.

pub mod analysis;
pub mod environment;
pub mod governance;
pub mod source;
pub mod tag;

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Predicate;
use super::rules::{Form, Section, Unknown, items_of, required};
use super::walk::Linter;
use crate::digest::{DigestSet, MAX_DIGESTS};
use crate::statement::ResourceDescriptor;

/// The most checks, findings or results that a statement lists.
pub const MAX_RESULTS: usize = 10_000;

/// What made a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tool {
    /// Names the tool: a URI, such as a package URL.
    pub uri: String,
    /// Its version.
    pub version: String,
}

static TOOL: Section = Section {
    title: "tool",
    unknown: Unknown::Refused,
    rules: &[required("uri", Form::Uri), required("version", Form::Name)],
};

/// The report that a predicate was made of.
const REPORT: Form = Form::Descriptor { must: &["digest"], should: &["name"] };

/// A predicate of ours: its name and its JSON Schema.
struct Described {
    name: &'static str,
    schema: fn() -> Schema,
}

static DESCRIBED: &[Described] = &[
    describe::<governance::Genesis>("genesis"),
    describe::<governance::Roster>("roster"),
    describe::<governance::Policy>("policy"),
    describe::<source::Review>("review"),
    describe::<governance::Approval>("approval"),
    describe::<governance::Waiver>("waiver"),
    describe::<governance::BreakGlass>("break-glass"),
    describe::<governance::Revocation>("revocation"),
    describe::<environment::Deployment>("deployment"),
    describe::<environment::Readiness>("readiness"),
    describe::<environment::SecretScan>("secret-scan"),
    describe::<analysis::StaticAnalysis>("static-analysis"),
    describe::<tag::TagMove>("tag"),
];

const fn describe<T: Predicate + JsonSchema>(name: &'static str) -> Described {
    Described { name, schema: schema_for::<T> }
}

fn schema_for<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>()
}

/// The short names of our own predicates.
pub fn names() -> impl Iterator<Item = &'static str> {
    DESCRIBED.iter().map(|described| described.name)
}

/// The JSON Schema (2020-12) of one of our own predicates, by its short name.
#[must_use]
pub fn json_schema(name: &str) -> Option<Value> {
    let described = DESCRIBED.iter().find(|described| described.name == name)?;
    let mut schema = (described.schema)();
    let id = format!("https://attestry.dev/schemas/{name}-v1.json");
    schema.insert("$id".into(), id.into());
    schema.insert("title".into(), format!("Attestry predicate: {name} v1").into());
    Some(schema.to_value())
}

fn bounded(linter: &mut Linter<'_>, predicate: &Map<String, Value>, name: &str) {
    let count = items_of(predicate, name).len();
    if count > MAX_RESULTS {
        let clause = format!("{name}: at most {MAX_RESULTS}");
        let expected = format!("at most {MAX_RESULTS} elements");
        linter.at(name, |linter| linter.broken(&clause, &expected, &count.to_string()));
    }
}

impl JsonSchema for DigestSet {
    fn schema_name() -> Cow<'static, str> {
        "DigestSet".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": "in-toto DigestSet: algorithm name to value, in lower-case hex for \
                            the standard algorithms.",
            "type": "object",
            "minProperties": 1,
            "maxProperties": MAX_DIGESTS,
            "properties": {
                "sha256": { "type": "string", "pattern": "^[0-9a-f]{64}$" }
            },
            "additionalProperties": { "type": "string", "minLength": 1 }
        })
    }
}

impl JsonSchema for ResourceDescriptor {
    fn schema_name() -> Cow<'static, str> {
        "ResourceDescriptor".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let digest = generator.subschema_for::<DigestSet>();
        schemars::json_schema!({
            "description": "in-toto ResourceDescriptor: names an artifact or document.",
            "type": "object",
            "minProperties": 1,
            "properties": {
                "name": { "type": "string" },
                "uri": { "type": "string" },
                "digest": digest,
                "content": { "type": "string", "contentEncoding": "base64" },
                "downloadLocation": { "type": "string" },
                "mediaType": { "type": "string" },
                "annotations": { "type": "object" }
            }
        })
    }
}
