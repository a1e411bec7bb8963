//! The registry of artifacts: a real server process, sync on, beside Debian's `docker-registry` where that is installed.
//!
//! `cargo bench --profile release -p attestry-benches --bench oci -- --seconds 5 --manifests 20000`
//!
//! `--folder /dev/shm` measures without a disk: what syncing costs is the difference. What is pushed is made before the
//! clock starts, every answer must have the status that is expected, and both servers are asked in turns in one run.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "figures are for the terminal")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use attestry_benches::client::{Answer, Reading};
use attestry_benches::crowd::{self, Asked, Seen};
use attestry_benches::figures::{Durations, Table, ms};
use attestry_benches::machine;
use attestry_benches::oci::{EMPTY, Target, bytes, image, referrer};
use attestry_benches::options::Options;
use attestry_benches::peer::DockerRegistry;
use attestry_benches::programs::Programs;
use attestry_benches::server::Server;
use attestry_benches::{Context as _, Failure, fixtures};
use attestry_schemas::digest::Sha256;

const REPOSITORY: &str = "bench/app";
const MIB: usize = 1 << 20;
/// The small and the large blob, in MiB.
const SMALL_MIB: usize = 1;
const LARGE_MIB: usize = 100;
/// Referrers of one manifest.
const REFERRERS: u64 = 1_000;
/// How often they are listed.
const LISTINGS: usize = 500;
/// Pulls of the small and of the large blob.
const SMALL_PULLS: usize = 5_000;
const LARGE_PULLS: usize = 60;
/// Clients that pull the large blob.
const LARGE_CLIENTS: usize = 2;
/// Pushes of the large blob.
const PUSHES: u64 = 5;
/// Clients that push what is asked for later.
const SETTING_UP: usize = 8;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("oci: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), Failure> {
    let options = Options::read(&["manifests", "heads", "clients", "folder", "programs"])?;
    if !options.wants("oci") {
        return Ok(());
    }
    let sizes = Sizes {
        manifests: options.number("manifests", 10_000)?,
        heads: usize::try_from(options.number("heads", 50_000)?)?,
        clients: usize::try_from(options.number("clients", 32)?)?,
    };
    let programs = Programs::find(options.text("programs"))?;
    let parent = options.text("folder").unwrap_or(env!("CARGO_TARGET_TMPDIR"));
    let folder = tempfile::tempdir_in(Path::new(parent)).context("making a folder")?;
    let key = fixtures::p256_key();
    let server = Server::start(&programs.registry, folder.path(), key.public_key())?;
    let target = Target { address: server.address(), token: Some(server.token().to_owned()) };
    let mut sides = vec![Side { name: "attestry", asked: Box::new(server), target }];
    match DockerRegistry::version() {
        Some(version) => {
            println!("beside: {version}");
            let peer = DockerRegistry::start(folder.path())?;
            let target = Target { address: peer.address(), token: None };
            sides.push(Side { name: "docker-registry", asked: Box::new(peer), target });
        }
        None => println!("docker-registry is not installed: nothing is measured beside"),
    }
    println!("machine: {}, files in {parent}\n", machine::describe());
    let mut bench =
        Bench { sides, sizes, folder: folder.path().to_owned(), table: Table::new(&HEAD) };
    bench.set_up()?;
    bench.referrers("")?;
    bench.manifests()?;
    bench.referrers(", in a repository of more manifests")?;
    bench.pulls(SMALL_MIB, SMALL_PULLS, bench.sizes.clients)?;
    bench.pulls(LARGE_MIB, LARGE_PULLS, LARGE_CLIENTS)?;
    bench.pushes()?;
    println!("{}", bench.table);
    for side in &bench.sides {
        let peak = side.asked.usage().peak_memory_kib as f64 / 1024.0;
        println!("peak memory of {}: {peak:.1} MiB", side.name);
    }
    println!("machine: {}", machine::describe());
    Ok(())
}

/// How much is measured.
struct Sizes {
    manifests: u64,
    heads: usize,
    clients: usize,
}

/// A server that is measured.
struct Side {
    name: &'static str,
    asked: Box<dyn Asked>,
    target: Target,
}

impl Side {
    /// Whether it lists referrers.
    fn refers(&self) -> bool {
        self.name == "attestry"
    }
}

const HEAD: [&str; 10] = [
    "what",
    "server",
    "clients",
    "answers",
    "per second",
    "MB/s",
    "p50 ms",
    "p99 ms",
    "server CPU µs each",
    "clients' CPU µs each",
];

struct Bench {
    sides: Vec<Side>,
    sizes: Sizes,
    folder: PathBuf,
    table: Table,
}

fn status(expected: u16) -> impl Fn(&Answer<'_>) -> Result<(), Failure> + Sync {
    move |answer| match answer.status {
        found if found == expected => Ok(()),
        found => {
            let text = String::from_utf8_lossy(answer.body);
            Err(format!("expected status {expected}, found {found}: {text:.500}").into())
        }
    }
}

/// The manifest that others refer to.
fn subject() -> Vec<u8> {
    image(u64::MAX, &bytes(0, MIB))
}

impl Bench {
    /// The blobs that manifests name, and the referrers.
    fn set_up(&self) -> Result<(), Failure> {
        for side in &self.sides {
            let mut connection = side.asked.connect()?;
            for blob in [EMPTY.to_vec(), bytes(0, MIB), bytes(0, LARGE_MIB * MIB)] {
                let blob = (Sha256::of(&blob), blob.as_slice());
                side.target.push_blob(&mut connection, REPOSITORY, blob)?;
            }
            let subject = side.target.put_manifest(REPOSITORY, "subject", &subject());
            crowd::ask(&*side.asked, 1, &[subject], status(201))?;
        }
        let subject = subject();
        for side in self.sides.iter().filter(|side| side.refers()) {
            let push = |n| {
                let manifest = referrer(n, &subject);
                let digest = Sha256::of(&manifest).to_string();
                side.target.put_manifest(REPOSITORY, &digest, &manifest)
            };
            let pushes: Vec<_> = (0..REFERRERS).map(push).collect();
            crowd::ask(&*side.asked, SETTING_UP, &pushes, status(201))?;
        }
        Ok(())
    }

    /// Lists the referrers of one manifest.
    fn referrers(&mut self, of: &str) -> Result<(), Failure> {
        let line = format!("GET /v2/{REPOSITORY}/referrers/{}", Sha256::of(&subject()));
        for at in 0..self.sides.len() {
            let Some(side) = self.sides.get(at).filter(|side| side.refers()) else { continue };
            let requests = vec![side.target.ask(&line); LISTINGS];
            let seen = crowd::ask(&*side.asked, 1, &requests, |answer| {
                status(200)(answer)?;
                let listed = answer.body.windows(8).filter(|w| w == b"\"digest\"").count() as u64;
                match listed {
                    REFERRERS => Ok(()),
                    found => Err(format!("expected {REFERRERS} referrers, found {found}").into()),
                }
            })?;
            self.row(at, format!("{REFERRERS} referrers{of}"), 1, 0, &seen);
        }
        Ok(())
    }

    /// Pushes manifests, each with a tag of its own, and asks for them.
    fn manifests(&mut self) -> Result<(), Failure> {
        let (clients, heads) = (self.sizes.clients, self.sizes.heads);
        let layer = bytes(0, MIB);
        let manifests: Vec<_> = (0..self.sizes.manifests).map(|n| image(n, &layer)).collect();
        for at in 0..self.sides.len() {
            let Some(Side { target, asked, .. }) = self.sides.get(at) else { continue };
            let put = |(n, manifest): (usize, &Vec<u8>)| {
                target.put_manifest(REPOSITORY, &format!("v{n}"), manifest)
            };
            let puts: Vec<_> = manifests.iter().enumerate().map(put).collect();
            let seen = crowd::ask(&**asked, clients, &puts, status(201))?;
            self.row(at, "manifest PUT by tag".to_owned(), clients, 0, &seen);
        }
        for (what, of) in [("HEAD", Reading::Head), ("GET", Reading::Whole)] {
            for at in 0..self.sides.len() {
                let Some(Side { target, asked, .. }) = self.sides.get(at) else { continue };
                let ask = |n: usize| {
                    let tag = n % manifests.len();
                    target.ask(&format!("{what} /v2/{REPOSITORY}/manifests/v{tag}"))
                };
                let asks: Vec<_> = (0..heads).map(ask).collect();
                let seen = crowd::ask_for(&**asked, clients, of, &asks, status(200))?;
                self.row(at, format!("manifest {what} by tag"), clients, 0, &seen);
            }
        }
        Ok(())
    }

    /// Pulls one blob again and again.
    fn pulls(&mut self, mib: usize, count: usize, clients: usize) -> Result<(), Failure> {
        let line = format!("GET /v2/{REPOSITORY}/blobs/{}", Sha256::of(&bytes(0, mib * MIB)));
        for at in 0..self.sides.len() {
            let Some(Side { target, asked, .. }) = self.sides.get(at) else { continue };
            let requests = vec![target.ask(&line); count];
            let seen = crowd::ask_for(&**asked, clients, Reading::Drained, &requests, |answer| {
                status(200)(answer)?;
                match answer.length == mib * MIB {
                    true => Ok(()),
                    false => {
                        Err(format!("expected {mib} MiB, found {} bytes", answer.length).into())
                    }
                }
            })?;
            self.row(at, format!("GET of {mib} MiB"), clients, mib * MIB, &seen);
        }
        Ok(())
    }

    /// Pushes large blobs, each with other bytes, beside the disk's own synced write of them.
    fn pushes(&mut self) -> Result<(), Failure> {
        let of_disk = |folder: &Path, n| {
            let bytes = bytes(n, LARGE_MIB * MIB);
            machine::disk_write(folder, &bytes, 1)
        };
        let (mut disk, mut pushed) = (Durations::default(), vec![Vec::new(); self.sides.len()]);
        for n in 1..=PUSHES {
            disk = disk.with(of_disk(&self.folder, n)?);
            let bytes = bytes(n, LARGE_MIB * MIB);
            let digest = Sha256::of(&bytes);
            for (side, took) in self.sides.iter().zip(&mut pushed) {
                let mut connection = side.asked.connect()?;
                let before = side.asked.usage();
                let started = Instant::now();
                side.target.push_blob(&mut connection, REPOSITORY, (digest, &bytes))?;
                took.push((started.elapsed(), side.asked.usage().cpu_us_since(before)));
            }
        }
        let rate =
            |took: Duration| format!("{:.0}", (LARGE_MIB * MIB) as f64 / 1e6 / took.as_secs_f64());
        let mut row = |what: &str, server: &str, took: &Durations, cpu: String| {
            let (median, worst) = (took.median(), took.max());
            let count = took.count();
            self.table.row([
                what.to_owned(),
                server.to_owned(),
                "1".to_owned(),
                count.to_string(),
                String::new(),
                rate(median),
                ms(median),
                ms(worst),
                cpu,
                String::new(),
            ]);
        };
        row(
            &format!("synced write of {LARGE_MIB} MiB (p99: the longest)"),
            "the disk",
            &disk,
            String::new(),
        );
        for (side, took) in self.sides.iter().zip(pushed) {
            let cpu = took.iter().map(|(_, cpu)| cpu).sum::<u64>() / PUSHES;
            let took = Durations::new(took.into_iter().map(|(took, _)| took).collect());
            row(
                &format!("push of {LARGE_MIB} MiB (p99: the longest)"),
                side.name,
                &took,
                cpu.to_string(),
            );
        }
        Ok(())
    }

    fn row<T>(&mut self, at: usize, what: String, clients: usize, bytes: usize, seen: &Seen<T>) {
        let name = self.sides.get(at).map_or("", |side| side.name);
        let rate = match bytes {
            0 => String::new(),
            bytes => format!("{:.0}", seen.rate() * bytes as f64 / 1e6),
        };
        self.table.row([
            what,
            name.to_owned(),
            clients.to_string(),
            seen.latency.count().to_string(),
            format!("{:.0}", seen.rate()),
            rate,
            ms(seen.latency.median()),
            ms(seen.latency.quantile(990)),
            seen.each(seen.server_cpu_us).to_string(),
            seen.each(seen.clients_cpu_us).to_string(),
        ]);
    }
}
