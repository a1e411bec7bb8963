//! Decisions that are given again, to whoever asks the same while nothing has changed that they depend on.
//!
//! Two ways lead to one. By what it stands on, the [`Situation`]: that must be gathered first. And by the state of the log in
//! which it stood: who rules and what is evidence follow from the log alone, so nothing needs to be gathered to know that
//! nothing has changed. Most of what comes into a busy log are the gate's own decisions, which are evidence for later
//! environments alone; where no policy asks for those, they change nothing.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use attestry_schemas::digest::Sha256;
use attestry_schemas::predicate::UtcTime;

use super::{Decided, Request};
use crate::log::LogState;

/// The most decisions that are kept in either way; beyond, all make room.
const MAX_KEPT: usize = 20_000;

/// What a verdict depends on; while it is the same, so is the verdict, until its moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Situation {
    pub(super) request: Request,
    pub(super) roster: Option<Sha256>,
    pub(super) policies: Vec<Sha256>,
    /// The newest governance statement, and how many leaves were completed: a revocation changes neither roster nor policy.
    pub(super) governed_at: (u64, u64),
    pub(super) evidence: Vec<u64>,
}

/// A decision that stood at a state of the log.
#[derive(Debug, Clone)]
struct Standing {
    state: LogState,
    /// Whether decisions of the gate are evidence.
    has_decisions: bool,
    decided: Decided,
}

impl Standing {
    fn holds_at(&self, state: LogState) -> bool {
        let same_leaves = match self.has_decisions {
            true => self.state.size == state.size,
            false => self.state.others == state.others,
        };
        same_leaves && self.state.completed == state.completed
    }
}

/// The decisions.
#[derive(Debug, Default)]
pub(super) struct Kept {
    at_state: Mutex<HashMap<Request, Standing>>,
    by_situation: Mutex<HashMap<Situation, Decided>>,
}

impl Kept {
    /// The decision about a request that stands at a state of the log.
    pub(super) fn at(&self, state: LogState, request: &Request, now: UtcTime) -> Option<Decided> {
        let all = self.at_state.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.get(request).filter(|known| known.holds_at(state))?;
        in_time(&known.decided, now)
    }

    /// The decision of a situation.
    pub(super) fn of(&self, situation: &Situation, now: UtcTime) -> Option<Decided> {
        let all = self.by_situation.lock().unwrap_or_else(PoisonError::into_inner);
        in_time(all.get(situation)?, now)
    }

    /// Says that a decision stands at a state of the log, of which all that it looked at was at least as new.
    pub(super) fn stands(
        &self,
        state: LogState,
        has_decisions: bool,
        decided: &Decided,
        request: &Request,
    ) {
        let standing = Standing { state, has_decisions, decided: decided.clone() };
        put(&self.at_state, request.clone(), standing);
    }

    /// Keeps the decision of a situation.
    pub(super) fn put(&self, situation: Situation, decided: Decided) {
        put(&self.by_situation, situation, decided);
    }
}

fn in_time(decided: &Decided, now: UtcTime) -> Option<Decided> {
    decided.decision.until().is_none_or(|until| now < until).then(|| decided.clone())
}

fn put<K: Hash + Eq, V>(all: &Mutex<HashMap<K, V>>, key: K, value: V) {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    if all.len() >= MAX_KEPT {
        all.clear();
    }
    all.insert(key, value);
}
