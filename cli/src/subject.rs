//! Subjects: what a signature or statement is about, by name and SHA-256.
//!
//! A file or stdin is its bytes. A folder is the text that lists it:
//!
//! ```text
//! attestry-tree/v1                          LF
//! file SP <sha256 of the bytes>  SP <path>  LF     a file its owner may not execute
//! exec SP <sha256 of the bytes>  SP <path>  LF     a file its owner may execute (mode bit 0100)
//! link SP <sha256 of the target> SP <path>  LF     a symbolic link, never followed
//! dir  SP -                      SP <path>  LF     a folder that holds nothing
//! ```
//!
//! with one line for each of these, at any depth, sorted by the bytes of the path. A path is
//! relative to the folder, divided by `/`; every byte of it that is not visible ASCII, and `%`, is
//! written `%XX` in upper-case hex. Digests are lower-case hex. Owners, times and all other mode
//! bits are left out, so that a checkout and an unpacked archive of it agree. The SHA-256 of that
//! text is the folder's digest under the name `sha256`: whoever has the text can check it with
//! `sha256sum`. Devices, sockets and pipes within a folder are refused.
//!
//! Memory does not grow with the bytes of an artifact; for a folder it grows with its entries, which
//! are bounded.

mod hash;
mod tree;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use attestry_schemas::digest::{Digest, Sha256};

use crate::args::SubjectArg;
use crate::oci::{Access, OciReference};
use crate::output::{Failure, Remedy, Session, file_fix};
use crate::progress::{Progress, Unit};
use hash::Hashed;

/// Why a subject has no digest.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubjectError {
    /// A file or folder cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A folder holds what is not a file, folder or link.
    #[error("expected files, folders and links in a folder, found {kind} at {}", path.display())]
    Special {
        /// Where.
        path: PathBuf,
        /// What.
        kind: &'static str,
    },
    /// A folder holds too much.
    #[error("expected at most {limit} entries in the folder {}, found more", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
        /// The bound that was met.
        limit: usize,
    },
    /// A folder nests too deep.
    #[error("expected at most {limit} folders within each other, found more at {}", path.display())]
    TooDeep {
        /// Where.
        path: PathBuf,
        /// The bound that was met.
        limit: usize,
    },
    /// A file was not the same when it was read again.
    #[error("expected {} to stay {expected}, found {found} on reading it again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// Its digest when it was read first.
        expected: Digest,
        /// Its digest now.
        found: Digest,
    },
    /// Other work failed, so this was given up.
    #[error("stopped while reading {}", path.display())]
    Stopped {
        /// The file.
        path: PathBuf,
    },
}

impl Remedy for SubjectError {
    fn fix(&self) -> Option<String> {
        Some(match self {
            Self::Unreadable { path, source } => file_fix(source, path),
            Self::Special { .. } => "remove it, or name the files one by one".to_owned(),
            Self::TooMany { .. } | Self::TooDeep { .. } => {
                "pack the folder into an archive and name that".to_owned()
            }
            Self::Changed { .. } => "run this again once nothing writes to it".to_owned(),
            Self::Stopped { .. } => return None,
        })
    }
}

/// What a signature or statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The name a statement gives it: the file's own, without its folder.
    pub(crate) name: String,
    /// Its digest.
    pub(crate) digest: Digest,
    /// Whether its bytes were seen to begin as what an envelope's signature covers.
    pub(crate) begins_as_pae: bool,
}

impl Subject {
    /// Name and digest for a reader; a digest that was named is its own name.
    pub(crate) fn label(&self) -> String {
        let digest = self.digest.to_string();
        if self.name == digest { digest } else { format!("{} {digest}", self.name) }
    }

    /// The SHA-256 of the subject.
    ///
    /// # Errors
    /// When it was named by another algorithm.
    pub(crate) fn sha256(&self) -> Result<Sha256, Failure> {
        self.digest.as_sha256().ok_or_else(|| {
            Failure::undecided(format!("expected a sha256 digest, found {}", self.digest))
                .fix("name the artifact itself, or its sha256")
        })
    }
}

/// Finds a subject's digest. `stop` gives the work up where other work failed meanwhile.
///
/// # Errors
/// [`SubjectError`] as a [`Failure`].
pub(crate) fn resolve(
    argument: &SubjectArg,
    session: &mut Session,
    stop: &AtomicBool,
) -> Result<Subject, Failure> {
    let hashed = match argument {
        SubjectArg::Oci(reference) => return in_registry(reference, session),
        SubjectArg::Digest(digest) => {
            let (name, digest) = (digest.to_string(), digest.clone());
            return Ok(Subject { name, digest, begins_as_pae: false });
        }
        SubjectArg::Stdin => {
            let mut progress = Progress::start(session, "reading stdin", Unit::Bytes, None);
            hash::stream(session.stdin()?, Path::new("stdin"), None, &mut progress, stop)?
        }
        SubjectArg::Path(path) => of_path(path, session, stop)?,
    };
    let name = match argument.path() {
        Some(path) => name_of(path),
        None => "stdin".to_owned(),
    };
    Ok(Subject { name, digest: hashed.sha256.into(), begins_as_pae: hashed.begins_as_pae })
}

/// Reads what a reference points to, once: from here on its digest counts, wherever the tag may move.
fn in_registry(reference: &OciReference, session: &mut Session) -> Result<Subject, Failure> {
    let fetched = Access::of(session)?.repository(reference).resolve(reference)?;
    let digest = fetched.digest.digest().clone();
    if reference.digest().is_none() {
        session.say(format!("{reference} is {digest}"));
    }
    Ok(Subject { name: reference.repository(), digest, begins_as_pae: false })
}

/// The SHA-512 of a file that was resolved to `subject` before, for evidence that names it by no
/// other digest; nothing for folders, whose digest is our own, and for what cannot be read again.
///
/// # Errors
/// [`SubjectError`] as a [`Failure`], also when the file changed meanwhile.
pub(crate) fn sha512(
    argument: &SubjectArg,
    subject: &Subject,
    session: &mut Session,
) -> Result<Option<Digest>, Failure> {
    let Some(path) = argument.path() else { return Ok(None) };
    let unreadable = |source| SubjectError::Unreadable { path: path.to_path_buf(), source };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let file = File::open(path).map_err(unreadable)?;
    let label = format!("reading {} again", path.display());
    let mut progress = Progress::start(session, label, Unit::Bytes, Some(metadata.len()));
    let (sha256, sha512) = hash::both(file, path, &mut progress)?;
    let found = Digest::from(sha256);
    if found == subject.digest {
        return Ok(Some(sha512));
    }
    let expected = subject.digest.clone();
    Err(SubjectError::Changed { path: path.to_path_buf(), expected, found }.into())
}

fn of_path(path: &Path, session: &Session, stop: &AtomicBool) -> Result<Hashed, SubjectError> {
    let unreadable = |source| SubjectError::Unreadable { path: path.to_path_buf(), source };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    let label = format!("reading {}", path.display());
    if metadata.is_dir() {
        let tree = tree::Tree::walk(path)?;
        let total = Some(tree.file_bytes());
        let mut progress = Progress::start(session, label, Unit::Bytes, total);
        let sha256 = tree.digest(&mut progress, stop)?;
        return Ok(Hashed { sha256, begins_as_pae: false });
    }
    // A pipe, such as a shell's <(command), has no length.
    let length = metadata.is_file().then_some(metadata.len());
    let file = File::open(path).map_err(unreadable)?;
    let mut progress = Progress::start(session, label, Unit::Bytes, length);
    hash::stream(file, path, length, &mut progress, stop)
}

/// The last part of a path, also of one such as `.` or `a/..`.
fn name_of(path: &Path) -> String {
    let whole = || path.canonicalize().ok().and_then(|p| Some(p.file_name()?.to_os_string()));
    path.file_name()
        .map(std::ffi::OsStr::to_os_string)
        .or_else(whole)
        .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
