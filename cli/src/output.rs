//! How a command answers: data, talk, errors with their remedy, and the exit status.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};

use attestry_schemas::gate::explain::is_unprintable;
use serde::Serialize;

use crate::args::Global;
use crate::io::Io;
use crate::oci::OciFlags;

/// What the exit status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Verified, or done.
    Success,
    /// Looked at and refused.
    Refused,
    /// Could not tell: usage, I/O, unreachable, malformed.
    Undecided,
    /// A command was run and ended with this status.
    Command(u8),
}

impl Exit {
    /// The process's exit status.
    pub(crate) fn status(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Refused => 1,
            Self::Undecided => 2,
            Self::Command(status) => status,
        }
    }
}

/// An error of one module that knows its exit status and its remedy.
pub(crate) trait Remedy: Error {
    /// The status a command ends with when this error ends it.
    fn exit(&self) -> Exit {
        Exit::Undecided
    }

    /// What the user can do about it.
    fn fix(&self) -> Option<String>;
}

/// Why a command ended without doing its work.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    problem: String,
    fix: Option<String>,
}

impl Failure {
    /// The command could not tell, and why.
    pub(crate) fn undecided(problem: impl Into<String>) -> Self {
        Self { exit: Exit::Undecided, problem: problem.into(), fix: None }
    }

    /// What was asked is refused, and why.
    pub(crate) fn refused(problem: impl Into<String>) -> Self {
        Self { exit: Exit::Refused, problem: problem.into(), fix: None }
    }

    /// Adds what the user can do.
    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// Whether what was asked was looked at and refused.
    pub(crate) fn is_refusal(&self) -> bool {
        self.exit == Exit::Refused
    }

    /// What is wrong, without the remedy.
    pub(crate) fn problem(&self) -> &str {
        &self.problem
    }

    /// What the user can do.
    pub(crate) fn remedy(&self) -> Option<&str> {
        self.fix.as_deref()
    }

    /// Reading or writing a path failed.
    pub(crate) fn file(doing: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::undecided(format!("cannot {doing} {}: {error}", path.display()))
            .fix(file_fix(error, path))
    }
}

/// The usual remedy for a file that cannot be read or written.
pub(crate) fn file_fix(error: &std::io::Error, path: &std::path::Path) -> String {
    let path = path.display();
    match error.kind() {
        ErrorKind::NotFound => format!("check the spelling of {path} and the current folder"),
        ErrorKind::PermissionDenied => format!("check the permissions of {path}"),
        ErrorKind::AlreadyExists => format!("choose another name, or remove {path} first"),
        ErrorKind::StorageFull => "free some space on the disk".to_owned(),
        _ => format!("check that {path} is what you mean"),
    }
}

impl<E: Remedy> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { exit: error.exit(), problem: chain(&error), fix: error.fix() }
    }
}

/// An error and its sources in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

/// One run of one command: its streams and its global flags.
pub(crate) struct Session {
    /// The streams, environment and clock.
    pub(crate) io: Io,
    /// The flags that every command takes.
    pub(crate) global: Global,
    /// The flags that say how OCI registries are reached, where the command has some.
    pub(crate) oci: OciFlags,
    stdout_error: Option<std::io::Error>,
    stdin_taken: bool,
}

impl Session {
    /// Starts a run.
    pub(crate) fn new(io: Io, global: Global) -> Self {
        Self { io, global, oci: OciFlags::default(), stdout_error: None, stdin_taken: false }
    }

    /// Whether the answer is wanted as JSON.
    pub(crate) fn json(&self) -> bool {
        self.global.json
    }

    /// Hands out stdin, once.
    ///
    /// # Errors
    /// When it has been handed out before: its bytes are gone.
    pub(crate) fn stdin(&mut self) -> Result<Box<dyn std::io::Read + Send>, Failure> {
        if self.stdin_taken {
            return Err(Failure::undecided("expected - at most once, found it again")
                .fix("save stdin to a file and name that"));
        }
        self.stdin_taken = true;
        Ok(std::mem::replace(&mut self.io.stdin, Box::new(std::io::empty())))
    }

    /// Writes data to stdout. A reader that went away is no error: the verdict still counts.
    pub(crate) fn data(&mut self, bytes: &[u8]) {
        if self.stdout_error.is_none()
            && let Err(error) = self.io.stdout.write_all(bytes)
        {
            self.stdout_error = Some(error);
        }
    }

    /// Writes one line of data to stdout.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) {
        self.data(text.as_ref().as_bytes());
        self.data(b"\n");
    }

    /// Writes one JSON answer to stdout, on one line.
    ///
    /// # Errors
    /// When the answer cannot be represented as JSON.
    pub(crate) fn answer(&mut self, answer: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(answer)
            .map_err(|e| Failure::undecided(format!("cannot write the answer as JSON: {e}")))?;
        self.line(text);
        Ok(())
    }

    /// Says something to the person on stderr, unless `--quiet`.
    pub(crate) fn say(&mut self, text: impl AsRef<str>) {
        if !self.global.quiet {
            self.talk(text.as_ref());
        }
    }

    /// Warns the person on stderr, even when `--quiet`.
    pub(crate) fn warn(&mut self, text: impl AsRef<str>) {
        let label = self.paint_stderr("warning:", YELLOW);
        self.talk(&format!("{label} {}", text.as_ref()));
    }

    /// Names one of several errors on stderr, even when `--quiet`; a failure that counts them follows.
    pub(crate) fn name_error(&mut self, text: impl AsRef<str>) {
        let label = self.paint_stderr("error:", RED);
        self.talk(&format!("{label} {}", printable(text.as_ref())));
    }

    /// Tells the problem and its remedy on stderr and gives the exit status.
    pub(crate) fn fail(&mut self, failure: &Failure) -> Exit {
        let label = self.paint_stderr("error:", RED);
        self.talk(&format!("{label} {}", printable(&failure.problem)));
        if let Some(fix) = &failure.fix {
            let label = self.paint_stderr("fix:", YELLOW);
            self.talk(&format!("  {label} {}", printable(fix)));
        }
        failure.exit
    }

    /// Flushes stdout and gives the final status: an answer that could not be written is not given.
    pub(crate) fn finish(mut self, exit: Exit) -> Exit {
        let flushed = self.io.stdout.flush();
        match self.stdout_error.take().or(flushed.err()) {
            Some(error) if error.kind() != ErrorKind::BrokenPipe => {
                let failure = Failure::undecided(format!("cannot write to stdout: {error}"))
                    .fix("check the file or device that stdout goes to");
                self.fail(&failure)
            }
            _ => exit,
        }
    }

    /// Colours text for stdout where a person reads it.
    pub(crate) fn paint(&self, text: &str, colour: &str) -> String {
        paint(text, colour, self.io.terminals.stdout && self.colours())
    }

    fn paint_stderr(&self, text: &str, colour: &str) -> String {
        paint(text, colour, self.io.terminals.stderr && self.colours())
    }

    /// <https://no-color.org>: any value but the empty one turns colour off.
    fn colours(&self) -> bool {
        (self.io.environment)("NO_COLOR").is_none_or(|value| value.is_empty())
    }

    /// A stderr that cannot be written to leaves nobody to tell, so the error is dropped.
    fn talk(&mut self, text: &str) {
        let _ = writeln!(self.io.stderr, "{text}");
    }
}

/// The colour of a refusal.
pub(crate) const RED: &str = "31";
/// The colour of a passed check.
pub(crate) const GREEN: &str = "32";
/// The colour of advice.
pub(crate) const YELLOW: &str = "33";

fn paint(text: &str, colour: &str, on: bool) -> String {
    if on { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Replaces control and format characters, so that text from a file or a server cannot drive the terminal or show as
/// another.
pub(crate) fn printable(text: &str) -> String {
    let seen = |c: char| if is_unprintable(c) && c != '\n' { '\u{fffd}' } else { c };
    text.chars().map(seen).collect()
}

/// Tells a usage error (status 2), or prints the help or version that was asked for (status 0).
pub(crate) fn usage(io: &mut Io, error: &clap::Error) -> Exit {
    let text = error.render();
    if error.use_stderr() {
        let _ = if io.terminals.stderr {
            write!(io.stderr, "{}", text.ansi())
        } else {
            write!(io.stderr, "{text}")
        };
        return Exit::Undecided;
    }
    let written = if io.terminals.stdout {
        write!(io.stdout, "{}", text.ansi())
    } else {
        write!(io.stdout, "{text}")
    };
    match written.and_then(|()| io.stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Exit::Undecided,
        _ => Exit::Success,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_steer_or_hide_are_replaced() {
        assert_eq!(printable("pay/api\nü 🚀"), "pay/api\nü 🚀");
        let odd = "\u{1b}\r\u{9b}\u{61c}\u{200b}\u{200e}\u{200f}\u{202a}\u{202e}\u{2060}\u{2064}\u{2066}\u{2069}\u{feff}";
        for c in odd.chars() {
            assert_eq!(printable(&format!("a{c}b")), "a\u{fffd}b", "{c:?}");
        }
    }
}
