//! `attestry completions`, `man` and `version`: the command line about itself.

use serde::Serialize;

use crate::args::{CompletionsArgs, ManArgs};
use crate::output::{Exit, Failure, Session};

/// The program's name.
const NAME: &str = "attestry";

/// Prints a shell's completion script.
pub(super) fn completions(args: &CompletionsArgs, session: &mut Session) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::definition(), NAME, &mut script);
    session.data(&script);
    Ok(Exit::Success)
}

/// Writes a manual page for every command.
pub(super) fn man(args: &ManArgs, session: &mut Session) -> Result<Exit, Failure> {
    let written = std::fs::create_dir_all(&args.out)
        .and_then(|()| clap_mangen::generate_to(crate::definition(), &args.out));
    written.map_err(|e| Failure::file("write to", &args.out, &e))?;
    session.say(format!("manual pages are in {}", args.out.display()));
    Ok(Exit::Success)
}

/// Prints the version.
pub(super) fn version(session: &mut Session) -> Result<Exit, Failure> {
    #[derive(Serialize)]
    struct Answer {
        name: &'static str,
        version: &'static str,
    }
    let version = env!("CARGO_PKG_VERSION");
    if session.json() {
        session.answer(&Answer { name: NAME, version })?;
    } else {
        session.line(format!("{NAME} {version}"));
    }
    Ok(Exit::Success)
}
