//! What each command does, one file for each.

mod attest;
mod audit;
mod copy;
mod definition;
mod deploy;
mod digest;
mod evidence;
mod exception;
mod gate;
mod governance;
mod k8s;
mod key;
mod lint;
mod log;
mod metrics;
mod policy;
mod publish;
mod push;
mod roster;
mod run;
mod search;
mod show;
mod sign;
mod tag;
mod tree;
mod verify;

use std::path::Path;

use crate::args::{Command, OciArgs, RegistryArgs};
use crate::client::Client;
use crate::config::{Registry, Settings, Source};
use crate::oci::OciFlags;
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
        Command::Run(args) => {
            crate::terminal::pass_signals_on();
            run::run(&args, session)
        }
        Command::Evidence(command) => evidence::run(&command, session),
        Command::Verify(args) => verify::run(&args, session),
        Command::Push(args) => push::run(&args, session),
        Command::Copy(args) => copy::run(&args, session),
        Command::Tree(args) => tree::run(&args, session),
        Command::Tag(command) => tag::run(&command, session),
        Command::Search(args) => search::run(&args, session),
        Command::Show(args) => show::run(&args, session),
        Command::Audit(command) => audit::run(&command, session),
        Command::Lint(args) => lint::run(&args, session),
        Command::Gate(args) => gate::run(&args, session),
        Command::Approve(args) => exception::approve(&args, session),
        Command::Waive(args) => exception::waive(&args, session),
        Command::BreakGlass(args) => exception::break_glass(&args, session),
        Command::Deploy(command) => deploy::run(&command, session),
        Command::Metrics(args) => metrics::run(&args, session),
        Command::Roster(command) => roster::run(&command, session),
        Command::Policy(command) => policy::run(&command, session),
        Command::K8s(command) => k8s::run(&command, session),
        Command::Log(command) => log::run(&command, session),
        Command::Completions(args) => definition::completions(&args, session),
        Command::Man(args) => definition::man(&args, session),
        Command::Version => definition::version(session),
    }
}

/// Takes the flags that say how OCI registries are reached.
fn reach(oci: &OciArgs, registry: &RegistryArgs, session: &mut Session) {
    session.oci = OciFlags { registry: registry.clone(), plain_http: oci.plain_http };
}

fn settings(session: &Session) -> Result<Settings, Failure> {
    let config: Option<&Path> = session.global.config.as_deref();
    Ok(Settings::load(&session.io, config)?)
}

/// Prepares to ask a registry, and says where a file that nobody chose named it.
fn client(registry: Registry, session: &mut Session) -> Result<Client, Failure> {
    if let Source::Folder(path) = &registry.source {
        let (url, path) = (&registry.url, path.display());
        session.say(format!("the registry is {url}, which {path} names"));
        if let Some(place) = &registry.withheld {
            session.warn(format!(
                "the token in {place} is not sent to {url}, because only {path} names it; if you trust that file, give --config {path}, or --registry {url}"
            ));
        }
    }
    if let Some((authorities, path)) = &registry.unused_ca_file {
        let (url, authorities, path) = (&registry.url, authorities.display(), path.display());
        session.warn(format!(
            "the certificates in {authorities} are not taken for {url}, because only {path} names them; if you trust that file, give --config {path}, or --ca-file {authorities}"
        ));
    }
    Ok(Client::new(registry, session.io.pause)?)
}

/// `1 entry`, `2 entries`.
fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
