//! `init`: makes a registry.
//!
//! A data folder with the log's key, a log that holds the genesis statement, an admin token, and
//! the documents that clients need. The folder is marked until all of it is durable, so that
//! `serve` refuses what a crash leaves.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use attestry_schemas::digest::Sha256;
use attestry_schemas::dsse::{Envelope, PAYLOAD_TYPE};
use attestry_schemas::json::JsonError;
use attestry_schemas::key::{PublicKey, SigningKey};
use attestry_schemas::predicate::Predicate as _;
use attestry_schemas::predicate::attestry::governance::Genesis;
use attestry_schemas::rekor::LogId;
use attestry_schemas::signing_config::{SigningConfig, SigningConfigError};
use attestry_schemas::statement::{ResourceDescriptor, Statement, StatementError};
use attestry_schemas::trusted_root::{TrustedRoot, TrustedRootError, origin_of};
use attestry_schemas::verify::{self, Refusal};

use crate::clock::Clock;
use crate::config::{self, Config, ConfigError, Settings};
use crate::data::{self, DataError, DataFolder};
use crate::log::LogLimits;
use crate::log::{Log, LogError, Receipt, Submission, SubmitError};
use crate::metrics::Metrics;
use crate::store::durable::{self, Access};
use crate::store::engine::EngineOptions;
use crate::store::{Store, StoreError};
use crate::tokens::{self, Token};

/// The namespace of the genesis statement, and of what names none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// What a registry is made from.
#[derive(Debug)]
pub struct InitOptions {
    /// The folder to make: not there yet, or empty.
    pub data: PathBuf,
    /// What clients call the registry; its host name is the log's origin for ever.
    pub url: String,
    /// The keys that will publish the roster. Until there is one they may sign, too.
    pub root_keys: Vec<PublicKey>,
    /// How many of them must sign a roster: at least 1, and no more than there are. More than half when not given.
    pub root_threshold: Option<u64>,
    /// Further keys whose envelopes are accepted.
    pub trusted_keys: Vec<PublicKey>,
    /// Tells when the log was made.
    pub clock: Clock,
    /// The random bytes of its secrets.
    pub secrets: Secrets,
}

impl InitOptions {
    /// How many root keys must sign a roster.
    fn threshold(&self) -> u64 {
        let count = self.root_keys.len() as u64;
        self.root_threshold.unwrap_or(count / 2 + 1).clamp(1, count.max(1))
    }
}

/// The randomness of a new registry.
pub struct Secrets {
    /// The seed of the log's key.
    pub log_key: [u8; 32],
    /// The admin token.
    pub token: [u8; 32],
}

impl Secrets {
    /// Draws them from the system.
    ///
    /// # Errors
    /// [`InitError::Random`] when the system gives none.
    pub fn draw() -> Result<Self, InitError> {
        let draw = || {
            let mut bytes = [0; 32];
            aws_lc_rs::rand::fill(&mut bytes).map(|()| bytes).map_err(|_| InitError::Random)
        };
        Ok(Self { log_key: draw()?, token: draw()? })
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(..)")
    }
}

/// Why there is no registry.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The folder holds something.
    #[error("expected an empty folder or none at {}, found {found} in it", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
        /// One name in it.
        found: String,
    },
    /// An earlier run was cut short.
    #[error("an earlier run was cut short")]
    Unfinished(#[source] DataError),
    /// The URL is refused.
    #[error("the URL is refused")]
    Url(#[source] ConfigError),
    /// The URL has no host that can name a log.
    #[error("the URL cannot name a log")]
    Origin(#[source] TrustedRootError),
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Random,
    /// A file could not be written.
    #[error("the data folder was not made")]
    Data(#[source] DataError),
    /// The store failed.
    #[error("the store was not made")]
    Store(#[source] StoreError),
    /// The log failed.
    #[error("the log was not made")]
    Log(#[source] LogError),
    /// The genesis statement was not logged.
    #[error("the genesis statement was not logged")]
    Submit(#[source] SubmitError),
    /// The genesis statement cannot be written.
    #[error("the genesis statement cannot be written")]
    Genesis(#[source] JsonError),
    /// The genesis statement breaks the rules of statements.
    #[error("the genesis statement cannot be written")]
    GenesisStatement(#[source] StatementError),
    /// The genesis statement does not verify.
    #[error("the genesis statement is refused")]
    Refused(#[source] Refusal),
    /// The signing configuration cannot be made.
    #[error("the signing configuration cannot be made")]
    SigningConfig(#[source] SigningConfigError),
}

/// A registry that was made.
#[derive(Debug)]
pub struct NewRegistry {
    /// Its folder.
    pub data: PathBuf,
    /// What clients call it, without a slash at the end.
    pub url: String,
    /// The origin of its checkpoints.
    pub origin: String,
    /// The id of its log.
    pub log_id: LogId,
    /// The log's public key.
    pub log_key: PublicKey,
    /// The admin token: to be shown now, because nothing can show it again.
    pub token: Token,
    /// The genesis statement's place in the log.
    pub genesis: Receipt,
}

/// Makes a registry.
///
/// A crash leaves an empty folder, or one with a marker that [`DataFolder::open`] refuses.
///
/// # Errors
/// [`InitError`]; what was written by then stays, marked.
pub fn init(options: InitOptions) -> Result<NewRegistry, InitError> {
    refuse_what_is_there(&options.data)?;
    let url = checked_url(&options)?;
    let origin = origin_of(&url).map_err(InitError::Origin)?;
    let key = SigningKey::from_ed25519_seed(options.secrets.log_key);
    let made_at = options.clock.now();
    let trusted_root =
        TrustedRoot::of_registry(&url, key.public_key(), made_at).map_err(InitError::Origin)?;
    let signing_config =
        SigningConfig::of_registry(&url, made_at).map_err(InitError::SigningConfig)?;

    prepare(&options.data)?;
    let folder = DataFolder::being_made(&options.data);
    let write = |name: &str, text: &str, access: Access| {
        let path = folder.file(name);
        durable::replace_file(&path, text.as_bytes(), access)
            .map_err(|e| InitError::Data(DataError::at("writing", &path)(e)))
    };
    let marker_text = "attestry-registry init has not finished here.\n";
    write(data::INIT_MARKER, marker_text, Access::Public)?;
    write(data::LOG_KEY_FILE, &private_pem(&key), Access::Owner)?;
    write(data::TRUSTED_ROOT_FILE, trusted_root.text(), Access::Public)?;
    write(data::SIGNING_CONFIG_FILE, signing_config.text(), Access::Public)?;
    let token = Token::of_random(options.secrets.token);
    write(data::TOKENS_FILE, &tokens_text(&token), Access::Owner)?;
    write(config::FILE_NAME, &settings_text(&url), Access::Public)?;
    keep_keys(&folder, &options)?;
    let public = key.public_key().clone();
    let genesis = log_genesis(&options, &url, &origin, key)?;
    // The last step: before it, the marker makes every command refuse the folder.
    let marker = folder.file(data::INIT_MARKER);
    std::fs::remove_file(&marker)
        .and_then(|()| durable::sync_dir(&options.data))
        .map_err(|e| InitError::Data(DataError::at("removing", &marker)(e)))?;
    let raw = public.ed25519_raw().unwrap_or_default();
    Ok(NewRegistry {
        log_id: LogId::of_ed25519(&origin, &raw),
        data: options.data,
        url,
        origin,
        log_key: public,
        token,
        genesis,
    })
}

/// The URL as it is kept: of a form that the settings accept, and without a slash at the end.
fn checked_url(options: &InitOptions) -> Result<String, InitError> {
    let url = options.url.trim_end_matches('/').to_owned();
    let settings = Settings { public_url: Some(url.clone()), ..Settings::default() };
    // The folder has no settings yet, so that only the URL is checked.
    Config::load(&options.data, None, settings).map_err(InitError::Url)?;
    Ok(url)
}

fn refuse_what_is_there(path: &Path) -> Result<(), InitError> {
    let failed = |e| InitError::Data(DataError::at("reading", path)(e));
    let mut entries = match std::fs::read_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    let Some(entry) = entries.next() else { return Ok(()) };
    if path.join(data::INIT_MARKER).exists() {
        return Err(InitError::Unfinished(DataError::Incomplete { path: path.to_owned() }));
    }
    let found = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
    Err(InitError::NotEmpty { path: path.to_owned(), found })
}

/// Makes the folder, for its owner alone.
fn prepare(path: &Path) -> Result<(), InitError> {
    durable::create_dir(path)
        .and_then(|()| std::fs::set_permissions(path, Permissions::from_mode(0o700)))
        .map_err(|e| InitError::Data(DataError::at("creating", path)(e)))
}

fn keep_keys(folder: &DataFolder, options: &InitOptions) -> Result<(), InitError> {
    let keep = |name, key: &PublicKey| folder.keep_key(name, key).map_err(InitError::Data);
    for key in &options.root_keys {
        keep(data::ROOT_KEYS_FOLDER, key)?;
        keep(data::TRUSTED_KEYS_FOLDER, key)?;
    }
    for key in &options.trusted_keys {
        keep(data::TRUSTED_KEYS_FOLDER, key)?;
    }
    Ok(())
}

/// Makes the store, and the log with leaf 0 in it.
fn log_genesis(
    options: &InitOptions,
    url: &str,
    origin: &str,
    key: SigningKey,
) -> Result<Receipt, InitError> {
    let submission = genesis(options, url, origin, &key)?;
    let store = Store::create(&options.data, EngineOptions::default()).map_err(InitError::Store)?;
    let store = Arc::new(store);
    let limits = LogLimits { queue_capacity: 1, batch_limit: 1 };
    let metrics = Arc::new(Metrics::new());
    let log = Log::begin(Arc::clone(&store), origin, key, limits, options.clock, metrics)
        .map_err(InitError::Log)?;
    let receipt = log
        .submit(submission)
        .and_then(|receipt| receipt.blocking_recv().unwrap_or(Err(SubmitError::Stopping)))
        .map_err(InitError::Submit);
    log.stop();
    let receipt = receipt?;
    store.engine().flush().map_err(|e| InitError::Store(StoreError::Engine(e)))?;
    Ok(receipt)
}

/// The statement that opens every log: the log key says which log it signs.
fn genesis(
    options: &InitOptions,
    url: &str,
    origin: &str,
    key: &SigningKey,
) -> Result<Submission, InitError> {
    let public = key.public_key();
    let raw = public.ed25519_raw().unwrap_or_default();
    let predicate = Genesis {
        origin: origin.to_owned(),
        log_id: LogId::of_ed25519(origin, &raw).to_string(),
        public_key: public.to_pem(),
        created_at: options.clock.now().into(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        root_keys: options.root_keys.iter().map(PublicKey::fingerprint).collect(),
        root_threshold: (!options.root_keys.is_empty()).then(|| options.threshold()),
    };
    let subject = ResourceDescriptor::named(url, Sha256::of(public.spki_der()).into());
    let predicate = predicate.to_value().map_err(InitError::Genesis)?;
    let statement = Statement::new(vec![subject], Genesis::URI, predicate)
        .map_err(InitError::GenesisStatement)?;
    let envelope = Envelope::sign(PAYLOAD_TYPE, &statement.to_json(), key);
    let bytes = envelope.to_json();
    let signed =
        verify::envelope(&envelope, std::slice::from_ref(public)).map_err(InitError::Refused)?;
    Ok(Submission::of_statement(&signed, bytes, DEFAULT_NAMESPACE, true))
}

fn private_pem(key: &SigningKey) -> String {
    pem::encode(&pem::Pem::new("PRIVATE KEY", key.to_pkcs8_der().as_slice()))
}

fn tokens_text(token: &Token) -> String {
    format!("# NAME sha256:HEX of each token that is accepted.\n{}", token.line(tokens::ADMIN))
}

/// The settings that `init` writes: the URL, and the rest as comments.
fn settings_text(url: &str) -> String {
    let defaults = Config::defaults();
    format!(
        "# Settings of attestry-registry; `attestry-registry serve --help` explains every one.
# A flag overrides its environment variable, which overrides this file. Read at start.

# What clients call this registry. The host name is the log's origin and cannot change.
public_url = \"{url}\"

# Keys whose envelopes are accepted, beside those in {folder}/: PEM files or PEM text.
# `attestry-registry trust add --data DIR KEY.pub` puts a key into that folder.
# trusted_keys = [\"release.pub\"]

# Accept envelopes of other keys, too, and label their signer as unknown.
# accept_unknown_signers = {unknown}

# What follows are the defaults.
# listen = \"{listen}\"
# require_token_for_writes = {writes}
# require_token_for_reads = {reads}     # true unless listening on loopback
# max_body_bytes = {max_body_bytes}
# max_rekor_body_bytes = {max_rekor_body_bytes}
# max_content_bytes = {max_content_bytes}
# queue_capacity = {queue_capacity}
# max_batch = {max_batch}
# log_format = \"{log_format}\"                # or \"json\"
# log_level = \"{log_level}\"
",
        unknown = defaults.accept_unknown_signers,
        listen = defaults.listen,
        writes = defaults.require_token_for_writes,
        reads = defaults.require_token_for_reads,
        max_body_bytes = defaults.max_body_bytes,
        max_rekor_body_bytes = defaults.max_rekor_body_bytes,
        max_content_bytes = defaults.max_content_bytes,
        queue_capacity = defaults.queue_capacity,
        max_batch = defaults.max_batch,
        log_format = defaults.log_format,
        log_level = defaults.log_level,
        folder = data::TRUSTED_KEYS_FOLDER,
    )
}

#[cfg(test)]
mod tests;
