//! What attestations say, as it was read from them, by sequence: a convenience of the gate, which is made again where it is lost.
//!
//! It is no commit point: the writes are not synced, and a crash of the machine loses the last of them together with the
//! cursor, so that they are made again. What they say is sealed ([`attestry_schemas::gate::Seal`]); the store
//! only keeps it.

use super::engine::{Batch, Family};
use super::{Reader, Store, StoreError, key};

/// How far facts are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactsCursor {
    /// The format of all of them.
    pub format: u8,
    /// Below which sequence all attestations had their turn.
    pub next: u64,
}

impl FactsCursor {
    const KEY: &[u8] = key::FACTS_CURSOR;

    fn to_bytes(self) -> Vec<u8> {
        [&[self.format], key::sequence(self.next).as_slice()].concat()
    }

    fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let (format, next) = bytes.split_first()?;
        let next = u64::from_be_bytes(next.try_into().ok()?);
        Some(Self { format: *format, next })
    }
}

impl Store {
    /// Keeps facts by their sequences, and how far they are kept then.
    ///
    /// # Errors
    /// [`StoreError::Engine`].
    pub fn put_facts(
        &self,
        facts: impl IntoIterator<Item = (u64, Vec<u8>)>,
        cursor: FactsCursor,
    ) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        for (sequence, sealed) in facts {
            batch.put(Family::Facts, key::sequence(sequence), sealed);
        }
        batch.put(Family::Meta, FactsCursor::KEY, cursor.to_bytes());
        self.engine.commit_unsynced(batch).map_err(StoreError::Engine)
    }
}

impl Reader<'_> {
    /// The facts of sequences that are sorted, as they were kept.
    ///
    /// # Errors
    /// [`StoreError::Engine`].
    pub fn facts(&self, sequences: &[u64]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let keys: Vec<_> = sequences.iter().map(|one| key::sequence(*one)).collect();
        self.snapshot.values(Family::Facts, &keys).map_err(StoreError::Engine)
    }

    /// How far facts are kept; none where that is nowhere said.
    ///
    /// # Errors
    /// [`StoreError::Engine`].
    pub fn facts_cursor(&self) -> Result<Option<FactsCursor>, StoreError> {
        let cursor = self.value(Family::Meta, FactsCursor::KEY)?;
        Ok(cursor.as_deref().and_then(FactsCursor::of_bytes))
    }
}
