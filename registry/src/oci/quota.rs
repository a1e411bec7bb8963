//! How much of what a principal has pushed is kept: counted with each link, in the batch that writes or removes it.
//!
//! What counts is what a repository links, manifests and blobs, at its full size: that two repositories share content is
//! nobody's discount, so no answer tells what others have. A link counts for who made it last, by push or by mount. What
//! lies in the open sessions of a principal counts while it comes.

use std::collections::BTreeMap;

use super::upload::Writing;
use super::{Actor, Oci, OciError};
use crate::log::View;
use crate::store::engine::{Batch, Family};
use crate::store::oci::{LinkRecord, stored};

/// Demands that a link of this size fits into what a principal may keep; what it replaces is theirs no more.
///
/// # Errors
/// [`OciError::Quota`].
pub(super) fn demand(
    view: &View<'_>,
    actor: &Actor,
    size_bytes: u64,
    replaced: Option<&LinkRecord>,
) -> Result<(), OciError> {
    if actor.most_stored_bytes.is_none() {
        return Ok(());
    }
    let is_own = |link: &&LinkRecord| link.pushed_by.as_deref() == Some(actor.name.as_str());
    let replaced = replaced.filter(is_own).map_or(0, |link| link.size_bytes);
    let stored = stored(view.value(Family::Stored, actor.name.as_bytes()));
    fits(actor, stored.saturating_sub(replaced), size_bytes)
}

fn fits(actor: &Actor, stored_bytes: u64, more_bytes: u64) -> Result<(), OciError> {
    match actor.most_stored_bytes {
        Some(most_bytes) if stored_bytes.saturating_add(more_bytes) > most_bytes => {
            let principal = actor.name.clone();
            Err(OciError::Quota { principal, most_bytes, stored_bytes, more_bytes })
        }
        _ => Ok(()),
    }
}

impl Oci {
    /// Demands that so many bytes more fit into what a principal may keep, beside what is kept and what lies in its open
    /// sessions; where they do not, the session ends. What is linked is asked again then.
    ///
    /// # Errors
    /// [`OciError::Quota`].
    pub fn demand_room(
        &self,
        actor: &Actor,
        writing: Writing,
        more_bytes: u64,
    ) -> Result<Writing, OciError> {
        if actor.most_stored_bytes.is_none() {
            return Ok(writing);
        }
        let value = self.store.reader().value(Family::Stored, actor.name.as_bytes())?;
        let more_bytes = self.uploads.held_bytes(&actor.name).saturating_add(more_bytes);
        match fits(actor, stored(value), more_bytes) {
            Ok(()) => Ok(writing),
            Err(refused) => {
                self.uploads.end(writing);
                Err(refused)
            }
        }
    }

    /// Appends a chunk to a session, as long as there is room for it.
    ///
    /// # Errors
    /// As [`Oci::demand_room`] and [`Writing::write`].
    pub fn append(
        &self,
        actor: &Actor,
        mut writing: Writing,
        chunk: &[u8],
    ) -> Result<Writing, OciError> {
        if actor.most_stored_bytes.is_some() {
            // Counted first: of two sessions that grow at once, one at least sees what both would hold.
            writing.count(chunk.len() as u64);
            writing = self.demand_room(actor, writing, 0)?;
        }
        writing.write(chunk)?;
        Ok(writing)
    }
}

/// Counts a link that takes the place of another: either may be none.
pub(super) fn count<'l>(
    view: &View<'_>,
    writes: &mut Batch,
    removed: Option<&'l LinkRecord>,
    added: Option<&'l LinkRecord>,
) {
    let mut changes: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let owned = |link: &'l LinkRecord| Some((link.pushed_by.as_deref()?, link.size_bytes));
    if let Some((name, size_bytes)) = removed.and_then(owned) {
        changes.entry(name).or_default().0 += size_bytes;
    }
    if let Some((name, size_bytes)) = added.and_then(owned) {
        changes.entry(name).or_default().1 += size_bytes;
    }
    for (name, (less, more)) in changes.into_iter().filter(|(_, (less, more))| less != more) {
        let stored = stored(view.value(Family::Stored, name.as_bytes()));
        let stored = stored.saturating_add(more).saturating_sub(less);
        match stored {
            0 => writes.remove(Family::Stored, name.as_bytes()),
            _ => writes.put(Family::Stored, name.as_bytes(), stored.to_be_bytes()),
        }
    }
}
