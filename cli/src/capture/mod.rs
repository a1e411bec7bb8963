//! Capture: a build step, as it runs and as it is recorded.
//!
//! Which CI system runs it ([`ci`]), under which environment ([`environment`]), by which command
//! line ([`command_line`]), from which source ([`source`]), with which tools ([`toolchain`]); what goes in
//! and comes out ([`files`]), and the command itself ([`process`]). [`statements`] makes SLSA provenance and
//! in-toto link metadata of all that. What looks like a [`credential`] is recorded nowhere.
//!
//! Nothing here reads this process's environment or clock: the variables come as a parameter.

mod ask;
pub(crate) mod ci;
pub(crate) mod command_line;
pub(crate) mod credential;
pub(crate) mod environment;
pub(crate) mod files;
pub(crate) mod process;
pub(crate) mod source;
pub(crate) mod statements;
pub(crate) mod toolchain;
mod uri;

use std::fmt;

/// Looks a variable of the environment up by name, where it is set and is text.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Something that was not recorded, or not as it is. Never holds the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// What: the name of a variable, or which argument.
    pub(crate) name: String,
    /// Why.
    pub(crate) why: Why,
}

/// Why something was not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// It looks like a credential.
    Credential(credential::Sign),
    /// It is longer than what is recorded, in bytes.
    TooLong(usize),
    /// So many others were recorded before it.
    TooMany(usize),
    /// It was asked for and is not there, or is no text.
    NotSet,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, why } = self;
        match why {
            Why::Credential(sign) => write!(f, "{name} is not recorded: {sign}"),
            Why::TooLong(limit) => {
                write!(f, "{name} is not recorded: expected at most {limit} bytes, found more")
            }
            Why::TooMany(limit) => {
                write!(f, "{name} is not recorded: expected at most {limit} variables, found more")
            }
            Why::NotSet => write!(f, "{name} is not recorded: it is not set, or is not UTF-8"),
        }
    }
}
