//! One at a time for the same question: a rollout of a hundred pods with one image is one evaluation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Decided, Request};

/// Whose turn it is, with the denial that the last one met whose evaluation failed.
type Turn = Arc<Mutex<Option<Decided>>>;

/// The questions that are being answered.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<Request, Turn>>);

impl Flights {
    /// Does work while nobody else does any for the same request. Whoever has waited finds out first whether it is still to be
    /// done.
    pub(super) fn alone<T>(
        &self,
        request: &Request,
        work: impl FnOnce(&mut Option<Decided>) -> T,
    ) -> T {
        let turn = Arc::clone(self.lock().entry(request.clone()).or_default());
        let _landing = Landing { flights: self, request, turn: &turn };
        let mut mine = turn.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut mine)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Request, Turn>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a request off the list when the last who has asked it is done, also by a panic.
struct Landing<'f> {
    flights: &'f Flights,
    request: &'f Request,
    turn: &'f Turn,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        // The list's and this one; whoever asks now takes another under the lock.
        if Arc::strong_count(self.turn) == 2 {
            flights.remove(self.request);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use attestry_schemas::digest::Sha256;

    use super::*;

    fn request(environment: &str) -> Request {
        Request {
            subject: Sha256([1; 32]),
            name: None,
            environment: environment.to_owned(),
            caller: None,
            configuration: None,
        }
    }

    #[test]
    fn the_same_is_done_by_one_at_a_time_and_forgotten_after_it() {
        let flights = Flights::default();
        let (inside, most, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        flights.alone(&request("production"), |_| {
                            most.fetch_max(inside.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
                            std::thread::yield_now();
                            inside.fetch_sub(1, Ordering::SeqCst);
                            done.fetch_add(1, Ordering::SeqCst);
                        });
                    }
                });
            }
        });
        assert_eq!((most.into_inner(), done.into_inner()), (0, 1_600));
        assert!(flights.lock().is_empty());
    }

    #[test]
    fn something_else_waits_for_nobody() {
        let flights = Flights::default();
        let inner =
            |_: &mut Option<Decided>| flights.alone(&request("staging"), |_| flights.lock().len());
        assert_eq!(flights.alone(&request("production"), inner), 2);
        assert!(flights.lock().is_empty());
    }

    #[test]
    fn a_panic_leaves_nothing_behind() {
        let flights = Flights::default();
        let work = || flights.alone(&request("production"), |_| panic!("as a rule may"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err());
        assert!(flights.lock().is_empty());
        assert_eq!(flights.alone(&request("production"), |_| 1), 1);
    }
}
