//! What the gate asks of a bill of materials: the components and licences of CycloneDX and SPDX.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::digest::Sha256;
use crate::predicate::{self, MAX_FACT_BYTES, UtcTime, canonical_purl, purl_names};

/// What a licence of the SPDX list is called by a document of SPDX 3.
const SPDX_LICENSES: [&str; 2] = ["https://spdx.org/licenses/", "http://spdx.org/licenses/"];

/// A bill of materials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sbom {
    /// In which format it is written.
    pub kind: SbomKind,
    /// Its components that have a package URL.
    pub components: Vec<Component>,
    /// What a document of CycloneDX is about, where that has a package URL: it is no component of itself.
    pub main: Option<Component>,
    /// Component to licence, each as the document has it.
    pub licenses: Vec<(String, String)>,
    /// When it was made, as it says.
    pub created: Option<UtcTime>,
    /// Whether it had more than is read.
    pub truncated: bool,
}

/// The format of a bill of materials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SbomKind {
    /// CycloneDX.
    Cyclonedx,
    /// SPDX 2 or 3.
    Spdx,
}

impl SbomKind {
    /// Its name in policies.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cyclonedx => "cyclonedx",
            Self::Spdx => "spdx",
        }
    }
}

/// A component that has a package URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// The package URL.
    pub purl: String,
    /// A mark of each name by which it is found: what has another mark has another name.
    marks: Box<[u64]>,
}

impl Component {
    fn of(purl: String) -> Self {
        let marks = purl_names(&purl).iter().map(|name| mark(name)).collect();
        Self { purl, marks }
    }

    /// Whether one of the names by which it is found is this one.
    #[must_use]
    pub fn is(&self, name: &Name) -> bool {
        self.marks.contains(&name.mark) && purl_names(&self.purl).contains(&name.text)
    }
}

/// The name of a package, with or without a version, by which components are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    text: String,
    mark: u64,
}

impl Name {
    /// The name that a package URL is.
    #[must_use]
    pub fn of(purl: &str) -> Self {
        let text = canonical_purl(purl);
        Self { mark: mark(&text), text }
    }
}

/// Equal names have equal marks, in every version of the program: marks are kept at rest.
fn mark(name: &str) -> u64 {
    let hash = Sha256::of(name.as_bytes());
    hash.as_bytes().first_chunk::<8>().map_or(0, |first| u64::from_be_bytes(*first))
}

impl Sbom {
    /// Reads a document of CycloneDX.
    #[must_use]
    pub fn cyclonedx(document: &Value) -> Self {
        let metadata = document.get("metadata");
        let created = metadata.and_then(|metadata| metadata.get("timestamp"));
        let licenses = cyclonedx_licenses(document);
        let read =
            Self::of(SbomKind::Cyclonedx, "https://cyclonedx.org/bom", document, licenses, created);
        let main = main_component(document).and_then(|main| main.get("purl"));
        let main = main.and_then(Value::as_str);
        let is_long = main.is_some_and(|purl| purl.len() > MAX_FACT_BYTES);
        let main = main.filter(|_| !is_long).map(|purl| Component::of(purl.to_owned()));
        Self { main, truncated: read.truncated || is_long, ..read }
    }

    /// Reads a document of SPDX 2 or 3.
    #[must_use]
    pub fn spdx(document: &Value) -> Self {
        let graph = document.get("@graph").and_then(Value::as_array);
        let mut infos = document.get("creationInfo").into_iter().chain(graph.into_iter().flatten());
        let created = infos.find_map(|info| info.get("created"));
        let mut licenses = spdx2_licenses(document);
        licenses.extend(graph.into_iter().flatten().flat_map(spdx3_licenses));
        Self::of(SbomKind::Spdx, "https://spdx.dev/Document", document, licenses, created)
    }

    fn of(
        kind: SbomKind,
        uri: &str,
        document: &Value,
        licenses: Vec<(String, String)>,
        created: Option<&Value>,
    ) -> Self {
        let facts = predicate::facts(uri, document);
        let created = created.and_then(Value::as_str).and_then(UtcTime::from_rfc3339);
        let components = facts.purls.into_iter().map(Component::of).collect();
        Self { kind, components, main: None, licenses, created, truncated: facts.truncated }
    }
}

/// Of all components, nested ones too, and of the main one: what they say, and what was found in them (`evidence`).
fn cyclonedx_licenses(document: &Value) -> Vec<(String, String)> {
    let text = |map: &Map<String, Value>, name: &str| {
        map.get(name).and_then(Value::as_str).map(str::to_owned)
    };
    let mut waiting: Vec<&Value> = parts(document).chain(main_component(document)).collect();
    let mut found = Vec::new();
    while let Some(component) = waiting.pop() {
        waiting.extend(parts(component));
        let Some(component) = component.as_object() else { continue };
        let name = text(component, "purl").or_else(|| text(component, "name")).unwrap_or_default();
        let said = component.get("licenses");
        let observed = component.get("evidence").and_then(|evidence| evidence.get("licenses"));
        let choices = [said, observed].into_iter().flatten().filter_map(Value::as_array).flatten();
        for choice in choices.filter_map(Value::as_object) {
            let license = choice.get("license").and_then(Value::as_object);
            let told = ["id", "name", "url"];
            let told = told.iter().filter_map(|member| license.and_then(|one| text(one, member)));
            let all = told.chain(text(choice, "expression"));
            found.extend(all.map(|license| (name.clone(), license)));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// What a document of CycloneDX is about.
fn main_component(document: &Value) -> Option<&Value> {
    document.get("metadata")?.get("component")
}

fn parts(of: &Value) -> impl Iterator<Item = &Value> {
    of.get("components").and_then(Value::as_array).into_iter().flatten()
}

/// Of all packages and files: what was concluded, declared, and found in them; with what a document calls the licences that are not
/// of the SPDX list.
fn spdx2_licenses(document: &Value) -> Vec<(String, String)> {
    let list = |name: &str| document.get(name).and_then(Value::as_array).into_iter().flatten();
    let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut found = Vec::new();
    for part in ["packages", "files", "snippets"].into_iter().flat_map(list) {
        let name = text(part, "name").or_else(|| text(part, "fileName")).unwrap_or_default();
        let one = ["licenseConcluded", "licenseDeclared"];
        let several = ["licenseInfoFromFiles", "licenseInfoInFiles", "licenseInfoInSnippets"];
        let several = several.into_iter().filter_map(|member| part.get(member)?.as_array());
        let several = several.flatten().filter_map(Value::as_str).map(str::to_owned);
        let all = one.into_iter().filter_map(|member| text(part, member)).chain(several);
        let said = all.filter(|license| !matches!(license.as_str(), "NOASSERTION" | "NONE"));
        found.extend(said.map(|license| (name.clone(), license)));
    }
    for other in list("hasExtractedLicensingInfos") {
        let reference = text(other, "licenseId").unwrap_or_default();
        found.extend(text(other, "name").map(|license| (reference, license)));
    }
    found.sort();
    found.dedup();
    found
}

/// The licences that an element of SPDX 3 is or names. Which component has it stands elsewhere in the graph.
fn spdx3_licenses(element: &Value) -> Vec<(String, String)> {
    let text = |name: &str| element.get(name).and_then(Value::as_str);
    let mut names: Vec<&str> = text("simplelicensing_licenseExpression").into_iter().collect();
    let is_license = |kind: &str| matches!(kind, "hasDeclaredLicense" | "hasConcludedLicense");
    if text("relationshipType").is_some_and(is_license) {
        let targets = element.get("to").and_then(Value::as_array).into_iter().flatten();
        let listed = targets.filter_map(Value::as_str).filter_map(|target| {
            SPDX_LICENSES.iter().find_map(|prefix| target.strip_prefix(prefix))
        });
        names.extend(listed);
    }
    let of = text("from").or_else(|| text("spdxId")).unwrap_or_default();
    names.into_iter().map(|name| (of.to_owned(), name.to_owned())).collect()
}
