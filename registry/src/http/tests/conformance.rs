//! The answers of every route against their description: status, headers, media type, and JSON
//! bodies by their schemas.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::pin::Pin;
use std::rc::Rc;

use actix_web::body::to_bytes;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::HeaderMap;
use actix_web::middleware;
use actix_web::test::{TestRequest, call_service, init_service};
use attestry_schemas::bundle::{Bundle, Content, MessageSignature};
use attestry_schemas::digest::Sha256;
use attestry_schemas::dsse::Envelope;
use attestry_schemas::key::SigningKey;
use attestry_schemas::problem::ProblemType;
use attestry_schemas::rekor::{self, Entry};
use serde_json::{Value, json};

use super::*;

/// One answer.
pub(super) struct Answer {
    status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn status(&self) -> u16 {
        self.status
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

type Call = Box<dyn Fn(TestRequest) -> Pin<Box<dyn Future<Output = ServiceResponse>>>>;

/// A server without a socket, which holds every answer against the description.
pub(super) struct Described {
    call: Call,
    document: Value,
    /// A key that is trusted before a roster rules.
    pub(super) key: SigningKey,
    /// The `Authorization` that may write.
    pub(super) token: String,
    log: Arc<Log>,
    /// The operations that have answered with success.
    met: RefCell<BTreeSet<(String, String)>>,
}

impl Described {
    /// Asks, and demands this status.
    pub(super) async fn ask(
        &self,
        what: &str,
        expected: u16,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let (answer, pattern) = self.answer(what, expected, headers, body).await;
        let method = what.split(' ').next().unwrap();
        self.check(what, method, &routes::described(&pattern), &answer);
        answer
    }

    /// Asks what the description does not tell of: paths and methods that are none.
    pub(super) async fn plain(&self, what: &str, expected: u16) -> Answer {
        self.answer(what, expected, &[], "").await.0
    }

    /// The answer, with the route's pattern, which must have this status.
    async fn answer(
        &self,
        what: &str,
        expected: u16,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> (Answer, String) {
        let (answer, pattern) = self.send(what, headers, body).await;
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, expected, "{what}: {text}");
        (answer, pattern)
    }

    /// Asks, whatever the answer may be; gives it with the pattern of its route.
    pub(super) async fn send(
        &self,
        what: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> (Answer, String) {
        let (method, path) = what.split_once(' ').unwrap();
        let mut request = TestRequest::default()
            .method(actix_web::http::Method::from_bytes(method.as_bytes()).unwrap())
            .uri(path)
            .set_payload(body.into());
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        let response = (self.call)(request).await;
        let pattern = response.request().match_pattern().unwrap_or_default();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = to_bytes(response.into_body()).await.ok().unwrap_or_default().to_vec();
        (Answer { status, headers, body }, pattern)
    }

    /// From here on nothing enters the log.
    pub(super) fn stop_log(&self) {
        self.log.stop();
    }

    /// As [`Described::ask`], with the token.
    pub(super) async fn write(
        &self,
        what: &str,
        expected: u16,
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        self.ask(what, expected, &[("authorization", &self.token)], body).await
    }

    pub(super) async fn get(&self, path: &str, expected: u16) -> Answer {
        self.ask(&format!("GET {path}"), expected, &[], "").await
    }

    fn check(&self, what: &str, method: &str, pattern: &str, answer: &Answer) {
        let operation = &self.document["paths"][pattern][method.to_lowercase()];
        assert!(operation.is_object(), "{what}: {method} {pattern} is not described");
        let described = &operation["responses"][answer.status.to_string()];
        assert!(described.is_object(), "{what}: {} is not described", answer.status);
        for (name, header) in described["headers"].as_object().into_iter().flatten() {
            let is_there = !answer.header(name).is_empty();
            assert!(is_there || header["required"] == false, "{what}: no {name}");
        }
        if answer.status < 400 {
            self.met.borrow_mut().insert((method.to_owned(), pattern.to_owned()));
        }
        let Some(content) = described["content"].as_object() else {
            // What the socket does for HEAD, nothing does here.
            assert!(method == "HEAD" || answer.body.is_empty(), "{what}: a body");
            return;
        };
        let found = answer.header("content-type");
        let media_type = found.split(';').next().unwrap_or_default();
        let schema = content.get(media_type).map(|described| &described["schema"]);
        let schema = schema.unwrap_or_else(|| panic!("{what}: {found} is not described"));
        if media_type.ends_with("json") && schema.as_object().is_some_and(|s| !s.is_empty()) {
            let errors = schema::errors(&self.document, schema, &answer.json());
            assert!(errors.is_empty(), "{what}: {errors:#?}\n{:#}", answer.json());
        }
    }
}

/// Runs cases against a registry that trusts one key.
pub(super) fn with_server(settings: Settings, cases: impl AsyncFnOnce(&Described)) {
    with_registry(&testing::Registry::new(), settings, cases);
}

/// As [`with_server`], over a registry of the caller's. Tells how much evidence is kept in memory, which must be as it is stored.
pub(super) fn with_registry(
    registry: &testing::Registry,
    settings: Settings,
    cases: impl AsyncFnOnce(&Described),
) -> usize {
    let key = testing::p256();
    registry.folder().trust(key.public_key()).unwrap();
    let config = Config::load(registry.path(), None, settings).unwrap();
    let metrics = Arc::new(Metrics::new());
    let mut running = Running::start(&registry.folder(), config, Clock::system(), metrics).unwrap();
    let (state, log) = (Arc::new(State::of(&running)), Arc::clone(&running.log));
    let token = format!("Bearer {}", crate::tokens::Token::of_random([8; 32]).reveal());
    actix_web::rt::System::new().block_on(async {
        let app = App::new()
            .app_data(web::Data::from(state))
            .wrap(middleware::from_fn(trace::request))
            .configure(routes::configure)
            .default_service(web::to(operations::not_found));
        let service = Rc::new(init_service(app).await);
        let call: Call = Box::new(move |request| {
            let service = Rc::clone(&service);
            Box::pin(async move {
                call_service(&*service, request.to_request()).await.map_into_boxed_body()
            })
        });
        let (document, met) = (openapi::build(), RefCell::default());
        cases(&Described { call, document, key, token, log, met }).await;
    });
    let kept = running.gate.kept_as_stored();
    running.stop();
    kept
}

#[test]
fn what_was_verified_when_it_came_is_kept_in_memory() {
    let kept = with_registry(&testing::Registry::new(), Settings::default(), async |server| {
        let path = "POST /v1/attestations";
        let one = testing::signed(1, &server.key);
        server.write(path, 201, one.to_json()).await;
        server.write(path, 200, one.to_json()).await;
        let two = testing::signed(2, &server.key);
        let two = Bundle::of_key(server.key.public_key(), Content::Envelope(two));
        server.write(path, 201, two.to_json()).await;
    });
    assert_eq!(kept, 2);
}

/// Demands that a problem's detail has some words.
#[track_caller]
pub(super) fn says(answer: &Answer, words: &[&str]) {
    let problem = answer.json();
    let detail = problem["detail"].as_str().unwrap();
    assert!(words.iter().all(|word| detail.contains(word)), "{detail}");
    assert!(!detail.contains("found expected"), "{detail}");
}

fn lines(items: &[&[u8]]) -> Vec<u8> {
    items.join(b"\n".as_slice())
}

fn bundle(key: &SigningKey, message: MessageSignature) -> Vec<u8> {
    Bundle::of_key(key.public_key(), Content::Message(message)).to_json()
}

pub(super) fn small() -> Settings {
    Settings {
        max_body_bytes: Some(20_000),
        max_rekor_body_bytes: Some(10_000),
        max_items_per_request: Some(10),
        max_content_bytes: Some(200_000),
        ..Settings::default()
    }
}

#[test]
fn every_route_answers_as_it_is_described() {
    let mut met = BTreeSet::new();
    admission::with_cluster(Settings::default(), async |cluster| {
        gate::conforms(cluster).await;
        met.extend(cluster.server.met.take());
    });
    with_server(small(), async |server| {
        let (envelope, message) = attestations(server).await;
        rekor_entries(server).await;
        reads(server, &envelope, &message).await;
        contents(server).await;
        admission::conforms(server).await;
        oci::conforms(server).await;
        met.extend(server.met.take());
    });
    for route in routes::ROUTES {
        let operation = (route.method.to_owned(), routes::described(route.path));
        assert!(met.contains(&operation), "{operation:?} was not asked");
    }
}

/// Submits; returns the digests of an envelope and of a message signature.
async fn attestations(server: &Described) -> (String, String) {
    let key = &server.key;
    let path = "POST /v1/attestations";
    let envelope = testing::signed(1, key).to_json();
    let created = server.write(path, 201, envelope.clone()).await.json();
    server.write(path, 200, envelope.clone()).await;
    server.write(path, 207, lines(&[&testing::signed(2, key).to_json(), b"{}"])).await;
    let digest = Sha256::of(b"artifact");
    let message = |signature| bundle(key, MessageSignature { digest: digest.into(), signature });
    let signed = message(key.sign_digest(&digest).unwrap());
    let signed = server.write(path, 201, signed).await.json();
    // The scheme's case does not matter.
    let lower = server.token.replace("Bearer", "bearer");
    server.ask(path, 200, &[("authorization", &lower)], envelope.clone()).await;
    server.ask(path, 401, &[], envelope.clone()).await;
    server.ask(path, 401, &[("authorization", "Bearer other")], envelope.clone()).await;
    let coded = [("authorization", server.token.as_str()), ("content-encoding", "gzip")];
    server.ask(path, 415, &coded, envelope.clone()).await;
    let plain = [("authorization", server.token.as_str()), ("content-encoding", "Identity")];
    server.ask(path, 200, &plain, envelope).await;
    server.write(path, 413, vec![b' '; 20_001]).await;
    server.write("POST /v1/attestations?namespace=../x", 400, "{}").await;
    let stranger = testing::signed(1, &testing::ed25519()).to_json();
    server.write(path, 422, stranger).await;
    // Raw instead of DER: said once what was expected.
    let raw = server.write(path, 422, message(vec![7; 64])).await;
    says(&raw, &["64 bytes in the place of an ECDSA signature in ASN.1 DER"]);
    for nothing in ["[]", "null", "5", "\"a\"", "{}", ""] {
        let refused = server.write(path, 400, nothing).await.json();
        assert_eq!(refused["type"], ProblemType::MalformedBody.uri(), "{nothing}");
    }
    let listed = server.write(path, 207, "[]\nnull\n{\"payload\":1,\"signatures\":2}").await.json();
    for item in listed["items"].as_array().unwrap() {
        assert_eq!(item["problem"]["type"], ProblemType::MalformedBody.uri(), "{item}");
    }
    let digest = |answer: &Value| answer["items"][0]["digest"].as_str().unwrap().to_owned();
    (digest(&created), digest(&signed))
}

async fn rekor_entries(server: &Described) {
    let path = "POST /api/v2/log/entries";
    let request = |envelope: &Envelope, key: &SigningKey| {
        rekor::request_for(&Entry::for_envelope(envelope, key.public_key()))
    };
    let envelope = testing::signed(5, &server.key);
    let hashed = request(&envelope, &server.key);
    let verifier = hashed["hashedRekordRequestV002"]["signature"]["verifier"].clone();
    let whole = testing::signed(6, &server.key).to_value();
    let dsse = json!({"dsseRequestV002": {"envelope": whole, "verifiers": [verifier]}});
    for body in [&hashed, &dsse] {
        let schema = json!({"$ref": "#/components/schemas/CreateEntryRequest"});
        let errors = schema::errors(&server.document, &schema, body);
        assert!(errors.is_empty(), "{errors:#?}");
        server.ask(path, 201, &[], body.to_string()).await;
        server.ask(path, 201, &[], body.to_string()).await;
    }
    server.ask(path, 400, &[], "{}").await;
    server.ask(path, 400, &[], json!({"intotoRequestV002": {}}).to_string()).await;
    server.ask(path, 413, &[], vec![b' '; 10_001]).await;
    server.ask(path, 415, &[("content-encoding", "gzip")], hashed.to_string()).await;
    let stranger = testing::p256();
    let by_stranger = request(&testing::signed(7, &stranger), &stranger);
    server.ask(path, 403, &[], by_stranger.to_string()).await;
    let swapped = request(&testing::signed(8, &stranger), &server.key);
    server.ask(path, 422, &[], swapped.to_string()).await;
}

async fn reads(server: &Described, envelope: &str, message: &str) {
    for path in [
        "/v1/attestations?limit=2&type=provenance",
        "/v1/log/inclusion?index=1",
        &format!("/v1/log/inclusion?digest={message}&size=4"),
        "/v1/log/consistency?from=1",
        "/v1/deployments",
        "/v1/deployments?environment=production&all=true",
        "/v1/metrics/delivery",
        "/v1/metrics/delivery?environment=production&since=2026-01-01T00:00:00Z",
        "/v1/audit/access",
        "/v1/audit/access?outcome=allowed&limit=1&since=2020-01-01T00:00:00Z",
        "/v1/trusted-root",
        "/v1/signing-config",
        "/api/v2/checkpoint",
        "/api/v2/tile/0/000.p/4",
        "/api/v2/tile/entries/000.p/4",
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        &format!("/v1/digests/{}", &envelope[..20]),
        &format!("/v1/attestations/{envelope}"),
        &format!("/v1/attestations/{message}"),
        &format!("/v1/attestations/{envelope}/bundle"),
        &format!("/v1/attestations/{message}/bundle"),
    ] {
        let whole = server.get(path, 200).await;
        let head = server.ask(&format!("HEAD {path}"), 200, &[], "").await;
        assert_eq!(head.header("content-type"), whole.header("content-type"), "{path}");
        let tag = whole.header("etag").to_owned();
        if !tag.is_empty() {
            for method in ["GET", "HEAD"] {
                let what = format!("{method} {path}");
                for sent in [tag.as_str(), "*", &format!("\"x\", W/{tag}")] {
                    server.ask(&what, 304, &[("if-none-match", sent)], "").await;
                }
                server.ask(&what, 200, &[("if-none-match", "\"x\"")], "").await;
            }
        }
    }
    let found = server.get("/v1/attestations", 200).await.json();
    let kinds = |kind| found["items"].as_array().unwrap().iter().filter(move |i| i["kind"] == kind);
    let leaf = kinds("entry").next().unwrap()["digest"].as_str().unwrap();
    server.get(&format!("/v1/attestations/{leaf}"), 200).await;
    server.get(&format!("/v1/attestations/{leaf}/bundle"), 200).await;
    let nobody = Sha256::of(b"nobody has this");
    for path in [
        format!("/v1/attestations/{nobody}"),
        format!("/v1/attestations/{nobody}/bundle"),
        format!("/v1/content/{nobody}"),
        format!("/v1/log/inclusion?digest={nobody}"),
        "/api/v2/tile/0/001".to_owned(),
    ] {
        server.get(&path, 404).await;
    }
    for (path, words) in [
        ("/v1/attestations?limit=a", &["limit", "from 1 to 1000", "\"a\""][..]),
        ("/v1/attestations?order=up", &["cursor", "\"order\""]),
        ("/v1/log/inclusion?index=-1", &["index", "whole number", "\"-1\""]),
        ("/v1/log/inclusion", &["one of the parameters index and digest", "neither"]),
        (&format!("/v1/log/inclusion?index=1&digest={nobody}"), &["index and digest", "both"]),
        ("/v1/log/consistency", &["from"]),
        ("/v1/log/consistency?from=1&to=x", &["to", "\"x\""]),
        (&format!("/v1/attestations/{envelope}/bundle?size=x"), &["size", "\"x\""]),
        ("/v1/attestations/sha256:1", &["sha256:<64 hex digits>", "\"sha256:1\""]),
        ("/v1/content/sha256:1", &["sha256:<64 hex digits>"]),
        ("/api/v2/tile/0/1/2", &["tile"]),
        ("/v1/audit/access?outcome=maybe", &["outcome", "allowed or denied", "\"maybe\""]),
        ("/v1/audit/access?limit=0", &["limit", "from 1 to 1000", "\"0\""]),
        ("/v1/deployments?all=yes", &["all", "true or false", "\"yes\""]),
        ("/v1/deployments?environment=a//b", &["environment", "\"a//b\""]),
        ("/v1/metrics/delivery?since=today", &["since", "2026-01-31T00:00:00Z", "\"today\""]),
    ] {
        says(&server.get(path, 400).await, words);
    }
    let long = server.get(&format!("/v1/attestations?subject={}", "a".repeat(5000)), 400).await;
    assert!(long.body.len() < 600, "{} bytes", long.body.len());
}

async fn contents(server: &Described) {
    for size in [10, 100_000] {
        let bytes = vec![7; size];
        let path = format!("/v1/content/{}", Sha256::of(&bytes));
        let (get, put, head) =
            (format!("GET {path}"), format!("PUT {path}"), format!("HEAD {path}"));
        server.write(&put, 201, bytes.clone()).await;
        server.write(&put, 200, bytes.clone()).await;
        server.write(&put, 422, "other bytes").await;
        server.write(&put, 413, vec![7; 200_001]).await;
        server.ask(&put, 401, &[], bytes.clone()).await;
        let coded = [("authorization", server.token.as_str()), ("content-encoding", "br")];
        server.ask(&put, 415, &coded, bytes.clone()).await;
        let whole = server.get(&path, 200).await;
        assert_eq!(whole.body, bytes);
        let tag = whole.header("etag");
        let part = server.ask(&get, 206, &[("range", "bytes=2-4")], "").await;
        assert_eq!(part.body, [7; 3]);
        server.ask(&head, 200, &[("range", "bytes=2-4")], "").await;
        server.ask(&get, 206, &[("range", "bytes=2-4"), ("if-range", tag)], "").await;
        server.ask(&get, 200, &[("range", "bytes=2-4"), ("if-range", "\"x\"")], "").await;
        let beyond = server.ask(&get, 416, &[("range", "bytes=200000-")], "").await;
        assert_eq!(beyond.header("content-range"), format!("bytes */{size}"));
        for sent in [tag, "*"] {
            let headers = [("if-none-match", sent), ("range", "bytes=2-4")];
            server.ask(&get, 304, &headers, "").await;
            server.ask(&head, 304, &headers, "").await;
        }
    }
}

#[test]
fn reads_without_a_token_are_refused_as_described_where_they_need_one() {
    let settings = Settings { require_token_for_reads: Some(true), ..small() };
    with_server(settings, async |server| {
        let digest = Sha256::of(b"x");
        for path in [
            "/v1/attestations",
            &format!("/v1/attestations/{digest}"),
            &format!("/v1/attestations/{digest}/bundle"),
            &format!("/v1/content/{digest}"),
            "/v1/digests/sha256:00000000",
            "/v1/log/inclusion?index=0",
            "/v1/audit/access",
            "/v1/deployments",
            "/v1/metrics/delivery",
            "/v1/log/consistency?from=1",
            "/api/v2/checkpoint",
            "/api/v2/tile/0/000.p/1",
        ] {
            for method in ["GET", "HEAD"] {
                server.ask(&format!("{method} {path}"), 401, &[], "").await;
            }
        }
    });
}

#[test]
fn a_server_that_takes_nothing_says_so_also_for_a_whole_list() {
    with_server(small(), async |server| {
        server.log.stop();
        let envelope = |n| testing::signed(n, &server.key).to_json();
        let path = "POST /v1/attestations";
        let one = server.write(path, 503, envelope(1)).await;
        assert_eq!(one.header("retry-after"), "1");
        server.write(path, 503, lines(&[&envelope(1), &envelope(2)])).await;
        // What is wrong with an item is not cured by waiting.
        server.write(path, 207, lines(&[&envelope(1), b"{}"])).await;
        let entry = Entry::for_envelope(&testing::signed(3, &server.key), server.key.public_key());
        let request = rekor::request_for(&entry).to_string();
        server.ask("POST /api/v2/log/entries", 503, &[], request).await;
    });
}
