use super::*;

const LARGE: usize = 100_000;
const NO_LIMIT: u64 = u64::MAX;

fn bytes_of(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 7 % 251) as u8).collect()
}

fn open(dir: &tempfile::TempDir) -> Arc<ContentFiles> {
    Arc::new(ContentFiles::open(&dir.path().join("content")).unwrap())
}

fn write(files: &Arc<ContentFiles>, bytes: &[u8]) -> Result<Written, ContentError> {
    let mut writer = files.writer(NO_LIMIT);
    for chunk in bytes.chunks(10_000) {
        writer.write(chunk)?;
    }
    assert_eq!(writer.size_bytes(), bytes.len() as u64);
    writer.finish(&Sha256::of(bytes))
}

fn listed(files: &ContentFiles) -> Vec<Listed> {
    files.list().collect::<Result<_, _>>().unwrap()
}

fn incoming_count(files: &ContentFiles) -> usize {
    std::fs::read_dir(files.incoming()).unwrap().count()
}

fn rehash(files: &ContentFiles, digest: &Sha256) -> Sha256 {
    files.open_content(digest).unwrap().unwrap().rehash().unwrap()
}

#[test]
fn content_is_inline_up_to_the_limit_and_a_file_beyond_it() {
    let dir = tempfile::tempdir().unwrap();
    let files = open(&dir);
    let limit = INLINE_LIMIT_BYTES as usize;
    for (length, is_file) in
        [(0, false), (1, false), (limit, false), (limit + 1, true), (1_000_000, true)]
    {
        let bytes = bytes_of(length);
        let digest = Sha256::of(&bytes);
        let written = write(&files, &bytes).unwrap();
        assert_eq!((written.size_bytes(), written.digest()), (length as u64, &digest));
        assert_eq!(files.contains(&digest).unwrap(), is_file, "{length}");
        match (written, files.open_content(&digest).unwrap()) {
            (Written::Inline { bytes: found, .. }, None) => assert_eq!(found, bytes),
            (Written::File { .. }, Some(file)) => {
                let mut found = Vec::new();
                assert_eq!(file.size_bytes(), length as u64);
                assert_eq!(file.rehash().unwrap(), digest);
                file.into_read().read_to_end(&mut found).unwrap();
                assert_eq!(found, bytes);
            }
            other => panic!("{length}: {other:?}"),
        }
    }
    assert_eq!((incoming_count(&files), listed(&files).len()), (0, 2));
}

#[test]
fn ranges_are_read_exactly_and_end_with_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let files = open(&dir);
    let bytes = bytes_of(LARGE);
    let digest = *write(&files, &bytes).unwrap().digest();
    let file = files.open_content(&digest).unwrap().unwrap();
    for (offset, length, expected) in [
        (0, 10, 0..10),
        (99, 1, 99..100),
        (LARGE - 3, 10, LARGE - 3..LARGE),
        (LARGE, 5, LARGE..LARGE),
    ] {
        let mut buffer = vec![0; length];
        let read = file.read_at(offset as u64, &mut buffer).unwrap();
        assert_eq!(&buffer[..read], &bytes[expected]);
    }
}

#[test]
fn one_large_chunk_is_as_good_as_many() {
    let dir = tempfile::tempdir().unwrap();
    let files = open(&dir);
    let bytes = bytes_of(LARGE * 3);
    let mut writer = files.writer(NO_LIMIT);
    writer.write(&bytes).unwrap();
    writer.write(&[]).unwrap();
    let written = writer.finish(&Sha256::of(&bytes)).unwrap();
    assert_eq!(written, write(&files, &bytes).unwrap());
    assert_eq!(listed(&files).len(), 1);
}

#[test]
fn a_digest_mismatch_names_both_digests_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let files = open(&dir);
    let expected = Sha256::of(b"something else");
    for length in [10, LARGE * 2] {
        let bytes = bytes_of(length);
        let mut writer = files.writer(NO_LIMIT);
        writer.write(&bytes).unwrap();
        let error = writer.finish(&expected).unwrap_err().to_string();
        assert!(error.contains(&expected.to_string()), "{error}");
        assert!(error.contains(&Sha256::of(&bytes).to_string()), "{error}");
    }
    assert_eq!((incoming_count(&files), listed(&files).len()), (0, 0));
}

#[test]
fn content_over_the_limit_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let files = open(&dir);
    for limit_bytes in [0, 10, INLINE_LIMIT_BYTES, LARGE as u64] {
        let mut writer = files.writer(limit_bytes);
        writer.write(&bytes_of(limit_bytes as usize)).unwrap();
        assert_eq!(writer.size_bytes(), limit_bytes);
        let refused = writer.write(&[0]);
        assert!(
            matches!(refused, Err(ContentError::TooLarge { limit_bytes: n }) if n == limit_bytes)
        );
        drop(writer);
    }
    assert_eq!((incoming_count(&files), listed(&files).len()), (0, 0));
}

#[test]
fn a_dropped_writer_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let files = open(&dir);
    let mut writer = files.writer(NO_LIMIT);
    writer.write(&bytes_of(LARGE * 2)).unwrap();
    assert_eq!(incoming_count(&files), 1);
    drop(writer);
    assert_eq!((incoming_count(&files), listed(&files).len()), (0, 0));
}

#[test]
fn what_a_crash_left_is_removed_at_start_and_content_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let files = open(&dir);
    let _ = write(&files, &bytes_of(LARGE * 2)).unwrap();
    let mut writer = files.writer(NO_LIMIT);
    writer.write(&bytes_of(LARGE * 3)).unwrap();
    // A killed process drops nothing.
    std::mem::forget(writer);
    let files = open(&dir);
    assert_eq!((incoming_count(&files), listed(&files).len()), (0, 1));
    // The first name of the new process is that of the file that was left.
    let _ = write(&files, &bytes_of(LARGE * 3)).unwrap();
    assert_eq!(listed(&files).len(), 2);
}

#[test]
fn writing_content_again_replaces_a_rotten_file() {
    let dir = tempfile::tempdir().unwrap();
    let files = open(&dir);
    let bytes = bytes_of(LARGE * 2);
    let digest = *write(&files, &bytes).unwrap().digest();
    std::fs::write(files.path(&digest), b"rotten").unwrap();
    assert_ne!(rehash(&files, &digest), digest);
    let _ = write(&files, &bytes).unwrap();
    assert_eq!(rehash(&files, &digest), digest);
}

#[test]
fn racing_writers_of_the_same_content_both_succeed() {
    let dir = tempfile::tempdir().unwrap();
    let files = open(&dir);
    let bytes = bytes_of(LARGE * 4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| write(&files, &bytes).unwrap().size_bytes());
        }
    });
    assert_eq!((incoming_count(&files), listed(&files).len()), (0, 1));
}

#[test]
fn a_listing_is_ordered_and_names_strays() {
    let dir = tempfile::tempdir().unwrap();
    let files = open(&dir);
    for length in [LARGE + 1, LARGE + 2, LARGE + 3] {
        let _ = write(&files, &bytes_of(length)).unwrap();
    }
    let stray = files.shard(7).join("notes.txt");
    std::fs::write(&stray, "x").unwrap();
    // A digest's name in the wrong folder.
    let misplaced = files.shard(0).join("ff".repeat(32));
    std::fs::write(&misplaced, "x").unwrap();
    let all = listed(&files);
    let strays: Vec<&Listed> =
        all.iter().filter(|listed| matches!(listed, Listed::Stray { .. })).collect();
    assert_eq!(strays, [&Listed::Stray { path: misplaced }, &Listed::Stray { path: stray }]);
    let digests: Vec<&Sha256> = all
        .iter()
        .filter_map(|listed| match listed {
            Listed::Content { digest, .. } => Some(digest),
            Listed::Stray { .. } => None,
        })
        .collect();
    assert_eq!(digests.len(), 3);
    assert!(digests.is_sorted());
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let files = open(&dir);
    std::fs::remove_dir(files.incoming()).unwrap();
    let error = write(&files, &bytes_of(LARGE * 2)).unwrap_err().to_string();
    assert!(error.contains("incoming"), "{error}");
}
