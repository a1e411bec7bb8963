//! Moves of tags: each is a statement that the registry signs, with a leaf in the log, in the batch that
//! moves the tag.

use attestry_schemas::dsse::{Envelope, PAYLOAD_TYPE};
use attestry_schemas::key::SigningKey;
use attestry_schemas::oci::{BlobDigest, RepositoryName, Tag};
use attestry_schemas::predicate::Predicate as _;
use attestry_schemas::predicate::attestry::tag::{TagEvent, TagMove};
use attestry_schemas::problem::chain;
use attestry_schemas::statement::{ResourceDescriptor, Statement};
use attestry_schemas::verify;
use jiff::Timestamp;

use super::{Actor, OciError};

use crate::log::{Prepared, Submission, View};
use crate::store::engine::Family;
use crate::store::oci::{self, MoveKind, MoveRecord, TagRecord, key};
use crate::store::record;

/// A manifest that a tag points to.
pub(super) struct Target<'t> {
    pub(super) digest: &'t BlobDigest,
    pub(super) media_type: &'t str,
    pub(super) size_bytes: u64,
}

/// A tag keeps what it needs from those who may not remove it. Who may not read is not told which.
pub(super) fn keeps(name: &RepositoryName, actor: &Actor, tag: &Tag) -> OciError {
    let which = if actor.may_pull { format!("the tag {tag}") } else { "a tag".to_owned() };
    OciError::Denied(format!(
        "expected the role delete-tag in {name}, found that {} does not have it and {which} would go too",
        actor.name
    ))
}

/// Who moves a tag of which repository, and when.
pub(super) struct Mover<'m> {
    pub(super) name: &'m RepositoryName,
    pub(super) actor: &'m Actor,
    pub(super) key: &'m SigningKey,
    pub(super) at_ms: i64,
}

impl Mover<'_> {
    /// Demands the right to make a tag point elsewhere than it does, or than it did when it was deleted:
    /// deleting it and pushing it again would else be a way around that right.
    pub(super) fn demand_overwrite(
        &self,
        view: &View<'_>,
        tag: &Tag,
        held: Option<&TagRecord>,
        to: &BlobDigest,
    ) -> Result<(), OciError> {
        let Some(held) = held.filter(|_| !self.actor.may_overwrite) else { return Ok(()) };
        let before = match &held.digest {
            Some(digest) => Some(digest.clone()),
            None => {
                let last = key::tag_move(self.name, tag, held.number);
                oci::tag_move(view.value(Family::TagMoves, &last))?.map(|last| last.digest)
            }
        };
        match before.filter(|before| before != to) {
            None => Ok(()),
            Some(before) => {
                // Who may not read is not told where it points.
                let where_to = if self.actor.may_pull {
                    format!("to {before}")
                } else {
                    "elsewhere".to_owned()
                };
                Err(OciError::Denied(format!(
                    "expected the role overwrite in {}, found that {} does not have it and {tag} points, or pointed, {where_to}",
                    self.name, self.actor.name
                )))
            }
        }
    }

    /// Demands the right to remove a tag, also where its manifest goes with it.
    pub(super) fn demand_untag(&self, tag: &Tag) -> Result<(), OciError> {
        if self.actor.may_untag {
            return Ok(());
        }
        Err(keeps(self.name, self.actor, tag))
    }

    /// Makes a tag point to a manifest. A tag that points there already does not move.
    pub(super) fn point(
        &self,
        prepared: &mut Prepared,
        tag: &Tag,
        held: Option<&TagRecord>,
        to: &Target<'_>,
    ) -> Result<(), OciError> {
        let before = held.and_then(|held| held.digest.as_ref());
        if before == Some(to.digest) {
            return Ok(());
        }
        if let Some(before) = before {
            prepared.writes.remove(Family::Uses, key::points(self.name, before, tag));
        }
        prepared.writes.put(Family::Uses, key::points(self.name, to.digest, tag), []);
        self.record(prepared, tag, held, MoveKind::Created, to)
    }

    /// Removes a tag that points to a manifest.
    pub(super) fn remove(
        &self,
        prepared: &mut Prepared,
        tag: &Tag,
        held: &TagRecord,
        from: &Target<'_>,
    ) -> Result<(), OciError> {
        prepared.writes.remove(Family::Uses, key::points(self.name, from.digest, tag));
        self.record(prepared, tag, Some(held), MoveKind::Deleted, from)
    }

    fn record(
        &self,
        prepared: &mut Prepared,
        tag: &Tag,
        held: Option<&TagRecord>,
        event: MoveKind,
        target: &Target<'_>,
    ) -> Result<(), OciError> {
        let number = held.map_or(0, |held| held.number) + 1;
        let leaf = self.statement(tag, held, event, target, number)?;
        let statement = leaf.payload.digest;
        let moved = TagRecord {
            digest: (event == MoveKind::Created).then(|| target.digest.clone()),
            number,
            moved_at_ms: self.at_ms,
            statement,
        };
        let entry = MoveRecord {
            event,
            at_ms: self.at_ms,
            digest: target.digest.clone(),
            statement,
            size_bytes: target.size_bytes,
            media_type: target.media_type.to_owned(),
        };
        let (tag_key, move_key) = (key::tag(self.name, tag), key::tag_move(self.name, tag, number));
        prepared.writes.put(Family::Tags, tag_key, record::encode(&moved));
        prepared.writes.put(Family::TagMoves, move_key, record::encode(&entry));
        prepared.leaves.push(leaf);
        Ok(())
    }

    fn statement(
        &self,
        tag: &Tag,
        held: Option<&TagRecord>,
        event: MoveKind,
        target: &Target<'_>,
        number: u64,
    ) -> Result<Submission, OciError> {
        let failed = |error: &(dyn std::error::Error + 'static)| OciError::Signing(chain(error));
        let moved_at = Timestamp::from_millisecond(self.at_ms).map_err(|e| failed(&e))?;
        let created = event == MoveKind::Created;
        let before = held.and_then(|held| held.digest.clone());
        let predicate = TagMove {
            repository: self.name.to_string(),
            tag: tag.to_string(),
            event: if created { TagEvent::Created } else { TagEvent::Deleted },
            number,
            previous: held
                .map(|held| attestry_schemas::digest::Digest::from(held.statement).into()),
            replaces: before.filter(|_| created).map(|before| before.digest().clone().into()),
            by: self.actor.name.clone(),
            moved_at: moved_at.into(),
        };
        let subject = ResourceDescriptor::named(self.name.as_str(), target.digest.digest().clone());
        let predicate = predicate.to_value().map_err(|e| failed(&e))?;
        let statement =
            Statement::new(vec![subject], TagMove::URI, predicate).map_err(|e| failed(&e))?;
        let envelope = Envelope::sign(PAYLOAD_TYPE, &statement.to_json(), self.key);
        let keys = std::slice::from_ref(self.key.public_key());
        let signed = verify::envelope(&envelope, keys).map_err(|e| failed(&e))?;
        Ok(Submission::of_statement(&signed, envelope.to_json(), self.name.as_str(), true))
    }
}
