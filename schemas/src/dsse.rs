//! DSSE: Dead Simple Signing Envelope v1.0.
//!
//! ```text
//! PAE(type, body) = "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body     LEN = ASCII decimal
//! envelope        = {"payload": b64(body), "payloadType": type, "signatures": [{"sig": b64}]}
//! ```
//!
//! An envelope here carries exactly one signature: Sigstore bundles demand it, and k-of-n is
//! several envelopes over one payload. `keyid` is kept on reading, never trusted, never written.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base64::{self, Base64Error};
use crate::digest::Sha256;
use crate::json::{self, JsonError};
use crate::key::SigningKey;

/// The payload type of every in-toto statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The media type of an envelope on its own.
pub const MEDIA_TYPE: &str = "application/vnd.dsse.envelope.v1+json";

/// The most bytes an envelope's JSON may have.
pub const MAX_ENVELOPE_BYTES: usize = 16 << 20;

/// Why an envelope was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DsseError {
    /// Not strict JSON, or members of the wrong type.
    #[error("the DSSE envelope does not parse")]
    Json(#[source] JsonError),
    /// A member that must be base64 is not.
    #[error("the DSSE envelope does not parse")]
    Base64(#[source] Base64Error),
    /// The envelope has no signature, or several.
    #[error(
        "expected exactly one signature in the DSSE envelope, found {found}; submit one envelope for each signature"
    )]
    SignatureCount {
        /// How many there were.
        found: usize,
    },
    /// `payloadType` or the signature is empty.
    #[error("the DSSE envelope's {member} is empty")]
    Empty {
        /// The member's name.
        member: &'static str,
    },
}

/// How every pre-authentication encoding begins. A key that signed an envelope has signed the bytes
/// that begin so, so a file of such bytes is neither signed nor accepted as an artifact.
pub const PAE_PREFIX: &[u8] = b"DSSEv1 ";

/// A signed envelope. Parsed, not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// What the payload is; for statements [`PAYLOAD_TYPE`].
    pub payload_type: String,
    /// The payload's bytes, exactly as signed.
    pub payload: Vec<u8>,
    /// The signature's bytes: ASN.1 DER for ECDSA, 64 bytes for Ed25519.
    pub signature: Vec<u8>,
    /// An unauthenticated hint; ignored by verification.
    pub keyid: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    payload: String,
    payload_type: String,
    signatures: Vec<WireSignature>,
}

#[derive(Serialize, Deserialize)]
struct WireSignature {
    sig: String,
    #[serde(default, skip_serializing)]
    keyid: Option<String>,
}

impl Envelope {
    /// Reads one envelope from JSON.
    ///
    /// # Errors
    /// [`DsseError`] for anything but strict JSON with one signature.
    pub fn parse(text: &[u8]) -> Result<Self, DsseError> {
        Self::from_value(json::parse(text, MAX_ENVELOPE_BYTES).map_err(DsseError::Json)?)
    }

    /// Reads one envelope from strictly parsed JSON.
    ///
    /// # Errors
    /// As [`Envelope::parse`].
    pub fn from_value(value: Value) -> Result<Self, DsseError> {
        let mut wire: Wire =
            json::from_value(value, "the DSSE envelope").map_err(DsseError::Json)?;
        let found = wire.signatures.len();
        let (Some(signature), 1) = (wire.signatures.pop(), found) else {
            return Err(DsseError::SignatureCount { found });
        };
        let envelope = Self {
            payload_type: wire.payload_type,
            payload: base64::decode(&wire.payload, "payload").map_err(DsseError::Base64)?,
            signature: base64::decode(&signature.sig, "signatures[0].sig")
                .map_err(DsseError::Base64)?,
            keyid: signature.keyid.filter(|id| !id.is_empty()),
        };
        if envelope.payload_type.is_empty() {
            return Err(DsseError::Empty { member: "payloadType" });
        }
        if envelope.signature.is_empty() {
            return Err(DsseError::Empty { member: "signatures[0].sig" });
        }
        Ok(envelope)
    }

    /// Signs `payload` as `payload_type`.
    #[must_use]
    pub fn sign(payload_type: &str, payload: &[u8], key: &SigningKey) -> Self {
        Self {
            payload_type: payload_type.to_owned(),
            payload: payload.to_vec(),
            signature: key.sign(&pae(payload_type, payload)),
            keyid: None,
        }
    }

    /// The bytes that are signed.
    #[must_use]
    pub fn pae(&self) -> Vec<u8> {
        pae(&self.payload_type, &self.payload)
    }

    /// SHA-256 of the bytes that are signed: what the log's entry names.
    #[must_use]
    pub fn pae_digest(&self) -> Sha256 {
        Sha256::of(&self.pae())
    }

    /// The envelope as a JSON value, without `keyid`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        serde_json::json!({
            "payload": base64::encode(&self.payload),
            "payloadType": self.payload_type,
            "signatures": [{"sig": base64::encode(&self.signature)}],
        })
    }

    /// The envelope as compact JSON, without `keyid`: one spelling for one envelope.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        self.to_value().to_string().into_bytes()
    }
}

/// The DSSE v1 pre-authentication encoding.
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    let mut out = Vec::with_capacity(head.len() + payload.len());
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(payload);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pae_is_the_one_of_the_dsse_protocol_document() {
        // secure-systems-lab/dsse protocol.md, the worked example.
        assert_eq!(
            pae("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn counts_bytes_not_characters() {
        assert_eq!(pae("é", "ü".as_bytes()), "DSSEv1 2 é 2 ü".as_bytes());
    }

    #[test]
    fn reads_what_it_writes_and_drops_the_hint() {
        let text = br#"{"payloadType":"t","payload":"aGk=","signatures":[{"keyid":"k","sig":"AQI="}],"x":1}"#;
        let envelope = Envelope::parse(text).unwrap();
        assert_eq!(envelope.keyid.as_deref(), Some("k"));
        let again = Envelope::parse(&envelope.to_json()).unwrap();
        assert_eq!(again, Envelope { keyid: None, ..envelope });
    }

    #[test]
    fn refuses_each_malformed_envelope_by_name() {
        let check = |text: &str, expected: &str| {
            let error = Envelope::parse(text.as_bytes()).expect_err(text);
            let source = std::error::Error::source(&error).map(ToString::to_string);
            let message = format!("{error} {}", source.unwrap_or_default());
            assert!(message.contains(expected), "{text}: {message}");
        };
        let with = |signatures: &str| {
            format!(r#"{{"payload":"","payloadType":"t","signatures":{signatures}}}"#)
        };
        check(&with("[]"), "found 0");
        check(&with(r#"[{"sig":"AQ=="},{"sig":"AQ=="}]"#), "found 2");
        check(&with(r#"[{"sig":""}]"#), "signatures[0].sig is empty");
        check(&with(r#"[{"sig":"!"}]"#), "signatures[0].sig is not base64");
        check(r#"{"payload":"","payloadType":"","signatures":[{"sig":"AQ=="}]}"#, "payloadType is");
        check(r#"{"payload":"","payload":"","payloadType":"t","signatures":[]}"#, "duplicate key");
        check(r#"{"payloadType":"t","signatures":[]}"#, "missing field `payload`");
        check("[]", "wrong shape");
    }
}
