//! `attestry push oci://…`: bundles beside an artifact in an OCI registry, any one.

use std::path::PathBuf;

use attestry_schemas::bundle::{Bundle, Content, SignerMaterial, Version};
use attestry_schemas::digest::Digest;
use attestry_schemas::dsse::Envelope;
use attestry_schemas::statement::Statement;
use serde::Serialize;

use crate::args::PushArgs;
use crate::bundle_file::{Document, Documents};
use crate::command::publish::Attachment;
use crate::oci::{Access, OciReference};
use crate::output::{Exit, Failure, GREEN, Session, chain};

#[derive(Serialize)]
struct Line<'a> {
    place: &'a str,
    artifact: String,
    attached: &'a str,
}

/// The artifact that comes before the bundles, where one does.
///
/// # Errors
/// When it begins as a reference and is none.
pub(super) fn artifact(args: &PushArgs) -> Result<Option<OciReference>, Failure> {
    let first = args.files.first().and_then(|path| path.to_str()).unwrap_or_default();
    if !OciReference::is_meant(first) {
        return Ok(None);
    }
    first
        .parse()
        .map(Some)
        .map_err(|e| Failure::undecided(chain(&e)).fix("a file of that name is written ./oci:…"))
}

/// Puts every bundle beside the artifact; all are looked at before the first is sent.
///
/// # Errors
/// When one is no bundle about the artifact, or the registry does not take it.
pub(super) fn run(
    reference: &OciReference,
    args: &PushArgs,
    session: &mut Session,
) -> Result<Exit, Failure> {
    let files: Vec<PathBuf> = args.files.iter().skip(1).cloned().collect();
    if files.is_empty() {
        return Err(Failure::undecided("expected bundles after the artifact, found none")
            .fix("attestry push oci://HOST/NAME:TAG BUNDLE…"));
    }
    if args.update {
        return Err(Failure::undecided("expected no --update with an oci:// artifact, found it")
            .fix("an OCI registry answers with nothing that a bundle could be completed by"));
    }
    super::demand_readable(&files)?;
    let repository = Access::of(session)?.repository(reference);
    let artifact = repository.resolve(reference)?;
    if reference.digest().is_none() {
        session.say(format!("{reference} is {}", artifact.digest));
    }
    let mut bundles = Vec::new();
    for path in &files {
        if path.is_dir() {
            return Err(Failure::undecided(format!(
                "expected a bundle, found the folder {}",
                path.display()
            ))
            .fix("name the bundles one by one: their artifacts differ"));
        }
        for document in Documents::open(path, session)? {
            let document = document?;
            let bundle = bundle(&document)?;
            demand_about(&bundle, artifact.digest.digest(), &document)?;
            bundles.push((document.place, bundle));
        }
    }
    let attachment = Attachment::of(repository, artifact);
    for (place, bundle) in &bundles {
        let attached = attachment.put(bundle, session)?;
        if session.json() {
            let artifact = attachment.subject().digest.to_string();
            session.answer(&Line { place, artifact, attached: &attached })?;
        } else {
            let word = session.paint("attached", GREEN);
            session.line(format!("{word} {attached} {place}"));
        }
    }
    let count = crate::command::count(bundles.len() as u64, "bundle", "bundles");
    session.say(format!(
        "{count} beside {} in {}",
        attachment.subject().digest,
        attachment.label()
    ));
    Ok(Exit::Success)
}

/// A bundle as it is, or of an envelope alone.
fn bundle(document: &Document) -> Result<Bundle, Failure> {
    let value = document.value.clone();
    if value.get("payloadType").is_none() {
        return Bundle::from_value(value).map_err(|e| document.malformed(&e));
    }
    let envelope = Envelope::from_value(value).map_err(|e| document.malformed(&e))?;
    Ok(Bundle {
        version: Version::V0_3,
        signer: SignerMaterial::PublicKey { hint: String::new() },
        tlog_entries: Vec::new(),
        timestamps: Vec::new(),
        content: Content::Envelope(envelope),
    })
}

/// Refuses a bundle that says nothing of the artifact: nobody who looks there could use it.
fn demand_about(bundle: &Bundle, artifact: &Digest, document: &Document) -> Result<(), Failure> {
    let is_about = match &bundle.content {
        Content::Message(message) => message.digest == *artifact,
        Content::Envelope(envelope) => {
            let statement =
                Statement::parse(&envelope.payload).map_err(|e| document.malformed(&e))?;
            statement.subject_with(artifact).is_some()
        }
    };
    if is_about {
        return Ok(());
    }
    let place = &document.place;
    Err(Failure::refused(format!("{place}: expected {artifact} as a subject, found others"))
        .fix("push it beside the artifact that it is about, or to an Attestry registry alone"))
}
