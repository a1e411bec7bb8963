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
    /// The folder in which `attestry.toml` is looked for.
    pub directory: PathBuf,
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
        let prompt: Prompt = Box::new(|text| rpassword::prompt_password(text));
        Self {
            stdin: Box::new(std::io::stdin()),
            stdout: Box::new(std::io::stdout()),
            stderr: Box::new(std::io::stderr()),
            terminals,
            environment: Box::new(|name| std::env::var_os(name)),
            directory: std::env::current_dir().unwrap_or_default(),
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
