//! `attestry sign`: a signature over an artifact.
//!
//! A P-256 key signs the artifact's SHA-256, which a bundle holds as a message signature. Two
//! cases sign a statement that names the artifact instead, cosign's `sign/v1`:
//!
//! - An Ed25519 key: pure Ed25519 reads the whole message twice (RFC 8032 §5.1.6), so it cannot
//!   sign a stream in constant memory.
//! - A subject of which only the digest is given. The digest may be that of a PAE (DSSE v1), the
//!   bytes that an envelope's signature covers; a signature of it would be one of that envelope, so
//!   that whoever named the digest would have had a statement signed that nobody saw. Of an artifact
//!   that is read, it is seen how it begins, and such bytes are refused.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use attestry_schemas::bundle::{Bundle, Content, MessageSignature};
use attestry_schemas::dsse::{self, Envelope};
use attestry_schemas::key::{KeyType, SigningKey};
use attestry_schemas::statement::{ResourceDescriptor, Statement};
use attestry_schemas::verify::SIGN_V1;

use super::publish::{self, Delivery, Product};
use crate::args::{Destination, PasswordArgs, SignArgs, SubjectArg};
use crate::bundle_file;
use crate::keyfile::KeyText;
use crate::output::{Exit, Failure, Session};
use crate::subject::{self, Subject};

/// Runs `attestry sign`.
pub(super) fn run(args: &SignArgs, session: &mut Session) -> Result<Exit, Failure> {
    let settings = super::settings(session)?;
    super::reach(&args.push.oci, &args.logging.registry, session);
    let beside = match &args.subject {
        SubjectArg::Oci(_) => Some(Destination::Registry),
        subject => bundle_file::beside(subject, None).map(Destination::File),
    };
    let out = args.out.clone().or(beside).unwrap_or(Destination::Stdout);
    publish::check_output(&out, session)?;
    let key_path = settings.demand_key(args.key.key.as_deref())?;
    let target = publish::target(settings, &args.logging, &args.trusted_root, session)?;
    let arguments = std::slice::from_ref(&args.subject);
    let (key, subjects) = open_key_and_read(arguments, &key_path, &args.key.password, session)?;
    let Some(subject) = subjects.first() else {
        return Err(Failure::undecided("expected a subject, found none"));
    };
    refuse_signed_form(subject)?;
    // What is in a registry is signed as cosign signs it there, by a statement.
    let seen = !matches!(args.subject, SubjectArg::Digest(_) | SubjectArg::Oci(_));
    let content = if seen && key.key_type() == KeyType::P256 {
        sign_message(subject, &key)?
    } else {
        sign_statement(subject, &key)?
    };
    let bundle = Bundle::of_key(key.public_key(), content);
    let key = Some(key.public_key().clone());
    let attachments = publish::attachments(arguments, &subjects, &args.push, session)?;
    let product = Product { bundle, key, subjects, predicate_type: None, out, attachments };
    publish::deliver(Delivery::one(product), &target, session)
}

/// Refuses a file of the very bytes that an envelope's signature covers: the signature of that file
/// would be the signature of the envelope.
fn refuse_signed_form(subject: &Subject) -> Result<(), Failure> {
    if subject.begins_as_pae {
        return Err(Failure::refused(format!(
            "expected an artifact, found {} to begin with \"DSSEv1 \", as what an envelope signs does",
            subject.name
        ))
        .fix("to sign a statement, use attestry attest; to ship such a file, sign an archive of it"));
    }
    Ok(())
}

/// Signs the digest of an artifact that was read.
fn sign_message(subject: &Subject, key: &SigningKey) -> Result<Content, Failure> {
    let signature = key.sign_digest(&subject.sha256()?).map_err(|e| failed(&e))?;
    Ok(Content::Message(MessageSignature { digest: subject.digest.clone(), signature }))
}

/// Signs a `sign/v1` statement that names the artifact.
fn sign_statement(subject: &Subject, key: &SigningKey) -> Result<Content, Failure> {
    let descriptor = ResourceDescriptor::named(&subject.name, subject.digest.clone());
    let predicate = serde_json::Value::Object(serde_json::Map::new());
    let statement = Statement::new(vec![descriptor], SIGN_V1, predicate).map_err(|e| failed(&e))?;
    Ok(Content::Envelope(Envelope::sign(dsse::PAYLOAD_TYPE, &statement.to_json(), key)))
}

fn failed(error: &dyn std::error::Error) -> Failure {
    Failure::undecided(crate::output::chain(error))
}

/// Opens the key, which is slow by design, on one thread while the subjects are read on another.
pub(super) fn open_key_and_read(
    subjects: &[SubjectArg],
    key: &Path,
    password: &PasswordArgs,
    session: &mut Session,
) -> Result<(SigningKey, Vec<Subject>), Failure> {
    let locked = KeyText::read(key, session)?.private(session, password)?;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let opening =
            scope.spawn(|| locked.unlock().inspect_err(|_| stop.store(true, Ordering::Relaxed)));
        let subjects: Result<Vec<Subject>, Failure> =
            subjects.iter().map(|argument| subject::resolve(argument, session, &stop)).collect();
        // The key's error comes first: it may be the reason why reading was given up.
        let key = opening.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok((key, subjects?))
    })
}
