//! A registry of others beside which this one is measured: Debian's `docker-registry`, where it is installed.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::Connection;
use crate::crowd::Asked;
use crate::machine::Usage;
use crate::{Context as _, Failure};

const PROGRAM: &str = "docker-registry";
/// How long it may take to listen.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// A `docker-registry serve` on a free loopback port, with its files in a folder. Ended when dropped.
pub struct DockerRegistry {
    child: Child,
    address: SocketAddr,
}

impl DockerRegistry {
    /// What it calls its version; none where it is not installed.
    #[must_use]
    pub fn version() -> Option<String> {
        let told = Command::new(PROGRAM).arg("--version").output().ok()?;
        Some(String::from_utf8_lossy(&told.stdout).trim().to_owned())
    }

    /// Starts one without authentication; what it logs goes to `docker-registry.log`.
    ///
    /// # Errors
    /// When it does not listen.
    pub fn start(folder: &Path) -> Result<Self, Failure> {
        let address = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .context("looking for a free port")?;
        let files = folder.join("docker-registry");
        // JSON is YAML, and needs no quoting of its own.
        let configuration = serde_json::json!({
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": true}},
            "storage": {"filesystem": {"rootdirectory": files}, "delete": {"enabled": true}},
            "http": {"addr": address.to_string(), "secret": "of a bench"},
        });
        let path = folder.join("docker-registry.yml");
        std::fs::write(&path, configuration.to_string()).context("writing its configuration")?;
        let log = File::create(folder.join("docker-registry.log")).context("opening its log")?;
        let child = Command::new(PROGRAM)
            .arg("serve")
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("opening its log")?)
            .stderr(log)
            .spawn()
            .context("starting docker-registry")?;
        let registry = Self { child, address };
        let deadline = Instant::now() + READY_WITHIN;
        while registry.connect().is_err() {
            if Instant::now() > deadline {
                let log = std::fs::read_to_string(folder.join("docker-registry.log"));
                return Err(format!("docker-registry did not listen: {log:?}").into());
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        Ok(registry)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Asked for DockerRegistry {
    fn connect(&self) -> Result<Connection, Failure> {
        Connection::open(self.address)
    }

    fn usage(&self) -> Usage {
        Usage::of(&self.child.id().to_string())
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        // Whatever goes wrong here, the child is either gone or not ours any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
