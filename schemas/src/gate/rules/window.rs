//! `window`: now is a time to deploy.

use super::super::answer::{Finding, Judgement, earlier};
use super::super::case::{Case, joined, later};
use crate::policy::window::{Freeze, Hours, stays};
use crate::predicate::UtcTime;

pub(super) fn judge(
    case: &Case<'_>,
    hours: &[Hours],
    freezes: &[Freeze],
    exceptions: &[String],
) -> Judgement {
    let told: Vec<String> = hours.iter().map(ToString::to_string).collect();
    let mut wanted = format!("a time to deploy: {} (UTC)", joined(&told, "any hour"));
    if !freezes.is_empty() {
        wanted += ", outside of freezes";
    }
    let now = case.now();
    let (open, seconds) = if hours.is_empty() { (true, 0) } else { stays(hours, now) };
    // Hours change with whole minutes, so fractions of the second that is now do not count.
    let whole = jiff::Timestamp::from_second(now.unix_seconds()).ok().map(UtcTime::from);
    let changes = whole.filter(|_| !hours.is_empty()).and_then(|whole| later(whole, seconds));
    let freeze = freezes
        .iter()
        .filter(|freeze| (freeze.from..freeze.until).contains(&now))
        .max_by_key(|freeze| freeze.until);
    let next = freezes.iter().map(|freeze| freeze.from).filter(|from| *from > now).min();
    let until = earlier(earlier(changes, next), freeze.map(|freeze| freeze.until));
    let mut findings = Vec::new();
    if let Some(freeze) = freeze {
        let text = format!("{now}, in the freeze until {}: {}", freeze.until, freeze.reason);
        findings.push(Finding::new("freeze", text));
    }
    if !open {
        findings.push(Finding::new("hours", format!("{now}, outside of the hours")));
    }
    if findings.is_empty() {
        return Judgement::pass(wanted, format!("{now}")).until(until);
    }
    let found = joined(&findings.iter().map(|one| one.text.as_str()).collect::<Vec<_>>(), "");
    let asking = case.asking();
    let excepted = asking
        .name
        .filter(|name| case.trust.roster().is_named(name, exceptions.iter().map(String::as_str)));
    let until = earlier(until, asking.until.filter(|_| excepted.is_some()));
    if let Some(name) = excepted.filter(|_| asking.stands.is_ok()) {
        return Judgement::pass(wanted, format!("{found}; {name} is excepted")).until(until);
    }
    let wait = opens(hours, freezes, now).map(|opens| format!("wait until {opens}"));
    let excepted = format!("have one of {} deploy", joined(exceptions, ""));
    let fix = match (wait, exceptions.is_empty()) {
        (Some(wait), true) => wait,
        (Some(wait), false) => format!("{wait}, or {excepted}"),
        (None, false) => excepted,
        (None, true) => "give the policy hours that come".to_owned(),
    };
    Judgement::failing(findings, wanted, found, fix).until(until)
}

/// The next moment within the hours and outside of every freeze.
fn opens(hours: &[Hours], freezes: &[Freeze], now: UtcTime) -> Option<UtcTime> {
    let mut moment = jiff::Timestamp::from_second(now.unix_seconds()).ok().map(UtcTime::from)?;
    // Each freeze is left once, and the hours after it waited for.
    for _ in 0..=2 * freezes.len() + 1 {
        let holds = |freeze: &&Freeze| (freeze.from..freeze.until).contains(&moment);
        let (is_open, seconds) = if hours.is_empty() { (true, 0) } else { stays(hours, moment) };
        moment = match freezes.iter().find(holds) {
            Some(freeze) => freeze.until,
            None if is_open => return Some(moment),
            None => later(moment, seconds)?,
        };
    }
    None
}
