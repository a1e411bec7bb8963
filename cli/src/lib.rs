//! The Attestry command line: signs artifacts at build time and verifies their provenance.
//!
//! [`run`] is the whole program: it takes arguments and an [`Io`] and answers with an exit status
//! (0 verified or done, 1 refused, 2 could not tell). Nothing here reads the process's streams,
//! environment or clock but through [`Io`]. What bytes mean and whether they are true is decided
//! by `attestry_schemas`; this crate finds the bytes, asks, and tells.

mod answers;
mod args;
mod authorities;
mod bundle_file;
mod capture;
mod client;
mod command;
mod config;
mod evidence;
mod fixture;
mod io;
mod keyfile;
mod lockfile;
mod oci;
mod output;
#[doc(hidden)]
pub mod parsers;
mod progress;
mod spool;
mod subject;
mod terminal;
mod trust;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

pub use crate::io::{Environment, Io, Passthrough, Prompt, Terminals, VariableNames};
use crate::output::{Exit, Session};

/// Runs one command and returns its exit status.
///
/// Usage errors, like everything that keeps the command from telling, are status 2.
#[must_use]
pub fn run<A>(args: impl IntoIterator<Item = A>, mut io: Io) -> ExitCode
where
    A: Into<OsString> + Clone,
{
    let exit = match args::Cli::try_parse_from(args) {
        Ok(cli) => {
            let mut session = Session::new(io, cli.global);
            let exit = match command::run(cli.command, &mut session) {
                Ok(exit) => exit,
                Err(failure) => session.fail(&failure),
            };
            session.finish(exit)
        }
        Err(usage) => output::usage(&mut io, &usage),
    };
    ExitCode::from(exit.status())
}

/// The command line's definition, from which help, completions and man pages come.
#[must_use]
pub fn definition() -> clap::Command {
    <args::Cli as clap::CommandFactory>::command()
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}
