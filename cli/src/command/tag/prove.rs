//! `attestry tag verify`: the history of a tag, proven by the log.

use attestry_schemas::bundle::{Bundle, Content, MAX_BUNDLE_BYTES};
use attestry_schemas::digest::{Digest, Sha256};
use attestry_schemas::oci::{BlobDigest, Tag};
use attestry_schemas::predicate::Predicate as _;
use attestry_schemas::predicate::attestry::tag::{TagEvent, TagMove};
use attestry_schemas::trusted_root::TrustedRoot;
use attestry_schemas::verify::{Claim, Keys, Logged, Subject, Verifier};
use serde::Serialize;

use super::{MAX_MOVES, Move};
use crate::args::TagVerifyArgs;
use crate::client::Client;
use crate::config::{Registry, Settings, Source};
use crate::oci::Repository;
use crate::output::{Exit, Failure, GREEN, Session, chain, printable};
use crate::progress::{Progress, Unit};
use crate::trust;

/// How often the history is read again where the tag moved meanwhile.
const MAX_ATTEMPTS: u32 = 4;

#[derive(Serialize)]
struct Answer<'a> {
    verified: bool,
    repository: String,
    tag: &'a str,
    moves: u64,
    /// Where the tag points; nothing when it was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a BlobDigest>,
    first: &'a Proven,
    last: &'a Proven,
}

/// A move that the log proves.
#[derive(Debug, Clone, Serialize)]
struct Proven {
    #[serde(flatten)]
    told: Move,
    /// Who moved it, as the registry knew them.
    by: String,
    /// Its index in the log.
    index: u64,
}

/// Runs `attestry tag verify`.
pub(super) fn run(args: &TagVerifyArgs, session: &mut Session) -> Result<Exit, Failure> {
    super::super::reach(&args.oci, &args.registry, session);
    let settings = super::super::settings(session)?;
    let (repository, tag) = super::open(&args.reference, session)?;
    let client = client(&repository, &settings, session)?;
    let flag = args.trusted_root.trusted_root.as_deref();
    let root = trust::find(flag, &settings, &client, session)?;
    let prover = Prover { repository: &repository, tag: &tag, client: &client, root: &root };
    for _ in 0..MAX_ATTEMPTS {
        let (told, more) = super::moves(&repository, &tag, MAX_MOVES)?;
        if more {
            return Err(Failure::undecided(format!(
                "expected at most {MAX_MOVES} moves, found more"
            )));
        }
        let proven = prover.all(told, session)?;
        let Some((first, last)) = proven.first().zip(proven.last()) else {
            return nothing(&repository, &tag);
        };
        let points_to = repository.tagged(&tag)?.map(|fetched| fetched.digest);
        let said = (last.told.event == "created").then_some(&last.told.digest);
        if points_to.as_ref() == said {
            return tell(&prover, proven.len(), first, last, session);
        }
        let (now, _) = super::moves(&repository, &tag, 1)?;
        if now.first() == Some(&last.told) {
            let place = |digest: Option<&BlobDigest>| {
                digest.map_or_else(|| "nowhere".to_owned(), ToString::to_string)
            };
            return Err(Failure::refused(format!(
                "expected {}:{tag} to point to {}, as the last move in the log says, found {}",
                repository.label(),
                place(said),
                place(points_to.as_ref()),
            ))
            .fix("do not rely on this registry before its operator has explained this"));
        }
    }
    Err(Failure::undecided(format!("{}:{tag} moved again and again meanwhile", repository.label()))
        .fix("run this again"))
}

/// A tag without a move in the log must point nowhere.
fn nothing(repository: &Repository, tag: &Tag) -> Result<Exit, Failure> {
    let place = format!("{}:{tag}", repository.label());
    match repository.tagged(tag)? {
        None => {
            Err(Failure::undecided(format!("{place} never was")).fix("check the name and the tag"))
        }
        Some(fetched) => Err(Failure::refused(format!(
            "expected a move in the log for {place}, which points to {}, found none",
            fetched.digest
        ))
        .fix("do not rely on this registry before its operator has explained this")),
    }
}

/// The registry's own interface, which is where its OCI interface is.
fn client(
    repository: &Repository,
    settings: &Settings,
    session: &mut Session,
) -> Result<Client, Failure> {
    let url = repository.origin().parse().map_err(|e| Failure::undecided(format!("{e}")))?;
    let named = settings.registry(&session.oci.registry)?;
    if let Some(registry) = named.filter(|named| named.url == url) {
        return super::super::client(registry, session);
    }
    let (token, insecure_http) = (repository.secret()?, session.oci.plain_http);
    let registry = Registry {
        url,
        source: Source::Flag,
        token,
        withheld: None,
        insecure_http,
        ca_file: settings.authorities(&session.oci.registry),
        unused_ca_file: None,
    };
    super::super::client(registry, session)
}

/// What moves are proven with.
struct Prover<'a> {
    repository: &'a Repository,
    tag: &'a Tag,
    client: &'a Client,
    root: &'a TrustedRoot,
}

impl Prover<'_> {
    /// Proves all moves, the first first.
    fn all(&self, told: Vec<Move>, session: &Session) -> Result<Vec<Proven>, Failure> {
        let total = Some(told.len() as u64);
        let mut progress = Progress::start(session, "proving moves", Unit::Count, total);
        let mut proven: Vec<Proven> = Vec::with_capacity(told.len());
        for (place, told) in told.into_iter().rev().enumerate() {
            let number = place as u64 + 1;
            if told.number != number {
                return Err(self.refuse(
                    number,
                    format!("expected move {number}, found move {}", told.number),
                ));
            }
            let before = proven.last();
            let one = self.one(told, before)?;
            proven.push(one);
            progress.advance(1);
        }
        Ok(proven)
    }

    fn one(&self, told: Move, before: Option<&Proven>) -> Result<Proven, Failure> {
        let number = told.number;
        let refuse = |what: String| self.refuse(number, what);
        let path = format!("/v1/attestations/{}/bundle", told.statement);
        let answer = self.client.fetch_bounded(&path, MAX_BUNDLE_BYTES as u64)?;
        let bundle = Bundle::parse(&answer.body).map_err(|e| answer.malformed(chain(&e)))?;
        // The move after this one names it by the digest of these bytes.
        let found = match &bundle.content {
            Content::Envelope(envelope) => Sha256::of(&envelope.to_json()),
            Content::Message(_) => {
                return Err(refuse("expected a statement, found none".to_owned()));
            }
        };
        if found != told.statement {
            return Err(refuse(format!(
                "expected the statement {}, found {found}",
                told.statement
            )));
        }
        let (said, logged) = self.statement(&bundle, &told).map_err(&refuse)?;
        self.demand(&said, &told, before).map_err(&refuse)?;
        match before {
            Some(before) if before.index >= logged.index => Err(refuse(format!(
                "expected a place in the log behind {}, where the move before is, found {}",
                before.index, logged.index
            ))),
            _ => Ok(Proven { told, by: said.by, index: logged.index }),
        }
    }

    /// Verifies signature, subject, type and inclusion with the log's own key.
    fn statement(&self, bundle: &Bundle, told: &Move) -> Result<(TagMove, Logged), String> {
        let keys = self.root.logs().iter().map(|log| log.key.clone()).collect();
        let verifier = Verifier { keys: Keys::Managed(keys), root: Some(self.root) };
        let subject = Subject::of_digest(told.digest.digest());
        let claim = Claim::Type(TagMove::URI.to_owned());
        let proven = verifier.bundle(bundle, subject, &claim).map_err(|e| e.to_string())?;
        let proven = proven.into_inner();
        let logged = proven.logged.into_iter().next().ok_or("it is in no log")?;
        let statement = proven.statement.ok_or_else(|| "it is no statement".to_owned())?;
        let said = serde_json::from_value(statement.predicate).map_err(|e| e.to_string())?;
        Ok((said, logged))
    }

    /// Demands that a statement is of this move of this tag, behind the one before.
    fn demand(&self, said: &TagMove, told: &Move, before: Option<&Proven>) -> Result<(), String> {
        let event = match said.event {
            TagEvent::Created => "created",
            TagEvent::Deleted => "deleted",
        };
        let previous = before.map(|before| Digest::from(before.told.statement));
        let replaces = before.filter(|before| before.told.event == "created" && event == "created");
        let digest = |set: &Option<attestry_schemas::digest::DigestSet>,
                      wanted: Option<&Digest>| {
            match (set, wanted) {
                (None, None) => true,
                (Some(set), Some(wanted)) => {
                    set.value(wanted.algorithm().name()) == Some(wanted.value())
                }
                _ => false,
            }
        };
        let same = |what: &str, expected: &str, found: &str| match expected == found {
            true => Ok(()),
            false => Err(format!("expected the {what} {expected} in the statement, found {found}")),
        };
        same("repository", self.repository.name().as_str(), &said.repository)?;
        same("tag", self.tag.as_str(), &said.tag)?;
        same("event", &told.event, event)?;
        same("number", &told.number.to_string(), &said.number.to_string())?;
        if !digest(&said.previous, previous.as_ref()) {
            return Err("expected it to name the move before, found another".to_owned());
        }
        if !digest(&said.replaces, replaces.map(|before| before.told.digest.digest())) {
            return Err(
                "expected it to replace what the move before points to, found another".to_owned()
            );
        }
        match (event, before.map(|before| before.told.event.as_str())) {
            ("deleted", None | Some("deleted")) => {
                Err("expected a tag that is there to be deleted, found none".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn refuse(&self, number: u64, what: String) -> Failure {
        let place = format!("{}:{}", self.repository.label(), self.tag);
        Failure::refused(format!("move {number} of {place} is not proven: {what}"))
            .fix("do not rely on this registry before its operator has explained this")
    }
}

fn tell(
    prover: &Prover<'_>,
    count: usize,
    first: &Proven,
    last: &Proven,
    session: &mut Session,
) -> Result<Exit, Failure> {
    let moves = count as u64;
    let (repository, tag) = (prover.repository.label(), prover.tag.as_str());
    let digest = (last.told.event == "created").then_some(&last.told.digest);
    if session.json() {
        session.answer(&Answer { verified: true, repository, tag, moves, digest, first, last })?;
        return Ok(Exit::Success);
    }
    let points = digest.map_or_else(|| "nowhere: it was deleted".to_owned(), ToString::to_string);
    session.line(format!("{repository}:{tag} points to {points}"));
    let mark = session.paint("✓", GREEN);
    let all = super::super::count(moves, "move", "moves");
    let Proven { told, by, index } = last;
    let lines = [
        format!("{all}, numbered without gaps, each naming the one before"),
        "each is signed by the log's key and included in the log".to_owned(),
        format!("the last, index {index}, at {} by {by}, is where the tag points now", told.time),
    ];
    for line in lines {
        session.line(printable(&format!("  {mark} {line}")));
    }
    let dash = "-";
    for line in [
        "who moved the tag is the registry's word",
        "that the log keeps no second history and never changes its past: attestry log check watches that",
    ] {
        session.line(format!("  {dash} not proven here: {line}"));
    }
    Ok(Exit::Success)
}
