//! Real outputs of other tools, for tests, where they are collected. They are not copied here.

use std::path::Path;

use attestry_schemas::digest::Sha256;
use attestry_schemas::predicate;
use serde_json::Value;

use super::{Fit, Format, ImportError, Imported, Product, Report, Supplement, import, original};

/// A sample; nothing, and a word about it, where they are not there.
pub(super) fn sample(file: &str) -> Option<Report> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/samples");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not there", folder.display());
        return None;
    }
    let name = file.rsplit('/').next().unwrap_or(file);
    Some(Report::of_bytes(name, std::fs::read(folder.join(file)).unwrap()))
}

/// Recognises a report as one of this format and reads it.
pub(super) fn read_as(report: &Report, format: &str) -> Result<Imported, ImportError> {
    let (found, imported) = import(report, None)?;
    assert_eq!(found.name, format, "{}", report.name());
    assert!(!imported.evidence.is_empty());
    Ok(imported)
}

/// What the first piece of evidence becomes.
pub(super) fn product(
    report: &Report,
    imported: &Imported,
    supplement: &Supplement,
) -> Result<Product, ImportError> {
    let format = Format {
        name: "test",
        title: "Test",
        media_type: "application/json",
        becomes: None,
        remedy: "write it again",
        fit: |_| super::Fit::No,
        import: |_| unreachable!("the report has been read"),
    };
    imported.evidence[0].product(report, &original(report, &format), supplement)
}

/// The predicate of the first piece of evidence, its type and warnings. It is accepted by ingest.
pub(super) fn predicate_of(
    report: &Report,
    imported: &Imported,
    supplement: &Supplement,
) -> (String, Value, Vec<String>) {
    match product(report, imported, supplement).unwrap().read_again() {
        Product::Predicate { uri, value, warnings } => {
            assert_eq!(predicate::check(&uri, &value), Ok(()), "{}", report.name());
            (uri, value, warnings)
        }
        other => panic!("expected a predicate, found {other:?}"),
    }
}

/// The whole text of a report.
pub(super) fn text_of(report: &Report) -> String {
    let mut text = String::new();
    report.read(|reader| Ok(reader.read_to_string(&mut text).unwrap())).unwrap();
    text
}

/// What becomes of a report.
#[derive(Debug)]
pub(super) struct Made {
    /// The name of the format.
    pub(super) format: &'static str,
    /// The predicates, each of which its lint accepts.
    pub(super) predicates: Vec<Value>,
    /// The totals of each, in the order in which they are told: `pass 3, fail 1`.
    pub(super) totals: Vec<String>,
    /// The tools.
    pub(super) tools: Vec<String>,
    /// All warnings.
    pub(super) warnings: Vec<String>,
    /// The text of the redacted copy.
    pub(super) redacted: Option<String>,
}

/// What is known beside every report: its time, its environment and its subject.
pub(super) fn supplement() -> Supplement {
    Supplement {
        scanned_at: Some("2026-01-31T12:00:00Z".parse().unwrap()),
        environment: Some("production".to_owned()),
        subject: Some(Sha256::of(b"subject").into()),
        ..Supplement::default()
    }
}

/// Recognises a report, reads it, and makes its predicates. `asked` is what `--type` says.
pub(super) fn made(
    report: &Report,
    asked: Option<&str>,
    supplement: &Supplement,
) -> Result<Made, ImportError> {
    let (format, Imported { evidence, mut warnings, redacted }) = import(report, asked)?;
    let kept = original(redacted.as_ref().unwrap_or(report), format);
    let mut predicates = Vec::new();
    for evidence in &evidence {
        match evidence.product(report, &kept, supplement)?.read_again() {
            Product::Predicate { uri, value, warnings: more } => {
                assert_eq!(predicate::check(&uri, &value), Ok(()), "{value:#}");
                let known = predicate::from_uri(&uri).unwrap();
                assert_eq!(format.becomes, Some(known.short));
                predicates.push(value);
                warnings.extend(more);
            }
            other => panic!("expected a predicate, found {other:?}"),
        }
    }
    let told = |totals: Vec<(&str, u64)>| {
        let told: Vec<String> =
            totals.iter().map(|(name, count)| format!("{name} {count}")).collect();
        told.join(", ")
    };
    Ok(Made {
        format: format.name,
        predicates,
        totals: evidence.iter().map(|evidence| told(evidence.totals())).collect(),
        tools: evidence.iter().filter_map(|evidence| evidence.tool()).collect(),
        warnings,
        redacted: redacted.as_ref().map(text_of),
    })
}

/// How a document fits a format.
pub(super) fn fit(format: &Format, text: &str) -> Fit {
    (format.fit)(Report::of_memory("r", text.as_bytes().to_vec()).unwrap().outline())
}
