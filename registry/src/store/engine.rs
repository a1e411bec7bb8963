//! The only file that knows RocksDB.
//!
//! The interface is narrow on purpose: get, ordered scan, cursor, snapshot, one atomic synced
//! commit, and an online copy. A distributed engine would plug in here.

use std::fs::{File, TryLockError};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB,
    DBCompressionType, DBPinnableSlice, DBRawIterator, DBRecoveryMode, ErrorKind, Options,
    ReadOptions, WriteBatch, WriteOptions,
};

use super::durable;

/// The column families. Their names are the contract for `fsck`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// The store's version and the checkpoints.
    Meta,
    /// SHA-256 → bytes, for content up to [`super::content::INLINE_LIMIT_BYTES`].
    Content,
    /// Sequence → CBOR record.
    Statements,
    /// Index → the leaf's body.
    Leaves,
    /// Level and index → hashes.
    Tiles,
    /// Term and sequence → nothing.
    Postings,
    /// Node, direction, kind, node and sequence → nothing.
    Edges,
    /// Leaf hash or attestation digest → sequence.
    Lookups,
    /// Repository → when it began.
    Repositories,
    /// Repository and digest → the content that it may show.
    Links,
    /// Repository and tag → where it points.
    Tags,
    /// Repository, tag and number → a move of the tag.
    TagMoves,
    /// Repository, subject and manifest → what a listing of referrers shows.
    Referrers,
    /// What is kept because something refers to it.
    Uses,
    /// Principal → how many bytes of what it pushed are kept.
    Stored,
    /// Ring and number → an event of access.
    AccessEvents,
    /// Sequence → what an attestation says, sealed.
    Facts,
}

impl Family {
    /// Every family.
    pub const ALL: &'static [Self] = &[
        Self::Meta,
        Self::Content,
        Self::Statements,
        Self::Leaves,
        Self::Tiles,
        Self::Postings,
        Self::Edges,
        Self::Lookups,
        Self::Repositories,
        Self::Links,
        Self::Tags,
        Self::TagMoves,
        Self::Referrers,
        Self::Uses,
        Self::Stored,
        Self::AccessEvents,
        Self::Facts,
    ];

    /// The name at rest.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Content => "content",
            Self::Statements => "statements",
            Self::Leaves => "leaves",
            Self::Tiles => "tiles",
            Self::Postings => "postings",
            Self::Edges => "edges",
            Self::Lookups => "lookups",
            Self::Repositories => "repositories",
            Self::Links => "links",
            Self::Tags => "tags",
            Self::TagMoves => "tag_moves",
            Self::Referrers => "referrers",
            Self::Uses => "uses",
            Self::Stored => "stored",
            Self::AccessEvents => "access_events",
            Self::Facts => "facts",
        }
    }
}

/// Why the engine failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// Another process holds the store.
    #[error("the store {} is in use by another process; stop it first", .path.display())]
    Locked {
        /// The store's folder.
        path: PathBuf,
    },
    /// A part without which there is no database is missing; nothing was changed.
    #[error(
        "expected a whole database in {}, found no {missing}; restore the data folder from a backup", path.display()
    )]
    Incomplete {
        /// The store's folder.
        path: PathBuf,
        /// What is not there.
        missing: String,
    },
    /// The device is full or failing; the write did not happen.
    #[error("the store cannot be written or read: {detail}")]
    Io {
        /// What the system said.
        detail: String,
    },
    /// Bytes at rest are not what was written.
    #[error("the store is damaged: {detail}; restore the data folder from a backup")]
    Corruption {
        /// What the engine met.
        detail: String,
    },
    /// Anything else the engine refuses.
    #[error("the store failed: {detail}")]
    Other {
        /// What the engine said.
        detail: String,
    },
}

fn failed(error: rocksdb::Error) -> EngineError {
    let kind = error.kind();
    let detail = error.into_string();
    match kind {
        ErrorKind::Corruption => EngineError::Corruption { detail },
        ErrorKind::IOError => EngineError::Io { detail },
        _ => EngineError::Other { detail },
    }
}

/// How the engine is opened.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    /// Whether a commit waits for the disk. Off only in benches, to know what the disk costs.
    pub sync: bool,
    /// Memory for cached blocks, in bytes.
    pub block_cache_bytes: usize,
    /// Memory for each family's unflushed writes, in bytes.
    pub write_buffer_bytes: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { sync: true, block_cache_bytes: 32 << 20, write_buffer_bytes: 8 << 20 }
    }
}

/// An open store.
pub struct Engine {
    db: DB,
    sync: bool,
    /// The folder, locked. `RocksDB` locks a file of its own when it writes, and nothing when it
    /// reads; this lock holds for both, and is let go after the database is closed.
    _lock: File,
}

/// Writes that happen together or not at all.
#[derive(Default)]
pub struct Batch {
    /// In the order in which they take effect; a key without a value is removed.
    writes: Vec<(Family, Vec<u8>, Option<Vec<u8>>)>,
}

impl Batch {
    /// Adds one write.
    pub fn put(&mut self, family: Family, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.writes.push((family, key.into(), Some(value.into())));
    }

    /// Adds the removal of a key, also of one that this batch wrote before.
    pub fn remove(&mut self, family: Family, key: impl Into<Vec<u8>>) {
        self.writes.push((family, key.into(), None));
    }

    /// Adds the writes of another batch, behind those of this one.
    pub fn append(&mut self, other: Self) {
        self.writes.extend(other.writes);
    }

    /// Its writes, in their order; a key without a value is removed.
    pub fn iter(&self) -> impl Iterator<Item = (Family, &[u8], Option<&[u8]>)> {
        self.writes.iter().map(|(family, key, value)| (*family, key.as_slice(), value.as_deref()))
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }
}

impl Engine {
    /// Opens the store in `path`, which must be there: an empty one in the place of a lost one
    /// would begin the log anew, under the same key.
    ///
    /// # Errors
    /// [`EngineError::Locked`] when another process has it, [`EngineError::Incomplete`] when it is
    /// not there or not whole, [`EngineError::Corruption`] when a part of it is damaged.
    pub fn open(path: &Path, options: EngineOptions) -> Result<Self, EngineError> {
        demand_whole(path)?;
        let lock = lock(path, true)?;
        let mut database = database_options();
        // A store of the last version has fewer families, and gets the others, empty. One that lacks any
        // otherwise is damaged, and refused below.
        database.create_missing_column_families(is_older(path));
        let opened = DB::open_cf_descriptors(&database, path, families(options));
        Ok(Self { db: opened.map_err(refused(path))?, sync: options.sync, _lock: lock })
    }

    /// Makes a store in `path`, where there must be none.
    ///
    /// # Errors
    /// As [`Engine::open`]; [`EngineError::Other`] when there is one.
    pub fn create(path: &Path, options: EngineOptions) -> Result<Self, EngineError> {
        durable::create_dir(path).map_err(io(path))?;
        let lock = lock(path, true)?;
        let mut database = database_options();
        database.create_if_missing(true);
        database.create_missing_column_families(true);
        database.set_error_if_exists(true);
        let opened = DB::open_cf_descriptors(&database, path, families(options));
        Ok(Self { db: opened.map_err(refused(path))?, sync: options.sync, _lock: lock })
    }

    /// Opens the store in `path` for reading, and changes nothing there: what was written last is
    /// replayed into memory alone.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub fn open_read_only(path: &Path, options: EngineOptions) -> Result<Self, EngineError> {
        demand_whole(path)?;
        let lock = lock(path, false)?;
        let database = database_options();
        let opened = DB::open_cf_descriptors_read_only(&database, path, families(options), false);
        Ok(Self { db: opened.map_err(refused(path))?, sync: options.sync, _lock: lock })
    }

    fn family(&self, family: Family) -> &ColumnFamily {
        self.db.cf_handle(family.name()).expect("every family is opened")
    }

    /// Reads one value.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.db.get_cf(self.family(family), key).map_err(failed)
    }

    /// Writes a batch: when this returns, it is on disk whole; when it fails, none of it is.
    ///
    /// # Errors
    /// [`EngineError::Io`] when the disk is full or fails.
    pub fn commit(&self, batch: Batch) -> Result<(), EngineError> {
        self.write(batch, self.sync)
    }

    /// Writes all of a batch or nothing, without waiting for the disk: a crash of the process loses nothing of it, one
    /// of the machine what came after the last synced commit.
    ///
    /// # Errors
    /// As [`Engine::commit`].
    pub fn commit_unsynced(&self, batch: Batch) -> Result<(), EngineError> {
        self.write(batch, false)
    }

    fn write(&self, batch: Batch, sync: bool) -> Result<(), EngineError> {
        let mut writes = WriteBatch::default();
        for (family, key, value) in batch.writes {
            match value {
                Some(value) => writes.put_cf(self.family(family), key, value),
                None => writes.delete_cf(self.family(family), key),
            }
        }
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        self.db.write_opt(writes, &options).map_err(failed)
    }

    /// A view that later commits do not change.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<'_> {
        Snapshot { engine: self, inner: self.db.snapshot() }
    }

    /// Copies the store to a folder that is not there yet, while it is in use.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn copy_to(&self, folder: &Path) -> Result<(), EngineError> {
        rocksdb::checkpoint::Checkpoint::new(&self.db)
            .and_then(|checkpoint| checkpoint.create_checkpoint(folder))
            .map_err(failed)
    }

    /// Writes what is in memory to tables, so that the next start has nothing to replay.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn flush(&self) -> Result<(), EngineError> {
        let families: Vec<&ColumnFamily> = Family::ALL.iter().map(|f| self.family(*f)).collect();
        self.db.flush_cfs_opt(&families, &rocksdb::FlushOptions::default()).map_err(failed)
    }
}

/// Whether a database lacks families because a version wrote it that did not have them.
fn is_older(path: &Path) -> bool {
    let database = database_options();
    let Ok(names) = DB::list_cf(&database, path) else { return false };
    if Family::ALL.iter().all(|family| names.iter().any(|name| name == family.name())) {
        return false;
    }
    let meta = DB::open_cf_for_read_only(&database, path, [Family::Meta.name()], false);
    let version = meta.ok().and_then(|db| {
        db.get_cf(db.cf_handle(Family::Meta.name())?, super::key::STORE_VERSION).ok().flatten()
    });
    version.is_some_and(|version| super::upgraded(&version).is_some())
}

/// The file that names the manifest in force; without it the engine would take the folder for empty.
const CURRENT_FILE: &str = "CURRENT";

/// Refuses a folder that lacks what every database has, before the engine touches it.
fn demand_whole(path: &Path) -> Result<(), EngineError> {
    let incomplete = |missing: &str| EngineError::Incomplete {
        path: path.to_owned(),
        missing: missing.to_owned(),
    };
    let current = path.join(CURRENT_FILE);
    let manifest = match std::fs::read_to_string(&current) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(incomplete(CURRENT_FILE));
        }
        manifest => manifest.map_err(io(&current))?,
    };
    let manifest = manifest.trim_end();
    if !manifest.starts_with("MANIFEST-") || manifest.contains('/') {
        let detail = format!("expected the name of a manifest in {CURRENT_FILE}, found another");
        return Err(EngineError::Corruption { detail });
    }
    match path.join(manifest).try_exists().map_err(io(path))? {
        true => Ok(()),
        false => Err(incomplete(manifest)),
    }
}

/// Locks the folder itself: a writer alone, readers together.
fn lock(path: &Path, is_writer: bool) -> Result<File, EngineError> {
    let folder = File::open(path).map_err(io(path))?;
    let locked = if is_writer { folder.try_lock() } else { folder.try_lock_shared() };
    match locked {
        Ok(()) => Ok(folder),
        Err(TryLockError::WouldBlock) => Err(EngineError::Locked { path: path.to_owned() }),
        // A file system without such locks: a writer still has the engine's own.
        Err(TryLockError::Error(_)) if is_writer => Ok(folder),
        Err(TryLockError::Error(error)) => Err(io(path)(error)),
    }
}

/// For `map_err`: names the path.
fn io(path: &Path) -> impl FnOnce(io::Error) -> EngineError {
    move |error| EngineError::Io { detail: format!("{}: {error}", path.display()) }
}

/// For `map_err`: the engine's refusal to open.
fn refused(path: &Path) -> impl FnOnce(rocksdb::Error) -> EngineError {
    let path = path.to_owned();
    move |error| {
        let text = error.as_ref();
        // The engine has no kind of its own for a held lock file, nor for a family that is not there.
        if text.contains("lock") && text.contains("LOCK") {
            EngineError::Locked { path }
        } else if error.kind() == ErrorKind::InvalidArgument && text.contains("olumn famil") {
            EngineError::Incomplete { path, missing: format!("column family of it: {text}") }
        } else {
            failed(error)
        }
    }
}

fn families(options: EngineOptions) -> impl Iterator<Item = ColumnFamilyDescriptor> {
    let cache = Cache::new_lru_cache(options.block_cache_bytes);
    let describe = move |family: &Family| {
        ColumnFamilyDescriptor::new(family.name(), family_options(*family, &cache, options))
    };
    Family::ALL.iter().map(describe)
}

fn database_options() -> Options {
    let mut options = Options::default();
    options.set_paranoid_checks(true);
    // Every acknowledged commit was synced, so only the last record of the log can be torn, and it
    // was never acknowledged. Damage anywhere else must stop the start: point-in-time recovery
    // would drop acknowledged commits behind it without a word.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_max_open_files(512);
    options.set_max_background_jobs(2);
    options.set_max_total_wal_size(64 << 20);
    options.set_keep_log_file_num(4);
    options.set_max_log_file_size(4 << 20);
    options
}

fn family_options(family: Family, cache: &Cache, engine: EngineOptions) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    // Indexes and filters in parts, of which only the top stays in memory: whole, those of a large file do not fit into one
    // shard of the cache, and are read and decompressed again for every value.
    blocks.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    blocks.set_partition_filters(true);
    blocks.set_metadata_block_size(4 << 10);
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_pin_top_level_index_and_filter(true);
    blocks.set_bloom_filter(10.0, false);
    if family == Family::Facts {
        // What is about one artifact was logged together, mostly, and is read together.
        blocks.set_block_size(16 << 10);
    }
    let mut options = Options::default();
    options.set_block_based_table_factory(&blocks);
    options.set_write_buffer_size(engine.write_buffer_bytes);
    options.set_compression_type(match family {
        // Hashes do not compress.
        Family::Tiles | Family::Lookups | Family::Uses => DBCompressionType::None,
        // They are there to be read fast, and can be made again.
        Family::Facts => DBCompressionType::None,
        _ => DBCompressionType::Zstd,
    });
    options
}

/// A key with its value.
pub type Item = (Vec<u8>, Vec<u8>);

/// A view of the store at one moment.
pub struct Snapshot<'e> {
    engine: &'e Engine,
    inner: rocksdb::Snapshot<'e>,
}

impl Snapshot<'_> {
    /// Reads one value.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.inner.get_cf(self.engine.family(family), key).map_err(failed)
    }

    /// Reads the values of some keys, which are sorted. Their blocks are not kept in memory: whoever reads many values once must
    /// not drive out what everybody reads.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn values(
        &self,
        family: Family,
        keys: &[impl AsRef<[u8]>],
    ) -> Result<Vec<Option<Vec<u8>>>, EngineError> {
        let mut options = ReadOptions::default();
        options.set_snapshot(&self.inner);
        options.fill_cache(false);
        let family = self.engine.family(family);
        let read = self.engine.db.batched_multi_get_cf_opt(family, keys, true, &options);
        let value = |one: Result<Option<DBPinnableSlice<'_>>, _>| {
            one.map(|value| value.map(|value| value.to_vec())).map_err(failed)
        };
        read.into_iter().map(value).collect()
    }

    fn raw(&self, family: Family) -> DBRawIterator<'_> {
        let mut options = ReadOptions::default();
        options.set_verify_checksums(true);
        self.inner.raw_iterator_cf_opt(self.engine.family(family), options)
    }

    /// Visits the entries whose keys start with `prefix`, in order, from `from` on, until the
    /// visitor breaks.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn visit(
        &self,
        family: Family,
        prefix: &[u8],
        from: Option<&[u8]>,
        mut visitor: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), EngineError> {
        let mut iterator = self.raw(family);
        iterator.seek(from.unwrap_or(prefix));
        while let Some((key, value)) = iterator.item() {
            if !key.starts_with(prefix) || visitor(key, value).is_break() {
                break;
            }
            iterator.next();
        }
        iterator.status().map_err(failed)
    }

    /// The last entry whose key starts with `prefix`.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn last(&self, family: Family, prefix: &[u8]) -> Result<Option<Item>, EngineError> {
        let mut cursor = self.cursor(family, prefix.to_vec());
        match cursor.seek_at_or_before(&[0xff; 16])? {
            None => Ok(None),
            Some(suffix) => {
                let key = [prefix, &suffix].concat();
                let value = self.get(family, &key)?;
                Ok(value.map(|value| (key, value)))
            }
        }
    }

    /// A cursor over the keys that start with `prefix`.
    #[must_use]
    pub fn cursor(&self, family: Family, prefix: Vec<u8>) -> Cursor<'_> {
        Cursor { iterator: self.raw(family), prefix }
    }
}

/// A position among the keys of one prefix.
pub struct Cursor<'s> {
    iterator: DBRawIterator<'s>,
    prefix: Vec<u8>,
}

impl Cursor<'_> {
    /// Goes on over the keys that start with another prefix.
    pub fn turn_to(&mut self, prefix: Vec<u8>) {
        self.prefix = prefix;
    }

    /// Moves to the last key whose part behind the prefix is at most `suffix`; returns that part.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn seek_at_or_before(&mut self, suffix: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        let target = [self.prefix.as_slice(), suffix].concat();
        // Whoever goes down step by step is one step away, which is much cheaper than a search.
        if self.iterator.key().is_some_and(|key| key > target.as_slice()) {
            self.iterator.prev();
            if self.iterator.key().is_some_and(|key| key > target.as_slice()) {
                self.iterator.seek_for_prev(&target);
            }
        } else if self.iterator.key() != Some(target.as_slice()) {
            self.iterator.seek_for_prev(&target);
        }
        let found = self.iterator.key().and_then(|k| k.strip_prefix(self.prefix.as_slice()));
        let found = found.map(<[u8]>::to_vec);
        self.iterator.status().map_err(failed)?;
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
