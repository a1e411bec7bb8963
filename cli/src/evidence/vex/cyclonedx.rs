//! CycloneDX documents with vulnerabilities whose impact was analysed, 1.4 to 1.7 (ECMA-424,
//! `vulnerabilities`).

mod components;

use serde::Deserialize;

use super::claim::{Claim, Component, Justification, Status, Vulnerability, joined};
use super::{Converted, Vex, document};
use crate::evidence::bounded::{self, List};
use crate::evidence::kind::tool_name;
use crate::evidence::outline::{Outline, Sketch};
use crate::evidence::{Fit, Format, ImportError, Imported, Report, time};
use components::{Components, Listed, versioned};

pub(super) const FORMAT: Format = Format {
    name: "cyclonedx-vex",
    title: "CycloneDX VEX",
    media_type: "application/vnd.cyclonedx+json",
    becomes: Some("openvex"),
    remedy: "correct that member after https://cyclonedx.org/docs: each of vulnerabilities has an id, an analysis with a state, and affects",
    fit,
    import,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    spec_version: String,
    serial_number: Option<String>,
    metadata: Option<Metadata>,
    #[serde(default)]
    components: List<Listed>,
    #[serde(default)]
    vulnerabilities: List<Assessed>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Metadata {
    timestamp: Option<String>,
    component: Option<Listed>,
    authors: List<Named>,
    manufacturer: Option<Named>,
    manufacture: Option<Named>,
    supplier: Option<Named>,
    tools: Option<Tools>,
}

#[derive(Deserialize)]
struct Named {
    name: Option<String>,
    version: Option<String>,
}

/// A list up to 1.4, an object since 1.5.
#[derive(Deserialize)]
#[serde(untagged)]
enum Tools {
    List(Vec<Named>),
    Components {
        #[serde(default)]
        components: Vec<Named>,
    },
}

/// A vulnerability.
#[derive(Deserialize)]
struct Assessed {
    id: Option<String>,
    source: Option<Origin>,
    #[serde(default)]
    references: List<Reference>,
    recommendation: Option<String>,
    /// Since 1.5.
    workaround: Option<String>,
    analysis: Option<Analysis>,
    #[serde(default)]
    affects: List<Affected>,
}

#[derive(Deserialize)]
struct Origin {
    url: Option<String>,
}

#[derive(Deserialize)]
struct Reference {
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Analysis {
    state: Option<String>,
    justification: Option<String>,
    #[serde(default)]
    response: List<String>,
    detail: Option<String>,
    /// Since 1.5.
    first_issued: Option<String>,
    /// Since 1.5.
    last_updated: Option<String>,
}

#[derive(Deserialize)]
struct Affected {
    #[serde(rename = "ref")]
    reference: String,
    #[serde(default)]
    versions: List<Version>,
}

#[derive(Deserialize)]
struct Version {
    version: Option<String>,
    range: Option<String>,
    /// `affected` where it is not said.
    status: Option<String>,
}

/// A document of analysed vulnerabilities alone is one; a bill of materials with vulnerabilities is
/// one for whoever asks for one.
fn fit(outline: &Outline) -> Fit {
    let Some(sketch) = outline.json().filter(|s| s.text(&["bomFormat"]) == Some("CycloneDX"))
    else {
        return Fit::No;
    };
    let count = |name| sketch.count(&[name]).unwrap_or_default();
    let analysed = matches!(sketch.at(&["vulnerabilities", "*", "analysis"]), Some(Sketch::Map(_)));
    match (count("components"), count("vulnerabilities")) {
        (_, 0) => Fit::No,
        (0, _) if analysed => Fit::Certain,
        _ => Fit::Possible,
    }
}

fn import(report: &Report) -> Result<Imported, ImportError> {
    let Document { spec_version, serial_number, metadata, components, vulnerabilities } =
        bounded::json(report, "a CycloneDX document")?;
    let metadata = metadata.unwrap_or_default();
    let author = metadata.author();
    let tool = metadata.tool();
    let timestamp = metadata.timestamp.as_deref().and_then(time::utc);
    let components = Components::of(serial_number, metadata.component, components);
    let (mut claims, mut left_out) = (Vec::new(), 0_usize);
    for vulnerability in vulnerabilities {
        match assess(report, vulnerability, &components)? {
            Some(claim) => claims.push(claim),
            None => left_out += 1,
        }
    }
    if claims.is_empty() && left_out > 0 {
        let expected = "a vulnerability with an analysis and its state";
        return Err(document::malformed(report, expected, format!("{left_out} without")));
    }
    let mut warnings = Vec::new();
    if left_out > 0 {
        warnings.push(format!(
            "{}: left out {left_out} vulnerabilities that have no analysis or no identifier",
            report.name()
        ));
    }
    let format = format!("CycloneDX {spec_version}");
    let converted = Converted { format, author, role: None, timestamp, claims };
    Vex::converted(report, converted, tool, warnings)
}

impl Metadata {
    /// Who made the document, or else the product.
    fn author(&self) -> Option<String> {
        let organisations = [&self.manufacturer, &self.supplier, &self.manufacture];
        let mut names = self.authors.0.iter().chain(organisations.into_iter().flatten());
        names.find_map(|named| named.name.clone().filter(|name| !name.is_empty()))
    }

    fn tool(&self) -> Option<String> {
        let (Tools::List(tools) | Tools::Components { components: tools }) = self.tools.as_ref()?;
        let mut tools = tools.iter();
        tools.find_map(|tool| Some(tool_name(tool.name.as_deref()?, tool.version.as_deref())))
    }
}

/// The claim that an analysis makes; nothing where there is none, or nothing that it is about.
fn assess(
    report: &Report,
    assessed: Assessed,
    components: &Components,
) -> Result<Option<Claim>, ImportError> {
    let Assessed { id, source, references, recommendation, workaround, analysis, affects } =
        assessed;
    let (Some(name), Some(analysis)) = (id.filter(|id| !id.is_empty()), analysis) else {
        return Ok(None);
    };
    let Some(state) = &analysis.state else { return Ok(None) };
    let (status, of_state) = status(state).ok_or_else(|| {
        document::malformed(report, "a state of an analysis", format!("{state:?}"))
    })?;
    let (justification, reason) = justification(status, &analysis);
    let detail = analysis.detail.filter(|detail| !detail.trim().is_empty());
    let responses = joined([analysis.response.0.join(", ")]);
    let of_state = of_state.map(str::to_owned);
    let mut notes = Vec::new();
    let products = products(&affects, status, components, &mut notes);
    let mut claim = Claim {
        vulnerability: Vulnerability {
            // Some sources give the address of the database, and not of the vulnerability.
            id: source.and_then(|source| source.url).filter(|url| url.contains(&name)),
            aliases: aliases(&name, references),
            name,
        },
        timestamp: analysis.first_issued.as_deref().and_then(time::utc),
        last_updated: analysis.last_updated.as_deref().and_then(time::utc),
        products,
        status,
        justification,
        ..Claim::default()
    };
    match status {
        Status::NotAffected => {
            claim.impact_statement = joined(of_state.into_iter().chain(reason).chain(detail));
            notes.extend(responses.map(|responses| format!("response: {responses}")));
        }
        Status::Affected => {
            let workaround = workaround.map(|text| format!("workaround: {text}"));
            claim.action_statement =
                joined([responses, recommendation, workaround].into_iter().flatten());
            notes.extend(detail);
        }
        Status::Fixed | Status::UnderInvestigation => {
            notes.extend(of_state);
            notes.extend(responses.map(|responses| format!("response: {responses}")));
            notes.extend(detail);
        }
    }
    claim.status_notes = joined(notes);
    Ok(Some(claim.complete()))
}

/// The status of a state, with what OpenVEX has no word for.
fn status(state: &str) -> Option<(Status, Option<&'static str>)> {
    Some(match state {
        "resolved" => (Status::Fixed, None),
        "resolved_with_pedigree" => {
            (Status::Fixed, Some("resolved, with the changes in the pedigree of the component"))
        }
        "exploitable" => (Status::Affected, None),
        "in_triage" => (Status::UnderInvestigation, None),
        "false_positive" => (
            Status::NotAffected,
            Some("a false positive: the vulnerability was identified falsely"),
        ),
        "not_affected" => (Status::NotAffected, None),
        _ => return None,
    })
}

/// The word that OpenVEX has for a justification, or else what CycloneDX means by it.
fn justification(status: Status, analysis: &Analysis) -> (Option<Justification>, Option<String>) {
    let Some(word) = analysis.justification.as_deref().filter(|_| status == Status::NotAffected)
    else {
        return (None, None);
    };
    let same = match word {
        "code_not_present" => Justification::VulnerableCodeNotPresent,
        "code_not_reachable" => Justification::VulnerableCodeNotInExecutePath,
        "protected_by_compiler"
        | "protected_at_runtime"
        | "protected_at_perimeter"
        | "protected_by_mitigating_control" => Justification::InlineMitigationsAlreadyExist,
        // These say what an exploit would need, which none of OpenVEX's words does.
        _ => return (None, Some(format!("justification: {word}"))),
    };
    // Only the first two mean the very same, so the word itself is kept for the others.
    let kept = word.starts_with("protected").then(|| format!("justification: {word}"));
    (Some(same), kept)
}

fn aliases(name: &str, references: List<Reference>) -> Vec<String> {
    let mut aliases: Vec<String> = references.into_iter().filter_map(|r| r.id).collect();
    aliases.retain(|alias| !alias.is_empty() && alias != name);
    aliases.sort();
    aliases.dedup();
    aliases
}

/// What the claim is about: what the vulnerability affects, else what the document is about, else the
/// subject of the attestation.
fn products(
    affects: &List<Affected>,
    status: Status,
    components: &Components,
    notes: &mut Vec<String>,
) -> Vec<Component> {
    let mut products: Vec<Component> = Vec::new();
    for Affected { reference, versions } in &affects.0 {
        let component = components.resolve(reference);
        // Of the versions, those speak for the claim whose own status agrees with it.
        let agrees = |version: &&Version| match (status, version.status.as_deref()) {
            (_, Some("unknown")) => status == Status::UnderInvestigation,
            (Status::NotAffected | Status::Fixed, found) => found == Some("unaffected"),
            (_, found) => found != Some("unaffected"),
        };
        let mut speaking: Vec<&Version> = versions.0.iter().filter(agrees).collect();
        if speaking.is_empty() {
            speaking = versions.0.iter().collect();
        }
        let of_versions = speaking.iter().filter_map(|version| match version {
            Version { version: Some(version), .. } => Some(versioned(&component, version, false)),
            Version { range: Some(range), .. } => Some(versioned(&component, range, true)),
            _ => None,
        });
        let mut of_versions: Vec<Component> = of_versions.collect();
        if of_versions.is_empty() {
            of_versions.push(component.clone());
        }
        for product in of_versions {
            if !products.contains(&product) {
                products.push(product);
            }
        }
        let others = versions.0.iter().filter(|v| !speaking.iter().any(|s| std::ptr::eq(*s, *v)));
        notes.extend(others.filter_map(|other| {
            let version = other.version.as_ref().or(other.range.as_ref())?;
            let status = other.status.as_deref().unwrap_or("affected");
            Some(format!("{reference} {version} is {status}"))
        }));
    }
    if products.is_empty() { components.main().into_iter().collect() } else { products }
}
