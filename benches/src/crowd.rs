//! Clients that ask at the same time, each on its own connection, until everything is asked: closed loop, or at a fixed rate.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::client::{Answer, Connection, Reading};
use crate::figures::Durations;
use crate::machine::Usage;

/// What a crowd has seen.
pub struct Seen<T> {
    /// How long all of it took.
    pub elapsed: Duration,
    /// How long each answer took.
    pub latency: Durations,
    /// What was read of each answer, in the order of the requests.
    pub read: Vec<T>,
    /// The processor time of the server while it answered, in microseconds.
    pub server_cpu_us: u64,
    /// The processor time of the clients, which share the processors with the server, in microseconds.
    pub clients_cpu_us: u64,
}

impl<T> Seen<T> {
    /// Answers a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.latency.count() as f64 / self.elapsed.as_secs_f64()
    }

    /// A processor time as microseconds for each answer.
    #[must_use]
    pub fn each(&self, cpu_us: u64) -> u64 {
        cpu_us / (self.latency.count() as u64).max(1)
    }
}

/// A server process that is asked.
pub trait Asked: Sync {
    /// A new connection.
    ///
    /// # Errors
    /// When the server refuses it.
    fn connect(&self) -> Result<Connection, Failure>;

    /// What the process has used so far.
    fn usage(&self) -> Usage;
}

/// When a request is sent.
#[derive(Debug, Clone, Copy)]
enum Pace {
    /// As soon as its client has the answer to the one before.
    Closed,
    /// So many a second, whatever was answered, as long as a client is free. Its time counts from when it was due.
    Open { per_second: f64 },
}

/// What one client has seen: the place of each request, how long its answer took, and what was read of it.
type Part<T> = Result<Vec<(usize, Duration, T)>, Failure>;

/// Sends every request by one of `clients` clients, each of which waits for its answer before it sends the next. `read` takes
/// from an answer what is wanted, after the clock was stopped; the first answer that it refuses ends the run.
///
/// # Errors
/// A broken connection, or an answer that `read` refuses.
pub fn ask<T: Send>(
    server: &(impl Asked + ?Sized),
    clients: usize,
    requests: &[Vec<u8>],
    read: impl Fn(&Answer<'_>) -> Result<T, Failure> + Sync,
) -> Result<Seen<T>, Failure> {
    paced(server, clients, Pace::Closed, Reading::Whole, requests, read)
}

/// As [`ask`], where of each answer only that is read.
///
/// # Errors
/// As [`ask`].
pub fn ask_for<T: Send>(
    server: &(impl Asked + ?Sized),
    clients: usize,
    reading: Reading,
    requests: &[Vec<u8>],
    read: impl Fn(&Answer<'_>) -> Result<T, Failure> + Sync,
) -> Result<Seen<T>, Failure> {
    paced(server, clients, Pace::Closed, reading, requests, read)
}

/// Sends so many requests a second, each by the next client that is free; how long an answer took counts from the moment
/// at which its request was due, so what waits for a client is not left out.
///
/// # Errors
/// As [`ask`].
pub fn ask_at<T: Send>(
    server: &(impl Asked + ?Sized),
    clients: usize,
    per_second: f64,
    requests: &[Vec<u8>],
    read: impl Fn(&Answer<'_>) -> Result<T, Failure> + Sync,
) -> Result<Seen<T>, Failure> {
    paced(server, clients, Pace::Open { per_second }, Reading::Whole, requests, read)
}

fn paced<T: Send>(
    server: &(impl Asked + ?Sized),
    clients: usize,
    pace: Pace,
    reading: Reading,
    requests: &[Vec<u8>],
    read: impl Fn(&Answer<'_>) -> Result<T, Failure> + Sync,
) -> Result<Seen<T>, Failure> {
    let mut connections = Vec::with_capacity(clients);
    for _ in 0..clients {
        connections.push(server.connect()?);
    }
    let next = AtomicUsize::new(0);
    let (server_before, own_before) = (server.usage(), Usage::of("self"));
    let started = Instant::now();
    let due = |place: usize| match pace {
        Pace::Closed => Instant::now(),
        Pace::Open { per_second } => {
            let due = started + Duration::from_secs_f64(place as f64 / per_second);
            while let Some(rest) = due.checked_duration_since(Instant::now()) {
                if rest.is_zero() {
                    break;
                }
                std::thread::park_timeout(rest);
            }
            due
        }
    };
    let client = |mut connection: Connection| {
        let mut seen = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(request) = requests.get(place) else { return Ok(seen) };
            let sent = due(place);
            let answer = connection.exchange(request, reading)?;
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
    let server_cpu_us = server.usage().cpu_us_since(server_before);
    let clients_cpu_us = Usage::of("self").cpu_us_since(own_before);
    let mut all = Vec::with_capacity(requests.len());
    for part in parts {
        all.extend(part?);
    }
    all.sort_unstable_by_key(|(place, ..)| *place);
    let latency = Durations::new(all.iter().map(|(_, took, _)| *took).collect());
    let read = all.into_iter().map(|(.., read)| read).collect();
    Ok(Seen { elapsed, latency, read, server_cpu_us, clients_cpu_us })
}
