//! The data folder: where each thing of a registry lies beside its store.
//!
//! ```text
//! attestry-registry.toml   settings
//! log.key                  the log's private key: PKCS#8 PEM, mode 0600
//! tokens                   hashes of tokens, mode 0600
//! access.toml              who may do what, when it is there
//! trusted_root.json        what clients verify with
//! signing_config.json      where stock clients log
//! trusted-keys/*.pub       keys whose envelopes are accepted
//! root-keys/*.pub          keys that will publish the roster
//! db/, content/            the store
//! control.sock             while the server runs: the door for `backup`
//! ```
//!
//! The log's key lies there in the clear because the server must start unattended; whoever can read
//! it can sign checkpoints, so the folder is for its owner alone.

use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use attestry_schemas::key::{KeyError, PublicKey, SigningKey};
use attestry_schemas::signing_config::{SigningConfig, SigningConfigError};
use attestry_schemas::trusted_root::{TrustedLog, TrustedRoot, TrustedRootError};

use crate::store::durable::{self, Access};
use crate::store::{CONTENT_FOLDER, ENGINE_FOLDER, backup};
use crate::tokens::{self, Bounds, Token, Tokens, TokensError};

/// The log's private key.
pub const LOG_KEY_FILE: &str = "log.key";
/// The hashes of the tokens.
pub const TOKENS_FILE: &str = "tokens";
/// Who may do what.
pub const ACCESS_FILE: &str = "access.toml";
/// The trusted root that clients verify with.
pub const TRUSTED_ROOT_FILE: &str = "trusted_root.json";
/// The signing configuration for stock clients.
pub const SIGNING_CONFIG_FILE: &str = "signing_config.json";
/// The folder of keys whose envelopes are accepted.
pub const TRUSTED_KEYS_FOLDER: &str = "trusted-keys";
/// The folder of keys that will publish the roster.
pub const ROOT_KEYS_FOLDER: &str = "root-keys";
/// The socket of the running server.
pub const CONTROL_SOCKET: &str = "control.sock";
/// Present until `init` has finished.
pub const INIT_MARKER: &str = "INCOMPLETE-INIT";

/// What every registry has.
const PARTS: [&str; 3] = [ENGINE_FOLDER, CONTENT_FOLDER, TRUSTED_ROOT_FILE];

/// The most bytes of a key, a list of tokens or a document.
const MAX_FILE_BYTES: u64 = 4 << 20;
/// The most keys of one folder.
const MAX_KEYS: usize = 10_000;

/// Why a data folder, or a file of it, was refused.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// There is no registry in the folder.
    #[error("{0} does not hold a registry; make one with attestry-registry init --data {0} --url URL", .path.display())]
    NotThere {
        /// The folder.
        path: PathBuf,
    },
    /// A part without which there is no registry is gone.
    #[error("expected {} in the data folder {}, found no {missing}; it is damaged: restore it from a backup", PARTS.join(", "), path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
        /// The parts that are not there.
        missing: String,
    },
    /// `init` was cut short.
    #[error("{} was not finished by attestry-registry init; remove the folder and run init again", .path.display())]
    Incomplete {
        /// The folder.
        path: PathBuf,
    },
    /// The folder is a backup that was cut short.
    #[error("the data folder is refused")]
    Backup(#[source] backup::BackupError),
    /// The system refused.
    #[error("failed {action} {}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A key file does not hold a key.
    #[error("{} does not hold a PEM key of a kind that is supported", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
    /// Too many keys in one folder.
    #[error("expected at most {MAX_KEYS} keys in {}, found more", path.display())]
    TooManyKeys {
        /// The folder.
        path: PathBuf,
    },
    /// The tokens are malformed.
    #[error("{} is malformed", path.display())]
    Tokens {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: TokensError,
    },
    /// A token cannot have that name; nothing is wrong with the file.
    #[error(transparent)]
    TokenName(TokensError),
    /// The trusted root is malformed.
    #[error("{} is malformed", path.display())]
    TrustedRoot {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: TrustedRootError,
    },
    /// The signing configuration is malformed.
    #[error("{} is malformed", path.display())]
    SigningConfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: SigningConfigError,
    },
    /// Two files of the folder, or a file and a setting, do not belong together.
    #[error("expected {expected}, found {found}")]
    Mismatch {
        /// What would fit.
        expected: String,
        /// What is there.
        found: String,
    },
}

impl DataError {
    /// For `map_err`: names what was being done, and to which path.
    pub(crate) fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// A data folder that `init` has finished.
#[derive(Debug, Clone)]
pub struct DataFolder {
    path: PathBuf,
}

impl DataFolder {
    /// Opens a data folder: it must be whole.
    ///
    /// # Errors
    /// [`DataError::NotThere`], [`DataError::Missing`], [`DataError::Incomplete`] or
    /// [`DataError::Backup`].
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let is_there = |name: &str| {
            let file = path.join(name);
            file.try_exists().map_err(DataError::at("looking for", &file))
        };
        if is_there(INIT_MARKER)? {
            return Err(DataError::Incomplete { path: path.to_owned() });
        }
        backup::refuse_partial(path).map_err(DataError::Backup)?;
        let mut missing = Vec::new();
        for part in PARTS {
            if !is_there(part)? {
                missing.push(part);
            }
        }
        let (path, count) = (path.to_owned(), missing.len());
        if count == 0 {
            return Ok(Self { path });
        }
        // Where any part of a registry is, there was one, and another is not to take its place.
        if count == PARTS.len() && !is_there(TOKENS_FILE)? && !is_there(LOG_KEY_FILE)? {
            return Err(DataError::NotThere { path });
        }
        Err(DataError::Missing { path, missing: missing.join(", no ") })
    }

    /// The folder that `init` is filling.
    pub(crate) fn being_made(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file or folder of it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The log's private key.
    ///
    /// # Errors
    /// [`DataError`]; [`DataError::Mismatch`] when it is not the key of the trusted root.
    pub fn log_key(&self) -> Result<SigningKey, DataError> {
        let path = self.file(LOG_KEY_FILE);
        let mode = std::fs::metadata(&path).map_err(DataError::at("reading", &path))?;
        if mode.permissions().mode() & 0o077 != 0 {
            tracing::warn!(
                path = %path.display(),
                "others than the owner may read the log's key; make its mode 0600"
            );
        }
        let key = SigningKey::from_pkcs8_pem(&read_text(&path)?)
            .map_err(|source| DataError::Key { path: path.clone(), source })?;
        let trusted = self.log()?.key;
        if key.public_key() != &trusted {
            return Err(DataError::Mismatch {
                expected: format!("the log key {} of {TRUSTED_ROOT_FILE}", trusted.fingerprint()),
                found: format!("{} in {LOG_KEY_FILE}", key.public_key().fingerprint()),
            });
        }
        Ok(key)
    }

    /// The log that this registry keeps, as its trusted root names it.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn log(&self) -> Result<TrustedLog, DataError> {
        match self.trusted_root()?.logs() {
            [log] => Ok(log.clone()),
            logs => Err(DataError::Mismatch {
                expected: format!("one log with an Ed25519 key in {TRUSTED_ROOT_FILE}"),
                found: logs.len().to_string(),
            }),
        }
    }

    /// The trusted root that clients verify with.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn trusted_root(&self) -> Result<TrustedRoot, DataError> {
        let path = self.file(TRUSTED_ROOT_FILE);
        TrustedRoot::parse(read_text(&path)?.as_bytes())
            .map_err(|source| DataError::TrustedRoot { path, source })
    }

    /// The signing configuration for stock clients.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn signing_config(&self) -> Result<SigningConfig, DataError> {
        let path = self.file(SIGNING_CONFIG_FILE);
        SigningConfig::parse(read_text(&path)?.as_bytes())
            .map_err(|source| DataError::SigningConfig { path, source })
    }

    /// The tokens.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn tokens(&self) -> Result<Tokens, DataError> {
        let path = self.file(TOKENS_FILE);
        Tokens::parse(&read_text(&path)?).map_err(|source| DataError::Tokens { path, source })
    }

    /// Accepts a token from now on. Returns whether its name was free.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn add_token(&self, name: &str, token: &Token, bounds: &Bounds) -> Result<bool, DataError> {
        let path = self.file(TOKENS_FILE);
        let refused = |source| DataError::Tokens { path: path.clone(), source };
        tokens::check_name(name).map_err(DataError::TokenName)?;
        let mut text = read_text(&path)?;
        if Tokens::parse(&text).map_err(refused)?.all().iter().any(|known| known.name == name) {
            return Ok(false);
        }
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text += &token.line_within(name, bounds);
        // One too many would keep the server from reading the file.
        Tokens::parse(&text).map_err(refused)?;
        self.write_tokens(&text).map(|()| true)
    }

    /// Accepts the tokens of a name no longer. Returns whether there were any.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn remove_token(&self, name: &str) -> Result<bool, DataError> {
        match tokens::without(&read_text(&self.file(TOKENS_FILE))?, name) {
            Some(text) => self.write_tokens(&text).map(|()| true),
            None => Ok(false),
        }
    }

    fn write_tokens(&self, text: &str) -> Result<(), DataError> {
        let path = self.file(TOKENS_FILE);
        durable::replace_file(&path, text.as_bytes(), Access::Owner)
            .map_err(DataError::at("writing", &path))
    }

    /// The keys of [`TRUSTED_KEYS_FOLDER`], sorted.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn trusted_keys(&self) -> Result<Vec<PublicKey>, DataError> {
        keys_of(&self.file(TRUSTED_KEYS_FOLDER))
    }

    /// The keys of [`ROOT_KEYS_FOLDER`], sorted.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn root_keys(&self) -> Result<Vec<PublicKey>, DataError> {
        keys_of(&self.file(ROOT_KEYS_FOLDER))
    }

    /// Trusts a key from the next start of the server on. Returns whether it was not trusted yet.
    ///
    /// # Errors
    /// [`DataError::Io`].
    pub fn trust(&self, key: &PublicKey) -> Result<bool, DataError> {
        self.keep_key(TRUSTED_KEYS_FOLDER, key)
    }

    /// Trusts a key no longer, from the next start of the server on. Returns whether it was trusted.
    ///
    /// # Errors
    /// [`DataError::Io`].
    pub fn distrust(&self, key: &PublicKey) -> Result<bool, DataError> {
        let folder = self.file(TRUSTED_KEYS_FOLDER);
        let mut found = false;
        // By what the files hold: someone may have put a key there under a name of their own.
        for path in key_files(&folder)? {
            if read_public_key(&path)? == *key {
                std::fs::remove_file(&path).map_err(DataError::at("removing", &path))?;
                found = true;
            }
        }
        durable::sync_dir(&folder).map_err(DataError::at("syncing", &folder))?;
        Ok(found)
    }

    /// Writes a key into one of the folders of keys, under its fingerprint.
    pub(crate) fn keep_key(&self, folder: &str, key: &PublicKey) -> Result<bool, DataError> {
        let folder = self.file(folder);
        durable::create_dir(&folder).map_err(DataError::at("creating", &folder))?;
        if keys_of(&folder)?.contains(key) {
            return Ok(false);
        }
        let path = folder.join(format!("{}.pub", hex::encode(key.fingerprint().as_bytes())));
        durable::replace_file(&path, key.to_pem().as_bytes(), Access::Public)
            .map_err(DataError::at("writing", &path))?;
        Ok(true)
    }
}

/// Reads a public key from a PEM file.
///
/// # Errors
/// [`DataError::Io`] and [`DataError::Key`].
pub fn read_public_key(path: &Path) -> Result<PublicKey, DataError> {
    PublicKey::from_pem(&read_text(path)?)
        .map_err(|source| DataError::Key { path: path.to_owned(), source })
}

fn keys_of(folder: &Path) -> Result<Vec<PublicKey>, DataError> {
    let mut keys: Vec<PublicKey> =
        key_files(folder)?.iter().map(|path| read_public_key(path)).collect::<Result<_, _>>()?;
    keys.sort();
    keys.dedup();
    Ok(keys)
}

fn key_files(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(DataError::at("listing", folder))?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(DataError::at("listing", folder))?.path();
        if path.extension().is_some_and(|extension| extension == "pub") {
            files.push(path);
        }
        if files.len() > MAX_KEYS {
            return Err(DataError::TooManyKeys { path: folder.to_owned() });
        }
    }
    files.sort();
    Ok(files)
}

fn read_text(path: &Path) -> Result<String, DataError> {
    let read = || {
        let mut text = String::new();
        std::fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
        if text.len() as u64 > MAX_FILE_BYTES {
            let detail = format!("the file is larger than {MAX_FILE_BYTES} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, detail));
        }
        Ok(text)
    };
    read().map_err(DataError::at("reading", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Registry;

    #[test]
    fn a_token_is_added_once_under_a_name_and_taken_out_again() {
        let registry = Registry::new();
        let folder = registry.folder();
        let (deploy, other) = (Token::of_random([1; 32]), Token::of_random([2; 32]));
        assert!(folder.add_token("deploy", &deploy, &Bounds::default()).unwrap());
        assert!(
            !folder.add_token("deploy", &other, &Bounds::default()).unwrap(),
            "two tokens of one name"
        );
        let tokens = folder.tokens().unwrap();
        assert_eq!(tokens.find(deploy.reveal()).map(|found| found.name.as_str()), Some("deploy"));
        let names: Vec<&str> = tokens.all().iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["admin", "deploy"]);
        let refused = folder.add_token("a b", &other, &Bounds::default()).unwrap_err();
        let told = attestry_schemas::problem::chain(&refused);
        assert!(told.starts_with("expected a name of at most 100 ASCII letters"), "{told}");
        assert!(told.ends_with("for the token, found \"a b\""), "{told}");
        let mode = {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::metadata(folder.file(TOKENS_FILE)).unwrap().permissions().mode()
        };
        assert_eq!(mode & 0o777, 0o600);
        assert!(folder.remove_token("deploy").unwrap());
        assert!(!folder.remove_token("deploy").unwrap());
        assert_eq!(folder.tokens().unwrap().find(deploy.reveal()), None);
        assert_eq!(folder.tokens().unwrap().all().len(), 1);
    }

    #[test]
    fn a_part_that_is_gone_is_named_and_no_new_registry_advised() {
        for part in PARTS {
            let registry = Registry::new();
            std::fs::rename(registry.path().join(part), registry.beside("elsewhere")).unwrap();
            let refused = DataFolder::open(registry.path()).unwrap_err();
            assert!(matches!(refused, DataError::Missing { .. }), "{refused}");
            let text = refused.to_string();
            assert!(text.contains(&format!("found no {part};")), "{text}");
            assert!(text.contains("backup") && !text.contains("init"), "{text}");
        }
        let nothing = tempfile::tempdir().unwrap();
        let refused = DataFolder::open(nothing.path()).unwrap_err();
        assert!(matches!(refused, DataError::NotThere { .. }), "{refused}");
    }
}
