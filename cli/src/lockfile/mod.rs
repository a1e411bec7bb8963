//! Lockfiles: which packages a build was resolved to, and the checksums that the lockfiles state.
//!
//! A lockfile is known by its name, because the name is the contract of the package manager that
//! wrote it. What is read is what the file says: nothing is resolved, fetched or looked up, and no
//! file is opened here. Members of a workspace and folders beside the project are the project's own
//! source, not dependencies. Packages for development and for tests are listed with all others:
//! they took part in the build.
//!
//! Each dependency is a package URL (purl-spec, through the `packageurl` crate) and the checksums,
//! with the meaning that [`Dependency`] documents. The formats have no common specification; each
//! file beside this one names what it reads.
//!
//! A file is no larger than [`MAX_BYTES`], has no more than [`MAX_DEPENDENCIES`], and is read in
//! time and memory that grow no faster than it does.

mod cargo;
mod checksum;
mod composer;
mod dependency;
mod document;
mod error;
mod gem;
mod go;
mod gradle;
mod maven;
mod npm;
mod package;
mod pnpm;
mod python;
mod xml;
mod yarn;

use std::fmt;
use std::path::Path;

pub(crate) use dependency::Dependency;
pub(crate) use error::LockfileError;

use dependency::Gathered;

/// The largest lockfile that is read.
pub(crate) const MAX_BYTES: usize = 64 * 1024 * 1024;
/// The largest lockfile of a kind whose parser keeps the whole document, at many times its size.
const MAX_KEPT_BYTES: usize = 16 * 1024 * 1024;
/// The most dependencies that are taken from one lockfile.
pub(crate) const MAX_DEPENDENCIES: usize = 100_000;

/// A kind of lockfile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// `Cargo.lock`.
    Cargo,
    /// `package-lock.json` and `npm-shrinkwrap.json`.
    Npm,
    /// `pnpm-lock.yaml`.
    Pnpm,
    /// `yarn.lock`, of both generations.
    Yarn,
    /// `go.sum`, read with the `go.mod` beside it.
    Go,
    /// `poetry.lock`.
    Poetry,
    /// `uv.lock`.
    Uv,
    /// `requirements*.txt`: its pinned entries.
    Requirements,
    /// `Pipfile.lock`.
    Pipfile,
    /// `pom.xml`: its direct dependencies. No lockfile, but the nearest that Maven has.
    Pom,
    /// `gradle.lockfile` and the other `*.lockfile` of Gradle.
    Gradle,
    /// Gradle's `verification-metadata.xml`.
    GradleVerification,
    /// `composer.lock`.
    Composer,
    /// `Gemfile.lock` and `gems.locked`.
    Gem,
}

impl Kind {
    /// The program that writes such files.
    fn writer(self) -> &'static str {
        match self {
            Self::Cargo => "cargo",
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::Yarn => "yarn",
            Self::Go => "go",
            Self::Poetry => "poetry",
            Self::Uv => "uv",
            Self::Requirements => "pip-compile or uv",
            Self::Pipfile => "pipenv",
            Self::Pom => "whoever wrote it",
            Self::Gradle | Self::GradleVerification => "gradle",
            Self::Composer => "composer",
            Self::Gem => "bundler",
        }
    }

    /// The largest file of this kind that is read.
    fn max_bytes(self) -> usize {
        match self {
            Self::Cargo | Self::Poetry | Self::Uv | Self::Yarn => MAX_KEPT_BYTES,
            _ => MAX_BYTES,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cargo => "Cargo.lock",
            Self::Npm => "package-lock.json",
            Self::Pnpm => "pnpm-lock.yaml",
            Self::Yarn => "yarn.lock",
            Self::Go => "go.sum",
            Self::Poetry => "poetry.lock",
            Self::Uv => "uv.lock",
            Self::Requirements => "requirements.txt",
            Self::Pipfile => "Pipfile.lock",
            Self::Pom => "pom.xml",
            Self::Gradle => "gradle.lockfile",
            Self::GradleVerification => "verification-metadata.xml",
            Self::Composer => "composer.lock",
            Self::Gem => "Gemfile.lock",
        })
    }
}

/// The kind of lockfile that a file is by its name; nothing when it is none.
pub(crate) fn kind_of(path: &Path) -> Option<Kind> {
    let name = path.file_name()?.to_str()?;
    Some(match name {
        "Cargo.lock" => Kind::Cargo,
        "package-lock.json" | "npm-shrinkwrap.json" => Kind::Npm,
        "pnpm-lock.yaml" => Kind::Pnpm,
        "yarn.lock" => Kind::Yarn,
        "go.sum" => Kind::Go,
        "poetry.lock" => Kind::Poetry,
        "uv.lock" => Kind::Uv,
        "Pipfile.lock" => Kind::Pipfile,
        "pom.xml" => Kind::Pom,
        "verification-metadata.xml" => Kind::GradleVerification,
        "composer.lock" => Kind::Composer,
        "Gemfile.lock" | "gems.locked" => Kind::Gem,
        _ if name.ends_with(".lockfile") => Kind::Gradle,
        _ if name.starts_with("requirements") && name.ends_with(".txt") => Kind::Requirements,
        _ => return None,
    })
}

/// Reads the dependencies that a lockfile states: sorted by package URL, each once.
///
/// `beside` gives the content of another file of the same folder, or nothing when there is none.
///
/// # Errors
/// [`LockfileError`] for what is not of its kind, of a version that is not known, or too large.
pub(crate) fn read(
    kind: Kind,
    text: &[u8],
    beside: &dyn Fn(&str) -> Option<Vec<u8>>,
) -> Result<Vec<Dependency>, LockfileError> {
    let text = text_of(kind, text)?;
    let mut found = Gathered::new(kind);
    match kind {
        Kind::Cargo => cargo::read(text, &mut found),
        Kind::Npm => npm::read(text, &mut found),
        Kind::Pnpm => pnpm::read(text, &mut found),
        Kind::Yarn => yarn::read(text, &mut found),
        Kind::Go => {
            let module = beside("go.mod");
            let module = module.as_deref().map(|module| text_of(kind, module)).transpose()?;
            go::read(text, module, &mut found)
        }
        Kind::Poetry => python::poetry::read(text, &mut found),
        Kind::Uv => python::uv::read(text, &mut found),
        Kind::Requirements => python::requirements::read(text, &mut found),
        Kind::Pipfile => python::pipfile::read(text, &mut found),
        Kind::Pom => maven::read(text, &mut found),
        Kind::Gradle => gradle::read(text, &mut found),
        Kind::GradleVerification => gradle::read_verification(text, &mut found),
        Kind::Composer => composer::read(text, &mut found),
        Kind::Gem => gem::read(text, &mut found),
    }?;
    Ok(found.into_dependencies())
}

/// The text of a file, without a byte order mark.
fn text_of(kind: Kind, bytes: &[u8]) -> Result<&str, LockfileError> {
    let limit = kind.max_bytes();
    if bytes.len() > limit {
        return Err(LockfileError::TooMuch { kind, what: "bytes", limit });
    }
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let before = bytes.get(..e.valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        LockfileError::malformed(kind, Some(line), "UTF-8 text", "other bytes")
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

#[cfg(test)]
mod tests;
