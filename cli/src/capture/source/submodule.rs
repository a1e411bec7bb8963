//! Submodules: repositories within a working tree, at a commit of their own (gitsubmodules).
//!
//! Not by `git submodule`, which is a shell script in the versions that are around, but by what it
//! reads: `.gitmodules`, the index and the submodule's own `HEAD`.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use attestry_schemas::statement::ResourceDescriptor;

use super::git::Git;
use super::status::text;
use super::{digests, identified, of_modified, repository};

/// The most submodules that are recorded, those of submodules included.
const MAX_SUBMODULES: usize = 256;
/// How deep submodules may nest.
const MAX_DEPTH: usize = 8;
/// The mode of a submodule in the index.
const GITLINK: &[u8] = b"160000 ";

/// A submodule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Submodule {
    /// Its path from the top of the outermost repository.
    pub(crate) path: String,
    /// The commit that is checked out, or else the one that the index names.
    pub(crate) commit: String,
    /// `git+https://…`, where it is known.
    pub(crate) repository: Option<String>,
    /// Whether it is checked out at all.
    pub(crate) is_present: bool,
    /// Whether it, or the submodule that it lies in, has changes of its own.
    pub(crate) is_dirty: bool,
}

impl Submodule {
    /// The submodule as an SLSA resolved dependency; a modified one has no digest, as the tree around
    /// it has none.
    pub(super) fn descriptor(&self) -> Option<ResourceDescriptor> {
        let Self { path, repository, is_dirty, .. } = self;
        let name = match is_dirty {
            true => format!("submodule {path} (modified)"),
            false => format!("submodule {path}"),
        };
        let commit = digests(&[("gitCommit", &self.commit)])?;
        Some(identified(ResourceDescriptor {
            name: Some(name),
            uri: repository.clone(),
            digest: (!is_dirty).then_some(commit),
            annotations: is_dirty.then(|| of_modified(&self.commit)),
            ..ResourceDescriptor::default()
        }))
    }
}

/// The submodules of a working tree and of each other, by path. `dirty` names those that the status
/// of the tree says have changes.
pub(super) fn within(git: &Git, dirty: &[String]) -> Vec<Submodule> {
    let mut found: Vec<Submodule> = Vec::new();
    let mut waiting = vec![(git.clone(), String::new(), false, 0)];
    while let Some((git, prefix, in_dirty, depth)) = waiting.pop() {
        for (path, recorded) in recorded(&git) {
            if found.len() == MAX_SUBMODULES {
                break;
            }
            let inner = git.at(&git.folder().join(&path));
            let path = format!("{prefix}{path}");
            let is_dirty = in_dirty || dirty.contains(&path);
            let head = head(&inner);
            found.push(Submodule {
                path: path.clone(),
                is_present: head.is_some(),
                repository: head.as_ref().and_then(|_| repository(&inner, None)),
                commit: head.unwrap_or(recorded),
                is_dirty,
            });
            if depth < MAX_DEPTH {
                waiting.push((inner, format!("{path}/"), is_dirty, depth + 1));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Path and commit of the submodules that a repository's index names.
fn recorded(git: &Git) -> BTreeMap<String, String> {
    if !git.folder().join(".gitmodules").is_file() {
        return BTreeMap::new();
    }
    let list = ["config", "-z", "--file", ".gitmodules", "--get-regexp", r"^submodule\..*\.path$"];
    let paths = git.records(&list, Vec::new(), |paths, record| {
        // The name, a line feed, and the value.
        let path = record.splitn(2, |byte| *byte == b'\n').nth(1).map(text);
        if let Some(path) = path.filter(|path| lies_within(path))
            && paths.len() < MAX_SUBMODULES
        {
            paths.push(path);
        }
    });
    let paths: Vec<String> = paths.unwrap_or_default();
    if paths.is_empty() {
        return BTreeMap::new();
    }
    let mut list = vec!["ls-files", "-s", "-z", "--"];
    list.extend(paths.iter().map(String::as_str));
    let entries = git.records(&list, BTreeMap::new(), |entries, record| {
        // Mode, id, stage, a tab and the path. What is no submodule is no concern of ours.
        let Some(rest) = record.strip_prefix(GITLINK) else { return };
        let mut parts = rest.splitn(2, |byte| *byte == b'\t');
        if let (Some(entry), Some(path)) = (parts.next(), parts.next())
            && let Some(commit) = entry.split(|byte| *byte == b' ').next()
            && entries.len() < MAX_SUBMODULES
        {
            entries.insert(text(path), text(commit));
        }
    });
    entries.unwrap_or_default()
}

/// The commit at `HEAD` of a submodule that is checked out.
fn head(inner: &Git) -> Option<String> {
    let answer = inner.text(&["rev-parse", "--show-prefix", "--verify", "HEAD"]).ok()?;
    // Where the folder has no repository of its own, the one around it answers, with a prefix.
    let commit = answer.strip_prefix('\n')?.trim();
    (!commit.is_empty()).then(|| commit.to_owned())
}

/// Whether a path is one below the folder that it is relative to.
fn lies_within(path: &str) -> bool {
    !path.is_empty()
        && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}
