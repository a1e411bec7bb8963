//! A real `attestry-registry serve` on a free loopback port.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use attestry_schemas::key::PublicKey;
use attestry_schemas::trusted_root::TrustedRoot;

use crate::client::{Connection, Reading};
use crate::crowd::Asked;
use crate::machine::Usage;
use crate::{Context as _, Failure};

/// How long a server may take to come to rest.
const REST_WITHIN: Duration = Duration::from_secs(600);
/// At rest it uses no more ticks of 10 ms than this in a moment.
const TICKS_AT_REST: u64 = 3;
const A_MOMENT: Duration = Duration::from_millis(500);
/// How long the server may take to be ready.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// A server process with a data folder of its own. Ended when dropped.
pub struct Server {
    child: Child,
    address: SocketAddr,
    token: String,
    data: PathBuf,
}

impl Server {
    /// Makes a registry in `folder` that trusts `key`, and starts it. Its log lines go to
    /// `serve.log` there.
    ///
    /// # Errors
    /// When `init` or `serve` fails, with what they said.
    pub fn start(program: &Path, folder: &Path, key: &PublicKey) -> Result<Self, Failure> {
        Self::start_with(program, folder, "--trusted-key", key)
    }

    /// As [`Server::start`], for a registry whose roster this root key publishes.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start_rooted(program: &Path, folder: &Path, root: &PublicKey) -> Result<Self, Failure> {
        Self::start_with(program, folder, "--root-key", root)
    }

    fn start_with(
        program: &Path,
        folder: &Path,
        role: &str,
        key: &PublicKey,
    ) -> Result<Self, Failure> {
        let address = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .context("looking for a free port")?;
        let data = folder.join("data");
        let trusted = folder.join("trusted.pub");
        std::fs::write(&trusted, key.to_pem()).context("writing the trusted key")?;
        let made = Command::new(program)
            .arg("init")
            .arg("--data")
            .arg(&data)
            .args(["--url", &format!("http://{address}"), role])
            .arg(&trusted)
            .output()
            .context("starting attestry-registry init")?;
        let text = String::from_utf8_lossy(&made.stdout);
        let token =
            text.lines().find_map(|line| line.trim().strip_prefix("export ATTESTRY_TOKEN="));
        let Some(token) = token else {
            return Err(
                format!("init gave no token: {}", String::from_utf8_lossy(&made.stderr)).into()
            );
        };
        let child = serve(program, folder, &data, address)?;
        let mut server = Self { child, address, token: token.to_owned(), data };
        server.wait_until_ready(program, folder)?;
        Ok(server)
    }

    /// Ends the process and starts another on the same data: nothing is in its memory.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn restart(&mut self, program: &Path, folder: &Path) -> Result<(), Failure> {
        self.child.kill().and_then(|()| self.child.wait()).context("ending the server")?;
        self.child = serve(program, folder, &self.data, self.address)?;
        self.wait_until_ready(program, folder)
    }

    /// Waits until the server has done what it does behind its answers, or for ten minutes.
    pub fn rest(&self) {
        let deadline = Instant::now() + REST_WITHIN;
        let mut before = self.usage();
        while Instant::now() < deadline {
            std::thread::park_timeout(A_MOMENT);
            let now = self.usage();
            if now.cpu_ticks.saturating_sub(before.cpu_ticks) <= TICKS_AT_REST {
                return;
            }
            before = now;
        }
    }

    fn wait_until_ready(&mut self, program: &Path, folder: &Path) -> Result<(), Failure> {
        let log = || std::fs::read_to_string(folder.join("serve.log")).unwrap_or_default();
        let deadline = Instant::now() + READY_WITHIN;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().context("watching the server")? {
                return Err(format!("the server ended with {status}: {}", log()).into());
            }
            let health = Command::new(program)
                .args(["health", "--url", &self.url()])
                .output()
                .context("starting attestry-registry health")?;
            if health.status.success() {
                return Ok(());
            }
        }
        Err(format!("the server was not ready in {READY_WITHIN:?}: {}", log()).into())
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The token that may write.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The path of the trusted root that `init` wrote.
    #[must_use]
    pub fn trusted_root_path(&self) -> PathBuf {
        self.data.join("trusted_root.json")
    }

    /// The trusted root that `init` wrote.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn trusted_root(&self) -> Result<TrustedRoot, Failure> {
        let text = std::fs::read(self.trusted_root_path()).context("reading trusted_root.json")?;
        TrustedRoot::parse(&text).context("reading trusted_root.json")
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A `POST /v1/attestations` with this body.
    #[must_use]
    pub fn attestation_request(&self, body: &[u8]) -> Vec<u8> {
        let media_type = "application/vnd.dsse.envelope.v1+json";
        self.request("POST /v1/attestations", media_type, body)
    }

    /// A request with the token: a method and a path, and a body of a media type.
    #[must_use]
    pub fn request(&self, line: &str, media_type: &str, body: &[u8]) -> Vec<u8> {
        let head = format!(
            "{line} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: {media_type}\r\nContent-Length: {}\r\n\r\n",
            self.address,
            self.token,
            body.len()
        );
        [head.as_bytes(), body].concat()
    }

    /// The sum and the count of a histogram in the server's metrics.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn histogram(&self, name: &str) -> Result<(f64, f64), Failure> {
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        let mut connection = self.connect()?;
        let answer = connection.exchange(request.as_bytes(), Reading::Whole)?;
        let text = std::str::from_utf8(answer.body).context("reading /metrics")?;
        let value = |suffix: &str| {
            let prefix = format!("{name}_{suffix} ");
            let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
            line.and_then(|value| value.parse::<f64>().ok()).unwrap_or_default()
        };
        Ok((value("sum"), value("count")))
    }
}

impl Asked for Server {
    fn connect(&self) -> Result<Connection, Failure> {
        Connection::open(self.address)
    }

    fn usage(&self) -> Usage {
        Usage::of(&self.child.id().to_string())
    }
}

/// Starts `serve`; its log lines go on in `serve.log`.
fn serve(
    program: &Path,
    folder: &Path,
    data: &Path,
    address: SocketAddr,
) -> Result<Child, Failure> {
    let log = File::options().create(true).append(true).open(folder.join("serve.log"));
    Command::new(program)
        .arg("serve")
        .arg("--data")
        .arg(data)
        .args(["--listen", &address.to_string()])
        .stdin(Stdio::piped())
        .stderr(log.context("opening serve.log")?)
        .spawn()
        .context("starting attestry-registry serve")
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whatever goes wrong here, the child is either gone or not ours any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
