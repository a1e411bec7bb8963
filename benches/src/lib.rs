//! What the benches share: signed statements, a registry to measure, figures and how they print.

use std::time::Duration;

pub mod client;
pub mod crowd;
pub mod figures;
pub mod fixtures;
pub mod log;
pub mod machine;
pub mod oci;
pub mod options;
pub mod peer;
pub mod pipeline;
pub mod process;
pub mod programs;
pub mod server;

/// Why a measurement was given up. Benches end with it; nobody decides on it.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Says what was being done when an error came.
pub trait Context<T> {
    /// Puts `doing` in front of the error.
    ///
    /// # Errors
    /// The error that was there.
    fn context(self, doing: impl std::fmt::Display) -> Result<T, Failure>;
}

impl<T, E: std::fmt::Display> Context<T> for Result<T, E> {
    fn context(self, doing: impl std::fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| format!("{doing}: {error}").into())
    }
}

/// Criterion with short measurements: the whole suite is to take minutes, not an hour.
#[must_use]
pub fn criterion() -> criterion::Criterion {
    unconfigured().configure_from_args()
}

/// The same for a bench whose arguments are not criterion's.
#[must_use]
pub fn unconfigured() -> criterion::Criterion {
    criterion::Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(30)
}
