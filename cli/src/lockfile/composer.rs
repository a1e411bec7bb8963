//! `composer.lock` (Composer's documentation, "The composer.lock file").

use super::LockfileError;
use super::checksum::{self, Checksums};
use super::dependency::Gathered;
use super::document;
use super::package::{Origin, Package, Type};

#[derive(serde::Deserialize)]
struct Document {
    packages: Vec<Entry>,
    #[serde(default, rename = "packages-dev")]
    packages_dev: Option<Vec<Entry>>,
}

#[derive(serde::Deserialize)]
struct Entry {
    name: String,
    version: String,
    dist: Option<Place>,
    source: Option<Place>,
}

#[derive(serde::Deserialize)]
struct Place {
    #[serde(rename = "type")]
    kind: String,
    url: String,
    reference: Option<String>,
    /// The SHA-1 of the archive; empty where the registry states none.
    shasum: Option<String>,
}

pub(super) fn read(text: &str, found: &mut Gathered) -> Result<(), LockfileError> {
    let document: Document = document::json(found.kind(), text)?;
    for entry in document.packages.iter().chain(document.packages_dev.iter().flatten()) {
        let shasum = match (&entry.dist, &entry.source) {
            // A folder of the project.
            (Some(dist), _) if dist.kind == "path" => continue,
            (Some(dist), _) => dist.shasum.as_deref().filter(|sum| !sum.is_empty()),
            (None, _) => None,
        };
        let checksums = match shasum {
            None => Checksums::Unstated,
            Some(sum) => Checksums::of_file([checksum::hex("sha1", sum).ok_or_else(|| {
                let expected = format!("a SHA-1 of {}", entry.name);
                LockfileError::malformed(found.kind(), None, expected, sum)
            })?]),
        };
        let origin = match (&entry.dist, &entry.source) {
            (None, Some(source)) if source.kind == "git" => Origin::Git {
                repository: source.url.as_str().into(),
                commit: source.reference.as_deref(),
            },
            _ => Origin::Registry,
        };
        let package = Package::new(Type::Composer, &entry.name, Some(&entry.version)).from(origin);
        found.add(&package, checksums, None)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::super::tests::{check, check_refused};

    #[test]
    fn reads_packages_for_use_and_for_development() {
        check(
            Kind::Composer,
            r#"{
  "_readme": ["This file locks the dependencies"], "content-hash": "x",
  "packages": [
    {
      "name": "vendor/a", "version": "v1.0.0", "type": "library",
      "source": {"type": "git", "url": "https://github.com/vendor/a.git", "reference": "<commit:1>"},
      "dist": {"type": "zip", "url": "https://api.github.com/a", "reference": "1", "shasum": ""}
    },
    {
      "name": "Vendor/B", "version": "2.0.0",
      "dist": {"type": "zip", "url": "https://example.com/b.zip", "shasum": "<sha1:b>"}
    },
    {
      "name": "vendor/from-git", "version": "dev-main",
      "source": {"type": "git", "url": "https://git.example.com/g.git", "reference": "<commit:c>"}
    },
    {"name": "vendor/here", "version": "1.0.0", "dist": {"type": "path", "url": "../here"}}
  ],
  "packages-dev": [{"name": "vendor/d", "version": "3.0.0"}],
  "platform": []
}"#,
            &[
                "pkg:composer/vendor/a@v1.0.0",
                "pkg:composer/vendor/b@2.0.0 sha1:b",
                "pkg:composer/vendor/d@3.0.0",
                "pkg:composer/vendor/from-git@dev-main?vcs_url=git%2Bhttps:%2F%2Fgit.example.com\
                 %2Fg.git%40cccccccccccccccccccccccccccccccccccccccc gitCommit:c",
            ],
        );
    }

    #[test]
    fn refuses_what_composer_would_not_have_written() {
        for (text, expected) in [
            ("{}", "composer.lock line 1, found missing field `packages`"),
            (r#"{"packages":[{"name":"a","version":"1"}]}"#, "a package's name"),
            (
                r#"{"packages":[{"name":"v/a","version":"1","dist":{"type":"zip","url":"u","shasum":"x"}}]}"#,
                "expected a SHA-1 of v/a",
            ),
        ] {
            check_refused(Kind::Composer, text, expected);
        }
    }
}
