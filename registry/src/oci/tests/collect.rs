//! What a collection keeps and removes, case by case.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::super::collect::{Collected, Mode};
use crate::clock::Clock;
use crate::store::engine::{Batch, Family};
use crate::store::{Store, key};
use crate::testing::oci::{Artifacts, UPLOADS, digest, image, index, index_of};
use crate::testing::{self, Registry};

const NAME: &str = "pay/api";
const HOUR: Duration = Duration::from_secs(3600);

/// A registry whose clock the test sets.
struct Scene {
    registry: Registry,
    at_ms: &'static AtomicI64,
}

impl Scene {
    fn new() -> Self {
        let at_ms = Box::leak(Box::new(AtomicI64::new(1_800_000_000_000)));
        Self { registry: Registry::new(), at_ms }
    }

    fn open(&self) -> Artifacts {
        Artifacts::open_at(&self.registry, Clock::set_by(self.at_ms), UPLOADS)
    }

    fn pass(&self, time: Duration) {
        let passed = i64::try_from(time.as_millis()).unwrap();
        self.at_ms.fetch_add(passed, Ordering::SeqCst);
    }
}

/// Pushes, lets two hours pass, and collects: tells first, then removes exactly that.
fn collected(push: impl FnOnce(&Artifacts)) -> (Scene, Artifacts, Collected) {
    let scene = Scene::new();
    let artifacts = scene.open();
    artifacts.blob(NAME, b"{}").unwrap();
    push(&artifacts);
    scene.pass(2 * HOUR);
    let told = artifacts.oci.collect(HOUR, Mode::Tell).unwrap();
    let removed = artifacts.oci.collect(HOUR, Mode::Remove).unwrap();
    assert_eq!(removed, told, "what was told is what went");
    let again = artifacts.oci.collect(HOUR, Mode::Remove).unwrap();
    let nothing = Collected { repositories: again.repositories, ..Collected::default() };
    assert_eq!(again, nothing, "the second run finds nothing");
    (scene, artifacts, removed)
}

#[test]
fn a_manifest_without_tag_goes_with_its_blobs_and_their_bytes() {
    let large = vec![7; 100_000];
    let thing = image(&[b"layer", &large], None);
    let (scene, artifacts, removed) = collected(|artifacts| {
        artifacts.blob(NAME, b"layer").unwrap();
        artifacts.blob(NAME, &large).unwrap();
        artifacts.push(NAME, "latest", &thing).unwrap();
        artifacts.delete(NAME, "latest").unwrap();
    });
    let bytes = (2 + 5 + large.len() + thing.len()) as u64;
    let expected = Collected { repositories: 1, manifests: 1, blobs: 3, files: 0, bytes };
    assert_eq!(removed, expected);
    assert_eq!(artifacts.manifest(NAME, &digest(&thing).to_string()), None);
    assert_eq!(artifacts.store.files().list().count(), 0);
    drop(artifacts);
    assert_eq!(crate::fsck::check(scene.registry.path(), &mut |_| {}).unwrap().faults, []);
}

#[test]
fn what_is_younger_than_the_grace_stays() {
    let scene = Scene::new();
    let artifacts = scene.open();
    artifacts.blob(NAME, b"{}").unwrap();
    artifacts.push(NAME, &digest(&image(&[], None)).to_string(), &image(&[], None)).unwrap();
    scene.pass(HOUR);
    // Pushed again, it is young again.
    artifacts.blob(NAME, b"{}").unwrap();
    let removed = artifacts.oci.collect(HOUR, Mode::Remove).unwrap();
    assert_eq!((removed.manifests, removed.blobs), (0, 0));
    scene.pass(Duration::from_millis(1));
    let removed = artifacts.oci.collect(HOUR, Mode::Remove).unwrap();
    assert_eq!((removed.manifests, removed.blobs), (1, 0));
    scene.pass(HOUR);
    let removed = artifacts.oci.collect(HOUR, Mode::Remove).unwrap();
    assert_eq!((removed.manifests, removed.blobs), (0, 1));
}

#[test]
fn what_an_index_names_stays_with_it_and_goes_with_it() {
    let (one, two) = (image(&[], None), image(&[b"{}"], None));
    let inner = index(&[&one]);
    let index_type = attestry_schemas::oci::media_type::OCI_INDEX;
    let outer = index_of(index_type, &[&inner]);
    let alone = index(&[&two]);
    let (_scene, artifacts, removed) = collected(|artifacts| {
        for bytes in [&one, &two, &inner, &alone] {
            artifacts.push(NAME, &digest(bytes).to_string(), bytes).unwrap();
        }
        artifacts.push(NAME, "all", &outer).unwrap();
    });
    assert_eq!((removed.manifests, removed.blobs), (2, 0));
    for kept in [&one, &inner, &outer] {
        assert!(artifacts.manifest(NAME, &digest(kept).to_string()).is_some());
    }
    assert_eq!(artifacts.read(NAME, &digest(b"{}")).unwrap(), b"{}");
}

#[test]
fn a_subject_and_what_refers_to_it_keep_each_other() {
    let thing = image(&[], None);
    let about = image(&[b"signature"], Some(&thing));
    let lost = image(&[b"{}"], Some(b"a subject that is not here"));
    let (_scene, artifacts, removed) = collected(|artifacts| {
        artifacts.blob(NAME, b"signature").unwrap();
        for bytes in [&thing, &about, &lost] {
            artifacts.push(NAME, &digest(bytes).to_string(), bytes).unwrap();
        }
    });
    assert_eq!((removed.manifests, removed.blobs), (1, 0), "the one without a subject here");
    assert!(artifacts.manifest(NAME, &digest(&thing).to_string()).is_some());
    assert!(artifacts.read(NAME, &digest(b"signature")).is_some());
}

#[test]
fn what_a_statement_in_the_log_is_about_stays() {
    // The statement of the tests is about the digest of a number's bytes.
    let attested = 7_u64.to_be_bytes();
    let (_scene, artifacts, removed) = collected(|artifacts| {
        artifacts.blob(NAME, &attested).unwrap();
        artifacts.blob(NAME, b"nobody's").unwrap();
        let receipt = artifacts.log.submit(testing::envelope(7)).unwrap();
        receipt.blocking_recv().unwrap().unwrap();
    });
    assert_eq!(removed.blobs, 2);
    assert_eq!(artifacts.read(NAME, &digest(&attested)).unwrap(), attested);
}

#[test]
fn content_that_others_have_stays_for_them() {
    let large = vec![9; 100_000];
    let pinned = vec![8; 100_000];
    let (_scene, artifacts, removed) = collected(|artifacts| {
        for bytes in [&large, &pinned] {
            artifacts.blob(NAME, bytes).unwrap();
        }
        assert!(artifacts.mount("pay/web", NAME, &digest(&large)).unwrap());
        artifacts.blob("pay/web", b"{}").unwrap();
        artifacts.push("pay/web", "latest", &image(&[&large], None)).unwrap();
        let mut batch = Batch::default();
        let pin = crate::store::oci::key::pin(&attestry_schemas::digest::Sha256::of(&pinned));
        batch.put(Family::Uses, pin, []);
        artifacts.store.commit(batch).unwrap();
    });
    assert_eq!((removed.blobs, removed.bytes), (3, 0));
    assert_eq!(artifacts.read(NAME, &digest(&large)), None);
    assert_eq!(artifacts.read("pay/web", &digest(&large)).unwrap(), large);
    let content = attestry_schemas::digest::Sha256::of(&pinned);
    assert!(artifacts.store.reader().content(content).unwrap().is_some());
}

#[test]
fn a_file_that_a_crash_left_goes_and_one_that_is_about_to_be_named_stays() {
    let (_scene, _artifacts, removed) = collected(|artifacts| {
        let left = vec![1; 100_000];
        let left_digest = attestry_schemas::digest::Sha256::of(&left);
        drop(artifacts.store.prepare_content(left_digest, &left).unwrap());
    });
    assert_eq!((removed.files, removed.bytes), (1, 100_000 + 2));
    let scene = Scene::new();
    let artifacts = scene.open();
    let coming = vec![2; 100_000];
    let content = attestry_schemas::digest::Sha256::of(&coming);
    let claim = artifacts.store.prepare_content(content, &coming).unwrap();
    assert_eq!(artifacts.oci.collect(Duration::ZERO, Mode::Remove).unwrap().files, 0);
    drop(claim);
    assert_eq!(artifacts.oci.collect(Duration::ZERO, Mode::Remove).unwrap().files, 1);
}

#[test]
fn a_chain_and_a_lattice_of_indexes_are_judged_in_little_time() {
    let index_type = attestry_schemas::oci::media_type::OCI_INDEX;
    let scene = Scene::new();
    let artifacts = scene.open();
    // Each layer names both of the layer below: 2^100 ways lead from the top to the bottom.
    let mut layer = [index(&[]), index_of(index_type, &[b"nobody"])];
    for bytes in &layer {
        artifacts.push(NAME, &digest(bytes).to_string(), bytes).unwrap();
    }
    for depth in 0..100 {
        let [left, right] = &layer;
        let salt = format!("salt {depth}");
        let next = [
            index_of(index_type, &[left, right]),
            index_of(index_type, &[left, right, salt.as_bytes()]),
        ];
        for bytes in &next {
            artifacts.push(NAME, &digest(bytes).to_string(), bytes).unwrap();
        }
        layer = next;
    }
    // A chain that is longer than the stack of a thread would bear, if each link took a frame.
    let mut link = index(&[]);
    for _ in 0..2_000 {
        link = index_of(index_type, &[&link]);
        artifacts.push("deep", &digest(&link).to_string(), &link).unwrap();
    }
    artifacts.push("deep", "top", &link).unwrap();
    scene.pass(2 * HOUR);
    let removed = artifacts.oci.collect(HOUR, Mode::Remove).unwrap();
    assert_eq!(removed.manifests, 202, "the lattice, which no tag names");
    artifacts.delete("deep", "top").unwrap();
    assert_eq!(artifacts.oci.collect(HOUR, Mode::Remove).unwrap().manifests, 2_000);
}

#[test]
fn content_of_a_store_without_repositories_is_kept_by_itself() {
    let registry = Registry::new();
    let large = vec![3; 100_000];
    let (small, file) = (
        attestry_schemas::digest::Sha256::of(b"evidence"),
        attestry_schemas::digest::Sha256::of(&large),
    );
    {
        let store = registry.store();
        store.put_small_content(small, b"evidence").unwrap();
        drop(store.prepare_content(file, &large).unwrap());
        let mut batch = Batch::default();
        batch.put(Family::Meta, key::STORE_VERSION, 1_u32.to_be_bytes());
        store.commit(batch).unwrap();
    }
    let artifacts = Artifacts::open(&registry);
    let pinned = |store: &Store, content| {
        let pin = crate::store::oci::key::pin(&content);
        store.engine().get(Family::Uses, &pin).unwrap().is_some()
    };
    assert!(pinned(&artifacts.store, small) && pinned(&artifacts.store, file));
    let genesis = artifacts.store.reader().record(0).unwrap().unwrap().digest;
    assert!(!pinned(&artifacts.store, genesis), "an attestation is kept by the log");
    // A repository that has the same and loses it takes nothing away.
    artifacts.blob(NAME, &large).unwrap();
    artifacts.delete_blob(NAME, &digest(&large)).unwrap();
    assert_eq!(artifacts.oci.collect(Duration::ZERO, Mode::Remove).unwrap().files, 0);
    assert!(artifacts.store.reader().content(file).unwrap().is_some());
}
