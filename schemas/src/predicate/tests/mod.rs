//! The lint, type by type: one sound example each, and what breaks it.

mod bill_of_materials;
mod cosign;
mod facts;
mod in_toto;
mod ours;
mod samples;
mod schemas;
mod slsa;
mod vulns;

use serde_json::{Value, json};

use super::{Finding, Predicate, Severity, check, lint};

/// What a case does to the example at its JSON pointer.
pub(super) enum Change {
    Remove,
    Put(Value),
}

/// One way to break an example, and the finding that must follow.
pub(super) struct Break {
    pub(super) at: &'static str,
    pub(super) change: Change,
    pub(super) severity: Severity,
    pub(super) field: &'static str,
    pub(super) clause: &'static str,
}

/// Removing the field at the pointer is an error there.
pub(super) fn missing(at: &'static str, field: &'static str, clause: &'static str) -> Break {
    Break { at, change: Change::Remove, severity: Severity::Error, field, clause }
}

/// Putting the value at the pointer is an error at the field.
pub(super) fn wrong(
    at: &'static str,
    value: Value,
    field: &'static str,
    clause: &'static str,
) -> Break {
    Break { at, change: Change::Put(value), severity: Severity::Error, field, clause }
}

/// Putting the value at the pointer is a warning at the field, and nothing worse.
pub(super) fn odd(
    at: &'static str,
    value: Value,
    field: &'static str,
    clause: &'static str,
) -> Break {
    Break { at, change: Change::Put(value), severity: Severity::Warning, field, clause }
}

/// Reading an example as its type and writing it again loses nothing.
pub(super) fn round_trips<T: Predicate>(example: &Value) {
    assert_eq!(&T::from_value(example).unwrap().to_value().unwrap(), example, "{}", T::URI);
}

pub(super) fn sha256() -> Value {
    json!({ "sha256": "fe4fe40ac7250263c5dbe1cf3138912f3f416140aa248637a60d65fe22c47da4" })
}

pub(super) fn changed(example: &Value, at: &str, change: &Change) -> Value {
    let mut value = example.clone();
    let (parent, name) = at.rsplit_once('/').expect("a JSON pointer");
    let name = name.replace("~1", "/");
    let parent = value.pointer_mut(parent).unwrap_or_else(|| panic!("no {at}"));
    match (parent, change) {
        (Value::Object(map), Change::Remove) => {
            map.remove(&name).unwrap_or_else(|| panic!("no {at}"));
        }
        (Value::Object(map), Change::Put(new)) => {
            map.insert(name, new.clone());
        }
        (Value::Array(items), Change::Put(new)) => {
            let index: usize = name.parse().unwrap();
            if index == items.len() {
                items.push(new.clone());
            } else {
                items[index] = new.clone();
            }
        }
        _ => panic!("{at} cannot be changed"),
    }
    value
}

/// The example must lint clean, and each break must give its finding.
pub(super) fn check_type(uri: &str, example: &Value, breaks: &[Break]) {
    assert_eq!(lint(uri, example), [], "{uri}: the example is sound");
    assert!(!breaks.is_empty());
    for Break { at, change, severity, field, clause } in breaks {
        let findings = lint(uri, &changed(example, at, change));
        let hit = |finding: &Finding| {
            finding.severity == *severity
                && finding.field == *field
                && finding.clause.contains(clause)
                && (finding.message.contains("expected") && finding.message.contains("found"))
        };
        let shown: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(findings.iter().any(hit), "{uri} {at}: {field} {clause:?} in {shown:#?}");
        let accepted = check(uri, &changed(example, at, change)).is_ok();
        assert_eq!(accepted, *severity == Severity::Warning, "{uri} {at}: {shown:#?}");
    }
}

#[test]
fn a_predicate_of_an_unknown_type_breaks_nothing() {
    for uri in ["https://example.com/mine/v1", "", "provenance"] {
        assert_eq!(lint(uri, &serde_json::json!({ "any": [1, null] })), []);
    }
}

#[test]
fn a_predicate_that_is_no_object_is_refused() {
    let findings = check("https://slsa.dev/provenance/v1", &Value::from("tag: value")).unwrap_err();
    assert_eq!(findings[0].field, "predicate");
    assert_eq!(findings[0].message, "expected an object, found \"tag: value\"");
}

#[test]
fn findings_are_bounded_counted_and_their_texts_are_short() {
    let statements: Vec<Value> = (0..1000).map(|_| serde_json::json!({})).collect();
    let long = "x".repeat(1 << 20);
    let findings = lint(
        "https://openvex.dev/ns",
        &serde_json::json!({ "@context": long, "statements": statements }),
    );
    let errors = findings.iter().filter(|f| f.severity == Severity::Error).count();
    assert_eq!(errors, super::MAX_FINDINGS + 1);
    assert!(findings.iter().any(|f| f.message.contains("further findings")));
    assert!(findings.iter().all(|f| f.message.len() < 400 && f.field.len() < 200));
    assert!(findings.is_sorted_by_key(|f| f.severity));
    let sizes = findings.iter().find(|f| f.clause.ends_with("sizes")).unwrap();
    assert!(sizes.message.contains("1048576"), "{sizes}");
}

#[test]
fn remarks_on_deep_nesting() {
    let deep = (0..40).fold(Value::Null, |inner, _| serde_json::json!([inner]));
    let predicate = serde_json::json!({ "Data": deep, "Timestamp": "2026-01-01T00:00:00Z" });
    let findings = lint("https://cosign.sigstore.dev/attestation/v1", &predicate);
    assert_eq!(findings.len(), 1);
    assert!(findings[0].message.contains("32 levels"), "{}", findings[0]);
}

#[test]
fn odd_member_names_are_quoted_in_paths() {
    let predicate = serde_json::json!({ "materials": { "a b.c": 1 }, "name": "build" });
    let findings = check("https://in-toto.io/Link/v1", &predicate).unwrap_err();
    assert_eq!(findings[0].field, "predicate.materials[\"a b.c\"]");
}
