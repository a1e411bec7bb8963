//! What runs where, as it is answered: since when, by which decision, and whether it would still be allowed.

use std::sync::Arc;

use super::deployments::Deployment;
use super::{Gate, GateError};

/// The most deployments of one answer.
pub const MAX_ITEMS: usize = 10_000;

/// A deployment with its state.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// The deployment.
    pub deployment: Deployment,
    /// Whether it runs.
    pub running: bool,
    /// Whether it was allowed, and would still be; of what no longer runs, whether it was until then.
    pub compliant: bool,
    /// Why it was not authorized; of what was, why it would not be allowed.
    pub reasons: Vec<String>,
}

impl Gate {
    /// What runs, by environment and name; with `past` every statement about deployments, the newest first. At most
    /// [`MAX_ITEMS`], and whether there are more.
    ///
    /// # Errors
    /// [`GateError`].
    pub fn status(
        self: &Arc<Self>,
        environment: Option<&str>,
        past: bool,
    ) -> Result<(Vec<Status>, bool), GateError> {
        let ledger = self.ledger()?;
        let is_here = |one: &&Deployment| environment.is_none_or(|only| only == one.environment);
        let found: Vec<&Deployment> = match past {
            true => {
                ledger.counted.deployments.newest().filter(is_here).take(MAX_ITEMS + 1).collect()
            }
            false => {
                let running =
                    ledger.counted.deployments.running().map(|(_, deployment)| deployment);
                running.filter(is_here).take(MAX_ITEMS + 1).collect()
            }
        };
        let more = found.len() > MAX_ITEMS;
        let mut all = Vec::new();
        for deployment in found.into_iter().take(MAX_ITEMS) {
            let place = deployment.place();
            let running =
                ledger.counted.deployments.at(&place).is_some_and(|runs| runs == deployment);
            let standing = ledger.standing(&place, deployment).filter(|_| running);
            let found = standing.map_or(&[][..], |standing| standing.reasons.as_slice());
            all.push(Status {
                running,
                compliant: ledger.is_compliant(&place, deployment),
                reasons: reasons(deployment, found),
                deployment: deployment.clone(),
            });
        }
        drop(ledger);
        self.assess_new(&mut all)?;
        Ok((all, more))
    }

    /// Assesses what was deployed a moment ago, so that no answer precedes the monitor.
    fn assess_new(self: &Arc<Self>, all: &mut [Status]) -> Result<(), GateError> {
        /// The most that one answer assesses; the monitor does the rest.
        const MAX_ASSESSED: usize = 20;
        let is_new = |one: &&mut Status| one.running && !self.is_assessed(&one.deployment);
        let mut failed = None;
        for status in all.iter_mut().filter(is_new).take(MAX_ASSESSED) {
            // Where one could not be assessed in time, the next ones would not be either.
            let assessed = match &failed {
                None => self.assess_running(&status.deployment, None, self.now()),
                Some(why) => Err(GateError::Unassessed(String::clone(why))),
            };
            let assessed = match assessed {
                Err(GateError::Unassessed(why)) => {
                    status.compliant = false;
                    status.reasons.push(format!("it could not be assessed: {why}"));
                    failed = Some(why);
                    continue;
                }
                assessed => assessed?,
            };
            status.compliant = status.deployment.cause().is_none() && assessed.standing.compliant;
            status.reasons = reasons(&status.deployment, &assessed.standing.reasons);
        }
        Ok(())
    }

    fn is_assessed(&self, deployment: &Deployment) -> bool {
        let ledger = self.ledger.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        ledger.standing(&deployment.place(), deployment).is_some()
    }
}

/// What is told of a deployment of which this would not be allowed. What was not authorized is flagged for that, whatever rules
/// would say of it: they were not asked, or not about this.
fn reasons(deployment: &Deployment, found: &[String]) -> Vec<String> {
    match deployment.cause() {
        Some(cause) => vec![cause.to_string()],
        None => found.to_vec(),
    }
}
