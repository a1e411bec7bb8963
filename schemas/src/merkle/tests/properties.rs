//! What holds for every tree, over random ones.

use proptest::prelude::*;

use super::{Tree, defined_root, uniform_node};
use crate::digest::Sha256;
use crate::merkle::*;

/// A size up to 600 and a place within it.
fn size_and_index() -> impl Strategy<Value = (u64, u64)> {
    (1_u64..=600).prop_flat_map(|size| (Just(size), 0..size))
}

/// Every value that differs from `hash` in one bit.
fn flips(hash: Sha256) -> impl Iterator<Item = Sha256> {
    (0..256).map(move |bit| {
        let mut flipped = hash;
        flipped.0[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

/// Calls `check` with every proof that differs from `proof` in one bit.
fn for_each_flip(proof: &[Sha256], mut check: impl FnMut(&[Sha256]) -> bool) -> bool {
    let mut changed = proof.to_vec();
    (0..proof.len()).all(|at| {
        let all = flips(proof[at]).all(|flipped| {
            changed[at] = flipped;
            check(&changed)
        });
        changed[at] = proof[at];
        all
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn a_compact_range_has_the_root_of_the_definition(size in 0_u64..=600) {
        let tree = Tree::of_size(size);
        let mut range = CompactRange::new();
        for leaf in tree.leaves() {
            range.append(*leaf).unwrap();
        }
        prop_assert_eq!(range.root(), defined_root(tree.leaves()));
        prop_assert_eq!(root(size, |a| tree.node(a)).unwrap(), range.root());
    }

    #[test]
    fn an_inclusion_proof_verifies_and_fails_when_any_bit_is_flipped(
        (size, index) in size_and_index(),
    ) {
        let tree = Tree::of_size(size);
        let (leaf, root) = (tree.leaves()[index as usize], defined_root(tree.leaves()));
        let proof = inclusion_proof(index, size, |a| tree.node(a)).unwrap();
        let verifies = |leaf: &Sha256, index, size, proof: &[Sha256], root: &Sha256| {
            verify_inclusion(leaf, index, size, proof, root).is_ok()
        };
        prop_assert!(verifies(&leaf, index, size, &proof, &root));
        prop_assert!(for_each_flip(&proof, |p| !verifies(&leaf, index, size, p, &root)));
        prop_assert!(flips(leaf).all(|leaf| !verifies(&leaf, index, size, &proof, &root)));
        prop_assert!(flips(root).all(|root| !verifies(&leaf, index, size, &proof, &root)));
        for bit in 0..u64::BITS {
            prop_assert!(!verifies(&leaf, index ^ (1 << bit), size, &proof, &root));
        }
    }

    #[test]
    fn a_consistency_proof_verifies_and_fails_when_any_bit_is_flipped(
        (new, before_old) in size_and_index(),
    ) {
        let tree = Tree::of_size(new);
        let old = before_old + 1;
        let old_root = defined_root(&tree.leaves()[..old as usize]);
        let new_root = defined_root(tree.leaves());
        let proof = consistency_proof(old, new, |a| tree.node(a)).unwrap();
        let verifies = |old, proof: &[Sha256], old_root: &Sha256, new_root: &Sha256| {
            verify_consistency(old, new, proof, old_root, new_root).is_ok()
        };
        prop_assert!(verifies(old, &proof, &old_root, &new_root));
        prop_assert!(for_each_flip(&proof, |p| !verifies(old, p, &old_root, &new_root)));
        prop_assert!(flips(old_root).all(|root| !verifies(old, &proof, &root, &new_root)));
        prop_assert!(flips(new_root).all(|root| !verifies(old, &proof, &old_root, &root)));
        for bit in 0..u64::BITS {
            prop_assert!(!verifies(old ^ (1 << bit), &proof, &old_root, &new_root));
        }
    }

    #[test]
    fn trees_of_any_size_have_proofs_that_verify(a in any::<u64>(), b in any::<u64>()) {
        let (index, size) = (a.min(b), a.max(b).saturating_add(u64::from(a == b)));
        prop_assume!(index < size);
        let size_root = root(size, uniform_node).unwrap();
        let proof = inclusion_proof(index, size, uniform_node).unwrap();
        let leaf = leaf_hash(b"alike");
        prop_assert_eq!(verify_inclusion(&leaf, index, size, &proof, &size_root), Ok(()));
        let old = index + 1;
        let old_root = root(old, uniform_node).unwrap();
        let proof = consistency_proof(old, size, uniform_node).unwrap();
        prop_assert_eq!(verify_consistency(old, size, &proof, &old_root, &size_root), Ok(()));
    }

    #[test]
    fn no_sizes_and_no_proof_make_verification_panic(
        index in any::<u64>(),
        size in any::<u64>(),
        hashes in 0_usize..=130,
    ) {
        let proof = vec![EMPTY_ROOT; hashes];
        prop_assert!(verify_inclusion(&EMPTY_ROOT, index, size, &proof, &EMPTY_ROOT).is_err());
        // Between equal sizes an empty proof of equal roots is right.
        let trivial = index == size && hashes == 0 && size != 0;
        let consistency = verify_consistency(index, size, &proof, &EMPTY_ROOT, &EMPTY_ROOT);
        prop_assert_eq!(consistency.is_ok(), trivial);
    }
}
