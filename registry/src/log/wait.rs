//! Waiting for something asynchronous on a thread that may block, but not for ever.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// What a future comes to; nothing when it does not within `limit`.
pub(super) fn within<F: Future + Unpin>(mut future: F, limit: Duration) -> Option<F::Output> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let deadline = Instant::now() + limit;
    loop {
        if let Poll::Ready(output) = Pin::new(&mut future).poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        std::thread::park_timeout(left);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn what_comes_is_given_at_once_and_what_does_not_come_is_not_awaited() {
        let (sender, receiver) = oneshot::channel();
        let sending = std::thread::spawn(move || sender.send(7));
        assert_eq!(within(receiver, Duration::from_secs(60)), Some(Ok(7)));
        sending.join().unwrap().unwrap();
        let (_sender, receiver) = oneshot::channel::<u8>();
        assert_eq!(within(receiver, Duration::from_millis(10)), None);
    }
}
