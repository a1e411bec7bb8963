//! Private keys. ECDSA nonces come from inside aws-lc, the only randomness this crate touches.

use std::fmt;

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::hkdf;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use ed25519_dalek::Signer as _;
use ed25519_dalek::pkcs8::spki::EncodePublicKey as _;
use ed25519_dalek::pkcs8::{self, BitStringRef, KeypairBytes, PrivateKeyInfoRef, SecretDocument};
use spki::ObjectIdentifier;
use zeroize::{Zeroize as _, Zeroizing};

use super::{
    ID_EC_PUBLIC_KEY, ID_ED25519, KeyError, KeyType, PublicKey, SignatureError, algorithm_name,
    demand_p256, one_pem_block,
};
use crate::digest::Sha256;

/// RFC 8410 §7: PKCS#8 version 1 up to the 32-byte seed. Version 2, which adds the public key, is
/// read but not written, because OpenSSL 3.0 does not read it.
const ED25519_PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

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
        let info = PrivateKeyInfoRef::try_from(der)
            .map_err(|e| KeyError::Der { detail: e.to_string() })?;
        let parameters = info.algorithm.parameters;
        match object_identifier(info.algorithm.oid)? {
            // RFC 8410 §3: the parameters must be absent, which the library demands.
            ID_ED25519 => Self::from_ed25519_pkcs8(info),
            ID_EC_PUBLIC_KEY => {
                let curve = parameters.and_then(|p| p.decode_as().ok());
                demand_p256(curve.map(object_identifier).transpose()?)?;
                Self::from_p256_pkcs8(info)
            }
            other => Err(KeyError::Algorithm { found: algorithm_name(other) }),
        }
    }

    fn from_ed25519_pkcs8(info: PrivateKeyInfoRef<'_>) -> Result<Self, KeyError> {
        let stated = info.public_key;
        let mut pair = KeypairBytes::try_from(info)
            .map_err(|_| KeyError::Private { key_type: KeyType::Ed25519 })?;
        let key = ed25519_dalek::SigningKey::from_bytes(&pair.secret_key);
        pair.secret_key.zeroize();
        demand_own_half(stated, key.verifying_key().as_bytes())?;
        Self::of_ed25519(key)
    }

    fn from_p256_pkcs8(info: PrivateKeyInfoRef<'_>) -> Result<Self, KeyError> {
        // aws-lc reads version 1 alone, so the public half beside the key is compared here.
        let v1 = PrivateKeyInfoRef::new(info.algorithm, info.private_key);
        let v1 =
            SecretDocument::encode_msg(&v1).map_err(|e| KeyError::Der { detail: e.to_string() })?;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, v1.as_bytes())
            .map_err(|_| KeyError::Private { key_type: KeyType::P256 })?;
        demand_own_half(info.public_key, key.public_key().as_ref())?;
        let underived =
            |_| KeyError::Der { detail: "the public half cannot be derived".to_owned() };
        let spki: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(underived)?;
        let public = PublicKey::from_spki_der(spki.as_ref())?;
        let document = key.to_pkcs8v1().map_err(underived)?;
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
        let seed = Zeroizing::new(seed);
        Self::of_ed25519(ed25519_dalek::SigningKey::from_bytes(&seed))
            .expect("every seed is a key with a valid public half")
    }

    fn of_ed25519(key: ed25519_dalek::SigningKey) -> Result<Self, KeyError> {
        let der = |e: &dyn fmt::Display| KeyError::Der { detail: e.to_string() };
        let spki = key.verifying_key().to_public_key_der().map_err(|e| der(&e))?;
        let public = PublicKey::from_spki_der(spki.as_bytes())?;
        let pkcs8 = Zeroizing::new([ED25519_PKCS8_PREFIX.as_slice(), key.as_bytes()].concat());
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

    /// A secret of 32 bytes for another use than signing, which follows from the key (HKDF-SHA-256, RFC 5869): those of two purposes
    /// tell nothing of one another, and nothing of the key.
    ///
    /// # Panics
    /// Never: the length is one that HKDF can give.
    #[must_use]
    pub fn derived(&self, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut secret = Zeroizing::new([0; 32]);
        let info = [purpose];
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&self.pkcs8);
        extracted
            .expand(&info, hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(secret.as_mut_slice()))
            .expect("HKDF gives 32 bytes");
        secret
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

/// RFC 5958 §2: a version 2 key states its public half, which must be the private key's own.
fn demand_own_half(stated: Option<BitStringRef<'_>>, own: &[u8]) -> Result<(), KeyError> {
    match stated {
        Some(stated) if stated.as_bytes() != Some(own) => Err(KeyError::Mismatch),
        _ => Ok(()),
    }
}

/// The same identifier in the version of the library that public keys are read with.
fn object_identifier(found: pkcs8::ObjectIdentifier) -> Result<ObjectIdentifier, KeyError> {
    ObjectIdentifier::from_bytes(found.as_bytes())
        .map_err(|e| KeyError::Der { detail: e.to_string() })
}

fn sign_p256(key: &EcdsaKeyPair, digest: &Digest) -> Vec<u8> {
    key.sign_digest(digest).expect("signing fails only without entropy or memory").as_ref().to_vec()
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.fingerprint())
    }
}

#[cfg(test)]
mod tests;
