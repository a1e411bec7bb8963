//! `yarn.lock` of both generations, through `yarn-lock-parser`: version 1, which has a format of its
//! own, and the YAML of yarn 2 and later ("berry"). Bun writes version 1, too.
//!
//! The checksum that berry states is of the archive in its own cache, not of the package's tarball,
//! so it is left out.

use yarn_lock_parser::{Entry, Lockfile};

use super::LockfileError;
use super::checksum::{self, Checksums};
use super::dependency::Gathered;
use super::error::line_of;
use super::npm;
use super::package::{Origin, Package, Type};

pub(super) fn read(text: &str, found: &mut Gathered) -> Result<(), LockfileError> {
    let kind = found.kind();
    let Lockfile { entries, version, .. } = yarn_lock_parser::parse_str(text).map_err(|_| {
        LockfileError::malformed(kind, None, "entries as yarn writes them", "another text")
    })?;
    check_entries(text, &entries, found)?;
    for entry in &entries {
        if version == 1 { classic(entry, found) } else { berry(entry, found) }?;
    }
    Ok(())
}

/// Checks that each head of an entry became one. The parser ends an entry at an empty line alone,
/// so that a missing one would give a package the version of the next.
fn check_entries(text: &str, entries: &[Entry<'_>], found: &Gathered) -> Result<(), LockfileError> {
    let is_head = |line: &&str| {
        line.ends_with(':') && !line.starts_with([' ', '\t', '#']) && *line != "__metadata:"
    };
    let heads = text.lines().filter(is_head).count();
    if heads == entries.len() {
        return Ok(());
    }
    let mut before = "";
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if is_head(&line.trim_ascii_end()) && !before.trim_ascii().is_empty() {
            let (line, expected) = (Some(line_of(text, offset)), "an empty line before an entry");
            return Err(LockfileError::malformed(found.kind(), line, expected, before));
        }
        before = line;
        offset += line.len();
    }
    let expected = format!("{heads} entries");
    Err(LockfileError::malformed(found.kind(), None, expected, &entries.len().to_string()))
}

/// An entry of version 1.
fn classic(entry: &Entry<'_>, found: &mut Gathered) -> Result<(), LockfileError> {
    let range = entry.descriptors.first().map_or("", |(_, range)| *range);
    let resolved = Some(entry.resolved).filter(|resolved| !resolved.is_empty());
    let integrity = Some(entry.integrity).filter(|integrity| !integrity.is_empty());
    // A folder of the project. A file there has its path under `resolved`.
    let local = ["file:", "link:", "workspace:", "./", "../", "/"];
    if resolved.is_none() && local.iter().any(|prefix| range.starts_with(prefix)) {
        return Ok(());
    }
    let name = range.strip_prefix("npm:").and_then(|range| aliased(range, entry.resolved));
    let origin = match resolved.and_then(npm::place) {
        None => Origin::Registry,
        // A registry's tarball, unless it was asked for by its URL.
        Some(Origin::Url(_)) if npm::place(range).is_none() => Origin::Registry,
        Some(origin) => origin,
    };
    let package = Package::new(Type::Npm, name.unwrap_or(entry.name), Some(entry.version));
    // The tarball's SHA-1 stands behind its URL where there is no integrity, and often beside it.
    let fragment = resolved.and_then(|url| url.rsplit_once('#')).map(|(_, fragment)| fragment);
    let sha1 = fragment.and_then(|fragment| checksum::hex("sha1", fragment));
    let stated = npm::digests(package.name, integrity, found)?;
    found.add(&package.from(origin), Checksums::of_file(stated.into_iter().chain(sha1)), None)
}

/// The real name of an alias: `npm:<name>@<range>`, or `npm:<name>` without a range.
fn aliased<'a>(range: &'a str, resolved: &str) -> Option<&'a str> {
    match npm::split_version(range) {
        Some((name, _)) => Some(name),
        None => resolved.contains(&format!("/{range}/-/")).then_some(range),
    }
}

/// An entry of berry, which says in `resolution` what it is: `<name>@<protocol>:<reference>`.
fn berry(entry: &Entry<'_>, found: &mut Gathered) -> Result<(), LockfileError> {
    let Some((name, reference)) = npm::split_version(entry.resolved) else {
        let expected = format!("a resolution of {}", entry.name);
        return Err(LockfileError::malformed(found.kind(), None, expected, entry.resolved));
    };
    // Parameters follow two colons: `npm:1.0.0::__archiveUrl=…`.
    let reference = reference.split("::").next().unwrap_or(reference);
    let protocol = reference.split_once(':').map_or("", |(protocol, _)| protocol);
    let package = match protocol {
        // What is linked or copied from a folder is the project's own source. What a script of
        // the project makes is, too.
        "workspace" | "link" | "portal" | "file" | "exec" => return Ok(()),
        "npm" => Package::new(Type::Npm, name, reference.strip_prefix("npm:")),
        // A patched package is listed unpatched as well.
        "patch" => Package::new(Type::Npm, name, Some(entry.version)),
        _ => {
            let origin = npm::place(reference).unwrap_or(Origin::Registry);
            Package::new(Type::Npm, name, Some(entry.version)).from(origin)
        }
    };
    found.add(&package, Checksums::Unstated, None)
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::super::tests::{check, check_refused};

    const CLASSIC: &str = "# THIS IS AN AUTOGENERATED FILE.\n# yarn lockfile v1\n\n\n";
    const BERRY: &str = "# This file is generated by running \"yarn install\".\n# Manual changes \
                         might be lost.\n\n__metadata:\n  version: 8\n  cacheKey: 10c0\n\n";

    #[test]
    fn reads_version_1() {
        let text = r#""@scope/b@^2.0.0", "@scope/b@~2.0.0":
  version "2.0.1"
  resolved "https://registry.yarnpkg.com/@scope/b/-/b-2.0.1.tgz#<sha1:b>"
  integrity <sri512:b>

a@^1.0.0:
  version "1.0.0"
  resolved "https://registry.yarnpkg.com/a/-/a-1.0.0.tgz#<sha1:a>"
  dependencies:
    "@scope/b" "^2.0.0"
  optionalDependencies:
    version "^1.0.0"

"short@npm:long@^3.0.0":
  version "3.0.0"
  resolved "https://registry.yarnpkg.com/long/-/long-3.0.0.tgz"
  integrity <sri512:c>

"shorter@npm:long-too":
  version "4.0.0"
  resolved "https://registry.yarnpkg.com/long-too/-/long-too-4.0.0.tgz"

"folder@file:../folder":
  version "1.0.0"

"from-git@git+https://git.example.com/g.git":
  version "0.1.0"
  resolved "git+https://git.example.com/g.git#<commit:d>"

"from-url@https://example.com/u.tgz":
  version "0.2.0"
  resolved "https://example.com/u.tgz#<sha1:e>"
"#;
        let expected = [
            "pkg:npm/%40scope/b@2.0.1 sha1:b sha512:b",
            "pkg:npm/a@1.0.0 sha1:a",
            "pkg:npm/from-git@0.1.0?vcs_url=git%2Bhttps:%2F%2Fgit.example.com%2Fg.git\
             %40dddddddddddddddddddddddddddddddddddddddd gitCommit:d",
            "pkg:npm/from-url@0.2.0?download_url=https:%2F%2Fexample.com%2Fu.tgz sha1:e",
            "pkg:npm/long-too@4.0.0",
            "pkg:npm/long@3.0.0 sha512:c",
        ];
        check(Kind::Yarn, &format!("{CLASSIC}{text}"), &expected);
        check(Kind::Yarn, &format!("{CLASSIC}{text}").replace('\n', "\r\n"), &expected);
        check(Kind::Yarn, CLASSIC, &[]);
    }

    #[test]
    fn reads_berry_without_the_checksums_of_its_cache() {
        let text = r#""@scope/b@npm:^2.0.0, @scope/b@npm:~2.0.0":
  version: 2.0.1
  resolution: "@scope/b@npm:2.0.1"
  dependencies:
    a: "npm:^1.0.0"
  checksum: 10c0/<sha512:a>
  languageName: node
  linkType: hard

"a@npm:^1.0.0":
  version: 1.0.0
  resolution: "a@npm:1.0.0::__archiveUrl=https%3A%2F%2Fnpm.example.com%2Fa.tgz"
  bin:
    version: ./bin.js
  checksum: 10c0/<sha512:b>
  languageName: node
  linkType: hard

"app@workspace:.":
  version: 0.0.0-use.local
  resolution: "app@workspace:."
  languageName: unknown
  linkType: soft

"from-git@git+https://git.example.com/g.git":
  version: 0.1.0
  resolution: "from-git@https://git.example.com/g.git#commit=<commit:d>"
  languageName: node
  linkType: hard

"linked@link:../linked::locator=app%40workspace%3A.":
  version: 0.0.0-use.local
  resolution: "linked@link:../linked::locator=app%40workspace%3A."
  languageName: node
  linkType: soft

"patched@patch:patched@npm%3A^5.0.0#~/.yarn/patches/p.patch":
  version: 5.0.4
  resolution: "patched@patch:patched@npm%3A5.0.4#~/.yarn/patches/p.patch::version=5.0.4&hash=1"
  languageName: node
  linkType: hard

"short@npm:long@^3.0.0":
  version: 3.0.0
  resolution: "long@npm:3.0.0"
  languageName: node
  linkType: hard
"#;
        check(
            Kind::Yarn,
            &format!("{BERRY}{text}"),
            &[
                "pkg:npm/%40scope/b@2.0.1",
                "pkg:npm/a@1.0.0",
                "pkg:npm/from-git@0.1.0?vcs_url=git%2Bhttps:%2F%2Fgit.example.com%2Fg.git\
                 %40dddddddddddddddddddddddddddddddddddddddd gitCommit:d",
                "pkg:npm/long@3.0.0",
                "pkg:npm/patched@5.0.4",
            ],
        );
    }

    #[test]
    fn refuses_what_yarn_would_not_have_written() {
        let entry = |name: &str| format!("{name}@^1:\n  version \"1.0.0\"\n");
        let [a, b] = ["a", "b"].map(entry);
        for (text, expected) in [
            (
                format!("{CLASSIC}{a}{b}"),
                "expected an empty line before an entry in yarn.lock line 7",
            ),
            (format!("{CLASSIC}{a}\n<<<<<<< HEAD\n{b}"), "entries as yarn writes them"),
            (format!("{CLASSIC}{a}  integrity sha512-abc\n"), "an integrity of a"),
            (format!("{BERRY}{}", a.replace("version ", "version: ")), "a resolution of a"),
            (a, "entries as yarn writes them"),
        ] {
            check_refused(Kind::Yarn, &text, expected);
        }
    }
}
