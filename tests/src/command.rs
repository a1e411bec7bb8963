//! The command line, run in a folder of its own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::Programs;

/// A folder in which `attestry` runs, with an environment of its own.
#[derive(Debug)]
pub struct Dir {
    folder: TempDir,
    program: PathBuf,
    environment: Vec<(OsString, OsString)>,
}

/// What a command answered.
#[derive(Debug)]
pub struct Answer {
    /// The exit status.
    pub status: Option<i32>,
    /// The data.
    pub stdout: String,
    /// The talk.
    pub stderr: String,
}

impl Dir {
    /// An empty folder, in which the password of key files is known.
    #[must_use]
    pub fn new(programs: &Programs) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().as_os_str().to_owned();
        let environment = vec![
            ("HOME".into(), home),
            ("PATH".into(), std::env::var_os("PATH").unwrap_or_default()),
            ("ATTESTRY_PASSWORD".into(), "secret".into()),
            ("COSIGN_PASSWORD".into(), "secret".into()),
        ];
        Self { folder, program: programs.cli.clone(), environment }
    }

    /// Sets a variable for every command from here on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.into(), value.into()));
    }

    /// A path in the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// Reads a file.
    #[must_use]
    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Flips one bit of a file.
    pub fn tamper(&self, name: &str) {
        let mut bytes = self.read(name);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        self.write(name, bytes);
    }

    /// Runs `attestry`.
    #[must_use]
    pub fn run(&self, args: &[&str]) -> Answer {
        self.run_program(&self.program, args)
    }

    /// Runs another program in the same place.
    #[must_use]
    pub fn run_program(&self, program: &Path, args: &[&str]) -> Answer {
        let output = Command::new(program)
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Answer {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Answer {
    /// Demands an exit status.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn expect(self, status: i32) -> Self {
        let Self { status: found, stdout, stderr } = &self;
        assert_eq!(*found, Some(status), "stdout:\n{stdout}\nstderr:\n{stderr}");
        self
    }

    /// Demands that the answer or the talk holds each of these.
    ///
    /// # Panics
    /// When one is missing.
    #[track_caller]
    pub fn says(self, texts: &[&str]) -> Self {
        let all = format!("{}\n{}", self.stdout, self.stderr);
        for text in texts {
            assert!(all.contains(text), "expected {text:?} in:\n{all}");
        }
        self
    }

    /// The data as JSON.
    ///
    /// # Panics
    /// When it is something else.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("expected JSON, found {e}: {}", self.stdout))
    }
}
