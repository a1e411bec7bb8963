//! `attestry-registry backup`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::{Failed, answer};
use crate::control;
use crate::data::DataFolder;
use crate::store::backup::{self, BackupSummary};
use crate::store::engine::{EngineError, EngineOptions};
use crate::store::{Store, StoreError};

/// `attestry-registry backup`.
#[derive(Debug, Args)]
#[command(after_help = "\
A running server makes the copy itself, at one moment, while it goes on; else this command does. \
The copy is a data folder of its own, private key included. On the same file system content files \
are hard links, so carry the copy to another disk.

Example:
  attestry-registry backup --data data --to backups/2026-01-31
  attestry-registry fsck --data backups/2026-01-31")]
pub(super) struct BackupArgs {
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where the copy goes: a folder that is not there yet, or is empty
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

pub(super) fn run(args: &BackupArgs) -> Result<ExitCode, Failed> {
    let what = "make the backup";
    let folder = DataFolder::open(&args.data).map_err(Failed::to(what))?;
    let summary = match Store::open(folder.path(), EngineOptions::default()) {
        Ok(store) => backup::copy(folder.path(), &store, &args.to).map_err(Failed::to(what))?,
        Err(StoreError::Engine(EngineError::Locked { .. })) => through_server(&folder, &args.to)?,
        Err(error) => return Err(Failed::to(what)(error)),
    };
    answer(&format!(
        "backup in {}: the store, {} content files of {} bytes, {} other files\n",
        args.to.display(),
        summary.content_files,
        summary.content_bytes,
        summary.documents
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn through_server(folder: &DataFolder, to: &Path) -> Result<BackupSummary, Failed> {
    // The server may run in another folder than this command.
    let to = std::path::absolute(to).map_err(Failed::to("resolve the backup's target"))?;
    control::ask_for_backup(folder.path(), &to).map_err(Failed::to("make the backup"))
}
