//! Signatures of cosign 2: a document that names an image by its digest ("simple signing"), in a layer, and what
//! proves it in the layer's annotations.
//!
//! What is signed is the document. So a signature counts for an artifact only where it verifies over the document's bytes
//! and the document names the artifact: [`crate::verify::Verifier::simple_signing`] demands both. Here it is
//! only read: [`bundle_of`] puts the annotations into the form of a Sigstore bundle, as far as they have one.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::carried::COSIGN_SIGNATURE;
use super::name::BlobDigest;
use crate::base64::{self, Base64Error};
use crate::bundle::{Bundle, Content, MAX_TIMESTAMPS, MessageSignature, SignerMaterial, Version};
use crate::digest::Sha256;
use crate::json::{self, JsonError};
use crate::rekor::{InclusionPromise, KeyId, KindVersion, TlogEntry};

/// The most bytes of a document.
pub const MAX_PAYLOAD_BYTES: usize = 64 << 10;
/// The most bytes of one annotation that is read.
const MAX_ANNOTATION_BYTES: usize = 1 << 20;
/// The most certificates of a chain.
const MAX_CERTIFICATES: usize = 16;

/// Where cosign 2 keeps a certificate, its chain, the log's promise, and a timestamp.
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const CHAIN: &str = "dev.sigstore.cosign/chain";
const REKOR: &str = "dev.sigstore.cosign/bundle";
const TIMESTAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";

/// Why a signature cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SimpleSigningError {
    /// JSON is not what it should be.
    #[error("{what} is not the JSON that was expected")]
    Json {
        /// Which.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        source: JsonError,
    },
    /// Base64 is none.
    #[error(transparent)]
    Base64(Base64Error),
    /// A member has not the form that it should have.
    #[error("expected {expected} in {what}, found {found:?}")]
    Member {
        /// Which.
        what: &'static str,
        /// What may stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// The layer has no signature.
    #[error("expected a signature in the annotation {COSIGN_SIGNATURE}, found none")]
    NoSignature,
}

/// What a document says of the image that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimpleSigning {
    /// The digest of the image's manifest.
    pub manifest: BlobDigest,
    /// The name under which it was signed, which nobody checks: a copy elsewhere has the same signature.
    pub reference: String,
}

#[derive(Deserialize)]
struct Wire {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    identity: Identity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Identity {
    #[serde(default, rename = "docker-reference")]
    reference: String,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// What a document says that it is.
const KINDS: &[&str] = &["cosign container image signature", "atomic container signature"];

impl SimpleSigning {
    /// Reads a document, strictly.
    ///
    /// # Errors
    /// [`SimpleSigningError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, SimpleSigningError> {
        let what = "what was signed";
        let wire: Wire = json::read(bytes, MAX_PAYLOAD_BYTES, what)
            .map_err(|source| SimpleSigningError::Json { what, source })?;
        let Critical { identity, image, kind } = wire.critical;
        if !KINDS.contains(&kind.as_str()) {
            return Err(member("critical.type", "a container signature", &kind));
        }
        let manifest = image.digest.parse().map_err(|_| {
            member("critical.image.docker-manifest-digest", "a digest", &image.digest)
        })?;
        Ok(Self { manifest, reference: identity.reference })
    }
}

fn member(what: &'static str, expected: &'static str, found: &str) -> SimpleSigningError {
    SimpleSigningError::Member { what, expected, found: found.chars().take(100).collect() }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RekorBundle {
    signed_entry_timestamp: String,
    payload: RekorPayload,
}

#[derive(Deserialize)]
struct RekorPayload {
    body: String,
    #[serde(rename = "integratedTime")]
    integrated_time: u64,
    #[serde(rename = "logIndex")]
    log_index: u64,
    #[serde(rename = "logID")]
    log_id: String,
}

#[derive(Deserialize)]
struct Kind {
    kind: String,
    #[serde(rename = "apiVersion")]
    version: String,
}

#[derive(Deserialize)]
struct Timestamp {
    #[serde(rename = "SignedRFC3161Timestamp")]
    timestamp: String,
}

/// The bundle of a layer with a document and its signature.
///
/// # Errors
/// [`SimpleSigningError`].
pub fn bundle_of(
    payload: &[u8],
    annotations: &BTreeMap<String, String>,
) -> Result<Bundle, SimpleSigningError> {
    let signature = annotations.get(COSIGN_SIGNATURE).ok_or(SimpleSigningError::NoSignature)?;
    let signature = decoded(signature, "the signature")?;
    let digest = Sha256::of(payload).into();
    with_annotations(Content::Message(MessageSignature { digest, signature }), annotations)
}

/// The bundle of a layer whose content has its own signature, an envelope, with what its annotations add.
///
/// # Errors
/// [`SimpleSigningError`].
pub fn with_annotations(
    content: Content,
    annotations: &BTreeMap<String, String>,
) -> Result<Bundle, SimpleSigningError> {
    let of = |name: &str| annotations.get(name).filter(|text| !text.is_empty());
    let signer = match of(CERTIFICATE) {
        None => SignerMaterial::PublicKey { hint: String::new() },
        Some(leaf) => {
            let mut ders = certificates(leaf)?;
            // One certificate signed it; what follows is its chain.
            ders.truncate(1);
            ders.extend(
                of(CHAIN).map(|chain| certificates(chain)).transpose()?.unwrap_or_default(),
            );
            match (1..=MAX_CERTIFICATES).contains(&ders.len()) {
                true => SignerMaterial::CertificateChain { ders },
                false => return Err(member(CERTIFICATE, "1 to 16 certificates in PEM", leaf)),
            }
        }
    };
    let tlog_entries = of(REKOR).map(|text| entry(text)).transpose()?.into_iter().collect();
    let timestamps: Vec<Vec<u8>> =
        of(TIMESTAMP).map(|text| timestamp(text)).transpose()?.into_iter().collect();
    debug_assert!(timestamps.len() <= MAX_TIMESTAMPS);
    Ok(Bundle { version: Version::V0_1, signer, tlog_entries, timestamps, content })
}

fn certificates(text: &str) -> Result<Vec<Vec<u8>>, SimpleSigningError> {
    if text.len() > MAX_ANNOTATION_BYTES {
        return Err(member(CERTIFICATE, "certificates in PEM", text));
    }
    let blocks =
        pem::parse_many(text).map_err(|_| member(CERTIFICATE, "certificates in PEM", text))?;
    Ok(blocks.into_iter().map(pem::Pem::into_contents).collect())
}

/// The log's promise, in the form that bundles of version 0.1 have it.
fn entry(text: &str) -> Result<TlogEntry, SimpleSigningError> {
    let what = REKOR;
    let json_error = |source| SimpleSigningError::Json { what, source };
    let RekorBundle { signed_entry_timestamp, payload } =
        json::read(text.as_bytes(), MAX_ANNOTATION_BYTES, what).map_err(json_error)?;
    let body = decoded(&payload.body, "the body of the log entry")?;
    let Kind { kind, version } =
        json::read(&body, MAX_ANNOTATION_BYTES, "the body of the log entry").map_err(json_error)?;
    let key_id = hex::decode(&payload.log_id)
        .map_err(|_| member(REKOR, "the log's id in hex", &payload.log_id))?;
    Ok(TlogEntry {
        log_index: payload.log_index,
        log_id: KeyId { key_id },
        kind_version: KindVersion { kind, version },
        integrated_time: payload.integrated_time,
        inclusion_promise: Some(InclusionPromise {
            signed_entry_timestamp: decoded(&signed_entry_timestamp, "SignedEntryTimestamp")?,
        }),
        inclusion_proof: None,
        canonicalized_body: body,
    })
}

fn timestamp(text: &str) -> Result<Vec<u8>, SimpleSigningError> {
    let what = TIMESTAMP;
    let Timestamp { timestamp } = json::read(text.as_bytes(), MAX_ANNOTATION_BYTES, what)
        .map_err(|source| SimpleSigningError::Json { what, source })?;
    decoded(&timestamp, "SignedRFC3161Timestamp")
}

fn decoded(text: &str, what: &'static str) -> Result<Vec<u8>, SimpleSigningError> {
    base64::decode(text, what).map_err(SimpleSigningError::Base64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(digest: &str) -> String {
        format!(
            r#"{{"critical":{{"identity":{{"docker-reference":"h/a"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"cosign container image signature"}},"optional":null}}"#
        )
    }

    #[test]
    fn reads_which_manifest_a_document_is_about() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let found = SimpleSigning::parse(document(&digest).as_bytes()).unwrap();
        assert_eq!(found.manifest.to_string(), digest);
        assert_eq!(found.reference, "h/a");
    }

    #[test]
    fn refuses_what_could_be_read_in_two_ways() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let good = document(&digest);
        for text in [
            good.replace("cosign container image signature", "something"),
            good.replace(&digest, "sha256:abc"),
            good.replace("\"optional\":null", "\"critical\":{}"),
            good.replace("docker-manifest-digest", "digest"),
            good.replace('}', ""),
        ] {
            assert!(SimpleSigning::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn what_proves_the_time_comes_from_the_annotations() {
        let body = br#"{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{}}"#;
        let rekor = serde_json::json!({
            "SignedEntryTimestamp": base64::encode(b"set"),
            "Payload": { "body": base64::encode(body), "integratedTime": 7, "logIndex": 3, "logID": "00ff" },
        });
        let mut annotations = BTreeMap::from([
            (COSIGN_SIGNATURE.to_owned(), base64::encode(b"sig")),
            (REKOR.to_owned(), rekor.to_string()),
        ]);
        let bundle = bundle_of(b"payload", &annotations).unwrap();
        let entry = &bundle.tlog_entries[0];
        assert_eq!((entry.log_index, entry.integrated_time), (3, 7));
        assert_eq!(entry.kind_version.kind, "hashedrekord");
        assert_eq!(entry.log_id.key_id, [0, 255]);
        assert!(Bundle::from_value(bundle.to_value()).is_ok());
        for (name, text) in [
            (REKOR, "{}"),
            (CERTIFICATE, "-----BEGIN CERTIFICATE-----\nx"),
            (TIMESTAMP, "x"),
            (COSIGN_SIGNATURE, "%"),
        ] {
            let mut wrong = annotations.clone();
            wrong.insert(name.to_owned(), text.to_owned());
            assert!(bundle_of(b"payload", &wrong).is_err(), "{name}");
        }
        annotations.remove(COSIGN_SIGNATURE);
        assert_eq!(bundle_of(b"payload", &annotations), Err(SimpleSigningError::NoSignature));
    }
}
