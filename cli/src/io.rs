//! Everything of the process that a command may touch: streams, environment, clock, prompt.
//!
//! The real ones enter in [`Io::process`] and nowhere else, so that a test can run any command
//! with its own.

use std::ffi::OsString;
use std::io::{IsTerminal as _, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

/// Which of the output streams are terminals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terminals {
    /// Data goes to a person, so marks may be coloured.
    pub stdout: bool,
    /// Talk goes to a person, so progress may be drawn.
    pub stderr: bool,
}

/// Looks a variable of the environment up by name.
pub type Environment = Box<dyn Fn(&str) -> Option<OsString>>;
/// Lists the names of the environment's variables, where they are text.
pub type VariableNames = Box<dyn Fn() -> Vec<String>>;
/// Gives streams to where stdout and stderr go, for what passes through unchanged.
pub type Passthrough = Box<dyn Fn() -> [Box<dyn Write + Send>; 2]>;
/// Asks a person for a secret, showing the given text.
pub type Prompt = Box<dyn FnMut(&str) -> std::io::Result<String>>;

/// What a command reads from and writes to.
pub struct Io {
    /// The stream that `-` names.
    pub stdin: Box<dyn Read + Send>,
    /// Where data goes.
    pub stdout: Box<dyn Write>,
    /// Where talk goes.
    pub stderr: Box<dyn Write>,
    /// Which streams are terminals.
    pub terminals: Terminals,
    /// The environment's variables.
    pub environment: Environment,
    /// The names of the environment's variables.
    pub variable_names: VariableNames,
    /// Where the output of a command that is run goes.
    pub passthrough: Passthrough,
    /// The folder in which `attestry.toml` is looked for, and whose source is recorded.
    pub directory: PathBuf,
    /// The current folder of the process, which relative paths lie in; empty where paths are told as they
    /// are given.
    pub current: PathBuf,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// Waits, between two attempts to reach a busy registry.
    pub pause: fn(Duration),
    /// Asks for a password, where there is a person to ask.
    pub prompt: Option<Prompt>,
}

impl Io {
    /// The process's own streams, environment and clock.
    #[must_use]
    pub fn process() -> Self {
        let terminals = Terminals {
            stdout: std::io::stdout().is_terminal(),
            stderr: std::io::stderr().is_terminal(),
        };
        let prompt: Prompt = Box::new(crate::terminal::ask);
        Self {
            stdin: Box::new(std::io::stdin()),
            stdout: Box::new(std::io::stdout()),
            stderr: Box::new(std::io::stderr()),
            terminals,
            environment: Box::new(|name| std::env::var_os(name)),
            variable_names: Box::new(|| {
                std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect()
            }),
            passthrough: Box::new(|| [Box::new(std::io::stdout()), Box::new(std::io::stderr())]),
            directory: std::env::current_dir().unwrap_or_default(),
            current: std::env::current_dir().unwrap_or_default(),
            now: process_clock,
            pause: process_pause,
            prompt: terminals.stderr.then_some(prompt),
        }
    }

    /// A variable of the environment, where it is set and is text.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        (self.environment)(name).and_then(|value| value.into_string().ok())
    }

    /// A variable of the environment that names a path, where it is set and not empty.
    #[must_use]
    pub fn path_variable(&self, name: &str) -> Option<PathBuf> {
        (self.environment)(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }
}

impl std::fmt::Debug for Io {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Io").field("terminals", &self.terminals).finish_non_exhaustive()
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where the clock enters the CLI")]
fn process_clock() -> Timestamp {
    Timestamp::now()
}

#[expect(clippy::disallowed_methods, reason = "the wait that a busy registry asked for")]
fn process_pause(duration: Duration) {
    std::thread::sleep(duration);
}
