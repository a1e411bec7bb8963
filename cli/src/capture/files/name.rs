//! How files are named in statements: from the current folder where they lie in it, so that a name
//! means the same on another machine. Names are made of the text of paths (`.` and `..` too), except that
//! no `..` is taken away after a link, because it leads elsewhere.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use super::is_of_this_machine;

/// A path from the folder `current`, where it lies within; else as it was given, without `.` and with
/// each `..` taken away that can be.
pub(crate) fn within(current: &Path, path: &Path) -> PathBuf {
    let Some(absolute) = plain(&current.join(path)) else { return without_dots(path) };
    let from_current = plain(current).and_then(|current| inside(&current, &absolute));
    match from_current {
        Some(inner) if inner.as_os_str().is_empty() => PathBuf::from("."),
        Some(inner) => inner,
        None => plain(path).unwrap_or_else(|| without_dots(path)),
    }
}

/// A glob from the folder `current`, where what it fits lies within; else as it was given.
pub(crate) fn pattern_within(current: &Path, pattern: &str) -> String {
    let special = |part: &str| part.contains(['*', '?', '[', '{', '\\']);
    let parts: Vec<&str> = pattern.split('/').collect();
    let literal = parts.iter().take_while(|part| !special(part)).count();
    let (base, glob) = parts.split_at(literal);
    let text = match base {
        [""] if glob.is_empty() => String::new(),
        // `/*` begins at the root.
        [""] => "/".to_owned(),
        base => base.join("/"),
    };
    if text.is_empty() {
        return pattern.to_owned();
    }
    let base = within(current, Path::new(&text));
    let Some(base) = base.to_str() else { return pattern.to_owned() };
    match (base, glob.is_empty()) {
        // The current folder in full stands for all its files; `./` names nothing.
        (".", true) if pattern.trim_matches(['.', '/']).is_empty() => pattern.to_owned(),
        (".", true) => "**".to_owned(),
        (base, true) => base.to_owned(),
        (".", false) => glob.join("/"),
        (base, false) => format!("{}/{}", base.trim_end_matches('/'), glob.join("/")),
    }
}

/// The names sorted, and of those that lead to one place the one that another machine can read.
pub(super) fn each_once(current: &Path, names: Vec<String>) -> Vec<String> {
    let mut places: BTreeMap<PathBuf, String> = BTreeMap::new();
    for name in names {
        let given = current.join(&name);
        let place = plain(&given).unwrap_or(given);
        match places.get_mut(&place) {
            Some(known) if is_of_this_machine(known) && !is_of_this_machine(&name) => *known = name,
            Some(_) => {}
            None => {
                places.insert(place, name);
            }
        }
    }
    let mut names: Vec<String> = places.into_values().collect();
    names.sort_unstable();
    names
}

/// The rest of a path that lies in a folder, which may be reached by links: a shell's `$PWD` names them.
fn inside(folder: &Path, path: &Path) -> Option<PathBuf> {
    if let Ok(rest) = path.strip_prefix(folder) {
        return Some(rest.to_path_buf());
    }
    let id = |path: &Path| path.metadata().ok().map(|found| (found.dev(), found.ino()));
    let own = id(folder)?;
    let same = path.ancestors().find(|above| id(above) == Some(own))?;
    path.strip_prefix(same).ok().map(Path::to_path_buf)
}

/// A path without `.` and without each `..` that follows a folder; nothing where that folder is a link.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match (part, plain.components().next_back()) {
            (Component::CurDir, _) | (Component::ParentDir, Some(Component::RootDir)) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                if plain.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
                    return None;
                }
                plain.pop();
            }
            _ => plain.push(part),
        }
    }
    Some(plain)
}

fn without_dots(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_the_current_folder_is_named_from_there() {
        let root = tempfile::tempdir().unwrap();
        let real = root.path().join("real");
        std::fs::create_dir_all(real.join("out")).unwrap();
        std::fs::create_dir_all(root.path().join("far/away")).unwrap();
        std::os::unix::fs::symlink(&real, root.path().join("link")).unwrap();
        std::os::unix::fs::symlink(root.path().join("far/away"), real.join("out/away")).unwrap();
        let root = root.path().to_str().unwrap();
        for (given, expected) in [
            ("out/app", "out/app"),
            ("./out//./app", "out/app"),
            ("out/../out/app", "out/app"),
            ("../real/out/app", "out/app"),
            ("ROOT/real/out/app", "out/app"),
            ("ROOT/link/out/app", "out/app"),
            ("ROOT/real", "."),
            (".", "."),
            ("../beside/x", "../beside/x"),
            ("../beside/y/../x", "../beside/x"),
            ("ROOT/beside/./x", "ROOT/beside/x"),
            ("ROOT/real-not/x", "ROOT/real-not/x"),
            // Leads to what lies beside the end of the link.
            ("out/away/../x", "out/away/../x"),
        ] {
            let [given, expected] = [given, expected].map(|text| text.replace("ROOT", root));
            let found = within(&real, Path::new(&given));
            assert_eq!(found, Path::new(&expected), "{given}");
            assert_eq!(is_of_this_machine(found.to_str().unwrap()), expected.starts_with('/'));
        }
        for (given, expected) in [
            ("out/*.bin", "out/*.bin"),
            ("*", "*"),
            ("./**/x", "**/x"),
            ("ROOT/link/**/*.bin", "**/*.bin"),
            ("ROOT/real/out/{a,b}", "out/{a,b}"),
            ("ROOT/real/out/", "out"),
            ("../beside/*", "../beside/*"),
            ("/*", "/*"),
            ("ROOT/real", "**"),
            ("./", "./"),
            ("", ""),
        ] {
            let given = given.replace("ROOT", root);
            assert_eq!(pattern_within(&real, &given), expected, "{given}");
        }
    }

    #[test]
    fn of_two_names_of_a_file_the_one_that_travels_is_kept() {
        let names = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            each_once(Path::new("/nowhere/here"), names)
        };
        assert_eq!(names(&["b", "a", "b"]), ["a", "b"]);
        assert_eq!(names(&["/nowhere/x", "../x", "/y"]), ["../x", "/y"]);
        assert_eq!(names(&["../x", "/nowhere/x"]), ["../x"]);
    }
}
