//! The one place where time enters the registry.

#[cfg(test)]
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// Tells the time: the system's, or in tests a fixed one or one that the test sets.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    source: Source,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    System,
    Fixed(Timestamp),
    #[cfg(test)]
    Set(&'static AtomicI64),
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self { source: Source::System }
    }

    /// A clock that stands still.
    #[must_use]
    pub fn fixed(at: Timestamp) -> Self {
        Self { source: Source::Fixed(at) }
    }

    /// A clock that somebody else sets, in Unix milliseconds.
    #[cfg(test)]
    pub(crate) fn set_by(at_ms: &'static AtomicI64) -> Self {
        Self { source: Source::Set(at_ms) }
    }

    /// The time now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place where time enters")]
    pub fn now(&self) -> Timestamp {
        match self.source {
            Source::System => Timestamp::now(),
            Source::Fixed(at) => at,
            #[cfg(test)]
            Source::Set(at_ms) => {
                Timestamp::from_millisecond(at_ms.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
            }
        }
    }
}
