//! End-to-end tests: the real programs over real sockets and folders.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test panics when it fails"
)]

mod access;
#[path = "../attacks/mod.rs"]
mod attacks;
mod backup;
mod classic_link;
mod cosign;
mod evidence;
mod oci_cli;
mod oci_clients;
mod oci_conformance;
mod path;
mod races;
mod refusals;
mod rekor;
mod revocation;
mod slow;
mod tidy;
