//! Whole processes: `attestry verify` of a small file, and `attestry sign` of 1 GiB beside `sha256sum`.
//!
//! `cargo bench --profile release -p attestry-benches --bench process -- --runs 20`

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "figures are for the terminal")]

use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use attestry_benches::figures::Durations;
use attestry_benches::machine;
use attestry_benches::options::Options;
use attestry_benches::process::{Named, Program, print, write_keys};
use attestry_benches::programs::Programs;
use attestry_benches::server::Server;
use attestry_benches::{Context as _, Failure, fixtures};

/// Bytes of the large artifact, unless said otherwise.
const LARGE_MIB: u64 = 1024;

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
