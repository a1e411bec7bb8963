//! `vsa`: a named verifier has passed the artifact.

use super::super::answer::{Finding, Judgement};
use super::super::case::{Case, by, joined, short};
use super::super::evidence::Said;
use crate::policy::RuleKind;
use crate::predicate::vsa::{VerificationResult, VerificationSummary};

/// The newest summary of the verifier counts, whatever it says.
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
                && resource.as_ref().is_none_or(|pattern| pattern.matches(&summary.resource_uri))
        }
        _ => false,
    });
    let Some(newest) = selection.counted.first() else {
        return Judgement::fail(
            "vsa",
            wanted,
            case.instead(&selection, "no summary of it", &["vsa"]),
            fix,
        );
    };
    let Said::Summary(summary, _) = newest.evidence.said() else {
        return Judgement::fail("vsa", wanted, "no summary of it", fix);
    };
    let until = selection.expires(newest);
    let told = joined(&summary.verified_levels, "no level");
    let mut findings = Vec::new();
    if summary.verification_result != VerificationResult::Passed {
        findings.push(Finding::new("failed", format!("{} says FAILED", short(newest.digest()))));
    }
    for missing in levels.iter().filter(|level| !reaches(summary, level)) {
        findings.push(Finding::new(missing, format!("{told}, which is not {missing}")));
    }
    if findings.is_empty() {
        let found = format!("passed with {told}");
        return Judgement::pass(wanted, found).on([newest.digest()]).until(until);
    }
    let texts: Vec<&String> = findings.iter().map(|finding| &finding.text).collect();
    let found = joined(&texts, "");
    Judgement::failing(findings, wanted, found, fix).on([newest.digest()]).until(until)
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
