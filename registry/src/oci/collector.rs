//! The thread that collects what nothing refers to, from time to time, and ends idle uploads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use attestry_schemas::problem::chain;

use super::collect::Mode;
use super::{Oci, OciError};
use crate::worker::Worker;

/// The longest time between two looks at idle uploads.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// When it collects, and what.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    /// The time between two collections; never when there is none.
    pub interval: Option<Duration>,
    /// How long what nothing refers to stays.
    pub grace: Duration,
}

/// The running collector. It ends when it is stopped, or dropped.
pub struct Collector(Worker);

impl Collector {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn start(oci: Arc<Oci>, schedule: Schedule) -> std::io::Result<Self> {
        let of_thread = Arc::clone(&oci);
        let work = move || run(&of_thread, schedule);
        Worker::start("collector", work, move || oci.stop_collecting()).map(Self)
    }

    /// Ends the thread; what it was about to remove, the next run removes.
    pub fn stop(&mut self) {
        self.0.stop();
    }
}

fn run(oci: &Oci, schedule: Schedule) {
    let mut last = Instant::now();
    let wait = schedule.interval.unwrap_or(LOOK_EVERY).min(LOOK_EVERY);
    while !oci.is_stopping() {
        std::thread::park_timeout(wait);
        if oci.is_stopping() {
            return;
        }
        let ended = oci.uploads().end_idle();
        if ended > 0 {
            tracing::info!(ended, "idle uploads were ended");
        }
        if schedule.interval.is_some_and(|interval| last.elapsed() >= interval) {
            // An error of ours must not end what collects.
            let collected =
                catch_unwind(AssertUnwindSafe(|| oci.collect(schedule.grace, Mode::Remove)));
            match collected {
                Ok(Ok(collected)) => tracing::info!(?collected, "what nothing refers to has gone"),
                Ok(Err(OciError::Stopping)) => return,
                Ok(Err(error)) => {
                    tracing::error!(error = chain(&error), "a collection was broken off");
                }
                Err(_) => tracing::error!("a collection ended by a panic"),
            }
            last = Instant::now();
        }
    }
}
