//! What the HTTP interface refuses: each with one problem of the closed list, and nothing changed.

use attestry_schemas::bundle::{Bundle, Content};
use attestry_schemas::digest::Sha256;
use attestry_schemas::dsse::{Envelope, PAYLOAD_TYPE};
use attestry_schemas::key::SigningKey;
use attestry_schemas::problem::{MEDIA_TYPE, ProblemType, TYPE_BASE};
use attestry_schemas::rekor::{Entry, request_for};
use attestry_tests::{
    Client, Registry, Reply, Request, Sample, Server, envelope_about, p256_key, programs,
    provenance, seeded_key, signature_about, snapshot, wait_for,
};
use serde_json::{Value, json};

/// Small bounds, so that what exceeds them fits into a socket's buffer.
const FLAGS: &[&str] =
    &["--max-body-bytes", "40000", "--max-content-bytes", "200000", "--max-items-per-request", "3"];

struct Setting {
    registry: Registry,
    server: Server,
    key: SigningKey,
    stranger: SigningKey,
    /// An attestation that is there.
    stored: Sample,
    content: Sha256,
}

impl Setting {
    fn new() -> Self {
        let (key, stranger) = (p256_key(), p256_key());
        let registry = Registry::init(&programs!(), &[key.public_key()]);
        let server = registry.serve_with(FLAGS, &[]);
        let sample = envelope_about(1, &key);
        let _ = server.client().submit(&sample.bytes).unwrap().expect(201);
        let bytes = vec![7; 100_000];
        let content = Sha256::of(&bytes);
        let stored = server.client().store(&content.to_string(), &bytes).unwrap();
        assert!(matches!(stored.status, 200 | 201 | 204), "{}", stored.text());
        Self { registry, server, key, stranger, stored: sample, content }
    }

    /// Sends a request that must be refused with this problem, and change nothing.
    #[track_caller]
    fn check(&self, what: &str, request: &Request<'_>, expected: ProblemType) -> Value {
        self.check_by(&self.server.client(), what, request, &[expected])
    }

    #[track_caller]
    fn check_by(
        &self,
        client: &Client,
        what: &str,
        request: &Request<'_>,
        expected: &[ProblemType],
    ) -> Value {
        let before = self.everything();
        let reply = client.send(request).unwrap_or_else(|e| panic!("{what}: {e}"));
        let problem = is_problem(what, &reply);
        let names: Vec<String> = expected.iter().map(|t| t.uri()).collect();
        let found = problem["type"].as_str().unwrap();
        assert!(names.iter().any(|n| n == found), "{what}: expected {names:?}, found {problem}");
        let (mut before, mut after) = (before, self.everything());
        if matches!(reply.status, 401 | 403) {
            // The refusal itself is recorded, and nothing else.
            self.demand_recorded(&reply);
            after = self.everything();
            for (_, files) in [&mut before, &mut after] {
                files.retain(|file| !file.contains("/db/"));
            }
        }
        assert_eq!(after, before, "{what} changed something");
        problem
    }

    /// Waits until the record of denied requests begins with this one.
    fn demand_recorded(&self, reply: &Reply) {
        let id = reply.header("x-request-id");
        let newest = || {
            let page = self.server.client().get("/v1/audit/access?outcome=denied&limit=1");
            (page.expect(200).json()["items"][0]["request"] == id).then_some(())
        };
        wait_for("the record of a denied request", newest);
    }

    /// The newest checkpoint, and every file with its size.
    fn everything(&self) -> (String, Vec<String>) {
        let checkpoint = self.server.client().get("/api/v2/checkpoint").expect(200).text();
        let files = snapshot(&self.registry.data);
        (checkpoint, files.iter().map(|(path, bytes)| format!("{path:?} {bytes}")).collect())
    }
}

/// Demands a problem document (RFC 9457) of the closed list that agrees with the status line.
#[track_caller]
fn is_problem(what: &str, reply: &Reply) -> Value {
    assert_eq!(reply.header("content-type"), MEDIA_TYPE, "{what}: {reply:?}");
    let problem = reply.json();
    let name = problem["type"].as_str().and_then(|t| t.strip_prefix(TYPE_BASE));
    let name = name.unwrap_or_else(|| panic!("{what}: {problem}"));
    let known = ProblemType::ALL.iter().find(|t| t.name() == name);
    let known = known.unwrap_or_else(|| panic!("{what}: {name} is not in the closed list"));
    assert_eq!(reply.status, known.status(), "{what}: {problem}");
    assert_eq!(problem["status"], known.status(), "{what}");
    assert_eq!(problem["title"], known.title(), "{what}");
    assert!(problem["detail"].as_str().is_some_and(|d| d.len() > 10), "{what}: {problem}");
    problem
}

fn post(body: impl Into<Vec<u8>>) -> Request<'static> {
    Request::new("POST", "/v1/attestations").header("content-type", "application/json").body(body)
}

fn signed(payload_type: &str, payload: &[u8], key: &SigningKey) -> Vec<u8> {
    Envelope::sign(payload_type, payload, key).to_json()
}

/// A statement of `predicate`, signed.
fn statement(predicate_type: &str, predicate: &Value, key: &SigningKey) -> Vec<u8> {
    let digest = Sha256::of(b"x").hex();
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "x", "digest": {"sha256": digest}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    });
    signed(PAYLOAD_TYPE, statement.to_string().as_bytes(), key)
}

#[test]
fn malformed_bodies_are_refused_and_change_nothing() {
    let setting = Setting::new();
    let good = envelope_about(2, &setting.key).bytes;
    let text = String::from_utf8(good.clone()).unwrap();
    let value: Value = serde_json::from_slice(&good).unwrap();
    let with = |pointer: &str, member: Value| {
        let mut changed = value.clone();
        *changed.pointer_mut(pointer).unwrap() = member;
        changed.to_string()
    };
    let signature = value["signatures"][0].clone();
    let cases = [
        ("an empty body", String::new()),
        ("white space", " \n \n".to_owned()),
        ("a number", "12".to_owned()),
        ("an array", "[]".to_owned()),
        ("an object of neither kind", "{}".to_owned()),
        ("half an envelope", text[..text.len() / 2].to_owned()),
        ("an envelope and more", format!("{text}}}")),
        ("a repeated key", text.replacen('{', "{\"payloadType\":\"x\",", 1)),
        ("a repeated key further in", text.replacen("{\"sig\"", "{\"sig\":\"\",\"sig\"", 1)),
        ("a payload that is not base64", with("/payload", json!("*"))),
        ("a payload that is a number", with("/payload", json!(1))),
        ("no signature", with("/signatures", json!([]))),
        ("two signatures", with("/signatures", json!([signature, signature]))),
        ("an empty signature", with("/signatures/0/sig", json!(""))),
        ("very deep JSON", "[".repeat(10_000)),
    ];
    for (what, body) in cases {
        setting.check(what, &post(body), ProblemType::MalformedBody);
    }
    setting.check(
        "no UTF-8",
        &post(b"{\"payload\":\"\xff\"}".as_slice()),
        ProblemType::MalformedBody,
    );
    let bundle = signature_about(2, &setting.key).bytes;
    let bundle: Value = serde_json::from_slice(&bundle).unwrap();
    for (what, pointer, member) in [
        ("another version of bundle", "/mediaType", json!("application/vnd.x")),
        ("no key in a bundle", "/verificationMaterial", json!({})),
        ("an unknown digest in a bundle", "/messageSignature/messageDigest/algorithm", json!("X")),
    ] {
        let mut changed = bundle.clone();
        *changed.pointer_mut(pointer).unwrap() = member;
        setting.check(what, &post(changed.to_string()), ProblemType::MalformedBody);
    }
    setting.registry_is_clean_afterwards();
}

impl Setting {
    fn registry_is_clean_afterwards(self) {
        self.server.terminate();
        self.registry.demand_clean();
    }
}

#[test]
fn what_does_not_verify_is_refused_and_named() {
    let setting = Setting::new();
    let Setting { key, stranger, .. } = &setting;
    let good: Value = serde_json::from_slice(&envelope_about(2, key).bytes).unwrap();
    let other: Value = serde_json::from_slice(&envelope_about(3, key).bytes).unwrap();
    let mut swapped = good.clone();
    swapped["signatures"] = other["signatures"].clone();
    let unknown = &[ProblemType::UntrustedSigner, ProblemType::DoesNotVerify];
    let client = setting.server.client();
    setting.check_by(&client, "another's signature", &post(swapped.to_string()), unknown);
    let by_stranger = envelope_about(2, stranger).bytes;
    setting.check_by(&client, "an unknown key", &post(by_stranger), unknown);

    // A bundle says whose signature it is, so that the key can be named.
    let bundle_of = |envelope: &[u8], key: &SigningKey| {
        let content = Content::Envelope(Envelope::parse(envelope).unwrap());
        Bundle::of_key(key.public_key(), content).to_json()
    };
    let swapped = bundle_of(swapped.to_string().as_bytes(), key);
    let problem = setting.check("a bad bundle", &post(swapped), ProblemType::DoesNotVerify);
    assert_eq!(problem["check"], "signature", "{problem}");
    let fingerprint = stranger.public_key().fingerprint().to_string();
    let by_stranger = bundle_of(&envelope_about(2, stranger).bytes, stranger);
    for body in [by_stranger, signature_about(2, stranger).bytes] {
        let problem = setting.check("a stranger", &post(body), ProblemType::UntrustedSigner);
        assert!(problem["detail"].as_str().unwrap().contains(&fingerprint), "{problem}");
    }

    let cases = [
        ("another payload type", signed("text/plain", b"hello", key)),
        ("no statement", signed(PAYLOAD_TYPE, b"hello", key)),
        ("a repeated key in the statement", {
            let text = b"{\"_type\":\"https://in-toto.io/Statement/v1\",\"_type\":\"x\"}";
            signed(PAYLOAD_TYPE, text, key)
        }),
        ("no subject", signed(PAYLOAD_TYPE, b"{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[],\"predicateType\":\"https://a.example/v1\",\"predicate\":{}}", key)),
        ("half a provenance", statement("https://slsa.dev/provenance/v1", &json!({}), key)),
        ("a wrong result", {
            statement("https://in-toto.io/attestation/test-result/v0.1", &json!({"result": "GREAT", "configuration": []}), key)
        }),
    ];
    for (what, body) in cases {
        setting.check(what, &post(body), ProblemType::DoesNotVerify);
    }
    setting.registry_is_clean_afterwards();
}

#[test]
fn lines_are_judged_one_by_one() {
    let setting = Setting::new();
    let good = |n: u64| envelope_about(n, &setting.key).bytes;
    let (there, new) = (setting.stored.bytes.clone(), good(5));
    let lines = |lines: &[&[u8]]| {
        Request::new("POST", "/v1/attestations")
            .header("content-type", "application/x-ndjson")
            .body(lines.join(&b'\n'))
    };
    let client = setting.server.client();
    let mixed = lines(&[&there, b"{}", &new]);
    let reply = client.send(&mixed).unwrap().expect(207).json();
    let status: Vec<&str> =
        reply["items"].as_array().unwrap().iter().map(|i| i["status"].as_str().unwrap()).collect();
    assert_eq!(status, ["existing", "refused", "created"]);
    assert_eq!(reply["items"][1]["problem"]["status"], 400);
    let _ = client.send(&lines(&[&there, &new])).unwrap().expect(200);
    let twice = good(6);
    let reply = client.send(&lines(&[&twice, &twice])).unwrap().expect(201).json();
    let indices = [&reply["items"][0]["index"], &reply["items"][1]["index"]];
    assert_eq!(indices, [3, 3], "one line twice is one leaf: {reply}");
    let four = lines(&[&good(7), &good(8), &good(9), &good(10)]);
    setting.check("too many lines", &four, ProblemType::TooLarge);
    setting.registry_is_clean_afterwards();
}

#[test]
fn bounds_credentials_and_addresses_are_checked_before_anything_is_done() {
    let setting = Setting::new();
    let client = setting.server.client();
    let good = envelope_about(2, &setting.key).bytes;
    let large = [good.clone(), vec![b' '; 40_000]].concat();
    setting.check("a large body", &post(large.clone()), ProblemType::TooLarge);
    let chunked = post(large).header("transfer-encoding", "chunked");
    setting.check("a large body in chunks", &chunked, ProblemType::TooLarge);

    for token in [None, Some("attestry_wrong"), Some("")] {
        let client = client.with_token(token);
        let expected = &[ProblemType::Unauthorized];
        setting.check_by(&client, "a wrong token", &post(good.clone()), expected);
        let path = format!("/v1/content/{}", Sha256::of(b"x"));
        let put = Request::new("PUT", &path).body("x");
        setting.check_by(&client, "content without a token", &put, expected);
    }
    let basic = post(good.clone()).header("authorization", "Basic YTpi");
    let anonymous = client.with_token(None);
    setting.check_by(&anonymous, "another scheme", &basic, &[ProblemType::Unauthorized]);

    for query in ["namespace=Pay", "namespace=../up", "namespace=/", "namespace=", "name=x"] {
        let path = format!("/v1/attestations?{query}");
        let request = Request::new("POST", &path).body(good.clone());
        setting.check(query, &request, ProblemType::MalformedQuery);
    }
    let unknown = Sha256::of(b"nobody has this");
    let Setting { stored: Sample { digest: stored, .. }, content, .. } = &setting;
    let malformed_query = [
        "/v1/attestations?limit=0",
        "/v1/attestations?limit=1001",
        "/v1/attestations?limit=x",
        "/v1/attestations?limit=1&limit=2",
        "/v1/attestations?cursor=zzz",
        "/v1/attestations?cursor=-1",
        "/v1/attestations?subject=sha256:12",
        "/v1/attestations?since=yesterday",
        "/v1/attestations?until=2026-13-01",
        "/v1/attestations?signer=me",
        "/v1/attestations?order=up",
        "/v1/log/inclusion",
        "/v1/log/inclusion?index=x",
        "/v1/log/inclusion?index=99",
        "/v1/log/inclusion?index=0&size=99",
        "/v1/log/inclusion?index=1&size=1",
        "/v1/log/inclusion?digest=sha256:12",
        "/v1/log/consistency",
        "/v1/log/consistency?from=2&to=1",
        "/v1/log/consistency?from=1&to=99",
        "/v1/log/consistency?from=0&to=1",
        &format!("/v1/attestations/{stored}/bundle?size=0"),
        &format!("/v1/attestations/{stored}/bundle?size=99"),
    ];
    for path in malformed_query {
        setting.check(path, &Request::new("GET", path), ProblemType::MalformedQuery);
    }
    for path in [
        "/v1/attestations/sha256:12",
        "/v1/content/md5:d41d8cd98f00b204e9800998ecf8427e",
        "/v1/content/..%2f..%2flog.key",
        "/api/v2/tile/0/1/2/3",
        "/api/v2/tile/64/000",
        "/api/v2/tile/0/000.p/256",
        "/api/v2/tile/entries/x000/000.p/0",
    ] {
        setting.check(path, &Request::new("GET", path), ProblemType::MalformedPath);
    }
    for path in [
        "/",
        "/v1",
        "/v3/",
        "/v1/attestations/",
        "/v1/attestations/sha256:../../log.key",
        "/api/v2/tile/0/000",
        "/api/v2/tile/entries/000.p/99",
        &format!("/v1/attestations/{unknown}"),
        &format!("/v1/attestations/{unknown}/bundle"),
        &format!("/v1/content/{unknown}"),
        &format!("/v1/log/inclusion?digest={unknown}"),
    ] {
        setting.check(path, &Request::new("GET", path), ProblemType::NotFound);
    }
    for (method, path) in [
        ("DELETE", "/v1/attestations"),
        ("PUT", "/v1/attestations"),
        ("POST", &format!("/v1/content/{content}")),
        ("DELETE", &format!("/v1/content/{content}")),
        ("POST", "/v1/trusted-root"),
        ("GET", "/api/v2/log/entries"),
        ("POST", "/api/v2/checkpoint"),
    ] {
        setting.check(method, &Request::new(method, path), ProblemType::MethodNotAllowed);
    }
    setting.registry_is_clean_afterwards();
}

#[test]
fn content_is_what_its_digest_says_or_is_not_there() {
    let setting = Setting::new();
    let client = setting.server.client();
    for size in [10, 150_000] {
        let (said, sent) = (vec![1; size], vec![2; size]);
        let path = format!("/v1/content/{}", Sha256::of(&said));
        let put = |body: Vec<u8>| Request::new("PUT", &path).body(body);
        setting.check("other bytes", &put(sent), ProblemType::DoesNotVerify);
        setting.check("fewer bytes", &put(vec![1; size - 1]), ProblemType::DoesNotVerify);
        setting.check("nothing", &put(Vec::new()), ProblemType::DoesNotVerify);
        setting.check("not there", &Request::new("GET", &path), ProblemType::NotFound);
    }
    let large = vec![3; 200_001];
    let path = format!("/v1/content/{}", Sha256::of(&large));
    let put = Request::new("PUT", &path).body(large.clone());
    setting.check("too many bytes", &put, ProblemType::TooLarge);
    let chunked = put.header("transfer-encoding", "chunked");
    setting.check("too many bytes in chunks", &chunked, ProblemType::TooLarge);

    let path = format!("/v1/content/{}", setting.content);
    let ranged = |range: &str| client.send(&Request::new("GET", &path).header("range", range));
    let check = |range: &str, expected: &str, bytes: usize| {
        let reply = ranged(range).unwrap().expect(206);
        assert_eq!(reply.header("content-range"), expected, "{range}");
        assert!(reply.body == vec![7; bytes], "{range}: {} bytes", reply.body.len());
    };
    check("bytes=0-9", "bytes 0-9/100000", 10);
    check("bytes=99990-", "bytes 99990-99999/100000", 10);
    check("bytes=-1", "bytes 99999-99999/100000", 1);
    check("bytes=0-999999", "bytes 0-99999/100000", 100_000);
    for range in ["bytes=100000-", "bytes=-0"] {
        let request = Request::new("GET", &path).header("range", range);
        setting.check(range, &request, ProblemType::RangeNotSatisfiable);
    }
    let whole = client.get(&path).expect(200);
    assert!(whole.body == vec![7; 100_000] && whole.header("etag").starts_with('"'));
    let head = client.send(&Request::new("HEAD", &path)).unwrap().expect(200);
    assert_eq!((head.header("content-length"), head.body.len()), ("100000", 0));
    setting.registry_is_clean_afterwards();
}

#[test]
fn the_path_of_stock_clients_takes_trusted_signatures_and_nothing_else() {
    let setting = Setting::new();
    let Setting { key, stranger, .. } = &setting;
    let anonymous = setting.server.client().with_token(None);
    let post = |body: String| {
        Request::new("POST", "/api/v2/log/entries")
            .header("content-type", "application/json")
            .body(body)
    };
    let check = |what: &str, body: String, expected: ProblemType| {
        setting.check_by(&anonymous, what, &post(body), &[expected])
    };
    let entry_of = |n: u64, key: &SigningKey| {
        let envelope = Envelope::parse(&envelope_about(n, key).bytes).unwrap();
        request_for(&Entry::for_envelope(&envelope, key.public_key()))
    };
    let good = entry_of(2, key);
    let text = good.to_string();
    check("nothing", String::new(), ProblemType::MalformedBody);
    check("half", text[..text.len() / 2].to_owned(), ProblemType::MalformedBody);
    check("a repeated key", text.replacen('{', "{\"a\":1,\"a\":2,", 1), ProblemType::MalformedBody);
    let problem = check(
        "another kind",
        json!({"intotoRequestV002": {}}).to_string(),
        ProblemType::UnsupportedEntry,
    );
    for supported in ["hashedRekordRequestV002", "dsseRequestV002", "intotoRequestV002"] {
        assert!(problem["detail"].as_str().unwrap().contains(supported), "{problem}");
    }
    let untrusted = check("a stranger", entry_of(2, stranger).to_string(), ProblemType::Forbidden);
    let fingerprint = stranger.public_key().fingerprint().to_string();
    assert!(untrusted["detail"].as_str().unwrap().contains(&fingerprint), "{untrusted}");

    let request = "/hashedRekordRequestV002";
    let with = |pointer: &str, member: Value| {
        let mut changed = good.clone();
        let place = format!("{request}{pointer}");
        *changed.pointer_mut(&place).unwrap_or_else(|| panic!("no {place}")) = member;
        changed.to_string()
    };
    let other = entry_of(3, key);
    let signature = other.pointer("/hashedRekordRequestV002/signature/content").unwrap();
    let wrong = with("/signature/content", signature.clone());
    check("another's signature", wrong, ProblemType::DoesNotVerify);
    let details = "/signature/verifier/keyDetails";
    for (what, body) in [
        ("a short digest", with("/digest", json!("AAAA"))),
        ("no base64", with("/digest", json!("*"))),
        ("another kind of key", with(details, json!("PKIX_ED25519"))),
        ("no key", with("/signature/verifier/publicKey/rawBytes", json!("AAAA"))),
    ] {
        check(what, body, ProblemType::MalformedBody);
    }
    let large = format!("{text}{}", " ".repeat(40_000));
    check("a large body", large, ProblemType::TooLarge);
    setting.registry_is_clean_afterwards();
}

#[test]
fn a_statement_with_unknown_predicate_is_kept_and_found() {
    let key = seeded_key(3);
    let registry = Registry::init(&programs!(), &[key.public_key()]);
    let server = registry.serve();
    let client = server.client();
    let uri = "https://a.example/own/v1";
    let bytes = statement(uri, &json!({"any": ["thing"]}), &key);
    let reply = client.submit(&bytes).unwrap().expect(201).json();
    assert_eq!(reply["items"][0]["index"], 1);
    let found = client.get(&format!("/v1/attestations?type={uri}")).expect(200).json();
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
    let known = statement("https://slsa.dev/provenance/v1", &provenance(), &key);
    let _ = client.submit(&known).unwrap().expect(201);
    let short = client.get("/v1/attestations?type=provenance&limit=1").expect(200).json();
    assert_eq!(short["items"][0]["index"], 2, "{short}");
    assert_eq!(short["next"], Value::Null, "{short}");
}
