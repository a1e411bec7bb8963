//! The committed JSON Schemas are those of the types, and say what the lint says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::super::rules::{Form, Need, Section};
use super::super::types::Specifications;
use super::super::{PREDICATE_TYPES, attestry, from_short};

const REGENERATE: &str = "ATTESTRY_REGENERATE";
const COMMAND: &str = "ATTESTRY_REGENERATE=1 cargo test --release -p attestry-schemas \
                       committed_schemas_are_those_of_the_types";

/// Sorted members whatever features serde_json is built with, two spaces, a newline at the end.
fn pretty(value: &Value) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(sorted).collect(),
            Value::Object(map) => {
                let members: BTreeMap<_, _> =
                    map.iter().map(|(name, value)| (name.clone(), sorted(value))).collect();
                members.into_iter().collect()
            }
            other => other.clone(),
        }
    }
    serde_json::to_string_pretty(&sorted(value)).unwrap() + "\n"
}

#[test]
fn committed_schemas_are_those_of_the_types() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("json");
    let mut expected = BTreeSet::new();
    for name in attestry::names() {
        let file = format!("{name}-v1.json");
        let text = pretty(&attestry::json_schema(name).unwrap());
        if std::env::var_os(REGENERATE).is_some() {
            fs::write(folder.join(&file), &text).unwrap();
        }
        let committed = fs::read_to_string(folder.join(&file)).unwrap_or_default();
        assert_eq!(committed, text, "schemas/json/{file} differs from its type; run: {COMMAND}");
        expected.insert(file);
    }
    let found: BTreeSet<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|file| PREDICATE_TYPES.iter().any(|t| *file == format!("{}-v1.json", t.short)))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn every_type_of_ours_has_a_schema_with_a_name_and_a_description() {
    for known in PREDICATE_TYPES {
        let schema = attestry::json_schema(known.short);
        assert_eq!(schema.is_some(), known.uri.starts_with("https://attestry.dev/"));
        let Some(schema) = schema else { continue };
        assert_eq!(known.uri, format!("https://attestry.dev/{}/v1", known.short));
        assert_eq!(schema["$id"], format!("https://attestry.dev/schemas/{}-v1.json", known.short));
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(schema["title"].as_str().unwrap().contains(known.short));
        assert!(schema["description"].is_string());
        for (name, property) in schema["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{} {name}", known.short);
        }
    }
}

#[test]
fn schemas_and_rules_name_the_same_fields() {
    for name in attestry::names() {
        let Specifications::One(specification) = from_short(name).unwrap().specifications else {
            panic!("{name} has one specification");
        };
        let schema = attestry::json_schema(name).unwrap();
        same_fields(name, &schema, &schema, specification.root);
    }
}

fn same_fields(path: &str, root: &Value, schema: &Value, section: &'static Section) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    assert_eq!(schema["additionalProperties"], false, "{path}");
    let named: BTreeSet<&str> =
        schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    let ruled: BTreeSet<&str> = section.rules.iter().map(|rule| rule.name).collect();
    assert_eq!(named, ruled, "{path}");
    let demanded: BTreeSet<&str> =
        schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let required = section.rules.iter().filter(|rule| rule.need == Need::Required);
    assert_eq!(demanded, required.map(|rule| rule.name).collect(), "{path}");
    for rule in section.rules {
        let property = &schema["properties"][rule.name];
        let path = format!("{path}.{}", rule.name);
        match &rule.form {
            Form::Object(inner) => same_fields(&path, root, property, inner),
            Form::List(Form::Object(inner)) => same_fields(&path, root, &property["items"], inner),
            _ => {}
        }
    }
}
