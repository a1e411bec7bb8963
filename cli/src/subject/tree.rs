//! The listing of a folder, whose SHA-256 is the folder's digest.

use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use attestry_schemas::digest::Sha256;

use super::{SubjectError, hash};
use crate::progress::Progress;

/// The first line, which names the algorithm.
const HEADER: &str = "attestry-tree/v1\n";
/// The most entries a folder may have.
const MAX_ENTRIES: usize = 1_000_000;
/// How deep folders may nest.
const MAX_DEPTH: usize = 128;
/// The owner's execute bit.
const OWNER_EXECUTES: u32 = 0o100;

/// What a line of the listing says of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    File { bytes: u64, executable: bool },
    Link { target: Sha256 },
    EmptyFolder,
}

/// A folder, walked but not yet hashed.
#[derive(Debug)]
pub(super) struct Tree {
    root: PathBuf,
    /// By path relative to the root, sorted by its bytes.
    entries: Vec<(PathBuf, Kind)>,
}

impl Tree {
    /// Lists what `root` holds.
    ///
    /// # Errors
    /// [`SubjectError`] for what cannot be read or listed, and at a bound.
    pub(super) fn walk(root: &Path) -> Result<Self, SubjectError> {
        let mut entries = Vec::new();
        let mut folders = vec![(PathBuf::new(), 0)];
        let mut seen = 0;
        while let Some((folder, depth)) = folders.pop() {
            if depth > MAX_DEPTH {
                return Err(SubjectError::TooDeep { path: root.join(folder), limit: MAX_DEPTH });
            }
            let before = seen;
            let path = root.join(&folder);
            for entry in std::fs::read_dir(&path).map_err(|e| unreadable(&path, e))? {
                let name = entry.map_err(|e| unreadable(&path, e))?.file_name();
                seen += 1;
                if seen > MAX_ENTRIES {
                    let path = root.to_path_buf();
                    return Err(SubjectError::TooMany { path, limit: MAX_ENTRIES });
                }
                let relative = folder.join(name);
                match classify(&root.join(&relative))? {
                    Some(kind) => entries.push((relative, kind)),
                    None => folders.push((relative, depth + 1)),
                }
            }
            if seen == before && depth > 0 {
                entries.push((folder, Kind::EmptyFolder));
            }
        }
        // Whole paths by their bytes; the order of PathBuf is that of their parts.
        entries.sort_by(|(a, _), (b, _)| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
        Ok(Self { root: root.to_path_buf(), entries })
    }

    /// How many bytes the files hold.
    pub(super) fn file_bytes(&self) -> u64 {
        let bytes = |kind: &Kind| match kind {
            Kind::File { bytes, .. } => *bytes,
            Kind::Link { .. } | Kind::EmptyFolder => 0,
        };
        self.entries.iter().map(|(_, kind)| bytes(kind)).fold(0, u64::saturating_add)
    }

    /// Hashes the files, and then the listing.
    ///
    /// # Errors
    /// [`SubjectError`] for a file that cannot be read.
    pub(super) fn digest(
        &self,
        progress: &mut Progress,
        stop: &AtomicBool,
    ) -> Result<Sha256, SubjectError> {
        Ok(Sha256::of(self.listing(progress, stop)?.as_bytes()))
    }

    fn listing(&self, progress: &mut Progress, stop: &AtomicBool) -> Result<String, SubjectError> {
        let mut listing = HEADER.to_owned();
        for (relative, kind) in &self.entries {
            let (word, value) = match kind {
                Kind::File { bytes, executable } => {
                    let path = self.root.join(relative);
                    let file = File::open(&path).map_err(|e| unreadable(&path, e))?;
                    let digest = hash::stream(file, &path, Some(*bytes), progress, stop)?.sha256;
                    (if *executable { "exec" } else { "file" }, digest.hex())
                }
                Kind::Link { target } => ("link", target.hex()),
                Kind::EmptyFolder => ("dir", "-".to_owned()),
            };
            let _ = writeln!(listing, "{word} {value} {}", escape(relative));
        }
        Ok(listing)
    }
}

/// What a path is, or nothing for a folder.
fn classify(path: &Path) -> Result<Option<Kind>, SubjectError> {
    let metadata = std::fs::symlink_metadata(path).map_err(|e| unreadable(path, e))?;
    let kind = metadata.file_type();
    if kind.is_dir() {
        return Ok(None);
    }
    if kind.is_symlink() {
        let target = std::fs::read_link(path).map_err(|e| unreadable(path, e))?;
        return Ok(Some(Kind::Link { target: Sha256::of(target.as_os_str().as_bytes()) }));
    }
    if kind.is_file() {
        let executable = metadata.permissions().mode() & OWNER_EXECUTES != 0;
        return Ok(Some(Kind::File { bytes: metadata.len(), executable }));
    }
    let kind = match kind {
        _ if kind.is_fifo() => "a pipe",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(SubjectError::Special { path: path.to_path_buf(), kind })
}

/// Writes a path so that it is one word of visible ASCII, and no two paths are the same word.
fn escape(path: &Path) -> String {
    path.as_os_str().as_bytes().iter().fold(String::new(), |mut text, &byte| {
        if byte.is_ascii_graphic() && byte != b'%' {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

fn unreadable(path: &Path, source: std::io::Error) -> SubjectError {
    SubjectError::Unreadable { path: path.to_path_buf(), source }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::progress::Unit;

    fn listing(root: &Path) -> String {
        let mut progress = Progress::hidden(Unit::Bytes);
        Tree::walk(root).unwrap().listing(&mut progress, &AtomicBool::new(false)).unwrap()
    }

    fn executable(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn lists_files_programs_links_and_empty_folders_by_the_bytes_of_their_paths() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("a/empty")).unwrap();
        fs::create_dir(root.join("b %")).unwrap();
        fs::write(root.join("b %/ä"), "1").unwrap();
        fs::write(root.join("a.txt"), "").unwrap();
        fs::write(root.join("a/run"), "x").unwrap();
        executable(&root.join("a/run"), 0o700);
        symlink("../nowhere", root.join("a/link")).unwrap();
        let [empty, x, one, target] =
            ["", "x", "1", "../nowhere"].map(|text| Sha256::of(text.as_bytes()).hex());
        assert_eq!(
            listing(root),
            format!(
                "attestry-tree/v1\n\
                 file {empty} a.txt\n\
                 dir - a/empty\n\
                 link {target} a/link\n\
                 exec {x} a/run\n\
                 file {one} b%20%25/%C3%A4\n"
            )
        );
    }

    #[test]
    fn sees_every_change_of_content_name_kind_and_executability_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let file = root.join("f");
        fs::write(&file, "1").unwrap();
        executable(&file, 0o644);
        let first = listing(root);
        executable(&file, 0o600);
        assert_eq!(listing(root), first);
        executable(&file, 0o755);
        assert_ne!(listing(root), first);
        executable(&file, 0o644);
        fs::rename(&file, root.join("g")).unwrap();
        assert_ne!(listing(root), first);
        fs::rename(root.join("g"), &file).unwrap();
        fs::write(&file, "2").unwrap();
        assert_ne!(listing(root), first);
    }

    #[test]
    fn refuses_sockets() {
        let folder = tempfile::tempdir().unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("s")).unwrap();
        let error = Tree::walk(folder.path()).unwrap_err().to_string();
        assert!(error.contains("found a socket at"), "{error}");
    }
}
