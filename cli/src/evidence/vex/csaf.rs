//! CSAF 2.0 and 2.1 advisories that say the status of products: profiles VEX and security advisory.

mod products;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::claim::{Claim, Component, Justification, Status, Vulnerability, joined};
use super::{Converted, Vex, document};
use crate::evidence::bounded::{self, List};
use crate::evidence::kind::tool_name;
use crate::evidence::outline::Outline;
use crate::evidence::{Fit, Format, ImportError, Imported, Report, time};
use products::{ProductTree, Products};

pub(super) const FORMAT: Format = Format {
    name: "csaf",
    title: "CSAF",
    media_type: "application/json",
    becomes: Some("openvex"),
    remedy: "have whoever published it correct it: a CSAF validator, such as csaf_validator, names each member that is wrong",
    fit,
    import,
};

#[derive(Deserialize)]
struct Advisory {
    document: About,
    #[serde(default)]
    product_tree: ProductTree,
    #[serde(default)]
    vulnerabilities: List<Assessed>,
}

#[derive(Deserialize)]
struct About {
    category: String,
    csaf_version: String,
    publisher: Publisher,
    #[serde(default)]
    tracking: Tracking,
}

#[derive(Deserialize)]
struct Publisher {
    name: String,
    category: Option<String>,
}

#[derive(Deserialize, Default)]
struct Tracking {
    current_release_date: Option<String>,
    initial_release_date: Option<String>,
    status: Option<String>,
    generator: Option<Generator>,
}

#[derive(Deserialize)]
struct Generator {
    engine: Option<Engine>,
}

#[derive(Deserialize)]
struct Engine {
    name: String,
    version: Option<String>,
}

/// A vulnerability, and what is said of products.
#[derive(Deserialize)]
struct Assessed {
    cve: Option<String>,
    #[serde(default)]
    ids: List<Id>,
    title: Option<String>,
    #[serde(default)]
    product_status: ProductStatus,
    #[serde(default)]
    flags: List<Flag>,
    #[serde(default)]
    threats: List<Threat>,
    #[serde(default)]
    remediations: List<Remediation>,
}

#[derive(Deserialize)]
struct Id {
    text: String,
}

/// Lists of product identifiers. `recommended` and `unknown` are no status of OpenVEX.
#[derive(Deserialize, Default)]
#[serde(default)]
struct ProductStatus {
    known_not_affected: List<String>,
    known_affected: List<String>,
    first_affected: List<String>,
    last_affected: List<String>,
    fixed: List<String>,
    first_fixed: List<String>,
    under_investigation: List<String>,
}

impl ProductStatus {
    fn lists(&self) -> [(Status, &'static str, &List<String>); 7] {
        [
            (Status::NotAffected, "known_not_affected", &self.known_not_affected),
            (Status::Affected, "known_affected", &self.known_affected),
            (Status::Affected, "first_affected", &self.first_affected),
            (Status::Affected, "last_affected", &self.last_affected),
            (Status::Fixed, "fixed", &self.fixed),
            (Status::Fixed, "first_fixed", &self.first_fixed),
            (Status::UnderInvestigation, "under_investigation", &self.under_investigation),
        ]
    }
}

/// The products that something is said of; all of them where it names none.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Scope {
    product_ids: List<String>,
    group_ids: List<String>,
}

#[derive(Deserialize)]
struct Flag {
    label: String,
    #[serde(flatten)]
    scope: Scope,
}

#[derive(Deserialize)]
struct Threat {
    category: String,
    #[serde(default)]
    details: String,
    #[serde(flatten)]
    scope: Scope,
}

#[derive(Deserialize)]
struct Remediation {
    category: String,
    #[serde(default)]
    details: String,
    url: Option<String>,
    #[serde(flatten)]
    scope: Scope,
}

fn fit(outline: &Outline) -> Fit {
    let Some(sketch) = outline.json() else { return Fit::No };
    Fit::from(sketch.text(&["document", "csaf_version"]).is_some())
}

fn import(report: &Report) -> Result<Imported, ImportError> {
    let Advisory { document: about, product_tree, vulnerabilities } =
        bounded::json(report, "a CSAF document")?;
    if !matches!(about.csaf_version.as_str(), "2.0" | "2.1") {
        return Err(document::malformed(report, "CSAF 2.0 or 2.1", about.csaf_version));
    }
    // What was withdrawn or superseded says no longer what it once said.
    if matches!(about.category.as_str(), "csaf_withdrawn" | "csaf_superseded") {
        let expected = "category csaf_vex or csaf_security_advisory";
        return Err(document::malformed(report, expected, about.category));
    }
    let products = Products::of(product_tree);
    let mut claims = Vec::new();
    for vulnerability in &vulnerabilities.0 {
        assess(report, vulnerability, &products, &mut claims)?;
    }
    let mut warnings = Vec::new();
    if about.tracking.status.as_deref() == Some("draft") {
        warnings.push(format!("{} is a draft", report.name()));
    }
    if let Some(id) = products.first_unknown() {
        let name = report.name();
        warnings.push(format!("{name} names products that it does not describe, such as {id}"));
    }
    let Tracking { current_release_date, initial_release_date, generator, .. } = about.tracking;
    let date = current_release_date.or(initial_release_date);
    let engine = generator.and_then(|generator| generator.engine);
    let tool = engine.map(|engine| tool_name(&engine.name, engine.version.as_deref()));
    let converted = Converted {
        format: format!("CSAF {}", about.csaf_version),
        author: Some(about.publisher.name).filter(|name| !name.is_empty()),
        role: about.publisher.category,
        timestamp: date.as_deref().and_then(time::utc),
        claims,
    };
    Vex::converted(report, converted, tool, warnings)
}

/// Makes the claims about one vulnerability: one for all products of which the same is said.
fn assess(
    report: &Report,
    assessed: &Assessed,
    products: &Products,
    claims: &mut Vec<Claim>,
) -> Result<(), ImportError> {
    let statuses = statuses(report, assessed, products)?;
    if statuses.is_empty() {
        return Ok(());
    }
    let vulnerability = name(report, assessed)?;
    let Assessed { flags, threats, remediations, .. } = assessed;
    let reasons = flags.0.iter().map(|flag| Some(&flag.scope));
    let impacts = threats.0.iter().map(|t| (t.category == "impact").then_some(&t.scope));
    let actions = remediations.0.iter().map(|remediation| Some(&remediation.scope));
    let (reasons, impacts, actions) =
        (Said::of(reasons, products), Said::of(impacts, products), Said::of(actions, products));
    let mut places: BTreeMap<(Status, Option<Justification>, Vec<usize>), usize> = BTreeMap::new();
    for (id, status) in statuses {
        let justification = match status {
            Status::NotAffected => justification(report, &reasons.about(id), flags)?,
            _ => None,
        };
        let said = match status {
            Status::NotAffected => impacts.about(id),
            Status::Affected => actions.about(id),
            Status::Fixed | Status::UnderInvestigation => Vec::new(),
        };
        let place = *places.entry((status, justification, said.clone())).or_insert_with(|| {
            let (impact_statement, action_statement) = match status {
                Status::NotAffected => (impact(&said, threats), None),
                _ => (None, action(&said, remediations)),
            };
            let vulnerability = vulnerability.clone();
            let claim = Claim { vulnerability, status, justification, ..Claim::default() };
            claims.push(Claim { impact_statement, action_statement, ..claim }.complete());
            claims.len() - 1
        });
        if let Some(claim) = claims.get_mut(place) {
            claim.products.extend(products.components(id));
        }
    }
    Ok(())
}

/// The products and their status, in the order in which the document lists them, each once.
fn statuses<'a>(
    report: &Report,
    assessed: &'a Assessed,
    products: &Products,
) -> Result<Vec<(&'a str, Status)>, ImportError> {
    let mut known: BTreeMap<&str, (Status, &'static str)> = BTreeMap::new();
    let mut statuses = Vec::new();
    for (status, list, ids) in assessed.product_status.lists() {
        for id in &ids.0 {
            match known.get(id.as_str()) {
                None => statuses.push((id.as_str(), status)),
                Some((same, _)) if *same == status => continue,
                // Mandatory test 6.1.6: no product is in two groups that contradict each other.
                Some((_, other)) => {
                    let name = products.name(id);
                    let expected = format!("one status for the product {name}");
                    return Err(document::malformed(
                        report,
                        expected,
                        format!("{other} and {list}"),
                    ));
                }
            }
            known.insert(id, (status, list));
        }
    }
    Ok(statuses)
}

/// By its CVE, its first other identifier, or else its title.
fn name(report: &Report, assessed: &Assessed) -> Result<Vulnerability, ImportError> {
    let ids = assessed.ids.0.iter().map(|id| &id.text);
    let mut names = assessed.cve.iter().chain(ids).filter(|name| !name.is_empty()).cloned();
    let name = names.next().or_else(|| assessed.title.clone()).filter(|name| !name.is_empty());
    let Some(name) = name else {
        let expected = "a vulnerability with a CVE or another identifier";
        return Err(document::malformed(report, expected, "one without"));
    };
    let mut aliases: Vec<String> = names.filter(|alias| *alias != name).collect();
    aliases.sort();
    aliases.dedup();
    Ok(Vulnerability { id: None, name, aliases })
}

/// What is said of which product, by position in its list.
struct Said<'a> {
    of_all: Vec<usize>,
    of_one: BTreeMap<&'a str, Vec<usize>>,
}

impl<'a> Said<'a> {
    /// Where there is no scope, what is said is not asked for.
    fn of(scopes: impl Iterator<Item = Option<&'a Scope>>, products: &'a Products) -> Self {
        let mut said = Self { of_all: Vec::new(), of_one: BTreeMap::new() };
        for (index, scope) in scopes.enumerate() {
            let Some(Scope { product_ids, group_ids }) = scope else { continue };
            if product_ids.0.is_empty() && group_ids.0.is_empty() {
                said.of_all.push(index);
            }
            let grouped = group_ids.0.iter().flat_map(|group| products.group(group));
            for id in product_ids.0.iter().chain(grouped) {
                said.of_one.entry(id).or_default().push(index);
            }
        }
        said
    }

    fn about(&self, product: &str) -> Vec<usize> {
        let of_one = self.of_one.get(product).into_iter().flatten();
        let mut about: Vec<usize> = self.of_all.iter().chain(of_one).copied().collect();
        about.sort_unstable();
        about.dedup();
        about
    }
}

/// The first flag's label, which is one of OpenVEX's words.
fn justification(
    report: &Report,
    about: &[usize],
    flags: &List<Flag>,
) -> Result<Option<Justification>, ImportError> {
    let Some(flag) = about.first().and_then(|index| flags.0.get(*index)) else { return Ok(None) };
    let label = serde_json::Value::from(flag.label.as_str());
    serde_json::from_value(label).map(Some).map_err(|_| {
        document::malformed(report, "a flag with a label of CSAF", format!("{:?}", flag.label))
    })
}

fn impact(about: &[usize], threats: &List<Threat>) -> Option<String> {
    let threats = about.iter().filter_map(|index| threats.0.get(*index));
    joined(threats.map(|threat| threat.details.trim().to_owned()))
}

fn action(about: &[usize], remediations: &List<Remediation>) -> Option<String> {
    let remediations = about.iter().filter_map(|index| remediations.0.get(*index));
    joined(remediations.map(|Remediation { category, details, url, .. }| {
        let url = url.as_deref().map(|url| format!(" ({url})")).unwrap_or_default();
        format!("{category}: {}{url}", details.trim())
    }))
}
