//! What was deployed where, by what the statements name: a question about one artifact reads the statements that can concern it, and
//! not every one of its environment.
//!
//! In memory, from the index of the store: read once, then followed. It holds sequences alone; what counts is decided over the
//! statements themselves.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use attestry_schemas::digest::{DigestSet, Sha256};
use attestry_schemas::gate::{Evidence, Said};

use super::Gate;
use crate::store::key::{Term, TermKind};
use crate::store::{Reader, StoreError};

/// The most statements about deployments of one environment that can count, the newest below the size of the log that is
/// asked about.
const MAX_DEPLOYMENTS: usize = 10_000;

/// The histories of all environments that were asked about and have one.
#[derive(Debug, Default)]
pub(super) struct Histories(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// How many leaves had been completed when this was brought up to date.
    completed: u64,
    environments: HashMap<String, History>,
}

/// The statements about deployments of one environment, from a sequence on.
#[derive(Debug, Default)]
struct History {
    /// From which sequence on everything is known.
    low: u64,
    /// Below which one.
    high: u64,
    /// The sequences, in order.
    all: Vec<u64>,
    by: HashMap<Named, BTreeSet<u64>>,
}

/// What a statement names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Named {
    /// The name of a subject.
    Name(String),
    /// The digest of a subject.
    Subject(Sha256),
    /// What the subjects took the place of.
    Replaced(Sha256),
}

/// The terms of the statements about deployments of an environment.
fn terms(environment: &str) -> [Term; 2] {
    [Term::new(TermKind::TypeName, "deployment"), Term::new(TermKind::Environment, environment)]
}

fn sha256s(set: Option<&DigestSet>) -> Vec<Sha256> {
    set.into_iter().flat_map(DigestSet::iter).filter_map(|digest| digest.as_sha256()).collect()
}

/// The digests of a statement's subjects that have one of these names, or of all.
pub(super) fn subjects(evidence: &Evidence, names: Option<&BTreeSet<String>>) -> Vec<Sha256> {
    let is_named = |name: Option<&String>| {
        names.is_none_or(|names| name.is_some_and(|name| names.contains(name)))
    };
    let named = evidence.subjects().iter().filter(|subject| is_named(subject.name.as_ref()));
    named.flat_map(|subject| sha256s(subject.digest.as_ref())).collect()
}

impl History {
    fn add(&mut self, evidence: &Evidence) {
        let Said::Deployment(deployment) = evidence.said() else { return };
        let sequence = evidence.index();
        let Err(place) = self.all.binary_search(&sequence) else { return };
        self.all.insert(place, sequence);
        let names = evidence.subjects().iter().filter_map(|subject| subject.name.clone());
        let replaced = sha256s(deployment.replaces.as_ref()).into_iter().map(Named::Replaced);
        let digests = subjects(evidence, None).into_iter().map(Named::Subject);
        for named in names.map(Named::Name).chain(digests).chain(replaced) {
            self.by.entry(named).or_default().insert(sequence);
        }
    }

    fn below(&self, size: u64) -> &[u64] {
        let count = self.all.partition_point(|sequence| *sequence < size);
        self.all.get(..count).unwrap_or_default()
    }

    /// The sequences below a size that name one of these, of those that count.
    fn naming(&self, size: u64, wanted: impl IntoIterator<Item = Named>) -> BTreeSet<u64> {
        let below = self.below(size);
        let first = below.len().checked_sub(MAX_DEPLOYMENTS).and_then(|skip| below.get(skip));
        let first = first.copied().unwrap_or_default();
        let sets = wanted.into_iter().filter_map(|named| self.by.get(&named));
        sets.flat_map(|set| set.range(first..size.max(first))).copied().collect()
    }
}

impl Histories {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate {
    /// The sequences of the statements about deployments in an environment, below a size of the log, that can concern an artifact:
    /// about it or one of its names, and those that say that one of these was replaced.
    pub(super) fn deployments_concerning(
        &self,
        environment: &str,
        below: u64,
        subject: Sha256,
        names: &BTreeSet<String>,
    ) -> Result<BTreeSet<u64>, StoreError> {
        let named = names.iter().cloned().map(Named::Name);
        let mut found = self.naming(environment, below, named.chain([Named::Subject(subject)]))?;
        // The statements are read while others may ask.
        let reader = self.store.reader();
        let mut digests = BTreeSet::from([subject]);
        for sequence in &found {
            if let Some(evidence) = self.shelf.evidence(&reader, *sequence)? {
                digests.extend(subjects(&evidence, Some(names)));
            }
        }
        found.extend(self.replacements(environment, below, &digests)?);
        Ok(found)
    }

    /// The sequences of those that say that one of these artifacts was replaced.
    pub(super) fn replacements(
        &self,
        environment: &str,
        below: u64,
        artifacts: &BTreeSet<Sha256>,
    ) -> Result<BTreeSet<u64>, StoreError> {
        self.naming(environment, below, artifacts.iter().copied().map(Named::Replaced))
    }

    fn naming(
        &self,
        environment: &str,
        below: u64,
        wanted: impl Iterator<Item = Named>,
    ) -> Result<BTreeSet<u64>, StoreError> {
        let mut known = self.histories.lock();
        let history = self.history(&mut known, environment, below)?;
        let found = history.naming(below, wanted);
        // Environments are named by whoever asks: those without a history are not kept.
        if !history.all.is_empty() {
            known.environments.insert(environment.to_owned(), history);
        }
        Ok(found)
    }

    /// Takes out the history of an environment, up to date as far as `below` needs it. When something fails it is gone, and is
    /// read again for the next who asks.
    fn history(
        &self,
        known: &mut Known,
        environment: &str,
        below: u64,
    ) -> Result<History, StoreError> {
        // Before the view of the store, so that it holds what was completed.
        let state = self.log.progress().log();
        let (completed, which) = self.log.progress().completed_since(known.completed);
        let reader = self.store.reader();
        match which {
            Some(which) => {
                for sequence in which {
                    self.complete(&reader, known, sequence)?;
                }
            }
            None => known.environments.clear(),
        }
        known.completed = completed;
        let terms = terms(environment);
        let mut history = known.environments.remove(environment).unwrap_or_default();
        // Nothing but decisions came in since, and the log is told that far.
        let is_up_to_date = state.others <= history.high && below <= state.size;
        let size = if is_up_to_date { history.high } else { reader.size()? };
        let add = |history: &mut History, sequences: &[u64]| {
            for sequence in sequences.iter().rev() {
                if let Some(evidence) = self.shelf.evidence(&reader, *sequence)? {
                    history.add(&evidence);
                }
            }
            Ok::<(), StoreError>(())
        };
        if history.all.is_empty() {
            (history.low, history.high) = (size, size);
        } else if history.high < size {
            let new = reader.sequences_between(&terms, history.high, size)?;
            add(&mut history, &new)?;
            history.high = size;
        }
        // As many as can count at that size.
        while history.low > 0 && history.below(below).len() < MAX_DEPLOYMENTS {
            let wanted = MAX_DEPLOYMENTS - history.below(below).len();
            let older = reader.sequences_with(&terms, history.low, wanted)?;
            add(&mut history, &older)?;
            history.low = match older.last() {
                Some(last) if older.len() == wanted => *last,
                _ => 0,
            };
        }
        Ok(history)
    }

    /// Takes in a leaf of which nothing was known before, if it is of an environment that was read beyond it.
    fn complete(
        &self,
        reader: &Reader<'_>,
        known: &mut Known,
        sequence: u64,
    ) -> Result<(), StoreError> {
        let Some(evidence) = self.shelf.evidence(reader, sequence)? else { return Ok(()) };
        let Said::Deployment(deployment) = evidence.said() else { return Ok(()) };
        if let Some(history) = known.environments.get_mut(&deployment.environment)
            && (history.low..history.high).contains(&sequence)
        {
            history.add(&evidence);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_count_below_the_size_that_is_asked_about() {
        let named = Named::Name("pay/api".to_owned());
        let most = MAX_DEPLOYMENTS as u64;
        let all: Vec<u64> = (0..most + 5).map(|n| n * 2).collect();
        let by = HashMap::from([(named.clone(), all.iter().copied().collect())]);
        let history = History { low: 0, high: u64::MAX, all, by };
        let naming = |size: u64| history.naming(size, [named.clone()]);
        let first_and_count = |size: u64| (naming(size).first().copied(), naming(size).len());
        assert_eq!(first_and_count(u64::MAX), (Some(10), MAX_DEPLOYMENTS));
        assert_eq!(first_and_count(2 * most), (Some(0), MAX_DEPLOYMENTS));
        assert_eq!(first_and_count(3), (Some(0), 2));
        assert_eq!(first_and_count(0), (None, 0));
        assert!(history.naming(u64::MAX, [Named::Name("pay/web".to_owned())]).is_empty());
    }
}
