//! The secrets that a SARIF log shows, and how they are taken out of it.
//!
//! Every result of a secret scanner shows one, and so does the code of some other results: a rule
//! against hard-coded passwords finds them. Which results these are is noted while they are read.

use std::collections::{BTreeMap, HashSet};

use super::log::ResultObject;
use super::run::{Finding, Run};
use super::tools::{self, Kind};
use crate::evidence::bounded::MAX_RESULTS;
use crate::evidence::redact::{Redactor, Role, Rule, Secrets, Step, Treatment};
use crate::evidence::scanner;
use crate::evidence::{ImportError, Report};

/// Members of a result that hold code, or more of it.
static CODE: &[&str] =
    &["snippet", "contextRegion", "insertedContent", "contents", "artifactContent"];
/// Members of property bags that hold the secret or the code around it, in lower-case letters.
static SECRET_PROPERTIES: &[&str] = &[
    "offender",
    "secret",
    "match",
    "rawmatch",
    "raw",
    "rawv2",
    "line",
    "snippet",
    "context",
    "code",
    "credential",
    "password",
    "token",
    "value",
];
/// Objects whose members have names that anybody may choose (§3.8 and others).
static FREE: &[&str] = &[
    "properties",
    "fingerprints",
    "partialFingerprints",
    "originalUriBaseIds",
    "environmentVariables",
    "headers",
    "parameters",
    "state",
    "initialState",
    "immutableState",
    "globalMessageStrings",
    "messageStrings",
    "customProperties",
];
/// How Trivy tells what it found, already masked.
const MATCH: &str = "Match: ";

/// The results that show secrets, and the secrets.
#[derive(Debug, Default)]
pub(super) struct Exposed {
    secrets: Secrets,
    results: HashSet<(usize, usize)>,
    /// By run: whether the tool keeps secrets out of its messages, as is known of some.
    runs: BTreeMap<usize, bool>,
}

impl Exposed {
    /// How many results show secrets.
    pub(super) fn count(&self) -> usize {
        self.results.len()
    }

    /// Notes a result if it shows a secret.
    ///
    /// # Errors
    /// [`ImportError::TooMuch`].
    pub(super) fn note(
        &mut self,
        report: &Report,
        run: &Run,
        position: usize,
        result: &ResultObject,
        finding: &Finding<'_>,
    ) -> Result<(), ImportError> {
        if finding.kind != Kind::Secrets && !tools::shows_secrets(&finding.rule_id, finding.rule) {
            return Ok(());
        }
        if self.results.len() == MAX_RESULTS {
            let (name, what) = (report.name().to_owned(), "results that show secrets");
            return Err(ImportError::TooMuch { name, what, limit: MAX_RESULTS });
        }
        self.results.insert((run.index, position));
        self.runs.insert(run.index, keeps_messages_clean(run, finding.kind));
        for location in &result.locations.0 {
            let physical = location.physical_location.as_ref();
            let region = physical.and_then(|physical| physical.region.as_ref());
            let snippet = region.and_then(|region| region.snippet.as_ref()?.text.as_deref());
            if let Some(code) = snippet {
                self.secrets.add_code(report, code)?;
            }
        }
        for (name, value) in &finding.properties {
            match name.to_ascii_lowercase().as_str() {
                "offender" | "secret" | "raw" | "rawv2" => self.secrets.add(report, value)?,
                name if SECRET_PROPERTIES.contains(&name) => {
                    self.secrets.add_code(report, value)?
                }
                _ => {}
            }
        }
        for line in finding.message.lines() {
            if let Some(found) = line.strip_prefix(MATCH) {
                self.secrets.add_code(report, found)?;
            }
        }
        Ok(())
    }

    /// What takes the secrets out of predicates, and how the log is copied without them; nothing
    /// where it shows none.
    pub(super) fn into_redaction(self) -> Option<Redaction> {
        let Self { secrets, results, runs } = self;
        (!results.is_empty()).then(|| Redaction { redactor: Redactor::new(secrets), results, runs })
    }
}

/// How secrets are taken out of a log.
pub(super) struct Redaction {
    pub(super) redactor: Redactor,
    results: HashSet<(usize, usize)>,
    runs: BTreeMap<usize, bool>,
}

impl Redaction {
    /// The log without secrets.
    ///
    /// # Errors
    /// Those of [`Redactor::copy`].
    pub(super) fn copy(&self, report: &Report) -> Result<Report, ImportError> {
        let rule = |path: &[Step], role: Role| self.treatment(path, role);
        let rule: &Rule<'_> = &rule;
        self.redactor.copy(report, rule)
    }

    fn treatment(&self, path: &[Step], role: Role) -> Treatment {
        let names = || {
            path.iter().filter_map(|step| match step {
                Step::Name(name) => Some(name.as_str()),
                Step::Position(_) => None,
            })
        };
        if role == Role::Name {
            let free = names().any(|name| FREE.contains(&name));
            return if free { Treatment::Search } else { Treatment::Word };
        }
        let (run, position) = match path {
            [Step::Name(runs), Step::Position(run), Step::Name(part), rest @ ..]
                if runs == "runs" =>
            {
                let position = match rest.first() {
                    Some(Step::Position(position)) if part == "results" => Some(*position),
                    _ => None,
                };
                (*run, position)
            }
            _ => return Treatment::Search,
        };
        let Some(clean_messages) = self.runs.get(&run).copied() else { return Treatment::Search };
        let shows = position.is_some_and(|position| self.results.contains(&(run, position)));
        let code = names().any(|name| CODE.contains(&name));
        let secret =
            names().any(|name| SECRET_PROPERTIES.contains(&name.to_ascii_lowercase().as_str()));
        let message = names().any(|name| name == "message");
        let fingerprint = names().any(|name| name.to_ascii_lowercase().ends_with("fingerprints"));
        // The content of a file of the run may hold any of the run's secrets.
        let file_content = position.is_none() && names().any(|name| name == "contents");
        let secret = secret && names().any(|name| name == "properties");
        let told = message && !clean_messages;
        if file_content || (shows && (code || secret || told)) {
            Treatment::Blank
        } else if message || fingerprint {
            Treatment::Suspect
        } else {
            Treatment::Search
        }
    }
}

/// Secret scanners whose messages are known to name rule and file only, and whatever is no secret
/// scanner: its messages are written for the rule.
fn keeps_messages_clean(run: &Run, kind: Kind) -> bool {
    let key = scanner::key(&run.scanner.name);
    let known = ["gitleaks", "trufflehog", "trivy", "checkov"];
    kind != Kind::Secrets || known.iter().any(|known| key.starts_with(known))
}
