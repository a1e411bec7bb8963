//! Who we are to a registry, as docker's configuration and podman's have it.
//!
//! Looked for, in this order, until one has credentials for the host: the file that `REGISTRY_AUTH_FILE` names;
//! `config.json` in `DOCKER_CONFIG`, or in `~/.docker`; podman's `containers/auth.json` in `XDG_RUNTIME_DIR` and in
//! `XDG_CONFIG_HOME`, or `~/.config`. Within one file: the host's credential helper (`credHelpers`), the one
//! for every host (`credsStore`), then what the file holds itself (`auths`).

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use attestry_schemas::base64;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::OciError;
use super::reference::Host;
use crate::config::{ConfigError, read_bounded};
use crate::io::Io;

/// The most bytes of a file of credentials, and of a helper's answer.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;
const MAX_ANSWER_BYTES: u64 = 64 * 1024;
/// The user that stands for a token, which is exchanged and never sent as a password.
const TOKEN_USER: &str = "<token>";
/// What a helper says where it has nothing for a host.
const NOT_FOUND: &str = "credentials not found in native keychain";

/// What proves who we are.
#[derive(Clone)]
pub(super) enum Login {
    /// User and password.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: Zeroizing<String>,
    },
    /// A token that the token endpoint exchanges (OAuth 2.0, `refresh_token`).
    IdentityToken(Zeroizing<String>),
    /// A token that the registry takes as it is.
    RegistryToken(Zeroizing<String>),
}

impl Login {
    /// The value of an `Authorization` header that sends user and password.
    pub(super) fn basic(user: &str, password: &str) -> Zeroizing<String> {
        let pair = Zeroizing::new(format!("{user}:{password}"));
        Zeroizing::new(format!("Basic {}", base64::encode(pair.as_bytes())))
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Login")
    }
}

/// Where credentials may be.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    files: Vec<PathBuf>,
    search: Vec<PathBuf>,
}

/// A file of credentials, as far as it is read.
#[derive(Default, Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
}

/// What a file holds for one host.
#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
struct Entry {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    identitytoken: String,
    #[serde(default)]
    registrytoken: String,
}

/// What a helper answers (docker-credential-helpers, `get`).
#[derive(Deserialize)]
struct HelperAnswer {
    #[serde(default, rename = "Username")]
    user: String,
    #[serde(default, rename = "Secret")]
    secret: String,
}

impl Credentials {
    /// The places that the environment names.
    pub(super) fn of(io: &Io) -> Self {
        let home = io.path_variable("HOME");
        let below = |folder: Option<PathBuf>, path: &str| folder.map(|folder| folder.join(path));
        let docker = io.path_variable("DOCKER_CONFIG").or_else(|| below(home.clone(), ".docker"));
        let configuration = io.path_variable("XDG_CONFIG_HOME").or_else(|| below(home, ".config"));
        let files = [
            io.path_variable("REGISTRY_AUTH_FILE"),
            below(docker, "config.json"),
            below(io.path_variable("XDG_RUNTIME_DIR"), "containers/auth.json"),
            below(configuration, "containers/auth.json"),
        ];
        let path = (io.environment)("PATH").unwrap_or_default();
        let search = std::env::split_paths(&path).collect();
        Self { files: files.into_iter().flatten().collect(), search }
    }

    /// The credentials for a repository of a host, where there are any.
    ///
    /// # Errors
    /// [`OciError::Credentials`] where a file or a helper says what cannot be understood.
    pub(super) fn find(&self, host: &Host, name: &str) -> Result<Option<Login>, OciError> {
        for path in &self.files {
            let bytes = match read_bounded(path, MAX_FILE_BYTES) {
                Ok(bytes) => Zeroizing::new(bytes),
                Err(ConfigError::Unreadable { source, .. })
                    if source.kind() == std::io::ErrorKind::NotFound =>
                {
                    continue;
                }
                Err(error) => return Err(fault(path, crate::output::chain(&error))),
            };
            let file: File = serde_json::from_slice(&bytes).map_err(|e| {
                fault(path, format!("it is malformed at line {} column {}", e.line(), e.column()))
            })?;
            if let Some(login) = self.of_file(&file, path, host, name)? {
                return Ok(Some(login));
            }
        }
        Ok(None)
    }

    fn of_file(
        &self,
        file: &File,
        path: &Path,
        host: &Host,
        name: &str,
    ) -> Result<Option<Login>, OciError> {
        let keys = host.credential_keys();
        let of_host = keys.iter().find_map(|key| file.helpers.get(key).map(|helper| (key, helper)));
        if let Some((key, helper)) = of_host {
            return self.ask(helper, key, path);
        }
        if let (Some(helper), Some(key)) =
            (file.store.as_ref().filter(|s| !s.is_empty()), keys.first())
            && let Some(login) = self.ask(helper, key, path)?
        {
            return Ok(Some(login));
        }
        // Podman's keys may name a repository or a part of its path: the longest that fits counts.
        let whole = format!("{}/{name}", host.as_str());
        let parts =
            std::iter::successors(Some(whole.as_str()), |text| Some(text.rsplit_once('/')?.0));
        let names: Vec<String> = parts.map(str::to_owned).chain(keys).collect();
        match names.iter().find_map(|key| file.auths.get(key)) {
            Some(entry) => {
                entry.login().map_err(|why| fault(path, format!("{}: {why}", host.as_str())))
            }
            None => Ok(None),
        }
    }

    /// Runs `docker-credential-NAME get`, which reads the host from its stdin.
    fn ask(&self, helper: &str, key: &str, path: &Path) -> Result<Option<Login>, OciError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if helper.is_empty() || helper.len() > 100 || !helper.bytes().all(plain) {
            return Err(fault(path, format!("it names the credential helper {helper:?}")));
        }
        let program = format!("docker-credential-{helper}");
        let found = self.search.iter().map(|folder| folder.join(&program)).find(|p| p.is_file());
        let found = found
            .ok_or_else(|| fault(path, format!("it names {program}, which is not in PATH")))?;
        let failed = |e: std::io::Error| fault(path, format!("{program} cannot be run: {e}"));
        let mut child = Command::new(&found)
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            // A helper that does not read its stdin knows without it.
            let _ = stdin.write_all(key.as_bytes());
        }
        let mut answer = Zeroizing::new(Vec::new());
        if let Some(stdout) = child.stdout.take() {
            stdout.take(MAX_ANSWER_BYTES).read_to_end(&mut answer).map_err(failed)?;
        }
        let status = child.wait().map_err(failed)?;
        if !status.success() {
            let text = String::from_utf8_lossy(&answer);
            if text.to_ascii_lowercase().contains(NOT_FOUND) {
                return Ok(None);
            }
            return Err(fault(path, format!("{program} get ended with {status} for {key}")));
        }
        let answer: HelperAnswer = serde_json::from_slice(&answer)
            .map_err(|_| fault(path, format!("{program} get answered something else than JSON")))?;
        Ok(login(answer.user, answer.secret.into()))
    }
}

impl Entry {
    fn login(&self) -> Result<Option<Login>, &'static str> {
        if !self.registrytoken.is_empty() {
            return Ok(Some(Login::RegistryToken(self.registrytoken.clone().into())));
        }
        if !self.identitytoken.is_empty() {
            return Ok(Some(Login::IdentityToken(self.identitytoken.clone().into())));
        }
        if self.auth.is_empty() {
            return Ok(login(self.username.clone(), self.password.clone().into()));
        }
        let wrong = "expected user:password in base64 in \"auth\", found something else";
        let pair = base64::decode(&self.auth, "auth").map_err(|_| wrong)?;
        let pair = Zeroizing::new(String::from_utf8(pair).map_err(|_| wrong)?);
        let (user, password) = pair.split_once(':').ok_or(wrong)?;
        // Some tools pad what is within with NUL.
        let password = password.trim_end_matches('\0').to_owned();
        Ok(login(user.to_owned(), password.into()))
    }
}

fn login(user: String, secret: Zeroizing<String>) -> Option<Login> {
    match (user.as_str(), secret.is_empty()) {
        (_, true) => None,
        (TOKEN_USER, _) => Some(Login::IdentityToken(secret)),
        _ => Some(Login::Password { user, password: secret }),
    }
}

fn fault(path: &Path, detail: String) -> OciError {
    OciError::Credentials { path: path.to_path_buf(), detail }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    struct Place {
        folder: tempfile::TempDir,
    }

    impl Place {
        fn new(config: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("config.json"), config).unwrap();
            Self { folder }
        }

        fn helper(self, name: &str, script: &str) -> Self {
            let path = self.folder.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            self
        }

        fn find(&self, host: &str, name: &str) -> Result<Option<Login>, OciError> {
            let folder = self.folder.path();
            let files = vec![folder.join("absent.json"), folder.join("config.json")];
            let search = vec![folder.to_path_buf()];
            Credentials { files, search }.find(&host.parse().unwrap(), name)
        }

        fn shown(&self, host: &str, name: &str) -> String {
            match self.find(host, name) {
                Ok(None) => "none".to_owned(),
                Ok(Some(Login::Password { user, password })) => format!("{user}:{}", *password),
                Ok(Some(Login::IdentityToken(token))) => format!("identity {}", *token),
                Ok(Some(Login::RegistryToken(token))) => format!("registry {}", *token),
                Err(error) => format!("error {error}"),
            }
        }
    }

    #[test]
    fn reads_what_docker_and_podman_write() {
        let auth = |pair: &str| base64::encode(pair.as_bytes());
        let config = serde_json::json!({ "auths": {
            "localhost:5000": { "auth": auth("ci:s3:cret") },
            "https://index.docker.io/v1/": { "auth": auth("hub:pw") },
            "a.example": { "username": "u", "password": "p" },
            "b.example": { "identitytoken": "idt", "auth": auth("x:") },
            "c.example": { "registrytoken": "rt" },
            "d.example": {},
            "e.example/pay": { "auth": auth("team:1") },
            "e.example": { "auth": auth("all:1") },
        }});
        let place = Place::new(&config.to_string());
        for (host, name, expected) in [
            ("localhost:5000", "x", "ci:s3:cret"),
            ("localhost:5001", "x", "none"),
            ("docker.io", "library/alpine", "hub:pw"),
            ("a.example", "x", "u:p"),
            ("b.example", "x", "identity idt"),
            ("c.example", "x", "registry rt"),
            ("d.example", "x", "none"),
            ("e.example", "pay/api", "team:1"),
            ("e.example", "other", "all:1"),
            ("sub.a.example", "x", "none"),
        ] {
            assert_eq!(place.shown(host, name), expected, "{host}/{name}");
        }
    }

    #[test]
    fn asks_the_helper_of_the_host_before_the_one_for_all_and_the_file() {
        let config = r#"{"credHelpers": {"a.example": "one"}, "credsStore": "all",
            "auths": {"a.example": {"username": "u", "password": "p"},
                      "c.example": {"username": "file", "password": "p"}}}"#;
        let one = r#"read host; printf '{"Username":"one","Secret":"%s"}' "$host-$1""#;
        let all = r#"read host; case $host in
            b.*) echo '{"Username":"<token>","Secret":"t"}' ;;
            x.*) exit 3 ;;
            *) echo 'credentials not found in native keychain'; exit 1 ;;
        esac"#;
        let place = Place::new(config)
            .helper("docker-credential-one", one)
            .helper("docker-credential-all", all);
        assert_eq!(place.shown("a.example", "x"), "one:a.example-get");
        assert_eq!(place.shown("b.example", "x"), "identity t");
        assert_eq!(place.shown("c.example", "x"), "file:p");
        assert_eq!(place.shown("d.example", "x"), "none");
        assert!(place.shown("x.example", "x").contains("ended with"), "a failure is told");
    }

    #[test]
    fn what_cannot_be_understood_is_an_error_that_repeats_no_secret() {
        let secret = base64::encode(b"no-colon-here");
        for config in [
            "{".to_owned(),
            "7".to_owned(),
            format!(r#"{{"auths": {{"h": {{"auth": "{secret}"}}}}}}"#),
            r#"{"auths": {"h": {"auth": "%%%"}}}"#.to_owned(),
            r#"{"credsStore": "../../bin/evil"}"#.to_owned(),
            r#"{"credsStore": "absent"}"#.to_owned(),
        ] {
            let told = Place::new(&config).shown("h", "x");
            assert!(told.starts_with("error "), "{config}: {told}");
            assert!(!told.contains(&secret) && !told.contains("no-colon"), "{told}");
        }
    }
}
