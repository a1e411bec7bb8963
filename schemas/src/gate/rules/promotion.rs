//! `promotion`: it was allowed into an earlier environment, ran there for a while, and nothing was wrong.

use std::collections::BTreeSet;

use super::super::answer::{Answer, Judgement};
use super::super::case::{Case, Counted, later, short};
use super::super::decision::{Details, PolicyDetails};
use super::super::evidence::{Evidence, Said};
use super::running::{deployment, deployments};
use crate::digest::Sha256;
use crate::document::{Duration, duration::lasting};
use crate::predicate::UtcTime;
use crate::predicate::attestry::environment::DeploymentKind;
use crate::predicate::vsa::{GATE_EXTENSION, VerificationResult};
use crate::verify::Signer;

pub(super) fn judge(case: &Case<'_>, from: &str, soak: Duration) -> Judgement {
    let wanted =
        format!("a passed decision for {from} and {soak} of running there without an issue");
    let fix = format!(
        "deploy it to {from} first: attestry gate ARTIFACT --environment {from}, then attestry deploy record"
    );
    let decisions = decisions(case, from);
    let Some(passed) = decisions.iter().find(|decision| decision.passed) else {
        let (found, on) = match decisions.first() {
            Some(denied) => {
                let digest = denied.evidence.digest();
                (format!("every decision for {from} denies it ({})", short(digest)), Some(digest))
            }
            None => (format!("no decision for {from}"), None),
        };
        return Judgement::fail("decision", wanted, found, fix).on(on);
    };
    let newer = decisions.iter().take_while(|decision| !decision.passed);
    if let Some(issue) = newer.into_iter().find(|decision| decision.is_issue_after(passed)) {
        let digest = issue.evidence.digest();
        let found = format!("a newer decision for {from} ({}) denies it", short(digest));
        return Judgement::fail("issue", wanted, found, fix).on([digest]);
    }
    let allowed: BTreeSet<Sha256> = decisions
        .iter()
        .filter(|decision| decision.passed)
        .map(|decision| decision.evidence.digest())
        .collect();
    let on = passed.evidence.digest();
    match history(case, from, &allowed) {
        Run::Never => {
            let found = format!("allowed in {from}, and not deployed there by such a decision");
            Judgement::fail("deployment", wanted, found, fix).on([on])
        }
        Run::Left(statement, at) => {
            let found = format!("it left {from} at {at}");
            Judgement::fail("issue", wanted, found, fix).on([on, statement])
        }
        Run::RolledBack(statement, at) => {
            let found = format!("it was rolled back in {from} at {at}");
            Judgement::fail("issue", wanted, found, fix).on([on, statement])
        }
        Run::Runs { statement, since, replaced } => {
            let until = replaced.unwrap_or(case.now());
            let ran = lasting(until.unix_seconds() - since.unix_seconds());
            let end = later(since, soak.seconds());
            if end.is_some_and(|end| until >= end) {
                let found = format!("it ran in {from} for {ran}");
                return Judgement::pass(wanted, found).on([on, statement]);
            }
            let found = format!("it ran in {from} for {ran} of {soak}");
            let end = end.filter(|_| replaced.is_none());
            let fix = end.map_or(fix, |end| format!("wait until {end}"));
            Judgement::fail("soak", wanted, found, fix).on([on, statement]).until(end)
        }
    }
}

/// A decision of the gate about the artifact.
struct Decided<'c> {
    evidence: &'c Evidence,
    /// None where they do not read.
    details: Option<&'c Details>,
    passed: bool,
}

impl Decided<'_> {
    /// Whether this denial tells that something is wrong with what was allowed before: a policy that let it pass denies
    /// it for what it is. Who asked, when, and by which name is the matter of that question only; otherwise
    /// anyone could stop a promotion by a question that must be denied.
    fn is_issue_after(&self, passed: &Self) -> bool {
        let (Some(mine), Some(before)) = (self.details, passed.details) else {
            return true;
        };
        let denies = |policy: &&PolicyDetails| {
            policy.mode == "enforce"
                && policy.result == VerificationResult::Failed
                && before.policies.iter().any(|other| other.name == policy.name)
        };
        let mut rules = mine.policies.iter().filter(denies).flat_map(|policy| &policy.rules);
        rules.any(is_about_artifact)
    }
}

/// Whether an answer denies for the artifact itself.
fn is_about_artifact(answer: &Answer) -> bool {
    let circumstances =
        ["deployer", "window", "approval", "readiness", "no-rollback", "promotion", "policy"];
    match answer.outcome.is_good() {
        true => false,
        false if answer.any.is_empty() => !circumstances.contains(&answer.kind.as_str()),
        false => answer.any.iter().all(is_about_artifact),
    }
}

/// The gate's own decisions about the artifact for an environment, the newest first. Nobody else's count.
fn decisions<'c>(case: &Case<'c>, environment: &str) -> Vec<Decided<'c>> {
    let subject = case.subject();
    let gate = Signer::Key(case.trust.gate());
    let of_gate = |one: &&Evidence| *one.signer() == gate && one.is_about(&subject);
    let decided = |evidence: &'c Evidence| {
        let Said::Summary(summary, details) = evidence.said() else { return None };
        let details = details.as_deref();
        // A denial by a later version of the program is one, though not all that it says is read.
        let unread = || summary.extensions.get(GATE_EXTENSION)?.get("environment")?.as_str();
        let here = details.map_or_else(unread, |details| Some(details.environment.as_str()));
        let passed = summary.verification_result == VerificationResult::Passed;
        (here == Some(environment)).then_some(Decided { evidence, details, passed })
    };
    let all = case.evidence.iter().map(|one| one.evidence).filter(of_gate);
    let mut found: Vec<_> = all.filter_map(decided).collect();
    found.reverse();
    found
}

/// How the artifact ran in an environment.
enum Run {
    Never,
    Left(Sha256, UtcTime),
    RolledBack(Sha256, UtcTime),
    Runs { statement: Sha256, since: UtcTime, replaced: Option<UtcTime> },
}

/// Follows the statements about an environment in the order of the log. How long something ran is told by when the log held
/// them: what a statement claims could make it longer.
fn history(case: &Case<'_>, environment: &str, allowed: &BTreeSet<Sha256>) -> Run {
    let subject = case.subject();
    let mut all = deployments(case, environment);
    all.sort_by_key(|one| one.evidence.index());
    let mine: Vec<_> = all.iter().filter(|one| one.evidence.is_about(&subject)).collect();
    let mut names: BTreeSet<&str> = case.names.iter().map(String::as_str).collect();
    names.extend(mine.iter().flat_map(|one| one.evidence.names_of(&subject)));
    let mut run = Run::Never;
    for one in &all {
        let Some(deployment) = deployment(one) else { continue };
        let at = one.evidence.logged_at();
        let is_mine = one.evidence.is_about(&subject);
        let entered = deployment.kind != DeploymentKind::Decommissioned;
        let of_gate = deployment.decision.as_ref().is_some_and(|decision| {
            decision.iter().any(|d| d.as_sha256().is_some_and(|d| allowed.contains(&d)))
        });
        let takes_place = entered
            && (deployment.replaces.as_ref().is_some_and(|set| set.contains(&subject))
                || is_named(one, &names));
        run = match run {
            Run::Runs { replaced: None, .. } if is_mine && !entered => Run::Left(one.digest(), at),
            Run::Runs { replaced: None, .. } if is_mine => run,
            Run::Runs { statement, since, replaced: None } if takes_place => {
                match deployment.kind {
                    DeploymentKind::RolledBack => Run::RolledBack(one.digest(), at),
                    _ => Run::Runs { statement, since, replaced: Some(at) },
                }
            }
            _ if is_mine && entered && of_gate => {
                Run::Runs { statement: one.digest(), since: at, replaced: None }
            }
            _ => run,
        };
    }
    run
}

fn is_named(one: &Counted<'_>, names: &BTreeSet<&str>) -> bool {
    let subjects = one.evidence.subjects().iter();
    subjects.filter_map(|subject| subject.name.as_deref()).any(|name| names.contains(name))
}
