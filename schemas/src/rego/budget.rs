//! What one evaluation may use: steps, stack, and, for what neither counts, time.
//!
//! A step is one unit of the interpreter's work, or of what a function is going to do with its arguments. Steps are
//! counted, so the same module and input meet the bound at the same place on every machine. The interpreter asks for
//! the time before each unit of its work; the clock that it is given is that count. An evaluation has a thread of its own,
//! whose stack is known, so that a module that calls itself ends as an error and not with the process.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use regorus::utils::limits::{ExecutionTimerConfig, TimeSource, set_time_source};

/// The most steps of one evaluation.
pub const MAX_STEPS: u64 = 500_000;
/// The stack of the thread of an evaluation. Pages that are not touched take no memory.
const STACK_BYTES: usize = 64 << 20;
/// How much of it an evaluation may use. The rest is for what goes deep between two steps, such as dropping nested values.
const MAX_STACK_BYTES: usize = STACK_BYTES / 2;
/// How long whoever asked waits. Steps end an evaluation long before; this is for what they do not count, such as the
/// comparison of two large values, so that nobody waits for it.
pub const BACKSTOP: Duration = Duration::from_secs(10);
/// So many evaluations may go on after nobody waits for them any more; until one of them ends, there are no others.
const MAX_STUCK: usize = 2;

/// The bound that was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// More work than an evaluation may do.
    #[error("more than {MAX_STEPS} steps of evaluation")]
    Steps,
    /// Calls, or values, nest too deep.
    #[error("calls or values that nest too deep")]
    Depth,
    /// It did not end.
    #[error("an evaluation that did not end within {} s", BACKSTOP.as_secs())]
    Time,
    /// Others did not end.
    #[error("{MAX_STUCK} evaluations that still go on after their time was over")]
    Stuck,
    /// There was no thread to be had, or the interpreter's clock is not ours.
    #[error("no means to bound an evaluation")]
    Unbounded,
    /// The interpreter panicked.
    #[error("a panic of the interpreter")]
    Panic,
}

#[derive(Clone, Copy)]
struct Budget {
    steps: u64,
    stack_start: usize,
    exceeded: Option<Exceeded>,
}

thread_local! {
    /// The budget of the evaluation that this thread is for; none on threads that evaluate nothing.
    static BUDGET: Cell<Option<Budget>> = const { Cell::new(None) };
}

/// Takes steps from the budget of this thread.
///
/// # Errors
/// The bound that was met, now or before.
pub(super) fn spend(steps: u64) -> Result<(), Exceeded> {
    let Some(mut budget) = BUDGET.get() else { return Err(Exceeded::Unbounded) };
    budget.steps = budget.steps.saturating_add(steps);
    if budget.exceeded.is_none() {
        if budget.steps > MAX_STEPS {
            budget.exceeded = Some(Exceeded::Steps);
        } else if here().abs_diff(budget.stack_start) > MAX_STACK_BYTES {
            budget.exceeded = Some(Exceeded::Depth);
        }
    }
    BUDGET.set(Some(budget));
    budget.exceeded.map_or(Ok(()), Err)
}

/// Notes that a bound was met.
pub(super) fn exceed(bound: Exceeded) -> Exceeded {
    if let Some(mut budget) = BUDGET.get() {
        budget.exceeded.get_or_insert(bound);
        BUDGET.set(Some(budget));
    }
    bound
}

/// The steps that are left.
pub(super) fn left() -> u64 {
    BUDGET.get().map_or(0, |budget| MAX_STEPS.saturating_sub(budget.steps))
}

/// Where the stack is.
#[inline(never)]
fn here() -> usize {
    let mark = 0_u8;
    std::ptr::from_ref(&mark).addr()
}

/// The interpreter's clock: a step is a nanosecond, and after the last of them it is late for ever.
struct StepClock;

impl TimeSource for StepClock {
    fn now(&self) -> Option<Duration> {
        match spend(1) {
            Ok(()) => BUDGET.get().map(|budget| Duration::from_nanos(budget.steps)),
            Err(_) => Some(Duration::MAX),
        }
    }
}

/// Whether the interpreter's clock is ours; a process sets it once.
static CLOCK_IS_OURS: LazyLock<bool> = LazyLock::new(|| set_time_source(&StepClock).is_ok());

/// The interpreter's limit: our steps, asked for at each unit of its work.
pub(super) fn timer() -> ExecutionTimerConfig {
    ExecutionTimerConfig { limit: Duration::from_nanos(MAX_STEPS), check_interval: NonZeroU32::MIN }
}

/// Evaluations for which nobody waits any more.
static STUCK: AtomicUsize = AtomicUsize::new(0);

/// Whether an evaluation has ended, and whether somebody waits for it.
#[derive(Default)]
struct Progress {
    ended: bool,
    abandoned: bool,
}

/// Says that the evaluation has ended, however it ends.
struct Ending {
    progress: Arc<Mutex<Progress>>,
    stuck: &'static AtomicUsize,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.ended = true;
        if progress.abandoned {
            self.stuck.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// Does work on a thread of its own, within the budget. Waits no longer than [`BACKSTOP`].
///
/// # Errors
/// The bound that was met, whatever the work says of it: an interpreter may take an error for an answer.
pub(super) fn within<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Exceeded> {
    waiting(&STUCK, BACKSTOP, work)
}

fn waiting<T: Send + 'static>(
    stuck: &'static AtomicUsize,
    backstop: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Exceeded> {
    if !*CLOCK_IS_OURS {
        return Err(Exceeded::Unbounded);
    }
    if stuck.load(Ordering::SeqCst) >= MAX_STUCK {
        return Err(Exceeded::Stuck);
    }
    let progress = Arc::new(Mutex::new(Progress::default()));
    let ending = Ending { progress: Arc::clone(&progress), stuck };
    let (answer, answered) = sync_channel(1);
    let evaluation = move || {
        let _ending = ending;
        BUDGET.set(Some(Budget { steps: 0, stack_start: here(), exceeded: None }));
        let done = work();
        let exceeded = BUDGET.get().and_then(|budget| budget.exceeded);
        // Whoever asked may have gone.
        let _ = answer.send((done, exceeded));
    };
    let spawned = thread::Builder::new().name("rego".to_owned()).stack_size(STACK_BYTES);
    spawned.spawn(evaluation).map_err(|_| Exceeded::Unbounded)?;
    match answered.recv_timeout(backstop) {
        Ok((done, None)) => Ok(done),
        Ok((_, Some(exceeded))) => Err(exceeded),
        Err(RecvTimeoutError::Disconnected) => Err(Exceeded::Panic),
        Err(RecvTimeoutError::Timeout) => {
            let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
            if !progress.ended {
                progress.abandoned = true;
                stuck.fetch_add(1, Ordering::SeqCst);
            }
            Err(Exceeded::Time)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Instant;

    use super::*;

    #[test]
    fn steps_that_were_too_many_are_an_error_whatever_the_work_says() {
        assert_eq!(within(|| spend(MAX_STEPS)), Ok(Ok(())));
        let ignoring = || spend(MAX_STEPS + 1).is_err() && spend(1).is_err();
        assert_eq!(within(ignoring), Err(Exceeded::Steps));
        assert_eq!(within(|| 1), Ok(1), "the next work has a budget of its own");
        assert_eq!(spend(1), Err(Exceeded::Unbounded), "no work, no budget");
    }

    #[test]
    fn a_panic_is_an_error() {
        assert_eq!(within(|| assert!(left() == 0)), Err(Exceeded::Panic));
    }

    #[test]
    fn nobody_waits_for_work_that_does_not_end_and_no_more_of_it_is_begun() {
        static MINE: AtomicUsize = AtomicUsize::new(0);
        let (mut ends, soon) = (Vec::new(), Duration::from_millis(1));
        for _ in 0..MAX_STUCK {
            let (end, ended) = channel::<()>();
            ends.push(end);
            assert_eq!(waiting(&MINE, soon, move || ended.recv().is_ok()), Err(Exceeded::Time));
        }
        assert_eq!(waiting(&MINE, BACKSTOP, || 1), Err(Exceeded::Stuck));
        drop(ends);
        let deadline = Instant::now() + Duration::from_secs(60);
        while MINE.load(Ordering::SeqCst) > 0 && Instant::now() < deadline {
            thread::yield_now();
        }
        assert_eq!(waiting(&MINE, BACKSTOP, || 1), Ok(1));
    }
}
