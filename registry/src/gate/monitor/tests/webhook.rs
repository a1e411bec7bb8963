//! The webhook, before a receiver that fails first.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use attestry_schemas::base64;
use serde_json::Value;

use super::governed::{Governed, RULES, artifact, telling};

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

/// A receiver that takes events while it is open, and what it was sent: whether it took it, and the event.
fn receiver(open: &Arc<AtomicBool>) -> (String, mpsc::Receiver<(bool, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/events", listener.local_addr().unwrap());
    let (sender, requests) = mpsc::channel();
    let open = Arc::clone(open);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let takes = open.load(Ordering::SeqCst);
            let status = if takes { "204 No Content" } else { "503 Service Unavailable" };
            let (_, body) = answer(&mut stream.unwrap(), status);
            let _ = sender.send((takes, serde_json::from_slice(&body).unwrap()));
        }
    });
    (url, requests)
}

#[test]
fn what_was_not_taken_before_a_restart_is_told_after_it_and_nothing_else() {
    let open = Arc::new(AtomicBool::new(false));
    let (url, requests) = receiver(&open);
    let next = || requests.recv_timeout(Duration::from_secs(20)).unwrap();
    let governed = Governed::with(RULES, Some(&url));
    let deployed = governed.deploy(1, governed.allow(1)).digest;
    governed.scan(1, &["CVE-2026-1"]);
    super::until("flagged", || governed.verdict(deployed, 1) == Some(false));
    let (taken, first) = next();
    assert!(!taken && first["event"] == "non-compliant", "{first}");
    // This one was never tried.
    governed.record("deployer", 2, Governed::deployment("deployed", None));
    let governed = governed.restarted_with(telling(&url));
    open.store(true, Ordering::SeqCst);
    let mut told = Vec::new();
    while told.len() < 3 {
        let (taken, event) = next();
        if taken {
            told.push(event);
        } else {
            assert_eq!(event, first, "the same until it is taken");
        }
    }
    assert_eq!(told[0], first, "the same id and bytes");
    assert_eq!(told[1]["event"], "unauthorized-deployment");
    assert_eq!(told[2]["event"], "non-compliant", "nobody signed the second artifact");
    let ids: std::collections::BTreeSet<_> = told.iter().map(|one| one["id"].as_str()).collect();
    assert_eq!(ids.len(), 3, "{told:?}");
    super::until("counted", || {
        let text = String::from_utf8(governed.running.metrics.render()).unwrap();
        text.contains("attestry_webhook_events_total{outcome=\"delivered\"} 3")
    });
    let cursor = |governed: &Governed| governed.running.store.reader().event_cursor().unwrap();
    super::until("written", || cursor(&governed).is_some_and(|next| next > deployed_index(&told)));
    // What was taken is not told again.
    let governed = governed.restarted_with(telling(&url));
    let last = governed.record("deployer", 3, Governed::deployment("deployed", None));
    let (_, event) = next();
    assert_eq!(event["deployment"], last.digest.to_string(), "{event}");
}

/// The index of the leaf that the last event follows from, as its id says.
fn deployed_index(told: &[Value]) -> u64 {
    let id = told.last().unwrap()["id"].as_str().unwrap();
    let parts: Vec<&str> = id.split('/').collect();
    let [origin, index, number] = parts.as_slice() else { panic!("{id}") };
    assert_eq!((*origin, *number), ("attest.example.org", "0"));
    index.parse().unwrap()
}

#[test]
fn what_nobody_takes_is_given_up_counted_and_the_next_one_tried() {
    let open = Arc::new(AtomicBool::new(false));
    let (url, requests) = receiver(&open);
    let governed = Governed::with(RULES, Some(&url));
    let lost = governed.record("deployer", 1, Governed::deployment("deployed", None)).digest;
    super::until("given up", || {
        let text = String::from_utf8(governed.running.metrics.render()).unwrap();
        text.contains("attestry_webhook_events_total{outcome=\"given-up\"} 1")
    });
    open.store(true, Ordering::SeqCst);
    let is_lost = |event: &Value| {
        event["event"] == "unauthorized-deployment" && event["deployment"] == lost.to_string()
    };
    assert_eq!(requests.try_iter().filter(|(_, event)| is_lost(event)).count(), 8);
    // The next one, a verdict, is taken.
    super::until("delivered", || {
        requests.try_iter().any(|(taken, event)| taken && event["event"] == "non-compliant")
    });
}

#[test]
fn what_was_never_authorized_is_never_called_compliant() {
    let open = Arc::new(AtomicBool::new(true));
    let (url, requests) = receiver(&open);
    let governed = Governed::with(RULES, Some(&url));
    let deployed = governed.record("deployer", 1, Governed::deployment("deployed", None)).digest;
    super::until("flagged", || governed.verdict(deployed, 1) == Some(false));
    governed.sign(1);
    governed.scan(1, &[]);
    super::until("judged anew", || governed.verdict(deployed, 1) == Some(true));
    let [status] = governed.status().try_into().unwrap();
    assert!(!status.compliant && status.running, "{status:?}");
    governed.record("deployer", 2, Governed::deployment("deployed", None));
    let mut told = Vec::new();
    while told.len() < 3 {
        let (_, event) = requests.recv_timeout(Duration::from_secs(20)).unwrap();
        let artifact = event["subject"].as_str().unwrap().to_owned();
        told.push((event["event"].as_str().unwrap().to_owned(), artifact));
    }
    told.sort();
    let of = |event: &str, n: u64| (event.to_owned(), artifact(n).to_string());
    let mut expected = [
        of("non-compliant", 1),
        of("unauthorized-deployment", 1),
        of("unauthorized-deployment", 2),
    ];
    expected.sort();
    assert_eq!(told, expected);
    let text = String::from_utf8(governed.running.metrics.render()).unwrap();
    assert!(!text.contains("attestry_events_total{event=\"compliant\"}"), "{text}");
}
