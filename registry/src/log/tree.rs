//! The right edge of the tree: the tiles that the next leaf touches, one for each level.
//!
//! Appending is O(1) amortised and proofs near the edge need no read of the store. The edge is a
//! value: the sequencer grows a copy, commits the tiles that changed, and only then adopts it, so
//! a failed commit leaves nothing to undo.

use std::collections::BTreeMap;

use attestry_schemas::digest::Sha256;
use attestry_schemas::merkle::{self, NodeAddress, ProofError};
use attestry_schemas::tile::{NodePlace, Pyramid, TILE_WIDTH, TileAddress, TileError};

/// Complete tiles that a batch filled, by level and tile index.
pub type FullTiles = BTreeMap<(u8, u64), Pyramid>;

/// Why the tree could not be grown or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// A node is further left than the tiles at hand.
    #[error("node {} of level {} is not in the tiles at hand", .0.index, .0.level)]
    MissingNode(NodeAddress),
    /// A stored tile is not one.
    #[error("a stored tile is damaged")]
    Tile(#[source] TileError),
    /// No log is that large.
    #[error("the log is full")]
    Full,
}

/// The right edge of a tree of `size` leaves.
#[derive(Debug, Clone, Default)]
pub struct RightEdge {
    size: u64,
    /// The partial tile of each tile level, from the leaves up; of width 0 right after its tile
    /// was completed.
    partial: Vec<Pyramid>,
}

impl RightEdge {
    /// Rebuilds the edge of a tree of `size` leaves. `tile` gives the partial tile of an address.
    ///
    /// # Errors
    /// Those of `tile`.
    pub fn load<E>(
        size: u64,
        mut tile: impl FnMut(TileAddress) -> Result<Pyramid, E>,
    ) -> Result<Self, E> {
        let mut partial = Vec::new();
        let mut hashes = size;
        for level in 0_u8.. {
            if hashes == 0 {
                break;
            }
            let index = hashes / u64::from(TILE_WIDTH);
            partial.push(match TileAddress::in_tree(level, index, size) {
                Some(address) => tile(address)?,
                None => Pyramid::new(),
            });
            hashes = index;
        }
        Ok(Self { size, partial })
    }

    /// How many leaves the tree has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf; tiles that it completes move to `full`.
    ///
    /// # Errors
    /// [`TreeError::Full`] for a leaf that no log can hold.
    pub fn append(&mut self, leaf_hash: Sha256, full: &mut FullTiles) -> Result<(), TreeError> {
        let next = self.size.checked_add(1).ok_or(TreeError::Full)?;
        let (mut hash, mut index) = (leaf_hash, self.size);
        for level in 0_u8.. {
            let place = usize::from(level);
            if self.partial.len() <= place {
                self.partial.push(Pyramid::new());
            }
            let Some(pyramid) = self.partial.get_mut(place) else { break };
            pyramid.push(hash).map_err(TreeError::Tile)?;
            let Some(root) = pyramid.is_full().then(|| pyramid.root()).flatten() else { break };
            index /= u64::from(TILE_WIDTH);
            full.insert((level, index), std::mem::take(pyramid));
            hash = root;
        }
        self.size = next;
        Ok(())
    }

    /// The partial tiles, with their addresses.
    pub fn partial_tiles(&self) -> impl Iterator<Item = (TileAddress, &Pyramid)> {
        (0_u8..).zip(&self.partial).filter_map(|(level, pyramid)| {
            let hashes = self.size.checked_shr(u32::from(level) * 8)?;
            let address = TileAddress::in_tree(level, hashes / u64::from(TILE_WIDTH), self.size)?;
            Some((address, pyramid))
        })
    }

    /// A node of the tree, from the edge or from the tiles that the batch filled.
    ///
    /// # Errors
    /// [`TreeError::MissingNode`] for a node further left.
    pub fn node(&self, full: &FullTiles, node: NodeAddress) -> Result<Sha256, TreeError> {
        let find = || {
            let place = NodePlace::of(node)?;
            let at_edge = || {
                let (address, pyramid) =
                    self.partial_tiles().find(|(a, _)| a.level == place.tile_level)?;
                (address.index == place.tile_index).then_some(pyramid)
            };
            full.get(&(place.tile_level, place.tile_index))
                .or_else(at_edge)?
                .node(place.level, place.index)
        };
        find().ok_or(TreeError::MissingNode(node))
    }

    /// The root of the tree.
    ///
    /// # Errors
    /// [`TreeError::MissingNode`] when a node further left is needed; see [`TileReader`].
    pub fn root(
        &self,
        mut node: impl FnMut(NodeAddress) -> Result<Sha256, TreeError>,
    ) -> Result<Sha256, ProofError<TreeError>> {
        merkle::root(self.size, &mut node)
    }
}

/// Reads nodes from stored tiles, expanding each tile once.
pub struct TileReader<F> {
    read: F,
    expanded: BTreeMap<(u8, u64), Pyramid>,
}

impl<E, F: FnMut(u8, u64) -> Result<Pyramid, E>> TileReader<F> {
    /// Wraps a function that reads the stored tile of a level and index, at its present width.
    pub fn new(read: F) -> Self {
        Self { read, expanded: BTreeMap::new() }
    }

    /// Reads one node; `None` when no stored tile holds it.
    ///
    /// # Errors
    /// Those of the reading function.
    pub fn node(&mut self, node: NodeAddress) -> Result<Option<Sha256>, E> {
        let Some(place) = NodePlace::of(node) else { return Ok(None) };
        let tile = (place.tile_level, place.tile_index);
        let pyramid = match self.expanded.entry(tile) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert((self.read)(tile.0, tile.1)?)
            }
        };
        Ok(pyramid.node(place.level, place.index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(i: u64) -> Sha256 {
        merkle::leaf_hash(&i.to_be_bytes())
    }

    #[test]
    fn the_edge_agrees_with_the_compact_range_and_proves_every_leaf_of_a_batch() {
        let mut edge = RightEdge::default();
        let mut range = merkle::CompactRange::new();
        let mut full = FullTiles::new();
        // Batches that end inside, at and beyond tile boundaries of both levels.
        for batch_end in [1_u64, 2, 255, 256, 257, 700, 65_535, 65_537, 66_000] {
            let first = edge.size();
            for i in first..batch_end {
                edge.append(leaf(i), &mut full).unwrap();
                range.append(leaf(i)).unwrap();
            }
            let root = edge.root(|n| edge.node(&full, n)).unwrap();
            assert_eq!(root, range.root(), "size {batch_end}");
            for i in [first, (first + batch_end) / 2, batch_end - 1] {
                let proof = merkle::inclusion_proof(i, batch_end, |n| edge.node(&full, n)).unwrap();
                merkle::verify_inclusion(&leaf(i), i, batch_end, &proof, &root).unwrap();
            }
        }
    }

    #[test]
    fn an_edge_loaded_from_tiles_grows_like_the_one_that_wrote_them() {
        for size in [0_u64, 1, 255, 256, 257, 65_536, 65_800] {
            let (mut edge, mut full) = (RightEdge::default(), FullTiles::new());
            (0..size).for_each(|i| edge.append(leaf(i), &mut full).unwrap());
            let stored = |address: TileAddress| {
                let of_address =
                    |(a, p): (TileAddress, &Pyramid)| (a == address).then(|| p.clone());
                edge.partial_tiles().find_map(of_address).ok_or(address)
            };
            let mut loaded = RightEdge::load(size, stored).unwrap();
            edge.append(leaf(size), &mut full).unwrap();
            loaded.append(leaf(size), &mut full).unwrap();
            let root = |edge: &RightEdge| edge.root(|n| edge.node(&full, n)).unwrap();
            assert_eq!(root(&edge), root(&loaded), "size {size}");
        }
    }
}
