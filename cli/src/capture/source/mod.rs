//! The source of a build: the commit that the folder holds, and how the folder differs from it.
//!
//! The `git` program is asked ([`git`]), because only it knows every form of a repository. A folder
//! without a repository, a machine without git, a repository without a commit are answers and no
//! errors: a build goes on, and its provenance claims no source.
//!
//! A tree that differs from its commit is never passed off as the commit. It is recorded as
//! `source (modified)` with what changed, and without a digest: digest sets match when one member
//! does (in-toto `digest_set.md`), and who matches them need not read annotations. The commit that it
//! started from is the annotation `baseCommit`. Files that git was told not to look at count as
//! changed, because nobody knows.

mod git;
mod location;
mod status;
mod submodule;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use attestry_schemas::digest::DigestSet;
use attestry_schemas::statement::ResourceDescriptor;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use self::git::{Git, GitError};
use self::status::Status;
pub(crate) use self::status::{Change, Changes, Kind};
pub(crate) use self::submodule::Submodule;
use super::ci::SourceHints;

/// The most tags at the commit that are recorded.
const MAX_TAGS: usize = 64;

/// Where a build's source comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    /// A working tree of git.
    Checkout(Box<Checkout>),
    /// Git cannot be asked, and the CI system says which commit the run is for.
    Reported(Absent, SourceHints),
    /// Not known.
    Absent(Absent),
}

/// Why the source is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Absent {
    /// There is no `git` program.
    NoGit,
    /// The folder lies in no repository.
    NoRepository,
    /// The folder lies in a repository without a working tree.
    NoWorkingTree,
    /// The repository has no commit yet.
    NoCommit,
    /// Git does not answer, and what it says.
    Unreadable(String),
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoGit => f.write_str("git is not installed"),
            Self::NoRepository => f.write_str("the folder lies in no git repository"),
            Self::NoWorkingTree => f.write_str("the git repository has no working tree here"),
            Self::NoCommit => f.write_str("the git repository has no commit yet"),
            Self::Unreadable(message) => write!(f, "git cannot tell: {message}"),
        }
    }
}

/// A working tree and the commit that it was checked out from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Checkout {
    /// The top of the working tree. Of this machine, and not recorded.
    pub(crate) top: PathBuf,
    /// The commit at `HEAD`.
    pub(crate) commit: String,
    /// The tree of the commit.
    pub(crate) tree: String,
    /// `git+https://…`: where the branch comes from, or else `origin`.
    pub(crate) repository: Option<String>,
    /// `refs/heads/…`; nothing when `HEAD` is detached.
    pub(crate) branch: Option<String>,
    /// `refs/tags/…` at the commit, the first [`MAX_TAGS`].
    pub(crate) tags: Vec<String>,
    /// The branch, tag or change that the CI system says the run is for, if the commit is its own.
    pub(crate) reported_reference: Option<String>,
    /// How the tree differs from the commit.
    pub(crate) changes: Changes,
    /// Repositories within the tree.
    pub(crate) submodules: Vec<Submodule>,
    /// Whether the history was cut off when it was cloned.
    pub(crate) is_shallow: bool,
    /// How many files of the commit are not in the tree, because it is a sparse one.
    pub(crate) left_out: u64,
}

/// Asks for the source of a folder. What git cannot say (the branch of a detached `HEAD`, a remote
/// that is not there) is taken from `hints`, but only when they are about the commit that is
/// checked out: a run may check out another one, or another repository.
pub(crate) fn of(folder: &Path, hints: &SourceHints) -> Source {
    ask(&Git::in_folder(folder), hints)
}

fn ask(git: &Git, hints: &SourceHints) -> Source {
    match checkout(git) {
        Ok(mut checkout) => {
            checkout.fill_in(hints);
            Source::Checkout(Box::new(checkout))
        }
        Err(why @ (Absent::NoGit | Absent::Unreadable(_))) if hints.commit.is_some() => {
            Source::Reported(why, hints.clone())
        }
        Err(why) => Source::Absent(why),
    }
}

fn checkout(git: &Git) -> Result<Checkout, Absent> {
    let place = git.bytes(&["rev-parse", "--is-shallow-repository", "--show-toplevel"])?;
    let place = place.strip_suffix(b"\n").unwrap_or(&place);
    let line_end = place.iter().position(|byte| *byte == b'\n').unwrap_or(place.len());
    let (is_shallow, top) = place.split_at(line_end);
    let top = PathBuf::from(OsStr::from_bytes(top.strip_prefix(b"\n").unwrap_or_default()));
    let git = git.at(&top);

    let status = git.records(status::ARGUMENTS, Status::default(), Status::take)?;
    let Status { commit, branch, mut changes, dirty_submodules, .. } = status;
    let commit = commit.ok_or(Absent::NoCommit)?;
    let tree = git.text(&["rev-parse", "--verify", &format!("{commit}^{{tree}}")])?;
    let left_out = unchecked(&git, &mut changes)?;
    Ok(Checkout {
        tree: tree.trim().to_owned(),
        repository: repository(&git, branch.as_deref()),
        branch: branch.map(|branch| format!("refs/heads/{branch}")),
        tags: tags_at(&git, &commit),
        reported_reference: None,
        changes,
        submodules: submodule::within(&git, &dirty_submodules),
        is_shallow: is_shallow == b"true",
        left_out,
        commit,
        top,
    })
}

/// Adds the files that `assume-unchanged` and `skip-worktree` hide from the status (git-ls-files,
/// `-v`) to the changes; counts those that a sparse tree leaves out.
fn unchecked(git: &Git, changes: &mut Changes) -> Result<u64, GitError> {
    /// Files that are left out by the million are counted without looking at each.
    const MAX_LOOKS: u64 = 100_000;
    struct Hidden {
        top: PathBuf,
        changes: Changes,
        left_out: u64,
    }
    let hidden =
        Hidden { top: git.folder().to_path_buf(), changes: std::mem::take(changes), left_out: 0 };
    let hidden = git.records(&["ls-files", "-v", "-z"], hidden, |hidden, record| {
        let Some((b"S" | b"s" | b"h" | b"m" | b"r" | b"c" | b"k", [b' ', path @ ..])) =
            record.split_at_checked(1)
        else {
            return;
        };
        let is_skipped = record.first().is_some_and(|tag| tag.eq_ignore_ascii_case(&b'S'));
        let file = hidden.top.join(OsStr::from_bytes(path));
        if is_skipped && (hidden.left_out > MAX_LOOKS || file.symlink_metadata().is_err()) {
            hidden.left_out += 1;
        } else {
            hidden.changes.add(path, Kind::Unchecked);
        }
    })?;
    *changes = hidden.changes;
    Ok(hidden.left_out)
}

/// Tags at a commit, annotated or not. A repository whose tags cannot be read has none to tell.
fn tags_at(git: &Git, commit: &str) -> Vec<String> {
    let at = format!("--points-at={commit}");
    let count = format!("--count={MAX_TAGS}");
    let arguments = ["for-each-ref", &at, &count, "--format=%(refname)", "refs/tags"];
    git.text(&arguments).map(|tags| tags.lines().map(str::to_owned).collect()).unwrap_or_default()
}

/// Where the branch comes from: its own remote, or `origin`, or the only one that there is.
fn repository(git: &Git, branch: Option<&str>) -> Option<String> {
    let own = branch.and_then(|branch| {
        let remote = git.text(&["config", "--get", &format!("branch.{branch}.remote")]).ok()?;
        // A dot is this repository itself.
        Some(remote.trim_end_matches('\n').to_owned()).filter(|remote| remote != ".")
    });
    let url = |remote: &str| {
        let urls = git.text(&["remote", "get-url", "--", remote]).ok()?;
        urls.lines().next().map(str::to_owned)
    };
    if let Some(own) = own {
        // A branch may name a URL in the place of a remote.
        return location::repository(&url(&own).unwrap_or(own));
    }
    let url = url("origin").or_else(|| {
        let remotes = git.text(&["remote"]).ok()?;
        let mut remotes = remotes.lines();
        let only = remotes.next()?;
        if remotes.next().is_none() { url(only) } else { None }
    });
    location::repository(&url?)
}

impl From<GitError> for Absent {
    fn from(error: GitError) -> Self {
        match error {
            GitError::Missing => Self::NoGit,
            GitError::Failed { message } if message.starts_with("not a git repository") => {
                Self::NoRepository
            }
            GitError::Failed { message } if message.contains("must be run in a work tree") => {
                Self::NoWorkingTree
            }
            other => Self::Unreadable(crate::output::chain(&other)),
        }
    }
}

impl Source {
    /// The source as SLSA `resolvedDependencies` and link `materials`: the repository, and then its
    /// submodules. Empty when it is not known.
    pub(crate) fn descriptors(&self) -> Vec<ResourceDescriptor> {
        match self {
            Self::Checkout(checkout) => {
                let present = checkout.submodules.iter().filter(|submodule| submodule.is_present);
                std::iter::once(checkout.descriptor())
                    .chain(present.filter_map(Submodule::descriptor))
                    .collect()
            }
            Self::Reported(why, hints) => reported(why, hints).into_iter().collect(),
            Self::Absent(_) => Vec::new(),
        }
    }
}

/// The commit that a CI system says the run is for, marked as what nobody checked.
fn reported(why: &Absent, hints: &SourceHints) -> Option<ResourceDescriptor> {
    let digest = digests(&[("gitCommit", hints.commit.as_deref()?)])?;
    let repository = hints.repository.as_deref().and_then(location::repository);
    // What git says may name folders of this machine.
    let why = match why {
        Absent::Unreadable(_) => "git cannot read the repository".to_owned(),
        other => other.to_string(),
    };
    let annotations = Map::from_iter([
        ("checked".to_owned(), Value::Bool(false)),
        ("why".to_owned(), Value::String(why)),
    ]);
    Some(ResourceDescriptor {
        name: Some("source (as the CI system reports it)".to_owned()),
        uri: repository.map(|place| location::at_reference(&place, hints.reference.as_deref())),
        digest: Some(digest),
        annotations: Some(annotations),
        ..ResourceDescriptor::default()
    })
}

impl Checkout {
    /// Whether the tree differs from the commit.
    pub(crate) fn is_dirty(&self) -> bool {
        !self.changes.is_empty()
    }

    /// The name in full of what is checked out: the branch; else what the CI system says; else the
    /// tag at the commit, if there is one and only one.
    pub(crate) fn reference(&self) -> Option<&str> {
        let only_tag = match self.tags.as_slice() {
            [tag] => Some(tag),
            _ => None,
        };
        self.branch.as_ref().or(self.reported_reference.as_ref()).or(only_tag).map(String::as_str)
    }

    /// The tree as an SLSA resolved dependency: `source` with commit and tree, or
    /// `source (modified)` with what changed since which commit.
    pub(crate) fn descriptor(&self) -> ResourceDescriptor {
        let mut annotations = Map::new();
        let digest = if self.is_dirty() {
            annotations = of_modified(&self.commit);
            annotations.insert("changeCount".to_owned(), json!(self.changes.count));
            let changes = self.changes.listed.iter().map(Change::to_json).collect();
            annotations.insert("changes".to_owned(), Value::Array(changes));
            None
        } else {
            digests(&[("gitCommit", &self.commit), ("gitTree", &self.tree)])
        };
        if !self.tags.is_empty() {
            annotations.insert("tags".to_owned(), json!(self.tags));
        }
        if self.is_shallow {
            annotations.insert("shallow".to_owned(), json!(true));
        }
        if self.left_out > 0 {
            annotations.insert("leftOut".to_owned(), json!(self.left_out));
        }
        let uri = |place: &String| location::at_reference(place, self.reference());
        identified(ResourceDescriptor {
            name: Some(if self.is_dirty() { "source (modified)" } else { "source" }.to_owned()),
            uri: self.repository.as_ref().map(uri),
            digest,
            annotations: (!annotations.is_empty()).then_some(annotations),
            ..ResourceDescriptor::default()
        })
    }

    /// Takes from the CI system what git did not say about this very commit.
    fn fill_in(&mut self, hints: &SourceHints) {
        if hints.commit.as_deref() != Some(self.commit.as_str()) {
            return;
        }
        if self.branch.is_none() {
            self.reported_reference.clone_from(&hints.reference);
        }
        if self.repository.is_none() {
            self.repository = hints.repository.as_deref().and_then(location::repository);
        }
    }
}

impl Change {
    fn to_json(&self) -> Value {
        match &self.from {
            None => json!({ "path": self.path, "change": self.kind.word() }),
            Some(from) => json!({ "path": self.path, "change": self.kind.word(), "from": from }),
        }
    }
}

/// What is said of a tree that differs from its commit.
fn of_modified(commit: &str) -> Map<String, Value> {
    Map::from_iter([
        ("baseCommit".to_owned(), Value::from(commit)),
        ("dirty".to_owned(), Value::Bool(true)),
    ])
}

/// Gives a descriptor with neither a place nor a digest, such as a modified tree without a remote, the
/// one thing left that identifies a resource (in-toto `resource_descriptor.md`): `content`, which is
/// what is known of it, its annotations as JSON.
fn identified(descriptor: ResourceDescriptor) -> ResourceDescriptor {
    if descriptor.uri.is_some() || descriptor.digest.is_some() {
        return descriptor;
    }
    let known = Value::from(descriptor.annotations.clone().unwrap_or_default()).to_string();
    ResourceDescriptor {
        content: Some(STANDARD.encode(known)),
        media_type: Some("application/json".to_owned()),
        ..descriptor
    }
}

/// A digest set of git ids; nothing when git gave none that is well-formed.
fn digests(ids: &[(&str, &str)]) -> Option<DigestSet> {
    let ids = ids.iter().map(|(name, id)| ((*name).to_owned(), (*id).to_owned()));
    DigestSet::try_from(ids.collect::<BTreeMap<_, _>>()).ok()
}
