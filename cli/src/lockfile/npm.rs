//! `package-lock.json` and `npm-shrinkwrap.json`, lockfileVersion 1 to 3 (npm's documentation,
//! "package-lock.json").
//!
//! Versions 2 and 3 list the folders of `node_modules` under `packages`; version 1 nests
//! `dependencies`, which version 2 repeats for old programs.

use attestry_schemas::digest::Digest;

use super::LockfileError;
use super::checksum::{self, Checksums};
use super::dependency::Gathered;
use super::document::{self, Members, text_or_nothing};
use super::package::{Origin, Package, Type};

const MODULES: &str = "node_modules/";

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    lockfile_version: Option<u32>,
    packages: Option<Members<Folder>>,
    #[serde(default)]
    dependencies: Members<Nested>,
}

/// A folder, by its path.
#[derive(serde::Deserialize)]
struct Folder {
    /// The package's name, where the folder has another: an alias.
    name: Option<String>,
    version: Option<String>,
    #[serde(default, deserialize_with = "text_or_nothing")]
    resolved: Option<String>,
    #[serde(default, deserialize_with = "text_or_nothing")]
    integrity: Option<String>,
    /// A link to a folder that is listed for itself: a member of the workspace, or beside it.
    #[serde(default)]
    link: bool,
}

/// A dependency, by the name of its folder.
#[derive(serde::Deserialize)]
struct Nested {
    /// A version, or where the package is from.
    #[serde(default, deserialize_with = "text_or_nothing")]
    version: Option<String>,
    #[serde(default, deserialize_with = "text_or_nothing")]
    resolved: Option<String>,
    #[serde(default, deserialize_with = "text_or_nothing")]
    integrity: Option<String>,
    #[serde(default)]
    dependencies: Members<Nested>,
}

pub(super) fn read(text: &str, found: &mut Gathered) -> Result<(), LockfileError> {
    let document: Document = document::json(found.kind(), text)?;
    // npm 4 and older wrote none.
    let version = document.lockfile_version.unwrap_or(1);
    if !(1..=3).contains(&version) {
        return Err(LockfileError::version(found.kind(), "1 to 3", version));
    }
    match document.packages {
        Some(packages) => read_folders(&packages.0, found),
        None => read_nested(document.dependencies, found),
    }
}

fn read_folders(folders: &[(String, Folder)], found: &mut Gathered) -> Result<(), LockfileError> {
    for (path, folder) in folders {
        // Any other folder is the project itself, or a part of it.
        let Some((_, name)) = path.rsplit_once(MODULES).filter(|_| !folder.link) else { continue };
        let origin = folder.resolved.as_deref().map_or(Origin::Registry, resolved);
        let name = folder.name.as_deref().unwrap_or(name);
        let package = Package::new(Type::Npm, name, folder.version.as_deref()).from(origin);
        add(&package, folder.integrity.as_deref(), found)?;
    }
    Ok(())
}

fn read_nested(top: Members<Nested>, found: &mut Gathered) -> Result<(), LockfileError> {
    let mut waiting = top.0;
    while let Some((name, nested)) = waiting.pop() {
        let version = nested.version.as_deref();
        let alias = version.and_then(|version| version.strip_prefix("npm:"));
        let package = match (alias.and_then(split_version), version.and_then(place)) {
            (Some((real, version)), _) => Package::new(Type::Npm, real, Some(version)),
            (None, Some(origin)) => Package::new(Type::Npm, &name, None).from(origin),
            (None, None) => {
                let origin = nested.resolved.as_deref().map_or(Origin::Registry, resolved);
                Package::new(Type::Npm, &name, version).from(origin)
            }
        };
        add(&package, nested.integrity.as_deref(), found)?;
        waiting.extend(nested.dependencies.0);
    }
    Ok(())
}

/// Adds a package of npm's registry or from elsewhere, with the integrity that the lockfile states.
/// What is in the project and has no integrity is a folder there: the project's own source.
///
/// # Errors
/// As [`digests`] and [`Gathered::add`].
pub(super) fn add(
    package: &Package<'_>,
    integrity: Option<&str>,
    found: &mut Gathered,
) -> Result<(), LockfileError> {
    if matches!(package.origin, Origin::File(_)) && integrity.is_none() {
        return Ok(());
    }
    let digests = digests(package.name, integrity, found)?;
    found.add(package, Checksums::of_file(digests), None)
}

/// The digests that an integrity states.
///
/// # Errors
/// [`LockfileError`] for a malformed one.
pub(super) fn digests(
    name: &str,
    integrity: Option<&str>,
    found: &Gathered,
) -> Result<Vec<Digest>, LockfileError> {
    let integrity = integrity.unwrap_or_default();
    checksum::integrity(integrity).ok_or_else(|| {
        let expected = format!("an integrity of {name} (W3C SRI)");
        LockfileError::malformed(found.kind(), None, expected, integrity)
    })
}

/// Where `resolved` says that a package is from. A URL is that of a registry, as far as one can
/// tell: registries choose their own paths.
fn resolved(place: &str) -> Origin<'_> {
    match self::place(place) {
        None | Some(Origin::Url(_)) => Origin::Registry,
        Some(origin) => origin,
    }
}

/// Where a package is from, in the forms that stand in place of a version; nothing for a version.
pub(super) fn place(text: &str) -> Option<Origin<'_>> {
    const GIT: &[&str] = &["git+", "git:", "git@", "ssh:"];
    const HOSTS: &[(&str, &str)] = &[
        ("github:", "https://github.com/"),
        ("gitlab:", "https://gitlab.com/"),
        ("bitbucket:", "https://bitbucket.org/"),
    ];
    if text.starts_with("file:") {
        return Some(Origin::File(text));
    }
    if let Some((host, rest)) =
        HOSTS.iter().find_map(|(short, host)| Some((*host, text.strip_prefix(short)?)))
    {
        let Origin::Git { repository, commit } = Origin::of_git(rest) else { return None };
        let repository = repository.trim_end_matches(".git");
        return Some(Origin::Git { repository: format!("{host}{repository}.git").into(), commit });
    }
    let is_http = text.starts_with("https://") || text.starts_with("http://");
    let repository = text.split('#').next().unwrap_or(text);
    if GIT.iter().any(|prefix| text.starts_with(prefix))
        || (is_http && repository.ends_with(".git"))
    {
        return Some(Origin::of_git(text));
    }
    is_http.then(|| Origin::of_url(text))
}

/// Splits `name@version`, where the name may have a scope.
pub(super) fn split_version(text: &str) -> Option<(&str, &str)> {
    let at = text.get(1..)?.find('@')? + 1;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::super::tests::{check, check_refused};

    #[test]
    fn reads_the_folders_of_versions_2_and_3() {
        for version in [2, 3] {
            let text = r#"{
  "name": "app", "version": "1.0.0", "lockfileVersion": <version>, "requires": true,
  "packages": {
    "": {"name": "app", "workspaces": ["packages/*"], "dependencies": {"a": "^1.0.0"}},
    "node_modules/a": {
      "version": "1.0.0", "resolved": "https://registry.npmjs.org/a/-/a-1.0.0.tgz",
      "integrity": "<sri512:a>", "dev": true, "license": "MIT", "engines": {"node": ">=6"}
    },
    "node_modules/a/node_modules/@scope/b": {"version": "2.0.0-rc.1", "integrity": "<sri1:b>"},
    "node_modules/@scope/b": {"version": "3.0.0", "integrity": "<sri1:c> <sri512:c>"},
    "node_modules/short": {"name": "long-name", "version": "1.5.0", "integrity": "<sri512:d>"},
    "node_modules/other/node_modules/long-name": {"version": "1.5.0", "integrity": "<sri512:d>"},
    "node_modules/bundled": {"version": "4.0.0", "inBundle": true},
    "node_modules/no-version": {"resolved": "https://example.com/x.tgz"},
    "node_modules/from-git": {
      "version": "0.1.0", "integrity": "<sri512:e>",
      "resolved": "git+ssh://git@github.com/o/from-git.git#<commit:e>"
    },
    "node_modules/tarball": {
      "version": "0.2.0", "resolved": "file:vendor/tarball.tgz", "integrity": "<sri512:f>"
    },
    "node_modules/member": {"resolved": "packages/member", "link": true},
    "packages/member": {"version": "1.0.0", "dependencies": {"only-here": "1"}},
    "packages/member/node_modules/only-here": {"version": "1.0.1", "integrity": "<sri512:1>"}
  },
  "dependencies": {"ignored": {"version": "9.9.9"}}
}"#;
            check(
                Kind::Npm,
                &text.replace("<version>", &version.to_string()),
                &[
                    "pkg:npm/%40scope/b@2.0.0-rc.1 sha1:b",
                    "pkg:npm/%40scope/b@3.0.0 sha1:c sha512:c",
                    "pkg:npm/a@1.0.0 sha512:a",
                    "pkg:npm/bundled@4.0.0",
                    "pkg:npm/from-git@0.1.0?vcs_url=git%2Bssh:%2F%2Fgit%40github.com%2Fo%2Ffrom-git.\
                     git%40eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee gitCommit:e",
                    "pkg:npm/long-name@1.5.0 sha512:d",
                    "pkg:npm/no-version",
                    "pkg:npm/only-here@1.0.1 sha512:1",
                    "pkg:npm/tarball@0.2.0?file_name=tarball.tgz sha512:f",
                ],
            );
        }
    }

    #[test]
    fn reads_what_version_1_nests() {
        check(
            Kind::Npm,
            r#"{
  "name": "app", "lockfileVersion": 1, "requires": true,
  "dependencies": {
    "a": {
      "version": "1.0.0", "resolved": "https://registry.npmjs.org/a/-/a-1.0.0.tgz",
      "integrity": "<sri512:a>", "requires": {"@scope/b": "^2.0.0"},
      "dependencies": {"@scope/b": {"version": "2.0.0", "integrity": "<sri1:b>"}}
    },
    "bundled": {"version": "3.0.0", "resolved": false, "bundled": true},
    "short": {"version": "npm:@scope/long@1.5.0", "integrity": "<sri512:c>"},
    "from-git": {"version": "git+https://git.example.com/g.git#<commit:d>", "from": "git+https://x"},
    "from-host": {"version": "github:o/r#<commit:e>"},
    "from-url": {"version": "https://example.com/u.tgz?token=1", "integrity": "<sri512:f>"},
    "folder": {
      "version": "file:../folder",
      "dependencies": {"under": {"version": "4.0.0", "integrity": "<sri512:1>"}}
    },
    "tarball": {"version": "file:t.tgz", "integrity": "<sri512:2>"}
  }
}"#,
            &[
                "pkg:npm/%40scope/b@2.0.0 sha1:b",
                "pkg:npm/%40scope/long@1.5.0 sha512:c",
                "pkg:npm/a@1.0.0 sha512:a",
                "pkg:npm/bundled@3.0.0",
                "pkg:npm/from-git?vcs_url=git%2Bhttps:%2F%2Fgit.example.com%2Fg.git\
                 %40dddddddddddddddddddddddddddddddddddddddd gitCommit:d",
                "pkg:npm/from-host?vcs_url=git%2Bhttps:%2F%2Fgithub.com%2Fo%2Fr.git\
                 %40eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee gitCommit:e",
                "pkg:npm/from-url?download_url=https:%2F%2Fexample.com%2Fu.tgz sha512:f",
                "pkg:npm/tarball?file_name=t.tgz sha512:2",
                "pkg:npm/under@4.0.0 sha512:1",
            ],
        );
        // A shrinkwrap of npm 4.
        check(
            Kind::Npm,
            r#"{"name":"app","dependencies":{"a":{"version":"1.0.0","from":"a@^1","resolved":"https://x"}}}"#,
            &["pkg:npm/a@1.0.0"],
        );
    }

    #[test]
    fn a_package_with_two_integrities_has_no_digest() {
        check(
            Kind::Npm,
            r#"{"lockfileVersion": 3, "packages": {
  "node_modules/a": {"version": "1.0.0", "integrity": "<sri512:a>"},
  "node_modules/b/node_modules/a": {"version": "1.0.0", "integrity": "<sri512:b>"},
  "node_modules/c": {"version": "1.0.0", "integrity": "<sri512:a> <sri512:b>"}
}}"#,
            &["pkg:npm/a@1.0.0 [sha512:a sha512:b]", "pkg:npm/c@1.0.0 [sha512:a sha512:b]"],
        );
    }

    #[test]
    fn refuses_what_npm_would_not_have_written() {
        let nested = format!(
            "{{\"lockfileVersion\":1{}{}",
            ",\"dependencies\":{\"a\":{\"version\":\"1\"".repeat(10_000),
            "}}".repeat(10_000)
        );
        for (text, expected) in [
            (r#"{"lockfileVersion":4}"#, "of version 1 to 3, found version 4"),
            ("{\n\"packages\": []}", "package-lock.json line 2, found invalid type"),
            (
                r#"{"packages":{"node_modules/a":{"version":"1","integrity":"sha512-abc"}}}"#,
                "expected an integrity of a (W3C SRI)",
            ),
            (r#"{"packages":{"node_modules/@a":{"version":"1"}}}"#, "found \"@a\""),
            (r#"{"packages":{"node_modules/":{"version":"1"}}}"#, "expected a package's name"),
            (&nested, "recursion limit"),
        ] {
            check_refused(Kind::Npm, text, expected);
        }
    }
}
