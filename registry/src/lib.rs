//! The Attestry server: store, transparency log and HTTP.

pub mod clock;
pub mod fault;
pub mod log;
pub mod metrics;
pub mod store;
