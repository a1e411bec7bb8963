//! `no-rollback`: it is not older than what runs here, unless that is approved.

use std::collections::BTreeSet;

use super::super::answer::{Judgement, earlier};
use super::super::case::{Case, Counted, joined, short};
use super::approval::consents;
use super::provenance;
use super::running::{names, running};
use crate::digest::Sha256;
use crate::policy::Demand;
use crate::predicate::attestry::governance::ApprovalPurpose;

pub(super) fn judge(case: &Case<'_>, approvers: &[String], threshold: u64) -> Judgement {
    let environment = &case.question.environment;
    let wanted = format!("nothing older than what runs in {environment}, unless approved");
    let running: Vec<(Sha256, Counted<'_>)> =
        names(case).into_iter().filter_map(|name| running(case, name)).collect();
    let Some((first, on)) = running.first() else {
        return Judgement::pass(wanted, format!("nothing of that name runs in {environment}"));
    };
    let mine = built(case, case.question.subject);
    let others = running.iter().filter(|(artifact, _)| *artifact != case.question.subject);
    let others: Vec<_> =
        others.map(|(artifact, on)| (*artifact, *on, built(case, *artifact))).collect();
    if others.is_empty() {
        return Judgement::pass(wanted, "it runs there already").on([on.digest()]);
    }
    // What is not known to be older may be newer, and of those that are newer the newest is told.
    let is_fine = |theirs: &Option<Counted<'_>>| match (&mine, theirs) {
        (Some(mine), Some(theirs)) => mine.time() >= theirs.time(),
        _ => false,
    };
    let wrong = others.iter().filter(|(.., theirs)| !is_fine(theirs));
    let newest = |theirs: &Option<Counted<'_>>| theirs.as_ref().map(Counted::time);
    let wrong = wrong.max_by_key(|(.., theirs)| (theirs.is_none(), newest(theirs)));
    let told = others.iter().max_by_key(|(.., theirs)| newest(theirs));
    let Some((current, statement, theirs)) = wrong.or(told).copied() else {
        return Judgement::error(wanted, short(*first), "report this");
    };
    let mut found = match (&mine, &theirs) {
        (Some(mine), Some(theirs)) if wrong.is_none() => {
            let found = format!(
                "built at {}, what runs ({}) at {}",
                mine.time(),
                short(current),
                theirs.time()
            );
            return Judgement::pass(wanted, found).on([
                statement.digest(),
                mine.digest(),
                theirs.digest(),
            ]);
        }
        (Some(mine), Some(theirs)) => {
            format!(
                "built at {}, older than what runs ({}), built at {}",
                mine.time(),
                short(current),
                theirs.time()
            )
        }
        (None, _) => "no provenance that says when it was built".to_owned(),
        (_, None) => {
            format!("no provenance that says when what runs ({}) was built", short(current))
        }
    };
    let mut evidence = vec![statement.digest()];
    evidence.extend(mine.iter().chain(&theirs).map(Counted::digest));
    if !approvers.is_empty() {
        let demand = Demand { signers: approvers.to_vec(), max_age: None };
        let consents = consents(case, &demand, ApprovalPurpose::Rollback);
        let given = consents.counted;
        let names: BTreeSet<&str> = given.iter().map(|(one, _)| one.signer.name.as_str()).collect();
        if names.len() as u64 >= threshold {
            let until =
                given.iter().fold(None, |until, (_, expires)| earlier(until, Some(*expires)));
            let told = joined(&names.iter().copied().collect::<Vec<_>>(), "");
            evidence.extend(given.iter().map(|(one, _)| one.digest()));
            let found = format!("{found}; the rollback is approved by {told}");
            return Judgement::pass(wanted, found).on(evidence).until(until);
        }
        let mut aside = consents.aside;
        aside.dedup();
        if !names.is_empty() || !aside.is_empty() {
            let told = joined(&names.iter().copied().collect::<Vec<_>>(), "nobody");
            found +=
                &format!("; its rollback is approved by {} of {threshold}: {told}", names.len());
            aside.iter().for_each(|why| found += &format!("; {why}"));
        }
    }
    let approve = format!(
        "have the rollback approved: attestry approve ARTIFACT --environment {environment} --rollback --key KEY --registry URL"
    );
    let fix = match (&mine, &theirs) {
        (Some(_), Some(_)) => format!("deploy something newer, or {approve}"),
        (None, _) => format!("push the provenance of the artifact, or {approve}"),
        (_, None) => format!("push the provenance of what runs, or {approve}"),
    };
    Judgement::fail("rollback", wanted, found, fix).on(evidence)
}

/// The first provenance of a digest: when it was built, by a builder that the signer may claim to be.
fn built<'c>(case: &Case<'c>, digest: Sha256) -> Option<Counted<'c>> {
    provenance::accepted(case, &digest.into()).pop()
}
