//! The Merkle tree of the log.
//!
//! Hashes, proofs and roots of RFC 6962 §2.1, unchanged in RFC 9162 §2.1, with SHA-256:
//!
//! ```text
//! leaf = SHA-256(0x00 ‖ entry)        node = SHA-256(0x01 ‖ left ‖ right)
//! ```
//!
//! [`range`] holds the right edge of a growing tree, [`proof`] makes and checks proofs. Where the
//! nodes are stored is not decided here: whoever asks for a proof hands in a function that reads
//! the perfect subtree at a [`NodeAddress`].

pub mod proof;
pub mod range;
#[cfg(test)]
pub(crate) mod tests;

use sha2::Digest as _;

pub use proof::{
    ProofError, consistency_proof, inclusion_proof, root, root_from_inclusion_proof,
    verify_consistency, verify_inclusion,
};
pub use range::{CompactRange, RangeError};

use crate::digest::Sha256;

/// The root of the tree without leaves: `MTH({}) = SHA-256()` (RFC 9162 §2.1.1).
pub const EMPTY_ROOT: Sha256 = Sha256([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

/// Separates leaves from nodes, so that neither can be passed off as the other.
const LEAF_PREFIX: u8 = 0x00;
const NODE_PREFIX: u8 = 0x01;

/// The place of a perfect subtree: the leaves from `index * 2^level` to
/// `(index + 1) * 2^level`, the end excluded. A leaf is a node of level 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeAddress {
    /// The height above the leaves, 0 to 63.
    pub level: u8,
    /// The place among the nodes of that height, from 0.
    pub index: u64,
}

/// Hashes the bytes of an entry: `SHA-256(0x00 ‖ entry)` (RFC 9162 §2.1.1).
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Sha256 {
    let mut hasher = sha2::Sha256::new();
    hasher.update([LEAF_PREFIX]);
    hasher.update(entry);
    Sha256(hasher.finalize().into())
}

/// Hashes two children: `SHA-256(0x01 ‖ left ‖ right)` (RFC 9162 §2.1.1).
#[must_use]
pub fn node_hash(left: &Sha256, right: &Sha256) -> Sha256 {
    let mut hasher = sha2::Sha256::new();
    hasher.update([NODE_PREFIX]);
    hasher.update(left.as_bytes());
    hasher.update(right.as_bytes());
    Sha256(hasher.finalize().into())
}
