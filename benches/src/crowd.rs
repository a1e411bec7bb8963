//! Clients that ask at the same time, each on its own connection, until everything is asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::client::{Answer, Connection};
use crate::figures::Durations;
use crate::server::Server;

/// What a crowd has seen.
pub struct Seen<T> {
    /// How long all of it took.
    pub elapsed: Duration,
    /// How long each answer took.
    pub latency: Durations,
    /// What was read of each answer, in the order of the requests.
    pub read: Vec<T>,
}

impl<T> Seen<T> {
    /// Answers a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.latency.count() as f64 / self.elapsed.as_secs_f64()
    }
}

/// What one client has seen: the place of each request, how long its answer took, and what was read of it.
type Part<T> = Result<Vec<(usize, Duration, T)>, Failure>;

/// Sends every request by one of `clients` clients, each of which waits for its answer before it sends the next. `read` takes
/// from an answer what is wanted, after the clock was stopped; the first answer that it refuses ends the run.
///
/// # Errors
/// A broken connection, or an answer that `read` refuses.
pub fn ask<T: Send>(
    server: &Server,
    clients: usize,
    requests: &[Vec<u8>],
    read: impl Fn(&Answer<'_>) -> Result<T, Failure> + Sync,
) -> Result<Seen<T>, Failure> {
    let mut connections = Vec::with_capacity(clients);
    for _ in 0..clients {
        connections.push(server.connect()?);
    }
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    let client = |mut connection: Connection| {
        let mut seen = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(request) = requests.get(place) else { return Ok(seen) };
            let sent = Instant::now();
            let answer = connection.exchange(request)?;
            let took = sent.elapsed();
            seen.push((place, took, read(&answer)?));
        }
    };
    let parts: Vec<Part<T>> = std::thread::scope(|scope| {
        let client = &client;
        let threads: Vec<_> =
            connections.into_iter().map(|one| scope.spawn(move || client(one))).collect();
        let ended = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(ended).collect()
    });
    let elapsed = started.elapsed();
    let mut all = Vec::with_capacity(requests.len());
    for part in parts {
        all.extend(part?);
    }
    all.sort_unstable_by_key(|(place, ..)| *place);
    let latency = Durations::new(all.iter().map(|(_, took, _)| *took).collect());
    Ok(Seen { elapsed, latency, read: all.into_iter().map(|(.., read)| read).collect() })
}
