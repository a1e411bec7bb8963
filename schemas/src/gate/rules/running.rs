//! What runs in an environment, by the statements of its deployments.

use std::collections::BTreeSet;

use super::super::case::{Case, Counted};
use super::super::evidence::Said;
use crate::digest::{DigestSet, Sha256};
use crate::policy::Demand;
use crate::predicate::attestry::environment::{Deployment, DeploymentKind};

/// The statements about deployments in an environment that count, the newest first.
pub(super) fn deployments<'c>(case: &Case<'c>, environment: &str) -> Vec<Counted<'c>> {
    let selection = case.select_where(&Demand::default(), |evidence| match evidence.said() {
        Said::Deployment(deployment) => deployment.environment == environment,
        _ => false,
    });
    selection.counted
}

pub(super) fn deployment<'c>(one: &Counted<'c>) -> Option<&'c Deployment> {
    match one.evidence.said() {
        Said::Deployment(deployment) => Some(deployment),
        _ => None,
    }
}

/// What runs under one of the artifact's names, with the statement that brought it: the last that entered and has
/// neither left nor been replaced.
pub(in crate::gate) fn running<'c>(case: &Case<'c>) -> Option<(Sha256, Counted<'c>)> {
    let mut left: BTreeSet<Sha256> = BTreeSet::new();
    for one in deployments(case, &case.question.environment) {
        let Some(deployment) = deployment(&one) else { continue };
        for subject in one.evidence.subjects() {
            let Some(digest) = sha256(subject.digest.as_ref()) else { continue };
            let named = subject.name.as_ref().is_some_and(|name| case.names.contains(name));
            if left.contains(&digest) || !(named || digest == case.question.subject) {
                continue;
            }
            if deployment.kind != DeploymentKind::Decommissioned {
                return Some((digest, one));
            }
            left.insert(digest);
        }
        left.extend(sha256(deployment.replaces.as_ref()));
    }
    None
}

fn sha256(set: Option<&DigestSet>) -> Option<Sha256> {
    set?.iter().find_map(|digest| digest.as_sha256())
}
