//! The queue of artifacts that rules consume (in-toto specification 1.0, §4.3.3.1).
//!
//! A rule consumes artifacts of the queue, and what it has consumed no later rule sees. Only
//! `DISALLOW` and `REQUIRE` fail; there is an implicit `ALLOW *` at the end.
//!
//! Where a link has several digests of an artifact, `MATCH` asks that the two sides share one that
//! tells artifacts apart and differ in none; `MODIFY` that they differ in one that they share. The
//! reference compares the whole sets, which is the same for the sets of SHA-256 alone that it writes.

use std::collections::BTreeMap;

use super::pattern::Pattern;
use super::rule::{ArtifactList, ArtifactRule, MatchRule};
use super::{Step, quoted};
use crate::digest::DigestSet;

/// Artifacts by path.
pub type Artifacts = BTreeMap<String, DigestSet>;

/// What looking a path up costs, about that many comparisons of characters.
const LOOKUP_STEPS: u64 = 64;
/// The most paths that a refusal names.
const MAX_SHOWN_PATHS: usize = 3;

/// The work that is left, in about the comparison of two characters.
#[derive(Debug)]
pub(super) struct Work {
    left: u64,
}

/// There is no work left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exhausted;

impl Work {
    pub(super) fn new(left: u64) -> Self {
        Self { left }
    }

    pub(super) fn spend(&mut self, steps: u64) -> Result<(), Exhausted> {
        self.left = self.left.checked_sub(steps).ok_or(Exhausted)?;
        Ok(())
    }

    /// Spends as much for each of so many things.
    pub(super) fn spend_each(&mut self, count: usize, steps: u64) -> Result<(), Exhausted> {
        self.spend(u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(steps))
    }
}

/// What a step took and made, by the word of those who count for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) materials: &'a Artifacts,
    pub(super) products: &'a Artifacts,
}

impl<'a> Record<'a> {
    fn list(self, list: ArtifactList) -> &'a Artifacts {
        match list {
            ArtifactList::Materials => self.materials,
            ArtifactList::Products => self.products,
        }
    }
}

/// Why the rules of a step do not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RuleFault {
    /// A rule failed.
    Broken { rule: String, expected: String, found: String },
    /// It would take too much work to say.
    Exhausted,
}

impl From<Exhausted> for RuleFault {
    fn from(_: Exhausted) -> Self {
        Self::Exhausted
    }
}

/// Applies both lists of rules of a step to its record. `others` gives the records of the steps that
/// its `MATCH` rules name; one without a record consumes nothing.
pub(super) fn apply<'a>(
    step: &Step,
    own: Record<'a>,
    others: impl Fn(&str) -> Option<Record<'a>>,
    work: &mut Work,
) -> Result<(), RuleFault> {
    for (list, rules) in [
        (ArtifactList::Materials, &step.expected_materials),
        (ArtifactList::Products, &step.expected_products),
    ] {
        let mut queue: Vec<&str> = own.list(list).keys().map(String::as_str).collect();
        work.spend_each(queue.len(), 1)?;
        for rule in rules {
            queue = one_rule(rule, Source { list, own }, &others, queue, work)?;
        }
    }
    Ok(())
}

/// Whose artifacts a rule is applied to.
#[derive(Clone, Copy)]
struct Source<'a> {
    list: ArtifactList,
    own: Record<'a>,
}

/// Applies one rule; returns what it leaves in the queue, which is in the order of the paths.
fn one_rule<'q, 'a>(
    rule: &ArtifactRule,
    source: Source<'a>,
    others: &impl Fn(&str) -> Option<Record<'a>>,
    queue: Vec<&'q str>,
    work: &mut Work,
) -> Result<Vec<&'q str>, RuleFault> {
    work.spend(LOOKUP_STEPS)?;
    let list = source.list.to_string().to_ascii_lowercase();
    let broken = |expected: String, found: String| RuleFault::Broken {
        rule: rule.to_string(),
        expected,
        found,
    };
    if let ArtifactRule::Require(path) = rule {
        return match queue.binary_search(&path.as_str()) {
            Ok(_) => Ok(queue),
            Err(_) => {
                let expected = format!("{} among the {list} that are left", quoted(path));
                Err(broken(expected, paths(&queue)))
            }
        };
    }
    let destination = match rule {
        ArtifactRule::Match(rule) => others(&rule.from).map(|record| record.list(rule.with)),
        _ => None,
    };
    let mut left = Vec::with_capacity(queue.len());
    let mut taken = Vec::new();
    for path in queue {
        if takes(rule, path, source, destination, work)? {
            taken.push(path);
        } else {
            left.push(path);
        }
    }
    match rule {
        ArtifactRule::Disallow(_) if !taken.is_empty() => {
            Err(broken(format!("no {list} left that it takes"), paths(&taken)))
        }
        _ => Ok(left),
    }
}

/// Whether a rule takes this path of the queue.
fn takes(
    rule: &ArtifactRule,
    path: &str,
    Source { list, own }: Source<'_>,
    destination: Option<&Artifacts>,
    work: &mut Work,
) -> Result<bool, Exhausted> {
    let pattern = match rule {
        ArtifactRule::Match(rule) => {
            let Some(rest) = below(rule.source_prefix.as_deref(), path) else { return Ok(false) };
            return Ok(fits(&rule.pattern, rest, work)?
                && match destination {
                    Some(destination) => {
                        work.spend(2 * LOOKUP_STEPS)?;
                        let here = own.list(list).get(path);
                        let there = at_destination(rule, rest, destination);
                        here.zip(there).is_some_and(|(here, there)| same(here, there))
                    }
                    None => false,
                });
        }
        ArtifactRule::Require(_) => return Ok(false),
        ArtifactRule::Create(pattern)
        | ArtifactRule::Delete(pattern)
        | ArtifactRule::Modify(pattern)
        | ArtifactRule::Allow(pattern)
        | ArtifactRule::Disallow(pattern) => pattern,
    };
    if !fits(pattern, path, work)? {
        return Ok(false);
    }
    if matches!(rule, ArtifactRule::Allow(_) | ArtifactRule::Disallow(_)) {
        return Ok(true);
    }
    work.spend(2 * LOOKUP_STEPS)?;
    Ok(match (rule, own.materials.get(path), own.products.get(path)) {
        (ArtifactRule::Create(_), None, Some(_)) | (ArtifactRule::Delete(_), Some(_), None) => true,
        (ArtifactRule::Modify(_), Some(before), Some(after)) => differ(before, after),
        _ => false,
    })
}

fn fits(pattern: &Pattern, path: &str, work: &mut Work) -> Result<bool, Exhausted> {
    let mut steps = 1;
    let fits = pattern.takes(path, &mut steps);
    work.spend(steps)?;
    Ok(fits)
}

/// What the other step has in the place of a path (§4.3.3.2). A prefix is text, not a pattern.
fn at_destination<'a>(
    rule: &MatchRule,
    rest: &str,
    destination: &'a Artifacts,
) -> Option<&'a DigestSet> {
    match rule.destination_prefix.as_deref() {
        Some(prefix) => destination.get(&(folder(prefix) + rest)),
        None => destination.get(rest),
    }
}

/// The path without the prefix and its slash; none when it is not below it.
fn below<'p>(prefix: Option<&str>, path: &'p str) -> Option<&'p str> {
    match prefix {
        Some(prefix) => path.strip_prefix(folder(prefix).as_str()),
        None => Some(path),
    }
}

fn folder(prefix: &str) -> String {
    if prefix.ends_with('/') { prefix.to_owned() } else { format!("{prefix}/") }
}

/// Whether two sets of digests are of the same artifact.
fn same(one: &DigestSet, other: &DigestSet) -> bool {
    let mut tells_apart = false;
    for digest in one.iter() {
        match other.value(digest.algorithm().name()) {
            Some(value) if value == digest.value() => {
                tells_apart |= digest.algorithm().tells_artifacts_apart();
            }
            Some(_) => return false,
            None => {}
        }
    }
    tells_apart
}

/// Whether two sets of digests are of different artifacts.
fn differ(one: &DigestSet, other: &DigestSet) -> bool {
    one.iter().any(|digest| {
        other.value(digest.algorithm().name()).is_some_and(|value| value != digest.value())
    })
}

/// The first of the paths, for a reader.
fn paths(paths: &[&str]) -> String {
    let shown: Vec<String> = paths.iter().take(MAX_SHOWN_PATHS).map(|path| quoted(path)).collect();
    match paths.len().saturating_sub(shown.len()) {
        0 if shown.is_empty() => "none".to_owned(),
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
