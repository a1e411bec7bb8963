//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant};

/// How long anything may take on a loaded machine.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// How long to let others run between two looks.
const PAUSE: Duration = Duration::from_millis(2);

/// Looks until there is something, and gives it.
///
/// # Panics
/// When there is nothing within [`DEADLINE`].
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "waited {DEADLINE:?} in vain for {what}");
        std::thread::park_timeout(PAUSE);
    }
}
