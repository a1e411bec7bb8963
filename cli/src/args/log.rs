//! `attestry log`.

use std::path::PathBuf;

use attestry_schemas::digest::Sha256;
use clap::{Args, Subcommand};

use super::CheckedRegistryArgs;

/// What can be asked of a log.
#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Fetch the log's newest checkpoint and verify its signature
    Checkpoint(CheckpointArgs),
    /// Fetch and verify the proof that an entry is in the log
    Prove(ProveArgs),
    /// Watch the log: prove that it only grew since the last time, and recompute its root
    Check(CheckArgs),
}

/// `attestry log checkpoint`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  attestry log checkpoint --registry https://attest.example.com")]
pub(crate) struct CheckpointArgs {
    /// The registry, and what its answers are checked against.
    #[command(flatten)]
    pub(crate) checked: CheckedRegistryArgs,
}

/// `attestry log prove`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  attestry log prove --index 12 --registry https://attest.example.com"
)]
pub(crate) struct ProveArgs {
    /// The entry's index, from 0
    #[arg(long, value_name = "N", required_unless_present = "digest", conflicts_with = "digest")]
    pub(crate) index: Option<u64>,
    /// The attestation's digest
    #[arg(long, value_name = "DIGEST")]
    pub(crate) digest: Option<Sha256>,
    /// The size of the log to prove it in [default: the newest]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) size: Option<u64>,
    /// The registry, and what its answers are checked against.
    #[command(flatten)]
    pub(crate) checked: CheckedRegistryArgs,
}

/// `attestry log check`.
#[derive(Debug, Args)]
#[command(after_help = "\
The last checkpoint is kept, by the log's origin, in the user's state folder or in --state. One that
contradicts it is kept beside it, in STATE.conflict: the two prove what the log did.

Example:
  attestry log check --registry https://attest.example.com --trusted-root trusted_root.json")]
pub(crate) struct CheckArgs {
    /// The file that keeps the last checkpoint
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// The registry, and what its answers are checked against.
    #[command(flatten)]
    pub(crate) checked: CheckedRegistryArgs,
}
