//! Whole processes: `attestry verify` of a small file, and `attestry sign` of 1 GiB beside `sha256sum`.
//!
//! `cargo bench --profile release -p attestry-benches --bench process -- --runs 20`
//!
//! Time is from the start of the process to its end, as a shell sees it. Peak memory is what
//! `/usr/bin/time` reports, where it is installed.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "figures are for the terminal")]

use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use attestry_benches::figures::{Durations, Table, ms};
use attestry_benches::machine;
use attestry_benches::options::Options;
use attestry_benches::programs::Programs;
use attestry_benches::server::Server;
use attestry_benches::{Context as _, Failure, fixtures};
use attestry_schemas::key::{SigningKey, encrypted};

/// Bytes of the large artifact, unless said otherwise.
const LARGE_MIB: u64 = 1024;
const PASSWORD: &str = "a password";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("process: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), Failure> {
    let options = Options::read(&["runs", "mib", "programs"])?;
    if !options.wants("process") {
        return Ok(());
    }
    let runs = usize::try_from(options.number("runs", 10)?)?;
    let mib = options.number("mib", LARGE_MIB)?;
    let programs = Programs::find(options.text("programs"))?;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).context("making a folder")?;
    let folder = folder.path();
    println!("machine: {}", machine::describe());
    let key = fixtures::p256_key();
    write_keys(&key, folder)?;
    let server = Server::start(&programs.registry, folder, key.public_key())?;
    let program =
        Program { cli: programs.cli.into_os_string(), folder, token: server.token().to_owned() };
    small(&program, &server, runs)?;
    drop(server);
    large(&program, runs, mib)
}

/// A key pair as files: the private half once plain and once under a password.
fn write_keys(key: &SigningKey, folder: &Path) -> Result<(), Failure> {
    let plain = pem::encode(&pem::Pem::new("PRIVATE KEY", key.to_pkcs8_der().as_slice()));
    // The salt and nonce of a key that lives for a minute need not be random.
    let locked = encrypted::encrypt(key, PASSWORD.as_bytes(), [1; 32], [2; 24]);
    for (name, text) in
        [("plain.key", plain), ("locked.key", locked), ("signer.pub", key.public_key().to_pem())]
    {
        std::fs::write(folder.join(name), text).context("writing a key")?;
    }
    Ok(())
}

struct Program<'a> {
    cli: OsString,
    folder: &'a Path,
    token: String,
}

impl Program<'_> {
    fn attestry(&self, arguments: &[&str]) -> Vec<OsString> {
        std::iter::once(self.cli.clone()).chain(arguments.iter().map(OsString::from)).collect()
    }

    fn command(&self, words: &[OsString]) -> Result<Command, Failure> {
        let (program, arguments) = words.split_first().ok_or("expected a command")?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.folder)
            .env("ATTESTRY_PASSWORD", PASSWORD)
            .env("ATTESTRY_TOKEN", &self.token)
            .env("XDG_CONFIG_HOME", self.folder)
            .env("XDG_STATE_HOME", self.folder)
            .env_remove("ATTESTRY_REGISTRY")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        Ok(command)
    }

    /// Runs a command once and says how long it took.
    fn time(&self, words: &[OsString]) -> Result<Duration, Failure> {
        let mut command = self.command(words)?;
        let started = Instant::now();
        let output = command.output().context(format!("running {words:?}"))?;
        let elapsed = started.elapsed();
        if output.status.success() {
            return Ok(elapsed);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{words:?} ended with {}: {said}", output.status).into())
    }

    /// The peak memory of a command in MiB, or a dash where nothing can tell it.
    fn peak_memory(&self, words: &[OsString]) -> Result<String, Failure> {
        let report = self.folder.join("time.txt");
        let mut timed: Vec<OsString> =
            ["/usr/bin/time", "-f", "%M", "-o"].iter().map(OsString::from).collect();
        timed.push(report.clone().into_os_string());
        timed.extend_from_slice(words);
        if !Path::new("/usr/bin/time").exists() {
            return Ok("–".to_owned());
        }
        self.time(&timed)?;
        let text = std::fs::read_to_string(&report).context("reading what time wrote")?;
        let kib: f64 = text.trim().parse().context("reading what time wrote")?;
        Ok(format!("{:.1}", kib / 1024.0))
    }

    /// Measures commands in turn, so that all of them meet the same disturbances.
    fn measure(&self, commands: &[Named<'_>], runs: usize) -> Result<Vec<Durations>, Failure> {
        let mut measured = vec![Vec::with_capacity(runs); commands.len()];
        for round in 0..=runs {
            for (command, measured) in commands.iter().zip(&mut measured) {
                let elapsed = self.time(&command.words)?;
                // The first round warms the caches.
                if round > 0 {
                    measured.push(elapsed);
                }
            }
        }
        Ok(measured.into_iter().map(Durations::new).collect())
    }
}

struct Named<'a> {
    name: &'a str,
    words: Vec<OsString>,
}

fn small(program: &Program<'_>, server: &Server, runs: usize) -> Result<(), Failure> {
    std::fs::write(program.folder.join("small"), b"a small artifact\n").context("writing")?;
    let url = server.url();
    let sign = program.attestry(&["sign", "small", "--key", "plain.key", "--registry", &url]);
    program.time(&sign)?;
    let trusted_root = server.trusted_root_path();
    let root = trusted_root.to_str().ok_or("expected a path in UTF-8")?;
    let bundle = ["verify", "small", "--key", "signer.pub", "--bundle", "small.sigstore.json"];
    let commands = [
        Named { name: "attestry --version", words: program.attestry(&["--version"]) },
        Named {
            name: "attestry verify, bundle and trusted root",
            words: program.attestry(&[&bundle[..], &["--trusted-root", root]].concat()),
        },
        Named {
            name: "attestry verify, registry on loopback",
            words: program.attestry(&[
                "verify",
                "small",
                "--key",
                "signer.pub",
                "--registry",
                &url,
            ]),
        },
    ];
    println!("\na small file, {} runs each", runs * 5);
    print(program, &commands, &program.measure(&commands, runs * 5)?)
}

fn large(program: &Program<'_>, runs: usize, mib: u64) -> Result<(), Failure> {
    write_large(&program.folder.join("large"), mib)?;
    let sign = |key: &str| {
        program.attestry(&["sign", "large", "--key", key, "--out", "large.json", "--offline"])
    };
    let mut commands = vec![
        Named { name: "sha256sum", words: vec!["sha256sum".into(), "large".into()] },
        Named { name: "attestry sign, plain key", words: sign("plain.key") },
        Named { name: "attestry sign, encrypted key", words: sign("locked.key") },
    ];
    // Builds of sha256sum differ in whether they use the processor's SHA instructions.
    if Path::new("/usr/bin/openssl").exists() {
        let words = ["openssl", "dgst", "-sha256", "large"].iter().map(OsString::from).collect();
        commands.push(Named { name: "openssl dgst -sha256", words });
    }
    println!("\na file of {mib} MiB in the page cache, {runs} runs each");
    let measured = program.measure(&commands, runs)?;
    print(program, &commands, &measured)?;
    if let [sum, plain, locked, ..] = measured.as_slice() {
        let ratio = |sign: &Durations| sign.median().as_secs_f64() / sum.median().as_secs_f64();
        println!(
            "median of sign / median of sha256sum: plain {:.2}, encrypted {:.2}",
            ratio(plain),
            ratio(locked)
        );
    }
    Ok(())
}

/// Writes bytes that no file system stores as a hole.
fn write_large(path: &Path, mib: u64) -> Result<(), Failure> {
    let mut file = File::create(path).context("creating the large file")?;
    let block: Vec<u8> =
        (0..1_u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for _ in 0..mib {
        file.write_all(&block).context("writing the large file")?;
    }
    file.sync_all().context("writing the large file")
}

fn print(
    program: &Program<'_>,
    commands: &[Named<'_>],
    measured: &[Durations],
) -> Result<(), Failure> {
    let mut table = Table::new(&["command", "min ms", "median ms", "max ms", "peak memory MiB"]);
    for (command, durations) in commands.iter().zip(measured) {
        table.row([
            command.name.to_owned(),
            ms(durations.min()),
            ms(durations.median()),
            ms(durations.max()),
            program.peak_memory(&command.words)?,
        ]);
    }
    println!("{table}");
    Ok(())
}
