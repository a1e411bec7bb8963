//! `attestry metrics`: whether the controls work, in numbers that are counted from the log.

use attestry_schemas::document::duration::lasting;
use serde_json::Value;

use crate::answers::gate::{Counted, Metrics, Spread};
use crate::args::MetricsArgs;
use crate::client::query_value;
use crate::output::{Exit, Failure, Session, chain, printable};

/// Runs `attestry metrics`.
pub(super) fn run(args: &MetricsArgs, session: &mut Session) -> Result<Exit, Failure> {
    let settings = super::settings(session)?;
    let client = super::client(settings.demand_registry(&args.registry)?, session)?;
    let mut query = Vec::new();
    if let Some(environment) = &args.environment {
        query.push(format!("environment={}", query_value(environment)));
    }
    if let Some(since) = args.since {
        let since = since.moment((session.io.now)()).map_err(|e| Failure::undecided(chain(&e)))?;
        query.push(format!("since={}", query_value(&since.to_string())));
    }
    let path = if query.is_empty() {
        "/v1/metrics/delivery".to_owned()
    } else {
        format!("/v1/metrics/delivery?{}", query.join("&"))
    };
    let answer = client.fetch(&path)?;
    if session.json() {
        let answer: Value = answer.json()?;
        session.answer(&answer)?;
        return Ok(Exit::Success);
    }
    let metrics: Metrics = answer.json()?;
    tell(&metrics, session);
    Ok(Exit::Success)
}

fn tell(metrics: &Metrics, session: &mut Session) {
    if let Some(since) = &metrics.since {
        session.say(printable(&format!("since {since}")));
    }
    let Metrics { coverage, rollbacks, time_to_detect, exceptions, .. } = metrics;
    row(
        "integrity verification coverage",
        &format!(
            "{} ({} of {} running digests)",
            share(coverage.ratio),
            coverage.verified,
            coverage.running
        ),
        session,
    );
    counted("unauthorized deployments", &metrics.unauthorized, session);
    row(
        "rollback frequency",
        &format!(
            "{} ({} of {} deployments)",
            share(rollbacks.ratio),
            rollbacks.rollbacks,
            rollbacks.deployments
        ),
        session,
    );
    row("flags of deployments", &time_to_detect.count.to_string(), session);
    row("  from deployment to flag", &spread(&time_to_detect.from_deployment_s), session);
    row("  from evidence to flag", &spread(&time_to_detect.from_evidence_s), session);
    row("  from expiry to flag", &spread(&time_to_detect.from_expiry_s), session);
    counted("denials", &metrics.denials, session);
    row("waivers", &exceptions.waivers.to_string(), session);
    let reviews = format!(
        "{} ({} not reviewed, {} reviewed late)",
        exceptions.break_glass, exceptions.unreviewed, exceptions.reviewed_late
    );
    row("break-glass", &reviews, session);
    row("evidence age", &spread(&metrics.evidence_age_s), session);
}

fn counted(name: &str, counted: &Counted, session: &mut Session) {
    row(name, &counted.total.to_string(), session);
    for (what, number) in &counted.by {
        row(&format!("  {what}"), &number.to_string(), session);
    }
}

fn row(name: &str, value: &str, session: &mut Session) {
    session.line(printable(&format!("{name:<32} {value}")));
}

fn share(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{:.1} %", ratio * 100.0))
}

fn spread(spread: &Spread) -> String {
    let parts = [("half within", spread.p50), ("95 % within", spread.p95), ("at most", spread.max)];
    let told: Vec<String> = parts
        .iter()
        .filter_map(|(word, seconds)| Some(format!("{word} {}", seconds_told((*seconds)?))))
        .collect();
    if told.is_empty() { "-".to_owned() } else { told.join(", ") }
}

/// Less than ten seconds with a fraction, more in whole units.
fn seconds_told(seconds: f64) -> String {
    if seconds < 10.0 {
        return format!("{seconds:.2}s");
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a length of time is told in whole seconds"
    )]
    lasting(seconds as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_in_units_that_people_read() {
        assert_eq!(seconds_told(0.25), "0.25s");
        assert_eq!(seconds_told(90_061.4), "1d 1h");
        assert_eq!(share(Some(0.975)), "97.5 %");
        assert_eq!(share(None), "-");
        assert_eq!(spread(&Spread::default()), "-");
        let some = Spread { p50: Some(1.0), p95: None, max: Some(60.0) };
        assert_eq!(spread(&some), "half within 1.00s, at most 1m");
    }
}
