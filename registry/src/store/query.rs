//! Searching: the attestations that have all of some terms, newest first.
//!
//! Leapfrog: each term has its list of sequences in order. Whichever list is furthest behind the
//! candidate moves the candidate down; when all agree, it is a result. The work is bounded by the
//! shortest list, not by the longest.

use std::ops::ControlFlow;

use attestry_schemas::digest::{Abbreviated, Sha256};
use attestry_schemas::document::Pattern;

use super::engine::{Cursor, Family};
use super::key::{self, Term};
use super::record::Record;
use super::{Reader, StoreError};

/// The most results of one page.
pub const MAX_PAGE: usize = 1000;
/// The most records that one page reads to filter by namespace.
const MAX_READS: usize = 20_000;

/// Whose attestations a caller may see. Every read of records passes [`Visibility::allows`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visibility {
    /// Every namespace.
    All,
    /// Namespaces that match a pattern of each list: what was granted, and what bounds it.
    Within(Vec<Vec<Pattern>>),
}

impl Visibility {
    /// Whether records of `namespace` may be seen.
    #[must_use]
    pub fn allows(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::Within(lists) => {
                let matches = |list: &Vec<Pattern>| list.iter().any(|one| one.matches(namespace));
                lists.iter().all(matches)
            }
        }
    }
}

/// What to search for.
#[derive(Debug, Clone)]
pub struct Query {
    /// Every one of these must hold.
    pub terms: Vec<Term>,
    /// Logged at or after this time, Unix milliseconds.
    pub since_ms: Option<i64>,
    /// Logged at or before this time, Unix milliseconds.
    pub until_ms: Option<i64>,
    /// Whose attestations the caller may see.
    pub visibility: Visibility,
    /// Only sequences below this one: where the last page ended.
    pub below: Option<u64>,
    /// The most results, up to [`MAX_PAGE`].
    pub limit: usize,
}

/// One page of results, newest first.
#[derive(Debug, Default)]
pub struct Page {
    /// The results with their sequences.
    pub records: Vec<(u64, Record)>,
    /// Where the next page begins, when there may be more.
    pub next_below: Option<u64>,
}

impl Reader<'_> {
    /// Searches.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn search(&self, query: &Query) -> Result<Page, StoreError> {
        let limit = query.limit.clamp(1, MAX_PAGE);
        let (mut search, mut opened) = (Search::of(self), 0);
        let mut page = Page::default();
        let mut below = match (query.below, self.first_after(query.until_ms)?) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        for _ in 0..MAX_READS {
            let Some(at_most) = below.map_or(Some(u64::MAX), |b| b.checked_sub(1)) else {
                return Ok(page);
            };
            let agreed = search.agree(&query.terms, &mut opened, (0, at_most))?;
            let Some(sequence) = agreed else { return Ok(page) };
            let missing = || StoreError::Missing { what: format!("record {sequence}") };
            let record = self.record(sequence)?.ok_or_else(missing)?;
            // Sequences and log times grow together, so everything further down is older.
            if query.since_ms.is_some_and(|since| record.logged_at_ms < since) {
                return Ok(page);
            }
            if page.records.len() == limit {
                page.next_below = below;
                return Ok(page);
            }
            below = Some(sequence);
            if query.visibility.allows(&record.namespace) {
                page.records.push((sequence, record));
            }
        }
        page.next_below = below;
        Ok(page)
    }

    /// The sequences below one that have all of the terms, the newest first; at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn sequences_with(
        &self,
        terms: &[Term],
        below: u64,
        limit: usize,
    ) -> Result<Vec<u64>, StoreError> {
        Search::of(self).sequences_with(terms, below, limit)
    }

    /// The sequences from one on and below another that have all of the terms, the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn sequences_between(
        &self,
        terms: &[Term],
        from: u64,
        below: u64,
    ) -> Result<Vec<u64>, StoreError> {
        Search::of(self).between(terms, from, below, usize::MAX)
    }

    /// The first sequence that was logged after a time, by binary search.
    fn first_after(&self, until_ms: Option<i64>) -> Result<Option<u64>, StoreError> {
        let Some(until_ms) = until_ms else { return Ok(None) };
        let size = self.latest_checkpoint()?.map_or(0, |(size, _)| size);
        let (mut low, mut high) = (0, size);
        while low < high {
            let middle = low + (high - low) / 2;
            let missing = || StoreError::Missing { what: format!("record {middle}") };
            if self.record(middle)?.ok_or_else(missing)?.logged_at_ms <= until_ms {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(Some(low))
    }

    /// The first digests of attestations, at most `most`, that an abbreviation stands for, with their sequences.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn digests_beginning(
        &self,
        start: &Abbreviated,
        most: usize,
    ) -> Result<Vec<(Sha256, u64)>, StoreError> {
        let mut found = Vec::new();
        let prefix = key::digests_beginning(&start.first_bytes());
        self.snapshot
            .visit(Family::Lookups, &prefix, None, |key, value| {
                let digest = key.get(1..).and_then(Sha256::from_slice);
                let one = digest.filter(|digest| start.begins(digest)).zip(key::sequence_of(value));
                found.extend(one);
                if found.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })
            .map_err(StoreError::Engine)?;
        Ok(found)
    }

    /// Visits every posting or edge key; for `fsck`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn visit_keys(
        &self,
        family: Family,
        mut visitor: impl FnMut(&[u8]),
    ) -> Result<(), StoreError> {
        self.snapshot
            .visit(family, &[], None, |key, _| {
                visitor(key);
                ControlFlow::Continue(())
            })
            .map_err(StoreError::Engine)
    }
}

/// One search after another in the same view: opening a list takes longer than most searches in it.
pub struct Search<'r, 's> {
    reader: &'r Reader<'s>,
    lists: Vec<Cursor<'r>>,
}

impl<'r, 's> Search<'r, 's> {
    /// In this view.
    #[must_use]
    pub fn of(reader: &'r Reader<'s>) -> Self {
        Self { reader, lists: Vec::new() }
    }

    /// The sequences below one that have all of the terms, the newest first; at most `limit`. All that there are without a term.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn sequences_with(
        &mut self,
        terms: &[Term],
        below: u64,
        limit: usize,
    ) -> Result<Vec<u64>, StoreError> {
        self.between(terms, 0, below, limit)
    }

    /// As [`Search::sequences_with`], of those from one on. Terms that few have come first: where nothing so new has the first of
    /// them, no other list is opened.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn between(
        &mut self,
        terms: &[Term],
        from: u64,
        below: u64,
        limit: usize,
    ) -> Result<Vec<u64>, StoreError> {
        let mut opened = 0;
        let mut sequences = Vec::new();
        let mut below = below;
        while sequences.len() < limit
            && let Some(at_most) = below.checked_sub(1)
            && let Some(sequence) = self.agree(terms, &mut opened, (from, at_most))?
        {
            sequences.push(sequence);
            below = sequence;
        }
        Ok(sequences)
    }

    /// The sequences below one that have all of the terms, and not all of the others, which name what is among them; the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn without(
        &mut self,
        terms: &[Term],
        others: &[Term],
        below: u64,
        limit: usize,
    ) -> Result<Vec<u64>, StoreError> {
        let mut excluded = Search::of(self.reader);
        let (mut opened, mut opened_there) = (0, 0);
        let mut sequences = Vec::new();
        let (mut below, mut next) = (below, None);
        while sequences.len() < limit
            && let Some(at_most) = below.checked_sub(1)
            && let Some(sequence) = self.agree(terms, &mut opened, (0, at_most))?
        {
            // The next one that is left out, at or below this one.
            if next.is_none_or(|next| next > Some(sequence)) {
                next = Some(excluded.agree(others, &mut opened_there, (0, sequence))?);
            }
            if next != Some(Some(sequence)) {
                sequences.push(sequence);
            }
            below = sequence;
        }
        Ok(sequences)
    }

    /// The greatest sequence within these two that has every term; `opened` lists are those of the first terms. Without a term, the
    /// list of all attestations is the only one.
    fn agree(
        &mut self,
        terms: &[Term],
        opened: &mut usize,
        (at_least, at_most): (u64, u64),
    ) -> Result<Option<u64>, StoreError> {
        let mut candidate = at_most;
        let lists = terms.len().max(1);
        let (mut agreeing, mut place) = (0, 0);
        while agreeing < lists {
            if place == *opened {
                self.open(place, terms);
                *opened += 1;
            }
            let Some(list) = self.lists.get_mut(place) else { break };
            match at_or_before(list, candidate)? {
                Some(sequence) if sequence >= at_least => {
                    agreeing = if sequence == candidate { agreeing + 1 } else { 1 };
                    candidate = sequence;
                }
                _ => return Ok(None),
            }
            place = (place + 1) % lists;
        }
        Ok((candidate >= at_least).then_some(candidate))
    }

    /// Opens the list of a term, or turns one that is open to it.
    fn open(&mut self, place: usize, terms: &[Term]) {
        let snapshot = &self.reader.snapshot;
        match (self.lists.get_mut(place), terms.get(place).map(Term::prefix)) {
            (Some(list), Some(prefix)) => list.turn_to(prefix),
            (None, Some(prefix)) => self.lists.push(snapshot.cursor(Family::Postings, prefix)),
            (_, None) => self.lists = vec![snapshot.cursor(Family::Statements, Vec::new())],
        }
    }
}

fn at_or_before(list: &mut Cursor<'_>, sequence: u64) -> Result<Option<u64>, StoreError> {
    let found = list.seek_at_or_before(&key::sequence(sequence)).map_err(StoreError::Engine)?;
    Ok(found.and_then(|suffix| key::sequence_of(&suffix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_sees_itself_and_what_is_below_it() {
        let list = |patterns: &[&str]| patterns.iter().map(|one| one.parse().unwrap()).collect();
        let visibility =
            Visibility::Within(vec![list(&["pay/api/**", "other"]), list(&["pay/**"])]);
        for (namespace, seen) in
            [("pay/api", true), ("pay/api/x", true), ("pay/apix", false), ("pay", false)]
        {
            assert_eq!(visibility.allows(namespace), seen, "{namespace}");
        }
    }
}
