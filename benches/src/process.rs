//! Whole processes of the CLI: run, timed and weighed as a shell sees them.
//!
//! Time is from the start of the process to its end. Peak memory is what `/usr/bin/time` reports, where
//! it is installed.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use attestry_schemas::key::{SigningKey, encrypted};

use crate::figures::{Durations, Table, ms};
use crate::{Context as _, Failure};

const PASSWORD: &str = "a password";

/// Writes a key pair as files: the private half once plain and once under a password.
///
/// # Errors
/// When a file cannot be written.
pub fn write_keys(key: &SigningKey, folder: &Path) -> Result<(), Failure> {
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

/// The CLI in a folder of its own, with a registry's token.
#[derive(Debug)]
pub struct Program<'a> {
    /// The program.
    pub cli: OsString,
    /// Where it runs, and its keys are.
    pub folder: &'a Path,
    /// What it may write to the registry with.
    pub token: String,
}

impl Program<'_> {
    /// The words of a command.
    #[must_use]
    pub fn attestry(&self, arguments: &[&str]) -> Vec<OsString> {
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
    ///
    /// # Errors
    /// When it does not end with status 0.
    pub fn time(&self, words: &[OsString]) -> Result<Duration, Failure> {
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
    ///
    /// # Errors
    /// When it does not end with status 0.
    pub fn peak_memory(&self, words: &[OsString]) -> Result<String, Failure> {
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
    ///
    /// # Errors
    /// When one does not end with status 0.
    pub fn measure(&self, commands: &[Named<'_>], runs: usize) -> Result<Vec<Durations>, Failure> {
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

/// A command under the name that tables give it.
#[derive(Debug)]
pub struct Named<'a> {
    /// The name.
    pub name: &'a str,
    /// The program and its arguments.
    pub words: Vec<OsString>,
}

/// Prints a table of what was measured, with the peak memory of one more run each.
///
/// # Errors
/// When that run does not end with status 0.
#[allow(clippy::print_stdout, reason = "figures are for the terminal")]
pub fn print(
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
