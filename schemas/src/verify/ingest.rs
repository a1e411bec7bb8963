//! What a registry asks of what it is sent: a good signature by a key that it is told to trust.

use super::{Author, Check, Refusal, Verified, key_names};
use crate::bundle::MessageSignature;
use crate::digest::{Digest, Sha256};
use crate::dsse::{Envelope, PAYLOAD_TYPE};
use crate::key::{PublicKey, SignatureError};
use crate::oci::image_signature::ImageSignature;
use crate::oci::simple_signing::SimpleSigning;
use crate::problem::chain;
use crate::rekor::Entry;
use crate::statement::Statement;

/// An envelope with its statement, its author and its log entry.
#[derive(Debug, Clone, PartialEq)]
pub struct SignedStatement {
    /// The envelope.
    pub envelope: Envelope,
    /// The payload, parsed.
    pub statement: Statement,
    /// Who signed.
    pub author: Author,
    /// What the log records.
    pub entry: Entry,
}

/// A signature over an artifact's digest, with its author and its log entry.
#[derive(Debug, Clone, PartialEq)]
pub struct SignedMessage {
    /// The signature.
    pub message: MessageSignature,
    /// Who signed.
    pub author: Author,
    /// What the log records.
    pub entry: Entry,
    /// The image that the signed document names, where the signature is one of cosign 2 and its document was there.
    pub image: Option<Digest>,
}

/// Verifies an envelope against the keys and parses its statement.
///
/// # Errors
/// [`Refusal`] of [`Check::Signature`], then of [`Check::Statement`].
pub fn envelope(
    envelope: &Envelope,
    keys: &[PublicKey],
) -> Result<Verified<SignedStatement>, Refusal> {
    let (key, digest) = envelope_key(envelope, keys)?;
    let statement = statement(envelope)?;
    let entry = Entry::for_message(digest, &envelope.signature, key);
    Ok(Verified::new(SignedStatement {
        envelope: envelope.clone(),
        statement,
        author: Author::Key(key.clone()),
        entry,
    }))
}

/// Verifies a signature over a SHA-256 digest against the keys.
///
/// # Errors
/// [`Refusal`] of [`Check::Signature`]; always for Ed25519, which covers the whole artifact.
pub fn message(
    message: &MessageSignature,
    keys: &[PublicKey],
) -> Result<Verified<SignedMessage>, Refusal> {
    let digest = message.digest.as_sha256().ok_or_else(|| {
        Refusal::new(
            Check::Signature,
            "a signature over a SHA-256 digest",
            format!("one over {}", message.digest.algorithm().name()),
        )
    })?;
    let key = key_of(&message.signature, &digest, None, keys)?;
    Ok(Verified::new(SignedMessage {
        message: message.clone(),
        author: Author::Key(key.clone()),
        entry: Entry::for_message(digest, &message.signature, key),
        image: None,
    }))
}

/// Verifies a signature over a document that names an image, against the keys: a signature of both.
///
/// # Errors
/// [`Refusal`] of [`Check::Statement`] when the document names no image, then of [`Check::Signature`].
pub fn image_signature(
    signature: &ImageSignature,
    keys: &[PublicKey],
) -> Result<Verified<SignedMessage>, Refusal> {
    let document = SimpleSigning::parse(signature.document()).map_err(|error| {
        Refusal::new(Check::Statement, "a document that names an image", chain(&error))
    })?;
    let message = signature.message();
    let digest = Sha256::of(signature.document());
    let key = key_of(&message.signature, &digest, Some(signature.document()), keys)?;
    Ok(Verified::new(SignedMessage {
        message: message.clone(),
        author: Author::Key(key.clone()),
        entry: Entry::for_message(digest, &message.signature, key),
        image: Some(document.manifest.digest().clone()),
    }))
}

/// Finds the key that made an envelope's signature; also returns the digest of the signed bytes.
pub(super) fn envelope_key<'k>(
    envelope: &Envelope,
    keys: &'k [PublicKey],
) -> Result<(&'k PublicKey, Sha256), Refusal> {
    let pae = envelope.pae();
    let digest = Sha256::of(&pae);
    Ok((key_of(&envelope.signature, &digest, Some(&pae), keys)?, digest))
}

/// Finds the key that made a signature over the message with this digest. The message is hashed
/// once for all P-256 keys; an Ed25519 key needs the message itself.
pub(super) fn key_of<'k>(
    signature: &[u8],
    digest: &Sha256,
    message: Option<&[u8]>,
    keys: &'k [PublicKey],
) -> Result<&'k PublicKey, Refusal> {
    let mut found = "no key that verifies it".to_owned();
    for key in keys {
        let outcome = match (key.verify_digest(digest, signature), message) {
            (Err(SignatureError::NeedsMessage), Some(message)) => key.verify(message, signature),
            (outcome, _) => outcome,
        };
        match outcome {
            Ok(()) => return Ok(key),
            Err(SignatureError::Invalid) if keys.len() > 1 => {
                found = "one that does not verify with any of them over these bytes".to_owned();
            }
            Err(error) => found = error.found(),
        }
    }
    Err(Refusal::new(Check::Signature, key_names(keys), found))
}

/// Finds which of the keys made one of the signatures over the message, each once; or says what was
/// found in the place of a good signature.
pub(super) fn signers(
    signatures: &[&[u8]],
    message: &[u8],
    keys: &[PublicKey],
) -> Result<Vec<PublicKey>, String> {
    let mut values: Vec<&[u8]> = Vec::new();
    for value in signatures {
        if !values.contains(value) {
            values.push(value);
        }
    }
    let digest = Sha256::of(message);
    let mut found = "no key that verifies it".to_owned();
    let mut signed: Vec<PublicKey> = Vec::new();
    for key in keys {
        if signed.contains(key) {
            continue;
        }
        for value in &values {
            match key_of(value, &digest, Some(message), std::slice::from_ref(key)) {
                Ok(key) => {
                    signed.push(key.clone());
                    break;
                }
                Err(refusal) => found = refusal.found,
            }
        }
    }
    if signed.is_empty() { Err(found) } else { Ok(signed) }
}

/// Parses an envelope's payload as a statement.
pub(super) fn statement(envelope: &Envelope) -> Result<Statement, Refusal> {
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(Refusal::new(
            Check::Statement,
            format!("payloadType {PAYLOAD_TYPE}"),
            format!("{:?}", envelope.payload_type.chars().take(100).collect::<String>()),
        ));
    }
    Statement::parse(&envelope.payload)
        .map_err(|e| Refusal::new(Check::Statement, "an in-toto statement", chain(&e)))
}
