//! `attestry copy`, `tree` and `tag`, and how OCI registries are reached.

use clap::{Args, Subcommand};

use super::{AnyReference, RegistryArgs, TrustedRootArgs};

/// How OCI registries are reached.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct OciArgs {
    /// Speak http:// to OCI registries on other machines; to this machine it is spoken anyway
    #[arg(long, help_heading = "OCI registry")]
    pub(crate) plain_http: bool,
}

/// What becomes of what is signed about an artifact in an OCI registry.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct OciPushArgs {
    /// How the registry is reached.
    #[command(flatten)]
    pub(crate) oci: OciArgs,
    /// Put nothing beside an oci:// subject in its registry; --out says where the bundle goes
    #[arg(long, requires = "out", help_heading = "OCI registry")]
    pub(crate) no_push: bool,
}

/// `attestry copy`.
#[derive(Debug, Args)]
#[command(after_help = "\
Copies the artifact with its blobs, the manifests of an index, and everything that refers to any of them: signatures,
attestations, bills of materials, whether they are referrers or lie at cosign 2's tags. Every byte is held against its
digest. What is there is not sent again, and within one registry blobs are mounted. The tag is moved last.

The exit status is 2 where not everything could be copied.

Example:
  attestry copy oci://staging.example.com/pay/api:1.4 oci://registry.example.com/pay/api
  attestry copy oci://a.example.com/pay/api@sha256:9f86d0… oci://b.example.com/pay/api:1.4")]
pub(crate) struct CopyArgs {
    /// The artifact: [oci://]HOST/NAME[:TAG|@DIGEST]
    #[arg(value_name = "SOURCE")]
    pub(crate) source: AnyReference,
    /// Where to: a repository, with a tag unless it is to have the source's
    #[arg(value_name = "DESTINATION")]
    pub(crate) destination: AnyReference,
    /// Copy the artifact alone, without what refers to it
    #[arg(long)]
    pub(crate) no_referrers: bool,
    /// How the registries are reached.
    #[command(flatten)]
    pub(crate) oci: OciArgs,
    /// The registry of ours that ATTESTRY_TOKEN is for.
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// `attestry tree`.
#[derive(Debug, Args)]
#[command(after_help = "\
Shows what refers to the artifact, as the registry lists it. That says nothing of whether it verifies: attestry verify does.

Example:
  attestry tree oci://registry.example.com/pay/api:1.4
  attestry tree registry.example.com/pay/api@sha256:9f86d0… --json")]
pub(crate) struct TreeArgs {
    /// The artifact: [oci://]HOST/NAME[:TAG|@DIGEST]
    #[arg(value_name = "REFERENCE")]
    pub(crate) reference: AnyReference,
    /// How the registry is reached.
    #[command(flatten)]
    pub(crate) oci: OciArgs,
    /// The registry of ours that ATTESTRY_TOKEN is for.
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// What can be asked of a tag.
#[derive(Debug, Subcommand)]
pub(crate) enum TagCommand {
    /// Show what a tag pointed to, move by move, as the registry tells it
    History(TagHistoryArgs),
    /// Prove a tag's history by the registry's log
    Verify(TagVerifyArgs),
}

/// `attestry tag history`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  attestry tag history oci://registry.example.com/pay/api:stable"
)]
pub(crate) struct TagHistoryArgs {
    /// The tag: [oci://]HOST/NAME:TAG, of an Attestry registry
    #[arg(value_name = "REFERENCE")]
    pub(crate) reference: AnyReference,
    /// At most this many moves, the newest first
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
    /// How the registry is reached.
    #[command(flatten)]
    pub(crate) oci: OciArgs,
    /// The registry of ours that ATTESTRY_TOKEN is for.
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// `attestry tag verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each move must be a statement that the log's key signed and that the log holds, about this repository and tag; the moves
must be numbered without gaps, each naming the one before; and the tag must point now to where the last move says.

Example:
  attestry tag verify oci://registry.example.com/pay/api:stable --trusted-root trusted_root.json")]
pub(crate) struct TagVerifyArgs {
    /// The tag: [oci://]HOST/NAME:TAG, of an Attestry registry
    #[arg(value_name = "REFERENCE")]
    pub(crate) reference: AnyReference,
    /// What the log's signatures are checked against.
    #[command(flatten)]
    pub(crate) trusted_root: TrustedRootArgs,
    /// How the registry is reached.
    #[command(flatten)]
    pub(crate) oci: OciArgs,
    /// The registry of ours that ATTESTRY_TOKEN is for.
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}
