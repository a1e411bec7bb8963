//! The store: what is at rest, and how it comes to rest.
//!
//! Everything lands in one synced batch of the [`engine`], except content too large for it, which
//! is a file of [`content`] before any batch refers to it. Those are the two commit points.
//! [`Store`] writes; a [`Reader`] sees one moment and nothing later.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use attestry_schemas::digest::Sha256;
use attestry_schemas::tile::{self, Pyramid, TILE_WIDTH, TileError};

pub mod access_events;
pub mod backup;
pub mod content;
pub mod durable;
pub mod engine;
pub mod facts;
pub mod key;
pub mod oci;
pub mod query;
pub mod record;
#[cfg(test)]
mod recovery_tests;

use content::{
    Claim, ContentError, ContentFile, ContentFiles, ContentWriter, INLINE_LIMIT_BYTES, Listed,
};
use engine::{Batch, Engine, EngineError, EngineOptions, Family, Snapshot};
use record::{Record, RecordError, StoredCheckpoint};

/// The folder of the engine below the data folder.
pub const ENGINE_FOLDER: &str = "db";
/// The folder of large content below the data folder.
pub const CONTENT_FOLDER: &str = "content";

/// The version of the store that this program writes. 2 has the OCI families, 3 the facts of attestations; a store of an earlier
/// version becomes one of this when the server first opens it.
pub const STORE_VERSION: u32 = 3;

/// The version before the OCI families.
const WITHOUT_REPOSITORIES: u32 = 1;

/// The versions whose stores only lack families that may be empty.
const UPGRADED_VERSIONS: [u32; 2] = [WITHOUT_REPOSITORIES, 2];

/// How much content one batch of an upgrade tells of.
const PINS_OF_A_BATCH: u64 = 10_000;

/// Why the store could not answer or write.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The engine failed.
    #[error("the store's engine failed")]
    Engine(#[source] EngineError),
    /// A large-content file failed.
    #[error("the store's content files failed")]
    Content(#[source] ContentError),
    /// A record is damaged or of another version.
    #[error("a record cannot be read")]
    Record(#[source] RecordError),
    /// A tile is damaged.
    #[error("a stored tile is damaged")]
    Tile(#[source] TileError),
    /// Something that other records refer to is not there.
    #[error("the store has no {what}; it is damaged, restore the data folder from a backup")]
    Missing {
        /// What is missing.
        what: String,
    },
    /// The store is of another version of the program.
    #[error(
        "expected a store of version {STORE_VERSION}, found {found}; run the version of attestry-registry that wrote it"
    )]
    Version {
        /// The version that was found.
        found: String,
    },
}

impl From<ContentError> for StoreError {
    fn from(error: ContentError) -> Self {
        Self::Content(error)
    }
}

impl StoreError {
    /// Whether the cause is a disk that is full or failing, so that a later try may succeed.
    #[must_use]
    pub fn is_storage(&self) -> bool {
        matches!(
            self,
            Self::Engine(EngineError::Io { .. })
                | Self::Content(ContentError::Io { .. } | ContentError::DiskFull { .. })
        )
    }
}

/// An open store.
pub struct Store {
    engine: Engine,
    files: Arc<ContentFiles>,
}

/// Content, wherever it lies.
pub enum Content {
    /// In the engine.
    Inline(Vec<u8>),
    /// In a file.
    File(ContentFile),
}

impl Content {
    /// Its size.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::File(file) => file.size_bytes(),
        }
    }
}

impl Store {
    /// Makes the store of a new registry below a data folder. Only `init` does.
    ///
    /// # Errors
    /// As the parts fail, among them a store that is there.
    pub fn create(data: &Path, options: EngineOptions) -> Result<Self, StoreError> {
        let engine =
            Engine::create(&data.join(ENGINE_FOLDER), options).map_err(StoreError::Engine)?;
        let files = ContentFiles::open(&data.join(CONTENT_FOLDER)).map_err(StoreError::Content)?;
        let store = Self { engine, files: Arc::new(files) };
        let mut batch = Batch::default();
        batch.put(Family::Meta, key::STORE_VERSION, STORE_VERSION.to_be_bytes());
        store.commit(batch)?;
        Ok(store)
    }

    /// Opens the store below a data folder, which must be there.
    ///
    /// # Errors
    /// [`StoreError::Version`] for a store of another version, otherwise as the parts fail.
    pub fn open(data: &Path, options: EngineOptions) -> Result<Self, StoreError> {
        let engine =
            Engine::open(&data.join(ENGINE_FOLDER), options).map_err(StoreError::Engine)?;
        let files = ContentFiles::open(&data.join(CONTENT_FOLDER)).map_err(StoreError::Content)?;
        let store = Self { engine, files: Arc::new(files) };
        store.upgrade()?;
        store.check_version()?;
        Ok(store)
    }

    /// Makes a store of an earlier version one of this: the engine has added the families that it lacked. Before there were
    /// repositories, content that is no attestation was put there by itself, which is now said.
    fn upgrade(&self) -> Result<(), StoreError> {
        let found =
            self.engine.get(Family::Meta, key::STORE_VERSION).map_err(StoreError::Engine)?;
        let Some(version) = found.and_then(|found| upgraded(&found)) else { return Ok(()) };
        tracing::info!("the store of version {version} becomes one of version {STORE_VERSION}");
        let mut batch = match version {
            WITHOUT_REPOSITORIES => self.pin_all()?,
            _ => Batch::default(),
        };
        batch.put(Family::Meta, key::STORE_VERSION, STORE_VERSION.to_be_bytes());
        self.commit(batch)
    }

    /// Says of all content but attestations that it is kept by itself; gives the last batch, not yet written.
    fn pin_all(&self) -> Result<Batch, StoreError> {
        let reader = self.reader();
        let (mut batch, mut pins) = (Batch::default(), 0);
        let mut pin = |digest: &Sha256| {
            if reader.sequence_of_digest(digest)?.is_none() {
                batch.put(Family::Uses, oci::key::pin(digest), []);
                pins += 1;
                if pins % PINS_OF_A_BATCH == 0 {
                    self.commit(std::mem::take(&mut batch))?;
                }
            }
            Ok::<_, StoreError>(())
        };
        reader.scan(Family::Content, &[], None, |key, _| {
            Sha256::from_slice(key).map_or(Ok(()), |digest| pin(&digest))?;
            Ok(ControlFlow::Continue(()))
        })?;
        for listed in self.files.list() {
            if let Listed::Content { digest, .. } = listed? {
                pin(&digest)?;
            }
        }
        Ok(batch)
    }

    /// Opens the store below a data folder for reading, and changes nothing there.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_read_only(data: &Path, options: EngineOptions) -> Result<Self, StoreError> {
        let engine = Engine::open_read_only(&data.join(ENGINE_FOLDER), options)
            .map_err(StoreError::Engine)?;
        let files = ContentFiles::open_read_only(&data.join(CONTENT_FOLDER));
        let store = Self { engine, files: Arc::new(files) };
        store.check_version()?;
        Ok(store)
    }

    fn check_version(&self) -> Result<(), StoreError> {
        let ours = STORE_VERSION.to_be_bytes();
        let found =
            self.engine.get(Family::Meta, key::STORE_VERSION).map_err(StoreError::Engine)?;
        match found {
            Some(found) if found == ours => Ok(()),
            Some(found) => Err(StoreError::Version { found: hex::encode(found) }),
            None => Err(StoreError::Missing { what: "version of its records".to_owned() }),
        }
    }

    /// Commits a batch; see [`Engine::commit`].
    ///
    /// # Errors
    /// [`StoreError::Engine`].
    pub fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.engine.commit(batch).map_err(StoreError::Engine)
    }

    /// A view of this moment.
    #[must_use]
    pub fn reader(&self) -> Reader<'_> {
        Reader { snapshot: self.engine.snapshot(), files: &self.files, tree_size: OnceLock::new() }
    }

    /// Starts content of at most `limit_bytes` bytes.
    pub fn content_writer(&self, limit_bytes: u64) -> ContentWriter {
        self.files.writer(limit_bytes)
    }

    /// Writes, durably and on its own, that the events of every leaf below a sequence are told.
    ///
    /// A crash before it leaves the sequence before it: these events are told again.
    ///
    /// # Errors
    /// [`StoreError::Engine`].
    pub fn put_event_cursor(&self, next: u64) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        batch.put(Family::Meta, key::EVENT_CURSOR, key::sequence(next));
        self.commit(batch)
    }

    /// Makes content durable that a batch is about to refer to, when it is too large for the
    /// batch itself; otherwise leaves it to the batch. The claim is to be held until the batch is written.
    ///
    /// # Errors
    /// [`StoreError::Content`].
    pub fn prepare_content(
        &self,
        digest: Sha256,
        bytes: &[u8],
    ) -> Result<Option<Claim>, StoreError> {
        if is_inline(bytes) {
            return Ok(None);
        }
        // Also when the file is there: another writer may have renamed it a moment ago and not yet
        // synced its folder, and the batch must refer only to what is durable.
        let mut writer = self.content_writer(bytes.len() as u64);
        writer.write(bytes).map_err(StoreError::Content)?;
        let matched = writer.matched(&digest.into()).map_err(StoreError::Content)?;
        let (_, claim) = matched.commit().map_err(StoreError::Content)?;
        Ok(Some(claim))
    }

    /// Stores small content on its own, as an upload does through the log.
    #[cfg(test)]
    pub(crate) fn put_small_content(&self, digest: Sha256, bytes: &[u8]) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        batch.put(Family::Content, digest.0, bytes);
        self.commit(batch)
    }

    /// Removes a large-content file that nothing refers to. Returns its size when it has gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn remove_unused(&self, digest: &Sha256) -> Result<Option<u64>, StoreError> {
        self.files.remove_unless(digest, || self.reader().is_kept(digest))
    }

    /// The engine, for the online copy.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The large-content files.
    #[must_use]
    pub fn files(&self) -> &ContentFiles {
        &self.files
    }
}

/// The version of a store that the server upgrades; none of another.
fn upgraded(version: &[u8]) -> Option<u32> {
    UPGRADED_VERSIONS.into_iter().find(|one| one.to_be_bytes() == version)
}

/// Whether content of this size lies in the engine.
#[must_use]
pub fn is_inline(bytes: &[u8]) -> bool {
    bytes.len() as u64 <= INLINE_LIMIT_BYTES
}

/// A view of the store at one moment.
pub struct Reader<'s> {
    snapshot: Snapshot<'s>,
    files: &'s ContentFiles,
    /// The size of the tree, once it was asked for: a view never changes.
    tree_size: OnceLock<u64>,
}

impl Reader<'_> {
    /// The view of the engine.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot<'_> {
        &self.snapshot
    }

    /// One value.
    ///
    /// # Errors
    /// [`StoreError::Engine`].
    pub fn value(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(family, key)
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.snapshot.get(family, key).map_err(StoreError::Engine)
    }

    /// The record of a sequence.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn record(&self, sequence: u64) -> Result<Option<Record>, StoreError> {
        self.get(Family::Statements, &key::sequence(sequence))?
            .map(|bytes| record::decode(&bytes, "attestation record").map_err(StoreError::Record))
            .transpose()
    }

    /// The records of sequences that are sorted.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn records(&self, sequences: &[u64]) -> Result<Vec<Option<Record>>, StoreError> {
        let keys: Vec<_> = sequences.iter().map(|one| key::sequence(*one)).collect();
        let read = self.snapshot.values(Family::Statements, &keys).map_err(StoreError::Engine)?;
        let decode = |bytes: Vec<u8>| record::decode(&bytes, "attestation record");
        let decoded = read.into_iter().map(|bytes| bytes.map(decode).transpose());
        decoded.collect::<Result<_, _>>().map_err(StoreError::Record)
    }

    /// The body of a leaf.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn leaf(&self, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(Family::Leaves, &key::sequence(index))
    }

    /// The sequence of a leaf hash.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn sequence_of_leaf(&self, leaf_hash: &Sha256) -> Result<Option<u64>, StoreError> {
        Ok(self
            .get(Family::Lookups, &key::leaf_lookup(leaf_hash))?
            .and_then(|v| key::sequence_of(&v)))
    }

    /// The sequence of an attestation's digest.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn sequence_of_digest(&self, digest: &Sha256) -> Result<Option<u64>, StoreError> {
        Ok(self
            .get(Family::Lookups, &key::digest_lookup(digest))?
            .and_then(|v| key::sequence_of(&v)))
    }

    /// The stored tile of a level and index, at its present width; width 0 when there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn tile(&self, level: u8, index: u64) -> Result<Pyramid, StoreError> {
        let hashes = self.get(Family::Tiles, &key::tile(level, index))?.unwrap_or_default();
        Pyramid::from_hashes(&hashes).map_err(StoreError::Tile)
    }

    /// The first `width` hashes of a stored tile, or nothing when it has fewer.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn tile_hashes(
        &self,
        level: u8,
        index: u64,
        width: u16,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let stored = self.get(Family::Tiles, &key::tile(level, index))?;
        Ok(stored.and_then(|hashes| hashes.get(..usize::from(width) * 32).map(<[u8]>::to_vec)))
    }

    /// The first `width` entries of an entry bundle, or nothing when there are fewer.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn entry_bundle(&self, index: u64, width: u16) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(first) = index.checked_mul(u64::from(TILE_WIDTH)) else { return Ok(None) };
        let (mut bundle, mut entries, mut fault) = (Vec::new(), 0, None);
        let visit = |_: &[u8], body: &[u8]| {
            if entries == width {
                return ControlFlow::Break(());
            }
            match tile::append_entry(&mut bundle, body) {
                Ok(()) => entries += 1,
                Err(e) => {
                    fault = Some(e);
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        };
        self.snapshot
            .visit(Family::Leaves, &[], Some(&key::sequence(first)), visit)
            .map_err(StoreError::Engine)?;
        match fault {
            Some(fault) => Err(StoreError::Tile(fault)),
            None => Ok((entries == width).then_some(bundle)),
        }
    }

    /// The checkpoint of a tree size, where a batch ended at that size.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn checkpoint(&self, size: u64) -> Result<Option<StoredCheckpoint>, StoreError> {
        self.get(Family::Meta, &key::checkpoint(size))?
            .map(|bytes| record::decode(&bytes, "checkpoint").map_err(StoreError::Record))
            .transpose()
    }

    /// The newest checkpoint and its tree size.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn latest_checkpoint(&self) -> Result<Option<(u64, StoredCheckpoint)>, StoreError> {
        let last =
            self.snapshot.last(Family::Meta, key::CHECKPOINT_PREFIX).map_err(StoreError::Engine)?;
        let Some((key, value)) = last else { return Ok(None) };
        let missing = || StoreError::Missing { what: "size in a checkpoint's key".to_owned() };
        let size = key::sequence_of(&key).ok_or_else(missing)?;
        Ok(Some((size, record::decode(&value, "checkpoint").map_err(StoreError::Record)?)))
    }

    /// The size of the newest checkpoint's tree; 0 where there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn size(&self) -> Result<u64, StoreError> {
        if let Some(size) = self.tree_size.get() {
            return Ok(*size);
        }
        let size = self.latest_checkpoint()?.map_or(0, |(size, _)| size);
        Ok(*self.tree_size.get_or_init(|| size))
    }

    /// Below which sequence the events of every leaf are told; none where events were never told to anyone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn event_cursor(&self) -> Result<Option<u64>, StoreError> {
        let Some(value) = self.get(Family::Meta, key::EVENT_CURSOR)? else { return Ok(None) };
        let missing =
            || StoreError::Missing { what: "sequence in the cursor of events".to_owned() };
        key::sequence_of(&value).ok_or_else(missing).map(Some)
    }

    /// Content by its digest.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn content(&self, digest: Sha256) -> Result<Option<Content>, StoreError> {
        if let Some(bytes) = self.get(Family::Content, digest.as_bytes())? {
            return Ok(Some(Content::Inline(bytes)));
        }
        let file = self.files.open_content(&digest).map_err(StoreError::Content)?;
        Ok(file.map(Content::File))
    }
}
