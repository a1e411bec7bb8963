//! What runs already: the recorded decision under which an image may start again that the gate denies now.
//!
//! A new policy must not keep what runs from starting again on another node. It runs here, by the log, when
//!
//! 1. the deployment statements of the environment that count say so: the newest about this digest brought it, and no later
//!    one brought another in its place; or
//! 2. there are none about it, and it is the last of its name that admission let in; or
//! 3. one of Kubernetes' own controllers makes it again, and admission let it in before, which the object that the controller
//!    works from needed, too. Then a later digest beside it, as in a rollout, does not matter.
//!
//! A statement that it left ends all three. The decision that counts is the newest that passed it for this environment
//! and by this name, signed by this gate; for 2 and 3, one that was asked for by admission; for anybody but Kubernetes' own controllers, one that the same
//! caller was given: who may not deploy, or not now, starts nothing because somebody else did. It is worth nothing when one
//! of its inputs falls with a signer that is revoked for compromise: then the artifact itself is in doubt, and not only short of what
//! is asked of it today. A decision that passed by a waiver or a broken glass counts: what runs was let in by
//! those who may. Whoever uses a recorded decision says so.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attestry_schemas::digest::{Digest, DigestSet, Sha256};
use attestry_schemas::gate::{Details, Evidence, Said};
use attestry_schemas::predicate::Predicate as _;
use attestry_schemas::predicate::attestry::environment::{Deployment, DeploymentKind};
use attestry_schemas::predicate::vsa::{VerificationResult, VerificationSummary};
use attestry_schemas::roster::trust::Trust;
use attestry_schemas::verify::Signer;

use super::{Decided, Gate, Request, shelf};
use crate::store::key::{Term, TermKind};
use crate::store::query::Search;
use crate::store::{Reader, StoreError};

/// What the callers of decisions that admission asked for begin with.
pub const ADMISSION_CALLER: &str = "kubernetes:";
/// The most names of which it is known what was let in last; beyond, all make room.
const MAX_ADMITTED: usize = 100_000;
/// The most decisions, and the most statements about deployments, that are looked at; the newest.
const MAX_LOOKED_AT: usize = 1_000;

/// The recorded decision under which an image runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedPass {
    /// The digest of its attestation.
    pub digest: Sha256,
    /// Its index in the log.
    pub index: u64,
}

/// What the statements about deployments say of a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Nothing.
    Unknown,
    /// It runs.
    Runs,
    /// Another came in its place.
    Replaced,
    /// It left.
    Left,
}

/// By environment and name.
type Names = HashMap<(String, String), (Sha256, u64)>;

/// What admission let in last, by environment and name, with the index of its decision, as far as this process knows.
#[derive(Debug, Default)]
pub(super) struct Admitted(Mutex<Names>);

impl Admitted {
    fn lock(&self) -> MutexGuard<'_, Names> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a decision that was recorded; the newest in the log is the last.
    pub(super) fn add(&self, request: &Request, decided: &Decided) {
        let is_admission =
            request.caller.as_deref().is_some_and(|caller| caller.starts_with(ADMISSION_CALLER));
        let (true, true, Some(name)) = (decided.decision.passed(), is_admission, &request.name)
        else {
            return;
        };
        let mut all = self.lock();
        if all.len() >= MAX_ADMITTED {
            all.clear();
        }
        let new = (request.subject, decided.index);
        let last = all.entry((request.environment.clone(), name.clone())).or_insert(new);
        if last.1 < new.1 {
            *last = new;
        }
    }

    pub(super) fn last(&self, request: &Request) -> Option<(Sha256, u64)> {
        let name = request.name.clone()?;
        self.lock().get(&(request.environment.clone(), name)).copied()
    }
}

impl Gate {
    /// The recorded decision under which the artifact of a request runs in its environment; none where it does not run, by the rule of
    /// this module.
    ///
    /// `is_made_again` tells that one of Kubernetes' own controllers asks.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn recorded_pass(
        &self,
        reader: &Reader<'_>,
        request: &Request,
        is_made_again: bool,
    ) -> Result<Option<RecordedPass>, StoreError> {
        let ruling = self.ruling(reader)?;
        let (Some(trust), Some(name)) = (&ruling.governance.trust, &request.name) else {
            return Ok(None);
        };
        let standing = self.standing(reader, trust, request, name)?;
        let by_admission = match (standing, is_made_again) {
            (Standing::Left, _) | (Standing::Replaced, false) => return Ok(None),
            (Standing::Runs, _) => false,
            (Standing::Replaced | Standing::Unknown, true) => true,
            (Standing::Unknown, false) if self.is_last_admitted(reader, request)? => true,
            (Standing::Unknown, false) => return Ok(None),
        };
        let about = Term::new(TermKind::Subject, Digest::from(request.subject).to_string());
        let decisions = self.passed(reader, about, &request.environment)?;
        let counts = |details: &Details| {
            let is_named = match &details.name {
                Some(asked) => asked == name,
                None => details.names.contains(name),
            };
            // What somebody else was let do is nobody's permission.
            let is_same = is_made_again || details.caller == request.caller;
            is_named && is_same && (!by_admission || is_of_admission(details))
        };
        let found = decisions.into_iter().find(|one| one.details().is_some_and(counts));
        let Some(evidence) = found else { return Ok(None) };
        let Said::Summary(summary, _) = evidence.said() else { return Ok(None) };
        if self.is_compromised(reader, trust, summary)? {
            return Ok(None);
        }
        Ok(Some(RecordedPass { digest: evidence.digest(), index: evidence.index() }))
    }

    /// The decisions of this gate that passed, with a term, for an environment; the newest first.
    pub(super) fn passed(
        &self,
        reader: &Reader<'_>,
        term: Term,
        environment: &str,
    ) -> Result<Vec<Arc<Evidence>>, StoreError> {
        let mut found = Vec::new();
        self.each_passed(reader, term, environment, |evidence| {
            found.push(evidence);
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// Visits the decisions of this gate that passed, with a term, for an environment; the newest first.
    fn each_passed(
        &self,
        reader: &Reader<'_>,
        term: Term,
        environment: &str,
        mut visit: impl FnMut(Arc<Evidence>) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let terms = [
            term,
            Term::new(TermKind::TypeName, "vsa"),
            Term::new(TermKind::Environment, environment),
            Term::new(TermKind::Verdict, "PASSED"),
            Term::new(TermKind::Signer, self.roots.gate.to_string()),
        ];
        let mut search = Search::of(reader);
        let mut below = u64::MAX;
        for _ in 0..MAX_LOOKED_AT {
            let Some(sequence) = search.sequences_with(&terms, below, 1)?.pop() else { break };
            below = sequence;
            let Some(evidence) = self.shelf.evidence(reader, sequence)? else { continue };
            let Said::Summary(summary, Some(details)) = evidence.said() else { continue };
            let is_ours = *evidence.signer() == Signer::Key(self.roots.gate);
            let has_passed = summary.verification_result == VerificationResult::Passed;
            // A verdict about what runs lets nothing enter.
            let is_about_entry = details.run.is_none() && details.environment == environment;
            if is_ours && has_passed && is_about_entry && visit(evidence).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Whether admission let in nothing else by this name since.
    pub(super) fn is_last_admitted(
        &self,
        reader: &Reader<'_>,
        request: &Request,
    ) -> Result<bool, StoreError> {
        let Some(name) = &request.name else { return Ok(false) };
        let named = Term::new(TermKind::SubjectName, name.as_str());
        let mut last = None;
        self.each_passed(reader, named, &request.environment, |evidence| {
            match evidence.details().is_some_and(is_of_admission) {
                true => {
                    last = Some(evidence);
                    ControlFlow::Break(())
                }
                false => ControlFlow::Continue(()),
            }
        })?;
        Ok(last.is_some_and(|evidence| evidence.is_about(&request.subject.into())))
    }

    /// Whether an input of a decision falls with a signer that is revoked for compromise.
    fn is_compromised(
        &self,
        reader: &Reader<'_>,
        trust: &Trust,
        summary: &VerificationSummary,
    ) -> Result<bool, StoreError> {
        let inputs = summary.input_attestations.iter().flatten();
        let digests = inputs.filter_map(|input| input.digest.as_ref()).flat_map(DigestSet::iter);
        for digest in digests.filter_map(|digest| digest.as_sha256()) {
            let Some(sequence) = reader.sequence_of_digest(&digest)? else { continue };
            // By the record: what cannot be read any more falls all the same.
            let Some(record) = reader.record(sequence)? else { return Ok(true) };
            let held = shelf::held(record.digest, sequence, record.logged_at_ms);
            if held.is_none_or(|held| trust.is_compromised(&record.signer, held.logged_at)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What the statements about deployments in the environment say of the artifact.
    fn standing(
        &self,
        reader: &Reader<'_>,
        trust: &Trust,
        request: &Request,
        name: &str,
    ) -> Result<Standing, StoreError> {
        let subject = Digest::from(request.subject);
        let about = Term::new(TermKind::Subject, subject.to_string());
        let statements = self.deployments(reader, trust, about, &request.environment)?;
        let Some(newest) = statements.iter().max_by_key(|one| one.index()) else {
            return Ok(Standing::Unknown);
        };
        if kind(newest) == Some(DeploymentKind::Decommissioned) {
            return Ok(Standing::Left);
        }
        let mut names: BTreeSet<&str> = newest.names_of(&subject).collect();
        names.insert(name);
        for name in names {
            let named = Term::new(TermKind::SubjectName, name);
            let others = self.deployments(reader, trust, named, &request.environment)?;
            let replaces = |one: &Arc<Evidence>| {
                one.index() > newest.index()
                    && !one.is_about(&subject)
                    && kind(one) != Some(DeploymentKind::Decommissioned)
            };
            if others.iter().any(replaces) {
                return Ok(Standing::Replaced);
            }
        }
        Ok(Standing::Runs)
    }

    /// The statements about deployments in an environment, with a term, that count.
    fn deployments(
        &self,
        reader: &Reader<'_>,
        trust: &Trust,
        term: Term,
        environment: &str,
    ) -> Result<Vec<Arc<Evidence>>, StoreError> {
        let terms = [
            term,
            Term::new(TermKind::TypeName, "deployment"),
            Term::new(TermKind::Environment, environment),
        ];
        let mut found = Vec::new();
        for sequence in reader.sequences_with(&terms, u64::MAX, MAX_LOOKED_AT)? {
            let Some(evidence) = self.shelf.evidence(reader, sequence)? else { continue };
            let may = trust
                .signer(evidence.signer(), evidence.logged_at())
                .is_ok_and(|s| s.may.contains("deployment") || s.may.contains(Deployment::URI));
            if may && kind(&evidence).is_some() {
                found.push(evidence);
            }
        }
        Ok(found)
    }
}

fn kind(evidence: &Evidence) -> Option<DeploymentKind> {
    match evidence.said() {
        Said::Deployment(deployment) => Some(deployment.kind),
        _ => None,
    }
}

fn is_of_admission(details: &Details) -> bool {
    details.caller.as_deref().is_some_and(|caller| caller.starts_with(ADMISSION_CALLER))
}
