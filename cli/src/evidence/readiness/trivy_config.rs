//! The JSON report of Trivy, as far as it is about configurations: `trivy config`, and the
//! misconfigurations of other scans. Vulnerabilities in the same report are another format's.
//!
//! Trivy lists what failed and only counts what passed.

use attestry_schemas::predicate::attestry::environment::{Check, CheckStatus};
use serde::Deserialize;

use super::category::category;
use super::kubernetes::object;
use super::severity::severity;
use super::{Checks, part};
use crate::evidence::bounded::{self, Count, List};
use crate::evidence::elements::each;
use crate::evidence::format::{Fit, Format};
use crate::evidence::outline::{Outline, Sketch};
use crate::evidence::scanner::Scanner;
use crate::evidence::{ImportError, Imported, Report, loose, redact, time};

pub(super) const FORMAT: Format = Format {
    name: "trivy-config",
    title: "Trivy JSON of configurations",
    media_type: "application/json",
    becomes: Some("readiness"),
    remedy: "write it again with trivy config --format json --output FILE",
    fit,
    import,
};

/// What is expected where a report cannot be read.
const REPORT: &str = "a Trivy report";

/// A report, without its results.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Document {
    trivy: Option<Version>,
    #[serde(deserialize_with = "loose::text")]
    created_at: Option<String>,
    /// `trivy k8s`.
    #[serde(deserialize_with = "loose::text")]
    cluster_name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Version {
    #[serde(deserialize_with = "loose::text")]
    version: Option<String>,
}

/// An object of a cluster.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Object {
    #[serde(deserialize_with = "loose::text")]
    namespace: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    kind: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    name: Option<String>,
    results: List<Target>,
}

/// A file, or another thing that was scanned.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Target {
    #[serde(deserialize_with = "loose::text")]
    target: Option<String>,
    misconf_summary: Option<MisconfSummary>,
    misconfigurations: List<Misconfiguration>,
    vulnerabilities: Count,
    secrets: Count,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct MisconfSummary {
    #[serde(deserialize_with = "loose::count")]
    successes: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Misconfiguration {
    #[serde(rename = "ID", deserialize_with = "loose::text")]
    id: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    title: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    severity: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    status: Option<String>,
    cause_metadata: Option<CauseMetadata>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct CauseMetadata {
    #[serde(deserialize_with = "loose::text")]
    resource: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    service: Option<String>,
}

fn fit(outline: &Outline) -> Fit {
    let Some(sketch) = outline.json() else { return Fit::No };
    let places: [&[&str]; 5] = [
        &["Results", "*"],
        &["Resources", "*", "Results", "*"],
        &["Misconfigurations", "*", "Results", "*"],
        &["*"],
        &[],
    ];
    let [results, .., lists, _] = places;
    let about = |at: &[&str]| {
        let has = |name: &str| sketch.has(&[at, &[name]].concat());
        has("Misconfigurations") || has("MisconfSummary") || {
            sketch.text(&[at, &["Class"]].concat()) == Some("config")
        }
    };
    let report = sketch.has(&["ArtifactName"]) || sketch.has(&["SchemaVersion"]);
    let cluster = sketch.has(&["ClusterName"]);
    if report && about(results)
        || cluster && places.get(1..3).is_some_and(|at| at.iter().any(|at| about(at)))
        || sketch.has(&["*", "Target"]) && about(lists)
    {
        return Fit::Certain;
    }
    // A scan without a result may have been of anything.
    let empty = matches!(sketch.at(&["Results"]), None | Some(Sketch::Null | Sketch::List(0, _)));
    if sketch.has_all(&["ArtifactName", "SchemaVersion"]) && empty {
        Fit::Possible
    } else {
        Fit::No
    }
}

fn import(report: &Report) -> Result<Imported, ImportError> {
    let is_list = matches!(report.outline().json(), Some(Sketch::List(..)));
    let document = if is_list { Document::default() } else { bounded::json(report, REPORT)? };
    let mut checks = Checks::of(report);
    let (mut vulnerabilities, mut secrets) = (0, 0);
    let mut take = |of: &str, target: Target| {
        vulnerabilities += target.vulnerabilities.0;
        secrets += target.secrets.0;
        take_target(&mut checks, of, target)
    };
    // Before version 0.20 a report was a list of targets.
    let targets: &[&str] = if is_list { &["*"] } else { &["Results", "*"] };
    each(report, REPORT, targets, &mut |_, target| take("", target))?;
    // `trivy k8s`, and what its older versions write.
    for list in ["Resources", "Misconfigurations"] {
        if report.outline().json().is_some_and(|sketch| sketch.has(&[list, "*", "Results"])) {
            each(report, REPORT, &[list, "*"], &mut |_, found: Object| {
                let Object { namespace, kind, name, results } = found;
                let text = |text: Option<String>| text.unwrap_or_default();
                let of = object(&text(kind), &text(namespace), &text(name));
                results.into_iter().try_for_each(|target| take(&of, target))
            })?;
        }
    }
    for (count, what) in [(vulnerabilities, "vulnerabilities"), (secrets, "secrets")] {
        if count > 0 {
            checks.warnings.push(format!("{count} {what} of the report are left out"));
        }
    }
    if let Some(redaction) = redact::trivy::redaction(report, secrets)? {
        checks.redact(redaction);
    }
    let version = document.trivy.and_then(|trivy| trivy.version);
    let scanner = Scanner::new("trivy", version.as_deref(), None);
    let created = document.created_at.as_deref().and_then(time::utc);
    checks.import(scanner, created, document.cluster_name)
}

/// Takes the checks of one target; `of` is the object of a cluster that it is of.
fn take_target(checks: &mut Checks<'_>, of: &str, target: Target) -> Result<(), ImportError> {
    let file = checks.file(target.target.as_deref().unwrap_or_default());
    let file = if of.is_empty() { file } else { of.to_owned() };
    let mut listed_passes = 0_u64;
    for found in target.misconfigurations {
        let status = match found.status.as_deref() {
            Some("PASS") => CheckStatus::Pass,
            Some("EXCEPTION") => CheckStatus::Skip,
            // Every other is listed because it failed.
            _ => CheckStatus::Fail,
        };
        listed_passes += u64::from(status == CheckStatus::Pass);
        let cause = found.cause_metadata.unwrap_or_default();
        let id = found.id.unwrap_or_default();
        checks.add(Check {
            status,
            severity: severity(found.severity.as_deref()),
            category: category(
                &id,
                found.title.as_deref().unwrap_or_default(),
                cause.service.as_deref(),
            ),
            resource: Some(part(&file, cause.resource.as_deref().unwrap_or_default())),
            id,
        })?;
    }
    let counted = target.misconf_summary.and_then(|summary| summary.successes).unwrap_or_default();
    checks.unlisted_passes += counted.saturating_sub(listed_passes);
    Ok(())
}
