//! Manifests: pushed with their tags and referrers in one batch, deleted with the tags that point to them.

use std::sync::Arc;

use attestry_schemas::digest::Sha256;
use attestry_schemas::key::SigningKey;
use attestry_schemas::oci::{BlobDigest, Link, Manifest, Reference, RepositoryName, Tag};

use super::blob::{unlink, write_link};
use super::tag::{Mover, Target};
use super::{Actor, Oci, OciError, begin_repository, quota};
use crate::log::{Prepared, Submission, View};
use crate::store::engine::Family;
use crate::store::oci::{
    EvidenceOutcome, EvidenceRecord, LinkKind, LinkRecord, ReferrerRecord, key,
};
use crate::store::{is_inline, oci, record};

/// The most tags of one push. The specification asks for 10 at least.
pub const MAX_PUSHED_TAGS: usize = 32;

/// What is pushed.
pub struct Push {
    /// The repository.
    pub name: RepositoryName,
    /// The digest under which it is kept.
    pub digest: BlobDigest,
    /// The tags that are to point to it.
    pub tags: Vec<Tag>,
    /// Its bytes, as they came.
    pub bytes: Vec<u8>,
    /// Its bytes, read.
    pub manifest: Manifest,
    /// Who pushes it.
    pub actor: Actor,
    /// The evidence in its layers.
    pub evidence: Evidence,
}

/// The evidence that a manifest brings.
#[derive(Default)]
pub struct Evidence {
    /// What verifies: it goes into the log in the batch that keeps the manifest.
    pub leaves: Vec<Submission>,
    /// What became of each layer.
    pub records: Vec<EvidenceRecord>,
}

/// A manifest that is kept.
#[derive(Debug)]
pub struct Held {
    /// Its digest.
    pub digest: BlobDigest,
    /// What the repository knows of it.
    pub link: LinkRecord,
}

impl Push {
    /// Reads what a client sent: `reference` and `tags` as the request names them.
    ///
    /// # Errors
    /// [`OciError::Digest`] when the bytes are others than the reference names; [`OciError::Manifest`].
    pub fn read(
        name: RepositoryName,
        reference: Reference,
        tags: Vec<Tag>,
        content_type: Option<&str>,
        bytes: Vec<u8>,
        actor: Actor,
    ) -> Result<Self, OciError> {
        let (digest, mut pointed) = match reference {
            Reference::Tag(tag) => (Sha256::of(&bytes).into(), vec![tag]),
            Reference::Digest(expected) => {
                let found = expected.of_same_algorithm(&bytes);
                if found != expected {
                    return Err(OciError::Digest { expected, found });
                }
                (expected, Vec::new())
            }
        };
        pointed.extend(tags);
        pointed.sort();
        pointed.dedup();
        if pointed.len() > MAX_PUSHED_TAGS {
            return Err(OciError::ManifestInvalid(format!(
                "expected at most {MAX_PUSHED_TAGS} tags, found {}",
                pointed.len()
            )));
        }
        let manifest = Manifest::parse(&bytes, content_type)?;
        let evidence = Evidence::default();
        Ok(Self { name, digest, tags: pointed, bytes, manifest, actor, evidence })
    }

    fn content(&self) -> Sha256 {
        self.digest.as_sha256().unwrap_or_else(|| Sha256::of(&self.bytes))
    }
}

impl Oci {
    /// Keeps a manifest. When this returns, it, its tags and its place among referrers are durable, and the
    /// moves of its tags are in the log. Returns whether it was not here yet.
    ///
    /// # Errors
    /// [`OciError`]; nothing of it is kept then.
    pub async fn push(&self, push: Push) -> Result<bool, OciError> {
        let content = push.content();
        let (store, bytes) = (Arc::clone(&self.store), push.bytes.clone());
        let claim = match is_inline(&bytes) {
            true => None,
            false => {
                let prepared =
                    tokio::task::spawn_blocking(move || store.prepare_content(content, &bytes));
                prepared.await.map_err(|_| OciError::Stopping)??
            }
        };
        let key = Arc::clone(&self.key);
        let pending = self.log.change(move |view| {
            let mut prepared = Prepared::default();
            let was_here = write_push(view, &mut prepared, &push, &key)?;
            prepared.leaves.extend(push.evidence.leaves);
            Ok::<_, OciError>((prepared, !was_here))
        })?;
        let (is_new, _) = pending.made().await?;
        drop(claim);
        Ok(is_new)
    }

    /// The manifest that a reference names.
    ///
    /// # Errors
    /// [`OciError::ManifestUnknown`].
    pub fn manifest(&self, name: &RepositoryName, reference: &Reference) -> Result<Held, OciError> {
        let unknown = || OciError::ManifestUnknown(reference.to_string());
        let reader = self.store.reader();
        let digest = match reference {
            Reference::Digest(digest) => digest.clone(),
            Reference::Tag(tag) => {
                reader.tag(name, tag)?.and_then(|tag| tag.digest).ok_or_else(unknown)?
            }
        };
        let link = reader.link(name, LinkKind::Manifest, &digest)?.ok_or_else(unknown)?;
        Ok(Held { digest, link })
    }

    /// Deletes a manifest with the tags that point to it, or a tag alone.
    ///
    /// # Errors
    /// [`OciError::ManifestUnknown`].
    pub async fn delete(
        &self,
        name: &RepositoryName,
        reference: &Reference,
        actor: Actor,
    ) -> Result<(), OciError> {
        let (name, reference) = (name.clone(), reference.clone());
        let key = Arc::clone(&self.key);
        let pending = self.log.change_alone(move |view| {
            let mut prepared = Prepared::default();
            let mover = Mover { name: &name, actor: &actor, key: &key, at_ms: view.at_ms() };
            let freed = match &reference {
                Reference::Tag(tag) => {
                    remove_tag(view, &mut prepared, &mover, tag)?;
                    None
                }
                Reference::Digest(digest) => remove_manifest(view, &mut prepared, &mover, digest)?,
            };
            Ok::<_, OciError>((prepared, freed))
        })?;
        let (freed, _) = pending.made().await?;
        self.remove_file(freed).await
    }
}

/// Writes everything that a push comes to; returns whether the manifest was here.
fn write_push(
    view: &View<'_>,
    prepared: &mut Prepared,
    push: &Push,
    key: &SigningKey,
) -> Result<bool, OciError> {
    let held = oci::link(view.value(Family::Links, &manifest_key(&push.name, &push.digest)))?;
    demand_same_type(push, held.as_ref()).map_err(|error| told(&push.actor, error))?;
    demand_links(view, push).map_err(|error| told(&push.actor, error))?;
    quota::demand(view, &push.actor, push.bytes.len() as u64, held.as_ref())?;
    let writes = &mut prepared.writes;
    begin_repository(view, writes, &push.name);
    let content = push.content();
    if is_inline(&push.bytes) {
        writes.put(Family::Content, content.0, push.bytes.clone());
    }
    let manifest = &push.manifest;
    let link = LinkRecord {
        content,
        subject: manifest.subject.as_ref().map(|subject| subject.digest.clone()),
        evidence: evidence(view, push, held.as_ref())?,
        pushed_by: Some(push.actor.name.clone()),
        size_bytes: push.bytes.len() as u64,
        media_type: Some(manifest.media_type.clone()),
        linked_at_ms: view.at_ms(),
    };
    quota::count(view, writes, held.as_ref(), Some(&link));
    write_link(writes, &push.name, LinkKind::Manifest, &push.digest, &link);
    for needed in manifest.links() {
        writes.put(Family::Uses, key::need(&push.name, &needed.digest, &push.digest), []);
    }
    if let Some(subject) = &manifest.subject {
        let referrer = ReferrerRecord::of(manifest, link.size_bytes);
        let key = key::referrer(&push.name, &subject.digest, &push.digest);
        writes.put(Family::Referrers, key, record::encode(&referrer));
    }
    let mover = Mover { name: &push.name, actor: &push.actor, key, at_ms: view.at_ms() };
    let target = Target {
        digest: &push.digest,
        media_type: &manifest.media_type,
        size_bytes: link.size_bytes,
    };
    for tag in &push.tags {
        let tagged = oci::tag(view.value(Family::Tags, &key::tag(&push.name, tag)))?;
        mover.demand_overwrite(view, tag, tagged.as_ref(), target.digest)?;
        mover.point(prepared, tag, tagged.as_ref(), &target)?;
    }
    Ok(held.is_some())
}

/// Who may not read learns that the manifest contradicts something, and not what that is.
fn told(actor: &Actor, error: OciError) -> OciError {
    match error {
        OciError::ManifestInvalid(_) if !actor.may_pull => OciError::ManifestInvalid(
            "expected media types and sizes as they are, found others".to_owned(),
        ),
        error => error,
    }
}

/// What became of the evidence in the layers: under the attestation that the log has it as, which may have come before in other
/// bytes; and what is in the log stays there, whoever pushes the manifest again.
fn evidence(
    view: &View<'_>,
    push: &Push,
    held: Option<&LinkRecord>,
) -> Result<Vec<EvidenceRecord>, OciError> {
    let reader = view.reader();
    let mut records = push.evidence.records.clone();
    for leaf in &push.evidence.leaves {
        let forms = std::iter::once(&leaf.leaf_hash).chain(&leaf.other_hash);
        let mut known = None;
        for form in forms {
            known = known.or(reader.sequence_of_leaf(form)?);
        }
        let Some(sequence) = known else { continue };
        let Some(record) = reader.record(sequence)? else { continue };
        if record.completeness() < leaf.payload.completeness() {
            continue;
        }
        for one in records.iter_mut().filter(|one| one.attestation == Some(leaf.payload.digest)) {
            one.attestation = Some(record.digest);
        }
    }
    let logged = |one: &&EvidenceRecord| one.outcome == EvidenceOutcome::Logged;
    for before in held.iter().flat_map(|held| &held.evidence).filter(logged) {
        let is_it = |one: &&mut EvidenceRecord| {
            one.layer == before.layer && one.outcome != EvidenceOutcome::Logged
        };
        records.iter_mut().filter(is_it).for_each(|one| one.clone_from(before));
    }
    Ok(records)
}

fn manifest_key(name: &RepositoryName, digest: &BlobDigest) -> Vec<u8> {
    key::link(name, LinkKind::Manifest, digest)
}

/// The same bytes are not a manifest to one client and an index to the next.
fn demand_same_type(push: &Push, held: Option<&LinkRecord>) -> Result<(), OciError> {
    match held.and_then(|held| held.media_type.as_ref()) {
        Some(held) if *held != push.manifest.media_type => Err(OciError::ManifestInvalid(format!(
            "expected the media type {held} under which {} is here, found {}",
            push.digest, push.manifest.media_type
        ))),
        _ => Ok(()),
    }
}

/// Demands that the configuration and the layers are here, and that everything which is here is as the
/// manifest says. Manifests of an index may come later, or never (a sparse index).
fn demand_links(view: &View<'_>, push: &Push) -> Result<(), OciError> {
    let manifest = &push.manifest;
    let mut unknown = Vec::new();
    for link in manifest.config.iter().chain(&manifest.layers) {
        let key = key::link(&push.name, LinkKind::Blob, &link.digest);
        match oci::link(view.value(Family::Links, &key))? {
            Some(held) => demand_size(link, &held)?,
            None if link.is_elsewhere => {}
            None => unknown.push(link.digest.clone()),
        }
    }
    if !unknown.is_empty() {
        unknown.sort();
        unknown.dedup();
        return Err(OciError::ManifestBlobUnknown(unknown));
    }
    for link in &manifest.manifests {
        let key = manifest_key(&push.name, &link.digest);
        let Some(held) = oci::link(view.value(Family::Links, &key))? else { continue };
        demand_size(link, &held)?;
        if held.media_type.as_ref().is_some_and(|held| !held.eq_ignore_ascii_case(&link.media_type))
        {
            return Err(OciError::ManifestInvalid(format!(
                "expected the media type {} of the manifest {} that is here at {}, found {}",
                held.media_type.unwrap_or_default(),
                link.digest,
                link.at,
                link.media_type
            )));
        }
    }
    Ok(())
}

fn demand_size(link: &Link, held: &LinkRecord) -> Result<(), OciError> {
    match link.size_bytes == held.size_bytes {
        true => Ok(()),
        false => Err(OciError::ManifestInvalid(format!(
            "expected the size {} that {} has at {}, found {}",
            held.size_bytes, link.digest, link.at, link.size_bytes
        ))),
    }
}

/// Removes a tag.
fn remove_tag(
    view: &View<'_>,
    prepared: &mut Prepared,
    mover: &Mover<'_>,
    tag: &Tag,
) -> Result<(), OciError> {
    let unknown = || OciError::ManifestUnknown(tag.to_string());
    let held = view.reader().tag(mover.name, tag)?.ok_or_else(unknown)?;
    let digest = held.digest.clone().ok_or_else(unknown)?;
    let link = view.reader().link(mover.name, LinkKind::Manifest, &digest)?.ok_or_else(unknown)?;
    let media_type = link.media_type.unwrap_or_default();
    let from = Target { digest: &digest, media_type: &media_type, size_bytes: link.size_bytes };
    mover.remove(prepared, tag, &held, &from)
}

/// Removes a manifest, with its tags; returns the content to be removed when it was the last to need it.
pub(super) fn remove_manifest(
    view: &View<'_>,
    prepared: &mut Prepared,
    mover: &Mover<'_>,
    digest: &BlobDigest,
) -> Result<Option<Sha256>, OciError> {
    let (reader, name) = (view.reader(), mover.name);
    let link = reader.link(name, LinkKind::Manifest, digest)?;
    let link = link.ok_or_else(|| OciError::ManifestUnknown(digest.to_string()))?;
    for tag in reader.tags_of(name, digest)? {
        mover.demand_untag(&tag)?;
        remove_tag(view, prepared, mover, &tag)?;
    }
    for needed in links_of(view, &link)? {
        prepared.writes.remove(Family::Uses, key::need(name, &needed, digest));
    }
    if let Some(subject) = &link.subject {
        prepared.writes.remove(Family::Referrers, key::referrer(name, subject, digest));
    }
    unlink(view, &mut prepared.writes, name, LinkKind::Manifest, digest, &link)
}

/// What a kept manifest refers to.
fn links_of(view: &View<'_>, link: &LinkRecord) -> Result<Vec<BlobDigest>, OciError> {
    let bytes = view.reader().attested_bytes(link.content)?;
    let manifest = Manifest::parse(&bytes, link.media_type.as_deref())?;
    Ok(manifest.links().map(|link| link.digest.clone()).collect())
}
