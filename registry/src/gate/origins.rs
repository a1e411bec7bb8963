//! Which provenance there is of artifacts that were deployed: a question about one artifact asks it of those that ran before it.
//!
//! In memory, from the index of the store: found once for each artifact, then followed. It holds sequences alone.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use attestry_schemas::digest::{Digest, Sha256};

use super::Gate;
use crate::store::StoreError;
use crate::store::key::{Term, TermKind};
use crate::store::query::Search;

/// The most artifacts of which it is kept.
const MAX_ARTIFACTS: usize = 100_000;

/// The provenance of all artifacts that were asked about.
#[derive(Debug, Default)]
pub(super) struct Origins(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// How many leaves had been completed when this was brought up to date.
    completed: u64,
    by: HashMap<Sha256, Origin>,
}

/// The provenance of one artifact.
#[derive(Debug, Clone, Default)]
struct Origin {
    /// Below which sequence everything is known.
    below: u64,
    /// The sequences, in order.
    sequences: Vec<u64>,
}

impl Origin {
    /// Those below a size of the log, if that is known.
    fn below(&self, size: u64) -> Option<Vec<u64>> {
        let are_below = self.sequences.iter().copied().filter(|sequence| *sequence < size);
        (size <= self.below).then(|| are_below.collect())
    }
}

/// The provenance of an artifact.
pub(super) type Provenance = (Sha256, Vec<u64>);

impl Origins {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate {
    /// The sequences of the provenance of artifacts, below a size of the log, each in order; of each at most `limit`, the newest.
    pub(super) fn provenance_of(
        &self,
        artifacts: impl IntoIterator<Item = Sha256>,
        below: u64,
        limit: usize,
    ) -> Result<Vec<Provenance>, StoreError> {
        let (mut found, mut unknown) = (Vec::new(), Vec::new());
        let mut known = self.origins.lock();
        // Before the view of the store, so that it holds what was completed. What that is about is not in its record, always.
        let (completed, which) = self.log.progress().completed_since(known.completed);
        if which.is_none_or(|which| !which.is_empty()) {
            known.by.clear();
        }
        known.completed = completed;
        for artifact in artifacts {
            let origin = known.by.get(&artifact);
            match origin.and_then(|origin| origin.below(below)) {
                Some(sequences) => found.push((artifact, sequences)),
                None => unknown.push((artifact, origin.cloned().unwrap_or_default())),
            }
        }
        drop(known);
        if unknown.is_empty() {
            return Ok(found);
        }
        let reader = self.store.reader();
        // All that there is, as who asks of one moment asks of later ones as well.
        let end = reader.size()?.max(below);
        let mut search = Search::of(&reader);
        for (artifact, origin) in &mut unknown {
            let terms = [
                Term::new(TermKind::Subject, Digest::from(*artifact).to_string()),
                Term::new(TermKind::TypeName, "provenance"),
            ];
            let new = search.between(&terms, origin.below, end, limit)?;
            // With as many as are looked at, those between are not known.
            if new.len() == limit {
                let mut newest = search.between(&terms, 0, below, limit)?;
                newest.reverse();
                found.push((*artifact, newest));
                origin.below = 0;
                continue;
            }
            origin.sequences.extend(new.into_iter().rev());
            origin.below = end;
            found.push((*artifact, origin.below(below).unwrap_or_default()));
        }
        let mut known = self.origins.lock();
        if known.completed == completed {
            if known.by.len() + unknown.len() > MAX_ARTIFACTS {
                known.by.clear();
            }
            for (artifact, origin) in unknown {
                let before = known.by.get(&artifact).map_or(0, |before| before.below);
                if before < origin.below {
                    known.by.insert(artifact, origin);
                }
            }
        }
        Ok(found)
    }
}
