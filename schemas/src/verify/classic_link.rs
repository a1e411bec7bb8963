//! Who signed a classic link, in its own metadata or in an envelope.

use super::ingest::{envelope_key, signers};
use super::{Check, Refusal, Verified, key_names};
use crate::classic_link::{ClassicLink, LinkRecord};
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
    let values = link.signatures().iter().filter_map(|signature| signature.value.as_deref());
    let values: Vec<&[u8]> = values.collect();
    match signers(&values, link.signed_bytes(), keys) {
        Ok(keys) => Ok(Verified::new(SignedLink { record: link.record().clone(), keys })),
        Err(found) => {
            let found = match (link.signatures().len(), values.len()) {
                (0, _) => "a link without signatures".to_owned(),
                (_, 0) => "signatures of OpenPGP only".to_owned(),
                _ => found,
            };
            Err(Refusal::new(Check::Signature, key_names(keys), found))
        }
    }
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
