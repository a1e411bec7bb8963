//! What runs in an environment, by the statements of its deployments.

use std::cmp::Ordering;

use super::super::case::{Case, Counted};
use super::super::evidence::Said;
use crate::digest::{DigestSet, Sha256};
use crate::policy::Demand;
use crate::predicate::attestry::environment::{Deployment, DeploymentKind};
use crate::statement::ResourceDescriptor;

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

/// The names whose places the artifact would take: the one that is asked for, or else all that it has.
pub(in crate::gate) fn names<'c>(case: &Case<'c>) -> Vec<&'c str> {
    match &case.question.name {
        Some(name) => vec![name.as_str()],
        None => case.names.iter().map(String::as_str).collect(),
    }
}

/// What was last brought to a name in the question's environment, with its statement. The order is that of the log, as it is for the
/// registry's own account of what runs.
pub(in crate::gate) fn entered<'c>(case: &Case<'c>, name: &str) -> Option<(Sha256, Counted<'c>)> {
    here(case).rev().find_map(|(one, deployment)| {
        if deployment.kind == DeploymentKind::Decommissioned {
            return None;
        }
        let (_, artifact) = digests(one).rfind(|(other, _)| *other == Some(name))?;
        Some((artifact, one))
    })
}

/// What runs by a name: what was last brought there, unless it has left or was replaced since.
pub(super) fn running<'c>(case: &Case<'c>, name: &str) -> Option<(Sha256, Counted<'c>)> {
    let (artifact, statement) = entered(case, name)?;
    let is_about = |(other, digest): (Option<&str>, Sha256)| {
        digest == artifact && other.is_none_or(|other| other == name)
    };
    let ends = |(one, deployment): &(Counted<'c>, &Deployment)| {
        let replaces = sha256(deployment.replaces.as_ref()) == Some(artifact);
        match one.evidence.index().cmp(&statement.evidence.index()) {
            Ordering::Less => false,
            // What the same statement brings after it takes its place, too.
            Ordering::Equal => {
                replaces && digests(*one).next_back() != Some((Some(name), artifact))
            }
            Ordering::Greater if deployment.kind == DeploymentKind::Decommissioned => {
                digests(*one).any(is_about)
            }
            Ordering::Greater => replaces,
        }
    };
    let is_over = here(case).any(|one| ends(&one));
    (!is_over).then_some((artifact, statement))
}

/// Every statement about deployments in the question's environment whose signer may make it, in the order of the log.
fn here<'c>(
    case: &Case<'c>,
) -> impl DoubleEndedIterator<Item = (Counted<'c>, &'c Deployment)> + use<'c> {
    let environment = case.question.environment.as_str();
    case.evidence.iter().filter_map(move |one| {
        let signer = *one.signer.as_ref().ok()?;
        let Said::Deployment(deployment) = one.evidence.said() else { return None };
        let counted = Counted::once(one.evidence, signer);
        (deployment.environment == environment).then_some((counted, deployment.as_ref()))
    })
}

/// The subjects of a statement that have a SHA-256, in their order, each with its name.
fn digests<'c>(
    one: Counted<'c>,
) -> impl DoubleEndedIterator<Item = (Option<&'c str>, Sha256)> + use<'c> {
    let digest = |subject: &'c ResourceDescriptor| {
        Some((subject.name.as_deref(), sha256(subject.digest.as_ref())?))
    };
    one.evidence.subjects().iter().filter_map(digest)
}

fn sha256(set: Option<&DigestSet>) -> Option<Sha256> {
    set?.iter().find_map(|digest| digest.as_sha256())
}
