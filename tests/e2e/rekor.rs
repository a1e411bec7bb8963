//! Rekor's paths: what stock clients write, and the tiles that monitors read.

use attestry_schemas::checkpoint::Checkpoint;
use attestry_schemas::digest::Sha256;
use attestry_schemas::dsse::Envelope;
use attestry_schemas::merkle::{self, CompactRange};
use attestry_schemas::rekor::{Entry, request_for};
use attestry_tests::{Client, Registry, envelope_about, p256_key, programs};
use serde_json::json;

#[test]
fn an_entry_by_digest_and_its_envelope_later_are_one_leaf() {
    let key = p256_key();
    let registry = Registry::init(&programs!(), &[key.public_key()]);
    let server = registry.serve();
    let (client, anonymous) = (server.client(), server.client().with_token(None));
    let sample = envelope_about(1, &key);
    let envelope = Envelope::parse(&sample.bytes).unwrap();
    let entry = Entry::for_envelope(&envelope, key.public_key());
    let request = request_for(&entry).to_string();
    let path = "/api/v2/log/entries";
    let first = anonymous.post(path, request.as_bytes()).unwrap().expect(201).json();
    let again = anonymous.post(path, request.as_bytes()).unwrap().expect(201).json();
    assert_eq!(first, again, "the same entry has the same proof");
    let body = first["canonicalizedBody"].as_str().unwrap();
    assert_eq!(attestry_schemas::base64::decode(body, "body").unwrap(), entry.body());
    assert_eq!(first["logIndex"], "1", "{first}");

    let posted = client.submit(&sample.bytes).unwrap().expect(201).json();
    assert_eq!(posted["items"][0]["index"], 1, "the envelope joins its leaf: {posted}");
    let exact = client.get(&format!("/v1/attestations/{}", sample.digest)).expect(200);
    assert_eq!(exact.body, sample.bytes);
    let snake = request
        .replace("hashedRekordRequestV002", "hashed_rekord_request_v002")
        .replace("publicKey", "public_key")
        .replace("rawBytes", "raw_bytes")
        .replace("keyDetails", "key_details");
    let third = anonymous.post(path, snake.as_bytes()).unwrap().expect(201).json();
    assert_eq!(third["logIndex"], "1");

    let dsse = envelope_about(2, &key);
    let verifier = &request_for(&entry)["hashedRekordRequestV002"]["signature"]["verifier"];
    let request = json!({"dsseRequestV002": {
        "envelope": serde_json::from_slice::<serde_json::Value>(&dsse.bytes).unwrap(),
        "verifiers": [verifier],
    }});
    let logged = anonymous.post(path, request.to_string().as_bytes()).unwrap().expect(201).json();
    assert_eq!(logged["kindVersion"], json!({"kind": "hashedrekord", "version": "0.0.2"}));
    let _ = client.get(&format!("/v1/attestations/{}", dsse.digest)).expect(200);
    server.terminate();
    registry.demand_clean();
}

#[test]
fn a_leaf_belongs_to_the_namespace_of_what_first_filled_it() {
    let key = p256_key();
    let registry = Registry::init(&programs!(), &[key.public_key()]);
    let server = registry.serve();
    let client = server.client();
    let sample = envelope_about(1, &key);
    let entry = Entry::for_envelope(&Envelope::parse(&sample.bytes).unwrap(), key.public_key());
    let request = request_for(&entry).to_string();
    let _ = client.post("/api/v2/log/entries", request.as_bytes()).unwrap().expect(201);
    let listed = |namespace: &str| {
        let page =
            client.get(&format!("/v1/attestations?namespace={namespace}")).expect(200).json();
        let items = page["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["index"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    // The genesis statement is in the default namespace, too.
    assert_eq!(listed("default"), [1, 0]);
    let answer = |namespace: &str, status| {
        let path = format!("/v1/attestations?namespace={namespace}");
        client.post(&path, &sample.bytes).unwrap().expect(status).json()["items"][0].clone()
    };
    let filled = answer("pay/api", 201);
    assert_eq!((&filled["namespace"], &filled["index"]), (&json!("pay/api"), &json!(1)));
    assert_eq!((listed("default"), listed("pay/api")), (vec![0], vec![1]));
    let again = answer("elsewhere", 200);
    assert_eq!((&again["status"], &again["namespace"]), (&json!("existing"), &json!("pay/api")));
    assert_eq!(listed("elsewhere"), [0; 0]);
    server.terminate();
    registry.demand_clean();
}

/// Reads all entries of the log, as a monitor does.
fn entries(client: &Client, size: u64) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    for tile in 0..size.div_ceil(256) {
        let width = (size - tile * 256).min(256);
        let partial = if width < 256 { format!(".p/{width}") } else { String::new() };
        let reply = client.get(&format!("/api/v2/tile/entries/{tile:03}{partial}")).expect(200);
        let mut rest = reply.body.as_slice();
        while let [high, low, tail @ ..] = rest {
            let (entry, tail) = tail.split_at(usize::from(u16::from_be_bytes([*high, *low])));
            entries.push(entry.to_vec());
            rest = tail;
        }
        let cache = reply.headers["cache-control"].to_str().unwrap();
        assert_eq!(cache.contains("immutable"), width == 256, "{cache}");
    }
    entries
}

#[test]
fn tiles_and_entries_give_the_root_that_the_checkpoint_names() {
    let key = p256_key();
    let registry = Registry::init(&programs!(), &[key.public_key()]);
    let server = registry.serve();
    let client = server.client();
    let samples: Vec<_> = (0..300).map(|n| envelope_about(n, &key).bytes).collect();
    for lines in samples.chunks(100) {
        let _ = client.submit(&lines.join(&b'\n')).unwrap().expect(201);
    }
    let signed = client.get("/api/v2/checkpoint").expect(200).text();
    let (text, _) = signed.split_once("\n\n").unwrap();
    let checkpoint = Checkpoint::parse(&format!("{text}\n")).unwrap();
    assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("127.0.0.1", 301));
    let leaves: Vec<Sha256> =
        entries(&client, 301).iter().map(|entry| merkle::leaf_hash(entry)).collect();
    assert_eq!(leaves.len(), 301);
    let mut range = CompactRange::new();
    for leaf in &leaves {
        range.append(*leaf).unwrap();
    }
    assert_eq!(range.root(), checkpoint.root);
    let tile = |path: &str| client.get(&format!("/api/v2/tile/{path}")).expect(200).body;
    let hashes = |leaves: &[Sha256]| leaves.iter().flat_map(|h| h.0).collect::<Vec<u8>>();
    assert_eq!(tile("0/000"), hashes(&leaves[..256]));
    assert_eq!(tile("0/001.p/45"), hashes(&leaves[256..]));
    assert_eq!(tile("0/001.p/3"), hashes(&leaves[256..259]));
    let mut full = CompactRange::new();
    for leaf in &leaves[..256] {
        full.append(*leaf).unwrap();
    }
    assert_eq!(tile("1/000.p/1"), full.root().0);
}
