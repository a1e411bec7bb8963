//! HTTP: the registry's own paths, the log's, and what operators ask.
//!
//! Every route stands in one table ([`routes`]), from which the server and its description are
//! built. Handlers enter the store through one door, [`State::blocking`], and answer errors with
//! one kind of body, [`problem::Refusal`].

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use actix_web::rt::signal::unix::{self, SignalKind};
use actix_web::{App, HttpServer, web};
use tokio::sync::Semaphore;

use crate::authority::Authority;
use crate::config::Config;
use crate::gate::Gate;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::oci::Oci;
use crate::server::Running;
use crate::store::{Reader, Store};
use crate::trail::Trail;

mod access;
mod admission;
mod attestations;
mod audit;
mod body;
mod conditional;
mod content;
mod decisions;
mod deployments;
mod digests;
mod governance;
mod log;
mod oci;
pub mod openapi;
mod operations;
pub mod problem;
mod query;
mod ranged;
mod rekor;
mod routes;
mod submit;
mod tls;
mod trace;

use problem::Refusal;
pub use tls::TlsError;

/// How many decisions are made at once: enough to share a commit of the log. More would only take turns on the processors, and
/// the last would wait much longer than the rest.
const MAX_DECIDING: usize = 32;

/// What every handler can reach.
pub(crate) struct State {
    store: Arc<Store>,
    log: Arc<Log>,
    metrics: Arc<Metrics>,
    config: Config,
    gate: Arc<Gate>,
    /// Whoever asks the gate for a decision that is not known yet waits for one of these, in the order of asking.
    deciding: Arc<Semaphore>,
    oci: Arc<Oci>,
    authority: Arc<Authority>,
    public_url: String,
    trail: Arc<Trail>,
    trusted_root: String,
    signing_config: String,
}

impl State {
    fn of(running: &Running) -> Self {
        Self {
            store: Arc::clone(&running.store),
            log: Arc::clone(&running.log),
            metrics: Arc::clone(&running.metrics),
            config: running.config.clone(),
            gate: Arc::clone(&running.gate),
            deciding: Arc::new(Semaphore::new(MAX_DECIDING)),
            oci: Arc::clone(&running.oci),
            authority: Arc::clone(&running.authority),
            public_url: running.public_url.clone(),
            trail: Arc::clone(&running.trail),
            trusted_root: running.trusted_root.clone(),
            signing_config: running.signing_config.clone(),
        }
    }

    /// Runs work on the store away from the threads that serve connections.
    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let state = Arc::clone(self);
        match web::block(move || work(&state)).await {
            Ok(result) => result,
            Err(_) => Err(Refusal::internal("the work was dropped because the server is stopping")),
        }
    }

    /// As [`State::blocking`], for decisions: no more than so many at once, in the order in which they were asked for.
    async fn deciding<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let turn = Arc::clone(&self.deciding).acquire_owned().await;
        self.blocking(move |state| {
            // Until the work has ended, also when nobody waits for it any more.
            let _turn = turn;
            work(state)
        })
        .await
    }

    /// As [`State::blocking`], with a view of the store.
    async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Reader<'_>, &Self) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.blocking(move |state| work(&state.store.reader(), state)).await
    }
}

/// Why the server does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another program listens there.
    #[error(
        "expected {address} to be free, found that another program listens there; stop that one, or name another address with --listen"
    )]
    Taken {
        /// The address.
        address: SocketAddr,
    },
    /// The system does not let it listen there.
    #[error("cannot listen on {address}; name another address with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// HTTPS cannot be served with the files that the settings name.
    #[error("HTTPS cannot be served")]
    Tls(#[source] TlsError),
    /// The system refused something else.
    #[error("the system refused a part of the server")]
    System(#[source] io::Error),
}

impl ServeError {
    fn listening(address: SocketAddr) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::AddrInUse => Self::Taken { address },
            _ => Self::Listen { address, source },
        }
    }
}

/// Serves until the process is told to stop, and answers what was taken before.
///
/// # Errors
/// When the address cannot be bound or the system refuses a thread.
pub fn serve(running: &Running) -> Result<(), ServeError> {
    let config = &running.config;
    let state = Arc::new(State::of(running));
    let tls = config.tls.as_ref().map(tls::server_config).transpose().map_err(ServeError::Tls)?;
    actix_web::rt::System::new().block_on(async move {
        let stop = stop_signal().map_err(ServeError::System)?;
        // The library counts the connections of each worker on its own.
        let connections = (config.max_connections / config.worker_threads).max(1);
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::from(Arc::clone(&state)))
                .wrap(actix_web::middleware::from_fn(trace::request))
                .configure(routes::configure)
                .default_service(web::to(operations::not_found))
        })
        .workers(config.worker_threads)
        .max_connections(connections)
        .client_request_timeout(Duration::from_millis(config.header_timeout_ms))
        .keep_alive(Duration::from_millis(config.keep_alive_ms))
        .shutdown_signal(stop)
        .shutdown_timeout(config.shutdown_timeout_ms.div_ceil(1000))
        .on_connect(tls::note_client)
        .tls_handshake_timeout(Duration::from_millis(config.header_timeout_ms));
        let (server, scheme) = match tls {
            Some(tls) => (server.bind_rustls_0_23(config.listen, tls), "https"),
            None => (server.bind(config.listen), "http"),
        };
        let server = server.map_err(ServeError::listening(config.listen))?;
        for address in server.addrs() {
            tracing::info!(%address, "listening on {scheme}://{address}");
        }
        server.run().await.map_err(ServeError::System)
    })
}

/// Waits for SIGTERM or SIGINT: each asks for the same, a stop that answers what was taken.
fn stop_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = unix::signal(SignalKind::terminate())?;
    let mut interrupt = unix::signal(SignalKind::interrupt())?;
    Ok(std::future::poll_fn(move |context| {
        // Both are asked, so that each wakes this task.
        let told = [terminate.poll_recv(context), interrupt.poll_recv(context)];
        if told.iter().any(Poll::is_ready) { Poll::Ready(()) } else { Poll::Pending }
    }))
}

#[cfg(test)]
mod tests;
