//! SARIF of configuration scanners. Most list only what failed; what passed is then not known.

use std::collections::BTreeMap;

use attestry_schemas::predicate::attestry::analysis::Level;
use attestry_schemas::predicate::attestry::environment::{Check, CheckSeverity, CheckStatus};

use super::category::category;
use super::severity::severity;
use super::{Audit, Checks, part};
use crate::evidence::format::{Fit, Format};
use crate::evidence::outline::Outline;
use crate::evidence::sarif::{self, Finding, Kind, Status};
use crate::evidence::{Evidence, ImportError, Imported, Report};

pub(super) const FORMAT: Format = Format {
    name: "sarif-config",
    title: "SARIF of a configuration scanner",
    media_type: sarif::MEDIA_TYPE,
    becomes: Some("readiness"),
    remedy: sarif::REMEDY,
    fit,
    import,
};

fn fit(outline: &Outline) -> Fit {
    sarif::fit(outline, Kind::Configuration)
}

fn import(report: &Report) -> Result<Imported, ImportError> {
    let mut by_run: BTreeMap<usize, Checks<'_>> = BTreeMap::new();
    let reading = sarif::read(report, Kind::Configuration, &mut |run, finding| {
        let checks = by_run.entry(run).or_insert_with(|| Checks::of(report));
        let check = check(checks, finding);
        checks.add(check)
    })?;
    let mut evidence: Vec<Box<dyn Evidence>> = Vec::new();
    let mut warnings = reading.warnings;
    for run in reading.runs {
        let mut checks = by_run.remove(&run.index).unwrap_or_else(|| Checks::of(report));
        checks.warn_of_paths();
        warnings.extend(checks.warnings);
        if checks.checks.is_empty() {
            let tool = run.scanner.told();
            warnings.push(format!("{tool} lists no check, only that nothing was found"));
        }
        let mut checks = checks.checks;
        if let Some(redactor) = &reading.redactor {
            for check in &mut checks {
                redactor.clean(&mut check.id);
                if let Some(resource) = &mut check.resource {
                    redactor.clean(resource);
                }
            }
        }
        evidence.push(Box::new(Audit {
            scanner: run.scanner,
            time: run.time,
            environment: None,
            checks,
            unlisted_passes: 0,
        }));
    }
    Ok(Imported { evidence, warnings, redacted: reading.redacted })
}

fn check(checks: &mut Checks<'_>, finding: Finding<'_>) -> Check {
    checks.absolutes.note(&finding.place);
    let rule = finding.rule;
    let properties = rule.and_then(|rule| rule.properties.as_ref());
    let tags = properties.map_or(&[][..], |properties| &properties.tags);
    let title = rule.and_then(|rule| rule.short_description.as_ref()?.text.as_deref());
    let title = title.or_else(|| rule.and_then(|rule| rule.name.as_deref())).unwrap_or_default();
    Check {
        category: category(&finding.rule_id, title, tags.iter().map(String::as_str)),
        status: match finding.status {
            _ if finding.suppressed => CheckStatus::Skip,
            Status::Fail => CheckStatus::Fail,
            Status::Pass => CheckStatus::Pass,
            Status::Open => CheckStatus::Skip,
        },
        severity: {
            let stated = properties.and_then(|properties| properties.security_severity.as_deref());
            let word = properties.and_then(|properties| properties.severity.as_deref());
            let own = finding.properties.get("severity").map(String::as_str);
            let known = |text: &str| {
                Some(severity(Some(text))).filter(|known| *known != CheckSeverity::Unknown)
            };
            // Trivy has the word among its tags.
            let word_tag = |tag: &&str| tag.bytes().all(|byte| byte.is_ascii_uppercase());
            let tags = tags.iter().map(String::as_str).filter(word_tag);
            let stated = stated.into_iter().chain(own).chain(word).chain(tags).find_map(known);
            stated.unwrap_or(match finding.level {
                Level::Error => CheckSeverity::High,
                Level::Warning => CheckSeverity::Medium,
                Level::Note => CheckSeverity::Low,
                Level::None => CheckSeverity::Info,
            })
        },
        resource: Some(part(
            &finding.place.shortened(),
            finding.object.as_deref().unwrap_or_default(),
        )),
        id: finding.rule_id,
    }
}
