//! The running log: what opens it, what is submitted to it, and what a submitter is answered.
//!
//! The tree itself belongs to the thread of [`super::sequencer`].

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use attestry_schemas::checkpoint::SignedCheckpoint;
use attestry_schemas::digest::Sha256;
use attestry_schemas::key::{PublicKey, SigningKey};
use attestry_schemas::note::NoteKey;
use attestry_schemas::problem::chain;
use attestry_schemas::rekor::LogId;
use tokio::sync::oneshot;

use super::change::{Change, Pending, Prepared, View};
use super::genesis;
use super::progress::Progress;
use super::proof::{LogIdentity, Proven};
use super::sequencer::{Sequencer, Waiting, Work};
use super::submission::Submission;
use super::tree::{RightEdge, TreeError};
use super::wait;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::store::{Reader, Store, StoreError};

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
    /// There is no receipt in time; whether it will be in the log is not known.
    #[error(
        "expected the log to take this within {limit_ms} ms, found that it did not; whether it still will is not known: ask again, and look at the server's disk if it stays so"
    )]
    Late {
        /// How long it was awaited, in milliseconds.
        limit_ms: u128,
    },
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
        let progress = Arc::new(Progress::from(edge.size()));
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
        let (answer, receipt) = oneshot::channel();
        self.queue(Waiting { work: Work::Leaf(Box::new(submission), answer), is_alone: false })?;
        Ok(receipt)
    }

    /// Submits, and waits for the receipt on a thread that may block, no longer than `limit`.
    ///
    /// # Errors
    /// [`SubmitError`], [`SubmitError::Late`] when there is none by then.
    pub fn submit_within(
        &self,
        submission: Submission,
        limit: Duration,
    ) -> Result<Receipt, SubmitError> {
        match wait::within(self.submit(submission)?, limit) {
            Some(answer) => answer.unwrap_or(Err(SubmitError::Stopping)),
            None => Err(SubmitError::Late { limit_ms: limit.as_millis() }),
        }
    }

    /// Queues a change: the sequencer calls `work` with what will be there when its batch is written, and
    /// commits the writes and leaves that it gives together with the rest of the batch.
    ///
    /// # Errors
    /// As [`Log::submit`].
    pub fn change<T: Send + 'static, E: Send + 'static>(
        &self,
        work: impl FnOnce(&View<'_>) -> Result<(Prepared, T), E> + Send + 'static,
    ) -> Result<Pending<T, E>, SubmitError> {
        self.queue_change(work, false)
    }

    /// As [`Log::change`], in a batch of its own, so that the view's snapshot is all that there is: for work
    /// that must look at ranges of keys.
    ///
    /// # Errors
    /// As [`Log::submit`].
    pub fn change_alone<T: Send + 'static, E: Send + 'static>(
        &self,
        work: impl FnOnce(&View<'_>) -> Result<(Prepared, T), E> + Send + 'static,
    ) -> Result<Pending<T, E>, SubmitError> {
        self.queue_change(work, true)
    }

    fn queue_change<T: Send + 'static, E: Send + 'static>(
        &self,
        work: impl FnOnce(&View<'_>) -> Result<(Prepared, T), E> + Send + 'static,
        is_alone: bool,
    ) -> Result<Pending<T, E>, SubmitError> {
        let (answer, receipts) = oneshot::channel();
        let (change, outcome) = Change::of(work);
        self.queue(Waiting { work: Work::Change(change, answer), is_alone })?;
        Ok(Pending::new(receipts, outcome))
    }

    fn queue(&self, waiting: Waiting) -> Result<(), SubmitError> {
        let queue = self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let queue = queue.as_ref().ok_or(SubmitError::Stopping)?;
        match queue.try_send(waiting) {
            Ok(()) => {
                self.metrics.queue_depth.inc();
                Ok(())
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
