//! `attestry gate replay`: decides again, or tries a policy on what was deployed.

use attestry_schemas::policy::Policy;
use serde_json::json;

use super::super::governance::{self, Document};
use crate::answers::gate::{Replayed, Tried};
use crate::args::{GateReplayArgs, Past};
use crate::client::Client;
use crate::output::{Exit, Failure, GREEN, RED, Session, chain, printable};

/// Runs `attestry gate replay`.
pub(super) fn run(args: &GateReplayArgs, session: &mut Session) -> Result<Exit, Failure> {
    let settings = super::super::settings(session)?;
    let client = super::super::client(settings.demand_registry(&args.registry)?, session)?;
    match (&args.decision, &args.policy, args.since) {
        (Some(decision), ..) => {
            let decision = super::super::digest::whole(decision, &client)?;
            again(&decision.to_string(), &client, session)
        }
        (None, Some(policy), Some(since)) => {
            let document = Document::read(policy, session)?;
            what_if(&document, since, &client, session)
        }
        _ => Err(Failure::undecided("expected a decision, or --policy and --since, found neither")),
    }
}

fn again(decision: &str, client: &Client, session: &mut Session) -> Result<Exit, Failure> {
    let path = format!("/v1/decisions/{decision}/replay");
    let answer = client.send(&path, "application/json", b"{}").map_err(|error| {
        match error.status() {
            // Exit status 1 says that another verdict came out.
            Some(422) => Failure::undecided(chain(&error)).fix(
                "give the digest of a decision, as attestry gate and attestry gate explain tell it",
            ),
            _ => error.into(),
        }
    })?;
    let replayed: Replayed = answer.json()?;
    if session.json() {
        session.answer(&replayed)?;
    } else {
        let (mark, colour, word) =
            if replayed.same { ("✓", GREEN, "the same") } else { ("✗", RED, "another") };
        let mark = session.paint(mark, colour);
        let (recorded, result) = (printable(&replayed.recorded), printable(&replayed.result));
        session.line(format!("{mark} {decision}: recorded {recorded}, now {result}: {word}"));
        for difference in &replayed.differences {
            session.line(printable(&format!("    {difference}")));
        }
    }
    Ok(if replayed.same { Exit::Success } else { Exit::Refused })
}

fn what_if(
    document: &Document,
    since: Past,
    client: &Client,
    session: &mut Session,
) -> Result<Exit, Failure> {
    let now = (session.io.now)();
    let since = since.moment(now).map_err(|e| Failure::undecided(chain(&e)))?;
    let roster = governance::ruling_roster(client, session)?;
    let policy = document.demand(|text| Policy::read(text, roster.as_ref()), session)?;
    // A policy that was read is UTF-8.
    let text = String::from_utf8_lossy(&document.text);
    let question = json!({"policy": text, "since": since.to_string()}).to_string();
    let answer = client.send("/v1/replays", "application/json", question.as_bytes())?;
    let tried: Tried = answer.json()?;
    if session.json() {
        session.answer(&tried)?;
    } else {
        tell(&tried, &policy.title(), session);
    }
    Ok(if tried.denied.is_empty() { Exit::Success } else { Exit::Refused })
}

fn tell(tried: &Tried, title: &str, session: &mut Session) {
    let count = |number| super::super::count(number, "deployment", "deployments");
    let denied = tried.denied.len() as u64;
    let (evaluated, would) = (count(tried.evaluated), count(denied));
    session.line(format!("{title}: {evaluated} judged, {would} would be denied"));
    for denial in &tried.denied {
        let mark = session.paint("✗", RED);
        let name = denial.name.as_deref().unwrap_or("-");
        let at = denial.deployed_at.as_deref().unwrap_or("-");
        let running = match (denial.running, denial.now) {
            (_, true) => ", which runs and would no longer be allowed now",
            (true, false) => ", running now",
            (false, false) => "",
        };
        let (subject, environment) = (&denial.subject, &denial.environment);
        session.line(format!(
            "{mark} {}",
            printable(&format!("{name} {subject} in {environment}, deployed {at}{running}"))
        ));
        if let Some(decision) = &denial.decision {
            session.line(printable(&format!("    names the decision {decision}")));
        }
        for reason in &denial.reasons {
            session.line(printable(&format!("    {reason}")));
        }
    }
}
