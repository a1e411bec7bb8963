//! The command line's definition: what can be asked, and in which words.
//!
//! Values are parsed here, at the edge, into types that cannot be wrong later. What is left out is
//! looked up in the environment and `attestry.toml` by [`crate::config`], not by clap.

mod attest;
mod audit;
mod deploy;
mod evidence;
mod exception;
mod gate;
mod governance;
mod key;
mod log;
mod oci;
mod query;
mod run;
mod sign;
mod time;
mod values;
mod verify;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use attest::AttestArgs;
pub(crate) use audit::{AccessArgs, AuditCommand};
pub(crate) use deploy::{
    DeployArgs, DeployCommand, DeployStatusArgs, FailurePolicy, K8sCommand, K8sManifestsArgs,
};
pub(crate) use evidence::{
    EvidenceAddArgs, EvidenceCommand, EvidenceInspectArgs, ReadingArgs, ScannedAt,
};
pub(crate) use exception::{ApproveArgs, BreakGlassArgs, ConsentArgs, WaiveArgs};
pub(crate) use gate::{
    GateArgs, GateAskArgs, GateCommand, GateExplainArgs, GatePackArgs, GateReplayArgs, MetricsArgs,
};
pub(crate) use governance::{
    DocumentPushArgs, PolicyCommand, PolicyDiffArgs, PolicyLintArgs, PolicyShowArgs,
    PolicyTestArgs, RosterCommand, RosterDiffArgs, RosterImpactArgs, RosterLintArgs,
    RosterRevokeArgs, RosterShowArgs,
};
pub(crate) use key::{KeyCommand, KeyGenerateArgs, KeyImportArgs, KeyShowArgs, KeyTypeArg};
pub(crate) use log::{CheckArgs, CheckpointArgs, LogCommand, ProveArgs};
pub(crate) use oci::{
    CopyArgs, OciArgs, OciPushArgs, TagCommand, TagHistoryArgs, TagVerifyArgs, TreeArgs,
};
pub(crate) use query::{LintArgs, PushArgs, SearchArgs, ShowArgs};
pub(crate) use run::{LinkFormat, RunArgs};
pub(crate) use sign::SignArgs;
pub(crate) use time::{Past, Until};
pub(crate) use values::{
    AnyReference, Destination, Namespace, PredicateType, RegistryUrl, Since, SubjectArg,
};
pub(crate) use verify::VerifyArgs;

/// Signs artifacts at build time and verifies their provenance before they deploy.
#[derive(Debug, Parser)]
#[command(
    name = "attestry",
    version,
    about,
    disable_help_subcommand = true,
    after_help = "\
Exit status: 0 verified or done, 1 refused, 2 could not tell.

Example:
  attestry key generate --out release
  attestry sign app.tar.gz --key release.key
  attestry verify app.tar.gz --key release.pub"
)]
pub(crate) struct Cli {
    /// The flags that every command takes.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The flags that every command takes.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Global {
    /// Answer in JSON on stdout
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,
    /// Say nothing on stderr but warnings and errors
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub(crate) quiet: bool,
    /// Draw no progress bars
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) no_progress: bool,
    /// Read this configuration instead of ./attestry.toml or the user's own
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub(crate) config: Option<PathBuf>,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make, import and show keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Sign an artifact
    Sign(SignArgs),
    /// Make a signed statement about artifacts: provenance, a test result, an SBOM
    Attest(AttestArgs),
    /// Run a build step and attest what went in, how it ran and what came out
    Run(RunArgs),
    /// Make signed attestations of what other tools report: tests, scans, bills of materials
    #[command(subcommand)]
    Evidence(EvidenceCommand),
    /// Verify an artifact's signature and the attestations about it
    Verify(VerifyArgs),
    /// Send attestations to a registry
    Push(PushArgs),
    /// Copy an artifact from one OCI registry to another, with all its evidence
    Copy(CopyArgs),
    /// Show an artifact of an OCI registry and everything that refers to it
    Tree(TreeArgs),
    /// Show and prove where a tag of an OCI registry pointed
    #[command(subcommand)]
    Tag(TagCommand),
    /// Find attestations in a registry
    Search(SearchArgs),
    /// Show one attestation of a registry
    Show(ShowArgs),
    /// Tell who did what in a registry
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Check statements, envelopes and bundles against their specifications
    Lint(LintArgs),
    /// Ask whether an artifact may enter an environment, and why
    Gate(Box<GateArgs>),
    /// Approve that an artifact enters an environment
    Approve(ApproveArgs),
    /// Say that one finding of one rule does not count for an artifact, for a while
    Waive(WaiveArgs),
    /// Let an artifact enter an environment against its policy, in an emergency
    BreakGlass(BreakGlassArgs),
    /// Record what was deployed, and show what runs where
    #[command(subcommand)]
    Deploy(DeployCommand),
    /// Show whether the controls work, in numbers that are counted from the log
    Metrics(MetricsArgs),
    /// Check, publish and show the roster: who may sign what
    #[command(subcommand)]
    Roster(RosterCommand),
    /// Check, test, publish and show policies: what an environment demands
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Have a Kubernetes cluster ask the gate
    #[command(subcommand)]
    K8s(K8sCommand),
    /// Look at a registry's log, and watch that it never changes its past
    #[command(subcommand)]
    Log(LogCommand),
    /// Print a shell's completion script
    Completions(CompletionsArgs),
    /// Write the manual pages
    Man(ManArgs),
    /// Print the version
    #[command(after_help = "Example:\n  attestry version --json")]
    Version,
}

/// `attestry completions`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  attestry completions bash > /etc/bash_completion.d/attestry")]
pub(crate) struct CompletionsArgs {
    /// The shell to complete in
    pub(crate) shell: clap_complete::Shell,
}

/// `attestry man`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  attestry man --out /usr/local/share/man/man1")]
pub(crate) struct ManArgs {
    /// The folder to write the pages to; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

/// The registry to ask or to write to.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct RegistryArgs {
    /// The registry's URL [ATTESTRY_REGISTRY; attestry.toml: registry]
    #[arg(long, value_name = "URL", help_heading = "Registry")]
    pub(crate) registry: Option<RegistryUrl>,
    /// A file that holds the token for the registry [ATTESTRY_TOKEN holds the token itself,
    /// ATTESTRY_TOKEN_FILE; attestry.toml: token-file]
    #[arg(long, value_name = "FILE", help_heading = "Registry")]
    pub(crate) token_file: Option<PathBuf>,
    /// Certificates (PEM) of authorities by which the registry's own may be signed, in addition to those that
    /// ship with this program [ATTESTRY_CA_FILE; attestry.toml: ca-file]
    #[arg(long, value_name = "FILE", help_heading = "Registry")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Allow http:// to a host that is not this machine
    #[arg(long, help_heading = "Registry")]
    pub(crate) insecure_http: bool,
}

/// A registry, and what its answers are checked against.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct CheckedRegistryArgs {
    /// The registry.
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    /// What its answers are checked against.
    #[command(flatten)]
    pub(crate) trusted_root: TrustedRootArgs,
}

/// Where an artifact runs, or is to run, and what it is called there.
#[derive(Debug, Clone, Args)]
pub(crate) struct PlaceArgs {
    /// The environment, such as production
    #[arg(long, value_name = "ENV", value_parser = values::plain_name)]
    pub(crate) environment: String,
    /// What the artifact is called, such as pay/api: by it policies are found, and what it takes the place of
    #[arg(long, value_name = "NAME", value_parser = values::plain_name)]
    pub(crate) name: Option<String>,
}

/// The namespace that new attestations belong to.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct NamespaceArgs {
    /// The namespace of what is written, such as pay/api [ATTESTRY_NAMESPACE; attestry.toml: namespace]
    #[arg(long, value_name = "PATH", help_heading = "Registry")]
    pub(crate) namespace: Option<Namespace>,
}

/// Whether a registry that only the configuration names is used.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct OfflineArgs {
    /// Use no registry, even when the environment or attestry.toml names one
    #[arg(long, conflicts_with = "registry", help_heading = "Registry")]
    pub(crate) offline: bool,
}

/// What becomes of what cannot be sent.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SpoolArgs {
    /// A folder that keeps what a registry cannot be sent now, or all where none is named; attestry push
    /// DIR sends it later
    #[arg(long, value_name = "DIR", help_heading = "Registry")]
    pub(crate) spool: Option<PathBuf>,
}

/// Where what is signed goes, beside its files.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct LoggingArgs {
    /// The registry to log to.
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    /// The namespace to write to.
    #[command(flatten)]
    pub(crate) namespace: NamespaceArgs,
    /// Whether to log at all.
    #[command(flatten)]
    pub(crate) offline: OfflineArgs,
    /// What becomes of what cannot be sent.
    #[command(flatten)]
    pub(crate) spool: SpoolArgs,
}

/// Which log and certificate authorities to believe.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct TrustedRootArgs {
    /// The trusted root (Sigstore trusted_root.json) that names the log's key
    /// [ATTESTRY_TRUSTED_ROOT; attestry.toml: trusted-root]
    #[arg(long, value_name = "FILE")]
    pub(crate) trusted_root: Option<PathBuf>,
}

/// Where a key file's password comes from.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PasswordArgs {
    /// A file whose first line is the key file's password [ATTESTRY_PASSWORD holds the password
    /// itself; else it is asked for]
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

/// The key to sign with.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SigningKeyArgs {
    /// The private key file [ATTESTRY_KEY; attestry.toml: key]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Where its password comes from.
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
}
