//! `attestry-registry access`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{Failed, REFUSED, answer, say};
use crate::authority::{self, AuthorityError};
use crate::data::DataFolder;

/// What can be done with `access.toml`. A running server looks at it for each request.
#[derive(Debug, Subcommand)]
pub(super) enum AccessCommand {
    /// Say whether access.toml can be read, with every fault by line and column
    #[command(after_help = "\
A running server keeps what it read last when the file has a fault, so check before you put it in place.

Exit status: 0 well, 1 faults or no file, 2 could not tell.

Example:
  attestry-registry access check --data data")]
    Check(CheckArgs),
}

/// A registry.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

pub(super) fn run(command: &AccessCommand) -> Result<ExitCode, Failed> {
    let AccessCommand::Check(args) = command;
    let what = "check access.toml";
    let folder = DataFolder::open(&args.data).map_err(Failed::to(what))?;
    match authority::check(&folder) {
        Ok(Some(access)) => {
            answer(&format!(
                "access.toml is well: {} issuers, {} identities, {} certificates\n",
                access.issuers.len(),
                access.identities.len(),
                access.certificates.len()
            ))?;
            Ok(ExitCode::SUCCESS)
        }
        Ok(None) => {
            say("there is no access.toml, so every token may do everything");
            Ok(REFUSED.into())
        }
        Err(AuthorityError::Faults { faults, .. }) => {
            for fault in &faults.0 {
                answer(&format!("access.toml: {fault}\n"))?;
            }
            Ok(REFUSED.into())
        }
        Err(error) => Err(Failed::to(what)(error)),
    }
}
