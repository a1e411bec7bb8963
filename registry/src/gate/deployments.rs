//! What runs where, by the `deployment` statements of the log, and which of it was allowed.
//!
//! The order is that of the log. A statement whose signer never might state it changes nothing of what runs: it is kept, and counted as an
//! attempt. One that counts tells what happened, whether it was allowed or not. One that counted once, and does not since its
//! signer was revoked or left the roster, may be true all the same: what it brought counts as running, unauthorized, and what it
//! says has left stays where others have brought it.

use std::collections::BTreeMap;

use attestry_schemas::digest::{Digest, DigestSet, Sha256};
use attestry_schemas::gate::authorized::{Cause, Entry, same_question};
use attestry_schemas::gate::governance::sha256;
use attestry_schemas::gate::{Details, Evidence, Said};
use attestry_schemas::predicate::attestry::environment::{self as said, DeploymentKind};
use attestry_schemas::predicate::{Predicate as _, UtcTime};
use attestry_schemas::roster::trust::Trust;
use attestry_schemas::verify::Signer;

use super::Gate;
use crate::store::key::{Term, TermKind};
use crate::store::query::Search;
use crate::store::{Reader, StoreError};

/// The most subjects of deployments that are kept, the newest; what runs is kept before what does not.
pub(super) const MAX_DEPLOYMENTS: usize = 200_000;

/// What the roster calls a deployment's statement.
const PERMISSIONS: [&str; 2] = ["deployment", said::Deployment::URI];

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
    /// What its signer's word is worth.
    word: Word,
}

/// What the word of a signer of deployments is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Counts,
    /// It counted when the log first held it, and does not any more.
    Counted,
    Nothing,
}

/// Where something runs: the environment, and the artifact's name or else its digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The environment.
    pub environment: String,
    /// The name.
    pub name: String,
}

/// What a statement brought: verdicts and assessments are about it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Brought {
    /// The digest of the statement's attestation.
    pub(super) statement: Sha256,
    /// The artifact.
    pub(super) subject: Sha256,
    /// What it is called there.
    pub(super) name: Option<String>,
}

impl Brought {
    /// Whether it is what a deployment brought.
    pub(super) fn is_of(&self, deployment: &Deployment) -> bool {
        self.statement == deployment.statement
            && self.subject == deployment.subject
            && self.name == deployment.name
    }
}

impl Deployment {
    /// What it brought.
    pub(super) fn brought(&self) -> Brought {
        Brought { statement: self.statement, subject: self.subject, name: self.name.clone() }
    }

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
        match (&self.decided, self.word == Word::Counts, self.kind) {
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

    /// Whether it was unauthorized when the log first held it, and not only since its signer does not count any more.
    pub(super) fn came_unauthorized(&self) -> bool {
        self.word == Word::Nothing
            || (self.kind != DeploymentKind::Decommissioned && self.decided.is_err())
    }

    pub(super) fn weigh(&mut self, trust: Option<&Trust>) {
        let counts = |trust: &Trust| {
            let signer = trust.signer(&self.signer, self.logged_at);
            signer.is_ok_and(|signer| PERMISSIONS.iter().any(|word| signer.may.contains(*word)))
        };
        self.word = match trust {
            None => Word::Counts,
            Some(trust) if counts(trust) => Word::Counts,
            Some(trust) if trust.counted_then(&self.signer, self.logged_at, &PERMISSIONS) => {
                Word::Counted
            }
            Some(_) => Word::Nothing,
        };
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
        let Some(new) = self.all.get(&key).filter(|new| new.word != Word::Nothing).cloned() else {
            return;
        };
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
            let may = new.word == Word::Counts || runs.word != Word::Counts;
            match leaves {
                true => may && runs.subject == new.subject && is_named,
                false => **at == place || (may && new.replaces == Some(runs.subject)),
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
                    let entry = Entry {
                        subject: digest,
                        environment: &said.environment,
                        name: subject.name.as_deref(),
                        began,
                        held: evidence.logged_at(),
                    };
                    let asked = Asked { decision, entry, below: evidence.index() };
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
                word: Word::Nothing,
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
        let Said::Summary(_, Some(details)) = evidence.said() else {
            return Ok(Err(Cause::UnknownDecision));
        };
        if let Some(cause) = asked.entry.why_not(&evidence) {
            return Ok(Err(cause));
        }
        // The others are seen from the decision itself; this one takes a search.
        if self.is_superseded(reader, sequence, details, asked)? {
            return Ok(Err(Cause::SupersededDecision));
        }
        Ok(Ok(Allowed {
            break_glass: details.broken_glass().next().is_some(),
            name: details.name.clone(),
            caller: details.caller.clone(),
            configuration: details.configuration.as_ref().and_then(|text| text.parse().ok()),
            log_size: details.log_size,
        }))
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
            Term::new(TermKind::Subject, Digest::from(asked.entry.subject).to_string()),
            Term::new(TermKind::TypeName, "vsa"),
            Term::new(TermKind::Environment, asked.entry.environment),
            Term::new(TermKind::Signer, self.roots.gate.to_string()),
        ];
        let mut search = Search::of(reader);
        for sequence in search.between(&terms, decided + 1, asked.below, MAX_LOOKED_AT)? {
            let Some(evidence) = self.shelf.evidence(reader, sequence)? else { continue };
            if let Some(passed) = same_question(details, &evidence) {
                return Ok(!passed);
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
    entry: Entry<'a>,
    /// The index of the deployment's statement.
    below: u64,
}
