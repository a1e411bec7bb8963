//! The Attestry server: store, transparency log and HTTP.

pub mod authority;
pub mod clock;
pub mod command;
pub mod config;
pub mod control;
pub mod data;
pub mod fault;
pub mod fsck;
pub mod gate;
pub mod http;
pub mod init;
pub mod log;
pub mod metrics;
pub mod oci;
pub mod rights;
pub mod server;
pub mod store;
pub mod tokens;
pub mod trail;
mod watched;
mod worker;

#[cfg(test)]
mod testing;
