//! Pushes to repositories under the same deaths: between blob, manifest and log writes. What was answered 201 is
//! there, and what was not is there whole or not at all; `fsck` is the oracle, and what a death left behind is
//! collected.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use attestry_registry::fault::FaultPoint;
use attestry_schemas::oci::media_type::OCI_MANIFEST;
use attestry_tests::oci::{NOTHING, digest, image};
use attestry_tests::{Client, Random, Registry, Request, Server, programs, wait_for};

const NAME: &str = "pay/api";
/// How often a server is killed after so many pushes.
const KILLS: u64 = 8;
/// Clients at once.
const CLIENTS: u64 = 4;
/// The sizes of layers: some lie in the engine, most in files.
const LAYER_BYTES: std::ops::Range<u64> = 30_000..300_000;
/// Every so many manifests is too large for the engine.
const LARGE_EVERY: u64 = 3;

/// One image under a tag of its own.
struct Pushed {
    tag: String,
    manifest: Vec<u8>,
    layer: Vec<u8>,
    is_acknowledged: bool,
}

struct Setting {
    registry: Registry,
    random: Random,
    numbers: AtomicU64,
    pushed: Mutex<Vec<Pushed>>,
}

impl Setting {
    fn new() -> Self {
        let registry = Registry::init(&programs!(), &[]);
        let (numbers, pushed) = (AtomicU64::new(0), Mutex::default());
        Self { registry, random: Random::announced(), numbers, pushed }
    }

    fn acknowledged(&self) -> usize {
        self.pushed.lock().unwrap().iter().filter(|one| one.is_acknowledged).count()
    }

    /// Pushes until the server dies, which `end` brings about or waits for.
    fn push_until(&mut self, server: Server, end: impl FnOnce(&Self, Server)) {
        let seed = self.random.draw();
        let stop = AtomicBool::new(false);
        let (setting, stop) = (&*self, &stop);
        std::thread::scope(|scope| {
            for number in 0..CLIENTS {
                let (client, mut random) = (server.client(), Random::of(seed.wrapping_add(number)));
                scope.spawn(move || {
                    while !stop.load(Ordering::Acquire) && setting.push(&client, &mut random) {}
                });
            }
            end(setting, server);
            stop.store(true, Ordering::Release);
        });
    }

    /// Pushes one image; tells whether the connection held.
    fn push(&self, client: &Client, random: &mut Random) -> bool {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let size = LAYER_BYTES.start + random.below(LAYER_BYTES.end - LAYER_BYTES.start);
        let layer = random.bytes(usize::try_from(size).unwrap());
        let mut manifest = image(&[&layer], None);
        if number.is_multiple_of(LARGE_EVERY) {
            // White space is a part of the bytes that are kept.
            manifest.extend(vec![b' '; 100_000]);
        }
        let tag = format!("t{number}");
        for blob in [NOTHING, &layer] {
            let path = format!("/v2/{NAME}/blobs/uploads/?digest={}", digest(blob));
            match client.send(&Request::new("POST", &path).body(blob)) {
                Ok(reply) if reply.status == 201 => {}
                Ok(reply) => {
                    assert!(reply.status >= 500, "{}: {}", reply.status, reply.text());
                    return true;
                }
                Err(_) => return false,
            }
        }
        let one = Pushed { tag: tag.clone(), manifest, layer, is_acknowledged: false };
        let path = format!("/v2/{NAME}/manifests/{tag}");
        let request = Request::new("PUT", &path).header("content-type", OCI_MANIFEST);
        let request = request.body(one.manifest.clone());
        self.pushed.lock().unwrap().push(one);
        let Ok(reply) = client.send(&request) else { return false };
        assert!(reply.status == 201 || reply.status >= 500, "{}", reply.text());
        let mut pushed = self.pushed.lock().unwrap();
        let one = pushed.iter_mut().find(|one| one.tag == tag).unwrap();
        one.is_acknowledged = reply.status == 201;
        true
    }

    /// Demands that the folder is sound, that all that was acknowledged is there, and nothing by half; then that
    /// a collection takes none of it, and all that a death left.
    fn demand_sound(&self) {
        self.registry.demand_clean();
        let server = self.registry.serve();
        self.demand_kept(&server.client());
        server.terminate();
        let dry = self.registry.collect(&["--dry-run", "--grace", "0"]);
        assert_eq!(self.registry.collect(&["--grace", "0"]), dry);
        let report = self.registry.demand_clean();
        let notes = report.pointer("/notes").and_then(serde_json::Value::as_array);
        assert_eq!(notes.map(Vec::len), Some(0), "{report:#}");
        let server = self.registry.serve();
        self.demand_kept(&server.client());
        server.terminate();
    }

    fn demand_kept(&self, client: &Client) {
        for one in &*self.pushed.lock().unwrap() {
            let Pushed { tag, manifest, layer, is_acknowledged } = one;
            let found = client.get(&format!("/v2/{NAME}/manifests/{tag}"));
            if found.status == 404 && !is_acknowledged {
                continue;
            }
            assert_eq!(found.status, 200, "{tag}: {}", found.text());
            assert!(found.body == *manifest, "{tag} has other bytes");
            let blob = client.get(&format!("/v2/{NAME}/blobs/{}", digest(layer))).expect(200);
            assert!(blob.body == *layer, "the layer of {tag} has other bytes");
            let moves = client.get(&format!("/v2/{NAME}/_oci/tag-history/{tag}")).expect(200);
            let moves = moves.json();
            let entries = moves.pointer("/manifests").and_then(serde_json::Value::as_array);
            assert_eq!(entries.map(Vec::len), Some(1), "{tag}: {moves:#}");
            let statement =
                moves.pointer("/manifests/0/annotations/dev.attestry.tag.statement").unwrap();
            let statement = statement.as_str().unwrap();
            let _ = client.get(&format!("/v1/attestations/{statement}/bundle")).expect(200);
        }
    }
}

#[test]
fn a_kill_among_pushes_loses_nothing_that_was_acknowledged() {
    let mut setting = Setting::new();
    for _ in 0..KILLS {
        let server = setting.registry.serve();
        let enough =
            setting.acknowledged() + 1 + usize::try_from(setting.random.below(20)).unwrap();
        setting.push_until(server, |setting, server| {
            wait_for("pushes", || (setting.acknowledged() >= enough).then_some(()));
            server.kill();
        });
        setting.demand_sound();
    }
    assert!(setting.acknowledged() > 0);
}

#[test]
fn a_death_at_any_fault_point_of_a_push_leaves_a_sound_registry() {
    let mut setting = Setting::new();
    for point in FaultPoint::ALL {
        let passing = 1 + setting.random.below(12);
        let fault = format!("{}=kill@{passing}", point.name());
        let server = setting.registry.serve_with(&[], &[("ATTESTRY_FAULT", &fault)]);
        setting.push_until(server, |_, mut server| {
            assert!(!server.until_ended().success(), "{fault}");
        });
        setting.demand_sound();
    }
    // After all of that it takes pushes as ever.
    let enough = setting.acknowledged() + 1;
    let server = setting.registry.serve();
    setting.push_until(server, |setting, server| {
        wait_for("pushes", || (setting.acknowledged() >= enough).then_some(()));
        server.kill();
    });
    setting.demand_sound();
}
