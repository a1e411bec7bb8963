//! The numbers that show whether the controls work, each counted from the log, so that each can be audited.
//!
//! What runs, and what of it is verified, is as of now. Everything else is about what was logged since a
//! moment. The newest [`MAX_DECISIONS`](super::decisions::MAX_DECISIONS) decisions and
//! [`MAX_DEPLOYMENTS`](super::deployments::MAX_DEPLOYMENTS) deployments are looked at.

use std::collections::{BTreeMap, BTreeSet};

use attestry_schemas::digest::Sha256;
use attestry_schemas::gate::authorized::Cause;
use attestry_schemas::gate::{Evidence, Said};
use attestry_schemas::predicate::UtcTime;
use attestry_schemas::predicate::attestry::environment::DeploymentKind;
use prometheus::GaugeVec;
use schemars::JsonSchema;
use serde::Serialize;

use super::decisions::{Decided, Glass, Judged};
use super::deployments::kind_name;
use super::ledger::Ledger;
use super::{Gate, Ruling};
use crate::store::key::{Term, TermKind};
use crate::store::{Reader, StoreError};

/// The most emergencies whose review is looked for, and the most statements that are looked at for one.
const MAX_REVIEWS: usize = 1_000;

/// What is counted.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// In this environment alone.
    pub environment: Option<String>,
    /// What was logged from this moment on.
    pub since: Option<UtcTime>,
}

impl Scope {
    fn holds(&self, environment: &str, logged_at_ms: i64) -> bool {
        let since =
            self.since.is_none_or(|since| since.timestamp().as_millisecond() <= logged_at_ms);
        since && self.is_at(environment)
    }

    fn is_at(&self, environment: &str) -> bool {
        self.environment.as_deref().is_none_or(|only| only == environment)
    }
}

/// The numbers about deliveries, counted from the log.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct DeliveryNumbers {
    /// From when on is counted; from the beginning of the log when absent.
    pub since: Option<String>,
    /// Integrity verification coverage, as of now.
    pub coverage: Coverage,
    /// Deployments that no decision allowed.
    pub unauthorized: Unauthorized,
    /// How often something was rolled back.
    pub rollbacks: Rollbacks,
    /// How long it took until something was flagged.
    pub time_to_detect: TimeToDetect,
    /// Decisions that deny.
    pub denials: Denials,
    /// Exceptions that decisions stand on.
    pub exceptions: Exceptions,
    /// How old the evidence is that what runs stands on, in seconds, as of now.
    pub evidence_age_s: Spread,
}

/// What of that which runs has a valid decision.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Coverage {
    /// How many artifacts run, each counted once per environment.
    pub running: u64,
    /// How many of them run by a PASSED decision, and would still be allowed.
    pub verified: u64,
    /// The share; none where nothing runs.
    pub ratio: Option<f64>,
}

/// Deployments that no decision allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Unauthorized {
    /// How many.
    pub total: u64,
    /// By cause: other-signer, no-decision, unknown-decision, failed-decision, other-artifact, other-environment, other-name, superseded-decision, expired-decision, late-record.
    pub by_cause: BTreeMap<String, u64>,
}

/// How often something was rolled back.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Rollbacks {
    /// How often something was deployed, rollbacks not counted.
    pub deployments: u64,
    /// How often something was rolled back.
    pub rollbacks: u64,
    /// Rollbacks per deployment; none without a deployment.
    pub ratio: Option<f64>,
}

/// How long it took until something was flagged: as unauthorized when the log held its deployment, as no longer compliant
/// when the log held that verdict.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TimeToDetect {
    /// How many flags there were.
    pub count: u64,
    /// From the deployment to the flag, in seconds.
    pub from_deployment_s: Spread,
    /// From when the log held the evidence to the flag, in seconds; of flags that evidence raised.
    pub from_evidence_s: Spread,
    /// From when time ran out (an age, an expiry, the end of a waiver) to the flag, in seconds; of flags that its passing alone raised.
    pub from_expiry_s: Spread,
}

/// Decisions that deny.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Denials {
    /// How many decisions.
    pub total: u64,
    /// By rule; a decision counts for each rule that denies. `none-evaluated` where no rule was.
    pub by_rule: BTreeMap<String, u64>,
}

/// Exceptions that decisions stand on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Exceptions {
    /// How many waivers.
    pub waivers: u64,
    /// How many emergencies.
    pub break_glass: u64,
    /// How many of these are past the time by which they had to be reviewed, and nobody has.
    pub unreviewed: u64,
    /// How many of these were reviewed after that time.
    pub reviewed_late: u64,
}

/// How numbers are spread; none where there are no numbers.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, JsonSchema)]
pub struct Spread {
    /// Half of them are at most this.
    pub p50: Option<f64>,
    /// Of twenty, nineteen are at most this.
    pub p95: Option<f64>,
    /// The greatest.
    pub max: Option<f64>,
}

impl Spread {
    /// The spread of some numbers, by nearest rank.
    fn of(mut numbers: Vec<f64>) -> Self {
        numbers.sort_by(f64::total_cmp);
        let ranked = |percent: usize| {
            let rank = (numbers.len() * percent).div_ceil(100);
            numbers.get(rank.checked_sub(1)?).copied()
        };
        Self { p50: ranked(50), p95: ranked(95), max: numbers.last().copied() }
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn seconds(from_ms: i64, to_ms: i64) -> f64 {
    to_ms.saturating_sub(from_ms).max(0) as f64 / 1000.0
}

impl Ledger {
    /// What runs by environment and artifact: whether it is verified, and whether it would still be allowed.
    pub(super) fn coverage(&self, scope: &Scope) -> BTreeMap<(String, Sha256), (bool, bool)> {
        let mut all = BTreeMap::new();
        for (place, deployment) in self.counted.deployments.running() {
            if !scope.is_at(&place.environment) {
                continue;
            }
            let compliant = self.is_compliant(place, deployment);
            let verified = deployment.cause().is_none() && compliant;
            let key = (place.environment.clone(), deployment.subject);
            // Running twice, it is as good as the worse of them.
            let known = all.entry(key).or_insert((verified, compliant));
            *known = (known.0 && verified, known.1 && compliant);
        }
        all
    }

    fn unauthorized(&self, scope: &Scope) -> Unauthorized {
        let all = self.counted.deployments.newest();
        let all = all.filter(|one| scope.holds(&one.environment, one.logged_at_ms));
        let mut by_cause = BTreeMap::new();
        for cause in all.filter_map(|one| one.cause()) {
            *by_cause.entry(cause.name().to_owned()).or_default() += 1;
        }
        Unauthorized { total: by_cause.values().sum(), by_cause }
    }

    /// How many statements of each kind there are whose signer counts.
    fn kinds(&self, scope: &Scope) -> BTreeMap<&'static str, u64> {
        let mut kinds = BTreeMap::new();
        for one in self.counted.deployments.newest() {
            if one.cause() != Some(Cause::OtherSigner)
                && scope.holds(&one.environment, one.logged_at_ms)
            {
                *kinds.entry(kind_name(one.kind)).or_default() += 1;
            }
        }
        kinds
    }

    fn rollbacks(&self, scope: &Scope) -> Rollbacks {
        let kinds = self.kinds(scope);
        let of = |kind| kinds.get(kind_name(kind)).copied().unwrap_or_default();
        let (deployments, rollbacks) =
            (of(DeploymentKind::Deployed), of(DeploymentKind::RolledBack));
        Rollbacks { deployments, rollbacks, ratio: ratio(rollbacks, deployments) }
    }

    fn in_scope<'l>(&'l self, scope: &'l Scope) -> impl Iterator<Item = &'l Decided> {
        self.counted.decisions.all().filter(|one| scope.holds(&one.environment, one.logged_at_ms))
    }

    fn time_to_detect(&self, scope: &Scope) -> TimeToDetect {
        let (mut from_deployment, mut count) = (Vec::new(), 0);
        let (mut from_evidence, mut from_expiry) = (Vec::new(), Vec::new());
        // What lost its signer later is flagged by the verdict about it.
        let all = self.counted.deployments.newest().filter(|one| one.came_unauthorized());
        for one in all.filter(|one| scope.holds(&one.environment, one.logged_at_ms)) {
            count += 1;
            let at_ms = one.at.timestamp().as_millisecond();
            from_deployment.push(seconds(at_ms, one.logged_at_ms));
        }
        for flag in self.in_scope(scope).filter(|one| !one.passed) {
            // What nobody allowed was flagged when it came.
            let is_new = |run: &&Judged| !run.was_wrong_from_the_beginning;
            let Some(run) = flag.run.as_ref().filter(is_new) else { continue };
            count += 1;
            if let Some((at_ms, _)) = run.deployed_ms {
                from_deployment.push(seconds(at_ms, flag.logged_at_ms));
            }
            // Nothing can be flagged before the log tells that it runs.
            let held_ms = |ms: i64| run.deployed_ms.map_or(ms, |(_, held)| held.max(ms));
            if let Some(because_ms) = run.because_ms {
                from_evidence.push(seconds(held_ms(because_ms), flag.logged_at_ms));
            }
            if let Some(since_ms) = run.since_ms {
                from_expiry.push(seconds(held_ms(since_ms), flag.logged_at_ms));
            }
        }
        TimeToDetect {
            count,
            from_deployment_s: Spread::of(from_deployment),
            from_evidence_s: Spread::of(from_evidence),
            from_expiry_s: Spread::of(from_expiry),
        }
    }

    fn denials(&self, scope: &Scope) -> Denials {
        let (mut total, mut by_rule) = (0, BTreeMap::new());
        for denial in self.in_scope(scope).filter(|one| !one.passed && one.run.is_none()) {
            total += 1;
            for rule in &denial.denied_by {
                *by_rule.entry(rule.clone()).or_default() += 1;
            }
        }
        Denials { total, by_rule }
    }

    /// The waivers and emergencies that decisions stand on, each once; of an emergency also the artifact and the environment.
    fn exceptions(&self, scope: &Scope) -> (u64, BTreeSet<(Glass, Sha256, String)>) {
        let (mut waivers, mut glass) = (BTreeSet::new(), BTreeSet::new());
        for one in self.in_scope(scope) {
            waivers.extend(&one.waivers);
            let used = one.glass.iter().cloned();
            glass.extend(used.map(|used| (used, one.subject, one.environment.clone())));
        }
        (waivers.len() as u64, glass)
    }

    fn evidence_age(&self, scope: &Scope, now: UtcTime) -> Spread {
        let running = self.counted.deployments.running();
        let here = running.filter(|(place, _)| scope.is_at(&place.environment));
        let standings = here.filter_map(|(place, deployment)| self.standing(place, deployment));
        let times_s = standings.flat_map(|standing| &standing.evidence_s);
        Spread::of(times_s.map(|s| seconds(s * 1000, now.unix_seconds() * 1000)).collect())
    }
}

impl Gate {
    /// Counts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn numbers(&self, scope: &Scope) -> Result<DeliveryNumbers, StoreError> {
        let now = self.now();
        let ledger = self.ledger()?;
        let runs = ledger.coverage(scope);
        let (running, verified) =
            (runs.len() as u64, runs.values().filter(|(verified, _)| *verified).count() as u64);
        let (waivers, glass) = ledger.exceptions(scope);
        let mut numbers = DeliveryNumbers {
            since: scope.since.map(|since| since.to_string()),
            coverage: Coverage { running, verified, ratio: ratio(verified, running) },
            unauthorized: ledger.unauthorized(scope),
            rollbacks: ledger.rollbacks(scope),
            time_to_detect: ledger.time_to_detect(scope),
            denials: ledger.denials(scope),
            exceptions: Exceptions {
                waivers,
                break_glass: glass.len() as u64,
                unreviewed: 0,
                reviewed_late: 0,
            },
            evidence_age_s: ledger.evidence_age(scope, now),
        };
        drop(ledger);
        let reader = self.store.reader();
        let ruling = self.ruling(&reader)?;
        let over = glass.iter().filter(|(glass, ..)| now >= glass.review_by);
        for (glass, subject, environment) in over.take(MAX_REVIEWS) {
            let exceptions = &mut numbers.exceptions;
            match self.reviewed_at(&reader, &ruling, glass, *subject, environment)? {
                None => exceptions.unreviewed += 1,
                Some(at) if at >= glass.review_by => exceptions.reviewed_late += 1,
                Some(_) => {}
            }
        }
        Ok(numbers)
    }

    /// When the log first held a review of an emergency: an approval of the artifact for the environment, or a review of the
    /// statement itself, after it, by a signer of the group that must review it. Whoever broke the glass reviews nothing of
    /// it, and where the roster has no such group, nobody does.
    fn reviewed_at(
        &self,
        reader: &Reader<'_>,
        ruling: &Ruling,
        glass: &Glass,
        subject: Sha256,
        environment: &str,
    ) -> Result<Option<UtcTime>, StoreError> {
        let Some(trust) = &ruling.governance.trust else { return Ok(None) };
        let Some(group) = trust.roster().groups.get(&glass.reviewers) else { return Ok(None) };
        let mut broken_at = 0;
        let mut asked = vec![("approval", subject.to_string())];
        // By their names then and now, and by their keys.
        let mut breakers: BTreeSet<String> = glass.signers.iter().cloned().collect();
        let mut keys = Vec::new();
        for digest in glass.statements.iter().filter_map(|text| text.parse::<Sha256>().ok()) {
            asked.push(("review", digest.to_string()));
            let Some(sequence) = reader.sequence_of_digest(&digest)? else { continue };
            broken_at = broken_at.max(sequence);
            let Some(statement) = self.shelf.evidence(reader, sequence)? else { continue };
            let signer = trust.roster().signer(statement.signer());
            breakers.extend(signer.map(|signer| signer.name.clone()));
            keys.push(statement.signer().clone());
        }
        let counts = |one: &Evidence| {
            let is_review = match one.said() {
                Said::Approval(said) => said.environment == environment,
                Said::Review(_) => true,
                _ => false,
            };
            let signer = trust.signer(one.signer(), one.logged_at()).ok();
            is_review
                && one.index() > broken_at
                && !keys.contains(one.signer())
                && signer.is_some_and(|signer| {
                    signer.may.contains(one.permission())
                        && group.contains(&signer.name)
                        && !breakers.contains(&signer.name)
                })
        };
        let mut first: Option<UtcTime> = None;
        for (name, about) in asked {
            let terms = [Term::new(TermKind::TypeName, name), Term::new(TermKind::Subject, about)];
            for sequence in reader.sequences_with(&terms, u64::MAX, MAX_REVIEWS)? {
                let review = self.shelf.evidence(reader, sequence)?.filter(|one| counts(one));
                let Some(at) = review.map(|one| one.logged_at()) else { continue };
                first = Some(first.map_or(at, |first| first.min(at)));
            }
        }
        Ok(first)
    }

    /// Shows the numbers to Prometheus.
    pub(super) fn show_numbers(&self) -> Result<(), StoreError> {
        let scope = Scope::default();
        let numbers = self.numbers(&scope)?;
        let ledger = self.ledger()?;
        let (runs, kinds) = (ledger.coverage(&scope), ledger.kinds(&scope));
        drop(ledger);
        let shown = &self.metrics.delivery;
        let by_environment = |counts: &dyn Fn(bool, bool) -> bool| {
            let mut all: BTreeMap<String, u64> = BTreeMap::new();
            for ((environment, _), (verified, compliant)) in &runs {
                *all.entry(environment.clone()).or_default() +=
                    u64::from(counts(*verified, *compliant));
            }
            all
        };
        shown.running.show(&by_environment(&|_, _| true));
        shown.verified.show(&by_environment(&|verified, _| verified));
        shown.noncompliant.show(&by_environment(&|_, compliant| !compliant));
        shown.deployments.show(&kinds.into_iter().map(|(k, n)| (k.to_owned(), n)).collect());
        shown.unauthorized.show(&numbers.unauthorized.by_cause);
        shown.denials.show(&numbers.denials.by_rule);
        let exceptions = &numbers.exceptions;
        shown.exceptions.show(&BTreeMap::from([
            ("waiver".to_owned(), exceptions.waivers),
            ("break-glass".to_owned(), exceptions.break_glass),
            ("break-glass-unreviewed".to_owned(), exceptions.unreviewed),
            ("break-glass-reviewed-late".to_owned(), exceptions.reviewed_late),
        ]));
        let detect = &numbers.time_to_detect;
        for (from, spread) in [
            ("deployment", detect.from_deployment_s),
            ("evidence", detect.from_evidence_s),
            ("expiry", detect.from_expiry_s),
        ] {
            for (quantile, value) in quantiles(spread) {
                show(&shown.time_to_detect, &[from, quantile], value);
            }
        }
        for (quantile, value) in quantiles(numbers.evidence_age_s) {
            show(&shown.evidence_age, &[quantile], value);
        }
        Ok(())
    }
}

fn quantiles(spread: Spread) -> [(&'static str, Option<f64>); 3] {
    [("0.5", spread.p50), ("0.95", spread.p95), ("1", spread.max)]
}

/// Shows a number; where there is none, none.
fn show(gauges: &GaugeVec, labels: &[&str], value: Option<f64>) {
    match value {
        Some(value) => gauges.with_label_values(labels).set(value),
        None => drop(gauges.remove_label_values(labels)),
    }
}
