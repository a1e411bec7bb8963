use super::*;

fn engine(folder: &Path) -> Engine {
    Engine::create(folder, EngineOptions::default()).unwrap()
}

/// Every file with its bytes.
fn files(folder: &Path) -> std::collections::BTreeMap<PathBuf, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

#[test]
fn a_database_without_its_first_files_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut batch = Batch::default();
    batch.put(Family::Meta, b"a".as_slice(), b"1".as_slice());
    engine(folder.path()).commit(batch).unwrap();
    let manifest = std::fs::read_to_string(folder.path().join(CURRENT_FILE)).unwrap();
    for lost in [manifest.trim_end(), CURRENT_FILE] {
        std::fs::remove_file(folder.path().join(lost)).unwrap();
        let before = files(folder.path());
        for open in [Engine::open, Engine::open_read_only] {
            let refused = open(folder.path(), EngineOptions::default()).err().unwrap();
            assert!(matches!(refused, EngineError::Incomplete { .. }), "{refused}");
            assert!(refused.to_string().contains(lost), "{refused}");
        }
        assert_eq!(files(folder.path()), before);
    }
    let nothing = folder.path().join("nothing");
    assert!(Engine::open(&nothing, EngineOptions::default()).is_err());
    assert!(!nothing.exists(), "looking made a folder");
}

#[test]
fn a_database_of_another_program_lacks_the_families() {
    let folder = tempfile::tempdir().unwrap();
    drop(DB::open_default(folder.path()).unwrap());
    for open in [Engine::open, Engine::open_read_only] {
        let refused = open(folder.path(), EngineOptions::default()).err().unwrap();
        assert!(matches!(refused, EngineError::Incomplete { .. }), "{refused}");
    }
}

#[test]
fn reading_alone_changes_no_file_and_sees_what_was_not_flushed() {
    let folder = tempfile::tempdir().unwrap();
    let mut batch = Batch::default();
    batch.put(Family::Meta, b"a".as_slice(), b"1".as_slice());
    engine(folder.path()).commit(batch).unwrap();
    let before = files(folder.path());
    let read = Engine::open_read_only(folder.path(), EngineOptions::default()).unwrap();
    assert_eq!(read.snapshot().get(Family::Meta, b"a").unwrap(), Some(b"1".to_vec()));
    let refused = Engine::open(folder.path(), EngineOptions::default()).err().unwrap();
    assert!(matches!(refused, EngineError::Locked { .. }), "{refused}");
    drop(read);
    assert_eq!(files(folder.path()), before);
}

#[test]
fn a_store_is_not_made_over_another() {
    let folder = tempfile::tempdir().unwrap();
    drop(engine(folder.path()));
    assert!(Engine::create(folder.path(), EngineOptions::default()).is_err());
}

#[test]
fn a_snapshot_does_not_see_later_commits() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let before = engine.snapshot();
    let mut batch = Batch::default();
    batch.put(Family::Meta, b"a".as_slice(), b"1".as_slice());
    engine.commit(batch).unwrap();
    assert_eq!(before.get(Family::Meta, b"a").unwrap(), None);
    assert_eq!(engine.snapshot().get(Family::Meta, b"a").unwrap(), Some(b"1".to_vec()));
}

#[test]
fn a_second_process_is_told_that_the_store_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let _held = engine(folder.path());
    let refusal = Engine::open(folder.path(), EngineOptions::default()).err().unwrap();
    assert!(matches!(refusal, EngineError::Locked { .. }), "{refusal}");
}

#[test]
fn a_cursor_stays_inside_its_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let mut batch = Batch::default();
    for key in ["a1", "b1", "b3", "c1"] {
        batch.put(Family::Postings, key, b"".as_slice());
    }
    engine.commit(batch).unwrap();
    let snapshot = engine.snapshot();
    let mut cursor = snapshot.cursor(Family::Postings, b"b".to_vec());
    // In any order, also again and after there was none.
    for suffix in ["2", "9", "3", "3", "2", "1", "1", "0", "9", "0", "0", "1", "9", "1"] {
        let expected = match suffix {
            "9" | "3" => Some(b"3".to_vec()),
            "2" | "1" => Some(b"1".to_vec()),
            _ => None,
        };
        assert_eq!(cursor.seek_at_or_before(suffix.as_bytes()).unwrap(), expected, "{suffix}");
    }
    let mut seen = Vec::new();
    snapshot
        .visit(Family::Postings, b"b", None, |k, _| {
            seen.push(k.to_vec());
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(seen, [b"b1".to_vec(), b"b3".to_vec()]);
}

#[test]
fn sorted_keys_are_read_at_once_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let mut batch = Batch::default();
    for key in ["a", "c", "d"] {
        batch.put(Family::Facts, key, key.repeat(2));
    }
    engine.commit(batch).unwrap();
    let snapshot = engine.snapshot();
    let mut batch = Batch::default();
    batch.put(Family::Facts, "b", b"later".as_slice());
    batch.remove(Family::Facts, "c");
    engine.commit(batch).unwrap();
    let read = snapshot.values(Family::Facts, &["a", "b", "c", "e"]).unwrap();
    assert_eq!(read, [Some(b"aa".to_vec()), None, Some(b"cc".to_vec()), None]);
    assert_eq!(snapshot.values(Family::Facts, &[] as &[&str]).unwrap(), []);
}

#[test]
fn a_cursor_turns_to_another_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let mut batch = Batch::default();
    for key in ["a1", "a3", "b1", "b3", "c1"] {
        batch.put(Family::Postings, key, b"".as_slice());
    }
    engine.commit(batch).unwrap();
    let snapshot = engine.snapshot();
    let mut cursor = snapshot.cursor(Family::Postings, b"b".to_vec());
    for (prefix, suffix, expected) in [
        ("b", "2", Some("1")),
        ("a", "2", Some("1")),
        ("a", "9", Some("3")),
        ("b", "0", None),
        ("c", "9", Some("1")),
        ("b", "9", Some("3")),
        ("a", "3", Some("3")),
        ("d", "1", None),
        ("a", "1", Some("1")),
        ("a", "0", None),
        ("b", "1", Some("1")),
    ] {
        cursor.turn_to(prefix.into());
        let found = cursor.seek_at_or_before(suffix.as_bytes()).unwrap();
        assert_eq!(found, expected.map(|text| text.as_bytes().to_vec()), "{prefix} {suffix}");
    }
}

#[test]
fn commits_survive_reopening_and_copies_are_stores() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    {
        let engine = engine(&folder.path().join("db"));
        let mut batch = Batch::default();
        batch.put(Family::Meta, b"a".as_slice(), b"1".as_slice());
        engine.commit(batch).unwrap();
        engine.copy_to(&copy).unwrap();
    }
    for path in [folder.path().join("db"), copy] {
        let engine = Engine::open(&path, EngineOptions::default()).unwrap();
        assert_eq!(engine.get(Family::Meta, b"a").unwrap(), Some(b"1".to_vec()));
    }
}
