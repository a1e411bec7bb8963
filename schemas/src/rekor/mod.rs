//! Rekor v2 entries: what a leaf of the log is, and how clients ask for one.
//!
//! ```text
//! body      = JCS({"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{
//!               "data":{"algorithm":"SHA2_256","digest":b64},
//!               "signature":{"content":b64,"verifier":{"keyDetails":K,"publicKey":{"rawBytes":b64(SPKI)}}}}}})
//! leaf hash = SHA-256(0x00 ‖ body)                                             RFC 6962 §2.1
//! log id    = SHA-256(origin ‖ "\n" ‖ 0x01 ‖ raw Ed25519 key)                  C2SP signed-note
//! ```
//!
//! For a DSSE envelope `digest` is SHA-256(PAE) and `content` is the envelope's signature. This is
//! the form sigstore-go rebuilds from a bundle when it checks the leaf. Kinds of Rekor v1 are not
//! read here; bundles that carry them are verified by `sigstore-verify`.

use std::fmt;

use serde_json::{Value, json};
use sha2::Digest as _;

use crate::base64;
use crate::digest::Sha256;
use crate::dsse::Envelope;
use crate::json::{self as strict, JsonError};
use crate::key::{self, KeyError, P256_DETAILS, PublicKey, SignatureError};
use crate::merkle;

mod entry;
mod request;

pub use entry::{Checkpoint, InclusionPromise, InclusionProof, KeyId, KindVersion, TlogEntry};
pub use request::{DsseRequest, HashedRekordRequest, RequestError, WriteRequest};

/// `kind` of every entry that is written.
pub const KIND: &str = "hashedrekord";
/// `apiVersion` of every entry that is written.
pub const VERSION: &str = "0.0.2";
/// The most bytes an entry's body may have (an entry bundle's length prefix has 16 bits).
pub const MAX_BODY_BYTES: usize = 65_535;

/// Why an entry's body was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not strict JSON.
    #[error("the log entry's body does not parse")]
    Json(#[source] JsonError),
    /// A kind or version that this log does not write.
    #[error("expected a {KIND} {VERSION} entry, found {found:?}")]
    Kind {
        /// Kind and version, or what stood in their place.
        found: String,
    },
    /// A member is missing or malformed.
    #[error("the log entry's {member} is missing or malformed")]
    Member {
        /// Where it should have been.
        member: &'static str,
    },
    /// The verifier is not a key that can be read.
    #[error("the log entry's public key is refused")]
    Key(#[source] KeyError),
    /// `keyDetails` names another algorithm than the key has.
    #[error("expected keyDetails {expected} for this key, found {found:?}")]
    KeyDetails {
        /// What the key calls for.
        expected: &'static str,
        /// What the body says.
        found: String,
    },
    /// The body is well formed but not in the one canonical spelling.
    #[error("the log entry's body is not in canonical form (RFC 8785)")]
    NotCanonical,
}

/// Who made an entry's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verifier {
    /// A managed key.
    PublicKey(PublicKey),
    /// A certificate, by its DER bytes; `key_details` is Sigstore's name for its key's algorithm.
    Certificate {
        /// X.509 DER.
        der: Vec<u8>,
        /// For example `PKIX_ECDSA_P256_SHA_256`.
        key_details: String,
    },
}

/// A `hashedrekord` 0.0.2 entry. Parsed or built, not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// SHA-256 of the artifact, or of the PAE of an envelope.
    pub digest: Sha256,
    /// The signature's bytes.
    pub signature: Vec<u8>,
    /// Whose signature it is.
    pub verifier: Verifier,
}

impl Entry {
    /// The entry of a DSSE envelope signed by `key`.
    #[must_use]
    pub fn for_envelope(envelope: &Envelope, key: &PublicKey) -> Self {
        Self {
            digest: envelope.pae_digest(),
            signature: envelope.signature.clone(),
            verifier: Verifier::PublicKey(key.clone()),
        }
    }

    /// The entry of a message signature over an artifact with this digest.
    #[must_use]
    pub fn for_message(digest: Sha256, signature: &[u8], key: &PublicKey) -> Self {
        Self { digest, signature: signature.to_vec(), verifier: Verifier::PublicKey(key.clone()) }
    }

    /// The canonical body: the leaf's data.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        // The members stand in the order of RFC 8785 §3.2.3 (by UTF-16 code units), and base64 and
        // the two names need no escaping, so this text is the canonical form. A test holds it
        // against a canonicalizer.
        let verifier = match &self.verifier {
            Verifier::PublicKey(key) => format!(
                r#""keyDetails":"{}","publicKey":{{"rawBytes":"{}"}}"#,
                key.key_details(),
                base64::encode(key.spki_der())
            ),
            Verifier::Certificate { der, key_details } => format!(
                r#""keyDetails":{},"x509Certificate":{{"rawBytes":"{}"}}"#,
                Value::from(key_details.as_str()),
                base64::encode(der)
            ),
        };
        format!(
            r#"{{"apiVersion":"{VERSION}","kind":"{KIND}","spec":{{"hashedRekordV002":{{"data":{{"algorithm":"SHA2_256","digest":"{}"}},"signature":{{"content":"{}","verifier":{{{verifier}}}}}}}}}}}"#,
            base64::encode(self.digest.as_bytes()),
            base64::encode(&self.signature),
        )
        .into_bytes()
    }

    /// The hash of the entry's leaf (RFC 6962 §2.1).
    #[must_use]
    pub fn leaf_hash(&self) -> Sha256 {
        merkle::leaf_hash(&self.body())
    }

    /// The entry of the same signature in its other form; see [`PublicKey::other_form`]. Of certificates those with a key of
    /// P-256 have one. For P-384 none is computed: the timestamps and log entries that prove when a certificate was used cover the
    /// signature in one form, so whoever makes the other needs new ones while the certificate is valid.
    #[must_use]
    pub fn other_form(&self) -> Option<Self> {
        let signature = match &self.verifier {
            Verifier::PublicKey(key) => key.other_form(&self.signature)?,
            Verifier::Certificate { key_details, .. } if key_details == P256_DETAILS => {
                key::ecdsa::other_form(&self.signature)?
            }
            Verifier::Certificate { .. } => return None,
        };
        Some(Self { signature, ..self.clone() })
    }

    /// Reads a body, demanding the canonical spelling.
    ///
    /// # Errors
    /// [`BodyError`] naming the member, kind or spelling that is wrong.
    pub fn parse(body: &[u8]) -> Result<Self, BodyError> {
        let value = strict::parse(body, MAX_BODY_BYTES).map_err(BodyError::Json)?;
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        let (kind, version) = (text("/kind").unwrap_or(""), text("/apiVersion").unwrap_or(""));
        if (kind, version) != (KIND, VERSION) {
            return Err(BodyError::Kind {
                found: format!("{kind:.64} {version:.64}").trim().to_owned(),
            });
        }
        let bytes = |pointer: &'static str| {
            let member = pointer;
            text(pointer)
                .and_then(|t| base64::decode(t, member).ok())
                .ok_or(BodyError::Member { member })
        };
        let digest = Sha256::from_slice(&bytes("/spec/hashedRekordV002/data/digest")?)
            .ok_or(BodyError::Member { member: "/spec/hashedRekordV002/data/digest" })?;
        let signature = bytes("/spec/hashedRekordV002/signature/content")?;
        let details = text("/spec/hashedRekordV002/signature/verifier/keyDetails").unwrap_or("");
        const CERTIFICATE: &str =
            "/spec/hashedRekordV002/signature/verifier/x509Certificate/rawBytes";
        let verifier = if value.pointer(CERTIFICATE).is_some() {
            Verifier::Certificate { der: bytes(CERTIFICATE)?, key_details: details.to_owned() }
        } else {
            let der = bytes("/spec/hashedRekordV002/signature/verifier/publicKey/rawBytes")?;
            Verifier::PublicKey(key_with_details(&der, details)?)
        };
        let entry = Self { digest, signature, verifier };
        if entry.body() == body { Ok(entry) } else { Err(BodyError::NotCanonical) }
    }

    /// Checks the entry's own signature over its digest, which needs no artifact.
    ///
    /// # Errors
    /// [`SignatureError`] when it does not verify, and for Ed25519, whose signatures cover the
    /// whole message.
    pub fn verify_over_digest(&self, key: &PublicKey) -> Result<(), SignatureError> {
        key.verify_digest(&self.digest, &self.signature)
    }
}

pub(crate) fn key_with_details(der: &[u8], details: &str) -> Result<PublicKey, BodyError> {
    let key = PublicKey::from_spki_der(der).map_err(BodyError::Key)?;
    if key.key_details() == details {
        Ok(key)
    } else {
        Err(BodyError::KeyDetails {
            expected: key.key_details(),
            found: details.chars().take(64).collect(),
        })
    }
}

/// The 32 bytes that name a log: the note key's hash, not truncated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogId(pub [u8; 32]);

impl LogId {
    /// The id of a log with an Ed25519 key: SHA-256(origin ‖ "\n" ‖ 0x01 ‖ key).
    #[must_use]
    pub fn of_ed25519(origin: &str, raw_key: &[u8; 32]) -> Self {
        let hash = sha2::Sha256::new()
            .chain_update(origin.as_bytes())
            .chain_update(b"\n\x01")
            .chain_update(raw_key)
            .finalize();
        Self(hash.into())
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64::encode(self.0))
    }
}

impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogId({self})")
    }
}

/// The JSON request that a client sends for this entry (`hashedRekordRequestV002`).
#[must_use]
pub fn request_for(entry: &Entry) -> Value {
    let verifier = match &entry.verifier {
        Verifier::PublicKey(key) => json!({
            "publicKey": {"rawBytes": base64::encode(key.spki_der())},
            "keyDetails": key.key_details(),
        }),
        Verifier::Certificate { der, key_details } => json!({
            "x509Certificate": {"rawBytes": base64::encode(der)},
            "keyDetails": key_details,
        }),
    };
    json!({"hashedRekordRequestV002": {
        "digest": base64::encode(entry.digest.as_bytes()),
        "signature": {"content": base64::encode(&entry.signature), "verifier": verifier},
    }})
}

#[cfg(test)]
mod tests;
