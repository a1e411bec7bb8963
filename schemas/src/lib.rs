//! What Attestry's bytes mean and whether they are true.
//!
//! Formats, keys, Merkle trees and verification, one module per specification. Everything here is
//! a pure function of its arguments: no I/O, no clock, no randomness, no HTTP, no storage.

pub mod base64;
pub mod bundle;
pub mod checkpoint;
pub mod classic_link;
pub mod cosignature;
pub mod digest;
pub mod dsse;
pub mod json;
pub mod key;
pub mod merkle;
pub mod note;
pub mod predicate;
pub mod problem;
pub mod rekor;
pub mod signing_config;
pub mod statement;
pub mod tile;
pub mod trusted_root;
pub mod verify;
