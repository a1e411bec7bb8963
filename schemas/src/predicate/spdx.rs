//! SPDX documents as predicates: SPDX 2 JSON and SPDX 3 JSON-LD, in the fields that identify a
//! document and its packages. Licences, snippets and annotations are not this module's business.

use serde_json::{Map, Value};

use super::rules::{Form, Section, Specification, Unknown, items_of, optional, required, text_of};
use super::walk::{Linter, quote_text};

/// SPDX 2.2 and 2.3, clauses 6 (document creation) and 7 (package).
pub(super) static SPDX_2: Specification =
    Specification { name: "SPDX 2.3", root: &DOCUMENT, more: more_spdx_2, strict: false };

static DOCUMENT: Section = Section {
    title: "6 Document creation information",
    unknown: Unknown::Ignored,
    rules: &[
        required("spdxVersion", Form::Name),
        required("dataLicense", Form::Name),
        required("SPDXID", Form::Name),
        required("name", Form::Text),
        required("documentNamespace", Form::Uri),
        required("creationInfo", Form::Object(&CREATION_INFO)),
        optional("packages", Form::List(&Form::Object(&PACKAGE))),
        optional("files", Form::List(&Form::Map)),
        optional("relationships", Form::List(&Form::Map)),
    ],
};

static CREATION_INFO: Section = Section {
    title: "6.8 Creator, 6.9 Created",
    unknown: Unknown::Ignored,
    rules: &[required("created", Form::Time), required("creators", Form::Many(&Form::Name))],
};

static PACKAGE: Section = Section {
    title: "7 Package information",
    unknown: Unknown::Ignored,
    rules: &[
        required("name", Form::Text),
        required("SPDXID", Form::Name),
        required("downloadLocation", Form::Name),
        optional("externalRefs", Form::List(&Form::Object(&EXTERNAL_REF))),
    ],
};

static EXTERNAL_REF: Section = Section {
    title: "7.21 External reference",
    unknown: Unknown::Ignored,
    rules: &[
        required("referenceCategory", Form::Name),
        required("referenceType", Form::Name),
        required("referenceLocator", Form::Name),
    ],
};

fn more_spdx_2(linter: &mut Linter<'_>, predicate: &Map<String, Value>) {
    if let Some(version) = text_of(predicate, "spdxVersion") {
        linter.at("spdxVersion", |linter| spdx_version(linter, version));
    }
    let exactly = [
        ("dataLicense", "CC0-1.0", "6.2 Data license: is CC0-1.0"),
        ("SPDXID", "SPDXRef-DOCUMENT", "6.3 SPDX identifier: is SPDXRef-DOCUMENT"),
    ];
    for (name, expected, clause) in exactly {
        if let Some(found) = text_of(predicate, name).filter(|found| *found != expected) {
            linter.at(name, |linter| linter.broken(clause, expected, &quote_text(found)));
        }
    }
}

fn spdx_version(linter: &mut Linter<'_>, version: &str) {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let numbers = version.strip_prefix("SPDX-").and_then(|text| text.split_once('.'));
    if !numbers.is_some_and(|(major, minor)| major == "2" && number(minor)) {
        linter.broken(
            "6.1 SPDX version: has the form SPDX-M.N",
            "SPDX-2.3 or another SPDX 2 version",
            &quote_text(version),
        );
        return;
    }
    let typed = linter.predicate_type.rsplit_once("/v").map(|(_, version)| version);
    if let Some(typed) = typed.filter(|typed| Some(*typed) != version.strip_prefix("SPDX-")) {
        let expected = format!("SPDX-{typed}, as the predicate type says");
        linter.unusual("6.1 SPDX version: fits the type", &expected, &quote_text(version));
    }
}

/// SPDX 3.0, "Model and serializations" and Core/SpdxDocument.
pub(super) static SPDX_3: Specification =
    Specification { name: "SPDX 3.0", root: &GRAPH, more: more_spdx_3, strict: false };

static GRAPH: Section = Section {
    title: "JSON-LD serialization",
    unknown: Unknown::Ignored,
    rules: &[required("@context", Form::Name), required("@graph", Form::Many(&Form::Map))],
};

static CREATION_INFO_3: Section = Section {
    title: "CreationInfo",
    unknown: Unknown::Ignored,
    rules: &[
        required("specVersion", Form::Name),
        required("created", Form::Time),
        required("createdBy", Form::Many(&Form::Any)),
    ],
};

fn more_spdx_3(linter: &mut Linter<'_>, predicate: &Map<String, Value>) {
    let elements = items_of(predicate, "@graph");
    let mut documents = 0_usize;
    for (index, element) in elements.iter().enumerate() {
        let Some(element) = element.as_object() else { continue };
        match text_of(element, "type") {
            Some("SpdxDocument") => documents += 1,
            Some("CreationInfo") => linter.at("@graph", |linter| {
                linter.at_index(index, |linter| linter.section(&CREATION_INFO_3, element));
            }),
            _ => {}
        }
    }
    if documents != 1 && !elements.is_empty() {
        linter.at("@graph", |linter| {
            linter.unusual(
                "SpdxDocument: a serialization holds exactly one",
                "one SpdxDocument",
                &documents.to_string(),
            );
        });
    }
}

/// Which of the two a predicate is.
pub(super) fn specification(predicate: &Value) -> &'static Specification {
    let linked = predicate.get("@graph").is_some() || predicate.get("@context").is_some();
    if linked && predicate.get("spdxVersion").is_none() { &SPDX_3 } else { &SPDX_2 }
}
