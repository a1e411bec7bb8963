//! Vectors of other implementations.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::Tree;
use crate::digest::Sha256;
use crate::merkle::*;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct InclusionVector {
    leaf_idx: u64,
    tree_size: u64,
    root: String,
    leaf_hash: String,
    proof: Option<Vec<String>>,
    desc: String,
    want_err: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ConsistencyVector {
    size1: u64,
    size2: u64,
    root1: String,
    root2: String,
    proof: Option<Vec<String>>,
    desc: String,
    want_err: bool,
}

/// A hash of a vector. Some are deliberately not 32 bytes long, which [`Sha256`] cannot be; a hash
/// of the text stands for them, because what matters is which of them are equal.
fn hash(base64: &str) -> Sha256 {
    Sha256::from_slice(&STANDARD.decode(base64).unwrap())
        .unwrap_or_else(|| Sha256::of(format!("stands for {base64:?}").as_bytes()))
}

fn is_hash(base64: &str) -> bool {
    STANDARD.decode(base64).unwrap().len() == 32
}

fn hashes(base64: Option<Vec<String>>) -> Vec<Sha256> {
    base64.unwrap_or_default().iter().map(|text| hash(text)).collect()
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(json_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files
}

/// Runs the vectors of one kind and returns how many were refused and accepted, as they should.
fn run<V: for<'de> Deserialize<'de>>(
    kind: &str,
    run: impl Fn(V) -> (String, bool, Result<(), String>),
) -> Option<(usize, usize)> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/merkle").join(kind);
    if !folder.is_dir() {
        eprintln!("skipped: {} is not there", folder.display());
        return None;
    }
    let files = json_files(&folder);
    let (mut refused, mut accepted) = (0, 0);
    for file in &files {
        let vector = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        let (desc, want_err, result) = run(vector);
        assert_eq!(result.is_err(), want_err, "{}: {desc}: {result:?}", file.display());
        *(if want_err { &mut refused } else { &mut accepted }) += 1;
    }
    assert_eq!(refused + accepted, files.len());
    Some((refused, accepted))
}

#[test]
fn agrees_with_every_inclusion_vector_of_transparency_dev() {
    let counts = run("inclusion", |v: InclusionVector| {
        let (leaf, root, proof) = (hash(&v.leaf_hash), hash(&v.root), hashes(v.proof));
        let result = verify_inclusion(&leaf, v.leaf_idx, v.tree_size, &proof, &root);
        // A leaf hash of another length is refused by its type.
        let result = result.map_err(|e| e.to_string()).and_then(|()| {
            is_hash(&v.leaf_hash).then_some(()).ok_or_else(|| "not a leaf hash".to_owned())
        });
        (v.desc, v.want_err, result)
    });
    if let Some((refused, accepted)) = counts {
        assert!(refused >= 92 && accepted >= 6, "{refused} refused, {accepted} accepted");
    }
}

#[test]
fn agrees_with_every_consistency_vector_of_transparency_dev() {
    let counts = run("consistency", |v: ConsistencyVector| {
        let (old, new, proof) = (hash(&v.root1), hash(&v.root2), hashes(v.proof));
        let result = verify_consistency(v.size1, v.size2, &proof, &old, &new);
        (v.desc, v.want_err, result.map_err(|e| e.to_string()))
    });
    if let Some((refused, accepted)) = counts {
        assert!(refused >= 92 && accepted >= 6, "{refused} refused, {accepted} accepted");
    }
}

#[derive(Deserialize)]
struct TreeVector {
    size: u64,
    root: String,
    inclusion: Vec<InclusionProof>,
    consistency: Vec<ConsistencyProof>,
}

#[derive(Deserialize)]
struct InclusionProof {
    index: u64,
    hashes: Vec<String>,
}

#[derive(Deserialize)]
struct ConsistencyProof {
    old: u64,
    hashes: Vec<String>,
}

#[test]
fn makes_the_same_roots_and_proofs_as_the_go_checksum_database() {
    let vectors: Vec<TreeVector> =
        serde_json::from_str(include_str!("../../../vectors/log/trees.json")).unwrap();
    let tree = Tree::of_size(vectors.iter().map(|v| v.size).max().unwrap());
    for v in &vectors {
        let node = |address| tree.node(address);
        assert_eq!(root(v.size, node).unwrap(), hash(&v.root), "size {}", v.size);
        for InclusionProof { index, hashes } in &v.inclusion {
            let expected: Vec<_> = hashes.iter().map(|text| hash(text)).collect();
            assert_eq!(inclusion_proof(*index, v.size, node).unwrap(), expected);
        }
        for ConsistencyProof { old, hashes } in &v.consistency {
            let expected: Vec<_> = hashes.iter().map(|text| hash(text)).collect();
            assert_eq!(consistency_proof(*old, v.size, node).unwrap(), expected);
        }
    }
    assert_eq!(vectors.len(), 13);
}
