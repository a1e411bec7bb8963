//! `secret-scan`: the newest search of every scanner found at most so many secrets.

use super::super::answer::{Finding, Judgement};
use super::super::case::{Case, Counted, by, joined};
use super::super::evidence::Said;
use crate::policy::Demand;

pub(super) fn judge(case: &Case<'_>, demand: &Demand, most: u64) -> Judgement {
    let wanted = format!("a search for secrets by {} with at most {most} findings", by(demand));
    let fix = "revoke the secret and remove it, search again, and import the report";
    let add = "search it and import the report: attestry evidence add REPORT --subject ARTIFACT --key KEY --registry URL";
    let selection = case.select(demand, |said| matches!(said, Said::SecretScan(_)));
    let newest = selection.newest_by(|one| match one.evidence.said() {
        Said::SecretScan(scan) => Some(scan.scanner.uri.clone()),
        _ => None,
    });
    if newest.is_empty() {
        return Judgement::fail(
            "secret-scan",
            wanted,
            case.instead(&selection, "no search for secrets", &["secret-scan"]),
            add,
        );
    }
    let (mut findings, mut count) = (Vec::new(), 0);
    for one in &newest {
        let Said::SecretScan(scan) = one.evidence.said() else { continue };
        let unlisted = scan.unlisted.unwrap_or(0);
        count = unlisted.saturating_add(count).saturating_add(scan.findings.len() as u64);
        findings.extend(scan.findings.iter().map(|found| {
            let text = format!("{} in {}:{}", found.rule, found.file, found.line);
            Finding::new(&found.fingerprint, text)
        }));
        if unlisted > 0 {
            let text = format!("{unlisted} more that the statement does not list");
            findings.push(Finding::new("unlisted", text));
        }
    }
    let until = newest.iter().filter_map(|one| selection.expires(one)).min();
    let evidence = newest.iter().map(Counted::digest);
    if count <= most {
        let searches = if newest.len() == 1 { "search" } else { "searches" };
        let found = format!("{count} findings in {} {searches}", newest.len());
        return Judgement::pass(wanted, found).on(evidence).until(until);
    }
    let first: Vec<&String> = findings.iter().take(3).map(|finding| &finding.text).collect();
    let found = format!("{count} findings: {}", joined(&first, ""));
    Judgement::failing(findings, wanted, found, fix).on(evidence).until(until)
}
