//! OpenVEX documents as predicates (OpenVEX specification 0.2.0 / v0.0.2).

use serde_json::{Map, Value};

use super::rules::{Form, Section, Specification, Unknown, items_of, optional, required, text_of};
use super::walk::{Linter, quote, quote_text};

const NAMESPACE: &str = "https://openvex.dev/ns";

/// `OPENVEX-SPEC.md`.
pub(super) static OPENVEX: Specification =
    Specification { name: "OpenVEX 0.2.0", root: &DOCUMENT, more: more_openvex, strict: false };

static DOCUMENT: Section = Section {
    title: "Document",
    unknown: Unknown::Ignored,
    rules: &[
        required("@context", Form::Name),
        required("@id", Form::Uri),
        required("author", Form::Name),
        optional("role", Form::Text),
        required("timestamp", Form::AnyTime),
        optional("last_updated", Form::AnyTime),
        required("version", Form::Count),
        optional("tooling", Form::Text),
        required("statements", Form::Many(&Form::Object(&STATEMENT))),
    ],
};

static STATEMENT: Section = Section {
    title: "Statement",
    unknown: Unknown::Ignored,
    rules: &[
        required("vulnerability", Form::Any),
        optional("timestamp", Form::AnyTime),
        optional("last_updated", Form::AnyTime),
        // The subjects of the attestation stand in for absent products (Data Inheritance).
        optional("products", Form::Any),
        required(
            "status",
            Form::OneOf(&["not_affected", "affected", "fixed", "under_investigation"]),
        ),
        optional(
            "justification",
            Form::OneOf(&[
                "component_not_present",
                "vulnerable_code_not_present",
                "vulnerable_code_not_in_execute_path",
                "vulnerable_code_cannot_be_controlled_by_adversary",
                "inline_mitigations_already_exist",
            ]),
        ),
        optional("impact_statement", Form::Text),
        optional("action_statement", Form::Text),
    ],
};

static VULNERABILITY: Section = Section {
    title: "Vulnerability",
    unknown: Unknown::Ignored,
    rules: &[
        required("name", Form::Name),
        optional("@id", Form::Uri),
        optional("description", Form::Text),
        optional("aliases", Form::List(&Form::Text)),
    ],
};

fn more_openvex(linter: &mut Linter<'_>, predicate: &Map<String, Value>) {
    if let Some(context) = text_of(predicate, "@context") {
        let rest = context.strip_prefix(NAMESPACE);
        if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("/v")) {
            linter.at("@context", |linter| {
                let clause = "Document: @context is fixed to https://openvex.dev/ns";
                linter.broken(clause, NAMESPACE, &quote_text(context));
            });
        }
    }
    for (index, statement) in items_of(predicate, "statements").iter().enumerate() {
        let Some(statement) = statement.as_object() else { continue };
        linter.at("statements", |linter| {
            linter.at_index(index, |linter| more_statement(linter, statement));
        });
    }
}

fn more_statement(linter: &mut Linter<'_>, statement: &Map<String, Value>) {
    linter.at("vulnerability", |linter| match statement.get("vulnerability") {
        Some(Value::Object(vulnerability)) => linter.section(&VULNERABILITY, vulnerability),
        Some(Value::String(name)) => linter.unusual(
            "Statement: vulnerability is a struct since v0.0.2",
            "an object with a name",
            &quote_text(name),
        ),
        None | Some(Value::Null) => {}
        Some(other) => {
            let clause = "Statement: vulnerability is a struct";
            linter.broken(clause, "an object with a name", &quote(other));
        }
    });
    let said = |name: &str| text_of(statement, name).is_some_and(|text| !text.is_empty());
    match text_of(statement, "status") {
        Some("not_affected") if !said("justification") && !said("impact_statement") => {
            linter.at("justification", |linter| {
                linter.broken(
                    "Statement: not_affected MUST include a justification or an impact_statement",
                    "a justification or an impact_statement",
                    "neither",
                );
            });
        }
        Some("affected") if !said("action_statement") => {
            linter.at("action_statement", |linter| {
                let clause = "Statement: affected MUST include an action_statement";
                linter.broken(clause, "an action_statement", "nothing");
            });
        }
        _ => {}
    }
}
