//! The transparency log: one RFC 6962 tree, grown by one thread.

mod change;
pub mod genesis;
mod progress;
pub mod proof;
mod running;
mod sequencer;
pub mod submission;
pub mod tree;
mod wait;

pub use change::{ChangeError, Pending, Prepared, View};
pub use progress::{LogState, Progress};
pub use proof::{LogIdentity, ProofFault, Proven};
pub use running::{BatchError, Log, LogError, LogLimits, Receipt, SubmitError};
pub use submission::{Payload, Submission};

#[cfg(test)]
mod tests;
