//! Where a decision that is made again differs from the one that was recorded: per policy and rule, what was recorded and what
//! comes out now.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use super::Answer;
use super::answer::cut;
use super::decision::{Decision, Details, PolicyDetails};
use crate::predicate::Predicate as _;
use crate::predicate::vsa::{GATE_EXTENSION, VerificationSummary};

/// The most differences that are told of one decision.
pub const MAX_DIFFERENCES: usize = 200;

/// What a reader looks for first.
const FIRST: [&str; 5] = ["verificationResult", "result", "outcome", "wanted", "found"];

/// One member that is another now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The policy, as name and version; none where the decision itself differs.
    pub policy: Option<String>,
    /// The rule; none where the policy's verdict differs.
    pub rule: Option<String>,
    /// The member, such as `outcome`, `wanted` or `found`.
    pub member: String,
    /// What was recorded: a text, or JSON; none where it was not there.
    pub recorded: Option<String>,
    /// What comes out now.
    pub now: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in [&self.policy, &self.rule].into_iter().flatten() {
            write!(f, "{place}: ")?;
        }
        let [recorded, now] = [&self.recorded, &self.now].map(|text| text.as_deref());
        let (recorded, now) = (recorded.unwrap_or("none"), now.unwrap_or("none"));
        write!(f, "{}: recorded {recorded}, now {now}", self.member)
    }
}

/// What differs, the first of it, and how much more there is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Differences {
    /// At most [`MAX_DIFFERENCES`], in the order of the policies and their rules.
    pub told: Vec<Difference>,
    /// How many are not told.
    pub more: usize,
}

impl Differences {
    /// From a recorded decision and its details to the one that is made of the same inputs now.
    #[must_use]
    pub fn between(recorded: &VerificationSummary, details: &Details, now: &Decision) -> Self {
        let mut all = Vec::new();
        of_details(details, now.details(), &mut all);
        let mut outside = of_summary(recorded, &now.summary());
        // All but the result follows from the answers.
        outside.retain(|one| all.is_empty() || one.member == "verificationResult");
        outside.append(&mut all);
        let more = outside.len().saturating_sub(MAX_DIFFERENCES);
        outside.truncate(MAX_DIFFERENCES);
        Self { told: outside, more }
    }
}

/// Where in a decision a member stands.
#[derive(Clone, Copy, Default)]
struct Place<'p> {
    policy: Option<&'p str>,
    rule: Option<&'p str>,
}

impl Place<'_> {
    fn difference(self, member: &str, recorded: Option<String>, now: Option<String>) -> Difference {
        Difference {
            policy: self.policy.map(str::to_owned),
            rule: self.rule.map(str::to_owned),
            member: member.to_owned(),
            recorded,
            now,
        }
    }

    /// The members of two objects that differ, but for those that are compared on their own.
    fn compare(self, pair: [&impl Serialize; 2], apart: &[&str], all: &mut Vec<Difference>) {
        let [recorded, now] = pair.map(members);
        let mut names: Vec<&String> =
            recorded.keys().chain(now.keys()).collect::<BTreeSet<_>>().into_iter().collect();
        names.sort_by_key(|name| {
            FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len())
        });
        for name in names.into_iter().filter(|name| !apart.contains(&name.as_str())) {
            let (recorded, now) = (recorded.get(name), now.get(name));
            if recorded != now {
                all.push(self.difference(name, recorded.map(told), now.map(told)));
            }
        }
    }
}

fn members(of: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(of) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

fn told(value: &Value) -> String {
    cut(match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

fn of_summary(recorded: &VerificationSummary, now: &VerificationSummary) -> Vec<Difference> {
    let [recorded, now] = [recorded, now].map(|one| one.to_value().unwrap_or_default());
    let mut all = Vec::new();
    Place::default().compare([&recorded, &now], &[GATE_EXTENSION], &mut all);
    all
}

fn of_details(recorded: &Details, now: &Details, all: &mut Vec<Difference>) {
    Place::default().compare([recorded, now], &["policies"], all);
    for policy in &recorded.policies {
        of_policy(policy, now.policies.iter().find(|other| other.name == policy.name), all);
    }
    let is_new =
        |policy: &&PolicyDetails| recorded.policies.iter().all(|other| other.name != policy.name);
    for policy in now.policies.iter().filter(is_new) {
        let title = title(policy);
        let place = Place { policy: Some(&title), rule: None };
        all.push(place.difference("result", None, Some(result(policy))));
    }
}

fn title(policy: &PolicyDetails) -> String {
    format!("{}@{}", policy.name, policy.version)
}

fn result(policy: &PolicyDetails) -> String {
    members(policy).get("result").map(told).unwrap_or_default()
}

fn of_policy(policy: &PolicyDetails, now: Option<&PolicyDetails>, all: &mut Vec<Difference>) {
    let title = title(policy);
    let place = Place { policy: Some(&title), rule: None };
    match now {
        None => all.push(place.difference("result", Some(result(policy)), None)),
        Some(now) => {
            place.compare([policy, now], &["rules"], all);
            of_rules(&policy.rules, &now.rules, place, all);
        }
    }
}

/// Rules have one name each within a policy, those of which one suffices included.
fn of_rules(recorded: &[Answer], now: &[Answer], place: Place<'_>, all: &mut Vec<Difference>) {
    for answer in recorded {
        let place = Place { rule: Some(&answer.rule), ..place };
        match now.iter().find(|other| other.rule == answer.rule) {
            None => all.push(place.difference("outcome", Some(outcome(answer)), None)),
            Some(other) => {
                place.compare([answer, other], &["any"], all);
                of_rules(&answer.any, &other.any, place, all);
            }
        }
    }
    for answer in now.iter().filter(|one| recorded.iter().all(|other| other.rule != one.rule)) {
        let place = Place { rule: Some(&answer.rule), ..place };
        all.push(place.difference("outcome", None, Some(outcome(answer))));
    }
}

fn outcome(answer: &Answer) -> String {
    members(answer).get("outcome").map(told).unwrap_or_default()
}
