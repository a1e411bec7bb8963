//! Waivers and broken glass: exceptions that people sign, which end by themselves.
//!
//! An exception is the consent of k distinct signers to one and the same payload. Two payloads never add
//! up, a signer counts once however many keys it has, and nothing is covered but what the payload names.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::{Judgement, Outcome, earlier};
use super::case::{Case, Counted, later};
use super::evidence::Said;
use crate::digest::{Digest, Sha256};
use crate::policy::{Demand, Exceptions, Policy};
use crate::predicate::UtcTime;
use crate::predicate::attestry::governance::{BreakGlass, Waiver};

/// A broken glass that counts.
pub(super) struct Broken {
    pub(super) expires: UtcTime,
    pub(super) told: super::decision::BrokenGlass,
}

/// Takes the findings off a failure that waivers cover. All must be covered for it to be waived.
pub(super) fn waive(judgement: &mut Judgement, rule: &str, policy: &Policy, case: &Case<'_>) {
    let Some(terms) = &policy.waivers else { return };
    if !terms.rules.is_empty() && !terms.rules.iter().any(|id| id == rule) {
        return;
    }
    let waivers = granted(terms, case, |said| match said {
        Said::Waiver(waiver) if applies(waiver, rule, case) => Some(waiver.until),
        _ => None,
    });
    let mut until = None;
    for finding in &mut judgement.findings {
        for (envelopes, expires) in &waivers {
            let names = envelopes.iter().any(|one| match one.evidence.said() {
                Said::Waiver(waiver) => waiver.finding == finding.id,
                _ => false,
            });
            if names {
                let digests = envelopes.iter().map(|one| Digest::from(one.digest()).to_string());
                finding.waived_by = digests.collect();
                judgement.evidence.extend(envelopes.iter().map(Counted::digest));
                until = earlier(until, Some(*expires));
            }
        }
    }
    judgement.evidence.sort();
    judgement.evidence.dedup();
    judgement.until = earlier(judgement.until, until);
    let covered = judgement.findings.iter().all(|finding| !finding.waived_by.is_empty());
    if covered && !judgement.findings.is_empty() {
        judgement.outcome = Outcome::Waived;
    }
}

fn applies(waiver: &Waiver, rule: &str, case: &Case<'_>) -> bool {
    let here = waiver.environment.as_ref().is_none_or(|env| *env == case.question.environment);
    waiver.rule == rule && here
}

/// The broken glass for the artifact in the environment, if the policy allows one and enough have signed.
pub(super) fn broken_glass(policy: &Policy, case: &Case<'_>) -> Option<Broken> {
    let terms = policy.break_glass.as_ref()?;
    let here = |glass: &BreakGlass| glass.environment == case.question.environment;
    let granted = granted(terms, case, |said| match said {
        Said::BreakGlass(glass) if here(glass) => Some(glass.expires),
        _ => None,
    });
    // One digest: an emergency is about one artifact, not about whatever stands in a list.
    let is_about_one = |one: &Counted<'_>| one.evidence.subjects().len() == 1;
    let mut granted = granted.into_iter();
    let (envelopes, expires) = granted.find(|(all, _)| all.iter().all(is_about_one))?;
    let first = envelopes.first()?;
    let Said::BreakGlass(glass) = first.evidence.said() else { return None };
    let told = super::decision::BrokenGlass {
        reason: glass.reason.clone(),
        expires: glass.expires,
        review_by: glass.review_by,
        reviewers: glass.group.clone(),
        evidence: envelopes.iter().map(|one| Digest::from(one.digest()).to_string()).collect(),
        signers: envelopes.iter().map(|one| one.signer.name.clone()).collect(),
    };
    Some(Broken { expires, told })
}

/// The exceptions for the artifact that enough distinct signers of the quorum have signed, that are in force and do
/// not last longer than the policy allows, each with its end.
fn granted<'c>(
    terms: &Exceptions,
    case: &Case<'c>,
    ends: impl Fn(&Said) -> Option<UtcTime>,
) -> Vec<(Vec<Counted<'c>>, UtcTime)> {
    let demand = Demand { signers: vec![terms.quorum.group.clone()], max_age: None };
    let selection = case.select(&demand, |said| ends(said).is_some());
    let mut by_payload: BTreeMap<Sha256, Vec<Counted<'c>>> = BTreeMap::new();
    for one in selection.counted {
        by_payload.entry(one.evidence.payload()).or_default().push(one);
    }
    let mut granted = Vec::new();
    for mut envelopes in by_payload.into_values() {
        envelopes.sort_by_key(|one| one.evidence.index());
        let mut names = BTreeSet::new();
        envelopes.retain(|one| names.insert(one.signer.name.as_str()));
        let Some(end) = envelopes.first().and_then(|one| ends(one.evidence.said())) else {
            continue;
        };
        let first_logged = envelopes.iter().map(|one| one.evidence.logged_at()).min();
        let longest = first_logged.and_then(|at| later(at, terms.longest.seconds()));
        let fits = longest.is_some_and(|longest| end <= longest) && case.now() < end;
        if fits && names.len() as u64 >= terms.quorum.threshold {
            granted.push((envelopes, end));
        }
    }
    granted
}
