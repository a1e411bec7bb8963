//! Keys and signatures: ECDSA P-256 with SHA-256 (FIPS 186-5) and pure Ed25519 (RFC 8032).
//!
//! A public key is an RFC 5280 `SubjectPublicKeyInfo` in its one canonical encoding, so that equal
//! keys have equal bytes and one fingerprint. ECDSA signatures are ASN.1 DER; Ed25519 is verified
//! strictly and never pre-hashed. Private keys and their files are in [`SigningKey`] and
//! [`encrypted`].

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey};
use ed25519_dalek::VerifyingKey;
use spki::der::{Decode, Encode};
use spki::{ObjectIdentifier, SubjectPublicKeyInfoOwned};

use crate::digest::Sha256;

pub(crate) mod ecdsa;
pub mod encrypted;
mod fingerprint;
mod signing;

pub use fingerprint::{Fingerprint, FingerprintError};
pub use signing::SigningKey;

const ID_EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const ID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Sigstore's name for ECDSA on P-256 with SHA-256 (`PublicKeyDetails`).
pub(crate) const P256_DETAILS: &str = "PKIX_ECDSA_P256_SHA_256";
/// Sigstore's name for pure Ed25519.
pub(crate) const ED25519_DETAILS: &str = "PKIX_ED25519";

/// The most bytes a public key may have in DER.
pub const MAX_SPKI_BYTES: usize = 1024;
/// The most bytes a key file may have.
pub const MAX_PEM_BYTES: usize = 64 << 10;

/// Why a key was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not one PEM block.
    #[error("expected one PEM block (-----BEGIN …), found {detail}")]
    Pem {
        /// What the parser met.
        detail: String,
    },
    /// A PEM block of another kind.
    #[error("expected a PEM block {expected}, found {found}{}", remedy(expected, found))]
    PemLabel {
        /// The label that is read here.
        expected: &'static str,
        /// The label that was there.
        found: String,
    },
    /// Not the DER of a key.
    #[error("the key's DER does not parse: {detail}")]
    Der {
        /// What the parser met.
        detail: String,
    },
    /// A key of an algorithm that is not used here.
    #[error("expected a P-256 or Ed25519 key, found {found}")]
    Algorithm {
        /// The algorithm by name or object identifier.
        found: String,
    },
    /// The point is not on the curve, or of small order.
    #[error("the public key is not a valid uncompressed {key_type} point")]
    Point {
        /// The algorithm.
        key_type: KeyType,
    },
    /// The point is in SEC 1's compressed form.
    #[error(
        "expected an uncompressed P-256 point, found a compressed one; \
         `openssl ec -pubin -pubout -conv_form uncompressed` rewrites it"
    )]
    Compressed,
    /// The key parses but is not in its one canonical encoding.
    #[error("the public key is not in canonical DER")]
    NotCanonical,
    /// The private key does not belong to the public key beside it.
    #[error("the private key does not match the public key in the same file")]
    Mismatch,
    /// PKCS#8 of the right algorithm around what is not a private key of it.
    #[error(
        "expected a {key_type} private key, found one that is malformed, out of range, or beside \
         a public key that is not its own"
    )]
    Private {
        /// The algorithm.
        key_type: KeyType,
    },
}

/// Why a signature was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// It is well formed and does not verify.
    #[error("the signature does not verify with this key over these bytes")]
    Invalid,
    /// It is not in the encoding of the key's algorithm.
    #[error("expected {expected}, found {found_bytes} bytes of another form")]
    Encoding {
        /// The encoding that the algorithm has here.
        expected: &'static str,
        /// The length, in bytes.
        found_bytes: usize,
    },
    /// Pure Ed25519 covers the whole message.
    #[error("an Ed25519 signature covers the whole message and cannot be checked by digest alone")]
    NeedsMessage,
}

impl SignatureError {
    /// What was found in the place of a good signature, as the end of a sentence that has said what
    /// was expected.
    #[must_use]
    pub fn found(&self) -> String {
        match self {
            Self::Invalid => "one that does not verify with this key over these bytes".to_owned(),
            Self::Encoding { expected, found_bytes } => {
                format!("{found_bytes} bytes in the place of {expected}")
            }
            Self::NeedsMessage => "one of Ed25519, which covers the whole message and cannot be \
                checked by digest alone"
                .to_owned(),
        }
    }
}

/// The two kinds of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyType {
    /// ECDSA on NIST P-256 with SHA-256.
    P256,
    /// Pure Ed25519.
    Ed25519,
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::P256 => "p256",
            Self::Ed25519 => "ed25519",
        })
    }
}

impl FromStr for KeyType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "p256" => Ok(Self::P256),
            "ed25519" => Ok(Self::Ed25519),
            _ => Err(format!("expected p256 or ed25519, found {text:?}")),
        }
    }
}

#[derive(Clone)]
enum Point {
    P256(Arc<ParsedPublicKey>),
    Ed25519(Arc<VerifyingKey>),
}

/// A public key that parsed and whose point is valid.
#[derive(Clone)]
pub struct PublicKey {
    spki: Arc<[u8]>,
    fingerprint: Fingerprint,
    point: Point,
}

impl PublicKey {
    /// Reads an RFC 5280 `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// [`KeyError`] for other algorithms, other encodings and invalid points.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        if der.len() > MAX_SPKI_BYTES {
            let detail = format!("{} bytes; at most {MAX_SPKI_BYTES} are read", der.len());
            return Err(KeyError::Der { detail });
        }
        let malformed = |e: spki::der::Error| KeyError::Der { detail: e.to_string() };
        let spki = SubjectPublicKeyInfoOwned::from_der(der).map_err(malformed)?;
        if spki.to_der().map_err(malformed)? != der {
            return Err(KeyError::NotCanonical);
        }
        let raw = spki.subject_public_key.as_bytes().ok_or(KeyError::NotCanonical)?;
        let parameters = spki.algorithm.parameters.as_ref();
        let point = match spki.algorithm.oid {
            ID_EC_PUBLIC_KEY => {
                demand_p256(parameters.and_then(|p| p.decode_as().ok()))?;
                p256_point(raw, der)?
            }
            // RFC 8410 §3: the parameters must be absent.
            ID_ED25519 if parameters.is_none() => ed25519_point(raw)?,
            ID_ED25519 => return Err(KeyError::NotCanonical),
            other => return Err(KeyError::Algorithm { found: algorithm_name(other) }),
        };
        Ok(Self { spki: der.into(), fingerprint: Fingerprint::of_spki(der), point })
    }

    /// Reads one PEM block `PUBLIC KEY`.
    ///
    /// # Errors
    /// [`KeyError`], naming the label that was found when it is another.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let block = one_pem_block(text)?;
        if block.tag() != "PUBLIC KEY" {
            return Err(KeyError::PemLabel {
                expected: "PUBLIC KEY",
                found: block.tag().chars().take(64).collect(),
            });
        }
        Self::from_spki_der(block.contents())
    }

    /// The `SubjectPublicKeyInfo` in DER.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// The key as a PEM block `PUBLIC KEY`, with a final newline.
    #[must_use]
    pub fn to_pem(&self) -> String {
        encode_pem("PUBLIC KEY", &self.spki)
    }

    /// The key's name everywhere.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Which algorithm it is for.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        match self.point {
            Point::P256(_) => KeyType::P256,
            Point::Ed25519(_) => KeyType::Ed25519,
        }
    }

    /// Sigstore's name for the algorithm (`PublicKeyDetails`).
    #[must_use]
    pub fn key_details(&self) -> &'static str {
        match self.key_type() {
            KeyType::P256 => P256_DETAILS,
            KeyType::Ed25519 => ED25519_DETAILS,
        }
    }

    /// The 32 bytes of an Ed25519 key.
    #[must_use]
    pub fn ed25519_raw(&self) -> Option<[u8; 32]> {
        match &self.point {
            Point::Ed25519(key) => Some(key.to_bytes()),
            Point::P256(_) => None,
        }
    }

    /// The 65 bytes of a P-256 key's point, uncompressed (SEC 1 §2.3.3).
    #[must_use]
    pub fn p256_raw(&self) -> Option<[u8; 65]> {
        match &self.point {
            Point::P256(_) => self.spki.last_chunk().copied(),
            Point::Ed25519(_) => None,
        }
    }

    /// Verifies a signature over a message.
    ///
    /// # Errors
    /// [`SignatureError::Encoding`] or [`SignatureError::Invalid`].
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        match &self.point {
            Point::P256(_) => self.verify_digest(&Sha256::of(message), signature),
            Point::Ed25519(key) => {
                let bytes: [u8; 64] =
                    signature.try_into().map_err(|_| SignatureError::Encoding {
                        expected: "64 bytes of an Ed25519 signature",
                        found_bytes: signature.len(),
                    })?;
                key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(&bytes))
                    .map_err(|_| SignatureError::Invalid)
            }
        }
    }

    /// The other signature over the same message that anyone can make of one: an ECDSA signature
    /// (r, s) is as good as (r, n − s). Ed25519, verified strictly, has none.
    #[must_use]
    pub fn other_form(&self, signature: &[u8]) -> Option<Vec<u8>> {
        match self.point {
            Point::P256(_) => ecdsa::other_form(signature),
            Point::Ed25519(_) => None,
        }
    }

    /// Verifies a P-256 signature over a message with this SHA-256.
    ///
    /// # Errors
    /// As [`PublicKey::verify`]; [`SignatureError::NeedsMessage`] for Ed25519.
    pub fn verify_digest(&self, digest: &Sha256, signature: &[u8]) -> Result<(), SignatureError> {
        let Point::P256(key) = &self.point else { return Err(SignatureError::NeedsMessage) };
        if !is_der_sequence(signature) {
            return Err(SignatureError::Encoding {
                expected: "an ECDSA signature in ASN.1 DER",
                found_bytes: signature.len(),
            });
        }
        let digest = aws_lc_rs::digest::Digest::import_less_safe(
            digest.as_bytes(),
            &aws_lc_rs::digest::SHA256,
        )
        .expect("a SHA-256 has the length of a SHA-256");
        key.verify_digest_sig(&digest, signature).map_err(|_| SignatureError::Invalid)
    }
}

/// Whether the bytes are one definite-length DER SEQUENCE and nothing after it. A P1363 signature
/// (64 raw bytes) is not; the integers inside are the verifier's business.
fn is_der_sequence(bytes: &[u8]) -> bool {
    matches!(bytes, [0x30, length, rest @ ..] if *length < 0x80 && usize::from(*length) == rest.len())
}

fn p256_point(raw: &[u8], der: &[u8]) -> Result<Point, KeyError> {
    // SEC 1 §2.3.3: 0x04 marks the uncompressed form, 0x02 and 0x03 the compressed ones.
    let invalid = KeyError::Point { key_type: KeyType::P256 };
    match (raw.first(), raw.len()) {
        (Some(4), 65) => {}
        (Some(2 | 3), 33) => return Err(KeyError::Compressed),
        _ => return Err(invalid),
    }
    ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, der)
        .map(|key| Point::P256(Arc::new(key)))
        .map_err(|_| invalid)
}

fn ed25519_point(raw: &[u8]) -> Result<Point, KeyError> {
    let invalid = KeyError::Point { key_type: KeyType::Ed25519 };
    let bytes: &[u8; 32] = raw.try_into().map_err(|_| invalid.clone())?;
    let key = VerifyingKey::from_bytes(bytes).map_err(|_| invalid.clone())?;
    if key.is_weak() {
        return Err(invalid);
    }
    // RFC 8032 §5.1.3 (1): y is below p. The library reads it modulo p, which would give one key
    // two encodings and so two fingerprints.
    if key.to_edwards().compress().as_bytes() != bytes {
        return Err(KeyError::NotCanonical);
    }
    Ok(Point::Ed25519(Arc::new(key)))
}

/// Refuses every named curve but P-256, and parameters that name none (RFC 5480 §2.1.1).
fn demand_p256(curve: Option<ObjectIdentifier>) -> Result<(), KeyError> {
    match curve {
        Some(SECP256R1) => Ok(()),
        other => Err(KeyError::Algorithm { found: curve_name(other) }),
    }
}

fn curve_name(curve: Option<ObjectIdentifier>) -> String {
    match curve.map(|oid| oid.to_string()).as_deref() {
        Some("1.3.132.0.34") => "a P-384 key".to_owned(),
        Some("1.3.132.0.35") => "a P-521 key".to_owned(),
        Some("1.3.132.0.10") => "a secp256k1 key".to_owned(),
        Some(oid) => format!("a key on curve {oid}"),
        None => "a key without a named curve".to_owned(),
    }
}

fn algorithm_name(oid: ObjectIdentifier) -> String {
    match oid.to_string().as_str() {
        "1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.10" => "an RSA key".to_owned(),
        "1.3.101.113" => "an Ed448 key".to_owned(),
        "1.3.101.110" => "an X25519 key".to_owned(),
        other => format!("algorithm {other}"),
    }
}

/// What to do about a block that was not expected, as the end of the sentence that names it.
fn remedy(expected: &str, found: &str) -> &'static str {
    let wants_public = expected == "PUBLIC KEY";
    match found {
        "CERTIFICATE" if wants_public => {
            "; `openssl x509 -noout -pubkey` writes a certificate's public key"
        }
        "PUBLIC KEY" => "; signing needs the private key",
        _ if wants_public && found.ends_with("PRIVATE KEY") => {
            "; give the public key, which belongs in a file of its own"
        }
        "RSA PRIVATE KEY" | "RSA PUBLIC KEY" => "; only P-256 and Ed25519 keys are used",
        "EC PRIVATE KEY" => "; `openssl pkcs8 -topk8 -nocrypt` writes it as PKCS#8",
        "ENCRYPTED PRIVATE KEY" => "; `openssl pkcs8` decrypts it to PKCS#8",
        _ => "",
    }
}

pub(crate) fn one_pem_block(text: &str) -> Result<pem::Pem, KeyError> {
    if text.len() > MAX_PEM_BYTES {
        let detail = format!("{} bytes; at most {MAX_PEM_BYTES} are read", text.len());
        return Err(KeyError::Pem { detail });
    }
    // The parser stops without a word at a block that does not end, so the beginnings are counted.
    let found = text.matches("-----BEGIN ").count();
    if found != 1 {
        let detail = if found == 0 { "none".to_owned() } else { format!("{found}") };
        return Err(KeyError::Pem { detail });
    }
    let block = pem::parse(text).map_err(|e| KeyError::Pem { detail: pem_fault(&e).to_owned() })?;
    // RFC 7468 §2 has no headers; RFC 1421's announce OpenSSL's old encryption.
    if block.headers().iter().next().is_some() {
        let detail = "one with headers; `openssl pkcs8 -topk8 -nocrypt` writes a key without them";
        return Err(KeyError::Pem { detail: detail.to_owned() });
    }
    Ok(block)
}

/// What is wrong with a PEM block, in words: those of the parser are names of its own.
fn pem_fault(error: &pem::PemError) -> &'static str {
    match error {
        pem::PemError::MismatchedTags(..) => "one whose end names another kind than its beginning",
        pem::PemError::InvalidData(_) => "one whose body is not base64",
        pem::PemError::InvalidHeader(_) => "one with a header that is malformed",
        _ => "one that is cut off, or whose first or last line is malformed",
    }
}

pub(crate) fn encode_pem(label: &str, der: &[u8]) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new(label, der), config)
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.key_type(), self.fingerprint)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki == other.spki
    }
}

impl Eq for PublicKey {}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.spki.cmp(&other.spki)
    }
}

impl std::hash::Hash for PublicKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.spki.hash(state);
    }
}

#[cfg(test)]
pub(crate) mod tests;
