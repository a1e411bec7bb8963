//! The lockfiles of a step: which ones count, and what they state before and after the command.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use attestry_schemas::digest::Sha256;
use attestry_schemas::statement::ResourceDescriptor;
use serde_json::{Map, Value};

use crate::args::RunArgs;
use crate::lockfile::{self, Dependency, Kind};
use crate::output::{Failure, chain};

/// Where Gradle keeps the checksums of what it resolves.
const GRADLE_VERIFICATION: &str = "gradle/verification-metadata.xml";

/// Lockfiles and what they resolve.
pub(super) struct Lockfiles(Vec<Lockfile>);

/// One lockfile.
struct Lockfile {
    /// The path, which is its name in statements.
    path: PathBuf,
    kind: Kind,
    sha256: Sha256,
    dependencies: Vec<Dependency>,
}

impl Lockfiles {
    /// Reads the lockfiles that are named; else those in the current folder, else those at the top
    /// of the repository. What is not there resolves nothing.
    ///
    /// # Errors
    /// When one cannot be read, or one that is named is none.
    pub(super) fn read(
        args: &RunArgs,
        directory: &Path,
        top: Option<&Path>,
    ) -> Result<Self, Failure> {
        if !args.lockfile.is_empty() {
            let named = args.lockfile.iter().map(|path| {
                let kind = lockfile::kind_of(path).ok_or_else(|| {
                    Failure::undecided(format!(
                        "expected a lockfile of a known package manager, found {}",
                        path.display()
                    ))
                    .fix("its name must be the one that the package manager gives it")
                })?;
                Lockfile::read(path.clone(), kind)
            });
            return named.collect::<Result<_, _>>().map(Self);
        }
        for (folder, named_from) in [
            (directory.to_path_buf(), PathBuf::new()),
            (top.map(Path::to_path_buf).unwrap_or_default(), upwards(directory, top)),
        ] {
            let found = find(&folder, &named_from)?;
            if !found.is_empty() {
                return found
                    .into_iter()
                    .map(|(path, kind)| Lockfile::read(path, kind))
                    .collect::<Result<_, _>>()
                    .map(Self);
            }
        }
        Ok(Self(Vec::new()))
    }

    /// Whose lockfiles they are.
    pub(super) fn kinds(&self) -> Vec<Kind> {
        self.0.iter().map(|lockfile| lockfile.kind).collect()
    }

    /// The names of those that are not as they were before.
    pub(super) fn changed_since<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = String> {
        self.0.iter().filter(|now| now.changed_since(before)).map(Lockfile::name)
    }

    /// Each lockfile and then what it resolves; a file that is not as it was before says so.
    pub(super) fn descriptors(&self, before: &Self) -> Vec<ResourceDescriptor> {
        let mut descriptors = Vec::new();
        for lockfile in &self.0 {
            let mut descriptor =
                ResourceDescriptor::named(&lockfile.name(), lockfile.sha256.into());
            if lockfile.changed_since(before) {
                let changed = ("changed".to_owned(), Value::Bool(true));
                descriptor.annotations = Some(Map::from_iter([changed]));
            }
            descriptors.push(descriptor);
            descriptors.extend(lockfile.dependencies.iter().map(Dependency::descriptor));
        }
        descriptors
    }
}

impl Lockfile {
    fn read(path: PathBuf, kind: Kind) -> Result<Self, Failure> {
        let text = read_bounded(&path).map_err(|e| Failure::file("read", &path, &e))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let beside = |name: &str| read_bounded(&folder.join(name)).ok();
        let dependencies = lockfile::read(kind, &text, &beside).map_err(|e| {
            Failure::undecided(format!("{}: {}", path.display(), chain(&e)))
                .fix("mend it with its package manager, or name others with --lockfile")
        })?;
        Ok(Self { sha256: Sha256::of(&text), path, kind, dependencies })
    }

    fn name(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    fn changed_since(&self, before: &Lockfiles) -> bool {
        !before.0.iter().any(|then| then.path == self.path && then.sha256 == self.sha256)
    }
}

/// The lockfiles in a folder, sorted, under paths that begin with `named_from`.
fn find(folder: &Path, named_from: &Path) -> Result<Vec<(PathBuf, Kind)>, Failure> {
    let fail = |e: std::io::Error| Failure::file("read", folder, &e);
    if folder.as_os_str().is_empty() {
        return Ok(Vec::new());
    }
    let mut names = vec![PathBuf::from(GRADLE_VERIFICATION)];
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        names.push(entry.map_err(fail)?.file_name().into());
    }
    let mut found: Vec<(PathBuf, Kind)> = names
        .into_iter()
        .filter(|name| folder.join(name).is_file())
        .filter_map(|name| Some((named_from.join(&name), lockfile::kind_of(&name)?)))
        .collect();
    found.sort_unstable();
    Ok(found)
}

/// The way from a folder up to one that it lies in: `../..`.
fn upwards(folder: &Path, top: Option<&Path>) -> PathBuf {
    let within = top.and_then(|top| folder.strip_prefix(top).ok());
    within.map(|within| within.components().map(|_| "..").collect()).unwrap_or_default()
}

/// Reads a file of at most [`lockfile::MAX_BYTES`].
fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let limit = lockfile::MAX_BYTES as u64;
    File::open(path)?.take(limit + 1).read_to_end(&mut text)?;
    if text.len() as u64 > limit {
        return Err(std::io::Error::new(
            ErrorKind::FileTooLarge,
            format!("expected at most {limit} bytes, found more"),
        ));
    }
    Ok(text)
}
