//! The JSON report of kube-score (`--output-format json`): a list of objects with graded checks.

use attestry_schemas::predicate::attestry::environment::{Check, CheckSeverity, CheckStatus};
use serde::Deserialize;

use super::Checks;
use super::category::category;
use super::kubernetes::ObjectMeta;
use crate::evidence::bounded::List;
use crate::evidence::elements::each;
use crate::evidence::format::{Fit, Format};
use crate::evidence::loose;
use crate::evidence::outline::Outline;
use crate::evidence::scanner::Scanner;
use crate::evidence::{ImportError, Imported, Report};

pub(super) const FORMAT: Format = Format {
    name: "kube-score",
    title: "kube-score JSON",
    media_type: "application/json",
    becomes: Some("readiness"),
    remedy: "write it again with kube-score score --output-format json",
    fit,
    import,
};

/// Up to this grade a check is critical; the grades are 1, 5, 7 and 10.
const CRITICAL: u64 = 1;
/// Up to this grade a check is a warning.
const WARNING: u64 = 5;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Scored {
    #[serde(deserialize_with = "loose::text")]
    object_name: Option<String>,
    #[serde(deserialize_with = "loose::or_default")]
    type_meta: TypeMeta,
    #[serde(deserialize_with = "loose::or_default")]
    object_meta: ObjectMeta,
    checks: List<Score>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TypeMeta {
    #[serde(deserialize_with = "loose::text")]
    kind: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Score {
    #[serde(deserialize_with = "loose::or_default")]
    check: About,
    #[serde(deserialize_with = "loose::count")]
    grade: Option<u64>,
    #[serde(deserialize_with = "loose::or_default")]
    skipped: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct About {
    #[serde(deserialize_with = "loose::text")]
    id: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    name: Option<String>,
}

fn fit(outline: &Outline) -> Fit {
    let Some(sketch) = outline.json() else { return Fit::No };
    if sketch.count(&[]) == Some(0) {
        return Fit::Possible;
    }
    Fit::from(sketch.has(&["*", "object_name"]) && sketch.has(&["*", "checks"]))
}

fn import(report: &Report) -> Result<Imported, ImportError> {
    let mut checks = Checks::of(report);
    if report.outline().json().and_then(|sketch| sketch.count(&[])).is_none() {
        return Err(report.unlike("a list of kube-score objects"));
    }
    each(report, "a kube-score report", &["*"], &mut |_, scored: Scored| {
        let resource = scored.resource();
        for Score { check, grade, skipped } in scored.checks {
            let id = check.id.unwrap_or_default();
            let (status, severity) = graded(grade, skipped);
            checks.add(Check {
                status,
                severity,
                category: category(&id, check.name.as_deref().unwrap_or(&id), []),
                resource: Some(resource.clone()),
                id,
            })?;
        }
        Ok(())
    })?;
    checks.import(Scanner::new("kube-score", None, None), None, None)
}

impl Scored {
    fn resource(&self) -> String {
        match self.object_meta.name.as_deref() {
            None | Some("") => self.object_name.clone().unwrap_or_default(),
            Some(_) => self.object_meta.object(self.type_meta.kind.as_deref()),
        }
    }
}

/// kube-score grades what it finds, and does not say how bad it would be where it finds nothing.
fn graded(grade: Option<u64>, skipped: bool) -> (CheckStatus, CheckSeverity) {
    match grade {
        _ if skipped => (CheckStatus::Skip, CheckSeverity::Unknown),
        None => (CheckStatus::Skip, CheckSeverity::Unknown),
        Some(grade) if grade <= CRITICAL => (CheckStatus::Fail, CheckSeverity::Critical),
        Some(grade) if grade <= WARNING => (CheckStatus::Warn, CheckSeverity::Medium),
        Some(_) => (CheckStatus::Pass, CheckSeverity::Unknown),
    }
}
