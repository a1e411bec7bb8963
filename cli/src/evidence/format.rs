//! The formats that are read, and how a report's format is recognised.

use attestry_schemas::predicate;

use super::error::Unconfirmed;
use super::outline::{Outline, Shape, Sketch};
use super::{
    ImportError, Imported, Report, analysis, bom, readiness, secret, statement, test_result, vex,
    vulnerability,
};

/// A format of reports.
#[derive(Debug)]
pub(crate) struct Format {
    /// What `--type` takes, and answers say: `junit`.
    pub(crate) name: &'static str,
    /// What a person reads: `JUnit XML`.
    pub(crate) title: &'static str,
    /// The media type of the report.
    pub(crate) media_type: &'static str,
    /// The short name of the predicate type that it becomes; nothing where the report says it.
    pub(crate) becomes: Option<&'static str>,
    /// What mends a report that is of this format and not as the format says.
    pub(crate) remedy: &'static str,
    /// Whether a document is of this format, by its outline alone.
    pub(crate) fit: fn(&Outline) -> Fit,
    /// Reads the report.
    pub(crate) import: fn(&Report) -> Result<Imported, ImportError>,
}

/// Whether a document is of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fit {
    /// It is not.
    No,
    /// It may be, but says so little that it may be another, too: an empty list.
    Possible,
    /// It is.
    Certain,
}

impl From<bool> for Fit {
    fn from(certain: bool) -> Self {
        if certain { Self::Certain } else { Self::No }
    }
}

/// Every format, in the order in which candidates are told.
pub(crate) static FORMATS: &[&[Format]] = &[
    test_result::FORMATS,
    bom::FORMATS,
    vulnerability::FORMATS,
    vex::FORMATS,
    secret::FORMATS,
    readiness::FORMATS,
    analysis::FORMATS,
    statement::FORMATS,
];

fn all() -> impl Iterator<Item = &'static Format> {
    FORMATS.iter().copied().flatten()
}

/// Recognises a report and reads it. `asked` is as for [`recognise`]; where it is a predicate type,
/// documents that say their own must be of it.
///
/// # Errors
/// As [`recognise`], [`ImportError::NotAsked`], and those of the format's importer.
pub(crate) fn import(
    report: &Report,
    asked: Option<&str>,
) -> Result<(&'static Format, Imported), ImportError> {
    let format = recognise(report, asked)?;
    let imported = (format.import)(report).map_err(|error| error.or_remedy(format.remedy))?;
    let asked = asked.filter(|asked| format.becomes.is_none() && is_type(asked));
    for evidence in asked.map_or(&[][..], |_| &imported.evidence) {
        let asked = asked.unwrap_or_default();
        let found = evidence.predicate_type();
        if !found.is_some_and(|found| predicate::matches(asked, found)) {
            return Err(ImportError::NotAsked {
                name: report.name().to_owned(),
                expected: format!("a statement of type {asked}"),
                found: found.map_or("a signature of an artifact".to_owned(), |found| {
                    format!("one of type {}", crate::output::printable(found))
                }),
            });
        }
    }
    Ok((format, imported))
}

/// Finds the format of a report. `asked` is the name of a format, or the short name or URI of a
/// predicate type, which leaves only the formats that become it, and those whose documents say what
/// they are.
///
/// # Errors
/// [`ImportError::Unrecognised`] and [`ImportError::Ambiguous`] with the candidates,
/// [`ImportError::NotAsked`], [`ImportError::UnknownType`].
pub(crate) fn recognise(
    report: &Report,
    asked: Option<&str>,
) -> Result<&'static Format, ImportError> {
    let Some(asked) = asked else {
        return choose(report, &all().collect::<Vec<_>>(), None);
    };
    report.insist();
    // A name of a format overrules what the report looks like; its importer has the last word.
    let named = all().find(|format| format.name == asked);
    if !is_type(asked) {
        let unknown = || ImportError::UnknownType { found: asked.to_owned(), known: known() };
        return named.ok_or_else(unknown);
    }
    let candidates: Vec<&Format> = all().filter(|format| may_become(format, asked)).collect();
    match (choose(report, &candidates, Some(asked)), named) {
        // The name is that of a type as well, so other formats of the type come first.
        (Err(ImportError::NotAsked { .. }), Some(format)) => Ok(format),
        (chosen, _) => chosen,
    }
}

fn choose(
    report: &Report,
    candidates: &[&'static Format],
    asked: Option<&str>,
) -> Result<&'static Format, ImportError> {
    let outline = report.outline();
    let name = report.name().to_owned();
    let fitting = |fit| -> Vec<&'static Format> {
        candidates.iter().copied().filter(|format| (format.fit)(outline) == fit).collect()
    };
    let (certain, possible) = (fitting(Fit::Certain), fitting(Fit::Possible));
    match (certain.as_slice(), possible.as_slice()) {
        ([format], _) => Ok(*format),
        // What was asked for decides what the report leaves open; but a report of nothing at all does
        // not say which tool made it, and a predicate must not say it then.
        ([], [format]) if asked.is_some_and(|asked| asked == format.name || !is_blank(outline)) => {
            Ok(*format)
        }
        ([], []) => match asked {
            Some(asked) => Err(ImportError::NotAsked {
                name,
                expected: format!("a report that becomes {asked}"),
                found: outline.describe(),
            }),
            None => {
                Err(ImportError::Unrecognised { name, found: outline.describe(), known: known() })
            }
        },
        ([], some) | (some, _) => {
            let candidates: Vec<String> =
                some.iter().map(|format| format!("{} ({})", format.title, format.name)).collect();
            let unconfirmed = match some {
                [format] => Some(Unconfirmed { found: outline.describe(), format: format.name }),
                _ => None,
            };
            Err(ImportError::Ambiguous { name, candidates: candidates.join(", "), unconfirmed })
        }
    }
}

/// Whether a document says nothing at all: it is empty, or an empty list.
fn is_blank(outline: &Outline) -> bool {
    matches!(outline.shape, Shape::Empty | Shape::Json(Sketch::List(0, _)))
}

/// Whether `asked` is a predicate type: a known one, or any URI.
fn is_type(asked: &str) -> bool {
    predicate::from_short(asked).is_some() || asked.contains(':')
}

fn may_become(format: &Format, asked: &str) -> bool {
    let Some(short) = format.becomes else { return true };
    let known = predicate::from_short(asked).or_else(|| predicate::from_uri(asked));
    known.is_some_and(|known| known.short == short)
}

/// The words for `--type`.
fn known() -> String {
    all().map(|format| format.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Remedy as _;

    #[test]
    fn asks_to_confirm_the_only_format_that_a_report_may_be_of() {
        for (text, asked, candidate, format) in [
            ("", None, "trufflehog JSON (trufflehog)", "trufflehog"),
            (r#"{"results":[]}"#, None, "OSV-Scanner JSON (osv-scanner)", "osv-scanner"),
            ("[]", Some("secret-scan"), "gitleaks JSON (gitleaks)", "gitleaks"),
            ("", Some("secret-scan"), "trufflehog JSON (trufflehog)", "trufflehog"),
        ] {
            let report = Report::of_bytes("r", text);
            let refused = recognise(&report, asked).unwrap_err();
            let found = report.outline().describe();
            assert_eq!(
                refused.to_string(),
                format!(
                    "expected r to say enough to tell its format, found {found}: it may be {candidate}"
                )
            );
            let fix = format!("if that is what it is, confirm it with --type {format}");
            assert_eq!(refused.fix(), Some(fix));
            assert_eq!(recognise(&report, Some(format)).unwrap().name, format);
        }
        let several = recognise(&Report::of_bytes("r", "[]"), None).unwrap_err();
        assert!(several.to_string().starts_with("expected one format to fit r, found "));
        assert_eq!(several.fix().as_deref(), Some("name one of them with --type"));
        // What says something is of the type that was asked for.
        let some = Report::of_bytes("r", r#"{"results":[]}"#);
        assert_eq!(recognise(&some, Some("vulns")).unwrap().name, "osv-scanner");
    }

    #[test]
    fn names_the_place_of_what_is_malformed_and_the_remedy_of_its_format() {
        let openvex = |more: &str| {
            format!(
                "{{\"@context\":\"https://openvex.dev/ns/v0.2.0\",\"@id\":\"https://a.example/1\",\
                 \"author\":\"A\",\"timestamp\":\"2026-01-01T00:00:00Z\",\"version\":1,\n\
                 \"statements\":[{{\"vulnerability\":{{\"name\":\"CVE-1\"}},\"status\":\"fixed\"}},{more}]}}"
            )
        };
        let spdx = |more: &str| {
            format!(
                "{{\"spdxVersion\":\"SPDX-2.3\",\"dataLicense\":\"CC0-1.0\",\"name\":\"n\",\
                 \"SPDXID\":\"SPDXRef-DOCUMENT\",\"documentNamespace\":\"https://a.example/1\",{more}}}"
            )
        };
        let created =
            "\"creationInfo\":{\"created\":\"2026-01-01T00:00:00Z\",\"creators\":[\"Tool: t-1\"]}";
        let document_type = "<?xml version='1.0'?>\n<!DOCTYPE testsuites\n[\n<!ENTITY a 'b'>\n]>\n\
                             <testsuites><testsuite name='s'><testcase name='a'/></testsuite></testsuites>";
        for (text, problem, remedy) in [
            (
                openvex("{\"vulnerability\":{\"name\":\"CVE-2\"},\"status\":\"maybe\"}"),
                "expected statements[1].status to be one of not_affected, affected, fixed, \
                 under_investigation (OpenVEX 0.2.0, Statement: status is ",
                "vexctl",
            ),
            (
                openvex("{\"status\":\"fixed\",\"status\":\"affected\"}"),
                "expected an OpenVEX document in r, found malformed JSON: duplicate key \"status\" at line 2",
                "vexctl",
            ),
            (spdx("\"packages\":[]"), "expected creationInfo to be", "-o spdx-json"),
            (
                spdx(&format!(
                    "{created},\"packages\":[{{\"name\":\"a\",\"SPDXID\":\"SPDXRef-a\"}}]"
                )),
                "expected packages[0].downloadLocation to be",
                "-o spdx-json",
            ),
            (
                "{\"@context\":\"https://spdx.org/rdf/3.0.1/spdx-context.jsonld\",\"@graph\":[]}"
                    .to_owned(),
                "expected @graph to be",
                "SPDX 3",
            ),
            (
                document_type.to_owned(),
                "expected a document type without declarations of its own in r, found [ in line 3",
                "remove what stands from [ to ]",
            ),
            ("<testsuites>\n<testsuite".to_owned(), "in line 2", "run the tool again"),
        ] {
            let refused = import(&Report::of_bytes("r", &text), None).unwrap_err();
            let (told, fix) = (refused.to_string(), refused.fix().unwrap());
            assert!(told.contains(problem), "expected {problem}, found {told}");
            assert!(fix.contains(remedy), "expected {remedy}, found {fix}: {told}");
        }
    }

    #[test]
    fn takes_a_report_of_an_image_without_results_for_one_of_vulnerabilities() {
        let of = |kind: &str| {
            let text =
                format!(r#"{{"SchemaVersion":2,"ArtifactName":"a","ArtifactType":"{kind}"}}"#);
            recognise(&Report::of_bytes("r", text), None).map(|format| format.name)
        };
        assert_eq!(of("container_image").unwrap(), "trivy");
        // `trivy config` looks at these as well.
        for kind in ["filesystem", "repository"] {
            assert!(matches!(of(kind), Err(ImportError::Ambiguous { .. })), "{kind}");
        }
    }
}
