//! How much of what a principal has pushed is kept.

use super::super::{Actor, OciError};
use crate::store::engine::Family;
use crate::testing::Registry;
use crate::testing::oci::{Artifacts, actor, digest, image, name};

const NAME: &str = "pay/api";

fn stored(artifacts: &Artifacts) -> u64 {
    let reader = artifacts.store.reader();
    crate::store::oci::stored(reader.value(Family::Stored, b"token:test").unwrap())
}

#[track_caller]
fn refused<T>(outcome: Result<T, OciError>) {
    assert!(matches!(outcome, Err(OciError::Quota { .. })));
}

#[test]
fn what_is_linked_counts_once_and_no_more_when_it_went() {
    let registry = Registry::new();
    let artifacts = Artifacts::open(&registry);
    let thing = image(&[b"layer"], None);
    for _ in 0..2 {
        artifacts.blob(NAME, b"{}").unwrap();
        artifacts.blob(NAME, b"layer").unwrap();
        artifacts.push(NAME, "latest", &thing).unwrap();
        assert_eq!(stored(&artifacts), 7 + thing.len() as u64);
    }
    assert!(artifacts.mount("pay/web", NAME, &digest(b"layer")).unwrap());
    assert_eq!(stored(&artifacts), 12 + thing.len() as u64, "a mount keeps it, too");
    artifacts.delete(NAME, &digest(&thing).to_string()).unwrap();
    for name in [NAME, "pay/web"] {
        artifacts.delete_blob(name, &digest(b"layer")).unwrap();
    }
    assert_eq!(stored(&artifacts), 2);
    drop(artifacts);
    assert_eq!(crate::fsck::check(registry.path(), &mut |_| {}).unwrap().faults, []);
}

#[test]
fn what_does_not_fit_is_refused_and_leaves_nothing() {
    let registry = Registry::new();
    let mut artifacts = Artifacts::open(&registry);
    let large = vec![7; 100_000];
    artifacts.blob(NAME, b"{}").unwrap();
    artifacts.most_stored_bytes = Some(10);
    refused(artifacts.blob(NAME, &large));
    assert!(
        artifacts
            .store
            .reader()
            .content(*digest(&large).as_sha256().as_ref().unwrap())
            .unwrap()
            .is_none()
    );
    artifacts.blob(NAME, b"12345678").unwrap();
    artifacts.blob(NAME, b"12345678").unwrap();
    refused(artifacts.blob(NAME, b"1"));
    refused(artifacts.mount("pay/web", NAME, &digest(b"{}")));
    refused(artifacts.push(NAME, "latest", &image(&[], None)));
    assert_eq!(stored(&artifacts), 10);
    artifacts.delete_blob(NAME, &digest(b"12345678")).unwrap();
    artifacts.blob(NAME, b"1").unwrap();
    drop(artifacts);
    assert_eq!(crate::fsck::check(registry.path(), &mut |_| {}).unwrap().faults, []);
}

#[test]
fn what_lies_in_open_sessions_counts_and_the_one_that_does_not_fit_ends_with_its_file() {
    let registry = Registry::new();
    let artifacts = Artifacts::open(&registry);
    artifacts.blob(NAME, b"{}").unwrap();
    let (oci, uploads, of) = (&artifacts.oci, artifacts.oci.uploads(), name(NAME));
    let actor = Actor { most_stored_bytes: Some(200_000), ..actor() };
    let begin = || uploads.begin(&of, &actor.name, false).unwrap().to_string();
    let hold = |id: &str| uploads.hold(&of, &actor.name, id);
    let files =
        || std::fs::read_dir(artifacts.store.files().dir().join("incoming")).unwrap().count();
    let (one, two) = (begin(), begin());
    let first = oci.append(&actor, hold(&one).unwrap(), &[7; 100_000]).unwrap();
    // With the two bytes that are kept it is as much as may be.
    let second = oci.append(&actor, hold(&two).unwrap(), &[7; 99_998]).unwrap();
    assert_eq!((uploads.held_bytes(&actor.name), files()), (199_998, 2));
    refused(oci.append(&actor, second, &[7]));
    assert_eq!((uploads.held_bytes(&actor.name), files()), (100_000, 1));
    assert!(matches!(hold(&two).map(drop), Err(OciError::UploadUnknown(_))));
    // What is announced counts before it comes.
    let first = oci.demand_room(&actor, first, 99_998).unwrap();
    refused(oci.demand_room(&actor, first, 99_999));
    assert_eq!((uploads.held_bytes(&actor.name), files()), (0, 0));
    assert!(matches!(hold(&one).map(drop), Err(OciError::UploadUnknown(_))));
}
