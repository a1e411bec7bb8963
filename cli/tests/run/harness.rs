//! Runs commands in a folder of their own, with streams and environment in memory.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use attestry::{Io, Terminals};

/// A stream whose bytes can be looked at after the run.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Captured {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// A folder in which commands are run.
pub(crate) struct Dir {
    folder: tempfile::TempDir,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) stdin: Vec<u8>,
    pub(crate) prompt: Option<Vec<&'static str>>,
    pub(crate) now: fn() -> jiff::Timestamp,
}

/// What a command answered.
pub(crate) struct Answer {
    pub(crate) status: u8,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Dir {
    /// An empty folder, in which a key file's password is known.
    pub(crate) fn new() -> Self {
        let environment = BTreeMap::from([("ATTESTRY_PASSWORD".to_owned(), "secret".to_owned())]);
        Self {
            folder: tempfile::tempdir().unwrap(),
            environment,
            stdin: Vec::new(),
            prompt: None,
            now: || jiff::Timestamp::UNIX_EPOCH,
        }
    }

    /// A folder with the key pair `k` and the artifact `app`.
    pub(crate) fn with_key_and_artifact(key_type: &str) -> Self {
        let dir = Self::new();
        dir.run(&["key", "generate", "--out", "@k", "--type", key_type]).expect(0);
        dir.write("app", "the artifact");
        dir
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs a command. An argument that starts with `@` is a path within the folder.
    pub(crate) fn run(&self, args: &[&str]) -> Answer {
        let args = args.iter().map(|arg| match arg.strip_prefix('@') {
            Some(name) => self.path(name).into_os_string(),
            None => OsString::from(arg),
        });
        let (stdout, stderr) = (Captured::default(), Captured::default());
        let environment = self.environment.clone();
        let prompt = self.prompt.clone().map(|answers| {
            let mut answers = answers.into_iter();
            let prompt: attestry::Prompt =
                Box::new(move |_| Ok(answers.next().unwrap_or_default().to_owned()));
            prompt
        });
        let io = Io {
            stdin: Box::new(Cursor::new(self.stdin.clone())),
            stdout: Box::new(stdout.clone()),
            stderr: Box::new(stderr.clone()),
            terminals: Terminals::default(),
            variable_names: {
                let names: Vec<String> = environment.keys().cloned().collect();
                Box::new(move || names.clone())
            },
            passthrough: {
                let streams = (stdout.clone(), stderr.clone());
                Box::new(move || [Box::new(streams.0.clone()), Box::new(streams.1.clone())])
            },
            environment: Box::new(move |name| environment.get(name).map(OsString::from)),
            directory: self.folder.path().to_path_buf(),
            current: PathBuf::new(),
            now: self.now,
            pause: |_| {},
            prompt,
        };
        let exit = attestry::run(std::iter::once(OsString::from("attestry")).chain(args), io);
        let status = (0..=u8::MAX).find(|s| ExitCode::from(*s) == exit).unwrap();
        Answer { status, stdout: stdout.text(), stderr: stderr.text() }
    }

    pub(crate) fn json(&self, args: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.run(args).stdout).unwrap()
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(self, status: u8) -> Self {
        let Self { status: found, stdout, stderr } = &self;
        assert_eq!(*found, status, "stdout:\n{stdout}\nstderr:\n{stderr}");
        self
    }

    /// Demands that the answer and the error between them name each of these.
    #[track_caller]
    pub(crate) fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            let Self { stdout, stderr, .. } = &self;
            let said = stdout.contains(text) || stderr.contains(text);
            assert!(said, "expected {text:?} in:\n{stdout}{stderr}");
        }
        self
    }
}

pub(crate) fn flip_one_byte(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[0] ^= 1;
    std::fs::write(path, bytes).unwrap();
}
