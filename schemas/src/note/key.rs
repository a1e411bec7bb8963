//! The keys of signed notes, and how they are written.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;
use sha2::Digest as _;

use super::{KEY_ID_BYTES, Note, NoteError, NoteSignature, check_name, cut};
use crate::digest::Sha256;

/// The signature types that are supported (C2SP signed-note, Signature types).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum SignatureType {
    /// Ed25519 over the text.
    Ed25519 = 0x01,
    /// A timestamped Ed25519 cosignature (C2SP tlog-cosignature): see [`crate::cosignature`].
    CosignatureV1 = 0x04,
}

impl SignatureType {
    /// The signature type identifier byte.
    #[must_use]
    pub fn as_byte(self) -> u8 {
        self as u8
    }
}

impl TryFrom<u8> for SignatureType {
    type Error = NoteError;

    fn try_from(byte: u8) -> Result<Self, NoteError> {
        match byte {
            0x01 => Ok(Self::Ed25519),
            0x04 => Ok(Self::CosignatureV1),
            found => Err(NoteError::SignatureType { found }),
        }
    }
}

impl fmt::Display for SignatureType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#04x}", self.as_byte())
    }
}

/// A public key that signs notes: a name, a signature type and an Ed25519 key.
///
/// Written as a verifier key: `<name>+<hex key ID>+base64(signature type ‖ key)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    signature_type: SignatureType,
    key: VerifyingKey,
}

impl NoteKey {
    /// The key that signs a log's notes: type [`SignatureType::Ed25519`].
    ///
    /// # Errors
    /// [`NoteError::Name`] or [`NoteError::Ed25519Key`].
    pub fn ed25519(name: &str, raw: [u8; 32]) -> Result<Self, NoteError> {
        Self::new(name, SignatureType::Ed25519, raw)
    }

    /// Names a raw Ed25519 public key for one type of signature.
    ///
    /// # Errors
    /// [`NoteError::Name`] or [`NoteError::Ed25519Key`].
    pub fn new(
        name: &str,
        signature_type: SignatureType,
        raw: [u8; 32],
    ) -> Result<Self, NoteError> {
        check_name(name)?;
        // A key of small order verifies signatures that nobody made.
        let key = VerifyingKey::from_bytes(&raw)
            .ok()
            .filter(|key| !key.is_weak())
            .ok_or(NoteError::Ed25519Key)?;
        Ok(Self { name: name.to_owned(), signature_type, key })
    }

    /// The same name and key for another type of signature; its key ID differs.
    #[must_use]
    pub fn with_type(&self, signature_type: SignatureType) -> Self {
        Self { signature_type, ..self.clone() }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type of the signatures that the key makes.
    #[must_use]
    pub fn signature_type(&self) -> SignatureType {
        self.signature_type
    }

    /// The raw Ed25519 public key.
    #[must_use]
    pub fn raw(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// `SHA-256(name ‖ 0x0A ‖ signature type ‖ key)`: a log's ID when the name is its origin.
    #[must_use]
    pub fn key_hash(&self) -> Sha256 {
        let mut hasher = sha2::Sha256::new();
        hasher.update(self.name.as_bytes());
        hasher.update([b'\n', self.signature_type.as_byte()]);
        hasher.update(self.raw());
        Sha256(hasher.finalize().into())
    }

    /// The key ID: the first four bytes of [`NoteKey::key_hash`].
    #[must_use]
    pub fn key_id(&self) -> [u8; KEY_ID_BYTES] {
        let [a, b, c, d, ..] = *self.key_hash().as_bytes();
        [a, b, c, d]
    }

    /// Makes the signature line for `text`, whose last newline is signed too.
    ///
    /// `sign` is the private key's pure Ed25519 (RFC 8032) over exactly the bytes it is given.
    ///
    /// # Errors
    /// [`NoteError::KeyUse`] unless the key's type is [`SignatureType::Ed25519`], and
    /// [`NoteError::Signature`] when `sign` is not of this key: no line that will not verify is
    /// ever made.
    pub fn sign(
        &self,
        text: &str,
        sign: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Result<NoteSignature, NoteError> {
        let signature = sign(text.as_bytes());
        self.verify(text, &signature)?;
        Ok(self.line(signature))
    }

    /// Verifies a signature over `text`.
    ///
    /// # Errors
    /// [`NoteError::KeyUse`] unless the key's type is [`SignatureType::Ed25519`], else
    /// [`NoteError::Signature`].
    pub fn verify(&self, text: &str, signature: &[u8]) -> Result<(), NoteError> {
        self.check_type(SignatureType::Ed25519)?;
        self.verify_message(text.as_bytes(), signature)
    }

    /// Verifies that the key signed the note: there is a line of its name and ID, and every such
    /// line verifies. Lines of other keys are ignored, as C2SP signed-note demands.
    ///
    /// # Errors
    /// [`NoteError::NotSigned`] without such a line, else as [`NoteKey::verify`].
    pub fn verify_note(&self, note: &Note) -> Result<(), NoteError> {
        let mut lines = self.lines_in(note).peekable();
        if lines.peek().is_none() {
            return Err(NoteError::NotSigned { name: self.name.clone(), key_id: self.key_id() });
        }
        lines.try_for_each(|line| self.verify(note.text(), &line.signature))
    }

    /// The lines of a note that name this key, unverified.
    pub(crate) fn lines_in<'n>(
        &self,
        note: &'n Note,
    ) -> impl Iterator<Item = &'n NoteSignature> + use<'n, '_> {
        let key_id = self.key_id();
        note.signatures().iter().filter(move |line| line.name == self.name && line.key_id == key_id)
    }

    pub(crate) fn line(&self, signature: Vec<u8>) -> NoteSignature {
        NoteSignature { name: self.name.clone(), key_id: self.key_id(), signature }
    }

    pub(crate) fn check_type(&self, expected: SignatureType) -> Result<(), NoteError> {
        if self.signature_type != expected {
            return Err(NoteError::KeyUse { expected, found: self.signature_type });
        }
        Ok(())
    }

    /// Strict Ed25519 (RFC 8032 §5.1.7, and no points of small order) over the message bytes.
    pub(crate) fn verify_message(&self, message: &[u8], signature: &[u8]) -> Result<(), NoteError> {
        ed25519_dalek::Signature::from_slice(signature)
            .and_then(|signature| self.key.verify_strict(message, &signature))
            .map_err(|_| NoteError::Signature { name: self.name.clone(), key_id: self.key_id() })
    }
}

impl fmt::Display for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = vec![self.signature_type.as_byte()];
        typed.extend_from_slice(self.raw());
        write!(f, "{}+{}+{}", self.name, hex::encode(self.key_id()), STANDARD.encode(typed))
    }
}

impl FromStr for NoteKey {
    type Err = NoteError;

    /// Reads a verifier key and checks that its key ID belongs to its name and key.
    fn from_str(text: &str) -> Result<Self, NoteError> {
        let wrong = |expected, found: &str| NoteError::VerifierKey { expected, found: cut(found) };
        // The name has no plus, the base64 may have one.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(key_id), Some(base64)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong("<name>+<hex key ID>+<base64>", text));
        };
        let typed = STANDARD.decode(base64).map_err(|_| wrong("base64 of type and key", base64))?;
        let (signature_type, raw) =
            typed.split_first().ok_or_else(|| wrong("base64 of type and key", base64))?;
        let signature_type = SignatureType::try_from(*signature_type)?;
        let raw = raw.try_into().map_err(|_| wrong("a key of 32 bytes", base64))?;
        let key = Self::new(name, signature_type, raw)?;
        if hex::encode(key.key_id()) != key_id {
            return Err(wrong("the key ID of the name and key", key_id));
        }
        Ok(key)
    }
}
