//! Whether an artifact may be pulled for an environment: by a decision that let it in and that still holds.
//!
//! The decision must be of this gate, PASSED, about this artifact and environment, and asked under a name of the repository:
//! under another name other policies rule, and others may ask. It still holds when what the
//! environment's policies ask of what runs there is fulfilled now, as for a deployment ([`Purpose::Run`]): a newer
//! scan, a revocation or a waiver that ended closes the door again. Nothing is recorded by looking.
//!
//! Answers are kept. One that allows stands until evidence comes, since further decisions take nothing away; one
//! that refuses until anything comes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use attestry_schemas::digest::{Digest, Sha256};
use attestry_schemas::gate::{Details, Purpose, Question, Run};
use attestry_schemas::predicate::UtcTime;
use attestry_schemas::problem::chain;

use super::assessment::reasons;
use super::{Gate, Request};
use crate::log::LogState;
use crate::store::key::{Term, TermKind};

/// The most answers that are kept; beyond, all make room.
const MAX_KEPT: usize = 20_000;

/// Whether an artifact may be pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pull {
    /// By the decision with this digest.
    Allowed(Sha256),
    /// For these reasons.
    Refused {
        /// Whether it was ever decided that it may enter the environment.
        was_decided: bool,
        /// Why not.
        reasons: Vec<String>,
    },
}

/// An answer, and until when it stands.
#[derive(Debug, Clone)]
struct Standing {
    state: LogState,
    until: Option<UtcTime>,
    pull: Arc<Pull>,
}

impl Standing {
    fn holds(&self, state: LogState, now: UtcTime) -> bool {
        let same_leaves = match &*self.pull {
            Pull::Allowed(_) => self.state.others == state.others,
            Pull::Refused { .. } => self.state.size == state.size,
        };
        same_leaves
            && self.state.completed == state.completed
            && self.until.is_none_or(|until| now < until)
    }
}

/// The answers that are kept.
#[derive(Debug, Default)]
pub(super) struct Pulls(Mutex<HashMap<Key, Standing>>);

/// The artifact, the environment, and the names of the repository.
type Key = (Sha256, String, Vec<String>);

impl Pulls {
    fn at(&self, key: &Key, state: LogState, now: UtcTime) -> Option<Arc<Pull>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(key).filter(|kept| kept.holds(state, now)).map(|kept| Arc::clone(&kept.pull))
    }

    fn put(&self, key: Key, standing: Standing) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_KEPT {
            all.clear();
        }
        all.insert(key, standing);
    }
}

impl Gate {
    /// Whether an artifact may be pulled for an environment from a repository that has these names, the shortest first. What cannot
    /// be judged, or not in time, may not.
    #[must_use]
    pub fn pull(
        self: &Arc<Self>,
        subject: Sha256,
        environment: &str,
        names: &[String],
    ) -> Arc<Pull> {
        let now = self.now();
        // Taken before the view, so that the view holds all of it.
        let state = self.log.progress().log();
        let key = (subject, environment.to_owned(), names.to_vec());
        if let Some(known) = self.pulls.at(&key, state, now) {
            return known;
        }
        let (gate, asked) = (Arc::clone(self), key.clone());
        let judged = self.evaluations.run(move || gate.judge_pull(&asked));
        match judged {
            Ok((pull, until)) => {
                let pull = Arc::new(pull);
                self.pulls.put(key, Standing { state, until, pull: Arc::clone(&pull) });
                pull
            }
            Err(failed) => {
                Arc::new(Pull::Refused { was_decided: false, reasons: vec![failed.why] })
            }
        }
    }

    fn judge_pull(&self, key: &Key) -> Result<(Pull, Option<UtcTime>), String> {
        let (subject, environment, names) = (key.0, key.1.as_str(), &key.2);
        let reader = self.store.reader();
        let size = reader.tree_size().map_err(|e| chain(&e))?;
        let now = self.moment(&reader, size, self.now()).map_err(|e| chain(&e))?;
        let about = Term::new(TermKind::Subject, Digest::from(subject).to_string());
        let passed = self.passed(&reader, about, environment).map_err(|e| chain(&e))?;
        let is_own =
            |details: &Details| details.name.as_ref().is_some_and(|name| names.contains(name));
        let own =
            passed.iter().find_map(|one| Some((one, one.details()?)).filter(|(_, d)| is_own(d)));
        let Some((evidence, details)) = own else {
            let name = names.first().map_or("", String::as_str);
            let why = format!(
                "expected a PASSED decision for {environment} about {name}, found none; ask for one with attestry gate {} --environment {environment} --name {name}",
                Digest::from(subject)
            );
            return Ok((Pull::Refused { was_decided: false, reasons: vec![why] }, None));
        };
        let configuration = details.configuration.as_ref().and_then(|text| text.parse().ok());
        let request = Request {
            subject,
            name: details.name.clone(),
            environment: environment.to_owned(),
            caller: details.caller.clone(),
            configuration,
        };
        let ruling = self.ruling(&reader).map_err(|e| chain(&e))?;
        let deployment = evidence.digest();
        let run = Run { deployment, name: details.name.clone(), because: None, since: None };
        let question =
            Question { purpose: Purpose::Run(run), ..self.question(&request, now, size) };
        let gathered = self.gather(&reader, &question, &ruling).map_err(|e| chain(&e))?;
        let decision = self.evaluate(&question, &ruling, &gathered, &reader);
        let until = decision.until();
        let pull = match decision.passed() {
            true => Pull::Allowed(evidence.digest()),
            false => Pull::Refused { was_decided: true, reasons: reasons(decision.details()) },
        };
        Ok((pull, until))
    }
}
