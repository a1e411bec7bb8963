//! Changes: writes that are worked out by the sequencer, in its one order, and that land in one batch with the
//! leaves which tell of them.
//!
//! What a change writes may depend on what is there, such as where a tag points. It is asked when its batch
//! is formed, and sees what the changes before it in the same batch are about to write.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::running::{Receipt, SubmitError};
use super::submission::Submission;
use crate::store::engine::{Batch, Family};
use crate::store::{Reader, StoreError};

/// What a change writes.
#[derive(Default)]
pub struct Prepared {
    /// Entries of the store.
    pub writes: Batch,
    /// Leaves of the log.
    pub leaves: Vec<Submission>,
}

/// What the changes of a forming batch write.
#[derive(Default)]
pub(super) struct Overlay {
    writes: HashMap<(Family, Vec<u8>), Option<Vec<u8>>>,
    /// The first read that failed, which fails the batch.
    fault: RefCell<Option<StoreError>>,
}

impl Overlay {
    pub(super) fn add(&mut self, batch: &Batch) {
        for (family, key, value) in batch.iter() {
            self.writes.insert((family, key.to_vec()), value.map(<[u8]>::to_vec));
        }
    }

    pub(super) fn fault(self) -> Option<StoreError> {
        self.fault.into_inner()
    }
}

/// The store as it will be when the changes before this one are written.
pub struct View<'v> {
    reader: &'v Reader<'v>,
    overlay: &'v Overlay,
    at_ms: i64,
}

impl<'v> View<'v> {
    pub(super) fn new(reader: &'v Reader<'v>, overlay: &'v Overlay, at_ms: i64) -> Self {
        Self { reader, overlay, at_ms }
    }

    /// When the batch is signed, Unix milliseconds.
    #[must_use]
    pub fn at_ms(&self) -> i64 {
        self.at_ms
    }

    /// One value, as it will be.
    ///
    /// A read that fails fails the whole batch: its reason is told to everyone who waits for it.
    pub fn value(&self, family: Family, key: &[u8]) -> Option<Vec<u8>> {
        match self.overlay.writes.get(&(family, key.to_vec())) {
            Some(value) => value.clone(),
            None => self.sound(self.reader.value(family, key)).flatten(),
        }
    }

    /// The store as it is. In a batch of its own nothing else is about to be written.
    #[must_use]
    pub fn reader(&self) -> &Reader<'v> {
        self.reader
    }

    /// What was read; a failure fails the batch.
    pub fn sound<T>(&self, read: Result<T, StoreError>) -> Option<T> {
        read.map_err(|error| self.overlay.fault.borrow_mut().get_or_insert(error).is_storage()).ok()
    }
}

type Prepare = dyn FnOnce(&View<'_>) -> Option<Prepared> + Send;

/// A change, waiting to be asked.
pub(super) struct Change(Box<Prepare>);

impl Change {
    /// A change, and where its outcome will be.
    pub(super) fn of<T: Send + 'static, E: Send + 'static>(
        work: impl FnOnce(&View<'_>) -> Result<(Prepared, T), E> + Send + 'static,
    ) -> (Self, Outcome<T, E>) {
        let outcome = Outcome::<T, E>::default();
        let slot = Arc::clone(&outcome);
        let prepare = move |view: &View<'_>| {
            let (prepared, told) = match work(view) {
                Ok((prepared, answer)) => (Some(prepared), Ok(answer)),
                Err(refusal) => (None, Err(refusal)),
            };
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
            prepared
        };
        (Self(Box::new(prepare)), outcome)
    }

    /// Asks it; nothing when it refuses.
    pub(super) fn prepare(self, view: &View<'_>) -> Option<Prepared> {
        (self.0)(view)
    }
}

type Outcome<T, E> = Arc<Mutex<Option<Result<T, E>>>>;

/// Why a change was not made.
#[derive(Debug)]
pub enum ChangeError<E> {
    /// It refused itself, for what it found.
    Refused(E),
    /// The log did not take it, or its batch was not committed.
    Log(SubmitError),
}

/// A change that waits for its batch.
pub struct Pending<T, E> {
    receipts: oneshot::Receiver<Result<Vec<Receipt>, SubmitError>>,
    outcome: Outcome<T, E>,
}

impl<T, E> Pending<T, E> {
    pub(super) fn new(
        receipts: oneshot::Receiver<Result<Vec<Receipt>, SubmitError>>,
        outcome: Outcome<T, E>,
    ) -> Self {
        Self { receipts, outcome }
    }

    /// Waits until it is durable.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn made(self) -> Result<(T, Vec<Receipt>), ChangeError<E>> {
        let receipts = self.receipts.await.unwrap_or(Err(SubmitError::Stopping));
        finish(&self.outcome, receipts)
    }

    /// As [`Pending::made`], for threads that may block.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn made_blocking(self) -> Result<(T, Vec<Receipt>), ChangeError<E>> {
        let receipts = self.receipts.blocking_recv().unwrap_or(Err(SubmitError::Stopping));
        finish(&self.outcome, receipts)
    }
}

fn finish<T, E>(
    outcome: &Outcome<T, E>,
    receipts: Result<Vec<Receipt>, SubmitError>,
) -> Result<(T, Vec<Receipt>), ChangeError<E>> {
    let receipts = receipts.map_err(ChangeError::Log)?;
    match outcome.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(Ok(answer)) => Ok((answer, receipts)),
        Some(Err(refusal)) => Err(ChangeError::Refused(refusal)),
        None => Err(ChangeError::Log(SubmitError::Stopping)),
    }
}
