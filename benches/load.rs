//! The load generator: a real server process, real signatures, every answer checked.
//!
//! `cargo bench --profile release -p attestry-benches --bench load -- --clients 1,16,64`
//!
//! Envelopes are signed before the clock starts. Each client has one kept-alive connection and
//! posts one envelope at a time; an answer counts when its status is 201 and it says `created`
//! with an inclusion proof. One answer in [`SAMPLE_EVERY`] is verified afterwards as `attestry
//! verify` would, against the registry's trusted root.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "figures are for the terminal")]

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use attestry_benches::client::Reading;
use attestry_benches::crowd::Asked as _;
use attestry_benches::figures::{Durations, Table, ms};
use attestry_benches::machine::{self, Usage};
use attestry_benches::options::Options;
use attestry_benches::programs::Programs;
use attestry_benches::server::Server;
use attestry_benches::{Context as _, Failure, fixtures};
use attestry_schemas::bundle::Bundle;
use attestry_schemas::digest::Digest;
use attestry_schemas::json;
use attestry_schemas::key::SigningKey;
use attestry_schemas::problem::chain;
use attestry_schemas::verify::{Claim, Keys, Subject, Verifier};

/// Of how many answers one is verified in full.
const SAMPLE_EVERY: usize = 100;
/// Envelopes posted before anything is measured.
const WARM_UP: usize = 500;
/// Syncs of the disk that are measured before and after each phase.
const SYNCS: usize = 200;
/// The most bytes of an answer that is verified.
const MAX_ANSWER_BYTES: usize = 1 << 20;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::from(2)
        }
    }
}

/// Runs every phase; says whether every answer was right.
fn run() -> Result<bool, Failure> {
    let options = Options::read(&["clients", "seconds", "count", "programs"])?;
    if !options.wants("load") {
        return Ok(true);
    }
    let clients = options.numbers("clients", &[1, 16, 64])?;
    let seconds = options.number("seconds", 8)?;
    let count = usize::try_from(options.number("count", 40_000)?)?;
    let programs = Programs::find(options.text("programs"))?;
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = tempfile::tempdir_in(parent).context("making a folder")?;
    let key = fixtures::p256_key();
    let server = Server::start(&programs.registry, folder.path(), key.public_key())?;
    println!("machine: {}", machine::describe());
    println!("phases of at most {seconds} s and {count} attestations, P-256, sync on\n");

    let bench = Bench { server, key, folder: folder.path() };
    let mut first = 0;
    bench.phase(1, first, WARM_UP, Duration::from_secs(30))?;
    first += WARM_UP;
    let mut phases = Vec::new();
    for clients in clients {
        let clients = usize::try_from(clients)?;
        phases.push(bench.phase(clients, first, count, Duration::from_secs(seconds))?);
        first += count;
    }
    report(&phases);
    let peak_memory_kib = bench.server.usage().peak_memory_kib;
    println!("peak memory of the server: {:.1} MiB", peak_memory_kib as f64 / 1024.0);
    let wrong: usize = phases.iter().map(|phase| phase.wrong.len()).sum();
    for fault in phases.iter().flat_map(|phase| &phase.wrong).take(5) {
        println!("wrong: {fault}");
    }
    Ok(wrong == 0)
}

/// What was measured with one number of clients.
struct Phase {
    clients: usize,
    elapsed: Duration,
    latency: Durations,
    sync: Durations,
    verified: usize,
    wrong: Vec<String>,
    server_cpu_us: u64,
    own_cpu_us: u64,
    batch: f64,
}

struct Bench<'a> {
    server: Server,
    key: SigningKey,
    folder: &'a Path,
}

/// What one client saw.
#[derive(Default)]
struct Seen {
    latency: Vec<Duration>,
    sampled: Vec<(usize, Vec<u8>)>,
    wrong: Vec<String>,
}

impl Bench<'_> {
    /// Posts `count` envelopes, or as many as `clients` clients manage within `within`.
    fn phase(
        &self,
        clients: usize,
        first: usize,
        count: usize,
        within: Duration,
    ) -> Result<Phase, Failure> {
        let request = |n: usize| {
            let envelope = fixtures::envelope(n as u64, &self.key);
            self.server.attestation_request(&envelope.to_json())
        };
        let requests: Vec<Vec<u8>> = (first..first + count).map(request).collect();
        let sync_before = machine::disk_sync(self.folder, SYNCS)?;
        let (batches_before, commits_before) = self.server.histogram("attestry_batch_size")?;
        let (server_before, own_before) = (self.server.usage(), Usage::of("self"));

        let next = AtomicUsize::new(0);
        let mut connections = Vec::with_capacity(clients);
        for _ in 0..clients {
            connections.push(self.server.connect()?);
        }
        let started = Instant::now();
        let seen: Vec<Seen> = std::thread::scope(|scope| {
            let client = |mut connection| {
                let (next, requests) = (&next, &requests);
                scope.spawn(move || {
                    let mut seen = Seen::default();
                    while started.elapsed() < within {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        let Some(request) = requests.get(place) else { break };
                        seen.post(&mut connection, request, first + place);
                    }
                    seen
                })
            };
            let threads: Vec<_> = connections.into_iter().map(client).collect();
            let ended = |thread: std::thread::ScopedJoinHandle<'_, Seen>| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            threads.into_iter().map(ended).collect()
        });
        let elapsed = started.elapsed();

        let server_cpu_us = self.server.usage().cpu_us_since(server_before);
        let own_cpu_us = Usage::of("self").cpu_us_since(own_before);
        let (batches, commits) = self.server.histogram("attestry_batch_size")?;
        let sync_after = machine::disk_sync(self.folder, SYNCS)?;
        let (mut latency, mut sampled, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
        for seen in seen {
            latency.extend(seen.latency);
            sampled.extend(seen.sampled);
            wrong.extend(seen.wrong);
        }
        let verified = self.verify(&sampled, &mut wrong)?;
        Ok(Phase {
            clients,
            elapsed,
            latency: Durations::new(latency),
            sync: sync_before.with(sync_after),
            verified,
            wrong,
            server_cpu_us,
            own_cpu_us,
            batch: (batches - batches_before) / (commits - commits_before).max(1.0),
        })
    }

    /// Verifies the sampled answers in full; says how many held.
    fn verify(
        &self,
        sampled: &[(usize, Vec<u8>)],
        wrong: &mut Vec<String>,
    ) -> Result<usize, Failure> {
        let root = self.server.trusted_root()?;
        let verifier = Verifier {
            keys: Keys::Managed(vec![self.key.public_key().clone()]),
            root: Some(&root),
        };
        let before = wrong.len();
        for (n, answer) in sampled {
            if let Err(fault) = verify_answer(&verifier, *n, answer) {
                wrong.push(format!("attestation {n} does not verify: {fault}"));
            }
        }
        Ok(sampled.len() - (wrong.len() - before))
    }
}

fn verify_answer(verifier: &Verifier<'_>, n: usize, answer: &[u8]) -> Result<(), Failure> {
    let value = json::parse(answer, MAX_ANSWER_BYTES).map_err(|e| chain(&e))?;
    let bundle = value.pointer("/items/0/bundle").ok_or("no bundle in the answer")?;
    let bundle = Bundle::from_value(bundle.clone()).map_err(|e| chain(&e))?;
    let digest = Digest::from(fixtures::subject_digest(n as u64));
    let subject = Subject::of_digest(&digest);
    let claim = Claim::Type(fixtures::PROVENANCE_TYPE.to_owned());
    let evidence = verifier.bundle(&bundle, subject, &claim).map_err(|e| chain(&e))?;
    match evidence.get().logged.len() {
        1 => Ok(()),
        found => Err(format!("expected one log entry, found {found}").into()),
    }
}

impl Seen {
    fn post(
        &mut self,
        connection: &mut attestry_benches::client::Connection,
        request: &[u8],
        n: usize,
    ) {
        let started = Instant::now();
        let answer = match connection.exchange(request, Reading::Whole) {
            Ok(answer) => answer,
            Err(error) => {
                self.wrong.push(format!("attestation {n}: {error}"));
                return;
            }
        };
        let elapsed = started.elapsed();
        let text = std::str::from_utf8(answer.body).unwrap_or_default();
        let is_proven = text.contains("\"created\"") && text.contains("\"inclusionProof\"");
        if answer.status != 201 || !is_proven {
            self.wrong.push(format!("attestation {n}: status {}, {text:.300}", answer.status));
            return;
        }
        self.latency.push(elapsed);
        if n.is_multiple_of(SAMPLE_EVERY) {
            self.sampled.push((n, answer.body.to_vec()));
        }
    }
}

fn report(phases: &[Phase]) {
    let mut table = Table::new(&[
        "clients",
        "attestations",
        "per second",
        "p50 ms",
        "p90 ms",
        "p99 ms",
        "max ms",
        "wrong",
        "verified in full",
        "per commit",
        "server CPU µs each",
        "generator CPU µs each",
    ]);
    for phase in phases {
        let count = phase.latency.count();
        let each = |us: u64| format!("{:.0}", us as f64 / count.max(1) as f64);
        table.row([
            phase.clients.to_string(),
            count.to_string(),
            format!("{:.0}", count as f64 / phase.elapsed.as_secs_f64()),
            ms(phase.latency.median()),
            ms(phase.latency.quantile(900)),
            ms(phase.latency.quantile(990)),
            ms(phase.latency.max()),
            phase.wrong.len().to_string(),
            phase.verified.to_string(),
            format!("{:.1}", phase.batch),
            each(phase.server_cpu_us),
            each(phase.own_cpu_us),
        ]);
    }
    println!("{table}");
    let mut table = Table::new(&[
        "clients",
        "disk sync p50 ms",
        "disk sync p99 ms",
        "attestation p50 ms",
        "p50 beyond the disk ms",
    ]);
    for phase in phases {
        table.row([
            phase.clients.to_string(),
            ms(phase.sync.median()),
            ms(phase.sync.quantile(990)),
            ms(phase.latency.median()),
            ms(phase.latency.median().saturating_sub(phase.sync.median())),
        ]);
    }
    println!("{table}");
}
