//! OpenVEX documents, 0.2.0 and what came before it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::claim::Status;
use super::{OPENVEX, Source, Vex, document};
use crate::evidence::outline::Outline;
use crate::evidence::{Fit, Format, ImportError, Imported, Report};

pub(super) const FORMAT: Format = Format {
    name: "openvex",
    title: "OpenVEX",
    media_type: "application/json",
    becomes: Some("openvex"),
    remedy: "correct that member after https://github.com/openvex/spec, or write the document again with vexctl create",
    fit,
    import,
};

fn fit(outline: &Outline) -> Fit {
    let context = outline.json().and_then(|sketch| sketch.text(&["@context"]));
    Fit::from(context.is_some_and(|context| context.starts_with(OPENVEX)))
}

fn import(report: &Report) -> Result<Imported, ImportError> {
    let mut document = document::object(report, "an OpenVEX document")?;
    let mut warnings = Vec::new();
    // Up to 0.0.1 the version was a text.
    if let Some(version) = document.get("version").and_then(Value::as_str)
        && let Ok(number) = version.parse::<u64>()
    {
        warnings.push(format!("{}: its version, a text, is taken as a number", report.name()));
        document.insert("version".to_owned(), number.into());
    }
    let tool = document.get("tooling").and_then(Value::as_str).map(str::to_owned);
    let document = Value::Object(document);
    document::check(report, OPENVEX, &document)?;
    let statements = document.get("statements").and_then(Value::as_array);
    let statements = statements.map(Vec::as_slice).unwrap_or_default();
    let names: BTreeSet<&str> = statements.iter().filter_map(vulnerability).collect();
    let vex = Vex {
        statuses: statements.iter().filter_map(status).collect(),
        vulnerabilities: names.len(),
        tool: tool.filter(|tool| !tool.is_empty()),
        source: Source::OpenVex(document),
    };
    Ok(Imported { warnings, ..Imported::one(vex) })
}

fn status(statement: &Value) -> Option<Status> {
    serde_json::from_value(statement.get("status")?.clone()).ok()
}

/// An object with a name; up to 0.0.1 the name itself.
fn vulnerability(statement: &Value) -> Option<&str> {
    let vulnerability = statement.get("vulnerability")?;
    vulnerability.as_str().or_else(|| vulnerability.get("name")?.as_str())
}
