//! `vsa`: a named verifier has passed the artifact.

use super::super::answer::{Finding, Judgement};
use super::super::case::{Case, Counted, Selection, by, joined, short};
use super::super::evidence::Said;
use crate::document::Pattern;
use crate::document::pattern::is_plain;
use crate::policy::RuleKind;
use crate::predicate::percent_decoded;
use crate::predicate::vsa::VerificationSummary;

/// Of each resource the newest summary of the verifier counts, whatever it says: none may be FAILED, and one must have the levels.
pub(super) fn judge(case: &Case<'_>, kind: &RuleKind) -> Judgement {
    let RuleKind::Vsa { demand, verifier, resource, levels } = kind else {
        return Judgement::error("a vsa rule", "another", "report this");
    };
    let mut wanted = format!("a passed summary of {verifier} by {}", by(demand));
    if let Some(resource) = resource {
        wanted += &format!(", for {resource}");
    }
    if !levels.is_empty() {
        wanted += &format!(", at {} or above", joined(levels, ""));
    }
    let fix = format!("have {verifier} verify the artifact, and push its summary");
    let selection = case.select(demand, |said| match said {
        Said::Summary(summary, _) => {
            summary.verifier.id == *verifier
                && resource.as_ref().is_none_or(|pattern| is_for(pattern, summary))
        }
        _ => false,
    });
    let standing = standing(&selection);
    let Some((newest, summary)) = standing.iter().max_by_key(|(one, summary)| {
        let reached = levels.iter().all(|level| reaches(summary, level));
        let passed = summary.has_passed();
        (passed && reached, passed, one.time(), one.evidence.index())
    }) else {
        return Judgement::fail(
            "vsa",
            wanted,
            case.instead(&selection, "no summary of it", &["vsa"]),
            fix,
        );
    };
    let failed = standing.iter().filter(|(_, summary)| !summary.has_passed());
    let says_failed = |(one, summary): &(Counted<'_>, &VerificationSummary)| {
        let (digest, resource) = (short(one.digest()), &summary.resource_uri);
        Finding::new(&format!("failed {resource}"), format!("{digest} says FAILED for {resource}"))
    };
    let mut findings: Vec<Finding> = failed.clone().map(says_failed).collect();
    let told = joined(&summary.verified_levels, "no level");
    for missing in levels.iter().filter(|level| !reaches(summary, level)) {
        findings.push(Finding::new(missing, format!("{told}, which is not {missing}")));
    }
    let mut on: Vec<_> =
        failed.map(|(one, _)| one.digest()).filter(|one| *one != newest.digest()).collect();
    on.insert(0, newest.digest());
    let until = standing.iter().filter_map(|(one, _)| selection.expires(one)).min();
    if findings.is_empty() {
        let found = format!("passed with {told}");
        return Judgement::pass(wanted, found).on(on).until(until);
    }
    let texts: Vec<&String> = findings.iter().map(|finding| &finding.text).collect();
    let found = joined(&texts, "");
    Judgement::failing(findings, wanted, found, fix).on(on).until(until)
}

/// Whether a summary is for a resource: by its URI without percent-encoding; a denial also without qualifiers and a slash at its
/// end. A denial of what no pattern can name is for any: it is not passed over for its spelling.
fn is_for(pattern: &Pattern, summary: &VerificationSummary) -> bool {
    let uri = resource(summary);
    let bare = uri.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    match summary.has_passed() {
        true => pattern.matches(&uri),
        false => pattern.matches(&uri) || pattern.matches(bare) || !is_plain(bare),
    }
}

/// The resource of a summary, in one spelling.
fn resource(summary: &VerificationSummary) -> String {
    String::from_utf8_lossy(&percent_decoded(&summary.resource_uri)).into_owned()
}

/// The newest summary for each resource.
fn standing<'c>(selection: &Selection<'c>) -> Vec<(Counted<'c>, &'c VerificationSummary)> {
    let newest = selection.newest_by(|one| summary_of(one).map(resource));
    newest.into_iter().filter_map(|one| Some((one, summary_of(&one)?))).collect()
}

fn summary_of<'c>(one: &Counted<'c>) -> Option<&'c VerificationSummary> {
    match one.evidence.said() {
        Said::Summary(summary, _) => Some(summary),
        _ => None,
    }
}

/// Whether a summary has a level, or a higher one of the same track.
fn reaches(summary: &VerificationSummary, level: &str) -> bool {
    let parts = |text: &str| {
        let (track, number) = text.rsplit_once('_')?;
        Some((track.to_owned(), number.parse::<u64>().ok()?))
    };
    summary.verified_levels.iter().any(|found| {
        found == level
            || matches!((parts(found), parts(level)), (Some((t, n)), Some((track, least))) if t == track && n >= least)
    })
}
