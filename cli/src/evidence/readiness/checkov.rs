//! The JSON report of checkov: an object for one check type, a list of them for several, or, where
//! nothing was found to check, counts alone.

use std::collections::{BTreeMap, BTreeSet};

use attestry_schemas::predicate::attestry::MAX_RESULTS;
use attestry_schemas::predicate::attestry::environment::{Check, CheckStatus};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::category::category;
use super::severity::severity;
use super::{Checks, OF_SECRETS, part};
use crate::evidence::bounded::{self, Count, List};
use crate::evidence::elements::each;
use crate::evidence::format::{Fit, Format};
use crate::evidence::loose;
use crate::evidence::outline::{Outline, Sketch};
use crate::evidence::place::Place;
use crate::evidence::redact::{Role, Shown, Step, Texts, Treatment};
use crate::evidence::scanner::Scanner;
use crate::evidence::{ImportError, Imported, Report};

pub(super) const FORMAT: Format = Format {
    name: "checkov",
    title: "checkov JSON",
    media_type: "application/json",
    becomes: Some("readiness"),
    remedy: "write it again with checkov --output json, for one run of it or for several",
    fit,
    import,
};

/// What is expected where a report cannot be read.
const REPORT: &str = "a checkov report";
/// How deep the members of a record lie in a list of reports.
const MAX_RECORD_DEPTH: usize = 4;
/// The check types whose findings are vulnerabilities of packages.
static OF_PACKAGES: &[&str] = &["sca_package", "sca_image"];

/// The check type whose findings are secrets.
const SECRETS: &str = "secrets";
/// Members of a record that hold code, or what was found in it.
static CODE: &[&str] = &[
    "code_block",
    "fixed_definition",
    "evaluated_keys",
    "evaluations",
    "entity",
    "results_configuration",
    "breadcrumbs",
    "connected_node",
    "details",
];

/// The report of one check type: its records, or how many there are.
#[derive(Deserialize)]
#[serde(default, bound = "L: Default + Deserialize<'de>")]
struct OfType<L> {
    #[serde(deserialize_with = "loose::text")]
    check_type: Option<String>,
    #[serde(deserialize_with = "loose::or_default")]
    results: Results<L>,
    #[serde(deserialize_with = "loose::or_default")]
    summary: Summary,
}

impl<L: Default> Default for OfType<L> {
    fn default() -> Self {
        let (results, summary) = (Results::default(), Summary::default());
        Self { check_type: None, results, summary }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "L: Default + Deserialize<'de>")]
struct Results<L> {
    passed_checks: L,
    failed_checks: L,
    skipped_checks: L,
    parsing_errors: Count,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Summary {
    #[serde(deserialize_with = "loose::count")]
    passed: Option<u64>,
    #[serde(deserialize_with = "loose::count")]
    failed: Option<u64>,
    #[serde(deserialize_with = "loose::text")]
    checkov_version: Option<String>,
}

/// One check of one resource.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Record {
    #[serde(deserialize_with = "loose::text")]
    check_id: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    check_name: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    file_path: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    file_abs_path: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    resource: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    severity: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    bc_category: Option<String>,
}

fn fit(outline: &Outline) -> Fit {
    let Some(sketch) = outline.json() else { return Fit::No };
    Fit::from(is_counts_alone(sketch) || is_of_type(sketch, &[]) || is_of_type(sketch, &["*"]))
}

fn is_of_type(sketch: &Sketch, at: &[&str]) -> bool {
    let has = |rest: &[&str]| sketch.has(&[at, rest].concat());
    has(&["check_type"])
        && (has(&["summary", "checkov_version"]) || has(&["results", "failed_checks"]))
}

/// A run that found nothing to check.
fn is_counts_alone(sketch: &Sketch) -> bool {
    sketch.has_all(&["checkov_version", "passed", "failed"])
}

fn import(report: &Report) -> Result<Imported, ImportError> {
    if report.outline().json().is_some_and(is_counts_alone) {
        let (name, expected) = (report.name().to_owned(), "a resource to check");
        return Err(ImportError::NothingChecked { name, expected });
    }
    // Counting first keeps a report with too many checks out of memory.
    let counted = reports::<Count>(report)?;
    let of = |found: &Results<Count>| {
        [found.passed_checks, found.failed_checks, found.skipped_checks].map(|count| count.0)
    };
    let total = counted.iter().flat_map(|found| of(&found.results)).fold(0, u64::saturating_add);
    if total > MAX_RESULTS as u64 {
        let (name, what) = (report.name().to_owned(), "checks");
        return Err(ImportError::TooMuch { name, what, limit: MAX_RESULTS });
    }
    take(report, reports::<List<Record>>(report)?)
}

/// The reports of all check types.
fn reports<L: Default + DeserializeOwned>(report: &Report) -> Result<Vec<OfType<L>>, ImportError> {
    match report.outline().json() {
        Some(Sketch::List(..)) => Ok(bounded::json::<List<OfType<L>>>(report, REPORT)?.0),
        _ => Ok(vec![bounded::json(report, REPORT)?]),
    }
}

fn take(report: &Report, reports: Vec<OfType<List<Record>>>) -> Result<Imported, ImportError> {
    let mut checks = Checks::of(report);
    let (mut version, mut show_secrets) = (None, Places::new());
    for (OfType { check_type, results, summary }, index) in reports.into_iter().zip(0..) {
        let check_type = check_type.unwrap_or_default();
        version = version.or(summary.checkov_version);
        let Results { passed_checks, failed_checks, skipped_checks, parsing_errors } = results;
        let listed = |list: &List<Record>| list.0.len() as u64;
        let (passed, failed) = (listed(&passed_checks), listed(&failed_checks));
        if OF_PACKAGES.contains(&check_type.as_str()) {
            checks.warnings.push(format!(
                "{failed} findings of {check_type} are vulnerabilities of packages and are left out"
            ));
            continue;
        }
        // `--quiet` leaves passes out of the list.
        checks.unlisted_passes += summary.passed.unwrap_or_default().saturating_sub(passed);
        if let Some(told) = summary.failed.filter(|told| *told != failed) {
            checks.warnings.push(format!(
                "the summary of {check_type} tells of {told} failed checks, {failed} are listed"
            ));
        }
        if parsing_errors.0 > 0 {
            let count = parsing_errors.0;
            checks.warnings.push(format!("{count} files could not be read by checkov"));
        }
        for (list, name, status) in [
            (passed_checks, "passed_checks", CheckStatus::Pass),
            (failed_checks, "failed_checks", CheckStatus::Fail),
            (skipped_checks, "skipped_checks", CheckStatus::Skip),
        ] {
            for (record, position) in list.into_iter().zip(0..) {
                let check = check(&mut checks, record, status, &check_type);
                // What passed a check against secrets shows none.
                if check_type == SECRETS
                    || status != CheckStatus::Pass && check.category == OF_SECRETS
                {
                    show_secrets.insert((index, name, position), check_type == SECRETS);
                }
                checks.add(check)?;
            }
        }
    }
    if !show_secrets.is_empty() {
        let shown = shown(report, &show_secrets)?;
        if let Some(redaction) = shown.redaction(report, treatment)? {
            checks.redact(redaction);
        }
    }
    checks.import(Scanner::new("checkov", version.as_deref(), None), None, None)
}

/// Records by the position of the check type, the list, and the position in it; and whether they
/// are of a search for secrets.
type Places = BTreeMap<(usize, &'static str, usize), bool>;

/// What of a record may show a secret.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Code {
    code_block: Texts,
    fixed_definition: Texts,
    resource: Texts,
}

/// Reads the report again for the code of these records.
fn shown(report: &Report, places: &Places) -> Result<Shown, ImportError> {
    let mut shown = Shown::default();
    let is_list = matches!(report.outline().json(), Some(Sketch::List(..)));
    let root: &[&str] = if is_list { &["*"] } else { &[] };
    let lists: BTreeSet<&'static str> = places.keys().map(|(_, list, _)| *list).collect();
    for list in lists {
        let path = [root, &["results", list, "*"]].concat();
        each(report, REPORT, &path, &mut |positions, code: Code| {
            let (index, position) = match *positions {
                [index, position] => (index, position),
                [position] => (0, position),
                _ => return Ok(()),
            };
            let Some(searched) = places.get(&(index, list, position)) else { return Ok(()) };
            let Code { code_block, fixed_definition, resource } = code;
            // The resource of a secret is its SHA-1, from which it can be guessed.
            let hash = if *searched { resource.0 } else { String::new() };
            let code = [code_block.0, fixed_definition.0, hash].join("\n");
            let place = is_list.then_some(Step::Position(index)).into_iter();
            let below = ["results", list].map(|name| Step::Name(name.to_owned()));
            let place = place.chain(below).chain([Step::Position(position)]).collect();
            shown.note(report, place, &code)
        })?;
    }
    Ok(shown)
}

fn treatment(shown: &Shown, path: &[Step], role: Role) -> Treatment {
    if role == Role::Name {
        // Definitions and tags have names that anybody may choose.
        return if path.len() > MAX_RECORD_DEPTH { Treatment::Search } else { Treatment::Word };
    }
    let below = match path {
        [Step::Position(_), ..] => 4,
        _ => 3,
    };
    let (record, rest) = path.split_at_checked(below).unwrap_or((path, &[]));
    let is = |step: &Step, names: &[&str]| matches!(step, Step::Name(name) if names.contains(&name.as_str()));
    let code = rest.iter().any(|step| is(step, CODE));
    match (code, shown.is_at(record)) {
        (true, true) => Treatment::Blank,
        (true, false) => Treatment::Suspect,
        (false, _) => Treatment::Search,
    }
}

fn check(checks: &mut Checks<'_>, record: Record, status: CheckStatus, check_type: &str) -> Check {
    let id = record.check_id.unwrap_or_default();
    let own = [record.bc_category.as_deref().unwrap_or_default(), check_type];
    let file = record.file_path.unwrap_or_default();
    // Paths begin with a slash at the folder that was scanned, but for those outside of it.
    let outside =
        record.file_abs_path.as_deref() == Some(file.as_str()) && file.matches('/').count() > 1;
    let file = if outside { checks.file(&file) } else { below_root(&file) };
    // The resource of a secret is its SHA-1, from which it can be guessed.
    let named = record.resource.filter(|_| check_type != SECRETS).unwrap_or_default();
    let resource = below_root(&named);
    let resource = match resource.strip_prefix(&file) {
        // `/Dockerfile.` is the whole file, `/Dockerfile.RUN` a part of it.
        Some(rest) if !file.is_empty() => format!("{file}{}", rest.trim_end_matches('.')),
        _ => part(&file, &resource),
    };
    Check {
        category: category(&id, record.check_name.as_deref().unwrap_or_default(), own),
        status,
        severity: severity(record.severity.as_deref()),
        resource: Some(resource),
        id,
    }
}

fn below_root(path: &str) -> String {
    Place::of(path.trim_start_matches(['/', '\\'])).into_path()
}
