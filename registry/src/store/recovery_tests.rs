//! What the store is after a crash, damage or an online copy.
//!
//! A crash is simulated by copying the engine's files while it is open: neither flushed nor closed.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::engine::{Batch, Engine, EngineError, EngineOptions, Family};

fn open(dir: &Path) -> Result<Engine, EngineError> {
    Engine::open(dir, EngineOptions::default())
}

fn create(dir: &Path) -> Engine {
    Engine::create(dir, EngineOptions::default()).unwrap()
}

/// Commits one batch with an entry in every family.
fn commit(engine: &Engine, number: u32) {
    let mut batch = Batch::default();
    for family in Family::ALL {
        batch.put(*family, number.to_be_bytes(), "v".repeat(100));
    }
    engine.commit(batch).unwrap();
}

/// The number of entries, which must be the same in every family: batches are whole or not there.
fn batches(engine: &Engine) -> usize {
    let snapshot = engine.snapshot();
    let mut counts = Vec::new();
    for family in Family::ALL {
        let mut count = 0;
        let visit = |_: &[u8], _: &[u8]| {
            count += 1;
            ControlFlow::Continue(())
        };
        snapshot.visit(*family, &[], None, visit).unwrap();
        counts.push(count);
    }
    assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
    counts[0]
}

/// Commits three batches and returns the store as kill -9 would leave it.
fn crashed_store(dir: &Path) -> PathBuf {
    let (source, crashed) = (dir.join("source"), dir.join("crashed"));
    let engine = create(&source);
    (0..3).for_each(|number| commit(&engine, number));
    std::fs::create_dir(&crashed).unwrap();
    for entry in std::fs::read_dir(&source).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), crashed.join(entry.file_name())).unwrap();
    }
    crashed
}

fn newest(dir: &Path, extension: &str) -> PathBuf {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|is| is == extension)).max().unwrap()
}

/// Changes the bytes of the newest file with that extension.
fn damage(dir: &Path, extension: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let path = newest(dir, extension);
    let mut bytes = std::fs::read(&path).unwrap();
    change(&mut bytes);
    std::fs::write(&path, &bytes).unwrap();
}

#[test]
fn synced_batches_survive_a_crash_without_a_flush() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(batches(&open(&crashed_store(dir.path())).unwrap()), 3);
}

#[test]
fn a_torn_last_batch_is_dropped_whole() {
    let dir = tempfile::tempdir().unwrap();
    let crashed = crashed_store(dir.path());
    damage(&crashed, "log", |bytes| bytes.truncate(bytes.len() - 20));
    let engine = open(&crashed).unwrap();
    assert_eq!(batches(&engine), 2);
    commit(&engine, 9);
    drop(engine);
    assert_eq!(batches(&open(&crashed).unwrap()), 3);
}

#[test]
fn damage_before_the_last_batch_is_reported_and_not_rolled_back() {
    let dir = tempfile::tempdir().unwrap();
    let crashed = crashed_store(dir.path());
    damage(&crashed, "log", |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
    let error = open(&crashed).err().unwrap();
    assert!(matches!(error, EngineError::Corruption { .. }), "{error}");
}

#[test]
fn a_damaged_table_is_corruption_and_not_an_empty_answer() {
    let dir = tempfile::tempdir().unwrap();
    let engine = create(dir.path());
    commit(&engine, 1);
    engine.flush().unwrap();
    drop(engine);
    damage(dir.path(), "sst", |bytes| bytes[40] ^= 1);
    let found = open(dir.path()).and_then(|engine| {
        let read = |family: &Family| engine.get(*family, &1_u32.to_be_bytes());
        Family::ALL.iter().map(read).collect::<Result<Vec<_>, _>>()
    });
    assert!(matches!(found, Err(EngineError::Corruption { .. })), "{found:?}");
}

#[test]
fn a_copy_made_during_commits_has_every_batch_whole_and_none_missing() {
    let dir = tempfile::tempdir().unwrap();
    let engine = create(&dir.path().join("db"));
    let stop = AtomicBool::new(false);
    let mut copies = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0.. {
                commit(&engine, number);
                if stop.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
        for number in 0..3 {
            let copy = dir.path().join(format!("copy{number}"));
            let before = batches(&engine);
            engine.copy_to(&copy).unwrap();
            copies.push((copy, before));
        }
        stop.store(true, Ordering::SeqCst);
    });
    for (copy, before) in copies {
        let found = batches(&open(&copy).unwrap());
        assert!(found >= before, "{found} of at least {before}");
    }
}
