//! The ledger: what the log says of deployments and decisions, read once and then followed.
//!
//! It holds nothing that is not in the log, but for the newest assessment of each running artifact, which is made again
//! after a restart. Whoever opens it brings it up to date first, so an answer never lags behind what
//! the asker has had recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};

use attestry_schemas::digest::Digest;
use attestry_schemas::gate::{Evidence, Said};
use attestry_schemas::predicate::{self, UtcTime};

use super::decisions::{Decided, Decisions};
use super::deployments::{Brought, Deployment, Deployments, MAX_DEPLOYMENTS, Place};
use super::{Gate, Ruling};
use crate::store::key::{Term, TermKind};
use crate::store::record::Record;
use crate::store::{Reader, StoreError};

/// The most new unauthorized deployments that wait for being told; more are counted all the same.
const MAX_UNTOLD: usize = 1_000;
/// The most older decisions about one artifact that are looked at for the newest verdict about it.
const MAX_LOOKED_AT: usize = 1_000;
/// How many leaves are read at once.
const AT_ONCE: usize = 256;

/// Whether something that runs would still be allowed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Standing {
    /// What it is about.
    pub(super) brought: Brought,
    pub(super) compliant: bool,
    /// Why not.
    pub(super) reasons: Vec<String>,
    /// From when on it may be otherwise without new evidence.
    pub(super) until: Option<UtcTime>,
    /// The size of the log that was looked at.
    pub(super) log_size: u64,
    /// The digests of the artifact, its commits and materials: evidence about them can change it.
    pub(super) watched: BTreeSet<String>,
    /// The times of the evidence that it stands on, Unix seconds.
    pub(super) evidence_s: Vec<i64>,
}

impl Standing {
    /// Whether it is about this deployment.
    pub(super) fn is_of(&self, deployment: &Deployment) -> bool {
        self.brought.is_of(deployment)
    }
}

/// What must be assessed now.
#[derive(Debug, Clone)]
pub(super) struct Due {
    pub(super) place: Place,
    pub(super) deployment: Deployment,
    /// Whether there is new evidence: it goes first.
    pub(super) has_news: bool,
}

/// What is in the log.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) deployments: Deployments,
    pub(super) decisions: Decisions,
}

/// The ledger.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) counted: Counted,
    standings: BTreeMap<Place, Standing>,
    /// Digests to the places where evidence about them matters.
    watched: BTreeMap<String, BTreeSet<Place>>,
    /// Places that new evidence may have changed.
    touched: BTreeSet<Place>,
    /// Places that must be assessed again without any news.
    stale: BTreeSet<Place>,
    /// Places that could not be assessed, and until when they wait where no news comes.
    postponed: BTreeMap<Place, UtcTime>,
    /// Unauthorized deployments that came since the process started.
    untold: Vec<Deployment>,
    /// The size of the log that was read.
    size: u64,
    /// How many completed leaves were seen.
    completed: u64,
    /// The newest governance statement by which signers were weighed.
    governed_at: u64,
}

impl Ledger {
    /// The newest assessment of what runs at a place.
    pub(super) fn standing(&self, place: &Place, deployment: &Deployment) -> Option<&Standing> {
        self.standings.get(place).filter(|standing| standing.is_of(deployment))
    }

    /// Whether what runs at a place was allowed, and would still be: by its newest assessment, or else by the newest
    /// verdict in the log. What was allowed stays so until another verdict is there; what was not is not compliant.
    pub(super) fn is_compliant(&self, place: &Place, deployment: &Deployment) -> bool {
        if deployment.cause().is_some() {
            return false;
        }
        match self.standing(place, deployment) {
            Some(standing) => standing.compliant,
            None => {
                let verdict = self.counted.decisions.verdict(&deployment.brought());
                verdict.is_none_or(|(compliant, _)| compliant)
            }
        }
    }

    /// What must be assessed now: what is touched, which comes first, was not yet assessed, or may be otherwise by now.
    pub(super) fn take_due(&mut self, now: UtcTime) -> Vec<Due> {
        let touched = std::mem::take(&mut self.touched);
        self.postponed.retain(|place, until| now < *until && !touched.contains(place));
        let waits = |place: &Place| self.postponed.contains_key(place);
        let (waiting, stale): (_, BTreeSet<Place>) =
            std::mem::take(&mut self.stale).into_iter().partition(waits);
        self.stale = waiting;
        let gone: Vec<Place> = self
            .standings
            .keys()
            .filter(|place| self.counted.deployments.at(place).is_none())
            .cloned()
            .collect();
        gone.iter().for_each(|place| self.forget(place));
        let is_due = |(place, deployment): &(&Place, &Deployment)| {
            let standing = || self.standing(place, deployment);
            let is_over = |standing: &Standing| standing.until.is_some_and(|until| now >= until);
            !self.postponed.contains_key(*place)
                && (touched.contains(*place)
                    || stale.contains(*place)
                    || standing().is_none_or(is_over))
        };
        let due = self.counted.deployments.running().filter(is_due);
        let due = due.map(|(place, deployment)| Due {
            place: place.clone(),
            deployment: deployment.clone(),
            has_news: touched.contains(place),
        });
        let mut due: Vec<Due> = due.collect();
        due.sort_by_key(|one| !one.has_news);
        due
    }

    /// Takes back what was not assessed.
    pub(super) fn put_back(&mut self, due: Due) {
        match due.has_news {
            true => self.touched.insert(due.place),
            false => self.stale.insert(due.place),
        };
    }

    /// Takes back what could not be assessed: it waits until then, or for news.
    pub(super) fn postpone(&mut self, due: Due, until: UtcTime) {
        self.postponed.insert(due.place.clone(), until);
        self.stale.insert(due.place);
    }

    /// Says that a place must be assessed again.
    pub(super) fn touch(&mut self, place: Place) {
        self.touched.insert(place);
    }

    /// When the next assessment is due without new evidence.
    pub(super) fn next_due(&self) -> Option<UtcTime> {
        let standing = self.standings.iter();
        let ends = standing.filter(|(place, _)| !self.postponed.contains_key(*place));
        let ends = ends.filter_map(|(_, standing)| standing.until);
        ends.chain(self.postponed.values().copied()).min()
    }

    /// The unauthorized deployments that nobody was told of.
    pub(super) fn take_untold(&mut self) -> Vec<Deployment> {
        std::mem::take(&mut self.untold)
    }

    /// Has the unauthorized ones among new deployments told, of which `first` is the leaf of the oldest.
    fn add_untold(&mut self, first: u64, is_new: impl Fn(u64) -> bool) {
        let room = MAX_UNTOLD.saturating_sub(self.untold.len());
        let all = self.counted.deployments.newest().take_while(|one| one.index >= first);
        let new = all.filter(|one| is_new(one.index) && one.cause().is_some()).take(room);
        let new: Vec<Deployment> = new.cloned().collect();
        self.untold.extend(new);
    }

    /// Keeps an assessment. What was logged while it was made may concern what it has just found to matter.
    pub(super) fn keep(&mut self, place: &Place, standing: Standing) {
        let known = self.standings.get(place).map(|known| &known.watched);
        if known != Some(&standing.watched) && standing.log_size < self.size {
            self.touch(place.clone());
        }
        self.forget(place);
        for digest in &standing.watched {
            self.watched.entry(digest.clone()).or_default().insert(place.clone());
        }
        self.standings.insert(place.clone(), standing);
    }

    fn forget(&mut self, place: &Place) {
        let Some(standing) = self.standings.remove(place) else { return };
        for digest in &standing.watched {
            if let Some(places) = self.watched.get_mut(digest) {
                places.remove(place);
                if places.is_empty() {
                    self.watched.remove(digest);
                }
            }
        }
    }

    fn touch_about<'d>(&mut self, digests: impl IntoIterator<Item = &'d str>) {
        for digest in digests {
            self.touched.extend(self.watched.get(digest).into_iter().flatten().cloned());
        }
    }

    /// Everything that runs must be assessed again. What comes meanwhile about one of the artifacts is news, though nobody has found
    /// out yet what else matters to them.
    pub(super) fn stale_all(&mut self) {
        for (place, deployment) in self.counted.deployments.running() {
            let subject = Digest::from(deployment.subject).to_string();
            self.watched.entry(subject).or_default().insert(place.clone());
            self.stale.insert(place.clone());
        }
    }

    fn touch_where(&mut self, is: impl Fn(&Place) -> bool) {
        let places = self.counted.deployments.running().map(|(place, _)| place);
        let places: Vec<Place> = places.filter(|place| is(place)).cloned().collect();
        self.touched.extend(places);
    }
}

/// What a record can change.
pub(super) enum Concern {
    /// What runs, and the numbers.
    Deployment,
    /// The numbers, if the gate signed it; otherwise what it is about.
    Summary,
    /// The state of an environment.
    Readiness,
    /// What it is about.
    Subjects,
}

impl Concern {
    pub(super) fn of(record: &Record) -> Self {
        let known = record.predicate_type.as_deref().and_then(predicate::from_uri);
        match known.map(|known| known.short) {
            Some("deployment") => Self::Deployment,
            Some("vsa") => Self::Summary,
            Some("readiness") => Self::Readiness,
            _ => Self::Subjects,
        }
    }
}

impl Gate {
    /// Opens the ledger, up to date.
    pub(super) fn ledger(&self) -> Result<MutexGuard<'_, Ledger>, StoreError> {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the view of the store, so that it holds what was completed.
        let (completed, which) = self.log.progress().completed_since(ledger.completed);
        let reader = self.store.reader();
        let ruling = self.ruling(&reader)?;
        let size = reader.latest_checkpoint()?.map_or(0, |(size, _)| size);
        let is_read = |one: &u64| *one < ledger.size;
        let which = which.map(|all| all.into_iter().filter(is_read).collect::<Vec<u64>>());
        match which {
            Some(completed) if ledger.size > 0 && !self.begins_again(&reader, &completed)? => {
                for sequence in completed {
                    self.follow(&reader, &ruling, &mut ledger, sequence)?;
                }
                for sequence in ledger.size..size {
                    self.follow(&reader, &ruling, &mut ledger, sequence)?;
                    ledger.size = sequence + 1;
                }
            }
            completed => {
                let before = ledger.size;
                self.read_all(&reader, &ruling, &mut ledger, size)?;
                if before > 0 {
                    let completed = completed.unwrap_or_default();
                    let first = completed.iter().copied().fold(before, u64::min);
                    ledger.add_untold(first, |index| index >= before || completed.contains(&index));
                }
            }
        }
        ledger.completed = completed;
        if ledger.governed_at != ruling.newest {
            ledger.governed_at = ruling.newest;
            ledger.counted.deployments.weigh(ruling.governance.trust.as_deref());
            ledger.touch_where(|_| true);
        }
        Ok(ledger)
    }

    /// Whether a leaf of which nothing was known is a deployment by now. As the order is that of the log, it must
    /// be read in its place.
    fn begins_again(&self, reader: &Reader<'_>, completed: &[u64]) -> Result<bool, StoreError> {
        for sequence in completed {
            let record = reader.record(*sequence)?;
            if record.is_some_and(|record| matches!(Concern::of(&record), Concern::Deployment)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads everything that counts. Assessments stay, and are made again.
    fn read_all(
        &self,
        reader: &Reader<'_>,
        ruling: &Ruling,
        ledger: &mut Ledger,
        size: u64,
    ) -> Result<(), StoreError> {
        // What was told is not told again, however long ago it was decided.
        let mut read =
            Counted { decisions: ledger.counted.decisions.verdicts_alone(), ..Counted::default() };
        let deployments = [Term::new(TermKind::TypeName, "deployment")];
        let decisions = [
            Term::new(TermKind::TypeName, "vsa"),
            Term::new(TermKind::Signer, self.roots.gate.to_string()),
        ];
        let mut sequences = reader.sequences_with(&deployments, size, MAX_DEPLOYMENTS)?;
        sequences.extend(reader.sequences_with(
            &decisions,
            size,
            super::decisions::MAX_DECISIONS,
        )?);
        sequences.sort_unstable();
        for some in sequences.chunks(AT_ONCE) {
            let records = some.iter().zip(reader.records(some)?);
            let logged_at_ms: BTreeMap<u64, i64> =
                records.filter_map(|(at, record)| Some((*at, record?.logged_at_ms))).collect();
            for evidence in self.shelf.all(reader, some)? {
                let Some(logged_at_ms) = logged_at_ms.get(&evidence.index()) else { continue };
                self.count(reader, ruling, &mut read, &evidence, *logged_at_ms)?;
            }
        }
        self.remember_verdicts(reader, &mut read)?;
        ledger.counted = read;
        ledger.size = size;
        ledger.governed_at = ruling.newest;
        ledger.stale_all();
        Ok(())
    }

    /// Looks up the newest verdict about what runs that is older than the decisions that are kept: what was told is not told again.
    fn remember_verdicts(
        &self,
        reader: &Reader<'_>,
        counted: &mut Counted,
    ) -> Result<(), StoreError> {
        let Some(below) = counted.decisions.begins_at() else { return Ok(()) };
        for (_, deployment) in counted.deployments.running() {
            let brought = deployment.brought();
            if counted.decisions.verdict(&brought).is_some() {
                continue;
            }
            let terms = [
                Term::new(TermKind::Subject, Digest::from(deployment.subject).to_string()),
                Term::new(TermKind::TypeName, "vsa"),
                Term::new(TermKind::Environment, deployment.environment.clone()),
                Term::new(TermKind::Signer, self.roots.gate.to_string()),
            ];
            for sequence in reader.sequences_with(&terms, below, MAX_LOOKED_AT)? {
                let Some(evidence) = self.shelf.evidence(reader, sequence)? else { continue };
                let decided = self.decision_of(reader, &evidence, 0)?;
                let is_it = |decided: &Decided| {
                    decided.run.as_ref().is_some_and(|run| run.brought == brought)
                };
                if let Some(decided) = decided.filter(is_it) {
                    counted.decisions.remember(brought, decided.passed, decided.index);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Takes a deployment or a decision into the ledger.
    fn count(
        &self,
        reader: &Reader<'_>,
        ruling: &Ruling,
        counted: &mut Counted,
        evidence: &Evidence,
        logged_at_ms: i64,
    ) -> Result<(), StoreError> {
        let found = self.deployments_of(reader, evidence, logged_at_ms)?;
        counted.deployments.add(found, ruling.governance.trust.as_deref());
        if let Some(decided) = self.decision_of(reader, evidence, logged_at_ms)? {
            counted.decisions.add(decided);
        }
        Ok(())
    }

    /// Takes a new leaf into the ledger, and marks what it can change.
    fn follow(
        &self,
        reader: &Reader<'_>,
        ruling: &Ruling,
        ledger: &mut Ledger,
        sequence: u64,
    ) -> Result<(), StoreError> {
        let missing = || StoreError::Missing { what: format!("record {sequence}") };
        let record = reader.record(sequence)?.ok_or_else(missing)?;
        match Concern::of(&record) {
            Concern::Deployment => {
                let Some(evidence) = self.shelf.evidence(reader, sequence)? else { return Ok(()) };
                let counted = &mut ledger.counted;
                self.count(reader, ruling, counted, &evidence, record.logged_at_ms)?;
                let new = ledger.counted.deployments.newest();
                let new = new.take_while(|one| one.index >= sequence).map(Deployment::place);
                let new: Vec<Place> = new.collect();
                ledger.postponed.retain(|place, _| !new.contains(place));
                ledger.add_untold(sequence, |index| index == sequence);
                return Ok(());
            }
            Concern::Summary if record.signer == self.roots.gate => {
                let Some(evidence) = self.shelf.evidence(reader, sequence)? else { return Ok(()) };
                let counted = &mut ledger.counted;
                return self.count(reader, ruling, counted, &evidence, record.logged_at_ms);
            }
            Concern::Readiness if !ledger.counted.deployments.is_empty() => {
                let evidence = self.shelf.evidence(reader, sequence)?;
                if let Some(Said::Readiness(said)) = evidence.as_deref().map(|one| one.said()) {
                    ledger.touch_where(|place| place.environment == said.environment);
                }
            }
            _ => {}
        }
        if ledger.watched.is_empty() {
            return Ok(());
        }
        let digests = record.subjects.iter().flat_map(|subject| &subject.digests);
        let digests: Vec<String> = digests.map(ToString::to_string).collect();
        ledger.touch_about(digests.iter().map(String::as_str));
        if record.subject_count > record.subjects.len() as u64 {
            // The record shows the first subjects only.
            let evidence = self.shelf.evidence(reader, sequence)?;
            let subjects = evidence.iter().flat_map(|one| one.subjects());
            let sets = subjects.filter_map(|subject| subject.digest.as_ref());
            let digests: Vec<String> = sets
                .flat_map(|set| set.iter().collect::<Vec<_>>())
                .map(|d| d.to_string())
                .collect();
            ledger.touch_about(digests.iter().map(String::as_str));
        }
        Ok(())
    }
}
