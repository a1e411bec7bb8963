//! The monitor: follows the log, and tells when what runs is no longer what may run.
//!
//! It wakes when the log has grown, assesses what the new leaves can concern (the same artifact or its commit, the readiness
//! of its environment, who rules), and what the passing of time can have changed. A verdict that differs from the
//! last one in the log is recorded there, signed, before anyone is told: what was flagged, when and
//! why can be audited, and a restart flags nothing twice. The webhook follows the log by itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use attestry_schemas::predicate::UtcTime;
use attestry_schemas::problem::chain;
use jiff::SignedDuration;

use super::assessment::Changed;
use super::deployments::{Deployment, Place};
use super::event::Event;
use super::ledger::Due;
use super::webhook::Webhook;
use super::{Gate, GateError};
use crate::store::StoreError;
use crate::worker::Worker;

/// The longest time between two looks: what has no moment of its own, such as the age of evidence, is told anew then.
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// The time between two looks while much is logged: what comes meanwhile is assessed once.
const PAUSE: Duration = Duration::from_millis(50);
/// How long is assessed before it is looked whether there is news, which goes first: a start assesses everything that runs.
const LONGEST_TURN: Duration = Duration::from_millis(250);
/// How many are assessed at once: each that flips waits for the log.
const AT_ONCE: usize = 4;
/// The shortest time between two updates of the numbers.
const BETWEEN_NUMBERS: Duration = Duration::from_secs(1);
/// How long what could not be assessed waits for its next turn.
const POSTPONED: SignedDuration = SignedDuration::from_secs(if cfg!(test) { 1 } else { 15 });
/// The time after a failure.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The running monitor. It ends when it is stopped, or dropped.
pub struct Monitor {
    watching: Worker,
    webhook: Option<Webhook>,
}

/// Why the monitor does not start.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// The system gives no thread.
    #[error("the system gave no thread")]
    Thread(#[source] std::io::Error),
    /// How far events were told cannot be read or written.
    #[error("the store does not say how far events were told")]
    Store(#[source] StoreError),
}

/// What is assessed before it is looked for news again.
struct Turn {
    due: std::vec::IntoIter<Due>,
    began: Instant,
    failed: Result<(), GateError>,
    is_over: bool,
}

impl Turn {
    fn next(&mut self) -> Option<Due> {
        let goes_on = !self.is_over && self.began.elapsed() < LONGEST_TURN;
        if goes_on { self.due.next() } else { None }
    }

    fn fail(&mut self, error: GateError) {
        self.is_over = true;
        self.failed = Err(error);
    }
}

/// What the thread stands on.
struct Watch {
    gate: Arc<Gate>,
    stopping: AtomicBool,
}

impl Monitor {
    /// Starts the monitor of a gate. Events are sent to the URL, where one is given.
    ///
    /// # Errors
    /// [`MonitorError`].
    pub fn start(gate: Arc<Gate>, webhook_url: Option<&str>) -> Result<Self, MonitorError> {
        let webhook = webhook_url.map(|url| Webhook::start(&gate, url)).transpose()?;
        let watch = Arc::new(Watch { gate, stopping: AtomicBool::new(false) });
        let following = Arc::clone(&watch);
        let watching = Worker::start("monitor", move || following.run(), move || watch.end())
            .map_err(MonitorError::Thread)?;
        Ok(Self { watching, webhook })
    }

    /// Ends the thread; what it was about to tell, the next start tells.
    pub fn stop(&mut self) {
        self.watching.stop();
        if let Some(webhook) = &mut self.webhook {
            webhook.stop();
        }
    }
}

impl Watch {
    fn end(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.gate.log.progress().wake();
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn run(&self) {
        let progress = self.gate.log.progress();
        let mut seen = progress.wait(u64::MAX, Duration::ZERO);
        let mut shown = None;
        while !self.is_stopping() {
            // An error of ours must not end what watches.
            let looked = catch_unwind(AssertUnwindSafe(|| self.look(&mut shown)));
            let wait = match looked {
                Ok(Ok(wait)) => {
                    std::thread::park_timeout(PAUSE);
                    wait
                }
                Ok(Err(error)) if self.is_stopping() => {
                    tracing::debug!(error = chain(&error), "the monitor stops");
                    return;
                }
                Ok(Err(error)) => {
                    tracing::error!(
                        error = chain(&error),
                        "what runs cannot be assessed; trying again"
                    );
                    std::thread::park_timeout(PAUSE_AFTER_FAILURE);
                    PAUSE_AFTER_FAILURE
                }
                Err(_) => {
                    tracing::error!("the assessment of what runs ended by a panic; trying again");
                    // What it had taken is due again.
                    let mut ledger =
                        self.gate.ledger.lock().unwrap_or_else(PoisonError::into_inner);
                    ledger.stale_all();
                    drop(ledger);
                    std::thread::park_timeout(PAUSE_AFTER_FAILURE);
                    PAUSE_AFTER_FAILURE
                }
            };
            if self.is_stopping() {
                return;
            }
            seen = progress.wait(seen, wait);
        }
    }

    /// Assesses what is due, and tells what has changed. Returns how long there is nothing to do without news.
    fn look(&self, shown: &mut Option<Instant>) -> Result<Duration, GateError> {
        let now = self.gate.now();
        let mut ledger = self.gate.ledger()?;
        let (due, untold) = (ledger.take_due(now), ledger.take_untold());
        drop(ledger);
        for deployment in &untold {
            self.tell(&Event::unauthorized(&self.gate, deployment, 0));
        }
        let (left, failed) = self.take_turn(due);
        let left = self.put_back(left);
        failed?;
        if self.is_stopping() {
            return Ok(Duration::ZERO);
        }
        let mut wait = if left > 0 { Duration::ZERO } else { LONGEST_WAIT };
        if shown.is_none_or(|at| at.elapsed() >= BETWEEN_NUMBERS) {
            self.gate.show_numbers()?;
            *shown = Some(Instant::now());
        } else {
            wait = wait.min(BETWEEN_NUMBERS);
        }
        let next = self.gate.ledger()?.next_due();
        Ok(next.map_or(wait, |next| wait.min(self.time_until(next))))
    }

    /// How long it is until the first whole second from a moment on: verdicts are of whole seconds.
    fn time_until(&self, moment: UtcTime) -> Duration {
        let moment = moment.timestamp();
        let second = moment.as_second().saturating_add(i64::from(moment.subsec_nanosecond() > 0));
        let now = self.gate.clock.now();
        let left = SignedDuration::from_secs(second).checked_sub(now.as_duration());
        left.and_then(|left| Duration::try_from(left).ok()).unwrap_or_default()
    }

    /// Assesses what is due, several at once, until the turn is over. Gives back what is left, and the last failure.
    fn take_turn(&self, due: Vec<Due>) -> (impl Iterator<Item = Due>, Result<(), GateError>) {
        let others = due.len().min(AT_ONCE).saturating_sub(1);
        let turn = Mutex::new(Turn {
            due: due.into_iter(),
            began: Instant::now(),
            failed: Ok(()),
            is_over: false,
        });
        std::thread::scope(|scope| {
            for _ in 0..others {
                // Where the system gives no thread, this one does the work.
                let thread = std::thread::Builder::new().name("monitor".to_owned());
                let _ = thread.spawn_scoped(scope, || self.assess_some(&turn));
            }
            self.assess_some(&turn);
        });
        let turn = turn.into_inner().unwrap_or_else(PoisonError::into_inner);
        (turn.due, turn.failed)
    }

    fn assess_some(&self, turn: &Mutex<Turn>) {
        let locked = || turn.lock().unwrap_or_else(PoisonError::into_inner);
        let next = || if self.is_stopping() { None } else { locked().next() };
        while let Some(one) = next() {
            match self.assess(&one.place, &one.deployment) {
                Ok(()) => {}
                // One that cannot be assessed must not keep the others from it, nor does the time that it took end their turn.
                Err(GateError::Unassessed(why)) => {
                    self.postpone(one, &why);
                    locked().began = Instant::now();
                }
                Err(error) => {
                    self.put_back([one]);
                    locked().fail(error);
                }
            }
        }
    }

    /// Gives back what could not be assessed, for a while.
    fn postpone(&self, one: Due, why: &str) {
        let Place { environment, name } = &one.place;
        tracing::error!(environment, name, why, "what runs cannot be assessed; trying again");
        let now = self.gate.clock.now();
        let until = now.checked_add(POSTPONED).unwrap_or(now);
        let mut ledger = self.gate.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.postpone(one, until.into());
    }

    /// Gives back what was not assessed; tells how much that is.
    fn put_back(&self, all: impl IntoIterator<Item = Due>) -> usize {
        let mut ledger = self.gate.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        all.into_iter().map(|one| ledger.put_back(one)).count()
    }

    fn assess(&self, place: &Place, deployment: &Deployment) -> Result<(), GateError> {
        let ledger = self.gate.ledger()?;
        let before = ledger.counted.decisions.verdict(&deployment.brought());
        drop(ledger);
        let assessed = self.gate.assess_running(deployment, before, self.gate.now())?;
        let compliant = assessed.standing.compliant;
        // Nothing is recorded of what runs as it was allowed.
        let flips = before.is_none_or(|(compliant, _)| compliant) != compliant;
        let mut logged = None;
        if flips {
            let Changed { because, since } = assessed.changed;
            logged = Some(self.gate.log_decision(assessed.decision.because(because, since))?.index);
        }
        self.gate.ledger()?.keep(place, assessed.standing);
        if let Some(index) = logged {
            self.gate.events_of(index)?.iter().for_each(|event| self.tell(event));
        }
        Ok(())
    }

    fn tell(&self, event: &Event) {
        event.log();
        self.gate.metrics.delivery.events.with_label_values(&[event.event]).inc();
    }
}

#[cfg(test)]
mod tests;
