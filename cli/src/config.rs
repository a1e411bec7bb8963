//! Settings: flags over `ATTESTRY_*` variables over `attestry.toml`.
//!
//! The file is `--config FILE` or `ATTESTRY_CONFIG`, else `attestry.toml` in the current folder,
//! else `attestry/attestry.toml` in the user's configuration folder; the first that is there is
//! read, alone. Its relative paths are relative to its own folder. It holds no secrets: a token
//! is in the variable `ATTESTRY_TOKEN` or in the file that `token-file` names.
//!
//! The file in the current folder may be anybody's: it comes with a checkout or an archive. So it
//! does not decide who gets a token, nor by whom a registry that it does not name is vouched for
//! ([`Settings::registry`]), nor who signs certificates ([`crate::trust::of_certificates`]), and it is told where it decides anything else of that kind.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::args::{Namespace, RegistryArgs, RegistryUrl};
use crate::io::Io;
use crate::output::{Failure, Remedy, file_fix};

/// The most bytes of a configuration file that are read.
const MAX_CONFIG_BYTES: u64 = 64 * 1024;
/// The most bytes of a token or password file that are read.
const MAX_SECRET_BYTES: u64 = 4 * 1024;

/// Why a setting was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A file is larger than anything it could hold.
    #[error("expected at most {limit_bytes} bytes in {}, found more", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound that was met.
        limit_bytes: u64,
    },
    /// The configuration file is not what it should be.
    #[error("{} is malformed: {detail}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        detail: String,
    },
    /// A variable or key has a value that cannot be.
    #[error("{name}: {detail}")]
    Value {
        /// The variable, or the file and key.
        name: String,
        /// What was expected and found.
        detail: String,
    },
    /// A token file holds nothing, or what cannot be sent.
    #[error("expected a token of visible ASCII characters in {place}, found something else")]
    Token {
        /// The variable or file.
        place: String,
    },
    /// A registry is needed and none is named.
    #[error("expected a registry, and none is named")]
    NoRegistry,
    /// A signing key is needed and none is named.
    #[error("expected a key to sign with, and none is named")]
    NoKey,
}

impl Remedy for ConfigError {
    fn fix(&self) -> Option<String> {
        Some(match self {
            Self::Unreadable { path, source } => file_fix(source, path),
            Self::TooLarge { path, .. } => format!("check that {} is what you mean", path.display()),
            Self::Malformed { .. } => {
                "the keys are registry, namespace, trusted-root, key, token-file and ca-file".to_owned()
            }
            Self::Value { name, .. } => format!("correct {name}"),
            Self::Token { place } => format!("put the token the registry gave you into {place}"),
            Self::NoRegistry => {
                "give --registry URL, or set ATTESTRY_REGISTRY or registry in attestry.toml"
                    .to_owned()
            }
            Self::NoKey => {
                "give --key FILE, or set ATTESTRY_KEY or key in attestry.toml; attestry key generate makes one"
                    .to_owned()
            }
        })
    }
}

/// What `attestry.toml` may say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    registry: Option<String>,
    namespace: Option<String>,
    trusted_root: Option<PathBuf>,
    key: Option<PathBuf>,
    token_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
}

/// What named a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A flag of this command.
    Flag,
    /// A variable of the environment.
    Environment,
    /// The user's own configuration, or a file that the user named.
    Chosen(PathBuf),
    /// `attestry.toml` in the current folder, which nobody chose.
    Folder(PathBuf),
}

/// A trusted root file, and what named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedRoot {
    /// The trusted root.
    pub(crate) path: PathBuf,
    /// What named it.
    pub(crate) source: Source,
}

/// The environment and the configuration file, read once; flags are given to each question.
#[derive(Debug)]
pub(crate) struct Settings {
    registry: Option<(RegistryUrl, Source)>,
    namespace: Option<Namespace>,
    trusted_root: Option<NamedRoot>,
    key: Option<PathBuf>,
    token_file: Option<PathBuf>,
    token: Option<Zeroizing<String>>,
    ca_file: Option<(PathBuf, Source)>,
}

/// A registry and how to reach it.
#[derive(Debug, Clone)]
pub(crate) struct Registry {
    /// Where it is.
    pub(crate) url: RegistryUrl,
    /// What named it.
    pub(crate) source: Source,
    /// What proves who we are.
    pub(crate) token: Option<Zeroizing<String>>,
    /// What holds a token that this registry is not given.
    pub(crate) withheld: Option<String>,
    /// Whether the connection may be in the clear to another machine.
    pub(crate) insecure_http: bool,
    /// Authorities by which its certificate may be vouched for, beside those that ship with this program.
    pub(crate) ca_file: Option<PathBuf>,
    /// A file of authorities that is not taken for this registry, and the configuration that names it.
    pub(crate) unused_ca_file: Option<(PathBuf, PathBuf)>,
}

impl Settings {
    /// Reads the environment and the configuration file.
    ///
    /// # Errors
    /// [`ConfigError`] when either cannot be understood.
    pub(crate) fn load(io: &Io, config: Option<&Path>) -> Result<Self, ConfigError> {
        let (file, source) = read_file(io, config)?;
        let path = match &source {
            Some(Source::Chosen(path) | Source::Folder(path)) => path.as_path(),
            _ => Path::new(""),
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        let key_of = |key: &str| format!("{key} in {}", path.display());
        let source_of = |variable: &str| match &source {
            Some(file) if io.path_variable(variable).is_none() => file.clone(),
            _ => Source::Environment,
        };
        let path_of = |variable: &str, of_file: Option<PathBuf>| {
            io.path_variable(variable).or_else(|| of_file.map(|path| folder.join(path)))
        };
        Ok(Self {
            registry: value(io, "ATTESTRY_REGISTRY", file.registry, &key_of("registry"))?
                .map(|url| (url, source_of("ATTESTRY_REGISTRY"))),
            namespace: value(io, "ATTESTRY_NAMESPACE", file.namespace, &key_of("namespace"))?,
            trusted_root: path_of("ATTESTRY_TRUSTED_ROOT", file.trusted_root)
                .map(|path| NamedRoot { path, source: source_of("ATTESTRY_TRUSTED_ROOT") }),
            key: path_of("ATTESTRY_KEY", file.key),
            token_file: path_of("ATTESTRY_TOKEN_FILE", file.token_file),
            ca_file: path_of("ATTESTRY_CA_FILE", file.ca_file)
                .map(|path| (path, source_of("ATTESTRY_CA_FILE"))),
            token: io
                .variable("ATTESTRY_TOKEN")
                .filter(|token| !token.is_empty())
                .map(Zeroizing::new),
        })
    }

    /// The registry that is named, if one is. One that nothing but the current folder's file names
    /// gets no token but that of the flag: the file could name any machine.
    ///
    /// # Errors
    /// [`ConfigError`] when its token cannot be read.
    pub(crate) fn registry(&self, flags: &RegistryArgs) -> Result<Option<Registry>, ConfigError> {
        let of_flag = flags.registry.clone().map(|url| (url, Source::Flag));
        let Some((url, source)) = of_flag.or_else(|| self.registry.clone()) else {
            return Ok(None);
        };
        let insecure_http = flags.insecure_http;
        let (ca_file, unused_ca_file) = self.ca_file(flags.ca_file.as_deref(), &source);
        let withheld = match &source {
            Source::Folder(_) if flags.token_file.is_none() => self.token_place(),
            _ => None,
        };
        let token = match &source {
            Source::Folder(_) if flags.token_file.is_none() => None,
            _ => self.token(flags.token_file.as_deref())?,
        };
        Ok(Some(Registry { url, source, token, withheld, insecure_http, ca_file, unused_ca_file }))
    }

    /// The file of authorities for a registry, and one that is not taken. Who writes the current folder's file may say
    /// by whom a registry of their own is vouched for; for any other, a token goes there.
    fn ca_file(
        &self,
        flag: Option<&Path>,
        registry: &Source,
    ) -> (Option<PathBuf>, Option<(PathBuf, PathBuf)>) {
        if let Some(path) = flag {
            return (Some(path.to_owned()), None);
        }
        match &self.ca_file {
            Some((path, Source::Folder(file))) if !matches!(registry, Source::Folder(_)) => {
                (None, Some((path.clone(), file.clone())))
            }
            named => (named.as_ref().map(|(path, _)| path.clone()), None),
        }
    }

    /// The file of authorities that was chosen for any registry. What only the current folder's file names is not.
    pub(crate) fn authorities(&self, flags: &RegistryArgs) -> Option<PathBuf> {
        let chosen =
            self.ca_file.as_ref().filter(|(_, source)| !matches!(source, Source::Folder(_)));
        flags.ca_file.clone().or_else(|| chosen.map(|(path, _)| path.clone()))
    }

    /// The registry that is named.
    ///
    /// # Errors
    /// [`ConfigError::NoRegistry`] when none is, and as [`Self::registry`].
    pub(crate) fn demand_registry(&self, flags: &RegistryArgs) -> Result<Registry, ConfigError> {
        self.registry(flags)?.ok_or(ConfigError::NoRegistry)
    }

    /// The namespace to write to.
    pub(crate) fn namespace(&self, flag: Option<&Namespace>) -> Option<Namespace> {
        flag.or(self.namespace.as_ref()).cloned()
    }

    /// The trusted root file, and what named it.
    pub(crate) fn named_root(&self, flag: Option<&Path>) -> Option<NamedRoot> {
        let of_flag = flag.map(|path| NamedRoot { path: path.to_owned(), source: Source::Flag });
        of_flag.or_else(|| self.trusted_root.clone())
    }

    /// The private key file to sign with.
    ///
    /// # Errors
    /// [`ConfigError::NoKey`] when none is named.
    pub(crate) fn demand_key(&self, flag: Option<&Path>) -> Result<PathBuf, ConfigError> {
        flag.or(self.key.as_deref()).map(Path::to_path_buf).ok_or(ConfigError::NoKey)
    }

    /// What holds the token, where no flag names a file that does.
    fn token_place(&self) -> Option<String> {
        let file = || self.token_file.as_ref().map(|path| path.display().to_string());
        self.token.as_ref().map(|_| "ATTESTRY_TOKEN".to_owned()).or_else(file)
    }

    fn token(&self, flag: Option<&Path>) -> Result<Option<Zeroizing<String>>, ConfigError> {
        let (token, place) = match (flag, &self.token, &self.token_file) {
            (Some(path), ..) => (read_secret(path)?, path.display().to_string()),
            (None, Some(token), _) => (token.clone(), "ATTESTRY_TOKEN".to_owned()),
            (None, None, Some(path)) => (read_secret(path)?, path.display().to_string()),
            (None, None, None) => return Ok(None),
        };
        let visible = !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
        if visible { Ok(Some(token)) } else { Err(ConfigError::Token { place }) }
    }
}

fn value<T: FromStr>(
    io: &Io,
    variable: &str,
    of_file: Option<String>,
    key: &str,
) -> Result<Option<T>, ConfigError>
where
    T::Err: std::fmt::Display,
{
    let of_environment = io.variable(variable).filter(|text| !text.is_empty());
    let (name, text) = match (of_environment, of_file) {
        (Some(text), _) => (variable, text),
        (None, Some(text)) => (key, text),
        (None, None) => return Ok(None),
    };
    text.parse().map(Some).map_err(|error: T::Err| ConfigError::Value {
        name: name.to_owned(),
        detail: error.to_string(),
    })
}

/// Finds and reads the configuration file. One that was named must be there.
fn read_file(io: &Io, config: Option<&Path>) -> Result<(File, Option<Source>), ConfigError> {
    let named = config.map(Path::to_path_buf).or_else(|| io.path_variable("ATTESTRY_CONFIG"));
    if let Some(path) = named {
        let file = parse_file(&path, &read_bounded(&path, MAX_CONFIG_BYTES)?)?;
        return Ok((file, Some(Source::Chosen(path))));
    }
    let user = io
        .path_variable("XDG_CONFIG_HOME")
        .or_else(|| io.path_variable("HOME").map(|home| home.join(".config")))
        .map(|folder| folder.join("attestry").join("attestry.toml"));
    let here = io.directory.join("attestry.toml");
    // Within the user's own configuration folder both are the same file.
    let here = if user.as_ref() == Some(&here) { None } else { Some(Source::Folder(here)) };
    for source in here.into_iter().chain(user.map(Source::Chosen)) {
        let (Source::Folder(path) | Source::Chosen(path)) = &source else { continue };
        match read_bounded(path, MAX_CONFIG_BYTES) {
            Ok(bytes) => return Ok((parse_file(path, &bytes)?, Some(source))),
            Err(ConfigError::Unreadable { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok((File::default(), None))
}

fn parse_file(path: &Path, bytes: &[u8]) -> Result<File, ConfigError> {
    let malformed = |detail: String| ConfigError::Malformed { path: path.to_path_buf(), detail };
    let text = std::str::from_utf8(bytes).map_err(|e| malformed(e.to_string()))?;
    toml::from_str(text)
        .map_err(|e: toml::de::Error| malformed(e.to_string().trim_end().to_owned()))
}

/// Reads a secret: the first line of a small file.
///
/// # Errors
/// [`ConfigError`] when the file cannot be read or is too large.
pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<String>, ConfigError> {
    let bytes = Zeroizing::new(read_bounded(path, MAX_SECRET_BYTES)?);
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| ConfigError::Token { place: path.display().to_string() })?;
    Ok(Zeroizing::new(text.lines().next().unwrap_or("").to_owned()))
}

/// Reads a file that may hold at most `limit_bytes`.
///
/// # Errors
/// [`ConfigError`] when it cannot be read or holds more.
pub(crate) fn read_bounded(path: &Path, limit_bytes: u64) -> Result<Vec<u8>, ConfigError> {
    use std::io::Read as _;
    let unreadable = |source| ConfigError::Unreadable { path: path.to_path_buf(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(limit_bytes + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > limit_bytes {
        return Err(ConfigError::TooLarge { path: path.to_path_buf(), limit_bytes });
    }
    Ok(bytes)
}

/// The folder that keeps state between runs (XDG Base Directory Specification).
///
/// # Errors
/// When neither `XDG_STATE_HOME` nor `HOME` is set.
pub(crate) fn state_folder(io: &Io) -> Result<PathBuf, Failure> {
    io.path_variable("XDG_STATE_HOME")
        .or_else(|| io.path_variable("HOME").map(|home| home.join(".local").join("state")))
        .map(|folder| folder.join("attestry"))
        .ok_or_else(|| {
            Failure::undecided("expected XDG_STATE_HOME or HOME to be set, found neither")
                .fix("give --state FILE")
        })
}
