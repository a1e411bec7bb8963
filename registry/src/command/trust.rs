//! `attestry-registry trust`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{Failed, REFUSED, answer};
use crate::data::{self, DataFolder};

/// What can be done with the trusted keys. The server reads them at its start.
#[derive(Debug, Subcommand)]
pub(super) enum TrustCommand {
    /// Accept the envelopes of keys, from the next start of the server on
    #[command(after_help = "Example:\n  attestry-registry trust add --data data release.pub")]
    Add(KeysArgs),
    /// Accept the envelopes of keys no longer, from the next start of the server on
    #[command(after_help = "Example:\n  attestry-registry trust remove --data data release.pub")]
    Remove(KeysArgs),
    /// List the keys of the data folder; the settings may name more
    #[command(after_help = "Example:\n  attestry-registry trust list --data data")]
    List(ListArgs),
}

/// Keys of a registry.
#[derive(Debug, Args)]
pub(super) struct KeysArgs {
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Public keys: PEM files
    #[arg(value_name = "PUB", required = true)]
    keys: Vec<PathBuf>,
}

/// A registry.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

pub(super) fn run(command: &TrustCommand) -> Result<ExitCode, Failed> {
    match command {
        TrustCommand::Add(args) => change(args, true),
        TrustCommand::Remove(args) => change(args, false),
        TrustCommand::List(args) => list(args),
    }
}

fn change(args: &KeysArgs, add: bool) -> Result<ExitCode, Failed> {
    let what = "change the trusted keys";
    let folder = DataFolder::open(&args.data).map_err(Failed::to(what))?;
    // All are read first, so that a bad one changes nothing.
    let keys: Vec<_> = args
        .keys
        .iter()
        .map(|path| data::read_public_key(path).map_err(Failed::to(what)))
        .collect::<Result<_, _>>()?;
    let mut status = ExitCode::SUCCESS;
    for key in &keys {
        let changed = if add { folder.trust(key) } else { folder.distrust(key) };
        let words = match (add, changed.map_err(Failed::to(what))?) {
            (true, true) => "trusted from the next start of the server on",
            (true, false) => "trusted already",
            (false, true) => "not trusted from the next start of the server on",
            (false, false) => {
                status = REFUSED.into();
                "not in the data folder"
            }
        };
        answer(&format!("{} {words}\n", key.fingerprint()))?;
    }
    Ok(status)
}

fn list(args: &ListArgs) -> Result<ExitCode, Failed> {
    let what = "list the trusted keys";
    let folder = DataFolder::open(&args.data).map_err(Failed::to(what))?;
    let roots = folder.root_keys().map_err(Failed::to(what))?;
    for key in folder.trusted_keys().map_err(Failed::to(what))? {
        let root = if roots.contains(&key) { " root" } else { "" };
        answer(&format!("{} {}{root}\n", key.fingerprint(), key.key_type()))?;
    }
    Ok(ExitCode::SUCCESS)
}
