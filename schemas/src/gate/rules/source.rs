//! `source`: the very commit that the provenance names was reviewed, in the repository that it names.

use std::collections::BTreeSet;

use super::super::answer::{Finding, Judgement, earlier};
use super::super::case::{Case, Counted, Selection, by, joined};
use super::super::evidence::{Evidence, Said};
use super::provenance;
use crate::digest::{Digest, Sha256};
use crate::document::pattern::is_unprintable;
use crate::policy::Demand;
use crate::predicate::attestry::source::Review;
use crate::predicate::vsa::source_level;
use crate::predicate::{Predicate as _, Source, UtcTime, comparable_repository, repository_of};
use crate::roster::{Roster, Signer, SignerId};

/// The source level of SLSA 1.2 that means two-party review.
const TWO_PARTY_LEVEL: u64 = 4;
/// The source level that evidence of a review alone stands for.
const REVIEW_LEVEL: u64 = 1;

/// What there is to say of one commit.
#[derive(Default)]
struct Proof {
    level: Option<u64>,
    two_party: bool,
    findings: Vec<Finding>,
    found: String,
    evidence: Vec<Sha256>,
    until: Option<UtcTime>,
}

/// Any commit that an accepted provenance was built from suffices; of several the newest is told.
pub(super) fn judge(case: &Case<'_>, demand: &Demand, level: u64, two_party: bool) -> Judgement {
    let review = if two_party { " and review by a second party" } else { "" };
    let wanted = format!(
        "evidence by {} of source level {level}{review} for the commit that was built",
        by(demand)
    );
    let fix = "have the code host or a reviewer attest the commit: attestry attest gitCommit:COMMIT --type review|vsa";
    let mut newest: Option<Proof> = None;
    let mut until = None;
    for (built, source, commit) in commits(case) {
        let mut proof = prove(case, demand, source, commit);
        proof.evidence.push(built.digest());
        until = earlier(until, proof.until);
        if proof.level.is_none_or(|found| found < level) {
            proof.findings.push(Finding::new("level", proof.found.clone()));
        }
        if two_party && !proof.two_party {
            let text = "no review by somebody else than the author";
            proof.findings.push(Finding::new("two-party", text));
        }
        if proof.findings.is_empty() {
            let mut judgement = Judgement::pass(wanted, proof.found).on(proof.evidence);
            judgement.level = proof.level.map(|found| format!("SLSA_SOURCE_LEVEL_{found}"));
            return judgement.until(until);
        }
        newest.get_or_insert(proof);
    }
    let Some(proof) = newest else {
        let found = "no provenance that counts and names a commit; a modified tree is no commit";
        return Judgement::fail("commit", wanted, found, fix);
    };
    let texts: Vec<&String> = proof.findings.iter().map(|finding| &finding.text).collect();
    let found = joined(&texts, "");
    Judgement::failing(proof.findings, wanted, found, fix).on(proof.evidence).until(until)
}

/// What the evidence about a commit proves: the newest summary of each verifier, the newest review by each signer.
fn prove(case: &Case<'_>, demand: &Demand, source: &Source, commit: &str) -> Proof {
    let selection = about(case, demand, commit);
    let mut proof = Proof::default();
    let mut elsewhere = None;
    let newest = selection.newest_by(|one| match one.evidence.said() {
        Said::Summary(summary, _) => (summary.verifier.id.clone(), repository(one.evidence)),
        _ => (one.signer.name.clone(), repository(one.evidence)),
    });
    for one in newest {
        // Any commit can be pushed to another repository, which reviews as it likes.
        let repository = repository(one.evidence);
        if repository.as_ref() != Some(&comparable_repository(&source.repository)) {
            elsewhere = repository;
            continue;
        }
        proof.evidence.push(one.digest());
        proof.until = earlier(proof.until, selection.expires(&one));
        match one.evidence.said() {
            Said::Summary(summary, _) if !summary.has_passed() => {
                let text = format!("{} says FAILED", summary.verifier.id);
                proof.findings.push(Finding::new("failed", text));
            }
            Said::Summary(summary, _) => {
                let predicate = summary.to_value().unwrap_or_default();
                let level = predicate.as_object().and_then(source_level).map(u64::from);
                proof.two_party |= level.is_some_and(|level| level >= TWO_PARTY_LEVEL);
                proof.level = proof.level.max(level);
            }
            Said::Review(review) if is_two_party(review, &one, case.trust.roster()) => {
                proof.two_party = true;
                proof.level = proof.level.max(Some(REVIEW_LEVEL));
            }
            _ => {}
        }
    }
    let short: String = commit.chars().take(12).collect();
    proof.found = match (proof.level, elsewhere) {
        (Some(level), _) => {
            let second = if proof.two_party { ", reviewed by a second party" } else { "" };
            format!("source level {level}{second} for {short}")
        }
        (None, Some(other)) if proof.evidence.is_empty() => {
            format!("evidence for {short} in {other}, and it was built from {}", source.repository)
        }
        (None, _) => selection.instead(&format!("nothing that proves a level for {short}")),
    };
    proof
}

/// The commits that accepted provenances name, with their source: the newest first.
fn commits<'c>(case: &Case<'c>) -> Vec<(Counted<'c>, &'c Source, &'c str)> {
    let named = |one: Counted<'c>| match one.evidence.said() {
        Said::Provenance(_, facts) => {
            let source = facts.sources.first()?;
            Some((one, source, source.commit.as_deref()?))
        }
        _ => None,
    };
    let subject = case.subject();
    provenance::accepted(case, &subject).into_iter().filter_map(named).collect()
}

/// What counts about a commit, under the names that evidence has for it.
fn about<'c>(case: &Case<'c>, demand: &Demand, commit: &str) -> Selection<'c> {
    let digests = ["gitCommit", "sha1"].iter().filter_map(|name| Digest::new(*name, commit).ok());
    let digests: Vec<Digest> = digests.collect();
    case.select_where(demand, |evidence| {
        matches!(evidence.said(), Said::Summary(..) | Said::Review(_))
            && digests.iter().any(|digest| evidence.is_about(digest))
    })
}

/// The repository that evidence about a commit is for.
fn repository(evidence: &Evidence) -> Option<String> {
    let uri = match evidence.said() {
        Said::Summary(summary, _) => &summary.resource_uri,
        Said::Review(review) => &review.repository,
        _ => return None,
    };
    repository_of(uri).map(comparable_repository)
}

/// The name of the signer that a text means: by the name, as whom the registry knows them, or by the address or URL of a
/// certificate; or the text. Names of accounts and addresses are the same in any case, and what cannot be seen around them is none of them.
fn meant<'t>(text: &'t str, roster: &'t Roster) -> &'t str {
    let text = text.trim_matches(|c: char| c.is_whitespace() || is_unprintable(c));
    let entries = &roster.signers;
    if entries.iter().any(|entry| entry.name == text) {
        return text;
    }
    let is_meant = |entry: &&Signer| {
        let subject = match &entry.id {
            SignerId::Identity { subject, .. } => Some(subject),
            SignerId::Key(_) | SignerId::Fingerprint(_) => None,
        };
        subject.into_iter().chain(&entry.principals).any(|known| known.eq_ignore_ascii_case(text))
    };
    let by_other_spelling = || entries.iter().find(is_meant).map(|entry| entry.name.as_str());
    roster.principal(text).or_else(by_other_spelling).unwrap_or(text)
}

/// Whether somebody else than the author has approved it, by the word of somebody else than the author.
fn is_two_party(review: &Review, one: &Counted<'_>, roster: &Roster) -> bool {
    let author = meant(&review.author, roster);
    let is_other = |name: &str| !name.eq_ignore_ascii_case(author);
    is_other(&one.signer.name)
        && review.reviewers.iter().any(|reviewer| is_other(meant(reviewer, roster)))
}

/// What there is instead where an accepted provenance names a commit of which no review that counts says who wrote it.
pub(super) fn without_author(case: &Case<'_>) -> Option<String> {
    let mut commits = commits(case).into_iter();
    let (_, source, commit) =
        commits.find(|(_, source, commit)| reviews(case, source, commit).next().is_none())?;
    let told: String = commit.chars().take(12).collect();
    let all = about(case, &Demand::default(), commit).counted;
    let is_review = |one: &&Counted<'_>| matches!(one.evidence.said(), Said::Review(_));
    let elsewhere = all.iter().filter(is_review).find_map(|one| repository(one.evidence));
    Some(match elsewhere {
        Some(other) => format!(
            "no evidence of who wrote {told} in {}, from which it was built; a review is of {other}",
            source.repository
        ),
        None => format!("no evidence of who wrote {told}, which provenance of it names"),
    })
}

/// The reviews of a commit that count, where it was built from: in another repository anybody may be called its author.
fn reviews<'c>(
    case: &Case<'c>,
    source: &Source,
    commit: &str,
) -> impl Iterator<Item = &'c Review> + use<'c> {
    let built_from = comparable_repository(&source.repository);
    let all = about(case, &Demand::default(), commit).counted.into_iter();
    all.filter_map(move |one| match one.evidence.said() {
        Said::Review(review) if repository(one.evidence).as_ref() == Some(&built_from) => {
            Some(review.as_ref())
        }
        _ => None,
    })
}

/// The authors of the commits, as the reviews of them say; by the name of the signer where the roster
/// knows one.
pub(super) fn authors(case: &Case<'_>) -> BTreeSet<String> {
    let mut authors = BTreeSet::new();
    for (_, source, commit) in commits(case) {
        for review in reviews(case, source, commit) {
            authors.insert(meant(&review.author, case.trust.roster()).to_owned());
        }
    }
    authors
}
