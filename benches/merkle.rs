//! The tree: appending at its right edge, and inclusion proofs from its tiles.

#![allow(missing_docs, reason = "criterion's macros make public items")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on ends with what it met")]

use std::hint::black_box;

use attestry_registry::log::tree::{FullTiles, RightEdge};
use attestry_schemas::digest::Sha256;
use attestry_schemas::merkle;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

/// Leaves of one measured round of appending.
const APPENDED: u64 = 256;
/// A step through the leaves that visits them all, in an order no cache foresees.
const STRIDE: u64 = 0x9e37_79b1;

fn leaf(index: u64) -> Sha256 {
    merkle::leaf_hash(&index.to_be_bytes())
}

fn tree(size: u64) -> (RightEdge, FullTiles) {
    let (mut edge, mut full) = (RightEdge::default(), FullTiles::new());
    (0..size).for_each(|index| edge.append(leaf(index), &mut full).unwrap());
    (edge, full)
}

fn trees(criterion: &mut Criterion) {
    for (name, size) in [("2^10", 1_u64 << 10), ("2^20", 1 << 20)] {
        let (edge, full) = tree(size);
        let leaves: Vec<Sha256> = (size..size + APPENDED).map(leaf).collect();
        let mut group = criterion.benchmark_group("merkle");
        group.throughput(Throughput::Elements(APPENDED));
        group.bench_function(format!("append_{APPENDED}/{name}"), |b| {
            let append = |(mut edge, mut full): (RightEdge, FullTiles)| {
                for leaf in &leaves {
                    edge.append(*leaf, &mut full).unwrap();
                }
                (edge, full)
            };
            b.iter_batched(|| (edge.clone(), FullTiles::new()), append, BatchSize::SmallInput);
        });
        group.throughput(Throughput::Elements(1));
        let mut index = 0;
        let mut next = || {
            index = (index + STRIDE) % size;
            index
        };
        group.bench_function(format!("inclusion_proof/{name}"), |b| {
            b.iter(|| merkle::inclusion_proof(next(), size, |n| edge.node(&full, n)).unwrap());
        });
        group.bench_function(format!("root/{name}"), |b| {
            b.iter(|| edge.root(|n| edge.node(&full, n)).unwrap());
        });
        let root = edge.root(|n| edge.node(&full, n)).unwrap();
        let proof = merkle::inclusion_proof(size / 3, size, |n| edge.node(&full, n)).unwrap();
        group.bench_function(format!("verify_inclusion/{name}"), |b| {
            let leaf = leaf(size / 3);
            b.iter(|| {
                merkle::verify_inclusion(&leaf, size / 3, size, black_box(&proof), &root).unwrap();
            });
        });
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = attestry_benches::criterion();
    targets = trees
}
criterion_main!(benches);
