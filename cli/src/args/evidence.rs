//! `attestry evidence`.

use std::path::PathBuf;
use std::str::FromStr;

use attestry_schemas::predicate::UtcTime;
use clap::{Args, Subcommand};

use super::values::ValueError;
use super::{LoggingArgs, SigningKeyArgs, Since, SubjectArg, TrustedRootArgs};

/// `attestry evidence`.
#[derive(Debug, Subcommand)]
pub(crate) enum EvidenceCommand {
    /// Make signed attestations of reports that other tools wrote
    Add(Box<EvidenceAddArgs>),
    /// Say what reports are and what they would become; signs nothing
    Inspect(Box<EvidenceInspectArgs>),
}

/// `attestry evidence add`.
#[derive(Debug, Args)]
#[command(after_help = "\
A report is recognised by its content: test results (JUnit XML, go test -json, cargo libtest JSON, TAP),
bills of materials (CycloneDX, SPDX), vulnerability scans (Trivy, Grype, OSV-Scanner, pip-audit,
cargo-audit), VEX (OpenVEX, CSAF, CycloneDX), secret scans (gitleaks, trufflehog), configuration checks
(checkov, Trivy, kube-score, polaris, kubescape), SARIF of all of these, and in-toto statements, envelopes and
bundles. The report itself is kept beside the attestation, which names it by digest. Secrets in it are
taken out first.

Example:
  attestry evidence add target/junit.xml --subject app.tar.gz --key ci.key
  attestry evidence add sbom.cdx.json trivy.json --subject app.tar.gz --key ci.key --registry https://attest.example.com")]
pub(crate) struct EvidenceAddArgs {
    /// The reports; - is stdin
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// What the reports are about: a file, a folder, or sha256:DIGEST; may be given more than once
    #[arg(long = "subject", value_name = "SUBJECT", required = true)]
    pub(crate) subjects: Vec<SubjectArg>,
    /// What the reports say and what they do not.
    #[command(flatten)]
    pub(crate) reading: ReadingArgs,
    /// The key to sign with.
    #[command(flatten)]
    pub(crate) key: SigningKeyArgs,
    /// The folder to write the bundles to [default: the current folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Where it goes, beside the files.
    #[command(flatten)]
    pub(crate) logging: LoggingArgs,
}

/// `attestry evidence inspect`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  attestry evidence inspect target/junit.xml sbom.cdx.json trivy.json"
)]
pub(crate) struct EvidenceInspectArgs {
    /// The reports; - is stdin
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// What the reports say and what they do not.
    #[command(flatten)]
    pub(crate) reading: ReadingArgs,
}

/// How reports are read, and what is known beside them.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ReadingArgs {
    /// Read the reports as this format (junit, trivy, …), or as what becomes this predicate type
    /// (test-result, vulns, …), whatever they look like
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) report_type: Option<String>,
    /// When the scan ran, where the report does not say: a time, or `file` for the time at which the
    /// report was written
    #[arg(long, value_name = "TIME|file", help_heading = "What a report may not say")]
    pub(crate) scanned_at: Option<ScannedAt>,
    /// When the scanner's database was updated
    #[arg(long, value_name = "TIME", help_heading = "What a report may not say")]
    pub(crate) database_updated: Option<Since>,
    /// The version of the tool
    #[arg(long, value_name = "VERSION", help_heading = "What a report may not say")]
    pub(crate) tool_version: Option<String>,
    /// The environment whose configuration was checked [ATTESTRY_ENVIRONMENT]
    #[arg(long, value_name = "NAME", help_heading = "What a report may not say")]
    pub(crate) environment: Option<String>,
    /// The configuration that tests ran with or that was checked: a file, a folder, or sha256:DIGEST;
    /// may be given more than once
    #[arg(long, value_name = "SUBJECT", help_heading = "What a report may not say")]
    pub(crate) configuration: Vec<SubjectArg>,
    /// Where the run can be seen [default: what the CI system says]
    #[arg(long, value_name = "URL", help_heading = "What a report may not say")]
    pub(crate) url: Option<String>,
    /// A public key with which others may have signed what is passed through; may be given more than once
    #[arg(long = "verify-key", value_name = "PUB", help_heading = "Signatures of others")]
    pub(crate) verify_keys: Vec<PathBuf>,
    /// Whose the certificate of what is passed through must be [default: anyone's, with a warning]
    #[arg(long, value_name = "ID", requires = "issuer", help_heading = "Signatures of others")]
    pub(crate) identity: Option<String>,
    /// The OpenID Connect issuer of that identity
    #[arg(long, value_name = "URL", requires = "identity", help_heading = "Signatures of others")]
    pub(crate) issuer: Option<String>,
    /// What signatures of others, and the registry's answer, are checked against.
    #[command(flatten)]
    pub(crate) trusted_root: TrustedRootArgs,
}

/// When a scan ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScannedAt {
    /// When its report was written.
    File,
    /// At this moment.
    Time(UtcTime),
}

impl FromStr for ScannedAt {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text == "file" {
            return Ok(Self::File);
        }
        text.parse::<Since>().map(|time| Self::Time(time.moment()))
    }
}
