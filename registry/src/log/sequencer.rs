//! The sequencer: one thread owns the tree.
//!
//! It takes what is waiting in a bounded queue, gives each new leaf its index, grows the tree,
//! signs the checkpoint, commits everything in one synced batch, and only then answers. It never
//! waits for more to come: an idle log answers one submission at once, a busy one shares a commit
//! among hundreds.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use attestry_schemas::checkpoint::{Checkpoint, SignedCheckpoint};
use attestry_schemas::digest::Sha256;
use attestry_schemas::key::{PublicKey, SigningKey};
use attestry_schemas::merkle::{self, NodeAddress};
use attestry_schemas::note::NoteKey;
use attestry_schemas::problem::chain;
use attestry_schemas::rekor::LogId;
use attestry_schemas::tile::write_hashes;
use tokio::sync::oneshot;

use super::genesis;
use super::progress::Progress;
use super::proof::{LogIdentity, Proven};
use super::submission::Submission;
use super::tree::{FullTiles, RightEdge, TreeError};
use crate::clock::Clock;
use crate::fault::{self, FaultPoint};
use crate::metrics::Metrics;
use crate::store::engine::{Batch, EngineError, Family};
use crate::store::key::{Term, TermKind};
use crate::store::record::{self, Kind, Record, StoredCheckpoint};
use crate::store::{Reader, Store, StoreError, is_inline, key};

/// Why the log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The store failed.
    #[error("the log cannot be read from the store")]
    Store(#[source] StoreError),
    /// The tree at rest is not the one that its newest checkpoint names.
    #[error(
        "the log is damaged: {0}; restore the data folder from a backup; attestry-registry fsck names what is affected"
    )]
    Damaged(String),
    /// The store holds no log, or one with another beginning. A new one under the same key would
    /// contradict what the old one has signed.
    #[error(
        "expected the log of {origin} with {expected}, found {found}; restore the data folder from a backup"
    )]
    NotThere {
        /// The log's origin.
        origin: String,
        /// What every log has.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A log was to begin in a store that holds one.
    #[error("expected a store without a log, found one of {size} leaves")]
    NotNew {
        /// Its size.
        size: u64,
    },
    /// The key cannot sign this log's checkpoints.
    #[error("the log's key or origin is refused: {0}")]
    Identity(String),
    /// The system gave no thread.
    #[error("the sequencer's thread cannot be started")]
    Thread(#[source] std::io::Error),
}

/// Why a submission has no receipt.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SubmitError {
    /// The queue is full; nothing was taken.
    #[error("the log's queue of {capacity} submissions is full; try again in a second")]
    Overloaded {
        /// The queue's bound.
        capacity: usize,
    },
    /// The server is stopping; nothing was taken.
    #[error("the server is stopping; try again in a second")]
    Stopping,
    /// The batch was not committed; nothing of it is in the log.
    #[error("the batch could not be committed")]
    Failed(#[source] Arc<BatchError>),
}

/// Why a batch was not committed.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[source] StoreError),
    /// The tree could not be grown.
    #[error("the tree could not be grown: {0}")]
    Tree(String),
}

impl From<StoreError> for BatchError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<TreeError> for BatchError {
    fn from(error: TreeError) -> Self {
        Self::Tree(chain(&error))
    }
}

/// What a submitter is answered: the leaf is durable and provable.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// Whether this submission added something to the store.
    pub created: bool,
    /// The digest under which it is kept.
    pub digest: Sha256,
    /// The namespace that it belongs to: that of the first who submitted it with a token.
    pub namespace: String,
    /// The leaf's body. Its signature is the submitted one, or the other form of it.
    pub body: Vec<u8>,
    /// When the log first held it, Unix milliseconds.
    pub logged_at_ms: i64,
    /// Its place, with the proof.
    pub proven: Proven,
}

struct Waiting {
    submission: Submission,
    answer: oneshot::Sender<Result<Receipt, SubmitError>>,
}

/// The bounds of the sequencer.
#[derive(Debug, Clone, Copy)]
pub struct LogLimits {
    /// How many submissions may wait.
    pub queue_capacity: usize,
    /// How many submissions one commit takes.
    pub batch_limit: usize,
}

/// The running log.
pub struct Log {
    identity: LogIdentity,
    queue: Mutex<Option<SyncSender<Waiting>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    limits: LogLimits,
    metrics: Arc<Metrics>,
    progress: Arc<Progress>,
}

impl Log {
    /// Opens the log that a store holds and starts its thread.
    ///
    /// # Errors
    /// [`LogError`], among them a tree at rest that its checkpoint does not name, and none at all.
    pub fn start(
        store: Arc<Store>,
        origin: &str,
        signing_key: SigningKey,
        limits: LogLimits,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, LogError> {
        demand_genesis(&store.reader(), origin, signing_key.public_key())?;
        Self::run(store, origin, signing_key, limits, clock, metrics)
    }

    /// Begins a log in a new store; its first submission must be the genesis statement. Only `init`
    /// does.
    ///
    /// # Errors
    /// [`LogError::NotNew`], and as [`Log::start`].
    pub fn begin(
        store: Arc<Store>,
        origin: &str,
        signing_key: SigningKey,
        limits: LogLimits,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, LogError> {
        if let Some((size, _)) = store.reader().latest_checkpoint().map_err(LogError::Store)? {
            return Err(LogError::NotNew { size });
        }
        Self::run(store, origin, signing_key, limits, clock, metrics)
    }

    fn run(
        store: Arc<Store>,
        origin: &str,
        signing_key: SigningKey,
        limits: LogLimits,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, LogError> {
        let raw = signing_key.public_key().ed25519_raw();
        let raw = raw.ok_or_else(|| LogError::Identity("expected an Ed25519 key".to_owned()))?;
        let note_key = NoteKey::ed25519(origin, raw).map_err(|e| LogError::Identity(chain(&e)))?;
        let identity = LogIdentity {
            origin: origin.to_owned(),
            id: LogId::of_ed25519(origin, &raw),
            key: signing_key.public_key().clone(),
        };
        let (edge, last_signed_ms) = load(&store.reader(), &note_key)?;
        metrics.log_size.set(i64::try_from(edge.size()).unwrap_or(i64::MAX));
        let (sender, receiver) = sync_channel(limits.queue_capacity);
        let progress = Arc::new(Progress::default());
        let sequencer = Sequencer {
            store,
            origin: origin.to_owned(),
            signing_key,
            edge,
            last_signed_ms,
            clock,
            metrics: Arc::clone(&metrics),
            progress: Arc::clone(&progress),
        };
        let thread = std::thread::Builder::new()
            .name("sequencer".to_owned())
            .spawn(move || sequencer.run(&receiver, limits.batch_limit))
            .map_err(LogError::Thread)?;
        Ok(Self {
            identity,
            queue: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
            limits,
            metrics,
            progress,
        })
    }

    /// What follows the log waits on this.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Which log this is.
    #[must_use]
    pub fn identity(&self) -> &LogIdentity {
        &self.identity
    }

    /// Queues a submission; the receiver gets its receipt once it is durable.
    ///
    /// # Errors
    /// [`SubmitError::Overloaded`] or [`SubmitError::Stopping`]; then nothing was taken.
    pub fn submit(
        &self,
        submission: Submission,
    ) -> Result<oneshot::Receiver<Result<Receipt, SubmitError>>, SubmitError> {
        let queue = self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let queue = queue.as_ref().ok_or(SubmitError::Stopping)?;
        let (answer, receipt) = oneshot::channel();
        match queue.try_send(Waiting { submission, answer }) {
            Ok(()) => {
                self.metrics.queue_depth.inc();
                Ok(receipt)
            }
            Err(TrySendError::Full(_)) => {
                self.metrics.overloads.inc();
                Err(SubmitError::Overloaded { capacity: self.limits.queue_capacity })
            }
            Err(TrySendError::Disconnected(_)) => Err(SubmitError::Stopping),
        }
    }

    /// Takes no more submissions, answers those that wait, and ends the thread.
    pub fn stop(&self) {
        let queue = self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        drop(queue);
        let thread = self.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the sequencer's thread ended by a panic");
        }
    }
}

/// Demands that the store holds this log: with a checkpoint, and begun by its own key.
fn demand_genesis(reader: &Reader<'_>, origin: &str, key: &PublicKey) -> Result<(), LogError> {
    let not_there =
        |expected, found| LogError::NotThere { origin: origin.to_owned(), expected, found };
    if reader.latest_checkpoint().map_err(LogError::Store)?.is_none() {
        return Err(not_there("its signed checkpoint", "none".to_owned()));
    }
    match genesis::fault(reader, origin, key).map_err(LogError::Store)? {
        Some(found) => Err(not_there("its genesis statement at leaf 0", found)),
        None => Ok(()),
    }
}

/// Reads the right edge and holds it against the newest checkpoint.
fn load(reader: &Reader<'_>, note_key: &NoteKey) -> Result<(RightEdge, i64), LogError> {
    let Some((size, stored)) = reader.latest_checkpoint().map_err(LogError::Store)? else {
        return Ok((RightEdge::default(), 0));
    };
    let opened = SignedCheckpoint::open(&stored.text, note_key)
        .map_err(|e| LogError::Damaged(format!("its newest checkpoint: {}", chain(&e))))?;
    let edge = RightEdge::load(size, |tile| reader.tile(tile.level, tile.index))
        .map_err(LogError::Store)?;
    let root = reader.root(size).map_err(|e| LogError::Damaged(chain(&e)))?;
    if (opened.checkpoint.size, opened.checkpoint.root) != (size, root) {
        return Err(LogError::Damaged(format!(
            "expected a tree of size {} with root {}, found size {size} with root {root}",
            opened.checkpoint.size, opened.checkpoint.root
        )));
    }
    Ok((edge, stored.signed_at_ms))
}

/// The state that the thread owns.
struct Sequencer {
    store: Arc<Store>,
    origin: String,
    signing_key: SigningKey,
    edge: RightEdge,
    last_signed_ms: i64,
    clock: Clock,
    metrics: Arc<Metrics>,
    progress: Arc<Progress>,
}

/// Where a submission of a batch stands.
enum Placed {
    /// A new leaf of this batch.
    New(u64),
    /// A leaf that was there; `stored` says whether this submission adds its content to it.
    Existing { index: u64, stored: bool },
}

/// A batch on its way to the disk.
struct Forming {
    edge: RightEdge,
    full: FullTiles,
    writes: Batch,
    /// The indexes of this batch's new leaves, by [`Submission::identity`].
    added: HashMap<Sha256, u64>,
    /// The records that this batch writes, as its last write leaves them.
    records: HashMap<u64, Record>,
    placed: Vec<Placed>,
}

impl Sequencer {
    fn run(mut self, queue: &Receiver<Waiting>, batch_limit: usize) {
        while let Ok(first) = queue.recv() {
            let mut waiting = vec![first];
            while waiting.len() < batch_limit
                && let Ok(next) = queue.try_recv()
            {
                waiting.push(next);
            }
            self.metrics.queue_depth.sub(waiting.len() as i64);
            self.metrics.batch_size.observe(waiting.len() as f64);
            let started = std::time::Instant::now();
            let receipts = self.batch(&waiting).map_err(Arc::new);
            self.metrics.batch_seconds.observe(started.elapsed().as_secs_f64());
            self.answer(waiting, receipts);
        }
    }

    fn answer(&self, waiting: Vec<Waiting>, receipts: Result<Vec<Receipt>, Arc<BatchError>>) {
        let receipts = match fault::point(FaultPoint::AnswerBefore) {
            Ok(()) => receipts,
            Err(e) => Err(Arc::new(BatchError::Tree(e.to_string()))),
        };
        match receipts {
            Ok(receipts) => {
                for (waiting, receipt) in waiting.into_iter().zip(receipts) {
                    // A client that went away has its leaf all the same.
                    let _ = waiting.answer.send(Ok(receipt));
                }
            }
            Err(error) => {
                tracing::error!(error = chain(&*error), "a batch was not committed");
                for waiting in waiting {
                    let _ = waiting.answer.send(Err(SubmitError::Failed(Arc::clone(&error))));
                }
            }
        }
    }

    /// Commits one batch. On failure the sequencer's state is as before.
    fn batch(&mut self, waiting: &[Waiting]) -> Result<Vec<Receipt>, BatchError> {
        let mut forming = Forming {
            edge: self.edge.clone(),
            full: FullTiles::new(),
            writes: Batch::default(),
            added: HashMap::new(),
            records: HashMap::new(),
            placed: Vec::with_capacity(waiting.len()),
        };
        let signed_at_ms = self.clock.now().as_millisecond().max(self.last_signed_ms);
        let stored = self.stored(waiting)?;
        let batch_size = self.size_with(waiting, &stored)?;
        for (waiting, stored) in waiting.iter().zip(stored) {
            self.place(&waiting.submission, stored, &mut forming, batch_size, signed_at_ms)?;
        }
        let checkpoint = if forming.edge.size() > self.edge.size() {
            Some(self.seal(&mut forming, signed_at_ms)?)
        } else {
            None
        };
        if !forming.writes.is_empty() {
            self.commit(std::mem::take(&mut forming.writes))?;
            self.edge = forming.edge.clone();
            self.last_signed_ms = signed_at_ms;
            self.metrics.log_size.set(i64::try_from(self.edge.size()).unwrap_or(i64::MAX));
            let completed = forming.placed.iter().filter_map(|placed| match placed {
                Placed::Existing { index, stored: true } => Some(*index),
                _ => None,
            });
            self.progress.commit(&completed.collect::<Vec<u64>>());
        }
        self.receipts(waiting, &forming, checkpoint.as_ref(), signed_at_ms)
    }

    /// The index and record of each submission whose leaf is there already.
    fn stored(&self, waiting: &[Waiting]) -> Result<Vec<Option<(u64, Record)>>, BatchError> {
        let reader = self.store.reader();
        let find = |waiting: &Waiting| {
            let submission = &waiting.submission;
            let mut index = reader.sequence_of_leaf(&submission.leaf_hash)?;
            if let (None, Some(other)) = (index, &submission.other_hash) {
                index = reader.sequence_of_leaf(other)?;
            }
            let Some(index) = index else { return Ok(None) };
            let missing = || StoreError::Missing { what: format!("record {index}") };
            Ok(Some((index, reader.record(index)?.ok_or_else(missing)?)))
        };
        waiting.iter().map(find).collect()
    }

    /// The size of the tree after this batch, which the records name before it is grown.
    fn size_with(
        &self,
        waiting: &[Waiting],
        stored: &[Option<(u64, Record)>],
    ) -> Result<u64, BatchError> {
        let new = waiting.iter().zip(stored).filter(|(_, stored)| stored.is_none());
        let distinct: std::collections::HashSet<_> =
            new.map(|(waiting, _)| waiting.submission.identity()).collect();
        Ok(self.edge.size().checked_add(distinct.len() as u64).ok_or(TreeError::Full)?)
    }

    /// Commit point: before this call nothing of the batch exists, after it all of it does. A
    /// crash inside leaves one of the two, because the batch is one record of a synced log.
    fn commit(&self, writes: Batch) -> Result<(), BatchError> {
        let injected =
            |e: std::io::Error| StoreError::Engine(EngineError::Io { detail: e.to_string() });
        fault::point(FaultPoint::BatchBefore).map_err(injected)?;
        self.store.commit(writes)?;
        // An error injected here must not look like an uncommitted batch: only the death of the
        // process may separate the commit from what follows.
        let _ = fault::point(FaultPoint::BatchAfter);
        Ok(())
    }

    /// Gives a submission its place, adding a leaf when there is none for it yet.
    fn place(
        &self,
        submission: &Submission,
        stored: Option<(u64, Record)>,
        forming: &mut Forming,
        batch_size: u64,
        signed_at_ms: i64,
    ) -> Result<(), BatchError> {
        let payload = &submission.payload;
        let identity = submission.identity();
        let (stored_index, stored) = stored.unzip();
        let known = stored_index.or_else(|| forming.added.get(&identity).copied());
        let Some(index) = known else {
            let index = forming.edge.size();
            forming.edge.append(submission.leaf_hash, &mut forming.full)?;
            let record = new_record(submission, batch_size, signed_at_ms);
            write_leaf(&mut forming.writes, index, submission);
            write_payload(&mut forming.writes, index, submission, &record);
            forming.added.insert(identity, index);
            forming.records.insert(index, record);
            forming.placed.push(Placed::New(index));
            return Ok(());
        };
        let missing = || StoreError::Missing { what: format!("record {index}") };
        let record = forming.records.get(&index).cloned().or(stored).ok_or_else(missing)?;
        // A stock client logs by digest alone, and a signature may come without what it covers.
        // When more of it comes later, it joins the leaf that is there; a leaf never changes and
        // never comes twice.
        let completes = payload.kind.completeness() > record.kind.completeness();
        let is_unclaimed = record.unclaimed || record.kind == Kind::Entry;
        let claims = is_unclaimed && !payload.unclaimed;
        forming.placed.push(Placed::Existing { index, stored: completes });
        if !completes && !claims {
            return Ok(());
        }
        let mut changed = match completes {
            true => Record {
                leaf_hash: record.leaf_hash,
                ..new_record(submission, record.batch_size, record.logged_at_ms)
            },
            false => record.clone(),
        };
        let namespace = if is_unclaimed { &payload.namespace } else { &record.namespace };
        changed.namespace.clone_from(namespace);
        changed.unclaimed = is_unclaimed && payload.unclaimed;
        if changed.namespace != record.namespace {
            let posting = Term::new(TermKind::Namespace, record.namespace).posting(index);
            forming.writes.remove(Family::Postings, posting);
        }
        match completes {
            true => write_payload(&mut forming.writes, index, submission, &changed),
            false => write_record(&mut forming.writes, index, &changed),
        }
        forming.records.insert(index, changed);
        Ok(())
    }

    /// Adds the tiles and the signed checkpoint to the batch.
    fn seal(&self, forming: &mut Forming, signed_at_ms: i64) -> Result<Proven, BatchError> {
        for ((level, index), tile) in &forming.full {
            let hashes = write_hashes(tile.hashes());
            forming.writes.put(Family::Tiles, key::tile(*level, *index), hashes);
        }
        for (address, tile) in forming.edge.partial_tiles() {
            let hashes = write_hashes(tile.hashes());
            forming.writes.put(Family::Tiles, key::tile(address.level, address.index), hashes);
        }
        let reader = self.store.reader();
        let mut node = NodeSource::new(&reader, &forming.edge, &forming.full);
        let size = forming.edge.size();
        let root = merkle::root(size, |n| node.read(n)).map_err(tree)?;
        let head = Checkpoint { origin: self.origin.clone(), size, root, extensions: Vec::new() };
        let time_s = u64::try_from(signed_at_ms / 1000).unwrap_or_default();
        let text = SignedCheckpoint::sign(&head, &self.signing_key, time_s)
            .map_err(|e| BatchError::Tree(chain(&e)))?
            .into_string();
        let stored = StoredCheckpoint { text: text.clone(), signed_at_ms };
        forming.writes.put(Family::Meta, key::checkpoint(size), record::encode(&stored));
        Ok(Proven { index: 0, size, root, hashes: Vec::new(), checkpoint: text })
    }

    /// The receipts, in the order of the submissions; the new leaves were logged at this moment.
    fn receipts(
        &self,
        waiting: &[Waiting],
        forming: &Forming,
        head: Option<&Proven>,
        logged_at_ms: i64,
    ) -> Result<Vec<Receipt>, BatchError> {
        let reader = self.store.reader();
        let mut node = NodeSource::new(&reader, &forming.edge, &forming.full);
        let mut receipts = Vec::with_capacity(waiting.len());
        let added = forming.placed.iter().filter(|p| matches!(p, Placed::New(_))).count() as u64;
        for (waiting, placed) in waiting.iter().zip(&forming.placed) {
            let submission = &waiting.submission;
            let (index, created, record) = match placed {
                Placed::New(index) => (*index, true, None),
                Placed::Existing { index, stored } => {
                    (*index, *stored, Some(stored_record(&reader, *index)?))
                }
            };
            let new = head.filter(|head| index < head.size && index >= head.size - added);
            let proven = match (new, &record) {
                (Some(head), _) => {
                    let hashes = merkle::inclusion_proof(index, head.size, |n| node.read(n))
                        .map_err(tree)?;
                    Proven { index, hashes, ..head.clone() }
                }
                // An entry's first proof, with the checkpoint of the batch that held it.
                (None, Some(record)) => reader
                    .proven(index, record.batch_size)
                    .map_err(|e| BatchError::Tree(chain(&e)))?,
                (None, None) => {
                    return Err(BatchError::Tree(format!("leaf {index} has no checkpoint")));
                }
            };
            // The answer is what is kept, which may have come in other bytes or in the other form
            // of the signature.
            let body = match &record {
                Some(record) if record.leaf_hash != submission.leaf_hash => {
                    let missing = || StoreError::Missing { what: format!("leaf {index}") };
                    reader.leaf(index)?.ok_or_else(missing)?
                }
                _ => submission.body.clone(),
            };
            let (digest, namespace, logged_at_ms) = match record {
                Some(record) => (record.digest, record.namespace, record.logged_at_ms),
                None => {
                    let payload = &submission.payload;
                    (payload.digest, payload.namespace.clone(), logged_at_ms)
                }
            };
            receipts.push(Receipt { created, digest, namespace, body, logged_at_ms, proven });
        }
        Ok(receipts)
    }
}

fn stored_record(reader: &Reader<'_>, index: u64) -> Result<Record, BatchError> {
    let missing = || StoreError::Missing { what: format!("record {index}") };
    Ok(reader.record(index)?.ok_or_else(missing)?)
}

fn tree<E: std::error::Error + 'static>(error: E) -> BatchError {
    BatchError::Tree(chain(&error))
}

/// Nodes near the edge from memory, nodes further left from the store.
struct NodeSource<'a, 's> {
    reader: &'a Reader<'s>,
    edge: &'a RightEdge,
    full: &'a FullTiles,
    older: HashMap<NodeAddress, Sha256>,
}

impl<'a, 's> NodeSource<'a, 's> {
    fn new(reader: &'a Reader<'s>, edge: &'a RightEdge, full: &'a FullTiles) -> Self {
        Self { reader, edge, full, older: HashMap::new() }
    }

    fn read(&mut self, node: NodeAddress) -> Result<Sha256, TreeError> {
        if let Ok(hash) = self.edge.node(self.full, node) {
            return Ok(hash);
        }
        if let Some(hash) = self.older.get(&node) {
            return Ok(*hash);
        }
        let missing = || TreeError::MissingNode(node);
        let place = attestry_schemas::tile::NodePlace::of(node).ok_or_else(missing)?;
        let tile = self.reader.tile(place.tile_level, place.tile_index).map_err(|_| missing())?;
        let hash = tile.node(place.level, place.index).ok_or_else(missing)?;
        self.older.insert(node, hash);
        Ok(hash)
    }
}

fn new_record(submission: &Submission, batch_size: u64, logged_at_ms: i64) -> Record {
    let payload = &submission.payload;
    Record {
        kind: payload.kind,
        digest: payload.digest,
        leaf_hash: submission.leaf_hash,
        logged_at_ms,
        batch_size,
        namespace: payload.namespace.clone(),
        unclaimed: payload.unclaimed,
        signer: payload.signer,
        signer_known: payload.signer_known,
        predicate_type: payload.predicate_type.clone(),
        subjects: payload.subjects.clone(),
        subject_count: payload.subject_count,
    }
}

fn write_leaf(writes: &mut Batch, index: u64, submission: &Submission) {
    writes.put(Family::Leaves, key::sequence(index), submission.body.clone());
    writes.put(Family::Lookups, key::leaf_lookup(&submission.leaf_hash), key::sequence(index));
}

/// Writes everything of a payload but the leaf. `fsck` expects exactly these entries.
fn write_payload(writes: &mut Batch, index: u64, submission: &Submission, record: &Record) {
    let payload = &submission.payload;
    writes.put(Family::Lookups, key::digest_lookup(&payload.digest), key::sequence(index));
    if payload.kind != Kind::Entry && is_inline(&payload.bytes) {
        writes.put(Family::Content, payload.digest.0, payload.bytes.clone());
    }
    // The record's namespace, which may be an earlier one, is the one that counts.
    for term in payload.terms.iter().filter(|term| term.kind != TermKind::Namespace) {
        writes.put(Family::Postings, term.posting(index), []);
    }
    for key in payload.edges.iter().flat_map(|e| e.keys(index)) {
        writes.put(Family::Edges, key, []);
    }
    write_record(writes, index, record);
}

/// Writes a record, with the posting of its namespace.
fn write_record(writes: &mut Batch, index: u64, record: &Record) {
    writes.put(Family::Statements, key::sequence(index), record::encode(record));
    let namespace = Term::new(TermKind::Namespace, record.namespace.as_str());
    writes.put(Family::Postings, namespace.posting(index), []);
}
