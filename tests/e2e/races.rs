//! Writers that race, queues that overflow, and a stop in the middle.

use std::sync::{Arc, Barrier};

use attestry_tests::{
    Ledger, Load, Registry, State, Workload, envelope_about, p256_key, programs, wait_for,
};
use serde_json::Value;

#[test]
fn racing_writers_of_one_envelope_get_one_leaf_and_the_same_proof() {
    const RACES: u64 = 40;
    const WRITERS: usize = 4;
    let key = p256_key();
    let registry = Registry::init(&programs!(), &[key.public_key()]);
    let server = registry.serve();
    for race in 0..RACES {
        let sample = envelope_about(race, &key);
        let start = Barrier::new(WRITERS);
        let answers: Vec<Value> = std::thread::scope(|scope| {
            let write = || {
                let client = server.client();
                start.wait();
                let reply = client.submit(&sample.bytes).unwrap();
                assert!(matches!(reply.status, 200 | 201), "{}", reply.text());
                let item = reply.json()["items"][0].clone();
                assert_eq!(item["status"] == "created", reply.status == 201);
                item
            };
            let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(write)).collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        let created = answers.iter().filter(|item| item["status"] == "created").count();
        assert_eq!(created, 1, "race {race}: {answers:#?}");
        for item in &answers {
            assert_eq!(item["index"], race + 1, "one leaf for each race");
            assert_eq!(item["bundle"], answers[0]["bundle"], "race {race}: the same proof");
        }
    }
    let found = server.client().get("/v1/attestations?limit=1").expect(200).json();
    assert_eq!(found["items"][0]["index"], RACES);
    server.terminate();
    registry.demand_clean();
}

#[test]
fn a_full_queue_is_answered_503_and_the_server_serves_on() {
    let key = p256_key();
    let registry = Registry::init(&programs!(), &[key.public_key()]);
    let flags = ["--queue-capacity", "1", "--max-batch", "1"];
    let server = registry.serve_with(&flags, &[]);
    let overloads = std::sync::atomic::AtomicU64::new(0);
    let taken = std::sync::atomic::AtomicU64::new(0);
    let enough = || overloads.load(std::sync::atomic::Ordering::Relaxed) >= 3;
    let numbers = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let client = server.client();
                let until = std::time::Instant::now() + attestry_tests::DEADLINE;
                while !enough() && std::time::Instant::now() < until {
                    let number = numbers.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let reply = client.submit(&envelope_about(number, &key).bytes).unwrap();
                    match reply.status {
                        201 => &taken,
                        503 => {
                            assert!(reply.header("retry-after").parse::<u32>().is_ok());
                            let problem = reply.json();
                            let type_ = problem["type"].as_str().unwrap();
                            assert!(type_.ends_with("/overloaded"), "{problem}");
                            &overloads
                        }
                        status => panic!("{status}: {}", reply.text()),
                    }
                    .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
    });
    assert!(enough(), "the queue was never full");
    let reply = server.client().submit(&envelope_about(u64::MAX, &key).bytes).unwrap().expect(201);
    let index = taken.into_inner() + 1;
    assert_eq!(reply.json()["items"][0]["index"], index, "every leaf is one that was answered");
    server.terminate();
    registry.demand_clean();
}

#[test]
fn a_graceful_stop_under_load_keeps_all_that_was_acknowledged() {
    let workload = Workload::new(6, 1);
    let keys = [workload.keys.0.public_key().clone(), workload.keys.1.public_key().clone()];
    let registry = Registry::init(&programs!(), &keys.each_ref());
    let ledger = Arc::new(Ledger::new(registry.trusted_root(), keys.to_vec()));
    for round in 1..4 {
        let server = registry.serve();
        let before = ledger.acknowledged();
        let load = Load::start(&server, &workload, &ledger, round);
        wait_for("acknowledgements", || (ledger.acknowledged() > before + 60).then_some(()));
        // A service manager's signal, and the one of a terminal.
        server.end_by(if round == 2 { "INT" } else { "TERM" });
        load.stop();
        registry.demand_clean();
    }
    let server = registry.serve();
    ledger.demand_all_kept(&server.client());
    let failed = ledger.count(|state| *state == State::Failed);
    let unanswered = ledger.count(|state| *state == State::Sent);
    eprintln!(
        "{} acknowledged, {failed} answered with an error, {unanswered} not answered",
        ledger.acknowledged()
    );
}
