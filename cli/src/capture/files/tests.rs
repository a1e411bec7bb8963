use std::fs;

use super::*;
use crate::progress::Unit;

fn folder(files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, file).unwrap();
    }
    folder
}

/// Names relative to the folder.
fn within(folder: &tempfile::TempDir, names: Vec<String>) -> Vec<String> {
    let root = format!("{}/", folder.path().display());
    names.into_iter().map(|name| name.strip_prefix(&root).unwrap().to_owned()).collect()
}

#[test]
fn materials_are_what_gitignore_leaves_unless_all_is_asked_for() {
    let folder = folder(&["a.c", "b/c.o", "b/.hidden", "skip/x", ".git/HEAD"]);
    fs::write(folder.path().join(".gitignore"), "*.o\n/skip\n").unwrap();
    let listed = |ignored| {
        within(&folder, materials(Path::new(""), &[folder.path().to_path_buf()], ignored).unwrap())
    };
    assert_eq!(listed(Ignored::Left), [".gitignore", "a.c", "b/.hidden"]);
    let all = [".gitignore", "a.c", "b/.hidden", "b/c.o", "skip/x"];
    assert_eq!(listed(Ignored::Taken), all);
}

#[test]
fn a_material_that_is_named_counts_even_where_it_is_ignored() {
    let folder = folder(&["x.o"]);
    fs::write(folder.path().join(".gitignore"), "*.o\n").unwrap();
    let path = folder.path().join("x.o");
    let found = materials(Path::new(""), &[path.clone(), path], Ignored::Left).unwrap();
    assert_eq!(within(&folder, found), ["x.o"]);
    let missing = materials(Path::new(""), &[folder.path().join("y")], Ignored::Left).unwrap_err();
    assert!(missing.to_string().starts_with("cannot read"));
}

fn products(
    folder: &tempfile::TempDir,
    pattern: &str,
    step: impl FnOnce(&Path),
    allow_unchanged: bool,
) -> Result<Vec<String>, FilesError> {
    let pattern = format!("{}/{pattern}", folder.path().display());
    let expected = ExpectedProducts::before(Path::new(""), &[pattern])?;
    step(folder.path());
    expected.after(allow_unchanged).map(|found| within(folder, found))
}

#[test]
fn patterns_stay_within_a_folder_unless_they_say_otherwise() {
    let folder = folder(&["out/a.bin", "out/deep/b.bin", "out/c.txt"]);
    let check = |pattern: &str, expected: &[&str]| {
        let found = products(&folder, pattern, |_| {}, true).unwrap();
        assert_eq!(found, expected, "{pattern}");
    };
    check("out/*.bin", &["out/a.bin"]);
    check("out/**/*.bin", &["out/a.bin", "out/deep/b.bin"]);
    check("out", &["out/a.bin", "out/c.txt", "out/deep/b.bin"]);
    check("out/", &["out/a.bin", "out/c.txt", "out/deep/b.bin"]);
    check("out/{a,x}.bin", &["out/a.bin"]);
    check("out/deep/b.bin", &["out/deep/b.bin"]);
}

#[test]
fn a_pattern_that_fits_nothing_is_refused() {
    let folder = folder(&["a"]);
    for pattern in ["b", "a/b", "c/**", "*.x"] {
        let refused = products(&folder, pattern, |_| {}, true).unwrap_err();
        assert!(matches!(refused, FilesError::NoProduct { .. }), "{pattern}: {refused}");
    }
    for pattern in ["", "./", "[a"] {
        let refused = ExpectedProducts::before(Path::new(""), &[pattern.to_owned()]).unwrap_err();
        assert!(matches!(refused, FilesError::Pattern { .. }), "{pattern}: {refused}");
    }
}

#[test]
fn a_product_that_was_not_written_is_refused_unless_that_is_allowed() {
    let folder = folder(&["app"]);
    let refused = products(&folder, "app", |_| {}, false).unwrap_err().to_string();
    assert!(refused.ends_with("app, found it as it was before"), "{refused}");
    assert_eq!(products(&folder, "app", |_| {}, true).unwrap(), ["app"]);
    // The same bytes once more are a product of this step.
    let rewrite = |root: &Path| fs::write(root.join("app"), "app").unwrap();
    assert_eq!(products(&folder, "app", rewrite, false).unwrap(), ["app"]);
    let create = |root: &Path| fs::write(root.join("new"), "").unwrap();
    assert_eq!(products(&folder, "new", create, false).unwrap(), ["new"]);
}

#[test]
fn hashes_each_file_in_the_order_given() {
    let folder = folder(&["a", "b", "c"]);
    let names: Vec<String> =
        ["c", "a", "b"].map(|n| folder.path().join(n).to_str().unwrap().to_owned()).to_vec();
    let mut progress = Progress::hidden(Unit::Count);
    let hashed = hash(names, &mut progress).unwrap();
    let expected = ["c", "a", "b"].map(|text| Sha256::of(text.as_bytes()));
    assert_eq!(hashed.iter().map(|file| file.sha256).collect::<Vec<_>>(), expected);
    let missing = vec![folder.path().join("d").to_str().unwrap().to_owned()];
    assert!(matches!(hash(missing, &mut progress), Err(FilesError::Unreadable { .. })));
}

#[test]
fn a_file_named_in_several_ways_is_one_named_from_the_current_folder() {
    let folder = folder(&["here/out/a", "beside/b"]);
    let here = folder.path().join("here");
    let text = |path: &str| format!("{}/{path}", folder.path().display());
    // Names are read from the folder of this process, so what lies within is not opened here.
    let expected = |patterns: &[String]| ExpectedProducts::before(&here, patterns).unwrap();
    let patterns: Vec<String> = expected(&[text("here/out/*"), "./x/../out/*".to_owned()])
        .patterns
        .iter()
        .map(|pattern| pattern.text.clone())
        .collect();
    assert_eq!(patterns, ["out/*", "out/*"]);
    // What lies elsewhere keeps its name.
    let outside = [text("beside/b"), text("here/../beside/*")];
    assert_eq!(expected(&outside).after(true).unwrap(), [text("beside/b")]);
    let paths = outside[..1].iter().map(PathBuf::from).collect::<Vec<_>>();
    let paths = [paths, vec![folder.path().join("here/../beside")]].concat();
    let found = materials(&here, &paths, Ignored::Left).unwrap();
    assert_eq!(found, [text("beside/b")]);
}
