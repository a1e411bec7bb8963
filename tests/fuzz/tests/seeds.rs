//! Every fuzz target over its seeds and over what other tools wrote, as ordinary tests.

use std::fs;
use std::path::{Path, PathBuf};

use attestry_fuzz::TARGETS;

fn package(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder of seeds can be listed") {
        let path = entry.expect("the folder of seeds can be listed").path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

#[test]
fn accepts_and_refuses_each_seed_as_its_name_says() {
    for (name, target) in TARGETS {
        let (mut accepted, mut refused) = (0, 0);
        for seed in files_below(&package("seeds").join(name)) {
            let expected = match seed.file_name().unwrap().to_str().unwrap() {
                name if name.starts_with("good-") => true,
                name if name.starts_with("bad-") => false,
                name => panic!("expected a seed named good-… or bad-…, found {name}"),
            };
            assert_eq!(target(&fs::read(&seed).unwrap()), expected, "{}", seed.display());
            if expected { accepted += 1 } else { refused += 1 }
        }
        assert!(accepted > 0 && refused > 0, "{name} has {accepted} good and {refused} bad seeds");
    }
}

#[test]
fn withstands_every_cut_of_every_seed() {
    for (name, target) in TARGETS {
        for seed in files_below(&package("seeds").join(name)) {
            let bytes = fs::read(&seed).unwrap();
            for end in 0..bytes.len().min(600) {
                target(&bytes[..end]);
            }
        }
    }
}

#[test]
fn withstands_what_other_tools_wrote() {
    let samples = package("../../../shared/samples");
    if !samples.is_dir() {
        eprintln!("skipped: {} is not there", samples.display());
        return;
    }
    for sample in files_below(&samples) {
        let bytes = fs::read(&sample).unwrap();
        let lines = bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty());
        for input in lines.take(64).chain([bytes.as_slice()]) {
            for (_, target) in TARGETS {
                target(input);
            }
        }
    }
}

#[test]
fn names_one_program_for_each_target() {
    let manifest = fs::read_to_string(package("Cargo.toml")).unwrap();
    let programs: Vec<&str> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"fuzz_")?.strip_suffix('"'))
        .collect();
    let targets: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(programs, targets);
    for name in targets {
        let source = fs::read_to_string(package("fuzz_targets").join(name).with_extension("rs"));
        let call = format!("attestry_fuzz::{name}(");
        assert!(source.unwrap().contains(&call), "fuzz_targets/{name}.rs fuzzes something else");
    }
}
