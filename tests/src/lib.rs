//! The harness of the end-to-end tests: real programs, real folders, real sockets.
//!
//! Nothing here knows the inside of a program. A [`Registry`] is a data folder that `init` made, a
//! [`Server`] a process that serves it, a [`Client`] speaks HTTP to it, and a [`Dir`] is where the
//! command line runs. A failure panics with what the programs said.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test panics when it fails"
)]

mod command;
mod http;
mod ledger;
mod load;
pub mod oci;
mod random;
mod samples;
mod server;
mod wait;

pub use command::{Answer, Dir};
pub use http::{Client, Reply, Request};
pub use ledger::{Ledger, State};
pub use load::{Load, Workload};
pub use random::Random;
pub use samples::{
    Sample, envelope_about, p256_key, provenance, seeded_key, signature_about, test_result,
};
pub use server::{Registry, Server, fsck, fsck_report, snapshot};
pub use wait::{DEADLINE, wait_for};

use std::path::PathBuf;

/// Where the programs under test are.
#[derive(Debug, Clone)]
pub struct Programs {
    /// `attestry-registry`, with fault points.
    pub registry: PathBuf,
    /// `attestry`.
    pub cli: PathBuf,
}

/// The programs that cargo built for the tests of this package. `CARGO_BIN_EXE_*` is known only
/// while a test is compiled, hence a macro.
#[macro_export]
macro_rules! programs {
    () => {
        $crate::Programs {
            registry: env!("CARGO_BIN_EXE_attestry-registry-under-test").into(),
            cli: env!("CARGO_BIN_EXE_attestry-under-test").into(),
        }
    };
}
