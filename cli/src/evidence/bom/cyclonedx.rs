//! CycloneDX JSON 1.2 to 1.7 (ECMA-424). Documents that are VEX alone are another folder's.

use attestry_schemas::digest::Digest;
use attestry_schemas::predicate::EVIDENCE_MARK;
use serde_json::{Map, Value, json};

use super::{
    Bom, CYCLONEDX, artifact_digest, document, objects, purl_digest, text, tool_name,
    version_digest,
};
use crate::evidence::outline::{Outline, Sketch};
use crate::evidence::{Fit, Format, ImportError, Imported, Report, Totals};

pub(super) const FORMAT: Format = Format {
    name: "cyclonedx",
    title: "CycloneDX JSON",
    media_type: "application/vnd.cyclonedx+json",
    becomes: Some("cyclonedx"),
    remedy: "correct that member after https://cyclonedx.org/docs, or write CycloneDX JSON again, as with syft -o cyclonedx-json; cyclonedx validate finds all that is wrong",
    fit,
    import,
};

/// A list of components makes a bill of materials. One of vulnerabilities that are analysed, and of
/// nothing else, makes a VEX document.
fn fit(outline: &Outline) -> Fit {
    let Some(sketch) = outline.json().filter(|s| s.text(&["bomFormat"]) == Some("CycloneDX"))
    else {
        return Fit::No;
    };
    let components = sketch.count(&["components"]).unwrap_or_default();
    let analysed = matches!(sketch.at(&["vulnerabilities", "*", "analysis"]), Some(Sketch::Map(_)));
    Fit::from(components > 0 || !analysed)
}

fn import(report: &Report) -> Result<Imported, ImportError> {
    let document = document::object(report, "a CycloneDX document")?;
    let none = Map::new();
    let metadata = document.get("metadata").and_then(Value::as_object).unwrap_or(&none);
    let totals = totals(&document, metadata);
    let mut warnings: Vec<String> = version_warning(report, &document).into_iter().collect();
    if totals.first().is_some_and(|(_, components)| *components == 0) {
        warnings.push(format!("{} lists no components", report.name()));
    }
    let main = metadata.get("component").and_then(Value::as_object);
    let bom = Bom {
        uri: CYCLONEDX,
        name_original,
        totals,
        tool: tool(metadata),
        about: main.map(about).unwrap_or_default(),
        document: Value::Object(document),
    };
    bom.import(report, warnings)
}

/// What is said of versions that have not all of today's fields, or may have others.
fn version_warning(report: &Report, document: &Map<String, Value>) -> Option<String> {
    let known = minor(document).is_none_or(|minor| (4..=7).contains(&minor));
    let version = text(document, "specVersion").filter(|_| !known)?;
    let name = report.name();
    Some(format!(
        "{name} is of CycloneDX {version}; 1.4 to 1.7 are the versions that are read in full"
    ))
}

/// The `4` of `1.4`.
fn minor(document: &Map<String, Value>) -> Option<u8> {
    text(document, "specVersion")?.strip_prefix("1.")?.parse().ok()
}

fn totals(document: &Map<String, Value>, metadata: &Map<String, Value>) -> Totals {
    let main = metadata.get("component").and_then(Value::as_object);
    let mut waiting: Vec<_> = objects(document, "components").collect();
    waiting.extend(main.into_iter().flat_map(|main| objects(main, "components")));
    let (mut components, mut with_purl) = (0, 0);
    while let Some(component) = waiting.pop() {
        components += 1;
        with_purl += u64::from(text(component, "purl").is_some_and(|purl| !purl.is_empty()));
        waiting.extend(objects(component, "components"));
    }
    let vulnerabilities = objects(document, "vulnerabilities").count() as u64;
    vec![("components", components), ("with_purl", with_purl), ("vulnerabilities", vulnerabilities)]
}

/// A list up to 1.4; since 1.5 also an object with components and services.
fn tool(metadata: &Map<String, Value>) -> Option<String> {
    let since_1_5 = metadata.get("tools").and_then(Value::as_object);
    let mut tools = objects(metadata, "tools")
        .chain(since_1_5.into_iter().flat_map(|tools| objects(tools, "components")));
    tools.find_map(|tool| Some(tool_name(text(tool, "name")?, text(tool, "version"))))
}

/// The digests of the component that the document is about.
fn about(main: &Map<String, Value>) -> Vec<Digest> {
    let hashes = objects(main, "hashes")
        .filter_map(|hash| artifact_digest(text(hash, "alg"), text(hash, "content")));
    let purls = ["purl", "bom-ref"].into_iter().filter_map(|name| purl_digest(text(main, name)?));
    let versions =
        ["version", "bom-ref"].into_iter().filter_map(|name| version_digest(text(main, name)?));
    hashes.chain(purls).chain(versions).collect()
}

/// In `metadata.properties`, which is there since 1.3. A document that carries its own signature
/// would no longer verify.
fn name_original(document: &mut Map<String, Value>, original: &Digest) -> Result<(), &'static str> {
    if document.contains_key("signature") {
        return Err("the document carries a signature of its own, and is left as it is");
    }
    if minor(document).is_some_and(|minor| minor < 3) {
        return Err("a document before CycloneDX 1.3 has no properties");
    }
    let metadata = document.entry("metadata").or_insert_with(|| json!({}));
    let properties = metadata
        .as_object_mut()
        .map(|metadata| metadata.entry("properties").or_insert_with(|| json!([])));
    let Some(properties) = properties.and_then(Value::as_array_mut) else {
        return Err("metadata.properties of the document is no list");
    };
    properties.push(json!({ "name": EVIDENCE_MARK, "value": original }));
    Ok(())
}
