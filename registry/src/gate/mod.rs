//! The gate: decides whether an artifact may enter an environment, signs the decision, and has it in the log
//! before it answers.
//!
//! The evaluation itself is pure and lies in [`attestry_schemas::gate`]; here are its inputs and what becomes of its
//! verdict. Every decision is about one size of the log: who rules and what is evidence follow from it, so
//! that the same decision can be made again.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use attestry_schemas::bundle::{Bundle, Content};
use attestry_schemas::digest::Sha256;
use attestry_schemas::dsse::{Envelope, PAYLOAD_TYPE};
use attestry_schemas::gate::{self, Decision, Evidence, Failure, Held, Purpose, Question, Seal};
use attestry_schemas::key::{PublicKey, SigningKey};
use attestry_schemas::note::NoteKey;
use attestry_schemas::predicate::UtcTime;
use attestry_schemas::problem::chain;
use attestry_schemas::verify::{self, CertificateRoots};
use jiff::Timestamp;

use crate::clock::Clock;
use crate::log::{Log, LogState, Receipt, Submission, SubmitError};
use crate::metrics::Metrics;
use crate::store::{Reader, Store, StoreError};

mod assessment;
mod bounded;
mod decisions;
pub mod delivery;
pub mod deployments;
mod event;
pub mod facts;
mod flights;
mod gather;
mod history;
mod kept;
mod ledger;
pub mod monitor;
mod origins;
mod outbox;
pub mod packing;
pub mod pulls;
pub mod recorded;
pub mod replay;
mod ruling;
mod shelf;
pub mod status;
mod webhook;
pub mod what_if;

use bounded::{Evaluations, Failed};
use flights::Flights;
use gather::Gathered;
use kept::{Kept, Situation};
pub use ruling::{Refused, RootsError, Ruling};
pub use shelf::Rereading;
use shelf::Shelf;

/// The namespace of decisions.
const NAMESPACE: &str = "default";
/// The most denials for want of a digest that are kept for the next who asks the same.
const MAX_REFUSED: usize = 20_000;
/// The most evaluations for decisions at once, those included that nobody waits for any more.
const MAX_EVALUATIONS: usize = 64;
/// The most assessments of what runs at once, likewise: what watches must not take the places of what decides.
const MAX_ASSESSMENTS: usize = 4;

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
    /// What runs could not be assessed; it will be again.
    #[error("what runs could not be assessed: {0}")]
    Unassessed(String),
    /// The gate does not look at all that there is, and a pack could not say so.
    #[error(
        "expected no more attestations about the artifact, its commit, its steps or its environment than the gate looks at, found more; ask the registry itself, which denies"
    )]
    TooMuch,
}

impl From<StoreError> for GateError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The running gate.
pub struct Gate {
    store: Arc<Store>,
    log: Arc<Log>,
    clock: Clock,
    metrics: Arc<Metrics>,
    key: SigningKey,
    decision_timeout: Duration,
    roots: gate::governance::Roots,
    /// Keys that are trusted before a roster rules, and that rosters may name by fingerprint.
    known_keys: Vec<PublicKey>,
    ruling: RwLock<Arc<Ruling>>,
    /// Who ruled earlier, by how many leaves were completed and the sequence after that of the newest statement.
    past_rulings: Mutex<HashMap<(u64, u64), Arc<Ruling>>>,
    shelf: Shelf,
    histories: history::Histories,
    origins: origins::Origins,
    kept: Kept,
    pulls: pulls::Pulls,
    flights: Flights,
    admitted: recorded::Admitted,
    /// What was denied because it has no digest: that follows from the request alone.
    refused: Mutex<HashMap<Request, Decided>>,
    evaluations: Arc<Evaluations>,
    assessments: Arc<Evaluations>,
    ledger: Mutex<ledger::Ledger>,
    /// One replay of many decisions at a time: each takes every processor.
    replaying: Mutex<()>,
}

/// A verdict about a request.
enum Verdict {
    /// Nothing has changed since it was decided.
    Known(Decided),
    /// A new one, and what it depends on.
    New(Box<(Decision, Situation, At)>),
}

/// In which state of the log a verdict was found.
struct At {
    state: LogState,
    /// Whether decisions of the gate are evidence for it.
    has_decisions: bool,
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
    /// The authorities whose certificates are believed.
    pub certificate_roots: CertificateRoots,
    /// How much memory evidence may take, as far as that can be estimated.
    pub evidence_memory_bytes: usize,
    /// The longest time of one evaluation.
    pub decision_timeout: Duration,
}

/// Whether a decision is a denial for want of an evaluation.
fn has_failed(decided: &Decided) -> bool {
    decided.decision.details().failure().is_some()
}

impl Gate {
    /// Opens the gate on a log that runs.
    ///
    /// # Errors
    /// [`RootsError`] when the genesis statement or what rules cannot be read.
    pub fn open(parts: Parts) -> Result<Self, RootsError> {
        let Parts {
            decision_timeout,
            store,
            log,
            clock,
            metrics,
            key,
            known_keys,
            certificate_roots,
            evidence_memory_bytes,
        } = parts;
        let origin = &log.identity().origin;
        let note_key = key.public_key().ed25519_raw();
        let note_key = note_key.and_then(|raw| NoteKey::ed25519(origin, raw).ok());
        let reader = store.reader();
        let roots = ruling::roots(&reader, key.public_key())?;
        drop(reader);
        let shelf = Shelf::new(note_key, Seal::of(&key), evidence_memory_bytes)
            .believing(certificate_roots);
        let gate = Self {
            store,
            log,
            clock,
            metrics,
            key,
            decision_timeout,
            roots,
            known_keys,
            ruling: RwLock::new(Arc::new(Ruling::none())),
            past_rulings: Mutex::default(),
            shelf,
            histories: history::Histories::default(),
            origins: origins::Origins::default(),
            kept: Kept::default(),
            pulls: pulls::Pulls::default(),
            flights: Flights::default(),
            admitted: recorded::Admitted::default(),
            refused: Mutex::default(),
            evaluations: Evaluations::new(MAX_EVALUATIONS, decision_timeout),
            assessments: Evaluations::new(MAX_ASSESSMENTS, decision_timeout),
            ledger: Mutex::default(),
            replaying: Mutex::default(),
        };
        gate.ruling(&gate.store.reader()).map_err(RootsError::Store)?;
        Ok(gate)
    }

    /// The moment, in whole seconds.
    fn now(&self) -> UtcTime {
        let now = self.clock.now();
        Timestamp::from_second(now.as_second()).unwrap_or(now).into()
    }

    /// The moment of a question about so many leaves: no earlier than the log held the newest of them, whatever the clock says, so
    /// that all counts that was acknowledged.
    fn moment(&self, reader: &Reader<'_>, size: u64, now: UtcTime) -> Result<UtcTime, StoreError> {
        let Some(last) = size.checked_sub(1) else { return Ok(now) };
        let held = reader.record(last)?;
        let held = held.and_then(|one| shelf::held(one.digest, last, one.logged_at_ms));
        Ok(held.map_or(now, |held| now.max(held.logged_at)))
    }

    /// The decision that was made about a request already, where it is known without a look into the store that nothing which it
    /// depends on has changed.
    #[must_use]
    pub fn kept(&self, request: &Request) -> Option<Decided> {
        self.kept.at(self.log.progress().log(), request, self.now())
    }

    /// The decision about a request: the one that was made already, where nothing that it depends on has changed, or a new one,
    /// signed and in the log. An error, a panic, and a verdict that is not there in time are a denial, signed and in the log, too.
    /// Of those who ask the same at the same time one decides, and the others wait for it.
    ///
    /// # Errors
    /// [`GateError`], which denies: the log did not take the decision.
    pub fn decide(self: &Arc<Self>, request: &Request) -> Result<(Decided, bool), GateError> {
        if let Some(known) = self.kept(request) {
            return Ok((known, true));
        }
        self.flights.alone(request, |failed| {
            // Whoever has waited for an evaluation that failed does not wait for another.
            if let Some(denied) = failed {
                return Ok((denied.clone(), true));
            }
            // What is known already takes no thread.
            if let Some(known) = self.kept(request) {
                return Ok((known, true));
            }
            let (decided, known) = self.decide_alone(request, false)?;
            *failed = Some(decided.clone()).filter(has_failed);
            Ok((decided, known))
        })
    }

    /// As [`Gate::decide`], for what starts by it: that the log shows the artifact as the last of its name that was let in. A decision that
    /// was made before something else was let in is made anew.
    ///
    /// # Errors
    /// As [`Gate::decide`].
    pub fn decide_as_last(self: &Arc<Self>, request: &Request) -> Result<Decided, GateError> {
        let (decided, is_known) = self.decide(request)?;
        if !is_known || !decided.decision.passed() || self.is_last_of_its_name(request)? {
            return Ok(decided);
        }
        self.flights.alone(request, |failed| {
            if let Some(denied) = failed {
                return Ok(denied.clone());
            }
            let by_another = self.kept(request).filter(|_| self.is_known_as_last(request));
            if let Some(decided) = by_another {
                return Ok(decided);
            }
            let (decided, _) = self.decide_alone(request, true)?;
            *failed = Some(decided.clone()).filter(has_failed);
            Ok(decided)
        })
    }

    /// Whether nothing else was let in by the name since, as far as is known, or else by the log.
    fn is_last_of_its_name(&self, request: &Request) -> Result<bool, StoreError> {
        match self.admitted.last(request) {
            Some((subject, _)) => Ok(subject == request.subject),
            None => self.is_last_admitted(&self.store.reader(), request),
        }
    }

    /// Whether it is known without a look at the log that nothing else was let in by the name since.
    #[must_use]
    pub fn is_known_as_last(&self, request: &Request) -> bool {
        self.admitted.last(request).is_some_and(|(subject, _)| subject == request.subject)
    }

    /// Decides; `anew` also where nothing has changed.
    fn decide_alone(
        self: &Arc<Self>,
        request: &Request,
        anew: bool,
    ) -> Result<(Decided, bool), GateError> {
        let now = self.now();
        let (gate, asked) = (Arc::clone(self), request.clone());
        let (decision, standing) = match self.evaluations.run(move || gate.judge(&asked, anew)) {
            Ok(Verdict::Known(known)) => return Ok((known, true)),
            Ok(Verdict::New(new)) => (new.0, Some((new.1, new.2))),
            Err(failed) => (self.denial(request, now, &failed), None),
        };
        // What could not be judged may be judged in a moment: a document that a policy names may come.
        let stands = decision.is_judged();
        let decided = self.record(decision)?;
        self.admitted.add(request, &decided);
        if let Some((situation, at)) = standing.filter(|_| stands) {
            self.kept.stands(at.state, at.has_decisions, &decided, request);
            self.kept.put(situation, decided.clone());
        }
        Ok((decided, false))
    }

    /// Logs a decision, and counts it.
    fn record(&self, decision: Decision) -> Result<Decided, GateError> {
        let cause = decision.details().failure();
        let result = if decision.passed() { "passed" } else { "failed" };
        let recorded = self.log_decision(decision);
        if let Some(cause) = cause {
            let is_recorded = if recorded.is_ok() { "true" } else { "false" };
            self.metrics.failures.with_label_values(&[cause.name(), is_recorded]).inc();
        }
        let decided = recorded?;
        self.metrics.decisions.with_label_values(&[result]).inc();
        Ok(decided)
    }

    /// Denies a request for which nothing was evaluated, signed and in the log.
    ///
    /// # Errors
    /// [`GateError`], which denies: the log did not take the decision.
    pub fn refuse(
        &self,
        request: &Request,
        cause: Failure,
        why: &str,
        fix: &str,
    ) -> Result<Decided, GateError> {
        let stays = cause == Failure::NoDigest;
        let known = || self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(decided) = known().get(request).filter(|_| stays) {
            return Ok(decided.clone());
        }
        let question = self.question(request, self.now(), self.size_or_none());
        let decided = self.record(Decision::denied(&question, None, why, fix).failing(cause))?;
        if stays {
            let mut all = known();
            if all.len() >= MAX_REFUSED {
                all.clear();
            }
            all.insert(request.clone(), decided.clone());
        }
        Ok(decided)
    }

    /// The size of the log, of which a denial without an evaluation has looked at nothing; 0 when it cannot be read.
    fn size_or_none(&self) -> u64 {
        self.store.reader().tree_size().unwrap_or_default()
    }

    /// The denial where there is no verdict.
    fn denial(&self, request: &Request, now: UtcTime, failed: &Failed) -> Decision {
        tracing::error!(
            subject = %request.subject,
            environment = request.environment,
            cause = failed.cause.name(),
            why = failed.why,
            "the gate could not evaluate; it denies"
        );
        let question = self.question(request, now, self.size_or_none());
        let fix =
            "ask again, and look at the registry if it stays so; nothing is said of the artifact";
        Decision::denied(&question, None, &failed.why, fix).failing(failed.cause)
    }

    /// Gathers, and evaluates where something has changed.
    fn judge(&self, request: &Request, anew: bool) -> Result<Verdict, String> {
        // Taken before the view, so that the view holds all of it: what comes in between is looked at, and again the next time.
        let state = self.log.progress().log();
        let reader = self.store.reader();
        let ruling = self.ruling_at(&reader, state.size).map_err(|e| chain(&e))?;
        let now = self.moment(&reader, state.size, self.now()).map_err(|e| chain(&e))?;
        let question = self.question(request, now, state.size);
        let gathered = self.gather(&reader, &question, &ruling).map_err(|e| chain(&e))?;
        let situation = Situation {
            request: request.clone(),
            roster: ruling.governance.trust.as_ref().map(|trust| trust.digest()),
            policies: ruling.governance.policies.iter().map(|p| p.policy.digest).collect(),
            governed_at: (ruling.newest, state.completed),
            evidence: gathered.sequences.clone(),
        };
        if let Some(known) = self.kept.of(&situation, now).filter(|_| !anew) {
            self.kept.stands(state, gathered.has_decisions, &known, request);
            return Ok(Verdict::Known(known));
        }
        let decision = self.evaluate(&question, &ruling, &gathered, &reader);
        let at = At { state, has_decisions: gathered.has_decisions };
        Ok(Verdict::New(Box::new((decision, situation, at))))
    }

    /// The verdict about a request as it would be now, which is not recorded; a denial where there is none in time.
    pub fn assess(self: &Arc<Self>, request: &Request) -> Decision {
        let (gate, asked) = (Arc::clone(self), request.clone());
        let assessed = self.evaluations.run(move || {
            let reader = gate.store.reader();
            let size = reader.tree_size().map_err(|e| chain(&e))?;
            let ruling = gate.ruling(&reader).map_err(|e| chain(&e))?;
            let now = gate.moment(&reader, size, gate.now()).map_err(|e| chain(&e))?;
            let question = gate.question(&asked, now, size);
            let gathered = gate.gather(&reader, &question, &ruling).map_err(|e| chain(&e))?;
            Ok(gate.evaluate(&question, &ruling, &gathered, &reader))
        });
        assessed.unwrap_or_else(|failed| self.denial(request, self.now(), &failed))
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
            let why = "expected no more attestations about the artifact, its commit, its steps or its environment than the gate looks at, found more";
            let fix = "find out who floods them: attestry search --subject DIGEST; the roster says who may";
            return Decision::denied(question, trust, why, fix);
        }
        let policies = ruling.governance.ruling();
        let documents = |digest: Sha256| ruling::document(reader, digest).ok().flatten();
        let evaluate = || gate::decide(question, trust, &policies, &gathered.evidence, &documents);
        catch_unwind(AssertUnwindSafe(evaluate)).unwrap_or_else(|_| {
            tracing::error!("the evaluation of a policy ended by a panic; it denies");
            let fix = "report it with the decision; nothing is wrong with the artifact";
            Decision::denied(
                question,
                trust,
                "expected an evaluation, found a panic of the gate",
                fix,
            )
            .failing(Failure::Panic)
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
        let submission = submission.prepared(&self.store)?;
        let held = Held { digest: submission.payload.digest, index: 0, logged_at: self.now() };
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
        self.log.submit_within(submission, self.decision_timeout).map_err(GateError::Submit)
    }
}
