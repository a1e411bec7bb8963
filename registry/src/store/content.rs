//! Content by digest: small content stays in memory for the caller's batch, large content streams
//! to a file `sha256/ab/<hex>` under the content folder (DESIGN §6).
//!
//! A file that has its name is whole, synced and never changed again. Whether anything refers to it
//! is the business of the batch that follows: a file that nothing refers to is harmless.
//! `incoming/` holds what is being written; whatever a crash left there is removed at start.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attestry_schemas::digest::Sha256;
use attestry_schemas::oci::BlobDigest;
use sha2::Digest as _;

use crate::fault::{self, FaultPoint};
use crate::store::durable;

#[path = "content/writeback.rs"]
mod writeback;

use writeback::Writeback;

/// Content up to this size lies in the engine's `content` family instead of a file.
pub const INLINE_LIMIT_BYTES: u64 = 64 << 10;

const READ_BUFFER_BYTES: usize = 256 << 10;

/// Why content was not written or read.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// The bytes are not those that the digest names.
    #[error("the content does not have its digest: expected {expected}, found {found}")]
    DigestMismatch {
        /// The digest that the writer announced.
        expected: BlobDigest,
        /// The digest of the bytes that came.
        found: BlobDigest,
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
    /// Files that somebody is about to refer to, with the number of claims.
    claims: Mutex<HashMap<Sha256, usize>>,
}

/// Keeps a file from being collected between its writing and the batch that refers to it.
#[derive(Debug)]
#[must_use = "what nobody claims and nothing refers to may be collected"]
pub struct Claim {
    files: Arc<ContentFiles>,
    digest: Sha256,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut claims = self.files.claims();
        if let Some(count) = claims.get_mut(&self.digest) {
            *count -= 1;
            if *count == 0 {
                claims.remove(&self.digest);
            }
        }
    }
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
        Self { dir: dir.to_owned(), next: AtomicU64::new(0), claims: Mutex::default() }
    }

    /// The content folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Starts to write content of at most `limit_bytes`. Nothing is on disk before the content
    /// exceeds [`INLINE_LIMIT_BYTES`].
    pub fn writer(self: &Arc<Self>, limit_bytes: u64) -> ContentWriter {
        ContentWriter {
            files: Arc::clone(self),
            hasher: sha2::Sha256::new(),
            sha512: None,
            size_bytes: 0,
            limit_bytes,
            inline: Vec::new(),
            incoming: None,
        }
    }

    fn claims(&self) -> MutexGuard<'_, HashMap<Sha256, usize>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the file of `digest`, which may not be there yet, until the claim is dropped.
    pub fn claim(self: &Arc<Self>, digest: Sha256) -> Claim {
        *self.claims().entry(digest).or_default() += 1;
        Claim { files: Arc::clone(self), digest }
    }

    /// Removes the file of `digest` unless it is claimed, or `is_used` says that something refers to it.
    /// Returns its size when it was there and has gone.
    ///
    /// A writer claims before it renames, and claims wait while this runs. So a file that is written anew
    /// meanwhile is there afterwards.
    ///
    /// # Errors
    /// The disk's errors, and those of `is_used`.
    pub fn remove_unless<E: From<ContentError>>(
        &self,
        digest: &Sha256,
        is_used: impl FnOnce() -> Result<bool, E>,
    ) -> Result<Option<u64>, E> {
        let claims = self.claims();
        if claims.contains_key(digest) || is_used()? {
            return Ok(None);
        }
        let Some(file) = self.open_content(digest)? else { return Ok(None) };
        let path = self.path(digest);
        std::fs::remove_file(&path).map_err(ContentError::at("removing", &path))?;
        durable::sync_parent(&path).map_err(ContentError::at("syncing the folder of", &path))?;
        drop(claims);
        Ok(Some(file.size_bytes()))
    }

    /// Opens the file of `digest`; nothing when there is none. Its bytes are not checked.
    ///
    /// # Errors
    /// The disk's errors.
    pub fn open_content(&self, digest: &Sha256) -> Result<Option<ContentFile>, ContentError> {
        let path = self.path(digest);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(ContentError::at("opening", &path))?,
        };
        let size_bytes = file.metadata().map_err(ContentError::at("reading", &path))?.len();
        Ok(Some(ContentFile { file, path, size_bytes }))
    }

    /// Whether there is a file of `digest`.
    ///
    /// # Errors
    /// The disk's errors.
    pub fn contains(&self, digest: &Sha256) -> Result<bool, ContentError> {
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
    pub fn path(&self, digest: &Sha256) -> PathBuf {
        let [first, ..] = *digest.as_bytes();
        self.shard(first).join(digest.hex())
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
                Some(digest) if metadata.is_file() && self.path(&digest) == entry.path() => {
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

/// Where finished content is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "inline content is lost unless the caller commits it"]
pub enum Written {
    /// At most [`INLINE_LIMIT_BYTES`]: the caller commits the bytes to the `content` family.
    Inline {
        /// The digest of the bytes.
        digest: Sha256,
        /// All of the content.
        bytes: Vec<u8>,
    },
    /// A durable file: the caller may refer to it in a batch.
    File {
        /// The digest of the file.
        digest: Sha256,
        /// Its size.
        size_bytes: u64,
    },
}

impl Written {
    /// The digest of the content.
    #[must_use]
    pub fn digest(&self) -> &Sha256 {
        match self {
            Self::Inline { digest, .. } | Self::File { digest, .. } => digest,
        }
    }

    /// The size of the content.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        match self {
            Self::Inline { bytes, .. } => bytes.len() as u64,
            Self::File { size_bytes, .. } => *size_bytes,
        }
    }
}

/// Writes content of unknown size in constant memory, hashing as it goes.
///
/// Dropping it before [`ContentWriter::finish`] removes what it wrote.
#[derive(Debug)]
#[must_use]
pub struct ContentWriter {
    files: Arc<ContentFiles>,
    hasher: sha2::Sha256,
    /// Where the content will be asked for by its SHA-512.
    sha512: Option<sha2::Sha512>,
    size_bytes: u64,
    limit_bytes: u64,
    /// The content while it fits; empty once `incoming` is there.
    inline: Vec<u8>,
    incoming: Option<Incoming>,
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
        if self.incoming.is_none() && size_bytes <= INLINE_LIMIT_BYTES {
            self.inline.extend_from_slice(chunk);
        } else {
            let inline = std::mem::take(&mut self.inline);
            let incoming = match &mut self.incoming {
                Some(incoming) => incoming,
                none => none.insert(Incoming::create(&self.files)?),
            };
            incoming.write(&inline)?;
            incoming.write(chunk)?;
        }
        self.hasher.update(chunk);
        if let Some(sha512) = &mut self.sha512 {
            sha512.update(chunk);
        }
        self.size_bytes = size_bytes;
        Ok(())
    }

    /// Hashes with SHA-512 as well. Call it before the first chunk.
    pub fn with_sha512(mut self) -> Self {
        self.sha512 = Some(sha2::Sha512::new());
        self
    }

    /// The bytes written so far.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Ends the content, checks it against the digest that was announced, and makes a file durable.
    ///
    /// # Errors
    /// [`ContentError::DigestMismatch`] and the disk's errors; nothing is left then, but for a
    /// failure after the rename, which leaves a whole file that nothing refers to.
    pub fn finish(self, expected: &Sha256) -> Result<Written, ContentError> {
        self.matched(&BlobDigest::from(*expected))?.commit().map(|(written, _)| written)
    }

    /// Ends the content and checks it against a digest of either algorithm. It is durable once it is committed.
    ///
    /// # Errors
    /// [`ContentError::DigestMismatch`] and the disk's errors; nothing is left then.
    pub fn matched(mut self, expected: &BlobDigest) -> Result<Matched, ContentError> {
        let digest = Sha256(self.hasher.finalize_reset().into());
        let found = match expected.is_sha512() {
            true => BlobDigest::of_sha512(&self.sha512()?),
            false => digest.into(),
        };
        match found == *expected {
            true => Ok(Matched { writer: self, digest }),
            false => Err(ContentError::DigestMismatch { expected: expected.clone(), found }),
        }
    }

    /// The SHA-512 of what was written; read again when nobody had said that it would be asked for.
    fn sha512(&mut self) -> Result<[u8; 64], ContentError> {
        if let Some(hasher) = &mut self.sha512 {
            return Ok(hasher.finalize_reset().into());
        }
        let mut hasher = sha2::Sha512::new();
        match &self.incoming {
            None => hasher.update(&self.inline),
            Some(incoming) => {
                let file = File::open(&incoming.path)
                    .map_err(ContentError::at("reading", &incoming.path))?;
                let (path, size_bytes) = (incoming.path.clone(), self.size_bytes);
                let file = ContentFile { file, path, size_bytes };
                file.each_chunk(|chunk| hasher.update(chunk))?;
            }
        }
        Ok(hasher.finalize().into())
    }
}

/// Content that has the digest which was announced, and that is not durable yet.
#[must_use]
pub struct Matched {
    writer: ContentWriter,
    digest: Sha256,
}

impl Matched {
    /// The SHA-256 under which it will lie.
    #[must_use]
    pub fn digest(&self) -> &Sha256 {
        &self.digest
    }

    /// Makes a file durable. The claim keeps it until a batch refers to it.
    ///
    /// # Errors
    /// The disk's errors; a failure after the rename leaves a whole file that nothing refers to.
    pub fn commit(self) -> Result<(Written, Claim), ContentError> {
        let Self { writer, digest } = self;
        let claim = writer.files.claim(digest);
        let written = match writer.incoming {
            None => Written::Inline { digest, bytes: writer.inline },
            Some(incoming) => {
                incoming.commit(&writer.files.path(&digest))?;
                Written::File { digest, size_bytes: writer.size_bytes }
            }
        };
        Ok((written, claim))
    }
}

/// A temporary file, removed when dropped unless it was renamed.
#[derive(Debug)]
struct Incoming {
    file: File,
    path: PathBuf,
    is_renamed: bool,
    size_bytes: u64,
    /// From the first [`writeback::STEP_BYTES`] on.
    writeback: Option<Writeback>,
}

impl Incoming {
    fn create(files: &ContentFiles) -> Result<Self, ContentError> {
        let number = files.next.fetch_add(1, Ordering::Relaxed);
        let path = files.incoming().join(format!("{number:016x}"));
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.map_err(ContentError::at("creating", &path))?;
        Ok(Self { file, path, is_renamed: false, size_bytes: 0, writeback: None })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ContentError> {
        self.file.write_all(bytes).map_err(ContentError::at("writing", &self.path))?;
        let before = self.size_bytes / writeback::STEP_BYTES;
        self.size_bytes += bytes.len() as u64;
        if self.size_bytes / writeback::STEP_BYTES > before {
            self.writeback = self.writeback.take().or_else(|| Writeback::of(&self.file));
            self.writeback.iter().for_each(Writeback::step);
        }
        Ok(())
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
        self.writeback
            .take()
            .map_or(Ok(()), Writeback::end)
            .and_then(|()| self.file.sync_all())
            .map_err(ContentError::at("syncing", &self.path))?;
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

/// An open content file. It can be read by many threads at once.
#[derive(Debug)]
pub struct ContentFile {
    file: File,
    path: PathBuf,
    size_bytes: u64,
}

impl ContentFile {
    /// The size of the content.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Reads from `offset` into `buffer` and returns how many bytes there were: fewer than asked
    /// for only at the end.
    ///
    /// # Errors
    /// The disk's errors.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, ContentError> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ContentError::at("reading", &self.path)(error)),
            }
        }
        Ok(filled)
    }

    /// Reads all of the file and returns the digest that its bytes have.
    ///
    /// # Errors
    /// The disk's errors.
    pub fn rehash(&self) -> Result<Sha256, ContentError> {
        let mut hasher = sha2::Sha256::new();
        self.each_chunk(|chunk| hasher.update(chunk))?;
        Ok(Sha256(hasher.finalize().into()))
    }

    fn each_chunk(&self, mut work: impl FnMut(&[u8])) -> Result<(), ContentError> {
        let mut buffer = vec![0; READ_BUFFER_BYTES];
        let mut offset = 0;
        loop {
            let read = self.read_at(offset, &mut buffer)?;
            match buffer.get(..read) {
                Some(chunk) if read > 0 => work(chunk),
                _ => return Ok(()),
            }
            offset += read as u64;
        }
    }

    /// The whole content as a stream from its start.
    pub fn into_read(self) -> impl Read {
        self.file
    }
}

#[cfg(test)]
#[path = "content/tests.rs"]
mod tests;
