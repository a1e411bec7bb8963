//! The command line as it is recorded: without credentials.
//!
//! An argument that looks like one is told by its flag (`--token x`, `--password=x`), by its form
//! (`https://me:secret@host`) or by what one program means by it (`curl -u me:secret`). In its place
//! stands [`REDACTED`], so that the number and order of arguments stay what they were. A script that a
//! shell takes as an argument is read word by word ([`script`]), and each of its commands by the same
//! rules.

mod script;

use super::credential::{
    REDACTED, Sign, flag_name, is_reference, looks_like_credential, says_credential,
};
use super::{Refused, Why};

/// Flags whose names say so and that take no value.
const SWITCHES: &[&str] = &["netrc", "private"];
/// Flags that take a header of HTTP.
const HEADER_FLAGS: &[&str] = &["-H", "--header"];
/// Shells, which take a script with `-c`.
const SHELLS: &[&str] = &["sh", "bash", "dash", "zsh", "ash", "ksh"];
/// How deep scripts in scripts are read.
const MAX_DEPTH: usize = 8;

/// What the value of a flag has to look like to hold a credential.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// It is one.
    Any,
    /// A name, and a credential only with a colon: `me:secret`.
    User,
    /// The name of a file, and a credential only with an equals sign: `session=secret`.
    Cookie,
}

/// A program with short flags for credentials.
struct Program {
    names: &'static [&'static str],
    /// The command of the program that has the flags, where not all have.
    command: Option<&'static str>,
    flags: &'static [&'static str],
    /// Whether the value may stand in the same argument: `-psecret`.
    attached: bool,
    shape: Shape,
}

const PROGRAMS: &[Program] = &[
    Program {
        names: &["curl"],
        command: None,
        flags: &["-u", "-U", "--user", "--proxy-user"],
        attached: true,
        shape: Shape::User,
    },
    Program {
        names: &["curl"],
        command: None,
        flags: &["-b", "--cookie"],
        attached: true,
        shape: Shape::Cookie,
    },
    Program {
        names: &["http", "https", "xh", "xhs"],
        command: None,
        flags: &["-a"],
        attached: true,
        shape: Shape::User,
    },
    Program {
        names: &["twine"],
        command: Some("upload"),
        flags: &["-p"],
        attached: true,
        shape: Shape::Any,
    },
    Program {
        names: &["sshpass"],
        command: None,
        flags: &["-p"],
        attached: true,
        shape: Shape::Any,
    },
    Program {
        names: &["docker", "podman", "buildah", "skopeo", "nerdctl", "helm", "oras", "crane"],
        command: Some("login"),
        flags: &["-p"],
        attached: false,
        shape: Shape::Any,
    },
    Program {
        names: &["mysql", "mysqldump", "mysqladmin", "mariadb", "mariadb-dump"],
        command: None,
        flags: &["-p"],
        attached: true,
        shape: Shape::Any,
    },
    Program {
        names: &["redis-cli"],
        command: None,
        flags: &["-a"],
        attached: false,
        shape: Shape::Any,
    },
    Program {
        names: &["ldapsearch", "ldapadd", "ldapmodify"],
        command: None,
        flags: &["-w"],
        attached: false,
        shape: Shape::Any,
    },
];

/// What is recorded for one argument.
enum Recorded {
    AsIs,
    /// Redacted, with what stays of it: `--password=`.
    Without(String, Sign),
    /// A script, with what was redacted in it.
    Script(String, Vec<Finding>),
}

/// Something redacted: the flag or name that it follows, empty where there is none, and by what it
/// was told.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    flag: String,
    sign: Sign,
}

/// The command line with [`REDACTED`] in the place of what looks like a credential, and what was
/// redacted. The warnings name the argument, counted from 0 as the program, and its flag.
pub(crate) fn redact_arguments(arguments: &[String]) -> (Vec<String>, Vec<Refused>) {
    let mut recorded = Vec::with_capacity(arguments.len());
    let mut refused = Vec::new();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    for (index, (argument, found)) in words.iter().zip(read(&words, 0)).enumerate() {
        let mut warn = |what: &str, sign: Sign| {
            let name = format!("argument {index} of the command{what}");
            let refusal = Refused { name, why: Why::Credential(sign) };
            if !refused.contains(&refusal) {
                refused.push(refusal);
            }
        };
        recorded.push(match found {
            (_, Recorded::AsIs) => (*argument).to_owned(),
            (flag, Recorded::Without(stays, sign)) => {
                match flag.as_str() {
                    "" => warn("", sign),
                    flag => warn(&format!(" ({flag})"), sign),
                }
                format!("{stays}{REDACTED}")
            }
            (_, Recorded::Script(script, findings)) => {
                for Finding { flag, sign } in findings {
                    match flag.as_str() {
                        "" => warn(" (in its script)", sign),
                        flag => warn(&format!(" ({flag} in its script)"), sign),
                    }
                }
                script
            }
        });
    }
    (recorded, refused)
}

/// What is recorded for each word of one command, with the flag or name that a credential follows.
fn read(words: &[&str], depth: usize) -> Vec<(String, Recorded)> {
    let mut program = "";
    let mut rules: Vec<&Program> = Vec::new();
    let mut before: Option<&str> = None;
    let mut shell = Shell::None;
    let mut read = Vec::with_capacity(words.len());
    for word in words {
        let name = word.rsplit('/').next().unwrap_or(word);
        if name != program && PROGRAMS.iter().any(|rule| rule.names.contains(&name)) {
            let of_program = |rule: &&Program| rule.names.contains(&name) && rule.fits(words);
            program = name;
            rules = PROGRAMS.iter().filter(of_program).collect();
        }
        let is_script;
        (shell, is_script) = shell.then(word, name);
        if is_script {
            read.push((String::new(), script::redacted(word, depth)));
            before = None;
            continue;
        }
        let flag = before.filter(|flag| expects_credential(flag, word, &rules));
        let found = match flag {
            Some(_) => Recorded::Without(String::new(), Sign::Name),
            None => redacted(word, &rules),
        };
        let about = match &found {
            Recorded::Without(stays, _) => flag.unwrap_or(stays.trim_end_matches('=')).to_owned(),
            Recorded::AsIs | Recorded::Script(..) => String::new(),
        };
        before = matches!(found, Recorded::AsIs).then_some(*word);
        read.push((about, found));
    }
    read
}

/// Where the words are in the arguments of a shell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shell {
    None,
    /// Among the options, and whether `-c` was among them.
    Options(bool),
    /// At the value of an option: `-o pipefail`.
    Value(bool),
}

impl Shell {
    /// Where the next word is, and whether this one is a script.
    fn then(self, word: &str, name: &str) -> (Self, bool) {
        match self {
            Self::Value(with_script) => (Self::Options(with_script), false),
            Self::Options(with_script) if word.starts_with(['-', '+']) && word.len() > 1 => {
                let takes_value = word.ends_with(['o', 'O']) && !word.starts_with("--")
                    || matches!(word, "--rcfile" | "--init-file");
                let with_script = with_script || (!word.starts_with("--") && word.contains('c'));
                let next = if takes_value { Self::Value } else { Self::Options };
                (next(with_script), false)
            }
            Self::Options(true) => (Self::None, true),
            Self::Options(false) | Self::None if SHELLS.contains(&name) => {
                (Self::Options(false), false)
            }
            Self::Options(false) | Self::None => (Self::None, false),
        }
    }
}

/// What one argument shows by itself.
fn redacted(argument: &str, rules: &[&Program]) -> Recorded {
    if let Some(flag) = HEADER_FLAGS.iter().find(|flag| {
        let value = argument.strip_prefix(**flag);
        value.is_some_and(|value| is_credential_header(value.trim_start_matches('=')))
    }) {
        let joint = if flag.starts_with("--") { "=" } else { "" };
        return Recorded::Without(format!("{flag}{joint}"), Sign::Name);
    }
    if let Some((name, value)) = argument.split_once('=')
        && is_plain(name)
    {
        let stays = || format!("{name}=");
        if value.is_empty() || is_mount(name, value) {
            return Recorded::AsIs;
        }
        if says_credential(flag_name(name)) && !is_reference(value) {
            return Recorded::Without(stays(), Sign::Name);
        }
        if let Some(sign) = looks_like_credential("", value) {
            return Recorded::Without(stays(), sign);
        }
    }
    if let Some(sign) = looks_like_credential("", argument) {
        return Recorded::Without(String::new(), sign);
    }
    // How openssl takes a password from its command line.
    if argument.strip_prefix("pass:").is_some_and(|rest| !rest.is_empty() && !is_reference(rest)) {
        return Recorded::Without("pass:".to_owned(), Sign::Pair);
    }
    let attached = rules.iter().filter(|rule| rule.attached).find_map(|rule| {
        let flag = rule
            .flags
            .iter()
            .find(|flag| !flag.starts_with("--") && argument.starts_with(**flag))?;
        let value = argument.strip_prefix(flag)?;
        rule.is_credential(value).then(|| (*flag).to_owned())
    });
    match attached {
        Some(flag) => Recorded::Without(flag, Sign::Name),
        None => Recorded::AsIs,
    }
}

/// Whether the argument after `flag` is a credential.
fn expects_credential(flag: &str, value: &str, rules: &[&Program]) -> bool {
    if !flag.starts_with('-') || flag.contains('=') || value.is_empty() || is_reference(value) {
        return false;
    }
    if HEADER_FLAGS.contains(&flag) && is_credential_header(value) {
        return true;
    }
    if let Some(rule) = rules.iter().find(|rule| rule.flags.contains(&flag)) {
        return rule.is_credential(value);
    }
    let name = flag.trim_start_matches('-');
    let is_switch = SWITCHES.contains(&name.to_ascii_lowercase().as_str());
    says_credential(name) && !is_switch && !is_flag(value) && !is_mount(flag, value)
}

impl Program {
    fn fits(&self, words: &[&str]) -> bool {
        self.command.is_none_or(|command| words.contains(&command))
    }

    fn is_credential(&self, value: &str) -> bool {
        let part = |mark: char| value.split_once(mark).map(|(_, secret)| secret);
        let secret = match self.shape {
            Shape::Any => Some(value),
            Shape::User => part(':'),
            Shape::Cookie => part('='),
        };
        secret.is_some_and(|secret| !secret.is_empty() && !is_reference(secret) && !is_flag(secret))
    }
}

/// Whether a header of HTTP, `name: value`, has a name that says so and a value that is given.
fn is_credential_header(header: &str) -> bool {
    header.split_once(':').is_some_and(|(name, value)| {
        let value = value.trim_start();
        let secret = match value.split_once(' ') {
            Some((_, secret)) => secret.trim_start(),
            None => value,
        };
        is_plain(name) && says_credential(name) && !secret.is_empty() && !is_reference(secret)
    })
}

/// Whether a text is another flag, and not the value of the one before. A secret may start with a
/// dash, but hardly with two, and it is longer than a letter.
fn is_flag(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next() == Some('-')
        && letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '-')
        && (text.starts_with("--") || letters.next().is_none())
}

/// `--secret id=npm,src=file` of container builds names a secret and does not hold it.
fn is_mount(flag: &str, value: &str) -> bool {
    flag == "--secret" && (value.starts_with("id=") || value.starts_with("type="))
}

/// Whether a text is a name, and no secret itself.
fn is_plain(name: &str) -> bool {
    const MAX_CHARS: usize = 128;
    !name.is_empty()
        && name.len() <= MAX_CHARS
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && looks_like_credential("", name).is_none()
}

#[cfg(test)]
mod tests;
