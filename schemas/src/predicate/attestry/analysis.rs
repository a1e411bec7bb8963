//! What a static analysis found: static-analysis.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::governance::closed;
use super::{MAX_RESULTS, REPORT, TOOL, Tool};
use crate::predicate::Predicate;
use crate::predicate::rules::{
    Form, Section, Specification, Unknown, items_of, optional, required, text_of,
};
use crate::predicate::time::UtcTime;
use crate::predicate::walk::Linter;
use crate::statement::ResourceDescriptor;

/// The result of a static analysis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StaticAnalysis {
    /// What analysed.
    pub tool: Tool,
    /// When it analysed.
    pub scanned_at: UtcTime,
    /// How many results there are, listed or not.
    pub counts: Counts,
    /// The results. Where there are more than can be listed, those of the least grave levels are
    /// only counted.
    #[schemars(length(max = MAX_RESULTS))]
    pub results: Vec<AnalysisResult>,
    /// The report that this was made of, by digest.
    #[schemars(extend("required" = ["digest"]))]
    pub report: ResourceDescriptor,
}

impl Predicate for StaticAnalysis {
    const URI: &'static str = "https://attestry.dev/static-analysis/v1";
}

/// How many results there are of each level, and how many were suppressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Counts {
    /// Of the level `error`, not suppressed.
    pub error: u64,
    /// Of the level `warning`, not suppressed.
    pub warning: u64,
    /// Of the level `note`, not suppressed.
    pub note: u64,
    /// Of the level `none`, not suppressed.
    pub none: u64,
    /// Of any level, suppressed.
    pub suppressed: u64,
}

/// One result of a static analysis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AnalysisResult {
    /// The rule, as the tool names it.
    pub rule: String,
    /// How grave it is.
    pub level: Level,
    /// The file; empty when the tool names none.
    pub file: String,
    /// The line, from 1; 0 when it is not known.
    pub line: u64,
    /// Names the result across runs of the tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub fingerprint: Option<String>,
    /// Whether people decided that it does not count.
    pub suppressed: bool,
}

/// How grave a result is (SARIF 2.1.0 §3.27.10).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A serious problem.
    Error,
    /// A problem.
    Warning,
    /// A minor problem, or an opportunity to improve.
    Note,
    /// No problem, or none that has a level.
    None,
}

closed!(
    /// `schemas/json/static-analysis-v1.json`.
    STATIC_ANALYSIS, STATIC_ANALYSIS_FIELDS, "static-analysis", more_static_analysis,
    [
        required("tool", Form::Object(&TOOL)),
        required("scannedAt", Form::Time),
        required("counts", Form::Object(&COUNTS)),
        required("results", Form::List(&Form::Object(&RESULT))),
        required("report", REPORT),
    ]
);

static COUNTS: Section = Section {
    title: "counts",
    unknown: Unknown::Refused,
    rules: &[
        required("error", Form::Count),
        required("warning", Form::Count),
        required("note", Form::Count),
        required("none", Form::Count),
        required("suppressed", Form::Count),
    ],
};

static RESULT: Section = Section {
    title: "results",
    unknown: Unknown::Refused,
    rules: &[
        required("rule", Form::Name),
        required("level", Form::OneOf(&["error", "warning", "note", "none"])),
        required("file", Form::Text),
        required("line", Form::Count),
        optional("fingerprint", Form::Name),
        required("suppressed", Form::Boolean),
    ],
};

/// What is listed is counted, and a result is left out of the list only where the list is full.
fn more_static_analysis(linter: &mut Linter<'_>, predicate: &Map<String, Value>) {
    super::bounded(linter, predicate, "results");
    let results = items_of(predicate, "results");
    let mut listed: BTreeMap<&str, u64> = BTreeMap::new();
    for result in results.iter().filter_map(Value::as_object) {
        let suppressed = result.get("suppressed") == Some(&Value::Bool(true));
        let counter = if suppressed { Some("suppressed") } else { text_of(result, "level") };
        if let Some(counter) = counter {
            *listed.entry(counter).or_default() += 1;
        }
    }
    let full = results.len() >= MAX_RESULTS;
    let Some(counts) = predicate.get("counts").and_then(Value::as_object) else { return };
    for (name, count) in counts.iter().filter_map(|(name, count)| Some((name, count.as_u64()?))) {
        let listed = listed.get(name.as_str()).copied().unwrap_or_default();
        if count == listed || (full && count > listed) {
            continue;
        }
        linter.at("counts", |linter| {
            linter.at(name, |linter| {
                let at_least = if full { "at least " } else { "" };
                let expected = format!("{at_least}{listed}, as many as are listed");
                linter.broken(
                    "static-analysis: counts are those of results",
                    &expected,
                    &count.to_string(),
                );
            });
        });
    }
}
