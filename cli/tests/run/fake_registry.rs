//! A registry in memory, just enough of one to answer this program, and to lie to it.

mod pack;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use attestry_schemas::base64;
use attestry_schemas::bundle::{Bundle, Content};
use attestry_schemas::checkpoint::{Checkpoint, SignedCheckpoint};
use attestry_schemas::digest::Sha256;
use attestry_schemas::dsse::{self, Envelope};
use attestry_schemas::key::{PublicKey, SigningKey};
use attestry_schemas::merkle::{self, NodeAddress};
use attestry_schemas::predicate;
use attestry_schemas::rekor::{self, Entry, InclusionProof, KeyId, KindVersion, TlogEntry};
use attestry_schemas::tile::{self, TilePath};
use attestry_schemas::trusted_root::TrustedRoot;
use attestry_schemas::verify;
use serde_json::{Value, json};

/// The origin of the log: the host of the URL.
const ORIGIN: &str = "127.0.0.1";

/// A running registry; it lives as long as the test.
pub(crate) struct FakeRegistry {
    /// Where it listens.
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

struct State {
    url: String,
    log_key: SigningKey,
    trusted: Vec<PublicKey>,
    bodies: Vec<Vec<u8>>,
    items: BTreeMap<String, Item>,
    requests: Vec<String>,
    contents: BTreeMap<String, Vec<u8>>,
    tokens: Vec<String>,
    lie: Option<Lie>,
    /// What to answer to a request, by its method and target.
    canned: BTreeMap<String, (u16, Value)>,
    /// The bodies that were sent to those.
    bodies_sent: Vec<Value>,
}

struct Item {
    index: u64,
    bytes: Vec<u8>,
    bundle: Bundle,
    predicate_type: Option<String>,
    subjects: Vec<String>,
    signer: String,
}

/// What the registry is to lie about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    /// One entry is another than the leaf it hashes to.
    Entry,
    /// One hash of a tile of level 0.
    Tile,
    /// The hashes of a tile of level 1.
    UpperTile,
    /// The hashes of every proof.
    Proof,
    /// The signature of another log key.
    Key,
}

impl FakeRegistry {
    /// Starts a registry that accepts the signatures of these keys.
    pub(crate) fn start(trusted: &[&str]) -> Self {
        Self::start_with(trusted, [7; 32])
    }

    /// Starts a registry with a log key of this seed.
    pub(crate) fn start_with(trusted: &[&str], seed: [u8; 32]) -> Self {
        let listener = TcpListener::bind((ORIGIN, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            url: url.clone(),
            log_key: SigningKey::from_ed25519_seed(seed),
            trusted: trusted.iter().map(|pem| PublicKey::from_pem(pem).unwrap()).collect(),
            bodies: vec![b"genesis".to_vec()],
            items: BTreeMap::new(),
            requests: Vec::new(),
            contents: BTreeMap::new(),
            tokens: Vec::new(),
            lie: None,
            canned: BTreeMap::new(),
            bodies_sent: Vec::new(),
        }));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(&stream.unwrap(), &mut shared.lock().unwrap());
            }
        });
        Self { url, state }
    }

    /// Logs so many more entries.
    pub(crate) fn fill(&self, count: usize) {
        let mut state = self.state.lock().unwrap();
        let start = state.bodies.len();
        state.bodies.extend((start..start + count).map(|i| format!("entry {i}").into_bytes()));
    }

    /// Changes the past.
    pub(crate) fn rewrite(&self, index: usize) {
        self.state.lock().unwrap().bodies[index] = b"rewritten".to_vec();
    }

    /// Forgets all but the first entries.
    pub(crate) fn truncate(&self, size: usize) {
        self.state.lock().unwrap().bodies.truncate(size);
    }

    /// Lists so many newer attestations of what the first one is about, by this signer or the same.
    pub(crate) fn bury(&self, count: u64, signer: Option<&str>) {
        let mut state = self.state.lock().unwrap();
        let first = state.items.values().min_by_key(|item| item.index).unwrap();
        let signer = signer.unwrap_or(&first.signer).to_owned();
        let (subjects, bundle) = (first.subjects.clone(), first.bundle.clone());
        let newer = (0..count).map(|number| Item {
            index: 1_000 + number,
            bytes: Vec::new(),
            bundle: bundle.clone(),
            predicate_type: Some("https://a.example/review/v1".to_owned()),
            subjects: subjects.clone(),
            signer: signer.clone(),
        });
        let newer = newer.map(|item| (Sha256::of(item.index.to_string().as_bytes()), item));
        state.items.extend(newer.map(|(digest, item)| (digest.to_string(), item)));
    }

    /// Answers a request, by method and target such as `GET /v1/roster`, in this way from now on.
    pub(crate) fn answers(&self, request: &str, status: u16, value: Value) {
        self.state.lock().unwrap().canned.insert(request.to_owned(), (status, value));
    }

    /// What was sent with the requests that are answered in such a way.
    pub(crate) fn bodies_sent(&self) -> Vec<Value> {
        self.state.lock().unwrap().bodies_sent.clone()
    }

    /// Signs a decision with the log's key, logs it, and gives what `POST /v1/decisions` answers.
    pub(crate) fn decide(&self, statement: &Value) -> Value {
        let mut state = self.state.lock().unwrap();
        let payload = serde_json::to_vec(statement).unwrap();
        let envelope = Envelope::sign(dsse::PAYLOAD_TYPE, &payload, &state.log_key);
        let key = state.log_key.public_key().clone();
        state.trusted.push(key.clone());
        let added = state.add(Bundle::of_key(&key, Content::Envelope(envelope))).unwrap();
        json!({
            "result": statement["predicate"]["verificationResult"],
            "decision": added["digest"],
            "index": added["index"],
            "cached": false,
            "until": null,
            "warnings": [],
            "statement": statement,
            "bundle": added["bundle"],
        })
    }

    /// Lies from now on.
    pub(crate) fn lie(&self, lie: Lie) {
        self.state.lock().unwrap().lie = Some(lie);
    }

    /// The first lines of all requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    /// The evidence files that it was sent, by digest.
    pub(crate) fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        self.state.lock().unwrap().contents.clone()
    }

    /// The payloads of the statements that it holds, in the order of the log.
    pub(crate) fn payloads(&self) -> Vec<Vec<u8>> {
        let state = self.state.lock().unwrap();
        let mut items: Vec<_> = state.items.values().collect();
        items.sort_by_key(|item| item.index);
        let payloads = items.into_iter().filter_map(|item| match &item.bundle.content {
            Content::Envelope(envelope) => Some(envelope.payload.clone()),
            Content::Message(_) => None,
        });
        payloads.collect()
    }

    /// The tokens that came with them.
    pub(crate) fn tokens(&self) -> Vec<String> {
        self.state.lock().unwrap().tokens.clone()
    }

    /// The trusted root.
    pub(crate) fn trusted_root(&self) -> String {
        self.state.lock().unwrap().trusted_root().text().to_owned()
    }
}

impl State {
    fn size(&self) -> u64 {
        self.bodies.len() as u64
    }

    fn trusted_root(&self) -> TrustedRoot {
        let valid_from = jiff::Timestamp::UNIX_EPOCH;
        TrustedRoot::of_registry(&self.url, self.log_key.public_key(), valid_from).unwrap()
    }

    fn node(&self, address: NodeAddress) -> Result<Sha256, std::convert::Infallible> {
        let start = (address.index << address.level) as usize;
        let leaves = &self.bodies[start..start + (1 << address.level)];
        let mut range = merkle::CompactRange::new();
        leaves.iter().for_each(|body| range.append(merkle::leaf_hash(body)).unwrap());
        Ok(range.root())
    }

    fn root(&self, size: u64) -> Sha256 {
        merkle::root(size, |address| self.node(address)).unwrap()
    }

    fn checkpoint(&self) -> String {
        let size = self.size();
        let root = self.root(size);
        let checkpoint =
            Checkpoint { origin: ORIGIN.to_owned(), size, root, extensions: Vec::new() };
        let other = SigningKey::from_ed25519_seed([8; 32]);
        let key = if self.lie == Some(Lie::Key) { &other } else { &self.log_key };
        SignedCheckpoint::sign(&checkpoint, key, 1_700_000_000).unwrap().into_string()
    }

    fn proof(&self, mut hashes: Vec<Sha256>) -> Vec<Sha256> {
        if self.lie == Some(Lie::Proof) {
            hashes.iter_mut().for_each(|hash| hash.0[0] ^= 1);
        }
        hashes
    }

    fn tlog_entry(&self, index: u64) -> TlogEntry {
        let size = self.size();
        let hashes = merkle::inclusion_proof(index, size, |address| self.node(address)).unwrap();
        let raw = self.log_key.public_key().ed25519_raw().unwrap();
        TlogEntry {
            log_index: index,
            log_id: KeyId { key_id: rekor::LogId::of_ed25519(ORIGIN, &raw).0.to_vec() },
            kind_version: KindVersion {
                kind: rekor::KIND.to_owned(),
                version: rekor::VERSION.to_owned(),
            },
            integrated_time: 0,
            inclusion_promise: None,
            inclusion_proof: Some(InclusionProof {
                log_index: index,
                root_hash: self.root(size).0.to_vec(),
                tree_size: size,
                hashes: self.proof(hashes).iter().map(|hash| hash.0.to_vec()).collect(),
                checkpoint: rekor::Checkpoint { envelope: self.checkpoint() },
            }),
            canonicalized_body: self.bodies[index as usize].clone(),
        }
    }

    fn complete(&self, item: &Item) -> Value {
        let tlog_entries = vec![self.tlog_entry(item.index)];
        Bundle { tlog_entries, ..item.bundle.clone() }.to_value()
    }

    fn post(&mut self, body: &[u8]) -> (u16, Value) {
        let bundles: Vec<Result<Bundle, _>> = match Bundle::parse(body) {
            Ok(bundle) => vec![Ok(bundle)],
            Err(_) => body.split(|byte| *byte == b'\n').map(Bundle::parse).collect(),
        };
        let problem = |status: u16, detail: String| json!({"title": "refused", "status": status, "detail": detail});
        let count = bundles.len();
        let mut items = Vec::new();
        for bundle in bundles {
            items.push(match bundle.map_err(|e| e.to_string()).and_then(|b| self.add(b)) {
                Ok(item) => item,
                Err(detail) if count == 1 => return (422, problem(422, detail)),
                Err(detail) => json!({"status": "refused", "problem": problem(422, detail)}),
            });
        }
        (200, json!({ "items": items }))
    }

    fn add(&mut self, bundle: Bundle) -> Result<Value, String> {
        let (entry, author, predicate_type, subjects, bytes) = match &bundle.content {
            Content::Envelope(envelope) => {
                let signed = verify::envelope(envelope, &self.trusted);
                let signed = signed.map_err(|e| e.to_string())?.into_inner();
                let subjects = signed.statement.subject_digests().map(|d| d.to_string()).collect();
                let predicate_type = Some(signed.statement.predicate_type.clone());
                (signed.entry, signed.author, predicate_type, subjects, envelope.to_json())
            }
            Content::Message(message) => {
                let signed = verify::message(message, &self.trusted);
                let signed = signed.map_err(|e| e.to_string())?.into_inner();
                let subjects = vec![message.digest.to_string()];
                (signed.entry, signed.author, None, subjects, bundle.stripped().to_json())
            }
        };
        let digest = Sha256::of(&bytes).to_string();
        let status = if self.items.contains_key(&digest) { "existing" } else { "created" };
        if status == "created" {
            let index = self.size();
            self.bodies.push(Entry::body(&entry));
            let signer = author.signer().to_string();
            let bundle = bundle.stripped();
            let item = Item { index, bytes, bundle, predicate_type, subjects, signer };
            self.items.insert(digest.clone(), item);
        }
        let item = &self.items[&digest];
        let bundle = self.complete(item);
        Ok(json!({"status": status, "digest": digest, "index": item.index, "bundle": bundle}))
    }

    fn search(&self, query: &BTreeMap<String, String>) -> Value {
        let fits = |item: &&(&String, &Item)| {
            query.get("subject").is_none_or(|subject| item.1.subjects.contains(subject))
                && query.get("signer").is_none_or(|signer| item.1.signer == *signer)
                && query.get("type").is_none_or(|asked| {
                    let found = item.1.predicate_type.as_deref();
                    found.is_some_and(|uri| predicate::matches(asked, uri))
                })
        };
        let offset: usize = query.get("cursor").map_or(0, |text| text.parse().unwrap());
        let limit: usize = query["limit"].parse().unwrap();
        let mut found: Vec<_> = self.items.iter().collect();
        found.sort_by_key(|(_, item)| std::cmp::Reverse(item.index));
        let found: Vec<_> = found.iter().filter(fits).collect();
        let page = found.iter().skip(offset).take(limit);
        let items: Vec<Value> = page
            .map(|(digest, item)| {
                json!({
                    "digest": digest,
                    "index": item.index,
                    "logged_at": "2023-11-14T22:13:20Z",
                    "predicate_type": item.predicate_type,
                    "signer": item.signer,
                    "subjects": item.subjects.iter().map(|d| json!({"digest": d})).collect::<Vec<_>>(),
                })
            })
            .collect();
        let next = offset + limit;
        let kept: String = ["subject", "signer", "type"]
            .iter()
            .filter_map(|name| Some(format!("&{name}={}", query.get(*name)?.replace('+', "%2B"))))
            .collect();
        let next = (next < found.len())
            .then(|| format!("/v1/attestations?limit={limit}&cursor={next}{kept}"));
        json!({"items": items, "next": next})
    }

    fn inclusion(&self, query: &BTreeMap<String, String>) -> Value {
        let index = match query.get("index") {
            Some(index) => index.parse().unwrap(),
            None => self.items[&query["digest"]].index,
        };
        let size = query.get("size").map_or(self.size(), |size| size.parse().unwrap());
        let hashes = merkle::inclusion_proof(index, size, |address| self.node(address)).unwrap();
        json!({
            "index": index,
            "size": size,
            "leaf_hash": base64::encode(merkle::leaf_hash(&self.bodies[index as usize]).0),
            "root": base64::encode(self.root(size).0),
            "hashes": self.proof(hashes).iter().map(|h| base64::encode(h.0)).collect::<Vec<_>>(),
            "checkpoint": self.checkpoint(),
        })
    }

    fn consistency(&self, query: &BTreeMap<String, String>) -> Value {
        let (from, to) = (query["from"].parse().unwrap(), query["to"].parse().unwrap());
        let hashes = merkle::consistency_proof(from, to, |address| self.node(address)).unwrap();
        let hashes = self.proof(hashes);
        json!({"from": from, "to": to, "hashes": hashes.iter().map(|h| base64::encode(h.0)).collect::<Vec<_>>()})
    }

    fn tile(&self, path: &TilePath) -> Vec<u8> {
        match path {
            TilePath::Entries(address) => {
                let mut bundle = Vec::new();
                let start = address.first_entry().unwrap() as usize;
                for (index, body) in self.bodies.iter().enumerate().skip(start) {
                    if index == start + usize::from(address.width) {
                        break;
                    }
                    let lie = self.lie == Some(Lie::Entry) && index == 3;
                    let body: &[u8] = if lie { b"another" } else { body };
                    tile::append_entry(&mut bundle, body).unwrap();
                }
                bundle
            }
            TilePath::Hashes(address) => {
                let level = address.level * tile::TILE_HEIGHT;
                let start = address.index * u64::from(tile::TILE_WIDTH);
                let mut hashes: Vec<Sha256> = (start..start + u64::from(address.width))
                    .map(|index| self.node(NodeAddress { level, index }).unwrap())
                    .collect();
                let lie = match self.lie {
                    Some(Lie::Tile) => level == 0,
                    Some(Lie::UpperTile) => level > 0,
                    _ => false,
                };
                if lie {
                    hashes[0].0[0] ^= 1;
                }
                tile::write_hashes(&hashes)
            }
        }
    }

    fn get(&self, path: &str, query: &BTreeMap<String, String>) -> Option<Vec<u8>> {
        let json = |value: Value| Some(value.to_string().into_bytes());
        if let Some(tile) = path.strip_prefix("/api/v2/").and_then(|path| path.parse().ok()) {
            return Some(self.tile(&tile));
        }
        match path {
            "/api/v2/checkpoint" => Some(self.checkpoint().into_bytes()),
            "/v1/trusted-root" => Some(self.trusted_root().text().as_bytes().to_vec()),
            "/v1/attestations" => json(self.search(query)),
            "/v1/log/inclusion" => json(self.inclusion(query)),
            "/v1/log/consistency" => json(self.consistency(query)),
            _ => {
                let digest = path.strip_prefix("/v1/attestations/")?;
                match digest.strip_suffix("/bundle") {
                    Some(digest) => json(self.complete(self.items.get(digest)?)),
                    None => Some(self.items.get(digest)?.bytes.clone()),
                }
            }
        }
    }
}

fn answer(stream: &TcpStream, state: &mut State) {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if let Some(token) = line.strip_prefix("authorization: Bearer ") {
            state.tokens.push(token.trim().to_owned());
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    state.requests.push(first.trim().to_owned());
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), decoded(value)))
        .collect();
    let canned = state.canned.get(&format!("{method} {target}")).cloned();
    let (status, body) = if let Some((status, value)) = canned {
        state.bodies_sent.extend(serde_json::from_slice::<Value>(&body).ok());
        (status, value.to_string().into_bytes())
    } else if method == "PUT" {
        let digest = path.rsplit('/').next().unwrap_or_default().to_owned();
        let fits = digest == Sha256::of(&body).to_string();
        state.contents.insert(digest, body);
        (if fits { 201 } else { 422 }, Vec::new())
    } else if method == "POST" {
        let (status, value) = state.post(&body);
        (status, value.to_string().into_bytes())
    } else {
        match state.get(path, &query) {
            Some(body) => (200, body),
            None => (404, json!({"title": "not found", "status": 404}).to_string().into_bytes()),
        }
    };
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    let mut stream = stream;
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).unwrap();
}

/// What the client encodes of the values that it asks with.
fn decoded(value: &str) -> String {
    value.replace("%3A", ":").replace("%2F", "/").replace("%2B", "+")
}
