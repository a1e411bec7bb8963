//! `attestry roster`: who may sign what.

mod impact;
mod revoke;

use attestry_schemas::digest::Digest;
use attestry_schemas::gate::governance::Proposal;
use attestry_schemas::predicate::attestry::governance;
use attestry_schemas::roster::trust::Published;
use attestry_schemas::roster::{Roster, diff};

use super::governance as documents;
use super::governance::{Document, Publishing, Sound, Standing};
use crate::answers::governance::{RevokedSigner, RulingRoster};
use crate::args::{
    DocumentPushArgs, RosterCommand, RosterDiffArgs, RosterImpactArgs, RosterLintArgs,
    RosterShowArgs,
};
use crate::client::Client;
use crate::output::{Exit, Failure, Session, printable};

/// Runs `attestry roster`.
pub(super) fn run(command: &RosterCommand, session: &mut Session) -> Result<Exit, Failure> {
    match command {
        RosterCommand::Lint(args) => lint(args, session),
        RosterCommand::Diff(args) => diff(args, session),
        RosterCommand::Impact(args) => impact(args, session),
        RosterCommand::Push(args) => push(args, session),
        RosterCommand::Revoke(args) => revoke::run(args, session),
        RosterCommand::Show(args) => show(args, session),
    }
}

fn lint(args: &RosterLintArgs, session: &mut Session) -> Result<Exit, Failure> {
    let now = documents::now(session);
    let sound =
        |roster: Roster| Sound { summary: summary(&roster), warnings: roster.warnings(now) };
    documents::lint(&args.files, |text| Roster::read(text).map(sound), session)
}

fn summary(roster: &Roster) -> String {
    let signers =
        super::count(roster.signers.len() as u64, "key or identity", "keys and identities");
    let groups = super::count(roster.groups.len() as u64, "group", "groups");
    let policies = match &roster.policies {
        Some(quorum) => format!("policies by {} of {}", quorum.threshold, quorum.group),
        None => "nobody publishes policies".to_owned(),
    };
    let (version, expires) = (roster.version, roster.expires);
    format!("roster version {version}, {signers}, {groups}, {policies}, expires {expires}")
}

fn diff(args: &RosterDiffArgs, session: &mut Session) -> Result<Exit, Failure> {
    let (old, document) = match args.files.as_slice() {
        [new] => {
            let settings = super::settings(session)?;
            let client = super::client(settings.demand_registry(&args.registry)?, session)?;
            let ruling = documents::ruling_roster(&client, session)?;
            let old = ruling.ok_or_else(|| none_rules(&client))?;
            (old, Document::read(new, session)?)
        }
        [old, new, ..] => {
            (Document::read(old, session)?.roster(session)?, Document::read(new, session)?)
        }
        [] => return Err(Failure::undecided("expected a roster, found none")),
    };
    let new = document.roster(session)?;
    documents::warn(&document.place, &new.warnings(documents::now(session)), session);
    let changes = diff::changes(&old, &new);
    if session.json() {
        session.answer(&changes)?;
        return Ok(Exit::Success);
    }
    tell(&changes, session);
    Ok(Exit::Success)
}

/// Tells changes, and warns of what is easily overlooked.
pub(super) fn tell(changes: &[diff::Change], session: &mut Session) {
    if changes.is_empty() {
        session.say("nothing changes");
    }
    for change in changes {
        session.line(printable(&format!("{}: {}", change.what, change.change)));
        if let Some(warning) = &change.warning {
            session.warn(printable(&format!("{}: {warning}", change.what)));
        }
    }
}

fn none_rules(client: &Client) -> Failure {
    Failure::undecided(format!("expected a roster that rules at {}, found none", client.url()))
        .fix("publish one: attestry roster push roster.toml --key ROOT.key")
}

/// Tells what would no longer count if a roster were published; nothing is signed or sent.
fn impact(args: &RosterImpactArgs, session: &mut Session) -> Result<Exit, Failure> {
    let document = Document::read(&args.file, session)?;
    let roster = document.roster(session)?;
    documents::warn(&document.place, &roster.warnings(documents::now(session)), session);
    let settings = super::settings(session)?;
    let client = super::client(settings.demand_registry(&args.checked.registry)?, session)?;
    let root = args.checked.trusted_root.trusted_root.as_deref();
    let root = crate::trust::find(root, &settings, &client, session)?;
    let certificates = crate::trust::certificates(&args.certificate_roots)?;
    let asked = impact::Asked { client: &client, root: &root, certificates };
    let ruling = impact::ruling(&asked)?;
    if let Some(trust) = &ruling.governance.trust
        && roster.version <= trust.roster().version
        && roster.digest != trust.digest()
    {
        // Exit status 1 says that something would fall.
        let problem = grows(trust.roster().version, roster.version, &client);
        return Err(Failure::undecided(problem).fix(GROWS));
    }
    let now = documents::now(session);
    let proposal = Proposal { roster: Some(Published { roster, at: now }), revocation: None };
    let impact = impact::work_out(&ruling, &proposal, &asked, now)?;
    impact.tell(args.limit as usize, session)
}

fn grows(ruling: u64, found: u64, client: &Client) -> String {
    format!("expected a version above {ruling}, which rules at {}, found {found}", client.url())
}
const GROWS: &str = "raise the version: it only grows";

fn push(args: &DocumentPushArgs, session: &mut Session) -> Result<Exit, Failure> {
    let document = Document::read(&args.file, session)?;
    let roster = document.roster(session)?;
    documents::warn(&document.place, &roster.warnings(documents::now(session)), session);
    let registry = documents::registry(args, session)?;
    demand_next(&roster, registry.client(), session)?;
    let publishing = Publishing {
        document: &document,
        name: "roster.toml".to_owned(),
        predicate: governance::Roster {
            version: roster.version,
            digest: Digest::from(roster.digest).into(),
            expires: roster.expires,
        },
    };
    let answer = documents::publish(&publishing, args, &registry, session)?;
    let now = documents::ruling(registry.client(), None)?.unwrap_or_default();
    let standing = standing(&now, &roster);
    let who = ("root key", "root keys");
    documents::tell_pushed(
        (&document, "roster", roster.version),
        &answer,
        &standing,
        who,
        session,
    )?;
    Ok(Exit::Success)
}

fn standing(now: &RulingRoster, roster: &Roster) -> Standing {
    let digest = roster.digest.to_string();
    if now.digest.as_ref() == Some(&digest) {
        let have = Some(now.signatures.len() as u64).filter(|have| *have > 0);
        return Standing::Rules { have, need: now.threshold };
    }
    let pending = now.pending.iter().find(|pending| pending.digest == digest);
    pending.cloned().map_or(Standing::Unknown, Standing::Pending)
}

/// Tells what changes against the ruling roster, and refuses a version that does not grow: before a key is
/// asked for.
fn demand_next(roster: &Roster, client: &Client, session: &mut Session) -> Result<(), Failure> {
    let Some(ruling) = documents::ruling_roster(client, session)? else { return Ok(()) };
    if ruling.digest == roster.digest {
        session.say("this roster rules already; the signature is added to it");
        return Ok(());
    }
    if roster.version <= ruling.version {
        return Err(Failure::refused(grows(ruling.version, roster.version, client)).fix(GROWS));
    }
    let mut narrows = false;
    for change in diff::changes(&ruling, roster) {
        session.say(printable(&format!("{}: {}", change.what, change.change)));
        narrows |= change.what.starts_with("signer ") && !change.change.starts_with("added");
        if let Some(warning) = change.warning {
            session.warn(printable(&format!("{}: {warning}", change.what)));
        }
    }
    if narrows {
        session.say(
            "attestry roster impact tells what a roster would make fall, before it is published",
        );
    }
    Ok(())
}

fn show(args: &RosterShowArgs, session: &mut Session) -> Result<Exit, Failure> {
    let settings = super::settings(session)?;
    let client = super::client(settings.demand_registry(&args.registry)?, session)?;
    let none = || match args.version {
        Some(version) => Failure::undecided(format!(
            "expected a roster of version {version} that was published at {}, found none",
            client.url()
        ))
        .fix("attestry roster show shows the one that rules"),
        None => none_rules(&client),
    };
    let ruling = documents::ruling(&client, args.version)?.ok_or_else(none)?;
    if ruling.version.is_some() {
        documents::same_digest(ruling.document.as_deref(), ruling.digest.as_deref(), &client)?;
    }
    if session.json() {
        session.answer(&ruling)?;
        return Ok(Exit::Success);
    }
    for pending in &ruling.pending {
        session.say(format!(
            "pending: version {} {} has {} of {} signatures",
            pending.version,
            printable(&pending.digest),
            pending.have,
            pending.need
        ));
    }
    for revoked in &ruling.revocations {
        session.say(printable(&told_revoked(revoked)));
    }
    let Some(version) = ruling.version else { return Err(none()) };
    let at = ruling.published_at.as_deref().unwrap_or("-");
    let digest = ruling.digest.as_deref().unwrap_or("-");
    session.say(printable(&format!("roster version {version} {digest}, published {at}")));
    session.data(ruling.document.as_deref().unwrap_or_default().as_bytes());
    Ok(Exit::Success)
}

/// Who is revoked, from when on, why, since when that is known, and by what.
fn told_revoked(revoked: &RevokedSigner) -> String {
    let RevokedSigner { signer, reason, effective_at, have, need, .. } = revoked;
    let name = revoked.name.as_deref().unwrap_or("not in the roster");
    let by = match revoked.statements.as_slice() {
        [] => "the roster".to_owned(),
        statements => statements.join(", "),
    };
    match (&revoked.from, &revoked.logged_at) {
        (Some(from), Some(at)) => {
            format!("revoked: {name} {signer} ({reason}) from {from} on, logged at {at}, by {by}")
        }
        (_, Some(at)) => format!("revoked: {name} {signer} ({reason}), logged at {at}, by {by}"),
        _ => format!(
            "pending: {name} {signer} revoked ({reason}) from {effective_at} on has {have} of {need} signatures: {by}"
        ),
    }
}
