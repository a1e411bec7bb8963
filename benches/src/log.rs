//! A log in this process, over a store on a real disk.

use std::path::Path;
use std::sync::Arc;

use attestry_registry::clock::Clock;
use attestry_registry::data::DataFolder;
use attestry_registry::init::{DEFAULT_NAMESPACE, InitOptions, Secrets, init};
use attestry_registry::log::LogLimits;
use attestry_registry::log::{Log, Receipt, Submission};
use attestry_registry::metrics::Metrics;
use attestry_registry::store::Store;
use attestry_registry::store::engine::EngineOptions;
use attestry_schemas::dsse::Envelope;
use attestry_schemas::key::SigningKey;
use attestry_schemas::problem::chain;
use attestry_schemas::verify;
use tempfile::TempDir;

use crate::{Context as _, Failure, fixtures};

/// More than any bench submits at once.
const QUEUE_CAPACITY: usize = 4096;
const BATCH_LIMIT: usize = 1024;

/// A log that runs in a folder which goes with it.
pub struct Running {
    /// The log.
    pub log: Log,
    metrics: Arc<Metrics>,
    trusted_root: String,
    _folder: TempDir,
}

impl Running {
    /// Makes a registry in a folder below `parent` and starts its log, with sync on.
    ///
    /// # Errors
    /// As its parts fail.
    pub fn start(parent: &Path) -> Result<Self, Failure> {
        let folder = tempfile::tempdir_in(parent).context("making a folder")?;
        let data = folder.path().join("data");
        init(InitOptions {
            root_threshold: None,
            data: data.clone(),
            url: "https://attest.example.org".to_owned(),
            root_keys: Vec::new(),
            trusted_keys: Vec::new(),
            clock: Clock::system(),
            secrets: Secrets { log_key: [7; 32], token: [8; 32] },
        })
        .map_err(|e| chain(&e))?;
        let files = DataFolder::open(&data).map_err(|e| chain(&e))?;
        let key = files.log_key().map_err(|e| chain(&e))?;
        let origin = files.log().map_err(|e| chain(&e))?.origin;
        let trusted_root = files.trusted_root().map_err(|e| chain(&e))?.text().to_owned();
        let store = Store::open(&data, EngineOptions::default()).map_err(|e| chain(&e))?;
        let metrics = Arc::new(Metrics::new());
        let limits = LogLimits { queue_capacity: QUEUE_CAPACITY, batch_limit: BATCH_LIMIT };
        let log = Log::start(
            Arc::new(store),
            &origin,
            key,
            limits,
            Clock::system(),
            Arc::clone(&metrics),
        )
        .map_err(|e| chain(&e))?;
        Ok(Self { log, metrics, trusted_root, _folder: folder })
    }

    /// Submits all at once and waits for every receipt.
    ///
    /// # Panics
    /// When the log refuses one.
    #[must_use]
    pub fn commit(&self, submissions: Vec<Submission>) -> Vec<Receipt> {
        let submit = |submission| self.log.submit(submission).expect("the queue is long enough");
        let waiting: Vec<_> = submissions.into_iter().map(submit).collect();
        waiting
            .into_iter()
            .map(|waiting| waiting.blocking_recv().expect("the log runs").expect("the disk works"))
            .collect()
    }

    /// How many commits there were.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.metrics.batch_size.get_sample_count()
    }

    /// The log's trusted root.
    #[must_use]
    pub fn trusted_root(&self) -> &str {
        &self.trusted_root
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.log.stop();
    }
}

/// The verified submission of a new statement about artifact `n`.
#[must_use]
pub fn submission(n: u64, key: &SigningKey) -> Submission {
    submission_of(&fixtures::envelope(n, key), key)
}

/// The verified submission of an envelope.
///
/// # Panics
/// When the key did not sign it.
#[must_use]
pub fn submission_of(envelope: &Envelope, key: &SigningKey) -> Submission {
    let keys = [key.public_key().clone()];
    let signed = verify::envelope(envelope, &keys).expect("the key signed it");
    Submission::of_statement(&signed, envelope.to_json(), DEFAULT_NAMESPACE, true)
}
