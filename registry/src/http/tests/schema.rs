//! The part of JSON Schema 2020-12 that the description uses. A keyword that is not known here is a
//! panic, so that nothing passes unread.

use serde_json::Value;

/// What is wrong with a value; empty when nothing is.
pub(super) fn errors(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut errors = Vec::new();
    check(document, schema, value, "", &mut errors);
    errors
}

fn check(document: &Value, schema: &Value, value: &Value, at: &str, errors: &mut Vec<String>) {
    if schema == &Value::Bool(true) {
        return;
    }
    let keywords = schema.as_object().unwrap_or_else(|| panic!("no schema: {schema}"));
    let mut fault = |what: String| errors.push(format!("{at}: {what}"));
    let mut parts: Vec<(&Value, &Value, String)> = Vec::new();
    for (keyword, rule) in keywords {
        match keyword.as_str() {
            "description" | "format" | "contentEncoding" | "title" | "default" => {}
            "$ref" => {
                let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                let named = document.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"));
                parts.push((named, value, at.to_owned()));
            }
            "type" => {
                let types = rule.as_array().cloned().unwrap_or_else(|| vec![rule.clone()]);
                if !types.iter().any(|name| is_of(name.as_str().unwrap(), value)) {
                    fault(format!("expected {rule}, found {value:.80}"));
                }
            }
            "enum" if rule.as_array().unwrap().contains(value) => {}
            "const" if rule == value => {}
            "enum" | "const" => fault(format!("expected {rule}, found {value:.80}")),
            "minimum" if value.as_f64() >= rule.as_f64() => {}
            "maximum" if value.as_f64() <= rule.as_f64() => {}
            "minItems" if value.as_array().unwrap().len() as u64 >= rule.as_u64().unwrap() => {}
            "maxItems" if value.as_array().unwrap().len() as u64 <= rule.as_u64().unwrap() => {}
            "minimum" | "maximum" | "minItems" | "maxItems" => {
                fault(format!("expected {keyword} {rule}, found {value:.80}"));
            }
            "pattern" => {
                assert_eq!(rule, "^[0-9]+$", "another pattern");
                let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
                if !value.as_str().is_some_and(|text| !text.is_empty() && is_number(text)) {
                    fault(format!("expected digits, found {value:.80}"));
                }
            }
            "required" => {
                for name in rule.as_array().unwrap() {
                    if value.get(name.as_str().unwrap()).is_none() {
                        fault(format!("no {name}"));
                    }
                }
            }
            "properties" => {
                for (name, schema) in rule.as_object().unwrap() {
                    if let Some(member) = value.get(name) {
                        parts.push((schema, member, format!("{at}/{name}")));
                    }
                }
            }
            "additionalProperties" if rule == &Value::Bool(true) => {}
            "additionalProperties" => {
                let known = keywords.get("properties");
                let is_known = |name: &str| known.is_some_and(|known| known.get(name).is_some());
                let members = value.as_object().into_iter().flatten();
                for (name, member) in members.filter(|(name, _)| !is_known(name)) {
                    if rule == &Value::Bool(false) {
                        fault(format!("no member {name} is described"));
                    } else {
                        parts.push((rule, member, format!("{at}/{name}")));
                    }
                }
            }
            "items" => {
                for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                    parts.push((rule, item, format!("{at}/{number}")));
                }
            }
            "anyOf" | "oneOf" => {
                let fits = |schema: &&Value| self::errors(document, schema, value).is_empty();
                let count = rule.as_array().unwrap().iter().filter(fits).count();
                if count == 0 || (keyword == "oneOf" && count > 1) {
                    fault(format!("{count} of {keyword} fit"));
                }
            }
            other => panic!("the keyword {other} is not known here"),
        }
    }
    for (schema, value, at) in parts {
        check(document, schema, value, &at, errors);
    }
}

fn is_of(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the type {other} is not known here"),
    }
}

#[test]
fn a_value_that_breaks_a_schema_is_named() {
    let document = serde_json::json!({"a": {"type": "string", "pattern": "^[0-9]+$"}});
    let schema = serde_json::json!({
        "type": "object",
        "required": ["n"],
        "properties": {"n": {"type": "array", "minItems": 1, "items": {"$ref": "#/a"}}},
        "additionalProperties": false,
    });
    let counts = serde_json::json!({"additionalProperties": {"type": "integer"}});
    assert_eq!(errors(&document, &counts, &serde_json::json!({"a": 1, "b": "c"})).len(), 1);
    for (value, faults) in [
        (serde_json::json!({"n": ["1", "22"]}), 0),
        (serde_json::json!({"n": []}), 1),
        (serde_json::json!({"n": ["1", "x"]}), 1),
        (serde_json::json!({"n": [1]}), 2),
        (serde_json::json!({"m": 1}), 2),
    ] {
        assert_eq!(errors(&document, &schema, &value).len(), faults, "{value}");
    }
}
