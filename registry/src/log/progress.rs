//! What follows the log: a counter of commits that readers can wait on.
//!
//! A commit adds leaves, or completes leaves that were there (a stock client logs by digest alone, and the
//! envelope comes later). New leaves show in the size of the tree; completed ones are told here.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The most completed leaves that are remembered. Who has not asked for so long must read everything again.
const MAX_COMPLETED: usize = 10_000;

/// What a log holds. While it is the same, so is everything that can be read from the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogState {
    /// How many leaves there are.
    pub size: u64,
    /// Below which all of them lie that the registry did not record itself: its gate's decisions, and moves of tags.
    pub others: u64,
    /// How many leaves were completed since the process started: that brings evidence, and the size stays.
    pub completed: u64,
}

/// The progress of a log since the process started.
#[derive(Debug, Default)]
pub struct Progress {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// How often there was something to look at.
    ticks: u64,
    /// What the log holds; of the leaves that were completed the newest are kept.
    log: LogState,
    newest: VecDeque<u64>,
}

impl Progress {
    /// The progress of a log that has so many leaves at the start.
    pub(super) fn from(size: u64) -> Self {
        let log = LogState { size, others: size, completed: 0 };
        Self { state: Mutex::new(State { log, ..State::default() }), moved: Condvar::new() }
    }

    /// What the log holds. Whoever has a receipt finds its leaf in it.
    #[must_use]
    pub fn log(&self) -> LogState {
        self.state().log
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After a commit: how many leaves there are, below which all lie that are not the log's own summaries, and which leaves
    /// it completed.
    pub(super) fn commit(&self, size: u64, others: u64, completed: &[u64]) {
        let mut state = self.state();
        state.ticks += 1;
        state.log.size = size;
        state.log.others = state.log.others.max(others);
        state.log.completed += completed.len() as u64;
        state.newest.extend(completed);
        let excess = state.newest.len().saturating_sub(MAX_COMPLETED);
        state.newest.drain(..excess);
        self.moved.notify_all();
    }

    /// Wakes who waits, without a commit.
    pub fn wake(&self) {
        self.state().ticks += 1;
        self.moved.notify_all();
    }

    /// Waits until there is more than was `seen`, or so long; tells what is there.
    #[must_use]
    pub fn wait(&self, seen: u64, at_most: Duration) -> u64 {
        let waiting = self.moved.wait_timeout_while(self.state(), at_most, |s| s.ticks == seen);
        let (state, _) = waiting.unwrap_or_else(PoisonError::into_inner);
        state.ticks
    }

    /// How many leaves were completed, and which since there were `known`; none of these when they are forgotten.
    #[must_use]
    pub fn completed_since(&self, known: u64) -> (u64, Option<Vec<u64>>) {
        let state = self.state();
        let count =
            usize::try_from(state.log.completed.saturating_sub(known)).unwrap_or(usize::MAX);
        let skip = state.newest.len().checked_sub(count);
        let which = skip.map(|skip| state.newest.iter().skip(skip).copied().collect());
        (state.log.completed, which)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_woken_and_told_what_was_completed() {
        let progress = Progress::default();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| progress.wait(0, Duration::from_secs(60)));
            progress.commit(7, 6, &[3, 5]);
            assert_eq!(waiting.join().unwrap(), 1);
        });
        assert_eq!(progress.log(), LogState { size: 7, others: 6, completed: 2 });
        assert_eq!(progress.completed_since(0), (2, Some(vec![3, 5])));
        assert_eq!(progress.completed_since(1), (2, Some(vec![5])));
        assert_eq!(progress.completed_since(2), (2, Some(Vec::new())));
        assert_eq!(progress.wait(1, Duration::ZERO), 1, "nothing new");
        progress.wake();
        assert_eq!(progress.wait(1, Duration::from_secs(60)), 2);
    }

    #[test]
    fn what_is_forgotten_is_said_to_be() {
        let progress = Progress::default();
        progress.commit(2, 2, &[1]);
        progress.commit(2, 2, &vec![2; MAX_COMPLETED]);
        assert_eq!(progress.completed_since(0).1, None);
        assert_eq!(progress.completed_since(1).1.unwrap().len(), MAX_COMPLETED);
    }
}
