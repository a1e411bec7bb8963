//! Inclusion and consistency proofs (RFC 9162 §2.1.3 and §2.1.4).

use std::convert::Infallible;

use super::{EMPTY_ROOT, NodeAddress, node_hash};
use crate::digest::Sha256;

/// Why a proof could not be made, or does not prove what it should.
///
/// `E` is the error of the function that reads nodes; checking a proof reads none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError<E = Infallible> {
    /// The tree does not hold the leaf.
    #[error("index {index} is not below the tree size {size}")]
    IndexBeyondSize {
        /// The index of the leaf.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// The old tree is larger than the new one.
    #[error("the old size {old} is above the new size {new}")]
    SizesReversed {
        /// The old size.
        old: u64,
        /// The new size.
        new: u64,
    },
    /// Every tree is consistent with the empty one, so there is nothing to prove
    /// (RFC 9162 §2.1.4.1 asks for `0 < m`).
    #[error("consistency with the empty tree needs no proof and has none")]
    OldSizeZero,
    /// The proof has too many or too few hashes for its sizes.
    #[error("the proof has {found} hashes, expected {expected}")]
    Length {
        /// How many hashes the sizes demand.
        expected: usize,
        /// How many there were.
        found: usize,
    },
    /// The proof leads to another root; for a consistency proof, to another new root.
    #[error("the proof leads to the root {found}, expected {expected}")]
    Root {
        /// The root that was to be proved.
        expected: Sha256,
        /// The root that follows from the proof.
        found: Sha256,
    },
    /// The consistency proof leads to another old root.
    #[error("the proof leads to the old root {found}, expected {expected}")]
    OldRoot {
        /// The old root that was to be proved.
        expected: Sha256,
        /// The old root that follows from the proof.
        found: Sha256,
    },
    /// A node of the tree could not be read.
    #[error("node {index} of level {level} could not be read", level = .address.level, index = .address.index)]
    Node {
        /// The node.
        address: NodeAddress,
        /// What its reader reported.
        source: E,
    },
}

/// Makes the proof that leaf `index` is in the tree of `size` leaves: its `PATH` in the order of
/// RFC 9162 §2.1.3.1, from the leaf's sibling up.
///
/// `node` is asked only for perfect subtrees within the tree, at most 128 times.
///
/// # Errors
/// [`ProofError::IndexBeyondSize`], or [`ProofError::Node`] when `node` fails.
pub fn inclusion_proof<E>(
    index: u64,
    size: u64,
    mut node: impl FnMut(NodeAddress) -> Result<Sha256, E>,
) -> Result<Vec<Sha256>, ProofError<E>> {
    if index >= size {
        return Err(ProofError::IndexBeyondSize { index, size });
    }
    let mut proof = Vec::with_capacity(inclusion_proof_hashes(index, size));
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let middle = start + left_leaves(end - start);
        // "if m < k: PATH(m, D[0:k]) : MTH(D[k:n]); else PATH(m-k, D[k:n]) : MTH(D[0:k])"
        if index < middle {
            proof.push(range_hash(middle, end, &mut node)?);
            end = middle;
        } else {
            proof.push(range_hash(start, middle, &mut node)?);
            start = middle;
        }
    }
    // The walk goes down from the root, the proof up from the leaf.
    proof.reverse();
    Ok(proof)
}

/// Makes the proof that the tree of `old` leaves is a prefix of the tree of `new` leaves: `PROOF`
/// in the order of RFC 9162 §2.1.4.1. Between equal sizes it is empty.
///
/// `node` is asked only for perfect subtrees within the new tree.
///
/// # Errors
/// [`ProofError::OldSizeZero`], [`ProofError::SizesReversed`], or [`ProofError::Node`] when
/// `node` fails.
pub fn consistency_proof<E>(
    old: u64,
    new: u64,
    mut node: impl FnMut(NodeAddress) -> Result<Sha256, E>,
) -> Result<Vec<Sha256>, ProofError<E>> {
    check_sizes(old, new)?;
    let mut proof = Vec::new();
    let (mut start, mut end) = (0, new);
    while old != end {
        let middle = start + left_leaves(end - start);
        // "if m <= k: SUBPROOF(m, D[0:k], b) : MTH(D[k:n]);
        //  else SUBPROOF(m-k, D[k:n], false) : MTH(D[0:k])"
        if old <= middle {
            proof.push(range_hash(middle, end, &mut node)?);
            end = middle;
        } else {
            proof.push(range_hash(start, middle, &mut node)?);
            start = middle;
        }
    }
    // "SUBPROOF(m, D_m, true) = {}": the verifier has the old root. `b` is still true exactly
    // when the walk never went right, so that the subtree it ended at is the whole old tree.
    if start > 0 {
        proof.push(range_hash(start, end, &mut node)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Computes the root of the tree of `size` leaves from its largest perfect subtrees
/// (RFC 9162 §2.1.1).
///
/// # Errors
/// [`ProofError::Node`] when `node` fails.
pub fn root<E>(
    size: u64,
    mut node: impl FnMut(NodeAddress) -> Result<Sha256, E>,
) -> Result<Sha256, ProofError<E>> {
    range_hash(0, size, &mut node)
}

/// Computes the root that a leaf hash and an inclusion proof lead to (RFC 9162 §2.1.3.2).
///
/// # Errors
/// [`ProofError::IndexBeyondSize`] or [`ProofError::Length`].
pub fn root_from_inclusion_proof(
    leaf: &Sha256,
    index: u64,
    size: u64,
    proof: &[Sha256],
) -> Result<Sha256, ProofError> {
    if index >= size {
        return Err(ProofError::IndexBeyondSize { index, size });
    }
    // With the exact length, "if sn is 0, then stop the iteration and fail" never holds within
    // the loop, and sn is 0 after it.
    check_length(inclusion_proof_hashes(index, size), proof)?;
    let mut fold = Fold { index, last: size - 1 };
    let mut hash = *leaf;
    for sibling in proof {
        hash = match fold.next_side() {
            Side::Left => node_hash(sibling, &hash),
            Side::Right => node_hash(&hash, sibling),
        };
    }
    Ok(hash)
}

/// Checks that the leaf with hash `leaf` is at `index` in the tree of `size` leaves and `root`
/// (RFC 9162 §2.1.3.2).
///
/// # Errors
/// [`ProofError::IndexBeyondSize`], [`ProofError::Length`] or [`ProofError::Root`].
pub fn verify_inclusion(
    leaf: &Sha256,
    index: u64,
    size: u64,
    proof: &[Sha256],
    root: &Sha256,
) -> Result<(), ProofError> {
    let found = root_from_inclusion_proof(leaf, index, size, proof)?;
    if found != *root {
        return Err(ProofError::Root { expected: *root, found });
    }
    Ok(())
}

/// Checks that the tree of `old` leaves and `old_root` is a prefix of the tree of `new` leaves
/// and `new_root` (RFC 9162 §2.1.4.2).
///
/// # Errors
/// [`ProofError::OldSizeZero`], [`ProofError::SizesReversed`], [`ProofError::Length`],
/// [`ProofError::OldRoot`] or [`ProofError::Root`].
pub fn verify_consistency(
    old: u64,
    new: u64,
    proof: &[Sha256],
    old_root: &Sha256,
    new_root: &Sha256,
) -> Result<(), ProofError> {
    check_sizes(old, new)?;
    check_length(consistency_proof_hashes(old, new), proof)?;
    if old == new {
        return if old_root == new_root {
            Ok(())
        } else {
            Err(ProofError::Root { expected: *new_root, found: *old_root })
        };
    }
    // "If first is an exact power of 2, then prepend first_hash to the consistency_path."
    let (seed, path) = match proof.split_first() {
        Some((first, rest)) if !old.is_power_of_two() => (*first, rest),
        _ => (*old_root, proof),
    };
    // "Right-shift both fn and sn equally until LSB(fn) is not set."
    let shared = (old - 1).trailing_ones();
    let mut fold = Fold { index: (old - 1) >> shared, last: (new - 1) >> shared };
    let (mut found_old, mut found_new) = (seed, seed);
    for hash in path {
        match fold.next_side() {
            Side::Left => {
                found_old = node_hash(hash, &found_old);
                found_new = node_hash(hash, &found_new);
            }
            Side::Right => found_new = node_hash(&found_new, hash),
        }
    }
    if found_old != *old_root {
        return Err(ProofError::OldRoot { expected: *old_root, found: found_old });
    }
    if found_new != *new_root {
        return Err(ProofError::Root { expected: *new_root, found: found_new });
    }
    Ok(())
}

/// The walk up the tree that both verification algorithms share: `fn` and `sn` of RFC 9162.
struct Fold {
    index: u64,
    last: u64,
}

/// The side on which the next hash of a proof stands.
enum Side {
    Left,
    Right,
}

impl Fold {
    fn next_side(&mut self) -> Side {
        // "If LSB(fn) is set, or if fn is equal to sn". Once equal they stay equal and all hashes
        // to come stand on the left, so the levels without a sibling need not be skipped: the
        // length of the proof was checked before.
        let side =
            if self.index & 1 == 1 || self.index == self.last { Side::Left } else { Side::Right };
        self.index >>= 1;
        self.last >>= 1;
        side
    }
}

/// The largest power of two below `leaves`: where RFC 9162 §2.1.1 splits a tree, `k`.
fn left_leaves(leaves: u64) -> u64 {
    1 << leaves.saturating_sub(1).checked_ilog2().unwrap_or(0)
}

/// The hash of the leaves from `start` to `end`, the end excluded, where `start` is a multiple of
/// every power of two in `end - start`, as it is for every subtree of RFC 9162 §2.1.1.
fn range_hash<E>(
    start: u64,
    end: u64,
    node: &mut impl FnMut(NodeAddress) -> Result<Sha256, E>,
) -> Result<Sha256, ProofError<E>> {
    // The perfect subtrees from the right, smallest first, each joined to those before it.
    let (mut leaves, mut at) = (end - start, end);
    let mut hash: Option<Sha256> = None;
    while leaves > 0 {
        let level = leaves.trailing_zeros();
        leaves &= leaves - 1;
        at -= 1 << level;
        let address = NodeAddress { level: level as u8, index: at >> level };
        let left = node(address).map_err(|source| ProofError::Node { address, source })?;
        hash = Some(hash.map_or(left, |right| node_hash(&left, &right)));
    }
    Ok(hash.unwrap_or(EMPTY_ROOT))
}

fn check_sizes<E>(old: u64, new: u64) -> Result<(), ProofError<E>> {
    if old > new {
        return Err(ProofError::SizesReversed { old, new });
    }
    if old == 0 {
        return Err(ProofError::OldSizeZero);
    }
    Ok(())
}

fn check_length(expected: usize, proof: &[Sha256]) -> Result<(), ProofError> {
    if proof.len() != expected {
        return Err(ProofError::Length { expected, found: proof.len() });
    }
    Ok(())
}

/// How many hashes the inclusion proof of `index < size` has: one for every level below the one
/// where its path meets the path of the last leaf, then one for every left turn above.
fn inclusion_proof_hashes(index: u64, size: u64) -> usize {
    let inner = u64::BITS - (index ^ (size - 1)).leading_zeros();
    let border = index.checked_shr(inner).unwrap_or(0).count_ones();
    (inner + border) as usize
}

/// How many hashes the consistency proof of `0 < old <= new` has.
fn consistency_proof_hashes(old: u64, new: u64) -> usize {
    if old == new {
        return 0;
    }
    // It is the inclusion proof of the largest subtree that ends the old tree, and that subtree's
    // hash unless it is the whole old tree.
    let below = old.trailing_zeros() as usize;
    inclusion_proof_hashes(old - 1, new) - below + usize::from(!old.is_power_of_two())
}
