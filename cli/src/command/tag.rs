//! `attestry tag`: where a tag of a repository pointed, move by move, and the proof of it.
//!
//! A registry of ours makes a signed statement of every move, which its log holds. `history` shows what the registry
//! tells; `verify` believes nothing of that but what the log's key has signed.

mod prove;

use attestry_schemas::digest::Sha256;
use attestry_schemas::oci::{BlobDigest, Tag};
use serde::Serialize;

use crate::args::{AnyReference, TagCommand, TagHistoryArgs};
use crate::oci::repository::Descriptor;
use crate::oci::{Access, OciError, Repository};
use crate::output::{Exit, Failure, Session, printable};

/// The annotations of an entry: of the specification's draft, and ours.
const TIMESTAMP: &str = "org.opencontainers.distribution.tag.timestamp";
const EVENT: &str = "org.opencontainers.distribution.tag.event";
const STATEMENT: &str = "dev.attestry.tag.statement";
const NUMBER: &str = "dev.attestry.tag.number";
/// The most moves on one page that are asked for.
const PAGE: u32 = 1_000;
/// The most moves that are proven.
const MAX_MOVES: usize = 100_000;

/// Runs `attestry tag`.
pub(super) fn run(command: &TagCommand, session: &mut Session) -> Result<Exit, Failure> {
    match command {
        TagCommand::History(args) => history(args, session),
        TagCommand::Verify(args) => prove::run(args, session),
    }
}

/// One move, as the registry tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Move {
    number: u64,
    event: String,
    digest: BlobDigest,
    time: String,
    statement: Sha256,
}

impl Move {
    fn read(entry: &Descriptor, place: &str) -> Result<Self, Failure> {
        let of = |name: &str| {
            entry.annotations.get(name).ok_or_else(|| {
                Failure::undecided(format!(
                    "expected the annotation {name} in every move that {place} tells, found none"
                ))
                .fix("check that the registry is an Attestry registry")
            })
        };
        let wrong = |name: &str, found: &str| {
            let found: String = found.chars().take(100).collect();
            Failure::undecided(format!("{place}: {name} is malformed: {found:?}"))
                .fix("check that the registry is an Attestry registry")
        };
        let (number, statement) = (of(NUMBER)?, of(STATEMENT)?);
        Ok(Self {
            number: number.parse().map_err(|_| wrong(NUMBER, number))?,
            event: of(EVENT)?.clone(),
            digest: entry.digest.clone(),
            time: of(TIMESTAMP)?.clone(),
            statement: statement.parse().map_err(|_| wrong(STATEMENT, statement))?,
        })
    }
}

/// The repository and the tag that a reference names.
fn open(reference: &AnyReference, session: &Session) -> Result<(Repository, Tag), Failure> {
    let reference = &reference.0;
    let tag = reference.tag().ok_or_else(|| {
        Failure::undecided(format!("expected a tag, found {reference}"))
            .fix("name it as oci://HOST/NAME:TAG")
    })?;
    Ok((Access::of(session)?.repository(reference), tag))
}

/// The newest moves, the newest first, and whether there are more.
fn moves(repository: &Repository, tag: &Tag, limit: usize) -> Result<(Vec<Move>, bool), Failure> {
    let place = format!("{}:{tag}", repository.label());
    let page = usize::try_from(PAGE).unwrap_or(usize::MAX).min(limit);
    let path = format!("_oci/tag-history/{tag}?n={page}");
    let listing = match repository.pages(&path, &[200], limit) {
        Err(error @ OciError::Refused { status: 404 | 405, .. }) => {
            return Err(Failure::undecided(format!("{place}: no history is kept there: {error}"))
                .fix("name a tag of an Attestry registry; others keep no history"));
        }
        listing => listing?,
    };
    let listing = listing.ok_or_else(|| {
        Failure::undecided(format!("{place}: what was answered is no history of a tag"))
            .fix("check that the registry is an Attestry registry")
    })?;
    let moves: Result<Vec<Move>, Failure> =
        listing.entries.iter().map(|entry| Move::read(entry, &place)).collect();
    Ok((moves?, listing.is_cut))
}

#[derive(Serialize)]
struct Answer<'a> {
    repository: String,
    tag: &'a str,
    moves: &'a [Move],
    more: bool,
}

fn history(args: &TagHistoryArgs, session: &mut Session) -> Result<Exit, Failure> {
    super::reach(&args.oci, &args.registry, session);
    let (repository, tag) = open(&args.reference, session)?;
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let (moves, more) = moves(&repository, &tag, limit)?;
    if session.json() {
        let repository = repository.label();
        session.answer(&Answer { repository, tag: tag.as_str(), moves: &moves, more })?;
        return Ok(Exit::Success);
    }
    for Move { number, event, digest, time, statement } in &moves {
        let text = format!("{number:>6} {time} {event:<8} {digest} statement {statement}");
        session.line(printable(&text));
    }
    match (moves.is_empty(), more) {
        (true, _) => session.say(format!("{}:{tag} never was", repository.label())),
        (_, true) => session.say("there are more; --limit shows them"),
        (_, false) => {}
    }
    Ok(Exit::Success)
}
