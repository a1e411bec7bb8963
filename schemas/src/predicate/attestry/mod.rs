//! Our own predicates, under `https://attestry.dev/<name>/v1`, for what has no standard.
//!
//! Each is a closed type: no unknown field, times in UTC, digests well formed. Its JSON Schema,
//! generated from the type, lies in `schemas/json/<name>-v1.json`.

pub mod environment;
pub mod governance;

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

use super::Predicate;
use crate::digest::{DigestSet, MAX_DIGESTS};

/// A predicate of ours: its name and its JSON Schema.
struct Described {
    name: &'static str,
    schema: fn() -> Schema,
}

static DESCRIBED: &[Described] = &[
    describe::<governance::Genesis>("genesis"),
    describe::<governance::Roster>("roster"),
    describe::<governance::Policy>("policy"),
    describe::<governance::Approval>("approval"),
    describe::<governance::Waiver>("waiver"),
    describe::<governance::BreakGlass>("break-glass"),
    describe::<governance::Revocation>("revocation"),
    describe::<environment::Deployment>("deployment"),
    describe::<environment::Readiness>("readiness"),
    describe::<environment::SecretScan>("secret-scan"),
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
