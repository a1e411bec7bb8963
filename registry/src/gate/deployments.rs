//! What runs where, by the `deployment` statements of the log, and which of it was allowed.
//!
//! The order is that of the log. A statement whose signer does not count changes nothing of what runs: it is
//! kept, and counted as an attempt. A statement that counts tells what happened, whether it was
//! allowed or not.

use std::collections::BTreeMap;
use std::fmt;

use attestry_schemas::digest::{Digest, DigestSet, Sha256};
use attestry_schemas::gate::governance::sha256;
use attestry_schemas::gate::{Details, Evidence, Said};
use attestry_schemas::predicate::attestry::environment::{self as said, DeploymentKind};
use attestry_schemas::predicate::vsa::{VerificationResult, VerificationSummary};
use attestry_schemas::predicate::{Predicate as _, UtcTime};
use attestry_schemas::roster::trust::Trust;
use attestry_schemas::verify::Signer;

use super::Gate;
use crate::store::key::{Term, TermKind};
use crate::store::query::Search;
use crate::store::{Reader, StoreError};

/// The most subjects of deployments that are kept, the newest; what runs is kept before what does not.
pub(super) const MAX_DEPLOYMENTS: usize = 200_000;

/// How far the clock of who deploys may be behind the log's: what is said to have begun earlier than its decision by more, did
/// not wait for it.
const CLOCK_TOLERANCE_S: i64 = 300;

/// How long after the end of a decision the log may first hold the statement of a deployment by it: a deployment that began in
/// time takes its time, and its statement its way. When it began is a claim, which alone is not believed.
pub const DELIVERY_GRACE_S: i64 = 3_600;

/// What the roster calls a deployment's statement.
const PERMISSIONS: [&str; 2] = ["deployment", said::Deployment::URI];

/// Why a deployment was not authorized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The roster does not let its signer state deployments.
    OtherSigner,
    /// It names no decision.
    NoDecision,
    /// What it names is no decision of this gate about a deployment, or was logged later.
    UnknownDecision,
    /// The decision denies.
    FailedDecision,
    /// The decision is about another artifact.
    OtherArtifact,
    /// The decision is for another environment.
    OtherEnvironment,
    /// The decision was asked under another name, for which other policies may rule, or the deployment gives none.
    OtherName,
    /// The same was asked again before the deployment, and denied.
    SupersededDecision,
    /// The decision stood until before the deployment began.
    ExpiredDecision,
    /// The log held the statement so long after the decision's end that only a claim says that it began in time.
    LateRecord,
}

impl Cause {
    /// Its word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OtherSigner => "other-signer",
            Self::NoDecision => "no-decision",
            Self::UnknownDecision => "unknown-decision",
            Self::FailedDecision => "failed-decision",
            Self::OtherArtifact => "other-artifact",
            Self::OtherEnvironment => "other-environment",
            Self::OtherName => "other-name",
            Self::SupersededDecision => "superseded-decision",
            Self::ExpiredDecision => "expired-decision",
            Self::LateRecord => "late-record",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherSigner => "other-signer: the roster does not let its signer state deployments",
            Self::NoDecision => "no-decision: it names no decision",
            Self::UnknownDecision => {
                "unknown-decision: what it names is no decision of this gate that was logged before it"
            }
            Self::FailedDecision => "failed-decision: the decision that it names denies",
            Self::OtherArtifact => "other-artifact: the decision that it names is about another one",
            Self::OtherEnvironment => {
                "other-environment: the decision that it names is for another one"
            }
            Self::OtherName => {
                "other-name: the decision that it names is about the artifact under another name, or it gives none"
            }
            Self::SupersededDecision => {
                "superseded-decision: the same was asked again before it, and denied"
            }
            Self::ExpiredDecision => {
                "expired-decision: the decision that it names no longer stood when it began"
            }
            Self::LateRecord => {
                "late-record: it was logged more than an hour after the decision that it names had ended, and only a claim says that it began in time"
            }
        })
    }
}

/// The word of a kind of deployment.
#[must_use]
pub fn kind_name(kind: DeploymentKind) -> &'static str {
    match kind {
        DeploymentKind::Deployed => "deployed",
        DeploymentKind::RolledBack => "rolled-back",
        DeploymentKind::Decommissioned => "decommissioned",
    }
}

/// What a decision that allows a deployment was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// What the caller called the artifact.
    pub name: Option<String>,
    /// As whom the registry knew the caller.
    pub caller: Option<String>,
    /// The configuration that was being applied.
    pub configuration: Option<Sha256>,
    /// The size of the log that was looked at.
    pub log_size: u64,
    /// Whether an emergency let it pass.
    pub break_glass: bool,
}

/// One subject of a deployment's statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// The digest of the statement's attestation.
    pub statement: Sha256,
    /// Its index in the log.
    pub index: u64,
    /// When the log first held it, in whole seconds.
    pub(super) logged_at: UtcTime,
    /// When the log first held it, Unix milliseconds.
    pub logged_at_ms: i64,
    /// Who signed it.
    pub signer: Signer,
    /// What happened.
    pub kind: DeploymentKind,
    /// Where.
    pub environment: String,
    /// What the artifact is called.
    pub name: Option<String>,
    /// The artifact.
    pub subject: Sha256,
    /// The decision that it names.
    pub decision: Option<Sha256>,
    /// The artifact whose place it took.
    pub replaces: Option<Sha256>,
    /// When it was done: the earlier of what it claims and when the log first held it.
    pub at: UtcTime,
    /// Since when the artifact is there: earlier, when it was deployed again.
    pub since: UtcTime,
    /// Until when it was there.
    pub until: Option<UtcTime>,
    /// What its decision says of it, whoever signed.
    decided: Result<Allowed, Cause>,
    /// Whether its signer counts.
    counts: bool,
}

/// Where something runs: the environment, and the artifact's name or else its digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The environment.
    pub environment: String,
    /// The name.
    pub name: String,
}

impl Deployment {
    /// Where it is.
    #[must_use]
    pub fn place(&self) -> Place {
        let name = self.name.clone().unwrap_or_else(|| self.subject.to_string());
        Place { environment: self.environment.clone(), name }
    }

    /// The decision that allowed it; otherwise why it was not authorized. What leaves needs no decision.
    ///
    /// # Errors
    /// The [`Cause`].
    pub fn allowed(&self) -> Result<Option<&Allowed>, Cause> {
        match (&self.decided, self.counts, self.kind) {
            (_, false, _) => Err(Cause::OtherSigner),
            (decided, true, DeploymentKind::Decommissioned) => Ok(decided.as_ref().ok()),
            (Ok(allowed), true, _) => Ok(Some(allowed)),
            (Err(cause), true, _) => Err(*cause),
        }
    }

    /// Why it was not authorized.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        self.allowed().err()
    }

    pub(super) fn weigh(&mut self, trust: Option<&Trust>) {
        self.counts = trust.is_none_or(|trust| {
            let signer = trust.signer(&self.signer, self.logged_at);
            signer.is_ok_and(|signer| PERMISSIONS.iter().any(|word| signer.may.contains(*word)))
        });
    }
}

/// By its place in the log: the index of the statement, and which of its subjects.
type Key = (u64, usize);

/// Every deployment, and what runs.
#[derive(Debug, Default)]
pub(super) struct Deployments {
    all: BTreeMap<Key, Deployment>,
    running: BTreeMap<Place, Key>,
}

impl Deployments {
    /// What runs, by place.
    pub(super) fn running(&self) -> impl Iterator<Item = (&Place, &Deployment)> {
        self.running.iter().filter_map(|(place, key)| Some((place, self.all.get(key)?)))
    }

    /// Whether there was never any.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// What runs at a place.
    pub(super) fn at(&self, place: &Place) -> Option<&Deployment> {
        self.all.get(self.running.get(place)?)
    }

    /// Every deployment, the newest first.
    pub(super) fn newest(&self) -> impl Iterator<Item = &Deployment> {
        self.all.values().rev()
    }

    /// Adds the deployments of a newer statement.
    pub(super) fn add(&mut self, found: Vec<Deployment>, trust: Option<&Trust>) {
        for (number, mut deployment) in found.into_iter().enumerate() {
            deployment.weigh(trust);
            let key = (deployment.index, number);
            self.all.insert(key, deployment);
            self.follow(key);
        }
        while self.all.len() > MAX_DEPLOYMENTS {
            let over =
                self.all.iter().find(|(key, one)| self.running.get(&one.place()) != Some(key));
            let Some(key) = over.map(|(key, _)| *key) else { break };
            self.all.remove(&key);
        }
    }

    /// Weighs every signer again, and what runs by it.
    pub(super) fn weigh(&mut self, trust: Option<&Trust>) {
        self.running.clear();
        for deployment in self.all.values_mut() {
            deployment.weigh(trust);
            (deployment.since, deployment.until) = (deployment.at, None);
        }
        let keys: Vec<Key> = self.all.keys().copied().collect();
        keys.into_iter().for_each(|key| self.follow(key));
    }

    /// What a deployment, which is the newest so far, changes of what runs.
    fn follow(&mut self, key: Key) {
        let Some(new) = self.all.get(&key).filter(|new| new.counts).cloned() else { return };
        let place = new.place();
        let leaves = new.kind == DeploymentKind::Decommissioned;
        let mut since = new.at;
        // Only these can end something at another place than their own.
        let first = match leaves || new.replaces.is_some() {
            true => Place { environment: new.environment.clone(), name: String::new() },
            false => place.clone(),
        };
        let here = self.running.range(first..).take_while(|(at, _)| match new.replaces {
            None if !leaves => **at == place,
            _ => at.environment == new.environment,
        });
        let ends = |(at, key): &(&Place, &Key)| {
            let Some(runs) = self.all.get(key) else { return true };
            let is_named = new.name.is_none() || runs.name.is_none() || **at == place;
            match leaves {
                true => runs.subject == new.subject && is_named,
                false => **at == place || new.replaces == Some(runs.subject),
            }
        };
        let over = here.filter(ends).map(|(at, key)| (at.clone(), *key));
        let over: Vec<(Place, Key)> = over.collect();
        for (at, key) in over {
            self.running.remove(&at);
            if let Some(runs) = self.all.get_mut(&key) {
                // What nobody allowed says itself when it began.
                if runs.subject == new.subject && !leaves && runs.cause().is_none() {
                    since = since.min(runs.since);
                }
                runs.until = Some(new.at);
            }
        }
        if leaves {
            return;
        }
        if let Some(new) = self.all.get_mut(&key) {
            new.since = since;
        }
        self.running.insert(place, key);
    }
}

/// The first SHA-256 of a set.
fn first(set: Option<&DigestSet>) -> Option<Sha256> {
    set?.iter().find_map(|digest| digest.as_sha256())
}

impl Gate {
    /// The deployments that an attestation states; none of another statement.
    pub(super) fn deployments_of(
        &self,
        reader: &Reader<'_>,
        evidence: &Evidence,
        logged_at_ms: i64,
    ) -> Result<Vec<Deployment>, StoreError> {
        let Said::Deployment(said) = evidence.said() else { return Ok(Vec::new()) };
        let began = said.started_at.min(evidence.logged_at());
        let mut found = Vec::new();
        for subject in evidence.subjects() {
            let Some(digest) = first(subject.digest.as_ref()) else { continue };
            let decision = said.decision.as_ref().and_then(sha256);
            let decided = match (&said.decision, decision) {
                (None, _) => Err(Cause::NoDecision),
                (Some(_), None) => Err(Cause::UnknownDecision),
                (Some(_), Some(decision)) => {
                    let asked = Asked {
                        decision,
                        subject: digest,
                        environment: &said.environment,
                        name: subject.name.as_deref(),
                        below: evidence.index(),
                        began,
                        held: evidence.logged_at(),
                    };
                    self.allows(reader, &asked)?
                }
            };
            found.push(Deployment {
                statement: evidence.digest(),
                index: evidence.index(),
                logged_at: evidence.logged_at(),
                logged_at_ms,
                signer: evidence.signer().clone(),
                kind: said.kind,
                environment: said.environment.clone(),
                name: subject.name.clone(),
                subject: digest,
                decision,
                replaces: first(said.replaces.as_ref()),
                at: evidence.time(),
                since: evidence.time(),
                until: None,
                decided,
                counts: false,
            });
        }
        Ok(found)
    }

    /// Whether a decision allows what is asked.
    fn allows(
        &self,
        reader: &Reader<'_>,
        asked: &Asked<'_>,
    ) -> Result<Result<Allowed, Cause>, StoreError> {
        let sequence = reader.sequence_of_digest(&asked.decision)?;
        let Some(sequence) = sequence.filter(|sequence| *sequence < asked.below) else {
            return Ok(Err(Cause::UnknownDecision));
        };
        let evidence = self.shelf.evidence(reader, sequence)?;
        let of_gate = evidence.filter(|one| *one.signer() == Signer::Key(self.roots.gate));
        let Some(evidence) = of_gate else { return Ok(Err(Cause::UnknownDecision)) };
        let Said::Summary(summary, Some(details)) = evidence.said() else {
            return Ok(Err(Cause::UnknownDecision));
        };
        if details.run.is_some() {
            return Ok(Err(Cause::UnknownDecision));
        }
        if let Some(cause) = why_not(&evidence, summary, details, asked) {
            return Ok(Err(cause));
        }
        // The others are seen from the decision itself; this one takes a search.
        if self.is_superseded(reader, sequence, details, asked)? {
            return Ok(Err(Cause::SupersededDecision));
        }
        Ok(Ok(Allowed {
            break_glass: details.policies.iter().any(|policy| policy.break_glass.is_some()),
            name: details.name.clone(),
            caller: details.caller.clone(),
            configuration: details.configuration.as_ref().and_then(|text| text.parse().ok()),
            log_size: details.log_size,
        }))
    }
}

/// Why a decision does not allow what is asked, as far as it tells itself.
fn why_not(
    evidence: &Evidence,
    summary: &VerificationSummary,
    details: &Details,
    asked: &Asked<'_>,
) -> Option<Cause> {
    let latest_s = asked.began.unix_seconds() + CLOCK_TOLERANCE_S;
    let is_over = |until: &UtcTime| asked.began >= *until;
    let is_late = |until: &UtcTime| {
        asked.held.unix_seconds() >= until.unix_seconds().saturating_add(DELIVERY_GRACE_S)
    };
    Some(if summary.verification_result != VerificationResult::Passed {
        Cause::FailedDecision
    } else if !evidence.is_about(&asked.subject.into()) {
        Cause::OtherArtifact
    } else if details.environment != asked.environment {
        Cause::OtherEnvironment
    } else if !is_name_of(details, asked.name) {
        Cause::OtherName
    } else if latest_s < evidence.logged_at().unix_seconds() {
        Cause::UnknownDecision
    } else if details.until.as_ref().is_some_and(is_over) {
        Cause::ExpiredDecision
    } else if details.until.as_ref().is_some_and(is_late) {
        Cause::LateRecord
    } else {
        return None;
    })
}

/// Whether a deployment is called what the decision was asked about. One that was asked without a name is for any name that
/// the evidence gives.
fn is_name_of(details: &Details, name: Option<&str>) -> bool {
    match (&details.name, name) {
        (Some(asked), name) => name == Some(asked.as_str()),
        (None, Some(name)) => details.names.iter().any(|known| known == name),
        (None, None) => true,
    }
}

impl Gate {
    /// Whether the same question had another answer between a decision and the deployment that names it: the newest one counts.
    /// What others asked, who may be denied for who they are, and what could not be judged take nothing from it.
    fn is_superseded(
        &self,
        reader: &Reader<'_>,
        decided: u64,
        details: &Details,
        asked: &Asked<'_>,
    ) -> Result<bool, StoreError> {
        let terms = [
            Term::new(TermKind::Subject, Digest::from(asked.subject).to_string()),
            Term::new(TermKind::TypeName, "vsa"),
            Term::new(TermKind::Environment, asked.environment),
            Term::new(TermKind::Signer, self.roots.gate.to_string()),
        ];
        let mut search = Search::of(reader);
        for sequence in search.between(&terms, decided + 1, asked.below, MAX_LOOKED_AT)? {
            let Some(evidence) = self.shelf.evidence(reader, sequence)? else { continue };
            let Said::Summary(summary, Some(other)) = evidence.said() else { continue };
            let is_same = other.run.is_none()
                && (&other.environment, &other.name) == (&details.environment, &details.name)
                && (&other.caller, &other.configuration)
                    == (&details.caller, &details.configuration);
            let is_judged = other.refused.as_ref().is_none_or(|refused| refused.cause.is_none());
            if is_same && is_judged {
                return Ok(summary.verification_result != VerificationResult::Passed);
            }
        }
        Ok(false)
    }
}

/// The most decisions about one artifact that are looked at for a newer one.
const MAX_LOOKED_AT: usize = 1_000;

/// What a decision is held against.
struct Asked<'a> {
    decision: Sha256,
    subject: Sha256,
    environment: &'a str,
    name: Option<&'a str>,
    /// The index of the deployment's statement.
    below: u64,
    began: UtcTime,
    /// When the log first held the statement.
    held: UtcTime,
}
