//! Signed layouts, in either envelope of in-toto (ITE-5).
//!
//! ```text
//! {"signed": {"_type": "layout", …}, "signatures": [{"keyid": …, "sig": hex}, …]}
//! {"payloadType": "application/vnd.in-toto+json", "payload": base64, "signatures": [{"sig": base64}, …]}
//! ```
//!
//! In the first a signature covers the [`canonical`] form of `signed`, in the second the DSSE
//! pre-authentication encoding of the payload. Unlike [`crate::dsse::Envelope`], the envelope of a
//! layout may have several signatures.

use serde::Deserialize;
use serde_json::Value;

use super::{Layout, LayoutError, MAX_LAYOUT_BYTES, MAX_SIGNATURES, demand, demand_type};
use crate::base64;
use crate::classic_link::{WireSignature, canonical, signature};
use crate::digest::Sha256;
use crate::dsse::{PAYLOAD_TYPE, pae};
use crate::json;

/// A layout with its signatures. Parsed, not verified.
#[derive(Debug, Clone, PartialEq)]
pub struct LayoutDocument {
    layout: Layout,
    signatures: Vec<Vec<u8>>,
    signed_bytes: Vec<u8>,
    source: Sha256,
}

#[derive(Deserialize)]
struct Metablock {
    signed: Value,
    signatures: Vec<WireSignature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload_type: Value,
    payload: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Deserialize)]
struct EnvelopeSignature {
    sig: String,
}

impl LayoutDocument {
    /// Reads a layout in either form, signed or not.
    ///
    /// # Errors
    /// [`LayoutError`] naming the member that breaks the specification or the bound.
    pub fn parse(text: &[u8]) -> Result<Self, LayoutError> {
        let value = json::parse(text, MAX_LAYOUT_BYTES).map_err(LayoutError::Json)?;
        let source = Sha256::of(text);
        // One document is never both.
        match (value.get("signed").is_some(), value.get("payload").is_some()) {
            (true, false) => Self::from_metablock(value, source),
            (false, true) => Self::from_envelope(value, source),
            _ => Err(LayoutError::Form),
        }
    }

    fn from_metablock(value: Value, source: Sha256) -> Result<Self, LayoutError> {
        let wire: Metablock =
            json::from_value(value, "the in-toto layout").map_err(LayoutError::Json)?;
        demand("signatures", 0, MAX_SIGNATURES, wire.signatures.len())?;
        let mut signatures = Vec::new();
        for (index, wire) in wire.signatures.into_iter().enumerate() {
            // One of OpenPGP has no value that could be verified.
            signatures.extend(signature(index, wire).map_err(LayoutError::Signature)?.value);
        }
        let signed_bytes = canonical(&wire.signed).map_err(LayoutError::Canonical)?;
        let layout = Layout::from_value(wire.signed)?;
        Ok(Self { layout, signatures, signed_bytes, source })
    }

    fn from_envelope(value: Value, source: Sha256) -> Result<Self, LayoutError> {
        let wire: Envelope =
            json::from_value(value, "the envelope of the layout").map_err(LayoutError::Json)?;
        demand_type("payloadType", PAYLOAD_TYPE, Some(&wire.payload_type))?;
        demand("signatures", 0, MAX_SIGNATURES, wire.signatures.len())?;
        let decode = |text: &str, member| base64::decode(text, member).map_err(LayoutError::Base64);
        let payload = decode(&wire.payload, "payload")?;
        let signature = |wire: &EnvelopeSignature| decode(&wire.sig, "signatures[].sig");
        let signatures = wire.signatures.iter().map(signature).collect::<Result<_, _>>()?;
        let signed = json::parse(&payload, MAX_LAYOUT_BYTES).map_err(LayoutError::Json)?;
        let layout = Layout::from_value(signed)?;
        Ok(Self { layout, signatures, signed_bytes: pae(PAYLOAD_TYPE, &payload), source })
    }

    /// What the layout says.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Its signatures that may be verified, at most [`MAX_SIGNATURES`].
    #[must_use]
    pub fn signatures(&self) -> &[Vec<u8>] {
        &self.signatures
    }

    /// The bytes that its signatures cover.
    #[must_use]
    pub fn signed_bytes(&self) -> &[u8] {
        &self.signed_bytes
    }

    /// The digest of the document as it was read.
    #[must_use]
    pub fn source(&self) -> Sha256 {
        self.source
    }

    /// Adds the signatures of another document over the same bytes: where an envelope holds one
    /// signature, k of n signers are k envelopes. The document keeps its own [`source`](Self::source).
    /// Returns whether it did; not when the other signs other bytes, or there would be more than
    /// [`MAX_SIGNATURES`].
    #[must_use]
    pub fn add_signatures_of(&mut self, other: &Self) -> bool {
        let more = other.signatures.iter().filter(|value| !self.signatures.contains(value));
        let more: Vec<_> = more.cloned().collect();
        let fits = self.signatures.len() + more.len() <= MAX_SIGNATURES;
        let adds = other.signed_bytes == self.signed_bytes && fits;
        if adds {
            self.signatures.extend(more);
        }
        adds
    }
}
