//! Private keys. ECDSA nonces come from inside aws-lc, the only randomness this crate touches.

use std::fmt;

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use ed25519_dalek::Signer as _;
use ed25519_dalek::pkcs8::spki::EncodePublicKey as _;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use zeroize::Zeroizing;

use super::{KeyError, KeyType, PublicKey, SignatureError, one_pem_block};
use crate::digest::Sha256;

enum Secret {
    P256(EcdsaKeyPair),
    Ed25519(ed25519_dalek::SigningKey),
}

/// A private key with its public key. Its memory is wiped when it goes.
pub struct SigningKey {
    secret: Secret,
    pkcs8: Zeroizing<Vec<u8>>,
    public: PublicKey,
}

impl SigningKey {
    /// Reads a PKCS#8 key (RFC 5958, versions 1 and 2) of either type.
    ///
    /// # Errors
    /// [`KeyError`] for other algorithms, malformed DER, and a public half that does not match.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyError> {
        if let Ok(key) = ed25519_dalek::SigningKey::from_pkcs8_der(der) {
            return Self::of_ed25519(key);
        }
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der).map_err(|e| {
            KeyError::Algorithm { found: format!("a PKCS#8 key of another kind ({e})") }
        })?;
        let malformed =
            |_| KeyError::Der { detail: "the public half cannot be derived".to_owned() };
        let spki: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(malformed)?;
        let public = PublicKey::from_spki_der(spki.as_ref())?;
        let document = key.to_pkcs8v1().map_err(malformed)?;
        let pkcs8 = Zeroizing::new(document.as_ref().to_vec());
        Self { secret: Secret::P256(key), pkcs8, public }.checked()
    }

    /// Reads one PEM block `PRIVATE KEY` with PKCS#8 in it.
    ///
    /// # Errors
    /// As [`SigningKey::from_pkcs8_der`], and [`KeyError::PemLabel`] for other blocks.
    pub fn from_pkcs8_pem(text: &str) -> Result<Self, KeyError> {
        let block = one_pem_block(text)?;
        if block.tag() != "PRIVATE KEY" {
            return Err(KeyError::PemLabel {
                expected: "PRIVATE KEY (PKCS#8)",
                found: block.tag().chars().take(64).collect(),
            });
        }
        Self::from_pkcs8_der(&Zeroizing::new(block.into_contents()))
    }

    /// The Ed25519 key of a 32-byte seed (RFC 8032 §5.1.5).
    #[must_use]
    pub fn from_ed25519_seed(seed: [u8; 32]) -> Self {
        Self::of_ed25519(ed25519_dalek::SigningKey::from_bytes(&seed))
            .expect("every seed is a key with a valid public half")
    }

    fn of_ed25519(key: ed25519_dalek::SigningKey) -> Result<Self, KeyError> {
        let der = |e: &dyn fmt::Display| KeyError::Der { detail: e.to_string() };
        let spki = key.verifying_key().to_public_key_der().map_err(|e| der(&e))?;
        let public = PublicKey::from_spki_der(spki.as_bytes())?;
        let document = key.to_pkcs8_der().map_err(|e| der(&e))?;
        let pkcs8 = Zeroizing::new(document.as_bytes().to_vec());
        Self { secret: Secret::Ed25519(key), pkcs8, public }.checked()
    }

    /// Signs once and verifies, so that a key whose halves differ never signs anything.
    fn checked(self) -> Result<Self, KeyError> {
        const PROBE: &[u8] = b"attestry key check";
        match self.public.verify(PROBE, &self.sign(PROBE)) {
            Ok(()) => Ok(self),
            Err(_) => Err(KeyError::Mismatch),
        }
    }

    /// The key as PKCS#8 DER.
    #[must_use]
    pub fn to_pkcs8_der(&self) -> Zeroizing<Vec<u8>> {
        self.pkcs8.clone()
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Which algorithm it is for.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        self.public.key_type()
    }

    /// Signs a message: ASN.1 DER for P-256, 64 bytes for Ed25519.
    ///
    /// # Panics
    /// When aws-lc has no entropy or memory, which it does not recover from.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.secret {
            Secret::P256(key) => sign_p256(key, &digest::digest(&digest::SHA256, message)),
            Secret::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
        }
    }

    /// Signs a message by its SHA-256.
    ///
    /// # Errors
    /// [`SignatureError::NeedsMessage`] for Ed25519, which is never pre-hashed.
    pub fn sign_digest(&self, digest: &Sha256) -> Result<Vec<u8>, SignatureError> {
        match &self.secret {
            Secret::P256(key) => {
                let digest = Digest::import_less_safe(digest.as_bytes(), &digest::SHA256)
                    .expect("a SHA-256 has the length of a SHA-256");
                Ok(sign_p256(key, &digest))
            }
            Secret::Ed25519(_) => Err(SignatureError::NeedsMessage),
        }
    }
}

fn sign_p256(key: &EcdsaKeyPair, digest: &Digest) -> Vec<u8> {
    key.sign_digest(digest).expect("signing fails only without entropy or memory").as_ref().to_vec()
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.fingerprint())
    }
}
