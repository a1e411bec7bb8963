//! Sigstore bundles: v0.3 written, v0.1 to v0.3 read.
//!
//! A bundle carries a signature (over an artifact, or in a DSSE envelope), who made it, and what
//! proves when and where it was logged. Reading is strict, as protobuf JSON is: unknown members
//! are errors. Nothing here is verified; see [`crate::verify`].

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::base64::{self, Base64Error};
use crate::digest::{Digest, Sha256};
use crate::dsse::{DsseError, Envelope};
use crate::json::{self as strict, JsonError};
use crate::rekor::TlogEntry;

/// The media type that is written.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// The most bytes a bundle may have.
pub const MAX_BUNDLE_BYTES: usize = 24 << 20;
/// The most log entries a bundle may carry (sigstore-go reads as many).
pub const MAX_TLOG_ENTRIES: usize = 32;
/// The most RFC 3161 timestamps a bundle may carry (sigstore-go reads as many).
pub const MAX_TIMESTAMPS: usize = 32;
/// The most bytes of a key hint; those in use are a hash in base64.
pub const MAX_HINT_BYTES: usize = 512;

/// Why a bundle was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Not strict JSON, or members of the wrong type.
    #[error("the bundle does not parse")]
    Json(#[source] JsonError),
    /// A media type that is not read.
    #[error("expected mediaType {MEDIA_TYPE} (or version 0.1 or 0.2), found {found:?}")]
    MediaType {
        /// `mediaType` as it was given.
        found: String,
    },
    /// A member that must be base64 is not.
    #[error("the bundle does not parse")]
    Base64(#[source] Base64Error),
    /// Not exactly one of the alternatives.
    #[error("expected exactly one of {alternatives} in the bundle, found {found}")]
    OneOf {
        /// The members of which one must be there.
        alternatives: &'static str,
        /// How many were there.
        found: usize,
    },
    /// The envelope is malformed.
    #[error("the bundle's envelope is refused")]
    Envelope(#[source] DsseError),
    /// The message digest does not fit.
    #[error(
        "expected messageDigest to be SHA2_256, SHA2_384 or SHA2_512 of its length, found {found:?}"
    )]
    MessageDigest {
        /// The algorithm as it was given.
        found: String,
    },
    /// A list is too long.
    #[error("expected at most {limit} {what} in the bundle, found {found}")]
    TooMany {
        /// Which list.
        what: &'static str,
        /// The bound.
        limit: usize,
        /// How many there were.
        found: usize,
    },
    /// The version forbids or demands something.
    #[error("a bundle of version {version} {rule}")]
    Version {
        /// The bundle's version.
        version: &'static str,
        /// What it must or must not have.
        rule: &'static str,
    },
}

/// The version a bundle was read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// Version 0.1: the proof may be a promise.
    V0_1,
    /// Version 0.2: log entries have inclusion proofs.
    V0_2,
    /// Version 0.3: one certificate, no chain.
    V0_3,
}

impl Version {
    fn from_media_type(text: &str) -> Option<Self> {
        match text {
            MEDIA_TYPE | "application/vnd.dev.sigstore.bundle+json;version=0.3" => Some(Self::V0_3),
            "application/vnd.dev.sigstore.bundle+json;version=0.2" => Some(Self::V0_2),
            "application/vnd.dev.sigstore.bundle+json;version=0.1" => Some(Self::V0_1),
            _ => None,
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::V0_1 => "application/vnd.dev.sigstore.bundle+json;version=0.1",
            Self::V0_2 => "application/vnd.dev.sigstore.bundle+json;version=0.2",
            Self::V0_3 => MEDIA_TYPE,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::V0_1 => "0.1",
            Self::V0_2 => "0.2",
            Self::V0_3 => "0.3",
        }
    }
}

/// Who is said to have signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignerMaterial {
    /// A managed key, by a hint that proves nothing.
    PublicKey {
        /// Padded base64 of SHA-256(SPKI) where cosign or Attestry wrote it.
        hint: String,
    },
    /// A Fulcio certificate (version 0.3).
    Certificate {
        /// X.509 DER.
        der: Vec<u8>,
    },
    /// A Fulcio certificate with its chain (versions 0.1 and 0.2), leaf first.
    CertificateChain {
        /// X.509 DER, at least one.
        ders: Vec<Vec<u8>>,
    },
}

impl SignerMaterial {
    /// The certificate of the key that signed, X.509 DER; none of a managed key.
    #[must_use]
    pub fn leaf(&self) -> Option<&[u8]> {
        match self {
            Self::Certificate { der } => Some(der),
            Self::CertificateChain { ders } => ders.first().map(Vec::as_slice),
            Self::PublicKey { .. } => None,
        }
    }
}

/// A signature over an artifact's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageSignature {
    /// The digest of the artifact as the signer saw it; a claim until verified.
    pub digest: Digest,
    /// The signature's bytes.
    pub signature: Vec<u8>,
}

/// What was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A DSSE envelope.
    Envelope(Envelope),
    /// An artifact.
    Message(MessageSignature),
}

impl Content {
    /// The same content under another signature.
    #[must_use]
    pub fn with_signature(self, signature: Vec<u8>) -> Self {
        match self {
            Self::Envelope(envelope) => Self::Envelope(Envelope { signature, ..envelope }),
            Self::Message(message) => Self::Message(MessageSignature { signature, ..message }),
        }
    }
}

/// A bundle. Parsed, not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The version it was read as, or is to be written as.
    pub version: Version,
    /// Who is said to have signed.
    pub signer: SignerMaterial,
    /// Where it was logged, with proofs.
    pub tlog_entries: Vec<TlogEntry>,
    /// RFC 3161 responses, DER.
    pub timestamps: Vec<Vec<u8>>,
    /// What was signed.
    pub content: Content,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire {
    #[serde(alias = "media_type")]
    media_type: String,
    #[serde(alias = "verification_material")]
    verification_material: WireMaterial,
    #[serde(default, alias = "message_signature")]
    message_signature: Option<WireMessage>,
    #[serde(default, alias = "dsse_envelope")]
    dsse_envelope: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireMaterial {
    #[serde(default, alias = "public_key")]
    public_key: Option<WireHint>,
    #[serde(default)]
    certificate: Option<WireRaw>,
    #[serde(default, rename = "x509CertificateChain", alias = "x509_certificate_chain")]
    chain: Option<WireChain>,
    #[serde(default, alias = "tlog_entries")]
    tlog_entries: Option<Vec<TlogEntry>>,
    #[serde(default, alias = "timestamp_verification_data")]
    timestamp_verification_data: Option<WireTimestamps>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireHint {
    #[serde(default)]
    hint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireRaw {
    #[serde(alias = "raw_bytes")]
    raw_bytes: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireChain {
    certificates: Vec<WireRaw>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireTimestamps {
    #[serde(default, alias = "rfc3161_timestamps")]
    rfc3161_timestamps: Option<Vec<WireTimestamp>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireTimestamp {
    #[serde(alias = "signed_timestamp")]
    signed_timestamp: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireMessage {
    #[serde(alias = "message_digest")]
    message_digest: WireDigest,
    signature: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireDigest {
    algorithm: String,
    digest: String,
}

const DIGEST_NAMES: &[(&str, &str)] =
    &[("SHA2_256", "sha256"), ("SHA2_384", "sha384"), ("SHA2_512", "sha512")];

fn bytes(text: &str, what: &'static str) -> Result<Vec<u8>, BundleError> {
    base64::decode(text, what).map_err(BundleError::Base64)
}

impl WireMessage {
    fn read(&self) -> Result<MessageSignature, BundleError> {
        let found = self.message_digest.algorithm.clone();
        let wrong = || BundleError::MessageDigest { found: found.chars().take(64).collect() };
        let (_, name) = DIGEST_NAMES.iter().find(|(wire, _)| *wire == found).ok_or_else(wrong)?;
        let value = hex::encode(bytes(&self.message_digest.digest, "messageDigest.digest")?);
        Ok(MessageSignature {
            digest: Digest::new(*name, &value).map_err(|_| wrong())?,
            signature: bytes(&self.signature, "messageSignature.signature")?,
        })
    }
}

impl WireMaterial {
    fn signer(&self, version: Version) -> Result<SignerMaterial, BundleError> {
        let rule = |rule| BundleError::Version { version: version.name(), rule };
        match (&self.public_key, &self.certificate, &self.chain) {
            (Some(key), None, None) => {
                bounded("bytes in publicKey.hint", key.hint.len(), MAX_HINT_BYTES)?;
                Ok(SignerMaterial::PublicKey { hint: key.hint.clone() })
            }
            (None, Some(certificate), None) => Ok(SignerMaterial::Certificate {
                der: bytes(&certificate.raw_bytes, "certificate")?,
            }),
            (None, None, Some(_)) if version == Version::V0_3 => {
                Err(rule("has certificate, not x509CertificateChain"))
            }
            (None, None, Some(chain)) => {
                let ders: Result<Vec<_>, _> = chain
                    .certificates
                    .iter()
                    .map(|c| bytes(&c.raw_bytes, "x509CertificateChain"))
                    .collect();
                let ders = ders?;
                if (1..=16).contains(&ders.len()) {
                    Ok(SignerMaterial::CertificateChain { ders })
                } else {
                    Err(rule("has 1 to 16 certificates in its chain"))
                }
            }
            (key, certificate, chain) => Err(BundleError::OneOf {
                alternatives: "publicKey, certificate and x509CertificateChain",
                found: usize::from(key.is_some())
                    + usize::from(certificate.is_some())
                    + usize::from(chain.is_some()),
            }),
        }
    }

    fn timestamps(&self) -> Result<Vec<Vec<u8>>, BundleError> {
        let list = self
            .timestamp_verification_data
            .as_ref()
            .and_then(|data| data.rfc3161_timestamps.as_deref())
            .unwrap_or_default();
        bounded("timestamps", list.len(), MAX_TIMESTAMPS)?;
        list.iter().map(|t| bytes(&t.signed_timestamp, "signedTimestamp")).collect()
    }
}

fn bounded(what: &'static str, found: usize, limit: usize) -> Result<(), BundleError> {
    if found > limit { Err(BundleError::TooMany { what, limit, found }) } else { Ok(()) }
}

impl Bundle {
    /// A v0.3 bundle of a managed key, without a log entry.
    #[must_use]
    pub fn of_key(key: &crate::key::PublicKey, content: Content) -> Self {
        Self::of_signer(SignerMaterial::PublicKey { hint: key_hint(key) }, content)
    }

    /// A v0.3 bundle without a log entry.
    #[must_use]
    pub fn of_signer(signer: SignerMaterial, content: Content) -> Self {
        Self {
            version: Version::V0_3,
            signer,
            tlog_entries: Vec::new(),
            timestamps: Vec::new(),
            content,
        }
    }

    /// Reads one bundle from JSON.
    ///
    /// # Errors
    /// [`BundleError`] naming the member that is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, BundleError> {
        Self::from_value(strict::parse(text, MAX_BUNDLE_BYTES).map_err(BundleError::Json)?)
    }

    /// Reads one bundle from strictly parsed JSON.
    ///
    /// # Errors
    /// As [`Bundle::parse`].
    pub fn from_value(value: Value) -> Result<Self, BundleError> {
        let wire: Wire = strict::from_value(value, "the bundle").map_err(BundleError::Json)?;
        let version = Version::from_media_type(&wire.media_type).ok_or_else(|| {
            BundleError::MediaType { found: wire.media_type.chars().take(200).collect() }
        })?;
        let content = match (&wire.message_signature, wire.dsse_envelope) {
            (Some(message), None) => Content::Message(message.read()?),
            (None, Some(envelope)) => {
                Content::Envelope(Envelope::from_value(envelope).map_err(BundleError::Envelope)?)
            }
            (message, _) => {
                return Err(BundleError::OneOf {
                    alternatives: "messageSignature and dsseEnvelope",
                    found: if message.is_some() { 2 } else { 0 },
                });
            }
        };
        let signer = wire.verification_material.signer(version)?;
        let timestamps = wire.verification_material.timestamps()?;
        let tlog_entries = wire.verification_material.tlog_entries.unwrap_or_default();
        bounded("log entries", tlog_entries.len(), MAX_TLOG_ENTRIES)?;
        if version >= Version::V0_2 && tlog_entries.iter().any(|e| e.inclusion_proof.is_none()) {
            return Err(BundleError::Version {
                version: version.name(),
                rule: "has an inclusionProof in every log entry",
            });
        }
        Ok(Self { version, signer, tlog_entries, timestamps, content })
    }

    /// The bundle as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut material = Map::new();
        let raw = |der: &Vec<u8>| json!({"rawBytes": base64::encode(der)});
        match &self.signer {
            SignerMaterial::PublicKey { hint } => {
                material.insert("publicKey".to_owned(), json!({"hint": hint}))
            }
            SignerMaterial::Certificate { der } => {
                material.insert("certificate".to_owned(), raw(der))
            }
            SignerMaterial::CertificateChain { ders } => {
                let certificates: Vec<Value> = ders.iter().map(raw).collect();
                material.insert(
                    "x509CertificateChain".to_owned(),
                    json!({"certificates": certificates}),
                )
            }
        };
        if !self.tlog_entries.is_empty() {
            material.insert("tlogEntries".to_owned(), json!(self.tlog_entries));
        }
        if !self.timestamps.is_empty() {
            let list: Vec<Value> = self
                .timestamps
                .iter()
                .map(|t| json!({"signedTimestamp": base64::encode(t)}))
                .collect();
            material
                .insert("timestampVerificationData".to_owned(), json!({"rfc3161Timestamps": list}));
        }
        let (name, content) = match &self.content {
            Content::Envelope(envelope) => ("dsseEnvelope", envelope.to_value()),
            Content::Message(message) => ("messageSignature", message_value(message)),
        };
        json!({
            "mediaType": self.version.media_type(),
            "verificationMaterial": material,
            name: content,
        })
    }

    /// The bundle as compact JSON, in canonical form (RFC 8785): members come in alphabetical order, and no number stands in it.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        self.to_value().to_string().into_bytes()
    }

    /// The same signature without log entries and timestamps.
    #[must_use]
    pub fn stripped(&self) -> Self {
        Self { tlog_entries: Vec::new(), timestamps: Vec::new(), ..self.clone() }
    }
}

fn message_value(message: &MessageSignature) -> Value {
    let name = message.digest.algorithm().name();
    let wire = DIGEST_NAMES.iter().find(|(_, ours)| *ours == name).map_or(name, |(wire, _)| wire);
    let value = hex::decode(message.digest.value()).unwrap_or_default();
    json!({
        "messageDigest": {"algorithm": wire, "digest": base64::encode(value)},
        "signature": base64::encode(&message.signature),
    })
}

/// The hint cosign writes for a managed key: padded base64 of SHA-256(SPKI DER).
#[must_use]
pub fn key_hint(key: &crate::key::PublicKey) -> String {
    base64::encode(Sha256::of(key.spki_der()).as_bytes())
}

#[cfg(test)]
mod tests;
