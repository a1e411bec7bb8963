//! Tokens of an issuer, over HTTP, with its keys from a file or discovered.

use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::net::TcpListener;

use super::*;
use crate::authority::jwt::tests::{Signing, URL, claims, part, symmetric};

/// In 2100.
const FAR_S: i64 = 4_102_444_800;

fn document(issuer: &str) -> String {
    format!(
        r#"
[[issuer]]
name = "ci"
{issuer}
audience = ["https://attest.example.org"]
algorithms = ["RS256", "ES256"]

[[identity]]
name = "pay-ci"
issuer = "ci"
claims = {{ repository = ["acme/pay"], ref = ["refs/heads/*"] }}

[[grant]]
to = ["oidc:pay-ci"]
roles = ["pull", "push", "attest"]
on = ["pay/**"]
"#
    )
}

fn with_file(signing: &Signing) -> Guarded {
    let guarded = Guarded::new(&document(&format!("url = \"{URL}\"\njwks = \"ci.jwks\"")), &[]);
    std::fs::write(guarded.path("ci.jwks"), signing.set().to_string()).unwrap();
    guarded
}

fn header() -> Value {
    json!({"alg": "RS256", "kid": "rsa"})
}

#[test]
fn a_workload_pushes_with_the_token_of_its_issuer_and_until_its_key_goes() {
    let signing = Signing::new();
    let guarded = with_file(&signing);
    guarded.serve(async |server| {
        let token = signing.token(&header(), &claims(FAR_S));
        let (password, bearer) = (basic("oidc", &token), format!("Bearer {token}"));
        push(server, &password, "pay/api", "v1", "1").await;
        assert_eq!(status(server, &bearer, "GET /v2/pay/api/manifests/v1").await, 200);
        assert_eq!(push_blob(server, &bearer, "other/x", b"x").await, 403);
        let envelope = crate::testing::signed(1, &server.key).to_json();
        let post = "POST /v1/attestations?namespace=pay/api";
        assert_eq!(ask(server, &bearer, post, &[], envelope).await.status(), 201);
        let scope = "GET /v2/token?service=s&scope=repository:pay/api:pull";
        let made = ask(server, &password, scope, &[], "").await.json();
        let made = format!("Bearer {}", made["token"].as_str().unwrap());
        let get = "GET /v2/pay/api/manifests/v1";
        assert_eq!(status(server, &made, get).await, 200);
        // The identity is narrowed: what was made for the wider one ends.
        let narrowed = document(&format!("url = \"{URL}\"\njwks = \"ci.jwks\""));
        guarded.document(&narrowed.replace("refs/heads/*", "refs/heads/release"));
        for who in [&made, &bearer, &password] {
            assert_eq!(status(server, who, get).await, 401);
        }
        guarded.document(&narrowed);
        assert_eq!(status(server, &bearer, get).await, 200);
        std::fs::write(guarded.path("ci.jwks"), Signing::new().set().to_string()).unwrap();
        assert_eq!(status(server, &bearer, get).await, 401, "another key is the issuer's now");
    });
}

#[test]
fn a_token_that_is_not_the_issuers_or_not_for_here_opens_nothing_and_nothing_is_fetched() {
    let (signing, stranger) = (Signing::new(), Signing::new());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let evil = format!("http://{}/keys", listener.local_addr().unwrap());
    with_file(&signing).serve(async |server| {
        let good = claims(FAR_S);
        let with = |name: &str, value: Value| {
            let mut changed = good.clone();
            changed[name] = value;
            signing.token(&header(), &changed)
        };
        let unsigned = format!("{}.{}.", part(&json!({"alg": "none"})), part(&good));
        let embedded = stranger.set()["keys"][0].clone();
        for (why, token) in [
            ("none", unsigned),
            (
                "HS256 with the public key",
                symmetric(&json!({"alg": "HS256", "kid": "rsa"}), &good, signing.public_rsa()),
            ),
            (
                "an embedded key",
                stranger.token(&json!({"alg": "RS256", "kid": "rsa", "jwk": embedded}), &good),
            ),
            ("jku", stranger.token(&json!({"alg": "RS256", "kid": "rsa", "jku": evil}), &good)),
            ("x5u", stranger.token(&json!({"alg": "RS256", "kid": "rsa", "x5u": evil}), &good)),
            ("a path as kid", stranger.token(&json!({"alg": "RS256", "kid": "../ci.jwks"}), &good)),
            (
                "an algorithm that is not configured",
                signing.token(&json!({"alg": "EdDSA", "kid": "ed"}), &good),
            ),
            ("another issuer", with("iss", json!(evil))),
            ("another audience", with("aud", json!("https://other.example.org"))),
            ("expired", with("exp", json!(1_000_000_000))),
            ("not yet", with("nbf", json!(FAR_S - 1))),
            ("another repository", with("repository", json!("evil/pay"))),
            ("a tag", with("ref", json!("refs/tags/v1"))),
        ] {
            for who in [basic("x", &token), format!("Bearer {token}")] {
                for what in [
                    "GET /v2/",
                    "GET /v2/token?service=s",
                    "GET /v2/pay/api/tags/list",
                    "GET /v1/attestations",
                ] {
                    let answer = ask(server, &who, what, &[], "").await;
                    assert_eq!(answer.status(), 401, "{why}: {what}: {}", answer.text());
                }
                assert_eq!(push_blob(server, &who, "pay/api", b"x").await, 401, "{why}");
            }
        }
        let met = listener.accept().map(|_| ()).map_err(|error| error.kind());
        assert_eq!(met, Err(ErrorKind::WouldBlock), "an address of a token was asked");
    });
}

/// Answers the metadata and the keys of an issuer, each connection once, until the test ends.
fn issuing(listener: TcpListener, url: String, said: String, keys: String) {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { return };
        let mut line = String::new();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        reader.read_line(&mut line).unwrap();
        let mut rest = String::new();
        while reader.read_line(&mut rest).unwrap() > 2 {
            rest.clear();
        }
        let body = match line.contains("/.well-known/openid-configuration") {
            true => json!({"issuer": said, "jwks_uri": format!("{url}/keys")}).to_string(),
            false => keys.clone(),
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        let _ = stream.write_all(format!("{head}{body}").as_bytes());
    }
}

#[test]
fn keys_are_discovered_at_the_issuer_that_is_configured_and_says_that_it_is_it() {
    use crate::authority::discovery::{agent, discover};
    let signing = Signing::new();
    for is_honest in [true, false] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let said = if is_honest { url.clone() } else { URL.to_owned() };
        let (at, keys) = (url.clone(), signing.set().to_string());
        std::thread::spawn(move || issuing(listener, at, said, keys));
        let found = discover(&agent(), &url);
        assert_eq!(found.is_ok(), is_honest, "{:?}", found.err());
    }
}
