//! What OpenVEX statements are made of (OpenVEX 0.2.0), as far as other formats can say it.

use std::collections::BTreeMap;

use attestry_schemas::predicate::UtcTime;
use serde::{Deserialize, Serialize};

/// An OpenVEX statement: a vulnerability, products, and how the one affects the others.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Claim {
    pub(super) vulnerability: Vulnerability,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timestamp: Option<UtcTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_updated: Option<UtcTime>,
    /// None where the subjects of the attestation are meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) products: Vec<Component>,
    pub(super) status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status_notes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) justification: Option<Justification>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) impact_statement: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) action_statement: Option<String>,
}

impl Claim {
    /// Says what the source leaves unsaid where the specification demands that something is said.
    pub(super) fn complete(mut self) -> Self {
        let because = self.justification.is_some() || self.impact_statement.is_some();
        if self.status == Status::NotAffected && !because {
            let unsaid = "the source states neither a justification nor an impact";
            self.impact_statement = Some(unsaid.to_owned());
        }
        if self.status == Status::Affected && self.action_statement.is_none() {
            self.action_statement = Some("the source states no action".to_owned());
        }
        self
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Vulnerability {
    #[serde(rename = "@id", skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    pub(super) name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) aliases: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    NotAffected,
    Affected,
    Fixed,
    #[default]
    UnderInvestigation,
}

/// The reasons that OpenVEX has words for; CSAF has the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Justification {
    ComponentNotPresent,
    VulnerableCodeNotPresent,
    VulnerableCodeNotInExecutePath,
    VulnerableCodeCannotBeControlledByAdversary,
    InlineMitigationsAlreadyExist,
}

/// A product, or a part of one.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Component {
    #[serde(rename = "@id")]
    pub(super) id: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    identifiers: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) hashes: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) subcomponents: Vec<Component>,
}

impl Component {
    /// A component that has no name but what the source calls it.
    pub(super) fn called(id: &str) -> Self {
        Self { id: id.to_owned(), ..Self::default() }
    }

    /// A component by its package URL, its CPE, or else what the source calls it.
    pub(super) fn identified(purl: Option<&str>, cpe: Option<&str>, called: &str) -> Self {
        let (purl, cpe) = (purl.filter(|p| !p.is_empty()), cpe.filter(|c| !c.is_empty()));
        let mut component = Self::called(purl.or(cpe).unwrap_or(called));
        if let Some(purl) = purl {
            component.identifiers.insert("purl", purl.to_owned());
        }
        if let Some(cpe) = cpe {
            let version = if cpe.starts_with("cpe:2.3:") { "cpe23" } else { "cpe22" };
            component.identifiers.insert(version, cpe.to_owned());
        }
        component
    }
}

/// Parts of one text.
pub(super) fn joined(parts: impl IntoIterator<Item = String>) -> Option<String> {
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.trim().is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}
