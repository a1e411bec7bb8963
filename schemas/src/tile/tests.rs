use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use crate::merkle::tests::{Tree, defined_root};
use crate::merkle::{inclusion_proof, node_hash, verify_inclusion};

fn tile(level: u8, index: u64, width: u16) -> TilePath {
    TilePath::Hashes(TileAddress { level, index, width })
}

fn bundle(index: u64, width: u16) -> TilePath {
    TilePath::Entries(BundleAddress { index, width })
}

fn numbered(number: u16) -> Sha256 {
    Sha256::of(&number.to_be_bytes())
}

/// The rows of tiles of a log: what the log keeps, one growing tile for each level at the right.
fn tiles_of(size: u64) -> BTreeMap<(u8, u64), Pyramid> {
    let mut tiles = BTreeMap::<(u8, u64), Pyramid>::new();
    for (leaf, index) in Tree::of_size(size).leaves().iter().zip(0_u64..) {
        let (mut hash, mut index) = (Some(*leaf), index);
        for level in 0.. {
            let Some(complete) = hash else { break };
            index /= 256;
            let tile = tiles.entry((level, index)).or_default();
            tile.push(complete).unwrap();
            hash = tile.root();
        }
    }
    tiles
}

#[test]
fn paths_are_written_and_read_as_c2sp_tlog_tiles_says() {
    for (path, named) in [
        ("tile/0/000", tile(0, 0, 256)),
        ("tile/0/x001/x234/067", tile(0, 1_234_067, 256)),
        ("tile/0/x001/x234/067.p/8", tile(0, 1_234_067, 8)),
        ("tile/1/255.p/255", tile(1, 255, 255)),
        ("tile/7/000.p/1", tile(7, 0, 1)),
        ("tile/10/999", tile(10, 999, 256)),
        ("tile/63/x001/000.p/10", tile(63, 1000, 10)),
        ("tile/0/x018/x446/x744/x073/x709/x551/615.p/255", tile(0, u64::MAX, 255)),
        ("tile/entries/000.p/100", bundle(0, 100)),
        ("tile/entries/x001/x000/000", bundle(1_000_000, 256)),
    ] {
        assert_eq!(path.parse(), Ok(named), "{path}");
        assert_eq!(named.to_string(), path);
    }
}

#[test]
fn refuses_every_path_that_is_not_in_its_one_canonical_form() {
    for path in [
        "",
        "/tile/0/000",
        "tile/0",
        "tile/0/",
        "tile//000",
        "tile/00/000",
        "tile/01/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/+1/000",
        "tile/256/000",
        "tile/0x1/000",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000",
        "tile/0/x000/000",
        "tile/0/x000/x001/000",
        "tile/0/001/000",
        "tile/0/x1/000",
        "tile/0/x001/x002",
        "tile/0/x+01/000",
        "tile/0/+01",
        "tile/0/X001/000",
        "tile/0/000/",
        "tile/0/x001//000",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/+1",
        "tile/0/000.p/256",
        "tile/0/000.p/65537",
        "tile/0/000.p/1/",
        "tile/0/000.p/1.p/1",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x001/x000/x000/x000/x000/x000/x000/000",
        "tile/entries",
        "tile/entries/",
        "tile/entries/x000/000",
        "tile/entries/000.p/256",
        "tile/Entries/000",
        "tile/0/٠٠٠",
        "tile/0/000 ",
        "tile/0/000\n",
    ] {
        assert_eq!(
            path.parse::<TilePath>(),
            Err(TileError::Path { found: path.to_owned() }),
            "{path}"
        );
    }
}

#[test]
fn a_hash_tile_is_not_a_bundle_and_a_bundle_not_a_hash_tile() {
    assert!("tile/entries/000".parse::<TileAddress>().is_err());
    assert!("tile/0/000".parse::<BundleAddress>().is_err());
    assert_eq!("tile/0/000".parse(), Ok(TileAddress { level: 0, index: 0, width: 256 }));
    assert_eq!("tile/entries/000".parse(), Ok(BundleAddress { index: 0, width: 256 }));
}

#[test]
fn the_width_of_a_tile_follows_from_the_size_of_the_tree() {
    // The first two sizes are the examples of C2SP tlog-tiles.
    for (size, level, index, width) in [
        (70_000, 0, 0, Some(256)),
        (70_000, 0, 272, Some(256)),
        (70_000, 0, 273, Some(112)),
        (70_000, 0, 274, None),
        (70_000, 1, 0, Some(256)),
        (70_000, 1, 1, Some(17)),
        (70_000, 1, 2, None),
        (70_000, 2, 0, Some(1)),
        (70_000, 3, 0, None),
        (256, 0, 0, Some(256)),
        (256, 0, 1, None),
        (256, 1, 0, Some(1)),
        (0, 0, 0, None),
        (u64::MAX, 0, u64::MAX >> 8, Some(255)),
        (u64::MAX, 0, u64::MAX, None),
        (u64::MAX, 7, 0, Some(255)),
        (u64::MAX, 8, 0, None),
        (u64::MAX, 63, 0, None),
        (u64::MAX, 255, 0, None),
    ] {
        let expected = width.map(|width| TileAddress { level, index, width });
        assert_eq!(TileAddress::in_tree(level, index, size), expected, "{size} {level} {index}");
        if level == 0 {
            let expected = width.map(|width| BundleAddress { index, width });
            assert_eq!(BundleAddress::in_tree(index, size), expected);
        }
    }
}

#[test]
fn a_full_tile_is_one_of_256() {
    assert!(TileAddress { level: 0, index: 0, width: 256 }.is_full());
    assert!(!TileAddress { level: 0, index: 0, width: 255 }.is_full());
    assert!(BundleAddress { index: 0, width: 256 }.is_full());
    assert!(!BundleAddress { index: 0, width: 1 }.is_full());
    assert_eq!(BundleAddress { index: 3, width: 1 }.first_entry(), Some(768));
    assert_eq!(BundleAddress { index: u64::MAX, width: 1 }.first_entry(), None);
}

#[test]
fn a_pyramid_has_exactly_the_nodes_whose_hashes_it_holds() {
    let hashes: Vec<_> = (0..256).map(numbered).collect();
    let mut pyramid = Pyramid::new();
    for width in 0..=256_u16 {
        assert_eq!(pyramid.width(), width);
        assert_eq!(pyramid.hashes(), &hashes[..usize::from(width)]);
        assert_eq!(pyramid.is_full(), width == 256);
        for level in 0..=TILE_HEIGHT {
            for index in 0..=(256 >> level) {
                let (start, end) = (index << level, (index + 1) << level);
                let expected = (end <= width)
                    .then(|| defined_root(&hashes[usize::from(start)..usize::from(end)]));
                assert_eq!(pyramid.node(level, index), expected, "{width} {level} {index}");
            }
        }
        if width < 256 {
            pyramid.push(numbered(width)).unwrap();
        }
    }
    for (level, index) in [(9, 0), (16, 0), (255, 0), (8, 1), (0, u16::MAX)] {
        assert_eq!(pyramid.node(level, index), None);
    }
    assert_eq!(pyramid.root(), Some(defined_root(&hashes)));
}

#[test]
fn a_full_pyramid_takes_no_more() {
    let hashes: Vec<_> = (0..256).map(numbered).collect();
    let mut pyramid = Pyramid::from_hashes(&write_hashes(&hashes)).unwrap();
    let full = pyramid.clone();
    assert_eq!(pyramid.push(numbered(256)), Err(TileError::Full));
    assert_eq!(pyramid, full);
}

#[test]
fn a_stored_tile_expands_to_the_pyramid_that_wrote_it() {
    let mut pyramid = Pyramid::new();
    for number in 0..256 {
        pyramid.push(numbered(number)).unwrap();
        let stored = write_hashes(pyramid.hashes());
        assert_eq!(Pyramid::from_hashes(&stored), Ok(pyramid.clone()));
        let width = pyramid.width();
        assert_eq!(read_hashes(&stored, width).as_deref(), Ok(pyramid.hashes()));
        let refused =
            TileError::HashBytes { expected: usize::from(width) + 1, found_bytes: stored.len() };
        assert_eq!(read_hashes(&stored, width + 1), Err(refused));
    }
}

#[test]
fn refuses_bytes_that_are_no_tile() {
    for found_bytes in [0, 1, 31, 33, 256 * 32 - 1, 256 * 32 + 1, 257 * 32] {
        let expected = TileError::HashBytes { expected: 256, found_bytes };
        assert_eq!(Pyramid::from_hashes(&vec![0; found_bytes]), Err(expected.clone()));
        assert_eq!(read_hashes(&vec![0; found_bytes], 256), Err(expected));
    }
}

#[test]
fn every_node_of_a_tree_is_found_in_its_tile() {
    let size = 70_000;
    let (tree, tiles) = (Tree::of_size(size), tiles_of(size));
    for level in 0..=16 {
        for index in 0..(size >> level) {
            let address = NodeAddress { level, index };
            let place = NodePlace::of(address).unwrap();
            let tile = &tiles[&(place.tile_level, place.tile_index)];
            assert_eq!(tile.node(place.level, place.index), tree.node(address).ok(), "{address:?}");
        }
    }
}

#[test]
fn nodes_that_no_tree_has_are_in_no_tile() {
    for (level, index, found) in [
        (63, 0, true),
        (63, 1, true),
        (63, 2, false),
        (64, 0, false),
        (255, 0, false),
        (0, u64::MAX, true),
        (1, u64::MAX, false),
    ] {
        assert_eq!(NodePlace::of(NodeAddress { level, index }).is_some(), found, "{level} {index}");
    }
    let last = NodePlace { tile_level: 7, tile_index: 0, level: 7, index: 1 };
    assert_eq!(NodePlace::of(NodeAddress { level: 63, index: 1 }), Some(last));
}

#[test]
fn proofs_come_from_tiles() {
    let size = 600;
    let (tree, tiles) = (Tree::of_size(size), tiles_of(size));
    let root = defined_root(tree.leaves());
    for index in 0..size {
        let proof = inclusion_proof(index, size, |address| {
            let place = NodePlace::of(address).ok_or(address)?;
            let tile = tiles.get(&(place.tile_level, place.tile_index)).ok_or(address)?;
            tile.node(place.level, place.index).ok_or(address)
        });
        let leaf = tree.leaves()[index as usize];
        assert_eq!(verify_inclusion(&leaf, index, size, &proof.unwrap(), &root), Ok(()));
    }
}

#[test]
fn a_bundle_is_read_as_it_was_written() {
    let longest = vec![7; MAX_ENTRY_BYTES];
    let entries: [&[u8]; 4] = [b"a", b"", &longest, b"entry"];
    let mut bytes = Vec::new();
    for entry in entries {
        append_entry(&mut bytes, entry).unwrap();
    }
    assert_eq!(bytes[..5], [0, 1, b'a', 0, 0]);
    assert_eq!(read_entries(&bytes, 4).as_deref(), Ok(&entries[..]));
}

#[test]
fn an_entry_that_a_bundle_cannot_hold_is_refused_and_leaves_it_unchanged() {
    let mut bytes = vec![0, 0];
    let found_bytes = MAX_ENTRY_BYTES + 1;
    let refused = Err(TileError::EntryTooLarge { found_bytes });
    assert_eq!(append_entry(&mut bytes, &vec![0; found_bytes]), refused);
    assert_eq!(bytes, [0, 0]);
}

#[test]
fn refuses_a_bundle_that_is_cut_or_has_another_number_of_entries() {
    let count = |expected, found, rest_bytes| TileError::EntryCount { expected, found, rest_bytes };
    let cut = |entry, missing_bytes| TileError::EntryCut { entry, missing_bytes };
    for (bytes, width, expected) in [
        (&[0, 1, 9][..], 2, count(2, 1, 0)),
        (&[0, 1, 9, 0, 0], 1, count(1, 1, 2)),
        (&[], 1, count(1, 0, 0)),
        (&[0], 0, count(0, 0, 1)),
        (&[0], 1, cut(0, 1)),
        (&[0, 1], 1, cut(0, 1)),
        (&[0, 0, 1, 0, 9], 2, cut(1, 255)),
    ] {
        assert_eq!(read_entries(bytes, width), Err(expected), "{bytes:?}");
    }
}

#[derive(Deserialize)]
struct TreeVector {
    size: u64,
    tiles: Option<Vec<TileVector>>,
}

#[derive(Deserialize)]
struct TileVector {
    path: String,
    sha256: String,
}

#[test]
fn writes_the_same_tiles_bundles_and_paths_as_the_go_implementations() {
    let vectors: Vec<TreeVector> =
        serde_json::from_str(include_str!("../../vectors/log/trees.json")).unwrap();
    let mut checked = 0;
    for TreeVector { size, tiles: expected } in vectors {
        let Some(expected) = expected else { continue };
        let tiles = tiles_of(size);
        for TileVector { path, sha256 } in expected {
            let bytes = match path.parse().unwrap() {
                TilePath::Hashes(tile) => {
                    let TileAddress { level, index, .. } = tile;
                    assert_eq!(TileAddress::in_tree(level, index, size), Some(tile));
                    assert_eq!(tile.to_string(), path);
                    write_hashes(tiles[&(level, index)].hashes())
                }
                TilePath::Entries(bundle) => {
                    assert_eq!(BundleAddress::in_tree(bundle.index, size), Some(bundle));
                    assert_eq!(bundle.to_string(), path);
                    let first = bundle.first_entry().unwrap();
                    let mut bytes = Vec::new();
                    for entry in first..first + u64::from(bundle.width) {
                        append_entry(&mut bytes, format!("entry {entry}").as_bytes()).unwrap();
                    }
                    bytes
                }
            };
            assert_eq!(Sha256::of(&bytes).hex(), sha256, "{path}");
            checked += 1;
        }
    }
    assert!(checked >= 20, "{checked}");
}

#[test]
fn the_root_of_a_full_tile_is_a_hash_of_the_tile_above() {
    let tiles = tiles_of(512);
    let above = &tiles[&(1, 0)];
    assert_eq!(above.node(0, 1), tiles[&(0, 1)].root());
    let joined = node_hash(&tiles[&(0, 0)].root().unwrap(), &tiles[&(0, 1)].root().unwrap());
    assert_eq!(above.node(1, 0), Some(joined));
}
