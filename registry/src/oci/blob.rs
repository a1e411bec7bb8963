//! Blobs: linked into a repository when they arrive or are mounted, unlinked when they are deleted.
//!
//! Content lies once, whoever pushed it; a repository shows what it links, and nothing else.

use std::sync::Arc;

use attestry_schemas::digest::Sha256;
use attestry_schemas::oci::{BlobDigest, RepositoryName};

use super::{Actor, Oci, OciError, begin_repository, quota, tag};
use crate::log::{ChangeError, Prepared, View};
use crate::store::content::{Claim, Written};
use crate::store::engine::{Batch, Family};
use crate::store::oci::{LinkKind, LinkRecord, key};
use crate::store::{oci, record};

/// The most manifests that are asked for their tags when a blob goes that they need.
const MAX_MANIFESTS: usize = 10_000;

/// Content that was written and that a repository is about to link.
pub struct Arrived {
    /// The digest under which it was announced.
    pub digest: BlobDigest,
    /// Where it is.
    pub written: Written,
    /// Keeps its file until the link is written.
    pub claim: Claim,
}

impl Oci {
    /// What a repository links as a blob.
    ///
    /// # Errors
    /// [`OciError::BlobUnknown`], also for a blob of another repository.
    pub fn blob(&self, name: &RepositoryName, digest: &BlobDigest) -> Result<LinkRecord, OciError> {
        let link = self.store.reader().link(name, LinkKind::Blob, digest)?;
        // A manifest is content that its repository has, under the digest of its bytes.
        let link = match link {
            None => self.store.reader().link(name, LinkKind::Manifest, digest)?,
            link => link,
        };
        link.ok_or_else(|| OciError::BlobUnknown(digest.clone()))
    }

    /// Links content that has arrived. Durable when this returns.
    ///
    /// # Errors
    /// [`OciError`]; the content goes then, unless something else refers to it.
    pub async fn link_blob(
        &self,
        name: &RepositoryName,
        arrived: Arrived,
        actor: Actor,
    ) -> Result<(), OciError> {
        let Arrived { digest, written, claim } = arrived;
        let content = *written.digest();
        let name = name.clone();
        let pending = self.log.change(move |view| {
            let held = view.value(Family::Links, &key::link(&name, LinkKind::Blob, &digest));
            let held = oci::link(held)?;
            quota::demand(view, &actor, written.size_bytes(), held.as_ref())?;
            let mut writes = Batch::default();
            begin_repository(view, &mut writes, &name);
            let link = LinkRecord {
                content,
                subject: None,
                evidence: Vec::new(),
                pushed_by: Some(actor.name),
                size_bytes: written.size_bytes(),
                media_type: None,
                linked_at_ms: view.at_ms(),
            };
            if let Written::Inline { digest, bytes } = written {
                writes.put(Family::Content, digest.0, bytes);
            }
            quota::count(view, &mut writes, held.as_ref(), Some(&link));
            write_link(&mut writes, &name, LinkKind::Blob, &digest, &link);
            Ok::<_, OciError>((Prepared { writes, leaves: Vec::new() }, ()))
        })?;
        let made = pending.made().await;
        drop(claim);
        if matches!(made, Err(ChangeError::Refused(OciError::Quota { .. }))) {
            self.remove_file(Some(content)).await?;
        }
        made?;
        Ok(())
    }

    /// Links a blob of another repository, or of any when none is named, that the caller may read. Returns
    /// whether there was one.
    ///
    /// # Errors
    /// [`OciError`].
    pub async fn mount_blob(
        &self,
        name: &RepositoryName,
        from: &RepositoryName,
        digest: &BlobDigest,
        actor: &Actor,
    ) -> Result<bool, OciError> {
        let actor = actor.clone();
        let (name, from, digest) = (name.clone(), from.clone(), digest.clone());
        let pending = self.log.change(move |view| {
            let source = view.value(Family::Links, &key::link(&from, LinkKind::Blob, &digest));
            let Some(source) = oci::link(source)? else {
                return Ok((Prepared::default(), false));
            };
            let held = view.value(Family::Links, &key::link(&name, LinkKind::Blob, &digest));
            let held = oci::link(held)?;
            quota::demand(view, &actor, source.size_bytes, held.as_ref())?;
            let mut writes = Batch::default();
            begin_repository(view, &mut writes, &name);
            let pushed_by = Some(actor.name);
            let link = LinkRecord { linked_at_ms: view.at_ms(), pushed_by, ..source };
            quota::count(view, &mut writes, held.as_ref(), Some(&link));
            write_link(&mut writes, &name, LinkKind::Blob, &digest, &link);
            Ok::<_, OciError>((Prepared { writes, leaves: Vec::new() }, true))
        })?;
        Ok(pending.made().await?.0)
    }

    /// Unlinks a blob, also one that a manifest needs. Its content goes when nothing else refers to it.
    ///
    /// # Errors
    /// [`OciError::BlobUnknown`].
    pub async fn delete_blob(
        &self,
        name: &RepositoryName,
        digest: &BlobDigest,
        actor: Actor,
    ) -> Result<(), OciError> {
        let (name, digest) = (name.clone(), digest.clone());
        let pending = self.log.change_alone(move |view| {
            let held = view.reader().link(&name, LinkKind::Blob, &digest)?;
            let link = held.ok_or_else(|| OciError::BlobUnknown(digest.clone()))?;
            demand_untagged(view, &name, &digest, &actor)?;
            let mut writes = Batch::default();
            let freed = unlink(view, &mut writes, &name, LinkKind::Blob, &digest, &link)?;
            Ok::<_, OciError>((Prepared { writes, leaves: Vec::new() }, freed))
        })?;
        let (freed, _) = pending.made().await?;
        self.remove_file(freed).await
    }

    /// Removes the file of content that nothing refers to any more.
    pub(super) async fn remove_file(&self, freed: Option<Sha256>) -> Result<(), OciError> {
        let Some(freed) = freed else { return Ok(()) };
        let store = Arc::clone(&self.store);
        let removed = tokio::task::spawn_blocking(move || store.remove_unused(&freed)).await;
        removed.map_err(|_| OciError::Stopping)?.map(|_| ()).map_err(OciError::from)
    }
}

/// Without a blob that it needs a tag is worth nothing: who may not remove the tag may not remove that either.
fn demand_untagged(
    view: &View<'_>,
    name: &RepositoryName,
    digest: &BlobDigest,
    actor: &Actor,
) -> Result<(), OciError> {
    if actor.may_untag {
        return Ok(());
    }
    let reader = view.reader();
    for manifest in reader.needed_by_all(name, digest, MAX_MANIFESTS)? {
        if let Some(tag) = reader.tags_of(name, &manifest)?.first() {
            return Err(tag::keeps(name, actor, tag));
        }
    }
    Ok(())
}

/// Writes a link, and that its content is used.
pub(super) fn write_link(
    writes: &mut Batch,
    name: &RepositoryName,
    kind: LinkKind,
    digest: &BlobDigest,
    link: &LinkRecord,
) {
    writes.put(Family::Links, key::link(name, kind, digest), record::encode(link));
    writes.put(Family::Uses, key::content_link(&link.content, name, kind, digest), []);
    if kind == LinkKind::Blob {
        writes.put(Family::Uses, key::holder(digest, name), []);
    }
}

/// Removes a link. Content in the engine that nothing else keeps goes in the same batch; for content in a
/// file the digest is returned, to be removed after the commit. Only in a batch of its own.
pub(super) fn unlink(
    view: &View<'_>,
    writes: &mut Batch,
    name: &RepositoryName,
    kind: LinkKind,
    digest: &BlobDigest,
    link: &LinkRecord,
) -> Result<Option<Sha256>, OciError> {
    writes.remove(Family::Links, key::link(name, kind, digest));
    quota::count(view, writes, Some(link), None);
    let own = key::content_link(&link.content, name, kind, digest);
    writes.remove(Family::Uses, own.clone());
    if kind == LinkKind::Blob {
        writes.remove(Family::Uses, key::holder(digest, name));
    }
    let reader = view.reader();
    if reader.is_used_beside(&link.content, &own)?
        || reader.sequence_of_digest(&link.content)?.is_some()
    {
        return Ok(None);
    }
    writes.remove(Family::Content, link.content.0);
    Ok(Some(link.content))
}
