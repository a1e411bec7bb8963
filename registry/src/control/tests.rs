use attestry_schemas::digest::Sha256;

use super::*;
use crate::fsck;
use crate::log::sequencer::LogLimits;
use crate::testing::{self, Registry};

#[test]
fn a_backup_under_writes_is_a_registry_that_fsck_finds_clean() {
    let registry = Registry::new();
    let limits = LogLimits { queue_capacity: 64, batch_limit: 8 };
    let (store, log) = registry.start(limits);
    let _door = Control::open(&registry.folder(), &store).unwrap();
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
    drop((log, store));
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
    let (store, log) = registry.start(LogLimits { queue_capacity: 1, batch_limit: 1 });
    let path = registry.path().join(CONTROL_SOCKET);
    {
        let _door = Control::open(&registry.folder(), &store).unwrap();
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
    log.stop();
}

#[test]
fn a_data_folder_with_a_long_name_has_a_door_too() {
    let registry = Registry::named(&"long".repeat(40));
    let (store, log) = registry.start(LogLimits { queue_capacity: 1, batch_limit: 1 });
    let _door = Control::open(&registry.folder(), &store).unwrap();
    ask_for_backup(registry.path(), &registry.beside("backup")).unwrap();
    log.stop();
}
