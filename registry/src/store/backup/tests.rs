use std::os::unix::fs::PermissionsExt;

use attestry_schemas::digest::Sha256;

use super::*;
use crate::store::engine::{Batch, EngineOptions, Family};

struct Data {
    dir: tempfile::TempDir,
    store: Store,
    large: Sha256,
}

impl Data {
    /// A data folder with a batch, a content file, a key, and a document in a folder.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let store = Store::create(&data, EngineOptions::default()).unwrap();
        let mut batch = Batch::default();
        batch.put(Family::Leaves, "key", "value");
        store.commit(batch).unwrap();
        let bytes = vec![7; 100_000];
        let large = Sha256::of(&bytes);
        store.prepare_content(large, &bytes).unwrap();
        durable::replace_file(&data.join("log.key"), b"secret", durable::Access::Owner).unwrap();
        std::fs::create_dir(data.join("trust")).unwrap();
        std::fs::write(data.join("trust/root.json"), "{}").unwrap();
        Self { dir, store, large }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn copy(&self, target: &str) -> Result<BackupSummary, BackupError> {
        copy(&self.path("data"), &self.store, &self.path(target))
    }
}

#[test]
fn a_backup_opens_with_everything_in_it() {
    let data = Data::new();
    // An empty folder is as good as none, with or without a slash behind its name.
    std::fs::create_dir(data.path("empty")).unwrap();
    for target in ["backup", "empty", "slash/"] {
        let summary = data.copy(target).unwrap();
        assert_eq!(
            summary,
            BackupSummary { content_files: 1, content_bytes: 100_000, documents: 2 }
        );
        let target = data.path(target);
        refuse_partial(&target).unwrap();
        let copied = Store::open(&target, EngineOptions::default()).unwrap();
        let value = copied.engine().get(Family::Leaves, b"key").unwrap();
        assert_eq!(value, Some(b"value".to_vec()));
        let large = copied.files().open_content(&data.large).unwrap().unwrap();
        assert_eq!(large.rehash().unwrap(), data.large);
        assert_eq!(std::fs::read(target.join("log.key")).unwrap(), b"secret");
        let mode = std::fs::metadata(target.join("log.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mode = std::fs::metadata(&target).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "the copy holds the log's key");
        assert_eq!(std::fs::read(target.join("trust/root.json")).unwrap(), b"{}");
    }
    assert!(!data.path("backup.partial").exists());
}

#[test]
fn a_backup_does_not_change_when_the_store_goes_on() {
    let data = Data::new();
    data.copy("backup").unwrap();
    let mut batch = Batch::default();
    batch.put(Family::Leaves, "later", "value");
    data.store.commit(batch).unwrap();
    let copied = Store::open(&data.path("backup"), EngineOptions::default()).unwrap();
    assert_eq!(copied.engine().get(Family::Leaves, b"later").unwrap(), None);
}

#[test]
fn a_target_that_holds_something_is_refused_and_kept() {
    let data = Data::new();
    std::fs::create_dir(data.path("taken")).unwrap();
    std::fs::write(data.path("taken/file"), "kept").unwrap();
    let refused = data.copy("taken");
    assert!(matches!(refused, Err(BackupError::TargetNotEmpty { .. })), "{refused:?}");
    assert_eq!(std::fs::read(data.path("taken/file")).unwrap(), b"kept");
    assert!(!data.path("taken.partial").exists());
}

#[test]
fn a_target_inside_the_data_folder_is_refused() {
    let data = Data::new();
    for target in ["data/backup", "other/../data/backup"] {
        std::fs::create_dir_all(data.path("other")).unwrap();
        let refused = data.copy(target);
        assert!(matches!(refused, Err(BackupError::Nested { .. })), "{refused:?}");
    }
    assert!(!data.path("data/backup.partial").exists());
}

#[test]
fn a_backup_that_was_cut_short_is_refused_and_named() {
    let data = Data::new();
    // What a crash leaves: the partial folder with its marker.
    let partial = prepare(&data.path("data"), &data.path("backup")).unwrap();
    assert!(matches!(refuse_partial(&partial), Err(BackupError::Partial { .. })));
    let refused = data.copy("backup");
    assert!(matches!(refused, Err(BackupError::PartialThere { .. })), "{refused:?}");
    assert!(partial.exists());
    assert!(!data.path("backup").exists());
}

#[test]
fn a_failed_backup_leaves_nothing() {
    let data = Data::new();
    std::os::unix::fs::symlink(data.path("nowhere"), data.path("data/dangling")).unwrap();
    let failed = data.copy("backup");
    assert!(matches!(failed, Err(BackupError::Io { .. })), "{failed:?}");
    assert!(!data.path("backup").exists());
    assert!(!data.path("backup.partial").exists());
}
