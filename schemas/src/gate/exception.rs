//! Waivers and broken glass: exceptions that people sign, which end by themselves.
//!
//! An exception is the consent of k distinct signers to one and the same payload. Two payloads never add
//! up, a signer counts once however many keys it has, and nothing is covered but what the payload names.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::{Judgement, Outcome, earlier};
use super::case::{Case, Counted, Weighed, later, short};
use super::evidence::Said;
use crate::digest::{Digest, Sha256};
use crate::document::duration::lasting;
use crate::policy::{Exceptions, Policy};
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

/// The broken glass for the artifact in the environment, if the policy allows one and enough have signed; otherwise why
/// those that were signed do not count.
pub(super) fn broken_glass<'c>(
    policy: &Policy,
    in_force: bool,
    case: &Case<'c>,
) -> (Option<Broken>, Vec<String>) {
    let about = signed(case, |said| matches!(said, Said::BreakGlass(_)));
    let Some(terms) = policy.break_glass.as_ref().filter(|_| in_force) else {
        let why =
            if in_force { "the policy allows no break-glass" } else { "the policy has expired" };
        return (
            None,
            about.iter().map(|one| format!("{}: {why}", one.told("break-glass"))).collect(),
        );
    };
    let mut set_aside = Vec::new();
    for one in &about {
        let Said::BreakGlass(glass) = one.said() else { continue };
        let judged = if glass.environment != case.question.environment {
            Err(format!("it is for {}", glass.environment))
        } else if !case.trust.roster().groups.contains_key(&glass.group) {
            // Nobody could review it.
            Err(format!("the roster has no group {} that could review it", glass.group))
        } else {
            let granted = one.granted(terms, glass.expires, case);
            let in_time = |all: &Vec<Counted<'c>>| {
                all.iter().all(|one| one.evidence.logged_at() < glass.review_by)
            };
            let late =
                || format!("it was to be reviewed by {}, before it was signed", glass.review_by);
            granted.and_then(|all| if in_time(&all) { Ok(all) } else { Err(late()) })
        };
        // One digest: an emergency is about one artifact, not about whatever stands in a list.
        let about_one = |granted: Vec<Counted<'c>>| {
            let fits = granted.iter().all(is_about_one);
            if fits { Ok(granted) } else { Err("it is about more than this artifact".to_owned()) }
        };
        let judged = judged.and_then(about_one);
        match judged {
            Ok(granted) => return (Some(broken(glass, &granted)), Vec::new()),
            Err(why) => set_aside.push(format!("{}: {why}", one.told("break-glass"))),
        }
    }
    (None, set_aside)
}

fn is_about_one(one: &Counted<'_>) -> bool {
    one.evidence.subjects().len() == 1
}

fn broken(glass: &BreakGlass, granted: &[Counted<'_>]) -> Broken {
    let told = super::decision::BrokenGlass {
        reason: glass.reason.clone(),
        expires: glass.expires,
        review_by: glass.review_by,
        reviewers: glass.group.clone(),
        evidence: granted.iter().map(|one| Digest::from(one.digest()).to_string()).collect(),
        signers: granted.iter().map(|one| one.signer.name.clone()).collect(),
    };
    Broken { expires: glass.expires, told }
}

/// Why the waivers for a rule do not make it good: those that name it, and those that name one of its findings under the
/// name of no rule.
pub(super) fn set_aside(
    judgement: &Judgement,
    rule: &str,
    policy: &Policy,
    case: &Case<'_>,
) -> Vec<String> {
    let finds = |id: &str| judgement.findings.iter().any(|finding| finding.id == id);
    let mut all = Vec::new();
    for one in signed(case, |said| matches!(said, Said::Waiver(_))) {
        let Said::Waiver(waiver) = one.said() else { continue };
        let is_of_another = policy.all_rules().any(|other| other.id == waiver.rule);
        if waiver.rule != rule && (is_of_another || !finds(&waiver.finding)) {
            continue;
        }
        if let Err(why) = why_not(&one, waiver, judgement, rule, policy, case) {
            all.push(format!("{}: {why}", one.told(&format!("waiver for {}", waiver.finding))));
        }
    }
    all
}

fn why_not(
    one: &Signed<'_>,
    waiver: &Waiver,
    judgement: &Judgement,
    rule: &str,
    policy: &Policy,
    case: &Case<'_>,
) -> Result<(), String> {
    let environment = &case.question.environment;
    if judgement.outcome == Outcome::Error {
        return Err("a rule that cannot be judged cannot be waived".to_owned());
    }
    if !judgement.any.is_empty() {
        return Err(
            "of several rules a finding of one of them is waived, by that rule's id".to_owned()
        );
    }
    let Some(terms) = &policy.waivers else {
        return Err("the policy grants no waivers".to_owned());
    };
    if waiver.rule != rule {
        return Err(format!("it is for a rule {}, which the policy does not have", waiver.rule));
    }
    if !terms.rules.is_empty() && !terms.rules.iter().any(|id| id == rule) {
        return Err(format!("the policy lets only {} be waived", terms.rules.join(", ")));
    }
    if let Some(other) = waiver.environment.as_ref().filter(|other| *other != environment) {
        return Err(format!("it is for {other}"));
    }
    if !judgement.findings.iter().any(|finding| finding.id == waiver.finding) {
        let ids: Vec<&str> = judgement.findings.iter().take(5).map(|f| f.id.as_str()).collect();
        return Err(format!("it is for another finding than {}", ids.join(", ")));
    }
    one.granted(terms, waiver.until, case).map(drop)
}

/// The exceptions for the artifact that enough distinct signers of the quorum have signed, that are in force and do
/// not last longer than the policy allows, each with its end.
fn granted<'c>(
    terms: &Exceptions,
    case: &Case<'c>,
    ends: impl Fn(&Said) -> Option<UtcTime>,
) -> Vec<(Vec<Counted<'c>>, UtcTime)> {
    let all = signed(case, |said| ends(said).is_some());
    let counts = |one: Signed<'c>| {
        let end = ends(one.said())?;
        Some((one.granted(terms, end, case).ok()?, end))
    };
    all.into_iter().filter_map(counts).collect()
}

/// The signatures over one payload: one exception, in the order of the log.
struct Signed<'c>(Vec<&'c Weighed<'c>>);

/// The exceptions about the artifact, in the order of the log.
fn signed<'c>(case: &Case<'c>, is: impl Fn(&Said) -> bool) -> Vec<Signed<'c>> {
    let subject = case.subject();
    let mut places: BTreeMap<Sha256, usize> = BTreeMap::new();
    let mut all: Vec<Signed<'c>> = Vec::new();
    for one in case.evidence {
        if !is(one.evidence.said()) || !one.evidence.is_about(&subject) {
            continue;
        }
        let place = *places.entry(one.evidence.payload()).or_insert(all.len());
        match all.get_mut(place) {
            Some(signed) => signed.0.push(one),
            None => all.push(Signed(vec![one])),
        }
    }
    all
}

impl<'c> Signed<'c> {
    /// What all of them say. Of one payload there is at least one signature.
    fn said(&self) -> &'c Said {
        self.0.first().map_or(&Said::Other, |one| one.evidence.said())
    }

    /// What it is and who signed it, for a reader.
    fn told(&self, what: &str) -> String {
        let digest = self.0.first().map(|one| short(one.evidence.digest())).unwrap_or_default();
        let names: BTreeSet<&str> =
            self.0.iter().filter_map(|one| Some(one.signer.as_ref().ok()?.name.as_str())).collect();
        if names.is_empty() {
            return format!("{what} ({digest})");
        }
        let names: Vec<&str> = names.into_iter().collect();
        format!("{what} by {} ({digest})", names.join(", "))
    }

    /// The signatures that grant it; otherwise why they do not.
    fn granted(
        &self,
        terms: &Exceptions,
        end: UtcTime,
        case: &Case<'c>,
    ) -> Result<Vec<Counted<'c>>, String> {
        let (group, threshold) = (terms.quorum.group.as_str(), terms.quorum.threshold);
        let (mut names, mut counted, mut others) = (BTreeSet::new(), Vec::new(), Vec::new());
        for one in &self.0 {
            match &one.signer {
                Err(why) => others.push(why.clone()),
                Ok(signer) if !case.trust.roster().is_named(&signer.name, [group]) => {
                    others.push(format!("{} is not one of {group}", signer.name));
                }
                Ok(signer) if names.insert(signer.name.as_str()) => {
                    counted.push(Counted::once(one.evidence, signer));
                }
                Ok(_) => {}
            }
        }
        let Some(first_logged) = counted.iter().map(|one| one.evidence.logged_at()).min() else {
            others.dedup();
            return Err(others.join(", "));
        };
        if case.now() >= end {
            return Err(format!("it ended at {end}"));
        }
        let longest = later(first_logged, terms.longest.seconds());
        if longest.is_none_or(|longest| end > longest) {
            let most = lasting(terms.longest.seconds());
            return Err(format!(
                "it lasts until {end}, longer than the {most} from {first_logged} that the policy allows"
            ));
        }
        if (names.len() as u64) < threshold {
            let not = others.iter().fold(String::new(), |all, one| format!("{all}; {one}"));
            return Err(format!(
                "{} of {threshold} of {group} have signed this very statement{not}",
                names.len()
            ));
        }
        Ok(counted)
    }
}
