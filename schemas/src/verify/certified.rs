//! What the holder of a certificate signed: the bundles of GitHub artifact attestations, of keyless cosign, and of npm.
//!
//! [`certified`] is what a registry asks of what it is sent. The log's leaf names the whole certificate, so whoever has the leaf knows
//! whose signature it is without anybody's root. One thing is open there: of one certificate there may be two encodings, because its
//! authority's own signature has two forms, too; they are two leaves, by one signer.

use sigstore_types::{DerCertificate, SignatureBytes};
use sigstore_verify::crypto::{
    CertificateInfo, SigningScheme, parse_certificate_info, verify_signature,
    verify_signature_prehashed,
};
use spki::SubjectPublicKeyInfoRef;
use spki::der::asn1::UintRef;
use spki::der::{Decode as _, Reader as _, SliceReader};

use super::ingest::{self, SignedMessage, SignedStatement};
use super::{Author, CertificateRoots, Check, Identity, Refusal, Verified};
use crate::bundle::{Bundle, Content, MessageSignature};
use crate::digest::{Algorithm, Digest, Sha256};
use crate::key::{ED25519_DETAILS, P256_DETAILS};
use crate::problem::chain;
use crate::rekor::{Entry, MAX_BODY_BYTES};

/// What was signed with a certificate, verified.
#[derive(Debug, Clone, PartialEq)]
pub enum Certified {
    /// A statement in an envelope.
    Statement(Verified<SignedStatement>),
    /// An artifact, by its SHA-256.
    Message(Verified<SignedMessage>),
}

impl Certified {
    /// Who signed.
    #[must_use]
    pub fn author(&self) -> &Author {
        match self {
            Self::Statement(signed) => &signed.get().author,
            Self::Message(signed) => &signed.get().author,
        }
    }

    /// What the log records.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        match self {
            Self::Statement(signed) => &signed.get().entry,
            Self::Message(signed) => &signed.get().entry,
        }
    }
}

/// Verifies a bundle with a certificate of anyone: that one of the roots vouches for the certificate, that it was in use when it was
/// valid, and that its key signed this content. Whether whom it names may sign is the caller's to judge.
///
/// A statement is bound to its artifact by a SHA-256 or SHA-512 digest of one of its subjects, whichever; a signature of an artifact
/// is over a SHA-256. Entries of logs that a root does not know are passed over.
///
/// # Errors
/// [`Refusal`] of [`Check::Statement`], of [`Check::Subject`] for a statement whose subjects have other digests alone, of
/// [`Check::Signature`] for a signature over another digest than SHA-256, and of [`Check::Certificate`].
pub fn certified(bundle: &Bundle, roots: &CertificateRoots) -> Result<Certified, Refusal> {
    let certificate = Certificate::of(bundle)?;
    let artifact = artifact(bundle)?;
    roots.verify(bundle, &artifact, None)?;
    certificate.says(bundle)
}

/// A digest of what the bundle is about, by which it can be verified.
fn artifact(bundle: &Bundle) -> Result<Digest, Refusal> {
    let envelope = match &bundle.content {
        Content::Message(message) => return message_digest(message).map(Digest::from),
        Content::Envelope(envelope) => envelope,
    };
    let statement = ingest::statement(envelope)?;
    let fits =
        |digest: &Digest| matches!(digest.algorithm(), Algorithm::Sha256 | Algorithm::Sha512);
    statement.subject_digests().find(fits).ok_or_else(|| {
        let mut names: Vec<String> = statement
            .subject_digests()
            .take(8)
            .map(|digest| digest.algorithm().name().to_owned())
            .collect();
        names.sort();
        names.dedup();
        let names = if names.is_empty() { "no digest".to_owned() } else { names.join(", ") };
        Refusal::new(
            Check::Subject,
            "a subject with a sha256 or sha512 digest, without which no statement with a certificate is verified",
            format!("subjects with {names} alone; have it signed with a key that the roster names"),
        )
    })
}

/// The SHA-256 that the log records of a signed artifact.
fn message_digest(message: &MessageSignature) -> Result<Sha256, Refusal> {
    message.digest.as_sha256().ok_or_else(|| {
        let found = format!("one over {}", message.digest.algorithm().name());
        Refusal::new(Check::Signature, "a signature over a SHA-256 digest", found)
    })
}

/// The certificate of a bundle, read. Nothing of it is verified.
pub(super) struct Certificate {
    der: Vec<u8>,
    info: CertificateInfo,
}

impl Certificate {
    /// Reads the certificate whose key made the bundle's signature.
    pub(super) fn of(bundle: &Bundle) -> Result<Self, Refusal> {
        let refuse = |found| Refusal::new(Check::Certificate, "a certificate in the bundle", found);
        let der = bundle.signer.leaf();
        let der = der.ok_or_else(|| refuse("a signature of a managed key".to_owned()))?.to_vec();
        let info = parse_certificate_info(&DerCertificate::from_bytes(&der))
            .map_err(|error| refuse(format!("one that does not parse: {}", chain(&error))))?;
        Ok(Self { der, info })
    }

    /// What the bundle says by this certificate. The caller has verified that, or knows that it was.
    pub(super) fn says(self, bundle: &Bundle) -> Result<Certified, Refusal> {
        let author = Author::Certificate {
            key_details: self.key_details(&bundle.content)?.to_owned(),
            identity: self.identity()?,
            not_after: self.info.not_after.into(),
            der: self.der,
        };
        let entry = |digest: Sha256, signature: &[u8]| {
            let (signature, verifier) = (signature.to_vec(), author.verifier());
            bounded(Entry { digest, signature, verifier })
        };
        match &bundle.content {
            Content::Envelope(envelope) => {
                let statement = ingest::statement(envelope)?;
                let entry = entry(envelope.pae_digest(), &envelope.signature)?;
                let envelope = envelope.clone();
                let signed = SignedStatement { envelope, statement, author, entry };
                Ok(Certified::Statement(Verified::new(signed)))
            }
            Content::Message(message) => {
                let entry = entry(message_digest(message)?, &message.signature)?;
                let message = message.clone();
                let signed = SignedMessage { message, author, entry, image: None };
                Ok(Certified::Message(Verified::new(signed)))
            }
        }
    }

    fn identity(&self) -> Result<Identity, Refusal> {
        match (&self.info.identity, &self.info.issuer) {
            (Some(subject), Some(issuer)) => {
                Ok(Identity { subject: subject.as_str().to_owned(), issuer: issuer.clone() })
            }
            (subject, issuer) => {
                let found = match (subject, issuer) {
                    (None, None) => "one that names neither",
                    (None, _) => "one without an e-mail address and a URI",
                    _ => "one without an issuer",
                };
                let expected = "a certificate that names whose it is, by an e-mail address or a URI, and who says so";
                Err(Refusal::new(Check::Certificate, expected, found))
            }
        }
    }

    /// How the key signs content of this kind.
    fn scheme(&self, content: &Content) -> Result<SigningScheme, Refusal> {
        match content {
            Content::Envelope(_) => Ok(self.info.key_algorithm.default_signing_scheme()),
            Content::Message(_) => self
                .info
                .key_algorithm
                .resolve_signing_scheme(sigstore_types::HashAlgorithm::Sha2256)
                .map_err(|error| unsupported(chain(&error))),
        }
    }

    /// Sigstore's name for how the key signs content of this kind.
    fn key_details(&self, content: &Content) -> Result<&'static str, Refusal> {
        match self.scheme(content)? {
            SigningScheme::EcdsaP256Sha256 => Ok(P256_DETAILS),
            SigningScheme::EcdsaP384Sha256 => Ok("PKIX_ECDSA_P384_SHA_256"),
            SigningScheme::EcdsaP384Sha384 => Ok("PKIX_ECDSA_P384_SHA_384"),
            SigningScheme::Ed25519 => Ok(ED25519_DETAILS),
            SigningScheme::RsaPkcs1Sha256 => {
                match rsa_modulus_bytes(self.info.public_key.as_bytes()) {
                    Some(256) => Ok("PKIX_RSA_PKCS1V15_2048_SHA256"),
                    Some(384) => Ok("PKIX_RSA_PKCS1V15_3072_SHA256"),
                    Some(512) => Ok("PKIX_RSA_PKCS1V15_4096_SHA256"),
                    _ => Err(unsupported("an RSA key of another size".to_owned())),
                }
            }
            other => Err(unsupported(other.name().to_owned())),
        }
    }

    /// Verifies that the certificate's key signed the content.
    pub(super) fn verify_signature(&self, bundle: &Bundle) -> Result<(), Refusal> {
        let (key, scheme) = (&self.info.public_key, self.scheme(&bundle.content)?);
        let verified = match &bundle.content {
            Content::Envelope(envelope) => {
                let signature = SignatureBytes::from_bytes(&envelope.signature);
                verify_signature(key, &envelope.pae(), &signature, scheme)
            }
            Content::Message(message) => {
                let signature = SignatureBytes::from_bytes(&message.signature);
                let digest = message_digest(message)?;
                verify_signature_prehashed(key, digest.as_bytes(), &signature, scheme)
            }
        };
        verified.map_err(|error| {
            Refusal::new(Check::Signature, "a signature by the certificate's key", chain(&error))
        })
    }
}

fn unsupported(found: String) -> Refusal {
    let expected = "a certificate with a key of P-256, P-384, Ed25519, or RSA of 2048, 3072 or 4096 bits, used as Sigstore does";
    Refusal::new(Check::Certificate, expected, found)
}

/// The length of an RSA key's modulus (RFC 8017 §A.1.1), in bytes.
fn rsa_modulus_bytes(spki: &[u8]) -> Option<usize> {
    let spki = SubjectPublicKeyInfoRef::try_from(spki).ok()?;
    let mut reader = SliceReader::new(spki.subject_public_key.raw_bytes()).ok()?;
    let read = reader.sequence(|key| {
        let modulus = UintRef::decode(key)?.as_bytes().len();
        UintRef::decode(key).map(|_| modulus)
    });
    read.ok()
}

/// Demands that the entry fits into the log's tiles: a certificate may be of any length.
fn bounded(entry: Entry) -> Result<Entry, Refusal> {
    let found = entry.body().len();
    if found <= MAX_BODY_BYTES {
        return Ok(entry);
    }
    let expected =
        format!("a certificate and a signature whose log entry has at most {MAX_BODY_BYTES} bytes");
    Err(Refusal::new(Check::LogEntry, expected, format!("one of {found} bytes")))
}
