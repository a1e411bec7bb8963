//! `sbom`: there is a bill of materials, without what is denied.

use super::super::answer::{Finding, Judgement};
use super::super::bill::{Name, Sbom};
use super::super::case::{Case, Counted, by, joined};
use super::super::evidence::Said;
use super::super::license::is_denied;
use crate::policy::RuleKind;

/// The newest bill of each kind by each signer is looked at: one signer's does not hide what another's lists.
pub(super) fn judge(case: &Case<'_>, kind: &RuleKind) -> Judgement {
    let RuleKind::Sbom { demand, kinds, deny_components, deny_licenses } = kind else {
        return Judgement::error("an sbom rule", "another", "report this");
    };
    let mut wanted =
        format!("a bill of materials ({}) by {}", joined(kinds, "of any kind"), by(demand));
    if !deny_components.is_empty() || !deny_licenses.is_empty() {
        wanted += &format!(
            " without {}",
            joined(&[deny_components.as_slice(), deny_licenses].concat(), "")
        );
    }
    let fix = "attestry evidence add BOM.json --subject ARTIFACT --key KEY --registry URL; replace denied components";
    let selection = case.select(demand, |said| match said {
        Said::Sbom(sbom) => kinds.is_empty() || kinds.iter().any(|kind| kind == sbom.kind.name()),
        _ => false,
    });
    if selection.counted.is_empty() {
        return Judgement::fail(
            "sbom",
            wanted,
            case.instead(&selection, "no bill of materials", &["cyclonedx", "spdx"]),
            fix,
        );
    }
    let denied_names: Vec<Name> = deny_components.iter().map(|purl| Name::of(purl)).collect();
    let mut findings = Vec::new();
    let mut components = 0;
    let by_kind = |one: &Counted<'_>| (one.signer.name.clone(), sbom(one).map(|sbom| sbom.kind));
    let newest = selection.standing_by(by_kind);
    for bill in newest.iter().filter_map(sbom) {
        components = components.max(bill.components.len());
        denied(bill, &denied_names, deny_licenses, &mut findings);
        let asks = !deny_components.is_empty() || !deny_licenses.is_empty();
        if bill.truncated && asks {
            let text = "a bill with more components than are read, so that denied ones could be among them".to_owned();
            findings.push(Finding::new("truncated", text));
        }
    }
    let findings = Finding::distinct(findings);
    let until = newest.iter().filter_map(|one| selection.expires(one)).min();
    let evidence = newest.iter().map(Counted::digest);
    if findings.is_empty() {
        let found = format!("{} with {components} components by package URL", newest.len());
        return Judgement::pass(wanted, found).on(evidence).until(until);
    }
    let first: Vec<&String> = findings.iter().take(3).map(|finding| &finding.text).collect();
    let found = format!("{} denied: {}", findings.len(), joined(&first, ""));
    Judgement::failing(findings, wanted, found, fix).on(evidence).until(until)
}

fn sbom<'c>(one: &Counted<'c>) -> Option<&'c Sbom> {
    match one.evidence.said() {
        Said::Sbom(sbom) => Some(sbom),
        _ => None,
    }
}

fn denied(bill: &Sbom, components: &[Name], licenses: &[String], findings: &mut Vec<Finding>) {
    for component in bill.components.iter().chain(&bill.main) {
        if components.iter().any(|denied| component.is(denied)) {
            let purl = &component.purl;
            findings.push(Finding::new(purl, format!("the component {purl}")));
        }
    }
    for (component, license) in &bill.licenses {
        if licenses.iter().any(|denied| is_denied(license, denied)) {
            let id = format!("{license} {component}");
            findings.push(Finding::new(&id, format!("{license} of {component}")));
        }
    }
}
