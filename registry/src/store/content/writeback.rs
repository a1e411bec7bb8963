//! Content goes to the disk while more of it comes, so that little is left to wait for at its end.

use std::fs::File;
use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

/// After how many bytes the disk is told to begin. Bytes.
pub(super) const STEP_BYTES: u64 = 16 << 20;

/// A thread that syncs a file as often as it is told, one time after the other.
#[derive(Debug)]
pub(super) struct Writeback {
    steps: SyncSender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Writeback {
    /// One for a file; nothing where the system gives no thread or handle: the end then syncs all.
    pub(super) fn of(file: &File) -> Option<Self> {
        let file = file.try_clone().ok()?;
        let (steps, told) = sync_channel(1);
        let work = move || {
            // The system tells a failure once, to whoever syncs next: it must not be lost here.
            while told.recv().is_ok() {
                file.sync_data()?;
            }
            Ok(())
        };
        let thread = std::thread::Builder::new().name("writeback".to_owned()).spawn(work).ok()?;
        Some(Self { steps, thread })
    }

    /// Tells it that there is more; while it is busy it knows that already.
    pub(super) fn step(&self) {
        let _ = self.steps.try_send(());
    }

    /// Waits for what is under way.
    ///
    /// # Errors
    /// The first failure of a sync: what it was about may be lost, whatever a later one says.
    pub(super) fn end(self) -> io::Result<()> {
        drop(self.steps);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread ended by a panic")))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn it_ends_after_what_it_was_told_and_tells_of_a_failure() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = File::create(dir.path().join("content")).unwrap();
        let writeback = Writeback::of(&file).unwrap();
        for _ in 0..10 {
            file.write_all(b"more").unwrap();
            writeback.step();
        }
        writeback.end().unwrap();
        // A pipe has nothing to sync.
        let (reader, _writer) = std::io::pipe().unwrap();
        let writeback = Writeback::of(&File::from(std::os::fd::OwnedFd::from(reader))).unwrap();
        writeback.step();
        writeback.end().unwrap_err();
    }
}
