//! Asks a program something short: what it prints, within a time and a length.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most bytes of an answer that are read.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;

/// What a program prints to stdout, where it ends well and in time, and what it prints is text.
pub(super) fn ask(program: &Path, arguments: &[&str], directory: &Path) -> Option<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let stdout = child.stdout.take()?;
    let (sender, answer) = channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let read = stdout.take(MAX_ANSWER_BYTES).read_to_end(&mut text);
        let _ = sender.send(read.map(|_| text));
    });
    let Ok(text) = answer.recv_timeout(PATIENCE) else {
        let _ = child.kill();
        let _ = child.wait();
        return None;
    };
    let status = child.wait().ok()?;
    let text = text.ok()?;
    status.success().then(|| String::from_utf8(text).ok()).flatten()
}
