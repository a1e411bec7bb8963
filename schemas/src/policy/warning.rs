//! What the author of a policy should look at twice, though it is no fault: what is never used, or never holds.

use std::collections::BTreeSet;

use super::{Policy, Rule, RuleKind, Severity};
use crate::document::expiry_warning;
use crate::predicate::{UtcTime, from_short};
use crate::roster::{Roster, SIGNATURE, Signer};

pub(super) fn of(policy: &Policy, now: UtcTime, roster: Option<&Roster>) -> Vec<String> {
    let mut all: Vec<String> = expiry_warning(policy.expires, now).into_iter().collect();
    for rule in policy.all_rules() {
        all.extend(
            of_rule(rule, policy, now).map(|warning| format!("rule {}: {warning}", rule.id)),
        );
        let beside = roster.into_iter().flat_map(|roster| {
            without_keys(rule, roster).into_iter().chain(without_right(rule, roster))
        });
        all.extend(beside.map(|warning| format!("rule {}: {warning}", rule.id)));
    }
    all
}

fn of_rule<'p>(
    rule: &'p Rule,
    policy: &Policy,
    now: UtcTime,
) -> Box<dyn Iterator<Item = String> + 'p> {
    match &rule.kind {
        RuleKind::Promotion { from, .. } => {
            let is_own = policy.environments.iter().any(|pattern| pattern.matches(from));
            Box::new(is_own.then(|| into_itself(from)).into_iter())
        }
        RuleKind::VulnScan { block, leeway, .. } => {
            let unused = leeway.keys().filter(move |severity| *severity < block);
            Box::new(unused.map(move |severity| never_blocked(*severity, *block)))
        }
        RuleKind::Window { freezes, .. } => {
            let over = freezes.iter().filter(move |freeze| freeze.until <= now);
            Box::new(over.map(|freeze| {
                format!(
                    "the freeze until {} ({}) is over; take it out",
                    freeze.until, freeze.reason
                )
            }))
        }
        _ => Box::new(std::iter::empty()),
    }
}

/// Owners of a layout sign it with keys that stand in the roster.
fn without_keys(rule: &Rule, roster: &Roster) -> Option<String> {
    let RuleKind::Layout { owners, threshold, .. } = &rule.kind else { return None };
    let with_key = roster.entries_of(owners).filter(|entry| entry.key().is_some());
    let with_key: BTreeSet<&String> = with_key.map(|entry| &entry.name).collect();
    ((with_key.len() as u64) < *threshold).then(|| {
        format!(
            "no layout can have {threshold} of these owners: the roster has the public keys of {}, and a layout is signed with such alone; write the keys themselves into the roster, where it has fingerprints or identities",
            with_key.len()
        )
    })
}

/// Signers who may not do what the rule asks of them.
fn without_right(rule: &Rule, roster: &Roster) -> Option<String> {
    let (named, words): (&[String], &[&str]) = match &rule.kind {
        RuleKind::Signature { demand, .. } => (&demand.signers, &[SIGNATURE]),
        RuleKind::Provenance { demand, .. } => (&demand.signers, &["provenance"]),
        RuleKind::Source { demand, .. } => (&demand.signers, &["review", "vsa"]),
        RuleKind::TestResult { demand, .. } => (&demand.signers, &["test-result"]),
        RuleKind::VulnScan { demand, .. } => (&demand.signers, &["vulns"]),
        RuleKind::Sbom { demand, .. } => (&demand.signers, &["cyclonedx", "spdx"]),
        RuleKind::SecretScan { demand, .. } => (&demand.signers, &["secret-scan"]),
        RuleKind::Readiness { demand, .. } => (&demand.signers, &["readiness"]),
        RuleKind::Approval { demand, .. } => (&demand.signers, &["approval"]),
        RuleKind::Vsa { demand, .. } => (&demand.signers, &["vsa"]),
        RuleKind::Deployer { signers } => {
            let has_principal = |entry: &Signer| !entry.principals.is_empty();
            let is_known = signers.is_empty() || roster.entries_of(signers).any(has_principal);
            return (!is_known).then(|| {
                format!(
                    "nobody can ask as {}: the roster has no principals of them",
                    signers.join(", ")
                )
            });
        }
        _ => return None,
    };
    let may = |entry: &Signer| {
        let is_uri =
            |word: &&&str| from_short(word).is_some_and(|known| entry.may.contains(known.uri));
        words.iter().any(|word| entry.may.contains(*word)) || words.iter().any(|word| is_uri(&word))
    };
    (!named.is_empty() && !roster.entries_of(named).any(may)).then(|| {
        format!(
            "nothing can satisfy it: the roster lets none of {} sign {}",
            named.join(", "),
            words.join(" or ")
        )
    })
}

fn into_itself(from: &str) -> String {
    format!(
        "this policy is for {from}, too, which nothing enters by having run in {from} before; take {from} out of [match], or give it a policy of its own"
    )
}

fn never_blocked(severity: Severity, block: Severity) -> String {
    let graver = if block == Severity::Critical { "" } else { " and what is graver" };
    format!(
        "leeway for {severity} is never used, because only {block}{graver} blocks; take it out, or lower block"
    )
}
