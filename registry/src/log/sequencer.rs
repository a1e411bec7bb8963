//! The sequencer: one thread owns the tree.
//!
//! It takes what is waiting in a bounded queue, gives each new leaf its index, grows the tree,
//! signs the checkpoint, commits everything in one synced batch, and only then answers. It never
//! waits for more to come: an idle log answers one submission at once, a busy one shares a commit
//! among hundreds.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use attestry_schemas::checkpoint::{Checkpoint, SignedCheckpoint};
use attestry_schemas::digest::Sha256;
use attestry_schemas::key::SigningKey;
use attestry_schemas::merkle::{self, NodeAddress};
use attestry_schemas::problem::chain;
use attestry_schemas::tile::write_hashes;
use tokio::sync::oneshot;

use super::change::{Change, Overlay, View};
use super::progress::Progress;
use super::proof::Proven;
use super::running::{BatchError, Receipt, SubmitError};
use super::submission::Submission;
use super::tree::{FullTiles, RightEdge, TreeError};
use crate::clock::Clock;
use crate::fault::{self, FaultPoint};
use crate::metrics::Metrics;
use crate::store::engine::{Batch, EngineError, Family};
use crate::store::key::{Term, TermKind};
use crate::store::record::{self, Kind, Record, StoredCheckpoint};
use crate::store::{Reader, Store, StoreError, is_inline, key};

/// What waits for the sequencer.
pub(super) struct Waiting {
    pub(super) work: Work,
    /// Whether it wants a batch of its own.
    pub(super) is_alone: bool,
}

/// What is to be done, and who waits for it.
pub(super) enum Work {
    /// One leaf.
    Leaf(Box<Submission>, oneshot::Sender<Result<Receipt, SubmitError>>),
    /// Writes, with any number of leaves.
    Change(Change, oneshot::Sender<Result<Vec<Receipt>, SubmitError>>),
}

/// Who waits for the leaves of one piece of work, and how many they are.
enum Asker {
    Leaf(oneshot::Sender<Result<Receipt, SubmitError>>),
    Change(oneshot::Sender<Result<Vec<Receipt>, SubmitError>>, usize),
}

impl Asker {
    /// Answers with the next receipts. A client that went away has its leaves all the same.
    fn answer(self, receipts: &mut impl Iterator<Item = Receipt>) {
        match self {
            Self::Leaf(answer) => {
                if let Some(receipt) = receipts.next() {
                    let _ = answer.send(Ok(receipt));
                }
            }
            Self::Change(answer, count) => {
                let _ = answer.send(Ok(receipts.take(count).collect()));
            }
        }
    }

    fn fail(self, error: SubmitError) {
        match self {
            Self::Leaf(answer) => {
                let _ = answer.send(Err(error));
            }
            Self::Change(answer, _) => {
                let _ = answer.send(Err(error));
            }
        }
    }
}

/// The state that the thread owns.
pub(super) struct Sequencer {
    pub(super) store: Arc<Store>,
    pub(super) origin: String,
    pub(super) signing_key: SigningKey,
    pub(super) edge: RightEdge,
    pub(super) last_signed_ms: i64,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    pub(super) progress: Arc<Progress>,
}

/// Where a submission of a batch stands.
enum Placed {
    /// A new leaf of this batch.
    New(u64),
    /// A leaf that was there; `stored` says whether this submission adds its content to it.
    Existing { index: u64, stored: bool },
}

/// What the work of a batch comes to.
#[derive(Default)]
struct Gathered {
    askers: Vec<Asker>,
    leaves: Vec<Submission>,
    writes: Batch,
    fault: Option<StoreError>,
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
    pub(super) fn run(mut self, queue: &Receiver<Waiting>, batch_limit: usize) {
        let mut held = None;
        while let Some(first) = held.take().or_else(|| queue.recv().ok()) {
            let mut batch = vec![first];
            while batch.len() < batch_limit
                && batch.iter().all(|waiting| !waiting.is_alone)
                && let Ok(next) = queue.try_recv()
            {
                if next.is_alone {
                    held = Some(next);
                    break;
                }
                batch.push(next);
            }
            self.metrics.queue_depth.sub(batch.len() as i64);
            self.metrics.batch_size.observe(batch.len() as f64);
            let started = std::time::Instant::now();
            let (askers, receipts) = self.batch(batch);
            self.metrics.batch_seconds.observe(started.elapsed().as_secs_f64());
            answer(askers, receipts.map_err(Arc::new));
        }
    }

    /// Commits one batch. On failure the sequencer's state is as before.
    fn batch(&mut self, waiting: Vec<Waiting>) -> (Vec<Asker>, Result<Vec<Receipt>, BatchError>) {
        let signed_at_ms = self.clock.now().as_millisecond().max(self.last_signed_ms);
        let gathered = self.gather(waiting, signed_at_ms);
        let receipts = match gathered.fault {
            None => self.write(&gathered.leaves, gathered.writes, signed_at_ms),
            Some(fault) => Err(fault.into()),
        };
        (gathered.askers, receipts)
    }

    /// Lets each change say what it writes, knowing what those before it in the batch write.
    fn gather(&self, waiting: Vec<Waiting>, at_ms: i64) -> Gathered {
        let reader = self.store.reader();
        let mut overlay = Overlay::default();
        let mut gathered = Gathered::default();
        for one in waiting {
            match one.work {
                Work::Leaf(submission, answer) => {
                    gathered.leaves.push(*submission);
                    gathered.askers.push(Asker::Leaf(answer));
                }
                Work::Change(change, answer) => {
                    let prepared = change.prepare(&View::new(&reader, &overlay, at_ms));
                    let prepared = prepared.unwrap_or_default();
                    overlay.add(&prepared.writes);
                    gathered.askers.push(Asker::Change(answer, prepared.leaves.len()));
                    gathered.writes.append(prepared.writes);
                    gathered.leaves.extend(prepared.leaves);
                }
            }
        }
        gathered.fault = overlay.fault();
        gathered
    }

    fn write(
        &mut self,
        leaves: &[Submission],
        writes: Batch,
        signed_at_ms: i64,
    ) -> Result<Vec<Receipt>, BatchError> {
        let mut forming = Forming {
            edge: self.edge.clone(),
            full: FullTiles::new(),
            writes,
            added: HashMap::new(),
            records: HashMap::new(),
            placed: Vec::with_capacity(leaves.len()),
        };
        let stored = self.stored(leaves)?;
        let batch_size = self.size_with(leaves, &stored)?;
        for (submission, stored) in leaves.iter().zip(stored) {
            self.place(submission, stored, &mut forming, batch_size, signed_at_ms)?;
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
            let completed = completed.collect::<Vec<u64>>();
            let own = self.signing_key.public_key().fingerprint();
            let placed = leaves.iter().zip(&forming.placed);
            let others = placed.filter_map(|(leaf, placed)| match placed {
                Placed::New(index) if !leaf.payload.is_own_record(&own) => Some(index + 1),
                _ => None,
            });
            self.progress.commit(self.edge.size(), others.max().unwrap_or_default(), &completed);
        }
        self.receipts(leaves, &forming, checkpoint.as_ref(), signed_at_ms)
    }

    /// The index and record of each submission whose leaf is there already.
    fn stored(&self, leaves: &[Submission]) -> Result<Vec<Option<(u64, Record)>>, BatchError> {
        let reader = self.store.reader();
        let find = |submission: &Submission| {
            let mut index = reader.sequence_of_leaf(&submission.leaf_hash)?;
            if let (None, Some(other)) = (index, &submission.other_hash) {
                index = reader.sequence_of_leaf(other)?;
            }
            let Some(index) = index else { return Ok(None) };
            let missing = || StoreError::Missing { what: format!("record {index}") };
            Ok(Some((index, reader.record(index)?.ok_or_else(missing)?)))
        };
        leaves.iter().map(find).collect()
    }

    /// The size of the tree after this batch, which the records name before it is grown.
    fn size_with(
        &self,
        leaves: &[Submission],
        stored: &[Option<(u64, Record)>],
    ) -> Result<u64, BatchError> {
        let new = leaves.iter().zip(stored).filter(|(_, stored)| stored.is_none());
        let distinct: std::collections::HashSet<_> =
            new.map(|(submission, _)| submission.identity()).collect();
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
        let completes = payload.completeness() > record.completeness();
        let is_unclaimed = record.unclaimed || record.kind == Kind::Entry;
        let claims = is_unclaimed && !payload.unclaimed;
        forming.placed.push(Placed::Existing { index, stored: completes });
        if !completes && !claims {
            return Ok(());
        }
        let mut changed = match completes {
            true => Record {
                leaf_hash: record.leaf_hash,
                earlier: (record.kind == Kind::Bundle).then_some(record.digest),
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
        leaves: &[Submission],
        forming: &Forming,
        head: Option<&Proven>,
        logged_at_ms: i64,
    ) -> Result<Vec<Receipt>, BatchError> {
        let reader = self.store.reader();
        let mut node = NodeSource::new(&reader, &forming.edge, &forming.full);
        let mut receipts = Vec::with_capacity(leaves.len());
        let added = forming.placed.iter().filter(|p| matches!(p, Placed::New(_))).count() as u64;
        for (submission, placed) in leaves.iter().zip(&forming.placed) {
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

/// Answers everyone of a batch.
fn answer(askers: Vec<Asker>, receipts: Result<Vec<Receipt>, Arc<BatchError>>) {
    let receipts = match fault::point(FaultPoint::AnswerBefore) {
        Ok(()) => receipts,
        Err(e) => Err(Arc::new(BatchError::Tree(e.to_string()))),
    };
    match receipts {
        Ok(receipts) => {
            let mut receipts = receipts.into_iter();
            for asker in askers {
                asker.answer(&mut receipts);
            }
        }
        Err(error) => {
            tracing::error!(error = chain(&*error), "a batch was not committed");
            for asker in askers {
                asker.fail(SubmitError::Failed(Arc::clone(&error)));
            }
        }
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
        signer: payload.signer.clone(),
        earlier: None,
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
