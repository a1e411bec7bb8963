//! `attestry log`: look at a registry's log, and watch it.

mod check;

use std::path::Path;

use attestry_schemas::base64;
use attestry_schemas::checkpoint::{Checkpoint, OpenedCheckpoint};
use attestry_schemas::digest::Sha256;
use attestry_schemas::merkle;
use attestry_schemas::note::MAX_NOTE_BYTES;
use attestry_schemas::trusted_root::TrustedRoot;
use jiff::Timestamp;
use serde::Serialize;

use crate::answers::{Consistency, Inclusion};
use crate::args::{CheckedRegistryArgs, CheckpointArgs, LogCommand, ProveArgs};
use crate::client::{Client, ClientError};
use crate::output::{Exit, Failure, GREEN, Session, chain};
use crate::trust;

/// Runs `attestry log …`.
pub(super) fn run(command: &LogCommand, session: &mut Session) -> Result<Exit, Failure> {
    match command {
        LogCommand::Checkpoint(args) => checkpoint(args, session),
        LogCommand::Prove(args) => prove(args, session),
        LogCommand::Check(args) => check::run(args, session),
    }
}

/// A log that can be asked, and what is believed of it.
struct Log {
    client: Client,
    root: TrustedRoot,
}

/// A checkpoint whose signature was verified.
struct Head {
    signed: String,
    checkpoint: Checkpoint,
    time: Option<Timestamp>,
}

/// What is told of a checkpoint.
#[derive(Serialize)]
struct HeadAnswer {
    origin: String,
    size: u64,
    root: Sha256,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
}

impl Head {
    fn new(signed: &str, opened: OpenedCheckpoint) -> Self {
        let time = opened.cosigned_at_s.and_then(|s| i64::try_from(s).ok());
        let time = time.and_then(|s| Timestamp::from_second(s).ok());
        Self { signed: signed.to_owned(), checkpoint: opened.checkpoint, time }
    }

    fn answer(&self) -> HeadAnswer {
        let Checkpoint { origin, size, root, .. } = self.checkpoint.clone();
        HeadAnswer { origin, size, root, time: self.time.map(|time| time.to_string()) }
    }
}

impl Log {
    fn open(args: &CheckedRegistryArgs, session: &mut Session) -> Result<Self, Failure> {
        let settings = super::settings(session)?;
        let client = super::client(settings.demand_registry(&args.registry)?, session)?;
        let root = args.trusted_root.trusted_root.as_deref();
        let root = trust::find(root, &settings, &client, session)?;
        Ok(Self { client, root })
    }

    /// The newest checkpoint, verified.
    fn head(&self) -> Result<Head, Failure> {
        let answer = self.client.fetch_bounded("/api/v2/checkpoint", MAX_NOTE_BYTES as u64)?;
        self.verified(answer.text()?)
    }

    fn verified(&self, signed: &str) -> Result<Head, Failure> {
        let (opened, _) = trust::open_checkpoint(&self.root, signed)?;
        Ok(Head::new(signed, opened))
    }

    /// Asks the log to prove that one tree is a prefix of another, and checks the proof.
    fn prove_consistency(
        &self,
        (old_size, old_root): (u64, &Sha256),
        (new_size, new_root): (u64, &Sha256),
    ) -> Result<(), Failure> {
        // Every tree is consistent with the empty one (RFC 9162 §2.1.4.1).
        if old_size == 0 {
            return Ok(());
        }
        let path = format!("/v1/log/consistency?from={old_size}&to={new_size}");
        let answer = self.client.fetch(&path)?;
        let proof: Consistency = answer.json()?;
        let hashes = hashes(&proof.hashes).map_err(|detail| answer.malformed(detail))?;
        merkle::verify_consistency(old_size, new_size, &hashes, old_root, new_root).map_err(|e| {
            Failure::refused(format!(
                "expected the log of size {new_size} with root {new_root} to contain the one of size {old_size} with root {old_root}, found that it does not: {}",
                chain(&e)
            ))
            .fix(DISTRUST)
        })
    }
}

/// What to do when a log contradicts itself.
const DISTRUST: &str = "keep the signed checkpoints, and do not rely on this registry before its operator has explained this";

fn hashes(texts: &[String]) -> Result<Vec<Sha256>, String> {
    let hash = |text: &String| {
        let bytes = base64::decode(text, "hashes").map_err(|e| e.to_string())?;
        Sha256::from_slice(&bytes).ok_or_else(|| "a hash is not of 32 bytes".to_owned())
    };
    texts.iter().map(hash).collect()
}

fn checkpoint(args: &CheckpointArgs, session: &mut Session) -> Result<Exit, Failure> {
    let log = Log::open(&args.checked, session)?;
    let head = log.head()?;
    if session.json() {
        session.answer(&head.answer())?;
    } else {
        session.data(head.signed.as_bytes());
        session.say(format!("signed by the log {}", head.checkpoint.origin));
    }
    Ok(Exit::Success)
}

#[derive(Serialize)]
struct ProofAnswer {
    proven: bool,
    index: u64,
    size: u64,
    leaf_hash: Sha256,
    root: Sha256,
    hashes: Vec<String>,
    checkpoint: HeadAnswer,
}

fn prove(args: &ProveArgs, session: &mut Session) -> Result<Exit, Failure> {
    let log = Log::open(&args.checked, session)?;
    let what = match (args.index, &args.digest) {
        (Some(index), _) => format!("index={index}"),
        (None, Some(digest)) => format!("digest={digest}"),
        (None, None) => return Err(Failure::undecided("expected --index or --digest")),
    };
    let size = args.size.map(|size| format!("&size={size}")).unwrap_or_default();
    let answer = log.client.fetch(&format!("/v1/log/inclusion?{what}{size}"))?;
    let proof: Inclusion = answer.json()?;
    let malformed = |detail: String| -> ClientError { answer.malformed(detail) };
    let sha256 = |text: &str| hash(text).map_err(|detail| answer.malformed(detail));
    let (leaf, root) = (sha256(&proof.leaf_hash)?, sha256(&proof.root)?);
    let path = hashes(&proof.hashes).map_err(malformed)?;
    for (name, asked, found) in
        [("index", args.index, proof.index), ("size", args.size, proof.size)]
    {
        if let Some(asked) = asked.filter(|asked| *asked != found) {
            let detail = format!("expected a proof for {name} {asked}, found one for {found}");
            return Err(answer.malformed(detail).into());
        }
    }
    let Inclusion { index, size, .. } = proof;
    merkle::verify_inclusion(&leaf, index, size, &path, &root).map_err(|e| {
        let problem = format!("expected a proof that leaf {index} is in the tree of size {size}");
        Failure::refused(format!("{problem}, found that it proves nothing: {}", chain(&e)))
            .fix(DISTRUST)
    })?;
    let head = log.verified(&proof.checkpoint)?;
    anchor(&log, (size, &root), &head)?;
    if session.json() {
        session.answer(&ProofAnswer {
            proven: true,
            index,
            size,
            leaf_hash: leaf,
            root,
            hashes: proof.hashes,
            checkpoint: head.answer(),
        })?;
    } else {
        let Checkpoint { origin, size: head_size, .. } = &head.checkpoint;
        let mark = session.paint("✓", GREEN);
        session.line(format!(
            "{mark} inclusion   leaf {index} ({leaf}) is in the tree of size {size}"
        ));
        session.line(format!("{mark} checkpoint  {origin} signed the tree of size {head_size}"));
    }
    Ok(Exit::Success)
}

/// Ties a root to a checkpoint: it is the checkpoint's own, or that of an earlier or later tree.
fn anchor(log: &Log, (size, root): (u64, &Sha256), head: &Head) -> Result<(), Failure> {
    let Checkpoint { size: head_size, root: head_root, .. } = &head.checkpoint;
    if size == *head_size && root == head_root {
        return Ok(());
    }
    if size == *head_size {
        return Err(Failure::refused(format!(
            "expected the root {head_root} that the checkpoint of size {size} has, found {root}"
        ))
        .fix(DISTRUST));
    }
    if size > *head_size {
        return log.prove_consistency((*head_size, head_root), (size, root));
    }
    log.prove_consistency((size, root), (*head_size, head_root))
}

/// A hash in base64, as in the proof, or with its algorithm.
fn hash(text: &str) -> Result<Sha256, String> {
    if let Ok(hash) = text.parse() {
        return Ok(hash);
    }
    let mut found = hashes(std::slice::from_ref(&text.to_owned()))?;
    found.pop().ok_or_else(|| "a hash is missing".to_owned())
}

/// Reads a kept checkpoint; nothing when there is none yet.
fn kept(path: &Path) -> Result<Option<String>, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::file("read", path, &error)),
    }
}
