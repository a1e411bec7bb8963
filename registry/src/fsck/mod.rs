//! `fsck`: recomputes everything at rest that can be recomputed, and names each fault.
//!
//! One walk over the leaves in order hashes them again, grows the tree again, and compares what the
//! store holds: tiles of every level, the root and signature of every checkpoint, every record with
//! its signature, lookups, postings and edges. Then each family is read once for what nothing
//! accounts for, and the repositories are held against the content that they link and the moves of their
//! tags against the log. What is kept of what attestations say is read from them again. Memory does not grow with the store. What cannot be told from the store alone is
//! out of reach: a signer's label as known, and the signature of an Ed25519 entry logged by digest.

mod content;
mod facts;
mod index;
mod oci;
mod tags;
mod walk;

use std::fmt;
use std::path::Path;

use attestry_schemas::key::SigningKey;
use attestry_schemas::note::NoteKey;
use attestry_schemas::problem::chain;
use attestry_schemas::trusted_root::{TrustedLog, TrustedRootError};
use serde::Serialize;

use crate::data::{DataError, DataFolder};
use crate::store::engine::{EngineError, EngineOptions};
use crate::store::{Store, StoreError};

/// The most faults that a report lists; the rest is counted.
pub const MAX_FAULTS: usize = 1000;

/// Why it could not be told whether there are faults.
#[derive(Debug, thiserror::Error)]
pub enum FsckError {
    /// The folder is not that of a registry, or its log is not known.
    #[error("the data folder cannot be checked")]
    Data(#[source] DataError),
    /// The log's key cannot sign checkpoints.
    #[error("the log's key is refused")]
    LogKey(#[source] TrustedRootError),
    /// The store cannot be read for another reason than damage.
    #[error("the store cannot be read")]
    Store(#[source] StoreError),
}

/// What a fault is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// A file of the data folder beside the store.
    Document,
    /// The engine cannot read its own files.
    Engine,
    /// The leaf with which every log begins.
    Genesis,
    /// A leaf's body.
    Leaf,
    /// A tile.
    Tile,
    /// A checkpoint.
    Checkpoint,
    /// The record of an attestation.
    Record,
    /// An attestation's signature, or the statement it covers.
    Signature,
    /// Content, in the engine or in a file.
    Content,
    /// A lookup by leaf hash or digest.
    Lookup,
    /// A posting of the index.
    Posting,
    /// An edge of the graph.
    Edge,
    /// What an attestation says, as it was kept.
    Facts,
    /// A repository.
    Repository,
    /// What a repository links.
    Link,
    /// A manifest.
    Manifest,
    /// A manifest's place among the referrers of its subject.
    Referrer,
    /// That something refers to content, a blob or a manifest.
    Use,
    /// How much of what a principal has pushed is kept.
    Stored,
    /// Where a tag points.
    Tag,
    /// A move of a tag, or the statement that proves it.
    TagMove,
    /// A key that the family does not have.
    StrayKey,
    /// A file that has no business where it is.
    StrayFile,
}

impl FaultKind {
    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Engine => "engine",
            Self::Genesis => "genesis",
            Self::Leaf => "leaf",
            Self::Tile => "tile",
            Self::Checkpoint => "checkpoint",
            Self::Record => "record",
            Self::Signature => "signature",
            Self::Content => "content",
            Self::Lookup => "lookup",
            Self::Posting => "posting",
            Self::Edge => "edge",
            Self::Facts => "facts",
            Self::Repository => "repository",
            Self::Link => "link",
            Self::Manifest => "manifest",
            Self::Referrer => "referrer",
            Self::Use => "use",
            Self::Stored => "stored",
            Self::Tag => "tag",
            Self::TagMove => "tag-move",
            Self::StrayKey => "stray-key",
            Self::StrayFile => "stray-file",
        }
    }
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// What it is in.
    pub kind: FaultKind,
    /// Which one.
    pub place: String,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, place, expected, found } = self;
        write!(f, "{}: {place}: expected {expected}, found {found}", kind.name())
    }
}

/// What was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Leaves of the log.
    pub leaves: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// Tiles of every level.
    pub tiles: u64,
    /// Records of attestations.
    pub records: u64,
    /// Signatures that were verified again.
    pub signatures: u64,
    /// Lookups by leaf hash and digest.
    pub lookups: u64,
    /// Postings of the index.
    pub postings: u64,
    /// Keys of edges, two for each edge.
    pub edges: u64,
    /// Facts of attestations that were read again; those of another version of the program are not.
    pub facts: u64,
    /// Content in the engine.
    pub inline_content: u64,
    /// Content in files.
    pub content_files: u64,
    /// Repositories.
    pub repositories: u64,
    /// Links of repositories to blobs and manifests.
    pub links: u64,
    /// Manifests among them.
    pub manifests: u64,
    /// Entries of referrers.
    pub referrers: u64,
    /// Entries of what refers to what.
    pub uses: u64,
    /// Tags, deleted ones too.
    pub tags: u64,
    /// Moves of tags.
    pub tag_moves: u64,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// The faults, at most [`MAX_FAULTS`].
    pub faults: Vec<Fault>,
    /// How many further faults there are.
    pub more_faults: u64,
    /// What is worth knowing and no fault.
    pub notes: Vec<String>,
    /// What was checked.
    pub counts: Counts,
}

impl Report {
    /// Whether there is no fault.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    fn fault(
        &mut self,
        kind: FaultKind,
        place: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) {
        if self.faults.len() == MAX_FAULTS {
            self.more_faults += 1;
            return;
        }
        let (place, expected, found) = (place.into(), expected.into(), found.into());
        self.faults.push(Fault { kind, place, expected, found });
    }

    /// Makes a fault of an error that means damage, and gives back any other.
    fn damage(&mut self, place: &str, error: StoreError) -> Result<(), FsckError> {
        match &error {
            StoreError::Engine(EngineError::Corruption { .. } | EngineError::Incomplete { .. })
            | StoreError::Missing { .. } => {
                self.fault(FaultKind::Engine, place, "a whole and readable store", chain(&error));
            }
            _ => return Err(FsckError::Store(error)),
        }
        Ok(())
    }
}

/// How far a check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being checked.
    pub stage: &'static str,
    /// How much of it is done.
    pub done: u64,
    /// How much there is, where that is known.
    pub of: Option<u64>,
}

/// Checks a data folder, and changes nothing in it. The server must not run on it.
///
/// # Errors
/// [`FsckError`] when it cannot be told: the folder is not a registry's, the store is in use, or
/// the disk fails.
pub fn check(data: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Report, FsckError> {
    let folder = DataFolder::open(data).map_err(FsckError::Data)?;
    let log = folder.log().map_err(FsckError::Data)?;
    let mut report = Report::default();
    documents(&folder, &mut report);
    match Store::open_read_only(data, EngineOptions::default()) {
        // Without its key the log has nothing that is sealed; that it is missing is named among the documents.
        Ok(store) => check_store(&store, &log, folder.log_key().ok(), &mut report, progress)?,
        Err(error) => report.damage("the whole store", error)?,
    }
    Ok(report)
}

fn check_store(
    store: &Store,
    log: &TrustedLog,
    log_key: Option<SigningKey>,
    report: &mut Report,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), FsckError> {
    let reader = store.reader();
    let note_key: NoteKey = log.note_key().map_err(FsckError::LogKey)?;
    let size = walk::walk(&reader, log, &note_key, report, progress)?;
    index::extras(&reader, size, report, progress)?;
    facts::check(&reader, log_key, note_key, report, progress)?;
    oci::check(&reader, report, progress)?;
    tags::check(&reader, log.key.fingerprint(), report)?;
    content::check(&reader, store.files(), report, progress)
}

/// Checks the files beside the store.
fn documents(folder: &DataFolder, report: &mut Report) {
    let checks = [
        (crate::data::LOG_KEY_FILE, folder.log_key().err()),
        (crate::data::SIGNING_CONFIG_FILE, folder.signing_config().err()),
        (crate::data::TOKENS_FILE, folder.tokens().err()),
        (crate::data::TRUSTED_KEYS_FOLDER, folder.trusted_keys().err()),
        (crate::data::ROOT_KEYS_FOLDER, folder.root_keys().err()),
    ];
    for (name, error) in checks {
        if let Some(error) = error {
            report.fault(FaultKind::Document, name, "a file that can be read", chain(&error));
        }
    }
}

#[cfg(test)]
mod tests;
