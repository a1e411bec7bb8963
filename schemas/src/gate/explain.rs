//! A decision for a reader: per rule a line with mark, finding, wanted, evidence and fix.

use super::answer::MAX_TOLD;
use super::decision::{Details, PolicyDetails};
use super::{Answer, Finding, Outcome};
pub use crate::document::pattern::is_unprintable;
use crate::predicate::vsa::{VerificationResult, VerificationSummary};

/// The most findings that the lines of one rule tell.
const MAX_FINDINGS: usize = 10;

/// The lines of a decision that was read from its summary; none for another verifier's.
#[must_use]
pub fn lines(summary: &VerificationSummary) -> Option<Vec<String>> {
    let details = Details::read(summary)?;
    let mut lines = Vec::new();
    let verdict = match summary.verification_result {
        VerificationResult::Passed => "ALLOWED",
        VerificationResult::Failed => "DENIED",
    };
    let name = details.name.as_deref().unwrap_or("the artifact");
    lines.push(format!("{verdict}: {name} in {}", details.environment));
    if let Some(refused) = &details.refused {
        lines.push(format!("✗ {}", refused.why));
        lines.push(format!("    fix: {}", refused.fix));
    }
    for policy in &details.policies {
        policy_lines(policy, &mut lines);
    }
    if let Some(nearest) = nearest(&details) {
        lines.push(nearest);
    }
    Some(lines.iter().map(|line| printable(line)).collect())
}

/// A line without what is unprintable: names that others give must neither steer a reader's terminal nor show as others.
fn printable(line: &str) -> String {
    line.chars().map(|c| if is_unprintable(c) { '\u{fffd}' } else { c }).collect()
}

fn policy_lines(policy: &PolicyDetails, lines: &mut Vec<String>) {
    let verdict = match (policy.result, policy.mode.as_str()) {
        (VerificationResult::Passed, _) => "passes",
        (VerificationResult::Failed, "enforce") => "denies",
        (VerificationResult::Failed, "warn") => "warns: it would deny",
        (VerificationResult::Failed, _) => "would deny",
    };
    lines.push(format!("policy {}@{} ({}) {verdict}", policy.name, policy.version, policy.mode));
    for answer in &policy.rules {
        answer_lines(answer, "  ", lines);
    }
    for told in &policy.set_aside {
        lines.push(format!("  does not count: {told}"));
    }
    if let Some(glass) = &policy.break_glass {
        lines.push(format!(
            "  ! the glass is broken by {} until {}: {}; {} must review it by {}",
            glass.signers.join(", "),
            glass.expires,
            glass.reason,
            glass.reviewers,
            glass.review_by
        ));
    }
}

/// The mark of an outcome.
#[must_use]
pub fn mark(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "✓",
        Outcome::Fail => "✗",
        Outcome::Error => "‼",
        Outcome::Waived => "~",
    }
}

/// What a rule found; where all that is wrong is that, with the name by which it can be waived.
#[must_use]
pub fn found(answer: &Answer) -> String {
    let alone = answer.findings.iter().find(|finding| finding.text == answer.found);
    match alone.filter(|_| !answer.outcome.is_good()) {
        Some(finding) => format!("{} [{}]", answer.found, finding.id),
        None => answer.found.clone(),
    }
}

fn answer_lines(answer: &Answer, indent: &str, lines: &mut Vec<String>) {
    lines.push(format!("{indent}{} {}: {}", mark(answer.outcome), answer.rule, found(answer)));
    match answer.outcome {
        Outcome::Pass => evidence_line(answer, indent, lines),
        Outcome::Waived => {
            waived_lines(answer, indent, lines);
            evidence_line(answer, indent, lines);
        }
        Outcome::Fail | Outcome::Error => failure_lines(answer, indent, lines),
    }
    // Where one of several rules holds, the line above names it; where one is waived, its own line says by what.
    if answer.outcome != Outcome::Pass {
        for inner in &answer.any {
            answer_lines(inner, &format!("{indent}  "), lines);
        }
    }
}

fn waived_lines(answer: &Answer, indent: &str, lines: &mut Vec<String>) {
    let (findings, more) = listed(answer);
    for finding in findings {
        let by: Vec<String> = finding.waived_by.iter().map(|d| brief(d)).collect();
        lines.push(format!("{indent}    waived: {} by {}", finding.text, by.join(", ")));
    }
    if more > 0 {
        lines.push(format!("{indent}    waived: and {more} more"));
    }
}

fn failure_lines(answer: &Answer, indent: &str, lines: &mut Vec<String>) {
    lines.push(format!("{indent}    wanted: {}", answer.wanted));
    finding_lines(answer, indent, lines);
    evidence_line(answer, indent, lines);
    for told in &answer.set_aside {
        lines.push(format!("{indent}    does not count: {told}"));
    }
    if let Some(fix) = &answer.fix {
        lines.push(format!("{indent}    fix: {fix}"));
    }
}

/// The first findings, and how many more there are.
fn finding_lines(answer: &Answer, indent: &str, lines: &mut Vec<String>) {
    let (findings, unlisted) = listed(answer);
    let told: Vec<&Finding> =
        findings.iter().filter(|finding| finding.text != answer.found).collect();
    for finding in told.iter().take(MAX_FINDINGS) {
        let waived = if finding.waived_by.is_empty() { "" } else { ", waived" };
        lines.push(format!("{indent}    - {} [{}]{waived}", finding.text, finding.id));
    }
    let more = told.len().saturating_sub(MAX_FINDINGS).saturating_add(unlisted);
    if more > 0 {
        lines.push(format!("{indent}    - and {more} more"));
    }
}

/// The findings of an answer, and how many it does not list: where there are such, its last one counts them.
fn listed(answer: &Answer) -> (&[Finding], usize) {
    match answer.findings.split_last() {
        Some((last, rest)) if rest.len() == MAX_TOLD => {
            let count = last.text.split(' ').next().unwrap_or_default();
            (rest, count.parse::<usize>().unwrap_or(1))
        }
        _ => (answer.findings.as_slice(), 0),
    }
}

fn evidence_line(answer: &Answer, indent: &str, lines: &mut Vec<String>) {
    if !answer.evidence.is_empty() {
        lines.push(format!("{indent}    evidence: {}", briefs(&answer.evidence)));
    }
}

/// What is missing, in one line, where it is little.
fn nearest(details: &Details) -> Option<String> {
    let enforcing = details.policies.iter().filter(|policy| policy.mode == "enforce");
    let missing: Vec<&str> = enforcing
        .filter(|policy| policy.result == VerificationResult::Failed)
        .flat_map(|policy| &policy.rules)
        .filter(|answer| !answer.outcome.is_good())
        .map(|answer| answer.rule.as_str())
        .collect();
    match missing.as_slice() {
        [] => None,
        [one] => Some(format!("nearest pass: only {one} is missing")),
        some => Some(format!("nearest pass: {} are missing", some.join(", "))),
    }
}

fn briefs(digests: &[String]) -> String {
    let mut told: Vec<String> = digests.iter().take(5).map(|digest| brief(digest)).collect();
    if digests.len() > told.len() {
        told.push(format!("and {} more", digests.len() - told.len()));
    }
    told.join(", ")
}

fn brief(digest: &str) -> String {
    digest.chars().take("sha256:".len() + 12).collect()
}
