//! `go.sum` with the `go.mod` beside it ("Go Modules Reference", "go.sum files" and "go.mod files").
//!
//! `go.sum` has a line for each module that was looked at on the way to those that were selected,
//! and two for most: `<module> <version> h1:…` is of the module's files, `<version>/go.mod` of its
//! `go.mod` alone. A module whose files have no line was not built from.
//!
//! "If the main module is at go 1.17 or higher", `go.mod` requires each module that provides a
//! package to the build, so exactly those are listed. Else, and without a `go.mod`, those with a
//! line for their files are: that may be more than were selected.

use std::collections::{BTreeMap, HashMap};

use super::LockfileError;
use super::checksum::{self, Checksums};
use super::dependency::Gathered;
use super::package::{Package, Type};

/// The first version of Go whose `go.mod` requires all modules that packages are built from.
const LISTS_ALL: (u32, u32) = (1, 17);

type PathAndVersion<'a> = (&'a str, &'a str);

/// What `go.mod` says of the modules.
#[derive(Debug, Default, PartialEq, Eq)]
struct Module<'a> {
    go: Option<(u32, u32)>,
    require: Vec<PathAndVersion<'a>>,
    /// By path and version, or by path alone for all versions: the module in their place, or
    /// nothing where a folder is.
    replace: HashMap<(&'a str, Option<&'a str>), Option<PathAndVersion<'a>>>,
}

pub(super) fn read(
    sums: &str,
    module: Option<&str>,
    found: &mut Gathered,
) -> Result<(), LockfileError> {
    let zips = zips(sums, found)?;
    let module = module.map(parse_module).unwrap_or_default();
    if module.go.is_none_or(|version| version < LISTS_ALL) {
        for ((path, version), (line, hash)) in &zips {
            add(path, version, hash, *line, found)?;
        }
        return Ok(());
    }
    for (path, version) in &module.require {
        let Some((path, version)) = module.selected(path, version) else { continue };
        if let Some((line, hash)) = zips.get(&(path, version)) {
            add(path, version, hash, *line, found)?;
        }
    }
    Ok(())
}

type Zips<'a> = BTreeMap<PathAndVersion<'a>, (usize, &'a str)>;

/// The modules whose files have a line, with the line and the hash there.
fn zips<'a>(sums: &'a str, found: &Gathered) -> Result<Zips<'a>, LockfileError> {
    let mut zips = BTreeMap::new();
    for (index, line) in sums.lines().enumerate() {
        let mut words = line.split_ascii_whitespace();
        match (words.next(), words.next(), words.next(), words.next()) {
            (None, ..) => {}
            (Some(path), Some(version), Some(hash), None) => {
                if !version.ends_with("/go.mod") {
                    zips.insert((path, version), (index + 1, hash));
                }
            }
            _ => {
                let expected = "a module, its version and a hash";
                return Err(LockfileError::malformed(
                    found.kind(),
                    Some(index + 1),
                    expected,
                    line,
                ));
            }
        }
    }
    Ok(zips)
}

fn add(
    path: &str,
    version: &str,
    hash: &str,
    line: usize,
    found: &mut Gathered,
) -> Result<(), LockfileError> {
    let digest = checksum::directory_hash(hash).ok_or_else(|| {
        LockfileError::malformed(found.kind(), Some(line), "a hash h1:<base64>", hash)
    })?;
    let package = Package::new(Type::Golang, path, Some(version));
    found.add(&package, Checksums::of_file([digest]), Some(line))
}

impl<'a> Module<'a> {
    /// The module that is built from where one is required; nothing where it is a folder.
    fn selected(&self, path: &'a str, version: &'a str) -> Option<PathAndVersion<'a>> {
        // A replacement of one version goes before that of all.
        let by = |version| self.replace.get(&(path, version)).copied();
        by(Some(version)).or_else(|| by(None)).unwrap_or(Some((path, version)))
    }
}

/// Reads the directives of a `go.mod` that tell which modules are selected. What they do not fit is
/// passed over: `go` itself would have refused it.
fn parse_module(text: &str) -> Module<'_> {
    let mut module = Module::default();
    let mut block = None;
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or(line);
        let mut words: Vec<&str> = line.split_whitespace().map(unquoted).collect();
        match (block, words.as_slice()) {
            (_, []) => continue,
            (Some(_), [")"]) => {
                block = None;
                continue;
            }
            (None, [directive, "("]) => {
                block = Some(*directive);
                continue;
            }
            (Some(directive), _) => words.insert(0, directive),
            (None, _) => {}
        }
        match words.as_slice() {
            ["go", version] => module.go = minor_version(version),
            ["require", path, version] => module.require.push((path, version)),
            ["replace", path, "=>", by @ ..] => {
                module.replace.insert((path, None), replacement(by));
            }
            ["replace", path, version, "=>", by @ ..] => {
                module.replace.insert((path, Some(version)), replacement(by));
            }
            _ => {}
        }
    }
    module
}

/// The module in place of another. A folder has no version.
fn replacement<'a>(by: &[&'a str]) -> Option<PathAndVersion<'a>> {
    let [path, version] = by else { return None };
    Some((path, version))
}

fn unquoted(word: &str) -> &str {
    word.trim_matches(['"', '`'])
}

/// The first two numbers of `1.21`, `1.21.3` and `1.21rc1`.
fn minor_version(text: &str) -> Option<(u32, u32)> {
    let (major, rest) = text.split_once('.')?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    Some((major.parse().ok()?, rest.get(..end)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::super::tests::{check, check_refused, listed_with};

    const SUMS: &str = "\
example.com/direct v1.2.0 <h1:a>
example.com/direct v1.2.0/go.mod <h1:1>
example.com/direct v1.1.0 <h1:b>
example.com/direct v1.1.0/go.mod <h1:1>
example.com/looked-at v0.9.0/go.mod <h1:1>
example.com/old v2.0.0+incompatible <h1:c>
example.com/old v2.0.0+incompatible/go.mod <h1:1>
github.com/Fork/of/v3 v3.0.1 <h1:d>
github.com/Fork/of/v3 v3.0.1/go.mod <h1:1>
golang.org/x/text v0.0.0-20260101000000-abcdef012345 <h1:e>
golang.org/x/text v0.0.0-20260101000000-abcdef012345/go.mod <h1:1>
";

    const MODULE: &str = "\
// A comment.
module example.com/app

go <go>

toolchain go1.24.1

require example.com/direct v1.2.0

require (
\texample.com/here v1.0.0
\texample.com/looked-at v0.9.0 // indirect
\t\"example.com/old\" v2.0.0+incompatible // indirect
\texample.com/upstream v3.0.0 // indirect
)

replace (
\texample.com/here => ./here
\texample.com/upstream v3.0.0 => github.com/Fork/of/v3 v3.0.1
\texample.com/upstream => example.com/direct v1.1.0
)

exclude example.com/direct v1.1.1

retract [v0.1.0, v0.2.0]
";

    #[test]
    fn lists_the_modules_that_go_mod_selects() {
        for go in ["1.17", "1.21rc1", "1.24.0", "2.0"] {
            let module = MODULE.replace("<go>", go);
            let found = listed_with(Kind::Go, SUMS, Some(("go.mod", &module))).unwrap();
            assert_eq!(
                found,
                [
                    "pkg:golang/example.com/direct@v1.2.0 dirHash:a",
                    "pkg:golang/example.com/old@v2.0.0%2Bincompatible dirHash:c",
                    "pkg:golang/github.com/fork/of/v3@v3.0.1 dirHash:d",
                ],
                "{go}"
            );
        }
    }

    #[test]
    fn lists_every_module_that_was_fetched_where_go_mod_does_not_tell() {
        let all = [
            "pkg:golang/example.com/direct@v1.1.0 dirHash:b",
            "pkg:golang/example.com/direct@v1.2.0 dirHash:a",
            "pkg:golang/example.com/old@v2.0.0%2Bincompatible dirHash:c",
            "pkg:golang/github.com/fork/of/v3@v3.0.1 dirHash:d",
            "pkg:golang/golang.org/x/text@v0.0.0-20260101000000-abcdef012345 dirHash:e",
        ];
        check(Kind::Go, SUMS, &all);
        for go in ["go 1.16", "go 1.9", "go 1", ""] {
            let module = MODULE.replace("go <go>", go);
            let found = listed_with(Kind::Go, SUMS, Some(("go.mod", &module)));
            assert_eq!(found.unwrap(), all, "{go}");
        }
        check(Kind::Go, "\n", &[]);
    }

    #[test]
    fn refuses_what_go_would_not_have_written() {
        check_refused(Kind::Go, "\nexample.com/a v1.0.0\n", "go.sum line 2, found example.com/a");
        check_refused(Kind::Go, "a v1 h1:abc\n", "expected a hash h1:<base64> in go.sum line 1");
        check_refused(Kind::Go, "a v1 <h1:a> b\n", "expected a module, its version and a hash");
    }
}
