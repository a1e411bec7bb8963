//! Bundles that verify, and what must not.
//!
//! [`Trial`] is everything that a verification is given. The good ones are built here, purely: keys
//! of seeds, a log of eleven leaves, its checkpoint and its root. An attack is one change of one.

mod attestation;
mod attestation_log;
mod certified;
mod classic_link;
mod ingest;
mod own;
mod real;
mod signature;

use super::*;
use crate::bundle::{Bundle, Content, MessageSignature};
use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::digest::Sha256;
use crate::dsse::{Envelope, PAYLOAD_TYPE};
use crate::key::SigningKey;
use crate::merkle::{self, CompactRange, NodeAddress};
use crate::rekor::{Entry, InclusionProof, KIND, KeyId, KindVersion, TlogEntry, VERSION};
use crate::statement::ResourceDescriptor;
use crate::trusted_root::TrustedRoot;

const URL: &str = "https://registry.example.com";
const ORIGIN: &str = "registry.example.com";
const TIME_S: u64 = 1_795_480_867;
const ARTIFACT: &[u8] = b"the artifact";
const OTHER: &[u8] = b"another artifact";
const TEST_RESULT: &str = "https://in-toto.io/attestation/test-result/v0.1";

/// The P-256 key with this byte as the last of its private scalar.
fn p256(seed: u8) -> SigningKey {
    // RFC 5958 around RFC 5915, without the optional public half.
    let mut der =
        hex::decode("3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420")
            .unwrap();
    der.extend([0; 31]);
    der.push(seed);
    SigningKey::from_pkcs8_der(&der).unwrap()
}

fn ed25519(seed: u8) -> SigningKey {
    SigningKey::from_ed25519_seed([seed; 32])
}

fn digest(bytes: &[u8]) -> Digest {
    Sha256::of(bytes).into()
}

/// A log that holds one entry that matters, as the leaf 6 of 11.
struct Log {
    key: SigningKey,
    bodies: Vec<Vec<u8>>,
}

impl Log {
    const INDEX: u64 = 6;
    const SIZE: u64 = 11;

    fn holding(entry: &Entry) -> Self {
        let mut bodies: Vec<Vec<u8>> = (0..Self::SIZE).map(|i| vec![i as u8]).collect();
        bodies[Self::INDEX as usize] = entry.body();
        Self { key: ed25519(7), bodies }
    }

    fn node(&self, at: NodeAddress) -> Sha256 {
        let Some(level) = at.level.checked_sub(1) else {
            return merkle::leaf_hash(&self.bodies[at.index as usize]);
        };
        let child = |index| self.node(NodeAddress { level, index });
        merkle::node_hash(&child(2 * at.index), &child(2 * at.index + 1))
    }

    /// The checkpoint of the first `size` leaves.
    fn head(&self, size: u64) -> Checkpoint {
        let mut range = CompactRange::new();
        for body in &self.bodies[..size as usize] {
            range.append(merkle::leaf_hash(body)).unwrap();
        }
        Checkpoint { origin: ORIGIN.to_owned(), size, root: range.root(), extensions: vec![] }
    }

    fn signed(&self, head: &Checkpoint) -> String {
        SignedCheckpoint::sign(head, &self.key, TIME_S).unwrap().into_string()
    }

    fn root(&self) -> TrustedRoot {
        TrustedRoot::of_registry(URL, self.key.public_key(), jiff::Timestamp::UNIX_EPOCH).unwrap()
    }

    /// The entry of the leaf `index`, proven in the whole tree.
    fn entry(&self, index: u64) -> TlogEntry {
        let head = self.head(Self::SIZE);
        let node = |at| Ok::<_, std::convert::Infallible>(self.node(at));
        let hashes = merkle::inclusion_proof(index, Self::SIZE, node).unwrap();
        TlogEntry {
            log_index: index,
            log_id: KeyId { key_id: self.root().logs()[0].log_id.clone() },
            kind_version: KindVersion { kind: KIND.to_owned(), version: VERSION.to_owned() },
            integrated_time: 0,
            inclusion_promise: None,
            inclusion_proof: Some(InclusionProof {
                log_index: index,
                root_hash: head.root.0.to_vec(),
                tree_size: Self::SIZE,
                hashes: hashes.iter().map(|hash| hash.0.to_vec()).collect(),
                checkpoint: crate::rekor::Checkpoint { envelope: self.signed(&head) },
            }),
            canonicalized_body: self.bodies[index as usize].clone(),
        }
    }
}

/// Everything that a verification is given, and what it was made with.
struct Trial {
    bundle: Bundle,
    digest: Digest,
    bytes: Option<Vec<u8>>,
    claim: Claim,
    keys: Keys,
    root: Option<TrustedRoot>,
    signer: SigningKey,
    log: Log,
}

impl Trial {
    fn of(content: Content, signer: SigningKey, claim: Claim) -> Self {
        let key = signer.public_key();
        let entry = match &content {
            Content::Envelope(envelope) => Entry::for_envelope(envelope, key),
            Content::Message(message) => {
                let digest = message.digest.as_sha256().unwrap();
                Entry::for_message(digest, &message.signature, key)
            }
        };
        let log = Log::holding(&entry);
        let mut bundle = Bundle::of_key(key, content);
        bundle.tlog_entries = vec![log.entry(Log::INDEX)];
        Self {
            bundle,
            digest: digest(ARTIFACT),
            bytes: None,
            claim,
            keys: Keys::Managed(vec![key.clone()]),
            root: Some(log.root()),
            signer,
            log,
        }
    }

    /// An attestation of type test-result.
    fn attestation() -> Self {
        let signer = p256(1);
        let envelope = Envelope::sign(PAYLOAD_TYPE, &statement(TEST_RESULT).to_json(), &signer);
        Self::of(Content::Envelope(envelope), signer, Claim::Type("test-result".to_owned()))
    }

    /// A signature of the artifact, as `cosign sign` writes it.
    fn sign_v1() -> Self {
        let signer = p256(1);
        let envelope = Envelope::sign(PAYLOAD_TYPE, &statement(SIGN_V1).to_json(), &signer);
        Self::of(Content::Envelope(envelope), signer, Claim::Signature)
    }

    /// A signature over the artifact's digest.
    fn signature() -> Self {
        let signer = p256(1);
        let message =
            MessageSignature { digest: digest(ARTIFACT), signature: signer.sign(ARTIFACT) };
        Self::of(Content::Message(message), signer, Claim::Signature)
    }

    /// A signature over the artifact's bytes.
    fn pure_signature() -> Self {
        let signer = ed25519(1);
        let message =
            MessageSignature { digest: digest(ARTIFACT), signature: signer.sign(ARTIFACT) };
        let trial = Self::of(Content::Message(message), signer, Claim::Signature);
        Self { bytes: Some(ARTIFACT.to_vec()), ..trial }
    }

    fn verify(&self) -> Result<Evidence, Refusal> {
        let verifier = Verifier { keys: self.keys.clone(), root: self.root.as_ref() };
        let subject = Subject { bytes: self.bytes.as_deref(), ..Subject::of_digest(&self.digest) };
        verifier.bundle(&self.bundle, subject, &self.claim).map(Verified::into_inner)
    }

    fn envelope(&mut self) -> &mut Envelope {
        match &mut self.bundle.content {
            Content::Envelope(envelope) => envelope,
            Content::Message(_) => panic!("this bundle has no envelope"),
        }
    }

    fn message(&mut self) -> &mut MessageSignature {
        match &mut self.bundle.content {
            Content::Message(message) => message,
            Content::Envelope(_) => panic!("this bundle has no message signature"),
        }
    }

    fn entry(&mut self) -> &mut TlogEntry {
        &mut self.bundle.tlog_entries[0]
    }

    fn proof(&mut self) -> &mut InclusionProof {
        self.entry().inclusion_proof.as_mut().unwrap()
    }

    fn checkpoint(&mut self) -> &mut String {
        &mut self.proof().checkpoint.envelope
    }

    /// Puts another payload in place, signed and logged as the good one was.
    fn sign_payload(&mut self, payload: &[u8]) {
        let signer = p256(1);
        let envelope = Envelope::sign(PAYLOAD_TYPE, payload, &signer);
        let claim = self.claim.clone();
        *self = Self { claim, ..Self::of(Content::Envelope(envelope), signer, Claim::AnyType) };
    }

    /// Bounds when the log's key may sign, in Unix seconds.
    fn bound_log_key(&mut self, start_s: i64, end_s: Option<i64>) {
        let time = |s| jiff::Timestamp::from_second(s).unwrap().to_string();
        let mut root: serde_json::Value =
            serde_json::from_str(self.root.as_ref().unwrap().text()).unwrap();
        let valid_for = &mut root["tlogs"][0]["publicKey"]["validFor"];
        *valid_for = serde_json::json!({"start": time(start_s)});
        if let Some(end_s) = end_s {
            valid_for["end"] = time(end_s).into();
        }
        self.root = Some(TrustedRoot::parse(root.to_string().as_bytes()).unwrap());
    }

    /// Puts another checkpoint in place, signed by the log, with size and root beside it.
    fn sign_head(&mut self, head: &Checkpoint) {
        *self.checkpoint() = self.log.signed(head);
        self.proof().tree_size = head.size;
        self.proof().root_hash = head.root.0.to_vec();
    }
}

fn statement(predicate_type: &str) -> Statement {
    let subject = vec![
        ResourceDescriptor::named("readme", digest(b"readme")),
        ResourceDescriptor::named("app", digest(ARTIFACT)),
    ];
    Statement::new(subject, predicate_type, serde_json::json!({"result": "PASSED"})).unwrap()
}

/// The rule that is broken, how, and the check that says so, with what it expected and found.
type Case = (&'static str, fn(&mut Trial), Check, &'static str, &'static str);

#[track_caller]
fn check(good: fn() -> Trial, cases: &[Case]) {
    for (rule, change, failing, expected, found) in cases {
        let mut trial = good();
        trial.verify().expect("the good one verifies");
        change(&mut trial);
        let refusal = match trial.verify() {
            Ok(evidence) => panic!("{rule}: verified as {evidence:?}"),
            Err(refusal) => refusal,
        };
        assert_eq!(refusal.check, *failing, "{rule}: {refusal}");
        assert!(refusal.expected.contains(expected), "{rule}: {refusal}");
        assert!(refusal.found.contains(found), "{rule}: {refusal}");
        assert!(refusal.to_string().len() < 2_000, "{rule}: the message is too long");
    }
}

#[test]
fn each_good_one_verifies_also_after_it_was_written_and_read() {
    for good in [Trial::attestation, Trial::sign_v1, Trial::signature, Trial::pure_signature] {
        let mut trial = good();
        let evidence = trial.verify().unwrap();
        assert_eq!(evidence.signer, Signer::Key(trial.signer.public_key().fingerprint()));
        assert_eq!(evidence.subject, digest(ARTIFACT));
        let logged = Logged {
            origin: ORIGIN.to_owned(),
            index: Log::INDEX,
            size: Log::SIZE,
            cosigned_at_s: Some(TIME_S),
        };
        assert_eq!(evidence.logged, [logged]);
        let checks: Vec<Check> = evidence.passed.iter().map(|passed| passed.check).collect();
        let all = [
            Check::Signature,
            Check::Type,
            Check::Subject,
            Check::LogEntry,
            Check::Inclusion,
            Check::Checkpoint,
        ];
        assert_eq!(checks, all);
        trial.bundle = Bundle::parse(&trial.bundle.to_json()).unwrap();
        assert_eq!(trial.verify().unwrap(), evidence);
    }
}

#[test]
fn without_a_root_nothing_is_said_about_the_log() {
    for good in [Trial::attestation, Trial::signature] {
        let trial = Trial { root: None, ..good() };
        let evidence = trial.verify().unwrap();
        assert_eq!(evidence.logged, []);
        let of_log = |c| matches!(c, Check::LogEntry | Check::Inclusion | Check::Checkpoint);
        assert!(!evidence.passed.iter().any(|passed| of_log(passed.check)));
    }
}

#[test]
fn a_log_key_that_is_valid_for_just_that_second_will_do() {
    let mut trial = Trial::attestation();
    trial.bound_log_key(TIME_S as i64, Some(TIME_S as i64));
    trial.verify().unwrap();
}

#[test]
fn of_several_keys_the_one_that_signed_is_named() {
    for good in [Trial::attestation, Trial::signature, Trial::pure_signature] {
        let signer = good().signer.public_key().clone();
        let others = [p256(9).public_key().clone(), ed25519(9).public_key().clone()];
        for at in 0..=others.len() {
            let mut keys = others.to_vec();
            keys.insert(at, signer.clone());
            let trial = Trial { keys: Keys::Managed(keys), ..good() };
            let evidence = trial.verify().unwrap();
            assert_eq!(evidence.signer, Signer::Key(signer.fingerprint()));
        }
        let trial = Trial { keys: Keys::Managed(others.to_vec()), ..good() };
        let refusal = trial.verify().unwrap_err();
        assert_eq!(refusal.check, Check::Signature);
        for key in others {
            assert!(refusal.expected.contains(&key.fingerprint().to_string()), "{refusal}");
        }
    }
}
