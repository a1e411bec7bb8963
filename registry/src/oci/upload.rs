//! Sessions in which blobs arrive, in one piece or in many.
//!
//! A session belongs to who began it and to one repository; nobody else can see that it is there. It lives in
//! memory with its file under `incoming/`, so it ends with the process, and a client begins anew.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use attestry_schemas::oci::{BlobDigest, RepositoryName};
use tokio::sync::OwnedMutexGuard;
use uuid::Uuid;

use super::OciError;
use super::blob::Arrived;
use crate::store::Store;
use crate::store::content::ContentWriter;

/// Which part of all sessions one principal may have.
const SHARE_OF_ONE: usize = 8;

/// The bounds of uploads.
#[derive(Debug, Clone, Copy)]
pub struct UploadLimits {
    /// The largest blob, in bytes.
    pub blob_bytes: u64,
    /// The most sessions at once; one principal may have an eighth of them, and at least one.
    pub sessions: usize,
    /// How long a session may be idle.
    pub idle: Duration,
}

/// The open sessions.
pub struct Uploads {
    store: Arc<Store>,
    limits: UploadLimits,
    sessions: Mutex<HashMap<Uuid, Session>>,
}

struct Session {
    name: RepositoryName,
    owner: String,
    touched: Instant,
    /// What it holds: of whoever has hold of it, also what is about to be written.
    bytes: Arc<AtomicU64>,
    writer: Arc<tokio::sync::Mutex<Option<ContentWriter>>>,
}

/// A session, held by one request: what else wants it is told that it is busy.
pub struct Writing {
    /// Its id.
    pub id: Uuid,
    bytes: Arc<AtomicU64>,
    writer: OwnedMutexGuard<Option<ContentWriter>>,
}

impl Uploads {
    pub(super) fn new(store: Arc<Store>, limits: UploadLimits) -> Self {
        Self { store, limits, sessions: Mutex::default() }
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<Uuid, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The largest blob, in bytes.
    #[must_use]
    pub fn limit_bytes(&self) -> u64 {
        self.limits.blob_bytes
    }

    /// Begins a session. `is_sha512` says that its digest will be a SHA-512, which is then not hashed twice.
    ///
    /// # Errors
    /// [`OciError::TooManyUploads`].
    pub fn begin(
        &self,
        name: &RepositoryName,
        owner: &str,
        is_sha512: bool,
    ) -> Result<Uuid, OciError> {
        let writer = self.store.content_writer(self.limits.blob_bytes);
        let writer = if is_sha512 { writer.with_sha512() } else { writer };
        let session = Session {
            name: name.clone(),
            owner: owner.to_owned(),
            touched: Instant::now(),
            bytes: Arc::default(),
            writer: Arc::new(tokio::sync::Mutex::new(Some(writer))),
        };
        self.end_idle();
        let mut sessions = self.sessions();
        if sessions.len() >= self.limits.sessions {
            return Err(OciError::TooManyUploads { limit: self.limits.sessions });
        }
        let limit = (self.limits.sessions / SHARE_OF_ONE).max(1);
        if sessions.values().filter(|session| session.owner == owner).count() >= limit {
            return Err(OciError::TooManyUploads { limit });
        }
        let id = Uuid::new_v4();
        sessions.insert(id, session);
        Ok(id)
    }

    /// Ends the sessions that have been idle for too long, and tells how many. What a request holds is not idle.
    pub fn end_idle(&self) -> usize {
        let mut sessions = self.sessions();
        let before = sessions.len();
        sessions.retain(|_, session| {
            session.touched.elapsed() < self.limits.idle || session.writer.try_lock().is_err()
        });
        before - sessions.len()
    }

    /// Takes hold of a session.
    ///
    /// # Errors
    /// [`OciError::UploadUnknown`], also for that of another; [`OciError::UploadInvalid`] when another request
    /// holds it.
    pub fn hold(&self, name: &RepositoryName, owner: &str, id: &str) -> Result<Writing, OciError> {
        let unknown = || OciError::UploadUnknown(id.chars().take(64).collect());
        let id: Uuid = id.parse().map_err(|_| unknown())?;
        let mut sessions = self.sessions();
        let session = sessions.get_mut(&id).ok_or_else(unknown)?;
        if session.name != *name || session.owner != owner {
            return Err(unknown());
        }
        session.touched = Instant::now();
        let writer = Arc::clone(&session.writer).try_lock_owned().map_err(|_| {
            OciError::UploadInvalid(format!(
                "expected one request at a time in the upload session {id}, found another under way"
            ))
        })?;
        let bytes = Arc::clone(&session.bytes);
        match &*writer {
            Some(_) => Ok(Writing { id, bytes, writer }),
            None => Err(unknown()),
        }
    }

    /// Ends a session; what it wrote goes.
    ///
    /// # Errors
    /// As [`Uploads::hold`].
    pub fn cancel(&self, name: &RepositoryName, owner: &str, id: &str) -> Result<(), OciError> {
        self.end(self.hold(name, owner, id)?);
        Ok(())
    }

    /// Ends a session that a request holds; what it wrote goes.
    pub fn end(&self, mut writing: Writing) {
        // Whoever waited to take hold of it finds that it has ended.
        drop(writing.writer.take());
        self.forget(&writing.id);
    }

    /// The bytes that the open sessions of a principal hold.
    #[must_use]
    pub fn held_bytes(&self, owner: &str) -> u64 {
        let sessions = self.sessions();
        let own = sessions.values().filter(|session| session.owner == owner);
        own.map(|session| session.bytes.load(Ordering::Relaxed)).sum()
    }

    /// Forgets a session that has ended.
    pub fn forget(&self, id: &Uuid) {
        self.sessions().remove(id);
    }
}

impl Writing {
    /// The bytes that have arrived.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.writer.as_ref().map_or(0, ContentWriter::size_bytes)
    }

    /// Counts so many bytes as held, which are about to be written.
    pub(super) fn count(&self, more_bytes: u64) {
        self.bytes.store(self.size_bytes().saturating_add(more_bytes), Ordering::Relaxed);
    }

    /// Appends a chunk.
    ///
    /// # Errors
    /// [`OciError::TooLarge`] and the disk's errors.
    pub fn write(&mut self, chunk: &[u8]) -> Result<(), OciError> {
        match &mut *self.writer {
            Some(writer) => {
                writer.write(chunk)?;
                self.bytes.store(writer.size_bytes(), Ordering::Relaxed);
                Ok(())
            }
            None => Err(OciError::UploadUnknown(self.id.to_string())),
        }
    }

    /// Ends the content and makes it durable, for a repository to link.
    ///
    /// # Errors
    /// [`OciError::Digest`] and the disk's errors; the session is of no further use then.
    pub fn finish(mut self, digest: BlobDigest) -> Result<Arrived, OciError> {
        let unknown = || OciError::UploadUnknown(self.id.to_string());
        let writer = self.writer.take().ok_or_else(unknown)?;
        let (written, claim) = writer.matched(&digest)?.commit()?;
        Ok(Arrived { digest, written, claim })
    }
}

impl Drop for Writing {
    /// Whoever lets go of a session leaves behind what it holds, and nothing when it has ended.
    fn drop(&mut self) {
        self.count(0);
    }
}
