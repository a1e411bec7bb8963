//! Files that are read anew when they changed.
//!
//! Whoever asks pays one stat(2) for each file, and a read only after a change, so that a revocation counts for
//! the next request without a signal or a restart. Files that no longer can be read leave what was read last in
//! force: a slip of the editor must neither open nor close the registry. It is logged once for each change.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use attestry_schemas::problem::chain;

/// What tells one state of a file from another: inode, size, and the times of change in nanoseconds.
type Stamp = Vec<Option<(u64, u64, i64, i64, i64, i64)>>;

type Read<T, E> = Box<dyn Fn() -> Result<T, E> + Send + Sync>;

/// What some files say, as of now.
pub(crate) struct Watched<T, E> {
    paths: Vec<PathBuf>,
    read: Read<T, E>,
    held: RwLock<(Stamp, Arc<T>)>,
}

impl<T, E: std::error::Error + 'static> Watched<T, E> {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// What `read` says.
    pub(crate) fn open(
        paths: Vec<PathBuf>,
        read: impl Fn() -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Self, E> {
        let stamp = stamp(&paths);
        let first = Arc::new(read()?);
        Ok(Self { paths, read: Box::new(read), held: RwLock::new((stamp, first)) })
    }

    /// What the files say now; what they said last where they cannot be read.
    pub(crate) fn now(&self) -> Arc<T> {
        // Taken before the files are read: a change in between is seen the next time.
        let found = stamp(&self.paths);
        {
            let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
            if held.0 == found {
                return Arc::clone(&held.1);
            }
        }
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.0 != found {
            match (self.read)() {
                Ok(read) => {
                    tracing::info!(files = ?self.paths, "read anew after a change");
                    held.1 = Arc::new(read);
                }
                Err(error) => tracing::error!(
                    files = ?self.paths,
                    error = chain(&error),
                    "a changed file is refused; what it said before stays in force"
                ),
            }
            held.0 = found;
        }
        Arc::clone(&held.1)
    }
}

fn stamp(paths: &[PathBuf]) -> Stamp {
    let one = |path: &PathBuf| {
        let found = std::fs::metadata(path).ok()?;
        let (changed, status) =
            ((found.mtime(), found.mtime_nsec()), (found.ctime(), found.ctime_nsec()));
        Some((found.ino(), found.size(), changed.0, changed.1, status.0, status.1))
    };
    paths.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_by_the_next_who_asks_and_a_broken_file_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("number");
        std::fs::write(&path, "1").unwrap();
        let from = path.clone();
        let watched = Watched::open(vec![path.clone()], move || {
            std::fs::read_to_string(&from).unwrap_or_default().parse::<u32>()
        });
        let watched = watched.unwrap();
        assert_eq!(*watched.now(), 1);
        for (text, expected) in [("22", 22), ("none", 22), ("333", 333)] {
            std::fs::write(&path, text).unwrap();
            assert_eq!((*watched.now(), *watched.now()), (expected, expected), "{text}");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(*watched.now(), 333, "a file that is gone says what it said last");
    }
}
