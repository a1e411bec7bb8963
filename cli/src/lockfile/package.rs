//! A package as a lockfile names it, and its package URL (purl-spec, through `packageurl`).

use std::borrow::Cow;
use std::path::Path;

use packageurl::PackageUrl;

use super::checksum::{self, Checksums};

/// The longest name or version. npm allows names of 214 bytes, and no registry longer ones.
const MAX_WORD_BYTES: usize = 256;
/// The longest URL that is named. A longer one is left out: the package is found without it.
const MAX_URL_BYTES: usize = 512;

/// The types of packages that lockfiles name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Cargo,
    Composer,
    Gem,
    Generic,
    Golang,
    Maven,
    Npm,
    PyPi,
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Self::Cargo => "cargo",
            Self::Composer => "composer",
            Self::Gem => "gem",
            Self::Generic => "generic",
            Self::Golang => "golang",
            Self::Maven => "maven",
            Self::Npm => "npm",
            Self::PyPi => "pypi",
        }
    }

    /// Takes a name apart as the package URL does; nothing where a part is missing.
    fn split(self, name: &str) -> Option<(Option<&str>, &str)> {
        let (namespace, name) = match self {
            Self::Cargo | Self::Gem | Self::Generic | Self::PyPi => (None, name),
            Self::Maven => name.split_once(':').map(|(group, name)| (Some(group), name))?,
            Self::Composer => name.split_once('/').map(|(vendor, name)| (Some(vendor), name))?,
            Self::Npm if name.starts_with('@') => {
                name.split_once('/').map(|(scope, name)| (Some(scope), name))?
            }
            Self::Npm => (None, name),
            Self::Golang => match name.rsplit_once('/') {
                Some((path, name)) => (Some(path), name),
                None => (None, name),
            },
        };
        // Go's paths alone have more parts than two.
        let plain = |part: &str| !part.is_empty() && !matches!(part, "." | ".." | "@");
        let deep = self == Self::Golang;
        let fits = plain(name)
            && !name.contains('/')
            && namespace.is_none_or(|path| path.split('/').all(plain))
            && namespace.is_none_or(|path| deep || !path.contains('/'));
        fits.then_some((namespace, name))
    }
}

/// Where a package comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin<'a> {
    /// From the registry that its type implies, or from what the lockfile does not tell from it.
    Registry,
    /// From another registry.
    OtherRegistry(&'a str),
    /// From a git repository, at a commit.
    Git { repository: Cow<'a, str>, commit: Option<&'a str> },
    /// From a file at a URL.
    Url(&'a str),
    /// From a file in the project.
    File(&'a str),
}

impl<'a> Origin<'a> {
    /// The origin that is a file at a URL. An archive that GitHub makes of a commit is that commit:
    /// `https://codeload.github.com/<owner>/<name>/tar.gz/<commit>`.
    pub(super) fn of_url(url: &'a str) -> Self {
        url.strip_prefix("https://codeload.github.com/")
            .and_then(|rest| rest.split_once("/tar.gz/"))
            .filter(|(_, commit)| checksum::commit(commit).is_some())
            .map_or(Self::Url(url), |(repository, commit)| {
                let repository = format!("https://github.com/{repository}.git").into();
                Self::Git { repository, commit: Some(commit) }
            })
    }

    /// The origin that a git URL names: `git+ssh://git@host/path.git#<commit>`.
    pub(super) fn of_git(url: &'a str) -> Self {
        let (repository, fragment) = url.split_once('#').map_or((url, None), |(r, f)| (r, Some(f)));
        // yarn writes `#commit=<id>`, and other words with it.
        let commit = fragment.map(|fragment| {
            fragment.split('&').find_map(|part| part.strip_prefix("commit=")).unwrap_or(fragment)
        });
        Self::Git { repository: repository.into(), commit }
    }

    /// What is known of a package from git; nothing for others.
    pub(super) fn commit_checksums(&self) -> Option<Checksums> {
        let Self::Git { commit, .. } = self else { return None };
        Some(Checksums::of_file(commit.and_then(checksum::commit)))
    }

    /// The qualifier of the package URL that says it (purl-spec, "Known qualifiers key/value
    /// pairs").
    fn qualifier(&self) -> Option<(&'static str, String)> {
        Some(match self {
            Self::Registry => return None,
            Self::OtherRegistry(url) => ("repository_url", public_url(url)?),
            Self::Url(url) => ("download_url", public_url(url)?),
            Self::File(path) => {
                let path = path.strip_prefix("file:").unwrap_or(path);
                let name = Path::new(path).file_name()?.to_str()?;
                ("file_name", Some(name).filter(|name| name.len() <= MAX_WORD_BYTES)?.to_owned())
            }
            Self::Git { repository, commit } => {
                let repository = public_url(repository.strip_prefix("git+").unwrap_or(repository))?;
                let commit = commit.filter(|commit| is_word(commit));
                let at = commit.map(|commit| format!("@{commit}")).unwrap_or_default();
                ("vcs_url", format!("git+{repository}{at}"))
            }
        })
    }
}

/// A URL without what may be secret in it: user and password, query and fragment. A user `git` is
/// no secret and stays. Nothing for what is no URL of a remote host, and where it is too long.
fn public_url(url: &str) -> Option<String> {
    const SCHEMES: &[&str] = &["https", "http", "ssh", "git", "sparse+https", "sparse+http"];
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let url = url.get(..end)?;
    let (scheme, rest) = match url.split_once("://") {
        Some(parts) => parts,
        // The short form of ssh: `git@host:path`.
        None => {
            let (user, place) = url.split_once('@')?;
            let (host, path) = place.split_once(':')?;
            return public_url(&format!("ssh://{user}@{host}/{path}"));
        }
    };
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let user = if user == "git" { "git@" } else { "" };
    let plain = !url.contains(|c: char| c.is_whitespace() || c.is_control());
    let fits = SCHEMES.contains(&scheme) && !host.is_empty() && plain && url.len() <= MAX_URL_BYTES;
    fits.then(|| format!("{scheme}://{user}{host}{path}"))
}

/// Why a package has no package URL.
#[derive(Debug)]
pub(super) enum NoPurl {
    Name(String),
    Version(String),
}

impl NoPurl {
    pub(super) fn expected(&self) -> String {
        match self {
            Self::Name(_) => format!("a package's name of at most {MAX_WORD_BYTES} bytes"),
            Self::Version(_) => format!("a version of at most {MAX_WORD_BYTES} bytes"),
        }
    }

    pub(super) fn found(&self) -> &str {
        match self {
            Self::Name(text) | Self::Version(text) => text,
        }
    }
}

/// A package as a lockfile names it.
#[derive(Debug, Clone)]
pub(super) struct Package<'a> {
    pub(super) ty: Type,
    /// The whole name in its ecosystem's own form: `@scope/name`, `group:artifact`.
    pub(super) name: &'a str,
    pub(super) version: Option<&'a str>,
    pub(super) origin: Origin<'a>,
    /// Further qualifiers of the package URL.
    pub(super) qualifiers: &'a [(&'static str, &'a str)],
}

impl<'a> Package<'a> {
    /// A package of its type's own registry.
    pub(super) fn new(ty: Type, name: &'a str, version: Option<&'a str>) -> Self {
        Self { ty, name, version, origin: Origin::Registry, qualifiers: &[] }
    }

    pub(super) fn from(self, origin: Origin<'a>) -> Self {
        Self { origin, ..self }
    }

    /// The canonical package URL.
    pub(super) fn purl(&self) -> Result<String, NoPurl> {
        let no_name = || NoPurl::Name(self.name.to_owned());
        if !is_word(self.name) {
            return Err(no_name());
        }
        if let Some((_, value)) = self.qualifiers.iter().find(|(_, value)| !is_word(value)) {
            return Err(NoPurl::Name((*value).to_owned()));
        }
        if let Some(version) = self.version.filter(|version| !is_word(version)) {
            return Err(NoPurl::Version(version.to_owned()));
        }
        let (namespace, name) = self.ty.split(self.name).ok_or_else(no_name)?;
        let name = if self.ty == Type::PyPi { normal_python_name(name) } else { name.into() };
        let mut purl = PackageUrl::new(self.ty.name(), name).map_err(|_| no_name())?;
        if let Some(namespace) = namespace {
            purl.with_namespace(namespace).map_err(|_| no_name())?;
        }
        if let Some(version) = self.version {
            purl.with_version(version).map_err(|_| NoPurl::Version(version.to_owned()))?;
        }
        let qualifiers = self.qualifiers.iter().map(|(key, value)| (*key, (*value).to_owned()));
        for (key, value) in qualifiers.chain(self.origin.qualifier()) {
            purl.add_qualifier(key, value).map_err(|_| no_name())?;
        }
        purl.validate().map_err(|_| no_name())?;
        Ok(purl.to_string())
    }
}

fn is_word(text: &str) -> bool {
    let blank = |c: char| c.is_whitespace() || c.is_control();
    !text.is_empty() && text.len() <= MAX_WORD_BYTES && !text.contains(blank)
}

/// The normalised name of a Python project: lower case, and one dash for each run of dashes,
/// underscores and dots (PEP 503; purl-spec's `pypi-definition.json` asks for the same).
fn normal_python_name(name: &str) -> Cow<'_, str> {
    let mut normal = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if normal.ends_with('-') => {}
            '-' | '_' | '.' => normal.push('-'),
            c => normal.push(c.to_ascii_lowercase()),
        }
    }
    Cow::Owned(normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn names_packages_as_their_types_do() {
        let check = |ty, name, version, expected: Result<&str, &str>| {
            let found = Package::new(ty, name, version).purl();
            let found = found.as_deref().map_err(NoPurl::found);
            assert_eq!(found, expected, "{name}");
        };
        check(Type::Cargo, "serde", Some("1.0.0+x"), Ok("pkg:cargo/serde@1.0.0%2Bx"));
        check(Type::Npm, "@babel/core", Some("7.1.0"), Ok("pkg:npm/%40babel/core@7.1.0"));
        check(Type::Npm, "JSONStream", None, Ok("pkg:npm/jsonstream"));
        check(Type::PyPi, "Zope._.Interface", Some("5"), Ok("pkg:pypi/zope-interface@5"));
        let azure = "github.com/Azure/sdk/v2";
        check(Type::Golang, azure, Some("v2.0.0"), Ok("pkg:golang/github.com/azure/sdk/v2@v2.0.0"));
        check(Type::Golang, "rsc.io", None, Ok("pkg:golang/rsc.io"));
        let guava = "com.google.guava:guava";
        check(Type::Maven, guava, Some("31-jre"), Ok("pkg:maven/com.google.guava/guava@31-jre"));
        check(Type::Composer, "Symfony/Yaml", None, Ok("pkg:composer/symfony/yaml"));
        check(Type::Gem, "rack", Some("3.0"), Ok("pkg:gem/rack@3.0"));
        for (ty, name) in [
            (Type::Cargo, ""),
            (Type::Cargo, "a b"),
            (Type::Cargo, "a/b"),
            (Type::Npm, "@scope"),
            (Type::Npm, "@/a"),
            (Type::Npm, "@a/b/c"),
            (Type::Npm, "a/b"),
            (Type::Golang, "a//b"),
            (Type::Golang, "a/../b"),
            (Type::Maven, "a"),
            (Type::Maven, ":a"),
            (Type::Composer, "a"),
        ] {
            check(ty, name, None, Err(name));
        }
        check(Type::Gem, "a", Some("1\n"), Err("1\n"));
        let long = "a".repeat(MAX_WORD_BYTES + 1);
        check(Type::Gem, &long, None, Err(&long));
        check(Type::Gem, "a", Some(&long), Err(&long));
    }

    #[test]
    fn names_where_a_package_is_from_and_no_credentials() {
        let check = |origin: Origin<'_>, expected: &str| {
            let package = Package::new(Type::Gem, "a", Some("1")).from(origin.clone());
            let found = package.purl().unwrap();
            assert_eq!(found.strip_prefix("pkg:gem/a@1"), Some(expected), "{origin:?}");
        };
        check(Origin::Registry, "");
        check(
            Origin::OtherRegistry("https://u:p@h/x?token=1#y"),
            "?repository_url=https:%2F%2Fh%2Fx",
        );
        check(Origin::OtherRegistry("file:///home/x"), "");
        check(Origin::Url("https://h/a.tgz"), "?download_url=https:%2F%2Fh%2Fa.tgz");
        check(Origin::Url(&format!("https://h/{}", "a".repeat(MAX_URL_BYTES))), "");
        check(Origin::File("file:../up/a.tgz"), "?file_name=a.tgz");
        let at = format!("%40{COMMIT}");
        for (url, expected) in [
            ("git+https://token@h/r.git", "https:%2F%2Fh%2Fr.git"),
            ("git+ssh://git@h/r.git", "ssh:%2F%2Fgit%40h%2Fr.git"),
            ("git@h:o/r.git", "ssh:%2F%2Fgit%40h%2Fo%2Fr.git"),
        ] {
            let origin = Origin::Git { repository: url.into(), commit: Some(COMMIT) };
            check(origin, &format!("?vcs_url=git%2B{expected}{at}"));
        }
    }

    #[test]
    fn sees_the_commit_in_a_url() {
        let url = format!("git+ssh://git@h/r.git#{COMMIT}");
        let git = Origin::Git { repository: "git+ssh://git@h/r.git".into(), commit: Some(COMMIT) };
        assert_eq!(Origin::of_git(&url), git);
        let url = format!("git+ssh://git@h/r.git#workspace=a&commit={COMMIT}");
        assert_eq!(Origin::of_git(&url), git);
        let url = format!("https://codeload.github.com/o/r/tar.gz/{COMMIT}");
        let repository = "https://github.com/o/r.git";
        let git = Origin::Git { repository: repository.into(), commit: Some(COMMIT) };
        assert_eq!(Origin::of_url(&url), git);
        let url = "https://codeload.github.com/o/r/tar.gz/main";
        assert_eq!(Origin::of_url(url), Origin::Url(url));
    }
}
