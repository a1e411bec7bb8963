//! `attestry approve`, `waive` and `break-glass`: what people consent to, signed.
//!
//! An exception that several must grant counts only where all have signed the same bytes, and a length of time
//! becomes another moment each time it is asked. So the first signer's statement is the statement: the others
//! sign it as it is, with `--like`, after it was shown to them.

use std::path::Path;

use attestry_schemas::bundle::{Bundle, Content};
use attestry_schemas::digest::Sha256;
use attestry_schemas::dsse::{self, Envelope};
use attestry_schemas::predicate::attestry::governance::{
    Approval, ApprovalPurpose, BreakGlass, Waiver,
};
use attestry_schemas::predicate::{self, Predicate, UtcTime};
use attestry_schemas::statement::{ResourceDescriptor, Statement};

use super::attest;
use super::publish::{self, Delivery, Product};
use super::sign::open_key_and_read;
use crate::args::{
    ApproveArgs, BreakGlassArgs, ConsentArgs, Destination, SubjectArg, Until, WaiveArgs,
};
use crate::bundle_file::{self, Documents};
use crate::config::Settings;
use crate::output::{Exit, Failure, Session, chain, printable};
use crate::subject::{self, Subject};

/// Runs `attestry approve`.
pub(super) fn approve(args: &ApproveArgs, session: &mut Session) -> Result<Exit, Failure> {
    let predicate = |session: &Session| {
        Ok(Approval {
            environment: given(args.environment.as_ref())?,
            expires: to_come(args.expires, "--expires", session)?,
            purpose: args.rollback.then_some(ApprovalPurpose::Rollback),
            reason: args.reason.clone(),
            note: None,
        })
    };
    consent(&args.artifact, &args.consent, predicate, |approval| approval.expires, session)
}

/// Runs `attestry waive`.
pub(super) fn waive(args: &WaiveArgs, session: &mut Session) -> Result<Exit, Failure> {
    let predicate = |session: &Session| {
        Ok(Waiver {
            rule: given(args.rule.as_ref())?,
            finding: given(args.finding.as_ref())?,
            until: to_come(given(args.until.as_ref())?, "--until", session)?,
            reason: given(args.reason.as_ref())?,
            environment: args.environment.clone(),
        })
    };
    consent(&args.artifact, &args.consent, predicate, |waiver| waiver.until, session)
}

/// Runs `attestry break-glass`.
pub(super) fn break_glass(args: &BreakGlassArgs, session: &mut Session) -> Result<Exit, Failure> {
    let predicate = |session: &Session| {
        Ok(BreakGlass {
            environment: given(args.environment.as_ref())?,
            reason: given(args.reason.as_ref())?,
            expires: to_come(given(args.expires.as_ref())?, "--expires", session)?,
            review_by: to_come(given(args.review_by.as_ref())?, "--review-by", session)?,
            group: given(args.group.as_ref())?,
        })
    };
    consent(&args.artifact, &args.consent, predicate, |glass| glass.expires, session)
}

/// A flag that clap demands where `--like` is not given.
fn given<T: Clone>(flag: Option<&T>) -> Result<T, Failure> {
    flag.cloned().ok_or_else(|| Failure::undecided("expected every flag or --like, found neither"))
}

/// A moment that is to come.
fn to_come(until: Until, flag: &str, session: &Session) -> Result<UtcTime, Failure> {
    let now = (session.io.now)();
    let moment = until.moment(now).map_err(|e| Failure::undecided(format!("{flag}: {e}")))?;
    if moment.timestamp() > now {
        return Ok(moment);
    }
    Err(Failure::undecided(format!("{flag}: expected a moment to come, found {moment}"))
        .fix("what ended before it began counts for nothing"))
}

/// Signs a statement of the flags, or that of another signer, and delivers it.
fn consent<P: Predicate>(
    artifact: &SubjectArg,
    args: &ConsentArgs,
    predicate: impl FnOnce(&Session) -> Result<P, Failure>,
    ends: impl FnOnce(&P) -> UtcTime,
    session: &mut Session,
) -> Result<Exit, Failure> {
    let settings = super::settings(session)?;
    let short = predicate::from_uri(P::URI).map_or(P::URI, |known| known.short);
    let out = destination(artifact, args, short)?;
    publish::check_output(&out, session)?;
    let key_path = settings.demand_key(args.key.key.as_deref())?;
    let stop = std::sync::atomic::AtomicBool::new(false);
    let subject = subject::resolve(artifact, session, &stop)?;
    let payload = match &args.like {
        Some(like) => {
            let payload = payload_of(like, args, settings, session)?;
            demand_same::<P>(&payload, &subject, ends, session)?;
            payload
        }
        None => of_flags(&predicate(session)?, &subject, session)?,
    };
    let settings = super::settings(session)?;
    let target = publish::target(settings, &args.logging, &args.trusted_root, session)?;
    let (key, _) = open_key_and_read(&[], &key_path, &args.key.password, session)?;
    let envelope = Envelope::sign(dsse::PAYLOAD_TYPE, &payload, &key);
    let digest = Sha256::of(&envelope.to_json());
    let product = Product {
        bundle: Bundle::of_key(key.public_key(), Content::Envelope(envelope)),
        key: Some(key.public_key().clone()),
        subjects: vec![subject],
        predicate_type: Some(P::URI.to_owned()),
        out,
        attachments: Vec::new(),
    };
    let exit = publish::deliver(Delivery::one(product), &target, session)?;
    if target.url().is_some() {
        session.say(format!("  others sign the same with --like {digest}"));
    }
    Ok(exit)
}

/// Beside the artifact, unless that is where the other signer's statement lies.
fn destination(
    artifact: &SubjectArg,
    args: &ConsentArgs,
    short: &str,
) -> Result<Destination, Failure> {
    let out = args.out.clone().or_else(|| {
        let predicate_type = short.parse().ok()?;
        bundle_file::beside(artifact, Some(&predicate_type)).map(Destination::File)
    });
    let out = out.unwrap_or(Destination::Stdout);
    let same = |like: &Path, out: &Path| {
        like == out
            || std::fs::canonicalize(like)
                .ok()
                .is_some_and(|like| std::fs::canonicalize(out).ok() == Some(like))
    };
    match (args.like.as_ref().and_then(SubjectArg::path), &out) {
        (Some(like), Destination::File(path)) if same(like, path) => {
            Err(Failure::undecided(format!(
                "expected a place of its own for this signature, found {}, which holds the other's",
                path.display()
            ))
            .fix("give --out FILE"))
        }
        _ => Ok(out),
    }
}

/// The artifact by its digest alone: a name would differ by where the signer had it.
fn of_flags<P: Predicate>(
    predicate: &P,
    subject: &Subject,
    session: &mut Session,
) -> Result<Vec<u8>, Failure> {
    let fail = |e: &dyn std::error::Error| Failure::undecided(chain(e));
    let value = predicate.to_value().map_err(|e| fail(&e))?;
    attest::check(P::URI, &value, session)?;
    let digest = Some(subject.digest.clone().into());
    let descriptor = ResourceDescriptor { digest, ..ResourceDescriptor::default() };
    let statement = Statement::new(vec![descriptor], P::URI, value).map_err(|e| fail(&e))?;
    Ok(statement.to_json())
}

/// The bytes that another signer signed.
fn payload_of(
    like: &SubjectArg,
    args: &ConsentArgs,
    settings: Settings,
    session: &mut Session,
) -> Result<Vec<u8>, Failure> {
    let (place, envelope) = match like {
        SubjectArg::Digest(digest) => {
            let sha256 = digest.as_sha256().ok_or_else(|| {
                Failure::undecided(format!("expected a sha256 digest for --like, found {digest}"))
            })?;
            let registry = settings.demand_registry(&args.logging.registry)?;
            let client = super::client(registry, session)?;
            let answer = client.fetch(&format!("/v1/attestations/{sha256}"))?;
            let found = Sha256::of(&answer.body);
            if found != sha256 {
                return Err(Failure::refused(format!(
                    "{}: expected bytes with digest {sha256}, found {found}",
                    answer.url
                ))
                .fix("do not rely on this registry before its operator has explained this"));
            }
            let envelope = bundle_file::stored_envelope(&answer.body)
                .map_err(|e| answer.malformed(chain(&e)))?;
            (answer.url, envelope)
        }
        SubjectArg::Oci(reference) => {
            return Err(Failure::undecided(format!(
                "expected a bundle's file or an attestation's digest for --like, found {reference}"
            ))
            .fix("name the other signer's bundle, or the digest that attestry search shows"));
        }
        SubjectArg::Path(_) | SubjectArg::Stdin => {
            let path = like.path().unwrap_or(Path::new("-"));
            let mut documents = Documents::open(path, session)?;
            let document = documents.next().transpose()?;
            let document =
                document.ok_or_else(|| Failure::undecided("expected a bundle, found none"))?;
            let value = document.value.clone();
            let envelope = if value.get("payload").is_some() {
                Envelope::from_value(value).map_err(|e| document.malformed(&e))?
            } else {
                let bundle = Bundle::from_value(value).map_err(|e| document.malformed(&e))?;
                match bundle.content {
                    Content::Envelope(envelope) => envelope,
                    Content::Message(_) => {
                        return Err(Failure::undecided(format!(
                            "{}: expected a signed statement, found a signature of an artifact",
                            document.place
                        )));
                    }
                }
            };
            (document.place, envelope)
        }
    };
    if envelope.payload_type != dsse::PAYLOAD_TYPE {
        return Err(Failure::undecided(format!(
            "{place}: expected an in-toto statement, found another payload"
        )));
    }
    Ok(envelope.payload)
}

/// Shows another signer's statement, and refuses one that this command would not have made.
fn demand_same<P: Predicate>(
    payload: &[u8],
    subject: &Subject,
    ends: impl FnOnce(&P) -> UtcTime,
    session: &mut Session,
) -> Result<(), Failure> {
    let refuse = |expected: String, found: String| {
        Failure::refused(format!("--like: expected {expected}, found {found}"))
            .fix("sign only what you mean: name the statement again, or give every flag for one of your own")
    };
    let statement = Statement::parse(payload).map_err(|e| Failure::undecided(chain(&e)))?;
    if statement.predicate_type != P::URI {
        return Err(refuse(format!("a statement of type {}", P::URI), statement.predicate_type));
    }
    let about: Vec<String> = statement.subject_digests().map(|d| d.to_string()).collect();
    if statement.subject.len() != 1 || about != [subject.digest.to_string()] {
        return Err(refuse(format!("one about {} alone", subject.digest), about.join(", ")));
    }
    attest::check(P::URI, &statement.predicate, session)?;
    let predicate =
        P::from_value(&statement.predicate).map_err(|e| Failure::undecided(chain(&e)))?;
    let end = ends(&predicate);
    if end.timestamp() <= (session.io.now)() {
        return Err(refuse("one that still counts".to_owned(), format!("one that ended at {end}")));
    }
    session.say(format!("about {}", subject.label()));
    for (name, value) in statement.predicate.as_object().into_iter().flatten() {
        session.say(printable(&format!("  {name}: {value}")));
    }
    Ok(())
}
