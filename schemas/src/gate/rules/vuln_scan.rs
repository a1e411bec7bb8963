//! `vuln-scan`: the newest scan of every scanner has nothing that blocks.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::answer::{Finding, Judgement, earlier};
use super::super::case::{Case, Counted, by, count, joined, later, short};
use super::super::evidence::Said;
use super::super::findings::{Scan, Vulnerable};
use super::super::vex::{Named, Scope, Vex};
use crate::digest::{Digest, Sha256};
use crate::policy::{Demand, RuleKind, Severity};
use crate::predicate::UtcTime;

/// What there is to say of one vulnerability.
enum Weighed {
    Blocks(Finding),
    /// It does not block yet.
    Until(UtcTime),
    Harmless(Sha256),
    TooLight,
}

/// What else the evidence says of vulnerabilities, by each of their names.
#[derive(Default)]
struct Known<'c> {
    /// When a scan first saw it in the artifact.
    sighted: BTreeMap<&'c str, UtcTime>,
    /// The assessments of it, the newest first.
    assessed: BTreeMap<String, Vec<Rc<Assessment<'c>>>>,
}

/// What a document says of a vulnerability.
struct Assessment<'c> {
    /// How many are newer.
    newer: usize,
    /// When it was said: no later than the log held it.
    at: UtcTime,
    document: Sha256,
    /// What it is attached to.
    artifact: Rc<Named>,
    says: &'c Vex,
}

pub(super) fn judge(case: &Case<'_>, kind: &RuleKind) -> Judgement {
    let RuleKind::VulnScan { demand, scanners, block, .. } = kind else {
        return Judgement::error("a vuln-scan rule", "another", "report this");
    };
    let age = demand.max_age.map_or_else(String::new, |age| format!(", at most {age} old"));
    let with = match scanners.as_slice() {
        [] => String::new(),
        some => format!(" with {}", joined(some, "")),
    };
    let wanted =
        format!("a scan by {}{with}{age}, with nothing of severity {block} or above", by(demand));
    let fix = "scan again and import the report, fix what is found, or have it assessed in an OpenVEX document";
    let add = "scan it and import the report: attestry evidence add REPORT --subject ARTIFACT --key KEY --registry URL";
    let selection = case.select(demand, |said| matches!(said, Said::Scan(_)));
    let newest = selection.newest_by(|one| scan(one).map(|scan| scan.scanner.clone()));
    if newest.is_empty() {
        return Judgement::fail(
            "vuln-scan",
            wanted,
            case.instead(&selection, "no scan", &["vulns", "vuln"]),
            add,
        );
    }
    let scans: Vec<&Scan> = newest.iter().filter_map(scan).collect();
    let missing = |name: &&String| !scans.iter().any(|scan| is_scanner(&scan.scanner, name));
    let missing = scanners.iter().filter(missing);
    let mut findings: Vec<Finding> =
        missing.map(|name| Finding::new(name, format!("no scan by {name}"))).collect();
    let known = Known::of(case, kind);
    let mut until = newest.iter().filter_map(|one| selection.expires(one)).min();
    let mut evidence: Vec<_> = newest.iter().map(Counted::digest).collect();
    let (mut harmless, mut waiting) = (0, 0);
    for found in scans.iter().flat_map(|scan| &scan.findings) {
        match weigh(found, case, kind, &known) {
            Weighed::Blocks(finding) => findings.push(finding),
            Weighed::TooLight => {}
            Weighed::Until(moment) => {
                waiting += 1;
                until = earlier(until, Some(moment));
            }
            Weighed::Harmless(digest) => {
                harmless += 1;
                evidence.push(digest);
            }
        }
    }
    let unlisted = scans.iter().flat_map(|scan| &scan.unlisted);
    for (severity, count) in unlisted.filter(|(severity, _)| blocks(**severity, *block)) {
        let text = format!("{count} more of severity {severity} that the statement does not list");
        findings.push(Finding::new("unlisted", text));
    }
    let findings = Finding::distinct(findings);
    let told = format!("{harmless} not affected, {waiting} within their leeway");
    if findings.is_empty() {
        let found = format!("nothing that blocks in {}; {told}", count(newest.len(), "scan"));
        return Judgement::pass(wanted, found).on(evidence).until(until);
    }
    let first: Vec<&String> = findings.iter().take(3).map(|finding| &finding.text).collect();
    let found = format!("{} that block: {}; {told}", findings.len(), joined(&first, ""));
    Judgement::failing(findings, wanted, found, fix).on(evidence).until(until)
}

/// Whether a scanner's URI is this one, or that of a package of this name: `trivy` is `pkg:github/aquasecurity/trivy`.
fn is_scanner(uri: &str, name: &str) -> bool {
    let path = uri.split(['?', '#']).next().unwrap_or(uri);
    let last = path.rsplit('/').next().unwrap_or(path);
    let last = last.split_once('@').map_or(last, |(last, _)| last);
    uri == name || last.eq_ignore_ascii_case(name)
}

fn scan<'c>(one: &Counted<'c>) -> Option<&'c Scan> {
    match one.evidence.said() {
        Said::Scan(scan) => Some(scan),
        _ => None,
    }
}

/// What nobody rated blocks where `low` does: it is not known to be lighter.
fn blocks(severity: Severity, block: Severity) -> bool {
    match severity {
        Severity::Unknown => block <= Severity::Low,
        rated => rated >= block,
    }
}

fn weigh(found: &Vulnerable, case: &Case<'_>, kind: &RuleKind, known: &Known<'_>) -> Weighed {
    let RuleKind::VulnScan { block, leeway, .. } = kind else { return Weighed::TooLight };
    if !blocks(found.severity, *block) {
        return Weighed::TooLight;
    }
    let assessed = known.assessment(found);
    if let Some(assessment) = assessed.filter(|assessment| assessment.says.harmless) {
        return Weighed::Harmless(assessment.document);
    }
    if let Some(leeway) = leeway.get(&found.severity) {
        // The earlier one: a date of publication is a claim, and would else put it off for as long as it says.
        let sighted = names(found).filter_map(|name| known.sighted.get(name)).min();
        let since = earlier(found.published, sighted.copied());
        let end = since.and_then(|since| later(since, leeway.seconds()));
        if let Some(end) = end.filter(|end| case.now() < *end) {
            return Weighed::Until(end);
        }
    }
    let package = found.package.as_deref().map_or_else(String::new, |name| format!(" in {name}"));
    let fixed = match found.fixed.as_slice() {
        [] => String::new(),
        versions => format!(", fixed in {}", joined(versions, "")),
    };
    let beside = match assessed {
        Some(_) => String::new(),
        None => known.beside(found).unwrap_or_default(),
    };
    let text = format!("{} ({}){package}{fixed}{beside}", found.id, found.severity);
    Weighed::Blocks(Finding::new(&found.id, text))
}

fn names(found: &Vulnerable) -> impl Iterator<Item = &str> {
    std::iter::once(&found.id).chain(&found.aliases).map(String::as_str)
}

impl<'c> Known<'c> {
    fn of(case: &Case<'c>, kind: &RuleKind) -> Self {
        let mut known = Self::default();
        let RuleKind::VulnScan { demand, leeway, vex, .. } = kind else { return known };
        if !leeway.is_empty() {
            // What was seen first was seen by a scan that may be too old by now.
            let ever = Demand { max_age: None, ..demand.clone() };
            for one in case.select(&ever, |said| matches!(said, Said::Scan(_))).counted {
                known.sight(one);
            }
        }
        if !vex.is_empty() {
            let named = Demand { signers: vex.clone(), max_age: None };
            let all = case.select(&named, |said| matches!(said, Said::Vex(_)));
            known.assess(&all.counted, &case.question.subject);
        }
        known
    }

    fn sight(&mut self, one: Counted<'c>) {
        let Said::Scan(scan) = one.evidence.said() else { return };
        for name in scan.findings.iter().flat_map(names) {
            let first = self.sighted.entry(name).or_insert(one.time());
            *first = (*first).min(one.time());
        }
    }

    /// Statements of all documents are told apart by when they were said, not by when they came. Of one time those of the newer
    /// document are newer, and within one the last.
    fn assess(&mut self, documents: &[Counted<'c>], artifact: &Sha256) {
        let digest = Digest::from(*artifact);
        let mut all = Vec::new();
        for one in documents {
            let Said::Vex(statements) = one.evidence.said() else { continue };
            let artifact = Rc::new(Named::new(artifact, one.evidence.names_of(&digest)));
            for says in statements.iter().rev() {
                let held = one.evidence.logged_at();
                let at = says.at.map_or(one.since, |at| at.min(held));
                let artifact = Rc::clone(&artifact);
                all.push(Assessment { newer: 0, at, document: one.digest(), artifact, says });
            }
        }
        all.sort_by_key(|one| std::cmp::Reverse(one.at));
        for (newer, one) in all.into_iter().enumerate() {
            let one = Rc::new(Assessment { newer, ..one });
            for name in &one.says.names {
                let under = self.assessed.entry(name.to_ascii_lowercase()).or_default();
                under.push(Rc::clone(&one));
            }
        }
    }

    /// The assessments under any of its names, the newest first.
    fn of_names(&self, found: &Vulnerable) -> Vec<&Assessment<'c>> {
        let under = names(found).filter_map(|name| self.assessed.get(&name.to_ascii_lowercase()));
        let mut all: Vec<&Assessment<'c>> = under.flatten().map(Rc::as_ref).collect();
        all.sort_by_key(|one| one.newer);
        all
    }

    /// The newest assessment of what was found. One that it matters counts also where it is not clear that it is of this, unless the
    /// same document at the same time, or a newer one, says something of this very package or artifact.
    fn assessment(&self, found: &Vulnerable) -> Option<&Assessment<'c>> {
        let mut doubt: Option<&Assessment<'c>> = None;
        for one in self.of_names(found) {
            match one.says.scope(&one.artifact, found) {
                Scope::This => {
                    let outweighs = |doubt: &&Assessment<'c>| {
                        doubt.document != one.document || doubt.at > one.at
                    };
                    return Some(doubt.filter(outweighs).unwrap_or(one));
                }
                Scope::Unclear if !one.says.harmless => doubt = doubt.or(Some(one)),
                _ => {}
            }
        }
        doubt
    }

    /// Tells of an assessment under its name that is of something else.
    fn beside(&self, found: &Vulnerable) -> Option<String> {
        let one = self.of_names(found).into_iter().next()?;
        let product = one.says.first_product()?;
        let document = short(one.document);
        Some(format!("; {document} says {} of {product}, which is another", one.says.why))
    }
}
