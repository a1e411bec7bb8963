//! The OCI families: which repository has which content, where its tags point, and what refers to what.
//!
//! ```text
//! repositories   name → repository
//! links          text(name) ‖ kind (1 byte: b, m) ‖ digest → link
//! tags           text(name) ‖ tag → tag; a deleted one keeps its number
//! tag_moves      text(name) ‖ text(tag) ‖ number (8 bytes big-endian) → move
//! referrers      text(name) ‖ text(subject's digest) ‖ digest → referrer
//! uses           `c` ‖ SHA-256 ‖ `p`                              content that something else keeps
//!                `c` ‖ SHA-256 ‖ `l` ‖ text(name) ‖ kind ‖ digest   content that a repository links
//!                `h` ‖ text(digest) ‖ name                        which repositories have a blob
//!                `m` ‖ text(name) ‖ text(digest) ‖ manifest        what a manifest of the repository needs
//!                `t` ‖ text(name) ‖ text(manifest) ‖ tag            the tags that point to a manifest
//! stored         principal → bytes (8 bytes big-endian): the sizes of the links that it made
//! ```
//!
//! Digests and names are text; `text(x)` has its length in front (2 bytes), as in [`super::key`]. Content
//! itself lies where all content does, by its SHA-256, once for all repositories; whether a repository
//! may show it is what its link says. Records are deterministic CBOR, as in [`super::record`].

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use attestry_schemas::digest::Sha256;
use attestry_schemas::oci::{BlobDigest, Manifest, RepositoryName, Tag};
use serde::{Deserialize, Serialize};

use super::engine::Family;
use super::key::push_text;
use super::{Reader, StoreError, record};

pub mod parse;

/// What a link is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum LinkKind {
    /// A blob.
    Blob = b'b',
    /// A manifest.
    Manifest = b'm',
}

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryRecord {
    /// When something was first pushed to it, Unix milliseconds.
    pub created_at_ms: i64,
}

/// What a repository knows of content that it links. Members stand in the order of RFC 8949 §4.2.1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRecord {
    /// The content's SHA-256, under which it lies; the link's own digest unless that is a SHA-512.
    pub content: Sha256,
    /// The subject that a manifest names.
    pub subject: Option<BlobDigest>,
    /// What became of the evidence in a manifest's layers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<EvidenceRecord>,
    /// Who linked it last, whose quota it counts against; nobody where it was linked before that was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_by: Option<String>,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// A manifest's media type.
    pub media_type: Option<String>,
    /// When it was linked last, Unix milliseconds: what is not referred to is kept a while from then.
    pub linked_at_ms: i64,
}

/// What became of evidence that was pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceRecord {
    /// The layer.
    pub layer: BlobDigest,
    /// Why it is not in the log; nothing when it is.
    pub reason: Option<String>,
    /// Whether it was refused, or nobody signed it, or it was taken in.
    pub outcome: EvidenceOutcome,
    /// The digest under which the log has it.
    pub attestation: Option<Sha256>,
}

/// Whether pushed evidence counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceOutcome {
    /// It verifies, and is in the log as if it had been posted.
    Logged,
    /// Nobody signed it: it is an ordinary artifact.
    Unsigned,
    /// It does not verify: it is an ordinary artifact.
    Refused,
}

/// Where a tag points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagRecord {
    /// The manifest; nothing when the tag was deleted.
    pub digest: Option<BlobDigest>,
    /// How often it has moved.
    pub number: u64,
    /// When it moved last, Unix milliseconds.
    pub moved_at_ms: i64,
    /// The digest of the attestation of its last move.
    pub statement: Sha256,
}

/// What happened to a tag, in the words of the draft of tag history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveKind {
    /// It was made to point to a manifest.
    Created,
    /// It was removed.
    Deleted,
}

/// One move of a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveRecord {
    /// What happened.
    pub event: MoveKind,
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// The manifest that it points to, or that it pointed to before it was removed.
    pub digest: BlobDigest,
    /// The attestation's digest; its leaf proves the move.
    pub statement: Sha256,
    /// The manifest's size in bytes.
    pub size_bytes: u64,
    /// The manifest's media type.
    pub media_type: String,
}

/// A manifest as a listing of referrers shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferrerRecord {
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Its media type.
    pub media_type: String,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// What it says it is.
    pub artifact_type: Option<String>,
}

impl ReferrerRecord {
    /// What a listing shows of a manifest of this size.
    #[must_use]
    pub fn of(manifest: &Manifest, size_bytes: u64) -> Self {
        Self {
            size_bytes,
            media_type: manifest.media_type.clone(),
            annotations: manifest.listed_annotations(),
            artifact_type: manifest.artifact_type.clone(),
        }
    }
}

/// The keys of the families.
pub mod key {
    use super::{BlobDigest, LinkKind, RepositoryName, Sha256, Tag, push_text};

    fn named(name: &RepositoryName) -> Vec<u8> {
        let mut key = Vec::with_capacity(name.as_str().len() + 140);
        push_text(&mut key, name.as_str());
        key
    }

    fn under(first: u8, name: &RepositoryName, digest: &BlobDigest) -> Vec<u8> {
        let mut key = Vec::with_capacity(name.as_str().len() + 280);
        key.push(first);
        push_text(&mut key, name.as_str());
        push_text(&mut key, &digest.to_string());
        key
    }

    /// The key of a repository.
    #[must_use]
    pub fn repository(name: &RepositoryName) -> Vec<u8> {
        name.as_str().as_bytes().to_vec()
    }

    /// What stands in front of a repository's links of one kind.
    #[must_use]
    pub fn links(name: &RepositoryName, kind: LinkKind) -> Vec<u8> {
        let mut key = named(name);
        key.push(kind as u8);
        key
    }

    /// The key of a link.
    #[must_use]
    pub fn link(name: &RepositoryName, kind: LinkKind, digest: &BlobDigest) -> Vec<u8> {
        let mut key = links(name, kind);
        key.extend_from_slice(digest.to_string().as_bytes());
        key
    }

    /// What stands in front of a repository's tags.
    #[must_use]
    pub fn tags(name: &RepositoryName) -> Vec<u8> {
        named(name)
    }

    /// The key of a tag.
    #[must_use]
    pub fn tag(name: &RepositoryName, tag: &Tag) -> Vec<u8> {
        let mut key = named(name);
        key.extend_from_slice(tag.as_str().as_bytes());
        key
    }

    /// What stands in front of a tag's moves.
    #[must_use]
    pub fn tag_moves(name: &RepositoryName, tag: &Tag) -> Vec<u8> {
        let mut key = named(name);
        push_text(&mut key, tag.as_str());
        key
    }

    /// The key of a move.
    #[must_use]
    pub fn tag_move(name: &RepositoryName, tag: &Tag, number: u64) -> Vec<u8> {
        let mut key = tag_moves(name, tag);
        key.extend_from_slice(&number.to_be_bytes());
        key
    }

    /// What stands in front of the referrers of a subject.
    #[must_use]
    pub fn referrers(name: &RepositoryName, subject: &BlobDigest) -> Vec<u8> {
        let mut key = named(name);
        push_text(&mut key, &subject.to_string());
        key
    }

    /// The key of a referrer.
    #[must_use]
    pub fn referrer(name: &RepositoryName, subject: &BlobDigest, manifest: &BlobDigest) -> Vec<u8> {
        let mut key = referrers(name, subject);
        key.extend_from_slice(manifest.to_string().as_bytes());
        key
    }

    /// What stands in front of the uses of content.
    #[must_use]
    pub fn content_uses(content: &Sha256) -> Vec<u8> {
        [b"c".as_slice(), content.as_bytes()].concat()
    }

    /// The key that says that something else than a repository keeps content.
    #[must_use]
    pub fn pin(content: &Sha256) -> Vec<u8> {
        [content_uses(content).as_slice(), b"p"].concat()
    }

    /// The key that says that a repository links content.
    #[must_use]
    pub fn content_link(
        content: &Sha256,
        name: &RepositoryName,
        kind: LinkKind,
        digest: &BlobDigest,
    ) -> Vec<u8> {
        let mut key = content_uses(content);
        key.push(b'l');
        key.extend_from_slice(&link(name, kind, digest));
        key
    }

    /// What stands in front of the repositories that have a blob.
    #[must_use]
    pub fn holders(digest: &BlobDigest) -> Vec<u8> {
        let mut key = vec![b'h'];
        push_text(&mut key, &digest.to_string());
        key
    }

    /// The key that says that a repository has a blob.
    #[must_use]
    pub fn holder(digest: &BlobDigest, name: &RepositoryName) -> Vec<u8> {
        let mut key = holders(digest);
        key.extend_from_slice(name.as_str().as_bytes());
        key
    }

    /// What stands in front of the manifests of a repository that need a digest.
    #[must_use]
    pub fn needs(name: &RepositoryName, needed: &BlobDigest) -> Vec<u8> {
        under(b'm', name, needed)
    }

    /// The key that says that a manifest needs a digest.
    #[must_use]
    pub fn need(name: &RepositoryName, needed: &BlobDigest, manifest: &BlobDigest) -> Vec<u8> {
        let mut key = needs(name, needed);
        key.extend_from_slice(manifest.to_string().as_bytes());
        key
    }

    /// What stands in front of the tags that point to a manifest.
    #[must_use]
    pub fn pointing(name: &RepositoryName, manifest: &BlobDigest) -> Vec<u8> {
        under(b't', name, manifest)
    }

    /// The key that says that a tag points to a manifest.
    #[must_use]
    pub fn points(name: &RepositoryName, manifest: &BlobDigest, tag: &Tag) -> Vec<u8> {
        let mut key = pointing(name, manifest);
        key.extend_from_slice(tag.as_str().as_bytes());
        key
    }
}

/// Reads how much is counted for a principal; what is no count counts as nothing, and `fsck` tells of it.
#[must_use]
pub fn stored(value: Option<Vec<u8>>) -> u64 {
    value.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes)
}

/// The text behind a prefix of a key.
fn rest<T: std::str::FromStr>(key: &[u8], prefix: &[u8]) -> Option<T> {
    let rest = key.strip_prefix(prefix)?;
    std::str::from_utf8(rest).ok()?.parse().ok()
}

fn read<T: serde::de::DeserializeOwned>(
    bytes: Option<Vec<u8>>,
    what: &'static str,
) -> Result<Option<T>, StoreError> {
    bytes.map(|bytes| record::decode(&bytes, what).map_err(StoreError::Record)).transpose()
}

/// Reads the bytes of a link.
///
/// # Errors
/// [`StoreError::Record`].
pub fn link(bytes: Option<Vec<u8>>) -> Result<Option<LinkRecord>, StoreError> {
    read(bytes, "link of a repository")
}

/// Reads the bytes of a tag.
///
/// # Errors
/// [`StoreError::Record`].
pub fn tag(bytes: Option<Vec<u8>>) -> Result<Option<TagRecord>, StoreError> {
    read(bytes, "tag")
}

/// A move of a tag, as its bytes say.
///
/// # Errors
/// [`StoreError::Record`].
pub fn tag_move(bytes: Option<Vec<u8>>) -> Result<Option<MoveRecord>, StoreError> {
    bytes
        .map(|bytes| record::decode(&bytes, "move of a tag"))
        .transpose()
        .map_err(StoreError::Record)
}

impl Reader<'_> {
    /// Whether anything was ever pushed to a repository.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn has_repository(&self, name: &RepositoryName) -> Result<bool, StoreError> {
        Ok(self.get(Family::Repositories, &key::repository(name))?.is_some())
    }

    /// What a repository links by a digest.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn link(
        &self,
        name: &RepositoryName,
        kind: LinkKind,
        digest: &BlobDigest,
    ) -> Result<Option<LinkRecord>, StoreError> {
        link(self.get(Family::Links, &key::link(name, kind, digest))?)
    }

    /// A tag, also a deleted one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn tag(&self, name: &RepositoryName, of: &Tag) -> Result<Option<TagRecord>, StoreError> {
        tag(self.get(Family::Tags, &key::tag(name, of))?)
    }

    /// Visits the keys that start with `prefix`, from behind `after` on.
    ///
    /// # Errors
    /// [`StoreError`], also of the visitor.
    pub fn scan(
        &self,
        family: Family,
        prefix: &[u8],
        after: Option<&[u8]>,
        mut visitor: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        let mut fault = None;
        // The first key behind another is that key with a zero byte.
        let from = after.map(|after| [after, &[0]].concat());
        self.snapshot
            .visit(family, prefix, from.as_deref(), |key, value| match visitor(key, value) {
                Ok(flow) => flow,
                Err(error) => {
                    fault = Some(error);
                    ControlFlow::Break(())
                }
            })
            .map_err(StoreError::Engine)?;
        fault.map_or(Ok(()), Err)
    }

    /// The names of repositories behind `after`, at most `limit`, in order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn repositories(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<RepositoryName>, StoreError> {
        let mut names = Vec::new();
        self.scan(Family::Repositories, &[], after.map(str::as_bytes), |key, _| {
            names.extend(rest::<RepositoryName>(key, &[]));
            Ok(if names.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(names)
    }

    /// The tags of a repository behind `after`, at most `limit`, in the order of their bytes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn tags(
        &self,
        name: &RepositoryName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Tag>, StoreError> {
        let prefix = key::tags(name);
        let after = after.map(|after| [prefix.as_slice(), after.as_bytes()].concat());
        let mut tags = Vec::new();
        if limit == 0 {
            return Ok(tags);
        }
        self.scan(Family::Tags, &prefix, after.as_deref(), |key, value| {
            if tag(Some(value.to_vec()))?.is_some_and(|tag| tag.digest.is_some()) {
                tags.extend(rest::<Tag>(key, &prefix));
            }
            Ok(if tags.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(tags)
    }

    /// The tags that point to a manifest.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn tags_of(
        &self,
        name: &RepositoryName,
        manifest: &BlobDigest,
    ) -> Result<Vec<Tag>, StoreError> {
        let prefix = key::pointing(name, manifest);
        let mut tags = Vec::new();
        self.scan(Family::Uses, &prefix, None, |key, _| {
            tags.extend(rest::<Tag>(key, &prefix));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(tags)
    }

    /// Repositories that have a blob, at most `limit`. Whether the caller may know of them is not asked here.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn holders(
        &self,
        digest: &BlobDigest,
        limit: usize,
    ) -> Result<Vec<RepositoryName>, StoreError> {
        let prefix = key::holders(digest);
        let mut names = Vec::new();
        self.scan(Family::Uses, &prefix, None, |key, _| {
            names.extend(rest::<RepositoryName>(key, &prefix));
            let is_full = names.len() >= limit;
            Ok(if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(names)
    }

    /// The first manifest of a repository that needs a digest.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn needed_by(
        &self,
        name: &RepositoryName,
        needed: &BlobDigest,
    ) -> Result<Option<BlobDigest>, StoreError> {
        let prefix = key::needs(name, needed);
        let mut first = None;
        self.scan(Family::Uses, &prefix, None, |key, _| {
            first = rest(key, &prefix);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(first)
    }

    /// The manifests of a repository that need a digest, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn needed_by_all(
        &self,
        name: &RepositoryName,
        needed: &BlobDigest,
        limit: usize,
    ) -> Result<Vec<BlobDigest>, StoreError> {
        let prefix = key::needs(name, needed);
        let mut all = Vec::new();
        self.scan(Family::Uses, &prefix, None, |key, _| {
            all.extend(rest::<BlobDigest>(key, &prefix));
            let is_full = all.len() == limit;
            Ok(if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(all)
    }

    /// Whether a manifest of a repository needs a digest, other than some.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn is_needed_beside(
        &self,
        name: &RepositoryName,
        needed: &BlobDigest,
        without: &HashSet<BlobDigest>,
    ) -> Result<bool, StoreError> {
        let prefix = key::needs(name, needed);
        let mut is_needed = false;
        self.scan(Family::Uses, &prefix, None, |key, _| {
            let manifest = rest::<BlobDigest>(key, &prefix);
            is_needed = manifest.is_none_or(|manifest| !without.contains(&manifest));
            Ok(if is_needed { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(is_needed)
    }

    /// How many uses content has.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn count_uses(&self, content: &Sha256) -> Result<u64, StoreError> {
        let mut uses = 0;
        self.scan(Family::Uses, &key::content_uses(content), None, |_, _| {
            uses += 1;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(uses)
    }

    /// Whether anything uses content: a repository, or what else keeps content.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn is_used(&self, content: &Sha256) -> Result<bool, StoreError> {
        self.is_used_beside(content, &[])
    }

    /// Whether anything but the use of one key uses content.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn is_used_beside(&self, content: &Sha256, own: &[u8]) -> Result<bool, StoreError> {
        let mut used = false;
        self.scan(Family::Uses, &key::content_uses(content), None, |key, _| {
            used = key != own;
            Ok(if used { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(used)
    }

    /// Whether content may be shown by its digest alone: it was put there by itself, or is an attestation, or
    /// no repository has it. What only repositories have is shown by them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn is_open(&self, content: &Sha256) -> Result<bool, StoreError> {
        Ok(self.get(Family::Uses, &key::pin(content))?.is_some()
            || self.sequence_of_digest(content)?.is_some()
            || !self.is_used(content)?)
    }

    /// Whether content must stay: something uses it, or it is the bytes of an attestation.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn is_kept(&self, content: &Sha256) -> Result<bool, StoreError> {
        Ok(self.is_used(content)? || self.sequence_of_digest(content)?.is_some())
    }

    /// Visits the referrers of a subject, in the order of their digests.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn referrers(
        &self,
        name: &RepositoryName,
        subject: &BlobDigest,
        after: Option<&BlobDigest>,
        mut visitor: impl FnMut(BlobDigest, ReferrerRecord) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let prefix = key::referrers(name, subject);
        let after = after.map(|after| key::referrer(name, subject, after));
        self.scan(Family::Referrers, &prefix, after.as_deref(), |key, value| {
            let referrer = record::decode(value, "referrer").map_err(StoreError::Record)?;
            Ok(match rest::<BlobDigest>(key, &prefix) {
                Some(digest) => visitor(digest, referrer),
                None => ControlFlow::Continue(()),
            })
        })
    }

    /// The moves of a tag with numbers below `before`, the newest first, until the visitor breaks.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn tag_moves(
        &self,
        name: &RepositoryName,
        tag: &Tag,
        before: u64,
        mut visitor: impl FnMut(u64, MoveRecord) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        for number in (1..before).rev() {
            let bytes = self.get(Family::TagMoves, &key::tag_move(name, tag, number))?;
            let Some(one) = read(bytes, "move of a tag")? else { continue };
            if visitor(number, one).is_break() {
                break;
            }
        }
        Ok(())
    }
}
