//! The registry over HTTP: a small blocking client with bounds on everything.
//!
//! No TLS configuration is made and no root certificate parsed for a registry without TLS.
//! Redirects are not followed, because a token would follow them.

use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use attestry_schemas::json;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, SendBody};

use crate::authorities::{self, AuthoritiesError, fix_of};
use crate::config::Registry;
use crate::output::{Exit, Remedy, printable};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the registry may be silent.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// The most bytes of an answer that are read, where the caller sets no other bound.
pub(crate) const MAX_ANSWER_BYTES: u64 = 64 * 1024 * 1024;
/// The most bytes of a problem that are read.
const MAX_PROBLEM_BYTES: u64 = 256 * 1024;
/// How often a busy registry is asked.
pub(crate) const MAX_ATTEMPTS: u32 = 5;
/// The longest wait between two attempts, whatever the registry asks for.
const MAX_PAUSE_S: u64 = 20;

/// Why the registry gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The URL is in the clear and leads to another machine.
    #[error("expected https:// for a registry on another machine, found {url}")]
    InsecureHttp {
        /// The registry.
        url: String,
    },
    /// The certificates that the registry's own is checked against cannot be used.
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
    /// The registry cannot be reached, or the connection broke.
    #[error("cannot reach {url}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// What the transport says.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The registry stayed busy.
    #[error("{url} is busy: {attempts} attempts were answered with status {status}")]
    Busy {
        /// What was asked for.
        url: String,
        /// How often.
        attempts: u32,
        /// 429 or 503.
        status: u16,
    },
    /// The registry refused, and said why.
    #[error("{url} answered {status}{problem}")]
    Problem {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What the registry says.
        problem: Problem,
    },
    /// The answer is longer than it can be.
    #[error("the answer of {url} is longer than {limit_bytes} bytes")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// The bound that was met.
        limit_bytes: u64,
    },
    /// The answer is not what the interface says.
    #[error("the answer of {url} is malformed: {detail}")]
    Malformed {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        detail: String,
    },
}

impl ClientError {
    /// Whether the same request may succeed later: nobody answered, or not for now.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Busy { .. } => true,
            Self::Problem { status, .. } => *status >= 500,
            _ => false,
        }
    }

    /// Whether it was only the token that was not accepted.
    pub(crate) fn is_unauthorized(&self) -> bool {
        self.status() == Some(401)
    }

    /// The HTTP status of a refusal.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Problem { status, .. } => Some(*status),
            _ => None,
        }
    }
}

impl Remedy for ClientError {
    /// 409 and 422 say that the registry looked and refused; all else that it could not tell. Who may not ask learns nothing (403).
    fn exit(&self) -> Exit {
        match self.status() {
            Some(409 | 422) => Exit::Refused,
            _ => Exit::Undecided,
        }
    }

    fn fix(&self) -> Option<String> {
        Some(match self {
            Self::InsecureHttp { .. } => {
                "use https://, or give --insecure-http if the network is yours".to_owned()
            }
            Self::Authorities(error) => return error.fix(),
            Self::Unreachable { source, .. } => {
                fix_of(source).unwrap_or("check the URL and that the registry runs").to_owned()
            }
            Self::Busy { .. } => "try again later".to_owned(),
            Self::Problem { status: 401, .. } => {
                "set ATTESTRY_TOKEN or give --token-file with a token of this registry".to_owned()
            }
            Self::Problem { status: 403, .. } => {
                "ask the registry's administrator for a token that may do this, or, to sign with this key, for an entry in the roster"
                    .to_owned()
            }
            Self::Problem { status: 404, .. } => {
                "check the digest, index or URL; attestry search lists what there is".to_owned()
            }
            Self::Problem { status: 300..=399, .. } => {
                "name the URL that the registry redirects to".to_owned()
            }
            Self::Problem { status: 500..=599, .. } => "see the registry's log".to_owned(),
            Self::Problem { .. } => return None,
            Self::TooLarge { .. } | Self::Malformed { .. } => {
                "check that the URL is that of an Attestry registry".to_owned()
            }
        })
    }
}

/// A problem document (RFC 9457), read leniently: whoever answers, the user should learn of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
pub(crate) struct Problem {
    /// A URI that names the kind of problem.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<String>,
    /// The kind of problem in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
    /// The HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// What happened this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
}

impl Problem {
    /// The last segment of the kind's URI, which names it.
    pub(crate) fn type_name(&self) -> Option<&str> {
        self.kind.as_deref().and_then(|uri| uri.rsplit('/').next())
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for text in [&self.title, &self.detail].into_iter().flatten() {
            write!(f, ": {}", printable(text))?;
        }
        Ok(())
    }
}

/// An answer of success.
#[derive(Debug)]
pub(crate) struct Answer {
    /// What was asked for.
    pub(crate) url: String,
    /// The whole body.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Reads the body as JSON without repeated keys, because bundles lie in it. Members that this
    /// program does not know are left alone.
    ///
    /// # Errors
    /// [`ClientError::Malformed`] when the members do not fit.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        json::read(&self.body, self.body.len(), "the answer")
            .map_err(|e| self.malformed(e.to_string()))
    }

    /// Reads the body as text.
    ///
    /// # Errors
    /// [`ClientError::Malformed`] when it is not UTF-8.
    pub(crate) fn text(&self) -> Result<&str, ClientError> {
        std::str::from_utf8(&self.body).map_err(|e| self.malformed(e.to_string()))
    }

    /// The error that this answer is not what the interface says.
    pub(crate) fn malformed(&self, detail: impl Into<String>) -> ClientError {
        ClientError::Malformed { url: self.url.clone(), detail: detail.into() }
    }
}

/// A registry that can be asked.
pub(crate) struct Client {
    agent: Agent,
    registry: Registry,
    pause: fn(Duration),
}

impl Client {
    /// Prepares to ask `registry`; connects to nothing.
    ///
    /// # Errors
    /// [`ClientError::InsecureHttp`] and [`ClientError::Authorities`].
    pub(crate) fn new(registry: Registry, pause: fn(Duration)) -> Result<Self, ClientError> {
        let url = &registry.url;
        if !url.is_tls() && !url.is_loopback() && !registry.insecure_http {
            return Err(ClientError::InsecureHttp { url: url.to_string() });
        }
        let roots = authorities::roots(registry.ca_file.as_deref())?;
        let agent = agent(url.is_tls(), url.is_loopback(), roots);
        Ok(Self { agent, registry, pause })
    }

    /// The registry's URL.
    pub(crate) fn url(&self) -> String {
        self.registry.url.to_string()
    }

    /// Asks for `path`, which starts with a slash.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) fn fetch(&self, path: &str) -> Result<Answer, ClientError> {
        self.fetch_bounded(path, MAX_ANSWER_BYTES)
    }

    /// Asks for `path` and reads at most `limit_bytes`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) fn fetch_bounded(
        &self,
        path: &str,
        limit_bytes: u64,
    ) -> Result<Answer, ClientError> {
        let url = self.registry.url.join(path);
        self.attempt(url, limit_bytes, |url| self.authorized(self.agent.get(url)).call())
    }

    /// Sends `body` to `path`. What is sent must be safe to send again.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) fn send(
        &self,
        path: &str,
        content_type: &str,
        body: &[u8],
    ) -> Result<Answer, ClientError> {
        let url = self.registry.url.join(path);
        self.attempt(url, MAX_ANSWER_BYTES, |url| {
            self.authorized(self.agent.post(url)).header("content-type", content_type).send(body)
        })
    }

    /// Puts the `bytes` bytes that `open` gives at `path`. What is put must be safe to put again.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) fn put(
        &self,
        path: &str,
        open: &dyn Fn() -> std::io::Result<File>,
        bytes: u64,
    ) -> Result<Answer, ClientError> {
        let url = self.registry.url.join(path);
        self.attempt(url, MAX_ANSWER_BYTES, |url| {
            self.authorized(self.agent.put(url))
                .header("content-type", "application/octet-stream")
                .header("content-length", bytes)
                .send(SendBody::from_reader(&mut open()?.take(bytes)))
        })
    }

    fn authorized<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.registry.token {
            Some(token) => request.header("authorization", format!("Bearer {}", token.as_str())),
            None => request,
        }
    }

    /// Asks until the registry is not busy, or [`MAX_ATTEMPTS`] times.
    fn attempt(
        &self,
        url: String,
        limit_bytes: u64,
        ask: impl Fn(&str) -> Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Answer, ClientError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let response = ask(&url).map_err(|source| ClientError::Unreachable {
                url: url.clone(),
                source: Box::new(source),
            })?;
            let status = response.status().as_u16();
            if matches!(status, 429 | 503) {
                if attempts == MAX_ATTEMPTS {
                    return Err(ClientError::Busy { url, attempts, status });
                }
                (self.pause)(pause_before_next(&response, attempts));
                continue;
            }
            return read_answer(url, response, limit_bytes);
        }
    }
}

/// What speaks HTTP: bounded in time, following no redirect, with TLS by `rustls` and certificates that `roots` vouch for. For this machine no proxy is used.
pub(crate) fn agent(tls: bool, loopback: bool, roots: RootCerts) -> Agent {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_recv_response(Some(READ_TIMEOUT))
        .timeout_per_read(Some(READ_TIMEOUT))
        .timeout_per_write(Some(READ_TIMEOUT))
        .user_agent(concat!("attestry/", env!("CARGO_PKG_VERSION")));
    if loopback {
        config = config.proxy(None);
    }
    if tls {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(roots)
            .unversioned_rustls_crypto_provider(provider);
        config = config.tls_config(tls.build());
    }
    config.build().new_agent()
}

/// What `Retry-After` asks for in seconds (RFC 9110 §10.2.3), else a wait that doubles.
pub(crate) fn pause_before_next(
    response: &ureq::http::Response<ureq::Body>,
    attempts: u32,
) -> Duration {
    let asked_s = response
        .headers()
        .get("retry-after")
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.trim().parse::<u64>().ok());
    let pause_s = asked_s.unwrap_or_else(|| 1 << attempts.min(4).saturating_sub(1));
    Duration::from_secs(pause_s.min(MAX_PAUSE_S))
}

fn read_answer(
    url: String,
    mut response: ureq::http::Response<ureq::Body>,
    limit_bytes: u64,
) -> Result<Answer, ClientError> {
    let status = response.status().as_u16();
    let success = (200..300).contains(&status);
    let limit_bytes = if success { limit_bytes } else { MAX_PROBLEM_BYTES };
    let body = response.body_mut().with_config().limit(limit_bytes).read_to_vec();
    let body = match body {
        Ok(body) => body,
        Err(ureq::Error::BodyExceedsLimit(_)) if success => {
            return Err(ClientError::TooLarge { url, limit_bytes });
        }
        Err(_) if !success => Vec::new(),
        Err(source) => return Err(ClientError::Unreachable { url, source: Box::new(source) }),
    };
    if success {
        return Ok(Answer { url, body });
    }
    let problem = serde_json::from_slice(&body).unwrap_or_else(|_| Problem {
        title: response.status().canonical_reason().map(str::to_owned),
        ..Problem::default()
    });
    Err(ClientError::Problem { url, status, problem })
}

/// Percent-encodes a value of a query (RFC 3986 §2.3: all but the unreserved characters).
pub(crate) fn query_value(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::TcpListener;

    use zeroize::Zeroizing;

    use super::*;
    use crate::args::RegistryUrl;
    use crate::config::Source;

    fn registry(url: RegistryUrl, token: Option<Zeroizing<String>>) -> Registry {
        Registry {
            url,
            source: Source::Flag,
            token,
            withheld: None,
            insecure_http: false,
            ca_file: None,
            unused_ca_file: None,
        }
    }

    /// Serves the given raw responses, one connection each, on a free port; gives the requests.
    fn serve(responses: Vec<String>) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            responses
                .into_iter()
                .map(|response| {
                    let (mut stream, _) = listener.accept().unwrap();
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    let mut request = String::new();
                    let mut length = 0;
                    loop {
                        let mut line = String::new();
                        reader.read_line(&mut line).unwrap();
                        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                            length = value.trim().parse().unwrap();
                        }
                        if line.trim().is_empty() {
                            break;
                        }
                        request.push_str(&line);
                    }
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).unwrap();
                    request.push_str(&String::from_utf8(body).unwrap());
                    stream.write_all(response.as_bytes()).unwrap();
                    request
                })
                .collect()
        });
        (url, server)
    }

    fn response(status: &str, headers: &str, body: &str) -> String {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        )
    }

    fn client(url: &str) -> Client {
        let token = Some("secret".to_owned().into());
        let registry = registry(url.parse().unwrap(), token);
        Client::new(registry, |_| {}).unwrap()
    }

    #[test]
    fn waits_for_a_busy_registry_and_sends_the_token() {
        let (url, server) = serve(vec![
            response("503 Service Unavailable", "retry-after: 1\r\n", ""),
            response("429 Too Many Requests", "", ""),
            response("200 OK", "", "{\"a\":1}"),
        ]);
        let answer = client(&url).send("/v1/x", "application/json", b"{}").unwrap();
        assert_eq!(answer.body, b"{\"a\":1}");
        for request in server.join().unwrap() {
            assert!(request.starts_with("POST /v1/x "), "{request}");
            assert!(request.to_lowercase().contains("authorization: bearer secret"), "{request}");
            assert!(request.ends_with("{}"), "{request}");
        }
    }

    #[test]
    fn gives_up_on_a_registry_that_stays_busy() {
        let busy = response("503 Service Unavailable", "", "");
        let (url, server) = serve(vec![busy; MAX_ATTEMPTS as usize]);
        let error = client(&url).fetch("/v1/x").unwrap_err();
        assert!(matches!(error, ClientError::Busy { attempts: MAX_ATTEMPTS, .. }), "{error}");
        server.join().unwrap();
    }

    #[test]
    fn tells_what_a_problem_says() {
        let body =
            r#"{"type":"x","title":"does not verify","status":422,"detail":"bad\u001b[31m"}"#;
        let (url, server) = serve(vec![response("422 Unprocessable Content", "", body)]);
        let error = client(&url).fetch("/v1/x").unwrap_err();
        assert_eq!(error.exit(), Exit::Refused);
        let text = error.to_string();
        assert!(text.ends_with("answered 422: does not verify: bad\u{fffd}[31m"), "{text}");
        server.join().unwrap();
    }

    #[test]
    fn does_not_follow_redirects() {
        let (url, server) =
            serve(vec![response("302 Found", "location: http://127.0.0.1:1/\r\n", "")]);
        assert_eq!(client(&url).fetch("/v1/x").unwrap_err().status(), Some(302));
        server.join().unwrap();
    }

    #[test]
    fn bounds_what_it_reads() {
        let (url, server) = serve(vec![response("200 OK", "", &"x".repeat(100))]);
        let error = client(&url).fetch_bounded("/v1/x", 10).unwrap_err();
        assert!(matches!(error, ClientError::TooLarge { limit_bytes: 10, .. }), "{error}");
        server.join().unwrap();
    }

    #[test]
    fn refuses_http_to_another_machine() {
        let url = "http://attest.example.com".parse().unwrap();
        let registry = registry(url, None);
        assert!(matches!(
            Client::new(registry.clone(), |_| {}),
            Err(ClientError::InsecureHttp { .. })
        ));
        assert!(Client::new(Registry { insecure_http: true, ..registry }, |_| {}).is_ok());
    }

    #[test]
    fn encodes_what_a_query_may_not_hold() {
        assert_eq!(query_value("sha256:a/b c&~"), "sha256%3Aa%2Fb%20c%26~");
    }
}
