//! `Cargo.lock` of versions 1 to 4.
//!
//! The sources and their rules are those of RustSec's `cargo-lock`. Its whole reader is not used:
//! it looks for each dependency of each package, and in version 1 for each checksum, among all of
//! them, so that a large file takes quadratic time. Only the packages are of interest here.

use std::collections::HashMap;

use cargo_lock::package::SourceKind;
use cargo_lock::{ResolveVersion, SourceId};

use super::checksum::{self, Checksums};
use super::dependency::Gathered;
use super::document::{self, Members};
use super::package::{Origin, Package, Type};
use super::{Kind, LockfileError};

/// In version 1 the checksums stand apart, under `checksum <name> <version> (<source>)`.
const CHECKSUM: &str = "checksum ";

#[derive(serde::Deserialize)]
struct Document {
    version: Option<u32>,
    #[serde(default)]
    package: Vec<Entry>,
    #[serde(default)]
    metadata: Members<String>,
}

#[derive(serde::Deserialize)]
struct Entry {
    name: String,
    version: String,
    /// Nothing for members of the workspace and for folders.
    source: Option<String>,
    checksum: Option<String>,
}

pub(super) fn read(text: &str, found: &mut Gathered) -> Result<(), LockfileError> {
    let kind = found.kind();
    let document: Document = document::toml(kind, text)?;
    if let Some(version) = document.version {
        ResolveVersion::try_from(version)
            .map_err(|_| LockfileError::version(kind, "1 to 4", version))?;
    }
    let apart: HashMap<&str, &str> = document
        .metadata
        .0
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(CHECKSUM)?, value.as_str())))
        .collect();
    for entry in &document.package {
        let Some(place) = &entry.source else { continue };
        let source: SourceId = place.parse().map_err(|_| {
            LockfileError::malformed(kind, None, format!("a source of {}", entry.name), place)
        })?;
        let Some(origin) = origin(&source) else { continue };
        let Entry { name, version, .. } = entry;
        let checksum = entry
            .checksum
            .as_deref()
            .or_else(|| apart.get(format!("{name} {version} ({place})").as_str()).copied())
            // Version 1 says so of what is not from a registry.
            .filter(|checksum| *checksum != "<none>");
        let checksums = checksum.map(|checksum| sha256(kind, name, checksum)).transpose()?;
        let package = Package::new(Type::Cargo, name, Some(version)).from(origin);
        found.add(&package, checksums.unwrap_or_default(), None)?;
    }
    Ok(())
}

fn sha256(kind: Kind, name: &str, checksum: &str) -> Result<Checksums, LockfileError> {
    let digest = checksum::hex("sha256", checksum).ok_or_else(|| {
        LockfileError::malformed(kind, None, format!("a SHA-256 of {name}"), checksum)
    })?;
    Ok(Checksums::of_file([digest]))
}

/// Where a package is from; nothing for what is a folder.
fn origin(source: &SourceId) -> Option<Origin<'_>> {
    Some(match source.kind() {
        _ if source.is_default_registry() => Origin::Registry,
        SourceKind::Git(_) => {
            Origin::Git { repository: source.url().as_str().into(), commit: source.precise() }
        }
        SourceKind::Path | SourceKind::Directory => return None,
        _ => Origin::OtherRegistry(source.url().as_str()),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_refused};
    use super::*;

    /// What is the same in all versions but the first: members, a registry, another, and git.
    const PACKAGES: &str = r#"
[[package]]
name = "app"
version = "0.1.0"
dependencies = ["left", "right 2.0.0"]

[[package]]
name = "left"
version = "1.0.0+build.5"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "<sha256:a>"

[[package]]
name = "left"
version = "1.0.0+build.5"
source = "sparse+https://cargo.example.com/index/"
checksum = "<sha256:b>"

[[package]]
name = "mirror"
version = "3.0.0"
source = "sparse+https://index.crates.io/"
checksum = "<sha256:c>"

[[package]]
name = "right"
version = "2.0.0"
source = "git+https://token@git.example.com/right.git?branch=main#<commit:d>"
"#;

    #[test]
    fn reads_versions_2_to_4() {
        for version in ["", "version = 3\n", "version = 4\n"] {
            check(
                Kind::Cargo,
                &format!("# This file is generated\n{version}{PACKAGES}"),
                &[
                    "pkg:cargo/left@1.0.0%2Bbuild.5 sha256:a",
                    "pkg:cargo/left@1.0.0%2Bbuild.5?repository_url=https:%2F%2F\
                     cargo.example.com%2Findex%2F sha256:b",
                    "pkg:cargo/mirror@3.0.0 sha256:c",
                    "pkg:cargo/right@2.0.0?vcs_url=git%2Bhttps:%2F%2Fgit.example.com%2Fright.git\
                     %40dddddddddddddddddddddddddddddddddddddddd gitCommit:d",
                ],
            );
        }
    }

    #[test]
    fn reads_version_1_whose_checksums_stand_apart() {
        check(
            Kind::Cargo,
            r#"
[root]
name = "app"
version = "0.1.0"
dependencies = ["left 1.0.0 (registry+https://github.com/rust-lang/crates.io-index)"]

[[package]]
name = "left"
version = "1.0.0"
source = "registry+https://github.com/rust-lang/crates.io-index"

[[package]]
name = "left"
version = "1.0.0"
source = "git+https://git.example.com/left#<commit:b>"

[metadata]
"checksum left 1.0.0 (git+https://git.example.com/left#<commit:b>)" = "<none>"
"checksum left 1.0.0 (registry+https://github.com/rust-lang/crates.io-index)" = "<sha256:a>"
"#,
            &[
                "pkg:cargo/left@1.0.0 sha256:a",
                "pkg:cargo/left@1.0.0?vcs_url=git%2Bhttps:%2F%2Fgit.example.com%2Fleft\
                 %40bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb gitCommit:b",
            ],
        );
    }

    #[test]
    fn refuses_what_cargo_would_not_have_written() {
        let package = |lines: &str| format!("version = 4\n\n[[package]]\nname = \"a\"\n{lines}");
        let registry = "source = \"registry+https://h/i\"";
        for (text, expected) in [
            ("version = 5".to_owned(), "expected Cargo.lock of version 1 to 4, found version 5"),
            (package(""), "line 3, found missing field `version`"),
            (package("version = 1"), "Cargo.lock line 5, found invalid type"),
            (package("version = \"1.0.0\"\nsource = \"ftp://h\""), "expected a source of a"),
            (
                package(&format!("version = \"1.0.0\"\n{registry}\nchecksum = \"abc\"")),
                "expected a SHA-256 of a in Cargo.lock, found abc",
            ),
            ("<<<<<<< HEAD\n".to_owned(), "Cargo.lock line 1, found"),
        ] {
            check_refused(Kind::Cargo, &text, expected);
        }
    }
}
