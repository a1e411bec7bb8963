//! `attestry gate`: whether an artifact may enter an environment, and why.
//!
//! The registry decides; what it answers is believed once its decision verifies: signed by the log's own
//! key, in the log, about the artifact and the environment that were asked, and in force. What the answer says beside
//! the decision counts for nothing.

mod consents;
mod decision;
mod offline;
mod replay;
mod summary;

use attestry_schemas::bundle::Bundle;
use attestry_schemas::digest::Sha256;
use attestry_schemas::gate::pack::MAX_PACK_BYTES;
use serde::Serialize;
use serde_json::{Value, json};

use super::digest;
use crate::answers::gate::Decided;
use crate::args::{
    Destination, GateArgs, GateAskArgs, GateCommand, GateExplainArgs, GatePackArgs, SubjectArg,
};
use crate::bundle_file;
use crate::client::{Client, query_value};
use crate::output::{Exit, Failure, GREEN, RED, Session, YELLOW, chain, printable};
use crate::subject;
use crate::trust;

pub(super) use decision::Made;

/// Runs `attestry gate`.
pub(super) fn run(args: &GateArgs, session: &mut Session) -> Result<Exit, Failure> {
    match &args.command {
        Some(GateCommand::Explain(args)) => explain(args, session),
        Some(GateCommand::Replay(args)) => replay::run(args, session),
        Some(GateCommand::Pack(args)) => pack(args, session),
        None => {
            let asked = ask(&args.ask, session);
            if let (Err(failure), Some(path)) = (&asked, &args.ask.summary) {
                // The job's page says that nothing may deploy, also where nothing was decided.
                if let Err(unwritten) = summary::append(path, &summary::undecided(failure))
                    && unwritten.problem() != failure.problem()
                {
                    session.fail(&unwritten);
                }
            }
            asked
        }
    }
}

/// The SHA-256 of what an argument names.
fn sha256(argument: &SubjectArg, session: &mut Session) -> Result<Sha256, Failure> {
    let stop = std::sync::atomic::AtomicBool::new(false);
    subject::resolve(argument, session, &stop)?.sha256()
}

/// What was asked, as the decision must name it.
struct Asked<'a> {
    subject: Sha256,
    environment: &'a str,
    name: Option<&'a str>,
    configuration: Option<Sha256>,
}

fn ask(args: &GateAskArgs, session: &mut Session) -> Result<Exit, Failure> {
    let (Some(artifact), Some(environment)) = (&args.artifact, args.environment.as_deref()) else {
        return Err(Failure::undecided("expected an artifact and --environment, found neither")
            .fix("attestry gate ARTIFACT --environment ENV; attestry gate --help says more"));
    };
    let settings = super::settings(session)?;
    let subject = sha256(artifact, session)?;
    let configuration =
        args.configuration.as_ref().map(|argument| sha256(argument, session)).transpose()?;
    let asked = Asked { subject, environment, name: args.name.as_deref(), configuration };
    if let Some(path) = &args.pack {
        let (made, told) = offline::decide(path, &asked, args, &settings, session)?;
        return conclude(&made, &told, args, session);
    }
    let client = super::client(settings.demand_registry(&args.checked.registry)?, session)?;
    let answer = client.send("/v1/decisions", "application/json", &question(&asked))?;
    let decided: Decided = answer.json()?;
    let bundle = Bundle::from_value(decided.bundle).map_err(|e| answer.malformed(chain(&e)))?;
    let root = trust::find(
        args.checked.trusted_root.trusted_root.as_deref(),
        &settings,
        &client,
        session,
    )?;
    let made = Made::verified(&bundle, &root, &client)?;
    demand_answer_to(&made, &asked, &client)?;
    demand_in_force(&made, &decided.decision, &client, session)?;
    let is_told = !made.passed() || args.explain || args.summary.is_some() || session.json();
    let made = if is_told { knowing(made, &client, session) } else { made };
    let told = Told {
        decision: Some(decided.decision),
        index: made.index,
        cached: decided.cached,
        until: made.until(),
        warnings: made.details.warnings(),
        offline: false,
    };
    conclude(&made, &told, args, session)
}

/// A decision with what the registry has of the waivers that it names.
fn knowing(made: Made, client: &Client, session: &mut Session) -> Made {
    let consents = consents::of(&made.details, client, session);
    made.knowing(consents)
}

/// The body of `POST /v1/decisions`.
#[derive(Serialize)]
struct Question<'a> {
    subject: String,
    environment: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration: Option<String>,
}

fn question(asked: &Asked<'_>) -> Vec<u8> {
    let question = Question {
        subject: asked.subject.to_string(),
        environment: asked.environment,
        name: asked.name,
        configuration: asked.configuration.map(|digest| digest.to_string()),
    };
    serde_json::to_vec(&question).unwrap_or_default()
}

/// Demands that a decision answers this question and no other: a PASSED one for staging is no answer for
/// production.
fn demand_answer_to(made: &Made, asked: &Asked<'_>, client: &Client) -> Result<(), Failure> {
    let details = &made.details;
    let configuration = asked.configuration.map(|digest| digest.to_string());
    let checks = [
        ("artifact", Some(asked.subject.to_string()), Some(made.subject.to_string())),
        ("environment", Some(asked.environment.to_owned()), Some(details.environment.clone())),
        ("name", asked.name.map(str::to_owned), details.name.clone()),
        ("configuration", configuration, details.configuration.clone()),
    ];
    for (what, expected, found) in checks {
        if expected != found {
            let told = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
            let expected = format!("a decision for the {what} {}", told(expected));
            return Err(not_believed(client, &expected, &format!("one for {}", told(found))));
        }
    }
    Ok(())
}

/// Demands that a decision is the one that the registry names, and may let something enter now.
fn demand_in_force(
    made: &Made,
    named: &str,
    client: &Client,
    session: &Session,
) -> Result<(), Failure> {
    let digest = made.digest.map(|digest| digest.to_string()).unwrap_or_default();
    if named != digest {
        let expected = format!("the digest {digest} of the decision in the bundle");
        return Err(not_believed(client, &expected, named));
    }
    match made.why_void(super::governance::now(session), "it is now") {
        Some(why) => {
            let expected = "a decision about what enters now";
            Err(not_believed(client, expected, &format!("another: {why}")).fix(
                "check the clock of this machine; where it is right, do not rely on this registry before its operator has explained this",
            ))
        }
        None => Ok(()),
    }
}

/// An answer that was looked at and says nothing about what was asked.
fn not_believed(client: &Client, expected: &str, found: &str) -> Failure {
    Failure::undecided(format!("{}: expected {expected}, found {found}", client.url()))
        .fix("do not rely on this registry before its operator has explained this")
}

/// What is told of a decision beside what it says itself.
pub(super) struct Told {
    pub(super) decision: Option<String>,
    pub(super) index: Option<u64>,
    pub(super) cached: bool,
    pub(super) until: Option<String>,
    pub(super) warnings: Vec<String>,
    pub(super) offline: bool,
}

#[derive(Serialize)]
struct Answer<'a> {
    result: &'static str,
    allowed: bool,
    subject: String,
    environment: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    decision: Option<&'a str>,
    index: Option<u64>,
    cached: bool,
    until: Option<&'a str>,
    warnings: &'a [String],
    explanation: &'a [String],
    statement: &'a Value,
}

/// Tells the verdict, writes the summary, and gives the exit status.
fn conclude(
    made: &Made,
    told: &Told,
    args: &GateAskArgs,
    session: &mut Session,
) -> Result<Exit, Failure> {
    let allowed = made.passed();
    for warning in &told.warnings {
        session.warn(printable(warning));
    }
    if session.json() {
        answer(made, told, session)?;
    } else {
        tell(made, told, !allowed || args.explain, session);
    }
    // Whoever reads the terminal has the verdict by now.
    if let Some(path) = &args.summary {
        summary::append(path, &summary::markdown(made, told))?;
    }
    Ok(if allowed { Exit::Success } else { Exit::Refused })
}

fn answer(made: &Made, told: &Told, session: &mut Session) -> Result<(), Failure> {
    session.answer(&Answer {
        result: if made.passed() { "PASSED" } else { "FAILED" },
        allowed: made.passed(),
        subject: made.subject.to_string(),
        environment: &made.details.environment,
        name: made.details.name.as_deref(),
        decision: told.decision.as_deref(),
        index: told.index,
        cached: told.cached,
        until: told.until.as_deref(),
        warnings: &told.warnings,
        explanation: &made.lines,
        statement: &made.statement,
    })
}

/// Prints the first line of an explanation and every emergency in it, or all of it; and where the decision is.
fn tell(made: &Made, told: &Told, explain: bool, session: &mut Session) {
    let is_emergency = |line: &str| line.trim_start().starts_with('!');
    for (number, line) in made.lines.iter().enumerate() {
        if number > 0 && !explain && !is_emergency(line) {
            continue;
        }
        let line = coloured(&printable(line), session);
        session.line(line);
    }
    if told.offline {
        session.line("decision: made here from a pack, not logged");
    }
    if let Some(digest) = &told.decision {
        let index = told.index.map(|index| format!(", log index {index}")).unwrap_or_default();
        let cached = if told.cached { ", made before" } else { "" };
        session.line(printable(&format!("decision: {digest}{index}{cached}")));
    }
    if let Some(until) = told.until.as_ref().filter(|_| made.passed()) {
        session.say(printable(&format!("it holds until {until}, unless evidence changes it")));
    }
}

/// Colours the mark or the verdict that a line begins with.
fn coloured(line: &str, session: &Session) -> String {
    let text = line.trim_start();
    let indent = line.get(..line.len() - text.len()).unwrap_or_default();
    let marks = [
        ("ALLOWED", GREEN),
        ("DENIED", RED),
        ("✓", GREEN),
        ("✗", RED),
        ("‼", RED),
        ("~", YELLOW),
        ("!", YELLOW),
    ];
    let found =
        marks.iter().find_map(|(mark, colour)| Some((mark, text.strip_prefix(mark)?, colour)));
    match found {
        Some((mark, rest, colour)) => format!("{indent}{}{rest}", session.paint(mark, colour)),
        None => line.to_owned(),
    }
}

fn explain(args: &GateExplainArgs, session: &mut Session) -> Result<Exit, Failure> {
    let settings = super::settings(session)?;
    let client = super::client(settings.demand_registry(&args.checked.registry)?, session)?;
    let root = trust::find(
        args.checked.trusted_root.trusted_root.as_deref(),
        &settings,
        &client,
        session,
    )?;
    let decision = digest::whole(&args.decision, &client)?;
    let made = knowing(Made::fetch(decision, &root, &client)?, &client, session);
    let told = Told {
        decision: Some(decision.to_string()),
        index: made.index,
        cached: true,
        until: None,
        warnings: Vec::new(),
        offline: false,
    };
    if session.json() {
        answer(&made, &told, session)?;
    } else {
        tell(&made, &Told { cached: false, ..told }, true, session);
        if let Some(time) = &made.time {
            session.say(printable(&format!("decided at {time}")));
        }
    }
    Ok(Exit::Success)
}

fn pack(args: &GatePackArgs, session: &mut Session) -> Result<Exit, Failure> {
    let settings = super::settings(session)?;
    let client = super::client(settings.demand_registry(&args.registry)?, session)?;
    let subject = sha256(&args.artifact, session)?;
    let mut path = format!(
        "/v1/packs?subject={}&environment={}",
        query_value(&subject.to_string()),
        query_value(&args.place.environment)
    );
    if let Some(name) = &args.place.name {
        path.push_str("&name=");
        path.push_str(&query_value(name));
    }
    let answer = client.fetch_bounded(&path, MAX_PACK_BYTES as u64)?;
    let pack: Value = answer.json()?;
    let text = |name: &str| pack.get(name).and_then(Value::as_str).unwrap_or_default();
    let count = |name: &str| pack.get(name).and_then(Value::as_array).map_or(0, Vec::len) as u64;
    if text("subject") != subject.to_string() || text("environment") != args.place.environment {
        return Err(answer.malformed("it is about another artifact or environment").into());
    }
    bundle_file::write(&args.out, &answer.body, session)?;
    let evidence = super::count(count("evidence"), "attestation", "attestations");
    let size = pack.get("size").and_then(Value::as_u64).unwrap_or_default();
    session.say(format!("packed {evidence} about {subject} at log size {size}"));
    if let (true, Destination::File(out)) = (session.json(), &args.out) {
        session.answer(&json!({
            "subject": subject.to_string(),
            "environment": args.place.environment,
            "name": args.place.name,
            "evidence": count("evidence"),
            "size": size,
            "out": out.display().to_string(),
        }))?;
    }
    Ok(Exit::Success)
}
