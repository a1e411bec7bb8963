//! What a lockfile says of one package, and all of it together.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use attestry_schemas::statement::ResourceDescriptor;
use serde_json::{Map, Value};

use super::checksum::Checksums;
use super::package::Package;
use super::{Kind, LockfileError, MAX_DEPENDENCIES};

/// The most checksums that are kept of one package. The packages with the most files on PyPI have a
/// few hundred.
const MAX_CHECKSUMS: usize = 4_096;
/// The member of a descriptor's annotations that lists the checksums of several files.
const HASHES: &str = "hashes";

/// A package that a lockfile resolved to.
///
/// A digest set describes one file. So a dependency has a digest only where the lockfile states one
/// checksum for each algorithm; where it states those of several files, of which the build used one
/// or none, they stand in the annotation `hashes` as a sorted list of `algorithm:value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependency {
    /// The package URL.
    pub(crate) purl: String,
    /// The name as the lockfile writes it.
    pub(crate) name: String,
    /// The version as the lockfile writes it; nothing where it states a place and no version.
    pub(crate) version: Option<String>,
    checksums: Checksums,
}

impl Dependency {
    /// The dependency as statements name it: by its package URL. The name is left out, because the
    /// package URL says it.
    pub(crate) fn descriptor(&self) -> ResourceDescriptor {
        let hashes: Vec<Value> =
            self.checksums.several_hashes().map(|hash| Value::String(hash.to_string())).collect();
        let annotations =
            (!hashes.is_empty()).then(|| Map::from_iter([(HASHES.to_owned(), hashes.into())]));
        ResourceDescriptor {
            uri: Some(self.purl.clone()),
            digest: self.checksums.digest_set(),
            annotations,
            ..ResourceDescriptor::default()
        }
    }
}

/// The dependencies of one lockfile while it is read.
#[derive(Debug)]
pub(super) struct Gathered {
    kind: Kind,
    by_purl: BTreeMap<String, Dependency>,
}

impl Gathered {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, by_purl: BTreeMap::new() }
    }

    /// What is read, for errors.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Adds a package. The same package again adds to what is known of it.
    ///
    /// # Errors
    /// [`LockfileError`] for a name or version that no package has, and at a bound.
    pub(super) fn add(
        &mut self,
        package: &Package<'_>,
        checksums: Checksums,
        line: Option<usize>,
    ) -> Result<(), LockfileError> {
        let kind = self.kind;
        let purl = package.purl().map_err(|e| {
            LockfileError::malformed(kind, line, e.expected(), &format!("{:?}", e.found()))
        })?;
        // A package from git is what its commit says, however it was packed afterwards.
        let checksums = package.origin.commit_checksums().unwrap_or(checksums);
        let count = self.by_purl.len();
        let dependency = match self.by_purl.entry(purl) {
            Entry::Occupied(known) => {
                let known = known.into_mut();
                known.checksums = std::mem::take(&mut known.checksums).and(checksums);
                known
            }
            Entry::Vacant(_) if count == MAX_DEPENDENCIES => {
                let (what, limit) = ("dependencies", MAX_DEPENDENCIES);
                return Err(LockfileError::TooMuch { kind, what, limit });
            }
            Entry::Vacant(vacant) => {
                let dependency = Dependency {
                    purl: vacant.key().clone(),
                    name: package.name.to_owned(),
                    version: package.version.map(str::to_owned),
                    checksums,
                };
                vacant.insert(dependency)
            }
        };
        if dependency.checksums.len() > MAX_CHECKSUMS {
            let (what, limit) = ("checksums of one package", MAX_CHECKSUMS);
            return Err(LockfileError::TooMuch { kind, what, limit });
        }
        Ok(())
    }

    pub(super) fn into_dependencies(self) -> Vec<Dependency> {
        self.by_purl.into_values().collect()
    }
}
