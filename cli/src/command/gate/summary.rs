//! A decision for the page of a CI job, in Markdown.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use attestry_schemas::gate::consent::Consents;
use attestry_schemas::gate::decision::PolicyDetails;
use attestry_schemas::gate::{Answer, Outcome, explain};
use attestry_schemas::predicate::vsa::VerificationResult;

use super::{Made, Told};
use crate::output::Failure;

/// The most characters of one cell.
const MAX_CELL: usize = 400;

/// Appends to a file, which a CI system shows.
///
/// # Errors
/// When it cannot be written.
pub(super) fn append(path: &Path, text: &str) -> Result<(), Failure> {
    let file = File::options().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|e| Failure::file("write", path, &e))
}

/// That nothing was decided, with why and what to do.
pub(super) fn undecided(failure: &Failure) -> String {
    let mut text = format!("## ❌ Not decided\n\n**{}**\n\n", plain(failure.problem()));
    if let Some(fix) = failure.remedy() {
        let _ = writeln!(text, "Fix: {}\n", plain(fix));
    }
    text
}

/// The verdict, a table of rules for each policy, and where the decision is.
pub(super) fn markdown(made: &Made, told: &Told) -> String {
    let details = &made.details;
    let (mark, verdict) = if made.passed() { ("✅", "Allowed") } else { ("❌", "Denied") };
    let name = details.name.as_deref().unwrap_or("the artifact");
    let mut text = format!(
        "## {mark} {verdict}: {} in {}\n\n`{}`\n\n",
        plain(name),
        plain(&details.environment),
        made.subject
    );
    if let Some(refused) = &details.refused {
        let _ = writeln!(text, "**{}**\n\nFix: {}\n", plain(&refused.why), plain(&refused.fix));
    }
    for policy in &details.policies {
        table(policy, &made.consents, &mut text);
    }
    if let Some(nearest) = made.lines.last().filter(|line| line.starts_with("nearest pass")) {
        let _ = writeln!(text, "{}\n", plain(nearest));
    }
    for warning in &told.warnings {
        let _ = writeln!(text, "⚠️ {}\n", plain(warning));
    }
    match (&told.decision, told.index) {
        (Some(digest), Some(index)) => {
            let _ = writeln!(text, "Decision `{}`, log index {index}\n", plain(digest));
        }
        (Some(digest), None) => {
            let _ = writeln!(text, "Decision `{}`\n", plain(digest));
        }
        (None, _) => text.push_str("Decided offline, from a pack\n\n"),
    }
    text
}

fn table(policy: &PolicyDetails, consents: &Consents, text: &mut String) {
    let verdict = match (policy.result, policy.mode.as_str()) {
        (VerificationResult::Passed, _) => "passes",
        (VerificationResult::Failed, "enforce") => "denies",
        (VerificationResult::Failed, _) => "would deny",
    };
    let title = plain(&format!("{}@{} ({})", policy.name, policy.version, policy.mode));
    let _ = writeln!(text, "### {title} {verdict}\n");
    text.push_str("| | rule | found | fix |\n|---|---|---|---|\n");
    for answer in &policy.rules {
        row(answer, "", text);
    }
    text.push('\n');
    for told in policy.rules.iter().flat_map(|answer| &answer.set_aside).chain(&policy.set_aside) {
        let _ = writeln!(text, "Does not count: {}\n", plain(told));
    }
    for answer in &policy.rules {
        waived(answer, consents, text);
    }
    if let Some(glass) = &policy.break_glass {
        let _ = writeln!(text, "🚨 The glass is broken {}\n", plain(&explain::broken(glass)));
    }
}

/// The most waived findings that are told of one rule.
const MAX_WAIVED: usize = 10;

/// By whom, until when and why findings are waived.
fn waived(answer: &Answer, consents: &Consents, text: &mut String) {
    let waived = answer.findings.iter().filter(|finding| !finding.waived_by.is_empty());
    for finding in waived.take(MAX_WAIVED) {
        let by = consents.told(&finding.waived_by);
        let _ = writeln!(text, "Waived: {} by {}\n", plain(&finding.text), plain(&by));
    }
    // As in the rows: where one of several rules holds, nothing else is told of them.
    if answer.outcome != Outcome::Pass {
        answer.any.iter().for_each(|inner| self::waived(inner, consents, text));
    }
}

fn row(answer: &Answer, indent: &str, text: &mut String) {
    let fix = answer.fix.as_deref().filter(|_| !answer.outcome.is_good()).unwrap_or("");
    let _ = writeln!(
        text,
        "| {} | {indent}{} | {} | {} |",
        explain::mark(answer.outcome),
        plain(&answer.rule),
        plain(&explain::found(answer)),
        plain(fix)
    );
    // Of several rules of which one is waived, its own row shows it.
    if answer.outcome != Outcome::Pass {
        for inner in &answer.any {
            row(inner, "↳ ", text);
        }
    }
}

/// Text that Markdown shows as it is, on one line: names come from evidence, which anyone may have written.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for c in text.chars().take(MAX_CELL) {
        match c {
            c if explain::is_unprintable(c) => plain.push(' '),
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '&' => plain.push_str("&amp;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '!' | '#' | '\\' | '~' | '@' => {
                let _ = write!(plain, "&#{};", u32::from(c));
            }
            c => plain.push(c),
        }
    }
    if text.chars().count() > MAX_CELL {
        plain.push('…');
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_evidence_says_is_no_markup() {
        assert_eq!(plain("a|b\n<img src=x>"), "a&#124;b &lt;img src=x&gt;");
        assert_eq!(plain("![x](y) @all"), "&#33;&#91;x&#93;(y) &#64;all");
        assert_eq!(plain("pay/\u{202e}ipa"), "pay/ ipa");
        assert!(plain(&"x".repeat(1_000)).ends_with('…'));
    }
}
