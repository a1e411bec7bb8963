//! A decision for a reader: per rule a line with mark, finding, wanted, evidence and fix.

use super::answer::MAX_TOLD;
use super::consent::Consents;
use super::decision::{BrokenGlass, Details, PolicyDetails};
use super::{Answer, Finding, Outcome};
pub use crate::document::pattern::is_unprintable;
use crate::predicate::vsa::{VerificationResult, VerificationSummary};

/// The most findings that the lines of one rule tell.
const MAX_FINDINGS: usize = 10;

/// The lines of a decision that was read from its summary, with what is known of the waivers that it names; none for another
/// verifier's.
#[must_use]
pub fn lines(summary: &VerificationSummary, consents: &Consents) -> Option<Vec<String>> {
    let details = Details::read(summary)?;
    Some(lines_of(&details, summary.verification_result, consents))
}

/// The lines of a decision with these details.
#[must_use]
pub fn lines_of(details: &Details, result: VerificationResult, consents: &Consents) -> Vec<String> {
    let mut lines = Vec::new();
    let verdict = match result {
        VerificationResult::Passed => "ALLOWED",
        VerificationResult::Failed => "DENIED",
    };
    let name = details.name.as_deref().unwrap_or("the artifact");
    lines.push(format!("{verdict}: {name} in {}", details.environment));
    if let Some(refused) = &details.refused {
        lines.push(format!("✗ {}", refused.why));
        lines.push(format!("    fix: {}", refused.fix));
    }
    let mut told = Told { lines, consents };
    for policy in &details.policies {
        told.policy(policy);
    }
    let mut lines = told.lines;
    if let Some(nearest) = nearest(details) {
        lines.push(nearest);
    }
    lines.iter().map(|line| printable(line)).collect()
}

/// A line without what is unprintable: names that others give must neither steer a reader's terminal nor show as others.
fn printable(line: &str) -> String {
    line.chars().map(|c| if is_unprintable(c) { '\u{fffd}' } else { c }).collect()
}

/// What is told so far, and what is known of waivers.
struct Told<'c> {
    lines: Vec<String>,
    consents: &'c Consents,
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

impl Told<'_> {
    fn line(&mut self, line: String) {
        self.lines.push(line);
    }

    fn policy(&mut self, policy: &PolicyDetails) {
        let verdict = match (policy.result, policy.mode.as_str()) {
            (VerificationResult::Passed, _) if policy.break_glass.is_some() => {
                "passes in an emergency alone"
            }
            (VerificationResult::Passed, _) => "passes",
            (VerificationResult::Failed, "enforce") => "denies",
            (VerificationResult::Failed, "warn") => "warns: it would deny",
            (VerificationResult::Failed, _) => "would deny",
        };
        self.line(format!("policy {}@{} ({}) {verdict}", policy.name, policy.version, policy.mode));
        for answer in &policy.rules {
            self.answer(answer, "  ");
        }
        for told in &policy.set_aside {
            self.line(format!("  does not count: {told}"));
        }
        if let Some(glass) = &policy.break_glass {
            self.line(format!("  ! the glass is broken {}", broken(glass)));
        }
    }

    fn answer(&mut self, answer: &Answer, indent: &str) {
        let (mark, found) = (mark(answer.outcome), found(answer));
        self.line(format!("{indent}{mark} {}: {found}", answer.rule));
        match answer.outcome {
            Outcome::Pass => self.evidence(answer, indent),
            Outcome::Waived => {
                self.waived(answer, indent);
                self.evidence(answer, indent);
            }
            Outcome::Fail | Outcome::Error => self.failure(answer, indent),
        }
        // Where one of several rules holds, the line above names it; where one is waived, its own line says by what.
        if answer.outcome != Outcome::Pass {
            for inner in &answer.any {
                self.answer(inner, &format!("{indent}  "));
            }
        }
    }

    fn waived(&mut self, answer: &Answer, indent: &str) {
        let (findings, more) = listed(answer);
        for finding in findings {
            let by = self.consents.told(&finding.waived_by);
            self.line(format!("{indent}    waived: {} by {by}", finding.text));
        }
        if more > 0 {
            self.line(format!("{indent}    waived: and {more} more"));
        }
    }

    fn failure(&mut self, answer: &Answer, indent: &str) {
        self.line(format!("{indent}    wanted: {}", answer.wanted));
        self.findings(answer, indent);
        self.evidence(answer, indent);
        for told in &answer.set_aside {
            self.line(format!("{indent}    does not count: {told}"));
        }
        if let Some(fix) = &answer.fix {
            self.line(format!("{indent}    fix: {fix}"));
        }
    }

    /// The first findings, and how many more there are.
    fn findings(&mut self, answer: &Answer, indent: &str) {
        let (findings, unlisted) = listed(answer);
        let told: Vec<&Finding> =
            findings.iter().filter(|finding| finding.text != answer.found).collect();
        for finding in told.iter().take(MAX_FINDINGS) {
            let waived = match finding.waived_by.as_slice() {
                [] => String::new(),
                by => format!(", waived by {}", self.consents.told(by)),
            };
            self.line(format!("{indent}    - {} [{}]{waived}", finding.text, finding.id));
        }
        let more = told.len().saturating_sub(MAX_FINDINGS).saturating_add(unlisted);
        if more > 0 {
            self.line(format!("{indent}    - and {more} more"));
        }
    }

    fn evidence(&mut self, answer: &Answer, indent: &str) {
        if !answer.evidence.is_empty() {
            self.line(format!("{indent}    evidence: {}", briefs(&answer.evidence)));
        }
    }
}

/// Who broke the glass, until when, why, and who must review it.
#[must_use]
pub fn broken(glass: &BrokenGlass) -> String {
    format!(
        "by {} until {}: {}; {} must review it by {}, with attestry approve",
        glass.signers.join(", "),
        glass.expires,
        glass.reason,
        glass.reviewers,
        glass.review_by
    )
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

/// The first digits of a digest.
pub(super) fn brief(digest: &str) -> String {
    digest.chars().take("sha256:".len() + 12).collect()
}
