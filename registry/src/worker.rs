//! A thread that works beside the server until it is told to end.

use std::thread::JoinHandle;

/// The running thread. It ends when it is stopped, or dropped.
pub(crate) struct Worker {
    name: &'static str,
    thread: Option<JoinHandle<()>>,
    tell: Box<dyn Fn() + Send + Sync>,
}

impl Worker {
    /// Starts `work` in a thread of this name. `tell` has it end, and wakes it from whatever it waits for; parked it is
    /// unparked.
    ///
    /// # Errors
    /// The system's, when it gives no thread.
    pub(crate) fn start(
        name: &'static str,
        work: impl FnOnce() + Send + 'static,
        tell: impl Fn() + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work)?;
        Ok(Self { name, thread: Some(thread), tell: Box::new(tell) })
    }

    /// Ends the thread, and waits until it has.
    pub(crate) fn stop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        (self.tell)();
        thread.thread().unpark();
        if thread.join().is_err() {
            tracing::error!(thread = self.name, "a thread ended by a panic");
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
    }
}
