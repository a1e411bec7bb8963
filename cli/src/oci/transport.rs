//! Requests to one registry.
//!
//! Credentials go to the registry they are for and to no other: not over a redirect, not to an upload's location or a
//! page's link on another host, and to a token endpoint only where it shares the registry's domain. A challenge is
//! answered once; a second 401 is a refusal. Every wait, redirect and answer is bounded.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Read;
use std::rc::Rc;
use std::time::Duration;

use serde::Deserialize;
use ureq::http::request::Builder;
use ureq::http::{HeaderMap, Method, Request as HttpRequest, Response};
use ureq::tls::RootCerts;
use ureq::{Agent, Body, SendBody};
use zeroize::Zeroizing;

use super::OciError;
use super::challenge::Challenge;
use super::credentials::{Credentials, Login};
use super::reference::{Host, is_loopback};
use crate::client::{self, MAX_ATTEMPTS, pause_before_next, query_value};

/// The most redirects that one request follows.
const MAX_REDIRECTS: usize = 5;
/// The most bytes of a refusal, and of a token endpoint's answer, that are read.
const MAX_REFUSAL_BYTES: u64 = 64 * 1024;
/// The most characters that an error repeats of what a registry says.
const MAX_TOLD_CHARS: usize = 500;
/// The user that a token of an Attestry registry is sent for; any is taken.
const TOKEN_USER: &str = "attestry";

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) tls: bool,
    pub(super) authority: String,
    /// Path and query.
    pub(super) path: String,
}

impl Target {
    /// Reads a URL, absolute or relative to `self` (RFC 3986 §5.2, without dots in paths).
    pub(super) fn join(&self, text: &str) -> Option<Self> {
        if text.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return None;
        }
        if let Some(rest) = text.strip_prefix("//") {
            return self.join(&format!("{}://{rest}", self.scheme()));
        }
        if text.starts_with('/') {
            return Some(Self { path: text.to_owned(), ..self.clone() });
        }
        if text.contains("://") {
            let uri: ureq::http::Uri = text.parse().ok()?;
            let tls = match uri.scheme_str()? {
                "https" => true,
                "http" => false,
                _ => return None,
            };
            let authority = uri.authority()?.as_str().to_ascii_lowercase();
            let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
            return (!authority.contains('@')).then_some(Self { tls, authority, path });
        }
        let folder = self.path.split('?').next().unwrap_or_default().rsplit_once('/')?.0;
        Some(Self { path: format!("{folder}/{text}"), ..self.clone() })
    }

    fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    fn url(&self) -> String {
        format!("{}://{}{}", self.scheme(), self.authority, self.path)
    }

    /// The URL without its query, which may hold a secret.
    pub(super) fn shown(&self) -> String {
        let url = self.url();
        url.split('?').next().unwrap_or_default().to_owned()
    }

    /// The host without its port.
    fn host(&self) -> &str {
        host_of(&self.authority)
    }
}

fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// What is sent with a request.
pub(super) enum Sent<'a> {
    Nothing,
    Bytes(&'a [u8]),
    /// As many bytes as are named, from a stream that is opened for every attempt.
    Stream(&'a dyn Fn() -> Result<Box<dyn Read>, OciError>, u64),
}

/// One request.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    /// Path and query at the registry.
    pub(super) path: String,
    pub(super) accept: Option<&'a str>,
    pub(super) content_type: Option<&'a str>,
    pub(super) body: Sent<'a>,
    /// What a token must allow, such as `repository:pay/api:pull`.
    pub(super) scopes: &'a [String],
}

/// An answer of any status.
pub(super) struct Reply {
    pub(super) target: Target,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
    authenticated: bool,
}

impl Reply {
    /// A header, where it is there and is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The URL, as it may be told.
    pub(super) fn url(&self) -> String {
        self.target.shown()
    }

    /// Demands one of these statuses.
    pub(super) fn demand(self, expected: &[u16]) -> Result<Self, OciError> {
        if expected.contains(&self.status) { Ok(self) } else { Err(self.refused()) }
    }

    /// The refusal that this answer is, with what the registry says of it.
    pub(super) fn refused(mut self) -> OciError {
        let (url, status, authenticated) = (self.url(), self.status, self.authenticated);
        let body = self.body.with_config().limit(MAX_REFUSAL_BYTES).read_to_vec();
        let message = body.map(|body| message(&body)).unwrap_or_default();
        OciError::Refused { url, status, message, authenticated }
    }

    /// The whole body, where it has at most `limit_bytes`.
    pub(super) fn bytes(mut self, limit_bytes: u64) -> Result<(Self, Vec<u8>), OciError> {
        let url = self.url();
        match self.body.with_config().limit(limit_bytes).read_to_vec() {
            Ok(bytes) => Ok((self, bytes)),
            Err(ureq::Error::BodyExceedsLimit(_)) => {
                let detail = format!("it is longer than {limit_bytes} bytes");
                Err(OciError::Malformed { url, detail })
            }
            Err(source) => Err(OciError::Unreachable { url, source: Box::new(source) }),
        }
    }
}

/// The messages of the specification's error body, else the beginning of its text.
fn message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<OneError>,
    }
    #[derive(Deserialize)]
    struct OneError {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let text = match serde_json::from_slice::<Errors>(body) {
        Ok(Errors { errors }) => {
            let texts = errors.iter().take(3).map(|e| format!("{}: {}", e.code, e.message));
            texts.collect::<Vec<_>>().join("; ")
        }
        Err(_) => String::from_utf8_lossy(body).trim().to_owned(),
    };
    text.chars().take(MAX_TOLD_CHARS).collect()
}

/// What is known of how a registry wants to be asked.
#[derive(Default)]
struct Known {
    login: Option<Option<Login>>,
    /// What every request carries, where the registry asked for user and password.
    basic: Option<Zeroizing<String>>,
    /// What requests of a scope carry.
    bearer: BTreeMap<String, Zeroizing<String>>,
}

/// One registry.
pub(super) struct Transport {
    host: Host,
    base: Target,
    agent: Agent,
    roots: RootCerts,
    credentials: Rc<Credentials>,
    token: Option<Zeroizing<String>>,
    pause: fn(Duration),
    known: RefCell<Known>,
}

impl Transport {
    /// Prepares to ask a registry; connects to nothing.
    pub(super) fn new(
        host: Host,
        tls: bool,
        roots: RootCerts,
        credentials: Rc<Credentials>,
        token: Option<Zeroizing<String>>,
        pause: fn(Duration),
    ) -> Self {
        let authority = host.authority().to_owned();
        let agent = client::agent(tls, host.is_loopback(), roots.clone());
        let base = Target { tls, authority, path: "/".to_owned() };
        Self { host, base, agent, roots, credentials, token, pause, known: RefCell::default() }
    }

    /// The host.
    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    /// Where a path of this registry is.
    pub(super) fn at(&self, path: &str) -> Target {
        Target { path: path.to_owned(), ..self.base.clone() }
    }

    /// The URL of the registry, without a slash at its end.
    pub(super) fn origin(&self) -> String {
        format!("{}://{}", self.base.scheme(), self.base.authority)
    }

    /// Where a registry's answer points, which must be itself. Its scheme is ours: a registry behind a proxy may not
    /// know that it is spoken to over TLS.
    pub(super) fn own_path(&self, from: &Target, text: &str) -> Result<String, OciError> {
        let url = from.shown();
        let malformed = || OciError::Malformed {
            url: url.clone(),
            detail: format!("{:?} is no URL", text.chars().take(200).collect::<String>()),
        };
        let target = from.join(text).ok_or_else(malformed)?;
        if target.authority == self.base.authority {
            return Ok(target.path);
        }
        let why = "expected a URL of the registry itself";
        Err(OciError::Elsewhere { url, to: target.shown(), why })
    }

    /// The secret that proves who we are to this registry, where it is one that is sent as it is.
    pub(super) fn secret(&self, name: &str) -> Result<Option<Zeroizing<String>>, OciError> {
        Ok(self.login(name)?.and_then(|login| match login {
            Login::Password { password, .. } => Some(password),
            Login::RegistryToken(token) => Some(token),
            Login::IdentityToken(_) => None,
        }))
    }

    /// Asks; a challenge is answered once.
    ///
    /// # Errors
    /// [`OciError`]; an answer of another status than 401 is none.
    pub(super) fn run(&self, request: &Request<'_>, name: &str) -> Result<Reply, OciError> {
        let scope = request.scopes.join(" ");
        let known = {
            let known = self.known.borrow();
            known.basic.clone().or_else(|| known.bearer.get(&scope).cloned())
        };
        let reply = self.follow(request, known.as_ref())?;
        if reply.status != 401 || reply.target.authority != self.base.authority {
            return Ok(reply);
        }
        let lines: Vec<String> = reply
            .headers
            .get_all("www-authenticate")
            .iter()
            .filter_map(|value| value.to_str().ok().map(str::to_owned))
            .collect();
        let challenges = Challenge::parse(lines.iter().map(String::as_str));
        // Who sent user and password has nothing else to say; a token may have run out.
        if known.is_some() && self.known.borrow().basic.is_some() {
            return Ok(reply);
        }
        let Some(answer) = self.answer(&challenges, request.scopes, name)? else {
            return Ok(reply);
        };
        self.follow(request, Some(&answer))
    }

    /// What answers a challenge; nothing where we have nothing to say.
    fn answer(
        &self,
        challenges: &[Challenge],
        scopes: &[String],
        name: &str,
    ) -> Result<Option<Zeroizing<String>>, OciError> {
        let login = self.login(name)?;
        if let Some(Login::RegistryToken(token)) = &login {
            let value = Zeroizing::new(format!("Bearer {}", token.as_str()));
            self.known.borrow_mut().basic = Some(value.clone());
            return Ok(Some(value));
        }
        let bearer = challenges.iter().find(|c| matches!(c, Challenge::Bearer { .. }));
        if let Some(Challenge::Bearer { realm, service, scope }) = bearer {
            let mut wanted = scopes.to_vec();
            let further = scope.iter().flat_map(|scope| scope.split(' ')).map(str::to_owned);
            for scope in further.filter(|scope| !scope.is_empty()) {
                if !wanted.iter().any(|one| covers(one, &scope)) {
                    wanted.push(scope);
                }
            }
            let token = self.exchange(realm, service.as_deref(), &wanted, login.as_ref())?;
            let value = Zeroizing::new(format!("Bearer {}", token.as_str()));
            self.known.borrow_mut().bearer.insert(scopes.join(" "), value.clone());
            return Ok(Some(value));
        }
        match (challenges.contains(&Challenge::Basic), login) {
            (true, Some(Login::Password { user, password })) => {
                let value = Login::basic(&user, &password);
                self.known.borrow_mut().basic = Some(value.clone());
                Ok(Some(value))
            }
            _ => Ok(None),
        }
    }

    /// The credentials for this registry, looked up once. A token that was given for it goes before what a file holds.
    fn login(&self, name: &str) -> Result<Option<Login>, OciError> {
        if let Some(token) = &self.token {
            let (user, password) = (TOKEN_USER.to_owned(), token.clone());
            return Ok(Some(Login::Password { user, password }));
        }
        if let Some(login) = &self.known.borrow().login {
            return Ok(login.clone());
        }
        let login = self.credentials.find(&self.host, name)?;
        self.known.borrow_mut().login = Some(login.clone());
        Ok(login)
    }

    /// Has the token endpoint give a token, for our credentials where it may know them.
    fn exchange(
        &self,
        realm: &str,
        service: Option<&str>,
        scopes: &[String],
        login: Option<&Login>,
    ) -> Result<Zeroizing<String>, OciError> {
        let asked = self.at("/v2/");
        let absolute = realm.contains("://").then(|| asked.join(realm)).flatten();
        let mut target = absolute.ok_or_else(|| OciError::Malformed {
            url: asked.shown(),
            detail: "the realm of its challenge is no URL".to_owned(),
        })?;
        let same_host = target.host() == self.base.host();
        if !target.tls && (self.base.tls || !(same_host || is_loopback(&target.authority))) {
            let why = "expected https:// for an endpoint that gives tokens";
            return Err(OciError::Elsewhere { url: asked.shown(), to: target.shown(), why });
        }
        // A registry must not have what is its own sent to a stranger.
        let login = login.filter(|_| {
            same_host || (self.token.is_none() && same_domain(target.host(), self.base.host()))
        });
        let mut query: Vec<(&str, &str)> =
            service.map(|service| ("service", service)).into_iter().collect();
        query.extend(scopes.iter().map(|scope| ("scope", scope.as_str())));
        let mut authorization = None;
        let mut form = None;
        match login {
            Some(Login::IdentityToken(token)) => {
                query.extend([("grant_type", "refresh_token"), ("client_id", "attestry")]);
                query.push(("refresh_token", token.as_str()));
                form = Some(Zeroizing::new(encoded(&query)));
            }
            Some(Login::Password { user, password }) => {
                authorization = Some(Login::basic(user, password));
            }
            Some(Login::RegistryToken(_)) | None => {}
        }
        if form.is_none() {
            let mark = if target.path.contains('?') { '&' } else { '?' };
            target.path = format!("{}{mark}{}", target.path, encoded(&query));
        }
        let request = Request {
            method: if form.is_some() { Method::POST } else { Method::GET },
            path: target.path.clone(),
            accept: Some("application/json"),
            content_type: form.as_ref().map(|_| "application/x-www-form-urlencoded"),
            body: form.as_ref().map_or(Sent::Nothing, |form| Sent::Bytes(form.as_bytes())),
            scopes: &[],
        };
        let reply = self.patiently(&request, &target, authorization.as_ref())?;
        let url = target.shown();
        if reply.status != 200 {
            let status = reply.status;
            let message = match reply.refused() {
                OciError::Refused { message, .. } => message,
                error => error.to_string(),
            };
            let sent = if login.is_some() { "" } else { ", without credentials" };
            return Err(OciError::Token {
                url,
                detail: format!("status {status}{sent} {message}"),
            });
        }
        let (_, bytes) = reply.bytes(MAX_REFUSAL_BYTES)?;
        token_of(&Zeroizing::new(bytes)).ok_or_else(|| OciError::Token {
            url,
            detail: "expected JSON with a token of visible ASCII characters".to_owned(),
        })
    }

    /// Asks, and follows where a registry keeps its bytes elsewhere: reading alone, and without credentials there.
    fn follow(
        &self,
        request: &Request<'_>,
        authorization: Option<&Zeroizing<String>>,
    ) -> Result<Reply, OciError> {
        let mut target = self.at(&request.path);
        let reads = matches!(request.method, Method::GET | Method::HEAD);
        for _ in 0..=MAX_REDIRECTS {
            let at_home = target.authority == self.base.authority && target.tls == self.base.tls;
            let mut reply = self.patiently(request, &target, authorization.filter(|_| at_home))?;
            reply.authenticated = authorization.is_some();
            let moved = matches!(reply.status, 301 | 302 | 303 | 307 | 308);
            let Some(location) = reply.header("location").filter(|_| moved && reads) else {
                return Ok(reply);
            };
            let next = target.join(location).ok_or_else(|| OciError::Malformed {
                url: target.shown(),
                detail: "it redirects to what is no URL".to_owned(),
            })?;
            if self.base.tls && !next.tls {
                let (url, to) = (target.shown(), next.shown());
                let why = "a redirect from https:// to http:// is not followed";
                return Err(OciError::Elsewhere { url, to, why });
            }
            if is_loopback(&next.authority) && !is_loopback(&self.base.authority) {
                let (url, to) = (target.shown(), next.shown());
                let why = "a redirect from another machine to this one is not followed";
                return Err(OciError::Elsewhere { url, to, why });
            }
            target = next;
        }
        let url = self.at(&request.path).shown();
        let detail = format!("it redirects more than {MAX_REDIRECTS} times");
        Err(OciError::Malformed { url, detail })
    }

    /// Asks until the registry is not busy, or [`MAX_ATTEMPTS`] times.
    fn patiently(
        &self,
        request: &Request<'_>,
        target: &Target,
        authorization: Option<&Zeroizing<String>>,
    ) -> Result<Reply, OciError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let response = self.once(request, target, authorization)?;
            let status = response.status().as_u16();
            if matches!(status, 429 | 503) {
                if attempts == MAX_ATTEMPTS {
                    return Err(OciError::Busy { url: target.shown(), attempts, status });
                }
                (self.pause)(pause_before_next(&response, attempts));
                continue;
            }
            let (parts, body) = response.into_parts();
            let (target, headers) = (target.clone(), parts.headers);
            return Ok(Reply { target, status, headers, body, authenticated: false });
        }
    }

    fn once(
        &self,
        request: &Request<'_>,
        target: &Target,
        authorization: Option<&Zeroizing<String>>,
    ) -> Result<Response<Body>, OciError> {
        let mut builder = HttpRequest::builder().method(request.method.clone()).uri(target.url());
        let headers = [("accept", request.accept), ("content-type", request.content_type)];
        for (name, value) in headers {
            if let Some(value) = value {
                builder = builder.header(name, value);
            }
        }
        if let Some(value) = authorization {
            builder = builder.header("authorization", value.as_str());
        }
        match &request.body {
            Sent::Nothing => self.send(builder, SendBody::none(), target),
            Sent::Bytes(sent) => {
                let mut bytes = *sent;
                let builder = builder.header("content-length", sent.len());
                self.send(builder, SendBody::from_reader(&mut bytes), target)
            }
            Sent::Stream(open, length) => {
                let mut stream = open()?.take(*length);
                let builder = builder.header("content-length", *length);
                self.send(builder, SendBody::from_reader(&mut stream), target)
            }
        }
    }

    fn send(
        &self,
        builder: Builder,
        body: SendBody<'_>,
        target: &Target,
    ) -> Result<Response<Body>, OciError> {
        let url = target.shown();
        let malformed = |detail: String| OciError::Malformed { url: url.clone(), detail };
        let request = builder.body(body).map_err(|e| malformed(e.to_string()))?;
        let elsewhere = target.authority != self.base.authority || target.tls != self.base.tls;
        let answered = match elsewhere {
            true => {
                let (tls, loopback) = (target.tls, is_loopback(&target.authority));
                client::agent(tls, loopback, self.roots.clone()).run(request)
            }
            false => self.agent.run(request),
        };
        answered.map_err(|source| OciError::Unreachable { url, source: Box::new(source) })
    }
}

/// Whether what a token allows by `held` is all that `asked` names.
fn covers(held: &str, asked: &str) -> bool {
    let split =
        |scope: &str| scope.rsplit_once(':').map(|(of, what)| (of.to_owned(), what.to_owned()));
    match (split(held), split(asked)) {
        (Some((held_of, held)), Some((asked_of, asked))) => {
            held_of == asked_of && asked.split(',').all(|one| held.split(',').any(|own| own == one))
        }
        _ => held == asked,
    }
}

/// Whether two hosts are under one domain: the same but for what stands before the last two labels.
fn same_domain(one: &str, other: &str) -> bool {
    let domain = |host: &str| {
        let is_address = host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok();
        let mut labels = host.rsplit('.');
        let (last, before) = (labels.next()?.to_owned(), labels.next()?.to_owned());
        (!is_address).then_some((before, last))
    };
    domain(one).is_some_and(|one| domain(other) == Some(one))
}

fn encoded(query: &[(&str, &str)]) -> String {
    let pairs = query.iter().map(|(name, value)| format!("{name}={}", query_value(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn token_of(bytes: &[u8]) -> Option<Zeroizing<String>> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        token: String,
        #[serde(default)]
        access_token: String,
    }
    let Answer { token, access_token } = serde_json::from_slice(bytes).ok()?;
    let token = Zeroizing::new(if token.is_empty() { access_token } else { token });
    let visible = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    visible.then_some(token)
}

#[cfg(test)]
pub(super) mod tests;
