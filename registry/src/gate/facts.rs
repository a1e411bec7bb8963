//! Facts at rest: a thread that follows the log and writes down what each attestation says, for whoever needs it after it has
//! left the memory, or after a restart.
//!
//! A decision stands on some twenty attestations, and to replay a hundred thousand decisions is to read two million. Of each, parsing
//! takes most of the time; facts that were parsed before take a tenth of it. They are read under a seal and a leaf that a checkpoint
//! proves ([`attestry_schemas::gate::Seal`]), which it does for full tiles, so they are written tile by tile. Where they are missing,
//! damaged or of another version of the program, the attestation itself is read.
//!
//! Of what may still be completed, such as a signature whose envelope did not come, nothing is written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use attestry_schemas::gate::SEALED_FORMAT;
use attestry_schemas::problem::chain;
use attestry_schemas::tile::TILE_WIDTH;

use super::Gate;
use crate::store::facts::FactsCursor;
use crate::store::{Reader, StoreError};
use crate::worker::Worker;

/// How many attestations have their turn between two writes: those of a full tile of the log.
const BLOCK: u64 = TILE_WIDTH as u64;
/// The time after news: whoever logged an attestation puts what it says into memory then.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest time between two looks.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The time after a failure.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// The running thread. It ends when it is stopped, or dropped.
pub struct Keeper(Worker);

struct Keeping {
    gate: Arc<Gate>,
    stopping: AtomicBool,
}

impl Keeper {
    /// Starts to keep the facts of a gate's log.
    ///
    /// # Errors
    /// The system's, when it gives no thread.
    pub fn start(gate: Arc<Gate>) -> std::io::Result<Self> {
        let keeping = Arc::new(Keeping { gate, stopping: AtomicBool::new(false) });
        let following = Arc::clone(&keeping);
        Worker::start("facts", move || following.run(), move || keeping.end()).map(Self)
    }

    /// Ends the thread; what it did not come to, the next start does.
    pub fn stop(&mut self) {
        self.0.stop();
    }
}

impl Keeping {
    fn end(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.gate.log.progress().wake();
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn run(&self) {
        let progress = self.gate.log.progress();
        let mut completed = progress.log().completed;
        while !self.is_stopping() {
            let seen = progress.wait(u64::MAX, Duration::ZERO);
            let wait = match self.follow(&mut completed) {
                Ok(()) => LONGEST_WAIT,
                Err(error) => {
                    tracing::error!(error = chain(&error), "facts cannot be kept; trying again");
                    PAUSE_AFTER_FAILURE
                }
            };
            if self.is_stopping() {
                return;
            }
            let _ = progress.wait(seen, wait);
            std::thread::park_timeout(PAUSE);
        }
    }

    /// Writes down what was logged since, and what was completed.
    fn follow(&self, completed: &mut u64) -> Result<(), StoreError> {
        let gate = &self.gate;
        while !self.is_stopping() {
            let began = Instant::now();
            let reader = gate.store.reader();
            let cursor = cursor(&reader)?;
            let end = full(reader.size()?).min(cursor.next + BLOCK);
            let (count, which) = gate.log.progress().completed_since(*completed);
            let late = which.unwrap_or_default().into_iter().filter(|one| *one < cursor.next);
            let turn: Vec<u64> = late.chain(cursor.next..end).collect();
            if turn.is_empty() {
                return Ok(());
            }
            let mut facts = Vec::new();
            for sequence in turn {
                facts
                    .extend(gate.shelf.sealed(&reader, sequence)?.map(|sealed| (sequence, sealed)));
            }
            gate.store.put_facts(facts, FactsCursor { next: end.max(cursor.next), ..cursor })?;
            *completed = count;
            // Half of one processor at most, so that a first start over a large log serves as well.
            std::thread::park_timeout(began.elapsed());
        }
        Ok(())
    }
}

/// How many leaves are in full tiles.
fn full(size: u64) -> u64 {
    size - size % BLOCK
}

/// How far facts of this program's format are kept.
fn cursor(reader: &Reader<'_>) -> Result<FactsCursor, StoreError> {
    let kept = reader.facts_cursor()?.filter(|cursor| cursor.format == SEALED_FORMAT);
    Ok(kept.unwrap_or(FactsCursor { format: SEALED_FORMAT, next: 0 }))
}

#[cfg(test)]
mod tests;
