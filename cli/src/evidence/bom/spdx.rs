//! SPDX 2.2 and 2.3 JSON (ISO/IEC 5962).

use std::collections::BTreeSet;

use attestry_schemas::digest::Digest;
use serde_json::{Map, Value, json};

use super::{
    Bom, SPDX, artifact_digest, document, mark, objects, purl_digest, text, tool_name,
    version_digest,
};
use crate::evidence::outline::Outline;
use crate::evidence::{Fit, Format, ImportError, Imported, Report, Totals};

pub(super) const FORMAT: Format = Format {
    name: "spdx-2",
    title: "SPDX 2 JSON",
    media_type: "application/spdx+json",
    becomes: Some("spdx"),
    remedy: "correct that member after https://spdx.github.io/spdx-spec/v2.3, or write SPDX 2.3 again, as with syft -o spdx-json or trivy --format spdx-json",
    fit,
    import,
};

/// The one member in which GitHub's dependency graph answers with the document.
const WRAPPER: &str = "sbom";
/// How an SPDX document refers to itself.
const DOCUMENT_ID: &str = "SPDXRef-DOCUMENT";

fn fit(outline: &Outline) -> Fit {
    let Some(sketch) = outline.json() else { return Fit::No };
    Fit::from(sketch.has(&["spdxVersion"]) || sketch.has(&[WRAPPER, "spdxVersion"]))
}

fn import(report: &Report) -> Result<Imported, ImportError> {
    let mut document = document::object(report, "an SPDX document")?;
    let mut warnings = Vec::new();
    if !document.contains_key("spdxVersion")
        && let Some(Value::Object(inner)) = document.remove(WRAPPER)
    {
        document = inner;
        warnings.push(format!("{}: the document in its member {WRAPPER} is taken", report.name()));
    }
    if let Some(version) = text(&document, "spdxVersion").filter(|version| *version != "SPDX-2.3") {
        let name = report.name();
        warnings.push(format!("{name} is of {version}; 2.3 is the version that is read in full"));
    }
    let totals = totals(&document);
    if totals.iter().take(2).all(|(_, count)| *count == 0) {
        warnings.push(format!("{} lists no packages and no files", report.name()));
    }
    let bom = Bom {
        uri: SPDX,
        name_original,
        totals,
        tool: tool(&document),
        about: about(&document),
        document: Value::Object(document),
    };
    bom.import(report, warnings)
}

fn totals(document: &Map<String, Value>) -> Totals {
    let count = |name| objects(document, name).count() as u64;
    let with_purl =
        objects(document, "packages").filter(|package| purls(package).next().is_some()).count();
    vec![
        ("packages", count("packages")),
        ("files", count("files")),
        ("relationships", count("relationships")),
        ("with_purl", with_purl as u64),
    ]
}

fn purls(package: &Map<String, Value>) -> impl Iterator<Item = &str> {
    objects(package, "externalRefs")
        .filter_map(|reference| text(reference, "referenceLocator"))
        .filter(|locator| locator.starts_with("pkg:"))
}

/// A creator is written `Tool: name-version`, and by some tools `Tool: name version`.
fn tool(document: &Map<String, Value>) -> Option<String> {
    let creators = document.get("creationInfo")?.get("creators")?.as_array()?;
    let tool = creators.iter().find_map(|creator| creator.as_str()?.strip_prefix("Tool:"))?.trim();
    let split = tool.rsplit_once('-').filter(|(_, version)| {
        version.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit())
    });
    Some(match split {
        Some((name, version)) => tool_name(name, Some(version)),
        None => tool.to_owned(),
    })
}

/// The digests of the packages and files that the document describes.
fn about(document: &Map<String, Value>) -> Vec<Digest> {
    let listed = document.get("documentDescribes").and_then(Value::as_array);
    let listed = listed.into_iter().flatten().filter_map(Value::as_str);
    let related = objects(document, "relationships").filter_map(|relationship| {
        let (from, to) =
            (text(relationship, "spdxElementId")?, text(relationship, "relatedSpdxElement")?);
        match text(relationship, "relationshipType")? {
            "DESCRIBES" if from == DOCUMENT_ID => Some(to),
            "DESCRIBED_BY" if to == DOCUMENT_ID => Some(from),
            _ => None,
        }
    });
    let described: BTreeSet<&str> = listed.chain(related).collect();
    objects(document, "packages")
        .chain(objects(document, "files"))
        .filter(|element| text(element, "SPDXID").is_some_and(|id| described.contains(id)))
        .flat_map(digests)
        .collect()
}

fn digests(element: &Map<String, Value>) -> impl Iterator<Item = Digest> {
    objects(element, "checksums")
        .filter_map(|sum| artifact_digest(text(sum, "algorithm"), text(sum, "checksumValue")))
        .chain(purls(element).filter_map(purl_digest))
        .chain(text(element, "versionInfo").and_then(version_digest))
}

/// In an annotation of the document (clause 12), which the schema has for remarks of other tools than
/// the one that made it.
fn name_original(document: &mut Map<String, Value>, original: &Digest) -> Result<(), &'static str> {
    let created = document.get("creationInfo").and_then(|info| info.get("created")).cloned();
    let annotations = document.entry("annotations").or_insert_with(|| json!([]));
    let (Some(annotations), Some(created)) = (annotations.as_array_mut(), created) else {
        return Err("annotations of the document is no list");
    };
    annotations.push(json!({
        "annotationDate": created,
        "annotationType": "OTHER",
        "annotator": concat!("Tool: attestry-", env!("CARGO_PKG_VERSION")),
        "comment": mark(original),
    }));
    Ok(())
}
