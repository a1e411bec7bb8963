//! A spool: a folder that keeps what a registry could not be sent, until `attestry push` sends it.
//!
//! ```text
//! DIR/.attestry-spool                      says that DIR is a spool, and is locked while it is sent
//! DIR/.content/<sha256>                    evidence files that the bundles name
//! DIR/<namespace>/<sha256>.sigstore.json   bundles, by the digest of their bytes
//! ```
//!
//! A file takes its name when it is whole and on disk, and goes when the registry has acknowledged
//! it; what the registry had already, it answers with the entry that it has. So every bundle is in
//! the log exactly once, wherever the sending was cut short.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};

use attestry_schemas::digest::Sha256;

use crate::args::Namespace;
use crate::output::Failure;

/// Marks a spool.
const MARKER: &str = ".attestry-spool";
/// What the marker says to whoever finds it.
const MARKER_TEXT: &str = "attestry push sends what lies here, and removes what was acknowledged\n";
/// Where evidence files lie. No namespace starts with a dot.
const CONTENT: &str = ".content";
/// How the names of bundles end.
const BUNDLE_SUFFIX: &str = ".sigstore.json";

/// A folder that is a spool.
#[derive(Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
}

/// The right to send what a spool holds, which one process has at a time.
#[derive(Debug)]
pub(crate) struct Sending {
    _marker: File,
}

impl Spool {
    /// Takes a folder as a spool; makes it if it is not there.
    ///
    /// # Errors
    /// When it cannot be made, or holds something else.
    pub(crate) fn create(folder: &Path) -> Result<Self, Failure> {
        let fail = |e: std::io::Error| Failure::file("make the spool", folder, &e);
        std::fs::create_dir_all(folder).map_err(fail)?;
        let marker = folder.join(MARKER);
        if !marker.exists() {
            if std::fs::read_dir(folder).map_err(fail)?.next().is_some() {
                return Err(Failure::undecided(format!(
                    "expected a spool or an empty folder, found other files in {}",
                    folder.display()
                ))
                .fix("give --spool a folder of its own"));
            }
            replace(&marker, &mut MARKER_TEXT.as_bytes()).map_err(fail)?;
        }
        Ok(Self { folder: folder.to_path_buf() })
    }

    /// The spool in a folder, where it is one.
    pub(crate) fn at(folder: &Path) -> Option<Self> {
        folder.join(MARKER).is_file().then(|| Self { folder: folder.to_path_buf() })
    }

    /// Keeps a bundle for a namespace.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn keep_bundle(
        &self,
        namespace: Option<&Namespace>,
        bundle: &[u8],
    ) -> Result<(), Failure> {
        let mut folder = self.folder.clone();
        if let Some(namespace) = namespace {
            folder.push(namespace.as_str());
        }
        let name = format!("{}{BUNDLE_SUFFIX}", Sha256::of(bundle).hex());
        keep(&folder, &name, &mut &bundle[..])
    }

    /// Keeps an evidence file.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub(crate) fn keep_content(
        &self,
        sha256: Sha256,
        content: &mut dyn Read,
    ) -> Result<(), Failure> {
        keep_content_in(&self.folder, sha256, content)
    }

    /// Takes the right to send.
    ///
    /// # Errors
    /// When another process is sending.
    pub(crate) fn begin_sending(&self) -> Result<Sending, Failure> {
        let path = self.folder.join(MARKER);
        let marker = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|e| Failure::file("open", &path, &e))?;
        match marker.try_lock() {
            Ok(()) => Ok(Sending { _marker: marker }),
            Err(TryLockError::WouldBlock) => Err(Failure::undecided(format!(
                "expected nobody to send {}, found another attestry push at it",
                self.folder.display()
            ))
            .fix("let it finish")),
            Err(TryLockError::Error(error)) => Err(Failure::file("lock", &path, &error)),
        }
    }

    /// The evidence files: digest and path, sorted. What is named otherwise is no evidence file.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(crate) fn contents(&self) -> Result<Vec<(Sha256, PathBuf)>, Failure> {
        contents_of(&self.folder)
    }

    /// The bundles with their namespaces, sorted by namespace; `None` is none.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub(crate) fn bundles(&self) -> Result<Vec<(Option<Namespace>, PathBuf)>, Failure> {
        let mut found = Vec::new();
        let mut waiting = vec![(String::new(), self.folder.clone())];
        while let Some((namespace, folder)) = waiting.pop() {
            for (name, path) in entries(&folder)? {
                if name.ends_with(BUNDLE_SUFFIX) {
                    found.push((namespace.parse().ok(), path));
                } else if path.is_dir() && !name.starts_with('.') {
                    let inner =
                        if namespace.is_empty() { name } else { format!("{namespace}/{name}") };
                    waiting.push((inner, path));
                }
            }
        }
        let key = |namespace: &Option<Namespace>| namespace.as_ref().map(|n| n.as_str().to_owned());
        found.sort_by(|(a, x), (b, y)| (key(a), x).cmp(&(key(b), y)));
        Ok(found)
    }
}

/// The evidence files that lie beside the bundles of a folder: digest and path, sorted.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn contents_of(folder: &Path) -> Result<Vec<(Sha256, PathBuf)>, Failure> {
    let mut found = Vec::new();
    for (name, path) in entries(&folder.join(CONTENT))? {
        let bytes = hex::decode(&name).ok();
        if let Some(sha256) = bytes.and_then(|bytes| Sha256::from_slice(&bytes)) {
            found.push((sha256, path));
        }
    }
    found.sort_by_key(|(sha256, _)| sha256.hex());
    Ok(found)
}

/// Keeps an evidence file beside the bundles of a folder.
///
/// # Errors
/// When it cannot be read or written.
pub(crate) fn keep_content_in(
    folder: &Path,
    sha256: Sha256,
    content: &mut dyn Read,
) -> Result<(), Failure> {
    keep(&folder.join(CONTENT), &sha256.hex(), content)
}

fn keep(folder: &Path, name: &str, content: &mut dyn Read) -> Result<(), Failure> {
    let path = folder.join(name);
    std::fs::create_dir_all(folder)
        .and_then(|()| if path.exists() { Ok(()) } else { replace(&path, content) })
        .map_err(|e| Failure::file("write", &path, &e))
}

/// What lies in a folder; nothing where it is not there.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, Failure> {
    let fail = |e: std::io::Error| Failure::file("read", folder, &e);
    let listing = match std::fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fail(error)),
    };
    let mut found = Vec::new();
    for entry in listing {
        let entry = entry.map_err(fail)?;
        if let Ok(name) = entry.file_name().into_string() {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}

/// Writes a file as a whole: a crash leaves it there with all its bytes, or not at all.
fn replace(path: &Path, content: &mut dyn Read) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".attestry-").tempfile_in(folder)?;
    std::io::copy(content, &mut file)?;
    file.flush()?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// Removes a file that was acknowledged.
///
/// # Errors
/// When it cannot be removed; it is then sent once more the next time, which changes nothing.
pub(crate) fn acknowledged(path: &Path) -> Result<(), Failure> {
    std::fs::remove_file(path).map_err(|e| Failure::file("remove", path, &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spool() -> (tempfile::TempDir, Spool) {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::create(&folder.path().join("spool")).unwrap();
        (folder, spool)
    }

    #[test]
    fn keeps_bundles_by_namespace_and_each_once() {
        let (_folder, spool) = spool();
        let namespace: Namespace = "pay/api".parse().unwrap();
        for _ in 0..2 {
            spool.keep_bundle(None, b"{}").unwrap();
            spool.keep_bundle(Some(&namespace), b"{\"a\":1}").unwrap();
            spool.keep_content(Sha256::of(b"log"), &mut &b"log"[..]).unwrap();
        }
        let found = spool.bundles().unwrap();
        let namespaces: Vec<_> = found.iter().map(|(n, _)| n.clone()).collect();
        assert_eq!(namespaces, [None, Some(namespace)]);
        let contents = spool.contents().unwrap();
        assert_eq!(contents.len(), 1);
        assert_eq!(contents[0].0, Sha256::of(b"log"));
        acknowledged(&contents[0].1).unwrap();
        assert!(spool.contents().unwrap().is_empty());
    }

    #[test]
    fn is_only_a_folder_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mine"), "").unwrap();
        assert!(Spool::create(folder.path()).is_err());
        assert!(Spool::at(folder.path()).is_none());
        let (_folder, spool) = spool();
        assert!(Spool::at(&spool.folder).is_some());
        assert!(Spool::create(&spool.folder).is_ok());
    }

    #[test]
    fn is_sent_by_one_at_a_time() {
        let (_folder, spool) = spool();
        let first = spool.begin_sending().unwrap();
        assert!(spool.begin_sending().is_err());
        drop(first);
        assert!(spool.begin_sending().is_ok());
    }
}
