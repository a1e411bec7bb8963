use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use attestry_schemas::predicate;
use tempfile::TempDir;

use super::*;

/// Keeps a person's and a machine's configuration out of the tests.
pub(super) const ISOLATED: &[(&str, &str)] =
    &[("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")];

/// A repository in a folder that is removed afterwards.
struct Repository {
    folder: TempDir,
}

impl Repository {
    fn empty() -> Self {
        let repository = Self { folder: tempfile::tempdir().unwrap() };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    /// With the files `a`, `b` and `c/d` in one commit.
    fn with_a_commit() -> Self {
        let repository = Self::empty();
        for path in ["a", "b", "c/d"] {
            repository.write(path, path);
        }
        repository.commit();
        repository
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn commit(&self) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message=x"]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=n", "-c", "user.email=e@example.com"])
            .args(["-c", "protocol.file.allow=always", "-c", "advice.detachedHead=false"])
            .args(arguments)
            .current_dir(self.path())
            .envs(ISOLATED.iter().copied())
            .env_remove("GIT_DIR")
            .env_remove("GIT_INDEX_FILE")
            .stdin(Stdio::null())
            .output()
            .expect("these tests need git");
        let says = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {says}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn source(&self, hints: &SourceHints) -> Source {
        source_of(self.path(), hints)
    }

    fn checkout(&self, hints: &SourceHints) -> Checkout {
        match self.source(hints) {
            Source::Checkout(checkout) => *checkout,
            other => panic!("expected a checkout, found {other:?}"),
        }
    }
}

fn source_of(folder: &Path, hints: &SourceHints) -> Source {
    ask(&Git::in_folder(folder).with(ISOLATED), hints)
}

fn no_hints() -> SourceHints {
    SourceHints::default()
}

fn hints(repository: &str, reference: &str, commit: &str) -> SourceHints {
    let some = |text: &str| Some(text.to_owned());
    SourceHints { repository: some(repository), reference: some(reference), commit: some(commit) }
}

/// The descriptors as JSON, once a provenance that names them has linted clean.
fn descriptors(source: &Source) -> Value {
    let descriptors = json!(source.descriptors());
    let provenance = json!({
        "buildDefinition": {
            "buildType": "https://example.com/build/v1",
            "externalParameters": {},
            "resolvedDependencies": descriptors,
        },
        "runDetails": { "builder": { "id": "https://example.com/builder" } },
    });
    predicate::check("https://slsa.dev/provenance/v1", &provenance).unwrap();
    descriptors
}

fn changes(checkout: &Checkout) -> Vec<(&str, Kind)> {
    checkout.changes.listed.iter().map(|change| (change.path.as_str(), change.kind)).collect()
}

#[test]
fn a_clean_tree_is_its_commit_and_tree() {
    let repository = Repository::with_a_commit();
    let remote = "https://oauth2:hunter2@git.example.com/o/r.git";
    repository.git(&["remote", "add", "origin", remote]);
    repository.git(&["tag", "v1"]);
    repository.git(&["tag", "--annotate", "--message=m", "v1.0"]);
    repository.git(&["tag", "elsewhere", &repository.git(&["rev-parse", "HEAD:a"])]);
    // Asked in a folder within.
    let source = source_of(&repository.path().join("c"), &no_hints());
    assert_eq!(
        descriptors(&source),
        json!([{
            "name": "source",
            "uri": "git+https://git.example.com/o/r@refs/heads/main",
            "digest": {
                "gitCommit": repository.git(&["rev-parse", "HEAD"]),
                "gitTree": repository.git(&["rev-parse", "HEAD^{tree}"]),
            },
            "annotations": { "tags": ["refs/tags/v1", "refs/tags/v1.0"] },
        }])
    );
    assert!(!format!("{source:?}").contains("hunter2"));
}

#[test]
fn a_modified_tree_is_never_passed_off_as_its_commit() {
    let repository = Repository::with_a_commit();
    repository.write("e", "a long enough text to be found again after it was renamed");
    repository.write("f g", "f");
    let commit = repository.commit();
    repository.write("a", "other");
    fs::remove_file(repository.path().join("b")).unwrap();
    repository.git(&["mv", "e", "new e"]);
    repository.git(&["rm", "--quiet", "--cached", "f g"]);
    fs::remove_file(repository.path().join("f g")).unwrap();
    repository.write("staged", "x");
    repository.git(&["add", "staged"]);
    repository.write("left", "x");
    repository.write("folder/x", "x");
    repository.write("folder/y", "x");
    repository.write("ignored", "x");
    repository.write(".git/info/exclude", "ignored");
    let annotations = json!({
        "baseCommit": commit,
        "dirty": true,
        "changeCount": 7,
        "changes": [
            { "path": "a", "change": "modified" },
            { "path": "b", "change": "deleted" },
            { "path": "f g", "change": "deleted" },
            { "path": "new e", "change": "renamed", "from": "e" },
            { "path": "staged", "change": "added" },
            { "path": "folder/", "change": "untracked" },
            { "path": "left", "change": "untracked" },
        ],
    });
    // No digest set may hold the commit, because one member that matches is a match.
    let found = descriptors(&repository.source(&no_hints()));
    let content = STANDARD.decode(found[0]["content"].as_str().unwrap()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&content).unwrap(), annotations);
    let expected = json!([{
        "name": "source (modified)",
        "content": found[0]["content"],
        "mediaType": "application/json",
        "annotations": annotations,
    }]);
    assert_eq!(found, expected);
    repository.git(&["remote", "add", "origin", "https://git.example.com/o/r.git"]);
    let expected = json!([{
        "name": "source (modified)",
        "uri": "git+https://git.example.com/o/r@refs/heads/main",
        "annotations": annotations,
    }]);
    assert_eq!(descriptors(&repository.source(&no_hints())), expected);
}

#[test]
fn one_untracked_file_or_execute_bit_is_a_change() {
    let repository = Repository::with_a_commit();
    assert!(!repository.checkout(&no_hints()).is_dirty());
    repository.write("x", "");
    assert_eq!(changes(&repository.checkout(&no_hints())), [("x", Kind::Untracked)]);
    fs::remove_file(repository.path().join("x")).unwrap();
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(repository.path().join("a"), executable).unwrap();
    assert_eq!(changes(&repository.checkout(&no_hints())), [("a", Kind::Modified)]);
}

#[test]
fn configuration_hides_no_change_and_runs_no_program() {
    let repository = Repository::with_a_commit();
    let program = repository.path().join(".git/program");
    fs::write(&program, "#!/bin/sh\ntouch .git/ran\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    repository.git(&["config", "status.showUntrackedFiles", "no"]);
    repository.git(&["config", "status.renames", "false"]);
    repository.git(&["config", "core.fsmonitor", program.to_str().unwrap()]);
    repository.git(&["config", "status.showStash", "true"]);
    let _ = fs::remove_file(repository.path().join(".git/ran"));
    repository.write("x", "");
    let index = || fs::metadata(repository.path().join(".git/index")).unwrap().modified().unwrap();
    let before = index();
    assert_eq!(changes(&repository.checkout(&no_hints())), [("x", Kind::Untracked)]);
    assert!(!repository.path().join(".git/ran").exists(), "fsmonitor ran");
    assert_eq!(index(), before, "the index was written");
}

#[test]
fn files_that_git_was_told_not_to_look_at_count_as_changed() {
    let repository = Repository::with_a_commit();
    repository.git(&["update-index", "--assume-unchanged", "a"]);
    repository.git(&["update-index", "--skip-worktree", "b"]);
    repository.write("a", "other");
    repository.write("b", "other");
    let checkout = repository.checkout(&no_hints());
    assert_eq!(changes(&checkout), [("a", Kind::Unchecked), ("b", Kind::Unchecked)]);
    assert_eq!((checkout.is_dirty(), checkout.left_out), (true, 0));
}

#[test]
fn a_sparse_tree_is_clean_and_says_how_much_it_leaves_out() {
    let repository = Repository::with_a_commit();
    repository.git(&["sparse-checkout", "set", "--no-cone", "/a"]);
    assert!(!repository.path().join("b").exists());
    let checkout = repository.checkout(&no_hints());
    assert_eq!((changes(&checkout), checkout.left_out), (vec![], 2));
    assert_eq!(descriptors(&repository.source(&no_hints()))[0]["annotations"]["leftOut"], 2);
}

#[test]
fn a_replaced_commit_keeps_its_own_tree() {
    let repository = Repository::with_a_commit();
    let tree = repository.git(&["rev-parse", "HEAD^{tree}"]);
    let first = repository.git(&["rev-parse", "HEAD"]);
    repository.write("a", "other");
    let second = repository.commit();
    repository.git(&["checkout", "--quiet", &first]);
    repository.git(&["replace", &first, &second]);
    let checkout = repository.checkout(&no_hints());
    assert_eq!((checkout.commit, checkout.tree), (first, tree));
}

#[test]
fn a_detached_head_is_named_by_the_ci_system_when_it_is_its_commit() {
    let repository = Repository::with_a_commit();
    let commit = repository.git(&["rev-parse", "HEAD"]);
    repository.git(&["checkout", "--quiet", "--detach"]);
    let uri = |hints: &SourceHints| repository.checkout(hints).descriptor().uri;
    let place = "https://git.example.com/o/r.git";
    let change = hints(place, "refs/pull/7/merge", &commit);
    assert_eq!(uri(&no_hints()), None);
    assert_eq!(uri(&change).as_deref(), Some("git+https://git.example.com/o/r@refs/pull/7/merge"));
    let other = hints(place, "refs/heads/main", &"0".repeat(40));
    assert_eq!(uri(&other), None, "the hints are about another commit");
    let unknown = SourceHints { commit: None, ..other };
    assert_eq!(uri(&unknown), None, "the hints are about no commit");

    // One tag names the commit as well; of several, none does.
    repository.git(&["remote", "add", "origin", "git@git.example.com:o/r.git"]);
    repository.git(&["tag", "v1"]);
    assert_eq!(uri(&no_hints()).as_deref(), Some("git+ssh://git@git.example.com/o/r@refs/tags/v1"));
    repository.git(&["tag", "v2"]);
    assert_eq!(uri(&no_hints()).as_deref(), Some("git+ssh://git@git.example.com/o/r"));
    let tag = hints(place, "refs/tags/v2", &commit);
    // What git says goes first.
    assert_eq!(uri(&tag).as_deref(), Some("git+ssh://git@git.example.com/o/r@refs/tags/v2"));
    repository.git(&["checkout", "--quiet", "main"]);
    assert_eq!(uri(&tag).as_deref(), Some("git+ssh://git@git.example.com/o/r@refs/heads/main"));
}

#[test]
fn the_repository_is_where_the_branch_comes_from() {
    let repository = Repository::with_a_commit();
    let place = || repository.checkout(&no_hints()).repository;
    assert_eq!(place(), None);
    repository.git(&["remote", "add", "fork", "https://git.example.com/fork/r"]);
    assert_eq!(place().as_deref(), Some("git+https://git.example.com/fork/r"), "the only one");
    repository.git(&["remote", "add", "other", "https://git.example.com/other/r"]);
    assert_eq!(place(), None, "none of two");
    repository.git(&["remote", "add", "origin", "https://git.example.com/o/r"]);
    assert_eq!(place().as_deref(), Some("git+https://git.example.com/o/r"));
    repository.git(&["config", "branch.main.remote", "fork"]);
    assert_eq!(place().as_deref(), Some("git+https://git.example.com/fork/r"));
    repository.git(&["config", "branch.main.remote", "."]);
    assert_eq!(place().as_deref(), Some("git+https://git.example.com/o/r"));
    repository.git(&["config", "branch.main.remote", "https://u:p@git.example.com/x/r"]);
    assert_eq!(place().as_deref(), Some("git+https://git.example.com/x/r"));
    repository.git(&["config", "--unset", "branch.main.remote"]);
    repository.git(&["remote", "set-url", "origin", "/srv/git/r.git"]);
    assert_eq!(place(), None, "a path of this machine");
    let commit = repository.git(&["rev-parse", "HEAD"]);
    let hints = hints("https://git.example.com/ci/r", "refs/heads/x", &commit);
    let uri = repository.checkout(&hints).descriptor().uri;
    assert_eq!(uri.as_deref(), Some("git+https://git.example.com/ci/r@refs/heads/main"));
}

#[test]
fn what_is_no_checkout_says_so_and_claims_no_source() {
    let check = |folder: &Path, expected: Absent| {
        let known = hints("https://git.example.com/o/r", "refs/heads/main", &"0".repeat(40));
        for hints in [no_hints(), known] {
            let source = source_of(folder, &hints);
            assert_eq!(source, Source::Absent(expected.clone()));
            assert_eq!(descriptors(&source), json!([]));
        }
    };
    let folder = tempfile::tempdir().unwrap();
    check(folder.path(), Absent::NoRepository);
    check(Repository::empty().path(), Absent::NoCommit);
    check(&Repository::with_a_commit().path().join(".git"), Absent::NoWorkingTree);
    let bare = Repository::empty();
    bare.git(&["init", "--quiet", "--bare", "bare"]);
    check(&bare.path().join("bare"), Absent::NoWorkingTree);
}

#[test]
fn without_git_the_commit_of_the_ci_system_is_marked_as_unchecked() {
    let repository = Repository::with_a_commit();
    let missing = Git::in_folder(repository.path())
        .replaced("attestry-test-no-such-program", Duration::from_secs(1));
    assert_eq!(ask(&missing, &no_hints()), Source::Absent(Absent::NoGit));
    let commit = "0".repeat(40);
    let known = hints("https://git.example.com/o/r", "refs/heads/main", &commit);
    assert_eq!(
        descriptors(&ask(&missing, &known)),
        json!([{
            "name": "source (as the CI system reports it)",
            "uri": "git+https://git.example.com/o/r@refs/heads/main",
            "digest": { "gitCommit": commit },
            "annotations": { "checked": false, "why": "git is not installed" },
        }])
    );
    // What git says is for a person, and stays out of the record.
    let absent = source_of(&repository.path().join("absent"), &known);
    let folder = repository.path().to_str().unwrap();
    assert!(matches!(&absent, Source::Reported(why, _) if why.to_string().contains(folder)));
    assert!(!descriptors(&absent).to_string().contains(folder));
}

#[test]
fn submodules_are_named_with_the_commits_that_are_checked_out() {
    let inner = Repository::with_a_commit();
    let first = inner.git(&["rev-parse", "HEAD"]);
    inner.write("a", "second");
    let second = inner.commit();
    let outer = Repository::with_a_commit();
    for path in ["lib/x", "lib/y", "z"] {
        outer.git(&["submodule", "--quiet", "add", inner.path().to_str().unwrap(), path]);
    }
    outer.git(&["submodule", "--quiet", "deinit", "--force", "z"]);
    let x = outer.path().join("lib/x");
    let in_x = |arguments: &[&str]| {
        outer.git(&[&["-C", x.to_str().unwrap()], arguments].concat());
    };
    in_x(&["remote", "set-url", "origin", "https://u:p@git.example.com/o/x.git"]);
    outer.commit();

    let source = outer.source(&no_hints());
    let digest = |commit: &str| json!({ "gitCommit": commit });
    let found = descriptors(&source);
    assert_eq!(found[0]["name"], "source");
    let named = json!({
        "name": "submodule lib/x",
        "uri": "git+https://git.example.com/o/x",
        "digest": digest(&second),
    });
    assert_eq!(found[1], named);
    assert_eq!(found[2], json!({ "name": "submodule lib/y", "digest": digest(&second) }));
    assert_eq!(found.as_array().unwrap().len(), 3, "{found}");
    let Source::Checkout(checkout) = source else { panic!("{source:?}") };
    let z = checkout.submodules.last().unwrap();
    assert_eq!((z.path.as_str(), z.is_present, z.commit.as_str()), ("z", false, second.as_str()));

    // Another commit, or changes within: the tree around it is no longer its commit either.
    outer.git(&["config", "diff.ignoreSubmodules", "all"]);
    in_x(&["checkout", "--quiet", &first]);
    outer.write("lib/y/new", "");
    let found = descriptors(&outer.source(&no_hints()));
    assert_eq!(found[0]["name"], "source (modified)");
    assert_eq!(found[0]["annotations"]["changeCount"], 2);
    assert_eq!(
        (&found[1]["name"], &found[1]["digest"]),
        (&json!("submodule lib/x"), &digest(&first))
    );
    assert_eq!(found[2]["name"], "submodule lib/y (modified)");
    assert_eq!(found[2]["digest"], Value::Null);
    assert_eq!(found[2]["annotations"], json!({ "baseCommit": second, "dirty": true }));
}

#[test]
fn submodules_of_submodules_are_named_and_made_up_ones_are_not() {
    let innermost = Repository::with_a_commit();
    let inner = Repository::with_a_commit();
    let add = |to: &Repository, what: &Repository, path: &str| {
        to.git(&["submodule", "--quiet", "add", what.path().to_str().unwrap(), path]);
    };
    add(&inner, &innermost, "deep");
    inner.commit();
    let outer = Repository::with_a_commit();
    add(&outer, &inner, "mid");
    outer.git(&["submodule", "--quiet", "update", "--init", "--recursive"]);
    let mut text = fs::read_to_string(outer.path().join(".gitmodules")).unwrap();
    for path in ["../elsewhere", "/etc", "a", "c", "-x"] {
        text.push_str(&format!("[submodule \"{path}\"]\n\tpath = {path}\n\turl = https://h/x\n"));
    }
    outer.write(".gitmodules", &text);
    outer.commit();
    let paths = |repository: &Repository| -> Vec<String> {
        let submodules = repository.checkout(&no_hints()).submodules;
        submodules.into_iter().map(|submodule| submodule.path).collect()
    };
    assert_eq!(paths(&outer), ["mid", "mid/deep"]);
    outer.write("mid/deep/a", "other");
    let found = descriptors(&outer.source(&no_hints()));
    assert_eq!(found[2]["name"], "submodule mid/deep (modified)");
}

#[test]
fn a_shallow_clone_says_so() {
    let origin = Repository::with_a_commit();
    origin.commit();
    let clone = Repository::empty();
    let url = format!("file://{}", origin.path().display());
    clone.git(&["clone", "--quiet", "--depth=1", &url, "shallow"]);
    let source = source_of(&clone.path().join("shallow"), &no_hints());
    assert_eq!(descriptors(&source)[0]["annotations"], json!({ "shallow": true }));
}

#[test]
fn reads_a_repository_whose_ids_are_sha256() {
    let repository = Repository { folder: tempfile::tempdir().unwrap() };
    repository.git(&["init", "--quiet", "--object-format=sha256"]);
    repository.write("a", "a");
    let commit = repository.commit();
    assert_eq!(commit.len(), 64);
    let found = descriptors(&repository.source(&no_hints()));
    assert_eq!(found[0]["digest"]["gitCommit"], commit);
}
