//! What the registry counts, in Prometheus' text format.

use prometheus::{
    Encoder as _, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    Opts, Registry, TextEncoder,
};

mod delivery;

pub use delivery::{Counts, DeliveryMetrics};

/// The registry's metrics.
pub struct Metrics {
    registry: Registry,
    /// The numbers about deployments.
    pub delivery: DeliveryMetrics,
    /// Requests by route pattern, method and status, in seconds.
    pub request_seconds: HistogramVec,
    /// Items submitted, by outcome: created, existing or refused.
    pub submissions: IntCounterVec,
    /// Events of access, by what became of them: allowed, denied, or dropped before they were recorded.
    pub access_events: IntCounterVec,
    /// Decisions of the gate, by result.
    pub decisions: IntCounterVec,
    /// Denials for which nothing was evaluated, by cause, and whether the log has them.
    pub failures: IntCounterVec,
    /// Pulls that a guard refused or reported, by environment and outcome.
    pub pulls: IntCounterVec,
    /// Submissions refused because the queue was full.
    pub overloads: IntCounter,
    /// Submissions waiting for the sequencer.
    pub queue_depth: IntGauge,
    /// Submissions in one commit.
    pub batch_size: Histogram,
    /// Seconds from a batch's first submission to its commit.
    pub batch_seconds: Histogram,
    /// Leaves in the log.
    pub log_size: IntGauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Creates the metrics, all at zero.
    ///
    /// # Panics
    /// Never: the names are constants, valid and distinct.
    #[must_use]
    pub fn new() -> Self {
        const VALID: &str = "the metric's name and labels are constants, valid and distinct";
        let latency = vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
        let request_seconds = HistogramVec::new(
            HistogramOpts::new("attestry_http_request_seconds", "Duration of HTTP requests")
                .buckets(latency.clone()),
            &["route", "method", "status"],
        )
        .expect(VALID);
        let pulls = IntCounterVec::new(
            Opts::new("attestry_guarded_pulls_total", "Pulls that a guard refused or reported"),
            &["environment", "outcome"],
        )
        .expect(VALID);
        let submissions = IntCounterVec::new(
            Opts::new("attestry_submissions_total", "Items submitted, by outcome"),
            &["outcome"],
        )
        .expect(VALID);
        let access_events = IntCounterVec::new(
            Opts::new("attestry_access_events_total", "Writes and denied requests, by outcome"),
            &["outcome"],
        )
        .expect(VALID);
        let decisions = IntCounterVec::new(
            Opts::new("attestry_decisions_total", "Decisions of the gate, by result"),
            &["result"],
        )
        .expect(VALID);
        let failures = IntCounterVec::new(
            Opts::new(
                "attestry_decision_failures_total",
                "Denials for which the gate evaluated nothing, by cause and by whether they are in the log",
            ),
            &["cause", "recorded"],
        )
        .expect(VALID);
        let overloads = IntCounter::new(
            "attestry_queue_full_total",
            "Submissions refused because the log's queue was full",
        )
        .expect(VALID);
        let queue_depth =
            IntGauge::new("attestry_queue_depth", "Submissions waiting for the log").expect(VALID);
        let batch_size = Histogram::with_opts(
            HistogramOpts::new("attestry_batch_size", "Submissions in one commit")
                .buckets(vec![1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0]),
        )
        .expect(VALID);
        let batch_seconds = Histogram::with_opts(
            HistogramOpts::new("attestry_batch_seconds", "Duration of one commit").buckets(latency),
        )
        .expect(VALID);
        let log_size =
            IntGauge::new("attestry_log_size", "Leaves in the transparency log").expect(VALID);
        let registry = Registry::new();
        let collectors: [Box<dyn prometheus::core::Collector>; 11] = [
            Box::new(request_seconds.clone()),
            Box::new(submissions.clone()),
            Box::new(decisions.clone()),
            Box::new(failures.clone()),
            Box::new(pulls.clone()),
            Box::new(access_events.clone()),
            Box::new(overloads.clone()),
            Box::new(queue_depth.clone()),
            Box::new(batch_size.clone()),
            Box::new(batch_seconds.clone()),
            Box::new(log_size.clone()),
        ];
        let delivery = DeliveryMetrics::new().expect(VALID);
        for collector in collectors.into_iter().chain(delivery.collectors()) {
            registry.register(collector).expect(VALID);
        }
        Self {
            registry,
            delivery,
            request_seconds,
            submissions,
            decisions,
            failures,
            pulls,
            access_events,
            overloads,
            queue_depth,
            batch_size,
            batch_seconds,
            log_size,
        }
    }

    /// The metrics in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        let mut text = Vec::new();
        // Writing to memory does not fail; an encoder's fault would show as a short page.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        text
    }
}
