//! `Pipfile.lock` (pipenv, pipfile-spec 6): a map of packages for each category.

use serde::de::IgnoredAny;

use super::super::document::{self, Members};
use super::super::package::Origin;
use super::super::{LockfileError, dependency::Gathered};

/// A member of the document: what is on the file itself, or a category of packages.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Member {
    Category(Members<Entry>),
    Other(IgnoredAny),
}

#[derive(serde::Deserialize)]
struct Entry {
    /// `==1.2.3`.
    version: Option<String>,
    #[serde(default)]
    hashes: Vec<String>,
    git: Option<String>,
    /// The commit.
    #[serde(rename = "ref")]
    reference: Option<String>,
    /// A file at a URL, or in the project.
    file: Option<String>,
    /// A folder or file of the project.
    path: Option<String>,
}

pub(in super::super) fn read(text: &str, found: &mut Gathered) -> Result<(), LockfileError> {
    let document: Members<Member> = document::json(found.kind(), text)?;
    if !document.0.iter().any(|(name, _)| name == "_meta") {
        let expected = "a member _meta";
        return Err(LockfileError::malformed(found.kind(), None, expected, "none"));
    }
    for (category, member) in &document.0 {
        match member {
            _ if category.starts_with('_') => {}
            Member::Category(packages) => {
                for (name, entry) in &packages.0 {
                    add(name, entry, found)?;
                }
            }
            Member::Other(IgnoredAny) => {
                let expected = format!("packages in {category}");
                return Err(LockfileError::malformed(found.kind(), None, expected, "another form"));
            }
        }
    }
    Ok(())
}

fn add(name: &str, entry: &Entry, found: &mut Gathered) -> Result<(), LockfileError> {
    let origin = match (&entry.git, &entry.file) {
        _ if entry.path.is_some() => return Ok(()),
        (Some(repository), _) => {
            Origin::Git { repository: repository.into(), commit: entry.reference.as_deref() }
        }
        (None, Some(file)) if file.contains("://") => Origin::of_url(file),
        (None, Some(_)) => return Ok(()),
        (None, None) => Origin::Registry,
    };
    let version = entry.version.as_deref().map(|version| version.trim_start_matches('='));
    // An entry for any version, `*`, is of a package that is elsewhere.
    let version = version.filter(|version| *version != "*");
    let hashes = entry.hashes.iter().map(|hash| Some(hash.as_str()));
    super::add((name, version), origin, hashes, found)
}

#[cfg(test)]
mod tests {
    use super::super::super::Kind;
    use super::super::super::tests::{check, check_refused};

    #[test]
    fn reads_every_category() {
        check(
            Kind::Pipfile,
            r#"{
  "_meta": {"hash": {"sha256": "<sha256:0>"}, "pipfile-spec": 6, "sources": []},
  "default": {
    "one-file": {"hashes": ["sha256:<sha256:a>"], "index": "pypi", "version": "==1.0.0"},
    "two.files": {
      "hashes": ["sha256:<sha256:b>", "sha256:<sha256:c>"],
      "markers": "python_version >= '3.8'", "version": "==2.0.0"
    },
    "any": {"version": "*"},
    "app": {"editable": true, "path": "."},
    "wheel": {"file": "vendor/wheel.whl"},
    "from-url": {"file": "https://example.com/u.whl", "hashes": ["sha256:<sha256:d>"]},
    "from-git": {"git": "https://git.example.com/g.git", "ref": "<commit:e>"}
  },
  "develop": {"one-file": {"hashes": ["sha256:<sha256:a>"], "version": "==1.0.0"}},
  "docs": {"three": {"version": "==3.0.0"}}
}"#,
            &[
                "pkg:pypi/any",
                "pkg:pypi/from-git?vcs_url=git%2Bhttps:%2F%2Fgit.example.com%2Fg.git\
                 %40eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee gitCommit:e",
                "pkg:pypi/from-url?download_url=https:%2F%2Fexample.com%2Fu.whl sha256:d",
                "pkg:pypi/one-file@1.0.0 sha256:a",
                "pkg:pypi/three@3.0.0",
                "pkg:pypi/two-files@2.0.0 [sha256:b sha256:c]",
            ],
        );
    }

    #[test]
    fn refuses_what_pipenv_would_not_have_written() {
        check_refused(Kind::Pipfile, "{}", "expected a member _meta in Pipfile.lock, found none");
        check_refused(Kind::Pipfile, r#"{"_meta":{},"default":[1]}"#, "packages in default");
        let hash = r#"{"_meta":{},"default":{"a":{"version":"==1","hashes":["x"]}}}"#;
        check_refused(Kind::Pipfile, hash, "expected a hash of a such as sha256:<hex>");
    }
}
