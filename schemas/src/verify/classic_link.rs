//! Who signed a classic link, in its own metadata or in an envelope.

use super::ingest::{envelope_key, key_of};
use super::{Check, Refusal, Verified, key_names};
use crate::classic_link::{ClassicLink, LinkRecord};
use crate::digest::Sha256;
use crate::dsse::{Envelope, MAX_ENVELOPE_BYTES, PAYLOAD_TYPE};
use crate::json;
use crate::key::PublicKey;
use crate::problem::chain;

/// What a classic link says, and whose word it is.
#[derive(Debug, Clone, PartialEq)]
pub struct SignedLink {
    /// What the link says: exactly what the signatures cover.
    pub record: LinkRecord,
    /// The keys that signed it, of those that were asked for; each once, at least one.
    pub keys: Vec<PublicKey>,
}

/// Finds which of the keys signed a classic link.
///
/// A keyid neither helps nor harms: a key counts by its signature, and once, under however many
/// keyids the signature stands there. Whether the link is one of a layout's steps, and whether
/// enough of its functionaries signed, is for the caller.
///
/// # Errors
/// [`Refusal`] of [`Check::Signature`] when none of the keys signed it.
pub fn classic_link(
    link: &ClassicLink,
    keys: &[PublicKey],
) -> Result<Verified<SignedLink>, Refusal> {
    let mut values: Vec<&[u8]> = Vec::new();
    for value in link.signatures().iter().filter_map(|signature| signature.value.as_deref()) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    let digest = Sha256::of(link.signed_bytes());
    let mut found = match (link.signatures().len(), values.len()) {
        (0, _) => "a link without signatures".to_owned(),
        (_, 0) => "signatures of OpenPGP only".to_owned(),
        _ => "no key that verifies it".to_owned(),
    };
    let mut signed: Vec<PublicKey> = Vec::new();
    for key in keys {
        if signed.contains(key) {
            continue;
        }
        for value in &values {
            match key_of(value, &digest, Some(link.signed_bytes()), std::slice::from_ref(key)) {
                Ok(key) => {
                    signed.push(key.clone());
                    break;
                }
                Err(refusal) => found = refusal.found,
            }
        }
    }
    if signed.is_empty() {
        return Err(Refusal::new(Check::Signature, key_names(keys), found));
    }
    Ok(Verified::new(SignedLink { record: link.record().clone(), keys: signed }))
}

/// Verifies an envelope around a classic link against the keys.
///
/// # Errors
/// [`Refusal`] of [`Check::Signature`], then of [`Check::Statement`].
pub fn link_envelope(
    envelope: &Envelope,
    keys: &[PublicKey],
) -> Result<Verified<SignedLink>, Refusal> {
    let (key, _) = envelope_key(envelope, keys)?;
    let refuse = |found: String| Refusal::new(Check::Statement, "a classic link", found);
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(refuse("another payloadType".to_owned()));
    }
    let value =
        json::parse(&envelope.payload, MAX_ENVELOPE_BYTES).map_err(|e| refuse(chain(&e)))?;
    let record = LinkRecord::from_value(value).map_err(|e| refuse(chain(&e)))?;
    Ok(Verified::new(SignedLink { record, keys: vec![key.clone()] }))
}
