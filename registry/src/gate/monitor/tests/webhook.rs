//! The webhook, before a receiver that fails first.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use attestry_schemas::base64;
use serde_json::Value;

use super::governed::{Governed, RULES, artifact};

/// Reads a request, and answers it with a status; returns its signature and body.
fn answer(stream: &mut TcpStream, status: &str) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut signature, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim().split_once(": ") else {
            if line.trim().is_empty() {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "attestry-signature" => signature = value.to_owned(),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
    (signature, body)
}

#[test]
fn an_event_is_posted_signed_and_again_until_it_is_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/events", listener.local_addr().unwrap());
    let (sender, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let status = if number == 0 { "500 Internal Server Error" } else { "204 No Content" };
            let _ = sender.send(answer(&mut stream.unwrap(), status));
        }
    });
    let mut governed = Governed::with(RULES, Some(&url));
    let deployed = governed.deploy(1, governed.allow(1));
    governed.scan(1, &["CVE-2026-1"]);
    let next = || requests.recv_timeout(Duration::from_secs(20)).unwrap();
    let (first, again) = (next(), next());
    assert_eq!(first, again, "the same bytes");
    let (signature, body) = again;
    let signature = signature.strip_prefix("ed25519=").unwrap();
    let signature = base64::decode(signature, "signature").unwrap();
    let key = &governed.running.log.identity().key;
    assert_eq!(key.verify(&body, &signature), Ok(()));
    let event: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(event["event"], "non-compliant");
    assert_eq!(event["subject"], artifact(1).to_string());
    assert_eq!(event["deployment"], deployed.digest.to_string());
    assert!(event["reasons"][0].as_str().unwrap().contains("CVE-2026-1"), "{event}");
    governed.record("deployer", 1, Governed::deployment("deployed", None));
    let event: Value = serde_json::from_slice(&next().1).unwrap();
    assert_eq!(event["event"], "unauthorized-deployment");
    governed.running.stop();
    let text = String::from_utf8(governed.running.metrics.render()).unwrap();
    assert!(text.contains("outcome=\"delivered\"} "), "{text}");
}

#[test]
fn a_receiver_that_is_not_there_stops_nobody() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut governed = Governed::with(RULES, Some(&format!("http://{nobody}/")));
    let deployed = governed.deploy(1, governed.allow(1)).digest;
    governed.scan(1, &["CVE-2026-1"]);
    super::until("flagged", || governed.verdict(deployed, 1) == Some(false));
    let started = std::time::Instant::now();
    governed.running.stop();
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}
