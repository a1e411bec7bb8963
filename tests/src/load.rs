//! Clients that write as fast as they are answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use attestry_schemas::digest::Sha256;
use attestry_schemas::key::SigningKey;
use serde_json::Value;

use crate::{
    Client, Ledger, Random, Reply, Sample, Server, State, envelope_about, signature_about,
};

/// The sizes of content: some lie in the engine, most in files.
const CONTENT_BYTES: std::ops::Range<u64> = 30_000..300_000;
/// How many attestations one request of lines holds.
const LINES: usize = 3;
/// Every so many requests is one of lines.
const LINES_EVERY: u64 = 4;

/// What is written.
#[derive(Debug, Clone)]
pub struct Workload {
    /// How many clients write attestations.
    pub writers: u8,
    /// How many clients write content.
    pub content_writers: u8,
    /// Numbers the artifacts, over all loads on one registry.
    pub numbers: Arc<AtomicU64>,
    /// Who signs: Ed25519 for statements, P-256 for signatures.
    pub keys: Arc<(SigningKey, SigningKey)>,
}

impl Workload {
    /// Writers of attestations and of content, with keys of their own.
    #[must_use]
    pub fn new(writers: u8, content_writers: u8) -> Self {
        let keys = Arc::new((crate::seeded_key(1), crate::p256_key()));
        Self { writers, content_writers, numbers: Arc::new(AtomicU64::new(1)), keys }
    }
}

/// A load that runs. Dropping it stops it.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts to write; the ledger keeps what was sent and what was answered. A client ends when
    /// its connection breaks.
    #[must_use]
    pub fn start(server: &Server, workload: &Workload, ledger: &Arc<Ledger>, seed: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = (0..workload.writers).map(|_| true);
        let clients = clients.chain((0..workload.content_writers).map(|_| false));
        let threads = clients
            .zip(0..)
            .map(|(attests, number): (bool, u64)| {
                let writer = Writer {
                    client: server.client(),
                    workload: workload.clone(),
                    ledger: Arc::clone(ledger),
                    random: Random::of(seed.wrapping_add(number)),
                };
                let stop = Arc::clone(&stop);
                std::thread::spawn(move || writer.run(attests, &stop))
            })
            .collect();
        Self { stop, threads }
    }

    /// Lets every client finish what it sends, and ends.
    ///
    /// # Panics
    /// When a client did.
    pub fn stop(mut self) {
        self.stop.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

struct Writer {
    client: Client,
    workload: Workload,
    ledger: Arc<Ledger>,
    random: Random,
}

impl Writer {
    fn run(mut self, attests: bool, stop: &AtomicBool) {
        while !stop.load(Ordering::Acquire) {
            let goes_on = match attests {
                true if self.random.below(LINES_EVERY) == 0 => self.lines(),
                true => self.one(),
                false => self.content(),
            };
            if !goes_on {
                return;
            }
        }
    }

    fn sample(&mut self) -> Sample {
        let number = self.workload.numbers.fetch_add(1, Ordering::Relaxed);
        let (statements, signatures) = &*self.workload.keys;
        let sample = match number % 3 {
            0 => signature_about(number, signatures),
            _ => envelope_about(number, statements),
        };
        self.ledger.sending(&sample);
        sample
    }

    fn one(&mut self) -> bool {
        let sample = self.sample();
        let Ok(reply) = self.client.submit(&sample.bytes) else { return false };
        let items = if is_success(&reply) { reply.json()["items"].clone() } else { Value::Null };
        self.note(&reply, &sample, items.get(0));
        true
    }

    fn lines(&mut self) -> bool {
        let samples: Vec<Sample> = (0..LINES).map(|_| self.sample()).collect();
        let lines: Vec<&[u8]> = samples.iter().map(|s| s.bytes.as_slice()).collect();
        let request = crate::Request::new("POST", "/v1/attestations")
            .header("content-type", "application/x-ndjson")
            .body(lines.join(&b'\n'));
        let Ok(reply) = self.client.send(&request) else { return false };
        let items = if is_success(&reply) { reply.json()["items"].clone() } else { Value::Null };
        for (place, sample) in samples.iter().enumerate() {
            self.note(&reply, sample, items.get(place));
        }
        true
    }

    fn note(&self, reply: &Reply, sample: &Sample, item: Option<&Value>) {
        let state = match item {
            Some(item) if item["status"] != "refused" => {
                assert_eq!(item["digest"], sample.digest.to_string(), "{}", reply.text());
                let index = item["index"].as_u64().unwrap();
                State::Acknowledged(Some((index, item["bundle"].clone())))
            }
            // Only what the server could not do; there is nothing wrong with what is sent.
            Some(item) => {
                assert!(item["problem"]["status"].as_u64() >= Some(500), "{}", reply.text());
                State::Failed
            }
            None => {
                assert!(reply.status >= 500, "{}: {}", reply.status, reply.text());
                State::Failed
            }
        };
        self.ledger.answered(&sample.digest, state);
    }

    fn content(&mut self) -> bool {
        let size = CONTENT_BYTES.start + self.random.below(CONTENT_BYTES.end - CONTENT_BYTES.start);
        let bytes = self.random.bytes(usize::try_from(size).unwrap());
        let digest = Sha256::of(&bytes);
        self.ledger.sending_content(digest, &bytes);
        let Ok(reply) = self.client.store(&digest.to_string(), &bytes) else { return false };
        let state = if is_success(&reply) {
            State::Acknowledged(None)
        } else {
            assert!(reply.status >= 500, "{}: {}", reply.status, reply.text());
            State::Failed
        };
        self.ledger.answered_content(&digest, state);
        true
    }
}

fn is_success(reply: &Reply) -> bool {
    matches!(reply.status, 200 | 201 | 204 | 207)
}
