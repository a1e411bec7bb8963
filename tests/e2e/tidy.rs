//! The architecture and the style, as far as a test can hold them (ARCHITECTURE.md names the why).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The most lines of a source file. Tables of test cases are data and may be longer.
const MAX_LINES: usize = 700;

/// The code of one file, without its own tests and comments.
struct Source {
    /// The path from the top of the repository, with slashes.
    path: String,
    text: String,
}

impl Source {
    fn is_test(&self) -> bool {
        let parts: Vec<&str> = self.path.split('/').collect();
        parts.contains(&"tests") || self.path.ends_with("tests.rs")
    }

    /// The lines before the tests that stand in the same file, without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let own = self.text.lines().take_while(|line| *line != "#[cfg(test)]");
        let lines = (1..).zip(own);
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every source file below some folders of the repository.
fn sources(folders: &[&str], extension: &str) -> Vec<Source> {
    let top = top();
    let mut waiting: Vec<PathBuf> = folders.iter().map(|folder| top.join(folder)).collect();
    let mut sources = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // The fuzzer keeps its findings there.
                if !path.ends_with("target") && !path.ends_with("corpus") {
                    waiting.push(path);
                }
            } else if path.extension().is_some_and(|found| found == extension) {
                let relative = path.strip_prefix(&top).unwrap().to_string_lossy().into_owned();
                sources
                    .push(Source { path: relative, text: std::fs::read_to_string(path).unwrap() });
            }
        }
    }
    assert!(!sources.is_empty(), "no .{extension} file below {folders:?}");
    sources
}

const CODE: &[&str] = &["schemas", "registry", "cli", "tests", "benches"];

/// Which modules each module of the registry may use: `store ← log ← gate ← oci ← http`, and what stands beside.
const ARROWS: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("fault", &[]),
    ("metrics", &[]),
    ("rights", &[]),
    ("tokens", &["rights"]),
    ("watched", &[]),
    ("worker", &[]),
    ("config", &[]),
    ("store", &["fault"]),
    ("log", &["clock", "fault", "metrics", "store"]),
    ("data", &["store", "tokens"]),
    ("control", &["data", "oci", "store"]),
    ("init", &["clock", "config", "data", "log", "metrics", "store", "tokens"]),
    ("fsck", &["data", "gate", "init", "log", "store"]),
    ("gate", &["clock", "log", "metrics", "store", "worker"]),
    ("authority", &["clock", "data", "rights", "tokens", "watched"]),
    ("trail", &["clock", "metrics", "store"]),
    ("oci", &["clock", "fault", "gate", "log", "metrics", "store", "watched", "worker"]),
    (
        "server",
        &[
            "authority",
            "clock",
            "config",
            "control",
            "data",
            "gate",
            "log",
            "metrics",
            "oci",
            "store",
            "trail",
        ],
    ),
    (
        "http",
        &[
            "authority",
            "clock",
            "config",
            "gate",
            "init",
            "log",
            "metrics",
            "oci",
            "rights",
            "server",
            "store",
            "trail",
            "watched",
        ],
    ),
    (
        "command",
        &[
            "authority",
            "clock",
            "config",
            "control",
            "data",
            "fsck",
            "http",
            "init",
            "log",
            "metrics",
            "oci",
            "rights",
            "server",
            "store",
            "tokens",
        ],
    ),
];

/// The first names after `crate::` on a line, groups in braces included.
fn used(line: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, found) in line.match_indices("crate::") {
        let rest = &line[at + found.len()..];
        match rest.strip_prefix('{') {
            // One item of the group may itself be a path or a group.
            Some(group) => {
                let mut depth = 0;
                let outer: String = group
                    .chars()
                    .filter(|c| {
                        depth += i32::from(*c == '{') - i32::from(*c == '}');
                        depth == 0
                    })
                    .collect();
                names.extend(outer.split(',').map(|item| identifier(item.trim())));
            }
            None => names.push(identifier(rest)),
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn arrows_between_the_modules_of_the_registry_point_one_way() {
    let mut met = BTreeSet::new();
    for source in sources(&["registry/src"], "rs") {
        let module = source.path.trim_start_matches("registry/src/");
        let module = identifier(module);
        // Where the modules meet.
        if matches!(module.as_str(), "lib" | "main" | "testing") || source.is_test() {
            continue;
        }
        let row = ARROWS.iter().find(|(name, _)| *name == module);
        let (_, allowed) = row.unwrap_or_else(|| panic!("{} has no row in ARROWS", source.path));
        met.insert(module.clone());
        for (line, text) in source.code() {
            for name in used(text) {
                let path = &source.path;
                let may = name == module || allowed.contains(&name.as_str());
                assert!(may, "{path}:{line}: {module} may not use {name}: {text}");
            }
        }
    }
    assert_eq!(met.len(), ARROWS.len(), "ARROWS names a module that is not there");
}

#[test]
fn groups_and_paths_of_use_lines_are_read() {
    let check = |line: &str, expected: &[&str]| assert_eq!(used(line), expected, "{line}");
    check("use crate::store::key;", &["store"]);
    check("use crate::{log, store::{Store, key}, http};", &["log", "store", "http"]);
    check("let a = crate::a::b(crate::c);", &["a", "c"]);
    check("use std::fmt;", &[]);
}

#[test]
fn schemas_do_no_input_or_output_and_know_no_clock_and_no_chance() {
    let forbidden = [
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "std::thread",
        "std::io::stdin",
        "tokio",
        "actix",
        "rocksdb",
        "ureq",
        "SystemTime::now",
        "Instant::now",
        "Timestamp::now",
        "rand::",
        "getrandom",
        "unsafe ",
    ];
    for source in sources(&["schemas/src"], "rs").iter().filter(|source| !source.is_test()) {
        for (line, text) in source.code() {
            for word in forbidden {
                // A module of Rego has a thread of its own, whose stack bounds its recursion (ARCHITECTURE.md).
                if word == "std::thread" && source.path.starts_with("schemas/src/rego/") {
                    continue;
                }
                assert!(!text.contains(word), "{}:{line}: {word} in: {text}", source.path);
            }
        }
    }
}

#[test]
fn the_engine_is_known_in_one_file_only() {
    for source in sources(&["schemas", "registry", "cli", "benches"], "rs") {
        if source.path == "registry/src/store/engine.rs" {
            assert!(source.text.contains("rocksdb::"), "the engine has moved");
            continue;
        }
        for (line, text) in source.code() {
            assert!(!text.contains("rocksdb::"), "{}:{line}: {text}", source.path);
        }
    }
}

#[test]
fn packages_depend_on_each_other_as_the_layout_says() {
    let check = |package: &str, forbidden: &[&str]| {
        let text = std::fs::read_to_string(top().join(package).join("Cargo.toml")).unwrap();
        let dependencies = text.split_once("[dependencies]").unwrap().1;
        for name in forbidden {
            let named = dependencies.lines().any(|line| {
                let key = line.split(['.', ' ', '=']).next().unwrap_or_default();
                key == *name
            });
            assert!(!named, "{package} depends on {name}");
        }
    };
    check("cli", &["attestry-registry", "rocksdb", "actix-web", "tokio"]);
    // It asks nobody anything; the one webhook that it tells of events goes out by ureq.
    check("registry", &["attestry", "attestry-tests"]);
    let runtime = ["attestry", "attestry-registry", "tokio", "actix-web", "rocksdb", "ureq"];
    check("schemas", &runtime);
}

#[test]
fn files_stay_short_enough_to_be_read() {
    for source in sources(CODE, "rs").iter().filter(|source| !source.is_test()) {
        let lines = source.text.lines().count();
        assert!(lines <= MAX_LINES, "{}: {lines} lines, at most {MAX_LINES}", source.path);
    }
}

#[test]
fn names_and_comments_are_finished_and_speak_of_the_product() {
    // In halves, so that this file does not hold them.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("HA", "CK"),
        concat!("todo", "!("),
        concat!("dbg", "!("),
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("fn ge", "t_"),
        concat!("mod ut", "il"),
        concat!("mod hel", "per"),
    ];
    let documents = ["toml", "md"].into_iter().flat_map(|extension| sources(CODE, extension));
    for source in sources(CODE, "rs").into_iter().chain(documents) {
        for (line, text) in (1..).zip(source.text.lines()) {
            for word in words {
                assert!(!text.contains(word), "{}:{line}: {word} in: {text}", source.path);
            }
        }
    }
    for source in sources(CODE, "rs") {
        let stem = source.path.rsplit('/').next().unwrap();
        for name in ["util", "utils", "helper", "helpers", "manager", "common", "misc"] {
            assert_ne!(stem, format!("{name}.rs"), "{}", source.path);
        }
    }
}

#[test]
fn every_module_opens_with_what_it_is() {
    for source in sources(CODE, "rs").iter().filter(|source| !source.is_test()) {
        let first = source.text.lines().find(|line| !line.starts_with("#!")).unwrap_or_default();
        assert!(first.starts_with("//!"), "{} opens with: {first}", source.path);
    }
}
