//! The webhook: events as signed POST requests, in a thread of their own.
//!
//! The body is the event as JSON. The header `Attestry-Signature: ed25519=<base64>` is the signature of
//! exactly these bytes by the gate's key, which is the log's key of `trusted_root.json`. An answer other than
//! 2xx, and none, is tried again, each time after twice as long; then the event is given up, counted and logged.
//!
//! There is no queue: every event follows from a leaf of the log ([`super::event`]), so the thread follows the log, and the
//! store keeps how far it came. A restart goes on from there. A stop or a crash before that is written tells an event
//! again, with the same id: at least once. Once that is written, nothing before it is told again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use attestry_schemas::base64;
use attestry_schemas::problem::chain;
use ureq::Agent;
use ureq::tls::{TlsConfig, TlsProvider};

use super::Gate;
use super::event::Event;
use super::monitor::MonitorError;
use crate::store::StoreError;
use crate::worker::Worker;

/// The header with the signature.
pub(super) const SIGNATURE_HEADER: &str = "attestry-signature";
/// How often one event is tried.
const MAX_ATTEMPTS: u32 = 8;
/// The time before the second attempt; it doubles from there.
const FIRST_PAUSE: Duration = Duration::from_millis(if cfg!(test) { 40 } else { 500 });
/// The longest time of one attempt.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest time between two looks at the log.
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// The time after a failure of the store.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// How many leaves without an event are passed before the store is told: a restart looks at them again.
const LEAVES_UNTOLD: u64 = 1_000;

/// Where events go.
pub(super) struct Webhook {
    sending: Worker,
}

/// Whether the thread shall end.
#[derive(Default)]
struct Stopping {
    told: Mutex<bool>,
    changed: Condvar,
}

impl Stopping {
    fn told(&self) -> MutexGuard<'_, bool> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, or until the thread shall end; tells whether it shall.
    fn wait(&self, pause: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.told(), pause, |told| !*told);
        let (told, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *told
    }
}

impl Webhook {
    /// Follows the log from where it was left; the first time, from its end.
    pub(super) fn start(gate: &Arc<Gate>, url: &str) -> Result<Self, MonitorError> {
        let stopping = Arc::new(Stopping::default());
        let reader = gate.store.reader();
        let next = reader.event_cursor().map_err(MonitorError::Store)?;
        let size = reader.latest_checkpoint().map_err(MonitorError::Store)?.map_or(0, |(n, _)| n);
        drop(reader);
        // A cursor beyond the log would pass over what comes.
        let next = match next.filter(|next| *next <= size) {
            Some(next) => next,
            None => {
                gate.store.put_event_cursor(size).map_err(MonitorError::Store)?;
                size
            }
        };
        let mut sending = Sending {
            gate: Arc::clone(gate),
            url: url.to_owned(),
            agent: agent(),
            stopping: Arc::clone(&stopping),
            next,
            written: next,
            completed: gate.log.progress().completed_since(u64::MAX).0,
        };
        let gate = Arc::clone(gate);
        let end = move || {
            *stopping.told() = true;
            stopping.changed.notify_all();
            gate.log.progress().wake();
        };
        let sending =
            Worker::start("webhook", move || sending.run(), end).map_err(MonitorError::Thread)?;
        Ok(Self { sending })
    }

    /// Ends the thread. What was not told is told after the next start.
    pub(super) fn stop(&mut self) {
        self.sending.stop();
    }
}

impl Gate {
    fn count_webhook(&self, outcome: &str) {
        self.metrics.delivery.webhook.with_label_values(&[outcome]).inc();
    }
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Delivered,
    GivenUp,
    /// The thread shall end; whether it was taken is not known.
    Stopping,
}

/// What the thread stands on.
struct Sending {
    gate: Arc<Gate>,
    url: String,
    agent: Agent,
    stopping: Arc<Stopping>,
    /// The first leaf whose events are not told.
    next: u64,
    /// What of that the store has.
    written: u64,
    /// How many completed leaves were seen.
    completed: u64,
}

impl Sending {
    fn run(&mut self) {
        let gate = Arc::clone(&self.gate);
        let progress = gate.log.progress();
        let mut seen = progress.wait(u64::MAX, Duration::ZERO);
        while !*self.stopping.told() {
            // An error of ours must not end what tells.
            let followed = catch_unwind(AssertUnwindSafe(|| self.follow()));
            let error = match followed {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(chain(&error)),
                Err(_) => Some("a panic".to_owned()),
            };
            match error {
                None => seen = progress.wait(seen, LONGEST_WAIT),
                Some(error) => {
                    tracing::error!(error, "the webhook cannot follow the log; trying again");
                    let _ = self.stopping.wait(PAUSE_AFTER_FAILURE);
                }
            }
        }
        if let Err(error) = self.write() {
            let error = chain(&error);
            tracing::warn!(error, "the next start looks again at leaves without an event");
        }
    }

    /// Tells what has come.
    fn follow(&mut self) -> Result<(), StoreError> {
        // Before the view of the store, so that it holds what was completed.
        let (completed, which) = self.gate.log.progress().completed_since(self.completed);
        let size = self.gate.store.reader().latest_checkpoint()?.map_or(0, |(size, _)| size);
        // A leaf that was logged by its digest alone says only later what it is about.
        let before = self.next;
        for sequence in which.into_iter().flatten().filter(|sequence| *sequence < before) {
            if self.tell(sequence)? == Told::Stopping {
                return Ok(());
            }
        }
        self.completed = completed;
        while self.next < size {
            if *self.stopping.told() || self.tell(self.next)? == Told::Stopping {
                return Ok(());
            }
            self.next += 1;
            if self.next - self.written >= LEAVES_UNTOLD {
                self.write()?;
            }
        }
        Ok(())
    }

    /// Tells the events of a leaf, and writes that they are told.
    fn tell(&mut self, sequence: u64) -> Result<Told, StoreError> {
        let events = self.gate.events_of(sequence)?;
        for event in &events {
            let told = self.deliver(event);
            match told {
                Told::Delivered => self.gate.count_webhook("delivered"),
                Told::GivenUp => {
                    self.gate.count_webhook("given-up");
                    let Event { id, event, subject, .. } = event;
                    tracing::error!(
                        id,
                        event,
                        subject,
                        "an event is given up: the webhook did not take it {MAX_ATTEMPTS} times"
                    );
                }
                Told::Stopping => return Ok(told),
            }
        }
        if !events.is_empty() && sequence >= self.written {
            self.gate.store.put_event_cursor(sequence + 1)?;
            self.written = sequence + 1;
        }
        Ok(Told::Delivered)
    }

    fn write(&mut self) -> Result<(), StoreError> {
        if self.next > self.written {
            self.gate.store.put_event_cursor(self.next)?;
            self.written = self.next;
        }
        Ok(())
    }

    /// Tries until it is taken, or given up.
    fn deliver(&self, event: &Event) -> Told {
        let body = match serde_json::to_vec(event) {
            Ok(body) => body,
            Err(error) => {
                tracing::error!(error = chain(&error), "an event cannot be written as JSON");
                return Told::GivenUp;
            }
        };
        let signature = format!("ed25519={}", base64::encode(self.gate.key.sign(&body)));
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=MAX_ATTEMPTS {
            if *self.stopping.told() {
                return Told::Stopping;
            }
            let answer = self
                .agent
                .post(&self.url)
                .header("content-type", "application/json")
                .header(SIGNATURE_HEADER, &signature)
                .send(body.as_slice());
            let why = match answer {
                Ok(answer) if answer.status().is_success() => return Told::Delivered,
                Ok(answer) => format!("it answered {}", answer.status()),
                Err(error) => chain(&error),
            };
            let again = attempt < MAX_ATTEMPTS;
            tracing::warn!(id = event.id, attempt, again, why, "the webhook did not take an event");
            if again && self.stopping.wait(pause) {
                return Told::Stopping;
            }
            pause *= 2;
        }
        Told::GivenUp
    }
}

fn agent() -> Agent {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(provider)
        .build();
    Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
        .http_status_as_error(false)
        .tls_config(tls)
        .build()
        .into()
}
