//! Files that survive a crash: written, synced, renamed, and their directory synced.
//!
//! A file's name is durable only once its directory has been synced (fsync(2)), so every helper
//! here ends with that.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The owner alone: mode 0600. For keys.
    Owner,
    /// Everyone the umask admits: mode 0644. For public documents.
    Public,
}

impl Access {
    fn mode(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::Public => 0o644,
        }
    }
}

/// Makes the names in a directory durable.
///
/// # Errors
/// The error of open(2) or fsync(2).
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Makes a directory, and its own name in its parent, durable; one that exists is left alone.
///
/// # Errors
/// The error of mkdir(2) or fsync(2).
pub fn create_dir(dir: &Path) -> io::Result<()> {
    match std::fs::create_dir(dir) {
        Ok(()) => sync_parent(dir),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes the name of `path` in its directory durable.
///
/// # Errors
/// The error of open(2) or fsync(2).
pub fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => sync_dir(Path::new(".")),
        Some(parent) => sync_dir(parent),
        None => Ok(()),
    }
}

/// Replaces the file at `path`, or creates it, with all of `bytes` or not at all.
///
/// A crash leaves the old file, and perhaps `<path>.tmp`, which the next call overwrites.
///
/// # Errors
/// The error of the system call that failed; the old file is then still there.
pub fn replace_file(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let temporary = with_suffix(path, ".tmp");
    let write = || {
        // Left by a crash, perhaps with another mode.
        remove_if_there(&temporary)?;
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(access.mode()).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    if let Err(error) = write() {
        // The first error is the one to report.
        let _ = std::fs::remove_file(&temporary);
        return Err(error);
    }
    sync_parent(path)
}

/// Removes a file; one that is not there is no error.
///
/// # Errors
/// The error of unlink(2).
pub fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The path with `suffix` added to its last component.
#[must_use]
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn replaces_a_file_whole_and_with_the_mode_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(with_suffix(&path, ".tmp"), "left by a crash").unwrap();
        for (text, access, mode) in [("one", Access::Public, 0o644), ("two", Access::Owner, 0o600)]
        {
            replace_file(&path, text.as_bytes(), access).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
            let found = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(found & !mode, 0, "{found:o} is wider than {mode:o}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_replacement_leaves_the_old_file_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taken");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("inside"), "kept").unwrap();
        assert!(replace_file(&path, b"new", Access::Public).is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(std::fs::read_to_string(path.join("inside")).unwrap(), "kept");
    }
}
