//! `attestry policy`: what an environment demands.

mod diff;
mod test;

use std::path::Path;

use attestry_schemas::digest::Digest;
use attestry_schemas::policy::Policy;
use attestry_schemas::predicate::attestry::governance;
use attestry_schemas::roster::Roster;

use super::governance::{self as documents, Document, Publishing, Sound, Standing};
use crate::answers::governance::{RulingPolicies, RulingPolicy};
use crate::args::{
    DocumentPushArgs, PolicyCommand, PolicyDiffArgs, PolicyLintArgs, PolicyShowArgs,
};
use crate::client::{Client, ClientError, query_value};
use crate::config::Source;
use crate::output::{Exit, Failure, Session, printable};

/// What is told where there is no roster.
const UNCHECKED: &str = "names of signers and groups are not checked";

/// Runs `attestry policy`.
pub(super) fn run(command: &PolicyCommand, session: &mut Session) -> Result<Exit, Failure> {
    match command {
        PolicyCommand::Lint(args) => lint(args, session),
        PolicyCommand::Test(args) => test::run(args, session),
        PolicyCommand::Push(args) => push(args, session),
        PolicyCommand::Show(args) => show(args, session),
        PolicyCommand::Diff(args) => diff(args, session),
    }
}

fn lint(args: &PolicyLintArgs, session: &mut Session) -> Result<Exit, Failure> {
    let roster = roster(args, session)?;
    let against = match &roster {
        Some(roster) => format!("checked against roster version {}", roster.version),
        None => "checked without a roster".to_owned(),
    };
    let now = documents::now(session);
    let sound = |policy: Policy| Sound {
        summary: format!("{}, {against}", summary(&policy)),
        warnings: policy.warnings(now, roster.as_ref()),
    };
    let read = |text: &[u8]| Policy::read(text, roster.as_ref()).map(sound);
    documents::lint(&args.files, read, session)
}

/// The roster that is given, or the one that rules at the registry that is named. A registry that no flag names need not
/// answer: a policy is linted where there is no network, too.
fn roster(args: &PolicyLintArgs, session: &mut Session) -> Result<Option<Roster>, Failure> {
    if let Some(path) = &args.roster {
        return Document::read(path, session)?.roster(session).map(Some);
    }
    let settings = super::settings(session)?;
    let Some(registry) = settings.registry(&args.registry)? else {
        session.say(format!("no roster is given: {UNCHECKED}"));
        return Ok(None);
    };
    let is_demanded = registry.source == Source::Flag;
    let url = registry.url.to_string();
    let client = super::client(registry, session);
    let asked = client.and_then(|client| Ok((documents::ruling(&client, None)?, client)));
    let (ruling, client) = match asked {
        Ok(asked) => asked,
        Err(failure) if is_demanded => return Err(failure),
        Err(failure) => {
            session.warn(printable(&format!("{}: {UNCHECKED}", failure.problem())));
            return Ok(None);
        }
    };
    let roster = documents::read_ruling(ruling, &client, session)?;
    if roster.is_none() {
        session.say(format!("no roster rules at {url}: {UNCHECKED}"));
    }
    Ok(roster)
}

fn summary(policy: &Policy) -> String {
    let rules = super::count(policy.rules.len() as u64, "rule", "rules");
    let told = |patterns: &[attestry_schemas::document::Pattern]| {
        patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    format!(
        "policy {} ({}), {rules}, for {} in {}, expires {}",
        policy.title(),
        policy.mode.name(),
        told(&policy.artifacts),
        told(&policy.environments),
        policy.expires
    )
}

/// The policy of that name that rules; none where none does.
fn ruling(
    client: &Client,
    name: &str,
    version: Option<u64>,
) -> Result<Option<RulingPolicy>, Failure> {
    let query = version.map_or_else(String::new, |version| format!("?version={version}"));
    match client.fetch(&format!("/v1/policies/{}{query}", query_value(name))) {
        Ok(answer) => Ok(Some(answer.json()?)),
        Err(ClientError::Problem { status: 404, .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn none_rules(client: &Client, name: &str, version: Option<u64>) -> Failure {
    let url = client.url();
    let wanted = match version {
        Some(version) => format!("a policy {name} of version {version} that was published"),
        None => format!("a policy {name} that rules"),
    };
    Failure::undecided(format!("expected {wanted} at {url}, found none"))
        .fix("attestry policy show lists those that rule")
}

fn push(args: &DocumentPushArgs, session: &mut Session) -> Result<Exit, Failure> {
    let document = Document::read(&args.file, session)?;
    let registry = documents::registry(args, session)?;
    let client = registry.client();
    let roster = documents::ruling_roster(client, session)?;
    let policy = document.demand(|text| Policy::read(text, roster.as_ref()), session)?;
    let warnings = policy.warnings(documents::now(session), roster.as_ref());
    documents::warn(&document.place, &warnings, session);
    demand_next(&policy, &document, client, session)?;
    let publishing = Publishing {
        document: &document,
        name: format!("{}.policy.toml", policy.name),
        predicate: governance::Policy {
            name: policy.name.clone(),
            version: policy.version,
            digest: Digest::from(policy.digest).into(),
            expires: policy.expires,
        },
    };
    let answer = documents::publish(&publishing, args, &registry, session)?;
    let now: RulingPolicies = registry.client().fetch("/v1/policies")?.json()?;
    let standing = standing(&now, &policy);
    let group = roster.as_ref().and_then(|roster| roster.policies.as_ref());
    let group = group.map_or("signer of policies", |quorum| quorum.group.as_str());
    let who = (&*format!("signer of {group}"), &*format!("signers of {group}"));
    let name = format!("policy {}", policy.name);
    let pushed = (&document, name.as_str(), policy.version);
    documents::tell_pushed(pushed, &answer, &standing, who, session)?;
    Ok(Exit::Success)
}

fn standing(now: &RulingPolicies, policy: &Policy) -> Standing {
    let digest = policy.digest.to_string();
    if now.items.iter().any(|item| item.name == policy.name && item.digest == digest) {
        return Standing::Rules { have: None, need: None };
    }
    let ours = |pending: &&_| same_pending(pending, policy, &digest);
    now.pending.iter().find(ours).cloned().map_or(Standing::Unknown, Standing::Pending)
}

fn same_pending(
    pending: &crate::answers::governance::Pending,
    policy: &Policy,
    digest: &str,
) -> bool {
    pending.digest == digest && pending.name.as_ref().is_none_or(|name| *name == policy.name)
}

/// Tells what changes against the ruling policy, and refuses a version that does not grow: before a key is
/// asked for.
fn demand_next(
    policy: &Policy,
    document: &Document,
    client: &Client,
    session: &mut Session,
) -> Result<(), Failure> {
    let Some(ruling) = ruling(client, &policy.name, None)? else { return Ok(()) };
    if ruling.digest == policy.digest.to_string() {
        session.say("this policy rules already; the signature is added to it");
        return Ok(());
    }
    if policy.version <= ruling.version {
        return Err(Failure::refused(format!(
            "expected a version above {}, which rules at {}, found {}",
            ruling.version,
            client.url(),
            policy.version
        ))
        .fix("raise the version: it only grows"));
    }
    let old = documents::same_digest(ruling.document.as_deref(), Some(&ruling.digest), client)?;
    for change in diff::changes(old.as_bytes(), &document.text)? {
        session.say(printable(&format!("{}: {}", change.what, change.change)));
        if let Some(warning) = change.warning {
            session.warn(printable(&format!("{}: {warning}", change.what)));
        }
    }
    Ok(())
}

fn show(args: &PolicyShowArgs, session: &mut Session) -> Result<Exit, Failure> {
    let settings = super::settings(session)?;
    let client = super::client(settings.demand_registry(&args.registry)?, session)?;
    let Some(name) = &args.name else { return list(&client, session) };
    let policy = ruling(&client, name, args.version)?
        .ok_or_else(|| none_rules(&client, name, args.version))?;
    let text = documents::same_digest(policy.document.as_deref(), Some(&policy.digest), &client)?;
    if session.json() {
        session.answer(&policy)?;
        return Ok(Exit::Success);
    }
    let at = policy.published_at.as_deref().unwrap_or("-");
    let (version, digest) = (policy.version, &policy.digest);
    session.say(printable(&format!("policy {name} version {version} {digest}, published {at}")));
    say_unread(&policy, session);
    session.data(text.as_bytes());
    Ok(Exit::Success)
}

fn say_unread(policy: &RulingPolicy, session: &mut Session) {
    let RulingPolicy { name, version, unread, .. } = policy;
    if let Some(found) = unread {
        let text = format!(
            "{name}@{version} denies all that it is for: expected a policy that counts, found {found}"
        );
        session.warn(printable(&text));
    }
}

fn list(client: &Client, session: &mut Session) -> Result<Exit, Failure> {
    let policies: RulingPolicies = client.fetch("/v1/policies")?.json()?;
    if session.json() {
        session.answer(&policies)?;
        return Ok(Exit::Success);
    }
    if policies.items.is_empty() {
        session.say("no policy rules: the gate denies everything");
    }
    for policy in &policies.items {
        let RulingPolicy { name, version, mode, digest, expires, .. } = policy;
        session.line(printable(&format!("{name}@{version} ({mode}) {digest}")));
        let artifacts = policy.artifacts.join(", ");
        let environments = policy.environments.join(", ");
        session.line(printable(&format!("  for {artifacts} in {environments}")));
        session.line(printable(&format!("  expires {expires}")));
        say_unread(policy, session);
    }
    for pending in &policies.pending {
        let name = pending.name.as_deref().unwrap_or("policy");
        let (version, have, need) = (pending.version, pending.have, pending.need);
        session.say(printable(&format!(
            "pending: {name}@{version} {} has {have} of {need} signatures",
            pending.digest
        )));
    }
    Ok(Exit::Success)
}

fn diff(args: &PolicyDiffArgs, session: &mut Session) -> Result<Exit, Failure> {
    let (old, new) = match args.files.as_slice() {
        [new] => {
            let (new, policy) = linted(new, session)?;
            let settings = super::settings(session)?;
            let client = super::client(settings.demand_registry(&args.registry)?, session)?;
            let ruling = ruling(&client, &policy.name, None)?
                .ok_or_else(|| none_rules(&client, &policy.name, None))?;
            let digest = Some(ruling.digest.as_str());
            let old = documents::same_digest(ruling.document.as_deref(), digest, &client)?;
            (old.as_bytes().to_vec(), new.text)
        }
        [old, new, ..] => {
            let old = Document::read(old, session)?;
            old.demand(|text| Policy::read(text, None), session)?;
            (old.text, linted(new, session)?.0.text)
        }
        [] => return Err(Failure::undecided("expected a policy, found none")),
    };
    let changes = diff::changes(&old, &new)?;
    if session.json() {
        session.answer(&changes)?;
    } else {
        super::roster::tell(&changes, session);
    }
    Ok(Exit::Success)
}

/// A policy without faults of its own; whether a roster knows its names is not asked.
fn linted(path: &Path, session: &mut Session) -> Result<(Document, Policy), Failure> {
    let document = Document::read(path, session)?;
    let policy = document.demand(|text| Policy::read(text, None), session)?;
    documents::warn(&document.place, &policy.warnings(documents::now(session), None), session);
    Ok((document, policy))
}
