use attestry_schemas::digest::Sha256;

use super::*;
use crate::fsck;
use crate::log::LogLimits;
use crate::testing::oci::{Artifacts, image};
use crate::testing::{self, Registry};

#[test]
fn a_backup_under_writes_is_a_registry_that_fsck_finds_clean() {
    let registry = Registry::new();
    let limits = LogLimits { queue_capacity: 64, batch_limit: 8 };
    let artifacts = Artifacts::open(&registry);
    let (store, log) = (Arc::clone(&artifacts.store), Arc::clone(&artifacts.log));
    let door = Control::open(&registry.folder(), &store, &artifacts.oci).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (writing, is_stopped) = (Arc::clone(&log), Arc::clone(&stop));
    let writer = std::thread::spawn(move || {
        let mut written = 0;
        while !is_stopped.load(Ordering::Relaxed) {
            let receipt = writing.submit(testing::envelope(written)).unwrap();
            receipt.blocking_recv().unwrap().unwrap();
            written += 1;
        }
        written
    });
    let large = vec![7; 100_000];
    store.prepare_content(Sha256::of(&large), &large).unwrap();
    let mut sizes = Vec::new();
    for name in ["first", "second"] {
        let target = registry.beside(name);
        let summary = ask_for_backup(registry.path(), &target).unwrap();
        assert_eq!(summary.content_files, 1);
        let report = fsck::check(&target, &mut |_| {}).unwrap();
        assert_eq!(report.faults, []);
        sizes.push(report.counts.leaves);
    }
    stop.store(true, Ordering::Relaxed);
    let written = writer.join().unwrap();
    assert!(sizes.windows(2).all(|pair| pair[0] <= pair[1]), "{sizes:?}");
    assert!(sizes.iter().all(|size| *size <= written + 1), "{sizes:?} of {written}");
    log.stop();
    drop((door, artifacts, log, store));
    // The copy is a registry of its own that takes up where it was made.
    let copy = Registry::of(registry.beside("second"));
    let (_store, log) = copy.start(limits);
    let receipt = log.submit(testing::envelope(1_000_000)).unwrap();
    let receipt = receipt.blocking_recv().unwrap().unwrap();
    assert_eq!(receipt.proven.index, sizes[1]);
    log.stop();
}

#[test]
fn a_failed_backup_is_answered_with_the_reason() {
    let registry = Registry::new();
    let artifacts = Artifacts::open(&registry);
    let path = registry.path().join(CONTROL_SOCKET);
    {
        let _door = Control::open(&registry.folder(), &artifacts.store, &artifacts.oci).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let inside = registry.path().join("backup");
        let refused = ask_for_backup(registry.path(), &inside).unwrap_err();
        assert!(matches!(&refused, ControlError::Failed(d) if d.contains("within each other")));
        let relative = ask_for_backup(registry.path(), Path::new("relative")).unwrap_err();
        assert!(matches!(relative, ControlError::Failed(_)), "{relative}");
    }
    assert!(!path.exists(), "the socket stays behind");
    let gone = ask_for_backup(registry.path(), &registry.beside("x")).unwrap_err();
    assert!(matches!(gone, ControlError::NobodyThere { .. }), "{gone}");
}

#[test]
fn a_collection_is_told_or_done_by_whoever_has_the_store() {
    let registry = Registry::new();
    let artifacts = Artifacts::open(&registry);
    let door = Control::open(&registry.folder(), &artifacts.store, &artifacts.oci).unwrap();
    artifacts.blob("pay/api", b"{}").unwrap();
    artifacts.push("pay/api", "latest", &image(&[], None)).unwrap();
    artifacts.delete("pay/api", "latest").unwrap();
    let ask = |grace, mode| ask_for_collection(registry.path(), grace, mode).unwrap();
    // The clock stands still, so that nothing is older than no grace at all.
    assert_eq!(ask(Duration::ZERO, Mode::Remove).manifests, 0);
    let later = crate::clock::Clock::fixed("2026-02-01T09:30:00Z".parse().unwrap());
    let parts = crate::oci::Parts {
        store: Arc::clone(&artifacts.store),
        log: Arc::clone(&artifacts.log),
        key: registry.folder().log_key().unwrap(),
        clock: later,
        uploads: testing::oci::UPLOADS,
        guards: crate::oci::guard::Standing::default(),
    };
    let oci = Arc::new(Oci::new(parts));
    drop(door);
    let _door = Control::open(&registry.folder(), &artifacts.store, &oci).unwrap();
    assert_eq!(ask(Duration::from_secs(48 * 3600), Mode::Remove).manifests, 0);
    let told = ask(Duration::from_secs(3600), Mode::Tell);
    assert_eq!((told.manifests, told.blobs), (1, 1));
    assert_eq!(ask(Duration::from_secs(3600), Mode::Remove), told);
    assert_eq!(ask(Duration::from_secs(3600), Mode::Tell).manifests, 0);
    let path = registry.path().join(CONTROL_SOCKET);
    for line in ["gc\n", "gc x\n", "gc -1\n", "gc-dry 1 2\n", "collect 1\n"] {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(line.as_bytes()).unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        assert!(answer.contains("failed") && answer.contains("expected"), "{line:?}: {answer}");
    }
}

#[test]
fn a_data_folder_with_a_long_name_has_a_door_too() {
    let registry = Registry::named(&"long".repeat(40));
    let artifacts = Artifacts::open(&registry);
    let _door = Control::open(&registry.folder(), &artifacts.store, &artifacts.oci).unwrap();
    ask_for_backup(registry.path(), &registry.beside("backup")).unwrap();
}
