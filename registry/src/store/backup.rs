//! A consistent online copy of a data folder, from which `serve` can start.
//!
//! The copy is made under `<target>.partial` and takes its name last, so that what a crash leaves
//! can be told from a backup; [`refuse_partial`] does that at every start. It is not incremental
//! and does not leave the machine: the folder is for other tools to carry away.

use std::fs::File;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::store::content::{ContentError, ContentFiles, Listed};
use crate::store::engine::EngineError;
use crate::store::{CONTENT_FOLDER, ENGINE_FOLDER, Store, durable};

/// Present in a copy until it is complete.
const MARKER: &str = "INCOMPLETE-BACKUP";

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The target holds something.
    #[error("the backup's target {} is not empty: name a folder that does not exist", path.display())]
    TargetNotEmpty {
        /// The target.
        path: PathBuf,
    },
    /// An earlier backup to the same target was cut short, or is running.
    #[error("{} is there: another backup is running, or one was cut short; remove that folder and run it again", path.display())]
    PartialThere {
        /// The partial copy.
        path: PathBuf,
    },
    /// The target lies inside the data folder, or the reverse.
    #[error("the backup's target {} and the data folder {} lie within each other: name another folder", target.display(), data.display())]
    Nested {
        /// The target.
        target: PathBuf,
        /// The data folder.
        data: PathBuf,
    },
    /// A folder that was to be opened is an unfinished backup.
    #[error("{} is a backup that was cut short: use another one", path.display())]
    Partial {
        /// The folder.
        path: PathBuf,
    },
    /// The engine did not make or read its copy.
    #[error("the store was not copied")]
    Engine {
        /// What the engine met.
        source: EngineError,
    },
    /// The content folder could not be read.
    #[error("the content was not copied")]
    Content {
        /// What was met.
        source: ContentError,
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

impl BackupError {
    /// For `map_err`: names what was being done, and to which path.
    fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// What a finished backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupSummary {
    /// Large content files.
    pub content_files: u64,
    /// Their bytes.
    pub content_bytes: u64,
    /// Keys, JSON documents and other files of the data folder.
    pub documents: u64,
}

/// Copies the data folder `data`, from which `store` was opened, to `target` while the server
/// goes on.
///
/// Beside the engine and the content everything in `data` is copied as it is, so that a document of
/// a later version is not forgotten.
///
/// # Errors
/// [`BackupError`]; unless [`BackupError::PartialThere`], no partial copy is left.
pub fn copy(data: &Path, store: &Store, target: &Path) -> Result<BackupSummary, BackupError> {
    let partial = prepare(data, target)?;
    let copied = copy_into(data, store, &partial)
        .and_then(|summary| publish(&partial, target).map(|()| summary));
    if copied.is_err()
        && partial.exists()
        && let Err(error) = std::fs::remove_dir_all(&partial)
    {
        tracing::warn!(%error, path = %partial.display(), "a partial backup stays behind");
    }
    copied
}

/// Refuses a data folder that is an unfinished backup. Every command that opens one calls this.
///
/// # Errors
/// [`BackupError::Partial`].
pub fn refuse_partial(data: &Path) -> Result<(), BackupError> {
    let marker = data.join(MARKER);
    match marker.try_exists().map_err(BackupError::at("looking for", &marker))? {
        true => Err(BackupError::Partial { path: data.to_owned() }),
        false => Ok(()),
    }
}

/// Checks the target and creates the partial folder with its marker.
fn prepare(data: &Path, target: &Path) -> Result<PathBuf, BackupError> {
    match std::fs::read_dir(target) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(BackupError::TargetNotEmpty { path: target.to_owned() });
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(BackupError::at("reading", target)(error)),
    }
    // Rebuilt from its components, because a trailing slash would put the suffix inside.
    let partial = durable::with_suffix(&target.components().collect::<PathBuf>(), ".partial");
    // It holds the log's key: for its owner alone, as the data folder is.
    match std::fs::DirBuilder::new().mode(0o700).create(&partial) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(BackupError::PartialThere { path: partial });
        }
        created => created.map_err(BackupError::at("creating", &partial))?,
    }
    let marked = refuse_nested(data, &partial, target).and_then(|()| {
        let marker = partial.join(MARKER);
        let created = File::create(&marker).and_then(|file| file.sync_all());
        created
            .and_then(|()| durable::sync_dir(&partial))
            .map_err(BackupError::at("creating", &marker))
    });
    if let Err(error) = marked {
        // The first error is the one to report.
        let _ = std::fs::remove_dir_all(&partial);
        return Err(error);
    }
    Ok(partial)
}

/// `partial` exists and stands beside `target`, so that links and `..` can be resolved.
fn refuse_nested(data: &Path, partial: &Path, target: &Path) -> Result<(), BackupError> {
    let resolve = |path: &Path| path.canonicalize().map_err(BackupError::at("resolving", path));
    let (from, to) = (resolve(data)?, resolve(partial)?);
    if to.starts_with(&from) || from.starts_with(&to) {
        return Err(BackupError::Nested { target: target.to_owned(), data: data.to_owned() });
    }
    Ok(())
}

fn copy_into(data: &Path, store: &Store, partial: &Path) -> Result<BackupSummary, BackupError> {
    // The engine first: content that its copy refers to had its name before, and is never removed.
    // Content that comes meanwhile may be in the copy without anything that refers to it.
    let engine = partial.join(ENGINE_FOLDER);
    store.engine().copy_to(&engine).map_err(|source| BackupError::Engine { source })?;
    let (content_files, content_bytes) =
        copy_content(store.files(), &partial.join(CONTENT_FOLDER))?;
    let mut documents = 0;
    for entry in std::fs::read_dir(data).map_err(BackupError::at("reading", data))? {
        let name = entry.map_err(BackupError::at("reading", data))?.file_name();
        if name != ENGINE_FOLDER && name != CONTENT_FOLDER {
            documents += copy_documents(&data.join(&name), &partial.join(&name))?;
        }
    }
    Ok(BackupSummary { content_files, content_bytes, documents })
}

/// Copies every content file; returns how many and their bytes.
fn copy_content(content: &ContentFiles, to: &Path) -> Result<(u64, u64), BackupError> {
    let failed = |source| BackupError::Content { source };
    let copied = ContentFiles::open(to).map_err(failed)?;
    let (mut files, mut bytes) = (0, 0);
    let mut shards = std::collections::BTreeSet::new();
    for listed in content.list() {
        let Listed::Content { digest, size_bytes } = listed.map_err(failed)? else { continue };
        let to = copied.path(&digest);
        link_or_copy(&content.path(&digest), &to)?;
        shards.extend(to.parent().map(Path::to_owned));
        files += 1;
        bytes += size_bytes;
    }
    for shard in shards {
        durable::sync_dir(&shard).map_err(BackupError::at("syncing", &shard))?;
    }
    Ok((files, bytes))
}

/// A hard link, because content never changes; a synced copy where the file system has no links,
/// or the target is on another one.
fn link_or_copy(from: &Path, to: &Path) -> Result<(), BackupError> {
    match std::fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        Err(_) => copy_file(from, to),
    }
}

/// Copies a file with its permissions, and syncs it.
fn copy_file(from: &Path, to: &Path) -> Result<(), BackupError> {
    let copied = std::fs::copy(from, to).and_then(|_| File::open(to)?.sync_all());
    copied.map_err(BackupError::at("copying", from))
}

/// Copies a file or a folder of files; returns how many files.
fn copy_documents(from: &Path, to: &Path) -> Result<u64, BackupError> {
    // Links are followed: a key may be mounted from elsewhere.
    let metadata = std::fs::metadata(from).map_err(BackupError::at("reading", from))?;
    if metadata.is_file() {
        return copy_file(from, to).map(|()| 1);
    }
    if !metadata.is_dir() {
        // A socket belongs to the running server, not to its data.
        return Ok(0);
    }
    std::fs::create_dir(to).map_err(BackupError::at("creating", to))?;
    let mut files = 0;
    for entry in std::fs::read_dir(from).map_err(BackupError::at("reading", from))? {
        let entry = entry.map_err(BackupError::at("reading", from))?;
        files += copy_documents(&entry.path(), &to.join(entry.file_name()))?;
    }
    std::fs::set_permissions(to, metadata.permissions())
        .and_then(|()| durable::sync_dir(to))
        .map_err(BackupError::at("syncing", to))?;
    Ok(files)
}

/// Makes the copy complete and gives it its name.
///
/// A crash before the marker is removed leaves a folder that [`refuse_partial`] refuses; after it, a
/// whole backup under the partial name; after the rename, the backup.
fn publish(partial: &Path, target: &Path) -> Result<(), BackupError> {
    let marker = partial.join(MARKER);
    durable::sync_dir(partial)
        .and_then(|()| std::fs::remove_file(&marker))
        .and_then(|()| durable::sync_dir(partial))
        .map_err(BackupError::at("completing", partial))?;
    // An empty folder at the target is replaced.
    std::fs::rename(partial, target)
        .and_then(|()| durable::sync_parent(target))
        .map_err(BackupError::at("naming", target))
}

#[cfg(test)]
#[path = "backup/tests.rs"]
mod tests;
