//! The tools that took part in a step: the program that was run, and the compilers and runtimes that
//! go with it and with the lockfiles, each with what it says of its version.
//!
//! A tool is named by a package URL of type `generic`, its version, and the SHA-256 of the file that
//! the search path leads to. Where that file is a launcher for one of several versions, as rustup's and
//! pyenv's are, the digest is the launcher's and the version that of what it launched; the annotation
//! `launcher` says so.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use attestry_schemas::digest::Sha256;
use attestry_schemas::statement::ResourceDescriptor;
use packageurl::PackageUrl;
use serde_json::{Map, Value};

use super::ask::ask;
use crate::io::Io;
use crate::lockfile::Kind;

/// The longest statement of a version that is kept.
const MAX_VERSION_CHARS: usize = 200;

/// Programs that stand in the place of tools under the tools' names, and start the version that is
/// chosen for a folder.
const LAUNCHERS: &[&str] = &["rustup", "rustup-init", "volta-shim", "mise", "proto-shim"];
/// The folder where version managers keep the scripts that stand in the place of tools: pyenv, rbenv,
/// asdf.
const SCRIPTS_FOLDER: &str = "shims";

/// A tool whose version can be asked for.
struct Tool {
    name: &'static str,
    arguments: &'static [&'static str],
    /// Tools that take part where this one does.
    brings: &'static [&'static str],
}

const TOOLS: &[Tool] = &[
    tool("cargo", &["--version"], &["rustc"]),
    tool("rustc", &["--version"], &[]),
    tool("go", &["version"], &[]),
    tool("node", &["--version"], &[]),
    tool("npm", &["--version"], &["node"]),
    tool("npx", &["--version"], &["node"]),
    tool("pnpm", &["--version"], &["node"]),
    tool("yarn", &["--version"], &["node"]),
    tool("bun", &["--version"], &[]),
    tool("deno", &["--version"], &[]),
    tool("python", &["--version"], &[]),
    tool("python3", &["--version"], &[]),
    tool("pip", &["--version"], &["python3"]),
    tool("poetry", &["--version"], &["python3"]),
    tool("uv", &["--version"], &[]),
    tool("java", &["--version"], &[]),
    tool("javac", &["--version"], &[]),
    tool("mvn", &["--version"], &["java"]),
    tool("gradle", &[], &["java"]),
    tool("make", &["--version"], &[]),
    tool("cmake", &["--version"], &[]),
    tool("ninja", &["--version"], &[]),
    tool("gcc", &["--version"], &[]),
    tool("g++", &["--version"], &[]),
    tool("cc", &["--version"], &[]),
    tool("c++", &["--version"], &[]),
    tool("clang", &["--version"], &[]),
    tool("ruby", &["--version"], &[]),
    tool("bundle", &["--version"], &["ruby"]),
    tool("php", &["--version"], &[]),
    tool("composer", &["--version"], &["php"]),
    tool("dotnet", &["--version"], &[]),
    tool("docker", &["--version"], &[]),
    tool("podman", &["--version"], &[]),
    tool("buildah", &["--version"], &[]),
    tool("bazel", &[], &[]),
];

const fn tool(
    name: &'static str,
    arguments: &'static [&'static str],
    brings: &'static [&'static str],
) -> Tool {
    Tool { name, arguments, brings }
}

/// The tools that a lockfile tells of, where the command itself does not: a build in a script.
fn of_lockfile(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Cargo => &["cargo", "rustc"],
        Kind::Go => &["go"],
        Kind::Npm | Kind::Pnpm | Kind::Yarn => &["node"],
        Kind::Poetry | Kind::Uv | Kind::Requirements | Kind::Pipfile => &["python3"],
        Kind::Pom | Kind::Gradle | Kind::GradleVerification => &["java"],
        Kind::Composer => &["php"],
        Kind::Gem => &["ruby"],
    }
}

/// The tools of a step, the program that it runs first. What cannot be found is left out.
pub(crate) fn of_step(command: &[OsString], kinds: &[Kind], io: &Io) -> Vec<ResourceDescriptor> {
    let search = (io.environment)("PATH").unwrap_or_default();
    let program = command.first().map(OsString::as_os_str).unwrap_or_default();
    let own = Path::new(program).file_name().and_then(OsStr::to_str).unwrap_or_default();
    let mut names: Vec<&str> = known(own).map(|tool| tool.brings.to_vec()).unwrap_or_default();
    names.extend(kinds.iter().flat_map(|kind| of_lockfile(*kind)));
    let mut seen = BTreeSet::from([own]);
    let mut tools: Vec<ResourceDescriptor> =
        described(own, program, &search, &io.directory).into_iter().collect();
    for name in names {
        if seen.insert(name) {
            tools.extend(described(name, OsStr::new(name), &search, &io.directory));
        }
    }
    tools
}

fn known(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}

fn described(
    name: &str,
    program: &OsStr,
    search: &OsStr,
    directory: &Path,
) -> Option<ResourceDescriptor> {
    let file = find(program, search, directory)?;
    let sha256 = crate::capture::files::hash_one(&file).ok()?;
    let says = known(name)
        .filter(|tool| !tool.arguments.is_empty())
        .and_then(|tool| ask(&file, tool.arguments, directory))
        .map(|text| version_line(&text));
    let mut tool = descriptor(name, sha256, says.filter(|line| !line.is_empty()));
    if is_launcher(&file) {
        tool.annotations.get_or_insert_default().insert("launcher".to_owned(), Value::Bool(true));
    }
    Some(tool)
}

/// Whether the file only starts the tool: a link to a known launcher, by its name or as the same file,
/// or one of the scripts of a version manager.
fn is_launcher(file: &Path) -> bool {
    let Some(folder) = file.parent() else { return false };
    let named = |path: &Path, names: &[&str]| {
        path.file_name().and_then(OsStr::to_str).is_some_and(|name| names.contains(&name))
    };
    let same_file = |other: PathBuf| match (file.metadata(), other.metadata()) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    };
    !named(file, LAUNCHERS)
        && (named(folder, &[SCRIPTS_FOLDER])
            || file.canonicalize().is_ok_and(|real| named(&real, LAUNCHERS))
            || LAUNCHERS.iter().any(|launcher| same_file(folder.join(launcher))))
}

fn descriptor(name: &str, sha256: Sha256, says: Option<String>) -> ResourceDescriptor {
    let version = says.as_deref().and_then(version_of);
    let purl = PackageUrl::new("generic", name).ok().map(|mut purl| {
        if let Some(version) = version {
            // A version that cannot be written leaves the package URL without one.
            let _ = purl.with_version(version);
        }
        purl.to_string()
    });
    let annotations = says.map(|says| Map::from_iter([("says".to_owned(), Value::from(says))]));
    ResourceDescriptor { uri: purl, annotations, ..ResourceDescriptor::named(name, sha256.into()) }
}

/// Where the search path leads, as the system's own search would.
fn find(program: &OsStr, search: &OsStr, directory: &Path) -> Option<PathBuf> {
    let runs = |path: &PathBuf| {
        path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    };
    if Path::new(program).components().count() > 1 {
        return Some(directory.join(program)).filter(runs);
    }
    std::env::split_paths(search).map(|folder| directory.join(folder).join(program)).find(runs)
}

/// The first line that says something.
fn version_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(MAX_VERSION_CHARS).collect()
}

/// The first word that looks like a version: `1.95.0` of `rustc 1.95.0 (59807616e 2026-04-14)`, `1.26.8`
/// of `go version go1.26.8 linux/amd64`.
fn version_of(line: &str) -> Option<&str> {
    line.split([' ', ',', '(', ')']).find_map(|word| {
        let bare = word.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let numbered = bare.starts_with(|c: char| c.is_ascii_digit()) && bare.contains('.');
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-+~".contains(c);
        (numbered && bare.chars().all(plain)).then_some(bare)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_version_in_what_tools_say() {
        for (line, expected) in [
            ("rustc 1.95.0 (59807616e 2026-04-14)", Some("1.95.0")),
            ("go version go1.26.8 linux/amd64", Some("1.26.8")),
            ("v20.20.2", Some("20.20.2")),
            ("gcc (Debian 12.2.0-14+deb12u1) 12.2.0", Some("12.2.0-14+deb12u1")),
            ("GNU Make 4.3", Some("4.3")),
            ("openjdk 17.0.15 2025-04-15", Some("17.0.15")),
            ("Docker version 28.2.2, build e6534b4", Some("28.2.2")),
            ("nothing of the kind", None),
        ] {
            assert_eq!(version_of(line), expected, "{line}");
        }
    }

    #[test]
    fn a_tool_has_the_digest_of_the_file_that_runs() {
        let folder = tempfile::tempdir().unwrap();
        let tool = folder.path().join("make");
        std::fs::write(&tool, "#!/bin/sh\necho; echo 'make 1.2.3 of a test'\n").unwrap();
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
        let found = described("make", OsStr::new("make"), folder.path().as_os_str(), folder.path());
        let found = found.unwrap();
        assert_eq!(found.uri.as_deref(), Some("pkg:generic/make@1.2.3"));
        let sha256 = Sha256::of(&std::fs::read(&tool).unwrap());
        assert_eq!(found.digest, Some(attestry_schemas::digest::Digest::from(sha256).into()));
        let absent = described("make", OsStr::new("make"), OsStr::new("/nowhere"), folder.path());
        assert_eq!(absent, None);
    }

    #[test]
    fn the_digest_of_a_launcher_is_not_passed_off_as_the_tool_s() {
        let folder = tempfile::tempdir().unwrap();
        let script = |path: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "#!/bin/sh\necho 1.2.3\n").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let rustup = script("bin/rustup");
        let versioned = script("bin/python3.11");
        script("shims/python3");
        script("bin/make");
        std::os::unix::fs::symlink(&rustup, folder.path().join("bin/cargo")).unwrap();
        std::fs::hard_link(&rustup, folder.path().join("bin/rustc")).unwrap();
        std::os::unix::fs::symlink(&versioned, folder.path().join("bin/python3")).unwrap();
        for (path, expected) in [
            ("bin/cargo", true),
            ("bin/rustc", true),
            ("shims/python3", true),
            ("bin/rustup", false),
            ("bin/python3", false),
            ("bin/make", false),
        ] {
            let search = folder.path().join(path);
            let name = search.file_name().unwrap();
            let search = search.parent().unwrap().as_os_str();
            let found = described("x", name, search, folder.path()).unwrap();
            let says = found.annotations.is_some_and(|a| a.contains_key("launcher"));
            assert_eq!(says, expected, "{path}");
        }
    }
}
