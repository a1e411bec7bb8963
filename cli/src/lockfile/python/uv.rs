//! `uv.lock` of version 1, with `[[distribution]]` for `[[package]]` as its first writers had it.

use super::super::document;
use super::super::package::Origin;
use super::super::{LockfileError, dependency::Gathered};

#[derive(serde::Deserialize)]
struct Document {
    version: u32,
    #[serde(default, alias = "distribution")]
    package: Vec<Entry>,
}

#[derive(serde::Deserialize)]
struct Entry {
    name: String,
    /// Nothing for a folder whose version its build decides.
    version: Option<String>,
    source: Source,
    sdist: Option<File>,
    #[serde(default)]
    wheels: Vec<File>,
}

/// One of these is there.
#[derive(serde::Deserialize)]
struct Source {
    registry: Option<String>,
    git: Option<String>,
    url: Option<String>,
    /// A file.
    path: Option<String>,
}

#[derive(serde::Deserialize)]
struct File {
    hash: Option<String>,
}

pub(in super::super) fn read(text: &str, found: &mut Gathered) -> Result<(), LockfileError> {
    let document: Document = document::toml(found.kind(), text)?;
    if document.version != 1 {
        return Err(LockfileError::version(found.kind(), "1", document.version));
    }
    for entry in &document.package {
        let Some(origin) = origin(&entry.source) else { continue };
        let files = entry.sdist.iter().chain(&entry.wheels);
        let hashes = files.map(|file| file.hash.as_deref());
        super::add((&entry.name, entry.version.as_deref()), origin, hashes, found)?;
    }
    Ok(())
}

/// Where a package is from; nothing for a folder (`directory`, `editable`, `virtual`), which is the
/// project's own source.
fn origin(source: &Source) -> Option<Origin<'_>> {
    let registry = source.registry.as_deref().map(super::index);
    // The reference that was asked for stands in the query, and the commit behind it.
    let git = source.git.as_deref().map(Origin::of_git);
    let url = source.url.as_deref().map(Origin::of_url);
    let file = source.path.as_deref().map(Origin::File);
    registry.or(git).or(url).or(file)
}

#[cfg(test)]
mod tests {
    use super::super::super::Kind;
    use super::super::super::tests::{check, check_refused};

    const PACKAGES: &str = r#"
version = 1
revision = 3
requires-python = ">=3.10"

[[package]]
name = "app"
version = "0.1.0"
source = { virtual = "." }
dependencies = [{ name = "one-file" }]

[[package]]
name = "member"
source = { editable = "packages/member" }

[[package]]
name = "one-file"
version = "1.0.0"
source = { registry = "https://pypi.org/simple" }
wheels = [
    { url = "https://files.pythonhosted.org/one_file-1.0.0.whl", hash = "sha256:<sha256:a>", size = 1 },
]

[[package]]
name = "two-files"
version = "2.0.0"
source = { registry = "https://pypi.org/simple" }
sdist = { url = "https://files.pythonhosted.org/two.tar.gz", hash = "sha256:<sha256:b>", size = 1 }
wheels = [
    { url = "https://files.pythonhosted.org/two-cp312.whl", hash = "sha256:<sha256:c>", size = 1 },
]

[[package]]
name = "half-stated"
version = "3.0.0"
source = { registry = "https://pypi.example.com/simple" }
sdist = { url = "https://pypi.example.com/half.tar.gz" }
wheels = [{ url = "https://pypi.example.com/half.whl", hash = "sha256:<sha256:d>" }]

[[package]]
name = "from-git"
version = "0.1.0"
source = { git = "https://git.example.com/g.git?rev=main#<commit:e>" }

[[package]]
name = "from-url"
version = "0.2.0"
source = { url = "https://example.com/u-0.2.0.whl" }
wheels = [{ url = "https://example.com/u-0.2.0.whl", hash = "sha256:<sha256:f>" }]

[[package]]
name = "from-path"
version = "0.3.0"
source = { path = "vendor/p-0.3.0.whl" }
wheels = [{ filename = "p-0.3.0.whl", hash = "sha256:<sha256:1>" }]
"#;

    #[test]
    fn reads_packages_from_everywhere_but_the_project() {
        let expected = [
            "pkg:pypi/from-git@0.1.0?vcs_url=git%2Bhttps:%2F%2Fgit.example.com%2Fg.git\
             %40eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee gitCommit:e",
            "pkg:pypi/from-path@0.3.0?file_name=p-0.3.0.whl sha256:1",
            "pkg:pypi/from-url@0.2.0?download_url=https:%2F%2Fexample.com%2Fu-0.2.0.whl sha256:f",
            "pkg:pypi/half-stated@3.0.0?repository_url=https:%2F%2Fpypi.example.com%2Fsimple \
             [sha256:d]",
            "pkg:pypi/one-file@1.0.0 sha256:a",
            "pkg:pypi/two-files@2.0.0 [sha256:b sha256:c]",
        ];
        check(Kind::Uv, PACKAGES, &expected);
        check(Kind::Uv, &PACKAGES.replace("[[package]]", "[[distribution]]"), &expected);
    }

    #[test]
    fn refuses_what_uv_would_not_have_written() {
        check_refused(Kind::Uv, "version = 2", "expected uv.lock of version 1, found version 2");
        check_refused(Kind::Uv, "", "missing field `version`");
        check_refused(Kind::Uv, "version = 1\n[[package]]\nname = \"a\"", "uv.lock line 2, found");
    }
}
