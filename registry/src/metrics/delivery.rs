//! The numbers about deployments. What is counted from the log is a gauge: a restart counts it again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use prometheus::core::Collector;
use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec, Opts};

/// The most values of a label that names come from; the rest is one value, `other`.
const MAX_VALUES: usize = 200;

/// Integers by one label, all set at once.
pub struct Counts {
    gauge: IntGaugeVec,
    shown: Mutex<BTreeSet<String>>,
}

impl Counts {
    fn new(name: &str, help: &str, label: &str) -> prometheus::Result<Self> {
        let gauge = IntGaugeVec::new(Opts::new(name, help), &[label])?;
        Ok(Self { gauge, shown: Mutex::default() })
    }

    /// Shows these, and nothing else.
    pub fn show(&self, counts: &BTreeMap<String, u64>) {
        let mut bounded: BTreeMap<&str, u64> = BTreeMap::new();
        for (value, count) in counts {
            let is_full = bounded.len() >= MAX_VALUES;
            *bounded.entry(if is_full { "other" } else { value }).or_default() += count;
        }
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        for (value, count) in &bounded {
            self.gauge.with_label_values(&[*value]).set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
        for value in shown.iter().filter(|value| !bounded.contains_key(value.as_str())) {
            let _ = self.gauge.remove_label_values(&[value.as_str()]);
        }
        *shown = bounded.into_keys().map(str::to_owned).collect();
    }
}

/// The numbers about deployments.
pub struct DeliveryMetrics {
    /// What runs, by environment.
    pub running: Counts,
    /// What of it has a valid decision that lets it pass, by environment.
    pub verified: Counts,
    /// What of it would no longer be allowed, by environment.
    pub noncompliant: Counts,
    /// Statements about deployments, by kind.
    pub deployments: Counts,
    /// Deployments that nothing allowed, by cause.
    pub unauthorized: Counts,
    /// Decisions that deny, by rule.
    pub denials: Counts,
    /// Exceptions that decisions stand on, by kind.
    pub exceptions: Counts,
    /// Seconds until something was flagged, by from when they are counted and quantile.
    pub time_to_detect: GaugeVec,
    /// The age of the evidence that what runs stands on, in seconds, by quantile.
    pub evidence_age: GaugeVec,
    /// Events, by name, since the start.
    pub events: IntCounterVec,
    /// Events sent to the webhook, by outcome: delivered or dropped.
    pub webhook: IntCounterVec,
}

impl DeliveryMetrics {
    pub(super) fn new() -> prometheus::Result<Self> {
        let gauge =
            |name: &str, help: &str, labels: &[&str]| GaugeVec::new(Opts::new(name, help), labels);
        let counter = |name: &str, help: &str, labels: &[&str]| {
            IntCounterVec::new(Opts::new(name, help), labels)
        };
        let at = "environment";
        Ok(Self {
            running: Counts::new("attestry_running_artifacts", "Artifacts that run", at)?,
            verified: Counts::new(
                "attestry_running_artifacts_verified",
                "Artifacts that run by a decision that lets them pass and still stands",
                at,
            )?,
            noncompliant: Counts::new(
                "attestry_running_artifacts_noncompliant",
                "Artifacts that run and would no longer be allowed",
                at,
            )?,
            deployments: Counts::new(
                "attestry_deployments",
                "Deployments in the log, by kind",
                "kind",
            )?,
            unauthorized: Counts::new(
                "attestry_unauthorized_deployments",
                "Deployments in the log that no decision allowed, by cause",
                "cause",
            )?,
            denials: Counts::new("attestry_denials", "Denials in the log, by rule", "rule")?,
            exceptions: Counts::new(
                "attestry_exceptions",
                "Waivers and broken glass that decisions in the log stand on",
                "kind",
            )?,
            time_to_detect: gauge(
                "attestry_time_to_detect_seconds",
                "Time until a flag was raised, from the deployment, from the evidence, and from when time ran out",
                &["from", "quantile"],
            )?,
            evidence_age: gauge(
                "attestry_evidence_age_seconds",
                "Age of the evidence that what runs stands on",
                &["quantile"],
            )?,
            events: counter("attestry_events_total", "Events about what runs", &["event"])?,
            webhook: counter(
                "attestry_webhook_events_total",
                "Events for the webhook, by outcome",
                &["outcome"],
            )?,
        })
    }

    pub(super) fn collectors(&self) -> Vec<Box<dyn Collector>> {
        let counts = [
            &self.running,
            &self.verified,
            &self.noncompliant,
            &self.deployments,
            &self.unauthorized,
            &self.denials,
            &self.exceptions,
        ];
        let mut all: Vec<Box<dyn Collector>> = Vec::new();
        all.extend(counts.map(|counts| Box::new(counts.gauge.clone()) as Box<dyn Collector>));
        all.push(Box::new(self.time_to_detect.clone()));
        all.push(Box::new(self.evidence_age.clone()));
        all.push(Box::new(self.events.clone()));
        all.push(Box::new(self.webhook.clone()));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_longer_counted_is_no_longer_shown() {
        let counts = Counts::new("a", "b", "c").unwrap();
        let of = |values: &[(&str, u64)]| {
            values.iter().map(|(value, count)| ((*value).to_owned(), *count)).collect()
        };
        counts.show(&of(&[("one", 1), ("two", 2)]));
        counts.show(&of(&[("two", 3)]));
        let found = counts.gauge.collect();
        let [family] = found.as_slice() else { panic!("{found:?}") };
        let [metric] = family.get_metric() else { panic!("{family:?}") };
        assert!((metric.get_gauge().get_value() - 3.0).abs() < 0.01);
        let many: BTreeMap<String, u64> = (0..300).map(|n| (format!("{n:03}"), 1)).collect();
        counts.show(&many);
        let other = counts.gauge.with_label_values(&["other"]).get();
        assert_eq!(other, 100, "the rest is one value");
    }
}
