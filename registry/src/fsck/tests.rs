use attestry_schemas::key::SigningKey;

use super::*;
use crate::log::Submission;
use crate::store::engine::{Batch, Family};
use crate::store::key::{self, Term, TermKind};
use crate::store::record::{self, Record, StoredCheckpoint};
use crate::testing::{self, Registry};

fn fsck(registry: &Registry) -> Report {
    check(registry.path(), &mut |_| {}).unwrap()
}

/// Every kind of submission, by keys of both types, in this order for every `n`: a statement, a
/// signature, an entry that stays one, and an entry whose envelope comes later.
fn submissions(count: u64) -> Vec<Submission> {
    let (p256, ed25519) = (testing::p256(), testing::ed25519());
    let mut all = Vec::new();
    for n in 0..count {
        let key = |n: u64| -> &SigningKey { if n.is_multiple_of(2) { &p256 } else { &ed25519 } };
        let completed = testing::signed(n + 1_000_000, &p256);
        all.push(testing::of_envelope(&testing::signed(n, key(n)), key(n), "pay/api"));
        all.push(testing::message(n, &p256));
        all.push(testing::entry(&testing::signed(n + 2_000_000, &p256), &p256));
        all.push(testing::entry(&completed, &p256));
        all.push(testing::of_envelope(&completed, &p256, "pay/web"));
    }
    all
}

/// A registry with a few batches and content of each size.
fn filled(count: u64, batch_limit: usize) -> Registry {
    let registry = Registry::new();
    registry.log(submissions(count), batch_limit);
    let store = registry.store();
    let large = vec![1; 100_000];
    store.prepare_content(attestry_schemas::digest::Sha256::of(&large), &large).unwrap();
    registry
}

#[test]
fn a_new_registry_is_clean() {
    let report = fsck(&Registry::new());
    assert_eq!(report.faults, []);
    assert_eq!((report.counts.leaves, report.counts.checkpoints), (1, 1));
    assert_eq!((report.counts.records, report.counts.signatures), (1, 1));
}

#[test]
fn a_log_of_many_batches_and_every_kind_is_clean() {
    let registry = filled(150, 37);
    let report = fsck(&registry);
    assert_eq!(report.faults, []);
    // Each fifth submission completes an entry and adds no leaf.
    assert_eq!(report.counts.leaves, 1 + 150 * 4);
    assert_eq!(report.counts.records, 601);
    assert_eq!(report.counts.signatures, 601);
    assert!(report.counts.checkpoints > 10, "{:?}", report.counts);
    assert_eq!(report.counts.tiles, 4, "three of leaves and one above");
    assert_eq!(report.counts.content_files, 1);
    assert_eq!(report.notes.len(), 1, "{:?}", report.notes);
}

/// Damages a registry through a batch, and expects faults of exactly these kinds.
#[track_caller]
fn damaged(damage: impl FnOnce(&Store, &mut Batch), expected: &[(FaultKind, &str)]) {
    let registry = filled(80, 50);
    assert_eq!(fsck(&registry).faults, []);
    {
        let store = registry.store();
        let mut batch = Batch::default();
        damage(&store, &mut batch);
        store.commit(batch).unwrap();
    }
    let faults = fsck(&registry).faults;
    let found: Vec<_> = faults.iter().map(|f| (f.kind, f.place.as_str())).collect();
    assert_eq!(found.len(), expected.len(), "{faults:#?}");
    for ((kind, place), found) in expected.iter().zip(&found) {
        assert!(*kind == found.0 && found.1.contains(place), "{faults:#?}");
    }
}

/// Flips a bit of the byte at `at` of a stored value.
fn flip(store: &Store, batch: &mut Batch, family: Family, key: &[u8], at: usize) {
    let mut value = store.engine().get(family, key).unwrap().unwrap();
    value[at] ^= 1;
    batch.put(family, key, value);
}

fn edit_record(store: &Store, batch: &mut Batch, index: u64, edit: impl FnOnce(&mut Record)) {
    let mut record = store.reader().record(index).unwrap().unwrap();
    edit(&mut record);
    batch.put(Family::Statements, key::sequence(index), record::encode(&record));
}

/// The sizes of the checkpoints.
fn sizes(store: &Store) -> Vec<u64> {
    let mut sizes = Vec::new();
    let visit = |key: &[u8]| {
        if key.starts_with(key::CHECKPOINT_PREFIX) {
            sizes.extend(key::sequence_of(key));
        }
    };
    store.reader().visit_keys(Family::Meta, visit).unwrap();
    sizes
}

fn edit_checkpoint(store: &Store, batch: &mut Batch, edit: impl FnOnce(&mut StoredCheckpoint)) {
    let size = sizes(store)[2];
    let mut stored = store.reader().checkpoint(size).unwrap().unwrap();
    edit(&mut stored);
    batch.put(Family::Meta, key::checkpoint(size), record::encode(&stored));
}

#[test]
fn a_flipped_byte_of_a_leaf_is_one_fault() {
    damaged(
        |store, batch| flip(store, batch, Family::Leaves, &key::sequence(9), 40),
        &[(FaultKind::Leaf, "leaf 9")],
    );
}

#[test]
fn a_leaf_beyond_the_tree_is_named() {
    damaged(
        |_, batch| batch.put(Family::Leaves, key::sequence(u64::MAX), "{}"),
        &[(FaultKind::Leaf, "leaf 18446744073709551615")],
    );
}

#[test]
fn a_flipped_byte_of_a_tile_is_one_fault_at_every_level() {
    for (level, index, at) in [(0, 0, 32 * 9), (0, 1, 32 * 9), (1, 0, 5)] {
        let place = format!("tile {index} of level {level}");
        damaged(
            |store, batch| flip(store, batch, Family::Tiles, &key::tile(level, index), at),
            &[(FaultKind::Tile, &place)],
        );
    }
}

#[test]
fn a_tile_that_no_tree_of_the_size_has_is_named() {
    damaged(
        |_, batch| batch.put(Family::Tiles, key::tile(0, 2), [0; 32]),
        &[(FaultKind::StrayKey, "of tiles")],
    );
}

#[test]
fn a_flipped_byte_of_a_record_is_named() {
    // In the head of its map; then the record cannot be read.
    damaged(
        |store, batch| flip(store, batch, Family::Statements, &key::sequence(5), 0),
        &[(FaultKind::Record, "record 5")],
    );
}

#[test]
fn a_record_that_says_something_else_is_named() {
    let kind = FaultKind::Record;
    damaged(
        |s, b| {
            edit_record(s, b, 5, |r| r.signer = testing::p256().public_key().fingerprint().into())
        },
        &[(kind, "record 5")],
    );
    damaged(|s, b| edit_record(s, b, 5, |r| r.logged_at_ms += 1), &[(kind, "record 5")]);
    damaged(|s, b| edit_record(s, b, 5, |r| r.batch_size += 1), &[(kind, "record 5")]);
    damaged(|s, b| edit_record(s, b, 5, |r| r.subject_count = 9), &[(kind, "record 5")]);
    damaged(|s, b| edit_record(s, b, 5, |r| r.subjects.clear()), &[(kind, "record 5")]);
    // One witness against two: the hash itself is not in doubt.
    damaged(|s, b| edit_record(s, b, 5, |r| r.leaf_hash.0[0] ^= 1), &[(kind, "record 5")]);
}

#[test]
fn a_record_of_another_namespace_lacks_its_posting_and_has_one_too_many() {
    damaged(
        |store, batch| edit_record(store, batch, 1, |r| r.namespace = "other".to_owned()),
        &[(FaultKind::Posting, "record 1, key"), (FaultKind::Posting, "pay/api")],
    );
}

#[test]
fn a_posting_or_edge_or_lookup_that_nothing_accounts_for_is_named() {
    let posting = |index| Term::new(TermKind::Builder, "https://x").posting(index);
    for index in [3, 1_000_000] {
        damaged(
            |_, batch| batch.put(Family::Postings, posting(index), []),
            &[(FaultKind::Posting, "https://x")],
        );
    }
    let edge = key::Edge { from: "a".into(), kind: key::EdgeKind::BuiltBy, to: "b".into() };
    let [there, _] = edge.keys(3);
    damaged(|_, batch| batch.put(Family::Edges, there, []), &[(FaultKind::Edge, "a")]);
    let lookup = key::digest_lookup(&attestry_schemas::digest::Sha256([5; 32]));
    damaged(
        |_, batch| batch.put(Family::Lookups, lookup, key::sequence(3)),
        &[(FaultKind::Lookup, "640505")],
    );
}

#[test]
fn a_lookup_that_leads_elsewhere_is_named() {
    damaged(
        |store, batch| {
            let record = store.reader().record(7).unwrap().unwrap();
            batch.put(Family::Lookups, key::leaf_lookup(&record.leaf_hash), key::sequence(8));
        },
        &[(FaultKind::Lookup, "record 7")],
    );
}

#[test]
fn damaged_content_is_named_by_its_digest() {
    let registry = filled(1, 50);
    let digest = registry.store().reader().record(1).unwrap().unwrap().digest;
    {
        let store = registry.store();
        let mut batch = Batch::default();
        flip(&store, &mut batch, Family::Content, digest.as_bytes(), 30);
        store.commit(batch).unwrap();
        let files: Vec<_> = store.files().list().collect::<Result<_, _>>().unwrap();
        let crate::store::content::Listed::Content { digest, .. } = &files[0] else { panic!() };
        let path = store.files().path(digest);
        std::fs::write(&path, "other bytes").unwrap();
        std::fs::write(path.with_file_name("stray"), "").unwrap();
    }
    let report = fsck(&registry);
    let found: Vec<_> = report.faults.iter().map(|f| f.kind).collect();
    let expected = [FaultKind::Content, FaultKind::Content, FaultKind::StrayFile];
    assert_eq!(found, expected, "{:#?}", report.faults);
    assert!(report.faults[0].place.contains(&digest.hex()));
}

#[test]
fn a_content_that_is_gone_is_named() {
    // A record that names content which nobody has.
    damaged(
        |store, batch| edit_record(store, batch, 1, |r| r.digest.0[0] ^= 1),
        &[(FaultKind::Content, "record 1")],
    );
}

#[test]
fn a_checkpoint_that_says_something_else_is_named() {
    let kind = FaultKind::Checkpoint;
    let place = "checkpoint of size ";
    damaged(
        |s, b| edit_checkpoint(s, b, |c| c.text = c.text.replacen("— ", "— x", 1)),
        &[(kind, place)],
    );
    // The log's own checkpoint of another size: well signed, but of another size and root.
    let other = Registry::new();
    let first = other.store().reader().checkpoint(1).unwrap().unwrap();
    damaged(
        |s, b| edit_checkpoint(s, b, |c| c.text.clone_from(&first.text)),
        &[(kind, place), (kind, place)],
    );
}

#[test]
fn a_checkpoint_of_another_time_is_named_with_the_records_of_its_batch() {
    let registry = filled(80, 50);
    let store = registry.store();
    let mut batch = Batch::default();
    edit_checkpoint(&store, &mut batch, |c| c.signed_at_ms -= 3_600_000);
    store.commit(batch).unwrap();
    drop(store);
    let report = fsck(&registry);
    let is_of = |kind| report.faults.iter().filter(|f| f.kind == kind).count();
    assert_eq!(is_of(FaultKind::Checkpoint), 2, "before its predecessor, and not as cosigned");
    assert!(is_of(FaultKind::Record) > 0);
}

#[test]
fn a_checkpoint_beyond_the_leaves_says_which_are_missing() {
    damaged(
        |store, batch| {
            let (size, newest) = store.reader().latest_checkpoint().unwrap().unwrap();
            batch.put(Family::Meta, key::checkpoint(size + 9), record::encode(&newest));
        },
        &[(FaultKind::Leaf, "leaves 321 to 329")],
    );
}

#[test]
fn a_key_that_the_meta_family_does_not_have_is_named() {
    damaged(
        |_, batch| batch.put(Family::Meta, "surprise", ""),
        &[(FaultKind::StrayKey, "of meta")],
    );
}

#[test]
fn a_broken_document_is_named() {
    let registry = Registry::new();
    let other = SigningKey::from_ed25519_seed([1; 32]);
    let pem = pem::encode(&pem::Pem::new("PRIVATE KEY", other.to_pkcs8_der().as_slice()));
    for (name, text) in
        [("log.key", pem.as_str()), ("signing_config.json", "{}"), ("tokens", "admin")]
    {
        let path = registry.path().join(name);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, text).unwrap();
        let report = fsck(&registry);
        let [fault] = report.faults.as_slice() else { panic!("{:#?}", report.faults) };
        assert_eq!((fault.kind, fault.place.as_str()), (FaultKind::Document, name));
        std::fs::write(&path, whole).unwrap();
    }
}

/// Every file below a folder with its bytes.
fn files(folder: &Path) -> std::collections::BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut files = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(self::files(&path)),
            false => drop(files.insert(path.clone(), std::fs::read(path).unwrap())),
        }
    }
    files
}

#[test]
fn a_check_changes_nothing_also_where_there_is_no_whole_database() {
    let registry = filled(3, 2);
    std::fs::write(registry.path().join("content/incoming/1"), "a crash left it").unwrap();
    let before = files(registry.path());
    assert_eq!(fsck(&registry).faults, []);
    assert_eq!(files(registry.path()), before);
    std::fs::remove_file(registry.path().join("db/CURRENT")).unwrap();
    let before = files(registry.path());
    let report = fsck(&registry);
    let [fault] = report.faults.as_slice() else { panic!("{:#?}", report.faults) };
    assert_eq!(fault.kind, FaultKind::Engine);
    assert!(fault.found.contains("CURRENT") && fault.found.contains("backup"), "{fault}");
    assert!(!fault.to_string().contains("attestry-registry fsck"), "{fault}");
    assert_eq!(files(registry.path()), before);
}

#[test]
fn it_cannot_be_told_while_a_server_has_the_store_or_without_a_registry() {
    let registry = Registry::new();
    let store = registry.store();
    assert!(matches!(check(registry.path(), &mut |_| {}), Err(FsckError::Store(_))));
    drop(store);
    let nothing = tempfile::tempdir().unwrap();
    assert!(matches!(check(nothing.path(), &mut |_| {}), Err(FsckError::Data(_))));
    assert!(!nothing.path().join("db").exists(), "looking made a store");
}

#[test]
fn damage_of_the_engines_own_files_is_a_fault_and_not_a_crash() {
    let registry = filled(80, 50);
    registry.store().engine().flush().unwrap();
    let db = registry.path().join("db");
    let tables = std::fs::read_dir(db).unwrap().map(|e| e.unwrap().path());
    let table = tables
        .filter(|p| p.extension().is_some_and(|e| e == "sst"))
        .max_by_key(|p| p.metadata().unwrap().len())
        .unwrap();
    let mut bytes = std::fs::read(&table).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&table, bytes).unwrap();
    let report = fsck(&registry);
    assert!(report.faults.iter().any(|f| f.kind == FaultKind::Engine), "{:#?}", report.faults);
}

#[test]
fn the_cursor_of_events_is_known_and_ends_with_the_log() {
    damaged(|_, batch| batch.put(Family::Meta, key::EVENT_CURSOR, key::sequence(1)), &[]);
    damaged(
        |_, batch| batch.put(Family::Meta, key::EVENT_CURSOR, key::sequence(1_000_000)),
        &[(FaultKind::StrayKey, "of meta")],
    );
}

mod oci;
