//! Runs the command of a step: its output passes through unchanged while it is hashed, signals are
//! passed on to it, and its own exit status is what comes back.
//!
//! The command has stdin and the current folder of this process, and its environment without our
//! own secrets. Its stdout and stderr are pipes; what it writes is copied as it comes.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use attestry_schemas::digest::Sha256;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use sha2::Digest as _;
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::iterator::{Handle, SignalsInfo};
use signal_hook::low_level::siginfo::Cause;

use crate::output::{Exit, Remedy};

/// Variables that hold our secrets, which are none of the command's business.
const OWN_SECRETS: &[&str] = &["ATTESTRY_PASSWORD", "ATTESTRY_TOKEN", "COSIGN_PASSWORD"];
/// Signals that are passed on to the command.
const PASSED_ON: &[i32] = &[SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH];
/// How many bytes of output are read at a time.
const BLOCK_BYTES: usize = 64 * 1024;
/// How long output is waited for that a process left behind by the command still holds open.
const LEFT_BEHIND: Duration = Duration::from_secs(2);
/// What shells answer for a command that was not found.
const NOT_FOUND_STATUS: u8 = 127;
/// What shells answer for a command that could not be started.
const NOT_STARTED_STATUS: u8 = 126;
/// What shells add to the number of the signal that ended a command.
const SIGNAL_STATUS: i32 = 128;

/// Why a command did not run to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessError {
    /// The command cannot be started.
    #[error("cannot start {}", program.to_string_lossy())]
    Start {
        /// The program.
        program: OsString,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The command cannot be waited for, or signals cannot be received.
    #[error("cannot watch the command")]
    Watch {
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// What the command wrote could not be kept.
    #[error("cannot keep what the command writes to {stream}")]
    Keep {
        /// `stdout` or `stderr`.
        stream: &'static str,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
}

impl Remedy for ProcessError {
    fn exit(&self) -> Exit {
        match self {
            Self::Start { source, .. } if source.kind() == ErrorKind::NotFound => {
                Exit::Command(NOT_FOUND_STATUS)
            }
            Self::Start { .. } => Exit::Command(NOT_STARTED_STATUS),
            Self::Watch { .. } | Self::Keep { .. } => Exit::Undecided,
        }
    }

    fn fix(&self) -> Option<String> {
        Some(match self {
            Self::Start { .. } => {
                "check the command after --; shell syntax needs a shell, as in -- sh -c 'a && b'"
                    .to_owned()
            }
            Self::Watch { .. } => "run it without attestry run to see whether it works".to_owned(),
            Self::Keep { .. } => "free some space for temporary files".to_owned(),
        })
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit status, or 128 and the number of the signal that ended it.
    pub(crate) status: u8,
    /// What it wrote to stdout.
    pub(crate) stdout: Output,
    /// What it wrote to stderr.
    pub(crate) stderr: Output,
    /// Whether a process that it left behind still held its output open when it was recorded.
    pub(crate) left_behind: bool,
}

/// What was written to one stream.
#[derive(Debug)]
pub(crate) struct Output {
    /// The digest of its bytes.
    pub(crate) sha256: Sha256,
    /// How many bytes there are.
    pub(crate) bytes: u64,
    /// The bytes, where they are kept.
    pub(crate) kept: Option<File>,
}

/// Where output passes through to.
pub(crate) type Through = Box<dyn Write + Send>;

/// Runs a command to its end. With `keep`, what it writes is kept in temporary files.
///
/// # Errors
/// [`ProcessError`].
pub(crate) fn run(
    command: &[OsString],
    stdout: Through,
    stderr: Through,
    keep: bool,
) -> Result<Ended, ProcessError> {
    let watch = |source| ProcessError::Watch { source };
    // Before the command starts, so that no signal ends this process and leaves the command alone.
    let mut signals = SignalsInfo::<WithOrigin>::new(PASSED_ON).map_err(watch)?;
    let mut child = start(command)?;
    // Closed once each stream has ended, so that both are waited for at once.
    let (open, ended) = channel();
    let recorders = [
        Recorder::start("stdout", child.stdout.take(), stdout, keep, open.clone())?,
        Recorder::start("stderr", child.stderr.take(), stderr, keep, open)?,
    ];
    let target = Arc::new(Mutex::new(Pid::from_child(&child).into()));
    let handle = signals.handle();
    let passing_on = Arc::clone(&target);
    let forwarder = std::thread::spawn(move || pass_on(&mut signals, &passing_on));
    let status = wait(&mut child, &target);
    end(&handle, forwarder);
    let status = status.map_err(watch)?;
    // Not for ever, where a process that was left behind holds one of them.
    let left_behind = ended.recv_timeout(LEFT_BEHIND) == Err(RecvTimeoutError::Timeout);
    let [stdout, stderr] = recorders.map(Recorder::finish);
    Ok(Ended { status: shell_status(status), stdout: stdout?, stderr: stderr?, left_behind })
}

fn start(command: &[OsString]) -> Result<Child, ProcessError> {
    let (program, arguments) = match command.split_first() {
        Some((program, arguments)) => (program.as_os_str(), arguments),
        None => (OsStr::new(""), command),
    };
    let mut prepared = Command::new(program);
    prepared.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in OWN_SECRETS {
        prepared.env_remove(name);
    }
    prepared
        .spawn()
        .map_err(|source| ProcessError::Start { program: program.to_os_string(), source })
}

/// Waits for the command without giving its process id free, forbids to signal it from then on,
/// and only then takes its status: a signal must never reach another process of the same id.
fn wait(child: &mut Child, target: &Mutex<Option<Pid>>) -> std::io::Result<ExitStatus> {
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(error) = rustix::process::waitid(WaitId::Pid(Pid::from_child(child)), ended) {
        if error != rustix::io::Errno::INTR {
            return Err(error.into());
        }
    }
    *locked(target) = None;
    child.wait()
}

/// Passes signals on to the command, until the handle is closed. What the terminal sends goes to
/// the command by itself, because it is in the same foreground group.
fn pass_on(signals: &mut SignalsInfo<WithOrigin>, target: &Mutex<Option<Pid>>) {
    for origin in signals.forever() {
        let from_terminal = matches!(origin.cause, Cause::Kernel);
        let target = locked(target);
        if let (Some(pid), false) = (*target, from_terminal)
            && let Some(signal) = Signal::from_named_raw(origin.signal)
        {
            // It may have ended meanwhile, which is no error.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }
}

fn end(handle: &Handle, forwarder: std::thread::JoinHandle<()>) {
    handle.close();
    let _ = forwarder.join();
}

fn shell_status(status: ExitStatus) -> u8 {
    let code = match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => SIGNAL_STATUS + signal,
        (None, None) => SIGNAL_STATUS,
    };
    u8::try_from(code & 0xff).unwrap_or(u8::MAX)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What has been seen of one stream.
struct Seen {
    hasher: sha2::Sha256,
    bytes: u64,
    kept: Option<File>,
    error: Option<std::io::Error>,
}

/// Copies one stream on a thread of its own.
struct Recorder {
    stream: &'static str,
    seen: Arc<Mutex<Seen>>,
}

impl Recorder {
    /// Starts to copy; `open` is dropped at the end of the stream.
    fn start(
        stream: &'static str,
        from: Option<impl Read + Send + 'static>,
        to: Through,
        keep: bool,
        open: Sender<()>,
    ) -> Result<Self, ProcessError> {
        let file = || tempfile::tempfile().map_err(|source| ProcessError::Keep { stream, source });
        let kept = if keep { Some(file()?) } else { None };
        let seen = Seen { hasher: sha2::Sha256::new(), bytes: 0, kept, error: None };
        let seen = Arc::new(Mutex::new(seen));
        let shared = Arc::clone(&seen);
        if let Some(from) = from {
            std::thread::spawn(move || {
                copy(from, to, &shared);
                drop(open);
            });
        }
        Ok(Self { stream, seen })
    }

    fn finish(self) -> Result<Output, ProcessError> {
        let mut seen = locked(&self.seen);
        if let Some(source) = seen.error.take() {
            return Err(ProcessError::Keep { stream: self.stream, source });
        }
        let sha256 = Sha256(seen.hasher.clone().finalize().into());
        Ok(Output { sha256, bytes: seen.bytes, kept: seen.kept.take() })
    }
}

/// Copies until the stream ends. A reader of our own output that went away ends the copying but
/// not the recording: the command must not notice.
fn copy(mut from: impl Read, to: Through, seen: &Mutex<Seen>) {
    let mut to = Some(to);
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let count = match from.read(&mut block) {
            Ok(0) => return,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => {
                locked(seen).error.get_or_insert(error);
                return;
            }
        };
        let bytes = block.get(..count).unwrap_or_default();
        if let Some(through) = &mut to
            && through.write_all(bytes).and_then(|()| through.flush()).is_err()
        {
            to = None;
        }
        let mut seen = locked(seen);
        seen.hasher.update(bytes);
        seen.bytes += count as u64;
        if let Some(kept) = &mut seen.kept
            && let Err(error) = kept.write_all(bytes)
        {
            seen.error.get_or_insert(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Seek as _;

    use super::*;

    /// A stream that can be looked at afterwards.
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// A signal to this process reaches every command that it runs, so one runs at a time.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

    fn shell(script: &str) -> (Ended, Vec<u8>, Vec<u8>) {
        let _alone = locked(&ONE_AT_A_TIME);
        let (out, err) = (Shared::default(), Shared::default());
        let command = ["sh", "-c", script].map(OsString::from);
        let ended = run(&command, Box::new(out.clone()), Box::new(err.clone()), true).unwrap();
        let bytes = |shared: Shared| shared.0.lock().unwrap().clone();
        (ended, bytes(out), bytes(err))
    }

    #[test]
    fn passes_output_through_and_hashes_and_keeps_it() {
        let (mut ended, out, err) = shell("printf 'a\\000b'; printf oops >&2; exit 3");
        assert_eq!((ended.status, out.as_slice(), err.as_slice()), (3, &b"a\0b"[..], &b"oops"[..]));
        assert_eq!((ended.stdout.sha256, ended.stdout.bytes), (Sha256::of(b"a\0b"), 3));
        assert_eq!((ended.stderr.sha256, ended.stderr.bytes), (Sha256::of(b"oops"), 4));
        let mut kept = Vec::new();
        let file = ended.stdout.kept.as_mut().unwrap();
        file.rewind().unwrap();
        file.read_to_end(&mut kept).unwrap();
        assert_eq!(kept, b"a\0b");
        assert!(!ended.left_behind);
    }

    #[test]
    fn a_command_that_a_signal_ends_has_the_status_that_a_shell_gives_it() {
        assert_eq!(shell("kill -9 $$").0.status, 137);
    }

    #[test]
    fn a_command_that_cannot_start_has_the_status_that_a_shell_gives_it() {
        let check = |program: &str, status: u8| {
            let command = [OsString::from(program)];
            let sink = || -> Through { Box::new(std::io::sink()) };
            let refused = run(&command, sink(), sink(), false).unwrap_err();
            assert_eq!(refused.exit(), Exit::Command(status), "{program}");
        };
        check("/nowhere/there", 127);
        check("/", 126);
    }

    #[test]
    fn does_not_wait_for_what_the_command_left_behind() {
        // It holds both streams, which are waited for at once and not in turn.
        let since = std::time::Instant::now();
        let (ended, out, _) = shell("sleep 30 & echo done");
        assert_eq!((ended.status, out.as_slice(), ended.left_behind), (0, &b"done\n"[..], true));
        assert!(since.elapsed() < LEFT_BEHIND * 2 - LEFT_BEHIND / 4, "{:?}", since.elapsed());
    }

    #[test]
    fn a_signal_to_this_process_reaches_the_command() {
        let script = "trap 'echo caught; exit 7' USR1; kill -USR1 $PPID; \
                      i=0; while [ $i -lt 500 ]; do i=$((i+1)); sleep 0.02; done";
        let (ended, out, _) = shell(script);
        assert_eq!((ended.status, out.as_slice()), (7, &b"caught\n"[..]));
    }
}
