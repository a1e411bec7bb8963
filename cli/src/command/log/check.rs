//! `attestry log check`: a monitor.
//!
//! It keeps the last checkpoint it believed. Each run verifies the newest one, demands a proof that
//! the log only grew in between, and then trusts no proof at all: it downloads every entry and
//! every tile, hashes the entries, and compares each hash of each tile, the kept root, and the new
//! root. Memory holds one tile for each level, whatever the size of the log.
//!
//! A checkpoint that contradicts the kept one is kept beside it: both are signed, so together they
//! prove to others what the log did.

use std::path::{Path, PathBuf};

use attestry_schemas::digest::Sha256;
use attestry_schemas::merkle::{self, CompactRange};
use attestry_schemas::tile::{self, BundleAddress, Pyramid, TILE_WIDTH, TileAddress};
use serde::Serialize;

use super::{DISTRUST, Head, HeadAnswer, Log, kept};
use crate::args::CheckArgs;
use crate::bundle_file;
use crate::config;
use crate::output::{Exit, Failure, GREEN, Session, chain};
use crate::progress::{Progress, Unit};

/// The most bytes of a tile of hashes.
const MAX_TILE_BYTES: u64 = 256 * 32;
/// The most bytes of a bundle of entries: as many entries, each with its length.
const MAX_ENTRIES_BYTES: u64 = 256 * (2 + tile::MAX_ENTRY_BYTES as u64);

#[derive(Serialize)]
struct Answer {
    /// Whether the log is what it was and what it says; nothing where none was kept before.
    consistent: Option<bool>,
    checkpoint: HeadAnswer,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<HeadAnswer>,
    entries: u64,
    state: String,
}

/// What is told of a log that is refused.
#[derive(Serialize)]
struct Refusal<'a> {
    consistent: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<HeadAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<HeadAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conflict: Option<String>,
    problem: &'a str,
}

impl Refusal<'_> {
    /// Answers, where the answer is wanted as JSON and the log was looked at.
    fn tell(self, failure: Failure, session: &mut Session) -> Failure {
        if !session.json() || !failure.is_refusal() {
            return failure;
        }
        let answer = Refusal { problem: failure.problem(), ..self };
        session.answer(&answer).err().unwrap_or(failure)
    }
}

/// Runs `attestry log check`.
pub(super) fn run(args: &CheckArgs, session: &mut Session) -> Result<Exit, Failure> {
    let mut told = Refusal {
        consistent: false,
        checkpoint: None,
        previous: None,
        state: None,
        conflict: None,
        problem: "",
    };
    let log = Log::open(&args.checked, session)?;
    let head = match log.head() {
        Ok(head) => head,
        Err(failure) => return Err(told.tell(failure, session)),
    };
    told.checkpoint = Some(head.answer());
    let state = state_file(args, &head, session)?;
    told.state = Some(state.display().to_string());
    let previous = match kept(&state)?.map(|signed| log.verified(&signed)).transpose() {
        Ok(previous) => previous,
        Err(failure) => {
            let failure = failure.fix(format!(
                "{} keeps a checkpoint that this log's key did not sign; give another log its own --state FILE",
                state.display()
            ));
            return Err(told.tell(failure, session));
        }
    };
    told.previous = previous.as_ref().map(Head::answer);
    let growth = previous.as_ref().map_or(Ok(()), |previous| demand_growth(&log, previous, &head));
    if let Err(failure) = growth.and_then(|()| recompute(&log, previous.as_ref(), &head, session)) {
        if !failure.is_refusal() {
            return Err(failure);
        }
        let conflict = conflict_file(&state);
        told.conflict = Some(conflict.display().to_string());
        let failure = keep_proof(&failure, &head, previous.is_some(), &state, &conflict);
        return Err(told.tell(failure, session));
    }
    keep(&state, &head)?;
    let answer = Answer {
        consistent: previous.as_ref().map(|_| true),
        checkpoint: head.answer(),
        previous: previous.as_ref().map(Head::answer),
        entries: head.checkpoint.size,
        state: state.display().to_string(),
    };
    if session.json() {
        session.answer(&answer)?;
    } else {
        tell(&answer, session);
    }
    Ok(Exit::Success)
}

/// `STATE.conflict`.
fn conflict_file(state: &Path) -> PathBuf {
    let mut name = state.as_os_str().to_owned();
    name.push(".conflict");
    PathBuf::from(name)
}

/// Keeps the signed checkpoint that contradicts what is known: the two signatures prove it to
/// anybody. The first such checkpoint stays, whatever later runs find.
fn keep_proof(
    failure: &Failure,
    head: &Head,
    is_state_kept: bool,
    state: &Path,
    conflict: &Path,
) -> Failure {
    let (state, shown) = (state.display(), conflict.display());
    let written = if conflict.exists() { Ok(()) } else { keep(conflict, head) };
    let proof = match (written, is_state_kept) {
        (Err(error), _) => format!(
            "; the signed checkpoint that contradicts it could not be kept in {shown}: {}",
            error.problem()
        ),
        (Ok(()), true) => format!(
            "; {state} has the signed checkpoint that was kept, {shown} the first that contradicts it"
        ),
        (Ok(()), false) => format!("; the signed checkpoint is kept in {shown}"),
    };
    Failure::refused(format!("{}{proof}", failure.problem())).fix(DISTRUST)
}

fn tell(answer: &Answer, session: &mut Session) {
    let mark = session.paint("✓", GREEN);
    let HeadAnswer { origin, size, root, time } = &answer.checkpoint;
    let time = time.as_ref().map(|time| format!(" at {time}")).unwrap_or_default();
    session.line(format!("{mark} checkpoint   {origin} signed size {size}{time}"));
    match &answer.previous {
        Some(previous) => session
            .line(format!("{mark} consistency  the tree of size {} is its prefix", previous.size)),
        None => session.say("no checkpoint was kept before: nothing to be consistent with yet"),
    }
    let entries = crate::command::count(*size, "entry gives", "entries give");
    session.line(format!("{mark} root         {entries} {root}"));
    session.say(format!("kept the checkpoint in {}", answer.state));
}

/// `--state`, else a file for this origin in the user's state folder.
fn state_file(args: &CheckArgs, head: &Head, session: &Session) -> Result<PathBuf, Failure> {
    if let Some(path) = &args.state {
        return Ok(path.clone());
    }
    // The origin is a host name, as the trusted root's log of this name is.
    let name = format!("{}.checkpoint", head.checkpoint.origin);
    Ok(config::state_folder(&session.io)?.join("logs").join(name))
}

fn keep(state: &Path, head: &Head) -> Result<(), Failure> {
    let folder = state.parent().map_or(Ok(()), std::fs::create_dir_all);
    folder
        .and_then(|()| bundle_file::replace(state, head.signed.as_bytes()))
        .map_err(|e| Failure::file("write", state, &e))
}

/// Demands that the log is the kept one or a longer one, and has the log prove it.
fn demand_growth(log: &Log, previous: &Head, head: &Head) -> Result<(), Failure> {
    let (old, new) = (&previous.checkpoint, &head.checkpoint);
    if old.origin != new.origin {
        return Err(Failure::undecided(format!(
            "expected a kept checkpoint of {}, found one of {}",
            new.origin, old.origin
        ))
        .fix("give each log its own --state FILE"));
    }
    let shrunk = new.size < old.size;
    if shrunk || (new.size == old.size && new.root != old.root) {
        return Err(Failure::refused(format!(
            "expected the log to hold what it held, size {} with root {}, found size {} with root {}",
            old.size, old.root, new.size, new.root
        ))
        .fix(DISTRUST));
    }
    if new.size == old.size {
        return Ok(());
    }
    log.prove_consistency((old.size, &old.root), (new.size, &new.root))
}

/// Recomputes the tree from its entries, and compares everything the log publishes with it.
fn recompute(
    log: &Log,
    previous: Option<&Head>,
    head: &Head,
    session: &Session,
) -> Result<(), Failure> {
    let size = head.checkpoint.size;
    let mut progress = Progress::start(session, "reading the log", Unit::Count, Some(size));
    let mut tree = Tree { log, size, range: CompactRange::new(), levels: Vec::new() };
    for index in 0..size.div_ceil(u64::from(TILE_WIDTH)) {
        let Some(address) = BundleAddress::in_tree(index, size) else { break };
        for leaf in tree.leaf_hashes(address)? {
            tree.append(leaf)?;
            demand_root(&tree.range, previous.map(|p| (p, "kept")))?;
        }
        progress.advance(u64::from(address.width));
    }
    tree.finish()?;
    demand_root(&tree.range, Some((head, "new")))
}

/// At a checkpoint's size the tree must have its root.
fn demand_root(range: &CompactRange, head: Option<(&Head, &str)>) -> Result<(), Failure> {
    let Some((head, which)) = head.filter(|(head, _)| head.checkpoint.size == range.size()) else {
        return Ok(());
    };
    let (expected, found) = (head.checkpoint.root, range.root());
    if expected == found {
        return Ok(());
    }
    Err(Failure::refused(format!(
        "expected the root {expected} of the {which} checkpoint of size {}, found {found} from the log's entries",
        range.size()
    ))
    .fix(DISTRUST))
}

/// The tree as its entries give it.
struct Tree<'a> {
    log: &'a Log,
    size: u64,
    range: CompactRange,
    /// For each level of tiles, the index of the tile under way and its hashes so far.
    levels: Vec<(u64, Pyramid)>,
}

impl Tree<'_> {
    /// Downloads a bundle of entries and hashes them.
    fn leaf_hashes(&self, address: BundleAddress) -> Result<Vec<Sha256>, Failure> {
        let path = format!("/api/v2/{}", address);
        let answer = self.log.client.fetch_bounded(&path, MAX_ENTRIES_BYTES)?;
        let entries = tile::read_entries(&answer.body, address.width)
            .map_err(|e| answer.malformed(chain(&e)))?;
        Ok(entries.into_iter().map(merkle::leaf_hash).collect())
    }

    fn append(&mut self, leaf: Sha256) -> Result<(), Failure> {
        self.range.append(leaf).map_err(|e| Failure::undecided(chain(&e)))?;
        let mut hash = leaf;
        let mut level = 0;
        // A tile that fills is one hash of the tile above it.
        loop {
            let Some((_, pyramid)) = self.levels.get_mut(level) else {
                self.levels.push((0, Pyramid::new()));
                continue;
            };
            pyramid.push(hash).map_err(|e| Failure::undecided(chain(&e)))?;
            let Some(root) = pyramid.root() else { return Ok(()) };
            self.compare(level)?;
            if let Some(full) = self.levels.get_mut(level) {
                *full = (full.0 + 1, Pyramid::new());
            }
            hash = root;
            level += 1;
        }
    }

    /// Compares the tiles that did not fill.
    fn finish(&self) -> Result<(), Failure> {
        (0..self.levels.len()).try_for_each(|level| self.compare(level))
    }

    /// Compares the tile under way with the one that the log publishes.
    fn compare(&self, level: usize) -> Result<(), Failure> {
        let Some((index, pyramid)) = self.levels.get(level) else { return Ok(()) };
        let level = u8::try_from(level).unwrap_or(u8::MAX);
        let Some(address) = TileAddress::in_tree(level, *index, self.size) else { return Ok(()) };
        if pyramid.width() == 0 {
            return Ok(());
        }
        let path = format!("/api/v2/{}", address);
        let answer = self.log.client.fetch_bounded(&path, MAX_TILE_BYTES)?;
        let published = tile::read_hashes(&answer.body, address.width)
            .map_err(|e| answer.malformed(chain(&e)))?;
        if published == pyramid.hashes() {
            return Ok(());
        }
        let differs = published.iter().zip(pyramid.hashes()).zip(0..).find(|((a, b), _)| a != b);
        let detail = match differs {
            Some(((found, expected), at)) => {
                format!("expected hash {at} to be {expected}, as the entries give, found {found}")
            }
            None => {
                format!("expected {} hashes, found {}", pyramid.hashes().len(), published.len())
            }
        };
        Err(Failure::refused(format!("{}: {detail}", answer.url)).fix(DISTRUST))
    }
}
