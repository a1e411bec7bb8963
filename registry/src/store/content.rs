//! Large content by digest: files `sha256/ab/<hex>` under the content folder (DESIGN §6).
//!
//! A file that has its name is whole, synced and never changed again. Whether anything refers to it
//! is the business of the batch that follows: a file that nothing refers to is harmless.
//! `incoming/` holds what is being written; whatever a crash left there is removed at start. Small
//! content is not for this module: the store keeps it in its engine.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use attestry_schemas::digest::Sha256;
use sha2::Digest as _;

use crate::fault::{self, FaultPoint};
use crate::store::durable;

const READ_BUFFER_BYTES: usize = 256 << 10;

/// Why content was not written or read.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// The bytes are not those that the digest names.
    #[error("the content does not have its digest: expected {expected}, found {found}")]
    DigestMismatch {
        /// The digest that the writer announced.
        expected: Sha256,
        /// The digest of the bytes that came.
        found: Sha256,
    },
    /// There are more bytes than the limit admits.
    #[error("the content is larger than the limit of {limit_bytes} bytes (max_content_bytes)")]
    TooLarge {
        /// The bound that was met, in bytes.
        limit_bytes: u64,
    },
    /// The disk is full.
    #[error("the disk is full while {action} {}", path.display())]
    DiskFull {
        /// What was being done.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The system refused a read or a write.
    #[error("failed {action} {}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl ContentError {
    /// For `map_err`: names what was being done, and to which path.
    fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { action, path, source }
            }
            _ => Self::Io { action, path, source },
        }
    }
}

/// The folder of large content.
#[derive(Debug)]
pub struct ContentFiles {
    dir: PathBuf,
    /// Names the next temporary file. Only one process writes: it holds the engine's lock.
    next: AtomicU64,
}

impl ContentFiles {
    /// Opens the folder for writing: creates what is missing and removes temporary files that a
    /// crash left. Call it only while holding the engine's lock, else it removes another process's.
    ///
    /// # Errors
    /// The disk's errors.
    pub fn open(dir: &Path) -> Result<Self, ContentError> {
        let files = Self::open_read_only(dir);
        let create = |path: &Path| {
            durable::create_dir(path).map_err(ContentError::at("creating the folder", path))
        };
        create(dir)?;
        create(&files.incoming())?;
        create(&files.by_digest())?;
        // All folders now, so that a writer has no folder to create and sync.
        for shard in 0..=u8::MAX {
            let path = files.shard(shard);
            match std::fs::create_dir(&path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(ContentError::at("creating the folder", &path)(error));
                }
                _ => {}
            }
        }
        let by_digest = files.by_digest();
        durable::sync_dir(&by_digest).map_err(ContentError::at("syncing", &by_digest))?;
        files.remove_leftovers()?;
        Ok(files)
    }

    /// Opens the folder for reading, changing nothing.
    #[must_use]
    pub fn open_read_only(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), next: AtomicU64::new(0) }
    }

    /// The content folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Starts to write a file of at most `limit_bytes`.
    ///
    /// # Errors
    /// The disk's errors.
    pub fn writer(&self, limit_bytes: u64) -> Result<ContentWriter, ContentError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.incoming().join(format!("{number:016x}"));
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.map_err(ContentError::at("creating", &path))?;
        let incoming = Incoming { file, path, is_renamed: false };
        let by_digest = self.by_digest();
        Ok(ContentWriter {
            incoming,
            by_digest,
            hasher: sha2::Sha256::new(),
            size_bytes: 0,
            limit_bytes,
        })
    }

    /// Opens the file of `digest`; nothing when there is none. Its bytes are not checked.
    ///
    /// # Errors
    /// The disk's errors.
    pub fn read(&self, digest: Sha256) -> Result<Option<File>, ContentError> {
        let path = self.path(digest);
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some).map_err(ContentError::at("opening", &path)),
        }
    }

    /// Reads all of the file of `digest` and returns the digest that its bytes have; nothing when
    /// there is no file.
    ///
    /// # Errors
    /// The disk's errors.
    pub fn rehash(&self, digest: Sha256) -> Result<Option<Sha256>, ContentError> {
        let Some(mut file) = self.read(digest)? else { return Ok(None) };
        let mut hasher = sha2::Sha256::new();
        let mut buffer = vec![0; READ_BUFFER_BYTES];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(Some(Sha256(hasher.finalize().into()))),
                Ok(read) => hasher.update(buffer.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ContentError::at("reading", &self.path(digest))(error)),
            }
        }
    }

    /// Whether there is a file of `digest`.
    ///
    /// # Errors
    /// The disk's errors.
    pub fn contains(&self, digest: Sha256) -> Result<bool, ContentError> {
        let path = self.path(digest);
        path.try_exists().map_err(ContentError::at("looking for", &path))
    }

    /// Every file of the folder, one shard in memory at a time, ordered by digest within it. A file
    /// that has no business there is listed as stray.
    pub fn list(&self) -> impl Iterator<Item = Result<Listed, ContentError>> + '_ {
        (0..=u8::MAX).flat_map(|shard| match self.list_shard(shard) {
            Ok(listed) => listed.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    }

    /// Where the file of `digest` is, or would be.
    #[must_use]
    pub fn path(&self, digest: Sha256) -> PathBuf {
        path_below(&self.by_digest(), digest)
    }

    fn list_shard(&self, shard: u8) -> Result<Vec<Listed>, ContentError> {
        let dir = self.shard(shard);
        let failed = || ContentError::at("listing", &dir);
        let entries = match std::fs::read_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed())?,
        };
        let mut listed = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed())?;
            let metadata = entry.metadata().map_err(failed())?;
            let name = entry.file_name();
            let digest = name.to_str().and_then(|hex| format!("sha256:{hex}").parse().ok());
            listed.push(match digest {
                Some(digest) if metadata.is_file() && self.path(digest) == entry.path() => {
                    Listed::Content { digest, size_bytes: metadata.len() }
                }
                _ => Listed::Stray { path: entry.path() },
            });
        }
        listed.sort();
        Ok(listed)
    }

    fn remove_leftovers(&self) -> Result<(), ContentError> {
        let dir = self.incoming();
        let failed = || ContentError::at("removing what a crash left in", &dir);
        for entry in std::fs::read_dir(&dir).map_err(failed())? {
            let path = entry.map_err(failed())?.path();
            tracing::info!(path = %path.display(), "removing an unfinished content file");
            std::fs::remove_file(&path).map_err(failed())?;
        }
        Ok(())
    }

    fn incoming(&self) -> PathBuf {
        self.dir.join("incoming")
    }

    fn by_digest(&self) -> PathBuf {
        self.dir.join("sha256")
    }

    fn shard(&self, first: u8) -> PathBuf {
        self.by_digest().join(format!("{first:02x}"))
    }
}

/// A file found while listing the content folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listed {
    /// A content file, by its name; its bytes are not checked.
    Content {
        /// The digest that it is named after.
        digest: Sha256,
        /// Its size.
        size_bytes: u64,
    },
    /// Something else.
    Stray {
        /// Where it is.
        path: PathBuf,
    },
}

/// Writes a content file of unknown size in constant memory, hashing as it goes.
///
/// Dropping it before [`ContentWriter::finish`] removes what it wrote.
#[derive(Debug)]
#[must_use]
pub struct ContentWriter {
    incoming: Incoming,
    by_digest: PathBuf,
    hasher: sha2::Sha256,
    size_bytes: u64,
    limit_bytes: u64,
}

impl ContentWriter {
    /// Appends a chunk of any size.
    ///
    /// # Errors
    /// [`ContentError::TooLarge`] before anything of the chunk is written; the disk's errors. The
    /// writer is of no further use then.
    pub fn write(&mut self, chunk: &[u8]) -> Result<(), ContentError> {
        let limit_bytes = self.limit_bytes;
        let size_bytes = self.size_bytes.saturating_add(chunk.len() as u64);
        if size_bytes > limit_bytes {
            return Err(ContentError::TooLarge { limit_bytes });
        }
        self.incoming.write(chunk)?;
        self.hasher.update(chunk);
        self.size_bytes = size_bytes;
        Ok(())
    }

    /// The bytes written so far.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Ends the content, checks it against the digest that was announced, and makes the file
    /// durable under its name. Returns its size in bytes.
    ///
    /// # Errors
    /// [`ContentError::DigestMismatch`] and the disk's errors; nothing is left then, but for a
    /// failure after the rename, which leaves a whole file that nothing refers to.
    pub fn finish(self, expected: Sha256) -> Result<u64, ContentError> {
        let found = Sha256(self.hasher.finalize().into());
        if found != expected {
            return Err(ContentError::DigestMismatch { expected, found });
        }
        self.incoming.commit(&path_below(&self.by_digest, found))?;
        Ok(self.size_bytes)
    }
}

fn path_below(by_digest: &Path, digest: Sha256) -> PathBuf {
    let hex = digest.hex();
    by_digest.join(hex.get(..2).unwrap_or_default()).join(hex)
}

/// A temporary file, removed when dropped unless it was renamed.
#[derive(Debug)]
struct Incoming {
    file: File,
    path: PathBuf,
    is_renamed: bool,
}

impl Incoming {
    fn write(&mut self, bytes: &[u8]) -> Result<(), ContentError> {
        self.file.write_all(bytes).map_err(ContentError::at("writing", &self.path))
    }

    /// Gives the file its name.
    ///
    /// The rename is one of the store's two commit points. A crash before it leaves a file in
    /// `incoming/`, which the next start removes. A crash after it, and before the folder is synced,
    /// leaves the file under one name or the other. Either way it is whole, because it was synced
    /// first, and nothing refers to it, because no batch is formed before this returns.
    ///
    /// A file that is already there is replaced, not trusted: another writer may have renamed it
    /// and not yet synced the folder, or its bytes may have rotted.
    fn commit(mut self, to: &Path) -> Result<(), ContentError> {
        self.file.sync_all().map_err(ContentError::at("syncing", &self.path))?;
        fault::point(FaultPoint::ContentBeforeRename)
            .map_err(ContentError::at("renaming", &self.path))?;
        std::fs::rename(&self.path, to).map_err(ContentError::at("renaming", &self.path))?;
        self.is_renamed = true;
        fault::point(FaultPoint::ContentAfterRename)
            .and_then(|()| durable::sync_parent(to))
            .map_err(ContentError::at("syncing the folder of", to))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.is_renamed
            && let Err(error) = durable::remove_if_there(&self.path)
        {
            let path = self.path.display();
            tracing::warn!(%error, %path, "an unfinished content file stays until the next start");
        }
    }
}

#[cfg(test)]
#[path = "content/tests.rs"]
mod tests;
