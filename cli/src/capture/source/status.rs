//! What `git status --porcelain=v2 --branch -z` says (git-status, "Porcelain Format Version 2").

/// The most changed paths that are listed. All are counted.
pub(super) const MAX_LISTED: usize = 256;

/// The arguments. What configuration could hide is asked for: untracked files, and changes within
/// submodules.
pub(super) const ARGUMENTS: &[&str] = &[
    "status",
    "--porcelain=v2",
    "--branch",
    "--no-ahead-behind",
    "-z",
    "--untracked-files=normal",
    "--ignore-submodules=none",
    "--find-renames",
];

/// How a working tree differs from its commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// The first [`MAX_LISTED`] of them, in git's order: by path, and what is untracked last.
    pub(crate) listed: Vec<Change>,
    /// How many there are in all.
    pub(crate) count: u64,
}

/// One changed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// The path from the top of the repository; a folder of untracked files ends with a slash.
    pub(crate) path: String,
    /// What happened to it.
    pub(crate) kind: Kind,
    /// Where it was before, when it was renamed.
    pub(crate) from: Option<String>,
}

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Modified,
    Added,
    Deleted,
    Renamed,
    Untracked,
    /// A merge that is not finished.
    Conflicted,
    /// Git was told not to look at it, so that nobody knows.
    Unchecked,
}

impl Kind {
    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Modified => "modified",
            Self::Added => "added",
            Self::Deleted => "deleted",
            Self::Renamed => "renamed",
            Self::Untracked => "untracked",
            Self::Conflicted => "conflicted",
            Self::Unchecked => "unchecked",
        }
    }
}

impl Changes {
    /// Whether the tree is what its commit says.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn add(&mut self, path: &[u8], kind: Kind) {
        self.count += 1;
        if self.listed.len() < MAX_LISTED {
            self.listed.push(Change { path: text(path), kind, from: None });
        }
    }
}

/// What the answer says so far.
#[derive(Debug, Default)]
pub(super) struct Status {
    /// The commit at `HEAD`; nothing before the first.
    pub(super) commit: Option<String>,
    /// The branch; nothing when `HEAD` is detached.
    pub(super) branch: Option<String>,
    /// How the tree differs.
    pub(super) changes: Changes,
    /// Submodules with changes of their own, by path.
    pub(super) dirty_submodules: Vec<String>,
    /// Whether the next record is where the last change was renamed from.
    expects_origin: Origin,
}

#[derive(Debug, Default)]
enum Origin {
    #[default]
    None,
    OfListed,
    OfUnlisted,
}

impl Status {
    /// Takes one record.
    pub(super) fn take(&mut self, record: &[u8]) {
        match std::mem::take(&mut self.expects_origin) {
            Origin::None => self.entry(record),
            Origin::OfUnlisted => {}
            Origin::OfListed => {
                if let Some(change) = self.changes.listed.last_mut() {
                    change.from = Some(text(record));
                }
            }
        }
    }

    fn entry(&mut self, record: &[u8]) {
        let Some((mark, rest)) = record.split_first_chunk::<2>() else { return };
        match mark {
            b"# " => self.header(rest),
            b"? " => self.changes.add(rest, Kind::Untracked),
            b"1 " => self.changed(rest, 7, None),
            b"2 " => {
                self.changed(rest, 8, Some(Kind::Renamed));
                let is_listed = self.changes.count <= MAX_LISTED as u64;
                self.expects_origin = if is_listed { Origin::OfListed } else { Origin::OfUnlisted };
            }
            b"u " => self.changed(rest, 9, Some(Kind::Conflicted)),
            _ => {}
        }
    }

    fn header(&mut self, header: &[u8]) {
        let header = String::from_utf8_lossy(header);
        match header.split_once(' ') {
            Some(("branch.oid", commit)) if commit != "(initial)" => {
                self.commit = Some(commit.to_owned());
            }
            Some(("branch.head", branch)) if branch != "(detached)" => {
                self.branch = Some(branch.to_owned());
            }
            _ => {}
        }
    }

    /// A line of `XY sub …  path`, where the path is the field after `fields` others.
    fn changed(&mut self, line: &[u8], fields: usize, kind: Option<Kind>) {
        let mut parts = line.splitn(fields + 1, |byte| *byte == b' ');
        let (Some(xy), Some(sub)) = (parts.next(), parts.next()) else { return };
        let Some(path) = parts.nth(fields - 2) else { return };
        self.changes.add(path, kind.unwrap_or_else(|| kind_of(xy)));
        // S<c><m><u>: a commit that differs, modified files, untracked files.
        if let [b'S', _, modified, untracked] = sub
            && (*modified == b'M' || *untracked == b'U')
            && self.dirty_submodules.len() < MAX_LISTED
        {
            self.dirty_submodules.push(text(path));
        }
    }
}

/// `X` compares the index with the commit, `Y` the tree with the index.
fn kind_of(xy: &[u8]) -> Kind {
    match xy {
        [_, b'D'] | [b'D', b'.'] => Kind::Deleted,
        [b'A' | b'C', _] | [_, b'A'] => Kind::Added,
        _ => Kind::Modified,
    }
}

/// A path as text. Git's paths are bytes, and hardly ever no UTF-8.
pub(super) fn text(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_all_changes_and_lists_the_first() {
        let mut status = Status::default();
        for index in 0..MAX_LISTED + 2 {
            status.take(format!("2 R. N... 1 1 1 a b R100 new {index}").as_bytes());
            status.take(format!("? old {index}").as_bytes());
        }
        assert_eq!(status.changes.count, MAX_LISTED as u64 + 2);
        assert_eq!(status.changes.listed.len(), MAX_LISTED);
        let last = status.changes.listed.last().unwrap();
        assert_eq!((last.path.as_str(), last.kind), ("new 255", Kind::Renamed));
        assert_eq!(last.from.as_deref(), Some("? old 255"));
    }

    #[test]
    fn reads_every_kind_of_record_and_leaves_others() {
        let mut status = Status::default();
        for record in [
            &b"# branch.oid abc"[..],
            b"# branch.head a (b)",
            b"# stash 1",
            b"1 .M N... 1 1 1 a b a file",
            b"1 D. N... 1 1 1 a b b",
            b"1 .D N... 1 1 1 a b c",
            b"1 AM N... 1 1 1 a b d",
            b"1 .A N... 1 1 1 a b e",
            b"1 .T N... 1 1 1 a b f",
            b"1 .M S.M. 1 1 1 a b g",
            b"1 .M SC.. 1 1 1 a b h",
            b"u UU N... 1 1 1 1 a b c i j",
            b"? k\xff/",
            b"! l",
            b"x",
            b"1 broken",
            b"",
        ] {
            status.take(record);
        }
        assert_eq!(status.commit.as_deref(), Some("abc"));
        assert_eq!(status.branch.as_deref(), Some("a (b)"));
        let listed = status.changes.listed.iter().map(|change| (change.path.as_str(), change.kind));
        assert_eq!(
            listed.collect::<Vec<_>>(),
            [
                ("a file", Kind::Modified),
                ("b", Kind::Deleted),
                ("c", Kind::Deleted),
                ("d", Kind::Added),
                ("e", Kind::Added),
                ("f", Kind::Modified),
                ("g", Kind::Modified),
                ("h", Kind::Modified),
                ("i j", Kind::Conflicted),
                ("k\u{fffd}/", Kind::Untracked),
            ]
        );
        assert_eq!(status.dirty_submodules, ["g"]);
    }
}
