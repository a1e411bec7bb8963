//! What is written down of a log, by a registry that runs, and what it is worth.

use attestry_schemas::gate::Evidence;

use super::*;
use crate::clock::Clock;
use crate::config::{Config, Settings};
use crate::fsck::{self, FaultKind};
use crate::gate::shelf::Shelf;
use crate::log::{Receipt, Submission, SubmitError};
use crate::metrics::Metrics;
use crate::server::Running;
use crate::store::engine::{Batch, Family};
use crate::store::{Store, key};
use crate::testing::{self, Registry};

type Waiting = tokio::sync::oneshot::Receiver<Result<Receipt, SubmitError>>;

fn start(registry: &Registry) -> Running {
    let config = Config::load(registry.path(), None, Settings::default()).unwrap();
    Running::start(&registry.folder(), config, Clock::system(), Arc::new(Metrics::new())).unwrap()
}

/// Runs a registry until it has kept what there is.
fn keep(registry: &Registry) {
    let mut running = start(registry);
    until_kept(&running);
    running.stop();
}

/// Waits until something is so.
#[track_caller]
fn until(is: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is() {
        assert!(Instant::now() < deadline, "not within a minute");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[track_caller]
fn until_kept(running: &Running) {
    until(|| {
        let reader = running.store.reader();
        let kept = reader.facts_cursor().unwrap();
        let kept = kept.filter(|cursor| cursor.format == SEALED_FORMAT);
        kept.is_some_and(|cursor| cursor.next == full(reader.size().unwrap()))
    });
}

/// A registry of 600 leaves, of which facts are kept.
fn filled() -> Registry {
    let registry = Registry::new();
    registry.log((1..600).map(testing::envelope).collect(), 256);
    keep(&registry);
    registry
}

fn shelf(registry: &Registry) -> Shelf {
    let folder = registry.folder();
    let key = folder.log_key().unwrap();
    let note_key = folder.log().unwrap().note_key().unwrap();
    Shelf::new(Some(note_key), attestry_schemas::gate::Seal::of(&key), 1 << 30)
}

fn read(shelf: &Shelf, store: &Store, sequence: u64) -> Option<Arc<Evidence>> {
    shelf.evidence(&store.reader(), sequence).unwrap()
}

fn facts(store: &Store, sequence: u64) -> Option<Vec<u8>> {
    store.reader().facts(&[sequence]).unwrap().remove(0)
}

fn change(store: &Store, writes: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::default();
    writes(&mut batch);
    store.commit(batch).unwrap();
}

/// Takes away what an attestation was read from.
fn lose(store: &Store, sequence: u64) {
    let digest = store.reader().record(sequence).unwrap().unwrap().digest;
    change(store, |batch| batch.remove(Family::Content, digest.0));
}

#[test]
fn what_is_kept_is_what_is_read_and_takes_the_place_of_reading() {
    let registry = filled();
    let store = registry.store();
    let itself = shelf(&registry);
    let expected: Vec<_> = (0..600).map(|n| read(&itself, &store, n).unwrap()).collect();
    (1..=511).for_each(|sequence| lose(&store, sequence));
    let kept = shelf(&registry);
    for (sequence, expected) in (0..).zip(&expected) {
        assert_eq!(read(&kept, &store, sequence).as_ref(), Some(expected), "{sequence}");
    }
    // No checkpoint proves the last tile as a whole: nothing is kept of what is in it.
    lose(&store, 520);
    let missing = shelf(&registry).evidence(&store.reader(), 520).unwrap_err();
    assert!(matches!(missing, StoreError::Missing { .. }), "{missing}");
}

#[test]
fn facts_that_were_changed_are_worth_nothing_and_are_faults() {
    let registry = filled();
    {
        let store = registry.store();
        let facts = |sequence| facts(&store, sequence).unwrap();
        let mut changed = facts(6);
        *changed.last_mut().unwrap() ^= 1;
        let others = facts(8);
        change(&store, |batch| {
            batch.put(Family::Facts, key::sequence(6), changed);
            batch.put(Family::Facts, key::sequence(7), others);
            batch.put(Family::Facts, key::sequence(600), b"beyond the log".as_slice());
            batch.put(Family::Facts, b"stray".as_slice(), b"".as_slice());
        });
        let expected: Vec<_> = [6, 7].map(|n| read(&shelf(&registry), &store, n)).into();
        (6..=8).for_each(|sequence| {
            change(&store, |batch| {
                batch.remove(Family::Facts, key::sequence(sequence));
            })
        });
        let itself = [6, 7].map(|n| read(&shelf(&registry), &store, n));
        assert_eq!(expected, itself, "they were read themselves");
        assert!(itself.iter().all(Option::is_some));
        let (mut changed, others) = (facts(9), facts(11));
        changed[40] ^= 1;
        change(&store, |batch| {
            batch.put(Family::Facts, key::sequence(9), changed);
            batch.put(Family::Facts, key::sequence(10), others);
        });
    }
    let report = fsck::check(registry.path(), &mut |_| {}).unwrap();
    let faults: Vec<_> = report.faults.iter().map(|f| (f.kind, f.place.as_str())).collect();
    let facts = |place| (FaultKind::Facts, place);
    let stray = |place| (FaultKind::StrayKey, place);
    let strays = [stray("key 0000000000000258 of facts"), stray("key 7374726179 of facts")];
    let expected = [facts("facts 9"), facts("facts 10"), strays[0], strays[1]];
    assert_eq!(faults, expected, "{:#?}", report.faults);
}

#[test]
fn a_log_with_its_facts_is_clean_and_a_cursor_beyond_it_is_not() {
    let registry = filled();
    let report = fsck::check(registry.path(), &mut |_| {}).unwrap();
    assert_eq!(report.faults, []);
    assert_eq!((report.counts.facts, report.counts.leaves), (512, 600), "of those in full tiles");
    let beyond = FactsCursor { format: SEALED_FORMAT, next: report.counts.leaves + 1 };
    registry.store().put_facts([], beyond).unwrap();
    let report = fsck::check(registry.path(), &mut |_| {}).unwrap();
    assert_eq!(report.faults.len(), 1, "{:#?}", report.faults);
}

#[test]
fn what_is_completed_later_is_kept_then() {
    let registry = Registry::new();
    let key = testing::ed25519();
    let mut running = start(&registry);
    let log = |submission: Submission| running.log.submit(submission).unwrap();
    let index = |waiting: Waiting| waiting.blocking_recv().unwrap().unwrap().proven.index;
    let envelope = testing::signed(1, &key);
    let entry = index(log(testing::entry(&envelope, &key)));
    let others: Vec<_> = (2..300).map(|n| log(testing::envelope(n))).collect();
    others.into_iter().for_each(|one| assert!(index(one) > entry));
    until_kept(&running);
    let facts = || facts(&running.store, entry);
    assert_eq!(facts(), None, "nothing is known but a digest");
    assert_eq!(index(log(testing::of_envelope(&envelope, &key, "pay/api"))), entry);
    until(|| facts().is_some());
    running.stop();
}

#[test]
fn facts_of_another_version_are_not_read_and_are_written_anew() {
    let registry = filled();
    {
        let store = registry.store();
        let mut other = facts(&store, 5).unwrap();
        other[0] ^= 0x40;
        change(&store, |batch| batch.put(Family::Facts, key::sequence(5), other));
        let cursor = FactsCursor { format: SEALED_FORMAT ^ 0x40, next: 512 };
        store.put_facts([], cursor).unwrap();
        assert!(read(&shelf(&registry), &store, 5).is_some());
    }
    let report = fsck::check(registry.path(), &mut |_| {}).unwrap();
    assert_eq!((report.faults, report.counts.facts), (Vec::new(), 511));
    keep(&registry);
    let report = fsck::check(registry.path(), &mut |_| {}).unwrap();
    assert_eq!((report.faults, report.counts.facts), (Vec::new(), 512));
}

#[test]
fn a_store_of_the_version_before_gets_its_facts() {
    let registry = Registry::new();
    registry.log((1..300).map(testing::envelope).collect(), 256);
    change(&registry.store(), |batch| {
        batch.put(Family::Meta, key::STORE_VERSION, 2_u32.to_be_bytes());
    });
    keep(&registry);
    let report = fsck::check(registry.path(), &mut |_| {}).unwrap();
    assert_eq!((report.faults, report.counts.facts), (Vec::new(), 256));
}
