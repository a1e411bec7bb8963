//! Private key files as cosign writes them.
//!
//! ```text
//! PEM label   ENCRYPTED SIGSTORE PRIVATE KEY     (read also: ENCRYPTED COSIGN PRIVATE KEY)
//! body        {"kdf":{"name":"scrypt","params":{"N":65536,"r":8,"p":1},"salt":b64},
//!              "cipher":{"name":"nacl/secretbox","nonce":b64},"ciphertext":b64}
//! key         scrypt(password, salt, N, r, p), 32 bytes                         RFC 7914
//! plaintext   PKCS#8 DER, sealed with XSalsa20-Poly1305                         NaCl secretbox
//! ```
//!
//! The cost parameters come from the file, so they are held to the few values in use: a file that
//! asks for gigabytes is refused before anything is allocated.

use crypto_secretbox::aead::{Aead, KeyInit};
use crypto_secretbox::{Key, Nonce, XSalsa20Poly1305};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{KeyError, SigningKey, encode_pem, one_pem_block, remedy};
use crate::base64;
use crate::json::{self, JsonError};

/// The label that is written.
pub const LABEL: &str = "ENCRYPTED SIGSTORE PRIVATE KEY";
/// The older label, which is read too.
pub const OLD_LABEL: &str = "ENCRYPTED COSIGN PRIVATE KEY";

const WRITTEN_LOG2_N: u8 = 16;
const READ_LOG2_N: [u8; 3] = [15, 16, 17];
const R: u32 = 8;
const P: u32 = 1;

/// Why a private key file was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// Not a PEM block, or the key inside is not one that is used.
    #[error("the private key file is refused")]
    Key(#[source] KeyError),
    /// Not a private key file.
    #[error("expected a PEM block {LABEL} or PRIVATE KEY, found {found}{}", remedy(LABEL, found))]
    Label {
        /// The label that was there.
        found: String,
    },
    /// The body is not the JSON of an encrypted key.
    #[error("the encrypted key's body does not parse")]
    Body(#[source] JsonError),
    /// A derivation or cipher that is not read, or costs too much.
    #[error("expected {expected} in the encrypted key, found {found}")]
    Parameter {
        /// What is read.
        expected: &'static str,
        /// What the file asks for.
        found: String,
    },
    /// The password is wrong, or the file was altered.
    #[error("the password is wrong, or the key file was altered")]
    WrongPassword,
    /// The key is encrypted and no password was given.
    #[error("the key file is encrypted and needs a password")]
    PasswordNeeded,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    kdf: Kdf,
    cipher: Cipher,
    #[serde(with = "base64::bytes")]
    ciphertext: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kdf {
    name: String,
    params: Params,
    #[serde(with = "base64::bytes")]
    salt: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cipher {
    name: String,
    #[serde(with = "base64::bytes")]
    nonce: Vec<u8>,
}

/// What a private key file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// It is encrypted and needs a password.
    Encrypted,
    /// It is plain PKCS#8.
    Plain,
}

/// Tells what a private key file holds, without opening it.
///
/// # Errors
/// [`KeyFileError::Label`] for any other PEM block, [`KeyFileError::Key`] for none.
pub fn protection(text: &str) -> Result<Protection, KeyFileError> {
    match one_pem_block(text).map_err(KeyFileError::Key)?.tag() {
        LABEL | OLD_LABEL => Ok(Protection::Encrypted),
        "PRIVATE KEY" => Ok(Protection::Plain),
        other => Err(KeyFileError::Label { found: other.chars().take(64).collect() }),
    }
}

/// Opens a private key file, encrypted or plain.
///
/// # Errors
/// [`KeyFileError`]; [`KeyFileError::PasswordNeeded`] for an encrypted one without a password.
pub fn open(text: &str, password: Option<&[u8]>) -> Result<SigningKey, KeyFileError> {
    match (protection(text)?, password) {
        (Protection::Plain, _) => SigningKey::from_pkcs8_pem(text).map_err(KeyFileError::Key),
        (Protection::Encrypted, Some(password)) => decrypt(text, password),
        (Protection::Encrypted, None) => Err(KeyFileError::PasswordNeeded),
    }
}

/// Encrypts a key. The salt and the nonce must be fresh random bytes.
#[must_use]
pub fn encrypt(key: &SigningKey, password: &[u8], salt: [u8; 32], nonce: [u8; 24]) -> String {
    let ciphertext = secretbox(password, &salt, WRITTEN_LOG2_N)
        .encrypt(&Nonce::from(nonce), key.to_pkcs8_der().as_slice())
        .expect("a key is far shorter than the cipher's bound");
    let body = Body {
        kdf: Kdf {
            name: "scrypt".to_owned(),
            params: Params { n: 1 << WRITTEN_LOG2_N, r: R, p: P },
            salt: salt.to_vec(),
        },
        cipher: Cipher { name: "nacl/secretbox".to_owned(), nonce: nonce.to_vec() },
        ciphertext,
    };
    let body = serde_json::to_vec(&body).expect("strings and integers serialize");
    encode_pem(LABEL, &body)
}

/// Decrypts a key file.
///
/// # Errors
/// [`KeyFileError`] when it is malformed, asks for other parameters, or the password is wrong.
pub fn decrypt(text: &str, password: &[u8]) -> Result<SigningKey, KeyFileError> {
    let block = one_pem_block(text).map_err(KeyFileError::Key)?;
    if !matches!(block.tag(), LABEL | OLD_LABEL) {
        return Err(KeyFileError::Label { found: block.tag().chars().take(64).collect() });
    }
    let body: Body = json::read(block.contents(), super::MAX_PEM_BYTES, "the encrypted key")
        .map_err(KeyFileError::Body)?;
    let log2_n = cost(&body.kdf)?;
    let Cipher { name, nonce } = &body.cipher;
    let nonce: [u8; 24] = match (name.as_str(), nonce.as_slice().try_into()) {
        ("nacl/secretbox", Ok(nonce)) => nonce,
        _ => {
            return Err(KeyFileError::Parameter {
                expected: "cipher nacl/secretbox with a nonce of 24 bytes",
                found: format!("{name:.32} with a nonce of {} bytes", nonce.len()),
            });
        }
    };
    let plain = secretbox(password, &body.kdf.salt, log2_n)
        .decrypt(&Nonce::from(nonce), body.ciphertext.as_slice())
        .map_err(|_| KeyFileError::WrongPassword)?;
    SigningKey::from_pkcs8_der(&Zeroizing::new(plain)).map_err(KeyFileError::Key)
}

fn cost(kdf: &Kdf) -> Result<u8, KeyFileError> {
    let params = &kdf.params;
    let log2_n = READ_LOG2_N.into_iter().find(|log2| params.n == 1 << log2);
    match log2_n {
        Some(log2_n)
            if kdf.name == "scrypt"
                && (params.r, params.p) == (R, P)
                && (8..=64).contains(&kdf.salt.len()) =>
        {
            Ok(log2_n)
        }
        _ => Err(KeyFileError::Parameter {
            expected: "scrypt with N of 32768, 65536 or 131072, r of 8, p of 1 and a salt of 8 to 64 bytes",
            found: format!(
                "{:.32} with N of {}, r of {}, p of {} and a salt of {} bytes",
                kdf.name,
                params.n,
                params.r,
                params.p,
                kdf.salt.len()
            ),
        }),
    }
}

fn secretbox(password: &[u8], salt: &[u8], log2_n: u8) -> XSalsa20Poly1305 {
    let params = scrypt::Params::new(log2_n, R, P).expect("the parameters are among the few read");
    let mut key = Zeroizing::new([0; 32]);
    scrypt::scrypt(password, salt, &params, key.as_mut()).expect("32 bytes is a valid length");
    XSalsa20Poly1305::new(Key::from_slice(key.as_slice()))
}

#[cfg(test)]
mod tests;
