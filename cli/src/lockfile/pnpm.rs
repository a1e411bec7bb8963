//! `pnpm-lock.yaml` of lockfileVersion 5, 6 and 9 (pnpm's documentation, "Lockfile format"; the
//! repository `pnpm/spec`).
//!
//! Read is `packages`: what was resolved to, each once for every set of peers in versions 5 and 6.
//! Its keys are `/name/1.0.0_peers`, `/name@1.0.0(peers)` and `name@1.0.0`. Since pnpm 11 a document
//! on pnpm itself and on what configures it may stand before that of the project; both are read.

use super::LockfileError;
use super::checksum::{self, Checksums};
use super::dependency::Gathered;
use super::document::{self, Members};
use super::npm;
use super::package::{Origin, Package, Type};

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    lockfile_version: String,
    #[serde(default)]
    packages: Members<Entry>,
}

#[derive(serde::Deserialize)]
struct Entry {
    /// Both stand here where the key does not say them.
    name: Option<String>,
    version: Option<String>,
    #[serde(default)]
    resolution: Resolution,
}

#[derive(serde::Deserialize, Default)]
struct Resolution {
    integrity: Option<String>,
    tarball: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    repo: Option<String>,
    commit: Option<String>,
    /// The archives of a runtime such as Node.js, one for each platform.
    #[serde(default)]
    variants: Vec<Variant>,
}

#[derive(serde::Deserialize)]
struct Variant {
    #[serde(default)]
    resolution: Archive,
}

#[derive(serde::Deserialize, Default)]
struct Archive {
    integrity: Option<String>,
}

/// How the keys of `packages` are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// `/name/1.0.0_peers`.
    Slashes,
    /// `/name@1.0.0(peers)`.
    SlashAndAt,
    /// `name@1.0.0`.
    At,
}

pub(super) fn read(text: &str, found: &mut Gathered) -> Result<(), LockfileError> {
    for document in document::yaml::<Document>(found.kind(), text)? {
        let version = &document.lockfile_version;
        let keys = match version.split('.').next() {
            Some("5") => Keys::Slashes,
            Some("6") => Keys::SlashAndAt,
            Some("9") => Keys::At,
            _ => return Err(LockfileError::version(found.kind(), "5, 6 or 9", version)),
        };
        for (key, entry) in &document.packages.0 {
            add(keys, key, entry, found)?;
        }
    }
    Ok(())
}

fn add(keys: Keys, key: &str, entry: &Entry, found: &mut Gathered) -> Result<(), LockfileError> {
    let resolution = &entry.resolution;
    let (named, stated) = match parse_key(keys, key) {
        Some((name, version)) => (Some(name), Some(version)),
        None => (None, None),
    };
    let Some(name) = entry.name.as_deref().or(named) else {
        let expected = "a package's name and version as a key";
        return Err(LockfileError::malformed(found.kind(), None, expected, key));
    };
    if let Some(version) = stated.and_then(|stated| stated.strip_prefix("runtime:")) {
        return runtime(name, version, resolution, found);
    }
    // In place of a version may stand where the package is from.
    let place = stated.and_then(npm::place);
    let version = match entry.version.as_deref() {
        None if place.is_some() => None,
        None => stated,
        version => version,
    };
    let origin = match (resolution.kind.as_deref(), &resolution.repo, &resolution.tarball) {
        (Some("directory"), ..) => return Ok(()),
        (_, Some(repository), _) => {
            Origin::Git { repository: repository.into(), commit: resolution.commit.as_deref() }
        }
        // Registries that do not follow npm's paths have a tarball beside the version.
        (.., Some(tarball)) => match npm::place(tarball) {
            Some(Origin::Url(_)) if place.is_none() && entry.name.is_none() => Origin::Registry,
            Some(origin) => origin,
            None => Origin::Registry,
        },
        _ => place.unwrap_or(Origin::Registry),
    };
    let package = Package::new(Type::Npm, name, version).from(origin);
    npm::add(&package, resolution.integrity.as_deref(), found)
}

/// A runtime is no package of npm's, though some have a namesake there.
fn runtime(
    name: &str,
    version: &str,
    resolution: &Resolution,
    found: &mut Gathered,
) -> Result<(), LockfileError> {
    let archives = resolution.variants.iter().map(|variant| {
        let integrity = variant.resolution.integrity.as_deref().unwrap_or_default();
        checksum::integrity(integrity).unwrap_or_default()
    });
    let package = Package::new(Type::Generic, name, Some(version));
    found.add(&package, Checksums::of_files(archives), None)
}

/// The name and the version, or what stands in its place, without the peers.
fn parse_key(keys: Keys, key: &str) -> Option<(&str, &str)> {
    let path = match keys {
        Keys::At => key,
        Keys::Slashes | Keys::SlashAndAt => match key.strip_prefix('/') {
            Some(path) => path,
            // The host of another registry stands before the slash.
            None if key.split('/').next()?.contains('.') => key.split_once('/')?.1,
            None => return None,
        },
    };
    if keys == Keys::Slashes {
        let scope_end = if path.starts_with('@') { path.find('/')? + 1 } else { 0 };
        let name_end = scope_end + path.get(scope_end..)?.find('/')?;
        let (name, version) = (path.get(..name_end)?, path.get(name_end + 1..)?);
        let version = version.split(['_', '/']).next()?;
        return Some((name, version));
    }
    let (name, version) = npm::split_version(path.split('(').next()?)?;
    Some((name, version))
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::super::tests::{check, check_refused};

    const GIT: &str = "?vcs_url=git%2Bhttps:%2F%2Fgithub.com%2Fo%2Fr.git\
                       %40cccccccccccccccccccccccccccccccccccccccc gitCommit:c";

    #[test]
    fn reads_version_5() {
        for version in ["5.4", "5.4-inlineSpecifiers"] {
            check(
                Kind::Pnpm,
                &r#"
lockfileVersion: <version>

specifiers:
  a: ^1.0.0

dependencies:
  a: 1.0.0_react@18.2.0

packages:

  /@scope/b/2.0.0_abcdef0123:
    resolution: {integrity: <sri512:b>}
    engines: {node: '>=6'}
    dev: true

  /a/1.0.0_react@18.2.0:
    resolution: {integrity: <sri512:a>}
    peerDependencies:
      react: '*'
    dependencies:
      react: 18.2.0

  /a/1.0.0_react@17.0.2+@scope+b@2.0.0:
    resolution: {integrity: <sri512:a>}

  npm.example.com/under_score/1.2.3:
    resolution: {integrity: <sri1:d>, tarball: https://npm.example.com/u.tgz}

  github.com/o/r/<commit:c>:
    resolution: {tarball: https://codeload.github.com/o/r/tar.gz/<commit:c>}
    name: r
    version: 0.5.0

  file:packages/member:
    resolution: {directory: packages/member, type: directory}
    name: member
    version: 1.0.0
"#
                .replace("<version>", version),
                &[
                    "pkg:npm/%40scope/b@2.0.0 sha512:b",
                    "pkg:npm/a@1.0.0 sha512:a",
                    &format!("pkg:npm/r@0.5.0{GIT}"),
                    "pkg:npm/under_score@1.2.3 sha1:d",
                ],
            );
        }
    }

    #[test]
    fn reads_version_6() {
        check(
            Kind::Pnpm,
            r#"
lockfileVersion: '6.0'

settings:
  autoInstallPeers: true

importers:
  .:
    dependencies:
      short:
        specifier: npm:a@^1.0.0
        version: /a@1.0.0(react@18.2.0)
      member:
        specifier: workspace:*
        version: link:packages/member

packages:

  /@scope/b@2.0.0-rc.1:
    resolution: {integrity: <sri512:b>}

  /a@1.0.0(react@18.2.0):
    resolution: {integrity: <sri512:a>}

  /a@1.0.0(react@17.0.2(@scope/b@2.0.0-rc.1)):
    resolution: {integrity: <sri512:a>}

  github.com/o/r/<commit:c>:
    resolution: {tarball: https://codeload.github.com/o/r/tar.gz/<commit:c>}
    name: r
    version: 0.5.0

  file:../folder(react@18.2.0):
    resolution: {directory: ../folder, type: directory}
    id: file:../folder
    name: folder

  file:t.tgz:
    resolution: {integrity: <sri512:d>, tarball: file:t.tgz}
    name: t
    version: 3.0.0
"#,
            &[
                "pkg:npm/%40scope/b@2.0.0-rc.1 sha512:b",
                "pkg:npm/a@1.0.0 sha512:a",
                &format!("pkg:npm/r@0.5.0{GIT}"),
                "pkg:npm/t@3.0.0?file_name=t.tgz sha512:d",
            ],
        );
    }

    #[test]
    fn reads_version_9_with_the_document_on_pnpm_itself() {
        check(
            Kind::Pnpm,
            r#"---
lockfileVersion: '9.0'
importers:
  .:
    configDependencies: {}
    packageManagerDependencies:
      pnpm: {specifier: 11.0.0, version: 11.0.0}
packages:
  pnpm@11.0.0:
    resolution: {integrity: <sri512:e>}
snapshots:
  pnpm@11.0.0: {}
---
lockfileVersion: '9.0'
importers:
  .:
    dependencies:
      a: {specifier: ^1.0.0, version: 1.0.0(react@18.2.0)}
packages:
  '@scope/b@2.0.0':
    resolution: {integrity: <sri512:b>, tarball: https://npm.example.com/download/b.tgz}
  a@1.0.0:
    resolution: {integrity: <sri512:a>}
    peerDependencies:
      react: '*'
  node@runtime:22.1.0:
    hasBin: true
    resolution:
      type: variations
      variants:
        - resolution: {archive: tarball, bin: bin/node, integrity: <sri512:1>, type: binary}
          targets: [{cpu: arm64, os: darwin}]
        - resolution: {archive: tarball, bin: bin/node, integrity: <sri512:2>, type: binary}
          targets: [{cpu: x64, os: linux}]
  r@https://codeload.github.com/o/r/tar.gz/<commit:c>:
    resolution: {tarball: https://codeload.github.com/o/r/tar.gz/<commit:c>, integrity: <sri512:3>}
    version: 0.5.0
  s@git+https://git@github.com:o/r.git#<commit:c>:
    resolution: {commit: <commit:c>, repo: https://github.com/o/r.git, type: git}
    version: 0.6.0
  u@https://example.com/u.tgz:
    resolution: {integrity: <sri512:d>, tarball: https://example.com/u.tgz}
    version: 0.7.0
  folder@file:../folder:
    resolution: {directory: ../folder, type: directory}
snapshots:
  a@1.0.0(react@18.2.0):
    dependencies:
      react: 18.2.0
"#,
            &[
                "pkg:generic/node@22.1.0 [sha512:1 sha512:2]",
                "pkg:npm/%40scope/b@2.0.0 sha512:b",
                "pkg:npm/a@1.0.0 sha512:a",
                "pkg:npm/pnpm@11.0.0 sha512:e",
                &format!("pkg:npm/r@0.5.0{GIT}"),
                &format!("pkg:npm/s@0.6.0{GIT}"),
                "pkg:npm/u@0.7.0?download_url=https:%2F%2Fexample.com%2Fu.tgz sha512:d",
            ],
        );
        check(Kind::Pnpm, "lockfileVersion: '9.0'\n\npackages:\n", &[]);
    }

    #[test]
    fn refuses_what_pnpm_would_not_have_written() {
        let packages = |lines: &str| format!("lockfileVersion: '9.0'\npackages:\n{lines}");
        for (text, expected) in [
            ("lockfileVersion: 4.0".to_owned(), "of version 5, 6 or 9, found version 4.0"),
            ("packages: {}".to_owned(), "missing field `lockfileVersion`"),
            (packages("  a: {}"), "expected a package's name and version as a key"),
            (packages("  a@1: {resolution: {integrity: sha1-x}}"), "an integrity of a"),
            (packages("  a@1: x"), "pnpm-lock.yaml line 3, found"),
            (packages("  a@1: {}\n  a@1: {}"), "duplicate"),
        ] {
            check_refused(Kind::Pnpm, &text, expected);
        }
    }
}
