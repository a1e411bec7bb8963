//! The JSON report of kubescape, one check for each control.
//!
//! Format version 2 has the controls in `summaryDetails` and the resources on which each failed in
//! `results`; that list is long, and read element by element. Version 1 is a report for each
//! framework, with the controls in `controlReports`.

use std::collections::{BTreeMap, BTreeSet};

use attestry_schemas::predicate::attestry::environment::{Check, CheckStatus};
use serde::Deserialize;

use super::Checks;
use super::category::category;
use super::kubernetes::{ObjectMeta, object};
use super::severity::{of_score, severity};
use crate::evidence::bounded::{self, List, Members};
use crate::evidence::elements::each;
use crate::evidence::format::{Fit, Format};
use crate::evidence::outline::{Outline, Sketch};
use crate::evidence::place::{Absolutes, Place};
use crate::evidence::scanner::Scanner;
use crate::evidence::{ImportError, Imported, Report, loose, time};

pub(super) const FORMAT: Format = Format {
    name: "kubescape",
    title: "kubescape JSON",
    media_type: "application/json",
    becomes: Some("readiness"),
    remedy: "write it again with kubescape scan --format json --output FILE",
    fit,
    import,
};

/// What is expected where a report cannot be read.
const REPORT: &str = "a kubescape report";
/// How many of the resources on which a control failed are named.
const MAX_NAMED: usize = 3;

/// Format version 2, without resources and results.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Document {
    #[serde(deserialize_with = "loose::text")]
    generation_time: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    cluster_name: Option<String>,
    #[serde(deserialize_with = "loose::or_default")]
    summary_details: SummaryDetails,
    metadata: Option<Metadata>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SummaryDetails {
    controls: Members<Control>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Control {
    #[serde(rename = "controlID", deserialize_with = "loose::text")]
    control_id: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    name: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    status: Option<String>,
    status_info: Option<StatusInfo>,
    #[serde(deserialize_with = "loose::text")]
    score_factor: Option<String>,
    category: Option<Category>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StatusInfo {
    #[serde(deserialize_with = "loose::text")]
    status: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    sub_status: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Category {
    #[serde(deserialize_with = "loose::text")]
    name: Option<String>,
    sub_category: Option<SubCategory>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SubCategory {
    #[serde(deserialize_with = "loose::text")]
    name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    scan_metadata: Option<ScanMetadata>,
    target_metadata: Option<TargetMetadata>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ScanMetadata {
    #[serde(deserialize_with = "loose::text")]
    kubescape_version: Option<String>,
}

/// What was scanned, where it is files.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct TargetMetadata {
    #[serde(deserialize_with = "loose::text_map")]
    file_context_metadata: BTreeMap<String, String>,
    #[serde(deserialize_with = "loose::text_map")]
    directory_context_metadata: BTreeMap<String, String>,
    #[serde(deserialize_with = "loose::text_map")]
    git_repo_context_metadata: BTreeMap<String, String>,
}

/// How the controls ended for one resource.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ResourceResult {
    #[serde(rename = "resourceID", deserialize_with = "loose::text")]
    resource_id: Option<String>,
    controls: List<ResourceControl>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ResourceControl {
    #[serde(rename = "controlID", deserialize_with = "loose::text")]
    control_id: Option<String>,
    status: Option<StatusInfo>,
    rules: List<RuleStatus>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RuleStatus {
    #[serde(deserialize_with = "loose::text")]
    status: Option<String>,
}

fn fit(outline: &Outline) -> Fit {
    let Some(sketch) = outline.json() else { return Fit::No };
    let second = sketch.has(&["summaryDetails", "controls"]);
    Fit::from(second || older_reports(sketch).is_some())
}

/// Where the reports of version 1 stand.
fn older_reports(sketch: &Sketch) -> Option<&'static [&'static str]> {
    let places: [&[&str]; 4] = [
        &["controlReports", "*"],
        &["*", "controlReports", "*"],
        &["frameworks", "*", "controlReports", "*"],
        &["frameworkReports", "*", "controlReports", "*"],
    ];
    places.into_iter().find(|place| {
        let ruled = |name| sketch.has(&[place, &[name][..]].concat());
        ruled("ruleReports")
    })
}

fn import(report: &Report) -> Result<Imported, ImportError> {
    if let Some(place) = report.outline().json().and_then(older_reports) {
        return import_older(report, place);
    }
    let document: Document = bounded::json(report, REPORT)?;
    let failing = failing(report)?;
    let mut checks = Checks::of(report);
    let mut unconcerned = 0;
    for (name, control) in document.summary_details.controls.0 {
        let id = control.control_id.filter(|id| !id.is_empty()).unwrap_or(name);
        let info = control.status_info.unwrap_or_default();
        let status = status(info.status.or(control.status).as_deref());
        let irrelevant = info.sub_status.as_deref() == Some("irrelevant");
        unconcerned += u64::from(irrelevant && status == CheckStatus::Pass);
        let own = control.category.unwrap_or_default();
        let below = own.sub_category.and_then(|category| category.name);
        let own = [below.as_deref().unwrap_or_default(), own.name.as_deref().unwrap_or_default()];
        checks.add(Check {
            status,
            severity: severity(control.score_factor.as_deref()),
            category: category(&id, control.name.as_deref().unwrap_or_default(), own),
            resource: failing.get(&id).map(Failing::told),
            id,
        })?;
    }
    if unconcerned > 0 {
        checks.warnings.push(format!(
            "{unconcerned} controls passed because no resource is concerned by them"
        ));
    }
    let metadata = document.metadata.unwrap_or_default();
    checks.warnings.extend(metadata.target_metadata.unwrap_or_default().warning());
    let version = metadata.scan_metadata.and_then(|scan| scan.kubescape_version);
    let scanner = Scanner::new("kubescape", version.as_deref(), None);
    let generated = document.generation_time.as_deref().and_then(time::utc);
    checks.import(scanner, generated, document.cluster_name)
}

fn status(status: Option<&str>) -> CheckStatus {
    match status {
        Some("passed") => CheckStatus::Pass,
        Some("failed") => CheckStatus::Fail,
        Some("warning") => CheckStatus::Warn,
        // Skipped, excluded by an exception, not relevant, or for people to look at.
        _ => CheckStatus::Skip,
    }
}

impl TargetMetadata {
    fn warning(self) -> Option<String> {
        let mut absolutes = Absolutes::default();
        let members = [
            self.file_context_metadata,
            self.directory_context_metadata,
            self.git_repo_context_metadata,
        ];
        for path in members.iter().flat_map(BTreeMap::values) {
            absolutes.note(&Place::of(path));
        }
        absolutes.warning(
            "members of the report",
            "the predicate does not have them; the report that is kept does",
        )
    }
}

/// The resources on which a control failed.
#[derive(Debug, Default)]
struct Failing {
    named: Vec<String>,
    more: usize,
}

impl Failing {
    fn add(&mut self, resource: String) {
        if self.named.len() < MAX_NAMED {
            self.named.push(resource);
        } else {
            self.more += 1;
        }
    }

    fn told(&self) -> String {
        let named = self.named.join(", ");
        if self.more == 0 { named } else { format!("{named} and {} more", self.more) }
    }
}

/// By control, the resources on which it failed.
fn failing(report: &Report) -> Result<BTreeMap<String, Failing>, ImportError> {
    let mut failing: BTreeMap<String, Failing> = BTreeMap::new();
    each(report, REPORT, &["results", "*"], &mut |_, result: ResourceResult| {
        let resource = resource(&result.resource_id.unwrap_or_default());
        for control in result.controls {
            let stated = control.status.and_then(|status| status.status);
            // Older versions say it of the rules of a control only.
            let failed = match stated.as_deref() {
                Some(status) => status == "failed",
                None => control.rules.0.iter().any(|rule| rule.status.as_deref() == Some("failed")),
            };
            if let Some(id) = control.control_id.filter(|_| failed) {
                failing.entry(id).or_default().add(resource.clone());
            }
        }
        Ok(())
    })?;
    Ok(failing)
}

/// `path=966824446/api=apps/v1/default/Deployment/web` is `Deployment default/web`.
fn resource(id: &str) -> String {
    let mut parts = id.rsplit('/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(name), Some(kind), Some(namespace)) => object(kind, namespace, name),
        _ => Place::of(id).shortened(),
    }
}

/// A control of format version 1.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ControlReport {
    #[serde(rename = "controlID", deserialize_with = "loose::text")]
    control_id: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    id: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    name: Option<String>,
    base_score: Option<f64>,
    rule_reports: List<RuleReport>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RuleReport {
    rule_status: Option<StatusInfo>,
    rule_responses: List<RuleResponse>,
}

/// A resource that a rule tells of.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RuleResponse {
    #[serde(deserialize_with = "loose::text")]
    rule_status: Option<String>,
    alert_object: Option<AlertObject>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AlertObject {
    #[serde(rename = "k8sApiObjects")]
    objects: List<ApiObject>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ApiObject {
    #[serde(deserialize_with = "loose::text")]
    kind: Option<String>,
    metadata: Option<ObjectMeta>,
}

fn import_older(report: &Report, place: &[&str]) -> Result<Imported, ImportError> {
    let mut checks = Checks::of(report);
    // A control may be in several frameworks.
    let mut seen = BTreeSet::new();
    each(report, REPORT, place, &mut |_, control: ControlReport| {
        let id = control.control_id.or(control.id).unwrap_or_default();
        if !seen.insert(id.clone()) {
            return Ok(());
        }
        let mut failing = Failing::default();
        let (mut failed, mut excluded, mut broken) = (false, false, false);
        for rule in control.rule_reports {
            let ended = rule.rule_status.and_then(|status| status.status);
            broken |= ended.as_deref() == Some("error");
            for response in rule.rule_responses {
                // What an exception excludes is only a warning.
                let warning = response.rule_status.as_deref() == Some("warning");
                excluded |= warning;
                failed |= !warning;
                if !warning {
                    let objects = response.alert_object.unwrap_or_default().objects;
                    objects.into_iter().for_each(|object| failing.add(object.told()));
                }
            }
        }
        let status = match (failed, excluded, broken) {
            (true, _, _) => CheckStatus::Fail,
            (false, _, true) => CheckStatus::Skip,
            (false, true, false) => CheckStatus::Warn,
            (false, false, false) => CheckStatus::Pass,
        };
        checks.add(Check {
            status,
            severity: of_score(control.base_score.unwrap_or_default()),
            category: category(&id, control.name.as_deref().unwrap_or_default(), []),
            resource: Some(failing.told()),
            id,
        })
    })?;
    checks.import(Scanner::new("kubescape", None, None), None, None)
}

impl ApiObject {
    fn told(self) -> String {
        self.metadata.unwrap_or_default().object(self.kind.as_deref())
    }
}
