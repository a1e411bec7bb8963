//! `attestry gate --pack`: the same decision without a registry.
//!
//! Nothing in a pack is believed: it is opened with a trusted root that the user names, and never one that
//! came with it.

use std::io::Read as _;
use std::path::Path;

use attestry_schemas::digest::Sha256;
use attestry_schemas::gate::consent::Consents;
use attestry_schemas::gate::pack::{MAX_PACK_BYTES, Opened, Pack};
use attestry_schemas::gate::{self, Purpose, Question};
use attestry_schemas::predicate::UtcTime;

use super::{Asked, Made, Told};
use crate::args::{GateAskArgs, Since};
use crate::config::Settings;
use crate::output::{Failure, Session, chain, printable};
use crate::trust;

/// Opens a pack and decides over what it proves.
///
/// # Errors
/// When it cannot be read, no trusted root is named, or it is about something else.
pub(super) fn decide(
    path: &Path,
    asked: &Asked<'_>,
    args: &GateAskArgs,
    settings: &Settings,
    session: &mut Session,
) -> Result<(Made, Told), Failure> {
    let root = args.checked.trusted_root.trusted_root.as_deref();
    let root = trust::named(root, settings, session)?.ok_or_else(|| {
        Failure::undecided("expected a trusted root that says whose pack this may be, found none")
            .fix("give --trusted-root FILE, the trusted_root.json of the registry")
    })?;
    let pack = read(path, session)?;
    demand_about(&pack, asked, path)?;
    let fail = |e: &dyn std::error::Error| {
        Failure::refused(format!("{}: {}", path.display(), chain(e)))
            .fix("check that the trusted root is that of the registry that made the pack")
    };
    let certificates = trust::certificates(&args.certificate_roots)?;
    let opened = pack.open_with(&root, &certificates).map_err(|e| fail(&e))?;
    trust::warn_of_left_out(&path.display().to_string(), &opened.left_out, session);
    let now = (session.io.now)();
    let now: UtcTime = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now).into();
    let question = Question {
        subject: asked.subject,
        name: asked.name.map(str::to_owned),
        environment: asked.environment.to_owned(),
        caller: args.caller.clone(),
        configuration: asked.configuration,
        now: args.at.map_or(now, Since::moment),
        log_size: opened.size,
        origin: opened.origin.clone(),
        purpose: Purpose::Deploy,
    };
    let (made, told) = decide_over(&opened, &question)?;
    demand_whole(path, &opened, &made)?;
    Ok((made, told))
}

/// What is left out was evidence for the registry, and could be what denies there.
fn demand_whole(path: &Path, opened: &Opened, made: &Made) -> Result<(), Failure> {
    let count = opened.left_out.len();
    if count == 0 || !made.passed() {
        return Ok(());
    }
    let fix = match opened.left_out.iter().any(|left| left.is_certificate) {
        true => {
            "name the authorities that certificate_roots of the registry names with --certificate-root FILE, or ask the registry itself: attestry gate ARTIFACT --environment ENV --registry URL"
        }
        false => "ask the registry itself: attestry gate ARTIFACT --environment ENV --registry URL",
    };
    Err(Failure::undecided(format!(
        "{}: expected all that is in it to verify, found {count} that do not: what the registry counts and is left out here could be what denies",
        path.display()
    ))
    .fix(fix))
}

fn decide_over(opened: &Opened, question: &Question) -> Result<(Made, Told), Failure> {
    let governance = &opened.governance;
    let documents = |digest: Sha256| opened.document(digest);
    let decision = gate::decide(
        question,
        governance.trust.as_deref(),
        &governance.ruling(),
        &opened.evidence,
        &documents,
    );
    let roster = governance.trust.as_ref().map(|trust| trust.roster());
    let consents = Consents::among(opened.evidence.iter().map(AsRef::as_ref), roster);
    let made = Made::read(&decision.statement()).map_err(Failure::undecided)?.knowing(consents);
    let told = Told {
        decision: None,
        index: None,
        cached: false,
        until: made.until(),
        warnings: made.details.warnings(),
        offline: true,
    };
    Ok((made, told))
}

fn read(path: &Path, session: &mut Session) -> Result<Pack, Failure> {
    let fail = |e: std::io::Error| Failure::file("read", path, &e);
    let limit = MAX_PACK_BYTES as u64 + 1;
    let mut text = Vec::new();
    if path == Path::new("-") {
        session.stdin()?.take(limit).read_to_end(&mut text).map_err(fail)?;
    } else {
        std::fs::File::open(path)
            .map_err(fail)?
            .take(limit)
            .read_to_end(&mut text)
            .map_err(fail)?;
    }
    Pack::parse(&text).map_err(|e| {
        Failure::undecided(format!("{}: {}", path.display(), chain(&e)))
            .fix("make it again with attestry gate pack")
    })
}

/// A pack holds the evidence about one artifact, for one environment.
fn demand_about(pack: &Pack, asked: &Asked<'_>, path: &Path) -> Result<(), Failure> {
    let subject = asked.subject.to_string();
    let told = |subject: &str, environment: &str, name: Option<&str>| match name {
        Some(name) => format!("{subject} in {environment} as {name}"),
        None => format!("{subject} in {environment} without a name"),
    };
    let is_same = pack.subject == subject
        && pack.environment == asked.environment
        && pack.name.as_deref() == asked.name;
    if is_same {
        return Ok(());
    }
    Err(Failure::undecided(format!(
        "{}: expected a pack about {}, found one about {}",
        path.display(),
        told(&subject, asked.environment, asked.name),
        printable(&told(&pack.subject, &pack.environment, pack.name.as_deref()))
    ))
    .fix("make it by what is asked, which says what it must hold: attestry gate pack ARTIFACT --environment ENV --name NAME"))
}
