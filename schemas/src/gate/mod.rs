//! The gate: whether an artifact may enter an environment, and why.
//!
//! [`decide`] is a pure function of a question, the trust, the policies and the evidence: the same inputs give the
//! same bytes, here and offline, today and in years. It reads no clock; the moment is part of the
//! question. Everything that is not a clear yes is a no that says what would make it a yes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::digest::Sha256;
use crate::policy::{Mode, Policy, Rule, RuleKind};
use crate::predicate::UtcTime;
use crate::roster::trust::Trust;

pub mod answer;
pub mod authorized;
pub mod bill;
mod case;
pub mod consent;
pub mod decision;
pub mod difference;
pub mod evidence;
mod exception;
pub mod explain;
pub mod findings;
pub mod governance;
mod license;
pub mod pack;
mod rules;
pub mod vex;

pub use answer::{Answer, Finding, Outcome};
pub use decision::{Decision, Details, Failure, PolicyVerdict};
pub use evidence::{Evidence, Held, SEALED_FORMAT, Said, Seal, SealError};

use answer::{Judgement, earlier};
use case::{Case, Weighed};

/// What is asked: may this artifact enter this environment now, or stay?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The artifact.
    pub subject: Sha256,
    /// What the caller calls it: a path such as `registry.example.com/pay/api`. It can add policies, never avoid one.
    pub name: Option<String>,
    /// The environment.
    pub environment: String,
    /// As whom the registry knows the caller, such as `token:deploy`.
    pub caller: Option<String>,
    /// The configuration that is being applied.
    pub configuration: Option<Sha256>,
    /// The moment.
    pub now: UtcTime,
    /// The size of the log: evidence from this index on is not looked at.
    pub log_size: u64,
    /// The host name of the log.
    pub origin: String,
    /// What the verdict is for.
    pub purpose: Purpose,
}

/// What a verdict is for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Purpose {
    /// That the artifact enters the environment.
    #[default]
    Deploy,
    /// That what entered stays: rules about the act of deploying ask nothing of it.
    Run(Run),
}

impl Purpose {
    /// Whether the artifact runs already.
    #[must_use]
    pub fn is_run(&self) -> bool {
        matches!(self, Self::Run(_))
    }
}

/// What runs, and why it is judged again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The statement that it was deployed.
    pub deployment: Sha256,
    /// What it is called where it runs: one statement may bring an artifact by several names.
    pub name: Option<String>,
    /// The attestation that changed the verdict; none when the passing of time did.
    pub because: Option<Sha256>,
    /// When time ran out, where its passing alone changed the verdict.
    pub since: Option<UtcTime>,
}

/// Documents that policies name by digest: classic layouts.
pub type Documents<'d> = dyn Fn(Sha256) -> Option<Vec<u8>> + 'd;

/// Decides. Evidence of an index beyond the question's log size is ignored, so a decision can be made again later.
#[must_use]
pub fn decide(
    question: &Question,
    trust: Option<&Trust>,
    policies: &[Arc<Policy>],
    evidence: &[Arc<Evidence>],
    documents: &Documents<'_>,
) -> Decision {
    let Some(trust) = trust else {
        let why = "expected a roster that says who is trusted, found none";
        return Decision::denied(
            question,
            None,
            why,
            "publish one: attestry roster push roster.toml --key ROOT.key --registry URL",
        );
    };
    if question.now >= trust.roster().expires {
        let why = format!(
            "expected a roster that is in force, found version {}, which expired at {}",
            trust.roster().version,
            trust.roster().expires
        );
        return Decision::denied(
            question,
            Some(trust),
            &why,
            "publish a new version of the roster",
        );
    }
    if let Some(newer) = trust.superseded() {
        let why = format!(
            "expected to read version {} of the roster, which the root keys have signed, found {}",
            newer.version, newer.why
        );
        let fix = format!(
            "publish a version above {} that this version of Attestry reads: attestry roster lint tells",
            newer.version
        );
        return Decision::denied(question, Some(trust), &why, &fix);
    }
    let given = evidence;
    let evidence = weighed(question, trust, given);
    if let Some(why) = unstated(question, &evidence) {
        let why =
            format!("expected a deployment that the roster lets its signer state, found {why}");
        let fix =
            "find out what runs there, and have somebody record it who may: attestry deploy record";
        return Decision::denied(question, Some(trust), &why, fix);
    }
    let names = names(question, &evidence);
    let case =
        Case { question, trust, evidence: &evidence, documents, names: &names, policy: None };
    let mut matching: Vec<&Arc<Policy>> = policies
        .iter()
        .filter(|policy| policy.matches(&question.environment, names.iter().map(String::as_str)))
        .collect();
    matching.sort_by_key(|policy| (policy.name.as_str(), policy.version, policy.digest));
    // What the log holds, and what counts from a later moment on.
    let to_come = evidence_to_come(question, given);
    let mut until = earlier(Some(trust.roster().expires), to_come);
    let verdicts = matching.iter().map(|policy| {
        let (verdict, moment) = judge_policy(policy, &Case { policy: Some(policy), ..case });
        until = earlier(until, moment);
        verdict
    });
    let verdicts = verdicts.collect();
    if matching.iter().all(|policy| policy.mode == Mode::Shadow) {
        let (found, fix) = match matching.is_empty() {
            true => (
                "none that matches",
                "publish a policy whose [match] names artifact and environment, or ask by the artifact's --name",
            ),
            false => (
                "none but in mode shadow, in which a policy neither allows nor denies",
                "publish one of them in mode enforce or warn: attestry policy push",
            ),
        };
        let why = format!(
            "expected a policy for {} in {}, found {found}",
            case::joined(&names, "an artifact without a name"),
            question.environment
        );
        return Decision::denied(question, Some(trust), &why, fix)
            .recording(names.clone(), verdicts);
    }
    Decision::of(question, trust, names.clone(), verdicts, until)
}

/// What was last brought to each name whose place the artifact would take, as rules see it over this evidence, with the index of the
/// statement that tells so.
#[must_use]
pub fn entered(
    question: &Question,
    trust: &Trust,
    evidence: &[Arc<Evidence>],
) -> BTreeMap<String, Option<(Sha256, u64)>> {
    let evidence = weighed(question, trust, evidence);
    let names = names(question, &evidence);
    let documents = &|_| None;
    let case =
        Case { question, trust, evidence: &evidence, documents, names: &names, policy: None };
    let last = |name: &str| {
        rules::entered(&case, name).map(|(artifact, one)| (artifact, one.evidence.index()))
    };
    rules::taken_names(&case).into_iter().map(|name| (name.to_owned(), last(name))).collect()
}

/// Why the statement that something was deployed no longer counts, where what runs by it is judged.
fn unstated(question: &Question, evidence: &[Weighed<'_>]) -> Option<String> {
    let Purpose::Run(run) = &question.purpose else { return None };
    let statement = evidence.iter().find(|one| one.evidence.digest() == run.deployment)?;
    statement.signer.as_ref().err().cloned()
}

/// The evidence that the log held at the question's size and moment, each once, in the order of the log, with what its
/// signature is worth: in whatever order it is given, the same is decided.
fn weighed<'e>(
    question: &Question,
    trust: &'e Trust,
    evidence: &'e [Arc<Evidence>],
) -> Vec<Weighed<'e>> {
    let held = evidence
        .iter()
        .filter(|one| one.index() < question.log_size && one.logged_at() <= question.now);
    let mut held: Vec<&Evidence> = held.map(Arc::as_ref).collect();
    held.sort_by_key(|one| (one.index(), one.digest()));
    held.dedup_by_key(|one| (one.index(), one.digest()));
    held.into_iter().map(|one| Weighed::of(one, trust)).collect()
}

/// From when on more counts of what the log holds.
fn evidence_to_come(question: &Question, evidence: &[Arc<Evidence>]) -> Option<UtcTime> {
    let held = evidence.iter().filter(|one| one.index() < question.log_size);
    held.map(|one| one.logged_at()).filter(|at| *at > question.now).min()
}

/// The artifact's names. A name that a stranger gives would add policies, which denies: only trusted evidence is asked.
fn names(question: &Question, evidence: &[Weighed<'_>]) -> Vec<String> {
    let subject = question.subject.into();
    let mut names: BTreeSet<String> = question.name.iter().cloned().collect();
    for one in evidence.iter().filter(|one| one.signer.is_ok()) {
        names.extend(one.evidence.names_of(&subject).map(str::to_owned));
    }
    names.into_iter().collect()
}

/// Judges every rule of one policy; also tells from when on the verdict may be another.
fn judge_policy(policy: &Policy, case: &Case<'_>) -> (PolicyVerdict, Option<UtcTime>) {
    let mut until = None;
    let mut answers = Vec::new();
    let in_force = case.now() < policy.expires;
    if let Some(why) = &policy.unread {
        let wanted = format!("{}, which was published, in force", policy.title());
        let fix = format!(
            "have as many as may sign it push version {0} again, or publish a version above {0} that this version of Attestry reads: attestry policy push FILE --key KEY",
            policy.version
        );
        let judgement = Judgement::error(wanted, why.clone(), fix);
        answers.push(judgement.answer("policy", "policy"));
    } else if !in_force {
        let wanted = "a policy that is in force";
        let found = format!("{}, which expired at {}", policy.title(), policy.expires);
        let judgement = Judgement::error(wanted, found, "publish a new version of the policy");
        answers.push(judgement.answer("policy", "policy"));
    } else {
        until = earlier(until, Some(policy.expires));
        for rule in &policy.rules {
            let (answer, moment) = judge_rule(rule, policy, case);
            until = earlier(until, moment);
            answers.push(answer);
        }
    }
    let holds = !answers.is_empty() && answers.iter().all(|answer| answer.outcome.is_good());
    // A policy that is no longer in force grants no exceptions either.
    let (broken, set_aside) = match holds || policy.unread.is_some() {
        true => (None, Vec::new()),
        false => exception::broken_glass(policy, in_force, case),
    };
    if let Some(broken) = &broken {
        until = earlier(until, Some(broken.expires));
    }
    let verdict = PolicyVerdict {
        name: policy.name.clone(),
        version: policy.version,
        digest: policy.digest,
        mode: policy.mode,
        passed: holds || broken.is_some(),
        break_glass: broken.map(|broken| broken.told),
        set_aside: answer::bounded(set_aside),
        rules: answers,
    };
    (verdict, until)
}

/// Judges one rule, with the waivers for its findings.
fn judge_rule(rule: &Rule, policy: &Policy, case: &Case<'_>) -> (Answer, Option<UtcTime>) {
    let mut judgement = match &rule.kind {
        RuleKind::Any(rules) => any(rules, policy, case),
        kind => rules::judge(kind, case),
    };
    // Of an `any` each finding is waived where it was found: a waiver for the whole would cover whatever comes.
    if judgement.outcome == Outcome::Fail && judgement.any.is_empty() {
        exception::waive(&mut judgement, &rule.id, policy, case);
    }
    if !judgement.outcome.is_good() {
        judgement.set_aside = exception::set_aside(&judgement, &rule.id, policy, case);
    }
    let until = judgement.until;
    (judgement.answer(&rule.id, rule.kind.name()), until)
}

/// One of the rules suffices.
fn any(rules: &[Rule], policy: &Policy, case: &Case<'_>) -> Judgement {
    let (mut answers, mut until) = (Vec::new(), None);
    for rule in rules {
        let (answer, moment) = judge_rule(rule, policy, case);
        until = earlier(until, moment);
        answers.push(answer);
    }
    let ids: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
    let wanted = format!("one of {}", ids.join(", "));
    // What holds is better than what is waived.
    let ended = |outcome| answers.iter().find(|answer: &&Answer| answer.outcome == outcome);
    let good = ended(Outcome::Pass).or_else(|| ended(Outcome::Waived));
    let mut judgement = match good {
        Some(good) => {
            let found = format!("{}: {}", good.rule, good.found);
            let mut judgement = Judgement::pass(wanted, found);
            judgement.outcome = good.outcome;
            judgement
        }
        // No waiver is for what could not be judged.
        None if answers.iter().all(|answer| answer.outcome == Outcome::Error) => {
            let found = "none of them could be judged";
            Judgement::error(wanted, found, "see each of them")
        }
        None => {
            let found = "none of them holds";
            Judgement::fail(
                "any",
                wanted,
                found,
                "make one of them hold; what is waived is a finding of one of them, by its own rule's id",
            )
        }
    };
    judgement.any = answers;
    judgement.until(until)
}

#[cfg(test)]
mod tests;
