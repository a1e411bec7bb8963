//! Sessions: whose they are, one request at a time, and their end.

use std::time::Duration;

use attestry_schemas::oci::BlobDigest;

use super::super::OciError;
use super::super::upload::UploadLimits;
use crate::testing::oci::{Artifacts, UPLOADS, digest, name};
use crate::testing::{Registry, clock};

const OWNER: &str = "token:test";

fn with(uploads: UploadLimits, cases: impl FnOnce(&Artifacts)) {
    let registry = Registry::new();
    cases(&Artifacts::open_at(&registry, clock(), uploads));
}

#[test]
fn a_session_is_there_for_nobody_but_its_owner_and_its_repository() {
    with(UPLOADS, |artifacts| {
        let uploads = artifacts.oci.uploads();
        let id = uploads.begin(&name("pay/api"), OWNER, false).unwrap().to_string();
        for (repository, owner) in [("pay/api", "token:other"), ("pay/web", OWNER)] {
            let unknown = |refused| matches!(refused, Err(OciError::UploadUnknown(_)));
            assert!(unknown(uploads.hold(&name(repository), owner, &id).map(drop)));
            assert!(unknown(uploads.cancel(&name(repository), owner, &id)));
        }
        uploads.hold(&name("pay/api"), OWNER, &id).unwrap();
    });
}

#[test]
fn two_requests_on_one_session_do_not_mix() {
    with(UPLOADS, |artifacts| {
        let uploads = artifacts.oci.uploads();
        let id = uploads.begin(&name("pay/api"), OWNER, false).unwrap().to_string();
        let mut first = uploads.hold(&name("pay/api"), OWNER, &id).unwrap();
        first.write(b"one").unwrap();
        let second = uploads.hold(&name("pay/api"), OWNER, &id).map(drop);
        assert!(matches!(second, Err(OciError::UploadInvalid(_))), "{second:?}");
        let cancelled = uploads.cancel(&name("pay/api"), OWNER, &id);
        assert!(matches!(cancelled, Err(OciError::UploadInvalid(_))), "{cancelled:?}");
        drop(first);
        let mut third = uploads.hold(&name("pay/api"), OWNER, &id).unwrap();
        assert_eq!(third.size_bytes(), 3);
        third.write(b" two").unwrap();
        third.finish(digest(b"one two")).unwrap();
        // It has ended, though nobody has forgotten it.
        let ended = uploads.hold(&name("pay/api"), OWNER, &id).map(drop);
        assert!(matches!(ended, Err(OciError::UploadUnknown(_))), "{ended:?}");
    });
}

#[test]
fn an_idle_session_ends_with_its_file_and_one_that_is_held_does_not() {
    let limits = UploadLimits { sessions: 16, idle: Duration::ZERO, ..UPLOADS };
    with(limits, |artifacts| {
        let uploads = artifacts.oci.uploads();
        let of = name("pay/api");
        let idle = uploads.begin(&of, OWNER, false).unwrap().to_string();
        let files =
            || std::fs::read_dir(artifacts.store.files().dir().join("incoming")).unwrap().count();
        uploads.hold(&of, OWNER, &idle).unwrap().write(&[7; 100_000]).unwrap();
        assert_eq!(files(), 1);
        assert_eq!(uploads.end_idle(), 1);
        assert_eq!(files(), 0);
        assert!(uploads.hold(&of, OWNER, &idle).is_err());
        let held = uploads.begin(&of, OWNER, false).unwrap().to_string();
        let writing = uploads.hold(&of, OWNER, &held).unwrap();
        assert_eq!(uploads.end_idle(), 0);
        // Idle ones make room, and held ones do not.
        uploads.begin(&of, OWNER, false).unwrap();
        uploads.begin(&of, OWNER, false).unwrap();
        drop(writing);
        assert_eq!(uploads.end_idle(), 2);
    });
}

#[test]
fn one_principal_has_an_eighth_of_the_sessions_and_others_have_theirs() {
    with(UploadLimits { sessions: 16, ..UPLOADS }, |artifacts| {
        let (uploads, of) = (artifacts.oci.uploads(), name("pay/api"));
        let begin = |owner: &str| uploads.begin(&of, owner, false);
        let first = begin(OWNER).unwrap().to_string();
        begin(OWNER).unwrap();
        let refused = begin(OWNER);
        assert!(matches!(refused, Err(OciError::TooManyUploads { limit: 2 })), "{refused:?}");
        begin("token:other").unwrap();
        uploads.cancel(&of, OWNER, &first).unwrap();
        begin(OWNER).unwrap();
    });
    with(UploadLimits { sessions: 3, ..UPLOADS }, |artifacts| {
        let uploads = artifacts.oci.uploads();
        let begin = |owner: &str| uploads.begin(&name("pay/api"), owner, false);
        for owner in ["token:one", "token:two", "token:three"] {
            begin(owner).unwrap();
            assert!(begin(owner).is_err(), "{owner}");
        }
        let refused = begin("token:four");
        assert!(matches!(refused, Err(OciError::TooManyUploads { limit: 3 })), "{refused:?}");
    });
}

#[test]
fn what_has_another_digest_or_is_too_large_leaves_nothing() {
    with(UPLOADS, |artifacts| {
        let long = BlobDigest::sha512_of(b"other");
        for wrong in [digest(b"other"), long] {
            let refused = artifacts.blob_as("pay/api", &[7; 100_000], wrong.clone());
            assert!(matches!(refused, Err(OciError::Digest { .. })), "{refused:?}");
            assert_eq!(artifacts.read("pay/api", &wrong), None);
        }
        let large = vec![7; (1 << 20) + 1];
        let refused = artifacts.blob("pay/api", &large);
        assert!(matches!(refused, Err(OciError::TooLarge { .. })), "{refused:?}");
        assert_eq!(artifacts.store.files().list().count(), 0);
    });
}
