//! The gate: decides whether an artifact may enter an environment, signs the decision, and has it in the log
//! before it answers.
//!
//! The evaluation itself is pure and lies in [`attestry_schemas::gate`]; here are its inputs and what becomes of its
//! verdict. Every decision is about one size of the log: who rules and what is evidence follow from it, so
//! that the same decision can be made again.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use attestry_schemas::bundle::{Bundle, Content};
use attestry_schemas::digest::Sha256;
use attestry_schemas::dsse::{Envelope, PAYLOAD_TYPE};
use attestry_schemas::gate::{self, Decision, Evidence, Held, Purpose, Question};
use attestry_schemas::key::{PublicKey, SigningKey};
use attestry_schemas::predicate::UtcTime;
use attestry_schemas::problem::chain;
use attestry_schemas::verify;
use jiff::Timestamp;

use crate::clock::Clock;
use crate::log::sequencer::SubmitError;
use crate::log::{Log, Receipt, Submission};
use crate::metrics::Metrics;
use crate::store::{Reader, Store, StoreError};

mod assessment;
mod decisions;
pub mod delivery;
pub mod deployments;
mod event;
mod gather;
mod history;
mod ledger;
pub mod monitor;
pub mod packing;
pub mod recorded;
pub mod replay;
mod ruling;
mod shelf;
pub mod status;
mod webhook;

use gather::Gathered;
pub use ruling::{Refused, RootsError, Ruling};
use shelf::Shelf;

/// The namespace of decisions.
const NAMESPACE: &str = "default";
/// The most decisions whose answers are kept for the next who asks the same.
const MAX_DECIDED: usize = 20_000;

/// What is asked of the gate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Request {
    /// The artifact.
    pub subject: Sha256,
    /// What the caller calls it.
    pub name: Option<String>,
    /// The environment.
    pub environment: String,
    /// As whom the registry knows the caller.
    pub caller: Option<String>,
    /// The configuration that is being applied.
    pub configuration: Option<Sha256>,
}

/// A decision that is in the log.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The decision.
    pub decision: Arc<Decision>,
    /// The digest of its attestation.
    pub digest: Sha256,
    /// Its index in the log.
    pub index: u64,
    /// Its bundle, with the log's proof.
    pub bundle: Arc<Bundle>,
}

/// Why there is no decision. Whoever asked must take it for a denial.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The store failed.
    #[error("the gate cannot read the store")]
    Store(#[source] StoreError),
    /// The decision did not enter the log.
    #[error("the decision could not be logged")]
    Submit(#[source] SubmitError),
    /// The decision that was signed does not verify.
    #[error("the decision does not verify: {0}")]
    Signing(String),
}

impl From<StoreError> for GateError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What a verdict depends on; while it is the same, so is the verdict, until its moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Situation {
    request: Request,
    roster: Option<Sha256>,
    policies: Vec<Sha256>,
    /// The newest governance statement, and how many leaves were completed: a revocation changes neither roster nor policy.
    governed_at: (u64, u64),
    evidence: Vec<u64>,
}

/// A state of the log: its size, and how many leaves were completed since the start. A completed leaf brings evidence, and the
/// size stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LogState {
    size: u64,
    completed: u64,
}

/// The running gate.
pub struct Gate {
    store: Arc<Store>,
    log: Arc<Log>,
    clock: Clock,
    metrics: Arc<Metrics>,
    key: SigningKey,
    roots: gate::governance::Roots,
    /// Keys that are trusted before a roster rules, and that rosters may name by fingerprint.
    known_keys: Vec<PublicKey>,
    ruling: RwLock<Arc<Ruling>>,
    shelf: Shelf,
    /// The decision about a request that stood at a state of the log. What is evidence and who rules follow from the log
    /// alone, so while it is in that state, nothing needs to be gathered to know that nothing has changed.
    at_state: Mutex<HashMap<Request, (LogState, Decided)>>,
    histories: history::Histories,
    decided: Mutex<HashMap<Situation, Decided>>,
    ledger: Mutex<ledger::Ledger>,
}

/// What the gate stands on.
pub struct Parts {
    /// The store.
    pub store: Arc<Store>,
    /// The log.
    pub log: Arc<Log>,
    /// The clock.
    pub clock: Clock,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The log's key, which signs decisions, too.
    pub key: SigningKey,
    /// Keys that are trusted before a roster rules, root keys included.
    pub known_keys: Vec<PublicKey>,
}

impl Gate {
    /// Opens the gate on a log that runs.
    ///
    /// # Errors
    /// [`RootsError`] when the genesis statement or what rules cannot be read.
    pub fn open(parts: Parts) -> Result<Self, RootsError> {
        let Parts { store, log, clock, metrics, key, known_keys } = parts;
        let reader = store.reader();
        let roots = ruling::roots(&reader, key.public_key())?;
        drop(reader);
        let gate = Self {
            store,
            log,
            clock,
            metrics,
            key,
            roots,
            known_keys,
            ruling: RwLock::new(Arc::new(Ruling::none())),
            shelf: Shelf::default(),
            at_state: Mutex::default(),
            histories: history::Histories::default(),
            decided: Mutex::default(),
            ledger: Mutex::default(),
        };
        gate.ruling(&gate.store.reader()).map_err(RootsError::Store)?;
        Ok(gate)
    }

    /// The moment, in whole seconds.
    fn now(&self) -> UtcTime {
        let now = self.clock.now();
        Timestamp::from_second(now.as_second()).unwrap_or(now).into()
    }

    /// The decision about a request: the one that was made already, where nothing that it depends on has changed, or a new one,
    /// signed and in the log.
    ///
    /// # Errors
    /// [`GateError`], which denies.
    pub fn decide(&self, request: &Request) -> Result<(Decided, bool), GateError> {
        let now = self.now();
        // Counted before the view is taken: what is completed in between is looked at, and looked at again the next time.
        let (completed, _) = self.log.progress().completed_since(u64::MAX);
        let reader = self.store.reader();
        let size = reader.tree_size().map_err(|e| GateError::Signing(chain(&e)))?;
        let state = LogState { size, completed };
        if let Some(known) = self.known_at(state, request, now) {
            return Ok((known, true));
        }
        let ruling = self.ruling(&reader)?;
        let gathered = self.gather(&reader, request, &ruling, size)?;
        let situation = Situation {
            request: request.clone(),
            roster: ruling.governance.trust.as_ref().map(|trust| trust.digest()),
            policies: ruling.governance.policies.iter().map(|p| p.policy.digest).collect(),
            governed_at: (ruling.newest, completed),
            evidence: gathered.sequences.clone(),
        };
        if let Some(known) = self.known(&situation, now) {
            self.keep_at(state, request, &known);
            return Ok((known, true));
        }
        let question = self.question(request, now, size);
        let decision = self.evaluate(&question, &ruling, &gathered, &reader);
        drop(reader);
        // What could not be judged may be judged in a moment: a document that a policy names may come.
        let stands = decision.is_judged();
        let decided = self.log_decision(decision)?;
        let result = if decided.decision.passed() { "passed" } else { "failed" };
        self.metrics.decisions.with_label_values(&[result]).inc();
        if !stands {
            return Ok((decided, false));
        }
        let mut all = self.decided.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_DECIDED {
            all.clear();
        }
        all.insert(situation, decided.clone());
        Ok((decided, false))
    }

    /// The verdict about a request as it would be now, which is not recorded.
    ///
    /// # Errors
    /// [`GateError::Store`].
    pub fn assess(&self, request: &Request) -> Result<Decision, GateError> {
        let reader = self.store.reader();
        let size = reader.tree_size().map_err(|e| GateError::Signing(chain(&e)))?;
        let ruling = self.ruling(&reader)?;
        let gathered = self.gather(&reader, request, &ruling, size)?;
        let question = self.question(request, self.now(), size);
        Ok(self.evaluate(&question, &ruling, &gathered, &reader))
    }

    fn known(&self, situation: &Situation, now: UtcTime) -> Option<Decided> {
        let all = self.decided.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.get(situation)?;
        known.decision.until().is_none_or(|until| now < until).then(|| known.clone())
    }

    fn known_at(&self, state: LogState, request: &Request, now: UtcTime) -> Option<Decided> {
        let all = self.at_state.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, known) = all.get(request)?;
        let stands = *at == state && known.decision.until().is_none_or(|until| now < until);
        stands.then(|| known.clone())
    }

    fn keep_at(&self, state: LogState, request: &Request, known: &Decided) {
        let mut all = self.at_state.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_DECIDED {
            all.clear();
        }
        all.insert(request.clone(), (state, known.clone()));
    }

    fn question(&self, request: &Request, now: UtcTime, log_size: u64) -> Question {
        Question {
            subject: request.subject,
            name: request.name.clone(),
            environment: request.environment.clone(),
            caller: request.caller.clone(),
            configuration: request.configuration,
            now,
            log_size,
            origin: self.log.identity().origin.clone(),
            purpose: Purpose::Deploy,
        }
    }

    /// Evaluates. A panic is an error of ours, and errors deny.
    fn evaluate(
        &self,
        question: &Question,
        ruling: &Ruling,
        gathered: &Gathered,
        reader: &Reader<'_>,
    ) -> Decision {
        let trust = ruling.governance.trust.as_deref();
        if gathered.is_cut {
            let why = "expected no more attestations about the artifact, its commit or its steps than the gate looks at, found more";
            let fix = "find out who floods them: attestry search --subject DIGEST; the roster says who may";
            return Decision::denied(question, trust, why, fix);
        }
        let policies = ruling.governance.ruling();
        let documents = |digest: Sha256| ruling::document(reader, digest);
        let evaluate = || gate::decide(question, trust, &policies, &gathered.evidence, &documents);
        catch_unwind(AssertUnwindSafe(evaluate)).unwrap_or_else(|_| {
            tracing::error!("the evaluation of a policy ended by a panic; it denies");
            let fix = "report it with the decision; nothing is wrong with the artifact";
            Decision::denied(
                question,
                trust,
                "expected an evaluation, found an error of the gate",
                fix,
            )
        })
    }

    /// Signs a decision and has it in the log.
    fn log_decision(&self, decision: Decision) -> Result<Decided, GateError> {
        let statement = decision.statement();
        let envelope = Envelope::sign(PAYLOAD_TYPE, &statement.to_json(), &self.key);
        let keys = std::slice::from_ref(self.key.public_key());
        let signed =
            verify::envelope(&envelope, keys).map_err(|e| GateError::Signing(chain(&e)))?;
        let submission = Submission::of_statement(&signed, envelope.to_json(), NAMESPACE, true);
        let payload = &submission.payload;
        self.store.prepare_content(payload.digest, &payload.bytes)?;
        let held = Held { digest: payload.digest, index: 0, logged_at: self.now() };
        let evidence = Evidence::of_statement(&signed, held);
        let receipt = self.submit(submission)?;
        self.keep(evidence, &receipt);
        let mut bundle = Bundle::of_key(self.key.public_key(), Content::Envelope(envelope));
        let index = receipt.proven.index;
        bundle.tlog_entries = vec![self.log.identity().tlog_entry(receipt.body, &receipt.proven)];
        Ok(Decided {
            decision: Arc::new(decision),
            digest: receipt.digest,
            index,
            bundle: Arc::new(bundle),
        })
    }

    fn submit(&self, submission: Submission) -> Result<Receipt, GateError> {
        let waiting = self.log.submit(submission).map_err(GateError::Submit)?;
        waiting.blocking_recv().unwrap_or(Err(SubmitError::Stopping)).map_err(GateError::Submit)
    }
}
