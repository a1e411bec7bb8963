//! JSON Web Key Sets (RFC 7517): the public keys of an issuer.
//!
//! Keys of kinds that no configured algorithm uses are passed over, symmetric ones among them. A set comes
//! from the operator's file or from the issuer itself, never from a token.

use attestry_schemas::json;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::algorithm::Algorithm;

/// The most bytes of a set.
pub const MAX_SET_BYTES: usize = 256 << 10;
/// The most keys of a set.
const MAX_KEYS: usize = 100;

/// A text that is no key set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a JSON Web Key Set with a public key for RS256, PS256, ES256, ES384 or EdDSA, found {found}"
)]
pub struct JwksError {
    found: String,
}

/// The keys of an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet {
    keys: Vec<Key>,
}

/// A public key, and what it may be used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    id: Option<String>,
    algorithm: Option<String>,
    material: Material,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl KeySet {
    /// Reads a set.
    ///
    /// # Errors
    /// [`JwksError`].
    pub fn parse(text: &[u8]) -> Result<Self, JwksError> {
        let error = |found: &str| JwksError { found: found.to_owned() };
        let value = json::parse(text, MAX_SET_BYTES).map_err(|e| error(&e.to_string()))?;
        let keys =
            value.get("keys").and_then(Value::as_array).ok_or_else(|| error("no list keys"))?;
        if keys.len() > MAX_KEYS {
            return Err(error(&format!("{} keys, of at most {MAX_KEYS}", keys.len())));
        }
        let keys: Vec<Key> = keys.iter().filter_map(Key::read).collect();
        if keys.is_empty() { Err(error("none")) } else { Ok(Self { keys }) }
    }

    /// The one key for an algorithm: that of the id, or, where the token names none, the only one that fits.
    #[must_use]
    pub fn select(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let fits = |key: &&Key| key.is_for(algorithm) && (id.is_none() || id == key.id.as_deref());
        let mut fitting = self.keys.iter().filter(fits);
        // Two that fit would let the order of the set decide.
        fitting.next().filter(|_| fitting.next().is_none())
    }
}

impl Key {
    fn read(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        // RFC 7517 §4.2 and §4.3: a key for encryption signs nothing.
        if text("use").is_some_and(|usage| usage != "sig") {
            return None;
        }
        let operations = value.get("key_ops").and_then(Value::as_array);
        if operations.is_some_and(|all| !all.iter().any(|one| one == "verify")) {
            return None;
        }
        let point = |bytes_each: usize| {
            let (x, y) = (bytes("x")?, bytes("y")?);
            let is_whole = x.len() == bytes_each && y.len() == bytes_each;
            // SEC 1 §2.3.3: an uncompressed point.
            is_whole.then(|| [&[4], x.as_slice(), y.as_slice()].concat())
        };
        let material = match (text("kty")?, text("crv")) {
            ("RSA", None) => Material::Rsa { n: bytes("n")?, e: bytes("e")? },
            ("EC", Some("P-256")) => Material::P256(point(32)?),
            ("EC", Some("P-384")) => Material::P384(point(48)?),
            ("OKP", Some("Ed25519")) => {
                Material::Ed25519(bytes("x").filter(|key| key.len() == 32)?)
            }
            _ => return None,
        };
        let owned = |name: &str| text(name).map(str::to_owned);
        Some(Self { id: owned("kid"), algorithm: owned("alg"), material })
    }

    fn is_for(&self, algorithm: Algorithm) -> bool {
        let is_kind = matches!(
            (&self.material, algorithm),
            (Material::Rsa { .. }, Algorithm::Rs256 | Algorithm::Ps256)
                | (Material::P256(_), Algorithm::Es256)
                | (Material::P384(_), Algorithm::Es384)
                | (Material::Ed25519(_), Algorithm::EdDsa)
        );
        is_kind && self.algorithm.as_deref().is_none_or(|named| named == algorithm.name())
    }

    /// Whether the signature is this key's over the message, by the algorithm.
    #[must_use]
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let plain = |kind: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(kind, key).verify(message, signature).is_ok()
        };
        match (&self.material, algorithm) {
            (Material::Rsa { n, e }, Algorithm::Rs256) => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            (Material::Rsa { n, e }, Algorithm::Ps256) => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PSS_2048_8192_SHA256, message, signature)
                .is_ok(),
            (Material::P256(key), Algorithm::Es256) => plain(&ECDSA_P256_SHA256_FIXED, key),
            (Material::P384(key), Algorithm::Es384) => plain(&ECDSA_P384_SHA384_FIXED, key),
            (Material::Ed25519(key), Algorithm::EdDsa) => plain(&ED25519, key),
            _ => false,
        }
    }
}
