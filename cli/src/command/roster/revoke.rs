//! `attestry roster revoke`: a signer is revoked by a statement of the root keys, without a new roster.

use attestry_schemas::bundle::{Bundle, Content};
use attestry_schemas::digest::{Digest, Sha256};
use attestry_schemas::dsse::{self, Envelope};
use attestry_schemas::gate::governance::Proposal;
use attestry_schemas::predicate::Predicate as _;
use attestry_schemas::predicate::attestry::governance as said;
use attestry_schemas::predicate::attestry::governance::{Identity, RevokedSigner};
use attestry_schemas::roster::trust::{Revocation, id_of, reason_name};
use attestry_schemas::roster::{Roster, SignerId};
use attestry_schemas::statement::{ResourceDescriptor, Statement};
use serde_json::json;

use super::impact;
use crate::answers::governance::RevokedSigner as Told;
use crate::args::{Destination, RosterRevokeArgs};
use crate::command::governance as documents;
use crate::command::publish::{self, Product, Publication};
use crate::command::sign::open_key_and_read;
use crate::command::{count, settings};
use crate::config::ConfigError;
use crate::output::{Exit, Failure, Session, chain, printable};
use crate::subject::Subject;

/// Runs `attestry roster revoke`.
pub(super) fn run(args: &RosterRevokeArgs, session: &mut Session) -> Result<Exit, Failure> {
    let root = &args.checked.trusted_root;
    let registry =
        publish::registry(settings(session)?, &args.checked.registry, None, root, session)?;
    let registry = registry.ok_or(ConfigError::NoRegistry)?;
    let roster = documents::ruling_roster(registry.client(), session)?;
    let roster = roster.ok_or_else(|| super::none_rules(registry.client()))?;
    let predicate = said::Revocation {
        signer: named(&args.signer, &roster)?,
        reason: args.reason.into(),
        effective_at: args.from.moment(),
    };
    if args.dry_run {
        return tell_impact(&predicate, &registry, args, session);
    }
    publish(&predicate, &roster, &registry, args, session)
}

/// The key or identity that a name or a fingerprint stands for.
fn named(text: &str, roster: &Roster) -> Result<RevokedSigner, Failure> {
    let signer = |id: &SignerId| match id {
        SignerId::Identity { issuer, subject } => {
            RevokedSigner::Identity(Identity { issuer: issuer.clone(), subject: subject.clone() })
        }
        SignerId::Key(key) => RevokedSigner::Fingerprint(key.fingerprint()),
        SignerId::Fingerprint(fingerprint) => RevokedSigner::Fingerprint(*fingerprint),
    };
    let is = |entry: &&attestry_schemas::roster::Signer| {
        entry.name == text || entry.id.to_string() == text
    };
    let entries: Vec<_> = roster.signers.iter().filter(is).collect();
    match entries.as_slice() {
        [entry] => Ok(signer(&entry.id)),
        [] => Err(Failure::undecided(format!(
            "expected the name or the fingerprint of a signer of the roster (version {}), found {}",
            roster.version,
            printable(text)
        ))
        .fix("attestry roster show prints the signers")),
        several => {
            let ids: Vec<String> = several.iter().map(|entry| entry.id.to_string()).collect();
            Err(Failure::undecided(format!(
                "expected one key of {text}, which has several: {}",
                ids.join(", ")
            ))
            .fix("give the fingerprint of the one to revoke; each is revoked by a statement of its own"))
        }
    }
}

fn tell_impact(
    predicate: &said::Revocation,
    registry: &Publication,
    args: &RosterRevokeArgs,
    session: &mut Session,
) -> Result<Exit, Failure> {
    let root = registry.trusted_root(session)?;
    let certificates = crate::trust::certificates(&args.certificate_roots)?;
    let asked = impact::Asked { client: registry.client(), root: &root, certificates };
    let ruling = impact::ruling(&asked)?;
    let now = documents::now(session);
    let revocation = Revocation {
        signer: predicate.signer.clone(),
        reason: predicate.reason,
        effective_at: predicate.effective_at,
        logged_at: now,
    };
    let proposal = Proposal { revocation: Some(revocation), roster: None };
    let impact = impact::work_out(&ruling, &proposal, &asked, now)?;
    impact.tell(args.limit as usize, session)
}

/// The statement follows from the arguments alone, so that all root keys sign the same bytes.
fn statement(predicate: &said::Revocation) -> Result<(Statement, Subject), Failure> {
    let fail = |e: &dyn std::error::Error| Failure::undecided(chain(e));
    let name = id_of(&predicate.signer);
    // Of a key the digest is the one that its fingerprint shows.
    let digest: Digest = match &predicate.signer {
        RevokedSigner::Fingerprint(fingerprint) => Sha256(*fingerprint.as_bytes()).into(),
        RevokedSigner::Identity(_) => Sha256::of(name.as_bytes()).into(),
    };
    let descriptor = ResourceDescriptor::named(&name, digest.clone());
    let value = predicate.to_value().map_err(|e| fail(&e))?;
    let statement = Statement::new(vec![descriptor], said::Revocation::URI, value);
    let subject = Subject { name, digest, begins_as_pae: false };
    Ok((statement.map_err(|e| fail(&e))?, subject))
}

fn publish(
    predicate: &said::Revocation,
    roster: &Roster,
    registry: &Publication,
    args: &RosterRevokeArgs,
    session: &mut Session,
) -> Result<Exit, Failure> {
    let id = id_of(&predicate.signer);
    let entry = roster.signers.iter().find(|entry| entry.id.to_string() == id);
    let name = entry.map_or("-", |entry| entry.name.as_str());
    let reason = reason_name(predicate.reason);
    let (statement, subject) = statement(predicate)?;
    let key_path = settings(session)?.demand_key(args.key.key.as_deref())?;
    session.say(printable(&format!(
        "revoking {name} {id} ({reason}) from {} on; --dry-run tells what would no longer count",
        predicate.effective_at
    )));
    let (key, _) = open_key_and_read(&[], &key_path, &args.key.password, session)?;
    let envelope = Envelope::sign(dsse::PAYLOAD_TYPE, &statement.to_json(), &key);
    let product = Product {
        bundle: Bundle::of_key(key.public_key(), Content::Envelope(envelope)),
        key: Some(key.public_key().clone()),
        subjects: vec![subject],
        predicate_type: Some(said::Revocation::URI.to_owned()),
        out: Destination::Stdout,
        attachments: Vec::new(),
    };
    let answer = publish::log(product, Vec::new(), registry, session)?;
    let now = documents::ruling(registry.client(), None)?.unwrap_or_default();
    let digest = answer.digest.clone().unwrap_or_default();
    let told = now.revocations.into_iter().find(|one| one.statements.contains(&digest));
    if session.json() {
        session.answer(&json!({ "revocation": told, "registry": answer }))?;
        return Ok(Exit::Success);
    }
    let index = answer.index.map(|index| format!(", log index {index}")).unwrap_or_default();
    session.line(printable(&match &told {
        Some(Told { from: Some(from), .. }) => {
            format!("{name} is revoked ({reason}): nothing that is logged from {from} on counts")
        }
        Some(Told { have, need, .. }) => {
            let signatures = count(*need, "signature", "signatures");
            let left = count(need.saturating_sub(*have), "more root key signs", "more root keys sign");
            format!("{name}: {have} of {signatures}; it is revoked once {left} the same: this command with the same arguments")
        }
        None => format!("{name}: the revocation is logged; the registry does not say that it counts"),
    }));
    session.line(printable(&format!("revocation: {digest}{index}")));
    Ok(Exit::Success)
}
