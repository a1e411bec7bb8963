//! `dev.sigstore.rekor.v2.CreateEntryRequest` in protobuf JSON: what stock clients send to
//! `POST /api/v2/log/entries`. Both camelCase and `snake_case` are read, as protobuf JSON demands.

use serde::Deserialize;
use serde_json::Value;

use super::{BodyError, Entry, Verifier, key_with_details};
use crate::base64::{self, Base64Error};
use crate::digest::Sha256;
use crate::dsse::{DsseError, Envelope};
use crate::json::{self, JsonError};
use crate::key::{PublicKey, SignatureError};

/// The most bytes a request may have.
pub(super) const MAX_REQUEST_BYTES: usize = 16 << 20;

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not strict JSON, or members of the wrong type.
    #[error("the request does not parse")]
    Json(#[source] JsonError),
    /// Neither of the two kinds.
    #[error("expected exactly one of hashedRekordRequestV002 and dsseRequestV002, found {found}")]
    Kind {
        /// The members that were there.
        found: String,
    },
    /// A member that must be base64 is not.
    #[error("the request does not parse")]
    Base64(#[source] Base64Error),
    /// The digest is not a SHA-256.
    #[error("expected a SHA-256 digest of 32 bytes, found {found_bytes} bytes")]
    Digest {
        /// Its length.
        found_bytes: usize,
    },
    /// The verifier is not a supported public key.
    #[error("the verifier is refused")]
    Verifier(#[source] BodyError),
    /// The verifier is a certificate, of which a request alone proves neither the authority nor the time.
    #[error(
        "expected a verifier with publicKey, found x509Certificate; post the Sigstore bundle, which proves when the certificate was used, to /v1/attestations"
    )]
    Certificate,
    /// The number of verifiers is not one.
    #[error("expected exactly one verifier, found {found}")]
    VerifierCount {
        /// How many there were.
        found: usize,
    },
    /// The envelope is malformed.
    #[error("the envelope is refused")]
    Envelope(#[source] DsseError),
    /// The signature does not verify.
    #[error("the signature does not verify")]
    Signature(#[source] SignatureError),
}

/// A request whose signature has not been checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteRequest {
    /// `hashedRekordRequestV002`.
    HashedRekord(HashedRekordRequest),
    /// `dsseRequestV002`, recorded as `hashedrekord` over the PAE.
    Dsse(DsseRequest),
}

/// A digest with its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashedRekordRequest {
    /// The entry that is asked for.
    pub entry: Entry,
    /// The key it names.
    pub key: PublicKey,
}

/// An envelope with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DsseRequest {
    /// The envelope.
    pub envelope: Envelope,
    /// The key it names.
    pub key: PublicKey,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireHashedRekord {
    digest: String,
    signature: WireSignature,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSignature {
    content: String,
    verifier: WireVerifier,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireVerifier {
    #[serde(default, alias = "public_key")]
    public_key: Option<WireRaw>,
    #[serde(default, alias = "x509_certificate", rename = "x509Certificate")]
    certificate: Option<WireRaw>,
    #[serde(alias = "key_details")]
    key_details: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireRaw {
    #[serde(alias = "raw_bytes")]
    raw_bytes: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireDsse {
    envelope: Value,
    verifiers: Vec<WireVerifier>,
}

impl WireVerifier {
    fn key(&self) -> Result<PublicKey, RequestError> {
        if self.certificate.is_some() {
            return Err(RequestError::Certificate);
        }
        let missing = RequestError::Verifier(BodyError::Member { member: "verifier.publicKey" });
        let raw = self.public_key.as_ref().ok_or(missing)?;
        let der = base64::decode(&raw.raw_bytes, "rawBytes").map_err(RequestError::Base64)?;
        key_with_details(&der, &self.key_details).map_err(RequestError::Verifier)
    }
}

impl WriteRequest {
    /// Reads one request.
    ///
    /// # Errors
    /// [`RequestError`] naming the member that is wrong, or the kinds that are supported.
    pub fn parse(text: &[u8]) -> Result<Self, RequestError> {
        let value = json::parse(text, MAX_REQUEST_BYTES).map_err(RequestError::Json)?;
        let members = match value {
            Value::Object(members) => members,
            other => {
                let found = crate::statement::json_type(&other).to_owned();
                return Err(RequestError::Kind { found });
            }
        };
        let names: Vec<&str> = members.keys().map(String::as_str).collect();
        let found = match names.as_slice() {
            [] => "neither".to_owned(),
            names => names.join(", ").chars().take(200).collect(),
        };
        let mut entries = members.into_iter();
        match (entries.next(), entries.next()) {
            (Some((name, body)), None) => match name.as_str() {
                "hashedRekordRequestV002" | "hashed_rekord_request_v002" => {
                    Self::hashed_rekord(body)
                }
                "dsseRequestV002" | "dsse_request_v002" => Self::dsse(body),
                _ => Err(RequestError::Kind { found }),
            },
            _ => Err(RequestError::Kind { found }),
        }
    }

    fn hashed_rekord(body: Value) -> Result<Self, RequestError> {
        let wire: WireHashedRekord =
            json::from_value(body, "hashedRekordRequestV002").map_err(RequestError::Json)?;
        let key = wire.signature.verifier.key()?;
        let digest = base64::decode(&wire.digest, "digest").map_err(RequestError::Base64)?;
        let found_bytes = digest.len();
        let digest = Sha256::from_slice(&digest).ok_or(RequestError::Digest { found_bytes })?;
        let signature = base64::decode(&wire.signature.content, "signature.content")
            .map_err(RequestError::Base64)?;
        let verifier = Verifier::PublicKey(key.clone());
        Ok(Self::HashedRekord(HashedRekordRequest {
            entry: Entry { digest, signature, verifier },
            key,
        }))
    }

    fn dsse(body: Value) -> Result<Self, RequestError> {
        let wire: WireDsse =
            json::from_value(body, "dsseRequestV002").map_err(RequestError::Json)?;
        let [verifier] = wire.verifiers.as_slice() else {
            return Err(RequestError::VerifierCount { found: wire.verifiers.len() });
        };
        let envelope = Envelope::from_value(wire.envelope).map_err(RequestError::Envelope)?;
        Ok(Self::Dsse(DsseRequest { envelope, key: verifier.key()? }))
    }

    /// The key that the request names.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        match self {
            Self::HashedRekord(request) => &request.key,
            Self::Dsse(request) => &request.key,
        }
    }

    /// Checks the signature and returns the entry.
    ///
    /// # Errors
    /// [`RequestError::Signature`] when it does not verify.
    pub fn verified_entry(&self) -> Result<Entry, RequestError> {
        match self {
            Self::HashedRekord(HashedRekordRequest { entry, key }) => {
                entry.verify_over_digest(key).map_err(RequestError::Signature)?;
                Ok(entry.clone())
            }
            Self::Dsse(DsseRequest { envelope, key }) => {
                key.verify(&envelope.pae(), &envelope.signature)
                    .map_err(RequestError::Signature)?;
                Ok(Entry::for_envelope(envelope, key))
            }
        }
    }
}
