//! Readiness: how the configuration of an environment was checked, as readiness v1.
//!
//! Tools check manifests, templates, or a running cluster. What they call a severity, a category or
//! a failure is brought to the words of the predicate here and in [`category`] and [`severity`];
//! each format only says where in its report they stand.

mod category;
mod checkov;
mod kube_score;
mod kubernetes;
mod kubescape;
mod polaris;
mod sarif;
mod severity;
mod trivy_config;

#[cfg(test)]
mod tests;

use attestry_schemas::digest::DigestSet;
use attestry_schemas::predicate::UtcTime;
use attestry_schemas::predicate::attestry::MAX_RESULTS;
use attestry_schemas::predicate::attestry::environment::{
    Check, CheckSeverity, CheckStatus, Readiness,
};
use attestry_schemas::statement::ResourceDescriptor;

use super::place::{Absolutes, Place};
use super::redact::Redaction;
use super::scanner::Scanner;
use super::{Evidence, Format, ImportError, Imported, Product, Report, Supplement, Totals};

/// The formats that become it.
pub(super) const FORMATS: &[Format] = &[
    checkov::FORMAT,
    trivy_config::FORMAT,
    kube_score::FORMAT,
    polaris::FORMAT,
    kubescape::FORMAT,
    sarif::FORMAT,
];

/// What a check is called that has no name.
const NO_ID: &str = "unknown";

/// The category of checks whose code may show the secrets that they are against.
const OF_SECRETS: &str = "secrets";

/// Whether a check is about where credentials lie, by its id and title.
pub(super) fn is_about_secrets(id: &str, title: &str) -> bool {
    category::category(id, title, None) == OF_SECRETS
}

/// What one run of a tool checked.
#[derive(Debug)]
struct Audit {
    scanner: Scanner,
    time: Option<UtcTime>,
    /// The environment, where the report names one.
    environment: Option<String>,
    checks: Vec<Check>,
    /// Passes that the tool only counts.
    unlisted_passes: u64,
}

impl Evidence for Audit {
    fn product(
        &self,
        report: &Report,
        original: &ResourceDescriptor,
        supplement: &Supplement,
    ) -> Result<Product, ImportError> {
        let name = || report.name().to_owned();
        let stated = self.environment.as_ref().filter(|environment| !environment.is_empty());
        let environment = supplement.environment.as_ref().or(stated);
        let (configuration, warnings) = configuration(supplement);
        let predicate = Readiness {
            environment: environment
                .ok_or_else(|| ImportError::NoEnvironment { name: name() })?
                .clone(),
            checks: self.checks.clone(),
            unlisted_passes: Some(self.unlisted_passes).filter(|count| *count > 0),
            configuration: configuration
                .ok_or_else(|| ImportError::NoConfiguration { name: name() })?,
            scanned_at: supplement.scanned_at(self.stated_time(), report)?,
            scanner: self.scanner.tool(supplement),
            report: original.clone(),
        };
        Ok(match Product::of(&predicate) {
            Product::Predicate { uri, value, .. } => Product::Predicate { uri, value, warnings },
            other => other,
        })
    }

    fn totals(&self) -> Totals {
        use CheckSeverity::{Critical, High, Info, Low, Medium, Unknown};
        let count =
            |is: &dyn Fn(&Check) -> bool| self.checks.iter().filter(|c| is(c)).count() as u64;
        let ended = |status| count(&|check| check.status == status);
        let mut totals = vec![
            ("pass", ended(CheckStatus::Pass).saturating_add(self.unlisted_passes)),
            ("fail", ended(CheckStatus::Fail)),
            ("warn", ended(CheckStatus::Warn)),
            ("skip", ended(CheckStatus::Skip)),
        ];
        let severities = [
            ("fail-critical", Critical),
            ("fail-high", High),
            ("fail-medium", Medium),
            ("fail-low", Low),
            ("fail-info", Info),
            ("fail-unknown", Unknown),
        ];
        let failed = severities.map(|(name, severity)| {
            let of =
                |check: &Check| check.status == CheckStatus::Fail && check.severity == severity;
            (name, count(&of))
        });
        totals.extend(failed.into_iter().filter(|(_, count)| *count > 0));
        totals
    }

    fn stated_time(&self) -> Option<UtcTime> {
        self.time
    }

    fn tool(&self) -> Option<String> {
        Some(self.scanner.told())
    }
}

/// The configuration that was checked: the one that was named, else the subject itself.
fn configuration(supplement: &Supplement) -> (Option<DigestSet>, Vec<String>) {
    let mut named = supplement.configuration.iter().filter_map(|named| named.digest.clone());
    let Some(first) = named.next() else {
        return (supplement.subject.clone().map(DigestSet::from), Vec::new());
    };
    let more = named.count();
    let warning =
        format!("readiness names one configuration: the first is named, and {more} more are not");
    (Some(first), if more > 0 { vec![warning] } else { Vec::new() })
}

/// The checks of a report, as they are read.
struct Checks<'r> {
    report: &'r Report,
    checks: Vec<Check>,
    unlisted_passes: u64,
    absolutes: Absolutes,
    warnings: Vec<String>,
    /// What is kept in the place of the report, where that shows secrets.
    redacted: Option<Report>,
}

impl<'r> Checks<'r> {
    fn of(report: &'r Report) -> Self {
        Self {
            report,
            checks: Vec::new(),
            unlisted_passes: 0,
            absolutes: Absolutes::default(),
            warnings: Vec::new(),
            redacted: None,
        }
    }

    /// Adds a check.
    ///
    /// # Errors
    /// [`ImportError::TooMuch`].
    fn add(&mut self, mut check: Check) -> Result<(), ImportError> {
        if self.checks.len() == MAX_RESULTS {
            let (name, what) = (self.report.name().to_owned(), "checks");
            return Err(ImportError::TooMuch { name, what, limit: MAX_RESULTS });
        }
        if check.id.is_empty() {
            NO_ID.clone_into(&mut check.id);
        }
        check.resource = check.resource.filter(|resource| !resource.is_empty());
        self.checks.push(check);
        Ok(())
    }

    /// The path of a file without what belongs to the machine on which the tool ran.
    fn file(&mut self, path: &str) -> String {
        let place = Place::of(path);
        self.absolutes.note(&place);
        place.shortened()
    }

    /// Takes the secrets that the report shows out of what is said of it.
    fn redact(&mut self, redaction: Redaction) {
        let Redaction { redactor, copy, warning } = redaction;
        for check in &mut self.checks {
            redactor.clean(&mut check.id);
            if let Some(resource) = &mut check.resource {
                redactor.clean(resource);
            }
        }
        self.warnings.push(warning);
        self.redacted = Some(copy);
    }

    /// What the report says. A report in which nothing was checked says nothing.
    ///
    /// # Errors
    /// [`ImportError::NothingChecked`].
    fn import(
        mut self,
        scanner: Scanner,
        time: Option<UtcTime>,
        environment: Option<String>,
    ) -> Result<Imported, ImportError> {
        if self.checks.is_empty() && self.unlisted_passes == 0 {
            let (name, expected) = (self.report.name().to_owned(), "a check");
            return Err(ImportError::NothingChecked { name, expected });
        }
        self.warn_of_paths();
        let Self { checks, unlisted_passes, warnings, redacted, .. } = self;
        let audit = Audit { scanner, time, environment, checks, unlisted_passes };
        Ok(Imported { evidence: vec![Box::new(audit)], warnings, redacted })
    }

    fn warn_of_paths(&mut self) {
        let done = "the predicate has their last names only; the report that is kept has them";
        self.warnings.extend(self.absolutes.warning("checks", done));
    }
}

/// A part of a file: `main.tf:aws_s3_bucket.a`.
fn part(file: &str, part: &str) -> String {
    match (file.is_empty(), part.is_empty()) {
        (false, false) => format!("{file}:{part}"),
        _ => format!("{file}{part}"),
    }
}
