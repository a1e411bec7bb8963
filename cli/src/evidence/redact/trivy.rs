//! The secrets that a report of Trivy shows (`aquasecurity/trivy`, `pkg/types`), whatever the report
//! is read for: what its search for secrets found, and the code of checks against secrets in
//! configurations. Trivy masks what it recognises as a secret, not what stands beside it, and not the
//! same secret in the configuration of an image.

use serde::Deserialize;

use super::{Redaction, Role, Shown, Step, Texts, Treatment};
use crate::evidence::elements::each;
use crate::evidence::outline::Sketch;
use crate::evidence::{ImportError, Report, loose, readiness};

/// What is expected where a report cannot be read.
const REPORT: &str = "a Trivy report";
/// Where a report about a cluster has the results of its resources, in any version.
static OF_RESOURCES: &[&str] = &["Resources", "Findings", "Vulnerabilities", "Misconfigurations"];
const SECRETS: &str = "Secrets";
const CHECKS: &str = "Misconfigurations";
/// Findings that a rule or a VEX document took out.
const MODIFIED: &str = "ExperimentalModifiedFindings";
static LISTS: &[&str] = &[SECRETS, CHECKS, MODIFIED];
/// Members of a finding that are the secret, or the text around it.
static CODE: &[&str] = &["Match", "Code", "Message"];
/// Members of the configuration of an image that hold what it was built with.
static BUILT_WITH: &[&str] = &["Env", "created_by"];
/// Objects whose members have names that anybody may choose.
static FREE: &[&str] = &["Labels", "Annotations"];

/// A secret, or a check of a configuration.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Found {
    #[serde(rename = "ID", deserialize_with = "loose::text")]
    id: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    title: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    status: Option<String>,
    #[serde(rename = "Match")]
    matched: Texts,
    code: Texts,
    #[serde(deserialize_with = "loose::or_default")]
    cause_metadata: Cause,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Cause {
    code: Texts,
}

/// A finding of any kind that was taken out.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Modified {
    #[serde(rename = "Type", deserialize_with = "loose::text")]
    kind: Option<String>,
    #[serde(deserialize_with = "loose::or_default")]
    finding: Found,
}

impl Found {
    /// Whether a check that did not pass is one against secrets, so that its code shows one.
    fn is_failed_check_of_secrets(&self) -> bool {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        self.status.as_deref() != Some("PASS")
            && readiness::is_about_secrets(&text(&self.id), &text(&self.title))
    }

    fn code(&self) -> String {
        [&self.matched, &self.code, &self.cause_metadata.code]
            .map(|code| code.0.as_str())
            .join("\n")
    }
}

/// The report without its secrets; nothing where it shows none. `secrets` is how many the importer
/// counted.
///
/// # Errors
/// [`ImportError::TooMuch`], [`ImportError::Malformed`], [`ImportError::SecretLeft`] where secrets
/// were counted and are not found, and those of [`super::Redactor::copy`].
pub(in crate::evidence) fn redaction(
    report: &Report,
    secrets: u64,
) -> Result<Option<Redaction>, ImportError> {
    let (mut shown, mut seen) = (Shown::default(), 0_u64);
    let outline = report.outline().json();
    let mut roots: Vec<Vec<&str>> = vec![match outline {
        // Before version 0.20 a report was a list of results.
        Some(Sketch::List(..)) => vec!["*"],
        _ => vec!["Results", "*"],
    }];
    let of_resources = OF_RESOURCES.iter().filter(|name| outline.is_some_and(|o| o.has(&[name])));
    roots.extend(of_resources.map(|name| vec![*name, "*", "Results", "*"]));
    for root in roots {
        // What the outline does not have, the report has not: it keeps more members than Trivy writes.
        let has = |list: &str| outline.is_some_and(|o| o.has(&[root.as_slice(), &[list]].concat()));
        let path = |list| [root.as_slice(), &[list, "*"]].concat();
        if has(SECRETS) {
            each(report, REPORT, &path(SECRETS), &mut |positions, found: Found| {
                seen += 1;
                shown.note(report, place(&path(SECRETS), positions), &found.code())
            })?;
        }
        if has(CHECKS) {
            each(report, REPORT, &path(CHECKS), &mut |positions, found: Found| {
                if !found.is_failed_check_of_secrets() {
                    return Ok(());
                }
                shown.note(report, place(&path(CHECKS), positions), &found.code())
            })?;
        }
        if has(MODIFIED) {
            each(report, REPORT, &path(MODIFIED), &mut |positions, Modified { kind, finding }| {
                let shows = match kind.as_deref() {
                    Some("secret") => true,
                    Some("misconfiguration") => finding.is_failed_check_of_secrets(),
                    _ => false,
                };
                if !shows {
                    return Ok(());
                }
                shown.note(report, place(&path(MODIFIED), positions), &finding.code())
            })?;
        }
    }
    if seen < secrets {
        return Err(ImportError::SecretLeft { name: report.name().to_owned() });
    }
    shown.redaction(report, treatment)
}

/// The path to an element.
fn place(path: &[&str], positions: &[usize]) -> Vec<Step> {
    let mut positions = positions.iter();
    path.iter()
        .map(|name| match *name {
            "*" => Step::Position(positions.next().copied().unwrap_or_default()),
            name => Step::Name(name.to_owned()),
        })
        .collect()
}

fn treatment(shown: &Shown, path: &[Step], role: Role) -> Treatment {
    let is = |step: &Step, names: &[&str]| match step {
        Step::Name(name) => names.contains(&name.as_str()),
        Step::Position(_) => false,
    };
    let has = |steps: &[Step], names: &[&str]| steps.iter().any(|step| is(step, names));
    if role == Role::Name {
        return if has(path, FREE) { Treatment::Search } else { Treatment::Word };
    }
    if has(path, &["ImageConfig"]) && has(path, BUILT_WITH) {
        return Treatment::Blank;
    }
    let list = path.iter().rposition(|step| is(step, LISTS));
    let element = list.map_or(0, |list| list + 2);
    let (finding, rest) = path.split_at_checked(element).unwrap_or((path, &[]));
    match (list.is_some() && has(rest, CODE), shown.is_at(finding)) {
        (true, true) => Treatment::Blank,
        (true, false) => Treatment::Suspect,
        (false, _) => Treatment::Search,
    }
}
