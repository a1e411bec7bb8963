//! The gate: the rules in memory; decisions, admission and replays of a real server process, sync on.
//!
//! `cargo bench --profile release -p attestry-benches --bench gate -- --cold 300 --requests 2000 --deployments 2000`
//!
//! Every artifact has twenty attestations that were signed and posted before anything is measured, and passes a policy of
//! nine rules and `no-rollback`. Every answer must be the one that is expected, or the run ends.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "figures are for the terminal")]

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use attestry_benches::client::Answer;
use attestry_benches::crowd::{self, Asked as _, Seen};
use attestry_benches::figures::{Table, ms};
use attestry_benches::machine;
use attestry_benches::options::Options;
use attestry_benches::pipeline::{ATTESTATIONS, Artifact, ENVIRONMENT, Pipeline};
use attestry_benches::programs::Programs;
use attestry_benches::server::Server;
use attestry_benches::{Context as _, Failure, unconfigured};
use attestry_schemas::digest::Sha256;
use attestry_schemas::gate::{self, Evidence, Held, Purpose, Question};
use attestry_schemas::policy::Policy;
use attestry_schemas::predicate::UtcTime;
use attestry_schemas::roster::Roster;
use attestry_schemas::roster::trust::{Published, Trust};
use attestry_schemas::verify;
use serde_json::{Value, json};

/// Clients that post what is measured later.
const POSTING: usize = 4;
/// Artifacts whose attestations are posted in one request.
const ARTIFACTS_A_REQUEST: usize = 20;
/// Artifacts whose attestations are signed before they are posted.
const ARTIFACTS_SIGNED_AT_ONCE: usize = 2_000;
/// Artifacts that are decided about, and then deployed in one request.
const DEPLOYMENTS_A_REQUEST: usize = 100;
/// Decisions beside the deployments of a large environment.
const BESIDE: u64 = 100;
/// Clients that ask for the decisions that are replayed.
const DECIDING: usize = 16;
/// The past decisions of the aim.
const REPLAYED: f64 = 100_000.0;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gate: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), Failure> {
    let options = Options::read(&[
        "cold",
        "requests",
        "clients",
        "deployments",
        "times",
        "rate",
        "programs",
    ])?;
    if !options.wants("gate") {
        return Ok(());
    }
    let sizes = Sizes {
        cold: options.number("cold", 300)?,
        requests: usize::try_from(options.number("requests", 2_000)?)?,
        clients: usize::try_from(options.number("clients", 200)?)?,
        deployments: options.number("deployments", 2_000)?,
        times: options.number("times", 1)?,
        rate: options.number("rate", 1_000)? as f64,
    };
    println!("machine: {}", machine::describe());
    let pipeline = Pipeline::new();
    rules(&pipeline)?;
    let programs = Programs::find(options.text("programs"))?;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).context("making a folder")?;
    let root = pipeline.root().public_key();
    let server = Server::start_rooted(&programs.registry, folder.path(), root)?;
    let mut bench = Bench { server, pipeline, sizes, table: Table::new(&HEAD) };
    bench.publish()?;
    bench.post_evidence()?;
    bench.server.rest();
    bench.decisions("", 0..bench.sizes.cold)?;
    bench.webhook()?;
    let took = bench.deploy()?;
    bench.server.rest();
    bench.decisions(&took, bench.sizes.beside())?;
    println!("\n{}", bench.table);
    bench.server.restart(&programs.registry, folder.path())?;
    bench.replays()?;
    let peak_memory_kib = bench.server.usage().peak_memory_kib;
    println!("peak memory of the server that replayed: {:.1} MiB", peak_memory_kib as f64 / 1024.0);
    println!("machine: {}", machine::describe());
    Ok(())
}

/// How much is measured.
struct Sizes {
    cold: u64,
    requests: usize,
    clients: usize,
    deployments: u64,
    /// How often each of these artifacts is deployed.
    times: u64,
    /// Requests a second where that is fixed.
    rate: f64,
}

impl Sizes {
    /// The artifacts that are deployed: those that admission is asked about, too.
    fn deployed(&self) -> std::ops::Range<u64> {
        self.cold..self.cold + self.deployments
    }

    /// The artifacts that are decided about when all of those are deployed.
    fn beside(&self) -> std::ops::Range<u64> {
        let first = self.cold + self.deployments;
        first..first + BESIDE
    }
}

/// The evaluation alone, in memory.
fn rules(pipeline: &Pipeline) -> Result<(), Failure> {
    let artifact = Artifact::number(0);
    let now: UtcTime = pipeline.now().parse().context("reading the time")?;
    let roster = Roster::read(pipeline.roster()?.as_bytes()).context("reading the roster")?;
    let text = Pipeline::policy(true);
    let policy = Policy::read(text.as_bytes(), Some(&roster)).context("reading the policy")?;
    let key = pipeline.root().public_key().fingerprint();
    let trust = Trust::new(&[Published { roster, at: now }], &[], key).ok_or("no trust")?;
    let mut evidence = Vec::new();
    for (index, (envelope, key)) in (0..).zip(pipeline.evidence(&artifact)?) {
        let signed = verify::envelope(&envelope, std::slice::from_ref(key.public_key()))
            .context("verifying what was signed")?;
        let held = Held { digest: Sha256::of(&envelope.to_json()), index, logged_at: now };
        evidence.push(Arc::new(Evidence::of_statement(&signed, held)));
    }
    if evidence.len() != ATTESTATIONS {
        return Err(
            format!("expected {ATTESTATIONS} attestations, found {}", evidence.len()).into()
        );
    }
    let question = Question {
        subject: artifact.digest,
        name: Some(artifact.name),
        environment: ENVIRONMENT.to_owned(),
        caller: Some("token:admin".to_owned()),
        configuration: None,
        now,
        log_size: ATTESTATIONS as u64,
        origin: "attest.example.org".to_owned(),
        purpose: Purpose::Deploy,
    };
    let policies = [Arc::new(policy)];
    let decide =
        || gate::decide(black_box(&question), Some(&trust), &policies, &evidence, &|_| None);
    let decision = decide();
    if !decision.passed() {
        return Err(format!("expected PASSED, found {:?}", decision.details()).into());
    }
    let mut criterion = unconfigured();
    criterion.bench_function("gate/decide/20_attestations", |b| b.iter(decide));
    criterion.bench_function("gate/decide_and_write_the_statement", |b| {
        b.iter(|| decide().statement().to_json());
    });
    Ok(())
}

const HEAD: [&str; 9] = [
    "what",
    "clients",
    "answers",
    "p50 ms",
    "p99 ms",
    "max ms",
    "per second",
    "server CPU µs",
    "clients' CPU µs",
];

struct Bench {
    server: Server,
    pipeline: Pipeline,
    sizes: Sizes,
    table: Table,
}

impl Bench {
    /// The roster and the policy.
    fn publish(&self) -> Result<(), Failure> {
        for one in self.pipeline.published(&Pipeline::policy(true))? {
            let line = format!("PUT /v1/content/{}", one.digest);
            let document =
                self.server.request(&line, "application/octet-stream", one.text.as_bytes());
            crowd::ask(&self.server, 1, &[document], |answer| status(answer, 201))?;
            let statement = self.server.attestation_request(&one.bundle);
            crowd::ask(&self.server, 1, &[statement], |answer| status(answer, 201))?;
        }
        Ok(())
    }

    /// The attestations of every artifact.
    fn post_evidence(&self) -> Result<(), Failure> {
        let count = self.sizes.beside().end;
        let mut took = Duration::ZERO;
        for first in (0..count).step_by(ARTIFACTS_SIGNED_AT_ONCE) {
            let end = count.min(first + ARTIFACTS_SIGNED_AT_ONCE as u64);
            let lists = (first..end).map(|n| self.pipeline.lines(&Artifact::number(n)));
            let lists = lists.collect::<Result<Vec<_>, _>>()?;
            let requests: Vec<Vec<u8>> = lists
                .chunks(ARTIFACTS_A_REQUEST)
                .map(|lists| self.server.attestation_request(&lists.concat()))
                .collect();
            let seen = crowd::ask(&self.server, POSTING, &requests, |answer| status(answer, 201))?;
            took += seen.elapsed;
        }
        println!(
            "posted {} attestations of {count} artifacts in {:.1} s",
            count * ATTESTATIONS as u64,
            took.as_secs_f64()
        );
        Ok(())
    }

    fn decision_request(&self, n: u64) -> Vec<u8> {
        let artifact = Artifact::number(n);
        let asked = json!({
            "subject": artifact.digest.to_string(), "environment": ENVIRONMENT, "name": artifact.name,
        });
        let asked = asked.to_string();
        self.server.request("POST /v1/decisions", "application/json", asked.as_bytes())
    }

    /// Decisions by one client: about another artifact each time, then about one of them again and again.
    fn decisions(&mut self, beside: &str, cold: std::ops::Range<u64>) -> Result<(), Failure> {
        let first = cold.start;
        let requests: Vec<_> = cold.map(|n| self.decision_request(n)).collect();
        let seen = crowd::ask(&self.server, 1, &requests, |answer| passed(answer, 201))?;
        self.row(format!("decision, cold{beside}"), 1, &seen);
        let requests = vec![self.decision_request(first); self.sizes.requests];
        let seen = crowd::ask(&self.server, 1, &requests, |answer| passed(answer, 200))?;
        self.row(format!("decision, warm{beside}"), 1, &seen);
        Ok(())
    }

    /// Admission of pods with one image each.
    fn webhook(&mut self) -> Result<(), Failure> {
        let (clients, count) = (self.sizes.clients, self.sizes.requests);
        let images: Vec<_> =
            self.sizes.deployed().map(|n| self.review(&Artifact::number(n))).collect();
        let distinct: Vec<_> = images.iter().take(count).cloned().collect();
        let same = vec![images.first().cloned().unwrap_or_default(); count];
        let undecided = self.review(&Artifact::number(self.sizes.beside().start));
        let undecided = vec![undecided; clients];
        for (what, requests) in [
            ("webhook, the same image, undecided", &undecided),
            ("webhook, distinct images, undecided", &distinct),
            ("webhook, distinct images, decided before", &distinct),
            ("webhook, the same image", &same),
        ] {
            let seen = crowd::ask(&self.server, clients, requests, admitted)?;
            self.row(what.to_owned(), clients, &seen);
        }
        let rate = self.sizes.rate;
        let seen = crowd::ask_at(&self.server, clients, rate, &same, admitted)?;
        self.row(format!("webhook, the same image, {rate} a second"), clients, &seen);
        Ok(())
    }

    fn review(&self, artifact: &Artifact) -> Vec<u8> {
        let containers = json!([{"name": "api", "image": artifact.image()}]);
        let review = json!({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
                "kind": {"group": "", "version": "v1", "kind": "Pod"},
                "resource": {"group": "", "version": "v1", "resource": "pods"},
                "operation": "CREATE",
                "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
                "object": {"kind": "Pod", "spec": {"containers": containers}},
                "oldObject": null,
                "dryRun": false,
            },
        });
        let line = format!("POST /k8s/admission/{ENVIRONMENT}?timeout=10s");
        self.server.request(&line, "application/json", review.to_string().as_bytes())
    }

    /// A decision about each artifact that is deployed, and its deployment. Tells what there is then.
    fn deploy(&self) -> Result<String, Failure> {
        let started = Instant::now();
        let mut count = 0;
        let mut again = Vec::new();
        for first in self.sizes.deployed().step_by(DEPLOYMENTS_A_REQUEST) {
            let end = self.sizes.deployed().end.min(first + DEPLOYMENTS_A_REQUEST as u64);
            let requests: Vec<_> = (first..end).map(|n| self.decision_request(n)).collect();
            let decided =
                crowd::ask(&self.server, DECIDING, &requests, |answer| passed(answer, 201))?;
            let mut lines = Vec::new();
            for (n, decision) in (first..end).zip(&decided.read) {
                lines.extend(self.pipeline.deployment(&Artifact::number(n), decision)?);
                lines.push(b'\n');
            }
            let request = self.server.attestation_request(&lines);
            crowd::ask(&self.server, 1, &[request], |answer| status(answer, 201))?;
            count += end - first;
            again.extend((first..end).zip(decided.read));
        }
        for _ in 1..self.sizes.times {
            for some in again.chunks(DEPLOYMENTS_A_REQUEST) {
                let mut lines = Vec::new();
                for (n, decision) in some {
                    lines.extend(self.pipeline.deployment(&Artifact::number(*n), decision)?);
                    lines.push(b'\n');
                }
                let request = self.server.attestation_request(&lines);
                crowd::ask(&self.server, 1, &[request], |answer| status(answer, 201))?;
            }
        }
        println!(
            "decided about and deployed {count} artifacts, {} times each, in {:.1} s",
            self.sizes.times,
            started.elapsed().as_secs_f64()
        );
        Ok(format!(", beside {count} deployments"))
    }

    /// Replays of everything that was deployed, under a policy.
    fn replays(&self) -> Result<(), Failure> {
        let mut table =
            Table::new(&["replay", "decisions", "s", "per second", "100,000 would take s"]);
        for (what, no_rollback) in
            [("after a restart", false), ("again", false), ("with no-rollback", true)]
        {
            let asked = json!({
                "policy": Pipeline::policy(no_rollback), "since": "2020-01-01T00:00:00Z",
            });
            let asked = asked.to_string();
            let request =
                self.server.request("POST /v1/replays", "application/json", asked.as_bytes());
            let count = self.sizes.deployments * self.sizes.times;
            let expected = json!(count);
            let seen = crowd::ask(&self.server, 1, &[request], |answer| {
                let told = read(answer, 200)?;
                let denied = told.pointer("/denied/0");
                match (told.get("evaluated") == Some(&expected), denied) {
                    (true, None) => Ok(()),
                    _ => Err(format!("expected {expected} to pass, found {told:.500}").into()),
                }
            })?;
            table.row(replay_row(what, count, seen.elapsed));
        }
        println!("{table}(the last column is an extrapolation)");
        Ok(())
    }

    fn row<T>(&mut self, what: String, clients: usize, seen: &Seen<T>) {
        self.table.row([
            what,
            clients.to_string(),
            seen.latency.count().to_string(),
            ms(seen.latency.median()),
            ms(seen.latency.quantile(990)),
            ms(seen.latency.max()),
            format!("{:.0}", seen.rate()),
            seen.each(seen.server_cpu_us).to_string(),
            seen.each(seen.clients_cpu_us).to_string(),
        ]);
    }
}

fn replay_row(what: &str, count: u64, took: Duration) -> [String; 5] {
    let rate = count as f64 / took.as_secs_f64();
    [
        what.to_owned(),
        count.to_string(),
        format!("{:.2}", took.as_secs_f64()),
        format!("{rate:.0}"),
        format!("{:.0}", REPLAYED / rate),
    ]
}

fn status(answer: &Answer<'_>, expected: u16) -> Result<(), Failure> {
    if answer.status == expected {
        return Ok(());
    }
    let text = String::from_utf8_lossy(answer.body);
    Err(format!("expected status {expected}, found {}: {text:.2000}", answer.status).into())
}

fn read(answer: &Answer<'_>, expected: u16) -> Result<Value, Failure> {
    status(answer, expected)?;
    serde_json::from_slice(answer.body).context("reading an answer")
}

/// The digest of a decision that passed.
fn passed(answer: &Answer<'_>, expected: u16) -> Result<Sha256, Failure> {
    let told = read(answer, expected)?;
    let member = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
    if member("result") != "PASSED" {
        return Err(format!("expected PASSED, found {told:.5000}").into());
    }
    member("decision").parse().context("reading a decision's digest")
}

fn admitted(answer: &Answer<'_>) -> Result<(), Failure> {
    let told = read(answer, 200)?;
    if told.pointer("/response/allowed") == Some(&Value::Bool(true)) {
        return Ok(());
    }
    Err(format!("expected an admission, found {told:.2000}").into())
}
