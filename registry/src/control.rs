//! The running server's door for commands on its own machine: a Unix socket in the data folder.
//!
//! The server holds the store's lock, so an online backup must be made by the server itself. The
//! folder and the socket are for the owner alone; that is the credential. A connection carries one
//! line, `backup TARGET`, `gc MILLISECONDS` or `gc-dry MILLISECONDS`, and is answered by one line of JSON.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use attestry_schemas::problem::chain;
use serde::{Deserialize, Serialize};

use crate::data::{CONTROL_SOCKET, DataFolder};
use crate::oci::Oci;
use crate::oci::collect::{Collected, Mode};
use crate::store::backup::{self, BackupSummary};
use crate::store::{Store, durable};

/// The longest request line.
const MAX_REQUEST_BYTES: u64 = 8 << 10;
/// The longest answer line.
const MAX_ANSWER_BYTES: u64 = 64 << 10;
/// How long a peer may take to send its line.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest path that a socket's address holds everywhere (`sun_path` is 104 to 108 bytes).
const MAX_ADDRESS_BYTES: usize = 100;
/// The word of a collection, and of one that removes nothing.
const GC: &str = "gc ";
const GC_DRY: &str = "gc-dry ";

/// Why the running server did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody answers at the socket.
    #[error("the store is in use, and no server answers at {}; if one is starting, try again", path.display())]
    NobodyThere {
        /// The socket.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the server at {} broke off", path.display())]
    BrokenOff {
        /// The socket.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The path cannot be sent.
    #[error("expected a path without line breaks, found {}", path.display())]
    Path {
        /// The path.
        path: PathBuf,
    },
    /// The server tried and failed.
    #[error("the server answers: {0}")]
    Failed(String),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Done { content_files: u64, content_bytes: u64, documents: u64 },
    Collected(Collected),
    Failed(String),
}

/// The open door. Dropping it closes it; a backup under way goes on.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
    is_closed: Arc<AtomicBool>,
}

impl Control {
    /// Opens the door and starts the thread that answers. Call it only while holding the store.
    ///
    /// # Errors
    /// The error of bind(2) or of the thread's start.
    pub fn open(folder: &DataFolder, store: &Arc<Store>, oci: &Arc<Oci>) -> io::Result<Self> {
        let path = folder.file(CONTROL_SOCKET);
        // Left by a server that was killed: nobody else listens, because this process has the store.
        durable::remove_if_there(&path)?;
        let address = Address::of(&path)?;
        let listener = UnixListener::bind(&address.path)?;
        let is_closed = Arc::new(AtomicBool::new(false));
        let door = Self { path: path.clone(), is_closed: Arc::clone(&is_closed) };
        std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        let data = folder.path().to_owned();
        // Not the store itself: waiting for a command must not keep it open.
        let (store, oci) = (Arc::downgrade(store), Arc::downgrade(oci));
        let answer = move || {
            for connection in listener.incoming() {
                let store = store.upgrade().filter(|_| !is_closed.load(Ordering::Acquire));
                let (Some(store), Some(oci)) = (store, oci.upgrade()) else { break };
                let served = connection.and_then(|stream| serve(stream, &data, &store, &oci));
                if let Err(error) = served {
                    tracing::warn!(%error, "a command on the control socket broke off");
                }
            }
        };
        std::thread::Builder::new().name("control".to_owned()).spawn(answer)?;
        Ok(door)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.is_closed.store(true, Ordering::Release);
        // Wakes the thread, so that it sees the flag.
        let _ = Address::of(&self.path).and_then(|address| UnixStream::connect(&address.path));
        if let Err(error) = durable::remove_if_there(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "the control socket stays behind");
        }
    }
}

/// Has the running server make a backup to `target`, a path from the root.
///
/// # Errors
/// [`ControlError`].
pub fn ask_for_backup(data: &Path, target: &Path) -> Result<BackupSummary, ControlError> {
    if target.as_os_str().as_bytes().contains(&b'\n') {
        return Err(ControlError::Path { path: target.to_owned() });
    }
    match ask(data, &[b"backup ", target.as_os_str().as_bytes(), b"\n"].concat())? {
        Answer::Done { content_files, content_bytes, documents } => {
            Ok(BackupSummary { content_files, content_bytes, documents })
        }
        other => Err(unexpected(other)),
    }
}

/// Has the running server collect what nothing refers to.
///
/// # Errors
/// [`ControlError`].
pub fn ask_for_collection(
    data: &Path,
    grace: Duration,
    mode: Mode,
) -> Result<Collected, ControlError> {
    let word = match mode {
        Mode::Tell => GC_DRY,
        Mode::Remove => GC,
    };
    match ask(data, format!("{word}{}\n", grace.as_millis()).as_bytes())? {
        Answer::Collected(collected) => Ok(collected),
        other => Err(unexpected(other)),
    }
}

fn unexpected(answer: Answer) -> ControlError {
    match answer {
        Answer::Failed(detail) => ControlError::Failed(detail),
        other => ControlError::Failed(format!("expected another answer, found {other:?}")),
    }
}

/// Sends a line and reads the answer.
fn ask(data: &Path, request: &[u8]) -> Result<Answer, ControlError> {
    let path = data.join(CONTROL_SOCKET);
    let mut stream = Address::of(&path)
        .and_then(|address| UnixStream::connect(&address.path))
        .map_err(|source| ControlError::NobodyThere { path: path.clone(), source })?;
    // No timeout: a backup takes as long as its copy does.
    let mut answer = String::new();
    let exchanged = stream
        .write_all(request)
        .and_then(|()| BufReader::new(stream).take(MAX_ANSWER_BYTES).read_line(&mut answer));
    let answer = exchanged.and_then(|_| {
        serde_json::from_str(&answer).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
    });
    answer.map_err(|source| ControlError::BrokenOff { path, source })
}

fn serve(mut stream: UnixStream, data: &Path, store: &Store, oci: &Oci) -> io::Result<()> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let mut line = Vec::new();
    BufReader::new(&stream).take(MAX_REQUEST_BYTES).read_until(b'\n', &mut line)?;
    let line = line.strip_suffix(b"\n").unwrap_or_default();
    let target = line.strip_prefix(b"backup ").map(OsStr::from_bytes).map(Path::new);
    let answer = match (target, collection(line)) {
        (Some(target), _) if target.is_absolute() => answer_backup(data, store, target),
        (_, Some((grace, mode))) => answer_collection(oci, grace, mode),
        _ => Answer::Failed(
            "expected backup and a path from the root, or gc and milliseconds".to_owned(),
        ),
    };
    let mut text = serde_json::to_string(&answer).map_err(io::Error::other)?;
    text.push('\n');
    stream.write_all(text.as_bytes())
}

/// The grace and the mode that a line names.
fn collection(line: &[u8]) -> Option<(Duration, Mode)> {
    let line = std::str::from_utf8(line).ok()?;
    let dry = line.strip_prefix(GC_DRY).map(|rest| (rest, Mode::Tell));
    let (rest, mode) = dry.or_else(|| Some((line.strip_prefix(GC)?, Mode::Remove)))?;
    Some((Duration::from_millis(rest.parse().ok()?), mode))
}

fn answer_collection(oci: &Oci, grace: Duration, mode: Mode) -> Answer {
    match oci.collect(grace, mode) {
        Ok(collected) => {
            tracing::info!(?mode, ?collected, "what nothing refers to was collected");
            Answer::Collected(collected)
        }
        Err(error) => {
            tracing::warn!(error = chain(&error), "a collection was broken off");
            Answer::Failed(chain(&error))
        }
    }
}

fn answer_backup(data: &Path, store: &Store, target: &Path) -> Answer {
    match backup::copy(data, store, target) {
        Ok(summary) => {
            tracing::info!(copy = %target.display(), ?summary, "a backup was made");
            let BackupSummary { content_files, content_bytes, documents } = summary;
            Answer::Done { content_files, content_bytes, documents }
        }
        Err(error) => {
            tracing::warn!(copy = %target.display(), error = chain(&error), "no backup was made");
            Answer::Failed(chain(&error))
        }
    }
}

/// A socket's path, short enough for an address.
struct Address {
    path: PathBuf,
    /// Keeps the short path valid.
    _folder: Option<File>,
}

impl Address {
    fn of(path: &Path) -> io::Result<Self> {
        if path.as_os_str().len() <= MAX_ADDRESS_BYTES {
            return Ok(Self { path: path.to_owned(), _folder: None });
        }
        // Linux names an open folder in few bytes; elsewhere bind(2) says that the path is too long.
        let folder = File::open(path.parent().unwrap_or(Path::new(".")))?;
        let short = format!("/proc/self/fd/{}/{CONTROL_SOCKET}", folder.as_raw_fd());
        Ok(Self { path: PathBuf::from(short), _folder: Some(folder) })
    }
}

#[cfg(test)]
mod tests;
