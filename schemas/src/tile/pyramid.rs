//! All nodes of one tile.

use std::fmt;

use super::{HASH_BYTES, TILE_HEIGHT, TILE_WIDTH, TileError};
use crate::digest::Sha256;
use crate::merkle::node_hash;

/// One slot for every node of a full tile: 256 + 128 + … + 1.
const NODES: usize = 2 * TILE_WIDTH as usize - 1;

/// The hashes of one tile, full or partial, with every node of the tree between them and the
/// root of the tile: each is hashed once, when the last hash below it arrives.
#[derive(Clone, PartialEq, Eq)]
pub struct Pyramid {
    width: u16,
    /// Level after level, the tile's hashes first; see [`slot`]. Nodes that are not complete are
    /// zero, so that equal tiles are equal values.
    nodes: Box<[Sha256]>,
}

impl Pyramid {
    /// An empty tile.
    #[must_use]
    pub fn new() -> Self {
        Self { width: 0, nodes: vec![Sha256([0; HASH_BYTES]); NODES].into_boxed_slice() }
    }

    /// Expands a stored tile of 1 to 256 hashes.
    ///
    /// # Errors
    /// [`TileError::HashBytes`] for a length that no tile has.
    pub fn from_hashes(bytes: &[u8]) -> Result<Self, TileError> {
        let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
        let most = usize::from(TILE_WIDTH);
        // "Empty tiles MUST NOT be served" (C2SP tlog-tiles), and none are stored.
        if hashes.is_empty() || hashes.len() > most || !rest.is_empty() {
            return Err(TileError::HashBytes { expected: most, found_bytes: bytes.len() });
        }
        let mut pyramid = Self::new();
        for hash in hashes {
            pyramid.push(Sha256(*hash))?;
        }
        Ok(pyramid)
    }

    /// Appends a hash and computes the nodes it completes, one on average.
    ///
    /// # Errors
    /// [`TileError::Full`] when the tile holds 256 hashes; it is then unchanged.
    pub fn push(&mut self, hash: Sha256) -> Result<(), TileError> {
        if self.is_full() {
            return Err(TileError::Full);
        }
        let mut index = self.width;
        let mut node = hash;
        self.set(0, index, node);
        // An odd index is a right child: its parent is now complete.
        for level in 1..=TILE_HEIGHT {
            if index & 1 == 0 {
                break;
            }
            let left = self.slot_at(level - 1, index - 1);
            node = node_hash(&left, &node);
            index >>= 1;
            self.set(level, index, node);
        }
        self.width += 1;
        Ok(())
    }

    /// How many hashes the tile holds, 0 to 256.
    #[must_use]
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether the tile holds 256 hashes.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The hashes of the tile itself, without the nodes above them.
    #[must_use]
    pub fn hashes(&self) -> &[Sha256] {
        self.nodes.get(..usize::from(self.width)).unwrap_or_default()
    }

    /// The node `index` of the level `level` above the tile's hashes: level 0 is the hashes,
    /// level 8 the root of a full tile. Nothing when the tile does not hold all that is below it.
    #[must_use]
    pub fn node(&self, level: u8, index: u16) -> Option<Sha256> {
        let complete = self.width.checked_shr(u32::from(level))?;
        (index < complete).then(|| self.slot_at(level, index))
    }

    /// The root of a full tile: its hash in the tile one level above.
    #[must_use]
    pub fn root(&self) -> Option<Sha256> {
        self.node(TILE_HEIGHT, 0)
    }

    fn slot_at(&self, level: u8, index: u16) -> Sha256 {
        *self.nodes.get(slot(level, index)).expect("a level of a tile has 256 >> level nodes")
    }

    fn set(&mut self, level: u8, index: u16, node: Sha256) {
        *self
            .nodes
            .get_mut(slot(level, index))
            .expect("a level of a tile has 256 >> level nodes") = node;
    }
}

/// Where a node stands: `256 + 128 + …` slots belong to the levels below it.
fn slot(level: u8, index: u16) -> usize {
    let twice = 2 * usize::from(TILE_WIDTH);
    twice - (twice >> level) + usize::from(index)
}

impl Default for Pyramid {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Pyramid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pyramid").field("width", &self.width).finish_non_exhaustive()
    }
}
