//! `readiness`: the newest evidence of the target environment's configuration is good.

use super::super::answer::{Finding, Judgement};
use super::super::case::{Case, Counted, by, joined};
use super::super::evidence::Said;
use crate::policy::RuleKind;
use crate::predicate::attestry::environment::{Check, CheckSeverity, CheckStatus, Readiness};

pub(super) fn judge(case: &Case<'_>, kind: &RuleKind) -> Judgement {
    let RuleKind::Readiness { demand, checks, categories, bind_configuration, .. } = kind else {
        return Judgement::error("a readiness rule", "another", "report this");
    };
    let environment = &case.question.environment;
    let mut wanted = format!("evidence by {} that {environment} is ready", by(demand));
    if !checks.is_empty() || !categories.is_empty() {
        wanted +=
            &format!(", with {} passed", joined(&[checks.as_slice(), categories].concat(), ""));
    }
    if *bind_configuration {
        wanted += ", for the configuration that is being applied";
    }
    let fix = format!(
        "scan the configuration and import the report: attestry evidence add REPORT --subject CONFIGURATION --configuration CONFIGURATION --environment {environment} --key KEY --registry URL, and ask with --configuration CONFIGURATION"
    );
    let selection = case.select_where(demand, |evidence| match evidence.said() {
        Said::Readiness(readiness) => readiness.environment == *environment,
        _ => false,
    });
    // Of every scanner the newest: another scanner's older result is not made good by it.
    let newest = selection.newest_by(|one| readiness(one).map(|found| found.scanner.uri.clone()));
    if newest.is_empty() {
        let instead = selection.instead(&format!("nothing about {environment}"));
        return Judgement::fail("readiness", wanted, instead, fix);
    }
    let all: Vec<&Check> = newest.iter().filter_map(readiness).flat_map(|r| &r.checks).collect();
    let mut findings = failures(&all, kind);
    if *bind_configuration {
        let applied = case.question.configuration;
        let is_bound = |found: &Readiness| {
            applied.is_some_and(|applied| found.configuration.contains(&applied.into()))
        };
        if !newest.iter().filter_map(readiness).all(is_bound) {
            let applied = applied.map_or_else(|| "none was named".to_owned(), |d| d.to_string());
            let text = format!("another configuration was checked than is applied ({applied})");
            findings.push(Finding::new("configuration", text));
        }
    }
    let until = newest.iter().filter_map(|one| selection.expires(one)).min();
    let evidence = newest.iter().map(Counted::digest);
    if findings.is_empty() {
        let passed = all.iter().filter(|check| check.status == CheckStatus::Pass).count();
        let found = format!("{passed} checks passed");
        return Judgement::pass(wanted, found).on(evidence).until(until);
    }
    let first: Vec<&String> = findings.iter().take(3).map(|finding| &finding.text).collect();
    let found = format!("{} not ready: {}", findings.len(), joined(&first, ""));
    Judgement::failing(findings, wanted, found, fix).on(evidence).until(until)
}

fn readiness<'c>(one: &Counted<'c>) -> Option<&'c Readiness> {
    match one.evidence.said() {
        Said::Readiness(readiness) => Some(readiness),
        _ => None,
    }
}

fn failures(all: &[&Check], kind: &RuleKind) -> Vec<Finding> {
    let RuleKind::Readiness { checks, categories, block, .. } = kind else { return Vec::new() };
    let mut findings = Vec::new();
    for check in all {
        let demanded = checks.contains(&check.id) || categories.contains(&check.category);
        // What nobody rated blocks where `low` does: it is not known to be lighter.
        let grave = match check.severity {
            CheckSeverity::Unknown => *block <= CheckSeverity::Low,
            rated => rated >= *block,
        };
        let stands_against = match check.status {
            CheckStatus::Fail => grave || demanded,
            CheckStatus::Warn => demanded,
            CheckStatus::Pass | CheckStatus::Skip => false,
        };
        if stands_against {
            let at = check.resource.as_deref().map_or_else(String::new, |at| format!(" at {at}"));
            let text = format!("{} ({}){at}", check.id, check.category);
            findings.push(Finding::new(&check.id, text));
        }
    }
    let mut findings = Finding::distinct(findings);
    for id in checks {
        if !all.iter().any(|check| check.id == *id && check.status == CheckStatus::Pass)
            && !findings.iter().any(|finding| finding.id == *id)
        {
            findings.push(Finding::new(id, format!("no passed check {id}")));
        }
    }
    for category in categories {
        if !all.iter().any(|check| check.category == *category && check.status == CheckStatus::Pass)
        {
            findings.push(Finding::new(category, format!("no passed check of {category}")));
        }
    }
    findings
}
