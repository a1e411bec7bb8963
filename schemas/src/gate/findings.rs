//! What scanners found: vulns v0.2 as the gate reads it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::policy::Severity;
use crate::predicate::vulns::{Score, Vulnerabilities, Vulnerability};
use crate::predicate::{EVIDENCE_EXTENSION, Predicate as _, UtcTime, canonical_purl};

/// A scan for vulnerabilities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scan {
    /// The scanner's URI.
    pub scanner: String,
    /// When it finished.
    pub scanned_at: UtcTime,
    /// What it found.
    pub findings: Vec<Vulnerable>,
    /// How many more it found of a severity than the statement lists.
    pub unlisted: BTreeMap<Severity, u64>,
}

/// One vulnerability that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vulnerable {
    /// Its identifier.
    pub id: String,
    /// Other identifiers of the same.
    pub aliases: Vec<String>,
    /// The gravest of its ratings.
    pub severity: Severity,
    /// When it was published.
    pub published: Option<UtcTime>,
    /// The package that has it.
    pub package: Option<String>,
    /// The package URL of it, in its canonical spelling.
    pub purl: Option<String>,
    /// The versions in which it is fixed.
    pub fixed: Vec<String>,
}

impl Vulnerable {
    /// Whether a text names it.
    #[must_use]
    pub fn is(&self, id: &str) -> bool {
        self.id == id || self.aliases.iter().any(|alias| alias == id)
    }
}

impl Scan {
    /// Reads a vulns v0.2 predicate; what is wrong with it, in words.
    ///
    /// # Errors
    /// A scan whose time does not parse: without one nothing can be said of its age.
    pub fn read(predicate: &Value) -> Result<Self, String> {
        let scan = Vulnerabilities::from_value(predicate).map_err(|e| crate::problem::chain(&e))?;
        let time = &scan.metadata.scan_finished_on;
        let scanned_at = UtcTime::from_rfc3339(time)
            .ok_or_else(|| format!("the time of the scan is {:.100}", format!("{time:?}")))?;
        let unlisted = predicate.get(EVIDENCE_EXTENSION).and_then(|e| e.get("unlisted"));
        let unlisted = unlisted.filter(|said| !said.is_null()).map(unlisted_counts);
        Ok(Self {
            scanner: scan.scanner.uri,
            scanned_at,
            findings: scan.scanner.result.into_iter().map(vulnerable).collect(),
            unlisted: unlisted.unwrap_or_default(),
        })
    }
}

/// How many more there are of each severity: whole numbers by its word. What is no number could be any.
fn unlisted_counts(said: &Value) -> BTreeMap<Severity, u64> {
    let mut counts: BTreeMap<Severity, u64> = BTreeMap::new();
    let mut add = |severity: Severity, count: u64| {
        let sum = counts.entry(severity).or_default();
        *sum = sum.saturating_add(count);
    };
    let Some(members) = said.as_object() else {
        add(Severity::Critical, 1);
        return counts;
    };
    for (word, count) in members {
        match count.as_u64() {
            Some(count) => add(Severity::of(word), count),
            None => add(Severity::Critical, 1),
        }
    }
    counts
}

/// What scanners write where nobody has rated a vulnerability.
const UNRATED: [&str; 10] = [
    "",
    "unknown",
    "unassigned",
    "not yet assigned",
    "undefined",
    "untriaged",
    "unspecified",
    "end-of-life",
    "n/a",
    "not available",
];

fn vulnerable(found: Vulnerability) -> Vulnerable {
    let is_word = |method: &str| !method.ends_with("_vector");
    let rated = found.severity.iter().filter(|score| is_word(&score.method));
    let severity = rated.map(|score| Severity::of(&score.score)).max();
    // What somebody rated in words that are not read might be as grave as can be, whatever others say. A vector, as a scanner names
    // one, stands beside the score that it makes, and is as such only where it is alone.
    let is_rated = severity.is_some_and(|severity| severity != Severity::Unknown);
    let is_unread = |one: &&Score| {
        Severity::of(&one.score) == Severity::Unknown
            && !UNRATED.iter().any(|word| one.score.trim().eq_ignore_ascii_case(word))
            && (is_word(&one.method) || !is_rated)
    };
    let severity = match found.severity.iter().any(|one| is_unread(&one)) {
        true => Some(Severity::Critical),
        false if is_rated => severity,
        false => found.severity.iter().map(|score| Severity::of(&score.score)).max(),
    };
    let annotations = found.annotations.unwrap_or_default();
    let member = |name: &str| annotations.iter().find_map(|map| map.get(name));
    let texts = |name: &str| -> Vec<String> {
        let list = member(name).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let text = |name: &str| member(name).and_then(Value::as_str);
    Vulnerable {
        aliases: texts("aliases"),
        severity: severity.unwrap_or(Severity::Unknown),
        published: text("publishedDate").and_then(UtcTime::from_rfc3339),
        package: text("package").map(str::to_owned),
        purl: text("purl").map(canonical_purl),
        fixed: texts("fixedVersions"),
        id: found.id,
    }
}
