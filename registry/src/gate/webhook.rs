//! The webhook: events as signed POST requests, in threads of their own.
//!
//! The body is the event as JSON. The header `Attestry-Signature: ed25519=<base64>` is the signature of
//! exactly these bytes by the gate's key, which is the log's key of `trusted_root.json`. An answer other than
//! 2xx, and none, is tried again, each time after twice as long; then the event is given up, counted and logged.
//!
//! Every event follows from a leaf of the log ([`super::event`]): one thread follows the log and puts what comes into the
//! [`Outbox`], others send it, and the store keeps how far everything is told. A restart goes on from there. A stop or a crash
//! before that is written tells an event again, with the same id: at least once. Once that is written, nothing
//! before it is told again.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use attestry_schemas::base64;
use attestry_schemas::problem::chain;
use ureq::Agent;
use ureq::http::StatusCode;
use ureq::tls::{TlsConfig, TlsProvider};

use super::Gate;
use super::event::Event;
use super::monitor::MonitorError;
use super::outbox::{Letter, Outbox};
use crate::store::StoreError;
use crate::worker::Worker;

/// The header with the signature.
pub(super) const SIGNATURE_HEADER: &str = "attestry-signature";
/// How many threads send: one that waits for an answer holds up no other.
const SENDERS: usize = 4;
/// How often an event is tried that the receiver refuses, about a minute.
const MAX_REFUSALS: u32 = 8;
/// How often an event is tried while the receiver is not there, or fails; about an hour.
const MAX_ATTEMPTS: u32 = 66;
/// The time before the second attempt; it doubles from there.
const FIRST_PAUSE: Duration = Duration::from_millis(if cfg!(test) { 40 } else { 500 });
/// The longest time between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
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
    workers: Vec<Worker>,
}

impl Webhook {
    /// Follows the log from where it was left; the first time, from its end.
    pub(super) fn start(gate: &Arc<Gate>, url: &str) -> Result<Self, MonitorError> {
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
        let desk = Arc::new(Desk {
            gate: Arc::clone(gate),
            url: url.to_owned(),
            agent: agent(),
            state: Mutex::new(State { outbox: Outbox::new(next), written: next, stopping: false }),
            changed: Condvar::new(),
        });
        let completed = gate.log.progress().completed_since(u64::MAX).0;
        let late = VecDeque::new();
        let mut following = Following { desk: Arc::clone(&desk), next, completed, late };
        let end = |desk: &Arc<Desk>| {
            let desk = Arc::clone(desk);
            move || desk.end()
        };
        let worker = Worker::start("webhook", move || following.run(), end(&desk));
        let mut webhook = Self { workers: vec![worker.map_err(MonitorError::Thread)?] };
        for _ in 0..SENDERS {
            let sending = Arc::clone(&desk);
            let worker = Worker::start("webhook-post", move || sending.send(), end(&desk));
            webhook.workers.push(worker.map_err(MonitorError::Thread)?);
        }
        Ok(webhook)
    }

    /// Ends the threads. What was not told is told after the next start.
    pub(super) fn stop(&mut self) {
        self.workers.iter_mut().for_each(Worker::stop);
    }
}

impl Gate {
    fn count_webhook(&self, outcome: &str) {
        self.metrics.delivery.webhook.with_label_values(&[outcome]).inc();
    }
}

/// What the threads share.
struct Desk {
    gate: Arc<Gate>,
    url: String,
    agent: Agent,
    state: Mutex<State>,
    /// Told whenever an event came, or went, and when the threads shall end.
    changed: Condvar,
}

struct State {
    outbox: Outbox,
    /// How far everything is told, as the store has it.
    written: u64,
    stopping: bool,
}

/// Why an event was not taken.
struct NotTaken {
    why: String,
    /// Whether the receiver refuses this event; otherwise it takes none for now.
    is_refusal: bool,
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        self.state().stopping = true;
        self.changed.notify_all();
        self.gate.log.progress().wake();
    }

    /// Waits, or until the threads shall end.
    fn pause(&self, pause: Duration) {
        let waited = self.changed.wait_timeout_while(self.state(), pause, |s| !s.stopping);
        drop(waited);
    }

    /// Puts in the events of a leaf as soon as there is room. Tells whether the thread goes on.
    fn put(&self, sequence: u64, events: Vec<Event>) -> Result<bool, StoreError> {
        let is_full = |state: &mut State| !state.stopping && !state.outbox.has_room();
        let waited = self.changed.wait_while(self.state(), is_full);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        if state.stopping {
            return Ok(false);
        }
        let has_events = !events.is_empty();
        state.outbox.put(sequence, events, Instant::now());
        if has_events {
            self.changed.notify_all();
        } else if state.outbox.told_before().saturating_sub(state.written) >= LEAVES_UNTOLD {
            self.write(&mut state)?;
        }
        Ok(true)
    }

    /// Writes how far everything is told.
    fn write(&self, state: &mut State) -> Result<(), StoreError> {
        let told = state.outbox.told_before();
        if told > state.written {
            self.gate.store.put_event_cursor(told)?;
            state.written = told;
        }
        Ok(())
    }

    /// Sends what is due until the thread shall end.
    fn send(&self) {
        let mut state = self.state();
        while !state.stopping {
            let now = Instant::now();
            let Some(letter) = state.outbox.take(now) else {
                let due = state.outbox.next_due();
                let wait = due.map_or(LONGEST_WAIT, |due| due.saturating_duration_since(now));
                let waited = self.changed.wait_timeout(state, wait);
                (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(state);
            // An error of ours must not end what tells.
            let tried = catch_unwind(AssertUnwindSafe(|| self.post(&letter.event)));
            let tried = tried
                .unwrap_or_else(|_| Err(NotTaken { why: "a panic".to_owned(), is_refusal: true }));
            state = self.state();
            self.settle(&mut state, letter, tried);
            self.changed.notify_all();
        }
    }

    fn settle(&self, state: &mut State, mut letter: Letter, tried: Result<(), NotTaken>) {
        let Event { id, event, subject, .. } = &letter.event;
        let attempt = letter.attempts;
        match tried {
            Ok(()) => {
                self.gate.count_webhook("delivered");
                state.outbox.end(&letter);
            }
            Err(NotTaken { why, is_refusal }) => {
                letter.refusals += u32::from(is_refusal);
                let again = letter.refusals < MAX_REFUSALS && attempt < MAX_ATTEMPTS;
                tracing::warn!(id, attempt, again, why, "the webhook did not take an event");
                if again {
                    state.outbox.put_back(&letter, Instant::now() + pause_after(attempt));
                } else {
                    self.gate.count_webhook("given-up");
                    tracing::error!(
                        id,
                        event,
                        subject,
                        "an event is given up: the webhook did not take it {attempt} times"
                    );
                    state.outbox.end(&letter);
                }
            }
        }
        if let Err(error) = self.write(state) {
            let error = chain(&error);
            tracing::warn!(
                error,
                "it is not written how far events are told; a restart tells some again"
            );
        }
    }

    /// Tries once.
    fn post(&self, event: &Event) -> Result<(), NotTaken> {
        let body = serde_json::to_vec(event)
            .map_err(|error| NotTaken { why: chain(&error), is_refusal: true })?;
        let signature = format!("ed25519={}", base64::encode(self.gate.key.sign(&body)));
        let answer = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json")
            .header(SIGNATURE_HEADER, &signature)
            .send(body.as_slice());
        match answer {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(NotTaken {
                why: format!("it answered {}", answer.status()),
                is_refusal: is_refusal(answer.status()),
            }),
            Err(error) => Err(NotTaken { why: chain(&error), is_refusal: false }),
        }
    }
}

/// The time after so many attempts.
fn pause_after(attempts: u32) -> Duration {
    let doubled = 2_u32.checked_pow(attempts.saturating_sub(1));
    doubled
        .and_then(|times| FIRST_PAUSE.checked_mul(times))
        .map_or(LONGEST_PAUSE, |pause| pause.min(LONGEST_PAUSE))
}

/// Whether an answer is about this event, which will hardly change; otherwise it is about the receiver, which does.
fn is_refusal(status: StatusCode) -> bool {
    let is_for_now =
        [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    !status.is_server_error() && !is_for_now.contains(&status)
}

/// What the thread that follows the log stands on.
struct Following {
    desk: Arc<Desk>,
    /// The first leaf that was not looked at.
    next: u64,
    /// How many completed leaves were seen.
    completed: u64,
    /// Leaves that were passed by when they were logged by their digest alone, and are known since.
    late: VecDeque<u64>,
}

impl Following {
    fn run(&mut self) {
        let desk = Arc::clone(&self.desk);
        let progress = desk.gate.log.progress();
        let mut seen = progress.wait(u64::MAX, Duration::ZERO);
        while !desk.state().stopping {
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
                    desk.pause(PAUSE_AFTER_FAILURE);
                }
            }
        }
        if let Err(error) = desk.write(&mut desk.state()) {
            let error = chain(&error);
            tracing::warn!(error, "the next start looks again at leaves without an event");
        }
    }

    /// Puts in what has come.
    fn follow(&mut self) -> Result<(), StoreError> {
        let gate = Arc::clone(&self.desk.gate);
        // Before the view of the store, so that it holds what was completed.
        let (completed, which) = gate.log.progress().completed_since(self.completed);
        let size = gate.store.reader().latest_checkpoint()?.map_or(0, |(size, _)| size);
        // A leaf that was logged by its digest alone says only later what it is about.
        match which {
            Some(which) => {
                let before = self.next;
                self.late.extend(which.into_iter().filter(|sequence| *sequence < before));
            }
            None => tracing::error!(
                "more leaves were completed than are remembered; of those among them that raise events the webhook is not told"
            ),
        }
        self.completed = completed;
        while let Some(sequence) = self.late.front().copied() {
            if !self.desk.put(sequence, gate.events_of(sequence)?)? {
                return Ok(());
            }
            self.late.pop_front();
        }
        while self.next < size {
            if !self.desk.put(self.next, gate.events_of(self.next)?)? {
                return Ok(());
            }
            self.next += 1;
        }
        Ok(())
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
