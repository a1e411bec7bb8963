//! Who did what, and what was refused: events that are told to the log output, counted, and kept.
//!
//! A request hands its event over and never waits: a thread writes what has come, many at once, without a sync
//! of its own, because what a write has done is itself durable, and signed in the log. The events are bounded rings:
//! strangers can fill the one of refusals alone, at a bounded rate. What is dropped is counted, and said by the next
//! event that is kept.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use attestry_schemas::problem::chain;

use crate::clock::Clock;
use crate::metrics::Metrics;
pub use crate::store::access_events::{EventRecord, Ring};
use crate::store::{Store, StoreError};

/// The most events that wait for the disk.
const MAX_WAITING: usize = 8192;
/// The most events of one write.
const MAX_BATCH: usize = 1024;
/// The most events that are kept of what was done, and of what was refused: at about 300 bytes each.
const KEPT: [(Ring, usize); 2] = [(Ring::Done, 1_000_000), (Ring::Denied, 200_000)];
/// How many refusals are recorded in a second, in the long run, and at once.
const DENIED_PER_SECOND: f64 = 100.0;
const DENIED_AT_ONCE: f64 = 1000.0;
/// The most characters of a text of an event, and of its path with what it keeps of the query.
const MAX_TEXT_CHARS: usize = 512;
const MAX_PATH_CHARS: usize = 1000;

/// Why the record cannot be continued.
#[derive(Debug, thiserror::Error)]
pub enum TrailError {
    /// The store cannot be read.
    #[error("the events that are kept cannot be read")]
    Store(#[source] StoreError),
    /// The system gave no thread.
    #[error("the thread that records events cannot be started")]
    Thread(#[source] std::io::Error),
}

/// What happened, as the request knows it.
#[derive(Debug, Clone, Default)]
pub struct Event {
    /// The id of the request.
    pub request: String,
    /// As whom the registry knows the caller.
    pub principal: Option<String>,
    /// What their issuer or certificate calls them.
    pub subject: Option<String>,
    /// The role that was demanded.
    pub role: Option<&'static str>,
    /// The namespace that it was demanded in.
    pub namespace: Option<String>,
    /// The method.
    pub method: &'static str,
    /// The path; with its query where that names what was asked for, and never carries what is secret.
    pub path: String,
    /// The address of the peer.
    pub address: Option<String>,
    /// The answer's status.
    pub status: u16,
}

/// Takes events.
pub struct Trail {
    queue: Mutex<Option<SyncSender<(Ring, EventRecord)>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    allowance: Mutex<Allowance>,
    clock: Clock,
    metrics: Arc<Metrics>,
}

/// What may still be recorded of refusals, and what was not.
struct Allowance {
    tokens: f64,
    at: Instant,
    dropped: [u64; 2],
}

impl Allowance {
    /// Whether one more refusal may be recorded now.
    fn admits(&mut self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + since * DENIED_PER_SECOND).min(DENIED_AT_ONCE);
        self.at = now;
        let admits = self.tokens >= 1.0;
        if admits {
            self.tokens -= 1.0;
        }
        admits
    }

    fn dropped(&mut self, ring: Ring) -> &mut u64 {
        let [done, denied] = &mut self.dropped;
        match ring {
            Ring::Done => done,
            Ring::Denied => denied,
        }
    }
}

impl Trail {
    /// Starts the thread, which goes on where the last one ended.
    ///
    /// # Errors
    /// [`TrailError`].
    pub fn start(
        store: Arc<Store>,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Result<Arc<Self>, TrailError> {
        let rings = Rings::read(&store, KEPT).map_err(TrailError::Store)?;
        let (sender, receiver) = sync_channel(MAX_WAITING);
        let write = move || rings.run(&store, &receiver);
        let thread = std::thread::Builder::new()
            .name("trail".to_owned())
            .spawn(write)
            .map_err(TrailError::Thread)?;
        let allowance = Allowance { tokens: DENIED_AT_ONCE, at: Instant::now(), dropped: [0; 2] };
        Ok(Arc::new(Self {
            queue: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
            allowance: Mutex::new(allowance),
            clock,
            metrics,
        }))
    }

    /// Tells, counts and keeps an event. Never waits.
    pub fn add(&self, ring: Ring, event: Event) {
        let mut allowance = self.allowance.lock().unwrap_or_else(PoisonError::into_inner);
        if ring == Ring::Denied && !allowance.admits(Instant::now()) {
            *allowance.dropped(ring) += 1;
            self.count("dropped");
            return;
        }
        tell(ring, &event);
        self.count(if ring == Ring::Done { "allowed" } else { "denied" });
        let dropped = *allowance.dropped(ring);
        let record = self.record(event, dropped);
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // A queue that is full or gone takes nothing.
        let is_taken = match queue.as_ref() {
            Some(queue) => queue.try_send((ring, record)).is_ok(),
            None => false,
        };
        if is_taken {
            *allowance.dropped(ring) = 0;
        } else {
            *allowance.dropped(ring) += 1;
            self.count("dropped");
        }
    }

    fn count(&self, outcome: &str) {
        self.metrics.access_events.with_label_values(&[outcome]).inc();
    }

    fn record(&self, event: Event, dropped: u64) -> EventRecord {
        let cut = |text: String| first(&text, MAX_TEXT_CHARS);
        EventRecord {
            at_ms: self.clock.now().as_millisecond(),
            request: event.request,
            principal: event.principal,
            subject: event.subject.map(cut),
            role: event.role.map(str::to_owned),
            namespace: event.namespace.map(cut),
            method: event.method.to_owned(),
            path: first(&event.path, MAX_PATH_CHARS),
            address: event.address,
            status: event.status,
            dropped,
        }
    }

    /// Writes what waits, and ends.
    pub fn stop(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the thread that records events ended by a panic");
        }
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The first characters of a text.
fn first(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// Texts of others are quoted, so that none of them can begin a line.
fn tell(ring: Ring, event: &Event) {
    tracing::info!(
        target: "audit",
        outcome = if ring == Ring::Done { "allowed" } else { "denied" },
        principal = event.principal.as_deref().unwrap_or("unknown"),
        subject = ?event.subject,
        role = event.role,
        namespace = ?event.namespace,
        method = event.method,
        path = ?first(&event.path, MAX_PATH_CHARS),
        address = event.address,
        status = event.status,
        request = event.request,
        "access"
    );
}

/// The numbers that are kept, and how many of them.
struct Rings {
    next: u64,
    held: Vec<(Ring, usize, VecDeque<u64>)>,
}

impl Rings {
    fn read(store: &Store, kept: [(Ring, usize); 2]) -> Result<Self, StoreError> {
        let reader = store.reader();
        let mut held = Vec::new();
        for (ring, most) in kept {
            held.push((ring, most, VecDeque::from(reader.event_numbers(ring)?)));
        }
        let newest = held.iter().filter_map(|(_, _, numbers)| numbers.back()).max();
        Ok(Self { next: newest.map_or(1, |newest| newest + 1), held })
    }

    fn run(mut self, store: &Store, events: &Receiver<(Ring, EventRecord)>) {
        while let Ok(first) = events.recv() {
            let mut batch = vec![first];
            while batch.len() < MAX_BATCH
                && let Ok(more) = events.try_recv()
            {
                batch.push(more);
            }
            if let Err(error) = self.write(store, batch) {
                tracing::error!(error = chain(&error), "events of access were not recorded");
            }
        }
    }

    fn write(&mut self, store: &Store, batch: Vec<(Ring, EventRecord)>) -> Result<(), StoreError> {
        let mut added = Vec::new();
        let mut removed = Vec::new();
        for (ring, event) in batch {
            let number = self.next;
            self.next += 1;
            added.push((ring, number, event));
            for (of, most, numbers) in self.held.iter_mut().filter(|(of, ..)| *of == ring) {
                numbers.push_back(number);
                while numbers.len() > *most {
                    removed.extend(numbers.pop_front().map(|oldest| (*of, oldest)));
                }
            }
        }
        store.add_events(&added, &removed)
    }
}

#[cfg(test)]
mod tests;
