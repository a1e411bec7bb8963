//! `attestry-registry gc`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use attestry_schemas::document::duration::{Duration as Span, DurationError};
use clap::Args;

use super::{Failed, answer};
use crate::control;
use crate::data::DataFolder;
use crate::oci::collect::{Collected, Mode};
use crate::server::{Offline, StartError};
use crate::store::StoreError;
use crate::store::engine::EngineError;

/// `attestry-registry gc`.
#[derive(Debug, Args)]
#[command(after_help = "\
Removes manifests that no tag, no index, no referrer and no attestation names, blobs that no \
manifest needs, and files that a crash left. A running server does it itself, while pushes go on; \
else this command does.

Example:
  attestry-registry gc --data data --dry-run
  attestry-registry gc --data data --grace 72h")]
pub(super) struct GcArgs {
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Remove nothing, and tell what would go
    #[arg(long)]
    dry_run: bool,
    /// How long what nothing refers to stays after it was pushed, such as 90m, 24h, 7d or 0
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = grace)]
    grace: Duration,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &GcArgs) -> Result<ExitCode, Failed> {
    let what = "collect";
    let folder = DataFolder::open(&args.data).map_err(Failed::to(what))?;
    let grace = args.grace;
    let mode = if args.dry_run { Mode::Tell } else { Mode::Remove };
    let collected = match Offline::open(&folder) {
        Ok(offline) => offline.oci().collect(grace, mode).map_err(Failed::to(what))?,
        Err(StartError::Store(StoreError::Engine(EngineError::Locked { .. }))) => {
            control::ask_for_collection(folder.path(), grace, mode).map_err(Failed::to(what))?
        }
        Err(error) => return Err(Failed::to(what)(error)),
    };
    if args.json {
        let text = serde_json::to_string_pretty(&collected).map_err(Failed::to(what))?;
        answer(&format!("{text}\n"))?;
    } else {
        answer(&words(&collected, mode))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn grace(text: &str) -> Result<Duration, DurationError> {
    match text {
        "0" => Ok(Duration::ZERO),
        text => text.parse::<Span>().map(|span| Duration::from_secs(span.seconds().unsigned_abs())),
    }
}

fn words(collected: &Collected, mode: Mode) -> String {
    let Collected { repositories, manifests, blobs, files, bytes } = collected;
    let verb = match mode {
        Mode::Tell => "would remove",
        Mode::Remove => "removed",
    };
    format!(
        "{verb} {manifests} manifests and {blobs} blobs of {repositories} repositories, and {files} \
         files that nothing names: {bytes} bytes\n"
    )
}
