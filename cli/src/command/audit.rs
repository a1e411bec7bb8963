//! `attestry audit access`: who did what in a registry, and what was refused.

use crate::answers::{AccessEvent, AccessEvents};
use crate::args::{AccessArgs, AuditCommand};
use crate::client::query_value;
use crate::output::{Exit, Failure, Session, printable};

/// The most events that are asked for in one page.
const PAGE_EVENTS: u32 = 1000;

/// Runs `attestry audit`.
pub(super) fn run(command: &AuditCommand, session: &mut Session) -> Result<Exit, Failure> {
    let AuditCommand::Access(args) = command;
    access(args, session)
}

fn access(args: &AccessArgs, session: &mut Session) -> Result<Exit, Failure> {
    let settings = super::settings(session)?;
    let client = super::client(settings.demand_registry(&args.registry)?, session)?;
    let (mut path, mut left) = (path(args), args.limit);
    loop {
        let answer = client.fetch(&path)?;
        let page: AccessEvents = answer.json()?;
        for event in page.items {
            if left == 0 {
                let more = args.limit.saturating_mul(10);
                session.say(format!("there are more; --limit {more} shows them"));
                return Ok(Exit::Success);
            }
            left -= 1;
            match session.json() {
                true => session.answer(&event)?,
                false => tell(&event, session),
            }
        }
        match page.next {
            Some(next) if next.starts_with('/') && next != path => path = next,
            Some(_) => return Err(answer.malformed("its next page is no other path").into()),
            None => break,
        }
    }
    if left == args.limit {
        session.say("found none");
    }
    Ok(Exit::Success)
}

fn path(args: &AccessArgs) -> String {
    // One more than is shown tells whether there are more.
    let limit = args.limit.saturating_add(1).min(PAGE_EVENTS);
    let times = [("since", args.since), ("until", args.until)];
    let texts = [
        ("principal", args.principal.clone()),
        ("role", args.role.clone()),
        ("outcome", args.outcome.map(|outcome| outcome.word().to_owned())),
        ("namespace", args.namespace.clone()),
    ];
    let times = times.into_iter().map(|(name, time)| (name, time.map(|time| time.to_string())));
    texts.into_iter().chain(times).fold(
        format!("/v1/audit/access?limit={limit}"),
        |path, (name, value)| match value {
            Some(value) => format!("{path}&{name}={}", query_value(&value)),
            None => path,
        },
    )
}

/// One line for each event: when, what became of it, who, what, where.
fn tell(event: &AccessEvent, session: &mut Session) {
    let or = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let principal = event.principal.clone().unwrap_or_else(|| "unknown".to_owned());
    let subject = event.subject.as_ref().map(|subject| format!(" ({subject})"));
    let line = format!(
        "{} {} {principal}{} {} {} {} {} from {}",
        event.at,
        event.outcome,
        subject.unwrap_or_default(),
        or(&event.role),
        event.method,
        event.path,
        event.status,
        or(&event.address)
    );
    // What somebody else wrote stays on its line.
    session.line(printable(&line).replace('\n', "\u{fffd}"));
    if event.dropped > 0 {
        session.line(format!("  before it {} more were not recorded", event.dropped));
    }
}
