//! What changes from one policy to the next, and what a reader should look at twice.
//!
//! Both documents have been read by the one loader before, so their keys are known ones; they are
//! compared as they are written, rule by rule and key by key, so that every change is told in the
//! document's own words.

use std::collections::BTreeMap;

use attestry_schemas::roster::diff::Change;
use toml::{Table, Value};

use crate::output::Failure;

/// The differences from `old` to `new`, what the policy is for first.
///
/// # Errors
/// When either is no TOML, which a policy that was read is.
pub(super) fn changes(old: &[u8], new: &[u8]) -> Result<Vec<Change>, Failure> {
    let (old, new) = (table(old)?, table(new)?);
    let mut all = Vec::new();
    let keys = |table: &Table| {
        let mut flat = BTreeMap::new();
        for (key, value) in table.iter().filter(|(key, _)| *key != "rule") {
            flatten(key, value, &mut flat);
        }
        flat
    };
    compare("policy", &keys(&old), &keys(&new), &mut all);
    let (before, after) = (rules(&old), rules(&new));
    for (id, rule) in &after {
        let what = format!("rule {id}");
        match before.iter().find(|(other, _)| other == id) {
            None => {
                all.push(Change { what, change: format!("added: {}", kind(rule)), warning: None })
            }
            Some((_, other)) => compare(&what, other, rule, &mut all),
        }
    }
    for (id, rule) in &before {
        if !after.iter().any(|(other, _)| other == id) {
            let warning = Some("what it refused may enter".to_owned());
            let change = format!("removed: {}", kind(rule));
            all.push(Change { what: format!("rule {id}"), change, warning });
        }
    }
    Ok(all)
}

type Flat = BTreeMap<String, Value>;

fn table(text: &[u8]) -> Result<Table, Failure> {
    let text = std::str::from_utf8(text).map_err(|e| Failure::undecided(e.to_string()))?;
    text.parse().map_err(|e: toml::de::Error| Failure::undecided(e.to_string()))
}

fn flatten(key: &str, value: &Value, flat: &mut Flat) {
    match value {
        Value::Table(table) => {
            for (inner, value) in table {
                flatten(&format!("{key}.{inner}"), value, flat);
            }
        }
        value => {
            flat.insert(key.to_owned(), value.clone());
        }
    }
}

/// The rules by the name that the gate gives them: their id, or their type.
fn rules(table: &Table) -> Vec<(String, Flat)> {
    let rules = table.get("rule").and_then(Value::as_array);
    let named = rules.into_iter().flatten().filter_map(Value::as_table).map(|rule| {
        let text = |key: &str| rule.get(key).and_then(Value::as_str);
        let name = text("id").or_else(|| text("type")).unwrap_or("any").to_owned();
        let mut flat = Flat::new();
        rule.iter().for_each(|(key, value)| flatten(key, value, &mut flat));
        (name, flat)
    });
    named.collect()
}

fn kind(rule: &Flat) -> &str {
    rule.get("type").and_then(Value::as_str).unwrap_or("any")
}

fn compare(what: &str, old: &Flat, new: &Flat, all: &mut Vec<Change>) {
    for (key, value) in new {
        let before = old.get(key);
        if before == Some(value) {
            continue;
        }
        let told = before.map_or_else(|| "none".to_owned(), ToString::to_string);
        let change = format!("{key} {told} → {value}");
        all.push(Change { what: what.to_owned(), change, warning: warning(key, before, value) });
    }
    for (key, value) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
        let change = format!("{key} {value} → none");
        all.push(Change { what: what.to_owned(), change, warning: None });
    }
}

fn warning(key: &str, before: Option<&Value>, value: &Value) -> Option<String> {
    match key {
        "version" => {
            let shrinks = before?.as_integer()? >= value.as_integer()?;
            shrinks.then(|| format!("a version only grows: {value} will be refused"))
        }
        "mode" => match (before?.as_str()?, value.as_str()?) {
            (_, "shadow") => Some(
                "it counts as if it did not match: what no other policy is for is denied"
                    .to_owned(),
            ),
            ("enforce", _) => Some("it no longer denies anything".to_owned()),
            _ => None,
        },
        "name" => Some("this is another policy: the old one still rules".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "schema = \"policy/v1\"\nname = \"p\"\nversion = 3\nmode = \"enforce\"\n[match]\nartifacts = [\"a/**\"]\n[[rule]]\ntype = \"sbom\"\n[[rule]]\nid = \"scan\"\ntype = \"vuln-scan\"\nblock = \"high\"\nmax_age = \"1d\"\n";

    #[test]
    fn tells_every_change_in_the_words_of_the_document() {
        let new = OLD
            .replace("version = 3", "version = 3\nexpires = 2027-01-01T00:00:00Z")
            .replace("\"enforce\"", "\"warn\"")
            .replace("type = \"sbom\"", "type = \"secret-scan\"")
            .replace("\"high\"", "\"critical\"")
            .replace("max_age = \"1d\"\n", "leeway = { high = \"2d\" }\n");
        let told: Vec<String> = changes(OLD.as_bytes(), new.as_bytes())
            .unwrap()
            .into_iter()
            .map(|c| format!("{}: {}{}", c.what, c.change, c.warning.map_or("", |_| " !")))
            .collect();
        assert_eq!(
            told,
            [
                "policy: expires none → 2027-01-01T00:00:00Z",
                "policy: mode \"enforce\" → \"warn\" !",
                "rule secret-scan: added: secret-scan",
                "rule scan: block \"high\" → \"critical\"",
                "rule scan: leeway.high none → \"2d\"",
                "rule scan: max_age \"1d\" → none",
                "rule sbom: removed: sbom !",
            ]
        );
        assert!(changes(OLD.as_bytes(), OLD.as_bytes()).unwrap().is_empty());
        let lower = OLD.replace("version = 3", "version = 2");
        assert!(changes(OLD.as_bytes(), lower.as_bytes()).unwrap()[0].warning.is_some());
    }
}
