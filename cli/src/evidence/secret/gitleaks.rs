//! The JSON report of gitleaks: a list of findings. Version 8 names members `RuleID`, `Secret` and
//! `Match`; versions up to 7 `rule`, `offender` and `line`.

use serde::Deserialize;

use super::{Leak, Leaks};
use crate::evidence::elements::each;
use crate::evidence::format::{Fit, Format};
use crate::evidence::loose;
use crate::evidence::outline::Outline;
use crate::evidence::redact::{Role, Secrets, Step, Treatment};
use crate::evidence::scanner::Scanner;
use crate::evidence::{ImportError, Imported, Report};

pub(super) const FORMAT: Format = Format {
    name: "gitleaks",
    title: "gitleaks JSON",
    media_type: "application/json",
    becomes: Some("secret-scan"),
    remedy: "write it again with gitleaks --report-format json --report-path FILE",
    fit,
    import,
};

/// Members that are the secret, or the text around it.
static SECRET_MEMBERS: &[&str] =
    &["Secret", "Match", "Line", "Context", "Fragment", "Raw", "offender", "line"];

/// A finding. What no version writes is left empty.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Finding {
    #[serde(rename = "RuleID", deserialize_with = "loose::text")]
    rule_id: Option<String>,
    #[serde(rename = "rule", deserialize_with = "loose::text")]
    rule: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    description: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    file: Option<String>,
    #[serde(rename = "file", deserialize_with = "loose::text")]
    older_file: Option<String>,
    #[serde(deserialize_with = "loose::count")]
    start_line: Option<u64>,
    #[serde(rename = "lineNumber", deserialize_with = "loose::count")]
    line_number: Option<u64>,
    #[serde(deserialize_with = "loose::text")]
    commit: Option<String>,
    #[serde(rename = "commit", deserialize_with = "loose::text")]
    older_commit: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    fingerprint: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    secret: Option<String>,
    #[serde(rename = "offender", deserialize_with = "loose::text")]
    offender: Option<String>,
    #[serde(rename = "Match", deserialize_with = "loose::text")]
    matched: Option<String>,
}

fn fit(outline: &Outline) -> Fit {
    let Some(sketch) = outline.json() else { return Fit::No };
    if sketch.count(&[]) == Some(0) {
        return Fit::Possible;
    }
    let has = |names: &[&str]| names.iter().all(|name| sketch.has(&["*", name]));
    Fit::from(has(&["RuleID", "Secret", "File"]) || has(&["rule", "offender", "file"]))
}

fn import(report: &Report) -> Result<Imported, ImportError> {
    let (mut leaks, mut secrets) = (Leaks::default(), Secrets::default());
    if report.outline().json().and_then(|sketch| sketch.count(&[])).is_none() {
        let found = report.outline().describe();
        return Err(report.malformed("a list of gitleaks findings", found));
    }
    each(report, "a list of gitleaks findings", &["*"], &mut |_, finding: Finding| {
        let secret = finding.secret.or(finding.offender).filter(|secret| !secret.is_empty());
        let Some(secret) = secret.or(finding.matched) else {
            return Err(report.malformed("a gitleaks finding with its secret", "one without"));
        };
        secrets.add(report, &secret)?;
        let rule = finding.rule_id.or(finding.rule).filter(|rule| !rule.is_empty());
        let leak = Leak {
            rule: rule.or(finding.description).unwrap_or_default(),
            file: finding.file.or(finding.older_file).unwrap_or_default(),
            line: finding.start_line.or(finding.line_number).unwrap_or_default(),
            commit: finding.commit.or(finding.older_commit).unwrap_or_default(),
            fingerprint: finding.fingerprint,
        };
        leaks.add(leak, true);
        Ok(())
    })?;
    leaks.import(report, secrets, Scanner::new("gitleaks", None, None), &treatment)
}

fn treatment(path: &[Step], role: Role) -> Treatment {
    match (role, path) {
        (Role::Name, _) => Treatment::Word,
        (Role::Value, [_, Step::Name(name), ..]) if SECRET_MEMBERS.contains(&name.as_str()) => {
            Treatment::Blank
        }
        (Role::Value, _) => Treatment::Search,
    }
}
