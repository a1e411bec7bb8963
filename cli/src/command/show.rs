//! `attestry show`: one attestation of a registry.

use attestry_schemas::bundle::{Bundle, Content};
use attestry_schemas::digest::Sha256;
use attestry_schemas::dsse::Envelope;
use attestry_schemas::oci::image_signature::ImageSignature;
use attestry_schemas::oci::simple_signing::SimpleSigning;
use attestry_schemas::rekor::Entry;
use attestry_schemas::statement::Statement;
use serde_json::{Value, json};

use crate::args::ShowArgs;
use crate::client::Answer;
use crate::output::{Exit, Failure, Session, chain, printable};

/// Runs `attestry show`.
pub(super) fn run(args: &ShowArgs, session: &mut Session) -> Result<Exit, Failure> {
    let settings = super::settings(session)?;
    let client = super::client(settings.demand_registry(&args.registry)?, session)?;
    let digest = super::digest::whole(&args.digest, &client)?;
    if args.bundle {
        let answer = client.fetch(&format!("/v1/attestations/{digest}/bundle"))?;
        let bundle = Bundle::parse(&answer.body).map_err(|e| answer.malformed(chain(&e)))?;
        session.data(&bundle.to_json());
        session.data(b"\n");
        return Ok(Exit::Success);
    }
    let answer = client.fetch(&format!("/v1/attestations/{digest}"))?;
    let found = Sha256::of(&answer.body);
    if found != digest {
        return Err(Failure::refused(format!(
            "{}: expected bytes with digest {digest}, found {found}",
            answer.url
        ))
        .fix("do not rely on this registry before its operator has explained this"));
    }
    if args.raw {
        session.data(&answer.body);
        return Ok(Exit::Success);
    }
    // A stock client that logs by digest alone leaves a leaf and nothing else.
    if let Ok(entry) = Entry::parse(&answer.body) {
        return leaf(&digest, &entry, session);
    }
    if let Ok(signature) = ImageSignature::parse(&answer.body) {
        return image_signature(&digest, &signature, session);
    }
    let content = content(&answer)?;
    if session.json() {
        let answer = describe(&digest, &content)?;
        session.answer(&answer)?;
    } else {
        tell(&digest, &content, session)?;
    }
    Ok(Exit::Success)
}

/// Shows a leaf that was logged by digest alone.
fn leaf(digest: &Sha256, entry: &Entry, session: &mut Session) -> Result<Exit, Failure> {
    if session.json() {
        session.answer(&json!({
            "digest": digest,
            "kind": "entry",
            "logged_digest": entry.digest,
        }))?;
        return Ok(Exit::Success);
    }
    session.line(format!("digest     {digest}"));
    session.line("kind       a log entry; its envelope, if it has one, was not pushed");
    session.line(format!("logged     {}", entry.digest));
    session.say("not verified here: attestry verify SUBJECT --key PUB --registry URL verifies");
    Ok(Exit::Success)
}

/// Shows a signature of cosign 2: it is over a document, which names the image.
fn image_signature(
    digest: &Sha256,
    signature: &ImageSignature,
    session: &mut Session,
) -> Result<Exit, Failure> {
    let document = SimpleSigning::parse(signature.document()).map_err(|e| {
        Failure::undecided(format!("the signed document: {}", chain(&e)))
            .fix("--raw shows the exact bytes")
    })?;
    if session.json() {
        let image = document.manifest.digest();
        session.answer(&json!({
            "digest": digest,
            "kind": "image-signature",
            "subjects": [{"digest": {image.algorithm().name(): image.value()}}],
            "document": signature.message().digest,
            "reference": document.reference,
        }))?;
        return Ok(Exit::Success);
    }
    session.line(format!("digest     {digest}"));
    session.line("kind       a signature of an image, as cosign 2 makes it");
    session.line(format!("subject    {}", document.manifest));
    session.line(format!("document   {}, which was signed", signature.message().digest));
    session.line(printable(&format!("reference  {}, as the signer called it", document.reference)));
    session.say("not verified here: attestry verify SUBJECT --key PUB --registry URL verifies");
    Ok(Exit::Success)
}

/// An envelope is stored as it is, a message signature in its bundle.
fn content(answer: &Answer) -> Result<Content, Failure> {
    let value: Value = answer.json()?;
    let malformed = |e: &dyn std::error::Error| answer.malformed(chain(e));
    if value.get("mediaType").is_some() {
        Ok(Bundle::from_value(value).map_err(|e| malformed(&e))?.content)
    } else {
        Ok(Content::Envelope(Envelope::from_value(value).map_err(|e| malformed(&e))?))
    }
}

fn statement(envelope: &Envelope) -> Result<Statement, Failure> {
    Statement::parse(&envelope.payload).map_err(|e| {
        Failure::undecided(format!("the envelope's payload: {}", chain(&e)))
            .fix("--raw shows the exact bytes")
    })
}

fn describe(digest: &Sha256, content: &Content) -> Result<Value, Failure> {
    Ok(match content {
        Content::Envelope(envelope) => {
            let statement = statement(envelope)?;
            json!({
                "digest": digest,
                "kind": "statement",
                "predicate_type": statement.predicate_type,
                "subjects": statement.subject,
                "predicate": statement.predicate,
            })
        }
        Content::Message(message) => json!({
            "digest": digest,
            "kind": "message-signature",
            "subjects": [{"digest": {message.digest.algorithm().name(): message.digest.value()}}],
        }),
    })
}

fn tell(digest: &Sha256, content: &Content, session: &mut Session) -> Result<(), Failure> {
    session.line(format!("digest     {digest}"));
    match content {
        Content::Message(message) => {
            session.line("kind       a signature of an artifact");
            session.line(format!("subject    {}", message.digest));
        }
        Content::Envelope(envelope) => {
            let statement = statement(envelope)?;
            session.line("kind       a statement");
            session.line(format!("type       {}", printable(&statement.predicate_type)));
            for subject in &statement.subject {
                let name = subject.name.as_deref().or(subject.uri.as_deref()).unwrap_or("");
                for digest in subject.digest.iter().flat_map(|set| set.iter()) {
                    session.line(printable(&format!("subject    {name} {digest}")));
                }
            }
            session.line("predicate");
            let predicate = serde_json::to_string_pretty(&statement.predicate)
                .map_err(|e| Failure::undecided(format!("cannot print the predicate: {e}")))?;
            session.line(printable(&predicate));
        }
    }
    session.say("not verified here: attestry verify SUBJECT --key PUB --registry URL verifies");
    Ok(())
}
