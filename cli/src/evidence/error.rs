//! Why a report is no evidence.

use attestry_schemas::digest::Digest;
use attestry_schemas::predicate::UtcTime;

use crate::output::{Exit, Remedy};

/// What is expected of a document that is no JSON to its end.
pub(super) const WELL_FORMED_JSON: &str = "well-formed JSON";
/// What is expected of a document that is no XML to its end.
pub(super) const WELL_FORMED_XML: &str = "well-formed XML";

/// Why a report was not imported. A variant is one decision for whoever ran the command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportError {
    /// The report cannot be read.
    #[error("cannot read {name}")]
    Unreadable {
        /// The report.
        name: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The report was not the same when it was read again.
    #[error("expected {name} to stay the same while it is read, found it changed")]
    Changed {
        /// The report.
        name: String,
    },
    /// The report is not well-formed, or not what its format says.
    #[error("expected {expected} in {name}, found {found}")]
    Malformed {
        /// The report.
        name: String,
        /// What should have been there: `JUnit XML`, `a testcase with a name`.
        expected: String,
        /// What is there, with its place where that is known.
        found: String,
        /// What mends it, where that is known.
        remedy: Option<&'static str>,
    },
    /// The report is a text, but not in UTF-8.
    #[error("expected {name} to be in UTF-8, found {encoding}")]
    OtherEncoding {
        /// The report.
        name: String,
        /// What it is in: `UTF-16`.
        encoding: &'static str,
    },
    /// No format fits.
    #[error("expected a report of a known format in {name}, found {found}")]
    Unrecognised {
        /// The report.
        name: String,
        /// What the report looks like.
        found: String,
        /// The formats that there are.
        known: String,
    },
    /// More than one format fits, or one that the report says too little of.
    #[error("{}", open_question(name, candidates, unconfirmed.as_ref()))]
    Ambiguous {
        /// The report.
        name: String,
        /// The formats that fit, with the words for `--type`.
        candidates: String,
        /// Where the report says too little to tell, and only one format may fit.
        unconfirmed: Option<Unconfirmed>,
    },
    /// The report does not fit the format or type that was asked for.
    #[error("expected {expected} in {name}, found {found}")]
    NotAsked {
        /// The report.
        name: String,
        /// What was asked for.
        expected: String,
        /// What the report looks like.
        found: String,
    },
    /// `--type` names what no report becomes.
    #[error("expected a type that reports become, found {found}")]
    UnknownType {
        /// What `--type` says.
        found: String,
        /// The words that it takes.
        known: String,
    },
    /// A test report in which no test ran.
    #[error("expected at least one test in {name}, found a report of zero tests")]
    NoTests {
        /// The report.
        name: String,
    },
    /// Nothing was looked at, so that nothing found means nothing.
    #[error("expected {expected} in {name}, found none: nothing was checked")]
    NothingChecked {
        /// The report.
        name: String,
        /// What there should be at least one of: `a check`, `a run`.
        expected: &'static str,
    },
    /// The tool itself says that it failed, and found nothing.
    #[error("expected a scan that succeeded in {name}, found that {tool} says it failed")]
    ScanFailed {
        /// The report.
        name: String,
        /// What failed.
        tool: String,
    },
    /// A copy of the report without its secrets cannot be written.
    #[error("cannot write a copy of {name} without its secrets")]
    Uncopied {
        /// The report.
        name: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A secret is left in what would be signed or kept.
    #[error("expected no secret to be left of {name}, found one")]
    SecretLeft {
        /// The report, or its copy.
        name: String,
    },
    /// A scan that does not say when it ran.
    #[error("expected the time of the scan in {name}, found none")]
    NoTime {
        /// The report.
        name: String,
    },
    /// A scan whose database is younger than the scan itself.
    #[error(
        "expected the vulnerability database in {name} to be no younger than the scan of {scanned}, found one of {updated}"
    )]
    LateDatabase {
        /// The report.
        name: String,
        /// When the database was updated.
        updated: UtcTime,
        /// When the scan ended.
        scanned: UtcTime,
    },
    /// A check of an environment, and it is not known which.
    #[error("expected to know which environment {name} is about, found no --environment")]
    NoEnvironment {
        /// The report.
        name: String,
    },
    /// A check of a configuration, and it is not known which.
    #[error("expected to know which configuration {name} is about, found no digest of one")]
    NoConfiguration {
        /// The report.
        name: String,
    },
    /// The report is about another artifact.
    #[error("{name} is about another artifact: expected {expected}, found {found}")]
    Contradicts {
        /// The report.
        name: String,
        /// The subject.
        expected: Digest,
        /// What the report names.
        found: String,
    },
    /// The report, or what it would become, is larger than can be handled.
    #[error("expected at most {limit} {what} in {name}, found more")]
    TooMuch {
        /// The report.
        name: String,
        /// What there is too much of: `results`, `bytes of test names`.
        what: &'static str,
        /// The bound that was met.
        limit: usize,
    },
    /// The report is signed, and there is nothing to verify the signature with.
    #[error("expected {expected} to verify {name} with, found none")]
    NoKey {
        /// The report.
        name: String,
        /// What would verify it.
        expected: &'static str,
    },
    /// The report is a signed document that does not verify.
    #[error("{name} does not verify: {why}")]
    Unverified {
        /// The report.
        name: String,
        /// Which check failed, with what it expected and found.
        why: String,
        /// What to do about it.
        fix: String,
    },
}

/// The one format that a report may be of.
#[derive(Debug)]
pub(crate) struct Unconfirmed {
    /// What the report looks like.
    pub(crate) found: String,
    /// The word for `--type` that confirms it.
    pub(crate) format: &'static str,
}

fn open_question(name: &str, candidates: &str, unconfirmed: Option<&Unconfirmed>) -> String {
    match unconfirmed {
        Some(Unconfirmed { found, .. }) => format!(
            "expected {name} to say enough to tell its format, found {found}: it may be {candidates}"
        ),
        None => format!("expected one format to fit {name}, found {candidates}"),
    }
}

/// What mends a report that is JSON or XML to no end.
const CUT_OFF: &str =
    "run the tool again: the report may be cut off, or another program wrote into it";
/// What mends a report of which nothing more is known than that it is not as its format says.
const OTHERWISE: &str = "have the tool write what is expected there, with another option or version of it, or correct what it was given";

impl ImportError {
    /// The error that the report `name` is not what it should be.
    pub(super) fn malformed(
        name: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        let (name, expected, found) = (name.into(), expected.into(), found.into());
        Self::Malformed { name, expected, found, remedy: None }
    }

    /// The error with what mends a report of its format, where nothing is known that fits better.
    pub(super) fn or_remedy(mut self, of_format: &'static str) -> Self {
        if let Self::Malformed { expected, remedy, .. } = &mut self
            && !is_well_formedness(expected)
        {
            remedy.get_or_insert(of_format);
        }
        self
    }

    /// The error with what mends exactly this.
    pub(super) fn with_remedy(mut self, exact: &'static str) -> Self {
        if let Self::Malformed { remedy, .. } = &mut self {
            *remedy = Some(exact);
        }
        self
    }
}

/// Whether it was expected that the report is JSON or XML at all.
fn is_well_formedness(expected: &str) -> bool {
    [WELL_FORMED_JSON, WELL_FORMED_XML].contains(&expected)
}

impl Remedy for ImportError {
    fn exit(&self) -> Exit {
        match self {
            Self::Contradicts { .. } | Self::Unverified { .. } => Exit::Refused,
            _ => Exit::Undecided,
        }
    }

    fn fix(&self) -> Option<String> {
        Some(match self {
            Self::Unreadable { name, source } => {
                crate::output::file_fix(source, std::path::Path::new(name))
            }
            Self::Changed { .. } => "run this again once nothing writes to it".to_owned(),
            Self::Malformed { remedy: Some(remedy), .. } => (*remedy).to_owned(),
            Self::Malformed { expected, .. } if is_well_formedness(expected) => CUT_OFF.to_owned(),
            Self::Malformed { .. } => OTHERWISE.to_owned(),
            Self::OtherEncoding { name, encoding } => format!(
                "convert it, as in iconv -f {encoding} -t UTF-8 {name}; or let the tool write the file itself, because > in PowerShell may write UTF-16"
            ),
            Self::Unrecognised { known, .. } => format!(
                "name the format with --type, one of {known}; or write the predicate and use attestry attest"
            ),
            Self::Ambiguous { unconfirmed: Some(Unconfirmed { format, .. }), .. } => {
                format!("if that is what it is, confirm it with --type {format}")
            }
            Self::Ambiguous { .. } => "name one of them with --type".to_owned(),
            Self::NotAsked { .. } => {
                "leave out --type to have the report recognised, or name another file".to_owned()
            }
            Self::UnknownType { known, .. } => format!("name one of {known}"),
            Self::NoTests { .. } => {
                "run the tests: a report of nothing says nothing about the subject".to_owned()
            }
            Self::NothingChecked { .. } => {
                "point the tool at what it should look at, and run it again".to_owned()
            }
            Self::ScanFailed { .. } => {
                "see what the tool told when it ran, and run it again".to_owned()
            }
            Self::Uncopied { .. } => {
                "make room in the folder for temporary files, or name another one with TMPDIR"
                    .to_owned()
            }
            Self::SecretLeft { .. } => {
                "let the tool itself leave the secrets out (gitleaks --redact), and import that"
                    .to_owned()
            }
            Self::NoTime { .. } => {
                "say when it ran: --scanned-at 2026-01-31T12:00:00Z, or --scanned-at file for the time at which the report was written"
                    .to_owned()
            }
            Self::LateDatabase { .. } => {
                "check --scanned-at and --database-updated, or scan again with a correct clock"
                    .to_owned()
            }
            Self::NoEnvironment { .. } => {
                "name it, as in --environment production".to_owned()
            }
            Self::Contradicts { .. } => {
                "name the artifact that the report is about as --subject, or make a report of this one"
                    .to_owned()
            }
            Self::NoConfiguration { .. } => {
                "name the file that was checked, as in --configuration manifest.yaml".to_owned()
            }
            Self::TooMuch { .. } => {
                "split the report, for example by package or by target, and import the parts"
                    .to_owned()
            }
            Self::NoKey { .. } => {
                "name the key of whoever signed it with --verify-key".to_owned()
            }
            Self::Unverified { fix, .. } => fix.clone(),
        })
    }
}
