//! The addresses of tiles and bundles, and their one written form.

use std::fmt;
use std::str::FromStr;

use super::{MAX_TILE_LEVEL, TILE_HEIGHT, TILE_WIDTH, TileError};

/// Which hashes of the tree a tile holds: written `tile/<L>/<N>[.p/<W>]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileAddress {
    /// The level of the tile, 0 to 63; level 0 holds leaf hashes.
    pub level: u8,
    /// The index of the tile within its level, from 0.
    pub index: u64,
    /// How many hashes it holds, 1 to 256; less than 256 is a partial tile.
    pub width: u16,
}

impl TileAddress {
    /// The tile at this level and index as it is in the tree of `size` leaves, or nothing when it
    /// is empty there.
    ///
    /// The width is `floor(s / 256^l) mod 256` for the rightmost tile of its level (C2SP
    /// tlog-tiles, Partial Tiles), and 256 for the tiles before it.
    #[must_use]
    pub fn in_tree(level: u8, index: u64, size: u64) -> Option<Self> {
        let hashes = size.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT))?;
        let before = index.checked_mul(u64::from(TILE_WIDTH))?;
        let width = hashes.checked_sub(before)?.min(u64::from(TILE_WIDTH)) as u16;
        (width > 0).then_some(Self { level, index, width })
    }

    /// Whether the tile will never change: it holds 256 hashes.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }
}

/// Which entries of the log a bundle holds: written `tile/entries/<N>[.p/<W>]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleAddress {
    /// The index of the bundle: the one of the tile of level 0 with the hashes of its entries.
    pub index: u64,
    /// How many entries it holds, 1 to 256; less than 256 is a partial bundle.
    pub width: u16,
}

impl BundleAddress {
    /// The bundle at this index as it is in the tree of `size` leaves, or nothing when it is
    /// empty there.
    #[must_use]
    pub fn in_tree(index: u64, size: u64) -> Option<Self> {
        TileAddress::in_tree(0, index, size).map(|tile| Self { index, width: tile.width })
    }

    /// Whether the bundle will never change: it holds 256 entries.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The index of the first entry, or nothing when no log is that large.
    #[must_use]
    pub fn first_entry(&self) -> Option<u64> {
        self.index.checked_mul(u64::from(TILE_WIDTH))
    }
}

/// What a path under the log's prefix names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TilePath {
    /// A tile of hashes.
    Hashes(TileAddress),
    /// A bundle of entries.
    Entries(BundleAddress),
}

impl fmt::Display for TileAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.level)?;
        write_index_and_width(f, self.index, self.width)
    }
}

impl fmt::Display for BundleAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tile/entries/")?;
        write_index_and_width(f, self.index, self.width)
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hashes(tile) => tile.fmt(f),
            Self::Entries(bundle) => bundle.fmt(f),
        }
    }
}

impl FromStr for TilePath {
    type Err = TileError;

    /// Reads a path without a leading slash, in its canonical form only.
    fn from_str(path: &str) -> Result<Self, TileError> {
        read_path(path).ok_or_else(|| TileError::Path { found: path.chars().take(200).collect() })
    }
}

impl FromStr for TileAddress {
    type Err = TileError;

    fn from_str(path: &str) -> Result<Self, TileError> {
        match path.parse()? {
            TilePath::Hashes(tile) => Ok(tile),
            TilePath::Entries(_) => Err(TileError::Path { found: path.to_owned() }),
        }
    }
}

impl FromStr for BundleAddress {
    type Err = TileError;

    fn from_str(path: &str) -> Result<Self, TileError> {
        match path.parse()? {
            TilePath::Entries(bundle) => Ok(bundle),
            TilePath::Hashes(_) => Err(TileError::Path { found: path.to_owned() }),
        }
    }
}

/// "a non-negative integer encoded into zero-padded 3-digit path elements. All but the last path
/// element MUST begin with an x" (C2SP tlog-tiles).
fn write_index_and_width(f: &mut fmt::Formatter<'_>, index: u64, width: u16) -> fmt::Result {
    let mut divisor = 1;
    while index / divisor >= 1000 {
        divisor *= 1000;
    }
    while divisor > 1 {
        write!(f, "x{:03}/", index / divisor % 1000)?;
        divisor /= 1000;
    }
    write!(f, "{:03}", index % 1000)?;
    if width < TILE_WIDTH { write!(f, ".p/{width}") } else { Ok(()) }
}

fn read_path(path: &str) -> Option<TilePath> {
    let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
    let (index, width) = match rest.split_once(".p/") {
        // "<W> is the width of the tile, a decimal ASCII integer between 1 and 255"
        Some((index, width)) => (index, read_decimal(width, 1, u64::from(TILE_WIDTH) - 1)? as u16),
        None => (rest, TILE_WIDTH),
    };
    let index = read_index(index)?;
    if level == "entries" {
        return Some(TilePath::Entries(BundleAddress { index, width }));
    }
    let level = read_decimal(level, 0, u64::from(MAX_TILE_LEVEL))? as u8;
    Some(TilePath::Hashes(TileAddress { level, index, width }))
}

fn read_index(text: &str) -> Option<u64> {
    let (groups, last) = text.rsplit_once('/').map_or((None, text), |(g, last)| (Some(g), last));
    let mut index: u64 = 0;
    for group in groups.into_iter().flat_map(|groups| groups.split('/')) {
        let thousands = read_group(group.strip_prefix('x')?)?;
        // A first group of zeros would be a second way to write the same index.
        if index == 0 && thousands == 0 {
            return None;
        }
        index = index.checked_mul(1000)?.checked_add(thousands)?;
    }
    index.checked_mul(1000)?.checked_add(read_group(last)?)
}

fn read_group(digits: &str) -> Option<u64> {
    (digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| digits.parse().ok())?
}

/// "with no additional leading zeroes"
fn read_decimal(digits: &str, least: u64, most: u64) -> Option<u64> {
    let canonical = digits == "0" || !digits.starts_with('0');
    let value = (canonical && digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| digits.parse().ok())??;
    (least..=most).contains(&value).then_some(value)
}
