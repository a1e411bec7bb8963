//! Which of the groups that reach the threshold of their step is the one of this supply chain.
//!
//! A step is done anew for each version of an artifact, by the same functionaries, so several groups
//! may reach its threshold and most are of other versions. A choice of one group for each step
//! stands when the rules of all steps hold for it. That is no weaker than the specification, where
//! whoever delivers the links chooses among those that functionaries signed.
//!
//! Steps are chosen from the last to the first, because rules point backwards, and each step's rules
//! are applied as soon as all the steps that they name are chosen.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::artifacts::{self, Exhausted, Record, RuleFault, Work};
use super::refusal::{LayoutCheck, LayoutRefusal};
use super::verification::Delivered;
use super::{ArtifactRule, Layout, MAX_WORK, Step};
use crate::key::Fingerprint;

/// How many steps, in the order of the search, make a summary: the last and the first. Of the others
/// any choice is as good as another.
const SUMMARY_STEPS: usize = 2;

/// Functionaries who report the same of a step.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) record: Record<'a>,
    pub(super) members: BTreeMap<Fingerprint, Delivered<'a>>,
}

impl Group<'_> {
    /// The order in which groups are tried, which is the same for the same attestations.
    pub(super) fn rank(&self) -> impl Ord + use<> {
        (Reverse(self.members.len()), self.members.values().map(|member| member.source).min())
    }

    /// Whether they report other products of the same materials than a group of others. One who is
    /// in both has done the step twice.
    fn contradicts(&self, other: &Self) -> bool {
        self.record.materials == other.record.materials
            && self.record.products != other.record.products
            && !self.members.keys().any(|signer| other.members.contains_key(signer))
    }
}

/// The search over the groups of all steps of a layout.
pub(super) struct Search<'s, 'a> {
    layout: &'s Layout,
    groups: &'s [Vec<Group<'a>>],
    /// The steps in the order in which they are chosen.
    order: Vec<usize>,
    /// The steps whose rules can be applied when so many steps are chosen.
    due: Vec<Vec<usize>>,
    /// The group of each step; those of steps that are not chosen yet mean nothing.
    chosen: Vec<usize>,
    found: Vec<Vec<usize>>,
    limit: usize,
    /// The first refusal of those that most steps were chosen before.
    deepest: Option<(usize, LayoutRefusal)>,
}

impl<'s, 'a> Search<'s, 'a> {
    /// Prepares to search for at most `limit` choices, each with other first and last groups.
    pub(super) fn new(layout: &'s Layout, groups: &'s [Vec<Group<'a>>], limit: usize) -> Self {
        let count = layout.steps.len();
        let between = (1..count.saturating_sub(1)).rev();
        let mut order: Vec<usize> =
            [count.saturating_sub(1), 0].into_iter().chain(between).collect();
        order.dedup();
        let position = |step: usize| order.iter().position(|other| *other == step);
        let mut due = vec![Vec::new(); count];
        for (index, step) in layout.steps.iter().enumerate() {
            let named = named(step).filter_map(|name| layout.position(name));
            let last = named.chain([index]).filter_map(position).max();
            if let Some(steps) = last.and_then(|last| due.get_mut(last)) {
                steps.push(index);
            }
        }
        let chosen = vec![0; count];
        Self { layout, groups, order, due, chosen, found: Vec::new(), limit, deepest: None }
    }

    /// Finds the choices that stand, at least one.
    ///
    /// # Errors
    /// The refusal that came nearest to one, or that two groups contradict each other, or that the
    /// work is too much.
    pub(super) fn run(mut self, work: &mut Work) -> Result<Vec<Vec<usize>>, LayoutRefusal> {
        self.extend(0, work).map_err(too_much_work)?;
        let mut refusal = self.deepest.take().map(|(_, refusal)| refusal);
        let mut standing = Vec::new();
        for choice in std::mem::take(&mut self.found) {
            match self.contradiction(&choice, work).map_err(too_much_work)? {
                None => standing.push(choice),
                Some(contradiction) => refusal = Some(contradiction),
            }
        }
        match refusal {
            Some(refusal) if standing.is_empty() => Err(refusal),
            _ => Ok(standing),
        }
    }

    /// Chooses the step at this position of the order, and those after it. Returns whether there is
    /// a choice.
    fn extend(&mut self, position: usize, work: &mut Work) -> Result<bool, Exhausted> {
        let Some(step) = self.order.get(position).copied() else {
            self.found.push(self.chosen.clone());
            return Ok(true);
        };
        let mut any = false;
        for group in 0..self.groups.get(step).map_or(0, Vec::len) {
            work.spend(1)?;
            self.choose(step, group);
            if self.holds(position, work)? && self.extend(position + 1, work)? {
                any = true;
                if position >= SUMMARY_STEPS || self.found.len() >= self.limit {
                    break;
                }
            }
        }
        Ok(any)
    }

    fn choose(&mut self, step: usize, group: usize) {
        if let Some(chosen) = self.chosen.get_mut(step) {
            *chosen = group;
        }
    }

    /// Applies the rules that can be applied as of this position.
    fn holds(&mut self, position: usize, work: &mut Work) -> Result<bool, Exhausted> {
        for step in self.due.get(position).into_iter().flatten() {
            if let Some(refusal) = self.refusal_of(*step, work)? {
                if self.deepest.as_ref().is_none_or(|(deepest, _)| position > *deepest) {
                    self.deepest = Some((position, refusal));
                }
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Why the rules of a step do not hold for what is chosen.
    fn refusal_of(
        &self,
        index: usize,
        work: &mut Work,
    ) -> Result<Option<LayoutRefusal>, Exhausted> {
        let Some((step, own)) = self.layout.steps.get(index).zip(self.record(index)) else {
            return Ok(None);
        };
        let others = |name: &str| self.record(self.layout.position(name)?);
        match artifacts::apply(step, own, others, work) {
            Ok(()) => Ok(None),
            Err(RuleFault::Exhausted) => Err(Exhausted),
            Err(RuleFault::Broken { rule, expected, found }) => Ok(Some(
                LayoutRefusal::new(LayoutCheck::Rule, expected, found)
                    .of_step(&step.name)
                    .of_rule(rule),
            )),
        }
    }

    fn record(&self, step: usize) -> Option<Record<'a>> {
        Some(self.group(step, *self.chosen.get(step)?)?.record)
    }

    fn group(&self, step: usize, group: usize) -> Option<&'s Group<'a>> {
        self.groups.get(step)?.get(group)
    }

    /// Whether another group of a step contradicts the one of this choice and would stand as well.
    fn contradiction(
        &mut self,
        choice: &[usize],
        work: &mut Work,
    ) -> Result<Option<LayoutRefusal>, Exhausted> {
        let groups = self.groups;
        for (step, &taken) in choice.iter().enumerate() {
            let Some(own) = self.group(step, taken) else { continue };
            for (index, other) in groups.get(step).into_iter().flatten().enumerate() {
                work.spend_each(own.record.materials.len() + own.record.products.len() + 1, 1)?;
                if index == taken || !own.contradicts(other) {
                    continue;
                }
                self.chosen = choice.to_vec();
                self.choose(step, index);
                if self.stands(work)? {
                    return Ok(Some(self.disagreement(step, own, other)));
                }
            }
        }
        Ok(None)
    }

    /// Whether the rules of all steps hold for what is chosen.
    fn stands(&self, work: &mut Work) -> Result<bool, Exhausted> {
        for step in 0..self.layout.steps.len() {
            if self.refusal_of(step, work)?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn disagreement(&self, step: usize, one: &Group<'_>, other: &Group<'_>) -> LayoutRefusal {
        let name = self.layout.steps.get(step).map_or("", |step| step.name.as_str());
        let signers = |group: &Group<'_>| super::verification::signers(group.members.keys());
        LayoutRefusal::new(
            LayoutCheck::Agreement,
            "functionaries who report the same products of the same materials",
            format!("other products by {} than by {}", signers(one), signers(other)),
        )
        .of_step(name)
    }
}

/// The steps that the rules of a step name.
fn named(step: &Step) -> impl Iterator<Item = &str> {
    let rules = step.expected_materials.iter().chain(&step.expected_products);
    rules.filter_map(|rule| match rule {
        ArtifactRule::Match(rule) => Some(rule.from.as_str()),
        _ => None,
    })
}

/// The refusal of what would take more work than is allowed.
pub(super) fn too_much_work(_: Exhausted) -> LayoutRefusal {
    LayoutRefusal::new(
        LayoutCheck::Bounds,
        format!("a layout, links and sublayouts that are verified in {MAX_WORK} comparisons"),
        "more; leave out links and sublayouts of other artifacts",
    )
}
