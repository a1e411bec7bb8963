//! The lockfiles of Python's package managers.
//!
//! A release on PyPI has several files, its source and a wheel for each platform, and the lockfiles
//! state the hash of each. Which of them was installed they do not say.

pub(super) mod pipfile;
pub(super) mod poetry;
pub(super) mod requirements;
pub(super) mod uv;

use attestry_schemas::digest::Digest;

use super::LockfileError;
use super::checksum::{self, Checksums};
use super::dependency::Gathered;
use super::package::{Origin, Package, Type};

/// Where an index is that is PyPI itself.
const PYPI: &[&str] = &["pypi.org", "pypi.python.org", "files.pythonhosted.org"];

/// The origin that an index is. A folder in its place is no registry that could be named.
fn index(url: &str) -> Origin<'_> {
    let host = url.split_once("://").map_or("", |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or(host);
    if PYPI.contains(&host) { Origin::Registry } else { Origin::OtherRegistry(url) }
}

/// Adds a package with the hashes of its files, `sha256:<hex>` or nothing where one has none.
fn add<'h>(
    (name, version): (&str, Option<&str>),
    origin: Origin<'_>,
    hashes: impl IntoIterator<Item = Option<&'h str>>,
    found: &mut Gathered,
) -> Result<(), LockfileError> {
    let mut files: Vec<Option<Digest>> = Vec::new();
    for hash in hashes {
        files.push(hash.map(|hash| digest(name, hash, None, found)).transpose()?);
    }
    let package = Package::new(Type::PyPi, name, version).from(origin);
    found.add(&package, Checksums::of_files(files), None)
}

fn digest(
    name: &str,
    hash: &str,
    line: Option<usize>,
    found: &Gathered,
) -> Result<Digest, LockfileError> {
    checksum::tagged_hex(hash).ok_or_else(|| {
        let expected = format!("a hash of {name} such as sha256:<hex>");
        LockfileError::malformed(found.kind(), line, expected, hash)
    })
}
