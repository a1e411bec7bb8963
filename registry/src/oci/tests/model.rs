//! Collections against a simple model: by random operations one after the other, where the model knows every
//! outcome, and by threads that push and delete while others collect, where tags must keep what they name.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use attestry_schemas::digest::Sha256;
use attestry_schemas::dsse::{Envelope, PAYLOAD_TYPE};
use attestry_schemas::oci::media_type::OCI_INDEX;
use attestry_schemas::statement::{ResourceDescriptor, Statement};
use proptest::prelude::*;

use super::super::OciError;
use super::super::collect::Mode;
use crate::clock::Clock;
use crate::log::Prepared;
use crate::store::engine::{Batch, Family};
use crate::store::is_inline;
use crate::store::oci::key;
use crate::testing::oci::{Artifacts, UPLOADS, digest, image, index, index_of};
use crate::testing::{self, Registry};

const REPOSITORIES: [&str; 2] = ["pay/api", "pay/web"];
const TAGS: [&str; 2] = ["latest", "v1"];
const START_MS: i64 = 1_800_000_000_000;
const MINUTE_MS: i64 = 60_000;

/// Everything that is ever pushed.
struct World {
    blobs: Vec<Vec<u8>>,
    manifests: Vec<Thing>,
}

struct Thing {
    bytes: Vec<u8>,
    /// The blobs that it needs.
    blobs: Vec<usize>,
    /// The manifests that it names.
    names: Vec<usize>,
    subject: Option<usize>,
}

impl World {
    fn new() -> Self {
        let blobs = vec![b"{}".to_vec(), b"one".to_vec(), vec![2; 70_000], b"three".to_vec()];
        let mut manifests: Vec<Thing> = Vec::new();
        let images: [(&[usize], Option<usize>); 5] =
            [(&[1], None), (&[2], None), (&[1, 3], None), (&[1], Some(0)), (&[], Some(3))];
        for (layers, subject) in images {
            let bytes: Vec<&[u8]> = layers.iter().map(|layer| blobs[*layer].as_slice()).collect();
            let about = subject.map(|subject| manifests[subject].bytes.as_slice());
            let bytes = image(&bytes, about);
            let blobs = [&[0], layers].concat();
            manifests.push(Thing { bytes, blobs, names: Vec::new(), subject });
        }
        let lists: [&[usize]; 3] = [&[0, 1], &[5], &[2]];
        for names in lists {
            let parts: Vec<&[u8]> = names.iter().map(|n| manifests[*n].bytes.as_slice()).collect();
            let bytes = if *names == [5] { index_of(OCI_INDEX, &parts) } else { index(&parts) };
            let names = names.to_vec();
            manifests.push(Thing { bytes, blobs: Vec::new(), names, subject: None });
        }
        Self { blobs, manifests }
    }

    fn reference(&self, manifest: usize) -> String {
        digest(&self.manifests[manifest].bytes).to_string()
    }

    /// The manifests of `linked` that stay: the roots, what refers to what is here, and what those name.
    fn live(&self, linked: &BTreeSet<usize>, roots: &BTreeSet<usize>) -> BTreeSet<usize> {
        let mut live: BTreeSet<usize> = linked.intersection(roots).copied().collect();
        for manifest in linked {
            if let Some(subject) = self.manifests[*manifest].subject
                && linked.contains(&subject)
            {
                live.extend([*manifest, subject]);
            }
        }
        loop {
            let named = live.iter().flat_map(|manifest| &self.manifests[*manifest].names);
            let more: Vec<usize> = named.filter(|one| linked.contains(one)).copied().collect();
            let before = live.len();
            live.extend(more);
            if live.len() == before {
                return live;
            }
        }
    }
}

/// What one operation does; numbers are taken modulo what there is.
#[derive(Debug, Clone)]
enum Step {
    Blob(usize, usize),
    Mount(usize, usize),
    Push(usize, usize, Option<usize>),
    Untag(usize, usize),
    Delete(usize, usize),
    DeleteBlob(usize, usize),
    Pin(usize),
    Attest(usize),
    Pass(i64),
    Collect(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let (repository, blob, manifest, tag) = (0..2_usize, 0..4_usize, 0..8_usize, 0..2_usize);
    let tags = proptest::option::of(tag.clone());
    prop_oneof![
        6 => (repository.clone(), blob.clone()).prop_map(|(r, b)| Step::Blob(r, b)),
        1 => (repository.clone(), blob.clone()).prop_map(|(r, b)| Step::Mount(r, b)),
        8 => (repository.clone(), manifest.clone(), tags).prop_map(|(r, m, t)| Step::Push(r, m, t)),
        2 => (repository.clone(), tag).prop_map(|(r, t)| Step::Untag(r, t)),
        1 => (repository.clone(), manifest.clone()).prop_map(|(r, m)| Step::Delete(r, m)),
        1 => (repository, blob.clone()).prop_map(|(r, b)| Step::DeleteBlob(r, b)),
        1 => blob.prop_map(Step::Pin),
        1 => manifest.prop_map(Step::Attest),
        4 => (1..40_i64).prop_map(Step::Pass),
        4 => (0..60_i64).prop_map(Step::Collect),
    ]
}

/// What should be there.
#[derive(Default)]
struct Model {
    now_ms: i64,
    blobs: BTreeMap<(usize, usize), i64>,
    manifests: BTreeMap<(usize, usize), i64>,
    tags: BTreeMap<(usize, usize), usize>,
    pins: BTreeSet<usize>,
    attested: BTreeSet<usize>,
}

impl Model {
    fn linked(&self, repository: usize) -> BTreeSet<usize> {
        self.manifests.keys().filter(|(r, _)| *r == repository).map(|(_, m)| *m).collect()
    }

    fn collect(&mut self, world: &World, grace_ms: i64) {
        let before = self.now_ms - grace_ms;
        for repository in 0..REPOSITORIES.len() {
            let linked = self.linked(repository);
            let is_young = |m: &&usize| self.manifests[&(repository, **m)] >= before;
            let mut roots: BTreeSet<usize> = linked.iter().filter(is_young).copied().collect();
            let tagged = self.tags.iter().filter(|((r, _), _)| *r == repository);
            roots.extend(tagged.map(|(_, manifest)| *manifest));
            roots.extend(&self.attested);
            let live = world.live(&linked, &roots);
            self.manifests.retain(|(r, manifest), _| *r != repository || live.contains(manifest));
            let needed: BTreeSet<usize> =
                live.iter().flat_map(|m| world.manifests[*m].blobs.clone()).collect();
            self.blobs
                .retain(|(r, blob), at| *r != repository || *at >= before || needed.contains(blob));
        }
    }
}

/// The registry under test with what should be in it.
struct Under<'w> {
    world: &'w World,
    artifacts: Artifacts,
    at_ms: &'static AtomicI64,
    model: Model,
}

impl Under<'_> {
    fn take(&mut self, step: &Step) {
        let (world, model, artifacts) = (self.world, &mut self.model, &self.artifacts);
        let now = model.now_ms;
        match *step {
            Step::Blob(r, b) => {
                artifacts.blob(REPOSITORIES[r], &world.blobs[b]).unwrap();
                model.blobs.insert((r, b), now);
            }
            Step::Mount(r, b) => {
                let blob = digest(&world.blobs[b]);
                let mounted = artifacts.mount(REPOSITORIES[1 - r], REPOSITORIES[r], &blob).unwrap();
                assert_eq!(mounted, model.blobs.contains_key(&(r, b)));
                if mounted {
                    model.blobs.insert((1 - r, b), now);
                }
            }
            Step::Push(r, m, tag) => {
                let thing = &world.manifests[m];
                let at = tag.map_or_else(|| world.reference(m), |tag| TAGS[tag].to_owned());
                let pushed = artifacts.push(REPOSITORIES[r], &at, &thing.bytes);
                let has_all = thing.blobs.iter().all(|b| model.blobs.contains_key(&(r, *b)));
                assert_eq!(pushed.is_ok(), has_all, "{pushed:?}");
                if has_all {
                    model.manifests.insert((r, m), now);
                    tag.map(|tag| model.tags.insert((r, tag), m));
                }
            }
            Step::Untag(r, t) => {
                let deleted = artifacts.delete(REPOSITORIES[r], TAGS[t]);
                assert_eq!(deleted.is_ok(), model.tags.remove(&(r, t)).is_some());
            }
            Step::Delete(r, m) => {
                let deleted = artifacts.delete(REPOSITORIES[r], &world.reference(m));
                assert_eq!(deleted.is_ok(), model.manifests.remove(&(r, m)).is_some());
                model.tags.retain(|(of, _), manifest| *of != r || *manifest != m);
            }
            Step::DeleteBlob(r, b) => {
                let deleted = artifacts.delete_blob(REPOSITORIES[r], &digest(&world.blobs[b]));
                assert_eq!(deleted.is_ok(), model.blobs.remove(&(r, b)).is_some());
            }
            Step::Pin(b) => {
                pin(artifacts, &world.blobs[b]);
                model.pins.insert(b);
            }
            Step::Attest(m) => {
                attest(artifacts, &world.manifests[m].bytes);
                model.attested.insert(m);
            }
            Step::Pass(minutes) => {
                model.now_ms += minutes * MINUTE_MS;
                self.at_ms.store(model.now_ms, Ordering::SeqCst);
            }
            Step::Collect(minutes) => {
                let grace = Duration::from_millis((minutes * MINUTE_MS).unsigned_abs());
                let told = artifacts.oci.collect(grace, Mode::Tell).unwrap();
                let removed = artifacts.oci.collect(grace, Mode::Remove).unwrap();
                assert_eq!(told, removed);
                model.collect(world, minutes * MINUTE_MS);
            }
        }
    }

    /// Demands that exactly what should be there is there.
    fn check(&self, step: &Step) {
        let (world, model) = (self.world, &self.model);
        let reader = self.artifacts.store.reader();
        for (r, repository) in REPOSITORIES.iter().enumerate() {
            for m in 0..world.manifests.len() {
                let found = self.artifacts.manifest(repository, &world.reference(m)).is_some();
                let expected = model.manifests.contains_key(&(r, m));
                assert_eq!(found, expected, "manifest {m} of {repository} after {step:?}");
            }
            for (b, bytes) in world.blobs.iter().enumerate() {
                let found = self.artifacts.read(repository, &digest(bytes));
                let expected = model.blobs.contains_key(&(r, b)).then(|| bytes.clone());
                assert_eq!(found, expected, "blob {b} of {repository} after {step:?}");
            }
            for (t, tag) in TAGS.iter().enumerate() {
                let expected = model.tags.get(&(r, t)).map(|m| digest(&world.manifests[*m].bytes));
                assert_eq!(self.artifacts.manifest(repository, tag), expected, "after {step:?}");
            }
        }
        for (b, bytes) in world.blobs.iter().enumerate() {
            let is_linked = (0..2).any(|r| model.blobs.contains_key(&(r, b)));
            let found = reader.content(Sha256::of(bytes)).unwrap().is_some();
            assert_eq!(found, is_linked || model.pins.contains(&b), "bytes of {b} after {step:?}");
        }
    }
}

/// Keeps content by itself, as an upload of evidence does.
fn pin(artifacts: &Artifacts, bytes: &[u8]) {
    let content = Sha256::of(bytes);
    let claim = artifacts.store.prepare_content(content, bytes).unwrap();
    let bytes = bytes.to_vec();
    let pending = artifacts.log.change(move |_| {
        let mut writes = Batch::default();
        writes.put(Family::Uses, key::pin(&content), []);
        if is_inline(&bytes) {
            writes.put(Family::Content, content.0, bytes);
        }
        Ok::<_, Infallible>((Prepared { writes, leaves: Vec::new() }, ()))
    });
    pending.unwrap().made_blocking().unwrap();
    drop(claim);
}

/// Logs a statement about a manifest.
fn attest(artifacts: &Artifacts, manifest: &[u8]) {
    let key = testing::ed25519();
    let subject = ResourceDescriptor::named("thing", Sha256::of(manifest).into());
    let predicate = serde_json::json!({"result": "fine"});
    let statement =
        Statement::new(vec![subject], "https://example.org/check/v1", predicate).unwrap();
    let envelope = Envelope::sign(PAYLOAD_TYPE, &statement.to_json(), &key);
    let receipt = artifacts.log.submit(testing::of_envelope(&envelope, &key, "default")).unwrap();
    receipt.blocking_recv().unwrap().unwrap();
}

fn under(world: &World, registry: &Registry) -> (Artifacts, &'static AtomicI64, Model) {
    let _ = world;
    let at_ms: &'static AtomicI64 = Box::leak(Box::new(AtomicI64::new(START_MS)));
    let artifacts = Artifacts::open_at(registry, Clock::set_by(at_ms), UPLOADS);
    (artifacts, at_ms, Model { now_ms: START_MS, ..Model::default() })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_collection_removes_what_the_model_says_and_nothing_else(
        steps in proptest::collection::vec(step(), 20..80)
    ) {
        let (world, registry) = (World::new(), Registry::new());
        let (artifacts, at_ms, model) = under(&world, &registry);
        let mut under = Under { world: &world, artifacts, at_ms, model };
        for step in &steps {
            under.take(step);
            if matches!(step, Step::Collect(_)) {
                under.check(step);
            }
        }
        under.check(&Step::Pass(0));
        drop(under);
        let report = crate::fsck::check(registry.path(), &mut |_| {}).unwrap();
        prop_assert_eq!(report.faults, vec![]);
    }
}

/// A source of choices (Marsaglia's xorshift64).
struct Choices(u64);

impl Choices {
    fn below(&mut self, limit: u64) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit).unwrap()
    }
}

/// Pushes a manifest under a tag of one's own, with its blobs as often as a collection was quicker.
fn push_whole(artifacts: &Artifacts, world: &World, repository: &str, m: usize, tag: &str) {
    let thing = &world.manifests[m];
    loop {
        for blob in &thing.blobs {
            artifacts.blob(repository, &world.blobs[*blob]).unwrap();
        }
        match artifacts.push(repository, tag, &thing.bytes) {
            Ok(_) => return,
            Err(OciError::ManifestBlobUnknown(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn what_a_tag_names_is_whole_while_collections_without_grace_run() {
    let (world, registry) = (World::new(), Registry::new());
    let (artifacts, at_ms, _) = under(&world, &registry);
    let is_over = AtomicBool::new(false);
    let tags = ["one", "two", "three"];
    let last: Vec<BTreeMap<usize, usize>> = std::thread::scope(|scope| {
        let collector = scope.spawn(|| {
            let mut runs = 0;
            while !is_over.load(Ordering::SeqCst) {
                at_ms.fetch_add(1, Ordering::SeqCst);
                artifacts.oci.collect(Duration::ZERO, Mode::Remove).unwrap();
                runs += 1;
            }
            runs
        });
        let writers: Vec<_> = (1..)
            .zip(tags)
            .map(|(seed, tag)| {
                let (artifacts, world) = (&artifacts, &world);
                scope.spawn(move || write(artifacts, world, tag, &mut Choices(seed * 0x9E37_79B9)))
            })
            .collect();
        let last = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
        is_over.store(true, Ordering::SeqCst);
        assert!(collector.join().unwrap() > 0);
        last
    });
    at_ms.fetch_add(1, Ordering::SeqCst);
    artifacts.oci.collect(Duration::ZERO, Mode::Remove).unwrap();
    for (r, repository) in REPOSITORIES.iter().enumerate() {
        let roots = last.iter().filter_map(|tagged| tagged.get(&r)).copied().collect();
        let found: BTreeSet<usize> = (0..world.manifests.len())
            .filter(|m| artifacts.manifest(repository, &world.reference(*m)).is_some())
            .collect();
        assert_eq!(world.live(&found, &roots), found, "of {repository} garbage is left");
        let needed: BTreeSet<usize> =
            found.iter().flat_map(|m| world.manifests[*m].blobs.clone()).collect();
        for (b, bytes) in world.blobs.iter().enumerate() {
            let found = artifacts.read(repository, &digest(bytes)).is_some();
            assert_eq!(found, needed.contains(&b), "blob {b} of {repository}");
        }
    }
    drop(artifacts);
    let report = crate::fsck::check(registry.path(), &mut |_| {}).unwrap();
    assert_eq!(report.faults, []);
}

/// Pushes and deletes under one tag; returns where it points in each repository.
fn write(
    artifacts: &Artifacts,
    world: &World,
    tag: &str,
    choices: &mut Choices,
) -> BTreeMap<usize, usize> {
    let mut tagged = BTreeMap::new();
    for _ in 0..25 {
        let r = choices.below(2);
        let repository = REPOSITORIES[r];
        if choices.below(5) == 0 && tagged.remove(&r).is_some() {
            artifacts.delete(repository, tag).unwrap();
            continue;
        }
        let m = choices.below(world.manifests.len() as u64);
        push_whole(artifacts, world, repository, m, tag);
        tagged.insert(r, m);
        for (r, m) in &tagged {
            let thing = &world.manifests[*m];
            let found = artifacts.manifest(REPOSITORIES[*r], tag);
            assert_eq!(found, Some(digest(&thing.bytes)), "{tag} of {}", REPOSITORIES[*r]);
            for blob in &thing.blobs {
                let bytes = &world.blobs[*blob];
                let found = artifacts.read(REPOSITORIES[*r], &digest(bytes));
                assert_eq!(found.as_ref(), Some(bytes), "{tag} of {}", REPOSITORIES[*r]);
            }
        }
    }
    tagged
}
