//! Evaluations within a time: each on a thread that does nothing else meanwhile, awaited until its deadline.
//!
//! An evaluation is synchronous and cannot be ended from outside. What misses its deadline is no longer awaited, and
//! what it finds is thrown away. It keeps its place until it ends, so that no more than a bounded number can run
//! away; while all places are taken, whoever asks waits for one until its own deadline.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use attestry_schemas::gate::Failure;

/// Why an evaluation gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failed {
    /// What it was.
    pub(super) cause: Failure,
    /// What was expected, and found.
    pub(super) why: String,
}

/// The most threads that wait for the next evaluation: to start one takes longer than most evaluations.
const MAX_IDLE: usize = 8;

type Work = Box<dyn FnOnce() + Send>;

/// The threads that wait for work. They end when nobody holds their senders any more.
#[derive(Default)]
struct Idle(Mutex<Vec<Sender<Work>>>);

impl Idle {
    fn lock(&self) -> MutexGuard<'_, Vec<Sender<Work>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has one of them do the work, or else a new one.
    fn spawn(self: &Arc<Self>, mut work: Work) -> std::io::Result<()> {
        let waiting = || self.lock().pop();
        while let Some(thread) = waiting() {
            match thread.send(work) {
                Ok(()) => return Ok(()),
                Err(refused) => work = refused.0,
            }
        }
        let idle = Arc::downgrade(self);
        let thread = std::thread::Builder::new().name("evaluation".to_owned());
        thread.spawn(move || {
            work();
            while let Some(next) = Idle::wait(&idle) {
                next();
            }
        })?;
        Ok(())
    }
}

impl Idle {
    /// The next work of a thread that has done its own; none when enough others wait, or there will be none.
    fn wait(idle: &Weak<Self>) -> Option<Work> {
        let (sender, next) = channel();
        let idle = idle.upgrade()?;
        let mut waiting = idle.lock();
        if waiting.len() >= MAX_IDLE {
            return None;
        }
        waiting.push(sender);
        drop(waiting);
        drop(idle);
        next.recv().ok()
    }
}

/// The places of evaluations.
pub(super) struct Evaluations {
    most: usize,
    limit: Duration,
    taken: Mutex<usize>,
    freed: Condvar,
    idle: Arc<Idle>,
    /// What the next evaluations meet, in tests.
    #[cfg(test)]
    obstacle: Mutex<Option<Obstacle>>,
}

/// Something in the way of an evaluation.
#[cfg(test)]
#[derive(Debug, Clone)]
pub(crate) enum Obstacle {
    /// It panics.
    Panic,
    /// It goes on until this is dropped.
    Endless(std::sync::Weak<()>),
}

/// A place that is taken.
struct Place(Arc<Evaluations>);

impl Drop for Place {
    fn drop(&mut self) {
        *self.0.taken() -= 1;
        self.0.freed.notify_one();
    }
}

impl Evaluations {
    /// At most so many at once, each for so long.
    pub(super) fn new(most: usize, limit: Duration) -> Arc<Self> {
        Arc::new(Self {
            most,
            limit,
            taken: Mutex::new(0),
            freed: Condvar::new(),
            idle: Arc::default(),
            #[cfg(test)]
            obstacle: Mutex::default(),
        })
    }

    fn taken(&self) -> MutexGuard<'_, usize> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn late(&self, found: &str) -> Failed {
        let limit_ms = self.limit.as_millis();
        let why = format!("expected a verdict within {limit_ms} ms, found {found}");
        Failed { cause: Failure::Timeout, why }
    }

    /// Takes a place, when there is one before the limit.
    fn place(self: &Arc<Self>) -> Option<Place> {
        let taken = self.taken();
        let waiting = self.freed.wait_timeout_while(taken, self.limit, |taken| *taken >= self.most);
        let (mut taken, _) = waiting.unwrap_or_else(PoisonError::into_inner);
        if *taken >= self.most {
            return None;
        }
        *taken += 1;
        Some(Place(Arc::clone(self)))
    }

    /// Evaluates, and waits for the result until the limit.
    pub(super) fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<T, Failed> {
        let started = Instant::now();
        let Some(place) = self.place() else {
            return Err(self.late("that as many evaluations as may run at once go on"));
        };
        #[cfg(test)]
        let obstacle = self.obstacle.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (sender, receiver) = sync_channel(1);
        let evaluating = move || {
            let _place = place;
            let work = move || {
                #[cfg(test)]
                obstacle.iter().for_each(Obstacle::meet);
                work()
            };
            // Whoever waited may have gone.
            let _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
        };
        if let Err(error) = self.idle.spawn(Box::new(evaluating)) {
            let why = format!("expected a thread for the evaluation, found {error}");
            return Err(Failed { cause: Failure::Error, why });
        }
        match receiver.recv_timeout(self.limit.saturating_sub(started.elapsed())) {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(error))) => {
                let why = format!("expected to read what the verdict depends on, found: {error}");
                Err(Failed { cause: Failure::Error, why })
            }
            Ok(Err(_)) => {
                let why = "expected an evaluation, found a panic of the gate".to_owned();
                Err(Failed { cause: Failure::Panic, why })
            }
            Err(_) => Err(self.late("none")),
        }
    }
}

#[cfg(test)]
impl Evaluations {
    /// Puts something in the way of every evaluation from now on.
    pub(crate) fn obstruct(&self, obstacle: Option<Obstacle>) {
        *self.obstacle.lock().unwrap() = obstacle;
    }
}

#[cfg(test)]
impl Obstacle {
    fn meet(&self) {
        match self {
            Self::Panic => panic!("an obstacle of a test"),
            Self::Endless(until) => {
                while until.strong_count() > 0 {
                    std::thread::park_timeout(Duration::from_millis(1));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_away_is_not_awaited_and_keeps_its_place_until_it_ends() {
        let evaluations = Evaluations::new(2, Duration::from_millis(50));
        let going_on = Arc::new(());
        evaluations.obstruct(Some(Obstacle::Endless(Arc::downgrade(&going_on))));
        for _ in 0..2 {
            let failed = evaluations.run(|| Ok(())).unwrap_err();
            assert_eq!(failed.cause, Failure::Timeout);
            assert!(failed.why.contains("within 50 ms, found none"), "{failed:?}");
        }
        evaluations.obstruct(None);
        let failed = evaluations.run(|| Ok(())).unwrap_err();
        assert!(failed.why.contains("at once"), "{failed:?}");
        drop(going_on);
        let deadline = Instant::now() + Duration::from_secs(20);
        while evaluations.run(|| Ok(())).is_err() {
            assert!(Instant::now() < deadline, "the places are free again");
        }
    }

    #[test]
    fn threads_wait_for_the_next_work_and_end_with_the_places() {
        let evaluations = Evaluations::new(32, Duration::from_secs(20));
        let here = || Ok(std::thread::current().id());
        let first = evaluations.run(here).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while evaluations.run(here) != Ok(first) {
            assert!(Instant::now() < deadline, "no thread was used again");
        }
        std::thread::scope(|scope| {
            for _ in 0..32 {
                scope.spawn(|| assert_eq!(evaluations.run(|| Ok(1)), Ok(1)));
            }
        });
        let idle = Arc::downgrade(&evaluations.idle);
        assert!(idle.upgrade().is_some_and(|idle| idle.lock().len() <= MAX_IDLE));
        drop(evaluations);
        while idle.strong_count() > 0 {
            assert!(Instant::now() < deadline, "somebody holds the threads");
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }

    #[test]
    fn an_error_and_a_panic_are_told_apart() {
        let evaluations = Evaluations::new(1, Duration::from_secs(20));
        assert_eq!(evaluations.run(|| Ok(7)), Ok(7));
        let failed = evaluations.run(|| Err::<(), _>("no disk".to_owned())).unwrap_err();
        assert_eq!(failed.cause, Failure::Error);
        assert!(failed.why.contains("no disk"), "{failed:?}");
        let failed = evaluations.run(|| -> Result<(), String> { panic!("of a test") });
        assert_eq!(failed.unwrap_err().cause, Failure::Panic);
        assert_eq!(evaluations.run(|| Ok(8)), Ok(8), "the place is free again");
    }
}
