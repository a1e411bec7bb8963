//! What each command does, one file for each.

mod attest;
mod definition;
mod key;
mod lint;
mod log;
mod publish;
mod push;
mod search;
mod show;
mod sign;
mod verify;

use std::path::Path;

use crate::args::Command;
use crate::client::Client;
use crate::config::{Registry, Settings};
use crate::output::{Exit, Failure, Session};

/// Runs a command.
///
/// # Errors
/// [`Failure`] when it could not do its work; a verdict that was reached is an [`Exit`].
pub(crate) fn run(command: Command, session: &mut Session) -> Result<Exit, Failure> {
    match command {
        Command::Key(command) => key::run(&command, session),
        Command::Sign(args) => sign::run(&args, session),
        Command::Attest(args) => attest::run(&args, session),
        Command::Verify(args) => verify::run(&args, session),
        Command::Push(args) => push::run(&args, session),
        Command::Search(args) => search::run(&args, session),
        Command::Show(args) => show::run(&args, session),
        Command::Lint(args) => lint::run(&args, session),
        Command::Log(command) => log::run(&command, session),
        Command::Completions(args) => definition::completions(&args, session),
        Command::Man(args) => definition::man(&args, session),
        Command::Version => definition::version(session),
    }
}

fn settings(session: &Session) -> Result<Settings, Failure> {
    let config: Option<&Path> = session.global.config.as_deref();
    Ok(Settings::load(&session.io, config)?)
}

fn client(registry: Registry, session: &Session) -> Result<Client, Failure> {
    Ok(Client::new(registry, session.io.pause)?)
}

/// `1 entry`, `2 entries`.
fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
