//! `test-result`: tests passed, and no failure stands that no newer result has made good.

use std::collections::BTreeSet;

use super::super::answer::{Finding, Judgement};
use super::super::case::{Case, Counted, by, count as counted, joined, short};
use super::super::evidence::Said;
use crate::digest::DigestSet;
use crate::policy::Demand;
use crate::predicate::in_toto::{TestResult, TestVerdict};
use crate::statement::ResourceDescriptor;

/// How many names of tests an answer repeats.
const MAX_NAMES: usize = 5;

pub(super) fn judge(
    case: &Case<'_>,
    demand: &Demand,
    suites: &[String],
    least_passed: u64,
) -> Judgement {
    let mut wanted = format!("passed tests by {}, at least {least_passed}", by(demand));
    if !suites.is_empty() {
        wanted += &format!(", of the suites {}", joined(suites, "any"));
    }
    let fix = "run the tests and import their report: attestry evidence add REPORT --subject ARTIFACT --key KEY --registry URL";
    let selection = case.select(demand, |said| matches!(said, Said::TestResult(_)));
    if selection.counted.is_empty() {
        return Judgement::fail(
            "test-result",
            wanted,
            case.instead(&selection, "no test result", &["test-result"]),
            fix,
        );
    }
    let results: Vec<Run<'_>> = selection.counted.iter().filter_map(Run::of).collect();
    let standing: Vec<&Run<'_>> = standing(&results);
    let mut findings: Vec<Finding> = standing.iter().flat_map(|run| run.failures()).collect();
    let missing = suites.iter().filter(|suite| !standing.iter().any(|run| run.is_of(suite)));
    let missing: Vec<&String> = missing.collect();
    let lacks = |suite: &&String| Finding::new(suite, format!("no result of the suite {suite}"));
    findings.extend(missing.iter().map(lacks));
    // A test that several results name is one test.
    let mut passed: Vec<&str> = standing.iter().flat_map(|run| run.passed()).collect();
    passed.sort_unstable();
    passed.dedup();
    let count = passed.len() as u64;
    if count < least_passed {
        findings.push(Finding::new(
            "least-passed",
            format!("{} passed, of at least {least_passed}", tests(count)),
        ));
    }
    let until = standing.iter().filter_map(|run| selection.expires(run.one)).min();
    let evidence = standing.iter().map(|run| run.one.digest());
    if findings.is_empty() {
        let found = format!("{} passed in {}", tests(count), counted(standing.len(), "result"));
        return Judgement::pass(wanted, found).on(evidence).until(until);
    }
    let first: Vec<&String> =
        findings.iter().take(MAX_NAMES).map(|finding| &finding.text).collect();
    let more = findings.len().saturating_sub(MAX_NAMES);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let there = if missing.is_empty() { String::new() } else { there(&standing) };
    // Whoever ran them again may wonder.
    let again = selection.repeated.map_or_else(String::new, |digest| {
        format!("; {} says what was said before, and is no newer run", short(digest))
    });
    let found = format!("{}{more}{there}{again}", joined(&first, ""));
    Judgement::failing(findings, wanted, found, fix).on(evidence).until(until)
}

fn tests(count: u64) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), "test")
}

/// Which suites there are results of, where one is missing: its name may be written another way.
fn there(standing: &[&Run<'_>]) -> String {
    let named: BTreeSet<&str> = standing.iter().flat_map(|run| run.suites()).collect();
    let first: Vec<&&str> = named.iter().take(MAX_NAMES).collect();
    match named.len() {
        0 => "; the results there name no suite".to_owned(),
        1..=MAX_NAMES => format!("; there are results of {}", joined(&first, "")),
        more => {
            format!("; there are results of {} and {} more", joined(&first, ""), more - MAX_NAMES)
        }
    }
}

/// One result of tests.
struct Run<'r> {
    one: &'r Counted<'r>,
    result: &'r TestResult,
    /// The names of what it is a run of.
    configuration: BTreeSet<&'r str>,
    /// All that tells one configuration from another: names, or the digests of what has none.
    identity: BTreeSet<String>,
}

impl<'r> Run<'r> {
    fn of(one: &'r Counted<'r>) -> Option<Self> {
        let Said::TestResult(result) = one.evidence.said() else { return None };
        let configuration = result.configuration.iter().filter_map(name).collect();
        let identity = result.configuration.iter().map(identity).collect();
        Some(Self { one, result, configuration, identity })
    }

    /// Whether a suite, of which something ran, is named in its configuration, or stands before a `::` in the name of one of its tests.
    fn is_of(&self, suite: &str) -> bool {
        let within =
            |test: &str| test.strip_prefix(suite).is_some_and(|rest| rest.starts_with("::"));
        (self.has_run() && self.configuration.contains(suite)) || self.all().any(within)
    }

    /// Whether some of its tests ran: all that it lists may have been skipped. One that lists none says so by its verdict.
    fn has_run(&self) -> bool {
        let lists = [&self.result.passed_tests, &self.result.warned_tests];
        self.all().next().is_some() || lists.iter().all(|list| list.is_none())
    }

    /// The names by which it can be asked for as a suite.
    fn suites(&self) -> impl Iterator<Item = &'r str> + use<'_, 'r> {
        let within = self.all().filter_map(|test| Some(test.split_once("::")?.0));
        let named = self.configuration.iter().copied().filter(|_| self.has_run());
        named.chain(within)
    }

    /// Not those that were warned of: among them are those that were skipped, and what did not run has not passed.
    fn passed(&self) -> impl Iterator<Item = &'r str> + use<'r> {
        listed(&self.result.passed_tests)
    }

    fn failed(&self) -> impl Iterator<Item = &'r str> + use<'r> {
        listed(&self.result.failed_tests)
    }

    /// The tests that ran.
    fn all(&self) -> impl Iterator<Item = &'r str> + use<'r> {
        self.passed().chain(self.failed())
    }

    /// Whether it says that something failed: by its verdict, or by the name of a test.
    fn has_failed(&self) -> bool {
        self.result.result == TestVerdict::Failed || self.failed().next().is_some()
    }

    /// Each failed test is a finding of its own, so that a waiver for one covers no other.
    fn failures(&self) -> Vec<Finding> {
        let digest = short(self.one.digest());
        let named =
            self.failed().map(|test| Finding::new(test, format!("{test} failed in {digest}")));
        let named: Vec<Finding> = named.collect();
        if named.is_empty() && self.has_failed() {
            let text = format!("{digest} says FAILED, without the name of a test");
            return vec![Finding::new(&format!("failed {digest}"), text)];
        }
        named
    }

    /// Whether it ran again what failed in an older result: by the same signer, in the same configuration, and each
    /// failed test itself is there. Where no test is named as failed it must be a run of the same: all that the older one names
    /// is there, and where that names nothing, a configuration says what both are runs of.
    fn makes_good(&self, older: &Self) -> bool {
        let ran_again = |test: &str| self.all().any(|other| other == test);
        self.one.signer.name == older.one.signer.name
            && self.identity == older.identity
            && match (older.failed().next(), older.all().next()) {
                (Some(_), _) => older.failed().all(ran_again),
                (None, Some(_)) => older.all().all(ran_again),
                (None, None) => {
                    let is_told = |one: &String| !one.is_empty();
                    !older.identity.is_empty() && older.identity.iter().all(is_told)
                }
            }
    }
}

/// The results that count, of which the newest is the first: not those that failed and that a newer one made good.
fn standing<'r>(results: &'r [Run<'r>]) -> Vec<&'r Run<'r>> {
    let stands = |(at, run): &(usize, &'r Run<'r>)| {
        let newer = results.iter().take(*at);
        !run.has_failed() || !newer.into_iter().any(|newer| newer.makes_good(run))
    };
    results.iter().enumerate().filter(stands).map(|(_, run)| run).collect()
}

fn listed<'r>(names: &'r Option<Vec<String>>) -> impl Iterator<Item = &'r str> + use<'r> {
    names.iter().flatten().map(String::as_str)
}

/// What tells one configuration from another; nothing of one that says nothing.
fn identity(descriptor: &ResourceDescriptor) -> String {
    let digests = || descriptor.digest.iter().flat_map(DigestSet::iter).map(|one| one.to_string());
    let of_digests = || Some(digests().collect::<Vec<_>>().join(" ")).filter(|all| !all.is_empty());
    let place = || descriptor.download_location.clone().or_else(|| descriptor.content.clone());
    let name = name(descriptor).map(str::to_owned);
    name.or_else(of_digests).or_else(place).unwrap_or_default()
}

fn name(descriptor: &ResourceDescriptor) -> Option<&str> {
    descriptor.name.as_deref().or(descriptor.uri.as_deref())
}
