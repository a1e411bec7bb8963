//! The server's settings: flags over environment over file over defaults.
//!
//! Each setting stands once, in the table below, with its default and its meaning; the flag
//! `--max-body-bytes`, the variable `ATTESTRY_REGISTRY_MAX_BODY_BYTES` and the key `max_body_bytes`
//! of the file follow from its name. The file is TOML: [`FILE_NAME`] in the data folder, or the one
//! that is named. An unknown key is an error. Secrets are not settings.

use std::fmt;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use attestry_schemas::key::{KeyError, PublicKey};
use attestry_schemas::trusted_root::{self, TrustedRoot, TrustedRootError};
use attestry_schemas::verify::{CertificateRoots, CertificateRootsError};
use serde::Deserialize;

/// The name of the settings' file in the data folder.
pub const FILE_NAME: &str = "attestry-registry.toml";

/// The most bytes of a settings' file or a key file that are read.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The most trusted roots of certificates.
const MAX_CERTIFICATE_ROOTS: usize = 16;

/// The most trusted keys.
const MAX_TRUSTED_KEYS: usize = 10_000;

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file could not be read.
    #[error("cannot read {}, which {named_by} names", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The flag or setting that names it.
        named_by: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// The file is not the TOML that was expected; the detail has line and column.
    #[error("{} does not hold valid settings: {detail}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        detail: String,
    },
    /// A setting has a value that it may not have.
    #[error("the setting {name} must be {expected}, found {found}")]
    OutOfRange {
        /// The setting.
        name: &'static str,
        /// What it may be.
        expected: String,
        /// What it was set to.
        found: String,
    },
    /// A trusted key cannot be read as a key.
    #[error("the trusted key {origin} is not a PEM public key")]
    TrustedKey {
        /// The file, or the key's place in the list.
        origin: String,
        /// What is wrong with it.
        source: KeyError,
    },
    /// A trusted root of certificates is not the JSON of one.
    #[error("{}, which certificate_roots names, is not a trusted_root.json", path.display())]
    TrustedRoot {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: TrustedRootError,
    },
    /// No certificate can be checked against a trusted root.
    #[error("certificate_roots names a file of no use")]
    CertificateRoots(#[source] CertificateRootsError),
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people at a terminal.
    #[default]
    Human,
    /// One JSON object per line, for programs.
    Json,
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Human => "human",
            Self::Json => "json",
        })
    }
}

/// Declares every setting once: as an optional flag, variable and key, and as a value.
macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $default:expr, $variable:literal;)+) => {
        /// Settings as one source gives them; what it leaves out is for the next.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, clap::Args)]
        #[serde(deny_unknown_fields)]
        pub struct Settings {
            $(
                $(#[doc = $doc])+
                #[arg(long, env = $variable, hide_env_values = true)]
                pub $name: Option<$type>,
            )+
            /// Public key whose envelopes are accepted: a PEM file; in the settings' file also PEM text. Repeatable
            #[arg(
                long = "trusted-key",
                value_name = "FILE",
                env = "ATTESTRY_REGISTRY_TRUSTED_KEYS",
                value_delimiter = ','
            )]
            pub trusted_keys: Option<Vec<String>>,
            /// Sigstore's trusted_root.json of authorities whose certificates count where the roster names their identities. Repeatable [default: those of public Sigstore and of GitHub, which ship with the program]
            #[arg(
                long = "certificate-root",
                value_name = "FILE",
                env = "ATTESTRY_REGISTRY_CERTIFICATE_ROOTS",
                value_delimiter = ','
            )]
            pub certificate_roots: Option<Vec<PathBuf>>,
            /// URL that clients use, such as https://attestry.example.com; `init` sets it otherwise
            #[arg(long, env = "ATTESTRY_REGISTRY_PUBLIC_URL", value_name = "URL")]
            pub public_url: Option<String>,
            /// URL that events about what runs are posted to, signed: a flip of what was allowed, an unauthorized deployment; nowhere when none is given
            #[arg(long, env = "ATTESTRY_REGISTRY_EVENT_WEBHOOK_URL", value_name = "URL")]
            pub event_webhook_url: Option<String>,
            /// Whether reading needs a token [default: false on a loopback address, else true]
            #[arg(long, env = "ATTESTRY_REGISTRY_REQUIRE_TOKEN_FOR_READS")]
            pub require_token_for_reads: Option<bool>,
            /// Environment of the cluster that asks for admission, where its URL names none
            #[arg(long, env = "ATTESTRY_REGISTRY_ADMISSION_ENVIRONMENT", value_name = "NAME")]
            pub admission_environment: Option<String>,
            /// PEM file of the certificates with which HTTPS is served, the server's own first; with tls_key
            #[arg(long, env = "ATTESTRY_REGISTRY_TLS_CERTIFICATE", value_name = "FILE")]
            pub tls_certificate: Option<PathBuf>,
            /// PEM file of the certificate's private key
            #[arg(long, env = "ATTESTRY_REGISTRY_TLS_KEY", value_name = "FILE")]
            pub tls_key: Option<PathBuf>,
            /// PEM file of the authorities whose client certificates are believed; access.toml says whom they name
            #[arg(long, env = "ATTESTRY_REGISTRY_TLS_CLIENT_CA", value_name = "FILE")]
            pub tls_client_ca: Option<PathBuf>,
        }

        /// The settings in force.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Config {
            $($(#[doc = $doc])+ pub $name: $type,)+
            /// Public keys whose envelopes are accepted.
            pub trusted_keys: Vec<PublicKey>,
            /// The authorities whose certificates count.
            pub certificate_roots: CertificateRoots,
            /// URL that clients use, when it differs from the one `init` was given.
            pub public_url: Option<String>,
            /// URL that events about what runs are posted to. The body is JSON; the header
            /// `Attestry-Signature: ed25519=<base64>` is the signature of exactly its bytes by the log's key, which
            /// `trusted_root.json` has.
            pub event_webhook_url: Option<String>,
            /// Whether reading needs a token.
            pub require_token_for_reads: bool,
            /// Environment of the cluster that asks for admission, where its URL names none.
            pub admission_environment: Option<String>,
            /// The files with which HTTPS is served; HTTP without them.
            pub tls: Option<TlsFiles>,
        }

        impl Config {
            fn merge(
                flags: Settings,
                file: Settings,
                trusted_keys: Vec<PublicKey>,
                certificate_roots: CertificateRoots,
                tls: Option<TlsFiles>,
            ) -> Self {
                $(let $name = flags.$name.or(file.$name).unwrap_or_else(|| $default);)+
                let reads = flags.require_token_for_reads.or(file.require_token_for_reads);
                let public_url = flags.public_url.or(file.public_url);
                let event_webhook_url = flags.event_webhook_url.or(file.event_webhook_url);
                let admission_environment =
                    flags.admission_environment.or(file.admission_environment);
                let mut config = Self {
                    $($name,)+
                    trusted_keys,
                    certificate_roots,
                    public_url,
                    event_webhook_url,
                    require_token_for_reads: true,
                    admission_environment,
                    tls,
                };
                config.require_token_for_reads =
                    reads.unwrap_or(!config.listen.ip().is_loopback());
                config
            }
        }
    };
}

settings! {
    /// Address to listen on [default: 127.0.0.1:8080]
    listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8080)), "ATTESTRY_REGISTRY_LISTEN";
    /// Whether the Rekor path, whose requests carry their key, takes keys that are not trusted and labels them unknown [default: false]
    accept_unknown_signers: bool = false, "ATTESTRY_REGISTRY_ACCEPT_UNKNOWN_SIGNERS";
    /// Whether writing needs a token [default: true]
    require_token_for_writes: bool = true, "ATTESTRY_REGISTRY_REQUIRE_TOKEN_FOR_WRITES";
    /// Whether a cluster that asks for admission needs a token, which its API server sends by the kubeconfig of its AdmissionConfiguration [default: true]
    require_token_for_admission: bool = true, "ATTESTRY_REGISTRY_REQUIRE_TOKEN_FOR_ADMISSION";
    /// Longest time until admission is answered, in milliseconds; shorter where the API server's timeout is; what is not decided by then is denied [default: 9000]
    admission_timeout_ms: u64 = 9_000, "ATTESTRY_REGISTRY_ADMISSION_TIMEOUT_MS";
    /// Longest time of one evaluation of the gate, in milliseconds; what has no verdict by then is denied, signed and logged [default: 5000]
    decision_timeout_ms: u64 = 5_000, "ATTESTRY_REGISTRY_DECISION_TIMEOUT_MS";
    /// Largest body of a request for attestations, in bytes [default: 24 MiB]
    max_body_bytes: usize = 24 << 20, "ATTESTRY_REGISTRY_MAX_BODY_BYTES";
    /// Largest body on the Rekor path, which needs no token, in bytes [default: 1 MiB]
    max_rekor_body_bytes: usize = 1 << 20, "ATTESTRY_REGISTRY_MAX_REKOR_BODY_BYTES";
    /// Most envelopes or bundles in one request [default: 1000]
    max_items_per_request: usize = 1000, "ATTESTRY_REGISTRY_MAX_ITEMS_PER_REQUEST";
    /// Largest content, in bytes [default: 16 GiB]
    max_content_bytes: u64 = 16 << 30, "ATTESTRY_REGISTRY_MAX_CONTENT_BYTES";
    /// Most uploads to repositories at once [default: 1024]
    max_uploads: usize = 1024, "ATTESTRY_REGISTRY_MAX_UPLOADS";
    /// Longest time that an upload to a repository may be idle, in milliseconds [default: 3600000]
    upload_idle_ms: u64 = 3_600_000, "ATTESTRY_REGISTRY_UPLOAD_IDLE_MS";
    /// Time between two collections of what nothing refers to in repositories, in milliseconds; 0 for never, then attestry-registry gc does it [default: 0]
    gc_interval_ms: u64 = 0, "ATTESTRY_REGISTRY_GC_INTERVAL_MS";
    /// How long what nothing refers to stays after it was pushed, in milliseconds [default: 86400000]
    gc_grace_ms: u64 = 86_400_000, "ATTESTRY_REGISTRY_GC_GRACE_MS";
    /// Most submissions that wait for the log; one more is answered 503 [default: 4096]
    queue_capacity: usize = 4096, "ATTESTRY_REGISTRY_QUEUE_CAPACITY";
    /// Most submissions in one commit [default: 1024]
    max_batch: usize = 1024, "ATTESTRY_REGISTRY_MAX_BATCH";
    /// Most connections at once [default: 1024]
    max_connections: usize = 1024, "ATTESTRY_REGISTRY_MAX_CONNECTIONS";
    /// Longest time for the head of a request to arrive, in milliseconds [default: 10000]
    header_timeout_ms: u64 = 10_000, "ATTESTRY_REGISTRY_HEADER_TIMEOUT_MS";
    /// Longest time for the body of a request to arrive, in milliseconds; not for content [default: 30000]
    request_timeout_ms: u64 = 30_000, "ATTESTRY_REGISTRY_REQUEST_TIMEOUT_MS";
    /// Longest time for content to arrive, in milliseconds [default: 3600000]
    content_timeout_ms: u64 = 3_600_000, "ATTESTRY_REGISTRY_CONTENT_TIMEOUT_MS";
    /// Longest time that an idle connection is kept, in milliseconds [default: 75000]
    keep_alive_ms: u64 = 75_000, "ATTESTRY_REGISTRY_KEEP_ALIVE_MS";
    /// Longest time for requests under way to end at shutdown, in milliseconds [default: 30000]
    shutdown_timeout_ms: u64 = 30_000, "ATTESTRY_REGISTRY_SHUTDOWN_TIMEOUT_MS";
    /// Threads that serve connections [default: one per processor]
    worker_threads: usize = processors(), "ATTESTRY_REGISTRY_WORKER_THREADS";
    /// Memory for cached blocks of the store, in bytes [default: 32 MiB]
    block_cache_bytes: usize = 32 << 20, "ATTESTRY_REGISTRY_BLOCK_CACHE_BYTES";
    /// Memory for evidence that the gate has read and verified, in bytes, estimated [default: 384 MiB]
    evidence_memory_bytes: usize = 384 << 20, "ATTESTRY_REGISTRY_EVIDENCE_MEMORY_BYTES";
    /// Memory for unflushed writes of each family of the store, in bytes [default: 8 MiB]
    write_buffer_bytes: usize = 8 << 20, "ATTESTRY_REGISTRY_WRITE_BUFFER_BYTES";
    /// How log lines are written [default: human]
    log_format: LogFormat = LogFormat::Human, "ATTESTRY_REGISTRY_LOG_FORMAT";
    /// What is logged: a level, or directives such as `info,attestry_registry=debug` [default: info]
    log_level: String = "info".to_owned(), "ATTESTRY_REGISTRY_LOG_LEVEL";
}

impl Config {
    /// Settles the settings: `flags`, which clap has read from the command line and the environment,
    /// over the file `named`, or else [`FILE_NAME`] in `data` when there is one, over the defaults.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(data: &Path, named: Option<&Path>, flags: Settings) -> Result<Self, ConfigError> {
        let path = named.map_or_else(|| data.join(FILE_NAME), Path::to_owned);
        let file = read_settings(&path, named.is_some())?;
        // A path in the file is relative to the file, one of a flag to where it was given.
        let trusted_keys = match (&flags.trusted_keys, &file.trusted_keys) {
            (Some(keys), _) => trusted_keys(keys, Path::new(""))?,
            (None, Some(keys)) => trusted_keys(keys, path.parent().unwrap_or(Path::new("")))?,
            (None, None) => Vec::new(),
        };
        let roots = match (&flags.certificate_roots, &file.certificate_roots) {
            (Some(paths), _) => certificate_roots(paths, Path::new(""))?,
            (None, Some(paths)) => {
                certificate_roots(paths, path.parent().unwrap_or(Path::new("")))?
            }
            (None, None) => CertificateRoots::embedded(),
        };
        let tls = TlsFiles::of(&flags, &file, path.parent().unwrap_or(Path::new("")))?;
        let config = Self::merge(flags, file, trusted_keys, roots, tls);
        config.check()?;
        Ok(config)
    }

    /// The settings where nothing is set.
    #[must_use]
    pub fn defaults() -> Self {
        let (none, roots) = (Settings::default(), CertificateRoots::embedded());
        Self::merge(none.clone(), none, Vec::new(), roots, None)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let bytes = |bytes: usize| bytes as u64;
        // The lower bounds keep one ordinary request possible; the upper ones keep a slip of the
        // keyboard from taking all memory or waiting for years.
        let ranges = [
            ("admission_timeout_ms", self.admission_timeout_ms, 100, 30_000),
            ("decision_timeout_ms", self.decision_timeout_ms, 100, 60_000),
            ("max_body_bytes", bytes(self.max_body_bytes), 1 << 10, 1 << 30),
            ("max_rekor_body_bytes", bytes(self.max_rekor_body_bytes), 1 << 10, 16 << 20),
            ("max_items_per_request", bytes(self.max_items_per_request), 1, 100_000),
            ("max_content_bytes", self.max_content_bytes, 1 << 10, 1 << 50),
            ("max_uploads", bytes(self.max_uploads), 1, 1 << 20),
            ("upload_idle_ms", self.upload_idle_ms, 1000, 7 * DAY_MS),
            ("gc_interval_ms", self.gc_interval_ms, 0, 365 * DAY_MS),
            ("gc_grace_ms", self.gc_grace_ms, 1000, 3650 * DAY_MS),
            ("queue_capacity", bytes(self.queue_capacity), 1, 1 << 20),
            ("max_batch", bytes(self.max_batch), 1, 1 << 16),
            ("max_connections", bytes(self.max_connections), 1, 1 << 20),
            ("header_timeout_ms", self.header_timeout_ms, 100, DAY_MS),
            ("request_timeout_ms", self.request_timeout_ms, 100, DAY_MS),
            ("content_timeout_ms", self.content_timeout_ms, 100, 7 * DAY_MS),
            ("keep_alive_ms", self.keep_alive_ms, 0, DAY_MS),
            ("shutdown_timeout_ms", self.shutdown_timeout_ms, 0, DAY_MS),
            ("worker_threads", bytes(self.worker_threads), 1, 1024),
            ("block_cache_bytes", bytes(self.block_cache_bytes), 1 << 20, 1 << 40),
            ("evidence_memory_bytes", bytes(self.evidence_memory_bytes), 1 << 20, 1 << 40),
            ("write_buffer_bytes", bytes(self.write_buffer_bytes), 1 << 16, 1 << 32),
        ];
        for (name, found, least, most) in ranges {
            if !(least..=most).contains(&found) {
                let expected = format!("from {least} to {most}");
                return Err(ConfigError::OutOfRange { name, expected, found: found.to_string() });
            }
        }
        if !self.log_level.split(',').all(is_log_directive) {
            let expected = "a level (error, warn, info, debug, trace), or directives target=level";
            return Err(invalid("log_level", expected, &self.log_level));
        }
        if let Some(environment) = &self.admission_environment
            && !attestry_schemas::document::pattern::is_plain(environment)
        {
            let expected = "a name such as production, without spaces and empty segments";
            return Err(invalid("admission_environment", expected, environment));
        }
        if let Some(url) = self.event_webhook_url.as_ref().filter(|url| !is_endpoint(url)) {
            let expected = "http:// or https://, a host name, and no user name or password";
            return Err(invalid("event_webhook_url", expected, url));
        }
        match &self.public_url {
            Some(url) if !is_origin(url) => Err(invalid(
                "public_url",
                "http:// or https://, a host name, and at most a port",
                url,
            )),
            _ => Ok(()),
        }
    }
}

/// The PEM files with which HTTPS is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificates, the server's own first.
    pub certificate: PathBuf,
    /// The private key of the server's certificate.
    pub key: PathBuf,
    /// The authorities of client certificates.
    pub client_ca: Option<PathBuf>,
}

impl TlsFiles {
    /// Those of the flags, relative to where they were given, over those of the file, relative to `folder`.
    fn of(flags: &Settings, file: &Settings, folder: &Path) -> Result<Option<Self>, ConfigError> {
        let path = |flag: &Option<PathBuf>, file: &Option<PathBuf>| {
            flag.clone().or_else(|| file.as_ref().map(|path| folder.join(path)))
        };
        let certificate = path(&flags.tls_certificate, &file.tls_certificate);
        let key = path(&flags.tls_key, &file.tls_key);
        let client_ca = path(&flags.tls_client_ca, &file.tls_client_ca);
        let missing = |name, other: &Path| {
            let expected = "set where another of tls_certificate, tls_key and tls_client_ca is";
            let found = format!("nothing beside {}", other.display());
            Err(ConfigError::OutOfRange { name, expected: expected.to_owned(), found })
        };
        match (certificate, key) {
            (Some(certificate), Some(key)) => Ok(Some(Self { certificate, key, client_ca })),
            (None, None) => match client_ca {
                // Over HTTP no client shows a certificate.
                Some(client_ca) => missing("tls_certificate", &client_ca),
                None => Ok(None),
            },
            (Some(certificate), None) => missing("tls_key", &certificate),
            (None, Some(key)) => missing("tls_certificate", &key),
        }
    }
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn invalid(name: &'static str, expected: &str, found: &str) -> ConfigError {
    ConfigError::OutOfRange { name, expected: expected.to_owned(), found: format!("{found:?}") }
}

/// Whether the text is a level or `target=level`. The subscriber would take a misspelt level for a
/// target, and log nothing else.
fn is_log_directive(text: &str) -> bool {
    let level = text.rsplit_once('=').map_or(text, |(_, level)| level);
    !level.is_empty() && level.parse::<tracing::level_filters::LevelFilter>().is_ok()
}

/// Whether the text is a scheme, a host and perhaps a port: what a log's origin is made from.
fn is_origin(url: &str) -> bool {
    let Ok(uri) = url.parse::<actix_web::http::Uri>() else { return false };
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    let has_host = uri.host().is_some_and(|host| !host.is_empty());
    is_web && has_host && !url.contains('@') && uri.path() == "/" && uri.query().is_none()
}

/// Whether the text is a URL that can be posted to.
fn is_endpoint(url: &str) -> bool {
    let Ok(uri) = url.parse::<actix_web::http::Uri>() else { return false };
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    is_web && uri.authority().is_some_and(|a| !a.host().is_empty() && !a.as_str().contains('@'))
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A file that was not named may be missing.
fn read_settings(path: &Path, is_named: bool) -> Result<Settings, ConfigError> {
    let text = match read_text(path, "--config") {
        Err(ConfigError::Unreadable { source, .. })
            if !is_named && source.kind() == io::ErrorKind::NotFound =>
        {
            return Ok(Settings::default());
        }
        text => text?,
    };
    toml::from_str(&text).map_err(|error| {
        let detail = error.to_string().trim_end().to_owned();
        ConfigError::Malformed { path: path.to_owned(), detail }
    })
}

fn read_text(path: &Path, named_by: &'static str) -> Result<String, ConfigError> {
    read_bounded(path, named_by, MAX_FILE_BYTES)
}

fn read_bounded(path: &Path, named_by: &'static str, limit: u64) -> Result<String, ConfigError> {
    let read = || {
        let mut text = String::new();
        std::fs::File::open(path)?.take(limit + 1).read_to_string(&mut text)?;
        if text.len() as u64 > limit {
            let detail = format!("the file is larger than {limit} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, detail));
        }
        Ok(text)
    };
    read().map_err(|source| ConfigError::Unreadable { path: path.to_owned(), named_by, source })
}

/// Reads keys, each given as PEM text or as the path of a PEM file.
fn trusted_keys(entries: &[String], base: &Path) -> Result<Vec<PublicKey>, ConfigError> {
    if entries.len() > MAX_TRUSTED_KEYS {
        let expected = format!("at most {MAX_TRUSTED_KEYS} keys");
        let found = format!("{} keys", entries.len());
        return Err(ConfigError::OutOfRange { name: "trusted_keys", expected, found });
    }
    let read = |(place, entry): (usize, &String)| {
        let (origin, pem) = if entry.trim_start().starts_with("-----BEGIN") {
            (format!("number {} of trusted_keys", place + 1), entry.clone())
        } else {
            let path = base.join(entry);
            let pem = read_text(&path, "trusted_keys")?;
            (path.display().to_string(), pem)
        };
        PublicKey::from_pem(&pem).map_err(|source| ConfigError::TrustedKey { origin, source })
    };
    let mut keys: Vec<PublicKey> =
        entries.iter().enumerate().map(read).collect::<Result<_, _>>()?;
    keys.sort();
    keys.dedup();
    Ok(keys)
}

/// Reads the trusted roots of certificates, each the path of a `trusted_root.json`.
fn certificate_roots(paths: &[PathBuf], base: &Path) -> Result<CertificateRoots, ConfigError> {
    if !(1..=MAX_CERTIFICATE_ROOTS).contains(&paths.len()) {
        let expected = format!(
            "1 to {MAX_CERTIFICATE_ROOTS} files, or left out for the roots that ship with the program"
        );
        let found = format!("{} files", paths.len());
        return Err(ConfigError::OutOfRange { name: "certificate_roots", expected, found });
    }
    let read = |path: &PathBuf| {
        let path = base.join(path);
        let text = read_bounded(&path, "certificate_roots", trusted_root::MAX_BYTES as u64)?;
        // Strictly, as whoever verifies with the same file reads it.
        TrustedRoot::parse(text.as_bytes())
            .map_err(|source| ConfigError::TrustedRoot { path: path.clone(), source })?;
        // By its name alone: refusals tell it to whoever sent the bundle.
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok((name, text))
    };
    let texts: Vec<(String, String)> = paths.iter().map(read).collect::<Result<_, _>>()?;
    CertificateRoots::given(texts).map_err(ConfigError::CertificateRoots)
}

#[cfg(test)]
mod tests;
