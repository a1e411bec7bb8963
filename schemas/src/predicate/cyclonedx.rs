//! CycloneDX documents as predicates (ECMA-424; the JSON schemas 1.2 to 1.7), in the fields that
//! identify a document and its components. What components say of themselves is not checked.

use serde_json::{Map, Value};

use super::rules::{
    Form, Section, Specification, Unknown, optional, recommended, required, text_of,
};
use super::walk::{Linter, quote_text};

/// `bom.schema.json`.
pub(super) static CYCLONEDX: Specification =
    Specification { name: "CycloneDX 1", root: &BOM, more: more_cyclonedx, strict: false };

static BOM: Section = Section {
    title: "BOM",
    unknown: Unknown::Ignored,
    rules: &[
        required("bomFormat", Form::OneOf(&["CycloneDX"])),
        required("specVersion", Form::Name),
        recommended("serialNumber", Form::Name),
        optional("version", Form::Count),
        optional("metadata", Form::Object(&METADATA)),
        optional("components", Form::List(&Form::Object(&COMPONENT))),
        optional("dependencies", Form::List(&Form::Object(&DEPENDENCY))),
        optional("vulnerabilities", Form::List(&Form::Map)),
    ],
};

static METADATA: Section = Section {
    title: "metadata",
    unknown: Unknown::Ignored,
    rules: &[optional("timestamp", Form::AnyTime), optional("component", Form::Object(&COMPONENT))],
};

static COMPONENT: Section = Section {
    title: "components",
    unknown: Unknown::Ignored,
    rules: &[
        required("type", Form::Name),
        required("name", Form::Text),
        optional("version", Form::Text),
        optional("purl", Form::Uri),
        optional("components", Form::List(&Form::Object(&COMPONENT))),
    ],
};

static DEPENDENCY: Section = Section {
    title: "dependencies",
    unknown: Unknown::Ignored,
    rules: &[required("ref", Form::Name), optional("dependsOn", Form::List(&Form::Text))],
};

fn more_cyclonedx(linter: &mut Linter<'_>, predicate: &Map<String, Value>) {
    if let Some(version) = text_of(predicate, "specVersion") {
        linter.at("specVersion", |linter| spec_version(linter, version));
    }
    if let Some(serial) = text_of(predicate, "serialNumber").filter(|text| !text.is_empty()) {
        let digits = serial.strip_prefix("urn:uuid:").unwrap_or_default();
        let fits = digits.len() == 36
            && digits.char_indices().all(|(i, c)| match i {
                8 | 13 | 18 | 23 => c == '-',
                _ => c.is_ascii_hexdigit(),
            });
        if !fits {
            linter.at("serialNumber", |linter| {
                let clause = "BOM: serialNumber is a UUID URN (RFC 4122)";
                linter.unusual(clause, "urn:uuid:<uuid>", &quote_text(serial));
            });
        }
    }
}

fn spec_version(linter: &mut Linter<'_>, version: &str) {
    let minor = version.strip_prefix("1.").and_then(|minor| minor.parse::<u8>().ok());
    if minor.is_none_or(|minor| minor < 2) {
        linter.broken(
            "BOM: specVersion is a version of CycloneDX with a JSON form",
            "1.2 to 1.7",
            &quote_text(version),
        );
        return;
    }
    let typed = linter.predicate_type.rsplit_once("/v").map(|(_, version)| version);
    if let Some(typed) = typed.filter(|typed| *typed != version) {
        let expected = format!("{typed}, as the predicate type says");
        linter.unusual("BOM: specVersion fits the type", &expected, &quote_text(version));
    }
}
