//! The webhook: events as signed POST requests, in a thread of their own.
//!
//! The body is the event as JSON. The header `Attestry-Signature: ed25519=<base64>` is the signature of
//! exactly these bytes by the gate's key, which is the log's key of `trusted_root.json`. An answer other than
//! 2xx, and none, is tried again, each time after twice as long; then the event is dropped and counted.
//! What is told stands in the log all the same.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use attestry_schemas::base64;
use attestry_schemas::problem::chain;
use ureq::Agent;
use ureq::tls::{TlsConfig, TlsProvider};

use super::Gate;
use super::event::Event;

/// The header with the signature.
pub(super) const SIGNATURE_HEADER: &str = "attestry-signature";
/// The most events that wait; one more is dropped.
const MAX_WAITING: usize = 1_000;
/// How often one event is tried.
const MAX_ATTEMPTS: u32 = 8;
/// The time before the second attempt; it doubles from there.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest time of one attempt.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where events go.
pub(super) struct Webhook {
    queue: Mutex<Option<SyncSender<Vec<u8>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    stopping: Arc<Stopping>,
    gate: Arc<Gate>,
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
    pub(super) fn start(gate: &Arc<Gate>, url: &str) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(MAX_WAITING);
        let stopping = Arc::new(Stopping::default());
        let sending = Sending {
            gate: Arc::clone(gate),
            url: url.to_owned(),
            agent: agent(),
            stopping: Arc::clone(&stopping),
        };
        let thread = std::thread::Builder::new()
            .name("webhook".to_owned())
            .spawn(move || sending.run(&receiver))?;
        Ok(Self {
            queue: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
            stopping,
            gate: Arc::clone(gate),
        })
    }

    /// Queues an event; never waits.
    pub(super) fn send(&self, event: &Event) {
        let Ok(body) = serde_json::to_vec(event) else { return };
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = queue.as_ref().map(|queue| queue.try_send(body));
        if let Some(Err(TrySendError::Full(_) | TrySendError::Disconnected(_))) | None = sent {
            self.gate.count_webhook("dropped");
            tracing::warn!(
                event = event.event,
                subject = event.subject,
                "an event was dropped: {MAX_WAITING} wait already"
            );
        }
    }

    /// Ends the thread. What waits is dropped.
    pub(super) fn stop(&self) {
        *self.stopping.told() = true;
        self.stopping.changed.notify_all();
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the webhook's thread ended by a panic");
        }
    }
}

impl Gate {
    fn count_webhook(&self, outcome: &str) {
        self.metrics.delivery.webhook.with_label_values(&[outcome]).inc();
    }
}

/// What the thread stands on.
struct Sending {
    gate: Arc<Gate>,
    url: String,
    agent: Agent,
    stopping: Arc<Stopping>,
}

impl Sending {
    fn run(&self, queue: &Receiver<Vec<u8>>) {
        while let Ok(body) = queue.recv() {
            let told = *self.stopping.told();
            let outcome = if !told && self.deliver(&body) { "delivered" } else { "dropped" };
            self.gate.count_webhook(outcome);
        }
    }

    /// Tries until it is taken; tells whether it was.
    fn deliver(&self, body: &[u8]) -> bool {
        let signature = format!("ed25519={}", base64::encode(self.gate.key.sign(body)));
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=MAX_ATTEMPTS {
            let answer = self
                .agent
                .post(&self.url)
                .header("content-type", "application/json")
                .header(SIGNATURE_HEADER, &signature)
                .send(body);
            let why = match answer {
                Ok(answer) if answer.status().is_success() => return true,
                Ok(answer) => format!("it answered {}", answer.status()),
                Err(error) => chain(&error),
            };
            let again = attempt < MAX_ATTEMPTS;
            tracing::warn!(attempt, again, why, "the webhook did not take an event");
            if !again || self.stopping.wait(pause) {
                return false;
            }
            pause *= 2;
        }
        false
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
