//! Registries for tests: made by `init`, filled through the real log.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use attestry_schemas::bundle::MessageSignature;
use attestry_schemas::digest::Sha256;
use attestry_schemas::dsse::{Envelope, PAYLOAD_TYPE};
use attestry_schemas::key::SigningKey;
use attestry_schemas::rekor::Entry;
use attestry_schemas::statement::{ResourceDescriptor, Statement};
use attestry_schemas::verify;

use crate::clock::Clock;
use crate::data::DataFolder;
use crate::init::{DEFAULT_NAMESPACE, InitOptions, Secrets, init};
use crate::log::LogLimits;
use crate::log::{Log, Receipt, Submission};
use crate::metrics::Metrics;
use crate::store::Store;
use crate::store::engine::EngineOptions;

pub(crate) mod oci;

/// A registry in a folder of its own.
pub(crate) struct Registry {
    path: PathBuf,
    _dir: Option<tempfile::TempDir>,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self::named("data")
    }

    pub(crate) fn named(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        init(options(&path)).unwrap();
        Self { path, _dir: Some(dir) }
    }

    /// A registry whose roster this key publishes.
    pub(crate) fn rooted(key: &SigningKey) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        let root_keys = vec![key.public_key().clone()];
        init(InitOptions { root_keys, ..options(&path) }).unwrap();
        Self { path, _dir: Some(dir) }
    }

    /// A registry that is there already.
    pub(crate) fn of(path: PathBuf) -> Self {
        Self { path, _dir: None }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.path.with_file_name(name)
    }

    pub(crate) fn folder(&self) -> DataFolder {
        DataFolder::open(&self.path).unwrap()
    }

    pub(crate) fn store(&self) -> Arc<Store> {
        Arc::new(Store::open(&self.path, EngineOptions::default()).unwrap())
    }

    pub(crate) fn start(&self, limits: LogLimits) -> (Arc<Store>, Arc<Log>) {
        self.start_at(limits, clock())
    }

    pub(crate) fn start_at(&self, limits: LogLimits, clock: Clock) -> (Arc<Store>, Arc<Log>) {
        let (store, folder) = (self.store(), self.folder());
        let (origin, key) = (folder.log().unwrap().origin, folder.log_key().unwrap());
        let metrics = Arc::new(Metrics::new());
        let log = Log::start(Arc::clone(&store), &origin, key, limits, clock, metrics);
        (store, Arc::new(log.unwrap()))
    }

    /// Logs submissions, in batches of at most `batch_limit`.
    pub(crate) fn log(&self, submissions: Vec<Submission>, batch_limit: usize) -> Vec<Receipt> {
        let (_store, log) = self.start(LogLimits { queue_capacity: 10_000, batch_limit });
        let waiting: Vec<_> = submissions.into_iter().map(|s| log.submit(s).unwrap()).collect();
        let receipts = waiting.into_iter().map(|w| w.blocking_recv().unwrap().unwrap()).collect();
        log.stop();
        receipts
    }
}

pub(crate) fn clock() -> Clock {
    Clock::fixed("2026-01-31T09:30:00.250Z".parse().unwrap())
}

pub(crate) fn options(path: &Path) -> InitOptions {
    InitOptions {
        data: path.to_owned(),
        url: "https://attest.example.org".to_owned(),
        root_keys: Vec::new(),
        root_threshold: None,
        trusted_keys: Vec::new(),
        clock: clock(),
        secrets: Secrets { log_key: [7; 32], token: [8; 32] },
    }
}

pub(crate) fn p256() -> SigningKey {
    // A P-256 key pair made for tests, PKCS#8 (RFC 5958).
    let document = aws_lc_rs::signature::EcdsaKeyPair::generate(
        &aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING,
    )
    .unwrap();
    let der = document.to_pkcs8v1().unwrap();
    SigningKey::from_pkcs8_der(der.as_ref()).unwrap()
}

pub(crate) fn ed25519() -> SigningKey {
    SigningKey::from_ed25519_seed([9; 32])
}

/// A signed SLSA provenance statement about artifact `n`.
pub(crate) fn signed(n: u64, key: &SigningKey) -> Envelope {
    let digest = Sha256::of(&n.to_be_bytes());
    let subject = ResourceDescriptor::named(&format!("app-{n}"), digest.into());
    let predicate = serde_json::json!({
        "buildDefinition": {
            "buildType": "https://example.org/build/v1",
            "externalParameters": {},
            "resolvedDependencies": [{
                "uri": "git+https://example.org/app",
                "digest": {"gitCommit": format!("{n:040x}")},
            }],
        },
        "runDetails": {"builder": {"id": "https://example.org/builder"}},
    });
    let statement =
        Statement::new(vec![subject], "https://slsa.dev/provenance/v1", predicate).unwrap();
    Envelope::sign(PAYLOAD_TYPE, &statement.to_json(), key)
}

pub(crate) fn of_envelope(envelope: &Envelope, key: &SigningKey, namespace: &str) -> Submission {
    let keys = [key.public_key().clone()];
    let verified = verify::envelope(envelope, &keys).unwrap();
    Submission::of_statement(&verified, envelope.to_json(), namespace, true)
}

/// Submits a statement about artifact `n`, signed with Ed25519.
pub(crate) fn envelope(n: u64) -> Submission {
    let key = ed25519();
    of_envelope(&signed(n, &key), &key, DEFAULT_NAMESPACE)
}

/// Submits a signature over artifact `n` itself.
pub(crate) fn message(n: u64, key: &SigningKey) -> Submission {
    let digest = Sha256::of(&n.to_be_bytes());
    let signature = key.sign_digest(&digest).unwrap();
    let message = MessageSignature { digest: digest.into(), signature };
    let verified = verify::message(&message, &[key.public_key().clone()]).unwrap();
    Submission::of_message(&verified, DEFAULT_NAMESPACE, true)
}

/// Submits the entry of an envelope by its digest alone, as a stock client does.
pub(crate) fn entry(envelope: &Envelope, key: &SigningKey) -> Submission {
    let entry = Entry::for_envelope(envelope, key.public_key());
    Submission::of_entry(&entry, key.public_key(), DEFAULT_NAMESPACE, true)
}
