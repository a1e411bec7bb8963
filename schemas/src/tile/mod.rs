//! Tiles: how the log is read (C2SP tlog-tiles).
//!
//! ```text
//! tile/<L>/<N>[.p/<W>]        up to 256 hashes of 32 bytes:   hash ‖ hash ‖ …
//! tile/entries/<N>[.p/<W>]    up to 256 entries:              u16 big-endian length ‖ body ‖ …
//! ```
//!
//! A hash in a tile of level 0 is a leaf, above that the root of a full tile one level below. The
//! seven levels of the tree between two levels of tiles are not stored; a [`Pyramid`] has them.
//! This module neither fetches nor keeps tiles.

pub mod path;
pub mod pyramid;
#[cfg(test)]
mod tests;

pub use path::{BundleAddress, TileAddress, TilePath};
pub use pyramid::Pyramid;

use crate::digest::Sha256;
use crate::merkle::NodeAddress;

/// How many hashes a full tile holds, and how many entries a full bundle.
pub const TILE_WIDTH: u16 = 256;

/// How many levels of the tree one level of tiles spans.
pub const TILE_HEIGHT: u8 = 8;

/// The greatest level of a tile that a path can name (C2SP tlog-tiles, "between 0 and 63").
pub const MAX_TILE_LEVEL: u8 = 63;

/// The longest entry that a bundle can hold, in bytes: its length prefix is a u16.
pub const MAX_ENTRY_BYTES: usize = u16::MAX as usize;

/// The size of a hash in a tile, in bytes.
const HASH_BYTES: usize = 32;

/// Why a tile, a bundle or a path was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// The path is not in the grammar of C2SP tlog-tiles, or not in its one canonical form.
    #[error("expected a path such as tile/0/x001/067.p/8 or tile/entries/067, found {found:?}")]
    Path {
        /// The path, cut at 200 characters.
        found: String,
    },
    /// The bytes are not the hashes of a tile of that width.
    #[error("a tile of {expected} hashes is {} bytes, found {found_bytes}", .expected * HASH_BYTES)]
    HashBytes {
        /// How many hashes were expected; the most possible when any number would do.
        expected: usize,
        /// How many bytes there were.
        found_bytes: usize,
    },
    /// A tile takes no more hashes.
    #[error("the tile already holds {TILE_WIDTH} hashes")]
    Full,
    /// An entry is longer than a bundle can say.
    #[error("an entry holds at most {MAX_ENTRY_BYTES} bytes, found {found_bytes}")]
    EntryTooLarge {
        /// The length of the entry, in bytes.
        found_bytes: usize,
    },
    /// A bundle ends within an entry.
    #[error("the bundle ends {missing_bytes} bytes before the end of entry {entry}")]
    EntryCut {
        /// The place of the entry in the bundle, from 0.
        entry: usize,
        /// How many bytes are missing at least.
        missing_bytes: usize,
    },
    /// A bundle has too few entries, or bytes after its last one.
    #[error("expected {expected} entries in the bundle, found {found} and {rest_bytes} bytes more")]
    EntryCount {
        /// The width of the bundle.
        expected: u16,
        /// How many entries were read.
        found: usize,
        /// How many bytes follow them.
        rest_bytes: usize,
    },
}

/// The tile in which a node of the tree is found, and its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodePlace {
    /// The level of the tile.
    pub tile_level: u8,
    /// The index of the tile within its level.
    pub tile_index: u64,
    /// The level of the node above the hashes of the tile, 0 to 7: see [`Pyramid::node`].
    pub level: u8,
    /// The index of the node within that level of the tile.
    pub index: u16,
}

impl NodePlace {
    /// Finds the tile for a node: the lowest one whose hashes suffice to compute it, or nothing
    /// for a node that no tree has.
    ///
    /// The root of a full tile is a hash of the tile above it, so `level` is never 8.
    #[must_use]
    pub fn of(node: NodeAddress) -> Option<Self> {
        let level = node.level % TILE_HEIGHT;
        // A tree of u64::MAX leaves has 2^(64-level) nodes of a level at most.
        if u32::from(node.level) >= u64::BITS || node.index > u64::MAX >> node.level {
            return None;
        }
        let place_bits = TILE_HEIGHT - level;
        Some(Self {
            tile_level: node.level / TILE_HEIGHT,
            tile_index: node.index >> place_bits,
            level,
            index: (node.index & ((1 << place_bits) - 1)) as u16,
        })
    }
}

/// Writes hashes as a tile: one after the other.
#[must_use]
pub fn write_hashes(hashes: &[Sha256]) -> Vec<u8> {
    hashes.iter().flat_map(Sha256::as_bytes).copied().collect()
}

/// Reads a tile of exactly `width` hashes.
///
/// # Errors
/// [`TileError::HashBytes`] when the length is another.
pub fn read_hashes(bytes: &[u8], width: u16) -> Result<Vec<Sha256>, TileError> {
    let expected = usize::from(width);
    let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
    if hashes.len() != expected || !rest.is_empty() {
        return Err(TileError::HashBytes { expected, found_bytes: bytes.len() });
    }
    Ok(hashes.iter().copied().map(Sha256).collect())
}

/// Appends an entry to a bundle.
///
/// # Errors
/// [`TileError::EntryTooLarge`] above [`MAX_ENTRY_BYTES`]; the bundle is then unchanged.
pub fn append_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), TileError> {
    let length = u16::try_from(entry.len())
        .map_err(|_| TileError::EntryTooLarge { found_bytes: entry.len() })?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// Reads a bundle of exactly `width` entries.
///
/// # Errors
/// [`TileError::EntryCut`] or [`TileError::EntryCount`].
pub fn read_entries(bundle: &[u8], width: u16) -> Result<Vec<&[u8]>, TileError> {
    let mut entries = Vec::new();
    let mut rest = bundle;
    while entries.len() < usize::from(width) && !rest.is_empty() {
        let cut = |missing_bytes| TileError::EntryCut { entry: entries.len(), missing_bytes };
        let (length, body) = rest.split_first_chunk().ok_or_else(|| cut(2 - rest.len()))?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, after) =
            body.split_at_checked(length).ok_or_else(|| cut(length - body.len()))?;
        entries.push(entry);
        rest = after;
    }
    if entries.len() != usize::from(width) || !rest.is_empty() {
        return Err(TileError::EntryCount {
            expected: width,
            found: entries.len(),
            rest_bytes: rest.len(),
        });
    }
    Ok(entries)
}
