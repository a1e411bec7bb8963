//! Connections on which somebody sends a byte now and then: each is ended in its time, and nobody else waits for it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use attestry_tests::{Registry, Request, programs};

/// How long after its bound a connection may still be open.
const GRACE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(40);

/// Sends `head`, and then a byte at a time for as long as the server listens; gives what it answered.
fn trickle(host: &str, head: &str) -> String {
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(PAUSE)).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let (begun, mut answer) = (Instant::now(), Vec::new());
    let mut part = [0; 4096];
    loop {
        assert!(begun.elapsed() < GRACE, "the connection is still open, after {answer:?}");
        // The read's timeout is the pause between two bytes.
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&part[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                // What is sent to a closed connection fails here or at the next read.
                let _ = stream.write_all(b"a");
            }
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn whoever_sends_too_slowly_is_refused_and_others_are_served() {
    let registry = Registry::init(&programs!(), &[]);
    let server = registry.serve_with(
        &[],
        &[
            ("ATTESTRY_REGISTRY_HEADER_TIMEOUT_MS", "400"),
            ("ATTESTRY_REGISTRY_REQUEST_TIMEOUT_MS", "400"),
            ("ATTESTRY_REGISTRY_CONTENT_TIMEOUT_MS", "400"),
            ("ATTESTRY_REGISTRY_MAX_CONNECTIONS", "64"),
        ],
    );
    let host = server.url.strip_prefix("http://").unwrap().to_owned();
    let with_body = |line: &str, media_type: &str| {
        format!(
            "{line} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nContent-Type: {media_type}\r\nContent-Length: 100000\r\n\r\n",
            registry.token
        )
    };
    let digest = attestry_tests::oci::digest(&[b'a'; 100_000]);
    let upload = format!("POST /v2/pay/api/blobs/uploads/?digest={digest}");
    let requests = [
        format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nX-Slow: "),
        with_body(&upload, "application/octet-stream"),
        with_body("PUT /v2/pay/api/manifests/v1", "application/vnd.oci.image.manifest.v1+json"),
        with_body("POST /v1/attestations", "application/json"),
        with_body(&format!("PUT /v1/content/{digest}"), "application/octet-stream"),
        // Whoever asks for a token has not shown a credential yet.
        format!("POST /v2/token HTTP/1.1\r\nHost: {host}\r\nContent-Length: 10000\r\n\r\n"),
    ];
    std::thread::scope(|scope| {
        let slow: Vec<_> =
            requests.iter().map(|request| scope.spawn(|| trickle(&host, request))).collect();
        let client = server.client();
        for _ in 0..20 {
            let _ = client.get("/healthz").expect(200);
        }
        for (request, answer) in requests.iter().zip(slow) {
            let answer = answer.join().unwrap();
            assert!(answer.starts_with("HTTP/1.1 408 "), "{request:.60}: {answer}");
        }
    });
    server.terminate();
    let _ = registry.demand_clean();
}

/// Asks on a connection of its own, which stays open.
fn ask(host: &str) -> TcpStream {
    let mut stream = TcpStream::connect(host).unwrap();
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// Whether an answer begins within a time.
fn is_answered(stream: &mut TcpStream, within: Duration) -> bool {
    stream.set_read_timeout(Some(within)).unwrap();
    matches!(stream.read(&mut [0; 1]), Ok(1))
}

#[test]
fn no_more_connections_are_served_than_the_setting_says_however_many_threads_serve_them() {
    let registry = Registry::init(&programs!(), &[]);
    let server = registry.serve_with(
        &[],
        &[("ATTESTRY_REGISTRY_MAX_CONNECTIONS", "2"), ("ATTESTRY_REGISTRY_WORKER_THREADS", "2")],
    );
    let host = server.url.strip_prefix("http://").unwrap().to_owned();
    let mut served = [ask(&host), ask(&host)];
    for stream in &mut served {
        assert!(is_answered(stream, GRACE));
    }
    let mut waiting = ask(&host);
    assert!(!is_answered(&mut waiting, Duration::from_millis(500)), "a third one is served");
    drop(served);
    assert!(is_answered(&mut waiting, GRACE));
    drop(waiting);
    server.terminate();
}

#[test]
fn a_chunk_of_no_announced_length_is_as_long_as_its_range_or_ends_the_session() {
    let registry = Registry::init(&programs!(), &[]);
    let server = registry.serve();
    let host = server.url.strip_prefix("http://").unwrap().to_owned();
    let client = server.client();
    for (body, expected) in [
        ("3\r\n012\r\n0\r\n\r\n", 400),
        ("5\r\n01234\r\n0\r\n\r\n", 400),
        ("4\r\n0123\r\n0\r\n\r\n", 202),
    ] {
        let begun = client.send(&Request::new("POST", "/v2/pay/api/blobs/uploads/")).unwrap();
        let place = begun.expect(202).header("location").to_owned();
        let request = format!(
            "PATCH {place} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nContent-Range: 0-3\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{body}",
            registry.token
        );
        let mut stream = TcpStream::connect(&host).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected} ")), "{body:?}: {answer}");
        let status = client.get(&place).status;
        assert_eq!(status, if expected == 202 { 204 } else { 404 }, "{body:?}");
    }
}
