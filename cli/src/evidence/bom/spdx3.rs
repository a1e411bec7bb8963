//! SPDX 3 JSON-LD: a graph of elements, of which one is the document.

use std::collections::{BTreeMap, BTreeSet};

use attestry_schemas::digest::Digest;
use serde_json::{Map, Value};

use super::{Bom, SPDX, artifact_digest, document, mark, objects, purl_digest, text};
use crate::evidence::outline::Outline;
use crate::evidence::{Fit, Format, ImportError, Imported, Report, Totals};

pub(super) const FORMAT: Format = Format {
    name: "spdx-3",
    title: "SPDX 3 JSON-LD",
    media_type: "application/spdx+json",
    becomes: Some("spdx"),
    remedy: "correct that member after https://spdx.github.io/spdx-spec/v3.0.1, or have the tool write SPDX 3 JSON-LD again; where it cannot, SPDX 2.3 is read as well",
    fit,
    import,
};

type Element = Map<String, Value>;

fn fit(outline: &Outline) -> Fit {
    let Some(sketch) = outline.json() else { return Fit::No };
    let context = sketch.text(&["@context"]).or_else(|| sketch.text(&["@context", "*"]));
    Fit::from(context.is_some_and(|uri| uri.contains("://spdx.org/rdf/3")))
}

fn import(report: &Report) -> Result<Imported, ImportError> {
    let document = document::object(report, "an SPDX 3 document")?;
    let totals = totals(&document);
    let mut warnings = Vec::new();
    if totals.iter().take(2).all(|(_, count)| *count == 0) {
        warnings.push(format!("{} lists no packages and no files", report.name()));
    }
    let graph = Graph::of(&document);
    let (tool, about) = (graph.tool(), graph.about());
    let bom = Bom { uri: SPDX, name_original, totals, tool, about, document: document.into() };
    bom.import(report, warnings)
}

fn totals(document: &Map<String, Value>) -> Totals {
    let of_type = |fits: fn(&str) -> bool| {
        objects(document, "@graph").filter(|e| text(e, "type").is_some_and(fits)).count() as u64
    };
    let with_purl = objects(document, "@graph")
        .filter(|e| text(e, "type") == Some("software_Package") && purls(e).next().is_some());
    vec![
        ("packages", of_type(|kind| kind == "software_Package")),
        ("files", of_type(|kind| kind == "software_File")),
        // Kinds of relationships are classes of their own: LifecycleScopedRelationship.
        ("relationships", of_type(|kind| kind.ends_with("Relationship"))),
        ("with_purl", with_purl.count() as u64),
    ]
}

fn purls(element: &Element) -> impl Iterator<Item = &str> {
    let identifiers = objects(element, "externalIdentifier")
        .filter(|id| text(id, "externalIdentifierType") == Some("packageUrl"))
        .filter_map(|id| text(id, "identifier"));
    text(element, "software_packageUrl").into_iter().chain(identifiers)
}

/// The elements by their identifiers.
struct Graph<'v> {
    elements: BTreeMap<&'v str, &'v Element>,
    /// The document, and bills of materials within it: what describes, and is not described.
    collections: BTreeSet<&'v str>,
    /// From a collection to what it is about.
    described: Vec<(&'v str, &'v str)>,
}

impl<'v> Graph<'v> {
    fn of(document: &'v Map<String, Value>) -> Self {
        let mut graph =
            Self { elements: BTreeMap::new(), collections: BTreeSet::new(), described: Vec::new() };
        for element in objects(document, "@graph") {
            let kind = text(element, "type").unwrap_or_default();
            let Some(id) = text(element, "spdxId").or_else(|| text(element, "@id")) else {
                continue;
            };
            graph.elements.insert(id, element);
            if matches!(kind, "SpdxDocument" | "software_Sbom" | "Bom" | "Bundle") {
                graph.collections.insert(id);
                graph.described.extend(texts(element, "rootElement").map(|root| (id, root)));
            }
            if text(element, "relationshipType") == Some("describes")
                && let Some(from) = text(element, "from")
            {
                graph.described.extend(texts(element, "to").map(|to| (from, to)));
            }
        }
        graph
    }

    /// The digests of what the document, or a bill of materials within it, is about.
    fn about(&self) -> Vec<Digest> {
        let described: BTreeSet<&str> = self
            .described
            .iter()
            .filter(|(from, to)| self.collections.contains(from) && !self.collections.contains(to))
            .map(|(_, to)| *to)
            .collect();
        described
            .into_iter()
            .filter_map(|id| self.elements.get(id))
            .flat_map(|element| self.digests(element))
            .collect()
    }

    fn digests(&self, element: &'v Element) -> impl Iterator<Item = Digest> {
        let hashes = element.get("verifiedUsing").and_then(Value::as_array).into_iter().flatten();
        let hashes = hashes.filter_map(|hash| match hash {
            Value::String(id) => self.elements.get(id.as_str()).copied(),
            other => other.as_object(),
        });
        hashes
            .filter(|hash| text(hash, "type") == Some("Hash"))
            .filter_map(|hash| artifact_digest(text(hash, "algorithm"), text(hash, "hashValue")))
            .chain(purls(element).filter_map(purl_digest))
    }

    /// The tool that the creation information names first.
    fn tool(&self) -> Option<String> {
        let creations = self.elements.values().filter(|e| text(e, "type") == Some("CreationInfo"));
        let tools = creations.flat_map(|creation| texts(creation, "createdUsing"));
        tools
            .filter_map(|id| self.elements.get(id))
            .find_map(|tool| text(tool, "name"))
            .map(str::to_owned)
    }
}

/// The texts of the list `name`, or the one text that stands there.
fn texts<'v>(of: &'v Element, name: &str) -> impl Iterator<Item = &'v str> {
    let value = of.get(name);
    let list = value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    value.and_then(Value::as_str).into_iter().chain(list)
}

/// In the comment of the one element that is the document.
fn name_original(document: &mut Map<String, Value>, original: &Digest) -> Result<(), &'static str> {
    let elements = document.get_mut("@graph").and_then(Value::as_array_mut);
    let element = elements
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
        .find(|element| text(element, "type") == Some("SpdxDocument"));
    let Some(element) = element else { return Err("it has no element SpdxDocument") };
    let comment = match text(element, "comment") {
        Some(comment) if !comment.is_empty() => format!("{comment}\n{}", mark(original)),
        _ => mark(original),
    };
    element.insert("comment".to_owned(), comment.into());
    Ok(())
}
