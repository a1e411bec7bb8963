//! Starting and stopping: everything that serves requests, but for HTTP itself.
//!
//! The order of the start is the order of dependence: settings, store, log, then the door for
//! commands. The order of the stop is the reverse, after HTTP has answered its last request: the
//! monitor ends, the log answers what waits, and the store is flushed. A kill at any moment loses nothing of what was
//! acknowledged; a graceful stop only makes the next start quicker.

use std::sync::Arc;
use std::time::Duration;

use attestry_schemas::key::PublicKey;
use attestry_schemas::problem::chain;
use attestry_schemas::trusted_root::{TrustedRootError, origin_of};

use crate::authority::discovery::Discovery;
use crate::authority::{Authority, AuthorityError, Open};
use crate::clock::Clock;
use crate::config::Config;
use crate::control::Control;
use crate::data::{DataError, DataFolder, SIGNING_CONFIG_FILE};
use crate::gate::facts::Keeper;
use crate::gate::monitor::{Monitor, MonitorError};
use crate::gate::{self, Gate, RootsError};
use crate::log::LogLimits;
use crate::log::{Log, LogError};
use crate::metrics::Metrics;
use crate::oci::collector::{Collector, Schedule};
use crate::oci::guard::{GuardsError, Standing};
use crate::oci::upload::UploadLimits;
use crate::oci::{self, Oci};
use crate::store::engine::EngineOptions;
use crate::store::{Store, StoreError};
use crate::trail::{Trail, TrailError};

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file of the data folder is refused.
    #[error("the data folder is refused")]
    Data(#[source] DataError),
    /// The public URL is refused.
    #[error("the setting public_url is refused")]
    Url(#[source] TrustedRootError),
    /// The public URL names another host than the log's origin.
    #[error(
        "expected a public_url with the host {expected}, which every checkpoint and bundle of this log names, found {found}"
    )]
    Origin {
        /// The log's origin.
        expected: String,
        /// The host of the setting.
        found: String,
    },
    /// The store cannot be opened.
    #[error("the store cannot be opened")]
    Store(#[source] StoreError),
    /// The log cannot be opened.
    #[error("the log cannot be opened")]
    Log(#[source] LogError),
    /// What says who may do what is refused.
    #[error("who may do what cannot be read")]
    Authority(#[source] AuthorityError),
    /// The system gave no thread for the discovery of keys.
    #[error("the thread that asks issuers for their keys cannot be started")]
    Discovery(#[source] std::io::Error),
    /// The record of who did what cannot be continued.
    #[error("the record of who did what cannot be continued")]
    Trail(#[source] TrailError),
    /// The monitor cannot be started.
    #[error("the monitor cannot be started")]
    Monitor(#[source] MonitorError),
    /// The system gave no thread for the facts of attestations.
    #[error("the thread that keeps what attestations say cannot be started")]
    Facts(#[source] std::io::Error),
    /// The guards of the pull are refused.
    #[error("the guards of the pull are refused")]
    Guards(#[source] GuardsError),
    /// The collector cannot be started.
    #[error("the collector's thread cannot be started")]
    Collector(#[source] std::io::Error),
    /// The gate cannot be opened.
    #[error("the gate cannot be opened")]
    Gate(#[source] RootsError),
}

/// A registry that runs.
pub struct Running {
    /// The settings in force.
    pub config: Config,
    /// What clients call the registry, without a slash at the end.
    pub public_url: String,
    /// The store.
    pub store: Arc<Store>,
    /// The log.
    pub log: Arc<Log>,
    /// The gate.
    pub gate: Arc<Gate>,
    /// The registry of artifacts.
    pub oci: Arc<Oci>,
    /// The clock.
    pub clock: Clock,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The keys whose envelopes are accepted: those of the settings and of the data folder, sorted.
    pub trusted_keys: Vec<PublicKey>,
    /// Who may do what.
    pub authority: Arc<Authority>,
    /// `trusted_root.json`, as clients get it.
    pub trusted_root: String,
    /// `signing_config.json`, as clients get it.
    pub signing_config: String,
    door: Option<Control>,
    keeper: Keeper,
    monitor: Monitor,
    collector: Collector,
    discovery: Option<Discovery>,
    /// Who did what.
    pub trail: Arc<Trail>,
}

impl Running {
    /// Starts everything but HTTP.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(
        folder: &DataFolder,
        config: Config,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, StartError> {
        let origin = folder.log().map_err(StartError::Data)?.origin;
        let signing_config = folder.signing_config().map_err(StartError::Data)?;
        let from_init = signing_config.logs().first().map(|service| service.url.clone());
        let public_url = config.public_url.clone().or(from_init).unwrap_or_default();
        let public_url = public_url.trim_end_matches('/').to_owned();
        let found = origin_of(&public_url).map_err(StartError::Url)?;
        if found != origin {
            return Err(StartError::Origin { expected: origin, found });
        }
        // Clients are told of the URL that the settings name, also when it is not the one of `init`.
        let signing_config = signing_config.at(&public_url).map_err(|source| {
            let path = folder.file(SIGNING_CONFIG_FILE);
            StartError::Data(DataError::SigningConfig { path, source })
        })?;
        let trusted_root = folder.trusted_root().map_err(StartError::Data)?;
        let trusted_root = trusted_root.at(&public_url).map_err(StartError::Url)?;
        let mut trusted_keys = folder.trusted_keys().map_err(StartError::Data)?;
        trusted_keys.extend(config.trusted_keys.iter().cloned());
        trusted_keys.sort();
        trusted_keys.dedup();
        let open = Open {
            reads: !config.require_token_for_reads,
            writes: !config.require_token_for_writes,
        };
        let authority = Authority::open(folder, open, clock).map_err(StartError::Authority)?;
        let authority = Arc::new(authority);
        let key = folder.log_key().map_err(StartError::Data)?;
        let options = EngineOptions {
            sync: true,
            block_cache_bytes: config.block_cache_bytes,
            write_buffer_bytes: config.write_buffer_bytes,
        };
        let store = Arc::new(Store::open(folder.path(), options).map_err(StartError::Store)?);
        let limits =
            LogLimits { queue_capacity: config.queue_capacity, batch_limit: config.max_batch };
        let log = Log::start(Arc::clone(&store), &origin, key, limits, clock, Arc::clone(&metrics));
        let log = Arc::new(log.map_err(StartError::Log)?);
        let mut known_keys = trusted_keys.clone();
        known_keys.extend(folder.root_keys().map_err(StartError::Data)?);
        let gate = Gate::open(gate::Parts {
            store: Arc::clone(&store),
            log: Arc::clone(&log),
            clock,
            metrics: Arc::clone(&metrics),
            key: folder.log_key().map_err(StartError::Data)?,
            known_keys,
            certificate_roots: config.certificate_roots.clone(),
            evidence_memory_bytes: config.evidence_memory_bytes,
            decision_timeout: Duration::from_millis(config.decision_timeout_ms),
        });
        let gate = Arc::new(gate.map_err(StartError::Gate)?);
        let guards = Standing::open(folder.path()).map_err(StartError::Guards)?;
        let oci = Arc::new(Oci::new(oci::Parts {
            guards,
            store: Arc::clone(&store),
            log: Arc::clone(&log),
            key: folder.log_key().map_err(StartError::Data)?,
            clock,
            uploads: UploadLimits {
                blob_bytes: config.max_content_bytes,
                sessions: config.max_uploads,
                idle: Duration::from_millis(config.upload_idle_ms),
            },
        }));
        let schedule = Schedule {
            interval: (config.gc_interval_ms > 0)
                .then(|| Duration::from_millis(config.gc_interval_ms)),
            grace: Duration::from_millis(config.gc_grace_ms),
        };
        let collector =
            Collector::start(Arc::clone(&oci), schedule).map_err(StartError::Collector)?;
        let keeper = Keeper::start(Arc::clone(&gate)).map_err(StartError::Facts)?;
        let monitor = Monitor::start(Arc::clone(&gate), config.event_webhook_url.as_deref())
            .map_err(StartError::Monitor)?;
        let trail = Trail::start(Arc::clone(&store), clock, Arc::clone(&metrics))
            .map_err(StartError::Trail)?;
        let discovery = Discovery::start(&authority).map_err(StartError::Discovery)?;
        let door = Control::open(folder, &store, &oci)
            .inspect_err(|error| {
                tracing::warn!(%error, "no control socket: backup needs the server to be stopped");
            })
            .ok();
        Ok(Self {
            public_url,
            store,
            log,
            gate,
            oci,
            clock,
            metrics,
            trusted_keys,
            authority,
            trusted_root: trusted_root.text().to_owned(),
            signing_config: signing_config.text().to_owned(),
            config,
            door,
            keeper,
            monitor,
            collector,
            discovery: Some(discovery),
            trail,
        })
    }

    /// Stops, when HTTP has answered its last request.
    pub fn stop(&mut self) {
        self.door = None;
        self.discovery = None;
        self.trail.stop();
        // It records its verdicts in the log, so it ends first.
        self.monitor.stop();
        self.keeper.stop();
        self.collector.stop();
        self.log.stop();
        if let Err(error) = self.store.engine().flush() {
            tracing::warn!(error = chain(&error), "the next start replays the write-ahead log");
        }
    }
}

/// The registry of artifacts without a server, for commands while none runs. It holds the store.
pub struct Offline {
    oci: Arc<Oci>,
    log: Arc<Log>,
}

impl Offline {
    /// Opens the store and the log.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn open(folder: &DataFolder) -> Result<Self, StartError> {
        let config = Config::defaults();
        let origin = folder.log().map_err(StartError::Data)?.origin;
        let key = || folder.log_key().map_err(StartError::Data);
        let store = Store::open(folder.path(), EngineOptions::default());
        let store = Arc::new(store.map_err(StartError::Store)?);
        let limits =
            LogLimits { queue_capacity: config.queue_capacity, batch_limit: config.max_batch };
        let (clock, metrics) = (Clock::system(), Arc::new(Metrics::new()));
        let log = Log::start(Arc::clone(&store), &origin, key()?, limits, clock, metrics);
        let log = Arc::new(log.map_err(StartError::Log)?);
        let uploads = UploadLimits {
            blob_bytes: config.max_content_bytes,
            sessions: config.max_uploads,
            idle: Duration::from_millis(config.upload_idle_ms),
        };
        // Nobody pulls here.
        let guards = Standing::default();
        let log_of_parts = Arc::clone(&log);
        let parts = oci::Parts { store, log: log_of_parts, key: key()?, clock, uploads, guards };
        Ok(Self { oci: Arc::new(Oci::new(parts)), log })
    }

    /// The registry of artifacts.
    #[must_use]
    pub fn oci(&self) -> &Oci {
        &self.oci
    }
}

impl Drop for Offline {
    fn drop(&mut self) {
        self.log.stop();
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Settings;
    use crate::testing::{self, Registry};

    fn start(registry: &Registry, settings: Settings) -> Result<Running, StartError> {
        let config = Config::load(registry.path(), None, settings).unwrap();
        Running::start(&registry.folder(), config, Clock::system(), Arc::new(Metrics::new()))
    }

    #[test]
    fn a_stopped_server_leaves_its_log_for_the_next_one() {
        let registry = Registry::new();
        for index in 1..4 {
            let mut running = start(&registry, Settings::default()).unwrap();
            assert_eq!(running.public_url, "https://attest.example.org");
            let waiting = running.log.submit(testing::envelope(index)).unwrap();
            running.stop();
            let receipt = waiting.blocking_recv().unwrap().unwrap();
            assert_eq!(receipt.proven.index, index, "taken before the stop, so answered");
            assert!(!registry.path().join(crate::data::CONTROL_SOCKET).exists());
        }
    }

    #[test]
    fn trusted_keys_come_from_the_settings_and_from_the_folder() {
        let registry = Registry::new();
        let (one, two) = (testing::p256(), testing::ed25519());
        assert!(registry.folder().trust(one.public_key()).unwrap());
        assert!(!registry.folder().trust(one.public_key()).unwrap(), "trusted already");
        let settings =
            Settings { trusted_keys: Some(vec![two.public_key().to_pem()]), ..Settings::default() };
        let running = start(&registry, settings).unwrap();
        let mut expected = [one.public_key().clone(), two.public_key().clone()];
        expected.sort();
        assert_eq!(running.trusted_keys, expected);
        drop(running);
        assert!(registry.folder().distrust(one.public_key()).unwrap());
        assert_eq!(registry.folder().trusted_keys().unwrap(), []);
    }

    #[test]
    fn a_log_without_checkpoint_or_genesis_is_not_begun_again() {
        use crate::store::engine::{Batch, Family};
        use crate::store::key;
        let refused = |lose: &dyn Fn(&mut Batch)| {
            let registry = Registry::new();
            let mut batch = Batch::default();
            lose(&mut batch);
            registry.store().commit(batch).unwrap();
            let refused = chain(&start(&registry, Settings::default()).err().unwrap());
            assert!(refused.contains("backup"), "{refused}");
            refused
        };
        let found = refused(&|batch| batch.remove(Family::Meta, key::checkpoint(1)));
        assert!(found.contains("checkpoint, found none"), "{found}");
        let found = refused(&|batch| batch.remove(Family::Statements, key::sequence(0)));
        assert!(found.contains("genesis statement at leaf 0, found nothing"), "{found}");
        let found = refused(&|batch| batch.remove(Family::Meta, key::STORE_VERSION));
        assert!(found.contains("version of its records"), "{found}");
        // A store that was made anew in the place of the lost one.
        let registry = Registry::new();
        std::fs::remove_dir_all(registry.path().join("db")).unwrap();
        drop(Store::create(registry.path(), EngineOptions::default()).unwrap());
        let refused = start(&registry, Settings::default()).err().unwrap();
        assert!(matches!(refused, StartError::Log(LogError::NotThere { .. })), "{refused}");
        std::fs::remove_file(registry.path().join("db/CURRENT")).unwrap();
        let refused = chain(&start(&registry, Settings::default()).err().unwrap());
        assert!(refused.contains("found no CURRENT"), "{refused}");
        assert!(!registry.path().join("db/CURRENT").exists());
    }

    #[test]
    fn the_documents_for_clients_name_the_url_of_the_settings() {
        let registry = Registry::new();
        let url = "https://attest.example.org:8443";
        let settings = Settings { public_url: Some(format!("{url}/")), ..Settings::default() };
        let mut running = start(&registry, settings).unwrap();
        for document in [&running.signing_config, &running.trusted_root] {
            assert!(document.contains(&format!("\"{url}\"")), "{document}");
        }
        assert_eq!(running.public_url, url);
        running.stop();
        drop(running);
        let running = start(&registry, Settings::default()).unwrap();
        assert_eq!(running.trusted_root, registry.folder().trusted_root().unwrap().text());
        assert_eq!(running.signing_config, registry.folder().signing_config().unwrap().text());
    }

    #[test]
    fn another_host_or_another_key_is_refused_before_the_store_is_opened() {
        let registry = Registry::new();
        let elsewhere = Some("https://other.example.org".to_owned());
        let settings = Settings { public_url: elsewhere, ..Settings::default() };
        let refused = start(&registry, settings).err().unwrap();
        assert!(matches!(refused, StartError::Origin { .. }), "{refused}");
        let other = Registry::of(registry.beside("other"));
        let secrets = crate::init::Secrets { log_key: [1; 32], token: [1; 32] };
        let options = crate::init::InitOptions { secrets, ..testing::options(other.path()) };
        crate::init::init(options).unwrap();
        let key = |path: &Path| path.join(crate::data::LOG_KEY_FILE);
        std::fs::copy(key(other.path()), key(registry.path())).unwrap();
        let refused = start(&registry, Settings::default()).err().unwrap();
        assert!(matches!(refused, StartError::Data(DataError::Mismatch { .. })), "{refused}");
    }
}
