//! What nothing refers to goes, while pushes go on.
//!
//! A manifest stays while a tag points to it, while an index that stays names it, while something refers to
//! it (a signature, an attestation: a manifest whose subject it is, or a statement in the log), or while it
//! refers itself to a subject that is here. A blob stays while a manifest of its repository needs it, or while a
//! statement in the log is about it. Everything stays for the grace period after it was pushed last, so that a push whose manifest comes last is never
//! overtaken. A file that a crash left goes at once: what is about to be referred to is claimed.
//!
//! The repositories are walked over a snapshot, which holds nobody up. What seems to be unreferred is judged
//! once more by the sequencer, in its one order, and goes in the batch in which it is judged.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::time::Duration;

use attestry_schemas::digest::Sha256;
use attestry_schemas::oci::{BlobDigest, RepositoryName};
use serde::{Deserialize, Serialize};

use super::blob::unlink;
use super::manifest::remove_manifest;
use super::tag::Mover;
use super::{Actor, Oci, OciError};
use crate::log::{Prepared, View};
use crate::store::content::Listed;
use crate::store::engine::Family;
use crate::store::key::{Term, TermKind};
use crate::store::oci::{LinkKind, LinkRecord, key};
use crate::store::{Reader, StoreError, oci};

/// As whom the collector acts.
pub const COLLECTOR: &str = "registry:collector";

/// How many repositories are read at once.
const PAGE: usize = 256;

/// How many manifests are looked at to judge one. What would take more stays until those that name it go.
const MAX_JUDGED: usize = 10_000;

/// What a collection found and removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collected {
    /// Repositories that were walked.
    pub repositories: u64,
    /// Manifests that went, or would.
    pub manifests: u64,
    /// Blobs that went, or would.
    pub blobs: u64,
    /// Files that a crash had left and that went, or would.
    pub files: u64,
    /// Bytes of content that nothing refers to any more: removed, or what would be.
    pub bytes: u64,
}

/// Whether a collection removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It removes.
    Remove,
    /// It removes nothing, and tells what a run would remove.
    Tell,
}

/// One link that seems to be unreferred.
#[derive(Debug, Clone)]
struct Candidate {
    kind: LinkKind,
    digest: BlobDigest,
    content: Sha256,
    size_bytes: u64,
}

impl Oci {
    /// Removes what nothing refers to and what is older than `grace`, or tells what that would be.
    ///
    /// # Errors
    /// [`OciError`]; what was removed until then is gone.
    pub fn collect(&self, grace: Duration, mode: Mode) -> Result<Collected, OciError> {
        let grace_ms = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
        let before_ms = self.clock.now().as_millisecond().saturating_sub(grace_ms);
        let mut run = Run {
            oci: self,
            mode,
            before_ms,
            told: Collected::default(),
            loosened: HashMap::new(),
        };
        let mut after: Option<RepositoryName> = None;
        loop {
            let after_text = after.as_ref().map(RepositoryName::as_str);
            let names = self.store.reader().repositories(after_text, PAGE)?;
            let Some(last) = names.last() else { break };
            after = Some(last.clone());
            for name in &names {
                run.repository(name)?;
            }
        }
        run.files()?;
        run.total()
    }
}

/// A collection under way.
struct Run<'o> {
    oci: &'o Oci,
    mode: Mode,
    before_ms: i64,
    told: Collected,
    /// Where nothing is removed: the content of links that would go, with its size and how many they are.
    loosened: HashMap<Sha256, (u64, u64)>,
}

impl Run<'_> {
    fn repository(&mut self, name: &RepositoryName) -> Result<(), OciError> {
        self.told.repositories += 1;
        let reader = self.oci.store.reader();
        let manifests = self.manifests(&reader, name)?;
        let gone: HashSet<BlobDigest> = match self.mode {
            // Whoever needs a blob and is gone is not in the next snapshot.
            Mode::Remove => HashSet::new(),
            Mode::Tell => manifests.iter().map(|one| one.digest.clone()).collect(),
        };
        drop(reader);
        self.settle(name, manifests)?;
        let reader = self.oci.store.reader();
        let blobs = self.blobs(&reader, name, &gone)?;
        drop(reader);
        self.settle(name, blobs)
    }

    /// The manifests that seem to be unreferred, those that name others in front of them.
    fn manifests(
        &self,
        reader: &Reader<'_>,
        name: &RepositoryName,
    ) -> Result<Vec<Candidate>, OciError> {
        let mut judge = Judge::new(reader, name, self.before_ms);
        let mut candidates: HashMap<BlobDigest, Candidate> = HashMap::new();
        let mut order = Vec::new();
        links(reader, name, LinkKind::Manifest, |digest, link| {
            let mut looked = match judge.verdict(&digest, &link)? {
                Verdict::Stays => return Ok(()),
                Verdict::Garbage { looked } => looked,
            };
            looked.reverse();
            order.extend(looked);
            let (content, size_bytes) = (link.content, link.size_bytes);
            let kind = LinkKind::Manifest;
            candidates.insert(digest.clone(), Candidate { kind, digest, content, size_bytes });
            Ok(())
        })?;
        Ok(order.iter().filter_map(|digest| candidates.remove(digest)).collect())
    }

    /// The blobs that no manifest needs but those that go.
    fn blobs(
        &self,
        reader: &Reader<'_>,
        name: &RepositoryName,
        gone: &HashSet<BlobDigest>,
    ) -> Result<Vec<Candidate>, OciError> {
        let mut candidates = Vec::new();
        links(reader, name, LinkKind::Blob, |digest, link| {
            let is_old = link.linked_at_ms < self.before_ms;
            if is_old
                && !reader.is_needed_beside(name, &digest, gone)?
                && !is_attested(reader, &digest)?
            {
                let (content, size_bytes) = (link.content, link.size_bytes);
                candidates.push(Candidate { kind: LinkKind::Blob, digest, content, size_bytes });
            }
            Ok(())
        })?;
        Ok(candidates)
    }

    /// Removes candidates that are unreferred still, or takes note of them.
    fn settle(
        &mut self,
        name: &RepositoryName,
        candidates: Vec<Candidate>,
    ) -> Result<(), OciError> {
        for candidate in candidates {
            if self.oci.is_stopping() {
                return Err(OciError::Stopping);
            }
            match self.mode {
                Mode::Tell => {
                    self.told.count(candidate.kind);
                    let loosened = self.loosened.entry(candidate.content);
                    loosened.or_insert((candidate.size_bytes, 0)).1 += 1;
                }
                Mode::Remove => self.remove(name, candidate)?,
            }
        }
        Ok(())
    }

    /// Judges a link once more, in the log's one order, and removes it if it is unreferred still.
    fn remove(&mut self, name: &RepositoryName, candidate: Candidate) -> Result<(), OciError> {
        let (name, signer) = (name.clone(), std::sync::Arc::clone(&self.oci.key));
        let (kind, digest, before_ms) = (candidate.kind, candidate.digest, self.before_ms);
        let pending = self.oci.log.change_alone(move |view| {
            let mut prepared = Prepared::default();
            let actor = Actor {
                name: COLLECTOR.to_owned(),
                may_pull: true,
                may_overwrite: true,
                may_attest: false,
                may_deploy: false,
                may_approve: false,
                may_untag: true,
                most_stored_bytes: None,
            };
            let mover = Mover { name: &name, actor: &actor, key: &signer, at_ms: view.at_ms() };
            let freed = remove(view, &mut prepared, &mover, kind, &digest, before_ms)?;
            Ok::<_, OciError>((prepared, freed))
        })?;
        let (removed, _) = pending.made_blocking()?;
        let Some(Removed { size_bytes, freed }) = removed else { return Ok(()) };
        self.told.count(kind);
        if let Some(freed) = freed {
            self.told.bytes += size_bytes;
            self.oci.store.remove_unused(&freed)?;
        }
        Ok(())
    }

    /// Removes the files that nothing refers to: a crash left them, or a push that was refused.
    fn files(&mut self) -> Result<(), OciError> {
        let store = &self.oci.store;
        for listed in store.files().list() {
            let Listed::Content { digest, size_bytes } = listed.map_err(StoreError::Content)?
            else {
                continue;
            };
            let went = match self.mode {
                Mode::Tell => (!store.reader().is_kept(&digest)?).then_some(size_bytes),
                Mode::Remove => store.remove_unused(&digest)?,
            };
            if let Some(bytes) = went {
                self.told.files += 1;
                self.told.bytes += bytes;
            }
        }
        Ok(())
    }

    /// What was told, with the content that would be left without any link.
    fn total(mut self) -> Result<Collected, OciError> {
        let reader = self.oci.store.reader();
        for (content, (size_bytes, links)) in &self.loosened {
            let is_attested = reader.sequence_of_digest(content)?.is_some();
            if !is_attested && reader.count_uses(content)? == *links {
                self.told.bytes += size_bytes;
            }
        }
        Ok(self.told)
    }
}

impl Collected {
    fn count(&mut self, kind: LinkKind) {
        match kind {
            LinkKind::Manifest => self.manifests += 1,
            LinkKind::Blob => self.blobs += 1,
        }
    }
}

/// Visits the links of a repository.
fn links(
    reader: &Reader<'_>,
    name: &RepositoryName,
    kind: LinkKind,
    mut visitor: impl FnMut(BlobDigest, LinkRecord) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let prefix = key::links(name, kind);
    reader.scan(Family::Links, &prefix, None, |key, value| {
        let digest = key.strip_prefix(prefix.as_slice());
        let digest = digest.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        if let (Some(digest), Some(link)) = (digest, oci::link(Some(value.to_vec()))?) {
            visitor(digest, link)?;
        }
        Ok(ControlFlow::Continue(()))
    })
}

/// What a link left behind.
struct Removed {
    size_bytes: u64,
    /// Its content, when nothing refers to that any more.
    freed: Option<Sha256>,
}

fn remove(
    view: &View<'_>,
    prepared: &mut Prepared,
    mover: &Mover<'_>,
    kind: LinkKind,
    digest: &BlobDigest,
    before_ms: i64,
) -> Result<Option<Removed>, OciError> {
    let (reader, name) = (view.reader(), mover.name);
    let Some(link) = reader.link(name, kind, digest)? else { return Ok(None) };
    let is_garbage = match kind {
        LinkKind::Blob => {
            link.linked_at_ms < before_ms
                && reader.needed_by(name, digest)?.is_none()
                && !is_attested(reader, digest)?
        }
        LinkKind::Manifest => {
            let verdict = Judge::new(reader, name, before_ms).verdict(digest, &link)?;
            matches!(verdict, Verdict::Garbage { .. })
        }
    };
    if !is_garbage {
        return Ok(None);
    }
    let freed = match kind {
        LinkKind::Manifest => remove_manifest(view, prepared, mover, digest)?,
        LinkKind::Blob => unlink(view, &mut prepared.writes, name, kind, digest, &link)?,
    };
    Ok(Some(Removed { size_bytes: link.size_bytes, freed }))
}

/// Judges the manifests of a repository, each by those that name it.
struct Judge<'j, 's> {
    reader: &'j Reader<'s>,
    name: &'j RepositoryName,
    before_ms: i64,
    /// Manifests that go with all that name them, so that no shape of indexes is walked twice.
    garbage: HashSet<BlobDigest>,
}

enum Verdict {
    Stays,
    /// It goes, and so do those that were looked at for it, the manifest itself first.
    Garbage {
        looked: Vec<BlobDigest>,
    },
}

impl<'j, 's> Judge<'j, 's> {
    fn new(reader: &'j Reader<'s>, name: &'j RepositoryName, before_ms: i64) -> Self {
        Self { reader, name, before_ms, garbage: HashSet::new() }
    }

    /// Whether a manifest stays: by itself, or because one that names it does. A subject and its referrers
    /// keep each other.
    fn verdict(&mut self, digest: &BlobDigest, link: &LinkRecord) -> Result<Verdict, StoreError> {
        let mut seen = HashSet::from([digest.clone()]);
        let mut looked = Vec::new();
        let mut waiting = vec![(digest.clone(), link.clone())];
        while let Some((digest, link)) = waiting.pop() {
            if self.garbage.contains(&digest) {
                continue;
            }
            if seen.len() > MAX_JUDGED || self.stays_by_itself(&digest, &link)? {
                return Ok(Verdict::Stays);
            }
            let indexes = self.reader.needed_by_all(self.name, &digest, MAX_JUDGED)?;
            if indexes.len() == MAX_JUDGED {
                return Ok(Verdict::Stays);
            }
            for index in indexes.into_iter().filter(|index| seen.insert(index.clone())) {
                if let Some(link) = self.reader.link(self.name, LinkKind::Manifest, &index)? {
                    waiting.push((index, link));
                }
            }
            looked.push(digest);
        }
        self.garbage.extend(looked.iter().cloned());
        Ok(Verdict::Garbage { looked })
    }

    fn stays_by_itself(&self, digest: &BlobDigest, link: &LinkRecord) -> Result<bool, StoreError> {
        let (reader, name) = (self.reader, self.name);
        if link.linked_at_ms >= self.before_ms || !reader.tags_of(name, digest)?.is_empty() {
            return Ok(true);
        }
        if let Some(subject) = &link.subject
            && reader.link(name, LinkKind::Manifest, subject)?.is_some()
        {
            return Ok(true);
        }
        let mut is_referred = false;
        reader.referrers(name, digest, None, |_, _| {
            is_referred = true;
            ControlFlow::Break(())
        })?;
        Ok(is_referred || is_attested(reader, digest)?)
    }
}

/// Whether a statement in the log is about a digest. Where tags pointed is not.
fn is_attested(reader: &Reader<'_>, digest: &BlobDigest) -> Result<bool, StoreError> {
    let prefix = Term::new(TermKind::Subject, digest.to_string()).prefix();
    let mut is_attested = false;
    reader.scan(Family::Postings, &prefix, None, |_, _| {
        is_attested = true;
        Ok(ControlFlow::Break(()))
    })?;
    Ok(is_attested)
}
