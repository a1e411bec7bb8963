//! The Attestry server: store, transparency log and HTTP.

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
pub mod server;
pub mod store;
pub mod tokens;

#[cfg(test)]
mod testing;
