//! Data folders and the processes that serve them.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};

use attestry_schemas::key::PublicKey;
use attestry_schemas::trusted_root::TrustedRoot;
use serde_json::Value;
use tempfile::TempDir;

use crate::{Client, Programs, Request, wait_for};

/// How often a start is tried when another process takes the chosen port in between.
const START_ATTEMPTS: usize = 5;

/// A data folder that `init` made, in a temporary folder of its own.
#[derive(Debug)]
pub struct Registry {
    /// The data folder.
    pub data: PathBuf,
    /// What `init` was told that clients call it.
    pub url: String,
    /// The admin token.
    pub token: String,
    programs: Programs,
    folder: TempDir,
}

impl Registry {
    /// Makes a registry that trusts keys.
    ///
    /// # Panics
    /// When `init` fails.
    #[must_use]
    pub fn init(programs: &Programs, trusted: &[&PublicKey]) -> Self {
        Self::with_keys(programs, "--trusted-key", trusted)
    }

    /// Makes a registry whose roster these root keys publish.
    ///
    /// # Panics
    /// When `init` fails.
    #[must_use]
    pub fn with_roots(programs: &Programs, roots: &[&PublicKey]) -> Self {
        Self::with_keys(programs, "--root-key", roots)
    }

    fn with_keys(programs: &Programs, flag: &str, keys: &[&PublicKey]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let url = format!("http://127.0.0.1:{}", free_port());
        let mut command = Command::new(&programs.registry);
        command.arg("init").arg("--data").arg(&data).args(["--url", &url]);
        for (number, key) in keys.iter().enumerate() {
            let path = folder.path().join(format!("key-{number}.pub"));
            std::fs::write(&path, key.to_pem()).unwrap();
            command.arg(flag).arg(path);
        }
        let output = run(command.env_remove("ATTESTRY_FAULT"));
        let text = succeeded(output);
        let token =
            text.lines().find_map(|line| line.trim().strip_prefix("export ATTESTRY_TOKEN="));
        let token = token.expect("init shows the token").to_owned();
        Self { data, url, token, programs: programs.clone(), folder }
    }

    /// A path beside the data folder.
    #[must_use]
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the server and waits until it is ready.
    #[must_use]
    pub fn serve(&self) -> Server {
        self.serve_with(&[], &[])
    }

    /// Starts the server with further flags and environment.
    ///
    /// # Panics
    /// When it does not get ready.
    #[must_use]
    pub fn serve_with(&self, flags: &[&str], environment: &[(&str, &str)]) -> Server {
        self.serve_folder(&self.data, flags, environment)
    }

    /// Starts a server on another folder of the same registry, such as a backup.
    ///
    /// # Panics
    /// When it does not get ready.
    #[must_use]
    pub fn serve_folder(
        &self,
        data: &Path,
        flags: &[&str],
        environment: &[(&str, &str)],
    ) -> Server {
        let flags = [&["--listen", "127.0.0.1:0"], flags].concat();
        self.start(data, &flags, environment)
            .unwrap_or_else(|log| panic!("the server did not start:\n{log}"))
    }

    /// Starts a server that must not start; gives what it says.
    ///
    /// # Panics
    /// When it starts.
    #[must_use]
    pub fn serve_refused(&self) -> String {
        match self.start(&self.data, &["--listen", "127.0.0.1:0"], &[]) {
            Ok(server) => panic!("the server started at {}", server.url),
            Err(log) => log,
        }
    }

    /// Makes a registry and serves it where its URL points, as its signing configuration tells
    /// stock clients. The port is free when it is chosen, and tried again when it is not later.
    ///
    /// # Panics
    /// When the server does not get ready.
    #[must_use]
    pub fn init_and_serve_at_its_url(
        programs: &Programs,
        trusted: &[&PublicKey],
    ) -> (Self, Server) {
        let mut log = String::new();
        for _ in 0..START_ATTEMPTS {
            let registry = Self::init(programs, trusted);
            let listen = registry.url.trim_start_matches("http://").to_owned();
            match registry.start(&registry.data, &["--listen", &listen], &[]) {
                Ok(server) => return (registry, server),
                Err(refused) => log = refused,
            }
        }
        panic!("the server did not start in {START_ATTEMPTS} attempts:\n{log}");
    }

    fn start(
        &self,
        data: &Path,
        flags: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Server, String> {
        let mut command = Command::new(&self.programs.registry);
        command.arg("serve").arg("--data").arg(data).args(flags);
        command.env_remove("ATTESTRY_FAULT").envs(environment.iter().copied());
        Server::spawn(&mut command, &self.token).until_ready()
    }

    /// Copies the registry as `backup` does, while it serves or not.
    ///
    /// # Panics
    /// When it fails.
    pub fn backup(&self, to: &Path) {
        let mut command = Command::new(&self.programs.registry);
        command.arg("backup").arg("--data").arg(&self.data).arg("--to").arg(to);
        succeeded(run(&mut command));
    }

    /// Collects what nothing refers to, as `gc` does, while the registry serves or not; gives what it tells.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn collect(&self, flags: &[&str]) -> Value {
        let mut command = Command::new(&self.programs.registry);
        command.arg("gc").arg("--data").arg(&self.data).arg("--json").args(flags);
        serde_json::from_str(&succeeded(run(&mut command))).unwrap()
    }

    /// What the registry's folder says of its log, for verifying offline.
    #[must_use]
    pub fn trusted_root(&self) -> TrustedRoot {
        let text = std::fs::read(self.data.join("trusted_root.json")).unwrap();
        TrustedRoot::parse(&text).unwrap()
    }

    /// Demands that everything at rest is sound.
    ///
    /// # Panics
    /// When `fsck` names a fault.
    #[track_caller]
    pub fn demand_clean(&self) -> Value {
        fsck(&self.programs, &self.data)
    }
}

/// Runs `fsck` and demands that it finds nothing.
///
/// # Panics
/// When it does.
#[track_caller]
pub fn fsck(programs: &Programs, data: &Path) -> Value {
    let (status, report) = fsck_report(programs, data);
    assert_eq!(status, Some(0), "fsck: {report:#}");
    report
}

/// Runs `fsck`; gives its exit status and its report.
///
/// # Panics
/// When it gives none.
#[must_use]
#[track_caller]
pub fn fsck_report(programs: &Programs, data: &Path) -> (Option<i32>, Value) {
    let mut command = Command::new(&programs.registry);
    let output = run(command.arg("fsck").arg("--data").arg(data).arg("--json"));
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("fsck: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), report)
}

fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

#[track_caller]
fn succeeded(output: Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Every file below a data folder with its size. Of the engine's files only the write-ahead log
/// counts: every write goes there first, and the rest is compacted at the engine's own pace.
#[must_use]
pub fn snapshot(folder: &Path) -> BTreeMap<PathBuf, u64> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            // A file may go between listing and looking.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                folders.push(entry.path());
            } else if !folder.ends_with("db") || entry.path().extension() == Some("log".as_ref()) {
                files.insert(entry.path(), metadata.len());
            }
        }
    }
    files
}

/// A running server. Dropping it kills the process.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub url: String,
    /// The admin token.
    pub token: String,
    child: Child,
    log: Arc<Mutex<String>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    fn spawn(command: &mut Command, token: &str) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let copy = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut log = copy.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self { url: String::new(), token: token.to_owned(), child, log, reader: Some(reader) }
    }

    /// Waits until the server says where it listens and answers that it is ready; gives its log
    /// when it ends instead.
    fn until_ready(mut self) -> Result<Self, String> {
        let url = wait_for("the server to listen", || {
            if self.child.try_wait().unwrap().is_some() {
                return Some(None);
            }
            let log = self.log();
            let (_, rest) = log.split_once("listening on ")?;
            // The line is whole.
            let (line, _) = rest.split_once('\n')?;
            Some(line.split_whitespace().next().map(str::to_owned))
        });
        let Some(url) = url else {
            self.finish_log();
            return Err(self.log());
        };
        self.url = url;
        let client = self.client();
        wait_for("the server to get ready", || {
            let reply = client.send(&Request::new("GET", "/readyz"));
            reply.is_ok_and(|reply| reply.status == 200).then_some(())
        });
        Ok(self)
    }

    /// A client with the admin token.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&self.url, Some(&self.token))
    }

    /// What the server has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The process's id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills the process, as `kill -9` does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the process to end, as a service manager does, and waits until it has.
    ///
    /// # Panics
    /// When it does not end with success.
    pub fn terminate(self) {
        self.end_by("TERM");
    }

    /// As [`Server::terminate`], by this signal.
    ///
    /// # Panics
    /// When it does not end with success.
    pub fn end_by(mut self, signal: &str) {
        self.send(signal);
        let status = self.until_ended();
        self.finish_log();
        assert!(status.success(), "{status}:\n{}", self.log());
    }

    /// Sends SIGTERM and returns at once.
    ///
    /// # Panics
    /// When there is no such process.
    pub fn ask_to_end(&self) {
        self.send("TERM");
    }

    fn send(&self, signal: &str) {
        let id = self.child.id().to_string();
        let signal = format!("-{signal}");
        assert!(Command::new("kill").args([&signal, &id]).status().unwrap().success());
    }

    /// Waits until the process has ended.
    pub fn until_ended(&mut self) -> ExitStatus {
        wait_for("the server to end", || self.child.try_wait().unwrap())
    }

    /// The numbers of `/metrics`, by name and labels.
    #[must_use]
    pub fn metrics(&self) -> HashMap<String, f64> {
        let text = self.client().get("/metrics").expect(200).text();
        let number = |line: &str| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        text.lines().filter(|line| !line.starts_with('#')).filter_map(number).collect()
    }

    fn finish_log(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
