//! A decision for a reader: per rule a line with mark, finding, wanted, evidence and fix.

use super::decision::{Details, PolicyDetails};
use super::{Answer, Outcome};
use crate::predicate::vsa::{VerificationResult, VerificationSummary};

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

/// A line without control characters: names that others give must not steer a reader's terminal.
fn printable(line: &str) -> String {
    line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
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
    if answer.outcome.is_good() {
        if answer.outcome == Outcome::Waived {
            for finding in &answer.findings {
                let by: Vec<String> = finding.waived_by.iter().map(|d| brief(d)).collect();
                lines.push(format!("{indent}    waived: {} by {}", finding.text, by.join(", ")));
            }
        }
        if !answer.evidence.is_empty() {
            lines.push(format!("{indent}    evidence: {}", briefs(&answer.evidence)));
        }
        return;
    }
    lines.push(format!("{indent}    wanted: {}", answer.wanted));
    for finding in answer.findings.iter().filter(|finding| finding.text != answer.found).take(10) {
        let waived = if finding.waived_by.is_empty() { "" } else { ", waived" };
        lines.push(format!("{indent}    - {} [{}]{waived}", finding.text, finding.id));
    }
    if !answer.evidence.is_empty() {
        lines.push(format!("{indent}    evidence: {}", briefs(&answer.evidence)));
    }
    for told in &answer.set_aside {
        lines.push(format!("{indent}    does not count: {told}"));
    }
    if let Some(fix) = &answer.fix {
        lines.push(format!("{indent}    fix: {fix}"));
    }
    for inner in &answer.any {
        answer_lines(inner, &format!("{indent}  "), lines);
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
