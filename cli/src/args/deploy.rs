//! `attestry deploy` and `attestry k8s`.

use std::path::PathBuf;

use attestry_schemas::digest::Sha256;
use clap::{Args, Subcommand, ValueEnum};

use super::values::plain_name;
use super::{
    CheckedRegistryArgs, NamespaceArgs, PlaceArgs, RegistryArgs, RegistryUrl, SigningKeyArgs,
    Since, SubjectArg,
};

/// `attestry deploy`.
#[derive(Debug, Subcommand)]
pub(crate) enum DeployCommand {
    /// Record that an artifact entered an environment
    #[command(after_help = "\
Run it in the pipeline after each deployment, also into a cluster: what runs, the numbers and the flags are
counted from these statements. A deployment without a decision that allowed it is recorded, flagged and
counted.

Exit status: 0 recorded, 1 refused, 2 could not tell.

Example:
  attestry deploy record app.tar.gz --environment production --name pay/api --decision sha256:4b22c1… --key deploy.key")]
    Record(DeployArgs),
    /// Record that an artifact entered an environment again, in place of something newer
    #[command(after_help = "\
It needs a decision like any deployment; where a policy has no-rollback, attestry approve --rollback goes before.

Exit status: 0 recorded, 1 refused, 2 could not tell.

Example:
  attestry deploy rollback sha256:9f86d0… --environment production --replaces sha256:aa31f7… --decision sha256:4b22c1… --key deploy.key")]
    Rollback(DeployArgs),
    /// Record that an artifact left an environment
    #[command(after_help = "\
Exit status: 0 recorded, 1 refused, 2 could not tell.

Example:
  attestry deploy decommission sha256:9f86d0… --environment production --key deploy.key")]
    Decommission(DeployArgs),
    /// Show what runs where, since when, by which decision, and whether it still complies
    Status(DeployStatusArgs),
}

/// `attestry deploy record`, `rollback` and `decommission`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DeployArgs {
    /// What was deployed: a file, a folder, - for stdin, or sha256:DIGEST
    #[arg(value_name = "ARTIFACT")]
    pub(crate) artifact: SubjectArg,
    /// Where.
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// The digest of the decision that allowed it
    #[arg(long, value_name = "DECISION")]
    pub(crate) decision: Option<Sha256>,
    /// The digest of the artifact that it took the place of
    #[arg(long, value_name = "DIGEST")]
    pub(crate) replaces: Option<Sha256>,
    /// When it began [default: when it was done]
    #[arg(long, value_name = "TIME")]
    pub(crate) started_at: Option<Since>,
    /// When it was done [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) finished_at: Option<Since>,
    /// The key to sign with.
    #[command(flatten)]
    pub(crate) key: SigningKeyArgs,
    /// The registry to record it in, and what its answer is checked against.
    #[command(flatten)]
    pub(crate) checked: CheckedRegistryArgs,
    /// The namespace to write to.
    #[command(flatten)]
    pub(crate) namespace: NamespaceArgs,
}

/// `attestry deploy status`.
#[derive(Debug, Args)]
#[command(after_help = "\
✓ complies, ✗ was not authorized or complies no longer, ! entered in an emergency. The exit status is 0
whatever is flagged, because telling it was done.

Example:
  attestry deploy status --environment production --registry https://attest.example.com
  attestry deploy status --json | jq '.items[] | select(.compliant | not)'")]
pub(crate) struct DeployStatusArgs {
    /// Only this environment
    #[arg(long, value_name = "ENV")]
    pub(crate) environment: Option<String>,
    /// Also what ran before
    #[arg(long)]
    pub(crate) all: bool,
    /// The registry to ask.
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// `attestry k8s`.
#[derive(Debug, Subcommand)]
pub(crate) enum K8sCommand {
    /// Print the configuration that makes a cluster ask the gate before anything runs
    Manifests(K8sManifestsArgs),
}

/// What a cluster does when the gate does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub(crate) enum FailurePolicy {
    /// It refuses.
    Fail,
    /// It admits.
    Ignore,
}

/// `attestry k8s manifests`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 0 printed, 2 could not tell.

Example:
  attestry k8s manifests --registry-url https://attest.example.com --ca-file ca.pem --environment production | kubectl apply -f -")]
pub(crate) struct K8sManifestsArgs {
    /// The registry's https URL, as the cluster reaches it
    #[arg(long, value_name = "URL")]
    pub(crate) registry_url: RegistryUrl,
    /// The certificates (PEM) that the registry's own is checked against
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: PathBuf,
    /// A namespace whose workloads are gated; may be given several times [default: all but those of
    /// Kubernetes itself]
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) namespace: Vec<String>,
    /// The environment that the cluster is
    #[arg(long, value_name = "ENV", value_parser = plain_name)]
    pub(crate) environment: Option<String>,
    /// What the cluster does when the gate does not answer
    #[arg(long, value_name = "POLICY", default_value = "Fail")]
    pub(crate) failure_policy: FailurePolicy,
    /// How long the cluster waits for the gate
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=30))]
    pub(crate) timeout_s: u8,
}
