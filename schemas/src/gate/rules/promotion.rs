//! `promotion`: it was allowed into an earlier environment, ran there for a while, and nothing was wrong.

use std::collections::{BTreeMap, BTreeSet};

use super::super::answer::{Answer, Judgement};
use super::super::authorized::{Cause, Entry, same_question};
use super::super::case::{Case, Counted, later, short};
use super::super::decision::{Details, PolicyDetails};
use super::super::evidence::{Evidence, Said};
use super::running::{deployment, deployments};
use crate::digest::{Digest, DigestSet, Sha256};
use crate::document::{Duration, duration::lasting};
use crate::predicate::UtcTime;
use crate::predicate::attestry::environment::{Deployment, DeploymentKind};
use crate::predicate::vsa::{GATE_EXTENSION, VerificationResult};
use crate::statement::ResourceDescriptor;
use crate::verify::Signer;

pub(super) fn judge(case: &Case<'_>, from: &str, soak: Duration) -> Judgement {
    let wanted =
        format!("a passed decision for {from} and {soak} of running there without an issue");
    let name =
        case.question.name.as_ref().map_or_else(String::new, |name| format!(" --name {name}"));
    let fix = format!(
        "deploy it to {from} first: attestry gate ARTIFACT --environment {from}{name}, then attestry deploy record ARTIFACT --environment {from}{name} --decision DECISION --key KEY --registry URL"
    );
    let decisions = decisions(case, from);
    let Some(passed) = decisions.iter().find(|decision| decision.passed) else {
        let (found, on) = match decisions.first() {
            Some(denied) => {
                let digest = denied.evidence.digest();
                let why = match denied.is_emergency {
                    true => "no decision lets it into {from} but in an emergency",
                    false => "every decision for {from} denies it",
                };
                let why = why.replace("{from}", from);
                (format!("{why} ({})", short(digest)), Some(digest))
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
    let on = passed.evidence.digest();
    match history(case, from, &decisions) {
        Run::Never(None) => {
            let found = format!("allowed in {from}, and not deployed there by such a decision");
            Judgement::fail("deployment", wanted, found, fix).on([on])
        }
        Run::Never(Some((statement, cause))) => {
            let found = format!("deployed in {from} without authorization: {cause}");
            Judgement::fail("deployment", wanted, found, fix).on([on, statement])
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
    /// Whether it lets the artifact in by what its policies ask: an emergency is one of its environment alone.
    passed: bool,
    is_emergency: bool,
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
            (policy.result == VerificationResult::Failed || policy.break_glass.is_some())
                && before.policies.iter().any(|other| other.name == policy.name)
        };
        let mut rules = mine.enforcing().filter(denies).flat_map(|policy| &policy.rules);
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
        let has_passed = summary.verification_result == VerificationResult::Passed;
        let is_emergency =
            has_passed && details.is_some_and(|details| details.broken_glass().next().is_some());
        let passed = has_passed && !is_emergency;
        (here == Some(environment)).then_some(Decided { evidence, details, passed, is_emergency })
    };
    let all = case.evidence.iter().map(|one| one.evidence).filter(of_gate);
    let mut found: Vec<_> = all.filter_map(decided).collect();
    found.reverse();
    found
}

/// How the artifact ran in an environment.
#[derive(Clone, Copy)]
enum Run {
    /// Not by a decision that allows it, and why a deployment that there was is none.
    Never(Option<(Sha256, Cause)>),
    Left(Sha256, UtcTime),
    RolledBack(Sha256, UtcTime),
    Runs {
        statement: Sha256,
        since: UtcTime,
        replaced: Option<UtcTime>,
    },
}

/// Follows the statements about an environment in the order of the log, for each name by which the artifact ran there. How long something
/// ran is told by when the log held them: what a statement claims could make it longer. Of several names a rollback is told first, unless it
/// entered again since by any of them, then where it ran the longest.
fn history(case: &Case<'_>, environment: &str, decisions: &[Decided<'_>]) -> Run {
    let subject = case.subject();
    let mut all = deployments(case, environment);
    all.sort_by_key(|one| one.evidence.index());
    let mine: Vec<_> = all.iter().filter(|one| one.evidence.is_about(&subject)).collect();
    let mut names: BTreeSet<&str> = case.names.iter().map(String::as_str).collect();
    names.extend(mine.iter().flat_map(|one| one.evidence.names_of(&subject)));
    let mut runs: BTreeMap<Option<&str>, Run> = BTreeMap::new();
    let mut refused = None;
    for one in &all {
        let Some(deployment) = deployment(one) else { continue };
        let here = names_in(one, &subject);
        if deployment.kind == DeploymentKind::Decommissioned {
            leave(&mut runs, one, &here);
            continue;
        }
        replace(&mut runs, one, deployment, &subject, &names);
        for name in here {
            if runs.get(&name).is_some_and(Run::goes_on) {
                continue;
            }
            match authorized(case, one, deployment, name, decisions) {
                Ok(()) => {
                    // After a rollback it soaks anew, wherever it ran before.
                    if runs.values().any(|run| matches!(run, Run::RolledBack(..))) {
                        runs.clear();
                    }
                    let (statement, since) = (one.digest(), one.evidence.logged_at());
                    runs.insert(name, Run::Runs { statement, since, replaced: None });
                }
                Err(cause) => refused = Some((one.digest(), cause)),
            }
        }
    }
    let now = case.now();
    runs.into_values().max_by_key(|run| run.rank(now)).unwrap_or(Run::Never(refused))
}

impl Run {
    fn goes_on(&self) -> bool {
        matches!(self, Self::Runs { replaced: None, .. })
    }

    /// Which of several is told: the greatest.
    fn rank(&self, now: UtcTime) -> (u8, i64) {
        match self {
            Self::RolledBack(..) => (2, 0),
            Self::Runs { since, replaced, .. } => {
                (1, replaced.unwrap_or(now).unix_seconds() - since.unix_seconds())
            }
            Self::Left(..) | Self::Never(_) => (0, 0),
        }
    }
}

/// What a statement that the artifact has left ends: what it names, or all without a name.
fn leave(runs: &mut BTreeMap<Option<&str>, Run>, one: &Counted<'_>, here: &[Option<&str>]) {
    for (name, run) in runs.iter_mut().filter(|(_, run)| run.goes_on()) {
        let is_meant = |here: &Option<&str>| here.is_none() || name.is_none() || here == name;
        if here.iter().any(is_meant) {
            *run = Run::Left(one.digest(), one.evidence.logged_at());
        }
    }
}

/// The names that a statement gives the artifact.
fn names_in<'c>(one: &Counted<'c>, subject: &Digest) -> Vec<Option<&'c str>> {
    let is_it = |set: &DigestSet| set.contains(subject);
    let subjects = one.evidence.subjects().iter();
    let mine = subjects.filter(|subject| subject.digest.as_ref().is_some_and(is_it));
    mine.map(|subject| subject.name.as_deref()).collect()
}

/// What other artifacts that enter take the place of.
fn replace(
    runs: &mut BTreeMap<Option<&str>, Run>,
    one: &Counted<'_>,
    deployment: &Deployment,
    subject: &Digest,
    names: &BTreeSet<&str>,
) {
    let at = one.evidence.logged_at();
    let is_mine = one.evidence.is_about(subject);
    let is_replaced =
        !is_mine && deployment.replaces.as_ref().is_some_and(|set| set.contains(subject));
    let is_other = |other: &&ResourceDescriptor| {
        !other.digest.as_ref().is_some_and(|set| set.contains(subject))
    };
    let others = one.evidence.subjects().iter().filter(is_other);
    let others = others.filter_map(|other| other.name.as_deref());
    let others: BTreeSet<&str> = others.filter(|name| names.contains(name)).collect();
    for (name, run) in runs.iter_mut() {
        let Run::Runs { statement, since, replaced: None } = *run else { continue };
        let takes_place = match name {
            _ if is_replaced => true,
            Some(name) => others.contains(name),
            // What runs without a name is called whatever the artifact is.
            None => !is_mine && !others.is_empty(),
        };
        if takes_place {
            *run = match deployment.kind {
                DeploymentKind::RolledBack => Run::RolledBack(one.digest(), at),
                _ => Run::Runs { statement, since, replaced: Some(at) },
            };
        }
    }
}

/// Whether a deployment was authorized by one of the decisions that passed, as what is told of deployments has it.
fn authorized(
    case: &Case<'_>,
    one: &Counted<'_>,
    deployment: &Deployment,
    name: Option<&str>,
    decisions: &[Decided<'_>],
) -> Result<(), Cause> {
    let named = deployment.decision.as_ref().ok_or(Cause::NoDecision)?;
    let index = one.evidence.index();
    let is_it = |decision: &&Decided<'_>| named.contains(&decision.evidence.digest().into());
    let before = decisions.iter().filter(|decision| decision.evidence.index() < index);
    let decision = before.clone().find(is_it).ok_or(Cause::UnknownDecision)?;
    let entry = Entry {
        subject: case.question.subject,
        environment: &deployment.environment,
        name,
        began: deployment.started_at.min(one.evidence.logged_at()),
        held: one.evidence.logged_at(),
    };
    match entry.why_not(decision.evidence) {
        Some(cause) => return Err(cause),
        None if !decision.passed => return Err(Cause::FailedDecision),
        None => {}
    }
    let details = decision.details.ok_or(Cause::UnknownDecision)?;
    let newer = before.filter(|other| other.evidence.index() > decision.evidence.index());
    // The newest comes first.
    match newer.filter_map(|other| same_question(details, other.evidence)).next() {
        Some(false) => Err(Cause::SupersededDecision),
        Some(true) | None => Ok(()),
    }
}
