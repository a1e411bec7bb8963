mod properties;
mod vectors;

use std::convert::Infallible;

use super::*;

/// A small tree with all its perfect subtrees, built level by level.
pub(crate) struct Tree {
    levels: Vec<Vec<Sha256>>,
}

impl Tree {
    /// The tree of the entries "entry 0", "entry 1", ….
    pub(crate) fn of_size(size: u64) -> Self {
        let entries = (0..size).map(|index| format!("entry {index}"));
        let mut levels = vec![entries.map(|entry| leaf_hash(entry.as_bytes())).collect::<Vec<_>>()];
        while levels[levels.len() - 1].len() > 1 {
            let below = &levels[levels.len() - 1];
            let nodes = below.as_chunks::<2>().0.iter();
            levels.push(nodes.map(|[left, right]| node_hash(left, right)).collect());
        }
        Self { levels }
    }

    pub(crate) fn leaves(&self) -> &[Sha256] {
        &self.levels[0]
    }

    pub(crate) fn node(&self, address: NodeAddress) -> Result<Sha256, NodeAddress> {
        let nodes = self.levels.get(usize::from(address.level)).ok_or(address)?;
        nodes.get(address.index as usize).copied().ok_or(address)
    }
}

/// The definition: "MTH(D[n]) = SHA-256(0x01 || MTH(D[0:k]) || MTH(D[k:n]))" (RFC 9162 §2.1.1).
pub(crate) fn defined_root(leaves: &[Sha256]) -> Sha256 {
    match leaves {
        [] => Sha256::of(b""),
        [leaf] => *leaf,
        _ => {
            let k = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(k);
            node_hash(&defined_root(left), &defined_root(right))
        }
    }
}

/// A tree of any size whose leaves are all alike, so that a perfect subtree is known by its level.
fn uniform_node(address: NodeAddress) -> Result<Sha256, Infallible> {
    Ok((0..address.level).fold(leaf_hash(b"alike"), |node, _| node_hash(&node, &node)))
}

fn hash(byte: u8) -> Sha256 {
    Sha256([byte; 32])
}

#[test]
fn leaves_nodes_and_the_empty_tree_hash_as_rfc_6962_says() {
    assert_eq!(EMPTY_ROOT, Sha256::of(b""));
    assert_eq!(leaf_hash(b"abc"), Sha256::of(b"\x00abc"));
    let joined = [&[1][..], &[2; 32], &[3; 32]].concat();
    assert_eq!(node_hash(&hash(2), &hash(3)), Sha256::of(&joined));
}

#[test]
fn every_leaf_and_every_older_tree_of_every_size_up_to_70_has_a_proof_that_verifies() {
    let tree = Tree::of_size(70);
    for size in 1..=70 {
        let size_root = defined_root(&tree.leaves()[..size as usize]);
        assert_eq!(root(size, |a| tree.node(a)).unwrap(), size_root);
        for index in 0..size {
            let leaf = tree.leaves()[index as usize];
            let proof = inclusion_proof(index, size, |a| tree.node(a)).unwrap();
            assert_eq!(verify_inclusion(&leaf, index, size, &proof, &size_root), Ok(()));
            let old = index + 1;
            let old_root = defined_root(&tree.leaves()[..old as usize]);
            let proof = consistency_proof(old, size, |a| tree.node(a)).unwrap();
            assert_eq!(verify_consistency(old, size, &proof, &old_root, &size_root), Ok(()));
        }
    }
}

#[test]
fn proofs_ask_only_for_perfect_subtrees_within_the_tree() {
    // The nodes beyond the size do not exist, so asking for one fails.
    for size in 1..=70 {
        let tree = Tree::of_size(size);
        for index in 0..size {
            assert!(inclusion_proof(index, size, |a| tree.node(a)).is_ok(), "{index} {size}");
            assert!(consistency_proof(index + 1, size, |a| tree.node(a)).is_ok(), "{index} {size}");
        }
    }
}

#[test]
fn the_greatest_sizes_and_indices_have_proofs_that_verify() {
    let sizes = [u64::MAX, u64::MAX - 1, (1 << 63) + 1, 1 << 63, (1 << 63) - 1];
    for size in sizes {
        let size_root = root(size, uniform_node).unwrap();
        for index in [0, 1, size / 2, size - 2, size - 1] {
            let proof = inclusion_proof(index, size, uniform_node).unwrap();
            let leaf = leaf_hash(b"alike");
            assert_eq!(verify_inclusion(&leaf, index, size, &proof, &size_root), Ok(()));
            let old = index + 1;
            let old_root = root(old, uniform_node).unwrap();
            let proof = consistency_proof(old, size, uniform_node).unwrap();
            assert_eq!(verify_consistency(old, size, &proof, &old_root, &size_root), Ok(()));
        }
    }
}

#[test]
fn rejects_an_index_that_the_tree_does_not_have() {
    for (index, size) in [(0, 0), (1, 1), (8, 8), (u64::MAX, u64::MAX), (u64::MAX, 0)] {
        let expected = ProofError::IndexBeyondSize { index, size };
        assert_eq!(verify_inclusion(&hash(0), index, size, &[], &hash(0)), Err(expected));
        let expected = ProofError::IndexBeyondSize { index, size };
        assert_eq!(inclusion_proof(index, size, uniform_node), Err(expected));
    }
}

#[test]
fn rejects_consistency_between_sizes_that_shrink_or_begin_at_nothing() {
    for (old, new, expected) in [
        (2, 1, ProofError::SizesReversed { old: 2, new: 1 }),
        (u64::MAX, 0, ProofError::SizesReversed { old: u64::MAX, new: 0 }),
        (0, 0, ProofError::OldSizeZero),
        (0, 7, ProofError::OldSizeZero),
    ] {
        assert_eq!(consistency_proof(old, new, uniform_node), Err(expected.clone()));
        assert_eq!(verify_consistency(old, new, &[], &EMPTY_ROOT, &EMPTY_ROOT), Err(expected));
    }
}

#[test]
fn rejects_a_proof_of_another_length_before_hashing_it() {
    let long = vec![hash(1); 1000];
    for (proof, found) in [(&long[..], 1000), (&long[..2], 2), (&long[..4], 4), (&[], 0)] {
        let expected = Err(ProofError::Length { expected: 3, found });
        assert_eq!(root_from_inclusion_proof(&hash(0), 5, 8, proof), expected);
        let expected = Err(ProofError::Length { expected: 3, found });
        assert_eq!(verify_consistency(6, 8, proof, &hash(0), &hash(0)), expected);
    }
}

#[test]
fn a_consistency_proof_tells_which_root_it_contradicts() {
    let tree = Tree::of_size(7);
    let (old_root, new_root) = (defined_root(&tree.leaves()[..5]), defined_root(tree.leaves()));
    let proof = consistency_proof(5, 7, |a| tree.node(a)).unwrap();
    assert_eq!(
        verify_consistency(5, 7, &proof, &hash(9), &new_root),
        Err(ProofError::OldRoot { expected: hash(9), found: old_root })
    );
    assert_eq!(
        verify_consistency(5, 7, &proof, &old_root, &hash(9)),
        Err(ProofError::Root { expected: hash(9), found: new_root })
    );
    assert_eq!(
        verify_consistency(7, 7, &[], &new_root, &hash(9)),
        Err(ProofError::Root { expected: hash(9), found: new_root })
    );
}

#[test]
fn a_node_that_cannot_be_read_is_named() {
    let missing = NodeAddress { level: 2, index: 1 };
    let read = |address| {
        if address == missing { Err("torn page") } else { uniform_node(address).map_err(|_| "") }
    };
    let error = inclusion_proof(0, 8, read).unwrap_err();
    assert_eq!(error, ProofError::Node { address: missing, source: "torn page" });
    let error = consistency_proof(4, 8, read).unwrap_err();
    assert_eq!(error, ProofError::Node { address: missing, source: "torn page" });
    assert_eq!(root(7, read).err(), None);
}

#[test]
fn a_compact_range_holds_one_hash_for_every_one_in_its_size() {
    for (size, hashes, expected) in [(0, 0, 0), (5, 2, 2), (5, 3, 2), (8, 0, 1), (u64::MAX, 64, 64)]
    {
        let range = CompactRange::from_parts(size, vec![hash(1); hashes]);
        match range {
            Ok(range) => assert_eq!((range.size(), range.hashes().len()), (size, expected)),
            Err(error) => {
                assert_ne!(hashes, expected);
                assert_eq!(error, RangeError::Hashes { size, expected, found: hashes });
            }
        }
    }
}

#[test]
fn a_compact_range_is_taken_up_where_it_was_left() {
    let tree = Tree::of_size(40);
    let mut range = CompactRange::new();
    for (leaf, size) in tree.leaves().iter().zip(1..) {
        range = CompactRange::from_parts(range.size(), range.hashes().to_vec()).unwrap();
        range.append(*leaf).unwrap();
        assert_eq!(range.size(), size as u64);
        assert_eq!(range.root(), defined_root(&tree.leaves()[..size]));
    }
}

#[test]
fn a_compact_range_that_cannot_count_on_refuses_the_leaf() {
    let mut range = CompactRange::from_parts(u64::MAX - 1, vec![hash(1); 63]).unwrap();
    range.append(hash(2)).unwrap();
    let full = range.clone();
    assert_eq!(range.append(hash(3)), Err(RangeError::Full));
    assert_eq!(range, full);
}
