//! `attestry roster` and `attestry policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{RegistryArgs, SigningKeyArgs, TrustedRootArgs};

/// `attestry roster`.
#[derive(Debug, Subcommand)]
pub(crate) enum RosterCommand {
    /// Read rosters as the gate does, and tell every fault by line and column
    Lint(RosterLintArgs),
    /// Tell what changes from one roster to another, and what to look at twice
    Diff(RosterDiffArgs),
    /// Sign a roster with a root key and publish it
    Push(DocumentPushArgs),
    /// Show the roster that rules
    Show(RosterShowArgs),
}

/// `attestry roster lint`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  attestry roster lint roster.toml")]
pub(crate) struct RosterLintArgs {
    /// Rosters; - is stdin
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

/// `attestry roster diff`.
#[derive(Debug, Args)]
#[command(after_help = "\
With one file, the registry's ruling roster is the old one.

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

/// `attestry roster push` and `attestry policy push`.
#[derive(Debug, Args)]
#[command(after_help = "\
What is signed follows from the file alone, so that all who must sign sign the same: each runs this
command on the same file with a key of their own. It rules once enough have signed.

Example:
  attestry roster push roster.toml --key root-1.key --registry https://attest.example.com
  attestry policy push production.policy.toml --key alice.key --registry https://attest.example.com")]
pub(crate) struct DocumentPushArgs {
    /// The document; - is stdin
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The key to sign with.
    #[command(flatten)]
    pub(crate) key: SigningKeyArgs,
    /// The registry to publish it to.
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    /// What the registry's answer is checked against.
    #[command(flatten)]
    pub(crate) trusted_root: TrustedRootArgs,
}

/// `attestry roster show`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  attestry roster show --registry https://attest.example.com > roster.toml"
)]
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
    Push(DocumentPushArgs),
    /// List the policies that rule, or show one
    Show(PolicyShowArgs),
    /// Tell what changes from one policy to another, and what to look at twice
    Diff(PolicyDiffArgs),
}

/// `attestry policy lint`.
#[derive(Debug, Args)]
#[command(after_help = "\
With a roster, names of signers and groups that it does not know are faults, too.

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

The exit status is 1 where the gate answers otherwise than a fixture expects.

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
With one file, the registry's ruling policy of the same name is the old one.

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
