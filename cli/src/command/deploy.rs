//! `attestry deploy`: what entered and left an environment, and what runs there.

use attestry_schemas::bundle::{Bundle, Content};
use attestry_schemas::digest::{Digest, DigestSet, Sha256};
use attestry_schemas::dsse::{self, Envelope};
use attestry_schemas::predicate::attestry::environment::{Deployment, DeploymentKind};
use attestry_schemas::predicate::{Predicate as _, UtcTime};
use attestry_schemas::statement::{ResourceDescriptor, Statement};
use serde_json::json;

use super::gate::Made;
use super::publish::{self, AnswerRegistry, Product, Publication};
use super::sign::open_key_and_read;
use super::{attest, count};
use crate::answers::gate::{Deployments, Running};
use crate::args::{DeployArgs, DeployCommand, DeployStatusArgs, Destination};
use crate::client::query_value;
use crate::config::ConfigError;
use crate::output::{Exit, Failure, GREEN, RED, Session, YELLOW, chain, printable};
use crate::subject::Subject;

/// Runs `attestry deploy`.
pub(super) fn run(command: &DeployCommand, session: &mut Session) -> Result<Exit, Failure> {
    match command {
        DeployCommand::Record(args) => record(args, DeploymentKind::Deployed, session),
        DeployCommand::Rollback(args) => record(args, DeploymentKind::RolledBack, session),
        DeployCommand::Decommission(args) => record(args, DeploymentKind::Decommissioned, session),
        DeployCommand::Status(args) => status(args, session),
    }
}

fn record(args: &DeployArgs, kind: DeploymentKind, session: &mut Session) -> Result<Exit, Failure> {
    let settings = super::settings(session)?;
    let key_path = settings.demand_key(args.key.key.as_deref())?;
    let namespace = settings.namespace(args.namespace.namespace.as_ref());
    let root = &args.checked.trusted_root;
    let registry = publish::registry(settings, &args.checked.registry, namespace, root, session)?;
    let registry = registry.ok_or(ConfigError::NoRegistry)?;
    let arguments = std::slice::from_ref(&args.artifact);
    let (key, subjects) = open_key_and_read(arguments, &key_path, &args.key.password, session)?;
    let Some(subject) = subjects.into_iter().next() else {
        return Err(Failure::undecided("expected an artifact, found none"));
    };
    let mut args = args.clone();
    if kind != DeploymentKind::Decommissioned {
        warn_of_decision(&mut args, &subject, &registry, session)?;
    }
    let statement = statement(&args, kind, &subject, session)?;
    let envelope = Envelope::sign(dsse::PAYLOAD_TYPE, &statement.to_json(), &key);
    let product = Product {
        bundle: Bundle::of_key(key.public_key(), Content::Envelope(envelope)),
        key: Some(key.public_key().clone()),
        subjects: vec![subject.clone()],
        predicate_type: Some(Deployment::URI.to_owned()),
        out: Destination::Stdout,
        attachments: Vec::new(),
    };
    let answer = publish::log(product, Vec::new(), &registry, session)?;
    tell_recorded(&answer, &args, kind, &subject, session)
}

fn statement(
    args: &DeployArgs,
    kind: DeploymentKind,
    subject: &Subject,
    session: &mut Session,
) -> Result<Statement, Failure> {
    let fail = |e: &dyn std::error::Error| Failure::undecided(chain(e));
    let (started_at, finished_at) = moments(args, session);
    let set = |digest: Sha256| -> DigestSet { Digest::from(digest).into() };
    let deployment = Deployment {
        environment: args.place.environment.clone(),
        kind,
        decision: args.decision.map(set),
        replaces: args.replaces.map(set),
        started_at,
        finished_at,
    };
    let value = deployment.to_value().map_err(|e| fail(&e))?;
    attest::check(Deployment::URI, &value, session)?;
    let descriptor = ResourceDescriptor {
        name: args.place.name.clone(),
        digest: Some(subject.digest.clone().into()),
        ..ResourceDescriptor::default()
    };
    Statement::new(vec![descriptor], Deployment::URI, value).map_err(|e| fail(&e))
}

/// How much later than a deployment is said to have begun its decision may have been made, in seconds: what the
/// registry tolerates between clocks.
const CLOCK_TOLERANCE_S: i64 = 300;

/// Says before it is recorded that a deployment will be flagged: that is no reason not to record what happened. A deployment
/// that is given no name has that of its decision.
fn warn_of_decision(
    args: &mut DeployArgs,
    subject: &Subject,
    registry: &Publication,
    session: &mut Session,
) -> Result<(), Failure> {
    let ask = format!(
        "ask before deploying: attestry gate ARTIFACT --environment {}{} tells the decision to give",
        args.place.environment,
        args.place.name.as_ref().map(|name| format!(" --name {name}")).unwrap_or_default()
    );
    let Some(decision) = args.decision else {
        session.warn(printable(&format!(
            "no --decision is given: it is recorded as unauthorized; {ask}"
        )));
        return Ok(());
    };
    let root = registry.trusted_root(session)?;
    let (began, _) = moments(args, session);
    let client = registry.client();
    let made = match client.fetch(&format!("/v1/attestations/{decision}")) {
        // That there is none is an answer, and not the want of one.
        Err(error) if error.status() == Some(404) => Err(Failure::refused(chain(&error))),
        Err(error) => Err(error.into()),
        Ok(posted) => Made::of_posted(&posted, decision, &root, client),
    };
    let why = match made {
        // Whoever may record need not be able to read; the registry judges it in any case.
        Err(failure) if !failure.is_refusal() => {
            let why = failure.problem();
            session.warn(printable(&format!("{decision} cannot be checked here: {why}")));
            None
        }
        Err(failure) => Some(failure.problem().to_owned()),
        Ok(made) => {
            args.place.name = args.place.name.take().or_else(|| made.details.name.clone());
            why_not(&made, args, subject.sha256()?, began)
        }
    };
    if let Some(why) = why {
        session.warn(printable(&format!(
            "{decision} does not allow this: {why}; it is recorded as unauthorized; {ask}"
        )));
    }
    Ok(())
}

/// Why a decision does not allow a deployment, by what the registry goes by.
fn why_not(made: &Made, args: &DeployArgs, subject: Sha256, began: UtcTime) -> Option<String> {
    let details = &made.details;
    let decided_at = made.time.as_deref().and_then(UtcTime::from_rfc3339);
    let is_later =
        |decided: &UtcTime| began.unix_seconds() + CLOCK_TOLERANCE_S < decided.unix_seconds();
    let is_asked = |name: &String| match &details.name {
        Some(asked) => asked == name,
        None => details.names.contains(name),
    };
    let other_name = args.place.name.as_ref().filter(|name| !is_asked(name));
    Some(if details.run.is_none() && !made.passed() {
        "it denies".to_owned()
    } else if let Some(why) = made.why_void(began, "the deployment began at") {
        why
    } else if made.subject != subject {
        format!("it is about {}", made.subject)
    } else if details.environment != args.place.environment {
        format!("it is for {}", details.environment)
    } else if let Some(name) = other_name {
        format!("it was not asked for under the name {name}")
    } else if let Some(decided) = decided_at.filter(is_later) {
        format!("it was made at {decided}, after the deployment began at {began}")
    } else {
        return None;
    })
}

/// When the deployment began and when it was done.
fn moments(args: &DeployArgs, session: &Session) -> (UtcTime, UtcTime) {
    let now = (session.io.now)();
    let now: UtcTime = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now).into();
    let finished_at = args.finished_at.map_or(now, crate::args::Since::moment);
    let started_at = args.started_at.map_or(finished_at, crate::args::Since::moment);
    (started_at, finished_at)
}

fn tell_recorded(
    answer: &AnswerRegistry,
    args: &DeployArgs,
    kind: DeploymentKind,
    subject: &Subject,
    session: &mut Session,
) -> Result<Exit, Failure> {
    let did = match kind {
        DeploymentKind::Deployed => "deployed",
        DeploymentKind::RolledBack => "rolled-back",
        DeploymentKind::Decommissioned => "decommissioned",
    };
    if session.json() {
        session.answer(&json!({
            "kind": did,
            "subject": subject.digest.to_string(),
            "name": args.place.name,
            "environment": args.place.environment,
            "decision": args.decision.map(|digest| digest.to_string()),
            "registry": answer,
        }))?;
        return Ok(Exit::Success);
    }
    let digest = answer.digest.as_deref().unwrap_or("-");
    session.line(format!("{did} in {}: {}", args.place.environment, subject.label()));
    let index = answer.index.map(|index| format!(", log index {index}")).unwrap_or_default();
    session.line(printable(&format!("deployment: {digest}{index}")));
    Ok(Exit::Success)
}

fn status(args: &DeployStatusArgs, session: &mut Session) -> Result<Exit, Failure> {
    let settings = super::settings(session)?;
    let client = super::client(settings.demand_registry(&args.registry)?, session)?;
    let mut query = Vec::new();
    if let Some(environment) = &args.environment {
        query.push(format!("environment={}", query_value(environment)));
    }
    if args.all {
        query.push("all=true".to_owned());
    }
    let path = if query.is_empty() {
        "/v1/deployments".to_owned()
    } else {
        format!("/v1/deployments?{}", query.join("&"))
    };
    let found: Deployments = client.fetch(&path)?.json()?;
    if session.json() {
        session.answer(&found)?;
        return Ok(Exit::Success);
    }
    if found.items.is_empty() {
        session.say("nothing runs, as far as it was recorded");
    }
    found.items.iter().for_each(|item| tell(item, session));
    let flagged = found.items.iter().filter(|item| !item.compliant || !item.authorized).count();
    let all = count(found.items.len() as u64, "deployment", "deployments");
    session.say(format!("{all}, {flagged} flagged"));
    Ok(Exit::Success)
}

fn tell(item: &Running, session: &mut Session) {
    let mark = match (item.authorized, item.compliant) {
        // Of what is over nothing is promised.
        (true, _) if item.left() => "-".to_owned(),
        (true, true) if !item.running => "-".to_owned(),
        (true, true) if item.break_glass => session.paint("!", YELLOW),
        (true, true) => session.paint("✓", GREEN),
        _ => session.paint("✗", RED),
    };
    session.line(format!("{mark} {}", printable(&told(item))));
    match &item.decision {
        Some(decision) => session.line(printable(&format!("    decision: {decision}"))),
        None => session.line("    decision: none"),
    }
    if let Some(deployment) = &item.deployment {
        session.line(printable(&format!("    deployment: {deployment}")));
    }
    if item.break_glass {
        session.line(
            "    it entered in an emergency; who must review it approves it: attestry approve",
        );
    }
    if !item.authorized {
        let cause = item.reasons.first().or(item.cause.as_ref());
        let cause = cause.map_or("the registry does not say why", String::as_str);
        session.line(printable(&format!("    unauthorized: {cause}")));
        return;
    }
    if !item.compliant {
        session.line(if item.running {
            "    no longer compliant:"
        } else {
            "    no longer compliant when it was replaced or left"
        });
    }
    for reason in &item.reasons {
        session.line(printable(&format!("      {reason}")));
    }
}

/// What a line says: what runs, what ran, and what left.
fn told(item: &Running) -> String {
    let name = item.name.as_deref().unwrap_or("-");
    let what = format!("{} {name} {}", item.environment, item.subject);
    if item.left() {
        return format!("{what} left at {}", item.since);
    }
    match &item.until {
        Some(until) => format!("{what} ran from {} until {until}", item.since),
        None if item.running => format!("{what} since {}", item.since),
        None => format!("{what} stated from {}, and never counted as running", item.since),
    }
}
