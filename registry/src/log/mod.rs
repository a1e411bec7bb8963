//! The transparency log: one RFC 6962 tree, grown by one thread.

pub mod genesis;
mod progress;
pub mod proof;
pub mod sequencer;
pub mod submission;
pub mod tree;

pub use progress::Progress;
pub use proof::{LogIdentity, ProofFault, Proven};
pub use sequencer::{Log, LogError, Receipt, SubmitError};
pub use submission::{Payload, Submission};

#[cfg(test)]
mod tests;
