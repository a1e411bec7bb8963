//! The webhook, before a receiver that fails first.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use attestry_schemas::digest::Digest;
use attestry_schemas::dsse::{Envelope, PAYLOAD_TYPE};
use attestry_schemas::statement::{ResourceDescriptor, Statement};
use attestry_schemas::{base64, verify};
use serde_json::{Value, json};

use super::governed::{ENVIRONMENT, Governed, NAME, RULES, artifact, envelope, key, telling};
use crate::gate::Request;

/// Reads a request; returns its signature and body.
fn read(stream: &TcpStream) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(stream);
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
    (signature, body)
}

/// Answers a request with a status.
fn end(stream: &mut TcpStream, status: &str) {
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
}

/// Reads a request, and answers it with a status; returns its signature and body.
fn answer(stream: &mut TcpStream, status: &str) -> (String, Vec<u8>) {
    let request = read(stream);
    end(stream, status);
    request
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
    refusing(open, "503 Service Unavailable")
}

/// The same; what it does not take it answers so.
fn refusing(
    open: &Arc<AtomicBool>,
    answered: &'static str,
) -> (String, mpsc::Receiver<(bool, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/events", listener.local_addr().unwrap());
    let (sender, requests) = mpsc::channel();
    let open = Arc::clone(open);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let takes = open.load(Ordering::SeqCst);
            let status = if takes { "204 No Content" } else { answered };
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
    governed.record("deployer", 2, Governed::deployment("deployed", None));
    let governed = governed.restarted_with(telling(&url));
    open.store(true, Ordering::SeqCst);
    let (mut told, mut refused) = (Vec::new(), Vec::new());
    while told.len() < 3 {
        match next() {
            (true, event) => told.push(event),
            (false, event) => refused.push(event),
        }
    }
    assert!(told.contains(&first), "the same id and bytes: {told:?}");
    assert!(refused.iter().all(|event| told.contains(event)), "{refused:?} {told:?}");
    let of_second = told.iter().filter(|event| event["subject"] == artifact(2).to_string());
    let of_second: Vec<&Value> = of_second.map(|event| &event["event"]).collect();
    // In the order of the log; nobody signed the second artifact.
    assert_eq!(of_second, ["unauthorized-deployment", "non-compliant"]);
    let ids: std::collections::BTreeSet<_> = told.iter().map(|one| one["id"].as_str()).collect();
    assert_eq!(ids.len(), 3, "{told:?}");
    super::until("counted", || {
        let text = String::from_utf8(governed.running.metrics.render()).unwrap();
        text.contains("attestry_webhook_events_total{outcome=\"delivered\"} 3")
    });
    let cursor = |governed: &Governed| governed.running.store.reader().event_cursor().unwrap();
    super::until("written", || cursor(&governed).is_some_and(|next| next > newest(&told)));
    // What was taken is not told again.
    let governed = governed.restarted_with(telling(&url));
    let last = governed.record("deployer", 3, Governed::deployment("deployed", None));
    let (_, event) = next();
    assert_eq!(event["deployment"], last.digest.to_string(), "{event}");
}

/// The newest leaf that an event follows from, as their ids say.
fn newest(told: &[Value]) -> u64 {
    let index = |event: &Value| {
        let id = event["id"].as_str().unwrap();
        let parts: Vec<&str> = id.split('/').collect();
        let [origin, index, number] = parts.as_slice() else { panic!("{id}") };
        assert_eq!((*origin, *number), ("attest.example.org", "0"));
        index.parse().unwrap()
    };
    told.iter().map(index).max().unwrap()
}

#[test]
fn what_is_refused_is_given_up_counted_and_the_next_one_about_the_same_tried() {
    let open = Arc::new(AtomicBool::new(false));
    let (url, requests) = refusing(&open, "422 Unprocessable Content");
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

#[test]
fn what_is_refused_or_not_answered_holds_up_nothing_about_others() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/events", listener.local_addr().unwrap());
    let (sender, taken) = mpsc::channel();
    let (refused, silent) = (artifact(1).to_string(), artifact(2).to_string());
    let (refused_again, also_silent) = (refused.clone(), silent.clone());
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (_, body) = read(&stream);
            let event: Value = serde_json::from_slice(&body).unwrap();
            match event["subject"].as_str().unwrap() {
                subject if subject == refused_again => end(&mut stream, "400 Bad Request"),
                subject if subject == also_silent => open.push(stream),
                _ => end(&mut stream, "204 No Content"),
            }
            let _ = sender.send(event["subject"].as_str().unwrap().to_owned());
        }
    });
    let governed = Governed::with(RULES, Some(&url));
    let next = || taken.recv_timeout(Duration::from_secs(20)).unwrap();
    let deploy = |n| governed.record("deployer", n, Governed::deployment("deployed", None));
    deploy(1);
    deploy(2);
    let mut first = [next(), next()];
    first.sort();
    let mut expected = [refused.clone(), silent.clone()];
    expected.sort();
    assert_eq!(first, expected);
    deploy(3);
    let mut before = Vec::new();
    let third = artifact(3).to_string();
    while before.last() != Some(&third) {
        before.push(next());
    }
    let tried = |subject: &String| before.iter().filter(|one| *one == subject).count();
    assert_eq!(tried(&silent), 0, "the first attempt still waits for its answer");
    assert!(tried(&refused) < 8, "it is not given up: {before:?}");
}

#[test]
fn what_one_statement_brought_by_two_names_is_told_of_each() {
    let open = Arc::new(AtomicBool::new(true));
    let (url, requests) = receiver(&open);
    let governed = Governed::with(RULES, Some(&url));
    let names = [NAME, "pay/worker"];
    for name in names {
        let signature = envelope("ci", verify::SIGN_V1, artifact(1), Some(name), json!({}));
        governed.log(&signature, "ci");
    }
    governed.scan(1, &[]);
    let request = Request {
        subject: artifact(1),
        name: None,
        environment: ENVIRONMENT.to_owned(),
        caller: Some("token:deploy".to_owned()),
        configuration: None,
    };
    let decided = governed.running.gate.decide(&request).unwrap().0;
    assert!(decided.decision.passed(), "{:#?}", decided.decision.policies());
    let subject = |name: &str| ResourceDescriptor {
        name: Some(name.to_owned()),
        digest: Some(Digest::from(artifact(1)).into()),
        ..Default::default()
    };
    let predicate = Governed::deployment("deployed", Some(decided.digest));
    let type_ = "https://attestry.dev/deployment/v1";
    let statement = Statement::new(names.map(subject).to_vec(), type_, predicate).unwrap();
    let statement = Envelope::sign(PAYLOAD_TYPE, &statement.to_json(), &key("deployer"));
    let deployed = governed.log(&statement, "deployer").digest;
    assert!(governed.status().iter().all(|one| one.deployment.cause().is_none()));
    for (found, event) in [(&["CVE-2026-1"][..], "non-compliant"), (&[], "compliant")] {
        governed.scan(1, found);
        let mut told = [(); 2].map(|()| {
            let (_, told) = requests.recv_timeout(Duration::from_secs(20)).unwrap();
            assert_eq!(
                (&told["event"], &told["deployment"]),
                (&json!(event), &json!(deployed.to_string()))
            );
            (told["name"].as_str().unwrap().to_owned(), told["id"].as_str().unwrap().to_owned())
        });
        told.sort();
        let [(one, first), (other, second)] = told;
        assert_eq!([one.as_str(), other.as_str()], names);
        assert_ne!(first, second);
        for name in names {
            assert_eq!(governed.verdict_as(name, deployed, 1), Some(event == "compliant"));
        }
    }
}
