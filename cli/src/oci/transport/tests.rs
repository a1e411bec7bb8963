use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;

use super::*;

/// Serves the given raw responses, one connection each, on a free port; gives the requests, heads in lower case.
pub(in crate::oci) fn serve(
    responses: impl FnOnce(&str) -> Vec<String>,
) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let responses = responses(&authority);
    let server = std::thread::spawn(move || {
        let answered = responses.into_iter().map(|response| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut request, mut length) = (String::new(), 0);
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
            stream.write_all(response.as_bytes()).unwrap();
            format!("{request}\n{}", String::from_utf8_lossy(&body))
        });
        answered.collect()
    });
    (authority, server)
}

pub(in crate::oci) fn response(status: &str, headers: &[&str], body: &str) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

/// A registry that is given a token of ours.
pub(in crate::oci) fn transport(authority: &str, token: Option<&str>) -> Transport {
    let token = token.map(|token| Zeroizing::new(token.to_owned()));
    let credentials = Rc::new(Credentials::default());
    let roots = ureq::tls::RootCerts::WebPki;
    Transport::new(authority.parse().unwrap(), false, roots, credentials, token, |_| {})
}

fn ask(transport: &Transport) -> Result<Reply, OciError> {
    let scopes = ["repository:a:pull".to_owned()];
    let request = Request {
        method: Method::GET,
        path: "/v2/a/blobs/x".to_owned(),
        accept: None,
        content_type: None,
        body: Sent::Nothing,
        scopes: &scopes,
    };
    transport.run(&request, "a")
}

fn authorization(request: &str) -> Option<&str> {
    request.lines().find_map(|line| line.strip_prefix("authorization: "))
}

const SECRET: &str = "Basic YXR0ZXN0cnk6c2VjcmV0";

#[test]
fn answers_a_challenge_once_and_takes_a_second_for_a_refusal() {
    let asks = || response("401 Unauthorized", &["www-authenticate: Basic realm=\"x\""], "");
    let (authority, server) = serve(|_| vec![asks(), asks()]);
    let reply = ask(&transport(&authority, Some("secret"))).unwrap();
    let error = reply.demand(&[200]).err().unwrap();
    assert!(matches!(error, OciError::Refused { status: 401, authenticated: true, .. }), "{error}");
    let requests = server.join().unwrap();
    assert_eq!(authorization(&requests[0]), None);
    assert_eq!(authorization(&requests[1]), Some(SECRET));
}

#[test]
fn says_nothing_where_it_has_nothing_to_say() {
    let asks = response("401 Unauthorized", &["www-authenticate: Basic realm=\"x\""], "");
    let (authority, server) = serve(|_| vec![asks]);
    let reply = ask(&transport(&authority, None)).unwrap();
    assert_eq!(reply.status, 401);
    assert_eq!(server.join().unwrap().len(), 1);
}

#[test]
fn exchanges_credentials_for_a_token_and_sends_that() {
    let (authority, server) = serve(|own| {
        let challenge = format!(
            "www-authenticate: Bearer realm=\"http://{own}/token?x=1\",service=\"s\",scope=\"repository:a:pull\""
        );
        vec![
            response("401 Unauthorized", &[&challenge], ""),
            response("200 OK", &[], r#"{"token":"abc"}"#),
            response("200 OK", &[], "blob"),
        ]
    });
    assert_eq!(ask(&transport(&authority, Some("secret"))).unwrap().status, 200);
    let requests = server.join().unwrap();
    let exchange = "GET /token?x=1&service=s&scope=repository%3Aa%3Apull HTTP/1.1";
    assert!(requests[1].starts_with(exchange), "{}", requests[1]);
    assert_eq!(authorization(&requests[1]), Some(SECRET));
    assert_eq!(authorization(&requests[2]), Some("Bearer abc"));
}

#[test]
fn a_token_endpoint_elsewhere_gets_no_credentials_and_none_without_tls_is_asked() {
    for realm in ["http://auth.example.com/token", "ftp://x/token", "/token"] {
        let challenge = format!("www-authenticate: Bearer realm=\"{realm}\"");
        let (authority, server) = serve(|_| vec![response("401 Unauthorized", &[&challenge], "")]);
        let error = ask(&transport(&authority, Some("secret"))).err().unwrap();
        let told = matches!(error, OciError::Elsewhere { .. } | OciError::Malformed { .. });
        assert!(told, "{realm}: {error}");
        server.join().unwrap();
    }
    let (stranger, endpoint) = serve(|_| vec![response("200 OK", &[], r#"{"token":"abc"}"#)]);
    // Another name of this machine is another host.
    let port = stranger.rsplit(':').next().unwrap().to_owned();
    let challenge = format!("www-authenticate: Bearer realm=\"http://localhost:{port}/token\"");
    let (authority, server) = serve(|_| {
        vec![response("401 Unauthorized", &[&challenge], ""), response("200 OK", &[], "blob")]
    });
    assert_eq!(ask(&transport(&authority, Some("secret"))).unwrap().status, 200);
    assert_eq!(authorization(&endpoint.join().unwrap()[0]), None);
    assert_eq!(authorization(&server.join().unwrap()[1]), Some("Bearer abc"));
}

#[test]
fn follows_a_redirect_to_another_host_without_credentials() {
    let (elsewhere, other) = serve(|_| vec![response("200 OK", &[], "blob")]);
    let location = format!("location: http://{elsewhere}/store?signature=s");
    let (authority, server) = serve(|_| {
        vec![
            response("401 Unauthorized", &["www-authenticate: Basic realm=\"x\""], ""),
            response("307 Temporary Redirect", &[&location], ""),
        ]
    });
    let reply = ask(&transport(&authority, Some("secret"))).unwrap();
    assert_eq!((reply.status, reply.url().contains("signature")), (200, false));
    assert_eq!(authorization(&server.join().unwrap()[1]), Some(SECRET));
    let requests = other.join().unwrap();
    assert!(requests[0].starts_with("GET /store?signature=s "), "{}", requests[0]);
    assert_eq!(authorization(&requests[0]), None);
}

#[test]
fn a_challenge_from_another_host_is_not_answered() {
    let asks = response("401 Unauthorized", &["www-authenticate: Basic realm=\"x\""], "");
    let (elsewhere, other) = serve(|_| vec![asks]);
    let location = format!("location: http://{elsewhere}/");
    let (authority, server) = serve(|_| vec![response("302 Found", &[&location], "")]);
    assert_eq!(ask(&transport(&authority, Some("secret"))).unwrap().status, 401);
    assert_eq!(authorization(&other.join().unwrap()[0]), None);
    server.join().unwrap();
}

#[test]
fn gives_up_on_redirects_without_end() {
    let again = response("302 Found", &["location: /v2/a/blobs/x"], "");
    let (authority, server) = serve(|_| vec![again; MAX_REDIRECTS + 1]);
    let error = ask(&transport(&authority, None)).err().unwrap();
    assert!(error.to_string().contains("redirects more than"), "{error}");
    server.join().unwrap();
}

#[test]
fn a_registry_points_to_itself_alone() {
    let transport = transport("127.0.0.1:5000", None);
    let from = transport.at("/v2/a/blobs/uploads/");
    for (text, expected) in [
        ("/v2/a/blobs/uploads/1?x=y", Some("/v2/a/blobs/uploads/1?x=y")),
        ("http://127.0.0.1:5000/u/1", Some("/u/1")),
        // Behind a proxy that speaks TLS, or does not, a registry may name the other scheme.
        ("https://127.0.0.1:5000/u/1", Some("/u/1")),
        ("1", Some("/v2/a/blobs/uploads/1")),
        ("http://127.0.0.1:5001/u/1", None),
        ("http://evil.example.com/u/1", None),
        ("//evil.example.com/u/1", None),
        ("http://127.0.0.1:5000@evil.example.com/", None),
        ("ftp://127.0.0.1:5000/u", None),
        ("/a b", None),
        ("/a\r\nx: y", None),
    ] {
        assert_eq!(transport.own_path(&from, text).ok().as_deref(), expected, "{text}");
    }
}

#[test]
fn waits_for_a_busy_registry_and_tells_what_it_says() {
    let body = r#"{"errors":[{"code":"DENIED","message":"no\u001b[31m"}]}"#;
    let (authority, server) = serve(|_| {
        vec![
            response("429 Too Many Requests", &["retry-after: 1"], ""),
            response("503 Service Unavailable", &[], ""),
            response("403 Forbidden", &[], body),
        ]
    });
    let error = ask(&transport(&authority, None)).unwrap().demand(&[200]).err().unwrap();
    assert!(error.to_string().ends_with("answered 403: DENIED: no\u{fffd}[31m"), "{error}");
    server.join().unwrap();
}

#[test]
fn hosts_of_one_domain_may_share_credentials_and_addresses_may_not() {
    for (one, other, expected) in [
        ("auth.docker.io", "registry-1.docker.io", true),
        ("gitlab.example.com", "registry.example.com", true),
        ("example.com", "registry.example.com", true),
        ("evil.com", "registry.example.com", false),
        ("localhost", "localhost", false),
        ("127.0.0.1", "127.0.0.2", false),
        ("10.0.0.1", "11.0.0.1", false),
    ] {
        assert_eq!(same_domain(one, other), expected, "{one} {other}");
    }
}

#[test]
fn a_token_that_allows_more_allows_what_is_asked() {
    assert!(covers("repository:a/b:pull,push", "repository:a/b:pull"));
    assert!(!covers("repository:a/b:pull", "repository:a/b:pull,push"));
    assert!(!covers("repository:a:pull,push", "repository:a/b:pull"));
}
