//! Asking the `git` program: an explicit list of arguments, no shell, bounded output, a time limit.
//!
//! What a repository or a person configured must neither run programs nor hide changes, so the
//! settings that do are overruled, and variables by which another repository would be meant are
//! removed. Nothing is written, not even the index, and nothing is fetched.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

/// How long one question may take: the status of a large repository on a cold disk.
const TIME_LIMIT: Duration = Duration::from_secs(120);
/// The longest record of an answer. A path has at most 4096 bytes, and a rename names two.
const MAX_RECORD_BYTES: u64 = 64 * 1024;
/// The longest answer, which is read record by record and not kept.
const MAX_ANSWER_BYTES: u64 = 1 << 30;
/// How much of what git says on stderr is kept.
const MAX_MESSAGE_BYTES: u64 = 4096;

/// Set for every question, before the command.
const SETTINGS: &[&str] = &[
    "--no-pager",
    // Status would write the index that it refreshed.
    "--no-optional-locks",
    // A replacement would show another tree under the id of the commit.
    "--no-replace-objects",
    "--literal-pathspecs",
    // Programs that the repository's configuration names.
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    // What it remembers of untracked files may be old.
    "-c",
    "core.untrackedCache=false",
];

/// Variables by which git would look at another repository, index or set of objects.
const ELSEWHERE: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INDEX_VERSION",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_GRAFT_FILE",
    "GIT_SHALLOW_FILE",
    "GIT_REPLACE_REF_BASE",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
];

/// Why git gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum GitError {
    /// There is no such program.
    #[error("git is not installed")]
    Missing,
    /// The program cannot be run, or its output not be read.
    #[error("git cannot be run")]
    Unusable(#[source] std::io::Error),
    /// It says that it cannot answer; the first line of what it says.
    #[error("{message}")]
    Failed {
        /// What it says.
        message: String,
    },
    /// It takes too long.
    #[error("expected git to answer within {} seconds", .limit.as_secs())]
    TooSlow {
        /// The bound that was met.
        limit: Duration,
    },
    /// It says too much.
    #[error("expected at most {limit} bytes from git, found more")]
    TooMuch {
        /// The bound that was met.
        limit: u64,
    },
}

/// The program, in a folder.
#[derive(Debug, Clone)]
pub(super) struct Git {
    program: &'static str,
    folder: PathBuf,
    time_limit: Duration,
    /// Variables that are set besides, so that a test stays apart from a person's configuration.
    environment: &'static [(&'static str, &'static str)],
}

impl Git {
    /// Git, asked in a folder.
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self {
            program: "git",
            folder: folder.to_path_buf(),
            time_limit: TIME_LIMIT,
            environment: &[],
        }
    }

    /// The same program in another folder.
    pub(super) fn at(&self, folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), ..self.clone() }
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// With other variables set.
    #[cfg(test)]
    pub(super) fn with(self, environment: &'static [(&'static str, &'static str)]) -> Self {
        Self { environment, ..self }
    }

    /// Another program in git's place, or with another time limit.
    #[cfg(test)]
    pub(super) fn replaced(self, program: &'static str, time_limit: Duration) -> Self {
        Self { program, time_limit, ..self }
    }

    /// Asks for a short answer.
    ///
    /// # Errors
    /// [`GitError`].
    pub(super) fn bytes<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Result<Vec<u8>, GitError> {
        self.records(arguments, Vec::new(), |answer, record| answer.extend_from_slice(record))
    }

    /// Asks for a short answer that is text.
    ///
    /// # Errors
    /// [`GitError`].
    pub(super) fn text<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Result<String, GitError> {
        let answer = self.bytes(arguments)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Asks for records that each end with a NUL, and hands them on one by one.
    ///
    /// # Errors
    /// [`GitError`].
    pub(super) fn records<A: AsRef<OsStr>, S: Send + 'static>(
        &self,
        arguments: &[A],
        mut state: S,
        each: fn(&mut S, &[u8]),
    ) -> Result<S, GitError> {
        let mut child = self.command(arguments).spawn().map_err(|error| match error.kind() {
            ErrorKind::NotFound => GitError::Missing,
            _ => GitError::Unusable(error),
        })?;
        let (send_answer, answer) = mpsc::channel();
        let (send_message, message) = mpsc::channel();
        // Threads and not a loop, so that a program that hangs is noticed. They end with it.
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                let read = read_records(stdout, |record| each(&mut state, record));
                let _ = send_answer.send(read.map(|()| state));
            });
        }
        if let Some(stderr) = child.stderr.take() {
            std::thread::spawn(move || {
                let _ = send_message.send(first_line(stderr));
            });
        }
        let state = match answer.recv_timeout(self.time_limit) {
            Ok(Ok(state)) => state,
            Ok(Err(error)) => {
                stop(&mut child);
                return Err(error);
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                stop(&mut child);
                return Err(GitError::TooSlow { limit: self.time_limit });
            }
        };
        let status = child.wait().map_err(GitError::Unusable)?;
        if status.success() {
            return Ok(state);
        }
        let message = message.recv_timeout(self.time_limit).unwrap_or_default();
        Err(GitError::Failed { message })
    }

    fn command<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Command {
        let mut command = Command::new(self.program);
        command.args(SETTINGS).arg("-C").arg(&self.folder).args(arguments);
        for name in ELSEWHERE {
            command.env_remove(name);
        }
        command
            .env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_NO_LAZY_FETCH", "1")
            .envs(self.environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own, so that what it started ends with it.
            .process_group(0);
        command
    }
}

/// Ends the program and all that it started, and waits for it.
fn stop(child: &mut Child) {
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    let _ = child.kill();
    let _ = child.wait();
}

fn read_records(stdout: impl Read, mut each: impl FnMut(&[u8])) -> Result<(), GitError> {
    let mut reader = BufReader::new(stdout);
    let mut record = Vec::new();
    let mut total_bytes = 0_u64;
    loop {
        record.clear();
        let mut limited = (&mut reader).take(MAX_RECORD_BYTES + 1);
        let read_bytes = limited.read_until(0, &mut record).map_err(GitError::Unusable)?;
        if read_bytes == 0 {
            return Ok(());
        }
        total_bytes = total_bytes.saturating_add(record.len() as u64);
        if record.len() as u64 > MAX_RECORD_BYTES {
            return Err(GitError::TooMuch { limit: MAX_RECORD_BYTES });
        }
        if total_bytes > MAX_ANSWER_BYTES {
            return Err(GitError::TooMuch { limit: MAX_ANSWER_BYTES });
        }
        each(record.strip_suffix(&[0]).unwrap_or(&record));
    }
}

/// The first line that says something, without git's own `fatal:`. The rest is read and left.
fn first_line(mut stderr: impl Read) -> String {
    let mut kept = Vec::new();
    let _ = (&mut stderr).take(MAX_MESSAGE_BYTES).read_to_end(&mut kept);
    let _ = std::io::copy(&mut stderr, &mut std::io::sink());
    let text = String::from_utf8_lossy(&kept);
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    line.strip_prefix("fatal: ").or_else(|| line.strip_prefix("error: ")).unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn git() -> Git {
        Git::in_folder(Path::new("/")).with(super::super::tests::ISOLATED)
    }

    #[test]
    fn says_that_the_program_is_missing() {
        let git = git().replaced("attestry-test-no-such-program", TIME_LIMIT);
        assert!(matches!(git.bytes(&["version"]), Err(GitError::Missing)));
    }

    #[test]
    fn repeats_the_first_line_that_git_says() {
        let Err(GitError::Failed { message }) = git().bytes(&["rev-parse", "HEAD"]) else {
            panic!("the root of the file system is a repository");
        };
        assert!(message.starts_with("not a git repository"), "{message}");
    }

    #[test]
    fn ends_a_program_that_hangs_and_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("process");
        let hang = format!("alias.hang=!echo $$ > {} && exec sleep 600", file.display());
        let git = git().replaced("git", Duration::from_millis(500));
        assert!(matches!(git.bytes(&["-c", &hang, "hang"]), Err(GitError::TooSlow { .. })));
        // Too slow to have started the sleep, where the file is not there yet.
        let Ok(process) = std::fs::read_to_string(file) else { return };
        let stat = format!("/proc/{}/stat", process.trim());
        // Ended, whether or not somebody has asked after it since.
        let has_ended =
            || std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        while !has_ended() {
            assert!(std::time::Instant::now() < deadline, "{stat} goes on");
            std::thread::yield_now();
        }
    }

    #[test]
    fn ends_a_program_that_does_not_end_to_talk() {
        let talk = ["-c", "alias.talk=!yes", "talk"];
        let limit = MAX_RECORD_BYTES;
        assert!(matches!(git().bytes(&talk), Err(GitError::TooMuch { limit: l }) if l == limit));
    }

    #[test]
    fn hands_on_records_one_by_one() {
        let print = ["-c", "alias.print=!printf 'a\\nb\\0\\0c'", "print"];
        let records = git().records(&print, Vec::new(), |records, record| {
            records.push(String::from_utf8_lossy(record).into_owned());
        });
        assert_eq!(records.unwrap(), ["a\nb", "", "c"]);
    }
}
