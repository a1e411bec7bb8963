//! `poetry.lock` of Poetry 1 and 2, lock-version 1 and 2.
//!
//! The hashes of a package's files stand with the package since lock-version 2.0, in version 1.1
//! under `metadata.files`, and before that, without the files' names, under `metadata.hashes`.

use std::collections::HashMap;

use super::super::document::{self, Members};
use super::super::package::Origin;
use super::super::{LockfileError, dependency::Gathered};

#[derive(serde::Deserialize)]
struct Document {
    #[serde(default)]
    package: Vec<Entry>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(serde::Deserialize, Default)]
struct Metadata {
    #[serde(rename = "lock-version")]
    lock_version: Option<String>,
    #[serde(default)]
    files: Members<Vec<File>>,
    #[serde(default)]
    hashes: Members<Vec<String>>,
}

#[derive(serde::Deserialize)]
struct Entry {
    name: String,
    version: String,
    source: Option<Source>,
    #[serde(default)]
    files: Vec<File>,
}

#[derive(serde::Deserialize)]
struct File {
    hash: String,
}

#[derive(serde::Deserialize)]
struct Source {
    #[serde(rename = "type")]
    kind: String,
    url: String,
    /// The branch, tag or commit that was asked for; of an index, its name.
    reference: Option<String>,
    resolved_reference: Option<String>,
}

pub(in super::super) fn read(text: &str, found: &mut Gathered) -> Result<(), LockfileError> {
    let document: Document = document::toml(found.kind(), text)?;
    let metadata = document.metadata;
    let version = metadata.lock_version.as_deref().unwrap_or("1.0");
    if !matches!(version.split('.').next(), Some("1" | "2")) {
        return Err(LockfileError::version(found.kind(), "1 or 2", version));
    }
    let files: HashMap<String, Vec<File>> = metadata.files.0.into_iter().collect();
    let hashes: HashMap<String, Vec<String>> = metadata.hashes.0.into_iter().collect();
    for entry in &document.package {
        let Some(origin) = entry.source.as_ref().map_or(Some(Origin::Registry), origin) else {
            continue;
        };
        let stated = match entry.files.as_slice() {
            [] => files.get(&entry.name).map(Vec::as_slice).unwrap_or_default(),
            files => files,
        };
        let stated = stated.iter().map(|file| file.hash.clone());
        // The oldest hashes are SHA-256 without saying so.
        let bare = hashes.get(&entry.name).into_iter().flatten();
        let all: Vec<String> = stated.chain(bare.map(|hash| format!("sha256:{hash}"))).collect();
        let hashes = all.iter().map(|hash| Some(hash.as_str()));
        super::add((&entry.name, Some(&entry.version)), origin, hashes, found)?;
    }
    Ok(())
}

/// Where a package is from; nothing for a folder, which is the project's own source.
fn origin(source: &Source) -> Option<Origin<'_>> {
    Some(match source.kind.as_str() {
        "directory" => return None,
        "git" => Origin::Git {
            repository: source.url.as_str().into(),
            commit: source.resolved_reference.as_deref().or(source.reference.as_deref()),
        },
        "url" => Origin::of_url(&source.url),
        "file" => Origin::File(&source.url),
        _ => super::index(&source.url),
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::Kind;
    use super::super::super::tests::{check, check_refused};

    const GIT: &str = "pkg:pypi/from-git@0.1.0?vcs_url=git%2Bhttps:%2F%2Fgit.example.com%2Fg.git\
                       %40eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee gitCommit:e";

    /// Packages of lock-version 2, which state their hashes themselves.
    const PACKAGES: &str = r#"
[[package]]
name = "one-file"
version = "1.0.0"
description = "A package with a wheel for every platform."
optional = false
python-versions = ">=3.8"
groups = ["main"]
files = [
    {file = "one_file-1.0.0-py3-none-any.whl", hash = "sha256:<sha256:a>"},
]

[package.dependencies]
Two-Files = ">=2"

[[package]]
name = "Two.Files"
version = "2.0.0"
files = [
    {file = "two_files-2.0.0-cp312-win32.whl", hash = "sha256:<sha256:b>"},
    {file = "two_files-2.0.0.tar.gz", hash = "sha256:<sha256:c>"},
]

[[package]]
name = "elsewhere"
version = "3.0.0"
files = [{file = "elsewhere-3.0.0.tar.gz", hash = "md5:<md5:d>"}]

[package.source]
type = "legacy"
url = "https://user:pass@pypi.example.com/simple"
reference = "example"

[[package]]
name = "from-git"
version = "0.1.0"
files = []
develop = false

[package.source]
type = "git"
url = "https://git.example.com/g.git"
reference = "main"
resolved_reference = "<commit:e>"

[[package]]
name = "beside"
version = "0.2.0"
files = []
develop = true

[package.source]
type = "directory"
url = "../beside"

[[package]]
name = "wheel"
version = "0.3.0"
files = [{file = "wheel-0.3.0-py3-none-any.whl", hash = "sha256:<sha256:f>"}]

[package.source]
type = "file"
url = "vendor/wheel-0.3.0-py3-none-any.whl"

[metadata]
lock-version = "<version>"
python-versions = ">=3.8"
content-hash = "<sha256:0>"
"#;

    #[test]
    fn reads_the_hashes_beside_the_packages() {
        for version in ["2.0", "2.1"] {
            check(
                Kind::Poetry,
                &PACKAGES.replace("<version>", version),
                &[
                    "pkg:pypi/elsewhere@3.0.0?repository_url=https:%2F%2Fpypi.example.com%2Fsimple \
                     md5:d",
                    GIT,
                    "pkg:pypi/one-file@1.0.0 sha256:a",
                    "pkg:pypi/two-files@2.0.0 [sha256:b sha256:c]",
                    "pkg:pypi/wheel@0.3.0?file_name=wheel-0.3.0-py3-none-any.whl sha256:f",
                ],
            );
        }
    }

    #[test]
    fn reads_the_hashes_under_metadata() {
        let packages = r#"
[[package]]
name = "one-file"
version = "1.0.0"
category = "main"

[[package]]
name = "two-files"
version = "2.0.0"
category = "dev"

[[package]]
name = "from-git"
version = "0.1.0"

[package.source]
type = "git"
url = "https://git.example.com/g.git"
reference = "<commit:e>"
"#;
        let files = r#"
[metadata]
lock-version = "1.1"

[metadata.files]
one-file = [{file = "one_file-1.0.0-py3-none-any.whl", hash = "sha256:<sha256:a>"}]
two-files = [
    {file = "two_files-2.0.0-cp312-win32.whl", hash = "sha256:<sha256:b>"},
    {file = "two_files-2.0.0.tar.gz", hash = "sha256:<sha256:c>"},
]
from-git = []
"#;
        let hashes = r#"
[metadata]
content-hash = "x"

[metadata.hashes]
one-file = ["<sha256:a>"]
two-files = ["<sha256:b>", "<sha256:c>"]
from-git = []
"#;
        for metadata in [files, hashes] {
            check(
                Kind::Poetry,
                &format!("{packages}{metadata}"),
                &[
                    GIT,
                    "pkg:pypi/one-file@1.0.0 sha256:a",
                    "pkg:pypi/two-files@2.0.0 [sha256:b sha256:c]",
                ],
            );
        }
    }

    #[test]
    fn refuses_what_poetry_would_not_have_written() {
        let package = "[[package]]\nname = \"a\"\nversion = \"1\"\n";
        for (text, expected) in [
            ("[metadata]\nlock-version = \"3.0\"", "of version 1 or 2, found version 3.0"),
            ("[[package]]\nname = \"a\"\n", "poetry.lock line 1, found missing field `version`"),
            (&format!("{package}files = [{{hash = \"abc\"}}]"), "a hash of a such as sha256:<hex>"),
            (&format!("{package}files = 1"), "poetry.lock line 4, found invalid type"),
        ] {
            check_refused(Kind::Poetry, text, expected);
        }
    }
}
