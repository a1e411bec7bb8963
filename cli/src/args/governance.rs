//! `attestry roster` and `attestry policy`.

use std::path::PathBuf;

use attestry_schemas::predicate::attestry::governance::RevocationReason;
use clap::{Args, Subcommand, ValueEnum};

use super::{CheckedRegistryArgs, RegistryArgs, SigningKeyArgs, Since};

/// `attestry roster`.
#[derive(Debug, Subcommand)]
pub(crate) enum RosterCommand {
    /// Read rosters as the gate does, and tell every fault by line and column
    Lint(RosterLintArgs),
    /// Tell what changes from one roster to another, and what to look at twice
    Diff(RosterDiffArgs),
    /// Tell what would no longer count, and what that runs would no longer be allowed, under a new roster
    Impact(RosterImpactArgs),
    /// Sign a roster with a root key and publish it
    #[command(after_help = PUSH_HELP)]
    Push(DocumentPushArgs),
    /// Revoke a signer by a statement that a root key signs, without a new roster
    Revoke(RosterRevokeArgs),
    /// Show the roster that rules, and who is revoked
    Show(RosterShowArgs),
}

/// `attestry roster lint`.
#[derive(Debug, Args)]
#[command(after_help = "\
It also warns of what is no fault: an end that has come or comes within two weeks, and principals as which
the registry knows nobody.

Exit status: 0 no faults, 1 faults, 2 could not tell.

Example:
  attestry roster lint roster.toml")]
pub(crate) struct RosterLintArgs {
    /// Rosters; - is stdin
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

/// `attestry roster diff`.
#[derive(Debug, Args)]
#[command(after_help = "\
With one file, the registry's ruling roster is the old one. attestry roster impact tells what would no longer
count. The exit status is 0 whatever differs.

Example:
  attestry roster diff roster.toml roster.new.toml
  attestry roster diff roster.toml --registry https://attest.example.com")]
pub(crate) struct RosterDiffArgs {
    /// The old roster and the new one, or the new one alone
    #[arg(value_name = "FILE", required = true, num_args = 1..=2)]
    pub(crate) files: Vec<PathBuf>,
    /// The registry whose ruling roster is the old one.
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// `attestry roster impact`.
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is signed or sent. Who rules is taken from the registry with proof, and what would follow is worked
out here by the gate's own code. Of each signer whom the new roster revokes, removes or narrows, what counts
now and would not any more is counted and listed; of what runs, what would be allowed now and not any more.

Exit status: 0 nothing falls, 1 something does, 2 could not tell.

Example:
  attestry roster impact roster.toml --registry https://attest.example.com
  attestry roster impact roster.toml --json > impact.json")]
pub(crate) struct RosterImpactArgs {
    /// The new roster; - is stdin
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// List at most this many attestations of each signer; --json has all
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) limit: u32,
    /// A trusted root (trusted_root.json) of the authorities whose certificates count, where the registry has other
    /// certificate_roots than public Sigstore and GitHub; repeatable
    #[arg(long = "certificate-root", value_name = "FILE")]
    pub(crate) certificate_roots: Vec<PathBuf>,
    /// The registry, and what its answers are checked against.
    #[command(flatten)]
    pub(crate) checked: CheckedRegistryArgs,
}

/// Why a signer is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Reason {
    /// Someone else has, or may have, the key: nothing counts that was logged from the moment on
    Compromised,
    /// Another key took its place
    Superseded,
    /// The signer has another duty now, or left
    AffiliationChanged,
    /// The signer, a service, is no more
    CessationOfOperation,
    /// No reason is given
    Unspecified,
}

impl From<Reason> for RevocationReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Compromised => Self::Compromised,
            Reason::Superseded => Self::Superseded,
            Reason::AffiliationChanged => Self::AffiliationChanged,
            Reason::CessationOfOperation => Self::CessationOfOperation,
            Reason::Unspecified => Self::Unspecified,
        }
    }
}

/// `attestry roster revoke`.
#[derive(Debug, Args)]
#[command(after_help = "\
What is signed follows from the arguments alone: where several root keys must sign, each runs this command
with the same arguments. For any reason but compromised, what the log held before it holds the revocation
still counts. A revocation cannot be taken back; give the signer a new key. To rotate a key instead, give
its entry in the roster a valid_until and add an entry of the same name with the new key.

Exit status: 0 signed and logged, 1 refused, 2 could not tell; with --dry-run, 0 nothing falls, 1 something
does.

Example:
  attestry roster revoke ci --reason compromised --from 2026-03-01T08:00:00Z --dry-run
  attestry roster revoke ci --reason compromised --from 2026-03-01T08:00:00Z --key root-1.key")]
pub(crate) struct RosterRevokeArgs {
    /// The signer: a name of the roster, or the fingerprint of one of its keys
    #[arg(value_name = "SIGNER")]
    pub(crate) signer: String,
    /// Why
    #[arg(long, value_name = "REASON")]
    pub(crate) reason: Reason,
    /// From when on its signatures do not count: 2026-01-31 or 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Since,
    /// Sign and send nothing: tell what would no longer count, and what that runs would no longer be allowed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// With --dry-run, list at most this many attestations; --json has all
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) limit: u32,
    /// With --dry-run, a trusted root (trusted_root.json) of the authorities whose certificates count, where the registry has other
    /// certificate_roots than public Sigstore and GitHub; repeatable
    #[arg(long = "certificate-root", value_name = "FILE", requires = "dry_run")]
    pub(crate) certificate_roots: Vec<PathBuf>,
    /// The root key to sign with.
    #[command(flatten)]
    pub(crate) key: SigningKeyArgs,
    /// The registry, and what its answers are checked against.
    #[command(flatten)]
    pub(crate) checked: CheckedRegistryArgs,
}

/// What `roster push` says of itself.
const PUSH_HELP: &str = "\
What is signed follows from the file alone, so that all who must sign sign the same: each root key runs this
command on the same file. It rules once enough have signed.

Exit status: 0 signed and logged, 1 refused, 2 could not tell.

Example:
  attestry roster push roster.toml --key root-1.key --registry https://attest.example.com";

/// What `policy push` says of itself.
const POLICY_PUSH_HELP: &str = "\
What is signed follows from the file alone, so that all who must sign sign the same: each signer of the
roster's [policies] group runs this command on the same file. It rules once enough have signed.

Exit status: 0 signed and logged, 1 refused, 2 could not tell.

Example:
  attestry gate replay --policy production.policy.toml --since 90d    # what it would have denied
  attestry policy push production.policy.toml --key alice.key --registry https://attest.example.com";

/// `attestry roster push` and `attestry policy push`.
#[derive(Debug, Args)]
pub(crate) struct DocumentPushArgs {
    /// The document; - is stdin
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The key to sign with.
    #[command(flatten)]
    pub(crate) key: SigningKeyArgs,
    /// The registry, and what its answers are checked against.
    #[command(flatten)]
    pub(crate) checked: CheckedRegistryArgs,
}

/// `attestry roster show`.
#[derive(Debug, Args)]
#[command(after_help = "\
The document goes to stdout, as it was published; stderr tells its version, what waits for signatures, and
who is revoked: from when on, why, since when that is known, and by which statements.

Example:
  attestry roster show --registry https://attest.example.com > roster.toml")]
pub(crate) struct RosterShowArgs {
    /// An earlier version
    #[arg(long, value_name = "N")]
    pub(crate) version: Option<u64>,
    /// The registry to ask.
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// `attestry policy`.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Read policies as the gate does, and tell every fault by line and column
    Lint(PolicyLintArgs),
    /// Try policies on fixtures: made-up evidence with the verdict that is expected of it
    Test(PolicyTestArgs),
    /// Sign a policy and publish it
    #[command(after_help = POLICY_PUSH_HELP)]
    Push(DocumentPushArgs),
    /// List the policies that rule, or show one
    Show(PolicyShowArgs),
    /// Tell what changes from one policy to another, and what to look at twice
    Diff(PolicyDiffArgs),
}

/// `attestry policy lint`.
#[derive(Debug, Args)]
#[command(after_help = "\
With a roster, names of signers and groups that it does not know are faults, too. It is the one that --roster
gives, or that rules at the registry; where a registry that no flag names does not answer, it is done without. It
also warns of an end that has come or comes within two weeks.

Exit status: 0 no faults, 1 faults, 2 could not tell.

Example:
  attestry policy lint production.policy.toml --roster roster.toml")]
pub(crate) struct PolicyLintArgs {
    /// Policies; - is stdin
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// The roster whose signers and groups the policies may name
    #[arg(long, value_name = "FILE", conflicts_with = "registry")]
    pub(crate) roster: Option<PathBuf>,
    /// The registry whose ruling roster says which names there are.
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// `attestry policy test`.
#[derive(Debug, Args)]
#[command(after_help = "\
A fixture names policies, a roster, a moment and evidence, and what the gate must answer; cli/README.md
describes it. It is decided by the code of the gate, over statements signed by throw-away keys.

Exit status: 0 the gate answers as every fixture expects, 1 it does not, 2 could not tell.

Example:
  attestry policy test fixtures/critical.fixture.toml
  attestry policy test fixtures/")]
pub(crate) struct PolicyTestArgs {
    /// Fixtures, or folders of files that are named *.fixture.toml
    #[arg(value_name = "FIXTURE", required = true)]
    pub(crate) fixtures: Vec<PathBuf>,
    /// Print the explanation of every decision
    #[arg(long)]
    pub(crate) explain: bool,
}

/// `attestry policy show`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  attestry policy show production --registry https://attest.example.com > production.policy.toml"
)]
pub(crate) struct PolicyShowArgs {
    /// The policy to show; without it, all are listed
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// An earlier version
    #[arg(long, value_name = "N", requires = "name")]
    pub(crate) version: Option<u64>,
    /// The registry to ask.
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// `attestry policy diff`.
#[derive(Debug, Args)]
#[command(after_help = "\
With one file, the registry's ruling policy of the same name is the old one. The exit status is 0 whatever
differs.

Example:
  attestry policy diff production.policy.toml production.new.toml
  attestry policy diff production.policy.toml --registry https://attest.example.com")]
pub(crate) struct PolicyDiffArgs {
    /// The old policy and the new one, or the new one alone
    #[arg(value_name = "FILE", required = true, num_args = 1..=2)]
    pub(crate) files: Vec<PathBuf>,
    /// The registry whose ruling policy is the old one.
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}
