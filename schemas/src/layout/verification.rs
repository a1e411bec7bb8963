//! Whether links fulfil a layout, for one artifact (in-toto specification 1.0, §5.2).
//!
//! What counts for a step is the word of the keys that the layout names for it, in a link or in a
//! sublayout that their links fulfil; all else is passed over and can neither help nor harm. Links
//! that report the same materials and products form a group, and a group of as many distinct keys as
//! the threshold may stand for the step. A key counts once, under however many keyids and however
//! often it signed.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use super::artifacts::{Artifacts, Record, Work};
use super::document::LayoutDocument;
use super::link::StepLink;
use super::refusal::{LayoutCheck, LayoutRefusal};
use super::search::{Group, Search, too_much_work};
use super::{
    Layout, MAX_PATH_BYTES, MAX_SUBLAYOUT_DEPTH, MAX_SUBLAYOUTS, MAX_SUMMARIES, MAX_WORK, Step,
    quoted,
};
use crate::classic_link::MAX_ARTIFACTS;
use crate::digest::{Digest, Sha256};
use crate::key::{Fingerprint, PublicKey};
use crate::predicate::UtcTime;
use crate::verify::{self, SignedLayout, Verified};

/// The work of comparing one artifact with those of the other links.
const ARTIFACT_STEPS: u64 = 64;
/// The work of looking at a sublayout for a step.
const SUBLAYOUT_STEPS: u64 = 1 << 12;
/// The work of trying one key on one signature, apart from reading what is signed.
const SIGNATURE_STEPS: u64 = 1 << 14;
/// The most keys, and the most reasons, that a text names.
const MAX_SHOWN: usize = 4;
/// The most characters of a reason, which may be the refusal of a sublayout with reasons of its own.
const MAX_REASON_CHARS: usize = 400;

/// What a fulfilled layout rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayoutReport {
    /// The digest of the layout's document.
    pub layout: Sha256,
    /// The keys that signed the layout, of those that were asked for.
    pub owners: Vec<Fingerprint>,
    /// The path of the artifact among the products of the last step.
    pub product: String,
    /// The steps, in the order of the layout.
    pub steps: Vec<StepReport>,
}

/// What a step rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepReport {
    /// The step.
    pub step: String,
    /// Who reports the same of it, at least as many as its threshold.
    pub counted: Vec<Counted>,
    /// What does not make a layout fail, such as a command that was not expected.
    pub warnings: Vec<String>,
}

/// The word of one functionary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The key that signed.
    pub signer: Fingerprint,
    /// The digest of the link's attestation, or of the sublayout's document.
    pub source: Sha256,
    /// The steps of the sublayout; empty for a link.
    pub sublayout: Vec<StepReport>,
}

/// What a functionary delivered for a step.
#[derive(Debug, Clone)]
pub(super) struct Delivered<'a> {
    pub(super) source: Sha256,
    record: Record<'a>,
    command: &'a [String],
    sublayout: Vec<StepReport>,
}

/// Verifies that links fulfil a layout, and that the artifact is a product of its last step.
///
/// `sublayouts` are documents that functionaries may have delivered in the place of a link; the
/// caller offers those that may concern the artifact, by signers that it knows. Links are told apart
/// by the name of their step and by who signed, also those of sublayouts, because the folders of
/// §4.5.2 are not here. Nothing is read, and no command is run.
///
/// # Errors
/// [`LayoutRefusal`] of the first check that does not hold.
pub fn verify(
    layout: &Verified<SignedLayout>,
    links: &[StepLink],
    sublayouts: &[LayoutDocument],
    now: UtcTime,
    artifact: &Digest,
) -> Result<LayoutReport, LayoutRefusal> {
    verify_within(Work::new(MAX_WORK), layout, links, sublayouts, now, artifact)
}

/// As [`verify`], with so much work.
pub(super) fn verify_within(
    work: Work,
    layout: &Verified<SignedLayout>,
    links: &[StepLink],
    sublayouts: &[LayoutDocument],
    now: UtcTime,
    artifact: &Digest,
) -> Result<LayoutReport, LayoutRefusal> {
    if sublayouts.len() > MAX_SUBLAYOUTS {
        return Err(LayoutRefusal::new(
            LayoutCheck::Bounds,
            format!("at most {MAX_SUBLAYOUTS} sublayouts"),
            format!("{}", sublayouts.len()),
        ));
    }
    let mut by_step: BTreeMap<&str, Vec<&StepLink>> = BTreeMap::new();
    for link in links {
        by_step.entry(&link.step).or_default().push(link);
    }
    let signed = BTreeMap::new();
    let mut verification =
        Verification { links: by_step, sublayouts, now, work, within: Vec::new(), signed };
    let SignedLayout { layout, source, keys } = layout.get();
    let summaries = verification.summaries(layout, Some(artifact))?;
    let fulfilled = summaries.into_iter().next();
    let product = fulfilled.as_ref().and_then(|summary| path_of(summary.record.products, artifact));
    match fulfilled.zip(product) {
        Some((summary, product)) => Ok(LayoutReport {
            layout: *source,
            owners: keys.iter().map(PublicKey::fingerprint).collect(),
            product: product.to_owned(),
            steps: summary.steps,
        }),
        None => Err(no_product(layout, artifact, 0)),
    }
}

/// One run over a layout and its sublayouts.
struct Verification<'a> {
    links: BTreeMap<&'a str, Vec<&'a StepLink>>,
    sublayouts: &'a [LayoutDocument],
    now: UtcTime,
    work: Work,
    /// The sublayouts that are being verified, by index, each within the one before.
    within: Vec<usize>,
    /// Whether a key signed a sublayout.
    signed: BTreeMap<(usize, Fingerprint), bool>,
}

/// What a layout comes to: the link that stands for it in a layout above (§4.5.1).
struct Summary<'a> {
    record: Record<'a>,
    command: &'a [String],
    steps: Vec<StepReport>,
}

impl<'a> Verification<'a> {
    /// The ways in which links fulfil a layout, at least one; with an artifact, those that make it;
    /// of the layout above all, one.
    fn summaries(
        &mut self,
        layout: &'a Layout,
        artifact: Option<&Digest>,
    ) -> Result<Vec<Summary<'a>>, LayoutRefusal> {
        demand_usable(layout, self.now)?;
        let mut groups = Vec::new();
        for (index, step) in layout.steps.iter().enumerate() {
            let is_last = index + 1 == layout.steps.len();
            groups.push(self.groups(layout, step, artifact.filter(|_| is_last))?);
        }
        if let (Some(artifact), Some(last)) = (artifact, groups.last_mut()) {
            let others = last.len();
            last.retain(|group| path_of(group.record.products, artifact).is_some());
            if last.is_empty() {
                return Err(no_product(layout, artifact, others));
            }
        }
        let limit = if self.within.is_empty() { 1 } else { MAX_SUMMARIES };
        let choices = Search::new(layout, &groups, limit).run(&mut self.work)?;
        Ok(choices.iter().filter_map(|choice| summary(layout, &groups, choice)).collect())
    }

    /// The groups that reach the threshold of a step, at least one. Of sublayouts only what makes the
    /// artifact is considered, if one is given.
    fn groups(
        &mut self,
        layout: &'a Layout,
        step: &'a Step,
        artifact: Option<&Digest>,
    ) -> Result<Vec<Group<'a>>, LayoutRefusal> {
        let keys = layout.functionaries(step);
        let mut passed_over = Vec::new();
        let mut delivered = self.of_links(step, &keys, &mut passed_over)?;
        delivered.extend(self.of_sublayouts(&keys, artifact, &mut passed_over)?);
        let mut groups: BTreeMap<(&Artifacts, &Artifacts), Group<'a>> = BTreeMap::new();
        for (signer, one) in delivered {
            let record = one.record;
            let empty = || Group { record, members: BTreeMap::new() };
            let group = groups.entry((record.materials, record.products)).or_insert_with(empty);
            // Of what a key reports twice, the same attestation counts whatever their order.
            match group.members.get(&signer) {
                Some(other) if other.source <= one.source => {}
                _ => {
                    group.members.insert(signer, one);
                }
            }
        }
        let most = groups.values().map(|group| group.members.len()).max().unwrap_or(0);
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.retain(|group| group.members.len() >= step.threshold);
        if groups.is_empty() {
            return Err(below_threshold(step, &keys, most, &passed_over));
        }
        groups.sort_by_cached_key(Group::rank);
        Ok(groups)
    }

    /// What the functionaries of a step report in links.
    fn of_links(
        &mut self,
        step: &Step,
        keys: &[PublicKey],
        passed_over: &mut Vec<String>,
    ) -> Result<Vec<(Fingerprint, Delivered<'a>)>, LayoutRefusal> {
        let mut delivered = Vec::new();
        let mut by_others = 0_usize;
        for link in self.links.get(step.name.as_str()).into_iter().flatten().copied() {
            if !keys.iter().any(|key| key.fingerprint() == link.signer) {
                by_others += 1;
                continue;
            }
            let artifacts = link.materials.len() + link.products.len();
            if artifacts > MAX_ARTIFACTS || !has_usable_paths(link) {
                note(passed_over, format!("link {} exceeds what is read", link.source));
                continue;
            }
            self.work.spend_each(artifacts + 1, ARTIFACT_STEPS).map_err(too_much_work)?;
            let record = Record { materials: &link.materials, products: &link.products };
            let (source, command) = (link.source, link.command.as_slice());
            delivered
                .push((link.signer, Delivered { source, record, command, sublayout: Vec::new() }));
        }
        if by_others > 0 {
            note(passed_over, format!("links by other keys, {by_others}"));
        }
        Ok(delivered)
    }

    /// What the functionaries of a step report through sublayouts that they signed.
    fn of_sublayouts(
        &mut self,
        keys: &[PublicKey],
        artifact: Option<&Digest>,
        passed_over: &mut Vec<String>,
    ) -> Result<Vec<(Fingerprint, Delivered<'a>)>, LayoutRefusal> {
        let mut delivered = Vec::new();
        for (index, document) in self.sublayouts.iter().enumerate() {
            // One that is part of itself would never end.
            if self.within.contains(&index) {
                continue;
            }
            self.work.spend(SUBLAYOUT_STEPS).map_err(too_much_work)?;
            let signers = self.signers_of(index, document, keys)?;
            if signers.is_empty() {
                continue;
            }
            let source = document.source();
            if self.within.len() >= MAX_SUBLAYOUT_DEPTH {
                let reason = format!("deeper than {MAX_SUBLAYOUT_DEPTH} layouts in each other");
                note(passed_over, format!("sublayout {source}: {reason}"));
                continue;
            }
            self.within.push(index);
            let summaries = self.summaries(document.layout(), artifact);
            self.within.pop();
            match summaries {
                Ok(summaries) => {
                    for Summary { record, command, steps } in summaries {
                        let artifacts = record.materials.len() + record.products.len();
                        self.work.spend_each(artifacts, ARTIFACT_STEPS).map_err(too_much_work)?;
                        let one = Delivered { source, record, command, sublayout: steps };
                        delivered.extend(signers.iter().map(|signer| (*signer, one.clone())));
                    }
                }
                Err(refusal) if refusal.check == LayoutCheck::Bounds => return Err(refusal),
                Err(refusal) => note(passed_over, format!("sublayout {source}: {refusal}")),
            }
        }
        Ok(delivered)
    }

    /// Those of the keys that signed a sublayout; each is tried once.
    fn signers_of(
        &mut self,
        index: usize,
        document: &LayoutDocument,
        keys: &[PublicKey],
    ) -> Result<Vec<Fingerprint>, LayoutRefusal> {
        let name = |key: &PublicKey| (index, key.fingerprint());
        let untried = keys.iter().filter(|key| !self.signed.contains_key(&name(key)));
        let untried: Vec<PublicKey> = untried.cloned().collect();
        let tries = untried.len() * document.signatures().len();
        let read = document.signed_bytes().len() / 2;
        self.work.spend_each(tries, SIGNATURE_STEPS).map_err(too_much_work)?;
        self.work.spend_each(tries * read, 1).map_err(too_much_work)?;
        let signed = verify::layout(document, &untried, NonZeroUsize::MIN);
        let signed = signed.map_or_else(|_| Vec::new(), |layout| layout.into_inner().keys);
        for key in &untried {
            self.signed.insert(name(key), signed.contains(key));
        }
        let signers = keys.iter().filter(|key| self.signed.get(&name(key)) == Some(&true));
        Ok(signers.map(PublicKey::fingerprint).collect())
    }
}

/// What can be said of a layout before any link is looked at.
fn demand_usable(layout: &Layout, now: UtcTime) -> Result<(), LayoutRefusal> {
    // §4.3: "EXPIRES indicates the time _after_ which the metadata is considered to be expired."
    if now > layout.expires {
        return Err(LayoutRefusal::new(
            LayoutCheck::Expiry,
            format!("a layout that has not expired at {now}"),
            format!("one that expired at {}", layout.expires),
        ));
    }
    if let Some(first) = layout.inspections.first() {
        let count = layout.inspections.len();
        return Err(LayoutRefusal::new(
            LayoutCheck::Inspections,
            "a layout without inspections, because a gate runs no commands",
            format!("{count}, the first of them {}", quoted(first)),
        ));
    }
    Ok(())
}

/// Keeps a reason why something was passed over, for a reader.
fn note(passed_over: &mut Vec<String>, reason: String) {
    if passed_over.len() < MAX_SHOWN {
        let end = reason.char_indices().nth(MAX_REASON_CHARS).map_or(reason.len(), |(at, _)| at);
        passed_over.push(reason.get(..end).unwrap_or_default().to_owned());
    }
}

fn has_usable_paths(link: &StepLink) -> bool {
    let mut paths = link.materials.keys().chain(link.products.keys());
    paths.all(|path| path.len() <= MAX_PATH_BYTES)
}

/// The path of an artifact.
fn path_of<'p>(artifacts: &'p Artifacts, artifact: &Digest) -> Option<&'p str> {
    artifacts.iter().find(|(_, digests)| digests.contains(artifact)).map(|(path, _)| path.as_str())
}

/// Summarizes one choice of groups (§4.5.1).
fn summary<'a>(
    layout: &Layout,
    groups: &[Vec<Group<'a>>],
    choice: &[usize],
) -> Option<Summary<'a>> {
    let chosen = groups.iter().zip(choice).map(|(groups, index)| groups.get(*index));
    let chosen: Vec<&Group<'a>> = chosen.collect::<Option<_>>()?;
    let (first, last) = (chosen.first()?, chosen.last()?);
    Some(Summary {
        record: Record { materials: first.record.materials, products: last.record.products },
        command: last.members.values().next()?.command,
        steps: layout.steps.iter().zip(&chosen).map(|(step, group)| report(step, group)).collect(),
    })
}

fn report(step: &Step, group: &Group<'_>) -> StepReport {
    let mut warnings = Vec::new();
    let mut counted = Vec::new();
    for (signer, one) in &group.members {
        let expected = step.expected_command.as_slice();
        if !expected.is_empty() && one.command != expected {
            let [expected, found] = [expected, one.command].map(|words| quoted(&words.join(" ")));
            warnings.push(format!("expected the command {expected}, {signer} ran {found}"));
        }
        let (source, sublayout) = (one.source, one.sublayout.clone());
        counted.push(Counted { signer: *signer, source, sublayout });
    }
    StepReport { step: step.name.clone(), counted, warnings }
}

fn below_threshold(
    step: &Step,
    keys: &[PublicKey],
    most: usize,
    passed_over: &[String],
) -> LayoutRefusal {
    let names: Vec<_> = keys.iter().map(PublicKey::fingerprint).collect();
    let mut found = match most {
        0 => "none".to_owned(),
        most => format!("{most}"),
    };
    for reason in passed_over {
        found += &format!("; passed over: {reason}");
    }
    LayoutRefusal::new(
        LayoutCheck::Threshold,
        format!("{} of {} to report the same", step.threshold, signers(names.iter())),
        found,
    )
    .of_step(&step.name)
}

/// The artifact is in none of so many groups' products.
fn no_product(layout: &Layout, artifact: &Digest, groups: usize) -> LayoutRefusal {
    let refusal = LayoutRefusal::new(
        LayoutCheck::Artifact,
        format!("{artifact} among the products of the last step"),
        format!("it in none of {groups} reports of the step"),
    );
    match layout.steps.last() {
        Some(step) => refusal.of_step(&step.name),
        None => refusal,
    }
}

/// The first of the keys, for a reader.
pub(super) fn signers<'k>(keys: impl ExactSizeIterator<Item = &'k Fingerprint>) -> String {
    let count = keys.len();
    let shown: Vec<String> = keys.take(MAX_SHOWN).map(ToString::to_string).collect();
    match (shown.as_slice(), count.saturating_sub(shown.len())) {
        ([], _) => "no key that signatures can be verified with".to_owned(),
        (shown, 0) => shown.join(", "),
        (shown, more) => format!("{} and {more} more", shown.join(", ")),
    }
}
