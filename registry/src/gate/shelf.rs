//! Evidence in memory: attestations that were read, verified and parsed once.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use attestry_schemas::bundle::{Bundle, Content};
use attestry_schemas::digest::Sha256;
use attestry_schemas::dsse::Envelope;
use attestry_schemas::gate::{Evidence, Held};
use attestry_schemas::rekor::{Entry, Verifier};
use attestry_schemas::verify;
use jiff::Timestamp;

use crate::store::record::{Kind, Record};
use crate::store::{Reader, StoreError};

/// The most attestations that are kept in memory; beyond, the half that came into the log first makes room.
const MAX_KEPT: usize = 50_000;

/// The shelf.
#[derive(Default)]
pub(super) struct Shelf {
    kept: RwLock<HashMap<u64, Arc<Evidence>>>,
}

impl Shelf {
    /// The evidence of a sequence. None of a leaf of which nothing but a digest is known, and of one that does not verify: it
    /// satisfies nothing.
    pub(super) fn evidence(
        &self,
        reader: &Reader<'_>,
        sequence: u64,
    ) -> Result<Option<Arc<Evidence>>, StoreError> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(evidence) = kept.get(&sequence) {
            return Ok(Some(Arc::clone(evidence)));
        }
        drop(kept);
        let missing = || StoreError::Missing { what: format!("record {sequence}") };
        let record = reader.record(sequence)?.ok_or_else(missing)?;
        let Some(evidence) = read(reader, sequence, &record)?.map(Arc::new) else {
            return Ok(None);
        };
        self.put(Arc::clone(&evidence));
        Ok(Some(evidence))
    }

    /// Keeps evidence that was verified when it came, so that it need not be read and verified again.
    pub(super) fn put(&self, evidence: Arc<Evidence>) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            let mut sequences: Vec<u64> = kept.keys().copied().collect();
            let (_, &mut middle, _) = sequences.select_nth_unstable(MAX_KEPT / 2);
            kept.retain(|sequence, _| *sequence >= middle);
        }
        kept.insert(evidence.index(), evidence);
    }
}

#[cfg(test)]
impl super::Gate {
    /// Demands that what is kept is what the store has; tells how much that is.
    pub(crate) fn kept_as_stored(&self) -> usize {
        let reader = self.store.reader();
        let kept = self.shelf.kept.read().unwrap();
        let check = |(sequence, evidence): (&u64, &Arc<Evidence>)| {
            let record = reader.record(*sequence).unwrap().unwrap();
            let stored = read(&reader, *sequence, &record).unwrap();
            assert_eq!(stored.as_ref(), Some(&**evidence));
        };
        kept.iter().map(check).count()
    }
}

/// What the log holds of an attestation; the moment in whole seconds.
pub(super) fn held(digest: Sha256, index: u64, logged_at_ms: i64) -> Option<Held> {
    let logged_at = Timestamp::from_second(logged_at_ms.div_euclid(1000)).ok()?;
    Some(Held { digest, index, logged_at: logged_at.into() })
}

/// Reads an attestation and verifies it again, with the key that its leaf names.
fn read(
    reader: &Reader<'_>,
    sequence: u64,
    record: &Record,
) -> Result<Option<Evidence>, StoreError> {
    if record.kind == Kind::Entry {
        return Ok(None);
    }
    let Some(body) = reader.leaf(sequence)? else { return Ok(None) };
    let Ok(Entry { verifier: Verifier::PublicKey(key), .. }) = Entry::parse(&body) else {
        return Ok(None);
    };
    let Some(held) = held(record.digest, sequence, record.logged_at_ms) else { return Ok(None) };
    let bytes = reader.stored_bytes(record)?;
    let keys = std::slice::from_ref(&key);
    Ok(match record.kind {
        Kind::Envelope => Envelope::parse(&bytes)
            .ok()
            .and_then(|envelope| verify::envelope(&envelope, keys).ok())
            .map(|signed| Evidence::of_statement(&signed, held)),
        Kind::Message => match Bundle::parse(&bytes).map(|bundle| bundle.content) {
            Ok(Content::Message(message)) => verify::message(&message, keys)
                .ok()
                .map(|signed| Evidence::of_message(&signed, held)),
            _ => None,
        },
        Kind::Entry => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_into_the_log_last_is_kept() {
        let statement = crate::testing::signed(1, &crate::testing::ed25519());
        let keys = [crate::testing::ed25519().public_key().clone()];
        let signed = verify::envelope(&statement, &keys).unwrap();
        let evidence = Evidence::of_statement(&signed, held(Sha256([0; 32]), 0, 0).unwrap());
        let shelf = Shelf::default();
        let half = MAX_KEPT as u64 / 2;
        for index in (0..=2 * half).rev() {
            shelf.put(Arc::new(evidence.clone().logged(index, evidence.logged_at())));
        }
        let kept = shelf.kept.read().unwrap();
        assert_eq!(kept.len() as u64, half + 1);
        assert!(kept.contains_key(&(half + 1)) && !kept.contains_key(&half));
        assert!(kept.contains_key(&0), "what is put there is kept until there must be room again");
    }
}
