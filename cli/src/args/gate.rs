//! `attestry gate` and `attestry metrics`.

use std::path::PathBuf;

use attestry_schemas::digest::Abbreviated;
use clap::{Args, Subcommand};

use super::values::plain_name;
use super::{CheckedRegistryArgs, Destination, Past, PlaceArgs, RegistryArgs, Since, SubjectArg};

/// `attestry gate`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
The registry decides, signs the decision and logs it, also one that denies. The answer is checked
against the trusted root before it is believed. With --pack the same code decides here, over what the pack
proves, and nothing is signed or logged. An artifact whose name is that of a subcommand is
written ./explain.

Exit status: 0 allowed, 1 denied, 2 could not tell.

Example:
  attestry gate app.tar.gz --environment production --name pay/api
  attestry gate sha256:9f86d0… --environment production --summary \"$GITHUB_STEP_SUMMARY\"
  attestry gate app.tar.gz --environment production --pack app.pack.json --trusted-root trusted_root.json
  attestry gate explain sha256:4b22c1…"
)]
pub(crate) struct GateArgs {
    /// What to do other than ask.
    #[command(subcommand)]
    pub(crate) command: Option<GateCommand>,
    /// What to ask.
    #[command(flatten)]
    pub(crate) ask: GateAskArgs,
}

/// What `attestry gate ARTIFACT` asks. Artifact and environment are there unless a subcommand is.
#[derive(Debug, Args)]
pub(crate) struct GateAskArgs {
    /// The artifact: a file, a folder, - for stdin, or sha256:DIGEST
    #[arg(value_name = "ARTIFACT", required = true)]
    pub(crate) artifact: Option<SubjectArg>,
    /// The environment that it is to enter
    #[arg(long, value_name = "ENV", value_parser = plain_name, required = true)]
    pub(crate) environment: Option<String>,
    /// What the artifact is called, such as pay/api: it can add policies, never avoid one
    #[arg(long, value_name = "NAME", value_parser = plain_name)]
    pub(crate) name: Option<String>,
    /// The configuration that is being applied: a file, a folder, or sha256:DIGEST
    #[arg(long, value_name = "FILE|DIGEST")]
    pub(crate) configuration: Option<SubjectArg>,
    /// Print the explanation also of a decision that allows
    #[arg(long)]
    pub(crate) explain: bool,
    /// Append a summary in Markdown to this file, for the page of a CI job
    #[arg(long, value_name = "FILE")]
    pub(crate) summary: Option<PathBuf>,
    /// Decide here, without a registry, from a pack that attestry gate pack saved; needs a trusted root
    #[arg(long, value_name = "FILE", conflicts_with = "registry", help_heading = "Offline")]
    pub(crate) pack: Option<PathBuf>,
    /// The moment to decide at [default: now]
    #[arg(long, value_name = "TIME", requires = "pack", help_heading = "Offline")]
    pub(crate) at: Option<Since>,
    /// A trusted root (trusted_root.json) of the authorities whose certificates count in the pack, where the registry has other
    /// certificate_roots than public Sigstore and GitHub; nothing is allowed over a pack of which part does not verify; repeatable
    #[arg(
        long = "certificate-root",
        value_name = "FILE",
        requires = "pack",
        help_heading = "Offline"
    )]
    pub(crate) certificate_roots: Vec<PathBuf>,
    /// As whom the registry would know the caller, such as token:deploy
    #[arg(long, value_name = "PRINCIPAL", requires = "pack", help_heading = "Offline")]
    pub(crate) caller: Option<String>,
    /// The registry, and what its answers are checked against.
    #[command(flatten)]
    pub(crate) checked: CheckedRegistryArgs,
}

/// The other words after `attestry gate`.
#[derive(Debug, Subcommand)]
pub(crate) enum GateCommand {
    /// Explain a decision that was made
    Explain(GateExplainArgs),
    /// Decide again: one past decision, or every past deployment under a policy that is not published
    Replay(GateReplayArgs),
    /// Save all that a decision needs, for a gate without a network
    Pack(GatePackArgs),
}

/// `attestry gate explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
The exit status is 0 whatever was decided, because explaining it was done.

Example:
  attestry gate explain sha256:4b22c1… --registry https://attest.example.com")]
pub(crate) struct GateExplainArgs {
    /// The decision's digest, as the gate names it, or its first 8 or more digits
    #[arg(value_name = "DECISION")]
    pub(crate) decision: Abbreviated,
    /// The registry, and what its answers are checked against.
    #[command(flatten)]
    pub(crate) checked: CheckedRegistryArgs,
}

/// `attestry gate replay`.
#[derive(Debug, Args)]
#[command(after_help = "\
A decision is made again from the evidence, policies and roster of its moment: it must come out the
same. With --policy, the deployments since a time are judged by a policy that is not published, which
changes nothing.

Exit status: 0 the same, or nothing would be denied; 1 another, or something would be denied; 2 could not
tell.

Example:
  attestry gate replay sha256:4b22c1… --registry https://attest.example.com
  attestry gate replay --policy production.policy.toml --since 90d --registry https://attest.example.com")]
pub(crate) struct GateReplayArgs {
    /// The decision's digest, or its first 8 or more digits
    #[arg(value_name = "DECISION", required_unless_present = "policy", conflicts_with = "policy")]
    pub(crate) decision: Option<Abbreviated>,
    /// A policy to try
    #[arg(long, value_name = "FILE", requires = "since")]
    pub(crate) policy: Option<PathBuf>,
    /// From when on deployments are judged: 2026-01-31, 2026-01-31T12:00:00Z, or 90d ago
    #[arg(long, value_name = "TIME", requires = "policy")]
    pub(crate) since: Option<Past>,
    /// The registry to ask.
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// `attestry gate pack`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 0 saved, 2 could not tell.

Example:
  attestry gate pack app.tar.gz --environment production --out app.pack.json --registry https://attest.example.com
  attestry gate app.tar.gz --environment production --pack app.pack.json --trusted-root trusted_root.json")]
pub(crate) struct GatePackArgs {
    /// The artifact: a file, a folder, - for stdin, or sha256:DIGEST
    #[arg(value_name = "ARTIFACT")]
    pub(crate) artifact: SubjectArg,
    /// Where it is to enter.
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// Where to write the pack; - is stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Destination,
    /// The registry to ask.
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// `attestry metrics`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each number is counted from the log, so that whoever has the log can count it again; README.md says what
each one is. The exit status is 0 whatever they are.

Example:
  attestry metrics --environment production --since 30d --registry https://attest.example.com")]
pub(crate) struct MetricsArgs {
    /// Only this environment
    #[arg(long, value_name = "ENV")]
    pub(crate) environment: Option<String>,
    /// From when on is counted: 2026-01-31, 2026-01-31T12:00:00Z, or 30d ago
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Past>,
    /// The registry to ask.
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}
