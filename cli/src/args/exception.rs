//! `attestry approve`, `attestry waive` and `attestry break-glass`.

use clap::Args;

use super::values::plain_name;
use super::{Destination, LoggingArgs, SigningKeyArgs, SubjectArg, TrustedRootArgs, Until};

/// How what people consent to is signed, and where it goes.
#[derive(Debug, Args)]
pub(crate) struct ConsentArgs {
    /// Sign the very statement of another signer: a file that holds its bundle, or the digest by which the
    /// registry keeps it
    #[arg(long, value_name = "FILE|DIGEST")]
    pub(crate) like: Option<SubjectArg>,
    /// The key to sign with.
    #[command(flatten)]
    pub(crate) key: SigningKeyArgs,
    /// Where to write the bundle; - is stdout [default: ARTIFACT.TYPE.sigstore.json]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<Destination>,
    /// What the registry's answer is checked against.
    #[command(flatten)]
    pub(crate) trusted_root: TrustedRootArgs,
    /// Where it goes, beside the files.
    #[command(flatten)]
    pub(crate) logging: LoggingArgs,
}

/// `attestry approve`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each approver signs for themselves; their statements need not be the same.

Exit status: 0 signed, and logged where a registry is named; 1 refused; 2 could not tell.

Example:
  attestry approve sha256:9f86d0… --environment production --key alice.key
  attestry approve app.tar.gz --environment production --rollback --reason \"4.2 loses orders\" --key alice.key")]
pub(crate) struct ApproveArgs {
    /// What is approved: a file, a folder, - for stdin, or sha256:DIGEST
    #[arg(value_name = "ARTIFACT")]
    pub(crate) artifact: SubjectArg,
    /// The environment that it may enter
    #[arg(long, value_name = "ENV", value_parser = plain_name, required_unless_present = "like", conflicts_with = "like")]
    pub(crate) environment: Option<String>,
    /// When the approval stops to count: a time, or 7d from now
    #[arg(long, value_name = "TIME", default_value = "7d", conflicts_with = "like")]
    pub(crate) expires: Until,
    /// Why it is approved
    #[arg(long, value_name = "TEXT", conflicts_with = "like")]
    pub(crate) reason: Option<String>,
    /// Approve that it takes the place of something newer
    #[arg(long, conflicts_with = "like")]
    pub(crate) rollback: bool,
    /// How it is signed.
    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
}

/// `attestry waive`.
#[derive(Debug, Args)]
#[command(after_help = "\
Where a policy wants several signers, all must sign one and the same statement: the first names rule and
finding, and each further one signs --like the first. A denial shows rule and finding: ✗ RULE: … [FINDING].

Exit status: 0 signed, and logged where a registry is named; 1 refused; 2 could not tell.

Example:
  attestry waive sha256:9f86d0… --rule vuln-scan --finding CVE-2026-1234 --until 30d --reason \"not reachable\" --key alice.key
  attestry waive sha256:9f86d0… --like sha256:77aa01… --key bob.key --registry https://attest.example.com")]
pub(crate) struct WaiveArgs {
    /// What it is for: a file, a folder, - for stdin, or sha256:DIGEST
    #[arg(value_name = "ARTIFACT")]
    pub(crate) artifact: SubjectArg,
    /// The rule, as the denial names it
    #[arg(long, value_name = "RULE", required_unless_present = "like", conflicts_with = "like")]
    pub(crate) rule: Option<String>,
    /// The finding, as the denial names it, such as CVE-2026-1234
    #[arg(long, value_name = "FINDING", required_unless_present = "like", conflicts_with = "like")]
    pub(crate) finding: Option<String>,
    /// When the finding counts again: a time, or 30d from now
    #[arg(long, value_name = "TIME", required_unless_present = "like", conflicts_with = "like")]
    pub(crate) until: Option<Until>,
    /// Why it does not count until then
    #[arg(long, value_name = "TEXT", required_unless_present = "like", conflicts_with = "like")]
    pub(crate) reason: Option<String>,
    /// The only environment that it is for [default: all]
    #[arg(long, value_name = "ENV", value_parser = plain_name, conflicts_with = "like")]
    pub(crate) environment: Option<String>,
    /// How it is signed.
    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
}

/// `attestry break-glass`.
#[derive(Debug, Args)]
#[command(after_help = "\
Where a policy wants several signers, all must sign one and the same statement: each further one signs
--like the first. What entered this way is counted, and must be reviewed in time. Afterwards attestry gate
gives the decision to deploy under.

Exit status: 0 signed, and logged where a registry is named; 1 refused; 2 could not tell.

Example:
  attestry break-glass sha256:9f86d0… --environment production --reason \"INC-42: checkout is down\" \\
    --expires 2h --review-by 2d --group leads --key alice.key
  attestry break-glass sha256:9f86d0… --like sha256:77aa01… --key bob.key --registry https://attest.example.com")]
pub(crate) struct BreakGlassArgs {
    /// What must enter: a file, a folder, - for stdin, or sha256:DIGEST
    #[arg(value_name = "ARTIFACT")]
    pub(crate) artifact: SubjectArg,
    /// The environment that it enters
    #[arg(long, value_name = "ENV", value_parser = plain_name, required_unless_present = "like", conflicts_with = "like")]
    pub(crate) environment: Option<String>,
    /// What the emergency is
    #[arg(long, value_name = "TEXT", required_unless_present = "like", conflicts_with = "like")]
    pub(crate) reason: Option<String>,
    /// When the exception ends: a time, or 2h from now
    #[arg(long, value_name = "TIME", required_unless_present = "like", conflicts_with = "like")]
    pub(crate) expires: Option<Until>,
    /// By when it must have been reviewed: a time, or 2d from now
    #[arg(long, value_name = "TIME", required_unless_present = "like", conflicts_with = "like")]
    pub(crate) review_by: Option<Until>,
    /// The group of the roster that reviews it
    #[arg(long, value_name = "GROUP", required_unless_present = "like", conflicts_with = "like")]
    pub(crate) group: Option<String>,
    /// How it is signed.
    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
}
