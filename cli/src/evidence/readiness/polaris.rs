//! The JSON report of Fairwinds Polaris, output version 1.0: checks of objects, of their pods and
//! of their containers.

use attestry_schemas::predicate::attestry::environment::{Check, CheckStatus};
use serde::Deserialize;

use super::category::category;
use super::severity::severity;
use super::{Checks, kubernetes};
use crate::evidence::bounded::{self, List, Members};
use crate::evidence::elements::each;
use crate::evidence::format::{Fit, Format};
use crate::evidence::outline::Outline;
use crate::evidence::scanner::Scanner;
use crate::evidence::{ImportError, Imported, Report, loose, time};

pub(super) const FORMAT: Format = Format {
    name: "polaris",
    title: "Polaris JSON",
    media_type: "application/json",
    becomes: Some("readiness"),
    remedy: "write it again with polaris audit --format json",
    fit,
    import,
};

/// What is expected where a report cannot be read.
const REPORT: &str = "a Polaris report of output version 1.0";

/// A report, without its results.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Document {
    #[serde(deserialize_with = "loose::text")]
    audit_time: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    source_type: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    source_name: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    display_name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Object {
    #[serde(deserialize_with = "loose::text")]
    name: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    namespace: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    kind: Option<String>,
    results: Members<Message>,
    pod_result: Option<Pod>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Pod {
    results: Members<Message>,
    container_results: List<Container>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Container {
    #[serde(deserialize_with = "loose::text")]
    name: Option<String>,
    results: Members<Message>,
}

/// How one check ended.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Message {
    #[serde(rename = "ID", deserialize_with = "loose::text")]
    id: Option<String>,
    success: bool,
    #[serde(deserialize_with = "loose::text")]
    severity: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    category: Option<String>,
}

fn fit(outline: &Outline) -> Fit {
    let Some(sketch) = outline.json() else { return Fit::No };
    Fit::from(sketch.has_all(&["PolarisOutputVersion", "AuditTime"]))
}

fn import(report: &Report) -> Result<Imported, ImportError> {
    let document: Document = bounded::json(report, REPORT)?;
    let mut checks = Checks::of(report);
    each(report, REPORT, &["Results", "*"], &mut |_, object: Object| {
        let Object { name, namespace, kind, results, pod_result } = object;
        let text = |text: Option<String>| text.unwrap_or_default();
        let resource = kubernetes::object(&text(kind), &text(namespace), &text(name));
        take(&mut checks, &resource, results)?;
        let Pod { results, container_results } = pod_result.unwrap_or_default();
        take(&mut checks, &resource, results)?;
        for Container { name, results } in container_results {
            let container = format!("{resource} container {}", text(name));
            take(&mut checks, &container, results)?;
        }
        Ok(())
    })?;
    // What was audited is a cluster, or files; only a cluster is an environment.
    let cluster = document.source_type.is_some_and(|kind| kind.starts_with("Cluster"));
    let name = document.display_name.filter(|name| !name.is_empty()).or(document.source_name);
    let audited = document.audit_time.as_deref().and_then(time::utc);
    checks.import(Scanner::new("polaris", None, None), audited, name.filter(|_| cluster))
}

fn take(
    checks: &mut Checks<'_>,
    resource: &str,
    results: Members<Message>,
) -> Result<(), ImportError> {
    for (name, message) in results.0 {
        let id = message.id.filter(|id| !id.is_empty()).unwrap_or(name);
        let status = match message.severity.as_deref() {
            _ if message.success => CheckStatus::Pass,
            Some("ignore") => CheckStatus::Skip,
            Some("warning") => CheckStatus::Warn,
            _ => CheckStatus::Fail,
        };
        checks.add(Check {
            status,
            severity: severity(message.severity.as_deref()),
            // The message says how it ended, the id what it is about.
            category: category(&id, &id, message.category.as_deref()),
            resource: Some(resource.to_owned()),
            id,
        })?;
    }
    Ok(())
}
