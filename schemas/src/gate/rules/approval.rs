//! `approval`: k distinct people consent, none of whom wrote, built or deploys it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::answer::{Judgement, earlier};
use super::super::case::{Case, Counted, by, joined};
use super::super::evidence::Said;
use super::source;
use crate::policy::{Demand, Role};
use crate::predicate::UtcTime;
use crate::predicate::attestry::governance::{Approval, ApprovalPurpose};

pub(super) fn judge(
    case: &Case<'_>,
    demand: &Demand,
    threshold: u64,
    distinct_from: &[Role],
) -> Judgement {
    let environment = &case.question.environment;
    let runs = case.question.purpose.is_run();
    // What somebody consented to has happened: that the consent has ended since then is no matter.
    let ageless = Demand { max_age: None, ..demand.clone() };
    let demand = if runs { &ageless } else { demand };
    let mut wanted = format!("the consent of {threshold} of {} to {environment}", by(demand));
    if !distinct_from.is_empty() {
        let roles: Vec<&str> = distinct_from.iter().map(|role| role.name()).collect();
        wanted += &format!(", none of them its {}", joined(&roles, ""));
    }
    let fix =
        format!("attestry approve ARTIFACT --environment {environment} --key KEY --registry URL");
    let mut barred = BTreeMap::new();
    for role in distinct_from {
        let names = who(case, *role);
        if let Some((found, fix)) = unknown(case, *role, &names) {
            let found = format!("{found}, so nobody is known to be another");
            return Judgement::fail(role.name(), wanted, found, fix);
        }
        barred.extend(names.into_iter().map(|name| (name, role.name())));
    }
    let given = consents(case, demand, ApprovalPurpose::Deployment);
    let (mut names, mut aside) = (BTreeSet::new(), given.aside);
    let (mut evidence, mut until) = (Vec::new(), None);
    for (one, expires) in given.counted {
        if let Some(role) = barred.get(&one.signer.name) {
            aside.push(format!("{} is its {role}", one.signer.name));
        } else if names.insert(one.signer.name.as_str()) {
            evidence.push(one.digest());
            until = earlier(until, Some(expires));
        }
    }
    let until = until.filter(|_| !runs);
    let told = joined(&names.iter().copied().collect::<Vec<_>>(), "nobody");
    if names.len() as u64 >= threshold {
        return Judgement::pass(wanted, format!("approved by {told}")).on(evidence).until(until);
    }
    aside.dedup();
    let not = if aside.is_empty() { String::new() } else { format!("; {}", joined(&aside, "")) };
    let found = format!("{} of {threshold}: {told}{not}", names.len());
    Judgement::fail("approval", wanted, found, fix).on(evidence).until(until)
}

/// Consents with the moment from which on each no longer counts, and why others are none.
pub(super) struct Consents<'c> {
    pub(super) counted: Vec<(Counted<'c>, UtcTime)>,
    pub(super) aside: Vec<String>,
}

/// The consents to the artifact in the environment for one purpose that are in force.
pub(super) fn consents<'c>(
    case: &Case<'c>,
    demand: &Demand,
    purpose: ApprovalPurpose,
) -> Consents<'c> {
    let environment = &case.question.environment;
    let serves = |approval: &Approval| {
        approval.environment == *environment && purpose_of(approval) == purpose
    };
    let selection = case.select(demand, |said| match said {
        Said::Approval(approval) => serves(approval),
        _ => false,
    });
    let ends: Vec<_> = selection.counted.iter().map(|one| selection.expires(one)).collect();
    let mut aside = selection.aside();
    // Of consents to something else, those of the people who are asked for are worth a word.
    let others = case.select(demand, |said| match said {
        Said::Approval(approval) => !serves(approval),
        _ => false,
    });
    for one in &others.counted {
        let Some(approval) = approval(one) else { continue };
        let name = &one.signer.name;
        aside.push(if approval.environment == *environment {
            match purpose_of(approval) {
                ApprovalPurpose::Rollback => format!("{name}'s is for a rollback"),
                ApprovalPurpose::Deployment => {
                    format!("{name}'s is for a deployment, not a rollback")
                }
            }
        } else {
            format!("{name}'s is for {}", approval.environment)
        });
    }
    let mut counted = Vec::new();
    for (one, too_old) in selection.counted.into_iter().zip(ends) {
        let Some(approval) = approval(&one) else { continue };
        if case.question.purpose.is_run() || case.now() < approval.expires {
            let end = too_old.map_or(approval.expires, |moment| moment.min(approval.expires));
            counted.push((one, end));
        } else {
            aside.push(format!("{}'s expired at {}", one.signer.name, approval.expires));
        }
    }
    Consents { counted, aside }
}

fn purpose_of(approval: &Approval) -> ApprovalPurpose {
    approval.purpose.unwrap_or(ApprovalPurpose::Deployment)
}

fn approval<'c>(one: &Counted<'c>) -> Option<&'c Approval> {
    match one.evidence.said() {
        Said::Approval(approval) => Some(approval),
        _ => None,
    }
}

/// Why it is not known who has a role in the artifact, with what to do: nothing says so, or it is no signer of the roster, by their
/// own word for themselves. Who signs might be they.
fn unknown(case: &Case<'_>, role: Role, names: &BTreeSet<String>) -> Option<(String, String)> {
    let evidence = "provide the evidence that names them: provenance for the builder, a review for the author, a known caller for the deployer";
    let unwritten = if role == Role::Author { source::without_author(case) } else { None };
    let nobody = || names.is_empty().then(|| format!("no evidence of who its {} is", role.name()));
    if let Some(found) = unwritten.or_else(nobody) {
        return Some((found, evidence.to_owned()));
    }
    if role != Role::Author {
        return None;
    }
    let roster = case.trust.roster();
    let is_signer = |name: &&String| roster.signers.iter().any(|entry| entry.name == **name);
    let stranger = names.iter().find(|name| !is_signer(name))?;
    let found = format!("{stranger:?}, whom the roster does not know, as its {}", role.name());
    let fix = format!(
        "add {stranger:?} to the principals of the signer whom it means, and publish the roster"
    );
    Some((found, fix))
}

/// The signers who have a role in the artifact.
fn who(case: &Case<'_>, role: Role) -> BTreeSet<String> {
    match role {
        Role::Author => source::authors(case),
        Role::Builder => {
            let built = case.select(&Demand::default(), |s| matches!(s, Said::Provenance(..)));
            built.counted.iter().map(|one| one.signer.name.clone()).collect()
        }
        Role::Deployer => case.caller().map(str::to_owned).into_iter().collect(),
    }
}
