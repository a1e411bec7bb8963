//! Tests of the registry of artifacts.

mod collect;
mod model;
mod quota;
mod uploads;
