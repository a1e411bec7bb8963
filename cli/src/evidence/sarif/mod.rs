//! SARIF 2.1.0: the results of tools of whatever kind (OASIS Standard, 27 March 2020).
//!
//! One reader for four formats, which differ in what the results are about. It reads the log twice:
//! first the runs, with their rules and how many results they have of each, because results may
//! stand before the rules that they refer to; then the results, one at a time. What becomes of the
//! results is the business of the kinds of evidence.

mod exposed;
mod log;
mod run;
mod tools;

use std::collections::{BTreeMap, BTreeSet};

use super::elements::each;
use super::format::Fit;
use super::outline::{Outline, Sketch};
use super::redact::Redactor;
use super::{ImportError, Report};
use exposed::Exposed;
use log::{Head, ResultObject};
pub(super) use run::{Finding, Run, Status};
use tools::Duty;
pub(super) use tools::{Kind, is_vulnerability};

/// The media type of a log.
pub(super) const MEDIA_TYPE: &str = "application/sarif+json";
/// What mends a document that is no SARIF.
pub(super) const REMEDY: &str = "have the tool write SARIF 2.1.0 again: a list of runs, each with the driver of its tool and results with a message";
/// The version that is read. Drafts of it add something after it.
const VERSION: &str = "2.1.0";
/// The most runs of one log.
const MAX_RUNS: usize = 64;
/// What is expected where a log cannot be read.
const LOG: &str = "a SARIF 2.1.0 log";
/// The kinds of which a tool that does several things may have found nothing.
const KINDS_OF_SEVERAL: [Kind; 3] = [Kind::Vulnerabilities, Kind::Secrets, Kind::Configuration];

/// Whether a document is a log with results of this kind.
pub(super) fn fit(outline: &Outline, kind: Kind) -> Fit {
    let Some(sketch) = outline.json().filter(|sketch| is_log(sketch)) else { return Fit::No };
    match likely_kind(sketch) {
        Some(likely) => Fit::from(likely == kind),
        None if KINDS_OF_SEVERAL.contains(&kind) => Fit::Possible,
        None => Fit::No,
    }
}

fn is_log(sketch: &Sketch) -> bool {
    let schema = sketch.text(&["$schema"]).is_some_and(|schema| schema.contains("sarif"));
    let tool = sketch.has(&["runs", "*", "tool", "driver"]);
    sketch.count(&["runs"]).is_some() && (schema || (tool && sketch.has(&["version"])))
}

/// What the first results are about; nothing where the tool does several things and found nothing.
fn likely_kind(sketch: &Sketch) -> Option<Kind> {
    let name = sketch.text(&["runs", "*", "tool", "driver", "name"]).unwrap_or_default();
    let result = ["runs", "*", "results", "*"];
    let below = |rest: &[&str]| sketch.text(&[&result, rest].concat());
    let rule = below(&["ruleId"]).or_else(|| below(&["rule", "id"]));
    match (tools::duty(name), rule) {
        (Duty::One(kind), _) => Some(kind),
        (Duty::Several, None) => None,
        (Duty::Several, Some(rule)) => {
            let message = below(&["message", "text"]).unwrap_or_default();
            let secret = message.starts_with("Artifact:") && message.contains("\nSecret ");
            Some(if secret { Kind::Secrets } else { tools::kind_of_rule(rule, None) })
        }
        (Duty::Unknown, Some(rule)) if tools::is_vulnerability(rule) => Some(Kind::Vulnerabilities),
        (Duty::Unknown, _) => Some(Kind::Analysis),
    }
}

/// What was read of a log.
pub(super) struct Reading {
    /// The runs with results of the kind, or that could have had some; at least one.
    pub(super) runs: Vec<Run>,
    /// What a person should know.
    pub(super) warnings: Vec<String>,
    /// The log without secrets, where it shows some.
    pub(super) redacted: Option<Report>,
    /// What takes the log's secrets out of what goes into a predicate, where it shows some.
    pub(super) redactor: Option<Redactor>,
}

/// Reads a log and gives each result of `kind` to `take`, with the position of its run.
///
/// # Errors
/// [`ImportError::NothingChecked`] for no runs and for runs without results, [`ImportError::Ambiguous`]
/// for results of several kinds where nobody named one, [`ImportError::NotAsked`],
/// [`ImportError::ScanFailed`], [`ImportError::TooMuch`], [`ImportError::Malformed`], and those of `take`.
pub(super) fn read(
    report: &Report,
    kind: Kind,
    take: &mut dyn FnMut(usize, Finding<'_>) -> Result<(), ImportError>,
) -> Result<Reading, ImportError> {
    let runs = runs(report)?;
    let mut warnings = Vec::new();
    let chosen = choose(report, &runs, kind, &mut warnings)?;
    let mut exposed = Exposed::default();
    each(report, LOG, &["runs", "*", "results", "*"], &mut |positions, result: ResultObject| {
        let [run, position] = positions else { return Ok(()) };
        let Some(found) = runs.get(*run) else { return Ok(()) };
        let Some(mut finding) = found.finding(&result) else { return Ok(()) };
        let part = chosen.get(run);
        if part == Some(&Part::All) {
            finding.kind = kind;
        }
        exposed.note(report, found, *position, &result, &finding)?;
        match part {
            Some(Part::All) => take(*run, finding),
            Some(Part::OfKind) if finding.kind == kind => take(*run, finding),
            _ => Ok(()),
        }
    })?;
    if exposed.count() > 0 {
        warnings.push(format!(
            "{} results show secrets, which were redacted: the copy without them is kept and named, not the report itself",
            exposed.count()
        ));
    }
    let redaction = exposed.into_redaction();
    let redacted = redaction.as_ref().map(|redaction| redaction.copy(report)).transpose()?;
    let runs = runs.into_iter().filter(|run| chosen.contains_key(&run.index)).collect();
    Ok(Reading { runs, warnings, redacted, redactor: redaction.map(|found| found.redactor) })
}

/// The runs of a log.
fn runs(report: &Report) -> Result<Vec<Run>, ImportError> {
    let version = report.outline().json().and_then(|sketch| sketch.text(&["version"]));
    if !version.is_some_and(|version| version.starts_with(VERSION)) {
        let found = version.map_or("no version".to_owned(), |found| format!("version {found}"));
        return Err(report.malformed(LOG, found));
    }
    let mut runs = Vec::new();
    each(report, LOG, &["runs", "*"], &mut |positions, head: Head| {
        if runs.len() == MAX_RUNS {
            let (name, what) = (report.name().to_owned(), "runs");
            return Err(ImportError::TooMuch { name, what, limit: MAX_RUNS });
        }
        runs.push(Run::new(positions.first().copied().unwrap_or_default(), head));
        Ok(())
    })?;
    if runs.is_empty() {
        return Err(nothing_checked(report, "a run"));
    }
    Ok(runs)
}

/// Which results of a run are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    OfKind,
}

/// Which runs are taken.
fn choose(
    report: &Report,
    runs: &[Run],
    kind: Kind,
    warnings: &mut Vec<String>,
) -> Result<BTreeMap<usize, Part>, ImportError> {
    let kinds: Vec<BTreeMap<Kind, u64>> = runs.iter().map(Run::kinds).collect();
    if !report.is_insisted_on() {
        let mut found: BTreeSet<Kind> = kinds.iter().flat_map(BTreeMap::keys).copied().collect();
        if kinds.iter().any(BTreeMap::is_empty) {
            found.extend(KINDS_OF_SEVERAL);
        }
        if found.iter().any(|found| *found != kind) {
            let told = found.iter().map(|kind| format!("{} ({})", kind.title(), kind.format()));
            let candidates = told.collect::<Vec<_>>().join(", ");
            let (name, unconfirmed) = (report.name().to_owned(), None);
            return Err(ImportError::Ambiguous { name, candidates, unconfirmed });
        }
    }
    // A run of a tool that nobody knows is what the person says who names the format, unless
    // another run is what they mean.
    let known = kinds.iter().any(|kinds| kinds.is_empty() || kinds.contains_key(&kind));
    let mut chosen = BTreeMap::new();
    for (run, kinds) in runs.iter().zip(&kinds) {
        let part = match run.duty {
            _ if kinds.is_empty() => Some(Part::All),
            Duty::Several => kinds.contains_key(&kind).then_some(Part::OfKind),
            Duty::One(_) => kinds.contains_key(&kind).then_some(Part::All),
            Duty::Unknown => (!known || kinds.contains_key(&kind)).then_some(Part::All),
        };
        let left_out = kinds.iter().filter(|(other, _)| part != Some(Part::All) && **other != kind);
        for (other, count) in left_out {
            warnings.push(format!(
                "{count} {} of {} are left out: --type {} imports them",
                other.results(),
                run.scanner.told(),
                other.format()
            ));
        }
        if let Some(part) = part {
            chosen.insert(run.index, part);
        }
    }
    if chosen.is_empty() {
        let tools = runs.iter().map(|run| run.scanner.told()).collect::<Vec<_>>().join(", ");
        let (name, expected) = (report.name().to_owned(), kind.title().to_owned());
        let found = format!("runs of {tools} without any");
        return Err(ImportError::NotAsked { name, expected, found });
    }
    went_well(report, runs.iter().filter(|run| chosen.contains_key(&run.index)), warnings)?;
    Ok(chosen)
}

/// A run that did not go well is no clean run.
fn went_well<'r>(
    report: &Report,
    runs: impl Iterator<Item = &'r Run>,
    warnings: &mut Vec<String>,
) -> Result<(), ImportError> {
    for run in runs {
        let tool = run.scanner.told();
        if !run.tally.listed {
            return Err(nothing_checked(report, "a run with a list of results"));
        }
        if run.failed && run.tally.total == 0 {
            return Err(ImportError::ScanFailed { name: report.name().to_owned(), tool });
        }
        if run.failed {
            warnings.push(format!(
                "{tool} says that it failed: its results are not all that there is to find"
            ));
        } else if run.errors > 0 {
            warnings.push(format!(
                "{tool} told of {} errors while it ran: its results may not be all that there is to find",
                run.errors
            ));
        }
    }
    Ok(())
}

fn nothing_checked(report: &Report, expected: &'static str) -> ImportError {
    ImportError::NothingChecked { name: report.name().to_owned(), expected }
}

#[cfg(test)]
mod tests;
