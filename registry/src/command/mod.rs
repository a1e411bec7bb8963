//! The command line: `init`, `serve`, `fsck`, `backup`, `gc`, `trust`, `token`, `access`, `health`.
//!
//! Answers go to stdout, talk to stderr. Exit status: 0 done or clean, 1 refused or faulty, 2 could
//! not tell (usage, input and output, malformed settings).

mod access;
mod backup;
mod fsck;
mod gc;
mod health;
mod init;
mod serve;
mod token;
mod trust;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use attestry_schemas::problem::chain;
use clap::{Parser, Subcommand};

/// The exit status of a refusal: a fault that was found, or a server that is not well.
const REFUSED: u8 = 1;
/// The exit status of what could not be told.
const COULD_NOT_TELL: u8 = 2;

/// Keeps signed build attestations in one store and one transparency log.
#[derive(Debug, Parser)]
#[command(
    name = "attestry-registry",
    version,
    about,
    disable_help_subcommand = true,
    after_help = "\
Exit status: 0 done or clean, 1 refused or faulty, 2 could not tell.

Example:
  attestry-registry init --data data --url http://127.0.0.1:8080 --trusted-key release.pub
  attestry-registry serve --data data"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a registry: its keys, its log, an admin token
    Init(init::InitArgs),
    /// Serve the registry over HTTP
    Serve(Box<serve::ServeArgs>),
    /// Check everything that is at rest, and name each fault; the server must be stopped
    Fsck(fsck::FsckArgs),
    /// Copy the data folder, while the server runs or not
    Backup(backup::BackupArgs),
    /// Remove what nothing refers to from repositories, while the server runs or not
    Gc(gc::GcArgs),
    /// Say whose envelopes are accepted
    #[command(subcommand)]
    Trust(trust::TrustCommand),
    /// Say who may write and ask: tokens
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Say who may do what: access.toml
    #[command(subcommand)]
    Access(access::AccessCommand),
    /// Ask a running server whether it is well
    Health(health::HealthArgs),
}

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
struct Failed {
    what: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Failed {
    fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), source: None }
    }

    /// For `map_err`: says what was not done.
    fn to<E: std::error::Error + Send + Sync + 'static>(what: &str) -> impl FnOnce(E) -> Self {
        let what = format!("could not {what}");
        move |source| Self { what, source: Some(Box::new(source)) }
    }
}

/// Runs the program with the arguments of a process, its name first.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(refusal) => {
            // Help and version are answers, on stdout with status 0; all else is status 2.
            let _ = refusal.print();
            return if refusal.use_stderr() { COULD_NOT_TELL.into() } else { ExitCode::SUCCESS };
        }
    };
    let done = match cli.command {
        Command::Init(args) => init::run(&args),
        Command::Serve(args) => serve::run(*args),
        Command::Fsck(args) => fsck::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Gc(args) => gc::run(&args),
        Command::Trust(command) => trust::run(&command),
        Command::Token(command) => token::run(&command),
        Command::Access(command) => access::run(&command),
        Command::Health(args) => health::run(&args),
    };
    done.unwrap_or_else(|failed| {
        say(&format!("attestry-registry: {}", chain(&failed)));
        COULD_NOT_TELL.into()
    })
}

/// Writes an answer to stdout.
fn answer(text: &str) -> Result<(), Failed> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        // Whoever read it has seen enough.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Failed::to("write the answer")),
    }
}

/// Writes a line of talk to stderr.
fn say(line: &str) {
    // There is nowhere left to complain to.
    let _ = writeln!(io::stderr().lock(), "{line}");
}
