//! The JSON report of trufflehog: one object for each finding, a line each or in a list. Version 3
//! says where in `SourceMetadata.Data`, by the kind of the source; version 2 in `path` and
//! `commitHash`. A scan that found nothing writes nothing, not even a line.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Leak, Leaks};
use crate::evidence::bounded::{List, Members, malformed_json, skip_mark};
use crate::evidence::elements::each;
use crate::evidence::format::{Fit, Format};
use crate::evidence::loose;
use crate::evidence::outline::{Outline, Shape, Sketch};
use crate::evidence::redact::{Role, Secrets, Step, Treatment};
use crate::evidence::scanner::Scanner;
use crate::evidence::{ImportError, Imported, Report};

pub(super) const FORMAT: Format = Format {
    name: "trufflehog",
    title: "trufflehog JSON",
    media_type: "application/jsonl",
    becomes: Some("secret-scan"),
    remedy: "write it again with trufflehog --json, its standard output alone",
    fit,
    import,
};

/// What is expected where a report cannot be read.
const RESULT: &str = "trufflehog results";
/// Members that are the secret, tell what it opens, or are the text around it.
static SECRET_MEMBERS: &[&str] = &[
    "Raw",
    "RawV2",
    "Redacted",
    "ExtraData",
    "StructuredData",
    "VerificationError",
    "diff",
    "printDiff",
    "stringsFound",
];
/// Members of it whose own members have names that a detector chooses.
static FREE: &[&str] = &["ExtraData", "StructuredData"];
/// How the kinds of sources call the file, the most exact first.
static FILE_MEMBERS: &[&str] =
    &["file", "filename", "path", "key", "link", "repository", "location"];

/// A line of a report.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Line {
    source_metadata: Option<Metadata>,
    #[serde(deserialize_with = "loose::text")]
    detector_name: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    raw: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    raw_v2: Option<String>,
    /// Version 2.
    #[serde(rename = "reason", deserialize_with = "loose::text")]
    reason: Option<String>,
    #[serde(rename = "path", deserialize_with = "loose::text")]
    path: Option<String>,
    #[serde(rename = "commitHash", deserialize_with = "loose::text")]
    commit_hash: Option<String>,
    #[serde(rename = "stringsFound")]
    strings_found: Option<List<String>>,
    /// What the program tells of its own work, where somebody sent that to the report, too.
    #[serde(rename = "level", deserialize_with = "loose::text")]
    level: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Metadata {
    data: Members<Source>,
}

#[derive(Default, Deserialize)]
#[serde(transparent)]
struct Source(#[serde(deserialize_with = "loose::text_map")] BTreeMap<String, String>);

fn fit(outline: &Outline) -> Fit {
    let is = |sketch: &Sketch, at: &[&str]| {
        let has = |name: &str| sketch.has(&[at, &[name]].concat());
        has("SourceMetadata") && has("Raw") || has("stringsFound") && has("reason") && has("path")
    };
    if outline.shape == Shape::Empty {
        return Fit::Possible;
    }
    let lines = outline.json_lines().is_some_and(|sketch| is(sketch, &[]));
    Fit::from(lines || outline.json().is_some_and(|sketch| is(sketch, &["*"])))
}

fn import(report: &Report) -> Result<Imported, ImportError> {
    let (mut leaks, mut secrets, mut told) = (Leaks::default(), Secrets::default(), 0_u64);
    let mut take = |line: Line| {
        if line.source_metadata.is_none() && line.strings_found.is_none() && line.level.is_some() {
            told += 1;
            return Ok(());
        }
        collect(report, line, &mut leaks, &mut secrets)
    };
    match &report.outline().shape {
        Shape::Empty => {}
        // It writes nothing at all where it found nothing, so another tool made this.
        Shape::Json(Sketch::List(0, _)) => {
            return Err(report.malformed("trufflehog results or an empty file", "an empty list"));
        }
        Shape::Json(Sketch::List(..)) => each(report, RESULT, &["*"], &mut |_, line| take(line))?,
        Shape::Json(_) | Shape::JsonLines(_) => lines(report, &mut take)?,
        _ => return Err(report.unlike(RESULT)),
    }
    let scanner = Scanner::new("trufflehog", None, None);
    let mut imported = leaks.import(report, secrets, scanner, &treatment)?;
    if told > 0 {
        imported.warnings.push(format!("{told} lines are no findings but told of the scan itself"));
    }
    Ok(imported)
}

/// Reads one value after the other; anything between them is an error, because it may be a secret.
fn lines(
    report: &Report,
    take: &mut dyn FnMut(Line) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    report.read(|reader| {
        skip_mark(reader).map_err(|e| report.unreadable(e))?;
        for line in serde_json::Deserializer::from_reader(reader).into_iter() {
            take(line.map_err(|e| malformed_json(report, RESULT, &e))?)?;
        }
        Ok(())
    })
}

fn collect(
    report: &Report,
    line: Line,
    leaks: &mut Leaks,
    secrets: &mut Secrets,
) -> Result<(), ImportError> {
    let rule = line.detector_name.or(line.reason).unwrap_or_default();
    if let Some(strings) = line.strings_found {
        for secret in strings {
            secrets.add(report, &secret)?;
        }
        let (file, commit) = (line.path.unwrap_or_default(), line.commit_hash.unwrap_or_default());
        leaks.add(Leak { rule, file, commit, ..Leak::default() }, false);
        return Ok(());
    }
    let (Some(metadata), Some(raw)) = (line.source_metadata, line.raw) else {
        return Err(report.malformed("a trufflehog result with its secret", "one without"));
    };
    // Early versions write the secret in base64, later ones as it is.
    secrets.add_encoded(report, &raw)?;
    if let Some(both) = line.raw_v2 {
        secrets.add_encoded(report, &both)?;
        // The identifier and the secret, one behind the other.
        if let Some(rest) = both.strip_prefix(raw.as_str()) {
            secrets.add(report, rest.trim_matches(|c: char| !c.is_alphanumeric()))?;
        }
    }
    let (kind, Source(source)) = metadata.data.0.into_iter().next().unwrap_or_default();
    let member = |name: &str| source.get(name).filter(|text| !text.is_empty());
    let leak = Leak {
        rule,
        file: FILE_MEMBERS.iter().find_map(|name| member(name)).cloned().unwrap_or_default(),
        line: member("line").and_then(|line| line.parse().ok()).unwrap_or_default(),
        commit: member("commit").cloned().unwrap_or_default(),
        fingerprint: None,
    };
    leaks.add(leak, kind == "Filesystem");
    Ok(())
}

/// Where the lines are in a list, each has its position before it.
fn treatment(path: &[Step], role: Role) -> Treatment {
    let path = match path {
        [Step::Position(_), rest @ ..] => rest,
        path => path,
    };
    let within = |members: &[&str]| matches!(path.first(), Some(Step::Name(name)) if members.contains(&name.as_str()));
    match role {
        Role::Name if within(FREE) => Treatment::Search,
        Role::Name => Treatment::Word,
        Role::Value if within(SECRET_MEMBERS) => Treatment::Blank,
        Role::Value => Treatment::Search,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_an_empty_file_for_clean_and_refuses_an_empty_list() {
        assert!(import(&Report::of_bytes("r", "")).is_ok());
        let refused = import(&Report::of_bytes("r", "[]")).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "expected trufflehog results or an empty file in r, found an empty list"
        );
    }
}
