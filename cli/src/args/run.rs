//! `attestry run`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::capture::environment::Wanted;

use super::{LoggingArgs, SigningKeyArgs, TrustedRootArgs};

/// `attestry run`.
#[derive(Debug, Args)]
#[command(after_help = "\
The command's output passes through unchanged, signals are passed on to it,
and its exit status is that of attestry run. When it fails, nothing is
attested, unless --record-failure says so. When it succeeds and the
attestations cannot be made, the status is 1 or 2.

Shell syntax needs a shell: -- sh -c 'a && b'.

Example:
  attestry run --step build --key ci.key \\
    --subject target/release/app -- cargo build --release --locked
  attestry run --step package --key ci.key \\
    --subject 'dist/*.tar.gz' --material src -- make dist")]
pub(crate) struct RunArgs {
    /// The name of the step, as a layout or policy calls it
    #[arg(long, value_name = "NAME")]
    pub(crate) step: StepName,
    /// What the step makes: a file, a folder, or a glob such as 'dist/**/*.whl'; may be given more than
    /// once
    #[arg(long = "subject", value_name = "GLOB", required = true)]
    pub(crate) subjects: Vec<String>,
    /// What goes into the step: a file, or a folder without what .gitignore ignores; may be given more
    /// than once
    #[arg(long = "material", value_name = "PATH")]
    pub(crate) materials: Vec<PathBuf>,
    /// Count what .gitignore ignores among the materials, too
    #[arg(long)]
    pub(crate) with_ignored: bool,
    /// Record this variable of the environment, or all that begin so with a * at the end; what looks like
    /// a credential is refused
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Vec<Wanted>,
    /// A lockfile to take dependencies from [default: those in the current folder or, where it has none,
    /// at the top of the repository]
    #[arg(long, value_name = "FILE")]
    pub(crate) lockfile: Vec<PathBuf>,
    /// Accept products that were there before and that the step did not write
    #[arg(long)]
    pub(crate) allow_unchanged: bool,
    /// Attest a failed command as failed, about the source that it ran on
    #[arg(long)]
    pub(crate) record_failure: bool,
    /// The form of the link metadata; `classic` writes a signed classic link, NAME.KEYID.link, besides
    #[arg(long, value_name = "FORMAT", default_value = "statement")]
    pub(crate) link_format: LinkFormat,
    /// The builder's id, an absolute URI [default: what the CI system says]
    #[arg(long, value_name = "URI", value_parser = builder_id)]
    pub(crate) builder_id: Option<String>,
    /// The key to sign with.
    #[command(flatten)]
    pub(crate) key: SigningKeyArgs,
    /// The folder to write the attestations to [default: the current folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// What the registry's answer is checked against.
    #[command(flatten)]
    pub(crate) trusted_root: TrustedRootArgs,
    /// Where it goes, beside the files.
    #[command(flatten)]
    pub(crate) logging: LoggingArgs,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// The form of link metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LinkFormat {
    /// An in-toto statement of type link v0.3, in a bundle.
    Statement,
    /// The classic link of in-toto 0.9 and 1.0 too, for layouts.
    Classic,
}

/// The name of a step: also part of file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StepName(String);

/// The longest name of a step, in bytes.
const MAX_STEP_BYTES: usize = 100;

impl StepName {
    /// The name.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for StepName {
    type Err = super::values::ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let fits = !text.is_empty() && text.len() <= MAX_STEP_BYTES && text.bytes().all(plain);
        if fits && !text.starts_with(['.', '-']) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Self::Err::Step { found: text.to_owned() })
        }
    }
}

/// Why a text is no id of a builder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an absolute URI such as https://ci.example.com/builders/release, found {found:?}"
)]
struct BuilderIdError {
    found: String,
}

/// Takes an absolute URI: a scheme, a colon and what follows, without a fragment (RFC 3986 §4.3).
fn builder_id(text: &str) -> Result<String, BuilderIdError> {
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    let scheme_fits = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b));
    let may_stand = |b: u8| b.is_ascii_graphic() && !b"<>\"{}|\\^`#".contains(&b);
    // `https:x` and `https://` name no host.
    let is_web = matches!(scheme, "http" | "https");
    let host_fits = !is_web
        || rest
            .strip_prefix("//")
            .is_some_and(|host| !host.is_empty() && !host.starts_with(['/', ':', '?']));
    if scheme_fits && host_fits && !rest.is_empty() && rest.bytes().all(may_stand) {
        Ok(text.to_owned())
    } else {
        Err(BuilderIdError { found: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_builder_s_id_is_an_absolute_uri() {
        for text in ["https://ci.example.com/b@refs/heads/main", "urn:uuid:0", "spiffe://a/b"] {
            assert_eq!(builder_id(text).unwrap(), text);
        }
        for text in [
            "",
            "me",
            "//a/b",
            "/a",
            ":x",
            "x:",
            "https:x",
            "https://",
            "https:///a",
            "a b:c",
            "a:b c",
        ] {
            let refused = builder_id(text).unwrap_err().to_string();
            assert!(refused.contains(&format!("found {text:?}")), "{refused}");
        }
    }

    #[test]
    fn the_builder_s_id_is_refused_at_parsing() {
        let parse = |id: &str| {
            let command = RunArgs::augment_args(clap::Command::new("run"));
            let given = ["run", "--step", "s", "--subject", "x", "--builder-id", id, "--", "true"];
            command.try_get_matches_from(given)
        };
        parse("https://ci.example.com/b").unwrap();
        assert!(parse("me").unwrap_err().to_string().contains("an absolute URI"));
    }

    #[test]
    fn what_stands_below_the_help_fits_a_narrow_terminal() {
        let command = RunArgs::augment_args(clap::Command::new("run"));
        let below = command.get_after_help().unwrap().to_string();
        for line in below.lines() {
            assert!(line.len() <= 78, "{line}");
        }
        assert!(below.contains("--key ci.key \\\n    --subject"), "{below}");
    }

    #[test]
    fn a_step_s_name_is_also_a_file_s() {
        for text in ["build", "unit-tests_2.x"] {
            assert_eq!(text.parse::<StepName>().unwrap().as_str(), text);
        }
        for text in ["", "a/b", "..", "-x", "a b", "ä", &"a".repeat(101)] {
            assert!(text.parse::<StepName>().is_err(), "{text}");
        }
    }
}
