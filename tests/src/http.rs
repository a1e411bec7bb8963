//! HTTP to a registry. Every status is an answer; only a broken connection is an error.

use std::time::Duration;

use serde_json::Value;
use ureq::Agent;
use ureq::http::HeaderMap;

/// What an answer may hold.
const MAX_ANSWER_BYTES: u64 = 256 << 20;
/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A client of one registry, which keeps its connections.
#[derive(Debug, Clone)]
pub struct Client {
    agent: Agent,
    url: String,
    token: Option<String>,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// The path with its query.
    pub path: &'a str,
    /// The headers, beside the token's.
    pub headers: Vec<(&'a str, String)>,
    /// The body; none at all when nothing.
    pub body: Option<Vec<u8>>,
}

impl<'a> Request<'a> {
    /// A request without a body.
    #[must_use]
    pub fn new(method: &'a str, path: &'a str) -> Self {
        Self { method, path, headers: Vec::new(), body: None }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Reply {
    /// A header's text; empty when there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is something else.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("expected JSON, found {e}: {}", self.text()))
    }

    /// Demands a status.
    ///
    /// # Panics
    /// When it is another.
    #[must_use]
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}

impl Client {
    /// A client of the registry at `url`.
    #[must_use]
    pub fn new(url: &str, token: Option<&str>) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(TIMEOUT))
            .build()
            .new_agent();
        Self { agent, url: url.to_owned(), token: token.map(str::to_owned) }
    }

    /// The same registry, by somebody else.
    #[must_use]
    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self::new(&self.url, token)
    }

    /// Sends a request.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn send(&self, request: &Request<'_>) -> Result<Reply, ureq::Error> {
        let url = format!("{}{}", self.url, request.path);
        let mut builder = ureq::http::Request::builder().method(request.method).uri(url);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        if let Some(token) = &self.token {
            builder = builder.header("authorization", format!("Bearer {token}"));
        }
        let response = match &request.body {
            Some(body) => self.agent.run(builder.body(body.as_slice()).unwrap()),
            None => self.agent.run(builder.body(()).unwrap()),
        };
        let mut response = response?;
        let body = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Reply { status, headers, body })
    }

    /// Asks for a path.
    ///
    /// # Panics
    /// When the connection breaks.
    #[track_caller]
    #[must_use]
    pub fn get(&self, path: &str) -> Reply {
        let reply = self.send(&Request::new("GET", path));
        reply.unwrap_or_else(|e| panic!("GET {path}: {e}"))
    }

    /// Sends JSON to a path.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn post(&self, path: &str, body: &[u8]) -> Result<Reply, ureq::Error> {
        let request = Request::new("POST", path).header("content-type", "application/json");
        self.send(&request.body(body))
    }

    /// Submits one attestation.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn submit(&self, document: &[u8]) -> Result<Reply, ureq::Error> {
        self.post("/v1/attestations", document)
    }

    /// Stores content.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn store(&self, digest: &str, content: &[u8]) -> Result<Reply, ureq::Error> {
        let path = format!("/v1/content/{digest}");
        let request = Request::new("PUT", &path).header("content-type", "application/octet-stream");
        self.send(&request.body(content))
    }
}
