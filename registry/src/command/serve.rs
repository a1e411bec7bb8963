//! `attestry-registry serve`.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::Failed;
use crate::clock::Clock;
use crate::config::{Config, LogFormat, Settings};
use crate::data::DataFolder;
use crate::metrics::Metrics;
use crate::server::Running;

/// `attestry-registry serve`.
#[derive(Debug, Args)]
#[command(after_help = "\
A flag overrides its environment variable, which overrides the settings' file. SIGTERM \
and SIGINT stop the server once it has answered what it took. \
Settings and trusted keys are read at the start.

Example:
  attestry-registry serve --data data --listen 127.0.0.1:8080")]
pub(super) struct ServeArgs {
    /// The data folder, which init has made
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Read this settings' file instead of attestry-registry.toml in the data folder
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The settings.
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn run(args: ServeArgs) -> Result<ExitCode, Failed> {
    let what = "start the server";
    let folder = DataFolder::open(&args.data).map_err(Failed::to(what))?;
    let config = Config::load(&args.data, args.config.as_deref(), args.settings)
        .map_err(Failed::to("read the settings"))?;
    log_to_stderr(&config)?;
    let mut running = Running::start(&folder, config, Clock::system(), Arc::new(Metrics::new()))
        .map_err(Failed::to(what))?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        data = %args.data.display(),
        url = running.public_url,
        origin = running.log.identity().origin,
        trusted_keys = running.trusted_keys.len(),
        "the registry is open"
    );
    if running.trusted_keys.is_empty() && !running.config.accept_unknown_signers {
        tracing::warn!(
            "no key is trusted, so every envelope is refused; run attestry-registry trust add"
        );
    }
    let served = crate::http::serve(&running);
    running.stop();
    served.map_err(Failed::to("serve"))?;
    tracing::info!("the registry is closed");
    Ok(ExitCode::SUCCESS)
}

/// Sends log lines to stderr, in the form and of the levels that the settings name.
fn log_to_stderr(config: &Config) -> Result<(), Failed> {
    let levels: Targets =
        config.log_level.parse().map_err(Failed::to("read the setting log_level"))?;
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    let lines = match config.log_format {
        LogFormat::Human => lines.with_filter(levels).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_filter(levels).boxed(),
    };
    tracing_subscriber::registry().with(lines).try_init().map_err(Failed::to("start the log"))
}
