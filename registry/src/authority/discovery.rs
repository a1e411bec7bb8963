//! The keys of issuers: from the operator's files, or asked for at the issuers' own addresses
//! (OpenID Connect Discovery 1.0 §4).
//!
//! A thread asks, at the start, when the document names another issuer, and from time to time. No request
//! makes it ask, and no address comes from a token.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use attestry_schemas::json;
use attestry_schemas::problem::chain;
use serde_json::Value;
use ureq::Agent;
use ureq::tls::{TlsConfig, TlsProvider};

use super::Authority;
use super::document::{Issuer, is_discoverable};
use super::jwks::{JwksError, KeySet, MAX_SET_BYTES};
use crate::watched::Watched;

/// How often an issuer whose keys are known is asked again.
const EVERY: Duration = Duration::from_secs(600);
/// How soon after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(30);
/// How often the document is looked at for new issuers.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The longest time of one request.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Where an issuer's metadata is, below its URL.
const METADATA: &str = "/.well-known/openid-configuration";

/// Why an issuer's keys are not known.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// It does not answer, or not with success.
    #[error("cannot get {url}")]
    Get {
        /// The address.
        url: String,
        /// What failed.
        source: Box<ureq::Error>,
    },
    /// Its metadata is of another issuer, or names no address of keys.
    #[error("expected {expected} in the metadata at {url}, found {found}")]
    Metadata {
        /// The address.
        url: String,
        /// What was expected.
        expected: &'static str,
        /// What it says.
        found: String,
    },
    /// What it gives are no keys.
    #[error("the keys at {url} are refused")]
    Keys {
        /// The address.
        url: String,
        /// Why.
        source: JwksError,
    },
    /// The file of keys cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file holds none.
    #[error("{} is refused", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Why.
        source: JwksError,
    },
}

type KeyFile = Arc<Watched<KeySet, DiscoveryError>>;

/// The keys of issuers, as they are known now.
pub struct Keys {
    folder: PathBuf,
    files: Mutex<HashMap<PathBuf, KeyFile>>,
    discovered: RwLock<HashMap<String, Arc<KeySet>>>,
}

impl Keys {
    pub(super) fn new(folder: &Path) -> Self {
        let (files, discovered) = (Mutex::default(), RwLock::default());
        Self { folder: folder.to_owned(), files, discovered }
    }

    /// The keys of an issuer; nothing while they are not known.
    #[must_use]
    pub fn of(&self, issuer: &Issuer) -> Option<Arc<KeySet>> {
        match &issuer.jwks {
            Some(file) => self.of_file(&self.folder.join(file)),
            None => {
                let discovered = self.discovered.read().unwrap_or_else(PoisonError::into_inner);
                discovered.get(&issuer.url).cloned()
            }
        }
    }

    fn of_file(&self, path: &Path) -> Option<Arc<KeySet>> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = files.get(path) {
            return Some(file.now());
        }
        let from = path.to_owned();
        match Watched::open(vec![path.to_owned()], move || read(&from)) {
            Ok(file) => {
                let file = files.entry(path.to_owned()).or_insert_with(|| Arc::new(file));
                Some(file.now())
            }
            Err(error) => {
                tracing::error!(error = chain(&error), "the keys of an issuer cannot be read");
                None
            }
        }
    }

    fn learn(&self, issuer: &str, keys: KeySet) {
        let mut discovered = self.discovered.write().unwrap_or_else(PoisonError::into_inner);
        discovered.insert(issuer.to_owned(), Arc::new(keys));
    }

    fn forget_all_but(&self, issuers: &[String]) {
        let mut discovered = self.discovered.write().unwrap_or_else(PoisonError::into_inner);
        discovered.retain(|issuer, _| issuers.contains(issuer));
    }
}

fn read(path: &Path) -> Result<KeySet, DiscoveryError> {
    let text = std::fs::read(path)
        .map_err(|source| DiscoveryError::File { path: path.to_owned(), source })?;
    KeySet::parse(&text).map_err(|source| DiscoveryError::Content { path: path.to_owned(), source })
}

/// The thread that asks. Dropping it ends it.
pub struct Discovery {
    thread: Option<JoinHandle<()>>,
    is_stopping: Arc<AtomicBool>,
}

impl Discovery {
    /// Starts the thread; what it learns goes into the authority's keys.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(authority: &Arc<Authority>) -> std::io::Result<Self> {
        let is_stopping = Arc::new(AtomicBool::new(false));
        let (authority, told) = (Arc::clone(authority), Arc::clone(&is_stopping));
        let run = move || {
            let agent = agent();
            let mut due = HashMap::new();
            while !told.load(Ordering::Acquire) {
                ask_who_is_due(&agent, &authority, &mut due);
                std::thread::park_timeout(LOOK_EVERY);
            }
        };
        let thread = std::thread::Builder::new().name("discovery".to_owned()).spawn(run)?;
        Ok(Self { thread: Some(thread), is_stopping })
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        self.is_stopping.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return };
        thread.thread().unpark();
        // A request under way ends within its timeout; nothing waits for it.
    }
}

fn ask_who_is_due(agent: &Agent, authority: &Authority, due: &mut HashMap<String, Instant>) {
    let issuers = authority.discoverable();
    due.retain(|issuer, _| issuers.contains(issuer));
    authority.keys().forget_all_but(&issuers);
    for issuer in issuers {
        if due.get(&issuer).is_some_and(|at| *at > Instant::now()) {
            continue;
        }
        let pause = match discover(agent, &issuer) {
            Ok(keys) => {
                tracing::debug!(issuer, "the keys of an issuer are known");
                authority.keys().learn(&issuer, keys);
                EVERY
            }
            Err(error) => {
                tracing::error!(
                    issuer,
                    error = chain(&error),
                    "the keys of an issuer are not known; what was known stays"
                );
                AFTER_FAILURE
            }
        };
        due.insert(issuer, Instant::now() + pause);
    }
}

/// Asks an issuer for its keys.
///
/// # Errors
/// [`DiscoveryError`].
pub(crate) fn discover(agent: &Agent, issuer: &str) -> Result<KeySet, DiscoveryError> {
    let url = format!("{}{METADATA}", issuer.trim_end_matches('/'));
    let metadata =
        |expected, found: String| DiscoveryError::Metadata { url: url.clone(), expected, found };
    let text = get(agent, &url)?;
    let value =
        json::parse(&text, MAX_SET_BYTES).map_err(|error| metadata("JSON", error.to_string()))?;
    let member = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    // OpenID Connect Discovery 1.0 §4.3: it must be the very text that was configured.
    if member("issuer") != issuer {
        return Err(metadata("the issuer as it is configured", format!("{:?}", member("issuer"))));
    }
    let keys_url = member("jwks_uri");
    if !is_discoverable(keys_url) {
        return Err(metadata("an https:// address jwks_uri", format!("{keys_url:?}")));
    }
    let text = get(agent, keys_url)?;
    KeySet::parse(&text).map_err(|source| DiscoveryError::Keys { url: keys_url.to_owned(), source })
}

fn get(agent: &Agent, url: &str) -> Result<Vec<u8>, DiscoveryError> {
    let failed = |source| DiscoveryError::Get { url: url.to_owned(), source: Box::new(source) };
    let mut response = agent.get(url).call().map_err(failed)?;
    let body = response.body_mut().with_config().limit(MAX_SET_BYTES as u64);
    body.read_to_vec().map_err(failed)
}

pub(crate) fn agent() -> Agent {
    let provider = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .build();
    Agent::config_builder()
        .tls_config(provider)
        .timeout_global(Some(TIMEOUT))
        // Where keys come from is configured, not answered.
        .max_redirects(0)
        .build()
        .new_agent()
}
