//! Whether an artifact may be pulled for an environment: by a decision that let it in and that still holds.
//!
//! The decision must be of this gate, PASSED, and about this artifact and environment. It still holds when what the
//! environment's policies ask of what runs there is fulfilled now, as for a deployment ([`Purpose::Run`]): a newer
//! scan, a revocation or a waiver that ended closes the door again. Nothing is recorded by looking.
//!
//! Answers are kept. One that allows stands until evidence comes, since further decisions take nothing away; one
//! that refuses until anything comes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use attestry_schemas::digest::{Digest, Sha256};
use attestry_schemas::gate::{Purpose, Question, Run};
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
pub(super) struct Pulls(Mutex<HashMap<(Sha256, String), Standing>>);

impl Pulls {
    fn at(&self, key: &(Sha256, String), state: LogState, now: UtcTime) -> Option<Arc<Pull>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(key).filter(|kept| kept.holds(state, now)).map(|kept| Arc::clone(&kept.pull))
    }

    fn put(&self, key: (Sha256, String), standing: Standing) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_KEPT {
            all.clear();
        }
        all.insert(key, standing);
    }
}

impl Gate {
    /// Whether an artifact may be pulled for an environment. What cannot be judged, or not in time, may not.
    #[must_use]
    pub fn pull(self: &Arc<Self>, subject: Sha256, environment: &str) -> Arc<Pull> {
        let now = self.now();
        // Taken before the view, so that the view holds all of it.
        let state = self.log.progress().log();
        let key = (subject, environment.to_owned());
        if let Some(known) = self.pulls.at(&key, state, now) {
            return known;
        }
        let (gate, environment) = (Arc::clone(self), environment.to_owned());
        let judged = self.evaluations.run(move || gate.judge_pull(subject, &environment, now));
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

    fn judge_pull(
        &self,
        subject: Sha256,
        environment: &str,
        now: UtcTime,
    ) -> Result<(Pull, Option<UtcTime>), String> {
        let reader = self.store.reader();
        let size = reader.tree_size().map_err(|e| chain(&e))?;
        let about = Term::new(TermKind::Subject, Digest::from(subject).to_string());
        let passed = self.passed(&reader, about, environment).map_err(|e| chain(&e))?;
        let Some((evidence, _, details)) = passed.into_iter().next() else {
            let fix =
                format!("attestry gate {} --environment {environment}", Digest::from(subject));
            let why = format!(
                "expected a PASSED decision for {environment}, found none; ask for one with {fix}"
            );
            return Ok((Pull::Refused { was_decided: false, reasons: vec![why] }, None));
        };
        let configuration = details.configuration.and_then(|text| text.parse().ok());
        let request = Request {
            subject,
            name: details.name,
            environment: environment.to_owned(),
            caller: details.caller,
            configuration,
        };
        let ruling = self.ruling(&reader).map_err(|e| chain(&e))?;
        let gathered = self.gather(&reader, &request, &ruling, size).map_err(|e| chain(&e))?;
        let run = Run { deployment: evidence.digest(), because: None, since: None };
        let question =
            Question { purpose: Purpose::Run(run), ..self.question(&request, now, size) };
        let decision = self.evaluate(&question, &ruling, &gathered, &reader);
        let until = decision.until();
        let pull = match decision.passed() {
            true => Pull::Allowed(evidence.digest()),
            false => Pull::Refused { was_decided: true, reasons: reasons(decision.details()) },
        };
        Ok((pull, until))
    }
}
