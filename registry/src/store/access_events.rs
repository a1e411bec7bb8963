//! Events of access at rest: two rings, so that what is refused never pushes out what was done.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::engine::{Batch, Family};
use super::{Reader, Store, StoreError, record};

/// Which of the two rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ring {
    /// What was done.
    Done,
    /// What was refused.
    Denied,
}

impl Ring {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Done, Self::Denied];

    fn prefix(self) -> [u8; 1] {
        match self {
            Self::Done => *b"w",
            Self::Denied => *b"d",
        }
    }

    fn key(self, number: u64) -> Vec<u8> {
        [self.prefix().as_slice(), &number.to_be_bytes()].concat()
    }
}

/// An event: who did what, or was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// The id of the request, as its answer has it.
    pub request: String,
    /// As whom the registry knew the caller; nothing for a credential that it did not know.
    pub principal: Option<String>,
    /// What their issuer or certificate calls them.
    pub subject: Option<String>,
    /// The role that was demanded.
    pub role: Option<String>,
    /// The namespace that it was demanded in.
    pub namespace: Option<String>,
    /// The method.
    pub method: String,
    /// The path; below `/v2/` with its query.
    pub path: String,
    /// The address of the peer.
    pub address: Option<String>,
    /// The answer's status.
    pub status: u16,
    /// How many events of the ring were dropped before this one.
    pub dropped: u64,
}

impl Store {
    /// Adds events under their numbers and removes what no longer fits the ring.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_events(
        &self,
        events: &[(Ring, u64, EventRecord)],
        removed: &[(Ring, u64)],
    ) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        for (ring, number, event) in events {
            batch.put(Family::AccessEvents, ring.key(*number), record::encode(event));
        }
        for (ring, number) in removed {
            batch.remove(Family::AccessEvents, ring.key(*number));
        }
        self.engine().commit_unsynced(batch).map_err(StoreError::Engine)
    }
}

impl Reader<'_> {
    /// The numbers of a ring, from the oldest on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn event_numbers(&self, ring: Ring) -> Result<Vec<u64>, StoreError> {
        let (prefix, mut numbers) = (ring.prefix(), Vec::new());
        self.scan(Family::AccessEvents, &prefix, None, |key, _| {
            numbers.extend(number(key));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(numbers)
    }

    /// The newest event of a ring below a number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn event_below(
        &self,
        ring: Ring,
        below: u64,
    ) -> Result<Option<(u64, EventRecord)>, StoreError> {
        let Some(at_most) = below.checked_sub(1) else { return Ok(None) };
        let mut cursor = self.snapshot.cursor(Family::AccessEvents, ring.prefix().to_vec());
        let found = cursor.seek_at_or_before(&at_most.to_be_bytes()).map_err(StoreError::Engine)?;
        let Some(number) =
            found.and_then(|suffix| Some(u64::from_be_bytes(suffix.try_into().ok()?)))
        else {
            return Ok(None);
        };
        let bytes = self.value(Family::AccessEvents, &ring.key(number))?;
        let read = |bytes: Vec<u8>| record::decode(&bytes, "event of access");
        let event = bytes.map(read).transpose().map_err(StoreError::Record)?;
        Ok(event.map(|event| (number, event)))
    }
}

fn number(key: &[u8]) -> Option<u64> {
    key.get(1..)?.try_into().ok().map(u64::from_be_bytes)
}
