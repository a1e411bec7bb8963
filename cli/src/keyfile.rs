//! Key files: where passwords come from, how keys are made, written and read.
//!
//! What the files hold is `attestry_schemas::key`'s business. Randomness enters here.

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use attestry_schemas::key::encrypted::KeyFileError;
use attestry_schemas::key::{self, KeyType, PublicKey, SigningKey};
use zeroize::Zeroizing;

use crate::args::PasswordArgs;
use crate::config;
use crate::output::{Exit, Failure, Remedy, Session, file_fix};

/// The most bytes of a key file that are read.
const MAX_KEY_FILE_BYTES: u64 = 64 * 1024;
/// Only the owner may read a private key.
const PRIVATE_MODE: u32 = 0o600;
/// Everyone may read a public key.
const PUBLIC_MODE: u32 = 0o644;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// A key file cannot be read or written.
    #[error("cannot {doing} {}", path.display())]
    File {
        /// Read or write.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A file is larger than a key can be.
    #[error("expected a key in {place}, found more than {MAX_KEY_FILE_BYTES} bytes")]
    TooLarge {
        /// The file.
        place: String,
    },
    /// A file that must not be overwritten is there.
    #[error("expected no file {}, found one", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file holds no key of the kind that was asked for.
    #[error("expected {expected} in {place}")]
    Form {
        /// What kind of key.
        expected: &'static str,
        /// The file.
        place: String,
        /// What the parser says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A public key was wanted and a private one named.
    #[error("expected a public key in {place}, found a private key")]
    Private {
        /// The file.
        place: String,
    },
    /// A private key was wanted and a public one named.
    #[error("expected a private key in {place}, found a public key")]
    Public {
        /// The file.
        place: String,
    },
    /// The password does not open the file.
    #[error("the password does not open {place}")]
    Password {
        /// The file.
        place: String,
    },
    /// A password is needed, and there is nobody to ask.
    #[error("expected a password for {place}, and there is no terminal to ask on")]
    NoPassword {
        /// The file.
        place: String,
    },
    /// The file that should hold a new key's password holds none.
    #[error("expected a password in the first line of {}, found nothing", path.display())]
    EmptyPassword {
        /// The file.
        path: PathBuf,
    },
    /// The two passwords that were typed differ.
    #[error("expected the same password twice, found two")]
    Mismatch,
    /// The terminal could not be asked.
    #[error("cannot ask for a password")]
    Prompt {
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The system gave no randomness, or the library no key.
    #[error("cannot make a {what}")]
    Generate {
        /// What was to be made.
        what: &'static str,
    },
}

impl Remedy for KeyError {
    fn exit(&self) -> Exit {
        Exit::Undecided
    }

    fn fix(&self) -> Option<String> {
        Some(match self {
            Self::File { path, source, .. } => file_fix(source, path),
            Self::TooLarge { place } => format!("check that {place} is what you mean"),
            Self::Exists { .. } => "choose another --out, or give --force to overwrite".to_owned(),
            Self::Form { .. } => {
                "name a P-256 or Ed25519 key: a public one as PEM PUBLIC KEY, a private one as PEM of PKCS#8 or cosign's key file; attestry key generate makes both"
                    .to_owned()
            }
            Self::Private { .. } => "name the .pub file".to_owned(),
            Self::Public { .. } => "name the .key file".to_owned(),
            Self::Password { .. } => {
                "check ATTESTRY_PASSWORD or the --password-file, or type it again".to_owned()
            }
            Self::NoPassword { .. } => {
                "give --password-file FILE, or set ATTESTRY_PASSWORD (which may be empty)"
                    .to_owned()
            }
            Self::EmptyPassword { .. } => {
                "write the password into it; for a key without one, set ATTESTRY_PASSWORD to nothing and leave --password-file out"
                    .to_owned()
            }
            Self::Mismatch => "type the same password twice".to_owned(),
            Self::Prompt { .. } => "give --password-file FILE, or set ATTESTRY_PASSWORD".to_owned(),
            Self::Generate { .. } => return None,
        })
    }
}

/// The names of a key pair's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PairPaths {
    /// `NAME.key`
    pub(crate) private: PathBuf,
    /// `NAME.pub`
    pub(crate) public: PathBuf,
}

impl PairPaths {
    /// The files of the pair `name`.
    pub(crate) fn of(name: &Path) -> Self {
        let with = |extension: &str| {
            let mut path = name.as_os_str().to_os_string();
            path.push(extension);
            PathBuf::from(path)
        };
        Self { private: with(".key"), public: with(".pub") }
    }

    /// Refuses files that are there, before anybody types a password for nothing.
    ///
    /// # Errors
    /// [`KeyError::Exists`].
    pub(crate) fn demand_absent(&self) -> Result<(), KeyError> {
        for path in [&self.private, &self.public] {
            if path.symlink_metadata().is_ok() {
                return Err(KeyError::Exists { path: path.clone() });
            }
        }
        Ok(())
    }
}

/// Makes a new signing key.
///
/// # Errors
/// [`KeyError::Generate`].
pub(crate) fn generate(key_type: KeyType) -> Result<SigningKey, KeyError> {
    let fail = || KeyError::Generate { what: "key" };
    match key_type {
        KeyType::P256 => {
            use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
            let pair =
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(|_| fail())?;
            let der = pair.to_pkcs8v1().map_err(|_| fail())?;
            SigningKey::from_pkcs8_der(der.as_ref()).map_err(|_| fail())
        }
        KeyType::Ed25519 => Ok(SigningKey::from_ed25519_seed(random()?)),
    }
}

/// Writes a key pair: the private half encrypted, mode 0600. Nothing is overwritten without `force`.
///
/// # Errors
/// [`KeyError`] when a file is there or cannot be written.
pub(crate) fn write_pair(
    key: &SigningKey,
    paths: &PairPaths,
    password: &[u8],
    force: bool,
) -> Result<(), KeyError> {
    let pem = key::encrypted::encrypt(key, password, random()?, random()?);
    write_new(&paths.private, pem.as_bytes(), PRIVATE_MODE, force)?;
    let public = key.public_key().to_pem();
    write_new(&paths.public, public.as_bytes(), PUBLIC_MODE, force)
}

fn write_new(path: &Path, bytes: &[u8], mode: u32, force: bool) -> Result<(), KeyError> {
    let fail = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AlreadyExists => KeyError::Exists { path: path.to_path_buf() },
        _ => KeyError::File { doing: "write", path: path.to_path_buf(), source },
    };
    if force {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(fail(error)),
            _ => {}
        }
    }
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(fail)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fail)
}

/// Random bytes of the system.
///
/// # Errors
/// [`KeyError::Generate`].
pub(crate) fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| KeyError::Generate { what: "random number" })?;
    Ok(bytes)
}

/// The text of a key file.
pub(crate) struct KeyText {
    /// Where it is from.
    pub(crate) place: String,
    text: Zeroizing<String>,
}

/// What a key file holds, by its PEM label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyFileKind {
    /// A public key.
    Public,
    /// A private key under a password.
    Encrypted,
    /// A private key that lies open.
    Plain,
}

impl KeyText {
    /// Reads a key file, or stdin for `-`.
    ///
    /// # Errors
    /// When it cannot be read, is too large, or is not text.
    pub(crate) fn read(path: &Path, session: &mut Session) -> Result<Self, Failure> {
        let mut bytes = Zeroizing::new(Vec::new());
        let fail = |source| KeyError::File { doing: "read", path: path.to_path_buf(), source };
        let (place, read) = if path == Path::new("-") {
            let stdin = session.stdin()?;
            ("stdin".to_owned(), stdin.take(MAX_KEY_FILE_BYTES + 1).read_to_end(&mut bytes))
        } else {
            let file = std::fs::File::open(path).map_err(fail)?;
            let read = file.take(MAX_KEY_FILE_BYTES + 1).read_to_end(&mut bytes);
            (path.display().to_string(), read)
        };
        read.map_err(fail)?;
        if bytes.len() as u64 > MAX_KEY_FILE_BYTES {
            return Err(KeyError::TooLarge { place }.into());
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(Self { place, text: Zeroizing::new(text.to_owned()) }),
            Err(source) => {
                let source = Box::new(source);
                Err(KeyError::Form { expected: "a PEM key", place, source }.into())
            }
        }
    }

    /// What the file says it holds.
    pub(crate) fn kind(&self) -> KeyFileKind {
        if self.text.contains("-----BEGIN ENCRYPTED ") {
            KeyFileKind::Encrypted
        } else if self.text.contains("PRIVATE KEY-----") {
            KeyFileKind::Plain
        } else {
            KeyFileKind::Public
        }
    }

    /// Reads a public key.
    ///
    /// # Errors
    /// [`KeyError::Private`] or [`KeyError::Form`].
    pub(crate) fn public(&self) -> Result<PublicKey, KeyError> {
        if self.kind() != KeyFileKind::Public {
            return Err(KeyError::Private { place: self.place.clone() });
        }
        PublicKey::from_pem(&self.text).map_err(|source| KeyError::Form {
            expected: "a public key (PEM, SubjectPublicKeyInfo, P-256 or Ed25519)",
            place: self.place.clone(),
            source: Box::new(source),
        })
    }

    /// Reads a private key that lies open.
    ///
    /// # Errors
    /// [`KeyError::Form`].
    pub(crate) fn open_plain(self) -> Result<SigningKey, KeyError> {
        LockedKey { text: self, password: None }.unlock()
    }

    /// Takes the file for a private key and gets the password it needs, without opening it yet.
    ///
    /// # Errors
    /// [`KeyError::Public`], and as [`password`].
    pub(crate) fn private(
        self,
        session: &mut Session,
        flags: &PasswordArgs,
    ) -> Result<LockedKey, Failure> {
        let password = match self.kind() {
            KeyFileKind::Public => return Err(KeyError::Public { place: self.place }.into()),
            KeyFileKind::Plain => None,
            KeyFileKind::Encrypted => Some(password(session, flags, &self.place)?),
        };
        if password.is_none() {
            session.warn(format!(
                "{} is not encrypted; attestry key import keeps it under a password",
                self.place
            ));
        }
        Ok(LockedKey { text: self, password })
    }
}

/// A private key that is ready to be opened, which takes a part of a second.
pub(crate) struct LockedKey {
    text: KeyText,
    password: Option<Zeroizing<String>>,
}

impl LockedKey {
    /// Opens the key.
    ///
    /// # Errors
    /// [`KeyError::Password`] or [`KeyError::Form`].
    pub(crate) fn unlock(&self) -> Result<SigningKey, KeyError> {
        let place = || self.text.place.clone();
        let form = |source: Box<dyn std::error::Error + Send + Sync>| KeyError::Form {
            expected: "a private key (cosign's key file, or PKCS#8, of P-256 or Ed25519)",
            place: place(),
            source,
        };
        let password = self.password.as_ref().map(|password| password.as_bytes());
        key::encrypted::open(&self.text.text, password).map_err(|error| match error {
            KeyFileError::WrongPassword => KeyError::Password { place: place() },
            other => form(Box::new(other)),
        })
    }
}

/// The password of an existing file: `--password-file`, `ATTESTRY_PASSWORD`, or asked for.
///
/// # Errors
/// [`KeyError::NoPassword`] where nobody can be asked.
pub(crate) fn password(
    session: &mut Session,
    flags: &PasswordArgs,
    place: &str,
) -> Result<Zeroizing<String>, Failure> {
    if let Some(password) = given_password(session, flags)? {
        return Ok(password);
    }
    Ok(ask(session, &format!("Password for {place}: "), place)?)
}

/// The password for a new file, typed twice where it is asked for. A file without one is refused,
/// because a secret that was not delivered looks the same; an empty variable is taken at its word.
///
/// # Errors
/// As [`password`], and [`KeyError::EmptyPassword`] or [`KeyError::Mismatch`].
pub(crate) fn new_password(
    session: &mut Session,
    flags: &PasswordArgs,
    place: &str,
) -> Result<Zeroizing<String>, Failure> {
    if let Some(password) = given_password(session, flags)? {
        return match &flags.password_file {
            Some(path) if password.is_empty() => {
                Err(KeyError::EmptyPassword { path: path.clone() }.into())
            }
            _ => Ok(password),
        };
    }
    let first = ask(session, &format!("Password for {place}: "), place)?;
    let second = ask(session, "The same password again: ", place)?;
    if first != second {
        return Err(KeyError::Mismatch.into());
    }
    Ok(first)
}

fn given_password(
    session: &Session,
    flags: &PasswordArgs,
) -> Result<Option<Zeroizing<String>>, Failure> {
    if let Some(path) = &flags.password_file {
        return Ok(Some(config::read_secret(path)?));
    }
    Ok(session.io.variable("ATTESTRY_PASSWORD").map(Zeroizing::new))
}

fn ask(session: &mut Session, text: &str, place: &str) -> Result<Zeroizing<String>, KeyError> {
    let Some(prompt) = session.io.prompt.as_mut() else {
        return Err(KeyError::NoPassword { place: place.to_owned() });
    };
    prompt(text).map(Zeroizing::new).map_err(|source| KeyError::Prompt { source })
}
