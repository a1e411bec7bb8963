//! Files that go into a build step and come out of it, by path and SHA-256.
//!
//! Each file is read once, several at a time, in memory that grows with the number of files and not
//! with their bytes. A file that lies in the current folder is named from there, however it was given
//! ([`name`]), another as it was given, with `/` between the parts.

mod name;

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use attestry_schemas::digest::Sha256;
use attestry_schemas::statement::MAX_SUBJECTS;
use globset::{GlobBuilder, GlobMatcher};
use ignore::WalkBuilder;
use sha2::Digest as _;

pub(crate) use self::name::{pattern_within, within};
use crate::output::{Remedy, file_fix};
use crate::progress::Progress;

/// The most files that one step may name.
const MAX_FILES: usize = 1_000_000;
/// How many bytes are read at a time.
const BLOCK_BYTES: usize = 128 * 1024;

/// Why files could not be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilesError {
    /// A file or folder cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A folder cannot be walked, or its ignore rules cannot be read.
    #[error("cannot list the files of {}: {why}", path.display())]
    Walk {
        /// The folder.
        path: PathBuf,
        /// What the walk met.
        why: String,
    },
    /// A path that a statement cannot name.
    #[error("expected a path in UTF-8, found {}", path.display())]
    NotText {
        /// The path.
        path: PathBuf,
    },
    /// A pattern that cannot be read.
    #[error("expected a glob such as target/release/app or dist/**, found {pattern:?}: {why}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        why: String,
    },
    /// A pattern that no file fits.
    #[error("expected the step to make a file that {pattern:?} fits, found none")]
    NoProduct {
        /// The pattern.
        pattern: String,
    },
    /// A product that was there before and was not written.
    #[error("expected the step to write {path}, found it as it was before")]
    Unchanged {
        /// The product.
        path: String,
    },
    /// More than can be named.
    #[error("expected at most {limit} {what}, found more")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The bound that was met.
        limit: usize,
    },
}

impl Remedy for FilesError {
    fn fix(&self) -> Option<String> {
        Some(match self {
            Self::Unreadable { path, source } => file_fix(source, path),
            Self::Walk { .. } => "check the folder and its .gitignore files".to_owned(),
            Self::NotText { .. } => "rename it".to_owned(),
            Self::Pattern { .. } => "quote globs, so that the shell leaves them alone".to_owned(),
            Self::NoProduct { .. } => {
                "check the spelling; a path is relative to the current folder, and ** spans folders"
                    .to_owned()
            }
            Self::Unchanged { .. } => {
                "build it anew, or give --allow-unchanged if a step may leave it as it is"
                    .to_owned()
            }
            Self::TooMany { .. } => "pack the files into an archive and name that".to_owned(),
        })
    }
}

/// A file and its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HashedFile {
    /// The path, as a statement names it.
    pub(crate) path: String,
    /// The digest of its bytes.
    pub(crate) sha256: Sha256,
}

/// Whether a name is an absolute path, which means nothing on another machine.
pub(crate) fn is_of_this_machine(name: &str) -> bool {
    Path::new(name).is_absolute()
}

/// Which files of a folder count as materials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ignored {
    /// Those that `.gitignore` and `.git/info/exclude` leave.
    Left,
    /// All.
    Taken,
}

/// Lists the files of materials: files as they are, folders with all that is in them, but for what
/// is ignored and for `.git` itself. Named from the folder `current`, sorted, each once.
///
/// # Errors
/// [`FilesError`] for what cannot be read or named, and at a bound.
pub(crate) fn materials(
    current: &Path,
    paths: &[PathBuf],
    ignored: Ignored,
) -> Result<Vec<String>, FilesError> {
    let mut names = Vec::new();
    for path in paths {
        let path = &within(current, path);
        let unreadable = |source| FilesError::Unreadable { path: path.clone(), source };
        if !std::fs::metadata(path).map_err(unreadable)?.is_dir() {
            names.push(name_of(path)?);
            continue;
        }
        let mut walk = WalkBuilder::new(path);
        walk.standard_filters(ignored == Ignored::Left);
        // What counts must not depend on whose machine this is, nor on whether it is a checkout.
        walk.hidden(false).git_global(false).ignore(false).require_git(false);
        walk.filter_entry(|entry| entry.file_name() != ".git");
        walk_files(walk, path, &mut |entry| {
            names.push(name_of(entry)?);
            bounded(names.len(), "materials", MAX_FILES)
        })?;
    }
    Ok(name::each_once(current, names))
}

/// Gives each regular file of a walk, links to files included.
fn walk_files(
    walk: WalkBuilder,
    root: &Path,
    each: &mut dyn FnMut(&Path) -> Result<(), FilesError>,
) -> Result<(), FilesError> {
    for entry in walk.build() {
        let entry =
            entry.map_err(|e| FilesError::Walk { path: root.to_path_buf(), why: e.to_string() })?;
        let Some(kind) = entry.file_type() else { continue };
        let is_file = kind.is_file()
            || kind.is_symlink() && std::fs::metadata(entry.path()).is_ok_and(|m| m.is_file());
        if is_file {
            each(entry.path())?;
        }
    }
    Ok(())
}

fn bounded(count: usize, what: &'static str, limit: usize) -> Result<(), FilesError> {
    if count > limit { Err(FilesError::TooMany { what, limit }) } else { Ok(()) }
}

/// The path as a statement names it: without `./`, with `/`.
fn name_of(path: &Path) -> Result<String, FilesError> {
    let parts: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
    parts.to_str().map(str::to_owned).ok_or(FilesError::NotText { path: path.to_path_buf() })
}

/// Hashes files, several at a time, in the order in which they are given.
///
/// # Errors
/// [`FilesError::Unreadable`] for the first that cannot be read.
pub(crate) fn hash(
    names: Vec<String>,
    progress: &mut Progress,
) -> Result<Vec<HashedFile>, FilesError> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(names.len());
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    let mut digests: Vec<Option<Sha256>> = vec![None; names.len()];
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let (sender, next, names) = (sender.clone(), &next, &names);
            scope.spawn(move || {
                let mut block = vec![0; BLOCK_BYTES];
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(name) = names.get(at) else { return };
                    if sender.send((at, hash_file(Path::new(name), &mut block))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for (at, digest) in receiver {
            if let Some(place) = digests.get_mut(at) {
                *place = Some(digest?);
            }
            progress.advance(1);
        }
        Ok(())
    })?;
    let hashed = names.into_iter().zip(digests);
    Ok(hashed.filter_map(|(path, sha256)| Some(HashedFile { path, sha256: sha256? })).collect())
}

/// Hashes one file.
///
/// # Errors
/// [`FilesError::Unreadable`].
pub(crate) fn hash_one(path: &Path) -> Result<Sha256, FilesError> {
    hash_file(path, &mut vec![0; BLOCK_BYTES])
}

fn hash_file(path: &Path, block: &mut [u8]) -> Result<Sha256, FilesError> {
    let unreadable = |source| FilesError::Unreadable { path: path.to_path_buf(), source };
    let mut file = File::open(path).map_err(unreadable)?;
    let mut hasher = sha2::Sha256::new();
    loop {
        match file.read(block) {
            Ok(0) => return Ok(Sha256(hasher.finalize().into())),
            Ok(count) => hasher.update(block.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
}

/// What a step should make, and what was there before it ran.
#[derive(Debug)]
pub(crate) struct ExpectedProducts {
    current: PathBuf,
    patterns: Vec<Pattern>,
    before: BTreeMap<String, Identity>,
}

/// Tells a file that was written from one that was not: every write moves the change time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    bytes: u64,
    changed_at: (i64, i64),
    modified_at: (i64, i64),
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.size(),
            changed_at: (metadata.ctime(), metadata.ctime_nsec()),
            modified_at: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl ExpectedProducts {
    /// Looks at what is there before the step runs, named from the folder `current`.
    ///
    /// # Errors
    /// [`FilesError::Pattern`], and what cannot be read or named.
    pub(crate) fn before(current: &Path, patterns: &[String]) -> Result<Self, FilesError> {
        let patterns: Vec<Pattern> = patterns
            .iter()
            .map(|text| Pattern::parse(&pattern_within(current, text)))
            .collect::<Result<_, _>>()?;
        let mut before = BTreeMap::new();
        for pattern in &patterns {
            before.append(&mut pattern.matches()?);
        }
        Ok(Self { current: current.to_path_buf(), patterns, before })
    }

    /// Finds what the step made: for each pattern at least one file, and none that was there before
    /// and was not written, unless that is allowed. Sorted, each once.
    ///
    /// # Errors
    /// [`FilesError::NoProduct`], [`FilesError::Unchanged`], and what cannot be read or named.
    pub(crate) fn after(&self, allow_unchanged: bool) -> Result<Vec<String>, FilesError> {
        let mut products = BTreeMap::new();
        for pattern in &self.patterns {
            let mut found = pattern.matches()?;
            if found.is_empty() {
                return Err(FilesError::NoProduct { pattern: pattern.text.clone() });
            }
            products.append(&mut found);
        }
        bounded(products.len(), "products", MAX_SUBJECTS)?;
        if !allow_unchanged {
            let same = |(path, identity): &(&String, &Identity)| {
                self.before.get(*path).is_some_and(|before| before == *identity)
            };
            if let Some((path, _)) = products.iter().find(same) {
                return Err(FilesError::Unchanged { path: path.clone() });
            }
        }
        Ok(name::each_once(&self.current, products.into_keys().collect()))
    }
}

/// A glob: `*` and `?` stay within a folder, `**` spans folders. A folder stands for all its files.
#[derive(Debug)]
struct Pattern {
    text: String,
    /// The folder, or file, that the pattern begins with literally.
    base: PathBuf,
    matcher: GlobMatcher,
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, FilesError> {
        let refuse = |why: String| FilesError::Pattern { pattern: text.to_owned(), why };
        let plain = text.trim_start_matches("./").trim_end_matches('/');
        if plain.is_empty() {
            return Err(refuse("it names nothing".to_owned()));
        }
        let glob = GlobBuilder::new(plain)
            .literal_separator(true)
            .build()
            .map_err(|e| refuse(e.to_string()))?;
        let special = |part: &str| part.contains(['*', '?', '[', '{', '\\']);
        let literal: Vec<&str> = plain.split('/').take_while(|part| !special(part)).collect();
        let base = if plain.starts_with('/') && literal.len() == 1 {
            PathBuf::from("/")
        } else {
            PathBuf::from(literal.join("/"))
        };
        Ok(Self { text: text.to_owned(), base, matcher: glob.compile_matcher() })
    }

    fn matches(&self) -> Result<BTreeMap<String, Identity>, FilesError> {
        let mut found = BTreeMap::new();
        let base = if self.base.as_os_str().is_empty() { Path::new(".") } else { &self.base };
        if !base.exists() {
            return Ok(found);
        }
        let mut walk = WalkBuilder::new(base);
        // Products are often what git ignores.
        walk.standard_filters(false);
        walk.filter_entry(|entry| entry.file_name() != ".git");
        let mut seen = 0;
        walk_files(walk, base, &mut |path| {
            seen += 1;
            bounded(seen, "files below a pattern", MAX_FILES)?;
            let name = name_of(path)?;
            // The pattern fits the file, or a folder that it lies in.
            if Path::new(&name).ancestors().any(|path| self.matcher.is_match(path)) {
                let unreadable =
                    |source| FilesError::Unreadable { path: path.to_path_buf(), source };
                let metadata = std::fs::metadata(path).map_err(unreadable)?;
                found.insert(name, Identity::of(&metadata));
            }
            Ok(())
        })?;
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
