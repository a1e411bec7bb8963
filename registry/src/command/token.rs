//! `attestry-registry token`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use attestry_schemas::document::{Duration, Pattern};
use attestry_schemas::predicate::UtcTime;
use clap::{Args, Subcommand};
use jiff::SignedDuration;

use super::{Failed, REFUSED, answer, say};
use crate::clock::Clock;
use crate::data::DataFolder;
use crate::rights::{Grant, Roles};
use crate::tokens::{Bounds, Token};

/// What can be done with the tokens. A running server looks at them for each request.
#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token, which is accepted at once
    #[command(after_help = "\
The token is printed once, on stdout; only its hash is kept. Without --role and --on it may do what access.toml \
grants to token:NAME, and everything where there is no access.toml. The roster names who asks with it by \
principals = [\"token:NAME\"].

Exit status: 0 made, 1 there is a token of that name, 2 could not tell.

Example:
  attestry-registry token new ci --role pull,push,attest --on 'pay/**' --expires 90d --data data > ci.token
  docker login --username ci --password-stdin attest.example.org < ci.token")]
    New(NewArgs),
    /// Accept the tokens of a name no longer, from the next request on
    #[command(
        alias = "remove",
        after_help = "Example:\n  attestry-registry token revoke deploy --data data"
    )]
    Revoke(NameArgs),
    /// List the tokens that are accepted, with what bounds them
    #[command(after_help = "Example:\n  attestry-registry token list --data data")]
    List(ListArgs),
}

/// A token to be made.
#[derive(Debug, Args)]
pub(super) struct NewArgs {
    #[command(flatten)]
    named: NameArgs,
    /// What it may do at most, joined by commas: pull, push, overwrite, delete, delete-tag, delete-digest, attest, decide, deploy, approve, audit, admin
    #[arg(long, value_name = "ROLE", value_delimiter = ',', requires = "on")]
    role: Vec<String>,
    /// In which namespaces and repositories at most: a pattern such as pay/**; repeatable
    #[arg(long, value_name = "PATTERN", requires = "role")]
    on: Vec<Pattern>,
    /// When it ends: after a time such as 90d, or at a moment such as 2027-01-31T00:00:00Z
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
}

/// A token of a registry.
#[derive(Debug, Args)]
pub(super) struct NameArgs {
    /// The token's name, by which documents and the record of who did what know who asks
    #[arg(value_name = "NAME")]
    name: String,
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

/// A registry.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

pub(super) fn run(command: &TokenCommand) -> Result<ExitCode, Failed> {
    match command {
        TokenCommand::New(args) => new(args),
        TokenCommand::Revoke(args) => revoke(args),
        TokenCommand::List(args) => list(args),
    }
}

fn new(args: &NewArgs) -> Result<ExitCode, Failed> {
    let what = "make a token";
    let bounds = bounds(args)?;
    let folder = DataFolder::open(&args.named.data).map_err(Failed::to(what))?;
    let token = Token::draw()
        .ok_or_else(|| Failed::new("expected random bytes from the system, found none"))?;
    let name = &args.named.name;
    if !folder.add_token(name, &token, &bounds).map_err(Failed::to(what))? {
        say(&format!(
            "there is a token {name} already; attestry-registry token revoke {name} takes it back, or choose another name"
        ));
        return Ok(REFUSED.into());
    }
    say(&format!(
        "token {name}, accepted from now on; it is shown now and never again, only its hash is kept:\n  {}",
        token.line_within(name, &bounds).trim_end()
    ));
    answer(&format!("{}\n", token.reveal()))?;
    Ok(ExitCode::SUCCESS)
}

fn bounds(args: &NewArgs) -> Result<Bounds, Failed> {
    let mut roles = Roles::default();
    for word in &args.role {
        let known = Roles::from_word(word).ok_or_else(|| {
            let words: Vec<&str> = Roles::words().into_iter().map(|(word, _)| word).collect();
            Failed::new(format!("expected --role to be of {}, found {word:?}", words.join(", ")))
        })?;
        roles = roles.with(known);
    }
    if args.on.iter().any(|pattern| pattern.as_str().contains(',')) {
        return Err(Failed::new("expected a pattern without a comma in --on; repeat --on instead"));
    }
    let scope = (!args.role.is_empty()).then(|| Arc::new(Grant { roles, on: args.on.clone() }));
    let expires = args.expires.as_deref().map(moment).transpose()?;
    Ok(Bounds { scope, expires })
}

/// A moment, or one that a length of time leads to.
fn moment(text: &str) -> Result<UtcTime, Failed> {
    let now = Clock::system().now();
    let after = |lasting: Duration| {
        now.checked_add(SignedDuration::from_secs(lasting.seconds())).map(UtcTime::from).ok()
    };
    let read = text.parse().ok().or_else(|| text.parse().ok().and_then(after));
    let expected = "a time such as 90d, or a moment such as 2027-01-31T00:00:00Z";
    let read: UtcTime = read.ok_or_else(|| {
        Failed::new(format!("expected --expires to be {expected}, found {text:?}"))
    })?;
    if read <= now.into() {
        return Err(Failed::new(format!("expected --expires to be in the future, found {read}")));
    }
    Ok(read)
}

fn revoke(args: &NameArgs) -> Result<ExitCode, Failed> {
    let what = "revoke a token";
    let folder = DataFolder::open(&args.data).map_err(Failed::to(what))?;
    let name = &args.name;
    if folder.remove_token(name).map_err(Failed::to(what))? {
        answer(&format!("{name} not accepted any more\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    answer(&format!("{name} not in the data folder\n"))?;
    Ok(REFUSED.into())
}

fn list(args: &ListArgs) -> Result<ExitCode, Failed> {
    let what = "list the tokens";
    let folder = DataFolder::open(&args.data).map_err(Failed::to(what))?;
    let now = Clock::system().now().into();
    for token in folder.tokens().map_err(Failed::to(what))?.all() {
        let ended = if token.has_ended(&now) { " (ended)" } else { "" };
        answer(&format!("{}{}{ended}\n", token.name, token.bounds))?;
    }
    Ok(ExitCode::SUCCESS)
}
