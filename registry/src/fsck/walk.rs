//! The walk over the leaves: hashes, tiles, checkpoints, and each record in its place.

use std::ops::ControlFlow;

use attestry_schemas::checkpoint::SignedCheckpoint;
use attestry_schemas::digest::Sha256;
use attestry_schemas::merkle::{self, CompactRange};
use attestry_schemas::note::NoteKey;
use attestry_schemas::problem::chain;
use attestry_schemas::tile::{Pyramid, TILE_WIDTH, TileAddress, write_hashes};
use attestry_schemas::trusted_root::TrustedLog;

use super::index::Index;
use super::{FaultKind, FsckError, Progress, Report};
use crate::log::genesis;
use crate::log::tree::{FullTiles, RightEdge};
use crate::store::engine::Family;
use crate::store::record::{self, Record, StoredCheckpoint};
use crate::store::{Reader, StoreError, key};

/// How many leaves pass between two calls of `progress`.
const PROGRESS_STEP: u64 = 4096;

/// Walks over all leaves. Returns the size of the tree.
pub(super) fn walk(
    reader: &Reader<'_>,
    log: &TrustedLog,
    note_key: &NoteKey,
    report: &mut Report,
    progress: &mut dyn FnMut(Progress),
) -> Result<u64, FsckError> {
    let newest = newest_size(reader).map_err(FsckError::Store)?;
    let mut walk = Walk {
        reader,
        note_key,
        report,
        edge: Some((RightEdge::default(), CompactRange::new())),
        next: 0,
        batch: None,
        last_signed_ms: i64::MIN,
        leaf_tile: None,
    };
    let mut outcome = Ok(());
    let visited = reader.snapshot().visit(Family::Leaves, &[], None, |key, body| {
        outcome = walk.visit(key, body, newest);
        if walk.next.is_multiple_of(PROGRESS_STEP) {
            progress(Progress { stage: "leaves", done: walk.next, of: Some(newest) });
        }
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    let ended = outcome.and(visited.map_err(StoreError::Engine));
    ended.and_then(|()| walk.gap(newest)).and_then(|()| walk.edge_tiles()).or_else(|error| {
        // Nothing after the damage can be recomputed.
        walk.edge = None;
        walk.report.damage(&format!("at or after leaf {}", walk.next), error)
    })?;
    let is_tree_known = walk.edge.is_some();
    let size = newest.max(walk.next);
    let families = families(reader, size, is_tree_known, report);
    families.or_else(|error| report.damage("families of the log", error))?;
    genesis(reader, log, report).or_else(|error| report.damage("leaf 0", error))?;
    Ok(size)
}

/// The size that the newest checkpoint's key names, whatever its value.
fn newest_size(reader: &Reader<'_>) -> Result<u64, StoreError> {
    let last = reader.snapshot().last(Family::Meta, key::CHECKPOINT_PREFIX);
    let last = last.map_err(StoreError::Engine)?;
    Ok(last.and_then(|(key, _)| key::sequence_of(&key)).unwrap_or(0))
}

/// The checkpoint of the batch that a leaf came in.
#[derive(Clone)]
struct BatchEnd {
    size: u64,
    /// Nothing when it cannot be read.
    stored: Option<StoredCheckpoint>,
}

struct Walk<'a, 's> {
    reader: &'a Reader<'s>,
    note_key: &'a NoteKey,
    report: &'a mut Report,
    /// The tree so far; nothing once a leaf hash is lost, because then no later root can be known.
    edge: Option<(RightEdge, CompactRange)>,
    /// The index that comes next.
    next: u64,
    batch: Option<BatchEnd>,
    last_signed_ms: i64,
    /// The stored tile of level 0 that the last leaf is in: its index and its bytes.
    leaf_tile: Option<(u64, Vec<u8>)>,
}

impl Walk<'_, '_> {
    fn visit(&mut self, key: &[u8], body: &[u8], newest: u64) -> Result<(), StoreError> {
        let place = || format!("key {} of {}", hex::encode(key), Family::Leaves.name());
        let index = match <[u8; 8]>::try_from(key) {
            Ok(bytes) => u64::from_be_bytes(bytes),
            Err(_) => {
                self.report.fault(FaultKind::StrayKey, place(), "an index of 8 bytes", "another");
                return Ok(());
            }
        };
        if index >= newest {
            let expected = format!("leaves below the newest checkpoint's size {newest}");
            self.report.fault(FaultKind::Leaf, format!("leaf {index}"), expected, "one above");
            return Ok(());
        }
        self.gap(index)?;
        self.leaf(index, Some(body))
    }

    /// Passes over leaves that are missing, from the next one up to `end`.
    fn gap(&mut self, end: u64) -> Result<(), StoreError> {
        while self.next < end {
            if self.edge.is_none() || self.witness(self.next)?.is_none() {
                let place = format!("leaves {} to {}", self.next, end - 1);
                self.report.fault(FaultKind::Leaf, place, "their bodies", "nothing");
                self.edge = None;
                self.next = end;
                return Ok(());
            }
            let place = format!("leaf {}", self.next);
            self.report.fault(FaultKind::Leaf, place, "its body", "nothing");
            self.leaf(self.next, None)?;
        }
        Ok(())
    }

    /// The hash of a leaf as the stored tile has it.
    fn witness(&mut self, index: u64) -> Result<Option<Sha256>, StoreError> {
        let tile = index / u64::from(TILE_WIDTH);
        if self.leaf_tile.as_ref().is_none_or(|(cached, _)| *cached != tile) {
            let bytes = self.reader.snapshot().get(Family::Tiles, &key::tile(0, tile));
            self.leaf_tile = Some((tile, bytes.map_err(StoreError::Engine)?.unwrap_or_default()));
        }
        let place = (index % u64::from(TILE_WIDTH)) as usize;
        let bytes =
            self.leaf_tile.as_ref().and_then(|(_, bytes)| bytes.chunks_exact(32).nth(place));
        Ok(bytes.and_then(Sha256::from_slice))
    }

    fn leaf(&mut self, index: u64, body: Option<&[u8]>) -> Result<(), StoreError> {
        self.next = index + 1;
        let batch = self.batch_of(index)?;
        let record = self.record(index)?;
        let hash = self.leaf_hash(index, body, record.as_ref())?;
        if let Some(body) = body {
            self.report.counts.leaves += 1;
            let whole = hash == Some(merkle::leaf_hash(body));
            if !whole {
                let expected = hash.map_or_else(|| "another hash".to_owned(), |h| h.to_string());
                let found = merkle::leaf_hash(body).to_string();
                self.report.fault(FaultKind::Leaf, format!("leaf {index}"), expected, found);
            }
            if let (Some(record), true) = (&record, whole) {
                Index::new(self.reader, self.report).check(index, body, record)?;
            }
        }
        if let (Some(record), Some(batch)) = (&record, &batch) {
            self.check_batch(index, record, batch);
        }
        match hash {
            Some(hash) => self.grow(hash)?,
            None => self.edge = None,
        }
        match batch {
            Some(batch) if batch.size == self.next => self.check_checkpoint(&batch),
            _ => {}
        }
        Ok(())
    }

    /// The leaf's hash: of three witnesses, the body, the record and the tile, two are believed, so
    /// that one damaged byte is one fault and not a fault of everything after it.
    fn leaf_hash(
        &mut self,
        index: u64,
        body: Option<&[u8]>,
        record: Option<&Record>,
    ) -> Result<Option<Sha256>, StoreError> {
        let computed = body.map(merkle::leaf_hash);
        let recorded = record.map(|r| r.leaf_hash);
        let tiled = self.witness(index)?;
        let agreed = if recorded.is_some() && recorded == tiled { recorded } else { computed };
        Ok(agreed.or(recorded).or(tiled))
    }

    fn record(&mut self, index: u64) -> Result<Option<Record>, StoreError> {
        let place = format!("record {index}");
        let bytes = self.reader.snapshot().get(Family::Statements, &key::sequence(index));
        let Some(bytes) = bytes.map_err(StoreError::Engine)? else {
            self.report.fault(FaultKind::Record, place, "a record", "nothing");
            return Ok(None);
        };
        match record::decode(&bytes, "attestation record") {
            Ok(record) => Ok(Some(record)),
            Err(error) => {
                self.report.fault(FaultKind::Record, place, "a record", chain(&error));
                Ok(None)
            }
        }
    }

    /// The first checkpoint that covers a leaf.
    fn batch_of(&mut self, index: u64) -> Result<Option<BatchEnd>, StoreError> {
        if let Some(batch) = self.batch.as_ref().filter(|batch| batch.size > index) {
            return Ok(Some(batch.clone()));
        }
        let mut found = None;
        let from = key::checkpoint(index + 1);
        let visited = self.reader.snapshot().visit(
            Family::Meta,
            key::CHECKPOINT_PREFIX,
            Some(&from),
            |k, v| {
                found = key::sequence_of(k).map(|size| (size, v.to_vec()));
                ControlFlow::Break(())
            },
        );
        visited.map_err(StoreError::Engine)?;
        let Some((size, bytes)) = found else { return Ok(None) };
        let stored = match record::decode(&bytes, "checkpoint") {
            Ok(stored) => Some(stored),
            Err(error) => {
                let place = format!("checkpoint of size {size}");
                self.report.fault(FaultKind::Checkpoint, place, "a checkpoint", chain(&error));
                None
            }
        };
        self.batch = Some(BatchEnd { size, stored });
        Ok(self.batch.clone())
    }

    fn check_batch(&mut self, index: u64, record: &Record, batch: &BatchEnd) {
        let place = format!("record {index}");
        if record.batch_size != batch.size {
            let expected = format!("batch_size {}, the next checkpoint's size", batch.size);
            let found = record.batch_size.to_string();
            self.report.fault(FaultKind::Record, place.as_str(), expected, found);
        }
        if let Some(stored) = &batch.stored
            && record.logged_at_ms != stored.signed_at_ms
        {
            let expected = format!("logged_at_ms {}, as its checkpoint", stored.signed_at_ms);
            let found = record.logged_at_ms.to_string();
            self.report.fault(FaultKind::Record, place, expected, found);
        }
    }

    /// Appends a leaf, and compares the tiles that it completes.
    fn grow(&mut self, hash: Sha256) -> Result<(), StoreError> {
        let Some((edge, range)) = &mut self.edge else { return Ok(()) };
        let mut full = FullTiles::new();
        if edge.append(hash, &mut full).is_err() || range.append(hash).is_err() {
            self.edge = None;
            return Ok(());
        }
        for ((level, index), tile) in &full {
            compare_tile(self.reader, self.report, *level, *index, tile)?;
        }
        Ok(())
    }

    /// Compares the partial tiles at the end.
    fn edge_tiles(&mut self) -> Result<(), StoreError> {
        let Some((edge, _)) = &self.edge else { return Ok(()) };
        for (address, tile) in edge.partial_tiles() {
            compare_tile(self.reader, self.report, address.level, address.index, tile)?;
        }
        Ok(())
    }

    /// Checks a checkpoint when the walk is at its size.
    fn check_checkpoint(&mut self, batch: &BatchEnd) {
        self.report.counts.checkpoints += 1;
        let Some(stored) = &batch.stored else { return };
        let place = format!("checkpoint of size {}", batch.size);
        let mut fault = |expected: String, found: String| {
            self.report.fault(FaultKind::Checkpoint, place.as_str(), expected, found);
        };
        if stored.signed_at_ms < self.last_signed_ms {
            let expected = format!("a time not before {} ms", self.last_signed_ms);
            fault(expected, format!("{} ms", stored.signed_at_ms));
        }
        self.last_signed_ms = stored.signed_at_ms;
        let opened = match SignedCheckpoint::open(&stored.text, self.note_key) {
            Ok(opened) => opened,
            Err(error) => {
                fault("the log's signatures over its checkpoint".to_owned(), chain(&error));
                return;
            }
        };
        if opened.checkpoint.size != batch.size {
            fault(format!("size {}", batch.size), opened.checkpoint.size.to_string());
        }
        let signed_at_s = u64::try_from(stored.signed_at_ms / 1000).ok();
        if opened.cosigned_at_s != signed_at_s {
            let words = |s: Option<u64>| s.map_or("no time".to_owned(), |s| format!("{s} s"));
            fault(words(signed_at_s), words(opened.cosigned_at_s));
        }
        if let Some((_, range)) = &self.edge
            && opened.checkpoint.root != range.root()
        {
            let expected = format!("root {}, computed from the leaves", range.root());
            fault(expected, opened.checkpoint.root.to_string());
        }
    }
}

fn compare_tile(
    reader: &Reader<'_>,
    report: &mut Report,
    level: u8,
    index: u64,
    tile: &Pyramid,
) -> Result<(), StoreError> {
    let stored = reader.snapshot().get(Family::Tiles, &key::tile(level, index));
    let stored = stored.map_err(StoreError::Engine)?;
    let expected = write_hashes(tile.hashes());
    report.counts.tiles += 1;
    let place = format!("tile {index} of level {level}");
    match stored {
        Some(stored) if stored == expected => {}
        Some(stored) => {
            let hashes = |bytes: &[u8]| bytes.chunks(32).map(<[u8]>::to_vec).collect::<Vec<_>>();
            let (ours, theirs) = (hashes(&expected), hashes(&stored));
            let first = ours.iter().zip(&theirs).position(|(a, b)| a != b);
            let words = |hashes: &[Vec<u8>]| match first {
                Some(n) => {
                    format!("hash {n} {}", hashes.get(n).map(hex::encode).unwrap_or_default())
                }
                None => format!("{} hashes", hashes.len()),
            };
            report.fault(FaultKind::Tile, place, words(&ours), words(&theirs));
        }
        None => {
            let expected = format!("{} hashes", tile.width());
            report.fault(FaultKind::Tile, place, expected, "nothing");
        }
    }
    Ok(())
}

/// Reads the families of the log for keys that the walk did not ask for.
fn families(
    reader: &Reader<'_>,
    size: u64,
    is_tree_known: bool,
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut stray = |family: Family, key: &[u8], expected: &str| {
        let place = format!("key {} of {}", hex::encode(key), family.name());
        report.fault(FaultKind::StrayKey, place, expected, "a key that nothing accounts for");
    };
    reader.visit_keys(Family::Statements, |key| {
        let index = <[u8; 8]>::try_from(key).map(u64::from_be_bytes);
        if index.is_ok_and(|index| index < size) {
            return;
        }
        stray(Family::Statements, key, &format!("indices below {size}"));
    })?;
    reader.visit_keys(Family::Tiles, |key| {
        let address = match key {
            [level, index @ ..] => <[u8; 8]>::try_from(index)
                .ok()
                .and_then(|index| TileAddress::in_tree(*level, u64::from_be_bytes(index), size)),
            [] => None,
        };
        if address.is_none() && is_tree_known {
            stray(Family::Tiles, key, &format!("tiles of a tree of {size} leaves"));
        }
    })?;
    reader.visit_keys(Family::Meta, |key| {
        let size = key.strip_prefix(key::CHECKPOINT_PREFIX).map(<[u8; 8]>::try_from);
        let known = match size {
            Some(Ok(size)) => u64::from_be_bytes(size) > 0,
            Some(Err(_)) => false,
            None => [key::STORE_VERSION, key::EVENT_CURSOR, key::FACTS_CURSOR].contains(&key),
        };
        if !known {
            let expected =
                "the version, the cursors of events and facts, and checkpoints of sizes above 0";
            stray(Family::Meta, key, expected);
        }
    })?;
    // Beyond the log, events of leaves to come would not be told.
    if matches!(reader.event_cursor()?, Some(next) if next > size) && is_tree_known {
        stray(Family::Meta, key::EVENT_CURSOR, &format!("a cursor of at most {size}"));
    }
    Ok(())
}

/// Checks that the log begins with the statement of its own key.
fn genesis(reader: &Reader<'_>, log: &TrustedLog, report: &mut Report) -> Result<(), StoreError> {
    match genesis::fault(reader, &log.origin, &log.key) {
        // The walk has named a record that cannot be read, and content that is gone.
        Ok(None) | Err(StoreError::Record(_) | StoreError::Missing { .. }) => Ok(()),
        Ok(Some(found)) => {
            let expected =
                format!("the genesis statement of {}, signed by the log's key", log.origin);
            report.fault(FaultKind::Genesis, "leaf 0", expected, found);
            Ok(())
        }
        Err(error) => Err(error),
    }
}
