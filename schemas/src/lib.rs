//! What Attestry's bytes mean and whether they are true.
//!
//! Formats, keys, Merkle trees and verification, one module per specification. Everything here is
//! a pure function of its arguments: no I/O, no clock, no randomness, no HTTP, no storage.

pub mod admission;
pub mod base64;
pub mod bundle;
pub mod checkpoint;
pub mod classic_link;
pub mod cosignature;
pub mod digest;
pub mod document;
pub mod dsse;
pub mod gate;
pub mod json;
pub mod key;
pub mod layout;
pub mod merkle;
pub mod note;
pub mod oci;
pub mod policy;
pub mod predicate;
pub mod problem;
#[cfg(feature = "rego")]
pub mod rego;
pub mod rekor;
pub mod roster;
pub mod signing_config;
pub mod statement;
pub mod tile;
pub mod trusted_root;
pub mod verify;
