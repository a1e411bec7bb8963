//! The right edge of a growing tree, in at most 64 hashes.

use super::{EMPTY_ROOT, node_hash};
use crate::digest::Sha256;

/// Why a compact range was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// A tree of this size does not have that many perfect subtrees.
    #[error("a tree of size {size} is {expected} perfect subtrees, found {found} hashes")]
    Hashes {
        /// The size of the tree.
        size: u64,
        /// How many perfect subtrees it has: the ones in the binary form of its size.
        expected: usize,
        /// How many hashes were given.
        found: usize,
    },
    /// The tree holds the greatest number of leaves that can be counted.
    #[error("the tree is full at {} leaves", u64::MAX)]
    Full,
}

/// The largest perfect subtrees of a tree from left to right: what is needed, and no more, to
/// append leaves and to know the root.
///
/// Its length is always the number of ones in the binary form of the size.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CompactRange {
    size: u64,
    hashes: Vec<Sha256>,
}

impl CompactRange {
    /// The range of the empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes up a tree of `size` leaves from the hashes of its largest perfect subtrees, left
    /// (the largest) to right.
    ///
    /// # Errors
    /// [`RangeError::Hashes`] when the number of hashes does not fit the size.
    pub fn from_parts(size: u64, hashes: Vec<Sha256>) -> Result<Self, RangeError> {
        let expected = size.count_ones() as usize;
        if hashes.len() != expected {
            return Err(RangeError::Hashes { size, expected, found: hashes.len() });
        }
        Ok(Self { size, hashes })
    }

    /// How many leaves the tree has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of the largest perfect subtrees, left to right.
    #[must_use]
    pub fn hashes(&self) -> &[Sha256] {
        &self.hashes
    }

    /// Appends a leaf by its hash, in amortised constant time.
    ///
    /// # Errors
    /// [`RangeError::Full`] at `u64::MAX` leaves; the range is then unchanged.
    pub fn append(&mut self, leaf_hash: Sha256) -> Result<(), RangeError> {
        let size = self.size.checked_add(1).ok_or(RangeError::Full)?;
        // Every trailing one of the old size is a subtree as large as the one that just came to
        // be on its right: together they are one of the next level.
        let mut hash = leaf_hash;
        for _ in 0..self.size.trailing_ones() {
            let left = self.hashes.pop().expect("the size has a one for every hash");
            hash = node_hash(&left, &hash);
        }
        self.hashes.push(hash);
        self.size = size;
        Ok(())
    }

    /// The root of the tree (RFC 9162 §2.1.1); [`EMPTY_ROOT`] when it has no leaves.
    #[must_use]
    pub fn root(&self) -> Sha256 {
        // RFC 9162 splits at the largest power of two, so the smaller trees on the right are
        // joined first.
        self.hashes
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or(EMPTY_ROOT)
    }
}
