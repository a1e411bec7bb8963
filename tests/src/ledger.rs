//! What clients sent and what they were told: the oracle of the crash tests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use attestry_schemas::bundle::Bundle;
use attestry_schemas::checkpoint::SignedCheckpoint;
use attestry_schemas::digest::{Digest, Sha256};
use attestry_schemas::key::PublicKey;
use attestry_schemas::merkle;
use attestry_schemas::trusted_root::TrustedRoot;
use attestry_schemas::verify::{Claim, Keys, Subject, Verifier};
use serde_json::Value;

use crate::{Client, Sample};

/// What a client knows of something it sent.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// It was sent; no answer came.
    Sent,
    /// The answer was an error of the server.
    Failed,
    /// The answer was success. For an attestation: its index and bundle.
    Acknowledged(Option<(u64, Value)>),
}

#[derive(Debug)]
struct Entry {
    sample: Sample,
    state: State,
    is_checked: bool,
}

#[derive(Debug, Default)]
struct Entries {
    attestations: BTreeMap<Sha256, Entry>,
    contents: BTreeMap<Sha256, Entry>,
    /// Roots by size, of every checkpoint that was seen.
    roots: BTreeMap<u64, Sha256>,
}

/// Everything that was sent to one registry, over all its lives.
#[derive(Debug)]
pub struct Ledger {
    root: TrustedRoot,
    keys: Vec<PublicKey>,
    entries: Mutex<Entries>,
}

impl Ledger {
    /// An empty ledger of a registry that is trusted by `root`, for signatures of `keys`.
    #[must_use]
    pub fn new(root: TrustedRoot, keys: Vec<PublicKey>) -> Self {
        Self { root, keys, entries: Mutex::default() }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // A check that failed in another thread leaves nothing by half.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that an attestation is about to be sent.
    pub fn sending(&self, sample: &Sample) {
        let entry = Entry { sample: sample.clone(), state: State::Sent, is_checked: false };
        self.entries().attestations.insert(sample.digest, entry);
    }

    /// Notes that content is about to be sent.
    pub fn sending_content(&self, digest: Sha256, bytes: &[u8]) {
        let sample = Sample { subject: digest, digest, bytes: bytes.to_vec() };
        let entry = Entry { sample, state: State::Sent, is_checked: false };
        self.entries().contents.insert(digest, entry);
    }

    /// Notes an answer about an attestation.
    pub fn answered(&self, digest: &Sha256, state: State) {
        self.entries().attestations.get_mut(digest).unwrap().state = state;
    }

    /// Notes an answer about content.
    pub fn answered_content(&self, digest: &Sha256, state: State) {
        self.entries().contents.get_mut(digest).unwrap().state = state;
    }

    /// How many attestations and pieces of content are in a state.
    #[must_use]
    pub fn count(&self, is: impl Fn(&State) -> bool) -> usize {
        let entries = self.entries();
        let all = entries.attestations.values().chain(entries.contents.values());
        all.filter(|entry| is(&entry.state)).count()
    }

    /// How many attestations and pieces of content were acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        self.count(|state| matches!(state, State::Acknowledged(_)))
    }

    /// Demands that the registry has what it acknowledged, and nothing by half; each thing is
    /// looked at once.
    ///
    /// # Panics
    /// When that does not hold.
    pub fn demand_kept(&self, client: &Client) {
        let mut entries = self.entries();
        let Entries { attestations, contents, .. } = &mut *entries;
        for entry in attestations.values_mut().filter(|entry| !entry.is_checked) {
            self.demand_attestation(client, entry);
            entry.is_checked = true;
        }
        for entry in contents.values_mut().filter(|entry| !entry.is_checked) {
            demand_content(client, entry);
            entry.is_checked = true;
        }
    }

    /// As [`Self::demand_kept`], for everything that was ever sent.
    pub fn demand_all_kept(&self, client: &Client) {
        let mut entries = self.entries();
        let Entries { attestations, contents, .. } = &mut *entries;
        for entry in attestations.values_mut().chain(contents.values_mut()) {
            entry.is_checked = false;
        }
        drop(entries);
        self.demand_kept(client);
    }

    fn demand_attestation(&self, client: &Client, entry: &Entry) {
        let Entry { sample: Sample { subject, bytes, digest }, state, .. } = entry;
        let stored = client.get(&format!("/v1/attestations/{digest}"));
        let found = client.get(&format!("/v1/attestations?subject={subject}")).expect(200).json();
        let found = found["items"].as_array().unwrap().len();
        if stored.status == 404 && !matches!(state, State::Acknowledged(_)) {
            assert_eq!(found, 0, "{digest} is not there, but found by its subject");
            return;
        }
        assert_eq!(stored.status, 200, "{digest}, {state:?}: {}", stored.text());
        assert_eq!(&stored.body, bytes, "{digest} is stored with other bytes");
        assert_eq!(found, 1, "{digest} is there, but not found once by its subject");
        let bundle = client.get(&format!("/v1/attestations/{digest}/bundle")).expect(200).json();
        let index = self.verify(&bundle, subject);
        if let State::Acknowledged(Some((acknowledged, answered))) = state {
            assert_eq!(index, *acknowledged, "{digest} has another index than it was given");
            assert_eq!(self.verify(answered, subject), index, "the answer about {digest}");
        }
    }

    /// Verifies a bundle against the trusted root; gives the index of its leaf.
    ///
    /// # Panics
    /// When it does not verify.
    #[track_caller]
    #[must_use]
    pub fn verify(&self, bundle: &Value, subject: &Sha256) -> u64 {
        let bundle = Bundle::from_value(bundle.clone()).unwrap();
        let verifier = Verifier { keys: Keys::Managed(self.keys.clone()), root: Some(&self.root) };
        let digest = Digest::from(*subject);
        let is_statement = matches!(bundle.content, attestry_schemas::bundle::Content::Envelope(_));
        let claim = if is_statement { Claim::AnyType } else { Claim::Signature };
        let about = Subject::of_digest(&digest);
        let verified = verifier.bundle(&bundle, about, &claim);
        let evidence = verified.unwrap_or_else(|e| panic!("{e}: {bundle:?}")).into_inner();
        let [logged] = evidence.logged.as_slice() else { panic!("{:?}", evidence.logged) };
        logged.index
    }

    /// Takes the newest checkpoint and demands that it continues every one that was seen; gives
    /// its size.
    ///
    /// # Panics
    /// When it does not.
    pub fn demand_consistent(&self, client: &Client) -> u64 {
        let signed = client.get("/api/v2/checkpoint").expect(200).text();
        let [log] = self.root.logs() else { panic!("the trusted root has other than one log") };
        let opened = SignedCheckpoint::open(&signed, &log.note_key().unwrap()).unwrap();
        let (size, root) = (opened.checkpoint.size, opened.checkpoint.root);
        let mut entries = self.entries();
        for (old, old_root) in &entries.roots {
            assert!(*old <= size, "the log shrank from {old} to {size}");
            let path = format!("/v1/log/consistency?from={old}&to={size}");
            let hashes = hashes(&client.get(&path).expect(200).json()["hashes"]);
            merkle::verify_consistency(*old, size, &hashes, old_root, &root)
                .unwrap_or_else(|e| panic!("from {old} to {size}: {e}"));
        }
        entries.roots.insert(size, root);
        size
    }
}

fn hashes(list: &Value) -> Vec<Sha256> {
    let hash = |text: &Value| {
        let bytes = attestry_schemas::base64::decode(text.as_str().unwrap(), "hashes").unwrap();
        Sha256::from_slice(&bytes).unwrap()
    };
    list.as_array().unwrap().iter().map(hash).collect()
}

fn demand_content(client: &Client, entry: &Entry) {
    let Entry { sample: Sample { digest, bytes, .. }, state, .. } = entry;
    let stored = client.get(&format!("/v1/content/{digest}"));
    if stored.status == 404 && !matches!(state, State::Acknowledged(_)) {
        return;
    }
    assert_eq!(stored.status, 200, "content {digest}, {state:?}: {}", stored.text());
    assert!(stored.body == *bytes, "content {digest} is stored with other bytes");
}
